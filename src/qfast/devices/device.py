"""A device: where work runs, what it can take, and whether it can take it now."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from qfast import config
from qfast._typing import EngineName
from qfast.circuit.gates import OPCODES
from qfast.config import split_device
from qfast.config.suggestions import nearest
from qfast.engines.memory import memory_limits
from qfast.errors import ConfigError, DeviceError

if TYPE_CHECKING:
    from qfast.noise import NoiseModel

__all__ = ["Capacity", "Device", "DeviceLoad", "DeviceProperties", "DeviceStatus"]

_log = logging.getLogger("qfast.devices")


@functools.cache  # files are read for it, and it hardly ever changes
def _machine_bytes() -> int:
    return memory_limits().limit_bytes


class DeviceStatus(Enum):
    """What a device says of itself."""

    ONLINE = "online"
    BUSY = "busy"  # every worker is occupied, or somebody has set it so
    MAINTENANCE = "maintenance"  # what runs is finished, nothing starts


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most a device takes.

    Attributes
    ----------
    bytes : int
        Memory of the jobs that run at the same time.
    workers : int
        Jobs that run at the same time.
    qubits : int
        Qubits of one job, in complex64.
    shots, queue : int or None
        Shots of one job, and jobs that may wait; None: no limit.
    """

    bytes: int
    workers: int
    qubits: int
    shots: int | None
    queue: int | None


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    """What a device is doing: jobs that run and wait, and the memory of those that run."""

    running: int = 0
    queued: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class DeviceProperties:
    """A description of a device at one moment; ``noise`` is None for an exact one. `to_dict` gives plain data."""

    device: str
    description: str
    status: str
    reason: str
    engine: str
    capacity: Capacity
    load: DeviceLoad
    gates: tuple[str, ...]
    coupling: tuple[tuple[int, int], ...] | None
    noise: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return nested dictionaries, ready for JSON."""
        return asdict(self)


class Device:
    """A device in this process.

    Parameters
    ----------
    name : str
        ``provider::name``.
    engine : str, optional
        The engine it always uses; None: the setting of the job.
    description : str
    gates : tuple of str, optional
        The gates it takes; empty: all.
    num_qubits, max_shots : int, optional
        What it has, and takes for one job; None: as many as fit, as many as the settings allow.
    coupling : set of (int, int), optional
        The pairs that a two-qubit gate may act on, in order; None: all.
    make_noise : callable, optional
        Returns the device's noise model; called once, when the first job needs it. None: the device is exact.

    Notes
    -----
    Thread-safe. Its limits are settings (``workers``, ``max_total_bytes``, ``max_qubits``, ``max_shots``,
    ``max_queued_jobs``), read in the device's own context.
    """

    def __init__(
        self,
        name: str,
        *,
        engine: EngineName | None = None,
        description: str = "",
        gates: tuple[str, ...] = (),
        num_qubits: int | None = None,
        max_shots: int | None = None,
        coupling: frozenset[tuple[int, int]] | None = None,
        make_noise: Callable[[], NoiseModel] | None = None,
    ) -> None:
        self.provider, self.short_name = split_device(name, config.get_default_provider())
        self.name = f"{self.provider}::{self.short_name}"
        self.engine = engine
        for gate in gates:
            if gate not in OPCODES:
                raise DeviceError(
                    f"device {self.name} cannot have the gate {gate!r}: it does not exist{nearest(gate, OPCODES)}"
                )
        self.description = description
        self.gates = gates
        self.num_qubits = num_qubits
        self.max_shots = max_shots
        self.coupling = coupling
        self._make_noise = make_noise
        self._noise: NoiseModel | None = None
        self._lock = threading.Lock()
        self._status = DeviceStatus.ONLINE
        self._reason = ""
        self._load: Callable[[], DeviceLoad] = DeviceLoad
        self._listeners: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Device {self.name} {self.status.value}>"

    # --- noise --------------------------------------------------------------------------------------------------------
    @property
    def is_noisy(self) -> bool:
        """Whether it has a noise model."""
        return self._make_noise is not None

    @property
    def is_restricted(self) -> bool:
        """Whether it takes only its own gates, on coupled qubits."""
        return self.coupling is not None or bool(self.gates and self.is_noisy)

    @property
    def noise(self) -> NoiseModel | None:
        """The noise model; None for an exact device."""
        if self._noise is None and self._make_noise is not None:
            with self._lock:
                if self._noise is None:
                    self._noise = self._make_noise()
        return self._noise

    # --- state --------------------------------------------------------------------------------------------------------
    @property
    def status(self) -> DeviceStatus:
        """What was set with `set_status`; while ONLINE, busy if every worker is occupied."""
        if self._status is DeviceStatus.ONLINE and self._load().running >= self.workers():
            return DeviceStatus.BUSY
        return self._status

    @property
    def is_held(self) -> bool:
        """Whether somebody has set the device busy or in maintenance, so that nothing may start."""
        return self._status is not DeviceStatus.ONLINE

    @property
    def reason(self) -> str:
        """Why it is busy or in maintenance, as given to `set_status`."""
        return self._reason

    def set_status(self, status: DeviceStatus | str, reason: str = "") -> None:
        """Take the device out of service, or put it back; jobs that wait for it start then.

        Parameters
        ----------
        status : {"online", "busy", "maintenance"}
        reason : str
            Shown to those who are refused.
        """
        try:
            status = DeviceStatus(status)
        except ValueError:
            allowed = ", ".join(s.value for s in DeviceStatus)
            raise ConfigError(f"device {self.name} cannot be {status!r}; allowed: {allowed}") from None
        with self._lock:
            self._status, self._reason = status, reason
            listeners = list(self._listeners)
        _log.info("device %s is %s%s", self.name, status.value, f": {reason}" if reason else "")
        for listener in listeners:
            listener()

    def attach(self, load: Callable[[], DeviceLoad], on_change: Callable[[], None]) -> None:
        """Connect the scheduler that serves this device: it tells the load, and is told of changes."""
        with self._lock:
            self._load = load
            self._listeners.append(on_change)

    def detach(self, load: Callable[[], DeviceLoad], on_change: Callable[[], None]) -> None:
        """Undo `attach`: a scheduler that is closed has no load and starts nothing."""
        with self._lock:
            if self._load == load:
                self._load = DeviceLoad
            if on_change in self._listeners:
                self._listeners.remove(on_change)

    # --- capacity -----------------------------------------------------------------------------------------------------
    def settings(self) -> config.Snapshot:
        """Return the settings of the device itself: those of the process, whatever overrides the caller is in."""
        return config.process_snapshot(device=self.name)

    def workers(self) -> int:
        """Return how many jobs may run at the same time."""
        workers: int = self.settings()["workers"]
        return workers

    def capacity_bytes(self) -> int:
        """Return the memory that the jobs which run at the same time may use together."""
        return self.settings()["max_total_bytes"] or _machine_bytes()

    def capacity(self) -> Capacity:
        """Return the most the device takes."""
        settings = self.settings()
        size_bytes = self.capacity_bytes()
        qubits = (size_bytes // 8).bit_length() - 1
        return Capacity(
            bytes=size_bytes,
            workers=settings["workers"],
            qubits=min(qubits, settings["max_qubits"] or qubits, self.num_qubits or qubits),
            shots=min((n for n in (settings["max_shots"], self.max_shots) if n is not None), default=None),
            queue=settings["max_queued_jobs"],
        )

    def properties(self) -> DeviceProperties:
        """Describe the device as it is now."""
        return DeviceProperties(
            device=self.name,
            description=self.description,
            status=self.status.value,
            reason=self._reason,
            engine=self.engine or self.settings()["engine"],
            capacity=self.capacity(),
            load=self._load(),
            gates=self.gates,
            noise=None if self._make_noise is None else repr(self.noise),
            coupling=None if self.coupling is None else tuple(sorted(self.coupling)),
        )

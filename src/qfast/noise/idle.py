"""Idling: when each qubit of a circuit waits, and what happens to it meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from qfast.circuit import AnyCircuit
from qfast.circuit.gates import OPCODES
from qfast.errors import InputError
from qfast.noise import channels
from qfast.noise.channel import Channel

__all__ = ["Durations", "IdleNoise", "Window", "idle_windows"]

Durations: TypeAlias = Callable[[str, tuple[int, ...]], float]
"""Seconds that a gate takes, by its name (extra controls included) and its qubits."""

_ID, _BARRIER, _MEASURE = OPCODES["id"], OPCODES["barrier"], OPCODES["measure"]
_SHORTEST_S = 1e-13  # differences of sums of durations below this are rounding


@dataclass(frozen=True, slots=True)
class IdleNoise:
    """What waiting does to a qubit.

    Attributes
    ----------
    t1, t2 : float
        Relaxation and coherence time in seconds; ``math.inf``: none. ``t2 <= 2 t1``, which is its default.
    detuning_hz : float
        The qubit turns about Z by ``2 pi detuning_hz t``: a coherent error, which decoupling undoes.
    relaxation : {"twirled", "kraus"}
        The Pauli twirl of T1 and T2, which samples fast, or the channel itself.
    """

    t1: float = math.inf
    t2: float | None = None
    detuning_hz: float = 0.0
    relaxation: Literal["twirled", "kraus"] = "twirled"

    def __post_init__(self) -> None:
        if self.relaxation not in ("twirled", "kraus"):
            raise InputError(f"idle noise: relaxation {self.relaxation!r} is unknown; 'twirled' and 'kraus' are")
        if not math.isfinite(self.detuning_hz):
            raise InputError(f"idle noise: detuning_hz is {self.detuning_hz!r}; a finite number is needed")
        if self.t2 is None:
            object.__setattr__(self, "t2", 2 * self.t1)
        self._relaxed(0.0)  # refuses times that no qubit has

    def channels(self, seconds: float) -> tuple[Channel, ...]:
        """Return what acts on a qubit that waits for some time."""
        found = []
        relaxed = self._relaxed(seconds)
        if self.relaxation == "twirled":
            relaxed = relaxed.twirled()
        if not relaxed.is_identity:
            found.append(relaxed.named("idle"))
        angle = math.remainder(2 * math.pi * self.detuning_hz * seconds, 4 * math.pi)
        if angle:
            phase = np.exp(0.5j * angle)
            found.append(channels.coherent(np.diag([phase.conjugate(), phase])).named("idle detuning"))
        return tuple(found)

    def _relaxed(self, seconds: float) -> Channel:
        assert self.t2 is not None
        return channels.thermal_relaxation(self.t1, self.t2, seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON; an infinite time is None."""
        return {key: None if value == math.inf else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> IdleNoise:
        """Make it of what `to_dict` returned."""
        return cls(**{**data, "t1": math.inf if data.get("t1") is None else data["t1"]})


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which a qubit waits.

    Attributes
    ----------
    qubit : int
    row : int
        The instruction that ends it; the length of the circuit: its end does.
    start, stop : float
        In seconds, from the beginning of the circuit.
    steps : tuple of int
        The ``id`` instructions inside it.
    """

    qubit: int
    row: int
    start: float
    stop: float
    steps: tuple[int, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.stop - self.start


def idle_windows(circuit: AnyCircuit, duration_of: Durations) -> list[Window]:
    """Return the times in which qubits wait between their first gate and the end of the circuit.

    Parameters
    ----------
    circuit : Circuit or CircuitValue
    duration_of : callable
        Gates of length 0 are virtual.

    Returns
    -------
    list of Window
        In the order of the instructions that end them.

    Notes
    -----
    Every gate begins as early as its qubits allow; a barrier lets its qubits wait for each other; measurements at the
    end begin together, when the last gate is over. An ``id`` is waiting of its length: a delay. A block of control
    flow takes no time here; its body is a circuit of its own.
    """
    final = _last_measurements(circuit)
    clock = [0.0] * circuit.num_qubits  # when the qubit is free
    begun: list[float | None] = [None] * circuit.num_qubits  # since when it waits; None before its first gate
    steps: list[list[int]] = [[] for _ in range(circuit.num_qubits)]
    windows: list[Window] = []

    def close(qubit: int, row: int, stop: float) -> None:
        start = begun[qubit]
        if start is not None and stop - start > _SHORTEST_S:
            windows.append(Window(qubit, row, start, stop, tuple(steps[qubit])))
        steps[qubit] = []

    for row in range(len(circuit)):
        if row in final:
            continue
        step = circuit._instruction(row)
        qubits = step.all_qubits
        if not qubits:
            continue
        start = max(clock[qubit] for qubit in qubits)
        seconds = 0.0 if step.opcode == _BARRIER else duration_of(step.label, qubits)
        for qubit in qubits:
            clock[qubit] = start + seconds
            if step.opcode == _ID and not step.controls:
                steps[qubit].append(row)
            elif step.opcode != _BARRIER:
                close(qubit, row, start)
                begun[qubit] = clock[qubit]
    end = max(clock, default=0.0)
    for row in sorted(final):
        close(circuit._instruction(row).qubits[0], row, end)
        begun[circuit._instruction(row).qubits[0]] = None
    for qubit in range(circuit.num_qubits):
        close(qubit, len(circuit), end)
    return windows


def _last_measurements(circuit: AnyCircuit) -> set[int]:
    """Rows of the measurements after which nothing but barriers and measurements follows on any qubit of theirs."""
    final: set[int] = set()
    touched: set[int] = set()
    for row in range(len(circuit) - 1, -1, -1):
        step = circuit._instruction(row)
        if step.opcode == _MEASURE and step.qubits[0] not in touched:
            final.add(row)
        if step.opcode != _BARRIER:
            touched.update(step.all_qubits)
    return final

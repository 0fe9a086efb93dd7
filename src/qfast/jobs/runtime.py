"""The job layer of this process: one scheduler a device, the shared memory, the checks at the door."""

from __future__ import annotations

import atexit
import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qfast import config
from qfast.circuit import AnyCircuit, Observable
from qfast.config import Snapshot
from qfast.devices import Device, DeviceStatus, get_device
from qfast.engines.memory import memory_limits
from qfast.errors import CapacityError, ConfigError, DeviceBusyError, DeviceOfflineError, InputError
from qfast.jobs.circuit_work import make_work
from qfast.jobs.job import Job
from qfast.jobs.job_queue import Flow, check_priority
from qfast.jobs.scheduler import Door, Scheduler
from qfast.jobs.work import Requirements, Work
from qfast.noise import NoiseModel
from qfast.pools import SYSTEM_CLOCK, Clock, StateBuffers
from qfast.pools.cleanup import CleanupFailure
from qfast.simulation import Program
from qfast.simulation.request import Method
from qfast.simulation.seeds import chosen_seed

__all__ = ["LOCAL_TENANT", "Runtime", "check_tags", "check_tenant", "default_runtime", "run", "submit"]

_log = logging.getLogger("qfast.jobs")

LOCAL_TENANT = "local"

# How long the interpreter's exit waits for running jobs to stop; engines obey within 50 ms.
_EXIT_TIMEOUT_S = 5.0

# A device that runs Python at all has this much.
_UNCHECKED_BYTES = 1 << 16

_ADVICE = ", and busy_policy is 'fail'; try later, or set busy_policy to 'wait' or 'redirect'"


class Runtime:
    """Schedulers and memory that belong together.

    A process has one, see `default_runtime`; tests make their own, with a clock that they move.

    Parameters
    ----------
    clock : Clock
    budget_bytes : int, optional
        Memory of all jobs and results; None: the setting ``max_total_bytes``, or what the machine allows.
    on_cleanup_failure : callable, optional
        ``on_cleanup_failure(message, error)``: called when something could not be unloaded or cleaned.
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        budget_bytes: int | None = None,
        on_cleanup_failure: CleanupFailure | None = None,
    ) -> None:
        self.clock = clock
        self._on_cleanup_failure = on_cleanup_failure
        self._lock = threading.Lock()
        self._schedulers: dict[Device, Scheduler] = {}
        self._flows: dict[tuple[str, int], Flow] = {}
        self._budget_bytes = budget_bytes
        self._settings = config.process_snapshot()
        self.buffers = StateBuffers(
            self._budget(),
            keep_idle=self._settings["recycle_buffers"],
            max_per_tenant=self._settings["max_tenant_bytes"],
            on_cleanup_failure=on_cleanup_failure,
            clock=clock,
        )
        self.buffers.open()
        _all.add(self)

    @property
    def on_cleanup_failure(self) -> CleanupFailure | None:
        """Called with a message and an error when something could not be cleaned up; may be set at any time."""
        return self._on_cleanup_failure

    @on_cleanup_failure.setter
    def on_cleanup_failure(self, alert: CleanupFailure | None) -> None:
        with self._lock:
            self._on_cleanup_failure = self.buffers.on_cleanup_failure = alert
            for scheduler in self._schedulers.values():
                scheduler.on_cleanup_failure = alert

    def statistics(self) -> dict[str, Any]:
        """Return what the pools count: ``"state_buffers"``, and ``"devices"`` with load and workers of each device."""
        return {
            "state_buffers": self.buffers.statistics(),
            "devices": {
                device.name: {"load": scheduler.load(), "workers": scheduler.statistics()["workers"]}
                for device, scheduler in tuple(self._schedulers.items())
            },
        }

    def trim(self) -> int:
        """Give memory that is kept for later jobs back to the system; return the bytes."""
        return self.buffers.trim()

    def _budget(self) -> int:
        return self._budget_bytes or self._settings["max_total_bytes"] or memory_limits().limit_bytes

    def _follow_settings(self) -> None:
        """Take over limits that were changed since the last job."""
        settings = config.process_snapshot()
        if settings is not self._settings:
            self._settings = settings
            self.buffers.set_limits(self._budget(), settings["max_tenant_bytes"], None)

    def scheduler(self, device: Device) -> Scheduler:
        """Return the scheduler of a device, made when it is first asked for."""
        scheduler = self._schedulers.get(device)
        if scheduler is None:
            with self._lock:
                scheduler = self._schedulers.get(device)
                if scheduler is None:
                    scheduler = Scheduler(
                        device, self.buffers, clock=self.clock, on_cleanup_failure=self._on_cleanup_failure
                    )
                    self._schedulers[device] = scheduler
        return scheduler

    def sessionless_flow(self, tenant: str, priority: int) -> Flow:
        """Return the flow of a tenant's jobs of one priority that belong to no session."""
        flow = self._flows.get((tenant, priority))
        if flow is None:
            flow = Flow(check_tenant(tenant), None, check_priority(priority), is_dedicated=False)
            self._flows[tenant, priority] = flow
        return flow

    def route(self, asked: Device, layers: config.Options | None) -> tuple[Device, Snapshot]:
        """Return the device that takes a job which was meant for one, and the settings that the job has there.

        Raises
        ------
        DeviceBusyError, DeviceOfflineError
            The device, or the one that the job is redirected to, cannot take it now, and the policy is not to wait.
        """
        settings = config.submission_snapshot(layers, device=asked.name)
        if settings["busy_policy"] == "wait":
            return asked, settings
        target = _route(asked, settings)
        return target, settings if target is asked else config.submission_snapshot(layers, device=target.name)

    def admit(self, work: Work, device: Device, settings: Snapshot) -> Requirements:
        """Check work against every limit of the device that takes it; return its requirements.

        Raises
        ------
        CapacityError
            It asks for more than the device or the limits allow.
        """
        self._follow_settings()
        asked_on = getattr(work, "requirements_on", None)
        requirements = work.requirements(settings) if asked_on is None else asked_on(settings, device)
        check_limits(requirements, settings, device)
        return requirements

    def enqueue(self, job: Job, asked: Device, target: Device, door: Door | None = None) -> None:
        """Hand an admitted job to its device's scheduler; in execution mode sync, return when it is done."""
        if target is not asked:
            job.execution_log += (("REDIRECT", asked.name, target.name),)
        self.scheduler(target).submit(job, door)

    def stop(self) -> None:
        """Cancel what waits, and tell what runs to stop; no device takes more jobs."""
        for scheduler in list(self._schedulers.values()):
            scheduler.stop()

    def close(self, timeout_s: float | None = _EXIT_TIMEOUT_S) -> bool:
        """Cancel and stop every job, unload, and end the workers; return whether all has ended in time."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        schedulers = list(self._schedulers.values())
        self.stop()  # all of them, before the first is waited for
        ended = [
            scheduler.close(None if until is None else max(0.0, until - time.monotonic())) for scheduler in schedulers
        ]
        self.buffers.close()
        if not all(ended):
            _log.error("jobs were still running %s s after they were told to stop", timeout_s)
        return all(ended)

    def after_fork(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()
        self._flows = {}
        for scheduler in list(self._schedulers.values()):
            scheduler.after_fork()


def _route(device: Device, settings: Snapshot) -> Device:
    """Return the device that takes a job when the policy is not to wait for a busy one."""
    status = device.status
    if status is DeviceStatus.ONLINE:
        return device
    if settings["busy_policy"] == "redirect":
        if settings["busy_redirect"] is None:
            raise ConfigError("busy_policy is 'redirect', but busy_redirect names no device; set it to provider::name")
        target = get_device(settings["busy_redirect"])
        if target is device or target.status is DeviceStatus.MAINTENANCE:
            why = "is the device itself" if target is device else "is in maintenance"
            raise DeviceOfflineError(
                f"device {device.name} is {status.value}, and {target.name}, where busy_redirect sends its jobs, "
                f"{why}; set busy_redirect to another"
            )
        return target
    because = f" ({device.reason})" if device.reason else ""
    if status is DeviceStatus.MAINTENANCE:
        raise DeviceOfflineError(f"device {device.name} is in maintenance{because}{_ADVICE}")
    raise DeviceBusyError(f"device {device.name} is busy{because}{_ADVICE}")


def check_limits(needed: Requirements, settings: Snapshot, device: Device) -> None:
    """Refuse a job that is larger than a limit or than the device, before anything is taken."""
    if not 0.0 < needed.cost < math.inf:
        raise InputError(f"the work asks for a share of cost {needed.cost!r}; allowed: numbers above 0")
    limit = settings["max_qubits"]
    if limit is not None and needed.num_qubits > limit:
        raise CapacityError(_too_large(needed.num_qubits, "qubits", "max_qubits", limit))
    limit = settings["max_shots"]
    if limit is not None and needed.shots > limit:
        raise CapacityError(_too_large(needed.shots, "shots", "max_shots", limit))
    if device.num_qubits is not None and needed.num_qubits > device.num_qubits:
        raise CapacityError(_too_large(needed.num_qubits, "qubits", f"all of {device.name}", device.num_qubits))
    if device.max_shots is not None and needed.shots > device.max_shots:
        raise CapacityError(_too_large(needed.shots, "shots", f"the most of {device.name}", device.max_shots))
    limit = settings["max_job_bytes"]
    if limit is not None and needed.size_bytes > limit:
        raise CapacityError(_too_many_bytes(needed, "max_job_bytes", limit))
    limit = settings["max_tenant_bytes"]
    if limit is not None and needed.size_bytes > limit:
        raise CapacityError(_too_many_bytes(needed, "max_tenant_bytes", limit))
    if needed.size_bytes > _UNCHECKED_BYTES and needed.size_bytes > (limit := device.capacity_bytes()):
        whose = f"the memory of {device.name}"
        raise CapacityError(_too_many_bytes(needed, whose, limit))


def _too_large(needed: int, unit: str, whose: str, limit: int) -> str:
    return f"the job needs {needed} {unit}, but {whose} is {limit}; make the job smaller, or raise the limit"


def _too_many_bytes(needed: Requirements, whose: str, limit: int) -> str:
    """Say how many qubits a job of this kind may have at the most."""
    qubits, left = needed.num_qubits, limit - needed.fixed_bytes
    rest = needed.size_bytes - needed.fixed_bytes
    while qubits and rest > left:
        qubits, rest = qubits - 1, rest // needed.growth
    fits = ""
    if needed.num_qubits:
        fits = f"; the largest job of this kind that fits has {qubits} qubits"
        if left <= 0 or not qubits:
            fits = f"; its outcomes alone need {needed.fixed_bytes}" if needed.fixed_bytes else "; not one qubit fits"
    needs = f"the job needs {needed.size_bytes} bytes, but {whose} is {limit}{fits}"
    return f"{needs}; make the job smaller, or raise the limit"


def check_tenant(tenant: Any) -> str:
    """Return a tenant's name, or raise ``InputError``."""
    if not isinstance(tenant, str) or not tenant:
        raise InputError(f"tenant {tenant!r} is not valid; pass a text that is not empty")
    return tenant


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags as a tuple, or raise ``InputError``."""
    if isinstance(tags, (str, Mapping)) or not all(str(tag) == tag and tag for tag in tags):
        raise InputError(f"tags {tags!r} are not valid; pass a list of texts that are not empty")
    return tuple(tags)


_all: weakref.WeakSet[Runtime] = weakref.WeakSet()
_default: Runtime | None = None
_default_lock = threading.Lock()


def default_runtime() -> Runtime:
    """Return this process's runtime, made when it is first asked for, and closed when the interpreter exits."""
    global _default
    if _default is None:
        with _default_lock:
            if _default is None:
                _default = Runtime()
                atexit.register(_default.close)
    return _default


def _after_fork() -> None:
    global _default_lock
    _default_lock = threading.Lock()
    for runtime in list(_all):
        runtime.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def submit(
    work: Work,
    *,
    device: str | Device | None = None,
    tenant: str = LOCAL_TENANT,
    priority: int = 0,
    seed: int | None = None,
    tags: Iterable[str] = (),
    options: Mapping[str, Any] | None = None,
    runtime: Runtime | None = None,
) -> Job:
    """Submit work that belongs to no session.

    Parameters
    ----------
    work : Work
    device : str or Device, optional
        Default: the default device.
    tenant : str
        Whose share of the device's turns and limits it uses.
    priority : int
        -8 … 8; each step doubles the share among the tenant's own jobs.
    seed : int, optional
    tags : iterable of str
    options : dict, optional
        Settings of this job, by name.
    runtime : Runtime, optional

    Returns
    -------
    Job
    """
    runtime = runtime or default_runtime()
    asked = get_device(device)
    checked = config.check_options(options, "options of the job") if options else None
    target, settings = runtime.route(asked, checked)
    requirements = runtime.admit(work, target, settings)
    flow = runtime.sessionless_flow(tenant, priority)
    job = Job(
        work,
        requirements,
        settings,
        flow,
        seed=settings["seed"] if seed is None else chosen_seed(seed),
        tags=check_tags(tags),
    )
    runtime.enqueue(job, asked, target)
    return job


def run(
    circuit: AnyCircuit | Program | Sequence[AnyCircuit | Program],
    *,
    shots: int | None = None,
    parameters: Any = None,
    observables: Observable | Sequence[Any] | None = None,
    noise: NoiseModel | None = None,
    initial_state: Any = None,
    method: Method = "auto",
    **submission: Any,
) -> Job:
    """Submit a circuit, a program or a list of them that belongs to no session.

    Parameters
    ----------
    circuit, shots, parameters, observables, noise, initial_state, method
        As for ``Session.run``.
    submission
        As for `submit`: ``device``, ``tenant``, ``priority``, ``seed``, ``tags``, ``options``, ``runtime``.

    Returns
    -------
    Job
    """
    work = make_work(
        circuit, shots=shots, parameters=parameters, observables=observables, noise=noise,
        initial_state=initial_state, method=method,
    )  # fmt: skip
    return submit(work, **submission)

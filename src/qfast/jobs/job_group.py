"""What sessions and batches have in common: jobs that belong together, from opening to closing."""

from __future__ import annotations

import datetime
import math
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self

from qfast import config
from qfast.circuit import AnyCircuit, Observable
from qfast.devices import Device, get_device
from qfast.errors import (
    DeviceMismatchError,
    InputError,
    SessionClosedError,
    SessionExpiredError,
    SessionNotFoundError,
)
from qfast.jobs.circuit_work import make_work
from qfast.jobs.job import Job, JobStatus
from qfast.jobs.job_queue import Flow, check_priority
from qfast.jobs.runtime import LOCAL_TENANT, Runtime, check_tags, check_tenant, default_runtime
from qfast.jobs.scheduler import Scheduler
from qfast.jobs.work import Work
from qfast.noise import NoiseModel
from qfast.pools import Clock, Lifecycle, check_transition
from qfast.pools.clock import Alarm
from qfast.pools.recovery import Gates, recover_soon
from qfast.simulation import Program
from qfast.simulation.request import Method
from qfast.simulation.seeds import chosen_seed, derived_seed

__all__ = ["CloseReason", "GroupMetrics", "JobGroup", "get_session"]

_live: weakref.WeakValueDictionary[str, JobGroup] = weakref.WeakValueDictionary()
_numbers = count(1)

CloseReason = Literal["closed", "expired", "cancelled"]


@dataclass(slots=True)
class GroupMetrics:
    """Figures of a session or batch so far.

    Attributes
    ----------
    submitted, queued, running, completed, failed, cancelled : int
        Jobs by status; ``submitted`` counts all.
    shots : int
        Of the completed jobs.
    queue_s, run_s : float
        Sums over the finished jobs.
    peak_bytes : int
        The most that one job had leased.
    retries : int
        Attempts beyond the first.
    """

    submitted: int = 0
    queued: int = 0
    running: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    shots: int = 0
    queue_s: float = 0.0
    run_s: float = 0.0
    peak_bytes: int = 0
    retries: int = 0

    @property
    def success_rate(self) -> float | None:
        """Completed jobs among the finished ones; None before the first has finished."""
        finished = self.completed + self.failed + self.cancelled
        return self.completed / finished if finished else None

    def add(self, job: Job) -> None:
        """Count a finished job, once."""
        status, (queue_s, run_s) = job.status(), job.durations()
        is_completed, is_cancelled = status is JobStatus.COMPLETED, status is JobStatus.CANCELLED
        shots = job.requirements.shots if is_completed else 0
        peak_bytes, retries = max(self.peak_bytes, job.peak_bytes), max(0, job.attempts - 1)
        if job.is_counted:
            return
        # One statement without a call: Ctrl-C cannot divide it.
        self.completed, self.cancelled, self.failed, self.shots, self.queue_s, self.run_s, self.peak_bytes, \
            self.retries, job.is_counted = (
            self.completed + is_completed, self.cancelled + is_cancelled, self.failed + (not is_completed and
            not is_cancelled), self.shots + shots, self.queue_s + queue_s, self.run_s + run_s, peak_bytes,
            self.retries + retries, True,
        )  # fmt: skip


class JobGroup:
    """What `Session` and `Batch` have in common; not to be used by itself.

    NEW → OPEN → DRAINING → CLOSED with a reason (closed | expired | cancelled). Thread-safe.
    """

    mode = ""
    _is_dedicated = False
    _alarm: Alarm | None = None
    _reserved: tuple[Scheduler, ...] = ()

    def __init__(
        self,
        device: str | Device | Sequence[str | Device] | None = None,
        *,
        max_ttl: float | None = None,
        tenant: str = LOCAL_TENANT,
        priority: int = 0,
        seed: int | None = None,
        tags: Iterable[str] = (),
        options: Mapping[str, Any] | None = None,
        runtime: Runtime | None = None,
        keep_jobs: int | None = None,
    ) -> None:
        named = [device] if device is None or isinstance(device, (str, Device)) else list(device)
        self.devices: tuple[Device, ...] = tuple(dict.fromkeys(get_device(d) for d in named))
        if not self.devices:
            raise InputError("a session needs a device; pass one, or None for the default device")
        if max_ttl is None:
            max_ttl = self.devices[0].settings()["session_ttl_s"] or None
        self.max_ttl = _check_ttl(max_ttl)
        self._keep_jobs = _check_keep_jobs(keep_jobs)
        self.tenant = check_tenant(tenant)
        self.priority = check_priority(priority)
        self.seed = None if seed is None else chosen_seed(seed)
        self.tags = check_tags(tags)
        self._options = config.check_options(options or {}, f"options of the {type(self).__name__}")
        self._runtime = runtime or default_runtime()
        self._clock: Clock = self._runtime.clock
        self._process = os.getpid()
        self.id = f"{type(self).__name__.lower()}-{os.urandom(6).hex()}-{next(_numbers)}"
        self._flow = Flow(tenant, self.id, priority, is_dedicated=self._is_dedicated)
        # Weak: jobs hold the flow, and must not keep a session alive that its owner has dropped.
        self._flow.on_finished = weakref.WeakMethod(self._job_finished)
        self._make_lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._num_submitted = 0
        self._metrics = GroupMetrics()
        self._state = Lifecycle.NEW
        self._reason: CloseReason | None = None
        self._interrupts = False
        self._open()

    def _make_lock(self) -> None:
        self.lock = threading.Lock()
        self._closed = Gates()

    def __del__(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        for scheduler in self._reserved:  # a finalizer may run in the middle of anything: others see to the rest
            recover_soon((scheduler,))

    # --- state --------------------------------------------------------------------------------------------------------
    @property
    def device(self) -> str:
        """The first of its devices."""
        return self.devices[0].name

    @property
    def state(self) -> Lifecycle:
        """Where it is in its life."""
        self._check_expiry()
        return self._state

    @property
    def reason(self) -> CloseReason | None:
        """Why it takes no more jobs: closed, expired or cancelled; None while it does."""
        return self._reason

    @property
    def accepting_jobs(self) -> bool:
        """Whether `run` takes jobs."""
        return self.state is Lifecycle.OPEN

    @property
    def active(self) -> bool:
        """Whether it takes jobs or still has some to finish."""
        return self.state in (Lifecycle.OPEN, Lifecycle.DRAINING)

    @property
    def created_at(self) -> datetime.datetime:
        """When it was made, in UTC."""
        return datetime.datetime.fromtimestamp(self._created_wall, datetime.UTC)

    @property
    def elapsed_time(self) -> float:
        """Seconds since it was made, up to its end."""
        end = self._ended_at if self._ended_at is not None else self._clock.monotonic()
        return end - self._created_at

    @property
    def remaining_time(self) -> float | None:
        """Seconds until it expires, 0 when it takes no more jobs; None without a ``max_ttl``."""
        if self.max_ttl is None:
            return None
        return max(0.0, self.max_ttl - self.elapsed_time) if self.accepting_jobs else 0.0

    @property
    def jobs(self) -> list[Job]:
        """Its jobs, in order of submission; it holds them, so that results stay readable (see ``keep_jobs``)."""
        with self.lock:
            return list(self._jobs.values())

    def _open(self) -> None:
        self._created_at = self._clock.monotonic()
        self._created_wall = self._clock.wall()
        self._ended_at: float | None = None
        self._state = check_transition(self._who(), self._state, Lifecycle.OPEN)
        if self._is_dedicated:
            for device in self.devices:
                scheduler = self._runtime.scheduler(device)
                scheduler.reserve(self)
                self._reserved += (scheduler,)
        _live[self.id] = self
        if self.max_ttl is not None:
            # A weak reference: the alarm must not keep a forgotten session alive.
            reference = weakref.ref(self)
            self._alarm = self._clock.call_at(self._created_at + self.max_ttl, lambda: _expire(reference))

    def _who(self) -> str:
        return f"{type(self).__name__} {self.id}"

    def _check_expiry(self) -> None:
        """Expire when it is time, even if the clock's thread is late."""
        if self.max_ttl is not None and self._state is Lifecycle.OPEN and self.elapsed_time >= self.max_ttl:
            self._drain("expired")

    def _drain(self, reason: CloseReason) -> None:
        """Take no more jobs."""
        try:
            with self.lock:
                if self._state is Lifecycle.OPEN:
                    draining = check_transition(self._who(), self._state, Lifecycle.DRAINING)
                    self._state, self._reason = draining, reason
                elif self._state is Lifecycle.DRAINING and reason == "cancelled":
                    self._reason = reason
                is_closed = self._close_if_drained()
            if self._alarm is not None:
                self._alarm.cancel()
            if is_closed:
                self._return_resources()
        except BaseException:
            recover_soon((self,))
            self.recover()
            raise

    def recover(self) -> None:
        """Finish a `close` or `cancel` that was broken off; see `qfast.pools.recovery`."""
        with self.lock:
            self._close_if_drained()
        if self._reason == "cancelled":
            self._cancel_jobs()
        if self._state is Lifecycle.CLOSED:
            self._return_resources()

    def _close_if_drained(self) -> bool:
        if self._state is not Lifecycle.DRAINING or self._flow.unpublished:
            return False
        closed = check_transition(self._who(), self._state, Lifecycle.CLOSED)
        self._ended_at = self._clock.monotonic()
        self._state = closed
        return True

    def _return_resources(self) -> None:
        self._closed.wake()
        for scheduler in self._reserved:
            scheduler.unreserve(self)
        self._reserved = ()

    def _job_finished(self, job: Job) -> None:
        """Count a job that is done; called before those who wait for it are woken, and again is harmless."""
        with self.lock:
            self._metrics.add(job)
            self._flow.unpublished.pop(job.id, None)
            if self._keep_jobs is not None:
                self._drop_jobs(self._keep_jobs)
            is_closed = self._close_if_drained()
        if is_closed:
            self._return_resources()
        elif self._is_dedicated:
            following = self._flow.first_unfinished()
            if following is not None and following.scheduler not in (None, job.scheduler):
                following.scheduler.wake()  # it waits for its turn on another device

    def _drop_jobs(self, keep: int) -> None:
        """Drop finished jobs, the oldest first, until there are so many."""
        surplus = len(self._jobs) - len(self._flow.unpublished) - keep
        if surplus > 0:
            for key in [job.id for job in self._jobs.values() if job.is_counted][:surplus]:
                del self._jobs[key]

    def settings(self, options: Mapping[str, Any] | None = None) -> config.Snapshot:
        """Return the settings that a job submitted now would run on, with options of its own."""
        return config.submission_snapshot(self._layers(options), device=self.devices[0].name)

    def _layers(self, options: Mapping[str, Any] | None) -> config.Options:
        if not options:
            return self._options
        return config.Options({**self._options, **config.check_options(options, "options of the job")})

    # --- running ------------------------------------------------------------------------------------------------------
    def run(
        self,
        circuit: AnyCircuit | Program | Sequence[AnyCircuit | Program],
        *,
        shots: int | None = None,
        parameters: Any = None,
        observables: Observable | Sequence[Any] | None = None,
        noise: NoiseModel | None = None,
        initial_state: Any = None,
        method: Method = "auto",
        seed: int | None = None,
        device: str | Device | None = None,
        tags: Iterable[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Job:
        """Submit a circuit, a program, or a list of them.

        Parameters
        ----------
        circuit : Circuit, Program, or list of them
            As it is now: what is appended later does not reach the job. A list is one job, whose result is a sequence
            with one result per circuit; what circuits have in common at their beginning is simulated once. Circuit i of
            a list draws from the key of (seed, "circuit", i).
        shots : int, optional
            Given: the result is `Samples`. Neither shots nor observables: a `Statevector`.
        parameters : mapping or array, optional
            As for `qfast.simulate`. An array of shape (m, p): a row for each of m runs, whose results are as
            `Program` returns them. For a list of circuits: a list of values.
        observables : Observable or nested sequence of them, optional
            The result is the expectation value, or an array of them; where the circuit measures in the middle, their
            mean over its branches.
        noise : NoiseModel, optional
            Instead of the device's. With noise, a state is a `DensityMatrix`, and expectation values are its exact ones
            (4**n amplitudes).
        initial_state : Statevector or array_like, shape (2**n,), optional
            Instead of |0…0⟩, such as the result of an earlier job, so that a state lives on from job to job.
        method : str
            The way, as for `qfast.sample`.
        seed : int, optional
            Default: that of the session and the job's number, else the setting, else fresh entropy.
        device : str or Device, optional
            One of the session's; default: the one with the least to do.
        tags : iterable of str
            Added to the session's.
        options : dict, optional
            Settings of this job, over those of the session.

        Returns
        -------
        Job

        Raises
        ------
        SessionClosedError, SessionExpiredError
            It takes no more jobs.
        DeviceMismatchError
            The device is none of the session's.
        CapacityError, DeviceBusyError, DeviceOfflineError
            The device cannot take it.
        """
        work = make_work(
            circuit, shots=shots, parameters=parameters, observables=observables, noise=noise,
            initial_state=initial_state, method=method,
        )  # fmt: skip
        return self.submit(work, seed=seed, device=device, tags=tags, options=options)

    def submit(
        self,
        work: Work,
        *,
        seed: int | None = None,
        device: str | Device | None = None,
        tags: Iterable[str] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Job:
        """Submit any work; see `run`."""
        chosen = self._choose_device(device)
        layers = self._layers(options) if options else self._options
        if self.max_ttl is not None:
            self._check_expiry()
        if self._state is not Lifecycle.OPEN:
            raise self._refusal()
        target, settings = self._runtime.route(chosen, layers)
        requirements = self._runtime.admit(work, target, settings)
        job = Job(
            work,
            requirements,
            settings,
            self._flow,
            seed=None if seed is None else chosen_seed(seed),
            tags=self.tags + check_tags(tags) if tags else self.tags,
        )
        self._runtime.enqueue(job, chosen, target, self)
        return job

    def let_in(self, job: Job) -> None:
        """Give a job its number and its seed, or refuse it; called by the scheduler inside ``lock``."""
        if self._state is not Lifecycle.OPEN or os.getpid() != self._process:
            raise self._refusal()
        if job.seed is None:
            job.seed = job.config["seed"] if self.seed is None else derived_seed(self.seed, "job", self._num_submitted)

    def has_entered(self, job: Job) -> None:
        """Keep a job that was accepted; called by the scheduler inside ``lock``."""
        self._jobs[job.id], self._num_submitted = job, self._num_submitted + 1

    def _refusal(self) -> SessionClosedError | SessionExpiredError:
        if os.getpid() != self._process:
            return SessionClosedError(f"{self._who()} belongs to the parent process; open a new one in this one")
        if self._reason == "expired":
            return SessionExpiredError(
                f"{self._who()} has expired: its max_ttl of {self.max_ttl:g} s has passed; open a new one"
            )
        return SessionClosedError(f"{self._who()} was {self._reason} and takes no more jobs; open a new one")

    def _choose_device(self, device: str | Device | None) -> Device:
        if device is None:
            if len(self.devices) == 1:
                return self.devices[0]
            return min(self.devices, key=self._occupation)
        chosen = get_device(device)
        if chosen not in self.devices:
            own = ", ".join(d.name for d in self.devices)
            raise DeviceMismatchError(
                f"the job names device {chosen.name}, but {self._who()} is on {own}; pass one of its"
            )
        return chosen

    def _occupation(self, device: Device) -> tuple[bool, float]:
        load = self._runtime.scheduler(device).load()
        return device.is_held, (load.running + load.queued) / device.workers()

    # --- closing ------------------------------------------------------------------------------------------------------
    def close(self, wait: bool = False, timeout_s: float | None = None) -> bool:
        """Take no more jobs; those that were accepted finish. Again is harmless.

        Parameters
        ----------
        wait : bool
            Whether to wait for them.
        timeout_s : float, optional
            The longest wait.

        Returns
        -------
        bool
            Whether all jobs are done.
        """
        self._drain("closed")
        return self._closed.wait_for(lambda: self._state is Lifecycle.CLOSED, timeout_s if wait else 0.0)

    def cancel(self, interrupt: bool = False) -> None:
        """Take no more jobs and cancel those that wait; running ones finish, or with ``interrupt`` are stopped, too."""
        self._interrupts = interrupt
        try:
            self._drain("cancelled")
            self._cancel_jobs()
        except BaseException:
            recover_soon((self,))
            self.recover()
            raise

    def _cancel_jobs(self) -> None:
        self._flow.is_stopped = True
        schedulers: dict[Scheduler, list[Job]] = {}
        for job in tuple(self._flow.unfinished.values()):
            if job.scheduler is not None:
                schedulers.setdefault(job.scheduler, []).append(job)
        for scheduler, jobs in schedulers.items():
            scheduler.cancel_all(jobs, interrupt=self._interrupts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- figures ------------------------------------------------------------------------------------------------------
    def metrics(self) -> GroupMetrics:
        """Return a copy of the figures so far."""
        with self.lock:
            unfinished = [job.status() for job in list(self._flow.unfinished.values())]
            return replace(
                self._metrics,
                submitted=self._num_submitted,
                queued=unfinished.count(JobStatus.QUEUED),
                running=unfinished.count(JobStatus.RUNNING),
            )

    def details(self) -> dict[str, Any]:
        """Return what there is to know, as plain data; times in seconds, ``created_at`` in ISO 8601, UTC."""
        return {
            "id": self.id,
            "mode": self.mode,
            "device": self.device,
            "devices": [device.name for device in self.devices],
            "max_ttl": self.max_ttl,
            "created_at": self.created_at.isoformat().replace("+00:00", "Z"),
            "state": self.state.value,
            "reason": self.reason,
            "accepting_jobs": self.accepting_jobs,
            "active": self.active,
            "elapsed_time": self.elapsed_time,
            "remaining_time": self.remaining_time,
            "jobs": list(self._jobs),
            "tenant": self.tenant,
            "priority": self.priority,
            "seed": self.seed,
            "tags": list(self.tags),
        }

    def __repr__(self) -> str:
        reason = f" ({self._reason})" if self._reason else ""
        return f"<{self._who()} on {self.device}, {self._state.value}{reason}, {len(self._jobs)} jobs>"


def _make_locks_in_child() -> None:
    for group in list(_live.values()):
        group._make_lock()  # another thread of the parent may have held the old one
        group._flow.unpublished.clear()  # the parent's


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_make_locks_in_child)


def _expire(reference: weakref.ref[JobGroup]) -> None:
    group = reference()
    if group is not None:
        group._drain("expired")


def _check_ttl(max_ttl: Any) -> float | None:
    if max_ttl is None:
        return None
    if isinstance(max_ttl, bool) or not isinstance(max_ttl, (int, float)) or not max_ttl > 0:
        raise InputError(f"max_ttl {max_ttl!r} is not valid; allowed: seconds above 0, math.inf for no limit")
    return None if max_ttl == math.inf else float(max_ttl)


def _check_keep_jobs(keep_jobs: Any) -> int | None:
    if keep_jobs is None:
        return None
    if isinstance(keep_jobs, bool) or not hasattr(keep_jobs, "__index__") or keep_jobs < 0:
        raise InputError(f"keep_jobs {keep_jobs!r} is not valid; allowed: whole numbers from 0, or None for all")
    return int(keep_jobs.__index__())


def get_session(session_id: str) -> JobGroup:
    """Return a session or batch of this process by its id.

    Raises
    ------
    SessionNotFoundError
        There is none, or nobody holds it any more.
    """
    group = _live.get(session_id)
    if group is None:
        raise SessionNotFoundError(f"session {session_id!r} does not exist in this process; it may have been dropped")
    return group

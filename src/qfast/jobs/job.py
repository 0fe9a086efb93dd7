"""A job: a future with a status, a log, metrics and progress."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import secrets
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qfast.errors import JobCancelledError, JobFailedError, LifecycleError

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.jobs.job_queue import Flow
    from qfast.jobs.scheduler import Scheduler
    from qfast.jobs.work import Requirements, Work
    from qfast.pools import Cancellation
    from qfast.pools.clock import Alarm

__all__ = ["JOB_TRANSITIONS", "CancelledJobError", "Job", "JobMetrics", "JobStatus"]


class JobStatus(Enum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    # Identity, which is what equality of members is; Enum's own hash is a Python function.
    __hash__ = object.__hash__

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return not JOB_TRANSITIONS[self]


JOB_TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset({JobStatus.QUEUED, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


_FINAL = frozenset(status for status in JobStatus if status.is_final)


class CancelledJobError(JobCancelledError, concurrent.futures.CancelledError):
    """What ``result()`` of a cancelled job raises, so that either family catches it."""


@dataclass(frozen=True, slots=True)
class JobMetrics:
    """Figures of one job; times are seconds since the epoch, None while they lie ahead.

    Attributes
    ----------
    queued, started, finished : float or None
        ``started`` is that of the last attempt.
    queue_s, run_s : float
        Seconds from submission to the last start, and from there to the end.
    attempts : int
        How often it was started.
    shots, num_qubits : int
    peak_bytes : int
        The most memory it had leased, or what its simulation says it used, if that is more.
    """

    queued: float
    started: float | None
    finished: float | None
    queue_s: float
    run_s: float
    attempts: int
    shots: int
    num_qubits: int
    peak_bytes: int


_log = logging.getLogger("qfast.jobs")

_numbers = count(1)
_prefix = secrets.token_hex(4)


# One for all: it is hardly ever waited for. A finalizer that runs while it is held may ask for a job, too.
_making = threading.RLock()


def _after_fork() -> None:
    global _prefix, _making
    _prefix = secrets.token_hex(4)
    _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Job(concurrent.futures.Future[Any]):
    """The future of one piece of work; jobs are made by ``session.run``, `qfast.run` and their like.

    Besides what a ``concurrent.futures.Future`` has: `status`, `metrics`, `progress`, `execution_log`, `telemetry`,
    ``await job``, and ``cancel(interrupt=True)``.

    Attributes
    ----------
    id : str
    tags : tuple of str
    seed : int or None
        None: the work draws its own.
    config : Snapshot
        The settings it runs on.
    execution_log : tuple of tuples of str
        What happened, phase by phase: ``("LOAD", …)``, ``("EXECUTE", …)``, ``("UNLOAD", …)``.

    Notes
    -----
    Thread-safe. ``timeout`` of `result` and `exception` limits the waiting, not the job.
    """

    # What most jobs never change stands on the class, and what others know is asked of them: up to 30 attributes of
    # its own, a job shares its dictionary's keys with all others and takes a kilobyte less.
    execution_log: tuple[tuple[str, ...], ...] = ()
    # The scheduler's, changed under its lock.
    scheduler: Scheduler | None = None
    cancellation: Cancellation | None = None
    alarms: tuple[Alarm, ...] = ()
    runner: int | None = None  # the thread that runs this attempt, once it has taken it on
    is_counted = False  # its session has counted its end
    timed_out: str | None = None
    attempts = 0
    peak_bytes = 0
    queued_at = 0.0
    queued_wall = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    _status = JobStatus.QUEUED
    _telemetry: Mapping[str, Any] = MappingProxyType({})
    _made_condition: threading.Condition | None = None
    _progress: tuple[int, int] = (0, 0)
    _progress_source: Callable[[], tuple[int, int]] | None = None

    def __init__(
        self,
        work: Work,
        requirements: Requirements,
        settings: Snapshot,
        flow: Flow,
        *,
        seed: int | None,
        tags: tuple[str, ...],
    ) -> None:
        # Instead of Future's own __init__, which makes a condition: most jobs are done before anybody waits, and it
        # would cost each of them a microsecond and nine objects for the garbage collector. See `_condition`.
        self._state = "PENDING"
        self._result = self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []
        self.id = f"job-{_prefix}-{next(_numbers)}"
        self.work = work
        self.requirements = requirements
        self.config = settings
        self.flow = flow
        self.tags = tags
        self.seed = seed

    @property
    def name(self) -> str:
        """What its work is, in a word."""
        return self.work.name

    @property
    def session_id(self) -> str | None:
        """The session or batch it belongs to."""
        return self.flow.session_id

    @property
    def tenant(self) -> str:
        """Whose share and limits it uses."""
        return self.flow.tenant

    @property
    def device(self) -> str:
        """Where it runs; another than asked for if it was redirected."""
        return "" if self.scheduler is None else self.scheduler.device.name

    # --- state --------------------------------------------------------------------------------------------------------
    def status(self) -> JobStatus:
        """Return where the job is in its life."""
        return self._status

    def enter(self, status: JobStatus) -> None:
        """Take a step of the table; called by the scheduler inside its lock."""
        if status not in JOB_TRANSITIONS[self._status]:
            raise LifecycleError(f"job {self.id} is {self._status.value} and cannot become {status.value}")
        self._status = status

    def running(self) -> bool:
        """Return whether it is being executed now."""
        return self._status is JobStatus.RUNNING

    def cancelled(self) -> bool:
        """Return whether it was cancelled."""
        return self._status is JobStatus.CANCELLED and self.done()

    def done(self) -> bool:
        """Return whether its outcome can be had."""
        return self._state == "FINISHED"

    def cancel(self, interrupt: bool = False) -> bool:
        """Cancel the job.

        Parameters
        ----------
        interrupt : bool
            False: only a job that has not begun is cancelled. True: a running one is told to stop, too; it is
            CANCELLED as soon as it obeys (an engine within 50 ms), unless it is done before.

        Returns
        -------
        bool
            Whether the job is, or was told to be, cancelled; False for one that is done or, without ``interrupt``,
            running.
        """
        return self.scheduler is not None and self.scheduler.cancel(self, interrupt=interrupt)

    # --- result -------------------------------------------------------------------------------------------------------
    def result(self, timeout: float | None = None) -> Any:
        """Return the result, waiting for it; raise the job's error if it has one.

        Raises
        ------
        TimeoutError
            It is not done within ``timeout`` seconds; the job goes on.
        JobCancelledError, JobTimeoutError
            The job was cancelled or ran out of its time.
        Exception
            Whatever the work raised, with ``execution_log``, ``telemetry`` and ``code``.
        """
        if not self.done():
            self._check_process()
            return super().result(timeout)
        if self._exception is not None:
            raise self._exception
        return self._result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the job's error, or None, waiting for its end; for a cancelled job, raise."""
        self._check_process()
        error = self._exception if self.done() else super().exception(timeout)
        if isinstance(error, CancelledJobError):
            raise error
        return error

    def _check_process(self) -> None:
        if self._status not in _FINAL and os.getpid() != self.flow.process:
            raise JobFailedError(f"job {self.id} runs in the parent process; wait for it there, or submit it here")

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait without blocking the event loop; cancelling the task that waits does not cancel the job."""
        if not self.done():
            self._check_process()
            loop = asyncio.get_running_loop()
            done = loop.create_future()

            def wake() -> None:
                if not done.done():
                    done.set_result(None)

            def tell(_: object) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(wake)

            self.add_done_callback(tell)
            yield from done
        return self.result()

    @property
    def _condition(self) -> threading.Condition:
        """What Future locks and waits with, made when it is first needed."""
        condition = self._made_condition
        if condition is None:
            with _making:
                condition = self._made_condition
                if condition is None:
                    condition = self._made_condition = threading.Condition()
        return condition

    @_condition.setter
    def _condition(self, condition: threading.Condition) -> None:
        self._made_condition = condition

    def publish(self, value: Any, error: BaseException | None, release: Callable[[], None] | None) -> None:
        """Make the outcome visible; called once, by the scheduler.

        ``release`` gives the worker back. It is called before those who wait are woken, so that their next job finds
        the worker free and warm; but after the callbacks, because a callback may wait for a job that this very worker
        would have to run.
        """
        with _making:
            if self._made_condition is None:  # nobody waits, and there is no callback: these need the condition
                if release is not None:
                    release()
                self._result, self._exception, self._state = value, error, "FINISHED"
                return
        with self._condition:
            has_callbacks = self.has_callbacks
            if not has_callbacks:
                if release is not None:
                    release()
                self._settle(value, error)
        if has_callbacks:
            try:
                self._settle(value, error)
            except BaseException as raised:  # of a callback; what is an Exception, Future itself has logged
                if threading.current_thread() is threading.main_thread():
                    raise  # Ctrl-C
                _log.error("a callback of job %s raised %r; it ends nothing but the callback", self.id, raised)
            finally:
                if release is not None:
                    release()

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if error is None:
            self.set_result(value)
        else:
            self.set_exception(error)

    @property
    def has_callbacks(self) -> bool:
        """Whether anybody has asked to be called at its end."""
        return bool(self._done_callbacks)

    # --- figures ------------------------------------------------------------------------------------------------------
    def metrics(self) -> JobMetrics:
        """Return times, attempts, shots and peak memory."""
        started, finished = self.started_at, self.finished_at
        wall = self.queued_wall - self.queued_at
        queue_s, run_s = self.durations()
        return JobMetrics(
            queued=self.queued_wall,
            started=None if started is None else started + wall,
            finished=None if finished is None else finished + wall,
            queue_s=queue_s,
            run_s=run_s,
            attempts=self.attempts,
            shots=self.requirements.shots,
            num_qubits=self.requirements.num_qubits,
            peak_bytes=self.peak_bytes,
        )

    @property
    def telemetry(self) -> dict[str, Any]:
        """Leases and bytes after unloading (zero) and at their peak, as a new dictionary; empty before the end."""
        return dict(self._telemetry)

    def note_attempt(self, lines: tuple[tuple[str, ...], ...], telemetry: dict[str, Any]) -> None:
        """Take over the log and the figures of an attempt that has been unloaded."""
        self.execution_log += lines
        self._telemetry = telemetry
        if telemetry["peak_bytes"] > self.peak_bytes:
            self.peak_bytes = telemetry["peak_bytes"]

    def durations(self) -> tuple[float, float]:
        """Return the seconds in the queue, up to the last start, and of the last attempt; 0 while they lie ahead."""
        started, finished = self.started_at, self.finished_at
        waited_until = finished if started is None else started
        return (
            0.0 if waited_until is None else waited_until - self.queued_at,
            0.0 if started is None or finished is None else finished - started,
        )

    def progress(self) -> tuple[int, int]:
        """Return ``(done, total)`` in units of the work; ``(0, 0)`` before it says anything."""
        source = self._progress_source
        return self._progress if source is None else source()

    def report_progress(self, done: int, total: int) -> None:
        """Note how far the work is; called by its context."""
        self._progress = (done, total)

    def follow_progress(self, source: Callable[[], tuple[int, int]] | None) -> None:
        """Take the progress from an engine's token; None: keep the last value."""
        if self._progress_source is not None:
            self._progress = self._progress_source()
        self._progress_source = source

    def __repr__(self) -> str:
        session = f" of {self.session_id}" if self.session_id else ""
        return f"<Job {self.id} {self.name!r} {self._status.value} on {self.device}{session}>"

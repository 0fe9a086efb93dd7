"""A job: a future with a status, a log, metrics and progress."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import count
from queue import SimpleQueue
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from qfast.errors import JobCancelledError, JobFailedError, LifecycleError
from qfast.pools.recovery import is_main_thread, recover_soon, wait_at

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.jobs.context import JobContext
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


def _after_fork() -> None:
    global _prefix
    _prefix = secrets.token_hex(4)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Hold:
    """What ``concurrent.futures`` takes for the condition of a job.

    It locks nothing. It freezes what the holding thread sees: whether the job was done when the thread began to enlist
    as a waiter, which decides whether it is to be told.
    """

    __slots__ = ("_job",)

    def __init__(self, job: Job) -> None:
        self._job = job

    def acquire(self) -> bool:
        job = self._job
        job.__dict__.setdefault("_held", {})[threading.get_ident()] = job.done()
        return True

    def release(self) -> None:
        self._job.__dict__["_held"].pop(threading.get_ident(), None)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _Gate(SimpleQueue[Any]):
    """Where one thread waits for one job: a waiter, as ``concurrent.futures`` has them."""

    add_result = add_exception = SimpleQueue.put


class _Waiters(list[Any]):
    """Who is to be told that a job is done. Whoever takes a waiter out tells it, so each is told once."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = weakref.ref(job)

    def append(self, waiter: Any) -> None:
        """Add a waiter, and tell it at once if the job is done: that may have been a moment ago."""
        super().append(waiter)
        job = self._job()
        if job is not None and job.done() and not job.was_done():
            self.tell(job, waiter)

    def remove(self, waiter: Any) -> None:
        """Forget a waiter; one that has been told is gone already."""
        with contextlib.suppress(ValueError):
            super().remove(waiter)

    def tell(self, job: Job, waiter: Any) -> None:
        """Tell one waiter, unless somebody else does."""
        try:
            super().remove(waiter)
        except ValueError:
            return
        if job._exception is None:
            waiter.add_result(job)
        else:
            waiter.add_exception(job)


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
    Thread-safe. ``timeout`` of `result` and `exception` limits the waiting, not the job. So does Ctrl-C: the job goes
    on, ahead of the next of its session. ``job.cancel(interrupt=True)`` stops it, and ``with job:`` does that by itself
    when the block is left by an error or by Ctrl-C.

    Nothing locks a job. Its outcome is complete before ``done()`` says so, which is one step; whoever begins to wait
    looks again after having enlisted. (A ``threading.Condition``, which futures have otherwise, stays locked for good
    when Ctrl-C strikes inside its ``__enter__``.)
    """

    # What most jobs never change stands on the class, and what others know is asked of them: up to 30 attributes of
    # its own, a job shares its dictionary's keys with all others and takes a kilobyte less.
    execution_log: tuple[tuple[str, ...], ...] = ()
    # The scheduler's, changed under its lock.
    scheduler: Scheduler | None = None
    context: JobContext | None = None  # of the attempt that runs
    is_backing_off = False  # it waits for its next attempt's time
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
    _is_done = False
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
        # Instead of Future's own __init__, which makes a condition.
        self._result = self._exception = None
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
        return self._is_done

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
        if not self._is_done:
            self.wait(timeout)
        if self._exception is not None:
            try:
                raise self._exception
            finally:
                self = None  # type: ignore[assignment]  # or the error would hold the job, by this frame
        return self._result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the job's error, or None, waiting for its end; for a cancelled job, raise."""
        self.wait(timeout)
        error = self._exception
        if isinstance(error, CancelledJobError):
            raise error
        return error

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is done, however it ends.

        Raises
        ------
        TimeoutError
            It is not done within ``timeout`` seconds; the job goes on.
        """
        if self._is_done:
            return
        gate = _Gate()
        self._waiters.append(gate)
        try:
            if not wait_at(gate, timeout) and not self.done():
                raise TimeoutError(f"job {self.id} was not done within {timeout:g} s; it goes on")
        finally:
            self._waiters.remove(gate)

    def was_done(self) -> bool:
        """Whether this thread has seen, since it holds the job, that it is done; for ``concurrent.futures``."""
        held = self.__dict__.get("_held")
        return held is not None and held.get(threading.get_ident(), False)

    @property
    def _condition(self) -> _Hold:  # type: ignore[override]
        return _Hold(self)

    @property
    def _state(self) -> str:  # type: ignore[override]
        """The state as ``concurrent.futures`` has it, while this thread holds the job as it was then."""
        held = self.__dict__.get("_held")
        is_done = held.get(threading.get_ident(), self._is_done) if held else self._is_done
        return "FINISHED" if is_done else "PENDING"

    @property
    def _waiters(self) -> _Waiters:  # type: ignore[override]
        """Who waits; made when it is first asked for: most jobs are done before anybody does."""
        waiters: _Waiters = self.__dict__.get("_made_waiters") or self.__dict__.setdefault(
            "_made_waiters", _Waiters(self)
        )
        return waiters

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Have ``fn(job)`` called when the job is done; at once, by this thread, if it is.

        It is called by the thread that ends the job, or by one of its own. What it raises is logged.
        """
        callbacks: deque[Callable[[Any], object]] = self.__dict__.setdefault("_made_callbacks", deque())
        callbacks.append(fn)
        if self.done():
            self._call_back()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.cancel(interrupt=True)

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait without blocking the event loop; cancelling the task that waits does not cancel the job."""
        if not self.done():
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

    # --- the end, for the scheduler -----------------------------------------------------------------------------------
    def settle(self, status: JobStatus, value: Any, error: BaseException | None) -> None:
        """Enter a final state with an outcome; called by the scheduler inside its lock, and shown by `publish`."""
        if status not in JOB_TRANSITIONS[self._status]:
            self.enter(status)  # which refuses it
        self._result, self._exception, self._status = value, error, status

    def outcome(self) -> tuple[BaseException | None, Any]:
        """Return the error and the value, perhaps before they are published."""
        return self._exception, self._result

    def publish(self, release: Callable[[], None] | None = None) -> None:
        """Make the outcome visible, wake those who wait, and call back; again is harmless.

        ``release`` gives the worker back. It is called before those who wait are woken, so that their next job finds
        the worker free and warm; but after the callbacks, because a callback may wait for a job that this very worker
        would have to run.
        """
        told = self.__dict__
        if release is not None and not told.get("_made_callbacks"):
            release()
            release = None
        self._is_done = True
        if "_made_waiters" in told:
            self._tell_waiters()
        if "_made_callbacks" not in told and release is None:
            return
        try:
            self._call_back()
        finally:
            if release is not None:
                release()

    def abandon(self) -> None:
        """End a job of the parent process in a forked child, where nobody will run it."""
        if self._status not in _FINAL:
            why = f"job {self.id} runs in the parent process; wait for it there, or submit it here"
            self._result, self._exception, self._status = None, JobFailedError(why), JobStatus.FAILED
        self.__dict__.pop("_made_callbacks", None)
        self._is_done = True
        self._tell_waiters()

    def recover(self) -> None:
        """Tell everybody who has not been told: Ctrl-C broke that off, or might have. See `qfast.pools.recovery`."""
        self._tell_waiters()
        if self.has_callbacks:  # they may take their time
            threading.Thread(target=self._call_back, name=f"qfast-callbacks-of-{self.id}", daemon=True).start()

    def _tell_waiters(self) -> None:
        waiters: _Waiters | None = self.__dict__.get("_made_waiters")
        if not waiters:
            return
        if is_main_thread():
            recover_soon((self,))  # the waiters of concurrent.futures have locks that Ctrl-C could leave locked
            return
        for waiter in tuple(waiters):
            waiters.tell(self, waiter)

    def _call_back(self) -> None:
        """Call everybody who asked for it, each once: taking one out is one step."""
        callbacks: deque[Callable[[Any], object]] | None = self.__dict__.get("_made_callbacks")
        if not callbacks:
            return
        with contextlib.suppress(IndexError):  # nobody is left
            for call in iter(callbacks.popleft, None):
                try:
                    call(self)
                except Exception:
                    _log.exception("a callback of job %s failed", self.id)
                except BaseException as raised:
                    recover_soon((self,))  # for the others
                    if is_main_thread():
                        raise  # Ctrl-C
                    _log.error("a callback of job %s raised %r; it ends nothing but the callback", self.id, raised)

    @property
    def has_callbacks(self) -> bool:
        """Whether anybody waits to be called at its end."""
        return bool(self.__dict__.get("_made_callbacks"))

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

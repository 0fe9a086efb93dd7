"""The scheduler of one device: who runs next, on which worker, and how every job comes to its end.

One lock guards all decisions of a device: each step of a job's state machine is taken inside it, so every job ends
exactly once. Work, callbacks, worker hand-over and waking those who wait happen outside. Nothing polls: a job starts
because another ended, one was submitted, an alarm of the clock rang, or the device changed its status.

The truth is the table of jobs that live here, and each job's own status; queue and running jobs are derived from it.
Whatever is broken off, by Ctrl-C or by an error of foreign code, is mended from it and finished by `Scheduler.recover`.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from qfast import config
from qfast.config import Snapshot, Source
from qfast.devices import Device, DeviceLoad
from qfast.errors import ConfigError, DeviceBusyError, JobFailedError, JobTimeoutError, LifecycleError
from qfast.jobs.attempt import Outcome, is_transient, mark_outcome, run_attempt, text_of
from qfast.jobs.context import JobContext
from qfast.jobs.job import CancelledJobError, Job, JobStatus
from qfast.jobs.job_queue import Flow, JobQueue
from qfast.pools import SYSTEM_CLOCK, Cancellation, Clock, Lease, PoolStatistics, StateBuffers, Worker, make_worker_pool
from qfast.pools.cleanup import CleanupFailure
from qfast.pools.recovery import Gates, is_main_thread, recover_soon, start_recovery

__all__ = ["Scheduler"]

_log = logging.getLogger("qfast.jobs")

# The device's setting limits how many work; the pool only keeps the idle ones.
_MANY_WORKERS = 1 << 16


class Door(Protocol):
    """A session, to the scheduler that takes its jobs."""

    id: str
    lock: threading.Lock

    def let_in(self, job: Job) -> None:
        """Give the job its number, or refuse it; inside ``lock``."""
        ...

    def has_entered(self, job: Job) -> None:
        """Note that the job was accepted; inside ``lock``."""
        ...


class Scheduler:
    """Runs the jobs of one device.

    Parameters
    ----------
    device : Device
    buffers : StateBuffers
        An open pool, shared by the devices of this machine.
    clock : Clock
    on_cleanup_failure : callable, optional
        ``on_cleanup_failure(message, error)``, called when something could not be unloaded.

    Notes
    -----
    Thread-safe. Workers: a job that is not of a dedicated session leaves one worker free for every open dedicated
    session (of two or more workers, one always serves all), so that a session's next job starts at once.
    """

    def __init__(
        self,
        device: Device,
        buffers: StateBuffers,
        *,
        clock: Clock = SYSTEM_CLOCK,
        on_cleanup_failure: CleanupFailure | None = None,
    ) -> None:
        self.device = device
        self.clock = clock
        self._buffers = buffers
        self.on_cleanup_failure = on_cleanup_failure
        self._num_workers = 1
        self._max_tenant_jobs: int | None = None
        self._max_tenant_bytes: int | None = None
        self._max_dedicated: int | None = None
        self._settings: Snapshot | None = None
        self._is_closed = False
        self._start_clean()
        device.attach(self.load, self.wake)

    def _start_clean(self) -> None:
        self._lock = threading.Lock()
        self._is_ready = False  # the threads that it relies on have started
        self._is_torn = False  # the books are being changed, or were left half changed: see `_mend`
        self._idle = Gates()
        self._live: dict[str, Job] = {}  # the truth: those that were accepted and are not published
        self._queue = JobQueue()
        self._retrying: dict[str, Job] = {}
        self._running: dict[str, Job] = {}
        # In order of opening, by their ids; a session that nobody holds any more drops out.
        self._dedicated: weakref.WeakValueDictionary[str, Door] = weakref.WeakValueDictionary()
        self._workers = make_worker_pool(_MANY_WORKERS, clock=self.clock)
        self._workers.open()

    def after_fork(self) -> None:
        """Begin anew in a forked child: the parent's jobs and threads are not the child's."""
        abandoned = list(self._live.values())
        self._start_clean()
        for job in abandoned:
            job.flow.unfinished.pop(job.id, None)
            job.flow.unpublished.pop(job.id, None)
            job.abandon()

    # --- for devices and sessions -------------------------------------------------------------------------------------
    def load(self) -> DeviceLoad:
        """Return how many jobs run and wait, and the memory of those that run."""
        with self._lock:
            return DeviceLoad(len(self._running), len(self._queue) + len(self._retrying), self._running_bytes())

    def statistics(self) -> dict[str, PoolStatistics]:
        """Return the gauges and counters of the pools: ``"state_buffers"`` and ``"workers"``."""
        return {"state_buffers": self._buffers.statistics(), "workers": self._workers.statistics()}

    def reserve(self, session: Door) -> None:
        """Reserve a worker for a dedicated session, until `unreserve` or the session's death.

        Raises
        ------
        DeviceBusyError
            The device serves as many as ``max_dedicated_sessions`` says, and ``session_policy`` is ``"fail"``.
        """
        settings = self.device.settings()
        with self._lock:
            limit, others = settings["max_dedicated_sessions"], len(self._dedicated)
            if limit is not None and others >= limit and settings["session_policy"] == "fail":
                raise DeviceBusyError(
                    f"device {self.device.name} is reserved by {others} dedicated sessions, max_dedicated_sessions is "
                    f"{limit}, and session_policy is 'fail'; close one, or set session_policy to 'wait'"
                )
            self._dedicated[session.id] = session

    def unreserve(self, session: Door) -> None:
        """Give the worker of a session back to all; the next of those that wait has its turn."""
        self._dedicated.pop(session.id, None)
        self.wake()

    def wait_until_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing runs and nothing waits; return whether that is so."""
        return self._idle.wait_for(self._is_idle, timeout_s)

    def _is_idle(self) -> bool:
        return not (self._running or self._queue or self._retrying)

    # --- submitting ---------------------------------------------------------------------------------------------------
    def submit(self, job: Job, door: Door | None = None) -> None:
        """Accept a job; in execution mode sync, return when it is done.

        A job that may start at once is run by this very thread in execution mode sync, and in mode async if it is
        short; by the same steps as in a worker.

        Parameters
        ----------
        job : Job
        door : Door, optional
            Its session, which lets it in; the order of passing the door is that of the jobs.

        Raises
        ------
        DeviceBusyError
            More jobs wait than are allowed.
        """
        if not self._is_ready:
            start_recovery()
            self.clock.start()
            self._is_ready = True
        thread = threading.get_ident()
        try:
            if door is None:
                has_begun = self._accept(job, thread)
            else:
                with door.lock:
                    door.let_in(job)
                    has_begun = self._accept(job, thread)
                    door.has_entered(job)
            if job.runner == thread:
                self._run_here(job)
            elif has_begun:
                self._start([job])
            else:
                self.wake()  # it may be able to go although others wait, if they may not
            if not job.done() and job.config["execution_mode"] == "sync":
                job.wait()
        except BaseException as error:
            # The caller gets no handle on the job, so it must neither run on nor hold up its session.
            if job.scheduler is not None:
                recover_soon((self, job, thread, error.__class__.__name__))  # the guarantee
                self.recover(job, thread, error.__class__.__name__)  # at once, unless that is broken off, too
            raise

    def _accept(self, job: Job, thread: int) -> bool:
        """Register a job and begin it, or put it into the queue; return whether it has begun."""
        is_sync = job.config["execution_mode"] == "sync"
        with self._lock:
            if self._is_torn:
                self._mend()
            if self._is_closed:
                raise LifecycleError(f"device {self.device.name} is shut down and takes no jobs; start a new process")
            if self._queue:
                self._check_queue()
            can_start = self._can_start_at_once(job)
            job.queued_at = self.clock.monotonic()
            job.queued_wall = self.clock.wall()
            self._is_torn = True
            # The truth: from here on it is accepted.
            flow, key = job.flow, job.id
            job.scheduler, self._live[key], flow.unfinished[key], flow.unpublished[key] = self, job, job, job
            self._set_alarms(job)
            if can_start:
                self._begin(job)
                if is_sync or job.requirements.is_short:
                    job.runner = thread
            else:
                self._queue.push(job)
            self._is_torn = False
        return can_start

    def _set_alarms(self, job: Job) -> None:
        if (seconds := job.config["queue_timeout_s"]) is not None:
            self._set_alarm(job, seconds, self._queue_time_is_over)
        if (seconds := job.config["total_timeout_s"]) is not None:
            self._set_alarm(job, seconds, self._total_time_is_over)

    def _check_queue(self) -> None:
        limit = self.device.settings()["max_queued_jobs"]
        if limit is not None and len(self._queue) >= limit:
            raise DeviceBusyError(
                f"device {self.device.name} has {len(self._queue)} jobs waiting, and max_queued_jobs is {limit}; "
                "wait for some of them, or raise the limit"
            )

    def _set_alarm(self, job: Job, seconds: float, action: Callable[[Job], None]) -> None:
        job.alarms += (self.clock.call_at(self.clock.monotonic() + seconds, partial(action, job)),)

    def _run_here(self, job: Job) -> None:
        outcome = self._attempt(job)
        self._start(self._conclude(job, outcome))
        self._publish(job)
        if outcome.interrupt is not None:
            raise outcome.interrupt  # Ctrl-C belongs to the caller, whose thread this is

    # --- mending ------------------------------------------------------------------------------------------------------
    def _mend(self) -> None:
        """Derive the books from the jobs themselves; inside the lock."""
        live = list(self._live.values())
        for job in live:
            if job.status().is_final:
                self._close_books(job)
        self._running = {job.id: job for job in live if job.status() is JobStatus.RUNNING}
        queued = [job for job in live if job.status() is JobStatus.QUEUED]
        self._retrying = {job.id: job for job in queued if job.is_backing_off}
        self._queue.mend(job for job in queued if not job.is_backing_off)
        self._is_torn = False

    def recover(self, job: Job | None = None, thread: int = 0, why: str = "") -> None:
        """Finish what was broken off; see `qfast.pools.recovery`.

        ``job``: its submission, by ``thread``, which gave up because of ``why``.
        """
        interrupted = None
        with self._lock:
            self._mend()
            self._is_torn = True
            if job is not None and job.id in self._live:
                interrupted = self._end_broken_off(job, thread, why)
            starting = self._pick()
            starting += [other for other in self._running.values() if other.runner is None and other not in starting]
            ended = [other for other in self._live.values() if other.status().is_final]
            self._is_torn = False
        if interrupted is not None:
            interrupted.cancel("its submission was broken off")
        for other in ended:
            self._publish_elsewhere(other)
        self._start(starting)
        self._wake_if_idle()

    def _end_broken_off(self, job: Job, thread: int, why: str) -> Cancellation | None:
        """End a job that nobody runs; return what stops one that a worker has taken on."""
        status = job.status()
        if status is JobStatus.RUNNING and job.runner not in (None, thread):
            return job.cancellation
        if not status.is_final:
            if job.context is not None:
                job.context.unload()
                job.context.tell_job()
            error = CancelledJobError(f"job {job.id} was cancelled: {why} broke off its submission")
            self._withdraw(job, JobStatus.CANCELLED, error)
        return None

    def _can_start_at_once(self, job: Job) -> bool:
        """Whether nobody waits and a worker is free: then there are no turns to keep, and the queue is spared."""
        if self._queue or self.device.is_held:
            return False
        self._read_limits()
        return (
            len(self._running) < self._num_workers
            and self._may_start(job)
            and self._is_below_limit(job.flow.tenant)
            and self._fits(job)
        )

    # --- picking, inside the lock -------------------------------------------------------------------------------------
    def _pick(self) -> list[Job]:
        """Take out of the queue every job that starts now."""
        picked: list[Job] = []
        if not self._queue or self.device.is_held or self._is_closed:
            return picked
        self._read_limits()
        was_torn = self._is_torn
        self._is_torn = True
        while len(self._running) < self._num_workers:
            job = self._queue.first(self._may_start, self._is_below_limit)
            if job is None or not self._fits(job):
                break  # when it does not fit, it is still its turn: nobody overtakes it
            self._queue.charge(job)
            self._queue.remove(job)
            self._begin(job)
            picked.append(job)
        self._is_torn = was_torn
        return picked

    def _read_limits(self) -> None:
        try:
            settings = config.process_snapshot(device=self.device.name)
        except ConfigError as error:  # somebody broke the environment meanwhile: go on as before
            _log.error("device %s keeps %d workers: %s", self.device.name, self._num_workers, error)
            return
        if settings is self._settings:
            return
        self._settings = settings
        self._num_workers = settings["workers"]
        self._max_tenant_jobs = settings["max_tenant_jobs"]
        self._max_tenant_bytes = settings["max_tenant_bytes"]
        self._max_dedicated = settings["max_dedicated_sessions"]

    def _may_start(self, job: Job) -> bool:
        if job.flow.is_stopped or (self._max_tenant_bytes is not None and not self._fits_tenant(job)):
            return False
        if job.flow.is_dedicated:
            return job.flow.is_next(job) and (self._max_dedicated is None or self._is_served(job.flow))
        if not self._dedicated:
            return len(self._running) < self._num_workers
        of_sessions = sum(running.flow.is_dedicated for running in self._running.values())
        reserved = min(self._num_served(), self._num_workers - 1) - of_sessions
        return len(self._running) + max(0, reserved) < self._num_workers

    def _is_served(self, flow: Flow) -> bool:
        """Whether a session is one of those that are served now; one that was dropped lets its last jobs go."""
        ids = tuple(self._dedicated)
        return flow.session_id not in ids or flow.session_id in ids[: self._max_dedicated]

    def _num_served(self) -> int:
        return len(self._dedicated) if self._max_dedicated is None else min(len(self._dedicated), self._max_dedicated)

    def _is_below_limit(self, tenant: str) -> bool:
        limit = self._max_tenant_jobs
        return limit is None or sum(job.flow.tenant == tenant for job in self._running.values()) < limit

    def _fits_tenant(self, job: Job) -> bool:
        """Whether the tenant's jobs that run leave room for another one under ``max_tenant_bytes``."""
        limit, size = self._max_tenant_bytes, job.requirements.size_bytes
        if limit is None or size == 0:
            return True
        others = [other for other in self._running.values() if other.tenant == job.tenant]
        return not others or sum(other.requirements.size_bytes for other in others) + size <= limit

    def _fits(self, job: Job) -> bool:
        size = job.requirements.size_bytes
        return size == 0 or not self._running or self._running_bytes() + size <= self.device.capacity_bytes()

    def _running_bytes(self) -> int:
        return sum(job.requirements.size_bytes for job in self._running.values())

    def _begin(self, job: Job) -> None:
        now, cancellation, attempt = self.clock.monotonic(), Cancellation(), job.attempts + 1
        job.runner = None
        job.attempts, job.started_at, job.cancellation = attempt, now, cancellation
        job.enter(JobStatus.RUNNING)
        self._running[job.id] = job
        if (seconds := job.config["run_timeout_s"]) is not None:
            self._set_alarm(job, seconds, partial(self._run_time_is_over, attempt))

    def _finish(self, job: Job, status: JobStatus, value: Any, error: BaseException | None) -> None:
        """Enter a final state."""
        job.finished_at = self.clock.monotonic()
        job.settle(status, value, error)
        self._close_books(job)

    def _close_books(self, job: Job) -> None:
        """Let nothing of the job stay behind here; again is harmless."""
        self._running.pop(job.id, None)
        if job.alarms:
            for alarm in job.alarms:
                alarm.cancel()
            job.alarms = ()
        job.cancellation = None
        job.context = None
        job.flow.unfinished.pop(job.id, None)
        if self._idle.waiting:
            self._wake_if_idle()

    def _wake_if_idle(self) -> None:
        if self._is_idle():
            self._idle.wake()

    # --- running ------------------------------------------------------------------------------------------------------
    def _start(self, jobs: list[Job]) -> None:
        """Hand each job to a worker."""
        pending = list(jobs)
        while pending:
            job = pending.pop()
            lease: Lease[Worker] | None = None
            try:
                lease = self._workers.acquire(tenant=job.tenant, job=job.id)
                if not lease.resource.has_thread and is_main_thread():
                    # Starting a thread is a long way, and Ctrl-C on it could leave the thread stuck.
                    lease.release()
                    recover_soon((self,))
                    return
                lease.resource.run(partial(self._serve, lease, job))
            except Exception as error:  # no thread to be had
                if lease is not None:
                    lease.discard()
                if self._claim(job):
                    pending.extend(self._conclude(job, Outcome(error=error)))
                    self._publish(job)

    def _serve(self, lease: Lease[Worker], job: Job) -> None:
        """Run a job in a worker's thread, and then, in the same thread, whatever comes next."""
        following: Job | None = job
        while following is not None:
            job = following
            if not self._claim(job):
                lease.release()
                return
            outcome = self._attempt(job)
            starting = self._conclude(job, outcome)
            if outcome.interrupt is not None:
                self._start(starting)
                self._publish(job, lease.discard)
                return
            following = starting.pop(0) if starting else None
            self._start(starting)
            self._publish(job, lease.release if following is None else None)

    def _claim(self, job: Job) -> bool:
        """Take on an attempt that was begun; False if it was ended or taken on meanwhile, see `recover`."""
        with self._lock:
            if job.runner is not None or job.status() is not JobStatus.RUNNING:
                return False
            job.runner = threading.get_ident()
            return True

    def _attempt(self, job: Job) -> Outcome:
        """Run an attempt; whatever is raised, also by the job layer itself, is its outcome."""
        cancellation = job.cancellation
        assert cancellation is not None  # set by _begin
        context = JobContext(
            job, self.device, self._buffers, cancellation, self._threads_for(job), self.on_cleanup_failure
        )
        job.context = context
        try:
            return run_attempt(context)
        except BaseException as error:
            if is_main_thread() and not isinstance(error, Exception):
                raise  # Ctrl-C: `submit` has the rest done
            return self._last_net(job, context, error)

    def _last_net(self, job: Job, context: JobContext, error: BaseException) -> Outcome:
        """Make an outcome of an error that foreign code raised where nobody expects one."""
        _log.error("job %s: %s, where none was expected", job.id, text_of(error))
        failed = JobFailedError(f"job {job.id} failed with {text_of(error)}, which came from handling another error")
        failed.__cause__ = error
        try:
            context.unload()
        except BaseException as again:  # the alert's: there is nothing left that could be told
            _log.error("job %s: unloading it failed with %s", job.id, text_of(again))
        context.tell_job()
        return Outcome(error=failed, interrupt=None if isinstance(error, Exception) else error)

    def _threads_for(self, job: Job) -> int:
        """Return the threads of one job: those of the machine, shared among the jobs that run beside it."""
        if job.requirements.is_short:
            return 1
        setting = job.config.lookup("threads")
        threads: int = setting.value
        if setting.source is not Source.DEFAULT:
            return threads
        beside = min(self._num_workers, len(self._running) + len(self._queue))
        return max(1, threads // max(1, beside))

    def _conclude(self, job: Job, outcome: Outcome) -> list[Job]:
        """Close the books on an attempt; return the jobs that start in its place."""
        may_help = outcome.error is not None and is_transient(outcome.error)
        with self._lock:
            if self._is_torn:
                self._mend()
            if job.status() is not JobStatus.RUNNING:
                return []  # it was ended meanwhile, see `recover`
            self._is_torn = True
            if may_help and self._may_retry(job):
                self._wait_for_retry(job, outcome)
            elif outcome.error is None and job.timed_out is not None:
                late = JobTimeoutError(f"{job.timed_out}; it did not obey, and its result came too late")
                self._finish(job, JobStatus.FAILED, None, late)
            elif outcome.error is None:
                self._finish(job, JobStatus.COMPLETED, outcome.value, None)
            elif outcome.has_stopped and job.timed_out is None:
                error = CancelledJobError(f"job {job.id} was cancelled while it ran")
                self._finish(job, JobStatus.CANCELLED, None, error)
            elif outcome.has_stopped and job.timed_out is not None:
                self._finish(job, JobStatus.FAILED, None, JobTimeoutError(job.timed_out))
            else:
                self._finish(job, JobStatus.FAILED, None, outcome.error)
            starting = self._pick()
            self._is_torn = False
        return starting

    def _publish(self, job: Job, release: Callable[[], None] | None = None) -> None:
        """Tell everybody that a job is done, if it is, and give its worker back; again is harmless."""
        if not job.status().is_final:  # it is tried again
            if release is not None:
                release()
            return
        try:
            mark_outcome(job)
        except BaseException as error:  # somebody's class that takes no attributes: the outcome goes out without them
            if is_main_thread() and not isinstance(error, Exception):
                raise  # Ctrl-C
            _log.error("job %s: its outcome could not be told which job it is of: %s", job.id, text_of(error))
        job.flow.tell_finished(job)
        job.publish(release)
        self._live.pop(job.id, None)

    # --- retries ------------------------------------------------------------------------------------------------------
    def _may_retry(self, job: Job) -> bool:
        return (
            job.cancellation is not None
            and not job.cancellation.cancelled
            and not self._is_closed
            and not job.flow.is_stopped
            and job.attempts <= job.config["retry_attempts"]
        )

    def _wait_for_retry(self, job: Job, outcome: Outcome) -> None:
        doublings = min(job.attempts - 1, 1000)  # 2.0**1024 overflows
        delay = min(job.config["retry_max_delay_s"], job.config["retry_delay_s"] * 2.0**doublings)
        job.execution_log += (("RETRY", f"attempt_{job.attempts}_failed", f"again_in_{delay:g}_s"),)
        assert outcome.error is not None
        _log.info("job %s, attempt %d: %s; again in %g s", job.id, job.attempts, text_of(outcome.error), delay)
        self._set_alarm(job, delay, self._retry)
        job.context = job.runner = None
        job.is_backing_off = True
        job.enter(JobStatus.QUEUED)
        self._running.pop(job.id, None)
        self._retrying[job.id] = job

    def _retry(self, job: Job) -> None:
        with self._lock:
            if self._is_torn:
                self._mend()
            if job.id not in self._retrying:
                return
            self._is_torn = True
            job.is_backing_off = False
            del self._retrying[job.id]
            self._queue.push(job, first=True)
            starting = self._pick()
            self._is_torn = False
        self._start(starting)

    # --- ending early -------------------------------------------------------------------------------------------------
    def cancel(self, job: Job, *, interrupt: bool) -> bool:
        """See `Job.cancel`."""
        return self.cancel_all([job], interrupt=interrupt) > 0

    def cancel_all(self, jobs: Iterable[Job], *, interrupt: bool) -> int:
        """Cancel jobs before any other is started in their place; return how many were, or were told to stop."""
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                self._is_torn = True
                ended, told = [], []
                for job in jobs:
                    status = job.status()
                    if status is JobStatus.QUEUED and job.id in self._live:
                        error = CancelledJobError(f"job {job.id} was cancelled before it began")
                        self._withdraw(job, JobStatus.CANCELLED, error)
                        ended.append(job)
                    elif status is JobStatus.RUNNING and interrupt and job.cancellation is not None:
                        told.append(job.cancellation)
                starting = self._pick() if ended else []
                self._is_torn = False
            for job in ended:
                self._publish(job)
            for cancellation in told:
                cancellation.cancel("it was cancelled")
            self._start(starting)
        except BaseException:
            recover_soon((self,))
            self.recover()
            raise
        return len(ended) + len(told)

    def _withdraw(self, job: Job, status: JobStatus, error: BaseException) -> None:
        """End a job that waits, or that nobody runs."""
        if self._retrying.pop(job.id, None) is None:
            self._queue.remove(job)
        self._finish(job, status, None, error)

    def _queue_time_is_over(self, job: Job) -> None:
        self._time_is_over(job, f"waited longer than queue_timeout_s = {job.config['queue_timeout_s']:g}", attempt=0)

    def _total_time_is_over(self, job: Job) -> None:
        self._time_is_over(job, f"took longer than total_timeout_s = {job.config['total_timeout_s']:g}")

    def _run_time_is_over(self, attempt: int, job: Job) -> None:
        self._time_is_over(job, f"ran longer than run_timeout_s = {job.config['run_timeout_s']:g}", attempt=attempt)

    def _time_is_over(self, job: Job, why: str, *, attempt: int | None = None) -> None:
        """End a job that waits, tell one that runs to stop; ``attempt``: only if it is still in that one."""
        message = f"job {job.id} {why}; it is stopped"
        starting: list[Job] = []
        with self._lock:
            if self._is_torn:
                self._mend()
            if attempt not in (None, job.attempts) or job.id not in self._live:
                return
            status, cancellation = job.status(), job.cancellation
            if status is JobStatus.QUEUED:
                self._is_torn = True
                job.timed_out = message
                self._withdraw(job, JobStatus.FAILED, JobTimeoutError(message))
                starting = self._pick()
                self._is_torn = False
            elif status is JobStatus.RUNNING and cancellation is not None and not cancellation.cancelled:
                job.timed_out = message
        if status is JobStatus.QUEUED:
            self._publish_elsewhere(job)
            self._start(starting)
        elif status is JobStatus.RUNNING and cancellation is not None:
            cancellation.cancel(why)

    def _publish_elsewhere(self, job: Job) -> None:
        """Publish from the clock's thread or the recovery's: callbacks, which may take their time, get a worker."""
        if not job.has_callbacks:
            self._publish(job)
            return
        try:
            lease = self._workers.acquire(tenant=job.tenant, job=job.id)
            lease.resource.run(partial(self._publish, job, lease.release))
        except Exception:  # no thread to be had
            self._publish(job)

    # --- waking and closing -------------------------------------------------------------------------------------------
    def wake(self) -> None:
        """Start what may start now; called when something outside has changed."""
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                starting = self._pick()
            self._start(starting)
        except BaseException:
            recover_soon((self,))
            self.recover()
            raise

    def stop(self) -> None:
        """Take no more jobs, cancel what waits, and tell what runs to stop; again is harmless."""
        with self._lock:
            self._is_closed = True
        self.cancel_all(list(self._live.values()), interrupt=True)

    def close(self, timeout_s: float | None = None) -> bool:
        """Stop, and wait for unloading and for callbacks; return whether all has ended within the time."""
        until = None if timeout_s is None else time.monotonic() + timeout_s
        self.stop()
        is_done = self.wait_until_idle(timeout_s)
        left = None if until is None else max(0.0, until - time.monotonic())
        are_back = self._workers.close(left)  # callbacks have run when a worker is back
        self.device.detach(self.load, self.wake)
        return is_done and are_back

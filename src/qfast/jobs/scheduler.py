"""The scheduler of one device: who runs next, on which worker, and how every job comes to its end.

One lock guards all decisions of a device: each step of a job's state machine is taken inside it, so every job ends
exactly once. Work, callbacks, worker hand-over and waking those who wait happen outside. Nothing polls: a job starts
because another ended, one was submitted, an alarm of the clock rang, or the device changed its status.
"""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import weakref
from collections.abc import Callable
from functools import partial

from qfast import config
from qfast.config import Snapshot, Source
from qfast.devices import Device, DeviceLoad
from qfast.errors import ConfigError, DeviceBusyError, JobTimeoutError, LifecycleError
from qfast.jobs.attempt import Outcome, is_transient, mark_error, mark_result, run_attempt
from qfast.jobs.context import JobContext
from qfast.jobs.job import CancelledJobError, Job, JobStatus
from qfast.jobs.job_queue import JobQueue
from qfast.pools import SYSTEM_CLOCK, Cancellation, Clock, Lease, PoolStatistics, StateBuffers, Worker, make_worker_pool
from qfast.pools.cleanup import CleanupFailure

__all__ = ["Scheduler"]

_log = logging.getLogger("qfast.jobs")

# The device's setting limits how many work; the pool only keeps the idle ones.
_MANY_WORKERS = 1 << 16


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
        self._on_cleanup_failure = on_cleanup_failure
        self._num_workers = 1
        self._max_tenant_jobs: int | None = None
        self._settings: Snapshot | None = None
        self._is_closed = False
        self._start_clean()
        device.attach(self.load, self.wake)

    def _start_clean(self) -> None:
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._num_idle_waiters = 0
        self._queue = JobQueue()
        self._retrying: dict[str, Job] = {}
        self._running: dict[str, Job] = {}
        self._dedicated_sessions: weakref.WeakSet[object] = weakref.WeakSet()
        self._workers = make_worker_pool(_MANY_WORKERS, clock=self.clock)
        self._workers.open()

    def after_fork(self) -> None:
        """Begin anew in a forked child: the parent's jobs and threads are not the child's."""
        self._start_clean()

    # --- for devices and sessions -------------------------------------------------------------------------------------
    def load(self) -> DeviceLoad:
        """Return how many jobs run and wait, and the memory of those that run."""
        with self._lock:
            return DeviceLoad(len(self._running), len(self._queue) + len(self._retrying), self._running_bytes())

    def statistics(self) -> dict[str, PoolStatistics]:
        """Return the gauges and counters of the pools: ``"state_buffers"`` and ``"workers"``."""
        return {"state_buffers": self._buffers.statistics(), "workers": self._workers.statistics()}

    def reserve(self, session: object) -> None:
        """Reserve a worker for a dedicated session, until `unreserve` or the session's death."""
        with self._lock:
            self._dedicated_sessions.add(session)

    def unreserve(self, session: object) -> None:
        """Give the worker of a session back to all."""
        with self._lock:
            self._dedicated_sessions.discard(session)
        self.wake()

    def wait_until_idle(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing runs and nothing waits; return whether that is so."""
        with self._idle:
            self._num_idle_waiters += 1
            try:
                return self._idle.wait_for(lambda: not (self._running or self._queue or self._retrying), timeout_s)
            finally:
                self._num_idle_waiters -= 1

    # --- submitting ---------------------------------------------------------------------------------------------------
    def submit(self, job: Job) -> None:
        """Accept a job; in execution mode sync, return when it is done.

        A job that may start at once is run by this very thread in execution mode sync, and in mode async if it is
        short; by the same steps as in a worker.

        Raises
        ------
        DeviceBusyError
            More jobs wait than are allowed.
        """
        self.clock.start()
        is_sync = job.config["execution_mode"] == "sync"
        try:
            with self._lock:
                can_start = self._accept(job)
                runs_here = can_start and (is_sync or job.requirements.is_short)
                if runs_here:
                    job.runner = threading.get_ident()
            if runs_here:
                self._run_here(job)
            elif can_start:
                self._start([job])
            else:
                self.wake()  # it may be able to go although others wait, if they may not
            if is_sync and not job.done():
                concurrent.futures.wait((job,))
        except BaseException as error:
            if not job.done():
                self._rescue(job, error)
            raise

    def _accept(self, job: Job) -> bool:
        """Register a job and begin it, or put it into the queue; return whether it has begun."""
        if self._is_closed:
            raise LifecycleError(f"device {self.device.name} is shut down and takes no jobs; start a new process")
        if self._queue:
            self._check_queue()
        job.queued_at = self.clock.monotonic()
        job.queued_wall = self.clock.wall()
        job.scheduler = self
        job.flow.unfinished[job.id] = job
        if (seconds := job.config["queue_timeout_s"]) is not None:
            self._set_alarm(job, seconds, self._queue_time_is_over)
        if (seconds := job.config["total_timeout_s"]) is not None:
            self._set_alarm(job, seconds, self._total_time_is_over)
        if self._can_start_at_once(job):
            self._begin(job)
            return True
        self._queue.push(job)
        return False

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
        self._publish(job, outcome, None)
        if outcome.interrupt is not None:
            raise outcome.interrupt  # Ctrl-C belongs to the caller, whose thread this is

    def _rescue(self, job: Job, error: BaseException) -> None:
        """End a job whose submission was broken off, mostly by Ctrl-C, which may strike between any two steps.

        The caller gets no handle on the job, so it must neither run on nor hold up its session.
        """
        with self._lock:
            status, cancellation = job.status(), job.cancellation
            if job.scheduler is None:
                return  # it was not accepted
            is_nobodys = status is JobStatus.QUEUED or (status is JobStatus.RUNNING and job.runner is None)
            is_mine = is_nobodys or job.runner == threading.get_ident()
            if is_mine:
                self._running.pop(job.id, None)
                if not status.is_final:
                    self._withdraw(job, JobStatus.CANCELLED)
                self._close_books(job)
                starting = self._pick()
        if is_mine:
            self._start(starting)
            broken_off = CancelledJobError(
                f"job {job.id} was cancelled: {type(error).__name__} broke off its submission"
            )
            self._publish(job, Outcome(error=broken_off), None)
        elif cancellation is not None:
            cancellation.cancel("its submission was broken off")

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
        while len(self._running) < self._num_workers:
            job = self._queue.first(self._may_start, self._is_below_limit)
            if job is None or not self._fits(job):
                break  # when it does not fit, it is still its turn: nobody overtakes it
            self._queue.charge(job)
            self._queue.remove(job)
            self._begin(job)
            picked.append(job)
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

    def _may_start(self, job: Job) -> bool:
        if job.flow.is_dedicated:
            return job.flow.is_next(job)
        if not self._dedicated_sessions:
            return len(self._running) < self._num_workers
        of_sessions = sum(running.flow.is_dedicated for running in self._running.values())
        reserved = min(len(self._dedicated_sessions), self._num_workers - 1) - of_sessions
        return len(self._running) + max(0, reserved) < self._num_workers

    def _is_below_limit(self, tenant: str) -> bool:
        limit = self._max_tenant_jobs
        return limit is None or sum(job.flow.tenant == tenant for job in self._running.values()) < limit

    def _fits(self, job: Job) -> bool:
        size = job.requirements.size_bytes
        return size == 0 or not self._running or self._running_bytes() + size <= self.device.capacity_bytes()

    def _running_bytes(self) -> int:
        return sum(job.requirements.size_bytes for job in self._running.values())

    def _begin(self, job: Job) -> None:
        job.enter(JobStatus.RUNNING)
        job.attempts += 1
        job.started_at = self.clock.monotonic()
        job.cancellation = Cancellation()
        job.runner = None
        self._running[job.id] = job
        if (seconds := job.config["run_timeout_s"]) is not None:
            self._set_alarm(job, seconds, partial(self._run_time_is_over, job.attempts))

    def _finish(self, job: Job, status: JobStatus) -> None:
        """Enter a final state."""
        job.enter(status)
        job.finished_at = self.clock.monotonic()
        self._close_books(job)

    def _close_books(self, job: Job) -> None:
        """Let nothing of the job stay behind here; again is harmless."""
        if job.alarms:
            for alarm in job.alarms:
                alarm.cancel()
            job.alarms = ()
        job.cancellation = None
        job.flow.unfinished.pop(job.id, None)
        if self._num_idle_waiters and not (self._running or self._queue or self._retrying):
            self._idle.notify_all()

    # --- running ------------------------------------------------------------------------------------------------------
    def _start(self, jobs: list[Job]) -> None:
        """Hand each job to a worker."""
        pending = list(jobs)
        while pending:
            job = pending.pop()
            lease: Lease[Worker] | None = None
            try:
                lease = self._workers.acquire(tenant=job.tenant, job=job.id)
                lease.resource.run(partial(self._serve, lease, job))
            except Exception as error:  # no thread to be had
                if lease is not None:
                    lease.discard()
                job.runner = threading.get_ident()
                outcome = Outcome(error=error)
                pending.extend(self._conclude(job, outcome))
                self._publish(job, outcome, None)

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
                self._publish(job, outcome, lease.discard)
                return
            following = starting.pop(0) if starting else None
            self._start(starting)
            self._publish(job, outcome, lease.release if following is None else None)

    def _claim(self, job: Job) -> bool:
        """Take on an attempt that was begun; False if it was ended meanwhile, see `_rescue`."""
        with self._lock:
            if job.runner is not None or job.status() is not JobStatus.RUNNING:
                return False
            job.runner = threading.get_ident()
            return True

    def _attempt(self, job: Job) -> Outcome:
        assert job.cancellation is not None  # set by _begin
        context = JobContext(
            job, self.device, self._buffers, job.cancellation, self._threads_for(job), self._on_cleanup_failure
        )
        return run_attempt(context)

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
        with self._lock:
            del self._running[job.id]
            if self._should_retry(job, outcome):
                self._wait_for_retry(job, outcome)
            elif outcome.error is None:
                self._finish(job, JobStatus.COMPLETED)
            elif outcome.has_stopped and job.timed_out is None:
                outcome.error = CancelledJobError(f"job {job.id} was cancelled while it ran")
                self._finish(job, JobStatus.CANCELLED)
            else:
                if outcome.has_stopped and job.timed_out is not None:
                    outcome.error = JobTimeoutError(job.timed_out)
                self._finish(job, JobStatus.FAILED)
            return self._pick()

    def _publish(self, job: Job, outcome: Outcome, release: Callable[[], None] | None) -> None:
        """Tell everybody that a job is done, if it is, and give its worker back."""
        if not job.status().is_final:  # it is tried again
            if release is not None:
                release()
            return
        try:
            if outcome.error is not None:
                mark_error(outcome.error, job)
            else:
                mark_result(outcome.value, job)
        except Exception:  # somebody's class that takes no attributes: the outcome goes out without them
            _log.exception("job %s: its outcome could not be told which job it is of", job.id)
        job.flow.tell_finished(job)
        job.publish(outcome.value, outcome.error, release)

    # --- retries ------------------------------------------------------------------------------------------------------
    def _should_retry(self, job: Job, outcome: Outcome) -> bool:
        return (
            outcome.error is not None
            and job.cancellation is not None
            and not job.cancellation.cancelled
            and not self._is_closed
            and job.attempts <= job.config["retry_attempts"]
            and is_transient(outcome.error)
        )

    def _wait_for_retry(self, job: Job, outcome: Outcome) -> None:
        delay = min(job.config["retry_max_delay_s"], job.config["retry_delay_s"] * 2.0 ** (job.attempts - 1))
        job.execution_log += (("RETRY", f"attempt_{job.attempts}_failed", f"again_in_{delay:g}_s"),)
        _log.info("job %s, attempt %d: %s; again in %g s", job.id, job.attempts, outcome.error, delay)
        job.enter(JobStatus.QUEUED)
        job.runner = None
        self._retrying[job.id] = job
        self._set_alarm(job, delay, self._retry)

    def _retry(self, job: Job) -> None:
        with self._lock:
            if self._retrying.pop(job.id, None) is None:
                return
            self._queue.push(job, first=True)
            starting = self._pick()
        self._start(starting)

    # --- ending early -------------------------------------------------------------------------------------------------
    def cancel(self, job: Job, *, interrupt: bool) -> bool:
        """See `Job.cancel`."""
        with self._lock:
            status = job.status()
            if status is JobStatus.QUEUED:
                self._withdraw(job, JobStatus.CANCELLED)
                starting = self._pick()
            cancellation = job.cancellation
        if status is JobStatus.QUEUED:
            error = CancelledJobError(f"job {job.id} was cancelled before it began")
            self._publish(job, Outcome(error=error), None)
            self._start(starting)
            return True
        if status is not JobStatus.RUNNING or not interrupt or cancellation is None:
            return False
        cancellation.cancel("it was cancelled")
        return True

    def _withdraw(self, job: Job, status: JobStatus) -> None:
        """End a job that waits."""
        if self._retrying.pop(job.id, None) is None:
            self._queue.remove(job)
        self._finish(job, status)

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
            if attempt not in (None, job.attempts):
                return
            status, cancellation = job.status(), job.cancellation
            if status is JobStatus.QUEUED:
                job.timed_out = message
                self._withdraw(job, JobStatus.FAILED)
                starting = self._pick()
            elif status is JobStatus.RUNNING and cancellation is not None and not cancellation.cancelled:
                job.timed_out = message
        if status is JobStatus.QUEUED:
            self._publish_elsewhere(job, Outcome(error=JobTimeoutError(message)))
            self._start(starting)
        elif status is JobStatus.RUNNING and cancellation is not None:
            cancellation.cancel(why)

    def _publish_elsewhere(self, job: Job, outcome: Outcome) -> None:
        """Publish from the clock's thread: callbacks, which may take their time, get a worker."""
        if not job.has_callbacks:
            self._publish(job, outcome, None)
            return
        try:
            lease = self._workers.acquire(tenant=job.tenant, job=job.id)
            lease.resource.run(partial(self._publish, job, outcome, lease.release))
        except Exception:  # no thread to be had
            self._publish(job, outcome, None)

    # --- waking and closing -------------------------------------------------------------------------------------------
    def wake(self) -> None:
        """Start what may start now; called when something outside has changed."""
        with self._lock:
            starting = self._pick()
        self._start(starting)

    def close(self, timeout_s: float | None = None) -> bool:
        """Cancel what waits, stop what runs, wait for its unloading and for callbacks; return whether all has ended.

        A closed scheduler takes no more jobs.
        """
        with self._lock:
            self._is_closed = True
            waiting = [*self._queue.jobs(), *self._retrying.values()]
            running = list(self._running.values())
        for job in waiting + running:
            self.cancel(job, interrupt=True)
        is_done = self.wait_until_idle(timeout_s)
        are_back = self._workers.close(timeout_s)  # callbacks have run when a worker is back
        self.device.detach(self.load, self.wake)
        return is_done and are_back

"""What must not break the job layer: callbacks, errors and results of any kind, Ctrl-C anywhere, forks, no threads."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import qfast
from qfast.devices import Device
from qfast.errors import InputError, JobCancelledError
from qfast.jobs import Batch, Job, JobStatus, Runtime, Session, submit
from qfast.jobs.context import JobContext
from qfast.jobs.job_queue import Flow
from qfast.pools import Lifecycle, ManualClock
from qfast.simulation.seeds import derived_seed
from tests.jobs.works import WAIT_S, Failing, Gated, Plain, check_nothing_left


def raise_(error: BaseException) -> None:
    raise error


# --- what users hand in -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit("bad"), KeyboardInterrupt()])
def test_a_failing_callback_stops_neither_its_worker_nor_the_next_job(
    runtime: Runtime, device: Device, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    gate = Gated(1)
    first = submit(gate, device=device, runtime=runtime)
    second = submit(Plain(lambda _: 2), device=device, runtime=runtime)
    first.add_done_callback(lambda _: raise_(error))
    gate.let()
    assert (first.result(WAIT_S), second.result(WAIT_S)) == (1, 2)
    assert runtime.scheduler(device).wait_until_idle(WAIT_S)
    assert runtime.scheduler(device).statistics()["workers"].leaked == 0
    assert caplog.records, "it was logged"


class Closed:
    """A result that takes no metadata, and says so."""

    def add_metadata(self, **entries: Any) -> None:
        raise TypeError("not I")


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    place: int = 0


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raise_from_itself(_: JobContext) -> None:
    error = ValueError("round")
    raise error from error


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (lambda _: Closed(), None),
        (lambda _: raise_(FrozenError(3)), FrozenError),
        (lambda _: raise_(SpeechlessError()), SpeechlessError),
        (raise_from_itself, ValueError),
        (lambda _: raise_(GeneratorExit()), qfast.errors.JobFailedError),
    ],
    ids=["result", "frozen", "speechless", "cyclic", "base"],
)
def test_odd_results_and_errors_reach_the_caller(
    runtime: Runtime, device: Device, action: Callable[[JobContext], Any], error: type[Exception] | None
) -> None:
    job = submit(Plain(action), device=device, runtime=runtime, options={"retry_attempts": 0})
    found = job.exception(WAIT_S)
    assert found is None if error is None else isinstance(found, error)
    check_nothing_left(job, runtime, device)


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt()])
def test_what_ends_a_thread_may_come_from_unload_too(
    runtime: Runtime, device: Device, alerts: list[str], error: BaseException
) -> None:
    work = Plain(lambda context: context.at_unload(lambda: raise_(error)) or 5)
    job = submit(work, device=device, runtime=runtime)
    assert job.result(WAIT_S) == 5
    assert (job.telemetry["cleanup_failures"], len(alerts)) == (1, 1)
    with pytest.raises(type(error)):  # run by the caller itself, it is the caller's
        submit(work, device=device, runtime=runtime, options={"execution_mode": "sync"})
    check_nothing_left(job, runtime, device)
    assert submit(Plain(lambda _: 6), device=device, runtime=runtime).result(WAIT_S) == 6


def test_a_slow_callback_of_a_time_out_does_not_stop_the_clock(
    runtime: Runtime, device: Device, clock: ManualClock
) -> None:
    gate, answered = Gated(), threading.Event()
    submit(gate, device=device, runtime=runtime)
    late = submit(Plain(), device=device, runtime=runtime, options={"queue_timeout_s": 1.0})
    names: list[str] = []

    def wait_for_another(_: object) -> None:
        names.append(threading.current_thread().name)
        assert answered.wait(WAIT_S)

    late.add_done_callback(wait_for_another)
    clock.advance(1.0)  # returns although the callback waits
    answered.set()
    gate.let()
    assert runtime.scheduler(device).wait_until_idle(WAIT_S)
    while not names:
        pass
    assert names[0].startswith("qfast-worker")


# --- sessions under way -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Session, Batch])
@pytest.mark.parametrize("end", [lambda group: group.close(), lambda group: group.cancel(interrupt=True)])
def test_an_end_in_the_middle_of_a_submission_refuses_the_job(
    runtime: Runtime,
    device: Device,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Session | Batch],
    end: Callable[[Session | Batch], None],
) -> None:
    group, admit, work = kind(device, runtime=runtime), runtime.admit, Plain()

    def admit_late(*arguments: Any) -> Any:
        end(group)
        return admit(*arguments)

    monkeypatch.setattr(runtime, "admit", admit_late)
    with pytest.raises(qfast.errors.SessionClosedError):
        group.submit(work)
    assert (group.state, group.jobs, work.phases) == (Lifecycle.CLOSED, [], [])


def test_a_session_keeps_as_many_finished_jobs_as_it_is_asked_to(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime, keep_jobs=2)
    for number in range(5):
        last = session.submit(Plain(lambda _, number=number: number))
        assert last.result(WAIT_S) == number
    assert [job.result() for job in session.jobs] == [3, 4]
    assert (session.metrics().submitted, session.metrics().completed) == (5, 5)
    none = Session(device, runtime=runtime, keep_jobs=0)
    states = [none.run(qfast.Circuit(18).h(0)).result(WAIT_S).norm() for _ in range(8)]  # twice the whole budget
    assert states == pytest.approx([1.0] * 8)
    assert none.jobs == []


def test_a_dropped_session_takes_its_alarm_back(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    session = Session(device, runtime=runtime, max_ttl=1e12)
    assert clock.num_alarms() == 1
    del session
    gc.collect()
    assert clock.num_alarms() == 0


def test_the_first_unfinished_job_can_be_asked_for_while_others_come_and_go() -> None:
    flow = Flow("t", "s", 0, is_dedicated=True)
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            flow.unfinished[str(number)] = None  # type: ignore[assignment]
            flow.unfinished.pop(str(number - 3), None)
            number += 1

    thread = threading.Thread(target=churn)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for _ in range(20_000):
            assert flow.first_unfinished() is None
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_a_child_forked_inside_a_sessions_lock_can_still_close_it(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime)
    with session.lock:
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if session.close(wait=True, timeout_s=WAIT_S) else 2)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert session.accepting_jobs


# --- no threads to be had ---------------------------------------------------------------------------------------------
def test_without_threads_a_job_fails_and_the_device_lives_on(
    runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        job = submit(Plain(), device=device, runtime=runtime)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            job.result(WAIT_S)
    assert submit(Plain(lambda _: 1), device=device, runtime=runtime).result(WAIT_S) == 1
    assert runtime.scheduler(device).load().running == 0


def test_a_closed_scheduler_hears_nothing_of_its_device(device: Device) -> None:
    runtime = Runtime(budget_bytes=1 << 20)
    submit(Plain(), device=device, runtime=runtime).result(WAIT_S)
    runtime.close(WAIT_S)
    assert (device._listeners, device.properties().load.running) == ([], 0)


# --- Ctrl-C; see also test_interrupts.py ------------------------------------------------------------------------------
def test_ctrl_c_while_waiting_in_mode_sync_cancels_the_job(
    runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, waiting = Gated(), Plain()
    submit(gate, device=device, runtime=runtime)
    session = Session(device, runtime=runtime, options={"execution_mode": "sync"})
    monkeypatch.setattr("qfast.jobs.job.wait_at", lambda gate, timeout: raise_(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        session.submit(waiting)
    (job,) = session.jobs
    with pytest.raises(JobCancelledError, match="KeyboardInterrupt broke off its submission"):
        job.result()
    gate.let()
    assert session.close()
    assert waiting.phases == []


def test_an_attempt_that_somebody_ended_before_its_worker_came_is_not_run(
    runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may come between handing a job to a worker and the return of that call."""
    scheduler, work = runtime.scheduler(device), Plain()
    start = scheduler._start
    held: list[list[Job]] = []

    def start_interrupted(jobs: list[Job]) -> None:
        held.append(jobs)
        if jobs:
            raise KeyboardInterrupt

    monkeypatch.setattr(scheduler, "_start", start_interrupted)
    with pytest.raises(KeyboardInterrupt):
        submit(work, device=device, runtime=runtime)
    monkeypatch.setattr(scheduler, "_start", start)
    ((job,), *_) = held
    scheduler._start([job])  # the worker comes late
    assert scheduler.wait_until_idle(WAIT_S)
    assert job.status() is JobStatus.CANCELLED
    assert submit(Plain(lambda _: 1), device=device, runtime=runtime).result(WAIT_S) == 1
    assert work.phases == []


def test_a_failing_requirement_refuses_the_job(runtime: Runtime, device: Device) -> None:
    work = Failing(ValueError)
    work.requirements = lambda settings: raise_(InputError("cannot say"))  # type: ignore[assignment, method-assign]
    session = Session(device, runtime=runtime)
    with pytest.raises(InputError, match="cannot say"):
        session.submit(work)
    assert session.close()


# --- foreign code inside the bookkeeping ------------------------------------------------------------------------------
class UndecidedError(Exception):
    @property
    def is_transient(self) -> bool:
        raise RuntimeError("cannot say")


class MutedTransientError(SpeechlessError):
    is_transient = True


class PretenderError(Exception):
    """Breaks ``isinstance``, which the job layer asks outside of any attempt's own ``try``."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("no class")


class TracelessError(Exception):
    @property  # type: ignore[misc]
    def __cause__(self) -> BaseException:
        raise RuntimeError("no cause")


@pytest.mark.parametrize("kind", [UndecidedError, MutedTransientError, PretenderError, TracelessError])
@pytest.mark.parametrize("phase", ["load", "execute"])
def test_an_error_that_fails_itself_ends_its_job_and_nothing_else(
    runtime: Runtime, device: Device, clock: ManualClock, kind: type[Exception], phase: str
) -> None:
    work = Plain()
    setattr(work, phase, lambda context: raise_(kind()))
    session = Session(device, runtime=runtime)
    job = session.submit(work, options={"retry_attempts": 1})
    following = session.submit(Plain(lambda _: 5))
    if kind is MutedTransientError:
        while job.attempts < 1 or job.status() is JobStatus.RUNNING:
            pass
        clock.advance(100.0)
    assert isinstance(job.exception(WAIT_S), Exception)
    assert job.status() is JobStatus.FAILED
    assert following.result(WAIT_S) == 5
    assert session.close(wait=True, timeout_s=WAIT_S)
    check_nothing_left(job, runtime, device)
    assert runtime.scheduler(device).statistics()["workers"].leaked == 0


def test_a_retry_delay_that_would_overflow_is_the_longest(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    def fail(context: JobContext) -> None:
        context.job.attempts += 1100  # as if it had failed so often
        raise ConnectionError("again")

    options = {"retry_attempts": 2000, "retry_max_delay_s": 1.0}
    job = submit(Plain(fail), device=device, runtime=runtime, options=options)
    while not job.done():
        clock.advance(1.0)
    assert isinstance(job.exception(), ConnectionError)
    assert ("RETRY", "attempt_1101_failed", "again_in_1_s") in job.execution_log


@pytest.mark.parametrize("kind", [SpeechlessError, SystemExit])
def test_an_error_of_unload_or_of_the_alert_ends_its_job_and_nothing_else(
    device: Device, kind: type[BaseException]
) -> None:
    runtime = Runtime(budget_bytes=1 << 24, on_cleanup_failure=lambda message, error: raise_(kind()))
    work = Plain(lambda _: 3)
    work.unload = lambda context: raise_(SpeechlessError())  # type: ignore[method-assign]
    job = submit(work, device=device, runtime=runtime)
    if kind is SystemExit:  # it ends a thread: the job cannot say that all went well
        assert isinstance(job.exception(WAIT_S), qfast.errors.JobFailedError)
    else:
        assert job.result(WAIT_S) == 3
    assert submit(Plain(lambda _: 4), device=device, runtime=runtime).result(WAIT_S) == 4
    assert runtime.scheduler(device).load().running == 0
    assert runtime.close(WAIT_S)


class ExitingMetadata:
    def add_metadata(self, **entries: Any) -> None:
        raise SystemExit


def test_a_result_that_would_end_the_thread_is_published_all_the_same(runtime: Runtime, device: Device) -> None:
    job = submit(Plain(lambda _: ExitingMetadata()), device=device, runtime=runtime)
    assert isinstance(job.result(WAIT_S), ExitingMetadata)
    assert submit(Plain(lambda _: 4), device=device, runtime=runtime).result(WAIT_S) == 4
    assert runtime.scheduler(device).statistics()["workers"].leaked == 0


def test_cancelling_a_session_starts_none_of_its_waiting_jobs(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    device = make_device(2)
    gates = [Gated(), Gated()]
    for gate in gates:
        submit(gate, device=device, runtime=runtime)
        gate.wait_begun()
    group = Batch(device, runtime=runtime)
    works = [Plain() for _ in range(200)]
    jobs = [group.submit(work) for work in works]
    canceller = threading.Thread(target=group.cancel)
    for gate in gates:
        gate.let()
    canceller.start()
    canceller.join()
    group.close(wait=True)
    ran = [job for job, work in zip(jobs, works, strict=True) if work.phases]
    assert all(job.status() is not JobStatus.CANCELLED for job in ran)
    assert group.metrics().cancelled == len(jobs) - len(ran)


def test_numbers_jobs_and_execution_have_one_order_whoever_submits(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime, seed=3)
    order: list[str] = []

    def submit_some() -> None:
        for _ in range(50):
            session.submit(Plain(lambda context: order.append(context.job.id)))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=submit_some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert session.close(wait=True, timeout_s=WAIT_S)
    assert [job.id for job in session.jobs] == order
    assert [job.seed for job in session.jobs] == [derived_seed(3, "job", i) for i in range(200)]


@pytest.mark.parametrize("wait", ["result", "wait", "as_completed", "results", "close"])
def test_a_forked_child_does_not_wait_for_its_parents_jobs(runtime: Runtime, device: Device, wait: str) -> None:
    gate = Gated()
    batch = Batch(device, runtime=runtime)
    running, waiting = batch.submit(gate), batch.submit(Plain())
    gate.wait_begun()
    done = {
        "result": lambda: isinstance(running.exception(), qfast.errors.JobFailedError),
        "wait": lambda: not concurrent.futures.wait([running, waiting], timeout=WAIT_S).not_done,
        "as_completed": lambda: len(list(batch.as_completed(WAIT_S))) == 2,
        "results": lambda: isinstance(waiting.exception(), qfast.errors.JobFailedError),
        "close": lambda: batch.close(wait=True, timeout_s=WAIT_S),
    }[wait]
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if done() else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not running.done()
    gate.let()

"""What must not break the job layer: callbacks, errors and results of any kind, Ctrl-C anywhere, forks, no threads."""

from __future__ import annotations

import dataclasses
import gc
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import qfast
from qfast import config
from qfast.devices import Device
from qfast.engines.memory import state_allocator
from qfast.errors import InputError, JobCancelledError
from qfast.jobs import Batch, Job, JobStatus, Runtime, Session, submit
from qfast.jobs.context import JobContext
from qfast.jobs.job_queue import Flow
from qfast.pools import Lifecycle, ManualClock
from tests.jobs.works import WAIT_S, Failing, Gated, Plain, check_nothing_left

BELL = qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])


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
@pytest.mark.parametrize("interrupt", [False, True])
def test_a_cancel_in_the_middle_of_a_submission_catches_the_job(
    runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch, kind: type[Session | Batch], interrupt: bool
) -> None:
    group = kind(device, runtime=runtime)
    gate = Gated()
    submit(gate, device=device, runtime=runtime)
    enqueue = runtime.enqueue

    def enqueue_late(*arguments: Any) -> None:
        group.cancel(interrupt=interrupt)
        enqueue(*arguments)

    monkeypatch.setattr(runtime, "enqueue", enqueue_late)
    job = group.submit(Plain())
    assert job.status() is JobStatus.CANCELLED
    assert group.state is Lifecycle.CLOSED
    gate.let()


def test_a_close_in_the_middle_of_a_submission_waits_for_the_job(
    runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(device, runtime=runtime)
    enqueue = runtime.enqueue

    def enqueue_late(*arguments: Any) -> None:
        assert not session.close(), "one is on its way"
        enqueue(*arguments)

    monkeypatch.setattr(runtime, "enqueue", enqueue_late)
    job = session.submit(Plain(lambda _: 1))
    assert session.close(wait=True, timeout_s=WAIT_S)
    assert job.result(WAIT_S) == 1


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
    with session._lock:
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


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------
class InterruptAt:
    """Raises ``KeyboardInterrupt`` at the n-th place where Ctrl-C may strike: on entering a function, after a C call.

    Python looks for signals there and at the end of loops.
    """

    def __init__(self, place: int) -> None:
        self.left = place
        self.hit = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        name = frame.f_code.co_filename
        if event not in ("call", "c_return") or not ("qfast" in name or "concurrent" in name):
            return
        if frame.f_code.co_name == "__exit__" or "tests" in name:
            return
        self.left -= 1
        if self.left == 0:
            sys.setprofile(None)
            self.hit = True
            raise KeyboardInterrupt


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_ctrl_c_anywhere_in_a_submission_leaves_a_session_that_works(
    device: Device, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # it may strike inside a finalizer
    runtime = Runtime(budget_bytes=1 << 24)
    place, hit = 0, True
    while hit:
        place += 1
        interrupt = InterruptAt(place)
        session = Session(device, runtime=runtime, options={"execution_mode": mode})
        profile = sys.getprofile()
        sys.setprofile(interrupt)
        try:
            session.run(BELL, shots=10, seed=1)
        except KeyboardInterrupt:
            assert interrupt.hit
        finally:
            sys.setprofile(profile)
        hit = interrupt.hit
        following = session.run(BELL, shots=10, seed=1).result(WAIT_S)
        assert following.shots == 10, place
        assert session.close(wait=True, timeout_s=WAIT_S), place
        assert all(job.done() for job in session.jobs), place
        assert (config.get("execution_mode"), state_allocator.get()) == ("async", None), place
    assert place > 80
    gc.collect()  # what was lost lies in frames of tracebacks
    load, buffers = runtime.scheduler(device).load(), runtime.buffers.statistics()
    assert (load.running, load.queued, buffers.leases) == (0, 0, 0)
    assert runtime.close(WAIT_S)


def test_ctrl_c_while_waiting_in_mode_sync_cancels_the_job(
    runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, waiting = Gated(), Plain()
    submit(gate, device=device, runtime=runtime)
    session = Session(device, runtime=runtime, options={"execution_mode": "sync"})
    monkeypatch.setattr("concurrent.futures.wait", lambda jobs: raise_(KeyboardInterrupt()))
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

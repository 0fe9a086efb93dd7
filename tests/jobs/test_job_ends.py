"""How a job ends early or later than asked: cancelled, out of time, tried again."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable

import pytest

from qfast import config
from qfast.devices import Device
from qfast.errors import (
    CapacityError,
    DeviceBusyError,
    DeviceOfflineError,
    InputError,
    JobCancelledError,
    JobFailedError,
    JobTimeoutError,
)
from qfast.jobs import CancelledJobError, JobStatus, Runtime, submit
from qfast.jobs.context import JobContext
from qfast.pools import ManualClock
from tests.jobs.works import WAIT_S, Failing, Gated, Plain, check_nothing_left


# --- cancelling -------------------------------------------------------------------------------------------------------
def test_a_waiting_job_can_be_cancelled_a_running_one_only_by_interrupt(runtime: Runtime, device: Device) -> None:
    running, waiting = Gated(), Plain()
    first, second = (submit(w, device=device, runtime=runtime) for w in (running, waiting))
    running.wait_begun()
    assert first.running()
    assert not first.cancel()
    assert second.cancel()
    assert not second.cancel(), "it is done"
    assert (second.cancelled(), second.done(), waiting.phases) == (True, True, [])
    with pytest.raises(JobCancelledError):
        second.result()
    with pytest.raises(concurrent.futures.CancelledError):
        second.exception()
    assert first.cancel(interrupt=True)
    with pytest.raises(CancelledJobError, match="while it ran"):
        first.result(WAIT_S)
    assert first.status() is JobStatus.CANCELLED
    assert running.phases[-1] == "unload"
    check_nothing_left(first, runtime, device)


def test_an_interrupt_reaches_a_job_that_waits_for_memory(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(2)
    holding = Gated()

    def hold(context: JobContext) -> None:
        array = context.allocate(20, "complex128")
        holding._wait(context)
        del array

    first = submit(Plain(hold), device=device, runtime=runtime)
    holding.wait_begun()
    second = submit(Plain(lambda context: context.allocate(20, "complex128")), device=device, runtime=runtime)
    while runtime.buffers.statistics().waiters == 0:
        pass
    assert second.cancel(interrupt=True)
    with pytest.raises(CancelledJobError):
        second.result(WAIT_S)
    holding.let()
    first.result(WAIT_S)
    assert runtime.buffers.statistics().leases == 0


def test_jobs_that_wait_for_each_others_memory_are_told_apart_and_both_finish(
    make_device: Callable[..., Device], clock: ManualClock
) -> None:
    device = make_device(2)
    runtime = Runtime(clock=clock, budget_bytes=3 * (16 << 10))
    both = threading.Barrier(2)

    def take_two(context: JobContext) -> int:
        first = context.allocate(10, "complex128")
        if context.job.attempts == 1:
            both.wait(WAIT_S)
        second = context.allocate(11, "complex128")
        return first.size + second.size

    jobs = [submit(Plain(take_two), device=device, runtime=runtime) for _ in range(2)]
    while not all(job.done() for job in jobs):
        clock.advance(1.0)
    assert [job.result() for job in jobs] == [3 << 10, 3 << 10]
    assert sorted(job.metrics().attempts for job in jobs) == [1, 2]
    assert runtime.buffers.statistics().leases == 0
    runtime.close(WAIT_S)


def test_a_job_may_not_take_more_memory_than_its_limit(runtime: Runtime, device: Device) -> None:
    def take(context: JobContext) -> int:
        first = context.allocate(10, "complex128")
        del first  # what is given back does not count
        second = context.allocate(10, "complex128")
        return second.size + context.allocate(9, "complex128").size

    options = {"max_job_bytes": 20_000}
    job = submit(Plain(take), device=device, runtime=runtime, options=options)
    with pytest.raises(CapacityError, match="holds 16384 bytes and asks for 8192 more, but max_job_bytes is 20000"):
        job.result(WAIT_S)
    options = {"max_job_bytes": 24_576}
    assert submit(Plain(take), device=device, runtime=runtime, options=options).result(WAIT_S) == 1536


def test_limits_follow_the_settings(make_device: Callable[..., Device], clock: ManualClock) -> None:
    device = make_device(1)
    runtime = Runtime(clock=clock)
    config.set("max_tenant_bytes", 1 << 20)
    try:
        job = submit(Plain(lambda context: context.allocate(17, "complex128")), device=device, runtime=runtime)
        with pytest.raises(CapacityError, match="limit of tenant 'local' is 1048576"):
            job.result(WAIT_S)
    finally:
        config.unset("max_tenant_bytes")
    job = submit(Plain(lambda context: context.allocate(17, "complex128").size), device=device, runtime=runtime)
    assert job.result(WAIT_S) == 1 << 17
    runtime.close(WAIT_S)


def test_the_engines_token_is_set_by_an_interrupt_and_tells_the_progress(runtime: Runtime, device: Device) -> None:
    begun = threading.Event()

    def run(context: JobContext) -> None:
        token = context.token_with_progress()
        token.report(3, 10)
        begun.set()
        while not token.cancelled:
            pass
        context.check_cancelled()

    job = submit(Plain(run), device=device, runtime=runtime)
    assert begun.wait(WAIT_S)
    assert job.progress() == (3, 10)
    job.cancel(interrupt=True)
    with pytest.raises(JobCancelledError):
        job.result(WAIT_S)
    assert job.progress() == (3, 10)


def test_work_can_report_its_own_progress_and_log(runtime: Runtime, device: Device) -> None:
    def run(context: JobContext) -> None:
        context.progress(1, 2)
        context.log("half way")

    job = submit(Plain(run), device=device, runtime=runtime)
    job.result(WAIT_S)
    assert job.progress() == (1, 2)
    assert ("EXECUTE", "half way") in job.execution_log


# --- time-outs --------------------------------------------------------------------------------------------------------
def test_a_job_that_waits_too_long_fails(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    blocker, late = Gated(), Plain()
    submit(blocker, device=device, runtime=runtime)
    job = submit(late, device=device, runtime=runtime, options={"queue_timeout_s": 3.0})
    clock.advance(2.9)
    assert not job.done()
    clock.advance(0.2)
    with pytest.raises(JobTimeoutError, match="waited longer than queue_timeout_s = 3") as caught:
        job.result()
    assert (job.status(), caught.value.code, late.phases) == (JobStatus.FAILED, -32302, [])  # type: ignore[attr-defined]
    blocker.let()


def test_a_job_that_runs_too_long_is_stopped(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    work = Gated()
    job = submit(work, device=device, runtime=runtime, options={"run_timeout_s": 3.0})
    work.wait_begun()
    clock.advance(3.0)
    with pytest.raises(JobTimeoutError, match="ran longer than run_timeout_s = 3"):
        job.result(WAIT_S)
    assert job.status() is JobStatus.FAILED
    check_nothing_left(job, runtime, device)


@pytest.mark.parametrize("is_running", [True, False])
def test_the_total_time_counts_waiting_and_running(
    runtime: Runtime, device: Device, clock: ManualClock, is_running: bool
) -> None:
    blocker, work = Gated(), Gated()
    submit(blocker, device=device, runtime=runtime)
    job = submit(work, device=device, runtime=runtime, options={"total_timeout_s": 4.0, "queue_timeout_s": 3.5})
    clock.advance(3.0)
    if is_running:
        blocker.let()
        work.wait_begun()
    clock.advance(1.0)
    kind = "took longer than total_timeout_s" if is_running else "waited longer than queue_timeout_s"
    with pytest.raises(TimeoutError, match=kind):
        job.result(WAIT_S)
    blocker.let()


def test_a_job_in_time_leaves_no_alarm(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    options = {"queue_timeout_s": 3.0, "run_timeout_s": 3.0, "total_timeout_s": 3.0}
    submit(Plain(), device=device, runtime=runtime, options=options).result(WAIT_S)
    assert clock.num_alarms() == 0


def test_waiting_for_a_result_has_a_time_out_of_its_own(runtime: Runtime, device: Device) -> None:
    work = Gated("done")
    job = submit(work, device=device, runtime=runtime)
    with pytest.raises(TimeoutError):
        job.result(timeout=0.001)
    work.let()
    assert job.result(WAIT_S) == "done"


# --- retries ----------------------------------------------------------------------------------------------------------
def test_a_transient_failure_is_tried_again_after_a_growing_delay(
    runtime: Runtime, device: Device, clock: ManualClock
) -> None:
    work = Failing(lambda: ConnectionError("lost"), times=2)
    job = submit(work, device=device, runtime=runtime, options={"retry_delay_s": 1.0})
    scheduler = runtime.scheduler(device)
    for delay, attempts in ((1.0, 1), (2.0, 2)):
        while clock.num_alarms() == 0:
            pass  # the attempt is about to fail
        clock.advance(delay - 0.1)
        assert (job.status(), work.attempts, scheduler.load().queued) == (JobStatus.QUEUED, attempts, 1)
        clock.advance(0.2)
    assert job.result(WAIT_S) == 3
    assert job.metrics().attempts == 3
    assert [line for line in job.execution_log if line[0] == "RETRY"] == [
        ("RETRY", "attempt_1_failed", "again_in_1_s"),
        ("RETRY", "attempt_2_failed", "again_in_2_s"),
    ]
    assert work.phases.count("unload") == 3
    check_nothing_left(job, runtime, device)


@pytest.mark.parametrize(
    ("make_error", "attempts"),
    [
        (lambda: ValueError("wrong"), 1),
        (lambda: InputError("wrong"), 1),
        (lambda: MemoryError(), 1),
        (lambda: ConnectionError("lost"), 3),
        (lambda: DeviceBusyError("busy"), 3),
        (lambda: DeviceOfflineError("away"), 3),
    ],
)
def test_only_transient_failures_are_tried_again_and_not_for_ever(
    runtime: Runtime, device: Device, make_error: Callable[[], BaseException], attempts: int
) -> None:
    work = Failing(make_error)
    job = submit(work, device=device, runtime=runtime, options={"retry_delay_s": 0, "retry_attempts": 2})
    clock = runtime.clock
    assert isinstance(clock, ManualClock)
    while not job.done():
        clock.advance(1.0)
    assert (work.attempts, type(job.exception())) == (attempts, type(make_error()))


def test_an_error_can_say_itself_that_it_is_transient(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    error = RuntimeError("flaky")
    error.is_transient = True  # type: ignore[attr-defined]
    job = submit(Failing(lambda: error, times=1), device=device, runtime=runtime)
    while not job.done():
        clock.advance(1.0)
    assert job.result() == 2


def test_a_job_that_waits_for_its_retry_can_be_cancelled(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    job = submit(Failing(lambda: ConnectionError("lost")), device=device, runtime=runtime)
    while clock.num_alarms() == 0:
        pass
    assert job.cancel()
    assert clock.num_alarms() == 0
    with pytest.raises(JobCancelledError):
        job.result()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_job_that_kills_its_worker_is_tried_again_on_another(
    runtime: Runtime, device: Device, clock: ManualClock, kind: type[BaseException]
) -> None:
    work = Failing(kind, times=1)
    job = submit(work, device=device, runtime=runtime)
    while not job.done():
        clock.advance(1.0)
    assert job.result() == 2
    assert runtime.scheduler(device).statistics()["workers"].created == 2
    hopeless = submit(Failing(kind), device=device, runtime=runtime)
    while not hopeless.done():
        clock.advance(1.0)
    assert isinstance(hopeless.exception(), JobFailedError)
    assert f"died: {kind.__name__}" in str(hopeless.exception())
    assert submit(Plain(lambda _: 1), device=device, runtime=runtime).result(WAIT_S) == 1
    check_nothing_left(hopeless, runtime, device)

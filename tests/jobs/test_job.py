"""One job: its phases, its ends, its figures; on every path it is unloaded and nothing is left."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import pickle
import threading
from collections.abc import Callable

import numpy as np
import pytest

from qfast import config
from qfast.devices import Device
from qfast.errors import (
    CapacityError,
    ConfigError,
    DeviceBusyError,
    DeviceError,
    DeviceOfflineError,
    InputError,
    JobCancelledError,
    JobFailedError,
    JobTimeoutError,
    LifecycleError,
)
from qfast.jobs import CancelledJobError, Job, JobStatus, Runtime, submit
from qfast.jobs.context import JobContext
from qfast.jobs.job import JOB_TRANSITIONS
from qfast.pools import ManualClock
from tests.jobs.works import WAIT_S, Failing, Gated, Plain

RELEASED = ("UNLOAD", "resources_released")


def check_nothing_left(job: Job, runtime: Runtime, device: Device) -> None:
    assert job.execution_log[-1] == RELEASED
    assert (job.telemetry["leases"], job.telemetry["bytes"]) == (0, 0)
    load = runtime.scheduler(device).load()
    assert (load.running, load.queued, load.bytes) == (0, 0, 0)
    assert runtime.buffers.statistics().leases == 0


def test_a_job_goes_through_its_phases_and_returns_its_result(runtime: Runtime, device: Device) -> None:
    work = Plain(lambda context: 42, num_qubits=3, shots=7)
    job = submit(work, device=device, runtime=runtime, tags=["a"], seed=5)
    assert job.result(WAIT_S) == 42
    assert job.status() is JobStatus.COMPLETED
    assert work.phases == ["load", "execute", "unload"]
    assert job.execution_log == (("LOAD", "work_loaded_and_verified"), ("EXECUTE", "completed"), RELEASED)
    assert (job.tags, job.seed, job.device, job.tenant, job.session_id) == (("a",), 5, device.name, "local", None)
    assert (job.done(), job.running(), job.cancelled(), job.exception()) == (True, False, False, None)
    check_nothing_left(job, runtime, device)


def test_its_metrics_tell_times_attempts_and_peak(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    blocker = Gated()
    submit(blocker, device=device, runtime=runtime)
    blocker.wait_begun()

    def use_memory(context: JobContext) -> None:
        first = context.allocate(10, "complex128")
        second = context.allocate(9, "complex128")
        del first, second
        context.allocate(8, "complex128")
        clock.advance(2.0)

    job = submit(Plain(use_memory, num_qubits=10, shots=3), device=device, runtime=runtime)
    assert job.metrics().started is None
    clock.advance(5.0)
    blocker.let()
    job.result(WAIT_S)
    figures = job.metrics()
    assert (figures.queued, figures.started, figures.finished) == (1.7e9, 1.7e9 + 5, 1.7e9 + 7)
    assert (figures.queue_s, figures.run_s, figures.attempts) == (5.0, 2.0, 1)
    assert (figures.shots, figures.num_qubits, figures.peak_bytes) == (3, 10, (16 << 10) + (16 << 9))
    assert (job.telemetry["peak_leases"], job.telemetry["peak_bytes"]) == (2, (16 << 10) + (16 << 9))
    assert ("UNLOAD", "freed_3_buffers") in job.execution_log
    check_nothing_left(job, runtime, device)


def test_an_error_of_the_work_reaches_the_caller_with_log_telemetry_and_code(runtime: Runtime, device: Device) -> None:
    def fail(context: JobContext) -> None:
        held = context.allocate(10, "complex128")
        held[:] = 1
        raise CapacityError("too much")

    job = submit(Plain(fail), device=device, runtime=runtime)
    with pytest.raises(CapacityError, match="too much") as caught:
        job.result(WAIT_S)
    assert job.status() is JobStatus.FAILED
    error = caught.value
    assert error.execution_log == job.execution_log  # type: ignore[attr-defined]
    assert ("ERROR", "CapacityError: too much") in job.execution_log
    assert (error.code, error.telemetry["bytes"]) == (-32202, 0)  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(error)).code == -32202
    check_nothing_left(job, runtime, device)


@pytest.mark.parametrize("phase", ["load", "execute", "unload"])
def test_a_failure_in_any_phase_unloads_once(
    runtime: Runtime, device: Device, alerts: list[str], caplog: pytest.LogCaptureFixture, phase: str
) -> None:
    work = Plain()
    good = getattr(work, phase)

    def fail(context: JobContext) -> None:
        good(context)
        context.allocate(9, "complex128")
        raise ValueError("stuck")

    setattr(work, phase, fail)
    job = submit(work, device=device, runtime=runtime)
    error = job.exception(WAIT_S)
    assert work.phases.count("unload") == 1
    if phase == "unload":
        assert error is None, "a failing clean-up never fails the job"
        assert alerts == [f"job {job.id}: unload failed: stuck"]
        assert job.telemetry["cleanup_failures"] == 1
        assert ("ERROR", "unload failed: stuck") in job.execution_log
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
    else:
        assert isinstance(error, ValueError)
    check_nothing_left(job, runtime, device)


def test_actions_at_unload_run_last_in_first_out_and_a_failing_one_does_not_stop_the_others(
    runtime: Runtime, device: Device, alerts: list[str]
) -> None:
    done: list[str] = []

    def use(context: JobContext) -> None:
        context.at_unload(lambda: done.append("first"))
        context.at_unload(lambda: [][0])
        context.at_unload(lambda: done.append("last"))

    job = submit(Plain(use), device=device, runtime=runtime)
    job.result(WAIT_S)
    assert done == ["last", "first"]
    assert len(alerts) == 1


def test_a_result_keeps_its_memory_until_it_dies(runtime: Runtime, device: Device) -> None:
    def make(context: JobContext) -> object:
        scratch = context.allocate(11, "complex128")
        result = context.allocate(10, "complex128")
        scratch[:] = result[:] = 3
        return result

    job = submit(Plain(make), device=device, runtime=runtime)
    array = job.result(WAIT_S)
    assert np.all(array == 3)
    assert job.telemetry["bytes"] == 0
    assert runtime.buffers.statistics().exported == 16 << 10
    del array, job
    assert runtime.buffers.statistics().exported == 0


def test_the_second_job_of_a_size_allocates_no_memory_and_starts_no_thread(runtime: Runtime, device: Device) -> None:
    names: set[str] = set()

    def use(context: JobContext) -> None:
        context.allocate(12, "complex128")
        names.add(threading.current_thread().name)

    for _ in range(20):
        submit(Plain(use), device=device, runtime=runtime).result(WAIT_S)
    statistics = runtime.scheduler(device).statistics()
    assert (statistics["state_buffers"].created, statistics["state_buffers"].reused) == (1, 19)
    assert (statistics["workers"].created, len(names)) == (1, 1)


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


# --- a future ---------------------------------------------------------------------------------------------------------
def test_it_is_a_future_like_any_other(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(2)
    jobs = [submit(Plain(lambda _, i=i: i), device=device, runtime=runtime) for i in range(10)]
    done, pending = concurrent.futures.wait(jobs, WAIT_S)
    assert (len(done), len(pending)) == (10, 0)
    assert sorted(job.result() for job in concurrent.futures.as_completed(jobs)) == list(range(10))


def test_callbacks_run_also_when_they_come_late_and_may_wait_for_another_job(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    device = make_device(2)
    seen: list[object] = []
    called = threading.Event()
    work = Gated(1)
    job = submit(work, device=device, runtime=runtime)

    def follow(done: concurrent.futures.Future[object]) -> None:
        # This runs in the worker that has just finished: another one must run the next job.
        seen.append(submit(Plain(lambda _: done.result()), device=device, runtime=runtime).result(WAIT_S))
        called.set()

    job.add_done_callback(follow)
    work.let()
    assert called.wait(WAIT_S)
    job.add_done_callback(lambda done: seen.append("late"))
    assert seen == [1, "late"]


def test_a_job_can_be_awaited(runtime: Runtime, device: Device) -> None:
    async def main() -> list[object]:
        gated = Gated("slow")
        jobs = [submit(work, device=device, runtime=runtime) for work in (gated, Plain(lambda _: "fast"))]
        asyncio.get_running_loop().call_soon(gated.let)
        results = list(await asyncio.gather(*jobs))
        cancelled = submit(Gated(), device=device, runtime=runtime)
        cancelled.cancel(interrupt=True)
        with pytest.raises(JobCancelledError):
            await cancelled
        return results

    assert asyncio.run(main()) == ["slow", "fast"]


def test_a_task_that_waits_can_be_cancelled_without_the_job(runtime: Runtime, device: Device) -> None:
    work = Gated("done")
    job = submit(work, device=device, runtime=runtime)

    async def wait() -> object:
        return await job

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    work.let()
    assert job.result(WAIT_S) == "done"


# --- settings ---------------------------------------------------------------------------------------------------------
def test_it_runs_on_the_settings_it_was_submitted_with(runtime: Runtime, device: Device) -> None:
    blocker = Gated()
    submit(blocker, device=device, runtime=runtime)
    with config.override(default_shots=11):
        job = submit(
            Plain(lambda context: (config.get("default_shots"), config.get("precision"), context.config["seed"])),
            device=device,
            runtime=runtime,
            options={"precision": "complex64", "seed": 3},
        )
    blocker.let()
    assert job.result(WAIT_S) == (11, "complex64", 3)
    assert job.seed == 3


def test_in_mode_sync_the_caller_runs_the_job_itself(runtime: Runtime, device: Device) -> None:
    job = submit(
        Plain(lambda _: threading.current_thread()), device=device, runtime=runtime, options={"execution_mode": "sync"}
    )
    assert job.done()
    assert job.result() is threading.current_thread()
    assert job.execution_log == (("LOAD", "work_loaded_and_verified"), ("EXECUTE", "completed"), RELEASED)
    assert runtime.scheduler(device).statistics()["workers"].created == 0
    failing = submit(Failing(ValueError), device=device, runtime=runtime, options={"execution_mode": "sync"})
    assert failing.status() is JobStatus.FAILED
    check_nothing_left(failing, runtime, device)


def test_in_mode_sync_a_busy_device_is_waited_for(runtime: Runtime, device: Device) -> None:
    blocker = Gated()
    submit(blocker, device=device, runtime=runtime)
    blocker.wait_begun()
    threading.Timer(0.0, blocker.let).start()
    job = submit(Plain(lambda _: 1), device=device, runtime=runtime, options={"execution_mode": "sync"})
    assert (job.done(), job.result()) == (True, 1)


def test_ctrl_c_in_mode_sync_reaches_the_caller(runtime: Runtime, device: Device) -> None:
    work = Failing(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        submit(work, device=device, runtime=runtime, options={"execution_mode": "sync"})
    load = runtime.scheduler(device).load()
    assert (work.attempts, work.phases[-1], load.running, load.queued) == (1, "unload", 0, 0)


def test_threads_are_shared_among_jobs_that_run_together(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(4)
    total = config.cpu_count()
    alone = submit(Plain(lambda context: context.threads), device=device, runtime=runtime)
    assert alone.result(WAIT_S) == total
    works = [Gated() for _ in range(3)]
    for work in works:
        submit(work, device=device, runtime=runtime)
    beside = submit(Plain(lambda context: context.threads), device=device, runtime=runtime)
    assert beside.result(WAIT_S) == max(1, total // 4)
    own = submit(Plain(lambda context: context.threads), device=device, runtime=runtime, options={"threads": 3})
    assert own.result(WAIT_S) == 3
    for work in works:
        work.let()


# --- refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("needs", "options", "message"),
    [
        ({"num_qubits": 31}, {"max_qubits": 30}, "needs 31 qubits, but max_qubits is 30"),
        ({"shots": 1001}, {"max_shots": 1000}, "needs 1001 shots, but max_shots is 1000"),
        (
            {"num_qubits": 12, "size_bytes": 16 << 12},
            {"max_job_bytes": 40_000},
            "needs 65536 bytes, but max_job_bytes is 40000; the largest state of this kind that fits has 11 qubits",
        ),
        ({"num_qubits": 60, "size_bytes": 16 << 60}, {}, "bytes, but the memory of test::device.* qubits; make"),
    ],
)
def test_a_job_larger_than_a_limit_is_refused_before_anything_is_taken(
    runtime: Runtime, device: Device, needs: dict[str, int], options: dict[str, int], message: str
) -> None:
    work = Plain(**needs)
    with pytest.raises(CapacityError, match=message):
        submit(work, device=device, runtime=runtime, options=options)
    assert work.phases == []
    assert runtime.scheduler(device).load().queued == 0


def test_more_jobs_than_may_wait_are_refused(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(1, max_queued_jobs=1)
    blocker = Gated()
    submit(blocker, device=device, runtime=runtime)
    waiting = submit(Plain(), device=device, runtime=runtime)
    with pytest.raises(DeviceBusyError, match="1 jobs waiting, and max_queued_jobs is 1"):
        submit(Plain(), device=device, runtime=runtime)
    blocker.let()
    waiting.result(WAIT_S)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"device": "test::absent"}, DeviceError, "'test::absent' does not exist"),
        ({"tags": "abc"}, InputError, "tags 'abc'"),
        ({"tags": [""]}, InputError, "not empty"),
        ({"priority": 9}, InputError, "priority 9 is not valid"),
        ({"priority": 1.5}, InputError, "priority 1.5 is not valid"),
        ({"options": {"thread": 1}}, ConfigError, "'thread'"),
        ({"options": {"threads": 0}}, ValueError, "'threads' = 0"),
    ],
)
def test_bad_arguments_are_refused(
    runtime: Runtime, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        submit(Plain(), runtime=runtime, **arguments)  # type: ignore[arg-type]


def test_a_closed_job_layer_takes_no_jobs_and_ends_those_it_has(device: Device, clock: ManualClock) -> None:
    runtime = Runtime(clock=clock, budget_bytes=1 << 20)
    running, waiting = Gated(), Plain()
    jobs = [submit(work, device=device, runtime=runtime) for work in (running, waiting)]
    running.wait_begun()
    assert runtime.close(WAIT_S)
    assert [job.status() for job in jobs] == [JobStatus.CANCELLED, JobStatus.CANCELLED]
    assert running.phases[-1] == "unload"
    with pytest.raises(LifecycleError, match="shut down"):
        submit(Plain(), device=device, runtime=runtime)


def test_the_table_of_states_has_only_the_steps_that_are_meant() -> None:
    final = {status for status in JobStatus if status.is_final}
    assert final == {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
    assert JOB_TRANSITIONS[JobStatus.QUEUED] == {JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELLED}
    assert JOB_TRANSITIONS[JobStatus.RUNNING] == final | {JobStatus.QUEUED}

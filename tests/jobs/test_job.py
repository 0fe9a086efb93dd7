"""One job: its phases, its result, its figures, and how it is a future."""

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
    JobCancelledError,
)
from qfast.jobs import JobStatus, Runtime, submit
from qfast.jobs.context import JobContext
from qfast.pools import ManualClock
from tests.jobs.works import RELEASED, WAIT_S, Failing, Gated, Plain, check_nothing_left


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


def test_those_who_wait_and_those_who_come_late_learn_of_the_end_at_every_stage(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    """A job makes its condition when somebody needs it; whoever comes first, nobody is forgotten."""
    device = make_device(4)

    def run_once() -> list[object]:
        called: list[object] = []
        job = submit(Plain(lambda _: 7), device=device, runtime=runtime)
        waiters = [threading.Thread(target=lambda: called.append(job.result(WAIT_S))) for _ in range(3)]
        for waiter in waiters:
            waiter.start()
        job.add_done_callback(lambda done: called.append(done.result()))
        concurrent.futures.wait([job], WAIT_S)
        for waiter in waiters:
            waiter.join(WAIT_S)
        while len(called) < 4:
            pass  # the callback is about to run
        return called

    assert [run_once() for _ in range(200)] == [[7] * 4] * 200


def test_asyncio_can_wrap_a_job_like_any_future(runtime: Runtime, device: Device) -> None:
    async def main() -> tuple[object, bool]:
        gated = Gated("slow")
        job = submit(gated, device=device, runtime=runtime)
        cancelled = submit(Gated(), device=device, runtime=runtime)
        wrapped, gone = asyncio.wrap_future(job), asyncio.wrap_future(cancelled)
        cancelled.cancel()
        asyncio.get_running_loop().call_soon(gated.let)
        done = await wrapped
        with pytest.raises(asyncio.CancelledError):
            await gone
        return done, gone.cancelled()

    assert asyncio.run(main()) == ("slow", True)

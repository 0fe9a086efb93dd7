"""Who goes first, how long the others wait, what a device in trouble does, and that nothing is ever lost."""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast import config
from qfast.devices import Device, list_properties
from qfast.errors import ConfigError, DeviceBusyError, DeviceError, DeviceOfflineError, QfastError
from qfast.jobs import Batch, Job, JobStatus, Runtime, Session, submit
from qfast.jobs.job_queue import DEDICATED_WEIGHT, Flow, JobQueue
from qfast.pools import ManualClock, SystemClock
from tests.jobs.works import WAIT_S, Failing, Gated, Plain


@pytest.fixture
def order() -> list[str]:
    """What ran, in order."""
    return []


@pytest.fixture
def note(order: list[str]) -> Callable[..., Plain]:
    """Make work that writes its name into ``order``."""
    return lambda name, **needs: Plain(lambda _: order.append(name), **needs)


@pytest.fixture
def blocker(runtime: Runtime, device: Device) -> Gated:
    """Holds the only worker, so that the others queue up."""
    work = Gated()
    submit(work, device=device, runtime=runtime, tenant="blocker")
    work.wait_begun()
    return work


def finish(blocker: Gated, jobs: list[Job]) -> None:
    blocker.let()
    for job in jobs:
        job.result(WAIT_S)


# --- fairness ---------------------------------------------------------------------------------------------------------
def test_a_tenant_with_a_thousand_jobs_delays_another_by_one(
    runtime: Runtime, device: Device, blocker: Gated, order: list[str], note: Callable[..., Plain]
) -> None:
    many = [submit(note("a"), device=device, runtime=runtime, tenant="a") for _ in range(1000)]
    few = [submit(note("b"), device=device, runtime=runtime, tenant="b") for _ in range(3)]
    finish(blocker, many + few)
    assert "".join(order[:6]) == "ababab"
    assert len(order) == 1003


@pytest.mark.parametrize("tenants", [1, 2, 5])
def test_the_wait_of_a_newcomer_is_bounded_by_one_job_of_each_other_tenant(
    runtime: Runtime, device: Device, blocker: Gated, order: list[str], note: Callable[..., Plain], tenants: int
) -> None:
    jobs = [
        submit(note(str(t)), device=device, runtime=runtime, tenant=str(t)) for t in range(tenants) for _ in range(50)
    ]
    jobs.append(submit(note("new"), device=device, runtime=runtime, tenant="new"))
    finish(blocker, jobs)
    assert order.index("new") <= tenants


def test_large_jobs_cost_their_tenant_more_turns(
    runtime: Runtime, device: Device, blocker: Gated, order: list[str], note: Callable[..., Plain]
) -> None:
    jobs = [submit(note("A", cost=3.0), device=device, runtime=runtime, tenant="a") for _ in range(20)]
    jobs += [submit(note("b"), device=device, runtime=runtime, tenant="b") for _ in range(20)]
    finish(blocker, jobs)
    assert order[:16].count("A") == 4


def test_priority_orders_the_jobs_of_one_tenant_only(
    runtime: Runtime, device: Device, blocker: Gated, order: list[str], note: Callable[..., Plain]
) -> None:
    jobs = [submit(note("low"), device=device, runtime=runtime, tenant="a", priority=-1) for _ in range(8)]
    jobs += [submit(note("high"), device=device, runtime=runtime, tenant="a", priority=1) for _ in range(8)]
    jobs += [submit(note("other"), device=device, runtime=runtime, tenant="b", priority=-8) for _ in range(8)]
    finish(blocker, jobs)
    assert order[:10].count("other") == 5, "no priority takes from another tenant"
    own = [name for name in order if name != "other"]
    assert own[:10].count("high") == 8, "each step doubles the share: four to one"


def test_a_session_goes_ahead_of_jobs_without_one_which_still_get_their_turn(
    runtime: Runtime, device: Device, blocker: Gated, order: list[str], note: Callable[..., Plain]
) -> None:
    jobs = [submit(note("single"), device=device, runtime=runtime) for _ in range(4)]
    session = Session(device, runtime=runtime)
    jobs += [session.submit(note("session")) for _ in range(100)]
    finish(blocker, jobs)
    first = order.index("session")
    assert first <= 1
    gaps = [i for i, name in enumerate(order) if name == "single"]
    assert gaps[1] - gaps[0] >= DEDICATED_WEIGHT
    assert gaps[2] - gaps[1] == DEDICATED_WEIGHT + 1, "the stated bound: 32 of the session between two others"


def test_sessions_of_one_tenant_share_alike(
    runtime: Runtime, device: Device, blocker: Gated, order: list[str], note: Callable[..., Plain]
) -> None:
    sessions = [Session(device, runtime=runtime) for _ in range(3)]
    jobs = [s.submit(note(str(i))) for i, s in enumerate(sessions) for _ in range(5)]
    finish(blocker, jobs)
    assert [sorted(order[k : k + 3]) for k in range(0, 15, 3)] == [["0", "1", "2"]] * 5


def test_a_worker_is_reserved_for_an_open_session(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(2)
    session = Session(device, runtime=runtime)
    gates = [Gated() for _ in range(2)]
    jobs = [submit(gate, device=device, runtime=runtime) for gate in gates]
    gates[0].wait_begun()
    assert jobs[1].status() is JobStatus.QUEUED, "the second worker is the session's"
    assert session.submit(Plain(lambda _: 1)).result(WAIT_S) == 1, "at once, though others wait"
    session.close()
    gates[1].wait_begun()
    for gate in gates:
        gate.let()


def test_one_worker_always_serves_all(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime)
    assert submit(Plain(lambda _: 1), device=device, runtime=runtime).result(WAIT_S) == 1
    session.close()


def test_a_dropped_session_reserves_nothing(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(2)
    session: Session | None = Session(device, runtime=runtime)
    del session
    gc.collect()
    gates = [Gated() for _ in range(2)]
    for gate in gates:
        submit(gate, device=device, runtime=runtime)
    for gate in gates:
        gate.wait_begun()
        gate.let()


def test_a_tenant_may_not_run_more_jobs_than_its_limit(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(3, max_tenant_jobs=2)
    gates = [Gated() for _ in range(3)]
    jobs = [submit(gate, device=device, runtime=runtime, tenant="a") for gate in gates]
    other = submit(Plain(lambda _: 1), device=device, runtime=runtime, tenant="b")
    assert other.result(WAIT_S) == 1
    assert jobs[2].status() is JobStatus.QUEUED
    for gate in gates:
        gate.let()
    jobs[2].result(WAIT_S)


def test_jobs_that_do_not_fit_together_run_one_after_the_other(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    device = make_device(3, max_total_bytes=100)
    first, large = Gated(size_bytes=60), Gated(size_bytes=60)
    submit(first, device=device, runtime=runtime)
    first.wait_begun()
    job = submit(large, device=device, runtime=runtime)
    small = submit(Plain(size_bytes=10), device=device, runtime=runtime)
    assert (job.status(), small.status()) == (JobStatus.QUEUED, JobStatus.QUEUED), "nobody overtakes the large one"
    assert runtime.scheduler(device).load().bytes == 60
    first.let()
    large.wait_begun()
    small.result(WAIT_S)
    large.let()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.integers(-2, 2), st.booleans(), st.sampled_from(["push", "take", "remove"])
        ),
        max_size=60,
    )
)
def test_the_queue_neither_loses_nor_invents_jobs(steps: list[tuple[str, int, bool, str]]) -> None:
    class Entry:
        """As much of a job as the queue looks at."""

        def __init__(self, number: int, flow: Flow) -> None:
            self.id, self.flow, self.tenant = str(number), flow, flow.tenant
            self.requirements = Plain().needs

    queue = JobQueue()
    inside: list[Entry] = []
    for number, (tenant, priority, dedicated, action) in enumerate(steps):
        if action == "push":
            flow = Flow(tenant, f"{tenant}{priority}{dedicated}", priority, is_dedicated=dedicated)
            inside.append(Entry(number, flow))
            queue.push(inside[-1])  # type: ignore[arg-type]
        elif action == "take":
            first = queue.first(lambda job: True, lambda tenant: True)
            assert (first is None) == (not inside)
            if first is not None:
                ahead = [e for e in inside if e.flow.key == first.flow.key]
                assert ahead[0] is first, "within a flow: in order of submission"
                queue.charge(first)
                assert queue.remove(first)
                inside.remove(first)  # type: ignore[arg-type]
        elif inside:
            gone = inside.pop(number % len(inside))
            assert queue.remove(gone)  # type: ignore[arg-type]
            assert not queue.remove(gone)  # type: ignore[arg-type]
        assert len(queue) == len(inside)
        assert {job.id for job in queue.jobs()} == {e.id for e in inside}


# --- devices in trouble -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", ["busy", "maintenance"])
def test_policy_wait_holds_jobs_until_the_device_is_back(runtime: Runtime, device: Device, status: str) -> None:
    device.set_status(status, "new cables")
    job = submit(Plain(lambda _: 1), device=device, runtime=runtime)
    assert job.status() is JobStatus.QUEUED
    assert (list_properties(device).status, list_properties(device).reason) == (status, "new cables")
    assert list_properties(device).load.queued == 1
    device.set_status("online")
    assert job.result(WAIT_S) == 1


@pytest.mark.parametrize(("status", "error"), [("busy", DeviceBusyError), ("maintenance", DeviceOfflineError)])
def test_policy_fail_refuses_at_once(runtime: Runtime, device: Device, status: str, error: type[Exception]) -> None:
    device.set_status(status, "new cables")
    with pytest.raises(error, match=r"\(new cables\), and busy_policy is 'fail'; try later"):
        submit(Plain(), device=device, runtime=runtime, options={"busy_policy": "fail"})
    assert runtime.scheduler(device).load().queued == 0


def test_a_device_is_busy_when_all_its_workers_are(runtime: Runtime, device: Device, blocker: Gated) -> None:
    assert list_properties(device).status == "busy"
    with pytest.raises(DeviceBusyError):
        submit(Plain(), device=device, runtime=runtime, options={"busy_policy": "fail"})
    blocker.let()
    assert runtime.scheduler(device).wait_until_idle(WAIT_S)
    assert list_properties(device).status == "online"


def test_policy_redirect_sends_the_job_to_the_named_device(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    broken, spare = make_device(1), make_device(1)
    broken.set_status("maintenance")
    options = {"busy_policy": "redirect", "busy_redirect": spare.name}
    job = Session(broken, runtime=runtime).submit(Plain(lambda context: context.device.name), options=options)
    assert (job.result(WAIT_S), job.device) == (spare.name, spare.name)
    assert job.execution_log[0] == ("REDIRECT", broken.name, spare.name)


def test_a_redirection_to_nowhere_is_refused(runtime: Runtime, device: Device) -> None:
    device.set_status("busy")
    with pytest.raises(ConfigError, match="busy_redirect names no device"):
        submit(Plain(), device=device, runtime=runtime, options={"busy_policy": "redirect"})
    options = {"busy_policy": "redirect", "busy_redirect": "test::absent"}
    with pytest.raises(DeviceError, match="'test::absent' does not exist"):
        submit(Plain(), device=device, runtime=runtime, options=options)


def test_a_device_under_maintenance_lets_running_jobs_finish(runtime: Runtime, device: Device) -> None:
    gate = Gated(1)
    job = submit(gate, device=device, runtime=runtime)
    gate.wait_begun()
    device.set_status("maintenance")
    following = submit(Plain(lambda _: 2), device=device, runtime=runtime)
    gate.let()
    assert job.result(WAIT_S) == 1
    assert following.status() is JobStatus.QUEUED
    device.set_status("online")
    assert following.result(WAIT_S) == 2


def test_more_workers_take_effect_with_the_next_job(runtime: Runtime, device: Device, blocker: Gated) -> None:
    waiting = Gated(1)
    job = submit(waiting, device=device, runtime=runtime)
    config.set("workers", 2, device=device.name)
    runtime.scheduler(device).wake()
    waiting.wait_begun()
    waiting.let()
    assert job.result(WAIT_S) == 1
    blocker.let()


def test_a_broken_environment_does_not_stop_what_runs(
    runtime: Runtime, device: Device, blocker: Gated, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = submit(Plain(lambda _: 1), device=device, runtime=runtime)
    monkeypatch.setenv("QFAST_NONSENSE", "1")
    blocker.let()
    assert job.result(WAIT_S) == 1
    assert "keeps 1 workers" in caplog.text


# --- nothing is lost --------------------------------------------------------------------------------------------------
def stress(runtime: Runtime, device: Device, threads: int, jobs_per_thread: int, seed: int) -> Counter[JobStatus]:
    """Submit from many threads to four sessions, with cancels, time-outs and failures; return how the jobs ended."""
    groups = [
        Session(device, runtime=runtime, tenant="a"),
        Session(device, runtime=runtime, tenant="b"),
        Batch(device, runtime=runtime, tenant="a"),
        Batch(device, runtime=runtime, tenant="b", priority=2),
    ]
    ended: Counter[str] = Counter()
    lock = threading.Lock()
    jobs: list[list[Job]] = [[] for _ in range(threads)]

    def count_end(job: object) -> None:
        assert isinstance(job, Job)
        with lock:
            ended[job.id] += 1

    def use_memory(context: object) -> int:
        array = context.allocate(4, "complex128")  # type: ignore[attr-defined]
        array[:] = 1
        return int(array[3].real)

    def submit_many(number: int) -> None:
        random_numbers = random.Random(seed + number)
        for _ in range(jobs_per_thread):
            dice = random_numbers.random()
            options: dict[str, object] = {}
            work: Plain = Plain(use_memory)
            if dice < 0.1:
                work = Failing(lambda: ValueError("injected"))
            elif dice < 0.15:
                work, options = Failing(lambda: ConnectionError("injected"), times=1), {"retry_delay_s": 0.0}
            elif dice < 0.17:
                work, options = Failing(SystemExit), {"retry_attempts": 0}
            elif dice < 0.25:
                options = {"queue_timeout_s": 0.001, "total_timeout_s": 0.002}
            job = groups[random_numbers.randrange(4)].submit(work, options=options)
            job.add_done_callback(count_end)
            jobs[number].append(job)
            if dice > 0.85:
                job.cancel(interrupt=dice > 0.92)

    workers = [threading.Thread(target=submit_many, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for group in groups:
        assert group.close(wait=True, timeout_s=600), group
    every = [job for mine in jobs for job in mine]
    for job in every:
        assert job.status().is_final
        if job.status() is JobStatus.COMPLETED:
            assert job.result() in (1, 2)
        else:
            assert isinstance(job._exception, (QfastError, ValueError)), job._exception  # type: ignore[attr-defined]
        assert job.attempts == 0 or job.execution_log[-1] == ("UNLOAD", "resources_released")
    statuses = Counter(job.status() for job in every)
    total = Counter(dict.fromkeys(statuses, 0))
    for group in groups:
        m = group.metrics()
        total[JobStatus.COMPLETED] += m.completed
        total[JobStatus.FAILED] += m.failed
        total[JobStatus.CANCELLED] += m.cancelled
    assert total == statuses
    while sum(ended.values()) < len(every):
        pass  # the last callbacks are about to run
    assert set(ended.values()) == {1}
    return statuses


def test_under_stress_every_job_ends_once_and_the_gauges_return_to_zero(
    make_device: Callable[..., Device], alerts: list[str]
) -> None:
    device = make_device(4)
    clock = SystemClock()
    runtime = Runtime(clock=clock, budget_bytes=1 << 20)
    threads_before = threading.active_count()
    statuses = stress(runtime, device, threads=16, jobs_per_thread=100, seed=1)
    assert sum(statuses.values()) == 1600
    assert min(statuses[s] for s in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)) > 20
    scheduler = runtime.scheduler(device)
    assert scheduler.wait_until_idle(WAIT_S)
    load, buffers = scheduler.load(), runtime.buffers.statistics()
    assert (load.running, load.queued, load.bytes) == (0, 0, 0)
    assert (buffers.leases, buffers.leased, buffers.exported, buffers.waiters, buffers.leaked) == (0, 0, 0, 0, 0)
    assert buffers.created <= 8, "no more buffers than jobs that ran together"
    assert runtime.close(WAIT_S)
    workers = scheduler.statistics()["workers"]
    assert (workers.leases, workers.leaked, workers.idle) == (0, 0, 0)
    while threading.active_count() > threads_before + 1:
        pass  # the workers are on their way out; the clock's thread stays
    assert alerts == []


def test_many_time_outs_and_cancels_leave_no_alarm(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    gate = Gated()
    submit(gate, device=device, runtime=runtime)
    options = {"queue_timeout_s": 5.0, "total_timeout_s": 7.0, "run_timeout_s": 1.0}
    jobs = [submit(Plain(), device=device, runtime=runtime, options=options) for _ in range(200)]
    for job in jobs[::2]:
        job.cancel()
    clock.advance(5.0)
    assert {job.status() for job in jobs[1::2]} == {JobStatus.FAILED}
    assert clock.num_alarms() == 0
    gate.let()

"""Sessions and batches: from opening to closing, and who may do what when."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from qfast import config
from qfast.devices import Device
from qfast.errors import (
    CapacityError,
    ConfigError,
    DeviceError,
    DeviceMismatchError,
    InputError,
    JobCancelledError,
    SessionClosedError,
    SessionExpiredError,
    SessionNotFoundError,
)
from qfast.jobs import Batch, JobGroup, JobStatus, Runtime, Session, get_session, submit
from qfast.pools import Lifecycle, ManualClock
from qfast.simulation.seeds import derived_seed
from tests.jobs.works import WAIT_S, Failing, Gated, Plain

BOTH = pytest.mark.parametrize("kind", [Session, Batch])
Kind = type[Session] | type[Batch]


# --- life -------------------------------------------------------------------------------------------------------------
@BOTH
def test_leaving_the_block_closes_it_without_waiting_and_results_stay(
    runtime: Runtime, device: Device, kind: Kind
) -> None:
    work = Gated(7)
    with kind(device, runtime=runtime) as group:
        assert (group.state, group.accepting_jobs, group.active) == (Lifecycle.OPEN, True, True)
        job = group.submit(work)
    assert (group.state, group.accepting_jobs, group.active) == (Lifecycle.DRAINING, False, True)
    with pytest.raises(SessionClosedError, match=f"{group.id} was closed and takes no more jobs"):
        group.submit(Plain())
    work.let()
    assert job.result(WAIT_S) == 7
    assert (group.state, group.active, group.reason) == (Lifecycle.CLOSED, False, "closed")
    assert [j.result() for j in group.jobs] == [7]


@BOTH
def test_closing_can_wait_and_again_is_harmless(runtime: Runtime, device: Device, kind: Kind) -> None:
    work = Gated()
    group = kind(device, runtime=runtime)
    group.submit(work)
    assert not group.close(wait=True, timeout_s=0.001)
    work.let()
    assert group.close(wait=True, timeout_s=WAIT_S)
    assert group.close()
    empty = kind(device, runtime=runtime)
    assert empty.close()
    assert empty.state is Lifecycle.CLOSED


@BOTH
def test_cancelling_ends_what_waits_and_lets_the_running_job_finish(
    runtime: Runtime, device: Device, kind: Kind
) -> None:
    work = Gated(1)
    group = kind(device, runtime=runtime)
    running, waiting = group.submit(work), group.submit(Plain())
    work.wait_begun()
    group.cancel()
    assert waiting.status() is JobStatus.CANCELLED
    assert (running.status(), group.state, group.reason) == (JobStatus.RUNNING, Lifecycle.DRAINING, "cancelled")
    with pytest.raises(SessionClosedError, match="was cancelled"):
        group.submit(Plain())
    work.let()
    assert running.result(WAIT_S) == 1
    assert group.state is Lifecycle.CLOSED


@BOTH
def test_cancelling_by_interrupt_stops_the_running_job_too(runtime: Runtime, device: Device, kind: Kind) -> None:
    work = Gated()
    group = kind(device, runtime=runtime)
    running = group.submit(work)
    work.wait_begun()
    group.close()
    group.cancel(interrupt=True)
    with pytest.raises(JobCancelledError):
        running.result(WAIT_S)
    assert (group.close(wait=True, timeout_s=WAIT_S), group.reason) == (True, "cancelled")


@BOTH
def test_it_expires_and_finishes_what_it_had_accepted(
    runtime: Runtime, device: Device, clock: ManualClock, kind: Kind
) -> None:
    work = Gated("late")
    group = kind(device, max_ttl=10, runtime=runtime)
    job = group.submit(work)
    clock.advance(4)
    assert (group.elapsed_time, group.remaining_time) == (4.0, 6.0)
    clock.advance(6)
    assert (group.state, group.reason, group.remaining_time) == (Lifecycle.DRAINING, "expired", 0.0)
    with pytest.raises(SessionExpiredError, match="max_ttl of 10 s has passed"):
        group.submit(Plain())
    work.let()
    assert job.result(WAIT_S) == "late"
    assert group.state is Lifecycle.CLOSED
    clock.advance(100)
    assert group.elapsed_time == 10.0, "it stands still at the end"


@BOTH
def test_it_expires_on_time_even_if_the_alarm_is_late(runtime: Runtime, device: Device, kind: Kind) -> None:
    class LateClock(ManualClock):
        def advance(self, seconds: float) -> None:
            self._now += seconds

    clock = LateClock()
    late = Runtime(clock=clock, budget_bytes=1 << 20)
    group = kind(device, max_ttl=10, runtime=late)
    clock.advance(10)
    with pytest.raises(SessionExpiredError):
        group.submit(Plain())
    assert group.reason == "expired"
    late.close(WAIT_S)


@BOTH
def test_closing_before_the_time_takes_the_alarm_back(
    runtime: Runtime, device: Device, clock: ManualClock, kind: Kind
) -> None:
    group = kind(device, max_ttl=10, runtime=runtime)
    group.close()
    assert clock.num_alarms() == 0
    clock.advance(20)
    assert (group.reason, group.remaining_time) == ("closed", 0.0)


def test_a_session_that_nobody_holds_is_forgotten_but_its_jobs_finish(
    runtime: Runtime, device: Device, clock: ManualClock
) -> None:
    work = Gated(3)
    session = Session(device, max_ttl=10, runtime=runtime)
    name, reference = session.id, weakref.ref(session)
    assert get_session(name) is session
    job = session.submit(work)
    del session
    assert reference() is None
    with pytest.raises(SessionNotFoundError, match=name):
        get_session(name)
    clock.advance(20)
    work.let()
    assert job.result(WAIT_S) == 3


def test_an_unknown_session_is_not_found() -> None:
    with pytest.raises(SessionNotFoundError, match="'session-none' does not exist"):
        get_session("session-none")


# --- order and parallelism --------------------------------------------------------------------------------------------
def test_a_session_runs_its_jobs_one_after_the_other_in_order(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    device = make_device(4)
    running, most, order = 0, 0, []
    lock = threading.Lock()

    def note(number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            order.append(number)
        with lock:
            running -= 1

    with Session(device, runtime=runtime) as session:
        for i in range(50):
            session.submit(Plain(lambda _, i=i: note(i)))
    assert session.close(wait=True, timeout_s=WAIT_S)
    assert (most, order) == (1, list(range(50)))


def test_a_session_keeps_its_order_over_retries_and_cancels(
    runtime: Runtime, make_device: Callable[..., Device], clock: ManualClock
) -> None:
    device = make_device(4)
    order: list[str] = []
    first = Gated()
    flaky = Failing(lambda: ConnectionError("lost"), times=1)
    session = Session(device, runtime=runtime)
    session.submit(first)
    again = session.submit(flaky)
    dropped = session.submit(Plain(lambda _: order.append("dropped")))
    last = session.submit(Plain(lambda _: order.append(str(flaky.attempts))))
    dropped.cancel()
    first.let()
    while not last.done():
        clock.advance(1.0)
    assert (again.result(WAIT_S), order) == (2, ["2"])


def test_a_batch_runs_its_jobs_in_parallel_up_to_the_capacity(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    device = make_device(3)
    works = [Gated(i) for i in range(5)]
    batch = Batch(device, runtime=runtime)
    jobs = [batch.submit(work) for work in works]
    for work in works[:3]:
        work.wait_begun()
    assert [job.status() for job in jobs[3:]] == [JobStatus.QUEUED] * 2
    works[1].let()
    works[3].wait_begun()
    for work in works:
        work.let()
    assert batch.results(WAIT_S) == [0, 1, 2, 3, 4]
    assert {job.id for job in batch.as_completed(WAIT_S)} == {job.id for job in jobs}


def test_results_come_as_they_are_completed_and_with_their_errors(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    batch = Batch(make_device(2), runtime=runtime)
    slow = Gated("slow")
    batch.submit(slow)
    batch.submit(Failing(lambda: ValueError("bad")))
    completed = batch.as_completed(WAIT_S)
    assert isinstance(next(completed).exception(), ValueError)
    slow.let()
    assert next(completed).result() == "slow"
    with pytest.raises(ValueError, match="bad"):
        batch.results(WAIT_S)


# --- several devices --------------------------------------------------------------------------------------------------
def test_a_session_over_several_devices_keeps_one_order(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    one, two = make_device(1), make_device(1)
    order: list[tuple[int, str]] = []
    gate = Gated()
    with Session([one, two], runtime=runtime) as session:
        session.submit(gate, device=one)
        jobs = [
            session.submit(Plain(lambda context, i=i: order.append((i, context.device.name))), device=(one, two)[i % 2])
            for i in range(8)
        ]
    gate.wait_begun()
    assert [job.status() for job in jobs] == [JobStatus.QUEUED] * 8
    gate.let()
    session.close(wait=True, timeout_s=WAIT_S)
    assert order == [(i, (one, two)[i % 2].name) for i in range(8)]


def test_a_redirected_job_keeps_its_place_in_the_order(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    own, spare = make_device(1), make_device(1)
    gate = Gated()
    session = Session(own, runtime=runtime)
    session.submit(gate)
    gate.wait_begun()
    redirected = session.submit(
        Plain(lambda context: context.device.name), options={"busy_policy": "redirect", "busy_redirect": spare.name}
    )
    last = session.submit(Plain(lambda context: redirected.status()))
    assert redirected.status() is JobStatus.QUEUED, "it may not overtake, though its device is free"
    gate.let()
    assert (redirected.result(WAIT_S), last.result(WAIT_S)) == (spare.name, JobStatus.COMPLETED)


def test_a_batch_over_several_devices_uses_the_one_with_the_least_to_do(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    one, two = make_device(1), make_device(1)
    gates = [Gated(i) for i in range(4)]
    batch = Batch([one, two], runtime=runtime)
    jobs = [batch.submit(gate) for gate in gates]
    assert [job.device for job in jobs] == [one.name, two.name, one.name, two.name]
    two.set_status("maintenance")
    assert batch.submit(Plain()).device == one.name
    two.set_status("online")
    for gate in gates:
        gate.let()
    batch.close(wait=True, timeout_s=WAIT_S)


def test_a_job_for_another_device_is_refused(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    own, other = make_device(1), make_device(1)
    session = Session(own, runtime=runtime)
    with pytest.raises(DeviceMismatchError, match=f"names device {other.name}, but Session .* is on {own.name}"):
        session.submit(Plain(), device=other.name)
    assert session.submit(Plain(), device=own.name).result(WAIT_S) is None


# --- context ----------------------------------------------------------------------------------------------------------
def test_its_jobs_get_its_options_seed_tags_and_tenant(runtime: Runtime, device: Device) -> None:
    with Session(
        device, runtime=runtime, seed=11, tags=["vqe"], tenant="alice", options={"precision": "complex64"}
    ) as session:
        jobs = [session.submit(Plain(lambda context: context.config["precision"]), tags=["step"]) for _ in range(3)]
        own = session.submit(Plain(lambda c: c.config["precision"]), seed=4, options={"precision": "complex128"})
    assert [job.result(WAIT_S) for job in (*jobs, own)] == ["complex64"] * 3 + ["complex128"]
    assert [job.seed for job in (*jobs, own)] == [*(derived_seed(11, "job", i) for i in range(3)), 4]
    assert {(job.tags, job.tenant, job.session_id) for job in jobs} == {(("vqe", "step"), "alice", session.id)}


def test_an_override_at_submission_beats_the_options_of_the_session(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime, options={"default_shots": 5})
    config.set("default_shots", 4)
    try:
        with config.override(default_shots=6):
            inside = session.submit(Plain(lambda context: context.config["default_shots"]))
        outside = session.submit(Plain(lambda context: context.config["default_shots"]))
        assert (inside.result(WAIT_S), outside.result(WAIT_S)) == (6, 5)
    finally:
        config.unset("default_shots")


def test_jobs_without_a_changed_setting_share_one_snapshot(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime, options={"default_shots": 5})
    first, second = session.submit(Plain()), session.submit(Plain())
    assert first.config is second.config


# --- figures ----------------------------------------------------------------------------------------------------------
def test_details_are_plain_data(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    session = Session(device, max_ttl=60, runtime=runtime, tags=["a"], seed=1, priority=2, tenant="t")
    job = session.submit(Plain())
    job.result(WAIT_S)
    clock.advance(5)
    assert session.details() == {
        "id": session.id,
        "mode": "dedicated",
        "device": device.name,
        "devices": [device.name],
        "max_ttl": 60.0,
        "created_at": "2023-11-14T22:13:20Z",
        "state": "open",
        "reason": None,
        "accepting_jobs": True,
        "active": True,
        "elapsed_time": 5.0,
        "remaining_time": 55.0,
        "jobs": [job.id],
        "tenant": "t",
        "priority": 2,
        "seed": 1,
        "tags": ["a"],
    }
    assert session.created_at == datetime.fromtimestamp(1.7e9, UTC)
    assert Batch(device, runtime=runtime).details()["mode"] == "batch"


def test_metrics_count_every_job_once(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    session = Session(device, runtime=runtime, options={"retry_attempts": 1})
    assert session.metrics().success_rate is None
    session.submit(Plain(lambda _: clock.advance(2.0), shots=10)).result(WAIT_S)
    assert session.metrics().run_s == 2.0
    flaky = session.submit(Failing(lambda: ConnectionError("lost"), times=1, shots=5))
    session.submit(Failing(ValueError, shots=100))
    gate = Gated()
    session.submit(gate)
    cancelled = session.submit(Plain())
    session.submit(Plain())
    cancelled.cancel()
    while not flaky.done():
        clock.advance(1.0)
    gate.wait_begun()
    m = session.metrics()
    assert (m.submitted, m.queued, m.running, m.completed, m.failed, m.cancelled) == (6, 1, 1, 2, 1, 1)
    assert (m.shots, m.retries, m.success_rate) == (15, 1, 0.5)
    gate.let()
    session.close(wait=True, timeout_s=WAIT_S)
    assert (session.metrics().completed, session.metrics().queued, session.metrics().running) == (4, 0, 0)


# --- refusals ---------------------------------------------------------------------------------------------------------
def test_mode_batch_points_to_batch_and_others_are_refused(device: Device) -> None:
    with pytest.raises(InputError, match=r"'batch' is not valid for a Session.*use qfast\.Batch"):
        Session(device, mode="batch")
    with pytest.raises(InputError, match="mode 'fast' is not valid"):
        Session(device, mode="fast")


@BOTH
@pytest.mark.parametrize("ttl", [0, -1, float("nan"), True, "600"])
def test_a_bad_time_to_live_is_refused(device: Device, kind: Kind, ttl: object) -> None:
    with pytest.raises(InputError, match=r"max_ttl .* is not valid; allowed: seconds above 0"):
        kind(device, max_ttl=ttl)  # type: ignore[arg-type]


@BOTH
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"device": "test::absent"}, DeviceError, "does not exist"),
        ({"device": []}, InputError, "needs a device"),
        ({"seed": -1}, InputError, "seed -1"),
        ({"tenant": ""}, InputError, "tenant ''"),
        ({"priority": 99}, InputError, "priority 99"),
        ({"tags": "text"}, InputError, "tags"),
        ({"options": {"precison": "complex64"}}, ConfigError, "did you mean 'precision'"),
        ({"options": {"precision": "double"}}, ConfigError, "options of the"),
    ],
)
def test_bad_arguments_are_refused_and_nothing_is_opened(
    runtime: Runtime, kind: Kind, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        kind(runtime=runtime, **arguments)  # type: ignore[arg-type]


@BOTH
def test_a_refused_job_leaves_nothing_behind(runtime: Runtime, device: Device, kind: Kind) -> None:
    group = kind(device, runtime=runtime, options={"max_qubits": 4})
    with pytest.raises(CapacityError):
        group.submit(Plain(num_qubits=5))
    assert (group.jobs, group.metrics().submitted) == ([], 0)
    assert group.close(), "nothing is pending"


def test_a_forked_child_does_not_use_its_parents_session(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime)
    gate = Gated()
    job = session.submit(gate)
    gate.wait_begun()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            refused = 0
            for call in (lambda: session.submit(Plain()), job.result):
                try:
                    call()
                except (SessionClosedError, RuntimeError) as error:
                    refused += "parent process" in str(error)
            fresh = Session("local::reference").submit(Plain(lambda _: 5)).result(WAIT_S)
            again = submit(Plain(lambda _: 6), device="local::reference").result(WAIT_S)
            code = 0 if (refused, fresh, again) == (2, 5, 6) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.let()
    job.result(WAIT_S)


def test_the_common_class_is_one_for_sessions_and_batches(device: Device, runtime: Runtime) -> None:
    assert isinstance(Session(device, runtime=runtime), JobGroup)
    assert not isinstance(Batch(device, runtime=runtime), Session)

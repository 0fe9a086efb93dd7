"""What is refused, each with an error of its own, and that nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import qfast
from qfast import config
from qfast.config.tokens import TokenStore
from qfast.devices import Device
from qfast.errors import (
    CapacityError,
    ConfigError,
    DeviceBusyError,
    DeviceError,
    DeviceMismatchError,
    InputError,
    LeaseError,
    LifecycleError,
    SessionClosedError,
    SessionExpiredError,
    SessionNotFoundError,
)
from qfast.jobs import JobStatus, Runtime, Session, get_session, submit
from qfast.jobs.job import JOB_TRANSITIONS
from qfast.pools import ManualClock, StateBuffers
from tests.jobs.works import WAIT_S, Gated, Plain


class Place:
    """What the cases of bad input work on."""

    def __init__(self, runtime: Runtime, device: Device, other: Device, clock: ManualClock, folder: Path) -> None:
        self.runtime, self.device, self.other, self.clock, self.folder = runtime, device, other, clock, folder
        self.session = Session(device, max_ttl=60, runtime=runtime)


def closed(place: Place) -> None:
    place.session.close()
    place.session.submit(Plain())


def expired(place: Place) -> None:
    place.clock.advance(60)
    place.session.submit(Plain())


def token_file_that_others_read(place: Place) -> None:
    path = place.folder / "auth.json"
    path.write_text('{"hpc": "s3cret"}')
    path.chmod(0o644)
    TokenStore({}, path).candidates("hpc", None)


def sources_that_disagree(place: Place) -> None:
    config.set("default_shots", 4)
    try:
        with config.override(default_shots=5):
            config.check_conflicts()
    finally:
        config.unset("default_shots")


def foreign_lease(place: Place) -> None:
    other = StateBuffers(1 << 20)
    other.open()
    lease = place.runtime.buffers.acquire(4096)
    try:
        other.release(lease)
    finally:
        lease.release()
        assert other.close()


def second_return(place: Place) -> None:
    lease = place.runtime.buffers.acquire(4096)
    lease.release()
    lease.release()


CASES: list[tuple[str, Callable[[Place], object], type[Exception], str]] = [
    ("closed session", closed, SessionClosedError, "was closed and takes no more jobs"),
    ("expired session", expired, SessionExpiredError, "max_ttl of 60 s has passed"),
    ("unknown session", lambda p: get_session("session-0"), SessionNotFoundError, "'session-0' does not exist"),
    ("mismatched device", lambda p: p.session.submit(Plain(), device=p.other), DeviceMismatchError, "is on test::"),
    ("bad mode", lambda p: Session(p.device, mode="fast"), InputError, "mode 'fast' is not valid"),
    ("batch as a mode", lambda p: Session(p.device, mode="batch"), InputError, r"use qfast\.Batch"),
    ("invalid TTL", lambda p: Session(p.device, max_ttl=0), InputError, "max_ttl 0 is not valid"),
    ("unknown setting", lambda p: p.session.submit(Plain(), options={"thread": 1}), ConfigError, "'threads'"),
    ("token file with a wrong mode", token_file_that_others_read, ConfigError, "mode 0644.*chmod 600"),
    ("conflicting sources", sources_that_disagree, ConfigError, "default_shots: 5 from .* wins over 4 from"),
    ("larger than the device", lambda p: p.session.run(qfast.Circuit(40)), CapacityError, "the memory of test::"),
    ("foreign return", foreign_lease, LeaseError, "it did not give"),
    ("double return", second_return, LeaseError, "was returned before"),
    ("a seed too large", lambda p: p.session.submit(Plain(), seed=2**64), InputError, "seed 18446744073709551616"),
    ("no tenant", lambda p: submit(Plain(), tenant="", runtime=p.runtime), InputError, "tenant ''"),
    ("a share of nothing", lambda p: p.session.submit(Plain(cost=0.0)), InputError, r"cost 0\.0"),
    ("a bad number of jobs to keep", lambda p: Session(p.device, keep_jobs=-1), InputError, "keep_jobs -1"),
]


@pytest.mark.parametrize(("act", "error", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_input_has_an_error_of_its_own_and_leaves_nothing(
    runtime: Runtime,
    make_device: Callable[..., Device],
    clock: ManualClock,
    tmp_path: Path,
    act: Callable[[Place], object],
    error: type[Exception],
    message: str,
) -> None:
    place = Place(runtime, make_device(1), make_device(1), clock, tmp_path)
    with pytest.raises(error, match=message) as caught:
        act(place)
    assert "s3cret" not in str(caught.value)
    assert place.session.close(), "nothing is pending"
    assert clock.num_alarms() == 0
    for device in (place.device, place.other):
        load = runtime.scheduler(device).load()
        assert (load.running, load.queued, load.bytes) == (0, 0, 0)
    statistics = runtime.buffers.statistics()
    assert (statistics.leases, statistics.leased, statistics.waiters, statistics.leaked) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("needs", "options", "message"),
    [
        ({"num_qubits": 31}, {"max_qubits": 30}, "needs 31 qubits, but max_qubits is 30"),
        ({"shots": 1001}, {"max_shots": 1000}, "needs 1001 shots, but max_shots is 1000"),
        (
            {"num_qubits": 12, "size_bytes": 16 << 12},
            {"max_job_bytes": 40_000},
            "needs 65536 bytes, but max_job_bytes is 40000; the largest job of this kind that fits has 11 qubits",
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

"""Telemetry, routing, limits and the queueing of sessions: what is said of a job is what holds for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qfast
from qfast import config
from qfast.devices import Device, DeviceStatus
from qfast.errors import (
    CapacityError,
    ConfigError,
    DeviceBusyError,
    DeviceError,
    DeviceOfflineError,
    InputError,
    JobTimeoutError,
)
from qfast.jobs import Batch, Job, JobStatus, Runtime, Sampler, Session, run, submit
from qfast.jobs.context import JobContext
from qfast.pools import ManualClock
from tests.jobs.works import RELEASED, WAIT_S, Gated, Plain

BELL = qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
ZZ = qfast.PauliSum([("ZZ", [0, 1])])


# --- telemetry --------------------------------------------------------------------------------------------------------
def test_a_failed_job_that_still_holds_memory_says_so(runtime: Runtime, device: Device, alerts: list[str]) -> None:
    kept: list[Any] = []

    def fail(context: JobContext) -> None:
        kept.append(context.allocate(10, "complex128"))
        raise ValueError("no")

    job = submit(Plain(fail), device=device, runtime=runtime)
    assert isinstance(job.exception(WAIT_S), ValueError)
    assert (job.telemetry["retained_leases"], job.telemetry["retained_bytes"]) == (1, 16 << 10)
    assert runtime.buffers.statistics().leased == 16 << 10
    assert ("UNLOAD", "retained_1_buffers") in job.execution_log
    assert RELEASED not in job.execution_log
    assert len(alerts) == 1
    assert "16384 bytes" in alerts[0]
    kept.clear()
    assert runtime.buffers.statistics().leased == 0


def test_what_a_result_holds_is_told_apart_from_what_is_in_use(runtime: Runtime, device: Device) -> None:
    job = run(qfast.Circuit(12).h(0), device=device, runtime=runtime)
    state = job.result(WAIT_S)
    told = job.telemetry
    assert (told["leases"], told["bytes"], told["retained_leases"], told["retained_bytes"]) == (0, 0, 1, 16 << 12)
    assert job.execution_log[-2:] == (("UNLOAD", "retained_1_buffers"), RELEASED)
    assert runtime.buffers.statistics().leased == 16 << 12
    del state


def test_what_is_in_use_is_the_pools_gauge(runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(runtime.buffers, "export", lambda lease: False)  # as if giving back had gone wrong
    job = submit(Plain(lambda c: kept.append(c.allocate(10, "complex128"))), device=device, runtime=runtime)
    job.result(WAIT_S)
    assert (job.telemetry["leases"], job.telemetry["bytes"]) == (1, 16 << 10)
    kept.clear()


@pytest.mark.parametrize("observables", [ZZ, [ZZ, ZZ]])
@pytest.mark.parametrize("noise", [None, qfast.NoiseModel().add(qfast.channels.depolarizing(0.01), gates=["h"])])
def test_expectation_values_carry_log_and_telemetry(
    runtime: Runtime, device: Device, observables: Any, noise: qfast.NoiseModel | None
) -> None:
    circuit = qfast.Circuit(2).h(0).cx(0, 1)
    job = run(circuit, observables=observables, noise=noise, device=device, runtime=runtime)
    value = job.result(WAIT_S)
    assert np.shape(value) == (() if observables is ZZ else (2,))
    assert np.all(np.abs(np.asarray(value) - 1.0) < 0.05)
    assert value.metadata["job_id"] == job.id
    assert value.metadata["execution_log"][-1] == RELEASED
    assert value.metadata["telemetry"]["bytes"] == 0


# --- settings of the device that runs ---------------------------------------------------------------------------------
def test_a_redirected_job_runs_on_the_targets_settings_and_limits(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    target = make_device(1, precision="complex64", max_qubits=3)
    asked = make_device(1, busy_policy="redirect", busy_redirect=target.name)
    asked.set_status("maintenance")
    job = run(qfast.Circuit(2).h(0), device=asked, runtime=runtime)
    assert job.result(WAIT_S).amplitudes.dtype == np.complex64
    with pytest.raises(CapacityError, match="max_qubits is 3"):
        run(qfast.Circuit(4).h(0), device=asked, runtime=runtime)


@pytest.mark.parametrize("itself", [False, True])
def test_a_target_that_cannot_take_a_job_is_an_error(
    runtime: Runtime, make_device: Callable[..., Device], itself: bool
) -> None:
    target = make_device(1)
    asked = make_device(1, busy_policy="redirect", busy_redirect=target.name)
    if itself:
        config.set("busy_redirect", asked.name, device=asked.name)
    asked.set_status(DeviceStatus.BUSY)
    target.set_status("maintenance")
    with pytest.raises(DeviceOfflineError, match="is the device itself" if itself else "is in maintenance"):
        run(BELL, shots=1, device=asked, runtime=runtime)


def test_a_job_submitted_inside_a_job_has_settings_of_its_own(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    outer, inner = make_device(1), make_device(1, retry_attempts=7)
    jobs: list[Job] = []

    def submit_more(context: JobContext) -> None:
        jobs.append(submit(Plain(), device=inner, runtime=runtime))
        with config.override(precision="complex64"):
            jobs.append(Session(inner, runtime=runtime).submit(Plain()))

    options = {"seed": 5, "run_timeout_s": 100.0, "retry_attempts": 1}
    submit(Plain(submit_more), device=outer, runtime=runtime, options=options).result(WAIT_S)
    assert [(job.seed, job.config["run_timeout_s"], job.config["retry_attempts"]) for job in jobs] == [
        (None, None, 7)
    ] * 2
    assert [job.config["precision"] for job in jobs] == ["complex128", "complex64"]


# --- options ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", ["session", "sampler", "device", "override"])
def test_default_shots_are_those_of_where_the_pub_runs(
    runtime: Runtime, make_device: Callable[..., Device], how: str
) -> None:
    device = make_device(1, **({"default_shots": 33} if how == "device" else {}))
    mode = Session(device, runtime=runtime, options={"default_shots": 33} if how == "session" else None)
    sampler = Sampler(mode, options={"default_shots": 33} if how == "sampler" else None)
    with config.override(**({"default_shots": 33} if how == "override" else {})):
        assert sampler.run([BELL]).result(WAIT_S)[0].shots == 33


@pytest.mark.parametrize("name", ["max_total_bytes", "workers", "recycle_buffers", "max_tenant_jobs"])
@pytest.mark.parametrize("where", ["job", "session", "sampler"])
def test_an_option_that_would_have_no_effect_is_refused(
    runtime: Runtime, device: Device, name: str, where: str
) -> None:
    options = {name: 1}
    with pytest.raises(ConfigError, match=rf"{name!r} .* has no effect on a job"):
        {
            "job": lambda: submit(Plain(), device=device, runtime=runtime, options=options),
            "session": lambda: Session(device, runtime=runtime, options=options),
            "sampler": lambda: Sampler(device, options=options),
        }[where]()


@pytest.mark.parametrize("kind", [Session, Batch])
def test_a_misspelt_keyword_names_the_class_that_was_called(kind: type[Session | Batch]) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__}.__init__\(\) got an unexpected keyword argument 'max_tll'"):
        kind(max_tll=5)  # type: ignore[call-arg]


# --- time -------------------------------------------------------------------------------------------------------------
def test_a_job_that_ignores_its_time_out_has_failed(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    gate = Gated()
    gate.action = lambda context: (gate.begun.set(), gate.gate.wait(WAIT_S))
    job = submit(gate, device=device, runtime=runtime, options={"run_timeout_s": 1.0})
    gate.wait_begun()
    clock.advance(2.0)
    gate.let()
    with pytest.raises(JobTimeoutError, match="did not obey, and its result came too late"):
        job.result(WAIT_S)


def test_closing_takes_no_longer_than_it_says_however_many_devices(make_device: Callable[..., Device]) -> None:
    runtime = Runtime(budget_bytes=1 << 20)
    gates = [Gated() for _ in range(3)]
    for gate in gates:
        gate.action = lambda context, gate=gate: (gate.begun.set(), gate.gate.wait(WAIT_S))
        submit(gate, device=make_device(1), runtime=runtime)
        gate.wait_begun()
    begun = time.monotonic()
    assert not runtime.close(0.2)
    assert time.monotonic() - begun < 0.2 * 4  # three devices that wait twice each would take 1.2 s
    for gate in gates:
        gate.let()


@pytest.mark.parametrize("kind", [Session, Batch])
def test_a_time_to_live_may_be_a_setting(
    runtime: Runtime, make_device: Callable[..., Device], clock: ManualClock, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    assert kind(make_device(1, session_ttl_s=60.0), runtime=runtime).max_ttl == 60.0
    monkeypatch.setenv("QFAST_SESSION_TTL_S", "30")
    device = make_device(1)
    group = kind(device, runtime=runtime)
    assert (group.max_ttl, kind(device, max_ttl=math.inf, runtime=runtime).max_ttl) == (30.0, None)
    clock.advance(31.0)
    assert group.reason == "expired"


# --- sessions that wait for a device ----------------------------------------------------------------------------------
def test_sessions_above_the_limit_wait_for_their_turn(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(4, max_dedicated_sessions=1)
    first, second, third = (Session(device, runtime=runtime) for _ in range(3))
    waiting = second.submit(Plain(lambda _: 2))
    last = third.submit(Plain(lambda _: 3))
    assert first.submit(Plain(lambda _: 1)).result(WAIT_S) == 1
    assert submit(Plain(lambda _: 0), device=device, runtime=runtime).result(WAIT_S) == 0
    assert (waiting.status(), last.status()) == (JobStatus.QUEUED, JobStatus.QUEUED)
    first.close()
    assert waiting.result(WAIT_S) == 2
    assert last.status() is JobStatus.QUEUED
    del second, waiting  # dropped without being closed
    third.close()
    assert last.result(WAIT_S) == 3


def test_a_session_above_the_limit_may_be_refused(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(4, max_dedicated_sessions=2, session_policy="fail")
    sessions = [Session(device, runtime=runtime) for _ in range(2)]
    with pytest.raises(DeviceBusyError, match="reserved by 2 dedicated sessions"):
        Session(device, runtime=runtime)
    assert Batch(device, runtime=runtime).submit(Plain(lambda _: 1)).result(WAIT_S) == 1
    sessions.pop().close()
    assert Session(device, runtime=runtime).submit(Plain(lambda _: 1)).result(WAIT_S) == 1


def test_a_batch_keeps_as_many_finished_jobs_as_it_is_asked_to(runtime: Runtime, device: Device) -> None:
    batch = Batch(device, runtime=runtime, keep_jobs=2)
    assert [batch.submit(Plain(lambda _, n=n: n)).result(WAIT_S) for n in range(5)] == [0, 1, 2, 3, 4]
    assert [job.result() for job in batch.jobs] == [3, 4]
    with pytest.raises(InputError, match="keep_jobs -1"):
        Batch(device, runtime=runtime, keep_jobs=-1)


# --- states that live on ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Session, Batch])
def test_a_state_lives_on_from_job_to_job(runtime: Runtime, device: Device, kind: Any) -> None:
    group = kind(device, runtime=runtime)
    state = group.run(qfast.Circuit(2).h(0)).result(WAIT_S)
    step = qfast.Circuit(2).cx(0, 1)
    assert group.run(step, initial_state=state, observables=ZZ).result(WAIT_S) == pytest.approx(1.0)
    given = np.array(state.amplitudes)
    job = group.run(step, initial_state=given)
    given[:] = 0  # it keeps what it was given
    assert job.result(WAIT_S).probabilities() == pytest.approx([0.5, 0, 0, 0.5])
    counts = group.run(step, initial_state=state, shots=100, seed=1).result(WAIT_S).get_counts()
    assert set(counts) == {"00", "11"}


def test_a_density_matrix_begins_with_a_state_too(runtime: Runtime, device: Device) -> None:
    noise = qfast.NoiseModel().add(qfast.channels.depolarizing(0.3, num_qubits=2), gates=["cx"])
    job = run(
        qfast.Circuit(2).cx(0, 1), initial_state=[0, 1, 0, 0], observables=ZZ, noise=noise, device=device,
        runtime=runtime,
    )  # fmt: skip
    clean = run(qfast.Circuit(2).cx(0, 1), initial_state=[0, 1, 0, 0], observables=ZZ, device=device, runtime=runtime)
    assert clean.result(WAIT_S) == pytest.approx(1)
    assert job.result(WAIT_S) == pytest.approx(1 - 0.3 * 16 / 15)


# --- limits -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", ["max_job_bytes", "max_tenant_bytes"])
def test_limits_on_memory_cover_the_outcomes_of_shots(
    runtime: Runtime, make_device: Callable[..., Device], limit: str
) -> None:
    device = make_device(1, **{limit: 1 << 20})
    with pytest.raises(CapacityError, match=limit):
        run(BELL, shots=1 << 18, device=device, runtime=runtime)
    with pytest.raises(CapacityError, match=limit):
        Sampler(Session(device, runtime=runtime)).run([(BELL, None, 1 << 17)] * 2)
    assert run(BELL, shots=1000, device=device, runtime=runtime).result(WAIT_S).shots == 1000


def test_a_density_matrix_is_refused_before_it_begins(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(1, max_job_bytes=1 << 20)
    noise = qfast.NoiseModel().add(qfast.channels.depolarizing(0.01), gates=["h"])
    circuit = qfast.Circuit(9)
    for qubit in range(9):
        circuit.h(qubit)
    message = "needs 12582912 bytes, but max_job_bytes is 1048576; the largest job of this kind that fits has 7 qubits"
    with pytest.raises(CapacityError, match=message):
        run(circuit, observables=ZZ, noise=noise, device=device, runtime=runtime)
    assert run(circuit, observables=ZZ, device=device, runtime=runtime).result(WAIT_S) == pytest.approx(0.0)
    small = qfast.Circuit(7).h(0)
    value = run(small, observables=ZZ, noise=noise, device=device, runtime=runtime).result(WAIT_S)
    assert value == pytest.approx(0.0)


def test_a_tenants_jobs_run_together_only_as_far_as_its_bytes_reach(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    device = make_device(4, max_tenant_bytes=1 << 20)
    gate = Gated(1, size_bytes=1 << 19)
    first = submit(gate, device=device, runtime=runtime, tenant="a")
    gate.wait_begun()
    second = submit(Plain(size_bytes=(1 << 19) + 1), device=device, runtime=runtime, tenant="a")
    assert (
        submit(Plain(lambda _: 5, size_bytes=1 << 19), device=device, runtime=runtime, tenant="b").result(WAIT_S) == 5
    )
    assert second.status() is JobStatus.QUEUED
    gate.let()
    assert (first.result(WAIT_S), second.result(WAIT_S)) == (1, None)


# --- the default runtime ----------------------------------------------------------------------------------------------
def test_statistics_alerts_and_trimming_of_a_runtime(runtime: Runtime, device: Device) -> None:
    heard: list[str] = []
    runtime.on_cleanup_failure = lambda message, error: heard.append(message)
    run(qfast.Circuit(12).h(0), device=device, runtime=runtime).result(WAIT_S)
    work = Plain(lambda context: context.at_unload(lambda: 1 / 0))
    submit(work, device=device, runtime=runtime).result(WAIT_S)
    assert len(heard) == 1
    statistics = runtime.statistics()
    assert statistics["state_buffers"].idle == 16 << 12
    assert statistics["devices"][device.name]["load"].running == 0
    assert runtime.trim() == 16 << 12
    assert runtime.statistics()["state_buffers"].idle == 0


# --- gates of a device ------------------------------------------------------------------------------------------------
def test_a_device_without_a_list_of_gates_takes_all_under_its_noise(runtime: Runtime) -> None:
    noise = qfast.NoiseModel().add(qfast.channels.bit_flip(1.0), gates=["h"])
    device = Device("test::all_gates", make_noise=lambda: noise)
    counts = run(qfast.Circuit(1).h(0).h(0), shots=50, device=device, runtime=runtime).result(WAIT_S).get_counts()
    assert counts == {"1": 50}  # X leaves |+⟩ as it is, and flips what the second H makes of it


def test_a_device_with_a_gate_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DeviceError, match="the gate 'cnot2': it does not exist"):
        Device("test::foo", gates=("cnot2",))

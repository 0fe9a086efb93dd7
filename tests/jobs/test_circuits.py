"""Circuits as jobs: the same answers as without the job layer, and what a session saves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import qfast
from qfast import Circuit, Parameter, PauliSum, Projector, config
from qfast.devices import Device
from qfast.errors import (
    CapacityError,
    ConfigError,
    InputError,
    JobCancelledError,
    JobTimeoutError,
    ObservableError,
)
from qfast.jobs import Batch, JobStatus, Runtime, Session, run
from qfast.noise import NoiseModel, channels
from qfast.pools import ManualClock
from tests.jobs.works import WAIT_S, Gated

BELL = Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
H = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7)])


def ansatz(num_qubits: int) -> Circuit:
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(Parameter(f"t{qubit}"), qubit)
    for qubit in range(num_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def test_shots_give_the_same_samples_as_without_a_job(runtime: Runtime, device: Device) -> None:
    with Session(device, runtime=runtime, tags=["bell"]) as session:
        job = session.run(BELL, shots=1000, seed=7)
    samples = job.result(WAIT_S)
    assert samples.get_counts() == qfast.sample(BELL, shots=1000, seed=7).get_counts()
    metadata = samples.metadata
    assert (metadata["job_id"], metadata["session_id"], metadata["tags"]) == (job.id, session.id, ("bell",))
    assert (metadata["device"], metadata["execution_log"]) == (device.name, job.execution_log)
    assert (metadata["telemetry"]["bytes"], metadata["seed"]) == (0, 7)


def test_without_shots_the_result_is_the_state(runtime: Runtime, device: Device) -> None:
    circuit = ansatz(3)
    values = {"t0": 0.1, "t1": 0.2, "t2": 0.3}
    job = run(circuit, parameters=values, device=device, runtime=runtime)
    expected = qfast.simulate(circuit, parameters=values)
    assert np.array_equal(job.result(WAIT_S).amplitudes, expected.amplitudes)


def test_observables_give_expectation_values(runtime: Runtime, device: Device) -> None:
    circuit = Circuit(2).ry(0.4, 0).cx(0, 1)
    one = run(circuit, observables=H, device=device, runtime=runtime).result(WAIT_S)
    many = run(circuit, observables=[H, 2 * H], device=device, runtime=runtime).result(WAIT_S)
    expected = qfast.simulate(circuit).expectation(H)
    assert one == pytest.approx(expected, abs=1e-12)
    assert many == pytest.approx([expected, 2 * expected], abs=1e-12)


def test_a_circuit_that_measures_in_the_middle_runs_too(runtime: Runtime, device: Device) -> None:
    circuit = Circuit(1, 2).h(0).measure([0], [0]).h(0).measure([0], [1])
    samples = run(circuit, shots=500, seed=3, device=device, runtime=runtime).result(WAIT_S)
    assert samples.get_counts() == qfast.sample(circuit, shots=500, seed=3).get_counts()
    state = run(circuit, seed=3, device=device, runtime=runtime).result(WAIT_S)
    assert np.array_equal(state.amplitudes, qfast.simulate(circuit, seed=3).amplitudes)


def test_the_results_of_a_seeded_session_do_not_depend_on_what_else_runs(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    def counts(device: Device, kind: type[Session] | type[Batch]) -> list[dict[str, int]]:
        with kind(device, runtime=runtime, seed=42) as group:
            jobs = [group.run(BELL, shots=200) for _ in range(4)]
        return [job.result(WAIT_S).get_counts() for job in jobs]

    first = counts(make_device(1), Session)
    assert first == counts(make_device(3), Batch)
    assert len({tuple(c.items()) for c in first}) > 1, "every job draws its own shots"


def test_without_any_seed_fresh_entropy_is_drawn_and_reported(runtime: Runtime, device: Device) -> None:
    first, second = (run(BELL, shots=50, device=device, runtime=runtime).result(WAIT_S) for _ in range(2))
    assert first.seed != second.seed
    again = qfast.sample(BELL, shots=50, seed=first.seed)
    assert again.get_counts() == first.get_counts()


def test_a_device_uses_its_own_engine() -> None:
    job = run(BELL, shots=10, seed=1, device="local::reference")
    assert job.result(WAIT_S).metadata["engine"] == "reference"


def test_options_of_the_session_reach_the_engine(runtime: Runtime, device: Device) -> None:
    session = Session(device, runtime=runtime, options={"precision": "complex64", "engine": "reference"})
    state = session.run(Circuit(2).h(0)).result(WAIT_S)
    assert (state.precision, state.metadata["engine"]) == ("complex64", "reference")


def test_the_second_job_of_a_structure_plans_and_allocates_nothing(
    runtime: Runtime, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qfast import engines

    prepared = 0
    engine = engines.select("reference")
    prepare = type(engine).prepare

    def counting(self: object, *arguments: object, **options: object) -> object:
        nonlocal prepared
        prepared += 1
        return prepare(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(type(engine), "prepare", counting)
    circuit = ansatz(10)
    with Session(device, runtime=runtime, options={"engine": "reference"}) as session:
        for step in range(10):
            session.run(circuit, parameters=np.full(10, 0.1 * step), observables=H).result(WAIT_S)
    statistics = runtime.scheduler(device).statistics()
    assert prepared == 1
    assert (statistics["state_buffers"].created, statistics["state_buffers"].reused) == (1, 9)
    assert statistics["workers"].created <= 1
    assert statistics["state_buffers"].leases == 0


def test_values_that_the_caller_changes_later_do_not_matter(runtime: Runtime, device: Device) -> None:
    gate = Gated()
    circuit = Circuit(1).ry(Parameter("t"), 0)
    values, named = np.array([0.0]), {"t": 0.0}
    with Session(device, runtime=runtime) as session:
        session.submit(gate)
        jobs = [session.run(circuit, parameters=p, observables=PauliSum([("Z", [0])])) for p in (values, named)]
        values[0] = named["t"] = np.pi
        gate.let()
    assert [job.result(WAIT_S) for job in jobs] == [1.0, 1.0]


def test_a_job_runs_the_circuit_the_values_and_the_state_as_they_were_when_it_was_submitted(
    runtime: Runtime, device: Device
) -> None:
    gate = Gated()
    circuit, values = Circuit(2).ry(Parameter("t"), 0), np.array([np.pi])
    start = np.array([0, 0, 1, 0], dtype=complex)
    table, projector = np.array([[0.0], [np.pi]]), np.array([1, 0, 0, 0], dtype=complex)
    with Session(device, runtime=runtime) as session:
        session.submit(gate)
        job = session.run(circuit, parameters=values, initial_state=start, shots=10)
        rows = session.run(circuit, parameters=table, observables=Projector(projector))
    circuit.x(1)
    values[:], start[:], table[:], projector[:] = 0.0, [1, 0, 0, 0], 7.0, [0, 0, 0, 1]
    gate.let()
    assert job.result(WAIT_S).get_counts() == {"11": 10}
    assert rows.result(WAIT_S) == pytest.approx([1, 0])


def test_a_long_run_is_stopped_by_an_interrupt(runtime: Runtime, device: Device) -> None:
    circuit = Circuit(18)
    for layer in range(400):
        for qubit in range(18):
            circuit.rx(0.1 * layer, qubit)
        for qubit in range(17):
            circuit.cx(qubit, qubit + 1)
    job = run(circuit, device=device, runtime=runtime, options={"engine": "reference"})
    while job.progress()[1] == 0:
        pass
    assert job.cancel(interrupt=True)
    with pytest.raises(JobCancelledError):
        job.result(WAIT_S)
    assert runtime.buffers.statistics().leases == 0


def test_a_run_that_takes_too_long_is_stopped(runtime: Runtime, device: Device, clock: ManualClock) -> None:
    circuit = Circuit(18)
    for _ in range(4000):
        circuit.h(0).h(1)
    job = run(circuit, device=device, runtime=runtime, options={"engine": "reference", "run_timeout_s": 1.0})
    while job.progress()[1] == 0:
        pass
    clock.advance(1.0)
    with pytest.raises(JobTimeoutError):
        job.result(WAIT_S)


def test_the_memory_of_results_counts_until_they_die(runtime: Runtime, device: Device) -> None:
    with Session(device, runtime=runtime) as session:
        states = [session.run(Circuit(18).h(0)).result(WAIT_S) for _ in range(4)]  # 4 x 4 MiB: the whole budget
        full = session.run(Circuit(18).h(0))
        with pytest.raises(CapacityError, match="held by results"):
            full.result(WAIT_S)
    del states, full
    session._jobs.clear()
    assert run(Circuit(18).h(0), device=device, runtime=runtime).result(WAIT_S).num_qubits == 18


# --- bad input --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"circuit": "h 0"}, InputError, r"a qfast\.Circuit is needed, str given"),
        ({"shots": 0}, InputError, "shots = 0 must be a positive integer"),
        ({"shots": -5}, InputError, "shots = -5"),
        ({"shots": True}, InputError, "shots = True"),
        ({"shots": 2.5}, InputError, r"shots = 2\.5"),
        ({"shots": 5, "observables": H}, InputError, "both given"),
        ({"circuit": Circuit(70)}, CapacityError, "70"),
        ({"options": {"error_mitigation": ["zne"]}}, ConfigError, "error_mitigation is zne"),
    ],
)
def test_bad_arguments_are_refused_when_they_are_submitted(
    runtime: Runtime, device: Device, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    session = Session(device, runtime=runtime)
    with pytest.raises(error, match=message):
        session.run(**{"circuit": BELL, **arguments})  # type: ignore[arg-type]
    assert session.close()


@pytest.mark.parametrize(
    "parameters",
    [None, [0.1], {"t0": 0.1, "t9": 0.2}, [0.1, float("nan")], [[0.1]], [[0.1, float("inf")]], np.zeros((0, 2))],
)
def test_bad_values_are_refused_when_they_are_submitted(runtime: Runtime, device: Device, parameters: object) -> None:
    with pytest.raises(InputError):
        run(ansatz(2), device=device, runtime=runtime, parameters=parameters)


def test_an_observable_that_does_not_fit_fails_the_job_and_leaves_nothing(runtime: Runtime, device: Device) -> None:
    job = run(ansatz(2), device=device, runtime=runtime, parameters=[0.1, 0.2], observables=PauliSum([("Z", [5])]))
    with pytest.raises(ObservableError) as caught:
        job.result(WAIT_S)
    assert job.status() is JobStatus.FAILED
    assert caught.value.execution_log[-1] == ("UNLOAD", "resources_released")  # type: ignore[attr-defined]
    assert runtime.buffers.statistics().leases == 0


def test_a_program_runs_as_its_circuit_does(runtime: Runtime, device: Device) -> None:
    program = qfast.compile(BELL)
    found = run(program, shots=100, seed=3, device=device, runtime=runtime).result(WAIT_S)
    assert found == qfast.sample(BELL, 100, seed=3)


def test_the_way_can_be_asked_for(runtime: Runtime, device: Device) -> None:
    found = run(BELL, shots=100, seed=3, method="branches", device=device, runtime=runtime).result(WAIT_S)
    assert (found.metadata["method"], found.metadata["why"]) == ("branches", "asked for")
    job = run(BELL.copy().h(0), shots=100, method="terminal", device=device, runtime=runtime)
    with pytest.raises(InputError, match="method 'terminal' cannot serve this circuit: the circuit measures"):
        job.result(WAIT_S)


def test_a_job_larger_than_its_limit_names_the_size_that_fits(runtime: Runtime, device: Device) -> None:
    with pytest.raises(CapacityError, match=r"needs 16777216 bytes, but max_job_bytes is 1048576.* has 16 qubits"):
        run(Circuit(20).h(0), device=device, runtime=runtime, options={"max_job_bytes": "1MiB"})


def test_the_names_of_the_package_lead_here() -> None:
    assert qfast.Session is Session
    assert qfast.Batch is Batch
    assert qfast.list_devices()[0] == "local::statevector"
    assert qfast.list_properties("local::statevector").status in ("online", "busy")
    assert qfast.run(BELL, shots=10, seed=1).result(WAIT_S).shots == 10
    assert config.get_default_device() == "local::statevector"


def test_a_job_does_not_follow_the_noise_model_it_was_given(runtime: Runtime, device: Device) -> None:
    gate = Gated()
    with Session(device, runtime=runtime) as session:
        session.submit(gate)
        model = NoiseModel().add(channels.bit_flip(0.0), gates=["x"])
        job = session.run(Circuit(1).x(0), shots=200, noise=model, seed=1)
        model.add(channels.bit_flip(1.0), gates=["x"])
        gate.let()
    assert job.result(WAIT_S).get_counts() == {"1": 200}

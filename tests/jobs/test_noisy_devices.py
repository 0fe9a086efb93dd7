"""Jobs on devices with noise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import qfast
from qfast import Circuit, Parameter, PauliSum, ShotPlan
from qfast.devices import Device, add_device, device_from_file, get_device, list_properties, remove_device
from qfast.errors import CapacityError, CircuitError, DeviceError, InputError
from qfast.jobs import Batch, Estimator, Runtime, Sampler, Session, run
from qfast.noise import NoiseModel, channels
from tests.densities import density_of
from tests.jobs.works import WAIT_S

MANILA = "local::fake_manila"
Z0, ZZ = PauliSum([("Z", [0])]), PauliSum([("ZZ", [0, 1])])
# A Bell state in the device's own gates: h is rz sx rz up to a phase.
BELL = Circuit(2).rz(np.pi / 2, 0).sx(0).rz(np.pi / 2, 0).cx(0, 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A device file of our own: two qubits that read 1 as 0 in a quarter of all cases."""
    qubit = [
        {"name": "T1", "unit": "us", "value": 1e6},
        {"name": "T2", "unit": "us", "value": 1e6},
        {"name": "prob_meas0_prep1", "unit": "", "value": 0.25},
        {"name": "prob_meas1_prep0", "unit": "", "value": 0.0},
    ]
    data = {
        "backend_name": "leaky",
        "n_qubits": 2,
        "basis_gates": ["x", "rz", "sx", "cx"],
        "coupling_map": [[0, 1]],
        "max_shots": 5000,
        "qubits": [qubit, qubit],
        "gates": [],
    }
    path = tmp_path / "leaky.json"
    path.write_text(json.dumps(data))
    return path


def test_a_noisy_device_says_what_it_is() -> None:
    properties = list_properties(MANILA)
    assert (properties.capacity.qubits, properties.capacity.shots) == (5, 100_000)
    assert {"sx", "cx", "measure"} <= set(properties.gates)
    assert "h" not in properties.gates
    assert properties.coupling is not None
    assert (0, 1) in properties.coupling
    assert properties.noise is not None
    assert "rules" in properties.noise
    assert not get_device("local::statevector").is_noisy


def test_shots_on_a_noisy_device_are_those_of_its_noise(runtime: Runtime) -> None:
    samples = run(BELL, shots=4000, seed=5, device=MANILA, runtime=runtime).result(WAIT_S)
    alone = qfast.sample(BELL, 4000, 5, noise=get_device(MANILA).noise)
    counts = samples.get_counts()
    assert counts == alone.get_counts()
    assert 0 < counts["01"] + counts["10"] < 1000, "errors are seen, but they do not prevail"


def test_readout_errors_of_a_file_have_their_probability(runtime: Runtime, file: Path) -> None:
    device = device_from_file(file, "lab::leaky")
    add_device(device)
    try:
        counts = (
            run(Circuit(2).x(0), shots=5000, seed=2, device="lab::leaky", runtime=runtime).result(WAIT_S).get_counts()
        )
    finally:
        remove_device("lab::leaky")
    # Binomial with 5000 shots and p = 1/4: five standard deviations are 153.
    assert abs(counts["00"] - 1250) < 153
    assert set(counts) == {"00", "01"}


def test_expectation_values_under_noise_are_those_of_the_density_matrix(runtime: Runtime) -> None:
    noise = NoiseModel().add(channels.depolarizing(0.1, num_qubits=2), gates=["cx"])
    with Session("local::statevector", runtime=runtime) as session:
        job = session.run(Circuit(2).h(0).cx(0, 1), observables=[ZZ, Z0], noise=noise)
        single = session.run(Circuit(2).h(0).cx(0, 1), observables=ZZ, noise=noise)
    exact = density_of(Circuit(2).h(0).cx(0, 1), noise).expectation(ZZ)
    assert job.result(WAIT_S) == pytest.approx([exact, 0.0], abs=1e-12)
    assert single.result(WAIT_S) == pytest.approx(exact, abs=1e-12)
    assert exact < 0.95


def test_primitives_run_under_the_noise_of_their_device(runtime: Runtime) -> None:
    circuit = Circuit(2).sx(0).rz(Parameter("t"), 0).sx(0).cx(0, 1)
    values = [[0.0], [0.4], [0.8]]
    noise = get_device(MANILA).noise
    with Session(MANILA, runtime=runtime) as session:
        exact = Estimator(session).run([(circuit, [[ZZ], [Z0]], values)]).result(WAIT_S)[0]
        drawn = Estimator(session).run([(circuit, ZZ, values[1], 0.02)], seed=1).result(WAIT_S)[0]
        samples = Sampler(session).run([(circuit, values, 300)], seed=3).result(WAIT_S)[0]
    for i, value in enumerate(values):
        density = density_of(circuit, noise, parameters=value)
        assert exact.expectation[:, i] == pytest.approx([density.expectation(o) for o in (ZZ, Z0)], abs=1e-12)
    # What is drawn from shots is also misread.
    bound = circuit.bind(values[1]).measure_all()
    read = sum(p * (-1) ** key.count("1") for key, p in qfast.distribution(bound, noise=noise).items())
    assert abs(drawn.expectation - read) < 5 * drawn.standard_error
    assert exact.expectation[0, 1] - read > 0.1
    assert samples.shape == (3,)
    assert sum(samples.get_counts(1).values()) == 300


def test_a_shot_plan_runs_under_the_noise_of_its_device(runtime: Runtime) -> None:
    plan = ShotPlan.for_observable(BELL, ZZ, shots=20_000)
    samples = run(BELL, shots=20_000, seed=4, device=MANILA, runtime=runtime).result(WAIT_S)
    on_device = plan.run(MANILA, seed=3)
    assert on_device.expectation == pytest.approx(samples.expectation_values("ZZ"), abs=0.02)
    assert on_device.expectation < 0.95, "without noise it is 1"
    given = plan.run("local::statevector", seed=3, noise=get_device(MANILA).noise)
    assert on_device.expectation == given.expectation
    with pytest.raises(CircuitError, match="transpile"):
        ShotPlan.for_observable(Circuit(2).h(0).cx(0, 1), ZZ, shots=100).run(MANILA)


def test_circuits_of_a_list_run_one_by_one_under_noise(runtime: Runtime) -> None:
    with Batch(MANILA, runtime=runtime) as batch:
        found = batch.run([BELL, BELL], shots=10, seed=1).result(WAIT_S)
    assert found.statistics is None
    assert [samples.shots for samples in found] == [10, 10]
    assert found[0].seed != found[1].seed


def test_noise_of_the_job_replaces_the_devices(runtime: Runtime) -> None:
    quiet = NoiseModel().add(channels.depolarizing(0.0), gates=["x"])
    counts = run(Circuit(1).x(0), shots=500, seed=1, device=MANILA, noise=quiet, runtime=runtime).result(WAIT_S)
    assert counts.get_counts() == {"1": 500}


def test_a_noisy_job_is_stopped_like_any_other_and_leaves_nothing(runtime: Runtime) -> None:
    job = run(BELL, shots=1000, device=MANILA, runtime=runtime)
    job.result(WAIT_S)
    statistics = runtime.buffers.statistics()
    assert (statistics.leases, statistics.leaked) == (0, 0)
    assert job.execution_log[-1] == ("UNLOAD", "resources_released")


# --- refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("circuit", "error", "message"),
    [
        (Circuit(1).h(0), CircuitError, "gate 'h' at instruction 0 is not one of .*fake_manila's: id, rz.*transpile"),
        (Circuit(3).x(0).cx(0, 2), CircuitError, r"'cx' at instruction 1 acts on qubits \[0, 2\], which .* not couple"),
        (Circuit(6).x(0), CapacityError, "needs 6 qubits, but all of local::fake_manila is 5"),
    ],
)
def test_a_circuit_that_the_device_cannot_take_is_refused(
    runtime: Runtime, circuit: Circuit, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(circuit, shots=10, device=MANILA, runtime=runtime).result(WAIT_S)


def test_gates_inside_of_control_flow_are_checked_too(runtime: Runtime) -> None:
    circuit = Circuit(1, 1).x(0).measure([0], [0])
    circuit.if_test((0, 1), Circuit(1, 1).h(0))
    with pytest.raises(CircuitError, match="gate 'h' at instruction 0 of a body at instruction 2"):
        run(circuit, shots=10, device=MANILA, runtime=runtime).result(WAIT_S)


def test_noise_leaves_a_density_matrix(runtime: Runtime) -> None:
    found = run(BELL, device=MANILA, runtime=runtime).result(WAIT_S)
    assert found.purity() < 0.99
    assert found.metadata["job_id"]


def test_more_shots_than_the_device_takes_are_refused(runtime: Runtime) -> None:
    with pytest.raises(CapacityError, match="needs 100001 shots, but the most of local::fake_manila is 100000"):
        run(BELL, shots=100_001, device=MANILA, runtime=runtime)


def test_what_is_no_noise_model_is_refused(runtime: Runtime) -> None:
    with pytest.raises(InputError, match=r"noise must be a qfast\.NoiseModel, float given"):
        run(BELL, shots=10, noise=0.1, runtime=runtime)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "message"), [("{", "cannot be read"), ("{}", "lacks backend_name, n_qubits")])
def test_a_bad_device_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(DeviceError, match=message):
        device_from_file(path)
    with pytest.raises(DeviceError, match="cannot be read"):
        device_from_file(tmp_path / "absent.json")


def test_a_device_file_gives_a_device_named_after_it(file: Path) -> None:
    device = device_from_file(file)
    assert isinstance(device, Device)
    assert (device.name, device.num_qubits, device.coupling) == ("local::leaky", 2, frozenset({(0, 1)}))


def test_values_from_shots_have_the_readout_errors_of_the_device(runtime: Runtime, file: Path) -> None:
    """A qubit in 1 that reads 0 in a quarter of all cases: -1/2 for everything that is drawn from shots."""
    device = device_from_file(file, "lab::leaky")
    add_device(device)
    circuit = Circuit(2).x(0)
    try:
        estimator = Estimator(Session("lab::leaky", runtime=runtime))
        (sampled,) = estimator.run([(circuit, [Z0, ZZ])], precision=0.04, seed=3).result(WAIT_S)
        (exact,) = estimator.run([(circuit, [Z0, ZZ])], seed=3).result(WAIT_S)
        planned = ShotPlan.for_observable(circuit, Z0, shots=2000).run("lab::leaky", seed=3)
        with pytest.raises(CapacityError, match=r"needs 1100000 shots, but the most of lab::leaky is 5000"):
            estimator.run([(circuit, Z0)], precision=0.001)
        without = ShotPlan.for_observable(circuit, Z0, shots=200).run("lab::leaky", seed=3, noise=NoiseModel())
    finally:
        remove_device("lab::leaky")
    assert (np.abs(sampled.expectation + 0.5) < 4 * sampled.standard_error).all()
    assert (sampled.standard_error <= 0.04).all()
    assert exact.expectation == pytest.approx([-1.0, -1.0])
    assert abs(planned.expectation + 0.5) < 4 * planned.standard_error
    assert without.expectation == -1.0, "an empty model means no noise, not the device's"


def test_an_empty_model_means_no_noise_everywhere(runtime: Runtime) -> None:
    with Session(MANILA, runtime=runtime) as session:
        state = session.run(BELL, noise=NoiseModel()).result(WAIT_S)
        value = session.run(BELL, noise=NoiseModel(), observables=ZZ).result(WAIT_S)
        counts = session.run(BELL, noise=NoiseModel(), shots=500, seed=1).result(WAIT_S).get_counts()
        plan = ShotPlan.for_observable(BELL, ZZ, shots=500).run(session, seed=1, noise=NoiseModel())
    assert abs(state.expectation(ZZ) - 1) < 1e-12
    assert value == pytest.approx(1.0)
    assert set(counts) == {"00", "11"}
    assert plan.expectation == 1.0

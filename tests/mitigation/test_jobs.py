"""Error mitigation in jobs: by argument, session option and config; in a device's gates; refused where it cannot be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import qfast
from qfast import Circuit, NoiseModel, Parameter, PauliSum, config
from qfast.devices import Device, add_device, remove_device
from qfast.errors import CapacityError, CircuitError, ConfigError, InputError, ShotPlanError
from qfast.estimation import Estimate
from qfast.jobs import Estimator, Sampler, Session, run
from qfast.noise import ReadoutError, channels

MANILA = "local::fake_manila"
FREE = "local::noisy_for_mitigation"
ZZ, X0 = PauliSum([("ZZ", [0, 1])]), PauliSum([("X", [0])], num_qubits=2)
# A Bell state in the device's own gates: h is rz sx rz up to a phase.
BELL = Circuit(2).rz(np.pi / 2, 0).sx(0).rz(np.pi / 2, 0).cx(0, 1)


@pytest.fixture(autouse=True)
def noisy_device() -> Iterator[None]:
    """A device that takes every gate and every number of shots."""

    def make() -> NoiseModel:
        noise = NoiseModel().add(channels.depolarizing(0.03, num_qubits=2), gates=["cx"])
        return noise.add_readout(ReadoutError.of_flips(0.03, 0.07)).set_durations({"id": 1e-8, "cx": 3e-7})

    device = Device(
        FREE, make_noise=make, gates=tuple(sorted({"h", "x", "y", "z", "id", "cx", "ry", "sdg", "measure"}))
    )
    add_device(device)
    yield
    remove_device(FREE)


def bell() -> Circuit:
    return Circuit(2).h(0).cx(0, 1)


# --- where it is asked for --------------------------------------------------------------------------------------------
def by_argument() -> Any:
    return qfast.ShotPlan.for_observable(bell(), ZZ, shots=20_000).run(FREE, seed=3, mitigation=["readout", "zne"])


def by_option_of_the_job() -> Any:
    plan = qfast.ShotPlan.for_observable(bell(), ZZ, shots=20_000)
    return plan.run(FREE, seed=3, options={"error_mitigation": ["readout", "zne"]})


def by_option_of_the_session() -> Any:
    with Session(FREE, options={"error_mitigation": ["readout", "zne"]}) as session:
        return qfast.ShotPlan.for_observable(bell(), ZZ, shots=20_000).run(session, seed=3)


def by_config() -> Any:
    with config.override(error_mitigation=["readout", "zne"]):
        return qfast.ShotPlan.for_observable(bell(), ZZ, shots=20_000).run(FREE, seed=3)


@pytest.mark.parametrize("ask", [by_argument, by_option_of_the_job, by_option_of_the_session, by_config])
def test_every_way_to_ask_gives_the_same_value(ask: Any) -> None:
    found = ask()
    assert isinstance(found, Estimate)
    assert found.expectation == by_argument().expectation
    assert abs(found.expectation - 1) < 4 * found.standard_error
    assert abs(found.unmitigated.expectation - 1) > 0.15
    assert found.metadata["methods"] == ["readout", "zne"]
    assert found.metadata["device"] == FREE


def test_an_argument_turns_off_what_the_settings_turn_on() -> None:
    with config.override(error_mitigation=["readout"]):
        found = qfast.ShotPlan.for_observable(bell(), ZZ, shots=2000).run(FREE, seed=3, mitigation=())
    assert found.total_shots == 2000
    assert found.expectation < 0.9


def test_the_settings_of_the_methods_are_followed() -> None:
    options = {
        "error_mitigation": ["zne", "readout", "twirling"],
        "zne_scale_factors": [1, 3],
        "zne_folding": "global",
        "zne_extrapolator": "linear",
        "twirling_randomizations": 5,
        "readout_calibration_shots": 700,
    }
    plan = qfast.ShotPlan.for_observable(bell(), ZZ, shots=1000)
    told = plan.run(FREE, seed=3, options=options).metadata
    assert (told["scale_factors"], told["folding"], told["randomizations"]) == ([1.0, 3.0], "global", 5)
    assert told["extrapolation"]["method"] == "linear"
    assert told["cost"] == {
        "circuits": 13, "shots": 2000, "calibration_shots": 2100, "windows": 0, "gates_twirled": 3,
    }  # fmt: skip


# --- kinds of jobs ----------------------------------------------------------------------------------------------------
def test_an_estimator_reaches_its_precision_and_tells_what_it_spent() -> None:
    theta = Parameter("theta")
    circuit = Circuit(2).ry(theta, 0).cx(0, 1)
    estimator = Estimator(FREE, options={"error_mitigation": ["readout"]})
    values = np.array([[0.0], [1.0], [2.0]])
    result = estimator.run([(circuit, [[ZZ], [X0]], values, 0.02)], seed=5).result()[0]
    assert result.shape == (2, 3)
    exact = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    damped = np.array([[1 - 0.03 * 16 / 15] * 3, [0.0] * 3])
    assert (np.abs(result.expectation - damped) < 4.5 * result.standard_error).all()
    assert (result.standard_error < 0.035).all()
    assert (np.abs(result.metadata["unmitigated"][0] - exact[0]) > 0.1).all()
    assert result.shots.tolist() == [[32_750] * 3] * 2
    assert len(result.metadata["mitigation"]) == 6


def test_exact_values_are_extrapolated_exactly() -> None:
    estimator = Estimator(FREE, options={"error_mitigation": ["zne"]})
    result = estimator.run([(bell(), [ZZ, X0])]).result()[0]
    assert result.expectation[0] == pytest.approx(1, abs=1e-9)  # depolarizing noise decays exponentially
    assert result.expectation[1] == pytest.approx(0, abs=1e-9)
    assert result.metadata["unmitigated"][0] == pytest.approx(1 - 0.03 * 16 / 15)
    with Session(FREE) as session:
        one, other = session.run(bell(), observables=[ZZ, X0], options={"error_mitigation": ["zne"]}).result()
        alone = session.run(bell(), observables=ZZ, options={"error_mitigation": ["zne", "twirling"]}).result()
    assert (one.expectation, other.expectation) == pytest.approx((1, 0), abs=1e-9)
    assert alone.expectation == pytest.approx(1, abs=0.02)


def test_samples_keep_their_counts_and_bring_the_corrected_distribution() -> None:
    options = {"error_mitigation": ["readout", "twirling"], "twirling_randomizations": 7}
    job = run(bell().measure_all(), shots=20_000, device=FREE, seed=4, options=options)
    samples = job.result()
    assert sum(samples.get_counts().values()) == 20_000 == samples.shots
    told = samples.metadata["mitigation"]
    assert told["methods"] == ["readout", "twirling"]
    assert told["cost"]["circuits"] == 3 + 7
    quasi = told["quasi_distribution"]
    assert sum(quasi.values()) == pytest.approx(1)
    assert quasi["00"] + quasi["11"] == pytest.approx(1 - 0.03 * 8 / 15, abs=0.02)
    assert samples.get_counts()["00"] / 20_000 < quasi["00"]
    assert job.metrics().shots == 50_000


def test_a_sampler_mitigates_every_set_of_values_and_knows_bits_that_are_not_read() -> None:
    circuit = Circuit(2, 3).ry(Parameter("a"), 0).cx(0, 1).measure([1, 0], [0, 2])
    sampler = Sampler(FREE, options={"error_mitigation": ["readout"]})
    result = sampler.run([(circuit, [[0.0], [math.pi]], 20_000)], seed=1).result()[0]
    for index, key in ((0, "000"), (1, "101")):
        found = result.samples[index].metadata["mitigation"]["quasi_distribution"]
        assert all(text[1] == "0" for text in found)
        assert found[key] == pytest.approx(1 - 0.03 * 12 / 15, abs=0.015)


def test_bits_that_are_measured_in_the_middle_are_corrected_too() -> None:
    circuit = Circuit(2, 2).x(0).measure(0, 0).h(0).measure(1, 1)  # bit 0 is 1, whatever happens afterwards
    options = {"error_mitigation": ["readout"]}
    samples = run(circuit, shots=40_000, device=FREE, seed=4, options=options).result()
    assert samples.get_counts()["01"] / 40_000 == pytest.approx(0.93 * 0.97, abs=0.01)
    quasi = samples.metadata["mitigation"]["quasi_distribution"]
    assert quasi["01"] == pytest.approx(1, abs=0.01)


def test_a_plan_on_a_device_of_few_gates_changes_basis_with_these() -> None:
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("XX", [0, 1], 1.0), ("YY", [0, 1], -1.0)])
    plan = qfast.ShotPlan.for_observable(BELL, observable, shots=12_000)
    plain = plan.run(MANILA, seed=2)
    everything = plan.run(
        MANILA, seed=2, mitigation={"readout": True, "zne": True, "twirling": True, "randomizations": 4}
    )
    assert plain.expectation < 2.8
    assert abs(everything.expectation - 3) < 4 * everything.standard_error < abs(plain.expectation - 3)


# --- refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({}, ConfigError, "error_mitigation is zne, but a state cannot be mitigated"),
        ({"shots": 10}, InputError, r"zero-noise extrapolation \('zne'\) works on expectation values"),
    ],
)
def test_jobs_that_cannot_be_extrapolated_are_refused_at_once(how: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        run(bell(), device=FREE, options={"error_mitigation": ["zne"]}, **how)


def test_a_list_of_circuits_is_refused() -> None:
    with (
        qfast.Batch("local::statevector", options={"error_mitigation": ["twirling"]}) as batch,
        pytest.raises(ConfigError, match="a list of circuits cannot be mitigated"),
    ):
        batch.run([bell(), bell()], shots=10)


def test_exact_values_have_no_readout_errors() -> None:
    with pytest.raises(InputError, match="exact expectation values have no readout errors; ask for shots"):
        run(bell(), observables=ZZ, device=FREE, options={"error_mitigation": ["readout"]})
    with pytest.raises(InputError, match="exact expectation values have no readout errors"):
        Estimator(FREE, options={"error_mitigation": ["readout"]}).run([(bell(), ZZ)])
    with pytest.raises(InputError, match="zero-noise extrapolation"):
        Sampler(FREE, options={"error_mitigation": ["zne"]}).run([bell()])


def test_plans_that_learn_or_have_no_observable_are_refused(tmp_path: Any) -> None:
    def plan(**how: Any) -> qfast.ShotPlan:
        return qfast.ShotPlan.for_observable(bell(), ZZ, shots=1000, **how)

    with pytest.raises(ShotPlanError, match="needs to know the shots of each setting beforehand"):
        plan(allocation="variance").run(FREE, mitigation=["readout"])
    with pytest.raises(ShotPlanError, match="this plan has none"):
        qfast.ShotPlan([{"shots": 10}], circuit=bell()).run(FREE, mitigation=["readout"])
    with pytest.raises(ShotPlanError, match="keeps no checkpoint"):
        plan().run(FREE, mitigation=["readout"], checkpoint=tmp_path / "run.npz")


def test_the_shots_of_all_scale_factors_and_the_calibration_count_against_the_limits() -> None:
    plan = qfast.ShotPlan.for_observable(BELL, ZZ, shots=60_000)
    with pytest.raises(CapacityError, match="needs 120000 shots, but the most of local::fake_manila is 100000"):
        plan.run(MANILA, mitigation={"zne": True, "scale_factors": (1, 3)})


def test_decoupling_without_durations_fails_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"see NoiseModel\.set_durations"):
        qfast.ShotPlan.for_observable(BELL, ZZ, shots=100).run(MANILA, mitigation=["decoupling"])


def test_a_basis_change_that_the_device_cannot_make_is_refused() -> None:
    circuit = Circuit(3).sx(0).sx(2)
    observable = PauliSum([("XX", [0, 2], 1.0), ("ZZ", [0, 2], 1.0)])
    plan = qfast.ShotPlan.for_observable(circuit, observable, shots=100, grouping="general")
    with pytest.raises(CircuitError, match=r"of a basis change acts on qubits .* does not couple"):
        plan.run(MANILA)

"""Mitigated values: nearer to the truth than their errors, over circuits and seeds, each method and all together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import qfast
from qfast import Circuit, NoiseModel, PauliSum
from qfast.errors import CircuitError, InputError, ObservableError, ParameterError, ShotPlanError
from qfast.estimation import Estimate
from qfast.mitigation import Mitigation, ReadoutCalibration
from qfast.noise import IdleNoise, ReadoutError, channels

NS = 1e-9
DURATIONS = {"id": 20 * NS, "x": 40 * NS, "y": 40 * NS, "z": 0.0, "h": 40 * NS, "ry": 40 * NS, "cx": 300 * NS}


def tfim(num_qubits: int) -> PauliSum:
    return PauliSum(
        [("ZZ", [q, q + 1], -1.0) for q in range(num_qubits - 1)] + [("X", [q], -0.7) for q in range(num_qubits)]
    )


def layered(num_qubits: int, layers: int, seed: int) -> Circuit:
    """Rotations and a staircase of cx, in which qubits wait for each other."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for _ in range(layers):
        for q in range(num_qubits):
            circuit.ry(float(rng.normal(scale=0.6)), q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
    return circuit


def ghz(num_qubits: int) -> Circuit:
    circuit = Circuit(num_qubits).h(0)
    for q in range(num_qubits - 1):
        circuit.cx(q, q + 1)
    return circuit


def quench(num_qubits: int, steps: int) -> Circuit:
    circuit = Circuit(num_qubits)
    for _ in range(steps):
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1).ry(0.3, q + 1).cx(q, q + 1)
        for q in range(num_qubits):
            circuit.ry(0.25, q)
    return circuit


ROTATION = math.cos(0.08) * np.eye(4) - 1j * math.sin(0.08) * np.diag([1, -1, -1, 1])  # exp(-0.08i ZZ)


def depolarized() -> NoiseModel:
    return NoiseModel().add(channels.depolarizing(0.02, num_qubits=2), gates=["cx"])


def misread() -> NoiseModel:
    return NoiseModel().add_readout(ReadoutError.of_flips(0.03, 0.08))


def overrotated() -> NoiseModel:
    return NoiseModel().add(channels.coherent(ROTATION), gates=["cx"])


def detuned() -> NoiseModel:
    return NoiseModel().set_durations(DURATIONS).add_idle(IdleNoise(t1=200e-6, detuning_hz=150e3))


def incoherent() -> NoiseModel:
    noise = NoiseModel().set_durations(DURATIONS).add_idle(IdleNoise(t1=200e-6, detuning_hz=60e3))
    noise.add(channels.depolarizing(0.01, num_qubits=2), gates=["cx"]).add(channels.depolarizing(0.0005), gates=["ry"])
    return noise.add_readout(ReadoutError.of_flips(0.02, 0.05))


def everything() -> NoiseModel:
    return incoherent().add(channels.coherent(ROTATION), gates=["cx"])


# Circuits on which the noise shows: where it happens to cancel in this observable there is nothing to mitigate.
MISREAD = [layered(4, 2, 1), ghz(4), quench(5, 3), layered(4, 3, 2)]
DEPOLARIZED = [layered(4, 2, 1), quench(4, 2), layered(4, 3, 1)]
DETUNED = [layered(4, 3, 1), layered(4, 3, 2), layered(5, 2, 3), quench(5, 3)]


def mitigated(
    circuit: Circuit, observable: PauliSum, noise: NoiseModel, how: Any, shots: int, seed: int, **more: Any
) -> Estimate:
    return qfast.expectation(circuit, observable, noise=noise, mitigation=how, shots=shots, seed=seed, **more)


def improvement(
    circuit: Circuit, observable: PauliSum, noise: NoiseModel, how: Any, seed: int
) -> tuple[float, float, float]:
    """Distance from the truth without and with mitigation, at equal shots, and the error of the latter."""
    exact = qfast.simulate(circuit).expectation(observable)
    plain = mitigated(circuit, observable, noise, None, 100_000, seed)
    found = mitigated(circuit, observable, noise, how, 100_000, seed)
    return abs(plain.expectation - exact), abs(found.expectation - exact), found.standard_error


@pytest.mark.native
@pytest.mark.parametrize(
    ("how", "noise", "circuits"),
    [
        (["readout"], misread(), MISREAD),
        (["zne"], depolarized(), DEPOLARIZED),
        (
            {"zne": True, "folding": "global", "extrapolator": "linear", "scale_factors": (1, 2)},
            depolarized(),
            DEPOLARIZED,
        ),
        (["decoupling"], detuned(), DETUNED),
        (["readout", "zne", "decoupling"], incoherent(), [layered(4, 2, 1), quench(4, 2), ghz(4), layered(4, 3, 2)]),
    ],
    ids=["readout", "zne", "zne-global-linear", "decoupling", "all-but-twirling"],
)
def test_a_method_brings_the_value_nearer_by_more_than_its_error(how: Any, noise: Any, circuits: list[Circuit]) -> None:
    for circuit in circuits:
        for seed in (1, 2, 3):
            before, after, error = improvement(circuit, tfim(circuit.num_qubits), noise, how, seed)
            assert before - after > error, (seed, before, after, error)


@pytest.mark.native
def test_twirling_makes_coherent_errors_add_up_like_random_ones() -> None:
    # Fourteen cx in a row on one pair: coherent angles add up, their twirl grows with the number only.
    circuit = Circuit(2).h(0).h(1)
    for _ in range(14):
        circuit.cx(0, 1)
    observable = PauliSum([("X", [0], 1.0), ("X", [1], 1.0)])
    for seed in (1, 2, 3):
        before, after, error = improvement(circuit, observable, overrotated(), ["twirling"], seed)
        assert before - after > error, (seed, before, after, error)


@pytest.mark.native
def test_all_methods_together_bring_the_value_nearer_by_more_than_their_error() -> None:
    how = Mitigation.of({"readout": True, "zne": True, "twirling": True, "decoupling": True, "randomizations": 8})
    for circuit in (layered(4, 2, 1), ghz(4)):
        for seed in (1, 2):
            before, after, error = improvement(circuit, tfim(4), everything(), how, seed)
            assert before - after > error, (seed, before, after, error)


# --- errors -----------------------------------------------------------------------------------------------------------
@pytest.mark.native
@pytest.mark.parametrize(
    ("how", "noise"),
    [
        ({"readout": True, "calibration_shots": 300}, misread()),  # the calibration is most of the error
        ({"twirling": True, "randomizations": 6}, overrotated()),
        (
            {"readout": True, "zne": True, "scale_factors": (1, 3), "extrapolator": "linear", "calibration_shots": 300},
            misread(),
        ),
    ],
    ids=["readout", "twirling", "readout-zne"],
)
def test_the_error_is_the_spread_over_seeds(how: Any, noise: NoiseModel) -> None:
    circuit = quench(2, 2) if "twirling" in how else ghz(3)
    observable = PauliSum([("XX", [0, 1], 0.5), ("ZZ", [0, 1], 1.0)]) if "twirling" in how else tfim(3)
    found = [mitigated(circuit, observable, noise, how, 1000, seed) for seed in range(100)]
    values = np.array([f.expectation for f in found])
    # 100 seeds know a standard deviation to 7 %; the bound is three of these, and twirling's error is a little large.
    assert values.std(ddof=1) == pytest.approx(np.mean([f.standard_error for f in found]), rel=0.22)
    if "readout" in how:
        assert abs(values.mean() - qfast.simulate(circuit).expectation(observable)) < 4 * values.std() / 10


def test_a_value_is_a_function_of_the_seed() -> None:
    how = {"readout": True, "zne": True, "twirling": True, "randomizations": 3}
    first, again, other = (
        mitigated(ghz(3), tfim(3), everything(), how, 600, seed, threads=threads)
        for seed, threads in ((7, 1), (7, 2), (8, 1))
    )
    assert (first.expectation, first.metadata) == (again.expectation, again.metadata)
    assert first.expectation != other.expectation


# --- beyond its reach -------------------------------------------------------------------------------------------------
def test_errors_of_the_calibrations_own_gates_are_not_corrected_in_the_value() -> None:
    """A circuit without x on a device whose x is bad: rms pulls of 5 before, when those errors counted as readout."""
    noise = misread().add(channels.depolarizing(0.05), gates=["x"])
    circuit, observable = Circuit(3).ry(0.6, 0).cx(0, 1).cx(1, 2), PauliSum([("ZZZ", [0, 1, 2], 1.0), ("Z", [0], 1.0)])
    exact = qfast.simulate(circuit).expectation(observable)
    found = [mitigated(circuit, observable, noise, ["readout"], 20_000, seed) for seed in range(40)]
    pulls = np.array([(f.expectation - exact) / f.standard_error for f in found])
    # The mean of 40 squares has a standard deviation of 0.22.
    assert 0.4 < np.mean(pulls**2) < 1.9


def test_correlated_misreadings_are_refused_where_a_term_is_a_product_over_them() -> None:
    table = 0.9 * np.eye(4) + 0.1 * np.eye(4)[::-1]  # both qubits are misread together
    noise = NoiseModel().add_readout(ReadoutError(table), [0, 1])
    pair, one = PauliSum([("ZZ", [0, 1])]), PauliSum([("Z", [0]), ("Z", [1])])
    with pytest.raises(InputError, match="misreadings of qubits 0 and 1 depend on each other"):
        mitigated(Circuit(2), pair, noise, ["readout"], 2000, 1)
    found = mitigated(Circuit(2), one, noise, ["readout"], 20_000, 1)
    assert abs(found.expectation - 2) < 4 * found.standard_error
    assert found.metadata["readout"]["correlated"] == [[0, 1]]


def test_circuits_that_act_on_what_they_read_are_refused() -> None:
    circuit = Circuit(2, 1).h(0).measure(0, 0)
    circuit.if_test((0, 1), circuit.block().x(1))
    with pytest.raises(InputError, match="instruction 2 is 'if_else', which acts on bits that may be misread"):
        mitigated(circuit, PauliSum([("Z", [1])]), misread(), ["readout"], 2000, 1)


# --- what stands in the result ----------------------------------------------------------------------------------------
def test_the_result_tells_what_was_done_and_what_it_cost() -> None:
    how = {"readout": True, "zne": True, "twirling": True, "decoupling": True, "randomizations": 4}
    found = mitigated(layered(3, 2, 5), tfim(3), everything(), {**how, "calibration_shots": 500}, 900, 3)
    told = found.metadata
    assert told["methods"] == ["readout", "zne", "twirling", "decoupling"]
    assert told["scale_factors"] == [1.0, 3.0, 5.0]
    assert len(told["values"]) == len(told["errors"]) == 3
    assert told["extrapolation"]["method"] in ("exponential", "linear")
    assert told["readout"]["shots"] == 500
    cost = told["cost"]
    assert (cost["shots"], cost["calibration_shots"]) == (2700, 1500)
    assert cost["circuits"] == 3 + 3 * 2 * 4  # calibration; scale factors, settings, randomisations
    assert cost["gates_twirled"] == 20  # of the longest circuit
    assert cost["windows"] > 0
    assert float(found) == found.expectation


def test_a_calibration_is_used_again() -> None:
    calibration = ReadoutCalibration(range(3), [[0.03, 0.08]] * 3)
    found = mitigated(ghz(3), tfim(3), misread(), Mitigation(readout=calibration), 20_000, 3)
    assert found.metadata["cost"]["calibration_shots"] == 0
    assert abs(found.expectation + 2.0) < 4 * found.standard_error
    with pytest.raises(InputError, match=r"readout of qubits \[3\] was not calibrated"):
        mitigated(ghz(4), tfim(4), misread(), Mitigation(readout=calibration), 2000, 3)


def test_general_grouping_and_parameters_work_too() -> None:
    circuit = Circuit(2).ry(qfast.Parameter("a"), 0).cx(0, 1)
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("XX", [0, 1], 0.5), ("YY", [0, 1], -0.5), ("", [], 2.0)])
    found = mitigated(circuit, observable, misread(), ["readout"], 40_000, 3, grouping="general", parameters={"a": 0.8})
    exact = qfast.simulate(circuit, parameters={"a": 0.8}).expectation(observable)
    assert abs(found.expectation - exact) < 4 * found.standard_error
    assert found.metadata["cost"]["circuits"] == 4


def test_a_multiple_of_the_identity_needs_no_circuit() -> None:
    found = mitigated(ghz(2), PauliSum([("", [], 2.5)]), misread(), ["readout"], 10, 1)
    assert isinstance(found, Estimate)
    assert (found.expectation, found.metadata["cost"]["circuits"]) == (2.5, 0)


# --- refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("how", "message"),
    [
        (["prayer"], "error mitigation 'prayer' is unknown; allowed: readout, zne"),
        ({"zno": True}, "mitigation has no 'zno'; allowed: readout"),
        ({"zne": True, "scale_factors": (1, 1)}, "scale_factors .* must be different numbers from 1"),
        ({"zne": True, "scale_factors": (0.5, 1)}, "must be different numbers from 1"),
        ({"zne": True, "scale_factors": (1,)}, "needs 2 scale_factors, 1 given"),
        ({"zne": True, "scale_factors": (1, 2), "extrapolator": "polynomial"}, "needs 3 scale_factors"),
        ({"folding": "up"}, "folding 'up' is unknown; allowed: 'local', 'global'"),
        ({"sequence": "CPMG"}, "sequence 'CPMG' is unknown"),
        ({"randomizations": 0}, "randomizations is 0; a whole number from 1"),
        (["decoupling"], "decoupling needs to know how long gates take"),
        ({"zne": True, "scale_factors": (1, 1.01)}, r"\[1.0, 1.0\] are not all different"),
    ],
)
def test_options_that_cannot_be_are_refused(how: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mitigated(ghz(2), tfim(2), misread(), how, 1000, 1)


def test_circuits_that_cannot_be_are_refused() -> None:
    with pytest.raises(ShotPlanError, match="3 shots were given for 2 measurement settings; at least 4"):
        mitigated(ghz(2), tfim(2), misread(), ["readout"], 3, 1)
    with pytest.raises(ParameterError, match="no value for 1 of 1 parameters: 'a'"):
        mitigated(Circuit(1).rx(qfast.Parameter("a"), 0), PauliSum([("Z", [0])]), misread(), ["readout"], 10, 1)
    with pytest.raises(CircuitError, match="zero-noise extrapolation works on circuits of gates"):
        mitigated(Circuit(1).h(0).reset(0), PauliSum([("Z", [0])]), misread(), ["zne"], 10, 1)
    with pytest.raises(ObservableError, match="str"):
        mitigated(ghz(2), "ZZ", misread(), ["readout"], 10, 1)  # type: ignore[arg-type]

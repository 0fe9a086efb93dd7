"""Readout mitigation against dense inverses of the whole readout matrix."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from qfast.errors import InputError
from qfast.mitigation import (
    QuasiDistribution,
    ReadoutCalibration,
    calibration_circuits,
    mitigated_distribution,
    readout,
)
from qfast.mitigation.readout import sign_factors

FLIPS = st.lists(st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)), min_size=1, max_size=5)


def confusion(flips: Any) -> np.ndarray:
    """P(read row | true column), bit 0 least significant."""
    ones = [np.array([[1 - up, down], [up, 1 - down]]) for up, down in flips]
    return functools.reduce(lambda low, high: np.kron(high, low), ones)


def all_bits(num_bits: int) -> np.ndarray:
    return np.array([[k >> j & 1 for j in range(num_bits)] for k in range(2**num_bits)], dtype=np.uint8)


@hypothesis_settings(max_examples=40)
@given(FLIPS, st.integers(0, 10**6))
def test_where_every_outcome_was_seen_the_dense_inverse_comes_out(flips: list[Any], seed: int) -> None:
    counts = np.random.default_rng(seed).integers(1, 1000, 2 ** len(flips))
    found = mitigated_distribution(all_bits(len(flips)), counts, np.array(flips))
    expected = np.linalg.solve(confusion(flips), counts / counts.sum())
    assert list(found) == ["".join(map(str, row[::-1])) for row in all_bits(len(flips)).tolist()]
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-9)
    assert sum(found.values()) == pytest.approx(1)
    assert found.overhead == pytest.approx(np.abs(np.linalg.inv(confusion(flips))).sum(axis=0).max())


@hypothesis_settings(max_examples=30)
@given(FLIPS, st.integers(0, 10**6))
def test_on_a_subspace_its_part_of_the_matrix_is_inverted_columns_normalised(flips: list[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = np.flatnonzero(rng.random(2 ** len(flips)) < 0.6)
    seen = seen if seen.size else np.array([0])
    counts = rng.integers(1, 1000, seen.size)
    part = confusion(flips)[np.ix_(seen, seen)]
    expected = np.linalg.solve(part / part.sum(axis=0), counts / counts.sum())
    found = mitigated_distribution(all_bits(len(flips))[seen], counts, np.array(flips))
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-9)


def test_many_outcomes_are_solved_by_iteration_to_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    flips = rng.uniform(0.01, 0.06, (10, 2))
    counts = rng.integers(1, 50, 1024)
    direct = mitigated_distribution(all_bits(10), counts, flips)
    monkeypatch.setattr(readout, "_DIRECT", 10)
    monkeypatch.setattr(readout, "_BLOCK_ENTRIES", 5000)
    iterated = mitigated_distribution(all_bits(10), counts, flips)
    assert direct.iterations == 0 < iterated.iterations < 30
    np.testing.assert_allclose(list(iterated.values()), list(direct.values()), atol=1e-8)


def test_forty_qubits_are_no_matter_of_their_number() -> None:
    rng = np.random.default_rng(4)
    flips = rng.uniform(0.005, 0.03, (40, 2))
    read = np.zeros((20_000, 40), dtype=np.uint8)
    read[10_000:] = 1  # a GHZ state of forty qubits
    read ^= rng.random(read.shape) < np.where(read == 1, flips[:, 1], flips[:, 0])
    bits, counts = np.unique(read, axis=0, return_counts=True)
    found = mitigated_distribution(bits, counts, flips)
    plain = counts.max() / 20_000
    assert plain < 0.35
    assert abs(found["0" * 40] - 0.5) < 0.1
    assert abs(found["1" * 40] - 0.5) < 0.1


def test_a_readout_that_no_iteration_undoes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readout, "_DIRECT", 10)
    monkeypatch.setattr(readout, "_MAX_ITERATIONS", 2)
    counts = np.random.default_rng(1).integers(1, 1000, 256)
    with pytest.raises(InputError, match=r"of 256 outcomes did not converge in 2 steps"):
        mitigated_distribution(all_bits(8), counts, np.full((8, 2), 0.3))


# --- signs ------------------------------------------------------------------------------------------------------------
@given(FLIPS)
def test_the_mean_of_the_factors_over_readings_is_the_true_sign(flips: list[Any]) -> None:
    factors, _ = sign_factors(np.array(flips))
    for (up, down), row in zip(flips, factors, strict=True):
        read = np.array([[1 - up, up], [down, 1 - down]])  # row: true outcome
        np.testing.assert_allclose(read @ row, [1, -1], atol=1e-12)


def test_the_slopes_of_the_factors_are_their_derivatives() -> None:
    flips = np.array([[0.02, 0.07], [0.1, 0.01]])
    _, slopes = sign_factors(flips)
    step = 1e-6
    for flip in (0, 1):
        moved = flips.copy()
        moved[:, flip] += step
        numeric = (sign_factors(moved)[0] - sign_factors(flips)[0]) / step
        np.testing.assert_allclose(slopes[:, flip], numeric, rtol=1e-4)


# --- quasi-distributions ----------------------------------------------------------------------------------------------
@given(st.lists(st.floats(-0.3, 1), min_size=1, max_size=4))
def test_the_nearest_probabilities_are_those_of_a_search_over_supports(values: list[float]) -> None:
    rest = 1 - sum(values)
    given_values = [*values, rest]
    keys = [f"{k:03b}" for k in range(len(given_values))]
    found = QuasiDistribution(zip(keys, given_values, strict=True)).nearest_probabilities()
    vector = np.array([found.get(key, 0.0) for key in keys])
    assert vector.min() >= -1e-12
    assert vector.sum() == pytest.approx(1)
    best = min(
        (
            float(np.square(candidate - given_values).sum())
            for size in range(1, len(keys) + 1)
            for support in itertools.combinations(range(len(keys)), size)
            if (candidate := projected(np.array(given_values), list(support))).min() >= -1e-12
        ),
    )
    assert float(np.square(vector - given_values).sum()) == pytest.approx(best, abs=1e-9)


def projected(values: np.ndarray, support: list[int]) -> np.ndarray:
    result = np.zeros_like(values)
    result[support] = values[support] + (1 - values[support].sum()) / len(support)
    return result


def test_the_expectation_of_a_distribution_is_its_parity() -> None:
    found = QuasiDistribution({"00": 0.6, "01": -0.1, "11": 0.5})
    assert found.expectation() == pytest.approx(1.2)
    assert found.expectation({"00": 1.0, "01": 2.0, "11": 0.0}) == pytest.approx(0.4)


# --- calibrations -----------------------------------------------------------------------------------------------------
def test_calibration_circuits_prepare_zeros_ones_and_zeros_again() -> None:
    zeros, ones, again = calibration_circuits(4, [1, 3])
    assert (zeros.num_clbits, zeros.count_ops()) == (2, {"measure": 2})
    assert ones.count_ops() == {"x": 2, "measure": 2}
    assert again.count_ops() == {"x": 4, "measure": 2}


def readings(up: float, down: float, flip: float, shots: int, seed: int) -> list[np.ndarray]:
    """What the calibration of one qubit reads whose x gate flips it once more with some probability."""
    rng = np.random.default_rng(seed)
    found = []
    for gates in range(3):
        true = np.zeros((shots, 1), dtype=bool)
        for _ in range(gates):
            true = ~true ^ (rng.random(true.shape) < flip)
        found.append(true ^ (rng.random(true.shape) < np.where(true, down, up)))
    return found


@pytest.mark.parametrize(("up", "down", "flip"), [(0.03, 0.08, 0.0), (0.03, 0.08, 0.05), (0.0, 0.0, 0.0)])
def test_errors_of_the_x_gate_are_not_taken_for_misreadings(up: float, down: float, flip: float) -> None:
    found = [ReadoutCalibration.of_readings([4], readings(up, down, flip, 4000, seed)) for seed in range(200)]
    flips = np.array([calibration.flips[0] for calibration in found])
    np.testing.assert_allclose(flips.mean(axis=0), [up, down], atol=0.0015)
    told = np.mean([calibration.covariances[0] for calibration in found], axis=0)
    spread = np.cov(flips.T)
    assert np.sqrt(spread[1, 1]) == pytest.approx(np.sqrt(told[1, 1]), rel=0.2, abs=4e-4)
    assert spread[0, 1] == pytest.approx(told[0, 1], abs=0.5 * np.sqrt(told[0, 0] * told[1, 1]))


def test_misreadings_that_depend_on_each_other_are_found_and_independent_ones_are_not() -> None:
    rng = np.random.default_rng(3)
    both = rng.random((5000, 1)) < 0.05
    read = [np.hstack([both, both, rng.random((5000, 2)) < 0.05]) ^ (k == 1) for k in range(3)]
    calibration = ReadoutCalibration.of_readings([2, 5, 7, 9], read)
    assert calibration.correlated == ((2, 5),)
    calibration.check_product([2, 7, 9])
    with pytest.raises(InputError, match="misreadings of qubits 2 and 5 depend on each other"):
        calibration.check_product([5, 7, 2])


@pytest.mark.parametrize(
    ("flips", "message"),
    [
        ([[0.1, 0.2]], r"flips of shape \(1, 2\) were given for 2 qubits"),
        ([[0.1, 0.2], [0.1, 1.2]], "two probabilities for each"),
        ([[0.1, 0.2], [0.6, 0.4]], "qubit 5 reads 1 for 0 with probability 0.6 and 0 for 1 with 0.4"),
    ],
)
def test_a_calibration_that_tells_nothing_is_refused(flips: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ReadoutCalibration([3, 5], flips)


def test_a_calibration_knows_its_qubits_and_its_errors() -> None:
    calibration = ReadoutCalibration([3, 5], [[0.1, 0.2], [0.0, 0.05]], shots=1000)
    np.testing.assert_array_equal(calibration.of([5]), [[0.0, 0.05]])
    expected = 0.1 * 0.9 / 1000 + 4 * 0.2 * 0.8 / 1000
    assert calibration.variance([3], np.array([1.0, 2.0])) == pytest.approx(expected, rel=0.01)
    assert calibration.variance([5], np.array([1.0, 0.0])) > 0  # none seen does not mean none
    assert ReadoutCalibration([0], [[0.1, 0.1]]).variance([0], np.ones(2)) == 0
    with pytest.raises(InputError, match=r"qubits \[4\] was not calibrated; the calibration has \[3, 5\]"):
        calibration.of([3, 4])

"""Values and errors from counts: merged exactly, smoothed, and honest whatever the probabilities are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfast import PauliSum
from qfast.estimation import Estimate, Outcomes, Tally, group_settings, merge, sum_of, tally, term_moments
from qfast.estimation.tallies import NOTHING

Z = group_settings(PauliSum([("Z", [0])]), "qubit_wise")[0][0]


def of_ones(ones: int, shots: int) -> Tally:
    """The tally of Z on one qubit."""
    return tally(Z, Outcomes(np.array([0, 1], dtype=np.uint64), np.array([shots - ones, ones])))


@given(st.lists(st.lists(st.integers(0, 7), max_size=30), max_size=6))
def test_merged_counts_are_those_of_all_shots_together(parts: list[list[int]]) -> None:
    whole = Outcomes.of_shots(np.array([word for part in parts for word in part], dtype=np.uint64))
    merged = merge([Outcomes.of_shots(np.array(part, dtype=np.uint64)) for part in parts])
    assert merged.words.tolist() == whole.words.tolist()
    assert merged.counts.tolist() == whole.counts.tolist()


@pytest.mark.parametrize("shots", [1, 2, 3, 30, 1000])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_shots_that_agree_have_an_error_like_one_over_their_number(shots: int, scale: float) -> None:
    setting = group_settings(PauliSum([("Z", [0], scale)]), "qubit_wise")[0][0]
    found = tally(setting, Outcomes(np.zeros(1, dtype=np.uint64), np.array([shots])))
    assert found.mean == scale
    chance = 1 / (shots + 2)  # Laplace: one outcome of each kind more
    assert found.standard_error == pytest.approx(scale * math.sqrt(4 * chance * (1 - chance) / shots), rel=0.16)
    assert found.standard_error <= scale


def test_no_shots_tell_nothing() -> None:
    assert (tally(Z, NOTHING).mean, tally(Z, NOTHING).standard_error) == (0.0, math.inf)


@pytest.mark.parametrize("chance", [0.5, 0.1, 0.01, 0.002])
@pytest.mark.parametrize("shots", [20, 200, 5000])
def test_the_bars_hold_two_times_in_three_whatever_the_probability(chance: float, shots: int) -> None:
    """The share over all outcomes, each with its binomial weight: exact, no seeds."""
    ones = np.arange(shots + 1)
    logs = math.lgamma(shots + 1) - np.array([math.lgamma(k + 1) + math.lgamma(shots - k + 1) for k in ones])
    weights = np.exp(logs + ones * math.log(chance) + ones[::-1] * math.log(1 - chance))
    exact = 1 - 2 * chance
    inside = [abs(of_ones(k, shots).mean - exact) <= of_ones(k, shots).standard_error for k in range(shots + 1)]
    share = float(weights @ np.array(inside))
    # Counts are whole numbers: where few of a kind are expected no interval can have 0.683, and wide is better.
    assert share > 0.63
    assert chance * shots < 15 or share < 0.73


def test_an_error_is_unbiased_on_the_maximally_mixed_state() -> None:
    for shots in (2, 3, 10):
        weights = [math.comb(shots, k) / 2**shots for k in range(shots + 1)]
        mean = math.fsum(w * of_ones(k, shots).variance for k, w in enumerate(weights))
        assert mean == pytest.approx(1.0, abs=1e-12)


def test_an_error_to_stop_by_is_never_smaller_than_the_error() -> None:
    pair = group_settings(PauliSum([("Z", [0]), ("Z", [1])]), "qubit_wise")[0][0]
    words = np.array([0, 3], dtype=np.uint64)  # both terms always agree: more spread than on the mixed state
    for found in (of_ones(0, 50), of_ones(25, 50), tally(pair, Outcomes(words, np.array([25, 25])))):
        assert found.cautious_variance >= found.variance


def test_term_moments_add_up_to_the_error_of_the_sum() -> None:
    setting = group_settings(PauliSum([("ZZ", [0, 1], 0.5), ("Z", [0], -2.0), ("Z", [2], 1.5)]), "qubit_wise")[0][0]
    for counts in ([40, 3, 7, 1], [0, 0, 5, 0], [1, 0, 0, 0]):
        outcomes = Outcomes(np.array([0, 3, 5, 6], dtype=np.uint64), np.array(counts))
        means, covariance = term_moments(setting, outcomes)
        found, c = tally(setting, outcomes), setting.coefficients
        assert c @ means == pytest.approx(found.mean)
        assert math.sqrt(c @ covariance @ c) == pytest.approx(found.standard_error)


def test_an_estimate_is_the_sum_of_independent_settings() -> None:
    found = sum_of([of_ones(10, 100), of_ones(50, 100)], 3.0)
    error = math.hypot(of_ones(10, 100).standard_error, of_ones(50, 100).standard_error)
    assert (found.expectation, found.standard_error, found.shots) == (3.8, pytest.approx(error), 200)
    assert found.variance == pytest.approx(found.standard_error**2)
    assert repr(Estimate(0.25)) == "<Estimate: 0.25, exact>"
    assert Estimate(1.0, math.inf, 0).is_exact is False

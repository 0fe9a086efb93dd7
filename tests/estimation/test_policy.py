"""When shots end, and who gets them: decisions that do not believe outcomes that happen to agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qfast import PauliSum
from qfast.estimation import Estimate, Outcomes, Policy, group_settings, measure


def measured(observable: PauliSum, means: list[float], policy: Policy, seed: int) -> Estimate:
    """Measure an observable of single-qubit strings, each a coin of its own."""
    settings, constant = group_settings(observable, "qubit_wise")
    rng = np.random.default_rng(seed)

    def draw(number: int, first_shot: int, shots: int) -> Outcomes:
        words = np.zeros(shots, dtype=np.uint64)
        for place, qubit in enumerate(settings[number].qubits):
            words |= (rng.random(shots) < (1 - means[qubit]) / 2).astype(np.uint64) << np.uint64(place)
        return Outcomes.of_shots(words)

    return measure(settings, constant, policy, draw)


@pytest.mark.parametrize(
    ("mean", "target"), [(0.98, 0.001), (0.999, 0.001), (0.98, 0.02), (0.9, 0.004), (1.0, 0.002), (-0.98, 0.002)]
)
def test_a_target_is_reached_and_three_errors_hold_the_truth(mean: float, target: float) -> None:
    """300 seeds; outside three errors are 0.8 on the average, more than 8 where rare outcomes are few."""
    observable = PauliSum([("Z", [0])])
    policy = Policy.make(1, 10**7, target_error=target)
    found = [measured(observable, [mean], policy, seed) for seed in range(300)]
    assert all(one.standard_error <= target for one in found)
    assert all(one.metadata["target"]["reached"] for one in found)
    outside = sum(abs(one.expectation - mean) > 3 * one.standard_error for one in found)
    assert outside <= 5
    needed = (1 - mean**2) / target**2
    shots = np.mean([one.shots for one in found])
    assert shots < 1.15 * needed + 6 / target, "no more than the truth and the caution need"


@pytest.mark.parametrize("allocation", ["uniform", "coefficient", "variance"])
def test_totals_are_kept_exactly(allocation: str) -> None:
    observable = PauliSum([("X", [0], 0.1), ("Z", [0], 3.0), ("Y", [0], 1.0)])
    for shots in (6, 7, 100, 12_345):
        policy = Policy.make(3, shots, allocation)  # type: ignore[arg-type]
        assert measured(observable, [0.3], policy, 1).shots == shots


def test_a_certain_setting_gets_few_shots_and_an_uncertain_one_many() -> None:
    observable = PauliSum([("Z", [0]), ("X", [0])])
    settings, _ = group_settings(observable, "qubit_wise")
    shots = [0, 0]
    policy = Policy.make(2, 10**6, "variance", target_error=0.01)

    def draw(number: int, first_shot: int, count: int) -> Outcomes:
        shots[number] += count
        words = np.arange(count, dtype=np.uint64) % np.uint64(2) if number else np.zeros(count, dtype=np.uint64)
        return Outcomes.of_shots(words)

    found = measure(settings, 0.0, policy, draw)
    assert found.shots == sum(shots)
    assert shots[0] < 0.2 * shots[1]
    assert shots[1] < 1.3 / 0.01**2
    assert math.hypot(0.01, 0) >= found.standard_error


@pytest.mark.parametrize("target", [True, 0, -1.0, math.nan, math.inf, "small"])
def test_a_target_that_is_no_error_is_refused(target: object) -> None:
    with pytest.raises(ValueError, match="target_error is"):
        Policy.make(1, 100, target_error=target)

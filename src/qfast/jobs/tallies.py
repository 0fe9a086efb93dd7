"""From counts to expectation values: merging, means, errors, covariances, and who gets the next shots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.circuit.measurement import Setting, parity_signs
from qfast.circuit.shot_plan import divide_shots

__all__ = ["Outcomes", "Tally", "estimate", "merge", "neyman_shares", "predicted_error", "spread", "term_moments"]

_NONE = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counts of one setting.

    Attributes
    ----------
    words : ndarray of uint64, shape (k,)
        Distinct outcomes, ascending; bit j is the setting's qubit j.
    counts : ndarray of int64, shape (k,)
    """

    words: UIntArray
    counts: IntArray

    @property
    def shots(self) -> int:
        """The sum of the counts."""
        return int(self.counts.sum())


def merge(parts: Sequence[Outcomes]) -> Outcomes:
    """Add counts of one setting up."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Outcomes(*_NONE)
    words, place = np.unique(np.concatenate([part.words for part in parts]), return_inverse=True)
    counts = np.zeros(words.size, dtype=np.int64)
    np.add.at(counts, place.ravel(), np.concatenate([part.counts for part in parts]))
    return Outcomes(words, counts)


@dataclass(frozen=True, slots=True)
class Tally:
    """Mean and spread of one setting's value per shot.

    Attributes
    ----------
    shots : int
    mean : float
        0 without shots.
    variance : float
        Of a single shot, unbiased; infinite with fewer than two shots, which tell nothing of it.
    """

    shots: int
    mean: float
    variance: float

    @property
    def standard_error(self) -> float:
        """Of the mean; infinite with fewer than two shots."""
        return math.sqrt(self.variance / self.shots) if self.shots else math.inf


def estimate(setting: Setting, outcomes: Outcomes) -> Tally:
    """Return mean and variance of Σ coefficient · (±1) per shot.

    The value of a shot is the sum over all terms that it measures, so the covariances between these terms are in its
    variance.
    """
    shots = outcomes.shots
    if not shots:
        return Tally(0, 0.0, math.inf)
    values = setting.values(outcomes.words)
    # Sums, not products with @: BLAS would wake threads that spin on afterwards, and halve the speed of what follows.
    mean = float((values * outcomes.counts).sum()) / shots
    if shots < 2:
        return Tally(shots, mean, math.inf)
    return Tally(shots, mean, float((np.square(values - mean) * outcomes.counts).sum()) / (shots - 1))


def term_moments(setting: Setting, outcomes: Outcomes) -> tuple[FloatArray, FloatArray]:
    """Return the means of a setting's terms, without their coefficients, and the covariances of these means.

    Returns
    -------
    means : ndarray of float64, shape (t,)
    covariance : ndarray of float64, shape (t, t)
        Σ_jk c_j c_k covariance_jk is the squared standard error of the setting's sum. Infinite with fewer than two
        shots.

    Notes
    -----
    Memory: 16 k t bytes for k distinct outcomes.
    """
    size, shots = len(setting.terms), outcomes.shots
    if not shots:
        return np.zeros(size), np.full((size, size), math.inf)
    signs = np.stack([parity_signs(outcomes.words & mask) for mask in setting.masks], axis=1) * setting.signs
    means: FloatArray = outcomes.counts @ signs / shots
    if shots < 2:
        return means, np.full((size, size), math.inf)
    centred = signs - means
    covariance: FloatArray = (centred * outcomes.counts[:, None]).T @ centred / ((shots - 1) * shots)
    return means, covariance


def spread(setting: Setting, tally: Tally) -> float:
    """Return the standard deviation of a shot that allocation goes by.

    The sample's variance, with Σ c² counted in as if one more shot had shown it: a pilot whose outcomes happened to
    agree does not starve its setting.
    """
    prior = float(np.square(setting.coefficients).sum())
    if tally.shots < 2:
        return math.sqrt(prior)
    return math.sqrt((tally.shots * tally.variance + prior) / (tally.shots + 1))


def neyman_shares(increment: int, spreads: Sequence[float], done: Sequence[int]) -> list[int]:
    """Divide the next shots so that all shots together come nearest to proportion with the spreads (Neyman 1934).

    Parameters
    ----------
    increment : int
    spreads : sequence of float
        Standard deviation of a shot of each setting.
    done : sequence of int
        Shots that each setting has had.
    """
    whole = sum(spreads)
    total = increment + sum(done)
    if whole == 0:
        return divide_shots(increment, [1.0] * len(spreads))
    missing = [max(0.0, total * sigma / whole - had) for sigma, had in zip(spreads, done, strict=True)]
    return divide_shots(increment, missing if any(missing) else list(spreads))


def predicted_error(total: int, spreads: Sequence[float]) -> float:
    """Return the least standard error that `total` shots can have at these spreads: Σσ / √total."""
    return sum(spreads) / math.sqrt(total)

"""From counts to values with errors: merging, means, smoothed variances, covariances.

Errors are smoothed. A handful of shots that agree do not show that all would: the sample's variance is 0, and the
interval around it holds nothing but the value itself. The cure for a binomial is to add pseudo-outcomes of both kinds
(Agresti and Coull 1998, doi:10.1080/00031305.1998.10480550; Brown, Cai and DasGupta 2001, doi:10.1214/ss/1009213286).
Here it is one of each, Laplace's rule of succession: with fewer, one standard error holds the truth of a rare outcome
less than half of the time, with more it holds it no oftener. To leading order in 1 / shots that is the sample's
variance, averaged with that of a fair coin which weighs as much as four shots. In this form it holds for a sum of Pauli
strings as well: its coin is the maximally mixed state, on which the strings are independent and a shot's variance is
Σ c². The value itself is not smoothed, so it has no bias.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.estimation.estimate import Estimate
from qfast.estimation.settings import Setting, parity_signs

__all__ = ["NOTHING", "Outcomes", "Tally", "merge", "sum_of", "tally", "tally_values", "term_moments"]

# Weights, in shots, of the maximally mixed state: four times the pseudo-outcomes of each kind.
_PRIOR_SHOTS = 4
_CAUTIOUS_SHOTS = 18  # Agresti and Coull's z² / 2 of each kind at z = 3


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

    @classmethod
    def of_shots(cls, words: UIntArray) -> Outcomes:
        """Count the outcomes of single shots."""
        return cls(*np.unique(words, return_counts=True))


NOTHING = Outcomes(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))


def merge(parts: Sequence[Outcomes]) -> Outcomes:
    """Add counts of one setting up."""
    parts = [part for part in parts if part.words.size]
    if len(parts) <= 1:
        return parts[0] if parts else NOTHING
    words, place = np.unique(np.concatenate([part.words for part in parts]), return_inverse=True)
    counts = np.zeros(words.size, dtype=np.int64)
    np.add.at(counts, place.ravel(), np.concatenate([part.counts for part in parts]))
    return Outcomes(words, counts)


@dataclass(frozen=True, slots=True)
class Tally:
    """Mean and spread of what a shot counts.

    Attributes
    ----------
    shots : int
    mean : float
        0 without shots.
    squares : float
        Sum over the shots of the squared distance from the mean.
    prior : float
        Variance of a shot on the maximally mixed state.
    """

    shots: int
    mean: float
    squares: float
    prior: float

    @property
    def variance(self) -> float:
        """Of a single shot, smoothed; see the module."""
        return self._smoothed(_PRIOR_SHOTS, self.prior)

    @property
    def standard_error(self) -> float:
        """Of the mean, smoothed: 0 only where a shot can have but one value. Infinite without shots."""
        return math.sqrt(self.variance / self.shots) if self.shots else math.inf

    @property
    def cautious_variance(self) -> float:
        """Of a single shot, to stop by: smoothed so that three standard errors hold, and no less than seen.

        Whoever stops at the first counts that look good enough picks those that look too good: with ⟨Z⟩ = 0.98, thirty
        shots agree in three of four runs.
        """
        return self._smoothed(_CAUTIOUS_SHOTS, max(self.prior, self.squares / max(1, self.shots - 1)))

    def _smoothed(self, weight: int, prior: float) -> float:
        return (self.squares + weight * prior) / (max(1, self.shots) - 1 + weight)


def tally(setting: Setting, outcomes: Outcomes) -> Tally:
    """Return mean and spread of Σ coefficient · (±1) per shot.

    The value of a shot is the sum over all terms that it measures, so the covariances between these terms are in its
    variance.
    """
    return tally_values(setting.values(outcomes.words), outcomes.counts, setting.mixed_variance)


def tally_values(values: FloatArray, counts: IntArray | FloatArray, prior: float) -> Tally:
    """Return mean and spread of values that shots had, each as often as its count says."""
    shots = int(counts.sum())
    if not shots:
        return Tally(0, 0.0, 0.0, prior)
    # Sums, not products with @: BLAS would wake threads that spin on afterwards, and halve the speed of what follows.
    mean = float((values * counts).sum()) / shots
    return Tally(shots, mean, float((np.square(values - mean) * counts).sum()), prior)


def sum_of(tallies: Sequence[Tally], constant: float, metadata: dict[str, Any] | None = None) -> Estimate:
    """Return the sum of the settings' means and a constant; the shots of settings are independent."""
    value = constant + sum(tally.mean for tally in tallies)
    error = math.sqrt(sum(tally.standard_error**2 for tally in tallies))
    return Estimate(value, error, sum(tally.shots for tally in tallies), metadata=metadata or {})


def term_moments(setting: Setting, outcomes: Outcomes) -> tuple[FloatArray, FloatArray]:
    """Return the means of a setting's terms, without their coefficients, and the covariances of these means.

    Returns
    -------
    means : ndarray of float64, shape (t,)
    covariance : ndarray of float64, shape (t, t)
        Smoothed as variances are: Σ_jk c_j c_k covariance_jk is the squared standard error of the setting's sum.
        Infinite without shots.

    Notes
    -----
    Memory: 16 k t bytes for k distinct outcomes.
    """
    size, shots = len(setting.terms), outcomes.shots
    if not shots:
        return np.zeros(size), np.full((size, size), math.inf)
    signs = np.stack([parity_signs(outcomes.words & mask) for mask in setting.masks], axis=1) * setting.signs
    means: FloatArray = outcomes.counts @ signs / shots
    centred = signs - means
    squares: FloatArray = (centred * outcomes.counts[:, None]).T @ centred
    # Different strings are uncorrelated on the maximally mixed state.
    return means, (squares + _PRIOR_SHOTS * np.eye(size)) / ((shots - 1 + _PRIOR_SHOTS) * shots)

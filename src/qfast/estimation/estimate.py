"""What every estimation returns: a value, how far it may be off, and how it was made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expectation value of a Hermitian observable.

    Attributes
    ----------
    expectation : float
    standard_error : float
        One standard deviation of `expectation` over repetitions with other seeds; 0 where it is exact, infinite where
        nothing is known of it. The errors of a calibration, and of what an extrapolation makes of the values, are in
        it; what a model of the noise gets wrong is not.
    shots : int
        Shots that were spent on it, those of a calibration included, or noisy trajectories; 0 where it is exact.
    unmitigated : Estimate or None
        With error mitigation: of the same shots, as they were read.
    metadata : dict
        Provenance: version, engine, isa, threads, precision, seed, times; and what else the maker tells.

    Examples
    --------
    >>> found = Estimate(0.5, 0.03, shots=1000)
    >>> found
    <Estimate: 0.5 ± 0.03, 1000 shots>
    >>> float(found), round(found.variance, 12)
    (0.5, 0.0009)
    """

    expectation: float
    standard_error: float = 0.0
    shots: int = 0
    unmitigated: Estimate | None = None
    metadata: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def variance(self) -> float:
        """The square of `standard_error`: what adds up over independent estimates."""
        return self.standard_error**2

    @property
    def is_exact(self) -> bool:
        """Whether the value has no statistical error."""
        return self.standard_error == 0.0

    def __float__(self) -> float:
        return self.expectation

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to `metadata`; the job layer tells here which job made the result."""
        self.metadata.update(entries)

    def __repr__(self) -> str:
        if self.is_exact:
            return f"<Estimate: {self.expectation:.6g}, exact>"
        error = f"{self.standard_error:.2g}" if math.isfinite(self.standard_error) else "unknown"
        return f"<Estimate: {self.expectation:.6g} ± {error}, {self.shots} shots>"

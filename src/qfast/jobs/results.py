"""Results of the primitives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

import numpy as np

from qfast._typing import FloatArray, IntArray
from qfast.errors import InputError
from qfast.estimation import Estimate
from qfast.jobs.pubs import ObjectArray
from qfast.simulation import Counts, Samples

__all__ = ["EstimatorPubResult", "PrimitiveResult", "SamplerPubResult"]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SamplerPubResult:
    """Samples of one pub.

    Attributes
    ----------
    samples : ndarray of Samples, shape = the pub's
        One for each set of parameter values.
    shots : int
        Of each of them.
    metadata : dict
    """

    samples: ObjectArray
    shots: int
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the sets of parameter values."""
        return self.samples.shape

    def get_counts(self, *index: int, register: str | None = None) -> Counts:
        """Return the counts of one set of parameter values; no index for a pub of shape ``()``."""
        samples: Samples = self.samples[index]
        return samples.get_counts(register)


@dataclass(frozen=True, slots=True)
class EstimatorPubResult:
    """Expectation values of one pub.

    Attributes
    ----------
    expectation : ndarray of float64, shape = the broadcast shape
    standard_error : ndarray of float64, the same shape
        Zero where the value is exact.
    shots : ndarray of int64, the same shape
        Shots that were spent; zero where the value is exact.
    metadata : dict
    """

    expectation: FloatArray
    standard_error: FloatArray
    shots: IntArray
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of observables and sets of parameter values, broadcast."""
        return self.expectation.shape

    def estimate(self, *index: int) -> Estimate:
        """Return one element with its error; no index for a pub of shape ``()``."""
        value, error, shots = (array[index] for array in (self.expectation, self.standard_error, self.shots))
        if np.ndim(value):
            raise InputError(f"index {index} is not one element of results of shape {self.shape}")
        return Estimate(float(value), float(error), int(shots), metadata=dict(self.metadata))


class PrimitiveResult(Sequence[R], Generic[R]):
    """One result per pub, in the order of the pubs, with ``metadata`` of the job."""

    def __init__(self, pub_results: Sequence[R], metadata: dict[str, Any]) -> None:
        self._results = tuple(pub_results)
        self.metadata = metadata

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[R]: ...
    def __getitem__(self, index: int | slice) -> R | Sequence[R]:
        return self._results[index]

    def __iter__(self) -> Iterator[R]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to ``metadata``; the job layer tells here which job made the result."""
        self.metadata.update(entries)

    def __repr__(self) -> str:
        return f"<PrimitiveResult of {len(self)} pubs>"

"""Expectation values, and those that are means over noisy trajectories, with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qfast._typing import ComplexArray, FloatArray
from qfast.circuit import Observable
from qfast.simulation.asks import Expectation
from qfast.simulation.prepared_observables import shaped
from qfast.simulation.provenance import Provenance
from qfast.simulation.ways.interface import Run

__all__ = ["Means", "mean_of_trajectories", "noise_report"]


@dataclass(frozen=True, slots=True)
class Means:
    """Expectation values.

    Attributes
    ----------
    values : list of float or complex
        One for each observable; complex where it is not Hermitian.
    shape : tuple of int
        That the observables had.
    standard_errors : list of float
        0 for exact values; for means over trajectories, their standard deviation over the root of their number,
        infinite for a single one.
    made : Provenance
    """

    values: list[float | complex]
    shape: tuple[int, ...]
    standard_errors: list[float]
    made: Provenance

    @classmethod
    def exact(cls, values: list[float | complex], shape: tuple[int, ...], made: Provenance) -> Means:
        """Return values without statistical errors."""
        return cls(values, shape, [0.0] * len(values), made)

    def array(self) -> Any:
        """Return one value, or an array of the observables' shape."""
        return shaped(self.values, self.shape)


def noise_report(trajectories: int, applications: int, num_channels: int, num_gates: int) -> dict[str, Any]:
    """Return what ``metadata["noise"]`` tells: distinct trajectories, places of noise, gates applied."""
    return {
        "trajectories": trajectories,
        "channels": num_channels,
        "gate_applications": applications,
        "gate_applications_per_gate": applications / max(1, num_gates),
    }


def mean_of_trajectories(run: Run, table: ComplexArray, counts: FloatArray, report: dict[str, Any]) -> Means:
    """Return the means of distinct trajectories, row by row of `table`, that happen as often as `counts` says."""
    ask = run.request.ask
    assert isinstance(ask, Expectation)
    total = float(counts.sum())
    values, errors = [], []
    for column, observable in zip(table.T, ask.observables, strict=True):
        mean = complex((counts * column).sum() / total)
        spread = float((counts * np.abs(column - mean) ** 2).sum())
        errors.append((spread / (total - 1) / total) ** 0.5 if total > 1 else float("inf"))
        values.append(_real(mean, observable))
    made = run.made(None, seed=ask.seed, shots=ask.trajectories, noise=report)
    return Means(values, ask.shape, errors, made)


def _real(mean: complex, observable: Observable) -> float | complex:
    return mean.real if observable.is_hermitian else mean

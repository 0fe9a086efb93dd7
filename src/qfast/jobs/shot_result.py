"""What a shot plan returns: values with errors, and the counts of every segment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import FloatArray
from qfast.circuit.shot_plan import Segment
from qfast.engines.bits import add_counts, rows_of_words
from qfast.errors import ShotPlanError
from qfast.estimation.estimate import Estimate
from qfast.estimation.tallies import NOTHING, Outcomes, Tally, merge, sum_of, tally, term_moments
from qfast.jobs.shot_files import read_plan_file, write_plan_file
from qfast.simulation import Counts

if TYPE_CHECKING:
    from qfast.estimation.settings import Setting
    from qfast.jobs.shots import ShotPlan

__all__ = ["PlanResult"]

_HISTORY_POINTS = 100


class PlanResult:
    """Results of a shot plan.

    Attributes
    ----------
    plan : ShotPlan
    seed : int
        Shot i is a function of (seed, i).
    parts : tuple of (Segment, Outcomes)
        Every segment that ran, in order, with its own counts.
    metadata : dict
        ``per_segment`` (index, shots, basis, wires, basis_map, expectation, standard_error, seed, first_shot),
        ``total_shots``, ``target`` (of a plan with one), and provenance.
    """

    def __init__(
        self,
        plan: ShotPlan,
        seed: int,
        parts: Sequence[tuple[Segment, Outcomes]],
        metadata: dict[str, Any] | None = None,
        run: str = "",
    ) -> None:
        self.plan = plan
        self._run = run  # the digest of the request that the counts are of
        self.seed = seed
        self.parts = tuple(parts)
        self._more = dict(metadata or {})

    # --- values -------------------------------------------------------------------------------------------------------
    @property
    def estimate(self) -> Estimate:
        """The observable's value with its error; of a plan without one, that of its only Pauli string."""
        return sum_of(self.tallies, self._plan_constant(), self.metadata)

    @property
    def expectation(self) -> float:
        """The observable's value, see `estimate`."""
        return self._plan_constant() + sum(found.mean for found in self.tallies)

    @property
    def standard_error(self) -> float:
        """Of `expectation`: the covariances of terms that were measured together are in it.

        Smoothed, so that a few shots that agree are not taken for certainty; see `qfast.estimation.tallies`.
        """
        return sum_of(self.tallies, self._plan_constant()).standard_error

    @property
    def expectations(self) -> dict[str, float]:
        """The shot-weighted mean of each setting's segments, by what it measures: ``{"X0 Z2": 0.25}``.

        Of a plan for an observable: the value of the setting's part of it.
        """
        return {s.label: found.mean for s, found in zip(self.plan.settings, self.tallies, strict=True)}

    @property
    def standard_errors(self) -> dict[str, float]:
        """The standard errors of `expectations`."""
        return {s.label: found.standard_error for s, found in zip(self.plan.settings, self.tallies, strict=True)}

    def _plan_constant(self) -> float:
        if self.plan.observable is None and len(self.plan.settings) > 1:
            raise ShotPlanError(
                f"this plan measures {len(self.plan.settings)} different Pauli strings and no observable combines "
                "them; see expectations and standard_errors"
            )
        return self.plan.constant

    @cached_property
    def tallies(self) -> tuple[Tally, ...]:
        """Shots, mean and variance of each setting."""
        return tuple(tally(s, found) for s, found in zip(self.plan.settings, self._merged, strict=True))

    @property
    def term_expectations(self) -> FloatArray:
        """⟨P⟩ of each term of ``plan.observable``, float64 of shape (num_terms,); 1 for the identity."""
        values = np.ones(0 if self.plan.observable is None else self.plan.observable.num_terms)
        for setting, outcomes in zip(self.plan.settings, self._merged, strict=True):
            if self.plan.observable is not None:
                values[setting.terms] = term_moments(setting, outcomes)[0]
        return values

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariances of `term_expectations`, float64 of shape (num_terms, num_terms).

        Zero between terms of different settings, whose shots are independent. With c the coefficients,
        ``c @ covariance @ c`` is ``standard_error**2``.
        """
        size = 0 if self.plan.observable is None else self.plan.observable.num_terms
        result = np.zeros((size, size))
        for setting, outcomes in zip(self.plan.settings, self._merged, strict=True):
            if size:
                result[np.ix_(setting.terms, setting.terms)] = term_moments(setting, outcomes)[1]
        return result

    # --- counts -------------------------------------------------------------------------------------------------------
    @property
    def total_shots(self) -> int:
        """Shots that were taken."""
        return sum(segment.shots for segment, _ in self.parts)

    @property
    def counts(self) -> dict[str, Counts]:
        """Counts of all segments of a setting together, by what it measures; bit j is ``setting.qubits[j]``."""
        return {s.label: _counts(s, found) for s, found in zip(self.plan.settings, self._merged, strict=True)}

    @property
    def segment_counts(self) -> list[Counts]:
        """Counts of each segment that ran, in order."""
        return [_counts(self.plan.settings[segment.setting], found) for segment, found in self.parts]

    @cached_property
    def _merged(self) -> tuple[Outcomes, ...]:
        of_setting: list[list[Outcomes]] = [[] for _ in self.plan.settings]
        for segment, outcomes in self.parts:
            of_setting[segment.setting].append(outcomes)
        return tuple(merge(parts) for parts in of_setting)

    def history(self) -> list[tuple[int, float, float]]:
        """Return (shots, expectation, standard error) as the segments came in, from when every setting has two shots.

        At most some hundred points. The plan must have an observable, or a single setting.
        """
        constant = self._plan_constant()
        settings = self.plan.settings
        kept = [NOTHING for _ in settings]
        waiting: list[list[Outcomes]] = [[] for _ in settings]
        tallies = [tally(setting, NOTHING) for setting in settings]
        points = []
        shots = 0
        step = max(1, len(self.parts) // _HISTORY_POINTS)
        for number, (segment, outcomes) in enumerate(self.parts, 1):
            waiting[segment.setting].append(outcomes)
            shots += segment.shots
            if number % step and number < len(self.parts):
                continue
            for i, setting in enumerate(settings):
                if waiting[i]:
                    kept[i] = merge([kept[i], *waiting[i]])
                    waiting[i] = []
                    tallies[i] = tally(setting, kept[i])
            if min(found.shots for found in tallies) > 1:
                reached = sum_of(tallies, constant)
                points.append((shots, reached.expectation, reached.standard_error))
        return points

    # --- metadata and files -------------------------------------------------------------------------------------------
    @cached_property
    def metadata(self) -> dict[str, Any]:
        """See the class."""
        per_segment = []
        for index, (segment, outcomes) in enumerate(self.parts):
            found = tally(self.plan.settings[segment.setting], outcomes)
            per_segment.append(
                {
                    "index": index,
                    "shots": segment.shots,
                    "basis": segment.basis,
                    "wires": list(segment.qubits),
                    "basis_map": segment.basis_map,
                    "expectation": found.mean,
                    "standard_error": found.standard_error,
                    "seed": self.seed,
                    "first_shot": segment.first_shot,
                }
            )
        return {"per_segment": per_segment, "total_shots": self.total_shots, **self._more}

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to `metadata`; the job layer tells here which job made the result."""
        self._more.update(entries)
        self.__dict__.pop("metadata", None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write plan, counts and metadata to a file (``.npz``: JSON and arrays, no pickles)."""
        write_plan_file(path, self.plan, seed=self.seed, parts=self.parts, metadata=self._more, run=self._run)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PlanResult:
        """Read what `save` wrote, or the part of a run that a checkpoint holds."""
        from qfast.jobs.shots import ShotPlan  # it imports this module

        found = read_plan_file(path, ShotPlan)
        if found.seed is None:
            raise ShotPlanError(f"{os.fspath(path)} holds a plan that has not run; use ShotPlan.load")
        return cls(found.plan, found.seed, found.parts, found.metadata, found.run)

    def __repr__(self) -> str:
        if self.plan.observable is None and len(self.plan.settings) > 1:
            return f"<PlanResult: {self.total_shots} shots, {len(self.plan.settings)} Pauli strings>"
        return f"<PlanResult: {self.expectation:.6g} ± {self.standard_error:.2g}, {self.total_shots} shots>"


def _counts(setting: Setting, outcomes: Outcomes) -> Counts:
    width = len(setting.qubits)
    found = Counts()
    add_counts(found, rows_of_words(outcomes.words[:, None], width), outcomes.counts, width)
    return found

"""A script walked by the core: one call a run, wherever its states are small enough to stand side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray
from qfast.engines import CancelToken
from qfast.engines.bits import Rows
from qfast.extension import core
from qfast.simulation.compiled import Compiled
from qfast.simulation.populations import Population, Shots, Weight
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.walk import MAX_LOOP_PASSES, Leaf, WalkStatistics, measure_at_end

__all__ = ["NativeWalk"]

P = TypeVar("P", bound=Population)


class NativeWalk:
    """Walks all branches of a script in the core; see `Walk`.

    Parameters
    ----------
    compiled : Compiled
        One that `walks_natively`.
    settings : RunSettings
    values : ndarray of float64, shape (p,)
        The circuit's parameters.
    initial : ndarray or None
        What it starts from; None for |0…0⟩.
    max_loop_passes : int
    cancel : CancelToken or None
    """

    def __init__(
        self,
        compiled: Compiled,
        settings: RunSettings,
        values: FloatArray,
        initial: AnyArray | None,
        *,
        max_loop_passes: int = MAX_LOOP_PASSES,
        cancel: CancelToken | None = None,
    ) -> None:
        self.script = compiled.script
        self.statistics = WalkStatistics()
        self._compiled = compiled
        self._settings = settings
        self._values = values
        self._initial = None if initial is None else np.ascontiguousarray(initial, dtype=settings.precision)
        self._max_loop_passes = max_loop_passes
        self._cancel = None if cancel is None else cancel.native

    def rows(self, seed: int, first_shot: int, shots: int) -> Rows:
        """See `Walk.rows`."""
        walk = self._begin()
        found: Rows = walk.rows(seed, first_shot, shots, self._cancel)
        self._note(walk)
        return found

    def counts(self, seed: int, first_shot: int, shots: int) -> tuple[Rows, IntArray]:
        """See `Walk.counts`."""
        walk = self._begin()
        found: tuple[Rows, IntArray] = walk.count(seed, first_shot, shots, self._cancel)
        self._note(walk)
        return found

    def leaves(self, population: P) -> Iterator[Leaf[P]]:
        """See `Walk.leaves`; the population is that of a beginning: consecutive shots, or a weight of one."""
        if isinstance(population, Weight):
            walk = self._begin(population.cutoff)
            walk.begin_weighted_leaves()
        else:
            assert isinstance(population, Shots)
            walk = self._begin()
            walk.begin_leaves(population.seed, population.first, len(population.rows))
        while (found := walk.next_leaf(self._cancel)) is not None:
            shots, weight, rows, state = found
            yield Leaf(_arrived(population, shots, weight, rows), state)
        self._note(walk)

    def finish(self, leaf: Leaf[Shots], rows: Rows) -> None:
        """See `Walk.finish`."""
        measure_at_end(self.script, self._settings, leaf, rows)

    def _begin(self, cutoff: float = 0.0) -> Any:
        return core.Walk(
            self._compiled.walk_plan, self._values, self._initial, self._settings.threads, self._max_loop_passes, cutoff
        )

    def _note(self, walk: Any) -> None:
        branches, merges, gates, size_bytes = walk.figures()
        made = self.statistics
        made.branches += branches
        made.merges += merges
        made.gates += gates
        made.peak_kept_bytes = max(made.peak_kept_bytes, size_bytes)


def _arrived(population: P, shots: IntArray, weight: float, rows: Rows) -> P:
    """Who walked a branch: a part of the population that began."""
    if isinstance(population, Weight):
        return replace(population, recorded={int.from_bytes(rows[0].tobytes(), "little"): weight})
    assert isinstance(population, Shots)
    population.rows[shots] = rows
    return replace(population, indices=shots + population.first)

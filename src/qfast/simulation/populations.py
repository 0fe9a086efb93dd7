"""Who walks along a branch: shots, each with its own random numbers and its own row of bits, or probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray
from qfast.engines import Engine
from qfast.engines.bits import Rows
from qfast.engines.philox import uniforms_at
from qfast.noise import ReadoutError
from qfast.simulation.sites import FINAL_READING, site_of

__all__ = ["Population", "Shots", "Weight", "misread"]

_WORTHWHILE, _FEW = 8, 1024  # uniforms that are drawn for each that is wanted


class Population(Protocol):
    """Who walks along a branch, and what they have recorded."""

    @property
    def size(self) -> float:
        """How much of all this is."""
        ...

    def divide(self, weights: FloatArray, site: int) -> dict[int, Self]:
        """Return who takes which outcome: outcome k has the k-th part of the unit interval."""
        ...

    def join(self, other: Self) -> Self:
        """Return both, where two branches have become one."""
        ...

    def record(self, start: int, size: int, value: int) -> None:
        """Write classical bits from `start` on, the lowest of `value` first."""
        ...

    def misread(self, bit: int, error: ReadoutError, site: int) -> None:
        """Replace a recorded bit by what is read of it."""
        ...


@dataclass(slots=True)
class Shots:
    """Shots with absolute indices, ascending; each decides by its own uniform.

    Attributes
    ----------
    engine : Engine
    seed : int
    indices : ndarray of int64
    rows : ndarray of uint8, shape (shots, row bytes)
        What all shots of this walk have recorded; that of shot i is ``rows[i - first]``.
    first : int
    """

    engine: Engine
    seed: int
    indices: IntArray
    rows: Rows
    first: int

    @classmethod
    def of(cls, engine: Engine, seed: int, first: int, rows: Rows) -> Shots:
        """Return consecutive shots, one for each row; the rows are set to 0."""
        rows[:] = 0
        return cls(engine, seed, np.arange(first, first + len(rows), dtype=np.int64), rows, first)

    @property
    def size(self) -> float:
        return self.indices.size

    @property
    def places(self) -> IntArray:
        """The shots' rows."""
        return self.indices - self.first

    def uniforms(self, site: int) -> FloatArray:
        """Return the shots' uniforms at a site; those of a few other shots are cheaper than a look at each index."""
        first, count = int(self.indices[0]), self.indices.size
        span = int(self.indices[-1]) - first + 1
        if span == count:
            return self.engine.uniforms(self.seed, first, count, site)
        if span <= _WORTHWHILE * count + _FEW:
            return self.engine.uniforms(self.seed, first, span, site)[self.indices - first]
        return uniforms_at(self.seed, self.indices, site)

    def divide(self, weights: FloatArray, site: int) -> dict[int, Shots]:
        """See `Population.divide`."""
        possible = np.flatnonzero(weights)
        if possible.size == 1:
            return {int(possible[0]): self}
        cumulative = np.cumsum(weights)
        drawn = self.uniforms(site) * cumulative[-1]
        if weights[0] > 0 and drawn.max() < cumulative[0]:  # nothing happens, nearly always, where channels act
            return {0: self}
        chosen = np.searchsorted(cumulative[: int(possible[-1])], drawn, side="right")
        found = np.unique(chosen).tolist()
        if len(found) == 1:
            return {found[0]: self}
        return {outcome: replace(self, indices=self.indices[chosen == outcome]) for outcome in found}

    def join(self, other: Shots) -> Shots:
        """See `Population.join`."""
        return replace(self, indices=np.sort(np.concatenate([self.indices, other.indices])))

    def record(self, start: int, size: int, value: int) -> None:
        """See `Population.record`."""
        places = self.places
        for bit in range(start, start + size):
            column, mask = self.rows[:, bit >> 3], np.uint8(1 << (bit & 7))
            if value >> (bit - start) & 1:
                column[places] |= mask
            else:
                column[places] &= ~mask

    def misread(self, bit: int, error: ReadoutError, site: int) -> None:
        """See `Population.misread`."""
        places = self.places
        rows = self.rows[places]
        _read_again(rows, error, (bit,), self.uniforms(site))
        self.rows[places] = rows


@dataclass(slots=True)
class Weight:
    """The probability of a branch.

    Attributes
    ----------
    recorded : dict of int to float
        The probability of each record; bit b of a key is classical bit b.
    cutoff : float
        Parts of this size or less are dropped.
    dropped : list of float
        What was dropped, from all branches.
    """

    recorded: dict[int, float]
    cutoff: float
    dropped: list[float]

    @classmethod
    def one(cls, cutoff: float) -> Weight:
        """Return all of the probability, with nothing recorded."""
        return cls({0: 1.0}, cutoff, [])

    @property
    def size(self) -> float:
        return sum(self.recorded.values())

    def divide(self, weights: FloatArray, site: int) -> dict[int, Weight]:
        """See `Population.divide`; the site plays no part."""
        size = self.size
        found: dict[int, Weight] = {}
        for outcome, share in enumerate((weights / weights.sum()).tolist()):
            if share == 1.0:
                return {outcome: self}
            if size * share > self.cutoff:
                recorded = {bits: value * share for bits, value in self.recorded.items()}
                found[outcome] = replace(self, recorded=recorded)
            else:
                self.dropped.append(size * share)
        return found

    def join(self, other: Weight) -> Weight:
        """See `Population.join`."""
        recorded = dict(self.recorded)
        for bits, value in other.recorded.items():
            recorded[bits] = recorded.get(bits, 0.0) + value
        return replace(self, recorded=recorded)

    def record(self, start: int, size: int, value: int) -> None:
        """See `Population.record`."""
        mask = ((1 << size) - 1) << start
        value = value << start & mask
        recorded: dict[int, float] = {}
        for bits, weight in self.recorded.items():
            key = (bits & ~mask) | value
            recorded[key] = recorded.get(key, 0.0) + weight
        self.recorded = recorded

    def misread(self, bit: int, error: ReadoutError, site: int) -> None:
        """See `Population.misread`."""
        self.recorded = misread_weights(self.recorded, ((error, (bit,)),), self.cutoff)


def misread_weights(
    recorded: dict[int, float], readout: Sequence[tuple[ReadoutError, tuple[int, ...]]], cutoff: float
) -> dict[int, float]:
    """Return the probabilities of what is read instead of what is true; those of `cutoff` or less are dropped."""
    for error, group in readout:
        mask = sum(1 << bit for bit in group)
        read: dict[int, float] = {}
        for bits, weight in recorded.items():
            true = sum((bits >> bit & 1) << place for place, bit in enumerate(group))
            for value, share in enumerate(error.probabilities[true].tolist()):
                if weight * share > cutoff:
                    key = (bits & ~mask) | sum((value >> place & 1) << bit for place, bit in enumerate(group))
                    read[key] = read.get(key, 0.0) + weight * share
        recorded = read
    return recorded


def misread(
    rows: Rows,
    readout: Sequence[tuple[ReadoutError, tuple[int, ...]]],
    uniforms: Callable[[int], FloatArray],
) -> None:
    """Change packed outcomes of the measurements at the end to what is read, in place; `uniforms` by site."""
    for error, bits in readout:
        _read_again(rows, error, bits, uniforms(site_of(FINAL_READING, min(bits))))


def _read_again(rows: Rows, error: ReadoutError, bits: Sequence[int], drawn: FloatArray) -> None:
    true: AnyArray = np.zeros(len(rows), dtype=np.int64)
    for place, bit in enumerate(bits):
        true |= (rows[:, bit >> 3].astype(np.int64) >> (bit & 7) & 1) << place
    read = np.zeros(len(rows), dtype=np.int64)
    for column in np.cumsum(error.probabilities, axis=1)[:, :-1].T:
        read += drawn >= column[true]
    changed = true ^ read
    for place, bit in enumerate(bits):
        rows[:, bit >> 3] ^= ((changed >> place & 1) << (bit & 7)).astype(np.uint8)

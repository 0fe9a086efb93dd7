"""Packed bits: from basis-state indices to classical bits, and from packed rows to counts.

A row holds the classical bits of one shot, little-endian: bit b of the circuit is bit ``b % 8`` of byte ``b // 8``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qfast._typing import IntArray
from qfast.extension import core

Rows = NDArray[np.uint8]  # shape (m, row_bytes)

_WORD_BITS = 64
_DENSE_BITS = 22  # a histogram of 2**22 int64 is 32 MiB


def row_bytes(num_bits: int) -> int:
    """Bytes of a packed row."""
    return (num_bits + 7) // 8


@dataclass(frozen=True, slots=True)
class Run:
    """``width`` adjacent source bits that go to adjacent destination bits, within one 64-bit word of each side."""

    source: int
    destination: int
    width: int

    @property
    def mask(self) -> int:
        return (1 << self.width) - 1


def runs_of(pairs: Iterable[tuple[int, int]]) -> tuple[Run, ...]:
    """Group pairs (source bit, destination bit), no destination twice, into runs."""
    runs: list[Run] = []
    for source, destination in sorted(pairs, key=lambda pair: pair[1]):
        last = runs[-1] if runs else None
        if (
            last is not None
            and source == last.source + last.width
            and destination == last.destination + last.width
            and source % _WORD_BITS
            and destination % _WORD_BITS
        ):
            runs[-1] = Run(last.source, last.destination, last.width + 1)
        else:
            runs.append(Run(source, destination, 1))
    return tuple(runs)


class Wiring:
    """Which sampled qubit is written to which classical bit.

    Parameters
    ----------
    pairs : iterable of (qubit, bit)
        A later pair with the same bit replaces an earlier one, as a later measurement does.
    num_bits : int
        Classical bits of a row.
    """

    __slots__ = ("num_bits", "runs", "sources", "written")

    def __init__(self, pairs: Iterable[tuple[int, int]], num_bits: int) -> None:
        qubit_of = {bit: qubit for qubit, bit in pairs}
        self.num_bits = num_bits
        self.runs = runs_of((qubit, bit) for bit, qubit in qubit_of.items())
        self.sources = [qubit_of.get(bit, -1) for bit in range(num_bits)]  # -1: nothing is written
        self.written = sum(1 << bit for bit in qubit_of)

    def pack(self, indices: IntArray, classical: int = 0) -> Rows:
        """Pack basis-state indices.

        Parameters
        ----------
        indices : ndarray of int64, shape (m,)
        classical : int
            What the classical bits held before; those that are not written keep it.

        Returns
        -------
        ndarray of uint8, shape (m, row_bytes(num_bits))
        """
        source = indices.view(np.uint64)
        words = np.empty((indices.size, max(1, -(-self.num_bits // _WORD_BITS))), dtype=np.uint64)
        kept = classical & ~self.written
        for word in range(words.shape[1]):
            words[:, word] = kept >> (word * _WORD_BITS) & (2**_WORD_BITS - 1)
        for run in self.runs:
            word, shift = divmod(run.destination, _WORD_BITS)
            words[:, word] |= (source >> np.uint64(run.source) & np.uint64(run.mask)) << np.uint64(shift)
        return rows_of_words(words, self.num_bits)


def rows_of_words(words: NDArray[np.uint64], num_bits: int) -> Rows:
    """Cut rows of 64-bit words, shape (m, w), to packed rows."""
    return np.ascontiguousarray(words.astype("<u8", copy=False).view(np.uint8)[:, : row_bytes(num_bits)])


def words_of_rows(rows: Rows) -> NDArray[np.uint64]:
    """Widen packed rows to whole 64-bit words, shape (m, w)."""
    width = max(1, -(-rows.shape[1] // 8)) * 8
    wide = np.zeros((rows.shape[0], width), dtype=np.uint8)
    wide[:, : rows.shape[1]] = rows
    return wide.view("<u8").astype(np.uint64, copy=False)


def row_of_int(value: int, num_bits: int) -> Rows:
    """Pack one integer as a row, shape (1, row_bytes)."""
    return np.frombuffer(value.to_bytes(row_bytes(num_bits), "little"), dtype=np.uint8)[None, :]


def rows_of_ints(values: Sequence[int], num_bits: int) -> Rows:
    """Pack integers as rows, shape (len(values), row_bytes)."""
    size = row_bytes(num_bits)
    packed = b"".join(value.to_bytes(size, "little") for value in values)
    return np.frombuffer(packed, dtype=np.uint8).reshape(len(values), size)


def select_bits(rows: Rows, bits: Sequence[int]) -> Rows:
    """Return rows whose bit j is bit ``bits[j]`` of the given rows."""
    words = words_of_rows(rows)
    out = np.zeros((rows.shape[0], max(1, -(-len(bits) // _WORD_BITS))), dtype=np.uint64)
    for run in runs_of((bit, position) for position, bit in enumerate(bits)):
        source_word, source_shift = divmod(run.source, _WORD_BITS)
        word, shift = divmod(run.destination, _WORD_BITS)
        out[:, word] |= (words[:, source_word] >> np.uint64(source_shift) & np.uint64(run.mask)) << np.uint64(shift)
    return rows_of_words(out, len(bits))


def add_counts(target: dict[str, int], rows: Rows, counts: IntArray, num_bits: int) -> None:
    """Set the counts of distinct rows in a dictionary by bitstring, in the order of the rows."""
    if core is None or not 0 < num_bits <= _WORD_BITS:
        target.update(zip(strings_of(rows, num_bits), counts.tolist(), strict=True))
    else:
        core.add_counts(target, rows, counts, num_bits)


def strings_of(rows: Rows, num_bits: int) -> list[str]:
    """Write rows as bitstrings, bit 0 rightmost."""
    if num_bits == 0:
        return [""] * rows.shape[0]
    text: list[str] = []
    for begin in range(0, rows.shape[0], 1 << 16):  # a bounded intermediate: num_bits bytes a row
        bits = np.unpackbits(rows[begin : begin + (1 << 16)], axis=1, count=num_bits, bitorder="little")
        joined = (bits[:, ::-1] + np.uint8(ord("0"))).tobytes().decode("ascii")
        text.extend([joined[i : i + num_bits] for i in range(0, len(joined), num_bits)])
    return text


class Histogram:
    """How often each row was seen, added chunk by chunk.

    Memory: 8 · 2**num_bits bytes once that is less than the distinct rows would take, else about
    (8 + row bytes) per distinct row.

    Parameters
    ----------
    num_bits : int
    """

    def __init__(self, num_bits: int) -> None:
        self._num_bits = num_bits
        self._dense: IntArray | None = None
        self._rows: Rows = np.zeros((0, row_bytes(num_bits)), dtype=np.uint8)
        self._counts: IntArray = np.zeros(0, dtype=np.int64)

    def add(self, rows: Rows, counts: IntArray | None = None) -> None:
        """Add rows, each once or as often as `counts` says."""
        if rows.shape[0] == 0:
            return
        if counts is None and core is not None and 0 < self._num_bits <= _WORD_BITS:
            rows, counts = core.count_rows(rows, self._num_bits)
            if self._dense is None and self._counts.size == 0:
                self._rows, self._counts = rows, counts
                return
        if self._num_bits <= _DENSE_BITS and (self._dense is not None or rows.shape[0] << 4 >= 1 << self._num_bits):
            self._add_dense(words_of_rows(rows)[:, 0].astype(np.int64), counts)
            return
        new_rows, new_counts = unique_rows(rows, counts)
        if self._counts.size == 0:
            self._rows, self._counts = new_rows, new_counts
        else:
            self._rows, self._counts = unique_rows(
                np.concatenate([self._rows, new_rows]), np.concatenate([self._counts, new_counts])
            )

    def _add_dense(self, values: IntArray, counts: IntArray | None) -> None:
        size = 1 << self._num_bits
        if self._dense is None:
            self._dense = np.zeros(size, dtype=np.int64)
            self._dense[words_of_rows(self._rows)[:, 0].astype(np.int64)] = self._counts
        if counts is None:
            self._dense += np.bincount(values, minlength=size)
        else:
            np.add.at(self._dense, values, counts)

    def result(self) -> tuple[Rows, IntArray]:
        """Return the distinct rows in ascending order of their integer, and their counts."""
        if self._dense is None:
            return self._rows, self._counts
        values = np.flatnonzero(self._dense)
        return rows_of_words(values.astype(np.uint64)[:, None], self._num_bits), self._dense[values]


def unique_rows(rows: Rows, counts: IntArray | None = None) -> tuple[Rows, IntArray]:
    """Return distinct rows in ascending order of their integer, with their multiplicities (weighted by `counts`)."""
    words = words_of_rows(rows)
    # np.lexsort takes the most significant key last; one word is the common case and sorts faster by itself.
    if words.shape[1] == 1 and counts is None:
        values, multiplicity = np.unique(words[:, 0], return_counts=True)
        return np.ascontiguousarray(values[:, None].view(np.uint8)[:, : rows.shape[1]]), multiplicity.astype(np.int64)
    order = np.lexsort(words.T)
    ordered = words[order]
    first = np.ones(ordered.shape[0], dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    weights = np.ones(order.size, dtype=np.int64) if counts is None else counts[order]
    return rows[order[starts]], np.add.reduceat(weights, starts)

"""One program run for many rows of angles that differ little, each with some shots.

Rows are in ascending order of the angles they change, the first angles first, so neighbours have the longest possible
beginning in common. The program is cut into blocks; the state behind every block of the last row is kept, and the next
row starts behind the blocks that both have in common. The numbers a row leads to do not depend on its neighbours:
every row is the same blocks, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray, Precision
from qfast.circuit import Circuit
from qfast.engines import CancelToken, Engine
from qfast.engines._memory import allocate_state, state_bytes
from qfast.errors import CancelledRunError

__all__ = ["Rows", "RunOptions", "Sweep", "SweepStatistics", "number_of_blocks"]

Read: TypeAlias = Callable[[int, AnyArray, int], None]

# What a block must cost at least for a kept state to pay: shorter blocks are fused worse (14 qubits, 30 layers of an
# ansatz, one core: 1.03 ms whole, 1.25 in 8 blocks, 1.51 in 15) and a call of an engine takes some 10 us. Xeon
# 8481C, AVX-512, complex128, 2026-11.
_BLOCK_AMPLITUDES = 2_500_000
_MAX_BLOCKS = 16
_MAX_KEPT_BYTES = 1 << 30
_SIDE_BY_SIDE_QUBITS = 17  # states up to this size run one on each thread, larger ones on all threads
_SLICE = 1 << 22  # angles that stand in memory at a time, 32 MiB


def number_of_blocks(num_qubits: int, num_gates: int, precision: Precision) -> int:
    """Return how many blocks a circuit is cut into, by its size alone."""
    by_cost = (num_gates << num_qubits) // _BLOCK_AMPLITUDES
    by_memory = _MAX_KEPT_BYTES // state_bytes(num_qubits, precision)
    return max(1, min(_MAX_BLOCKS, by_cost, by_memory))


@dataclass(slots=True)
class SweepStatistics:
    """What a sweep did: rows simulated, and gates applied."""

    rows: int = 0
    gates: int = 0


@dataclass(slots=True)
class RunOptions:
    """How a sweep runs: the state it starts from (None: |0…0⟩), threads, what it counts on, and a token to stop it."""

    initial: AnyArray | None
    threads: int
    cancel: CancelToken | None
    statistics: SweepStatistics = field(default_factory=SweepStatistics)


@dataclass(slots=True)
class Rows:
    """Rows of angles: row r has ``clean + bits[r] * change``.

    Attributes
    ----------
    clean, change : ndarray of float64, shape (p,)
    bits : ndarray of uint8, shape (m, p)
        0 or 1; rows in lexicographic order, none twice.
    """

    clean: FloatArray
    change: FloatArray
    bits: AnyArray

    def slices(self) -> Iterator[tuple[int, FloatArray]]:
        """Yield the angles of as many rows as may stand in memory at a time, with the number of the first."""
        step = max(1, _SLICE // max(1, self.clean.size))
        for begin in range(0, len(self.bits), step):
            yield begin, self.clean + self.bits[begin : begin + step] * self.change


@dataclass(slots=True)
class _Part:
    """The rows of a slice, from row `first` on, and the block in which each differs from the one before it."""

    first: int
    angles: FloatArray
    starts: IntArray
    read: Read
    threads: int


class Sweep:
    """Blocks of a circuit, prepared.

    Parameters
    ----------
    engine : Engine
    blocks : sequence of Circuit
        Block b has parameters ``bounds[b]:bounds[b + 1]`` of a row.
    bounds : sequence of int
    precision : {"complex64", "complex128"}
    """

    def __init__(self, engine: Engine, blocks: Sequence[Circuit], bounds: Sequence[int], precision: Precision) -> None:
        self._engine = engine
        self._precision: Precision = precision
        self._num_qubits = blocks[0].num_qubits
        self._bounds = np.array(bounds, dtype=np.int64)
        self._sizes = np.array([len(block) for block in blocks], dtype=np.int64)
        self.blocks = [engine.prepare(block, precision=precision) for block in blocks]
        self.num_gates = int(self._sizes.sum())

    def kept_bytes(self, threads: int) -> int:
        """Bytes of the states that a run holds."""
        return self._workers(threads) * len(self.blocks) * state_bytes(self._num_qubits, self._precision)

    def _workers(self, threads: int) -> int:
        return threads if self._num_qubits <= _SIDE_BY_SIDE_QUBITS else 1

    def sample(self, rows: Rows, uniforms: FloatArray, offsets: IntArray, run: RunOptions) -> IntArray:
        """Draw basis states.

        Parameters
        ----------
        rows : Rows
        uniforms : ndarray of float64, shape (shots,)
            Row r has those of ``offsets[r]:offsets[r + 1]``.
        offsets : ndarray of int64, shape (m + 1,)
        run : RunOptions

        Returns
        -------
        ndarray of int64, shape (shots,)
        """
        batch = self.blocks[0].batch() if len(self.blocks) == 1 and run.initial is None else None
        found = np.empty(uniforms.size, dtype=np.int64)
        ends = offsets.tolist()
        if batch is None:

            def draw(row: int, state: AnyArray, threads: int) -> None:
                part = slice(ends[row], ends[row + 1])
                found[part] = self._engine.sample_indices(state, uniforms[part], threads=threads)

            self.visit(rows, draw, run)
            return found
        for begin, angles in rows.slices():
            part = offsets[begin : begin + len(angles) + 1]
            span = slice(int(part[0]), int(part[-1]))
            drawn = np.ascontiguousarray(uniforms[span])
            found[span] = batch.sample_indices(angles, drawn, part - part[0], threads=run.threads, cancel=run.cancel)
        run.statistics.rows += len(rows.bits)
        run.statistics.gates += len(rows.bits) * self.num_gates
        return found

    def visit(self, rows: Rows, read: Read, run: RunOptions) -> None:
        """Call ``read(row, state, threads)`` with every row's final state, on several threads in no fixed order."""
        run.statistics.rows += len(rows.bits)
        for begin, angles in rows.slices():
            starts = self._first_blocks(rows.bits[begin : begin + len(angles)])
            # Gates from block b on, so that the rows' costs can be shared out.
            costs = np.cumsum(self._sizes[::-1])[::-1][starts]
            workers = min(self._workers(run.threads), len(angles))
            edges = np.searchsorted(np.cumsum(costs), np.arange(1, workers) * (costs.sum() / workers)).tolist()
            spans = [(b, e) for b, e in zip([0, *edges], [*edges, len(angles)], strict=True) if e > b]
            # Made here, since a job's memory is known in its own thread only.
            kept = [[allocate_state(self._num_qubits, self._precision) for _ in self.blocks] for _ in spans]
            part = _Part(begin, angles, starts, read, run.threads if workers == 1 else 1)

            if len(spans) == 1:
                self._walk(spans[0], kept[0], part, run)
            else:
                with ThreadPoolExecutor(len(spans)) as pool:
                    futures = [
                        pool.submit(self._walk, span, states, part, run)
                        for span, states in zip(spans, kept, strict=True)
                    ]
                for future in futures:
                    future.result()
            run.statistics.gates += int(costs.sum() + sum(self.num_gates - costs[first] for first, _ in spans))

    def _first_blocks(self, bits: AnyArray) -> IntArray:
        """Return the first block in which each row differs from the one before it."""
        starts = np.zeros(len(bits), dtype=np.int64)
        if len(bits) > 1:
            place = (bits[1:] != bits[:-1]).argmax(axis=1)
            starts[1:] = np.searchsorted(self._bounds, place, side="right") - 1
        return starts

    def _walk(self, span: tuple[int, int], states: list[AnyArray], part: _Part, run: RunOptions) -> None:
        """Run some neighbouring rows; ``states[b]`` is the state behind block b."""
        bounds, blocks = self._bounds.tolist(), self.blocks
        for row in range(*span):
            if run.cancel is not None and run.cancel.cancelled:
                raise CancelledRunError(f"the run was cancelled after {part.first + row} noisy trajectories")
            for block in range(int(part.starts[row]) if row > span[0] else 0, len(blocks)):
                state = states[block]
                if block:
                    np.copyto(state, states[block - 1])
                elif run.initial is not None:
                    np.copyto(state, run.initial, casting="same_kind")
                blocks[block].run(
                    state, part.angles[row, bounds[block] : bounds[block + 1]],
                    from_zero=block == 0 and run.initial is None, threads=part.threads, cancel=run.cancel,
                )  # fmt: skip
            part.read(part.first + row, states[-1], part.threads)

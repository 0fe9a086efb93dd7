"""One program run for many rows of angles that differ little, each with some shots.

Rows are in ascending order of the angles they change, the first angles first, so neighbours have the longest possible
beginning in common. The program is cut into blocks; the state behind every block of the last row is kept, and the next
row starts behind the blocks that both have in common. The numbers a row leads to do not depend on its neighbours:
every row is the same blocks, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray, Precision
from qfast.circuit import Circuit
from qfast.engines import CancelToken, Engine
from qfast.engines._memory import allocate_state, state_bytes
from qfast.errors import CancelledRunError

__all__ = ["Sweep", "SweepStatistics", "number_of_blocks"]

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

    def sample(
        self,
        clean: FloatArray,
        change: FloatArray,
        bits: AnyArray,
        uniforms: FloatArray,
        offsets: IntArray,
        *,
        initial: AnyArray | None,
        threads: int,
        statistics: SweepStatistics,
        cancel: CancelToken | None,
    ) -> IntArray:
        """Draw the basis states of all rows.

        Parameters
        ----------
        clean, change : ndarray of float64, shape (p,)
            Row r has the angles ``clean + bits[r] * change``.
        bits : ndarray of uint8, shape (m, p)
            0 or 1; rows in lexicographic order, none twice.
        uniforms : ndarray of float64, shape (shots,)
            Row r has those of ``offsets[r]:offsets[r + 1]``.
        offsets : ndarray of int64, shape (m + 1,)
        initial : ndarray or None
            The state to start from; None for |0…0⟩.
        threads : int
        statistics : SweepStatistics
            Counts on.
        cancel : CancelToken or None

        Returns
        -------
        ndarray of int64, shape (shots,)
        """
        found = np.empty(uniforms.size, dtype=np.int64)
        step = max(1, _SLICE // max(1, clean.size))
        statistics.rows += len(bits)
        batch = self.blocks[0].batch() if len(self.blocks) == 1 and initial is None else None
        for begin in range(0, len(bits), step):
            part = bits[begin : begin + step]
            angles = clean + part * change
            ends = offsets[begin : begin + len(part) + 1]
            span = slice(int(ends[0]), int(ends[-1]))
            if batch is not None:
                found[span] = batch.sample_indices(
                    angles, np.ascontiguousarray(uniforms[span]), ends - ends[0], threads=threads, cancel=cancel
                )
                statistics.gates += len(part) * self.num_gates
            else:
                self._sample_part(part, angles, uniforms, ends, initial, threads, found, statistics, cancel)
        return found

    def _sample_part(
        self,
        bits: AnyArray,
        angles: FloatArray,
        uniforms: FloatArray,
        ends: IntArray,
        initial: AnyArray | None,
        threads: int,
        found: IntArray,
        statistics: SweepStatistics,
        cancel: CancelToken | None,
    ) -> None:
        starts = self._first_blocks(bits)
        # Gates behind block b, so that the rows' costs can be shared out.
        behind = np.append(np.cumsum(self._sizes[::-1])[::-1], 0)
        costs = behind[starts]
        workers = min(self._workers(threads), len(bits))
        edges = np.searchsorted(np.cumsum(costs), np.arange(1, workers) * (costs.sum() / workers)).tolist()
        spans = [(b, e) for b, e in zip([0, *edges], [*edges, len(bits)], strict=True) if e > b]
        inner = threads if workers == 1 else 1

        # Made here, since a job's memory is known in its own thread only.
        kept = [[allocate_state(self._num_qubits, self._precision) for _ in self.blocks] for _ in spans]

        def run(span: tuple[int, int], states: list[AnyArray]) -> None:
            self._walk(span, states, starts, angles, uniforms, ends, initial, inner, found, cancel)

        if len(spans) == 1:
            run(spans[0], kept[0])
        else:
            with ThreadPoolExecutor(len(spans)) as pool:
                list(pool.map(run, spans, kept))
        statistics.gates += int(costs.sum() + sum(self.num_gates - costs[begin] for begin, _ in spans))

    def _first_blocks(self, bits: AnyArray) -> IntArray:
        """Return the first block in which each row differs from the one before it."""
        starts = np.zeros(len(bits), dtype=np.int64)
        if len(bits) > 1:
            place = (bits[1:] != bits[:-1]).argmax(axis=1)
            starts[1:] = np.searchsorted(self._bounds, place, side="right") - 1
        return starts

    def _walk(
        self,
        span: tuple[int, int],
        states: list[AnyArray],
        starts: IntArray,
        angles: FloatArray,
        uniforms: FloatArray,
        ends: IntArray,
        initial: AnyArray | None,
        threads: int,
        found: IntArray,
        cancel: CancelToken | None,
    ) -> None:
        """Run some neighbouring rows; ``states[b]`` is the state behind block b."""
        engine, bounds, blocks = self._engine, self._bounds.tolist(), self.blocks
        for row in range(*span):
            if cancel is not None and cancel.cancelled:
                raise CancelledRunError(f"the run was cancelled after {row} of {len(angles)} noisy trajectories")
            for block in range(int(starts[row]) if row > span[0] else 0, len(blocks)):
                state = states[block]
                if block:
                    np.copyto(state, states[block - 1])
                elif initial is not None:
                    np.copyto(state, initial, casting="same_kind")
                values = angles[row, bounds[block] : bounds[block + 1]]
                blocks[block].run(
                    state, values, from_zero=block == 0 and initial is None, threads=threads, cancel=cancel
                )
            begin, end = int(ends[row]), int(ends[row + 1])
            found[begin:end] = engine.sample_indices(states[-1], uniforms[begin:end], threads=threads)

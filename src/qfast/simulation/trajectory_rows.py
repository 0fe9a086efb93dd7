"""One program run for many rows of angles that differ little: noisy trajectories whose errors became angles.

Rows are in ascending order of the angles they change, so neighbours have a long beginning in common, which is run once.
Where the engine can do that itself (`Engine.trajectories`), it leaves a row between any two steps of its plan. Else the
program is cut into blocks; the state behind every block of the last row is kept, and the next row starts behind the
blocks that both have in common. The numbers a row leads to do not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, IntArray, Precision, UIntArray
from qfast.engines import CancelToken, Engine
from qfast.engines.interface import Trajectories
from qfast.engines.memory import allocate_state, memory_limits, state_bytes
from qfast.errors import CancelledRunError
from qfast.simulation.pauli_frames import PushedCircuit, PushedCircuitBuilder

__all__ = ["Rows", "RunOptions", "Strings", "Sweep", "SweepStatistics", "sweep_of"]

Read: TypeAlias = Callable[[int, AnyArray, int], None]
Strings: TypeAlias = tuple[UIntArray, UIntArray, ComplexArray]
"""X masks, Z masks and coefficients of Pauli strings."""

# What a block must cost at least for a kept state to pay: shorter blocks are fused worse, and a call of an engine takes
# some 10 us (14 qubits, 30 layers of an ansatz, numba; Xeon 8481C, complex128, 2026-11).
_BLOCK_AMPLITUDES = 2_500_000
_MAX_BLOCKS = 16
_MAX_KEPT_BYTES = 1 << 30
_KEPT_STATES = 32  # of each worker; rows rarely part at more places that are waited for at a time
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
    limit_bytes: int | None = None
    statistics: SweepStatistics = field(default_factory=SweepStatistics)


@dataclass(slots=True)
class Rows:
    """Rows of angles: a row has ``clean``, and ``change`` added to the angles of its bits.

    Attributes
    ----------
    clean, change : ndarray of float64, shape (p,)
    bits : ndarray of uint8, shape (m, bytes)
        Column c of a row is bit c of its bytes, the most significant first, and stands for angle ``sweep.order[c]``.
        Rows ascend as strings of bytes, none twice.
    """

    clean: FloatArray
    change: FloatArray
    bits: AnyArray


class Sweep(Protocol):
    """A program that is run for rows of angles.

    Attributes
    ----------
    order : ndarray of int, shape (p,)
        The angle of each column of a row's bits.
    """

    order: IntArray

    def held_bytes(self, run: RunOptions) -> int:
        """Bytes of the states that a run holds."""
        ...

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
        ...

    def pauli_means(
        self, rows: Rows, frames: tuple[UIntArray, UIntArray], offsets: IntArray, strings: Strings, run: RunOptions
    ) -> ComplexArray:
        """Return ⟨O⟩ behind Pauli frames (masks of X, of Z); row r has those of ``offsets[r]:offsets[r + 1]``."""
        ...


def sweep_of(builder: PushedCircuitBuilder, engine: Engine, precision: Precision) -> tuple[PushedCircuit, Sweep]:
    """Return a circuit as a program of angles, the effects of its errors in the order of the sweep's columns."""
    pushed = builder.build(1)
    trajectories = engine.trajectories(pushed.blocks[0], precision=precision)
    if trajectories is not None:
        pushed.reorder(trajectories.order)
        return pushed, _EngineSweep(trajectories, pushed, precision)
    num_blocks = number_of_blocks(builder.num_qubits, builder.num_gates, precision)
    if num_blocks > 1:
        pushed = builder.build(num_blocks)
    return pushed, _BlockSweep(engine, pushed, precision)


def _workers(num_qubits: int, threads: int) -> int:
    return threads if num_qubits <= _SIDE_BY_SIDE_QUBITS else 1


class _EngineSweep:
    """Rows that the engine itself runs together."""

    def __init__(self, trajectories: Trajectories, pushed: PushedCircuit, precision: Precision) -> None:
        self._trajectories = trajectories
        self.order = trajectories.order
        self._num_qubits = pushed.num_qubits
        self._num_gates = len(pushed.blocks[0])
        self._state_bytes = state_bytes(pushed.num_qubits, precision)

    def held_bytes(self, run: RunOptions) -> int:
        """See `Sweep.held_bytes`."""
        return self._running_bytes(run) + self._kept_bytes(run)

    def _running_bytes(self, run: RunOptions) -> int:
        return 2 * _workers(self._num_qubits, run.threads) * self._state_bytes

    def _kept_bytes(self, run: RunOptions) -> int:
        """Memory for states that rows have in common: as much as is useful, and free."""
        wanted = min(_MAX_KEPT_BYTES, _workers(self._num_qubits, run.threads) * _KEPT_STATES * self._state_bytes)
        if self._state_bytes > 1 << 20:
            wanted = min(wanted, memory_limits().available_bytes // 2)
        if run.limit_bytes is not None:
            wanted = min(wanted, max(0, run.limit_bytes - self._running_bytes(run)))
        return wanted

    def sample(self, rows: Rows, uniforms: FloatArray, offsets: IntArray, run: RunOptions) -> IntArray:
        """See `Sweep.sample`."""
        found, work = self._trajectories.sample_indices(
            rows.clean, rows.change, rows.bits, uniforms, offsets,
            initial=run.initial, kept_bytes=self._kept_bytes(run), threads=run.threads, cancel=run.cancel,
        )  # fmt: skip
        self._count(rows, work, run)
        return found

    def pauli_means(
        self, rows: Rows, frames: tuple[UIntArray, UIntArray], offsets: IntArray, strings: Strings, run: RunOptions
    ) -> ComplexArray:
        """See `Sweep.pauli_means`."""
        found, work = self._trajectories.pauli_means(
            rows.clean, rows.change, rows.bits, offsets, frames, strings,
            initial=run.initial, kept_bytes=self._kept_bytes(run), threads=run.threads, cancel=run.cancel,
        )  # fmt: skip
        self._count(rows, work, run)
        return found

    def _count(self, rows: Rows, work: float, run: RunOptions) -> None:
        run.statistics.rows += len(rows.bits)
        run.statistics.gates += round(work * self._num_gates)


@dataclass(slots=True)
class _Part:
    """The rows of a slice, from row `first` on, and the block in which each differs from the one before it."""

    first: int
    angles: FloatArray
    starts: IntArray
    read: Read
    threads: int


class _BlockSweep:
    """Rows that run block by block, states between blocks kept."""

    def __init__(self, engine: Engine, pushed: PushedCircuit, precision: Precision) -> None:
        self._engine = engine
        self._precision: Precision = precision
        self._num_qubits = pushed.num_qubits
        self._num_angles = pushed.num_angles
        self.order = np.arange(pushed.num_angles)
        self._bounds = np.array(pushed.bounds, dtype=np.int64)
        self._sizes = np.array([len(block) for block in pushed.blocks], dtype=np.int64)
        self._blocks = [engine.prepare(block, precision=precision) for block in pushed.blocks]
        self._num_gates = int(self._sizes.sum())

    def held_bytes(self, run: RunOptions) -> int:
        """See `Sweep.held_bytes`."""
        workers = _workers(self._num_qubits, run.threads)
        return workers * len(self._blocks) * state_bytes(self._num_qubits, self._precision)

    def sample(self, rows: Rows, uniforms: FloatArray, offsets: IntArray, run: RunOptions) -> IntArray:
        """See `Sweep.sample`."""
        found = np.empty(uniforms.size, dtype=np.int64)
        ends = offsets.tolist()

        def draw(row: int, state: AnyArray, threads: int) -> None:
            part = slice(ends[row], ends[row + 1])
            found[part] = self._engine.sample_indices(state, uniforms[part], threads=threads)

        self._visit(rows, draw, run)
        return found

    def pauli_means(
        self, rows: Rows, frames: tuple[UIntArray, UIntArray], offsets: IntArray, strings: Strings, run: RunOptions
    ) -> ComplexArray:
        """See `Sweep.pauli_means`."""
        x_frames, z_frames = frames
        x_masks, z_masks, coefficients = strings
        found = np.empty(x_frames.size, dtype=np.complex128)
        ends = offsets.tolist()

        def read(row: int, state: AnyArray, threads: int) -> None:
            for place in range(ends[row], ends[row + 1]):
                # A Pauli frame in front of a Pauli string changes its sign where they anticommute.
                signs = 1.0 - 2.0 * _parities((x_frames[place] & z_masks) ^ (z_frames[place] & x_masks))
                found[place] = self._engine.expectation_pauli(
                    state, x_masks, z_masks, coefficients * signs, threads=threads
                )

        self._visit(rows, read, run)
        return found

    def _visit(self, rows: Rows, read: Read, run: RunOptions) -> None:
        """Call ``read(row, state, threads)`` with every row's final state, on several threads in no fixed order."""
        run.statistics.rows += len(rows.bits)
        for begin, bits in self._slices(rows):
            angles = rows.clean + bits * rows.change
            starts = self._first_blocks(bits)
            # Gates from block b on, so that the rows' costs can be shared out.
            costs = np.cumsum(self._sizes[::-1])[::-1][starts]
            workers = min(_workers(self._num_qubits, run.threads), len(angles))
            edges = np.searchsorted(np.cumsum(costs), np.arange(1, workers) * (costs.sum() / workers)).tolist()
            spans = [(b, e) for b, e in zip([0, *edges], [*edges, len(angles)], strict=True) if e > b]
            # Made here, since a job's memory is known in its own thread only.
            kept = [[allocate_state(self._num_qubits, self._precision) for _ in self._blocks] for _ in spans]
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
            run.statistics.gates += int(costs.sum() + sum(self._num_gates - costs[first] for first, _ in spans))

    def _slices(self, rows: Rows) -> Iterator[tuple[int, AnyArray]]:
        """Yield the bits, a byte each, of as many rows as may stand in memory, and the number of the first."""
        step = max(1, _SLICE // max(1, self._num_angles))
        for begin in range(0, len(rows.bits), step):
            yield begin, np.unpackbits(rows.bits[begin : begin + step], axis=1, count=self._num_angles)

    def _first_blocks(self, bits: AnyArray) -> IntArray:
        """Return the first block in which each row differs from the one before it."""
        starts = np.zeros(len(bits), dtype=np.int64)
        if len(bits) > 1:
            place = (bits[1:] != bits[:-1]).argmax(axis=1)
            starts[1:] = np.searchsorted(self._bounds, place, side="right") - 1
        return starts

    def _walk(self, span: tuple[int, int], states: list[AnyArray], part: _Part, run: RunOptions) -> None:
        """Run some neighbouring rows; ``states[b]`` is the state behind block b."""
        bounds, blocks = self._bounds.tolist(), self._blocks
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


def _parities(words: UIntArray) -> FloatArray:
    """Return 1 where a word has an odd number of ones, else 0."""
    folded = words.copy()
    for shift in (32, 16, 8, 4, 2, 1):
        folded ^= folded >> np.uint64(shift)
    return (folded & np.uint64(1)).astype(np.float64)

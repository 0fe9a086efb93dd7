"""The numba engine: compiled kernels without a C++ compiler, parallel and in place.

A circuit is encoded as steps, which `_numba_kernels` runs. The matrix numbers decide what a gate costs, not its name:
a matrix falls apart into the blocks of its nonzero pattern; blocks that are the identity cost nothing, blocks of one
are a scaling, of two a pair kernel. Chains of one-qubit gates are multiplied together first. Consecutive steps that
stay inside tiles of 2**14 amplitudes run tile by tile, in cache.

Threads are Python's own, with the GIL released: numba's thread layers either abort on concurrent use or on fork.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from qfast._typing import AnyArray, ComplexArray, EngineName, FloatArray, IntArray, Isa, Precision, UIntArray
from qfast.engines import _numba_kernels as kernels
from qfast.engines import _numba_reading as reading
from qfast.engines._lower import LoweredCircuit, Op, pauli_masks
from qfast.engines.interface import CancelToken, check_cancel
from qfast.engines.samplers import MaskedObservable, Sampler

if TYPE_CHECKING:
    from qfast.circuit import Circuit

_TILE_QUBITS = 14  # 256 KiB of complex128: half of an ordinary L2
_THREAD_QUBITS = 16  # below 2**16 amplitudes handing out a step costs more than it saves
_SLICE_WORK = 1 << 22  # multiply-adds between two looks at the cancel token, some 10 ms
_SPLIT_DIM = 16  # widest matrix that is searched for independent blocks
_TABLE_QUBITS = 2  # diagonals on more qubits are looked up amplitude by amplitude

Columns: TypeAlias = tuple[AnyArray, ...]  # the first ten arguments of `kernels.execute` after the state


class NumbaEngine:
    """Kernels compiled by numba on first use and kept on disk."""

    name: EngineName = "numba"
    max_walk_qubits = 0
    isa: Isa | None = None

    def prepare(self, circuit: Circuit, *, precision: Precision) -> NumbaCircuit:
        """See `Engine.prepare`."""
        return NumbaCircuit(circuit, precision)

    def trajectories(self, circuit: Circuit, *, precision: Precision) -> None:
        """See `Engine.trajectories`."""
        return None

    def probabilities(self, state: AnyArray, qubits: AnyArray, *, threads: int) -> FloatArray:
        """See `Engine.probabilities`."""
        listed = np.asarray(qubits, dtype=np.int64)
        outcomes = 1 << listed.size
        if outcomes == state.size and np.array_equal(listed, np.arange(listed.size)):
            weights: FloatArray = np.square(state.real, dtype=np.float64)
            weights += np.square(state.imag, dtype=np.float64)
            return weights
        # Partial distributions, a fixed number of them: at most 16 MiB in all, and none smaller than a block.
        blocks = max(1, min(256, (1 << 21) // outcomes, state.size // reading.BLOCK))
        partial = np.empty((blocks, outcomes))
        _share_out(reading.block_probabilities, blocks, threads, _reals(state), listed, partial)
        distribution: FloatArray = _tree_sum(partial)
        return distribution

    def norm_squared(self, state: AnyArray, *, threads: int) -> float:
        """See `Engine.norm_squared`."""
        return float(_tree_sum(self._block_weights(state, threads)))

    def inner_product(self, a: AnyArray, b: AnyArray, *, threads: int) -> complex:
        """See `Engine.inner_product`."""
        blocks = reading.blocks_of(a.size)
        partial = np.empty(blocks, dtype=np.complex128)
        _share_out(reading.block_inner_products, blocks, threads, _reals(a), _reals(b), partial)
        return complex(_tree_sum(partial))

    def expectation_pauli(
        self, state: AnyArray, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray, *, threads: int
    ) -> complex:
        """See `Engine.expectation_pauli`."""
        return complex(self.pauli_overlaps(state, state, x_masks, z_masks, threads=threads) @ coefficients)

    def pauli_overlaps(
        self,
        bra: AnyArray,
        ket: AnyArray,
        x_masks: UIntArray,
        z_masks: UIntArray,
        *,
        threads: int,
        cancel: CancelToken | None = None,
    ) -> ComplexArray:
        """See `PauliEngine.pauli_overlaps`; one pass over the states for each distinct X mask."""
        blocks = reading.blocks_of(ket.size)
        found = np.empty(x_masks.size, dtype=np.complex128)
        for x_mask in np.unique(x_masks):
            chosen = np.flatnonzero(x_masks == x_mask)
            for begin in range(0, chosen.size, 512):  # bounds the partial sums
                if cancel is not None:
                    cancel.raise_if_cancelled("reading an observable")
                terms = chosen[begin : begin + 512]
                partial = np.empty((blocks, terms.size), dtype=np.complex128)
                masks = z_masks[terms].astype(np.int64)
                states = _reals(bra), _reals(ket)
                _share_out(reading.block_paulis, blocks, threads, *states, np.int64(x_mask), masks, partial)
                found[terms] = _tree_sum(partial)
        return found * _phases(x_masks, z_masks)

    def apply_pauli(
        self,
        state: AnyArray,
        x_masks: UIntArray,
        z_masks: UIntArray,
        coefficients: ComplexArray,
        out: AnyArray,
        *,
        threads: int,
        cancel: CancelToken | None = None,
    ) -> None:
        """See `PauliEngine.apply_pauli`; one pass over the states for each distinct X mask."""
        weights = coefficients * _phases(x_masks, z_masks)
        total = out if out.dtype == np.complex128 else np.empty(out.size, dtype=np.complex128)
        total[:] = 0
        for x_mask in np.unique(x_masks):
            if cancel is not None:
                cancel.raise_if_cancelled("applying an observable")
            chosen = np.flatnonzero(x_masks == x_mask)
            masks = z_masks[chosen].astype(np.int64)
            states = _reals(state), _reals(total)
            blocks = reading.blocks_of(state.size)
            _share_out(reading.block_apply, blocks, threads, *states, np.int64(x_mask), masks, weights[chosen])
        if total is not out:
            out[:] = total

    def observable(
        self, num_qubits: int, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray
    ) -> MaskedObservable:
        """See `Engine.observable`."""
        return MaskedObservable(self, x_masks, z_masks, coefficients)

    def sampler(self, state: AnyArray, *, threads: int) -> Sampler:
        """See `Engine.sampler`."""
        return Sampler(self, state, threads)

    def sample_indices(self, state: AnyArray, uniforms: FloatArray, *, threads: int) -> IntArray:
        """See `Engine.sample_indices`; one pass over the state and O(log block) per shot."""
        cumulative = np.cumsum(self._block_weights(state, threads))
        targets = uniforms * cumulative[-1]
        last = int(np.searchsorted(cumulative, cumulative[-1]))
        blocks = np.minimum(np.searchsorted(cumulative, targets, side="right"), last)
        block_begin = np.zeros(cumulative.size + 1, dtype=np.int64)
        order = np.empty(blocks.size, dtype=np.int64)
        _together(reading.group_by_block, [(blocks, block_begin, order)])
        before = np.concatenate([[0.0], cumulative[:-1]])
        out = np.empty(uniforms.size, dtype=np.int64)
        _share_out(
            reading.find_in_blocks, cumulative.size, threads, _reals(state), order, block_begin, targets, before, out
        )
        return out

    def uniforms(self, seed: int, first_shot: int, count: int, site: int) -> FloatArray:
        """See `Engine.uniforms`."""
        out = np.empty(count)
        _together(reading.philox_uniforms, [(np.uint64(seed), first_shot, np.uint64(site), out, 0, count)])
        return out

    def _block_weights(self, state: AnyArray, threads: int) -> FloatArray:
        weights = np.empty(reading.blocks_of(state.size))
        _share_out(reading.block_weights, weights.size, threads, _reals(state), weights)
        return weights


class NumbaCircuit:
    """A circuit prepared for the numba engine."""

    def __init__(self, circuit: Circuit, precision: Precision) -> None:
        self._lowered = LoweredCircuit(circuit)
        self._real = np.float32 if precision == "complex64" else np.float64
        self._bound: tuple[bytes, _Steps] | None = None
        self.num_qubits = circuit.num_qubits
        self.num_parameters = self._lowered.num_parameters
        widest = max((len(op.targets) for op in self._lowered.ops if op.kind == "permutation"), default=0)
        self.workspace_bytes = (os.cpu_count() or 1) << (widest + 4)

    def run(
        self, state: AnyArray, values: FloatArray, *, from_zero: bool, threads: int, cancel: CancelToken | None
    ) -> None:
        """See `PreparedCircuit.run`."""
        if from_zero:
            state[:] = 0
            state[0] = 1
        _run_steps(_reals(state), self._bind(values), threads, cancel)

    def batch(self) -> None:
        """See `PreparedCircuit.batch`: one by one."""

    def explain(self) -> dict[str, Any]:
        """See `PreparedCircuit.explain`; the steps are those of the last run."""
        found: dict[str, Any] = {"operations": len(self._lowered.ops), "tile_qubits": _TILE_QUBITS}
        if self._bound is not None:
            found["steps"] = len(self._bound[1].kinds)
        return found

    def _bind(self, values: FloatArray) -> _Steps:
        """Encode the circuit at parameter values; the last encoding is kept."""
        key = values.tobytes()
        bound = self._bound
        if bound is None or bound[0] != key:
            bound = (key, _encode(self._lowered.ops, self._lowered.params(values), self._real))
            self._bound = bound  # one assignment: another thread sees the old pair or the new one
        return bound[1]


# --- encoding ---------------------------------------------------------------------------------------------------------


class _Steps:
    """Steps as ragged columns; see `kernels.execute`."""

    def __init__(self, real: type[np.floating[Any]]) -> None:
        self.kinds: list[int] = []
        self.work: list[int] = []  # multiply-adds per amplitude, for the slices between looks at the cancel token
        self._real = real
        self._ends: tuple[list[int], list[int], list[int], list[int]] = ([], [], [], [])
        self._positions: list[int] = []
        self._offsets: list[int] = []
        self._integers: list[AnyArray] = []
        self._numbers: list[AnyArray] = []
        self._local: list[bool] = []

    def add(
        self,
        kind: int,
        positions: Sequence[int],
        offsets: Sequence[int],
        *,
        integers: AnyArray | Sequence[int] = (),
        numbers: Any = (),
        reads: int = 0,
    ) -> None:
        """Add a step; `reads` holds the index bits that decide what is done, besides those of the offsets."""
        values = np.ascontiguousarray(numbers)
        self._positions += sorted(positions)
        self._offsets += offsets
        self._integers.append(np.asarray(integers, dtype=np.int64))
        self._numbers.append((values.view(np.float64) if np.iscomplexobj(values) else values).reshape(-1))
        ends = self._ends
        for column, size in zip(
            ends, (len(positions), len(offsets), self._integers[-1].size, self._numbers[-1].size), strict=True
        ):
            column.append(size + (column[-1] if column else 0))
        self.kinds.append(kind)
        self.work.append(len(offsets) if kind == kernels.DENSE else 2)
        above = offsets[0] >> _TILE_QUBITS
        self._local.append(all(offset >> _TILE_QUBITS == above for offset in offsets) and reads >> _TILE_QUBITS == 0)

    def finish(self) -> _Steps:
        """Turn the lists into arrays, and find the runs of steps that tiles can take together."""
        integers = np.concatenate(self._integers) if self._integers else np.zeros(0, dtype=np.int64)
        numbers = np.concatenate(self._numbers) if self._numbers else np.zeros(0)
        ends = [np.array(column, dtype=np.int64) for column in self._ends]
        self.columns: Columns = (
            np.array(self.kinds, dtype=np.int64),
            ends[0], np.array(self._positions, dtype=np.int64), ends[1], np.array(self._offsets, dtype=np.int64),
            ends[2], integers, ends[3], numbers.astype(self._real),
        )  # fmt: skip
        cuts = [i for i in range(len(self._local)) if i == 0 or not (self._local[i] and self._local[i - 1])]
        self.stretches = [(a, b, self._local[a]) for a, b in pairwise([*cuts, len(self._local)])]
        return self


def _encode(ops: Sequence[Op], params: Sequence[float], real: type[np.floating[Any]]) -> _Steps:
    steps = _Steps(real)
    pending: dict[int, ComplexArray] = {}  # products of one-qubit gates, by qubit
    for op in ops:
        if op.kind == "matrix" and len(op.targets) == 1 and not op.controls:
            matrix, before = op.matrix(params), pending.get(op.targets[0])
            pending[op.targets[0]] = matrix if before is None else matrix @ before
            continue
        for qubit in (*op.targets, *op.controls):
            if qubit in pending:
                _add_matrix(steps, pending.pop(qubit), (qubit,), (), 0)
        _add_op(steps, op, params)
    for qubit, matrix in pending.items():
        _add_matrix(steps, matrix, (qubit,), (), 0)
    return steps.finish()


def _add_op(steps: _Steps, op: Op, params: Sequence[float]) -> None:
    held = sum(value << qubit for qubit, value in zip(op.controls, op.control_values, strict=True))
    if op.kind == "matrix":
        _add_matrix(steps, op.matrix(params), op.targets, op.controls, held)
    elif op.kind == "permutation":
        offsets = _offsets(op.targets, held)
        assert op.content is not None
        steps.add(kernels.PERMUTE, op.targets + op.controls, offsets, integers=op.content)
    elif op.kind == "pauli":
        _add_rotation(steps, op, held, params[op.slots.start])
    elif len(op.targets) <= _TABLE_QUBITS:
        assert op.content is not None
        _add_matrix(steps, np.diag(op.content), op.targets, op.controls, held)
    else:
        reads = sum(1 << qubit for qubit in op.targets)
        steps.add(kernels.TABLE, op.controls, [held], integers=op.targets, numbers=op.content, reads=reads)


def _add_matrix(
    steps: _Steps, matrix: ComplexArray, targets: tuple[int, ...], controls: tuple[int, ...], held: int
) -> None:
    positions, offsets = targets + controls, _offsets(targets, held)
    if targets == (0,) and not controls:  # neighbours have a vector kernel, which beats two scalings
        if not _is_identity(matrix):
            steps.add(kernels.PAIR, positions, offsets, numbers=matrix)
        return
    for rows in _blocks(matrix):
        block = matrix[np.ix_(rows, rows)]
        if _is_identity(block):
            continue
        chosen = [offsets[row] for row in rows]
        if len(rows) > 2:
            steps.add(kernels.DENSE, positions, chosen, numbers=block)
        elif len(rows) == 1:
            steps.add(kernels.SCALE, positions, chosen, numbers=block)
        elif block[0, 0] == 0 and block[1, 1] == 0 and block[0, 1] == 1 and block[1, 0] == 1:
            steps.add(kernels.SWAP, positions, chosen)
        else:
            steps.add(kernels.PAIR, positions, chosen, numbers=block)


def _add_rotation(steps: _Steps, op: Op, held: int, angle: float) -> None:
    x_mask, z_mask = pauli_masks(op)
    factor = -1j * math.sin(angle / 2) * 1j ** (x_mask & z_mask).bit_count()
    # The lowest flipped bit tells the two ends of a pair apart.
    positions = op.controls + (((x_mask & -x_mask).bit_length() - 1,) if x_mask else ())
    numbers = np.array([math.cos(angle / 2), factor.real, factor.imag])
    steps.add(kernels.ROTATE, positions, [held], integers=[x_mask, z_mask], numbers=numbers, reads=x_mask | z_mask)


def _offsets(targets: Sequence[int], held: int) -> list[int]:
    """Index bits of each row of a matrix, with the controls at their values."""
    offsets = [held]
    for qubit in targets:
        offsets += [offset | 1 << qubit for offset in offsets]
    return offsets


def _is_identity(block: ComplexArray) -> bool:
    return bool((block == np.eye(len(block))).all())


def _blocks(matrix: ComplexArray) -> list[list[int]]:
    """Split the rows into classes that the matrix does not mix."""
    dim = len(matrix)
    if dim > _SPLIT_DIM:
        return [list(range(dim))]
    nonzero = (matrix != 0).tolist()
    label = list(range(dim))
    for row in range(dim):
        for column in range(dim):
            if nonzero[row][column] and label[row] != label[column]:
                old, new = max(label[row], label[column]), min(label[row], label[column])
                label = [new if entry == old else entry for entry in label]
    return [[row for row in range(dim) if label[row] == name] for name in sorted(set(label))]


# --- running ----------------------------------------------------------------------------------------------------------


def _run_steps(reals: AnyArray, steps: _Steps, threads: int, cancel: CancelToken | None) -> None:
    amplitudes = reals.size >> 1
    total = len(steps.kinds)
    if amplitudes <= 1 << _TILE_QUBITS:
        stride = max(1, _SLICE_WORK // amplitudes)
        for first in range(0, total, stride):
            check_cancel(cancel, "the run", first, total, "steps")
            _together(kernels.execute, [(reals, *steps.columns, first, min(total, first + stride), 0, 1)])
    else:
        for first, last, is_local in steps.stretches:
            # A slice is a part of the tiles or groups; more parts than threads are taken in turn, so that the token,
            # and Ctrl-C, are heard in between.
            work = amplitudes * sum(steps.work[first:last])
            workers = threads if amplitudes >= 1 << _THREAD_QUBITS else 1
            parts = max(workers, work // _SLICE_WORK)
            for begin in range(0, parts, workers):
                check_cancel(cancel, "the run", first, total, "steps")
                if is_local:
                    calls = [(first, last, _TILE_QUBITS, p, parts) for p in range(begin, min(parts, begin + workers))]
                    _together(kernels.execute_tiles, [(reals, *steps.columns, *call) for call in calls])
                else:
                    shares = [(first, last, p, parts) for p in range(begin, min(parts, begin + workers))]
                    _together(kernels.execute, [(reals, *steps.columns, *share) for share in shares])
    if cancel is not None:
        cancel.report(total, total)


def _share_out(kernel: Callable[..., None], blocks: int, threads: int, *arguments: Any) -> None:
    """Run a kernel over [0, blocks) in as many ranges as there are threads."""
    parts = max(1, min(threads, blocks // 4))
    bounds = [blocks * part // parts for part in range(parts + 1)]
    _together(kernel, [(*arguments, begin, end) for begin, end in pairwise(bounds)])


def _together(kernel: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> None:
    """Make the calls at the same time, the first one in this thread, and wait for all of them."""
    futures: list[Future[None]] = []
    mine = [calls[0]]
    for call in calls[1:]:
        try:
            futures.append(_executor().submit(kernel, *call))
        except RuntimeError:  # the interpreter ends: no thread takes new work, but a job's may still finish its own
            mine.append(call)
    try:
        for call in mine:
            kernel(*call)
    finally:  # an interrupt must not leave threads writing into a state that its owner believes to be idle
        wait(futures)
    for future in futures:
        future.result()


_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="qfast-numba")
        return _pool


def _forget_threads() -> None:
    """A forked child has the pool's object but none of its threads, and the lock as it was."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


# --- arrays -----------------------------------------------------------------------------------------------------------


def _phases(x_masks: UIntArray, z_masks: UIntArray) -> ComplexArray:
    """A factor i for each Y."""
    powers = [word.bit_count() % 4 for word in (x_masks & z_masks).tolist()]
    return np.array([1, 1j, -1, -1j])[powers]


def _reals(state: AnyArray) -> AnyArray:
    """View a state as real numbers, re and im interleaved."""
    return state.view(np.float32 if state.dtype == np.complex64 else np.float64)


def _tree_sum(partial: AnyArray) -> Any:
    """Add along the first axis in a fixed tree, so that the sum does not depend on who computed its parts."""
    while len(partial) > 1:
        even = partial[: len(partial) // 2 * 2]
        rest = partial[len(even) :]
        partial = np.concatenate([even[::2] + even[1::2], rest])
    return partial[0]

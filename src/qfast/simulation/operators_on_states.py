"""Observables that are no Pauli sums, read from and applied to states piece by piece: numpy on bounded memory, and the
engine's own passes where they do the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from qfast._typing import AnyArray, ComplexArray, IntArray
from qfast.circuit import DenseOperator, DiagonalOperator, Operator, Projector, SparseOperator
from qfast.engines import CancelToken, Engine, PreparedOperator
from qfast.engines.bits import Run, runs_of
from qfast.engines.interface import check_cancel

_PIECE = 1 << 16  # amplitudes that are gathered at a time: 1 MiB of complex128
_ENGINE_PIECE = 1 << 20  # amplitudes that an engine reads at a time: enough for its threads
_TABLE_QUBITS = 20  # a distribution of so many qubits is computed at once: 8 MiB
_STRING_QUBITS = 4  # a dense operator of so many is at most 256 Pauli strings, which engines read fastest
_GATHERED_QUBITS = 5  # a basis state of so many is a small part of the amplitudes: they are gathered


def prepare_operator(operator: Operator, engine: Engine, num_qubits: int) -> PreparedOperator:
    """Prepare an operator for states of some number of qubits.

    Raises
    ------
    ObservableError
        It acts on a qubit that the states do not have.
    """
    operator.check_fits(num_qubits)
    if isinstance(operator, DenseOperator):
        if len(operator.qubits) <= _STRING_QUBITS:
            return engine.observable(num_qubits, *operator.to_pauli_sum().masks(num_qubits))
        return _Dense(operator, num_qubits)
    if isinstance(operator, DiagonalOperator):
        return _Diagonal(operator, engine, num_qubits)
    if isinstance(operator, SparseOperator):
        return _Sparse(operator, num_qubits)
    assert isinstance(operator, Projector)
    return (
        _BasisProjector(operator, engine, num_qubits)
        if operator.amplitudes is None
        else _StateProjector(operator, operator.amplitudes, engine, num_qubits)
    )


class _Places:
    """Where an operator's qubits are among those of a state."""

    def __init__(self, qubits: Sequence[int], num_qubits: int) -> None:
        self.width, self.num_others = len(qubits), num_qubits - len(qubits)
        others = [qubit for qubit in range(num_qubits) if qubit not in set(qubits)]
        self._own = runs_of(enumerate(qubits))
        self._others = runs_of(enumerate(others))
        self._back = runs_of((qubit, bit) for bit, qubit in enumerate(qubits))

    def of_own(self, outcomes: IntArray) -> IntArray:
        """Return indices whose bit ``qubits[j]`` is bit j of the outcomes."""
        return _moved(outcomes, self._own)

    def of_others(self, piece: slice) -> IntArray:
        """Return indices of a range of settings of all other qubits."""
        return _moved(np.arange(piece.start, piece.stop), self._others)

    def outcomes(self, piece: slice) -> IntArray:
        """Return the outcomes of a range of indices: the reverse of `of_own`."""
        return _moved(np.arange(piece.start, piece.stop), self._back)


class _Diagonal:
    def __init__(self, operator: DiagonalOperator, engine: Engine, num_qubits: int) -> None:
        self._operator, self._engine = operator, engine
        self._qubits = np.array(operator.qubits, dtype=np.int32)
        self._places = _Places(operator.qubits, num_qubits)

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """See `PreparedOperator.expectation`."""
        total = 0j
        if self._places.width <= _TABLE_QUBITS:
            weights = self._engine.probabilities(state, self._qubits, threads=threads)
            for piece in _pieces(weights.size, _PIECE, "reading", cancel):
                values = self._operator.values_at(np.arange(piece.start, piece.stop))
                total += (values * weights[piece]).sum()
            return complex(total)
        for piece in _pieces(state.size, _ENGINE_PIECE, "reading", cancel):
            part = state[piece]
            every = np.arange(part.size.bit_length() - 1, dtype=np.int32)
            weights = self._engine.probabilities(part, every, threads=threads)
            total += (self._operator.values_at(self._places.outcomes(piece)) * weights).sum()
        return complex(total)

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """See `PreparedOperator.apply`."""
        for piece in _pieces(state.size, _PIECE, "applying", cancel):
            out[piece] = self._operator.values_at(self._places.outcomes(piece)) * state[piece]


class _BasisProjector:
    def __init__(self, operator: Projector, engine: Engine, num_qubits: int) -> None:
        assert operator.pattern is not None
        self._engine, self._pattern = engine, operator.pattern
        self._qubits = np.array(operator.qubits, dtype=np.int32)
        self._places = _Places(operator.qubits, num_qubits)
        self._held = int(self._places.of_own(np.array([self._pattern]))[0])

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """See `PreparedOperator.expectation`."""
        if self._places.width < _GATHERED_QUBITS:
            return complex(self._engine.probabilities(state, self._qubits, threads=threads)[self._pattern])
        total = 0.0
        for index in self._indices(cancel, "reading"):
            total += _norm_squared(state[index])
        return complex(total)

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """See `PreparedOperator.apply`."""
        out[:] = 0
        for index in self._indices(cancel, "applying"):
            out[index] = state[index]

    def _indices(self, cancel: CancelToken | None, what: str) -> Iterator[IntArray]:
        for piece in _pieces(1 << self._places.num_others, _PIECE, what, cancel):
            yield self._places.of_others(piece) | self._held


class _StateProjector:
    """|φ⟩⟨φ| on some qubits: an amplitude ⟨φ|ψ⟩ for each setting of the others."""

    def __init__(self, operator: Projector, amplitudes: AnyArray, engine: Engine, num_qubits: int) -> None:
        self._bra, self._engine = amplitudes, engine
        self._places = _Places(operator.qubits, num_qubits)
        self._is_whole = operator.qubits == tuple(range(num_qubits))

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """See `PreparedOperator.expectation`."""
        if self._is_whole:
            return complex(abs(self._whole_overlap(state, threads, cancel)) ** 2)
        return complex(sum(_norm_squared(overlaps) for _, overlaps in self._overlaps(state, cancel, "reading")))

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """See `PreparedOperator.apply`."""
        if self._is_whole:
            np.multiply(self._bra, self._whole_overlap(state, threads, cancel), out=out, casting="same_kind")
            return
        for others, overlaps in self._overlaps(state, cancel, "applying"):
            for piece in _ranges(self._bra.size, _PIECE):
                own = self._places.of_own(np.arange(piece.start, piece.stop))
                out[own[:, None] | others] = self._bra[piece, None] * overlaps

    def _whole_overlap(self, state: AnyArray, threads: int, cancel: CancelToken | None) -> complex:
        total = 0j
        for piece in _pieces(state.size, _ENGINE_PIECE, "reading", cancel):
            bra, ket = (array[piece].astype(np.complex128, copy=False) for array in (self._bra, state))
            total += self._engine.inner_product(bra, ket, threads=threads)
        return total

    def _overlaps(
        self, state: AnyArray, cancel: CancelToken | None, what: str
    ) -> Iterator[tuple[IntArray, ComplexArray]]:
        """Yield settings of the other qubits, as indices, and the overlap of each."""
        rows = min(self._bra.size, _PIECE)
        for chosen in _pieces(1 << self._places.num_others, _PIECE // rows, what, cancel):
            others = self._places.of_others(chosen)
            overlaps = np.zeros(others.size, dtype=np.complex128)
            for piece in _ranges(self._bra.size, rows):
                own = self._places.of_own(np.arange(piece.start, piece.stop))
                bra = self._bra[piece].astype(np.complex128).conj()
                overlaps += bra @ state[own[:, None] | others]
            yield others, overlaps


class _Dense:
    def __init__(self, operator: DenseOperator, num_qubits: int) -> None:
        self._matrix = operator.own_matrix()
        self._places = _Places(operator.qubits, num_qubits)

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """See `PreparedOperator.expectation`."""
        total = 0j
        for _, part, moved in self._products(state, cancel, "reading"):
            total += (part.conj() * moved).sum()
        return complex(total)

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """See `PreparedOperator.apply`."""
        for index, _, moved in self._products(state, cancel, "applying"):
            out[index] = moved

    def _products(
        self, state: AnyArray, cancel: CancelToken | None, what: str
    ) -> Iterator[tuple[IntArray, ComplexArray, ComplexArray]]:
        """Yield indices (2**k, m), the amplitudes there, and these times the matrix."""
        own = self._places.of_own(np.arange(len(self._matrix)))
        for chosen in _pieces(1 << self._places.num_others, _PIECE >> self._places.width, what, cancel):
            index = own[:, None] | self._places.of_others(chosen)
            part = state[index].astype(np.complex128, copy=False)
            yield index, part, self._matrix @ part


class _Sparse:
    def __init__(self, operator: SparseOperator, num_qubits: int) -> None:
        self._operator = operator
        self._places = _Places(operator.qubits, num_qubits)

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """See `PreparedOperator.expectation`."""
        total = 0j
        for index, moved in self._products(state, cancel, "reading"):
            total += (state[index].conj() * moved).sum()
        return complex(total)

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """See `PreparedOperator.apply`."""
        out[:] = 0
        for index, moved in self._products(state, cancel, "applying"):
            out[index] = moved

    def _products(
        self, state: AnyArray, cancel: CancelToken | None, what: str
    ) -> Iterator[tuple[IntArray, ComplexArray]]:
        """Yield indices of rows that have entries, (rows, m), and the amplitudes of O|ψ⟩ there."""
        operator, places = self._operator, self._places
        per_row = max(1, operator.num_entries >> places.width)
        step = min(1 << places.num_others, max(1, _PIECE // per_row))
        for chosen in _pieces(1 << places.num_others, step, what, cancel):
            others = places.of_others(chosen)
            for rows in _row_pieces(operator.row_ends, max(1, _PIECE // others.size), what, cancel):
                ends = operator.row_ends[rows.start : rows.stop + 1]
                filled = np.flatnonzero(ends[1:] > ends[:-1])
                entries = slice(int(ends[0]), int(ends[-1]))
                source = places.of_own(operator.columns[entries])[:, None] | others
                products = operator.values[entries, None] * state[source]
                moved = np.add.reduceat(products, ends[filled] - ends[0], axis=0)
                yield places.of_own(filled + rows.start)[:, None] | others, moved


def _row_pieces(row_ends: IntArray, entries: int, what: str, cancel: CancelToken | None) -> Iterator[slice]:
    """Cut the rows into ranges of about so many entries; none is empty of entries."""
    total = int(row_ends[-1])
    first = 0
    while first < row_ends.size - 1 and row_ends[first] < total:
        check_cancel(cancel, f"{what} an observable", int(row_ends[first]), total, "entries")
        last = int(np.searchsorted(row_ends, row_ends[first] + entries, side="right")) - 1
        # At least one row, and with it all rows without entries up to the next one that has some.
        last = max(last, int(np.searchsorted(row_ends, row_ends[first], side="right")))
        yield slice(first, last)
        first = last


def _ranges(total: int, step: int) -> Iterator[slice]:
    step = max(step, 1)
    for begin in range(0, total, step):
        yield slice(begin, min(total, begin + step))


def _pieces(total: int, step: int, what: str, cancel: CancelToken | None) -> Iterator[slice]:
    """Cut a range, looking at the token before each piece."""
    for piece in _ranges(total, step):
        check_cancel(cancel, f"{what} an observable", piece.start, total, "amplitudes")
        yield piece


def _moved(values: IntArray, runs: Iterable[Run]) -> IntArray:
    """Return numbers whose bits are moved as the runs say; all other bits are 0."""
    result: IntArray = np.zeros_like(values)
    for run in runs:
        result |= (values >> run.source & run.mask) << run.destination
    return result


def _norm_squared(amplitudes: AnyArray) -> float:
    parts = amplitudes.real, amplitudes.imag
    return float(sum(np.square(part, dtype=np.float64).sum() for part in parts))

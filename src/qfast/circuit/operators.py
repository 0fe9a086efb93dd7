"""Observables that are no Pauli sums: projectors, diagonal functions, dense and sparse matrices on some qubits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from qfast._typing import AnyArray, ComplexArray, IntArray
from qfast.circuit.checks import as_index, as_tuple
from qfast.circuit.observable import MAX_MATRIX_QUBITS, PauliSum
from qfast.errors import ObservableError

__all__ = [
    "DenseOperator",
    "DiagonalOperator",
    "Observable",
    "Operator",
    "Projector",
    "SparseOperator",
    "check_hermitian",
    "check_observable",
]

MAX_DENSE_QUBITS = 10
"""The widest `DenseOperator` (a 16 MiB matrix)."""

_MAX_QUBITS = 62  # outcomes are 64-bit integers
_HERMITIAN = 1e-12  # of the largest entry, as for Pauli sums
_NORMALISED = {np.dtype(np.complex64): 1e-4, np.dtype(np.float32): 1e-4}

DiagonalFunction: TypeAlias = Callable[[IntArray], ArrayLike]


class Operator(ABC):
    """An operator on listed qubits, the identity on all others; immutable.

    The first listed qubit is the least significant bit of the index of a matrix or a table, and the rightmost character
    of a bitstring.
    """

    __slots__ = ("_offence", "qubits")

    qubits: tuple[int, ...]
    """The qubits it acts on, in order."""

    def __init__(self, qubits: tuple[int, ...]) -> None:
        self.qubits = qubits
        self._offence: str | None = None  # "" once it is known to be Hermitian

    @property
    def num_qubits(self) -> int:
        """Qubits a state needs to have: one more than the highest that is listed."""
        return max(self.qubits, default=-1) + 1

    @property
    def is_hermitian(self) -> bool:
        """Whether the operator is its own adjoint, to 1e-12 of its largest entry."""
        return not self.hermitian_offence()

    def hermitian_offence(self) -> str:
        """Say where the operator differs from its adjoint; empty where it is Hermitian."""
        if self._offence is None:
            self._offence = self._find_offence()
        return self._offence

    def _find_offence(self) -> str:
        return ""

    def check_fits(self, num_qubits: int) -> None:
        """Refuse a state that lacks a qubit.

        Raises
        ------
        ObservableError
        """
        if self.num_qubits > num_qubits:
            raise ObservableError(
                f"the observable acts on qubit {self.num_qubits - 1}, the state has {num_qubits} qubits "
                f"(0…{num_qubits - 1})"
            )

    def snapshot(self) -> Operator:
        """Return an equal operator that holds no array of the caller's: what is kept beyond a call."""
        return self

    def on(self, qubits: tuple[int, ...]) -> Operator:
        """Return the same operator on other qubits, as many as it has."""
        moved = copy(self)
        moved.qubits = qubits
        return moved

    def matrix(self, num_qubits: int | None = None) -> ComplexArray:
        """Return the matrix, complex128 of shape (2**n, 2**n), n <= 12; qubit 0 is the least significant bit."""
        n = self.num_qubits if num_qubits is None else num_qubits
        self.check_fits(n)
        if n > MAX_MATRIX_QUBITS:
            limit = MAX_MATRIX_QUBITS
            raise ObservableError(f"the matrix of an observable on {n} qubits is too large; {limit} are allowed")
        own = self.own_matrix()
        others = [qubit for qubit in range(n) if qubit not in self.qubits]
        rows = _spread(len(self.qubits), self.qubits)[:, None] | _spread(len(others), others)
        result = np.zeros((1 << n, 1 << n), dtype=np.complex128)
        for column in rows.T:  # one setting of all other qubits
            result[np.ix_(column, column)] = own
        return result

    @abstractmethod
    def own_matrix(self) -> ComplexArray:
        """Return the matrix on the listed qubits."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on qubits {list(self.qubits)}>"


Observable: TypeAlias = PauliSum | Operator
"""What has an expectation value."""


class Projector(Operator):
    """The projector onto a basis state, or any state, of some qubits.

    Parameters
    ----------
    target : str, int, Statevector or array_like of shape (2**k,)
        A bitstring, rightmost character for the first listed qubit; the same as an integer, which needs `qubits`; or
        the amplitudes of a normalised state. An array of complex numbers is not copied and must not change.
    qubits : int or iterable of int, optional
        The first k by default.

    Examples
    --------
    >>> Projector("10", [0, 3]).num_qubits  # qubit 0 is 0, qubit 3 is 1
    4
    >>> Projector([0.6, 0.8j]).matrix().round(2)
    array([[0.36+0.j  , 0.  -0.48j],
           [0.  +0.48j, 0.64+0.j  ]])
    """

    __slots__ = ("amplitudes", "pattern")

    pattern: int | None
    """The basis state; None where `amplitudes` hold the state."""

    amplitudes: AnyArray | None
    """complex64 or complex128 of shape (2**k,), read-only; None for a basis state."""

    def __init__(self, target: Any, qubits: Iterable[int] | int | None = None) -> None:
        self.pattern, self.amplitudes = None, None
        number = as_index(target)
        if isinstance(target, str):
            if not target or set(target) - {"0", "1"}:
                raise ObservableError(f"a projector: {target!r} is no bitstring; it holds one 0 or 1 for each qubit")
            width, self.pattern = len(target), int(target, 2)
        elif number is not None:
            if qubits is None:
                raise ObservableError(f"a projector onto basis state {number} needs its qubits, or a bitstring")
            width, self.pattern = len(as_tuple(qubits)), number
            if not 0 <= number < 1 << width:
                raise ObservableError(f"a projector: {width} qubits have no basis state {number}")
        else:
            self.amplitudes = _checked_amplitudes(getattr(target, "amplitudes", target))
            width = self.amplitudes.size.bit_length() - 1
        super().__init__(_checked_qubits(qubits, width, "a projector"))

    def snapshot(self) -> Projector:
        return self if self.amplitudes is None else Projector(self.amplitudes.copy(), self.qubits)

    def own_matrix(self) -> ComplexArray:
        amplitudes = self.amplitudes
        if amplitudes is None:
            amplitudes = np.zeros(1 << len(self.qubits))
            amplitudes[self.pattern] = 1
        return np.outer(amplitudes, amplitudes.conj()).astype(np.complex128)


class DiagonalOperator(Operator):
    """A function of the bits of some qubits, as an operator.

    Parameters
    ----------
    values : array_like of shape (2**k,), or callable
        Numbers by outcome, real or complex, not copied; or a function that takes outcomes, int64 of shape (m,), and
        returns as many real numbers. It is asked for pieces of bounded size. Bit j of an outcome is qubit
        ``qubits[j]``.
    qubits : int or iterable of int, optional
        The first k by default; a function needs them.

    Examples
    --------
    >>> DiagonalOperator([0, 1, 1, 2], [4, 2]).is_hermitian  # how many of qubits 2 and 4 are 1
    True
    >>> parity = DiagonalOperator(lambda outcomes: outcomes % 2, range(20))
    """

    __slots__ = ("_function", "_table")

    def __init__(self, values: ArrayLike | DiagonalFunction, qubits: Iterable[int] | int | None = None) -> None:
        self._function: DiagonalFunction | None = None
        self._table: AnyArray | None = None
        if callable(values):
            if qubits is None:
                raise ObservableError("a diagonal operator: a function of bits needs the qubits whose bits it takes")
            self._function, width = values, len(as_tuple(qubits))
        else:
            self._table = _numbers(values, "a diagonal operator")
            width = _width(self._table, "a diagonal operator")
        super().__init__(_checked_qubits(qubits, width, "a diagonal operator"))

    @property
    def table(self) -> AnyArray | None:
        """The values by outcome, float64 or complex128 of shape (2**k,); None where a function gives them."""
        return self._table

    def snapshot(self) -> DiagonalOperator:
        return self if self._table is None else DiagonalOperator(self._table.copy(), self.qubits)

    def _find_offence(self) -> str:
        table = self._table
        if table is None or table.dtype.kind != "c":
            return ""
        return _largest(np.abs(table.imag), np.abs(table), lambda k: f"the value of outcome {k} is {table[k]}")

    def values_at(self, outcomes: IntArray) -> AnyArray:
        """Return the values of outcomes, float64 or complex128 of the same shape (m,).

        Raises
        ------
        ObservableError
            The function returns something else than one finite real number for each.
        """
        if self._table is not None:
            return self._table[outcomes]
        assert self._function is not None
        found = np.asarray(self._function(outcomes))
        if found.shape != outcomes.shape or found.dtype.kind not in "biuf":
            raise ObservableError(
                f"a diagonal operator: for {outcomes.size} outcomes the function returned dtype {found.dtype} of shape "
                f"{found.shape}; one real number for each is needed (numpy.vectorize makes such a function)"
            )
        values = found.astype(np.float64, copy=False)
        if not np.isfinite(values).all():
            place = int(np.argmin(np.isfinite(values)))
            raise ObservableError(
                f"a diagonal operator: the value of outcome {outcomes[place]} is {values[place]}, which is not finite"
            )
        return values

    def own_matrix(self) -> ComplexArray:
        return np.diag(self.values_at(np.arange(1 << len(self.qubits)))).astype(np.complex128)


class DenseOperator(Operator):
    """A matrix on 1 to 10 qubits.

    Parameters
    ----------
    matrix : array_like, complex, shape (2**k, 2**k)
        Copied.
    qubits : int or iterable of int, optional
        The first k by default.

    Examples
    --------
    >>> print(DenseOperator([[1, 2], [2, -1]], [3]).to_pauli_sum())
    1.0 Z3 + 2.0 X3
    """

    __slots__ = ("_matrix",)

    def __init__(self, matrix: ArrayLike, qubits: Iterable[int] | int | None = None) -> None:
        given = _numbers(matrix, "a dense operator")
        if given.ndim != 2 or given.shape[0] != given.shape[1]:
            raise ObservableError(f"a dense operator: a square matrix is needed, shape {given.shape} given")
        width = _width(given[0], "a dense operator")
        if not 1 <= width <= MAX_DENSE_QUBITS:
            raise ObservableError(
                f"a dense operator acts on 1 to {MAX_DENSE_QUBITS} qubits, {width} given; "
                "use a SparseOperator, a PauliSum or a DiagonalOperator"
            )
        self._matrix: ComplexArray = np.array(given, dtype=np.complex128, order="C")
        self._matrix.flags.writeable = False
        super().__init__(_checked_qubits(qubits, width, "a dense operator"))

    def _find_offence(self) -> str:
        return _largest(
            np.abs(self._matrix - self._matrix.conj().T).ravel(),
            np.abs(self._matrix),
            lambda k: _entries_text(*divmod(k, len(self._matrix)), self._matrix),
        )

    def to_pauli_sum(self) -> PauliSum:
        """Return the same operator as a sum of at most 4**k Pauli strings, those below 1e-15 of the largest left out.

        Notes
        -----
        With P = i^(x·z) X^x Z^z, the coefficient is 2^-k (-i)^(x·z) Σ_j (-1)^(j·z) M[j ^ x, j]: a Walsh-Hadamard
        transform for each x.
        """
        width = len(self.qubits)
        dim = 1 << width
        index = np.arange(dim)
        diagonals = self._matrix[index ^ index[:, None], index]  # [x, j]
        for bit in range(width):
            pairs = diagonals.reshape(dim, -1, 2, 1 << bit)
            diagonals = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], axis=2)
        num_y = np.array([value.bit_count() % 4 for value in range(dim)])[index[:, None] & index]
        coefficients = diagonals.reshape(dim, dim) * np.array([1, -1j, -1, 1j])[num_y] / dim
        kept = np.abs(coefficients) > 1e-15 * np.abs(coefficients).max()
        masks = _spread(width, self.qubits).astype(np.uint64)
        x, z = np.nonzero(kept)
        return PauliSum._from_masks(masks[x], masks[z], coefficients[kept], self.num_qubits)

    def own_matrix(self) -> ComplexArray:
        return self._matrix


class SparseOperator(Operator):
    """A sparse matrix on some qubits, or on all.

    Parameters
    ----------
    matrix : scipy.sparse array or matrix, or (rows, columns, values)
        Of shape (2**k, 2**k). Three arrays of equal length need `qubits`; entries of one place are added up.
    qubits : int or iterable of int, optional
        The first k by default.

    Notes
    -----
    Kept by rows: 16 or 24 bytes an entry (real or complex), 8 bytes a row.

    Examples
    --------
    >>> hopping = SparseOperator(([1, 2], [2, 1], [1.0, 1.0]), [0, 1])
    >>> hopping.is_hermitian, hopping.num_entries
    (True, 2)
    """

    __slots__ = ("columns", "row_ends", "values")

    columns: IntArray
    """Column of each entry, row by row."""

    row_ends: IntArray
    """Row r has the entries ``row_ends[r]`` to ``row_ends[r + 1]``; shape (2**k + 1,)."""

    values: AnyArray
    """float64 or complex128."""

    def __init__(self, matrix: Any, qubits: Iterable[int] | int | None = None) -> None:
        rows, columns, values, width = _entries_of(matrix, qubits)
        super().__init__(_checked_qubits(qubits, width, "a sparse operator"))
        dim = 1 << width
        order = _row_by_row(rows, columns, width)
        rows, columns, values = rows[order], columns[order], values[order]
        is_first = np.ones(rows.size, dtype=bool)
        is_first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        first = np.flatnonzero(is_first)
        self.values = np.add.reduceat(values, first) if first.size else values
        self.columns = columns[first]
        self.row_ends = np.zeros(dim + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows[first], minlength=dim), out=self.row_ends[1:])

    @property
    def num_entries(self) -> int:
        """Entries that are kept, some of which may be 0."""
        return self.values.size

    def _rows(self) -> IntArray:
        return np.repeat(np.arange(self.row_ends.size - 1), np.diff(self.row_ends))

    def _find_offence(self) -> str:
        rows = self._rows()
        order = _row_by_row(self.columns, rows, len(self.qubits))  # of the transposed matrix
        there = np.array_equal(self.columns[order], rows) and np.array_equal(rows[order], self.columns)
        if there:
            difference, at = np.abs(self.values - self.values[order].conj()), (rows, self.columns)
        else:  # also places where only one of both has an entry
            merged = SparseOperator(
                (
                    np.concatenate([rows, self.columns]),
                    np.concatenate([self.columns, rows]),
                    np.concatenate([self.values, -self.values.conj()]),
                ),
                range(len(self.qubits)),
            )
            difference, at = np.abs(merged.values), (merged._rows(), merged.columns)
        return _largest(
            difference, np.abs(self.values), lambda k: f"entry ({at[0][k]}, {at[1][k]}) is not that of the adjoint"
        )

    def own_matrix(self) -> ComplexArray:
        dim = self.row_ends.size - 1
        result = np.zeros((dim, dim), dtype=np.complex128)
        result[self._rows(), self.columns] = self.values
        return result


def check_hermitian(observable: Any, what: str) -> None:
    """Refuse an observable whose expectation value is not real.

    Parameters
    ----------
    observable : Observable
    what : str
        What needs it, for the message.

    Raises
    ------
    ObservableError
    """
    check_observable(observable, what)
    if observable.is_hermitian:
        return
    if isinstance(observable, PauliSum):
        place = int(np.argmax(np.abs(observable.coefficients.imag)))
        offence = f"term {place} has the coefficient {observable.coefficients[place]}"
    else:
        offence = observable.hermitian_offence()
    raise ObservableError(
        f"{what}: the observable is not Hermitian: {offence}; take its Hermitian part (O + O†)/2 and its "
        "anti-Hermitian part (O - O†)/2i one by one"
    )


def check_observable(observable: Any, what: str) -> None:
    """Refuse what has no expectation value.

    Raises
    ------
    ObservableError
    """
    if not isinstance(observable, PauliSum | Operator):
        raise ObservableError(
            f"{what}: an observable is a qfast.PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator, "
            f"{type(observable).__name__} given"
        )


# --- checks -----------------------------------------------------------------------------------------------------------


def _checked_qubits(qubits: Iterable[int] | int | None, width: int, what: str) -> tuple[int, ...]:
    listed = tuple(range(width)) if qubits is None else as_tuple(qubits)
    if len(listed) != width:
        raise ObservableError(f"{what}: {len(listed)} qubits given for content of {width} qubits")
    found: list[int] = []
    for qubit in listed:
        number = as_index(qubit)
        if number is None or not 0 <= number < _MAX_QUBITS:
            raise ObservableError(f"{what}: {qubit!r} is not a qubit; integers from 0 to {_MAX_QUBITS - 1} are")
        if number in found:
            raise ObservableError(f"{what}: qubit {number} is named twice")
        found.append(number)
    return tuple(found)


def _numbers(values: Any, what: str) -> AnyArray:
    """Return float64 or complex128 numbers, all finite."""
    try:
        given = np.asarray(values)
        array = given.astype(np.complex128 if given.dtype.kind == "c" else np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ObservableError(f"{what}: the content is not an array of numbers ({error})") from None
    if given.dtype.kind not in "biufc":
        raise ObservableError(f"{what}: the content has dtype {given.dtype}; numbers are needed")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ObservableError(f"{what}: the entry at {where} is {array[where]}, which is not finite")
    return array


def _width(array: AnyArray, what: str) -> int:
    """Return k for an array of shape (2**k,)."""
    if array.ndim != 1 or array.size == 0 or array.size & (array.size - 1):
        raise ObservableError(f"{what}: 2**k entries along each axis are needed, shape {array.shape} given")
    return array.size.bit_length() - 1


def _checked_amplitudes(amplitudes: Any) -> AnyArray:
    given = _numbers(amplitudes, "a projector")
    kept: AnyArray = np.asarray(amplitudes) if np.asarray(amplitudes).dtype == np.complex64 else given
    _width(kept, "a projector")
    norm_squared = float(np.square(np.abs(given)).sum())
    if not abs(norm_squared - 1) <= _NORMALISED.get(np.asarray(amplitudes).dtype, 1e-8):
        raise ObservableError(
            f"a projector: the state is not normalised: the sum of |amplitude|² is {norm_squared:.12g}; "
            "divide it by its norm"
        )
    kept = np.ascontiguousarray(kept, dtype=np.complex64 if kept.dtype == np.complex64 else np.complex128).view()
    kept.flags.writeable = False
    return kept


def _entries_of(matrix: Any, qubits: Iterable[int] | int | None) -> tuple[IntArray, IntArray, AnyArray, int]:
    """Return rows, columns, values and the number of qubits."""
    what = "a sparse operator"
    if hasattr(matrix, "tocoo"):
        if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] & (matrix.shape[0] - 1):
            raise ObservableError(f"{what}: a matrix of shape (2**k, 2**k) is needed, {matrix.shape} given")
        width = matrix.shape[0].bit_length() - 1
        found = matrix.tocoo()
        rows, columns, values = found.row, found.col, found.data
    else:
        if not isinstance(matrix, (tuple, list)) or len(matrix) != 3:
            raise ObservableError(
                f"{what}: a scipy.sparse matrix or (rows, columns, values) is needed, {type(matrix).__name__} given; "
                "a DenseOperator takes arrays"
            )
        if qubits is None:
            raise ObservableError(f"{what}: (rows, columns, values) do not tell the size; name the qubits")
        width = len(as_tuple(qubits))
        rows, columns, values = (np.asarray(part) for part in matrix)
    numbers = _numbers(values, f"{what}, values")
    for name, part in (("rows", rows), ("columns", columns)):
        if part.shape != numbers.shape or part.ndim != 1:
            raise ObservableError(f"{what}: {name} of shape {part.shape} given for values of shape {numbers.shape}")
        if part.size and part.dtype.kind not in "iu":
            raise ObservableError(f"{what}: {name} are integers, dtype {part.dtype} given")
        wrong = (part < 0) | (part >= 1 << width)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise ObservableError(
                f"{what}: entry {place} has {name[:-1]} {part[place]}; 0 to {(1 << width) - 1} are there"
            )
    return rows.astype(np.int64), columns.astype(np.int64), numbers, width


def _row_by_row(rows: IntArray, columns: IntArray, width: int) -> IntArray:
    """Return the order of entries by row and column; those of one place stay in theirs."""
    if width <= 31:  # one key for both, which sorts faster
        return np.argsort(rows << width | columns, kind="stable")
    return np.lexsort((columns, rows))


def _largest(differences: AnyArray, sizes: AnyArray, say: Callable[[int], str]) -> str:
    """Say where the largest difference is, if it is above what counts as rounding."""
    if not differences.size:
        return ""
    place = int(np.argmax(differences))
    return "" if differences[place] <= _HERMITIAN * sizes.max() else say(place)


def _entries_text(row: int, column: int, matrix: ComplexArray) -> str:
    return f"entry ({row}, {column}) is {matrix[row, column]}, entry ({column}, {row}) is {matrix[column, row]}"


def _spread(width: int, qubits: Iterable[int]) -> IntArray:
    """Return, for each number of `width` bits, the index whose bit ``qubits[j]`` is its bit j."""
    result: IntArray = np.zeros(1, dtype=np.int64)
    for qubit in qubits:
        result = np.concatenate([result, result | 1 << qubit])
    assert result.size == 1 << width
    return result

"""Observables as sums of Pauli strings."""

from __future__ import annotations

import cmath
import math
import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsComplex, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from qfast._typing import ComplexArray, UIntArray
from qfast.circuit.checks import as_index, as_tuple, has_no_order
from qfast.circuit.commuting import commuting_groups, qubit_wise_groups
from qfast.errors import ObservableError

__all__ = ["PauliSum", "PauliTerm"]

PauliTerm: TypeAlias = tuple[str, list[int], complex]
"""Letters, the qubit of each letter, coefficient."""

Labels: TypeAlias = str | Iterable[str] | Mapping[str, SupportsComplex] | Iterable[tuple[str, SupportsComplex]]

_MAX_QUBITS = 64  # masks are 64-bit words
MAX_MATRIX_QUBITS = 12
_X_OF = {"I": 0, "X": 1, "Y": 1, "Z": 0}
_Z_OF = {"I": 0, "X": 0, "Y": 1, "Z": 1}
_LETTERS = "IXZY"  # index: x + 2 z
_POWERS_OF_I = np.array([1, 1j, -1, -1j])
_BYTE_POPCOUNT = np.array([value.bit_count() for value in range(256)], dtype=np.int64)


class PauliSum:
    """A sum of Pauli strings with complex coefficients, immutable and hashable.

    Parameters
    ----------
    terms : iterable of (letters, qubits, coefficient) or (letters, qubits), or a PauliSum
        Letter j of ``"IXYZ"`` letters acts on ``qubits[j]``; the coefficient is 1 by default. Qubits are 0…63. For
        labels with a letter for every qubit see `from_labels`.
    num_qubits : int, optional
        Qubits the observable is declared on; by default as many as its highest qubit needs.

    Notes
    -----
    Terms are kept in order as two 64-bit masks each and are not merged before :meth:`simplify`; 32 bytes a term. With x
    and z the masks of a term and :math:`|m|` the number of ones of m, the Pauli string is

    .. math:: P = i^{|x \\& z|} X^x Z^z, \\qquad X^x = \\prod_{q: x_q = 1} X_q,\\quad Z^z = \\prod_{q: z_q = 1} Z_q,

    with all X to the left of all Z: X has x = 1, Z has z = 1, and Y = iXZ has both. On amplitudes,
    :math:`\\langle\\psi|P|\\psi\\rangle = i^{|x \\& z|} \\sum_k (-1)^{|k \\& z|} \\psi^*_{k \\oplus x} \\psi_k`.

    Examples
    --------
    >>> H = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7)])
    >>> print(H)
    1.0 Z0 Z1 - 0.7 X0
    >>> H.num_terms, H.num_qubits, H.is_hermitian
    (2, 2, True)
    """

    __slots__ = ("_coefficients", "_num_qubits", "_x", "_z")

    __array_ufunc__ = None  # a numpy number times a sum is left to the sum

    def __init__(self, terms: Iterable[Sequence[Any]] = (), num_qubits: int | None = None) -> None:
        if isinstance(terms, PauliSum):
            self._set(terms._x, terms._z, terms._coefficients, terms.num_qubits if num_qubits is None else num_qubits)
            return
        if isinstance(terms, (str, Mapping)) or not isinstance(terms, Iterable):
            raise ObservableError(
                f"a Pauli sum is made of a list of (letters, qubits, coefficient), {terms!r} given; from_labels takes "
                "labels with a letter for every qubit, alone, in a list or with their coefficients"
            )
        x_masks: list[int] = []
        z_masks: list[int] = []
        coefficients: list[complex] = []
        for index, term in enumerate(terms):
            place = f"term {index} of the Pauli sum"
            letters, qubits, *weight = _term_parts(term, place)
            x, z = _term_masks(letters, qubits, place)
            x_masks.append(x)
            z_masks.append(z)
            coefficients.append(_coefficient(weight[0] if weight else 1.0, place))
        self._set(
            np.array(x_masks, dtype=np.uint64),
            np.array(z_masks, dtype=np.uint64),
            np.array(coefficients, dtype=np.complex128),
            num_qubits,
        )

    def _set(self, x: UIntArray, z: UIntArray, coefficients: ComplexArray, num_qubits: int | None) -> None:
        used = int(np.bitwise_or.reduce(x | z)).bit_length() if len(x) else 0
        declared = used if num_qubits is None else as_index(num_qubits)
        if declared is None or not used <= declared <= _MAX_QUBITS:
            allowed = f"{used} to {_MAX_QUBITS}"
            raise ObservableError(f"this Pauli sum can be declared on {allowed} qubits, {num_qubits!r} given")
        for array in (x, z, coefficients):
            array.flags.writeable = False
        self._x, self._z, self._coefficients = x, z, coefficients
        self._num_qubits = declared

    @classmethod
    def _from_masks(cls, x: UIntArray, z: UIntArray, coefficients: ComplexArray, num_qubits: int) -> PauliSum:
        result = cls.__new__(cls)
        result._set(x, z, coefficients, num_qubits)
        return result

    @classmethod
    def from_labels(cls, labels: Labels, coefficients: Iterable[SupportsComplex] | None = None) -> PauliSum:
        """Build from strings with one letter per qubit, the rightmost for qubit 0.

        Parameters
        ----------
        labels : str, iterable of str, mapping of str to number, or iterable of (str, number)
            One label; several; or several with their coefficients, as a mapping or as pairs.
        coefficients : iterable of number, optional
            Of labels that bring none, one for each; 1 by default.

        Raises
        ------
        ObservableError
            Labels of different lengths, other letters, as many coefficients as there are not labels, or coefficients
            twice.

        Examples
        --------
        >>> print(PauliSum.from_labels(["ZIX"], [0.5]))
        0.5 X0 Z2
        >>> print(PauliSum.from_labels({"ZZ": 0.5, "XI": -3.0}))
        0.5 Z0 Z1 - 3.0 X1
        >>> PauliSum.from_labels([("ZZ", 0.5), ("XI", -3.0)]) == PauliSum.from_labels({"ZZ": 0.5, "XI": -3.0})
        True
        """
        given, weights = _labels_and_weights(labels, coefficients)
        widths = {len(label) for label in given}
        if len(widths) > 1:
            raise ObservableError(f"the labels have different lengths: {sorted(widths)}")
        width = widths.pop() if widths else 0
        if width > _MAX_QUBITS:
            raise ObservableError(f"labels of {width} letters given; at most {_MAX_QUBITS} qubits are allowed")
        qubits = range(width - 1, -1, -1)
        return cls([(label, qubits, weight) for label, weight in zip(given, weights, strict=True)], width)

    @classmethod
    def from_dict(cls, terms: Mapping[str, SupportsComplex]) -> PauliSum:
        """Build from what `to_dict` returned: labels, as in `from_labels`, and their coefficients."""
        if not isinstance(terms, Mapping):
            raise ObservableError(f"a mapping from labels to coefficients is needed, {terms!r} given; see from_labels")
        return cls.from_labels(terms)

    # ----------------------------------------------------------------------------------------------------- inspection

    @property
    def num_qubits(self) -> int:
        """Qubits the observable is declared on."""
        return self._num_qubits

    @property
    def num_terms(self) -> int:
        """Number of terms, equal ones counted apart."""
        return len(self._coefficients)

    @property
    def coefficients(self) -> ComplexArray:
        """The coefficients, complex128 of shape (num_terms,), read-only."""
        return self._coefficients

    @property
    def is_hermitian(self) -> bool:
        """Whether the sum is its own adjoint: like terms merged, no imaginary part above 1e-12 of the largest term."""
        merged = self.simplify()._coefficients
        return not len(merged) or bool(np.abs(merged.imag).max() <= 1e-12 * np.abs(merged).max())

    @property
    def is_diagonal(self) -> bool:
        """Whether only I and Z occur."""
        return not self._x.any()

    def masks(self, num_qubits: int | None = None) -> tuple[UIntArray, UIntArray, ComplexArray]:
        """Return the terms as the engines take them.

        Parameters
        ----------
        num_qubits : int, optional
            Qubits of the state that will be measured.

        Returns
        -------
        x_masks, z_masks : ndarray, uint64, shape (num_terms,)
            Bit q says that qubit q has X or Y, and Z or Y.
        coefficients : ndarray, complex128, shape (num_terms,)
            The factor i of each Y is not in them: it belongs to the Pauli string (see the class's notes).

        Raises
        ------
        ObservableError
            The observable acts on a qubit that the state does not have.
        """
        if num_qubits is not None:
            used = int(np.bitwise_or.reduce(self._x | self._z)).bit_length() if self.num_terms else 0
            if used > num_qubits:
                raise ObservableError(
                    f"the observable acts on qubit {used - 1}, the state has {num_qubits} qubits (0…{num_qubits - 1})"
                )
        return self._x, self._z, self._coefficients

    def matrix(self, num_qubits: int | None = None) -> ComplexArray:
        """Return the matrix, complex128 of shape (2**n, 2**n), n <= 12; qubit 0 is the least significant bit."""
        n = self._num_qubits if num_qubits is None else num_qubits
        if n > MAX_MATRIX_QUBITS:
            limit = MAX_MATRIX_QUBITS
            raise ObservableError(f"the matrix of an observable on {n} qubits is too large; {limit} are allowed")
        x_masks, z_masks, coefficients = self.masks(n)
        columns = np.arange(1 << n, dtype=np.uint64)
        result = np.zeros((1 << n, 1 << n), dtype=np.complex128)
        for x, z, coefficient in zip(x_masks, z_masks, coefficients, strict=True):
            signs = 1 - 2 * (_popcount(columns & z) & 1)
            result[columns ^ x, columns] += coefficient * 1j ** (int(x) & int(z)).bit_count() * signs
        return result

    def __len__(self) -> int:
        return self.num_terms

    def __iter__(self) -> Iterator[PauliTerm]:
        """Yield (letters, qubits, coefficient), qubits ascending and letters I left out."""
        for x, z, coefficient in zip(self._x.tolist(), self._z.tolist(), self._coefficients.tolist(), strict=True):
            yield *_letters(x, z), coefficient

    @overload
    def __getitem__(self, index: int) -> PauliTerm: ...
    @overload
    def __getitem__(self, index: slice) -> PauliSum: ...
    def __getitem__(self, index: int | slice) -> PauliTerm | PauliSum:
        if isinstance(index, slice):
            return self._part(index)
        try:
            return *_letters(int(self._x[index]), int(self._z[index])), complex(self._coefficients[index])
        except IndexError:
            raise IndexError(f"the Pauli sum has {self.num_terms} terms; there is no term {index}") from None

    def _part(self, rows: slice | Sequence[int]) -> PauliSum:
        x, z, c = self._x[rows].copy(), self._z[rows].copy(), self._coefficients[rows].copy()
        return PauliSum._from_masks(x, z, c, self._num_qubits)

    def to_dict(self) -> dict[str, complex]:
        """Return labels (rightmost letter for qubit 0) and coefficients, like terms merged."""
        result = {}
        merged = self.simplify(0.0)
        for x, z, coefficient in zip(
            merged._x.tolist(), merged._z.tolist(), merged._coefficients.tolist(), strict=True
        ):
            label = "".join(_LETTERS[(x >> q & 1) + 2 * (z >> q & 1)] for q in range(self._num_qubits - 1, -1, -1))
            result[label] = coefficient
        return result

    # -------------------------------------------------------------------------------------------------------- algebra

    def simplify(self, tolerance: float | None = None) -> PauliSum:
        """Merge like terms, in order of their first occurrence, and drop those that cancel.

        Parameters
        ----------
        tolerance : float, optional
            Terms with abs(coefficient) <= tolerance are dropped. By default those whose sum is the rounding error of
            its addends, 1e-15 of their absolute values: a small term that stands alone stays.
        """
        if not self.num_terms:
            return self
        pairs = np.stack([self._x, self._z], axis=1)
        _, first, place = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        place = place.ravel()
        sums = np.zeros(len(first), dtype=np.complex128)
        np.add.at(sums, place, self._coefficients)
        if tolerance is None:
            sizes = np.zeros(len(first))
            np.add.at(sizes, place, np.abs(self._coefficients))
            is_kept = np.abs(sums) > 1e-15 * sizes
        elif not 0 <= tolerance < math.inf:
            raise ObservableError(f"simplify: the tolerance {tolerance!r} is no number from 0")
        else:
            is_kept = np.abs(sums) > tolerance
        order = np.argsort(first)
        order = order[is_kept[order]]
        kept = first[order]
        return PauliSum._from_masks(self._x[kept], self._z[kept], sums[order], self._num_qubits)

    def adjoint(self) -> PauliSum:
        """Return the adjoint: the coefficients conjugated."""
        return PauliSum._from_masks(self._x, self._z, self._coefficients.conj(), self._num_qubits)

    def group_commuting(self, *, qubit_wise: bool = True) -> list[PauliSum]:
        """Split into groups of terms that commute.

        Parameters
        ----------
        qubit_wise : bool, default True
            True: they commute qubit by qubit, so that one basis change measures a whole group. False: they commute as
            operators, which makes fewer groups.

        Returns
        -------
        list of PauliSum
            Each term in exactly one group, like terms not merged; see `commuting_terms`.
        """
        return [self._part(rows) for rows in self.commuting_terms(qubit_wise=qubit_wise)]

    def commuting_terms(self, *, qubit_wise: bool = True) -> list[list[int]]:
        """Return the numbers of the terms of each group of `group_commuting`, ascending.

        Notes
        -----
        Greedy: terms go, largest abs(coefficient) first, into the first group that they fit, which keeps the heavy ones
        together (Crawford et al. 2021, doi:10.22331/q-2021-01-20-385). Time: the square of the number of terms without
        `qubit_wise` (1 s for 20 000), else terms times groups.
        """
        order = np.argsort(-np.abs(self._coefficients), kind="stable")
        groups = qubit_wise_groups if qubit_wise else commuting_groups
        group_of = groups(self._x[order], self._z[order])
        members: list[list[int]] = [[] for _ in range(max(group_of, default=-1) + 1)]
        for term, group in zip(order.tolist(), group_of, strict=True):
            members[group].append(term)
        return [sorted(group) for group in members]

    def measurement_basis(self) -> dict[int, str]:
        """Return the letter to measure for each qubit that some term acts on.

        Raises
        ------
        ObservableError
            Two terms want different letters on one qubit; :meth:`group_commuting` splits such a sum.
        """
        basis: dict[int, str] = {}
        for index, (letters, qubits, _) in enumerate(self):
            for letter, qubit in zip(letters, qubits, strict=True):
                if basis.setdefault(qubit, letter) != letter:
                    raise ObservableError(
                        f"term {index} needs {letter} on qubit {qubit}, an earlier one {basis[qubit]}; "
                        "split the observable with group_commuting()"
                    )
        return dict(sorted(basis.items()))

    def __add__(self, other: PauliSum | complex) -> PauliSum:
        """Add another sum, or a number as a multiple of the identity."""
        added = _as_sum(other)
        if added is None:
            return NotImplemented
        return PauliSum._from_masks(
            np.concatenate([self._x, added._x]),
            np.concatenate([self._z, added._z]),
            np.concatenate([self._coefficients, added._coefficients]),
            max(self._num_qubits, added._num_qubits),
        )

    def __radd__(self, other: complex) -> PauliSum:
        # sum() starts at 0, which should leave no term behind.
        return self if as_index(other) == 0 else self + other

    def __sub__(self, other: PauliSum | complex) -> PauliSum:
        subtracted = _as_sum(other)
        return NotImplemented if subtracted is None else self + -subtracted

    def __rsub__(self, other: complex) -> PauliSum:
        return -self + other

    def __neg__(self) -> PauliSum:
        return PauliSum._from_masks(self._x, self._z, -self._coefficients, self._num_qubits)

    def __mul__(self, other: PauliSum | complex) -> PauliSum:
        """Multiply by a number, or by another sum (as operators: the other is applied first)."""
        if isinstance(other, PauliSum):
            return self._product(other)
        if not _is_number(other):
            return NotImplemented
        factor = _coefficient(other, "a factor of a Pauli sum")
        return PauliSum._from_masks(self._x, self._z, self._coefficients * factor, self._num_qubits)

    __rmul__ = __mul__  # a number commutes with the sum
    __matmul__ = __mul__

    def __truediv__(self, other: complex) -> PauliSum:
        if not _is_number(other):
            return NotImplemented
        divisor = _coefficient(other, "a divisor of a Pauli sum")
        if divisor == 0:
            raise ObservableError("a Pauli sum cannot be divided by zero")
        return self * (1 / divisor)

    def _product(self, other: PauliSum) -> PauliSum:
        # i^a X^x Z^z times i^b X^u Z^w = i^(a+b) (-1)^|z & u| X^(x^u) Z^(z^w), whose own factor is i^|x^u & z^w|.
        x = (self._x[:, None] ^ other._x).ravel()
        z = (self._z[:, None] ^ other._z).ravel()
        own_powers = _popcount(self._x & self._z)[:, None] + _popcount(other._x & other._z)
        exchanged = _popcount((self._z[:, None] & other._x).ravel())
        power = own_powers.ravel() + 2 * exchanged - _popcount(x & z)
        coefficients = (self._coefficients[:, None] * other._coefficients).ravel() * _POWERS_OF_I[power % 4]
        return PauliSum._from_masks(x, z, coefficients, max(self._num_qubits, other._num_qubits)).simplify()

    def __eq__(self, other: object) -> bool:
        """Whether the like terms of both, merged, have equal coefficients."""
        if not isinstance(other, PauliSum):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> frozenset[tuple[int, int, complex]]:
        merged = self.simplify(0.0)
        return frozenset(zip(merged._x.tolist(), merged._z.tolist(), merged._coefficients.tolist(), strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return PauliSum._from_masks, (self._x, self._z, self._coefficients, self._num_qubits)

    def __str__(self) -> str:
        if not self.num_terms:
            return "0"
        text = ""
        for letters, qubits, coefficient in self[:20]:
            string = " ".join(f"{letter}{qubit}" for letter, qubit in zip(letters, qubits, strict=True)) or "I"
            number = _number_text(coefficient)
            sign = "-" if number.startswith("-") else "+"
            number = number.removeprefix("-")
            text += f" {sign} {number} {string}"
        text = text[3:] if text.startswith(" + ") else "-" + text[3:]
        return text if self.num_terms <= 20 else f"{text} + ... ({self.num_terms} terms)"

    def __repr__(self) -> str:
        if self.num_terms > 20:
            return f"<PauliSum: {self.num_terms} terms on {self._num_qubits} qubits>"
        terms = ", ".join(f"({letters!r}, {qubits}, {_number_text(c)})" for letters, qubits, c in self)
        return f"PauliSum([{terms}], num_qubits={self._num_qubits})"


def _labels_and_weights(labels: Any, coefficients: Any) -> tuple[list[str], list[Any]]:
    """Return labels and their coefficients, however they were given together."""
    if isinstance(labels, str):
        listed: list[Any] = [labels]
    elif isinstance(labels, Mapping):
        listed = list(labels.items())
    elif isinstance(labels, Iterable) and not isinstance(labels, (bytes, PauliSum)):
        listed = list(labels)
    else:
        raise ObservableError(f"labels are strings with one letter for every qubit, {labels!r} given")
    names: list[str] = []
    weights: list[Any] = []
    for place, entry in enumerate(listed):
        is_pair = isinstance(entry, (tuple, list)) and len(entry) == 2
        name = entry[0] if is_pair else entry
        if not isinstance(name, str) or is_pair is not isinstance(listed[0], (tuple, list)):
            raise ObservableError(f"label {place} is {entry!r}; a string is needed, or (label, coefficient) everywhere")
        names.append(name)
        if is_pair:
            weights.append(entry[1])
    if coefficients is None:
        return names, weights or [1.0] * len(names)
    if weights:
        raise ObservableError("the labels bring their coefficients; leave 'coefficients' out")
    if isinstance(coefficients, str) or has_no_order(coefficients) or not isinstance(coefficients, Iterable):
        raise ObservableError(f"coefficients are a list with one for each label, {coefficients!r} given")
    weights = list(coefficients)
    if len(weights) != len(names):
        raise ObservableError(f"{len(names)} labels and {len(weights)} coefficients given")
    return names, weights


def _term_parts(term: object, place: str) -> Sequence[Any]:
    if isinstance(term, str) or not isinstance(term, Sequence) or len(term) not in (2, 3):
        raise ObservableError(f"{place}: (letters, qubits, coefficient) is needed, {term!r} given")
    if isinstance(term[1], numbers.Number) and as_index(term[1]) is None:
        raise ObservableError(
            f"{place}: {term[1]!r} is given where the qubits stand; (letters, qubits, coefficient) is needed, or "
            "PauliSum.from_labels([(label, coefficient)]) for labels with a letter for every qubit"
        )
    return term


def _term_masks(letters: object, qubits: object, place: str) -> tuple[int, int]:
    if not isinstance(letters, str):
        raise ObservableError(f"{place}: the letters are a string of I, X, Y and Z, {letters!r} given")
    places = as_tuple(qubits)
    if len(places) != len(letters):
        raise ObservableError(f"{place}: {len(letters)} letters and {len(places)} qubits given")
    x = z = seen = 0
    for letter, given in zip(letters, places, strict=True):
        if letter not in _X_OF:
            raise ObservableError(f"{place}: {letter!r} is not a Pauli letter; I, X, Y and Z are")
        qubit = as_index(given)
        if qubit is None or not 0 <= qubit < _MAX_QUBITS:
            raise ObservableError(f"{place}: {given!r} is not a qubit; integers from 0 to {_MAX_QUBITS - 1} are")
        bit = 1 << qubit
        if seen & bit:
            raise ObservableError(f"{place}: qubit {qubit} is named twice; multiply two Pauli sums instead")
        seen |= bit
        x |= bit * _X_OF[letter]
        z |= bit * _Z_OF[letter]
    return x, z


def _coefficient(value: Any, place: str) -> complex:
    try:
        if isinstance(value, str):
            raise TypeError
        number = complex(value)
    except (TypeError, ValueError):
        raise ObservableError(f"{place}: the coefficient {value!r} is not a number") from None
    if not cmath.isfinite(number):
        raise ObservableError(f"{place}: the coefficient {number} is not finite")
    return number


def _is_number(value: object) -> bool:
    """Whether something is a number; numpy's scalars are registered as such."""
    return isinstance(value, numbers.Number)


def _as_sum(value: PauliSum | complex) -> PauliSum | None:
    """A number as a multiple of the identity; None for what is neither."""
    if isinstance(value, PauliSum):
        return value
    return PauliSum([("", [], value)]) if _is_number(value) else None


def _letters(x: int, z: int) -> tuple[str, list[int]]:
    qubits = [q for q in range((x | z).bit_length()) if (x | z) >> q & 1]
    return "".join(_LETTERS[(x >> q & 1) + 2 * (z >> q & 1)] for q in qubits), qubits


def _popcount(words: UIntArray) -> NDArray[np.int64]:
    """Ones in each 64-bit word of a one-dimensional array."""
    in_bytes = np.ascontiguousarray(words, dtype=np.uint64).view(np.uint8).reshape(-1, 8)
    counts: NDArray[np.int64] = _BYTE_POPCOUNT[in_bytes].sum(axis=1)
    return counts


def _number_text(value: complex) -> str:
    return repr(value.real) if value.imag == 0 else repr(value)

"""One channel: its operators, what is known about them, and what can be made of it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from qfast._typing import ComplexArray
from qfast.circuit.checks import as_index, as_tuple
from qfast.errors import InputError

__all__ = ["MAX_CHANNEL_QUBITS", "Channel", "checked_probability", "checked_qubits", "pauli_label", "pauli_matrix"]

MAX_CHANNEL_QUBITS = 4
"""The widest channel: 256 Kraus operators of 16 x 16."""

_TOLERANCE = 1e-8  # how far a sum of probabilities or of K†K may be from 1
_NEGLIGIBLE = 1e-14  # a Kraus operator of this squared norm is rounding

_LETTERS = {
    "I": np.array([[1, 0], [0, 1]], dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}


@dataclass(frozen=True, eq=False)
class Channel:
    """A completely positive trace-preserving map on a few qubits. Made by the functions of `qfast.channels`.

    Attributes
    ----------
    name : str
        Where it came from.
    num_qubits : int
    operators : tuple of ndarray, complex128, shape (2**k, 2**k)
        Unitary where `probabilities` is given, Kraus operators otherwise. The first qubit is the least significant bit.
    probabilities : tuple of float, or None
        Of the operators: the channel is a mixture of unitaries, drawn without looking at the state.
    labels : tuple of str, or None
        The operators as Pauli strings, letter j on qubit j. The identity comes first.

    Notes
    -----
    Immutable and picklable. Two channels are equal if they are the same map to 1e-8.
    """

    name: str
    num_qubits: int
    operators: tuple[ComplexArray, ...]
    probabilities: tuple[float, ...] | None = None
    labels: tuple[str, ...] | None = None

    # --- making one ---------------------------------------------------------------------------------------------------

    @classmethod
    def of_paulis(cls, name: str, probabilities: Mapping[str, float]) -> Self:
        """Make a Pauli channel; every probability in [0, 1], sum 1, strings of one length."""
        _check_sum(name, probabilities.values())
        num_qubits = len(next(iter(probabilities)))
        identity = "I" * num_qubits
        ordered = {identity: probabilities.get(identity, 0.0)}
        ordered.update((label, p) for label, p in probabilities.items() if p > 0 and label != identity)
        matrices = tuple(pauli_matrix(label) for label in ordered)
        return cls(name, num_qubits, matrices, tuple(ordered.values()), tuple(ordered))

    @classmethod
    def of_mixture(cls, name: str, probabilities: Sequence[float], matrices: Sequence[ArrayLike]) -> Self:
        """Make a mixture of unitaries, and a Pauli channel if all of them are Pauli strings up to a phase."""
        if not probabilities or len(probabilities) != len(matrices):
            raise InputError(f"{name}: {len(probabilities)} probabilities given for {len(matrices)} matrices")
        checked = [checked_probability(p, f"{name}: probability {k}") for k, p in enumerate(probabilities)]
        _check_sum(name, checked)
        unitaries = _checked_operators(name, matrices)
        for place, matrix in enumerate(unitaries):
            error = np.abs(matrix.conj().T @ matrix - np.eye(len(matrix))).max()
            if error > _TOLERANCE:
                raise InputError(
                    f"{name}: matrix {place} is not unitary: an entry of U†U differs from the identity by {error:.3g}, "
                    f"{_TOLERANCE:g} is allowed"
                )
        kept = [(p, matrix) for p, matrix in zip(checked, unitaries, strict=True) if p > 0]
        num_qubits = len(unitaries[0]).bit_length() - 1
        labels = [pauli_label(matrix) for _, matrix in kept]
        if all(label is not None for label in labels):
            merged: dict[str, float] = {}
            for label, (p, _) in zip(labels, kept, strict=True):
                merged[str(label)] = merged.get(str(label), 0.0) + p
            return cls.of_paulis(name, merged)
        return cls(name, num_qubits, tuple(matrix for _, matrix in kept), tuple(p for p, _ in kept))

    @classmethod
    def of_kraus(cls, name: str, operators: Iterable[ArrayLike]) -> Self:
        """Make a channel of Kraus operators, and a mixture of unitaries if each is a multiple of one."""
        matrices = _checked_operators(name, list(operators))
        dim = len(matrices[0])
        difference = np.abs(sum(k.conj().T @ k for k in matrices) - np.eye(dim))
        row, column = np.unravel_index(int(difference.argmax()), difference.shape)
        if difference[row, column] > _TOLERANCE:
            raise InputError(
                f"{name}: the Kraus operators do not preserve the trace: the sum of K†K differs from the identity by "
                f"{difference[row, column]:.3g} at ({row}, {column}), {_TOLERANCE:g} is allowed; scale them, or add "
                "the operator that is missing"
            )
        matrices = [k for k in matrices if np.linalg.norm(k) ** 2 > _NEGLIGIBLE]
        weights = [float(np.linalg.norm(k) ** 2) / dim for k in matrices]
        unitaries = [k / math.sqrt(w) for k, w in zip(matrices, weights, strict=True)]
        if all(np.abs(u.conj().T @ u - np.eye(dim)).max() < _TOLERANCE for u in unitaries):
            total = math.fsum(weights)  # 1 but for what the tolerance allowed
            return cls.of_mixture(name, [w / total for w in weights], unitaries)
        return cls(name, dim.bit_length() - 1, tuple(matrices))

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def is_mixture(self) -> bool:
        """Whether it is a mixture of unitaries, whose probabilities do not depend on the state."""
        return self.probabilities is not None

    @property
    def is_pauli(self) -> bool:
        """Whether it is a mixture of Pauli strings."""
        return self.labels is not None

    @property
    def is_identity(self) -> bool:
        """Whether it does nothing."""
        return self.labels is not None and len(self.labels) == 1 and self.labels[0] == "I" * self.num_qubits

    def kraus(self) -> tuple[ComplexArray, ...]:
        """Return Kraus operators, complex128 of shape (2**k, 2**k); the sum of K†K is the identity."""
        if self.probabilities is None:
            return self.operators
        pairs = zip(self.probabilities, self.operators, strict=True)
        return tuple(math.sqrt(p) * matrix for p, matrix in pairs if p > 0)

    @functools.cached_property
    def superoperator(self) -> ComplexArray:
        """The map of density matrices, complex128 of shape (4**k, 4**k).

        Entry (i + 2**k i', j + 2**k j') takes rho[j, j'] to rho[i, i']: rows of the result are ket bits first.
        """
        found = np.zeros((4**self.num_qubits,) * 2, dtype=np.complex128)
        for operator in self.kraus():
            found += np.kron(operator.conj(), operator)
        found.flags.writeable = False
        return found

    def average_gate_fidelity(self) -> float:
        """Return the fidelity with the identity, averaged over all pure states (Nielsen 2002, quant-ph/0205035)."""
        dim = 2**self.num_qubits
        process = sum(abs(np.trace(operator)) ** 2 for operator in self.kraus()) / dim**2
        return float((dim * process + 1) / (dim + 1))

    # --- making another of it -----------------------------------------------------------------------------------------

    def named(self, name: str) -> Channel:
        """Return the same map under another name."""
        return replace(self, name=name)

    def then(self, later: Channel) -> Channel:
        """Return this channel followed by another on the same qubits."""
        if later.num_qubits != self.num_qubits:
            raise InputError(
                f"channel {self.name!r} acts on {self.num_qubits} qubits, {later.name!r} on {later.num_qubits}: "
                "one can follow the other only on equal numbers"
            )
        return self._product(later, f"{self.name} then {later.name}", lambda first, second: second @ first)

    def tensor(self, other: Channel) -> Channel:
        """Return both side by side: this one's qubits first."""
        if self.num_qubits + other.num_qubits > MAX_CHANNEL_QUBITS:
            raise InputError(
                f"channels {self.name!r} and {other.name!r} act on {self.num_qubits + other.num_qubits} qubits "
                f"together; {MAX_CHANNEL_QUBITS} are allowed"
            )
        return self._product(other, f"{self.name} and {other.name}", lambda low, high: np.kron(high, low))

    def _product(self, other: Channel, name: str, combine: Any) -> Channel:
        if self.probabilities is not None and other.probabilities is not None:
            pairs = itertools.product(
                zip(self.probabilities, self.operators, strict=True),
                zip(other.probabilities, other.operators, strict=True),
            )
            terms = [(p * q, combine(a, b)) for (p, a), (q, b) in pairs if p * q > 0]
            return Channel.of_mixture(name, [p for p, _ in terms], [matrix for _, matrix in terms])
        found = [combine(a, b) for a in self.kraus() for b in other.kraus()]
        return Channel.of_kraus(name, _fewest_kraus(found))

    def twirled(self) -> Channel:
        """Return the Pauli channel that averaging over Pauli frames turns this one into.

        Its probabilities are the diagonal of the process matrix: an approximation of this channel that needs no state
        to be drawn (Wallman and Emerson 2016, doi:10.1103/PhysRevA.94.052325).
        """
        dim = 2**self.num_qubits
        labels = ["".join(letters) for letters in itertools.product("IXYZ", repeat=self.num_qubits)]
        weights = {
            label: float(sum(abs(np.trace(pauli_matrix(label) @ k)) ** 2 for k in self.kraus())) / dim**2
            for label in labels
        }
        total = math.fsum(weights.values())
        return Channel.of_paulis(f"{self.name} (twirled)", {label: w / total for label, w in weights.items()})

    # --- plain data ---------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON: Pauli strings with probabilities, or matrices as [real, imaginary]."""
        data: dict[str, Any] = {"name": self.name, "num_qubits": self.num_qubits}
        if self.probabilities is not None and self.labels is not None:
            data["paulis"] = dict(zip(self.labels, self.probabilities, strict=True))
            return data
        if self.probabilities is not None:
            data["probabilities"] = list(self.probabilities)
        data["operators"] = [[matrix.real.tolist(), matrix.imag.tolist()] for matrix in self.operators]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Channel:
        """Make a channel of what `to_dict` returned; everything is checked again."""
        try:
            name = str(data["name"])
            if "paulis" in data:
                given = {
                    str(label): checked_probability(p, f"{name}: the probability of {label!r}")
                    for label, p in data["paulis"].items()
                }
                if any(set(label) - set("IXYZ") or len(label) != int(data["num_qubits"]) for label in given):
                    raise InputError(
                        f"{name}: the Pauli strings {sorted(given)} do not fit {data['num_qubits']} qubits"
                    )
                return cls.of_paulis(name, given)
            matrices = [np.array(real) + 1j * np.array(imaginary) for real, imaginary in data["operators"]]
            if "probabilities" in data:
                return cls.of_mixture(name, data["probabilities"], matrices)
            return cls.of_kraus(name, matrices)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"a channel's data lack or misplace {error}; Channel.to_dict writes what is read"
            ) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Channel):
            return NotImplemented
        if other.num_qubits != self.num_qubits:
            return False
        return bool(np.allclose(self.superoperator, other.superoperator, rtol=0, atol=_TOLERANCE))

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "superoperator"}

    def __repr__(self) -> str:
        kind = "Pauli" if self.is_pauli else "mixed unitary" if self.is_mixture else "Kraus"
        return f"<Channel {self.name!r}: {self.num_qubits} qubits, {kind}, {len(self.operators)} operators>"


def checked_probability(value: object, place: str) -> float:
    """Return a probability as float, or refuse it."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{place} is {value!r}; a number in [0, 1] is needed") from None
    if not 0 <= number <= 1:
        raise InputError(f"{place} is {number!r}, which is outside [0, 1]")
    return number


@functools.cache
def pauli_matrix(label: str) -> ComplexArray:
    """Return the matrix of a Pauli string, letter 0 on the least significant bit; read-only."""
    matrix: ComplexArray = np.ones((1, 1), dtype=np.complex128)
    for letter in label:
        matrix = np.kron(_LETTERS[letter], matrix).astype(np.complex128)
    matrix.flags.writeable = False
    return matrix


def _check_sum(name: str, probabilities: Iterable[float]) -> None:
    total = math.fsum(probabilities)
    if abs(total - 1) > _TOLERANCE:
        raise InputError(f"{name}: the probabilities add up to {total:.12g}, which differs from 1 by {total - 1:.3g}")


def _checked_operators(name: str, operators: Sequence[ArrayLike]) -> list[ComplexArray]:
    """Copy matrices of one shape (2**k, 2**k), refusing everything else."""
    if not operators:
        raise InputError(f"{name}: at least one operator is needed")
    found: list[ComplexArray] = []
    for place, given in enumerate(operators):
        try:
            matrix: ComplexArray = np.array(given, dtype=np.complex128)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: operator {place} is no matrix of numbers ({error})") from None
        dim = matrix.shape[0] if matrix.ndim == 2 else 0
        if matrix.ndim != 2 or matrix.shape != (dim, dim) or dim < 2 or dim & (dim - 1):
            raise InputError(f"{name}: operator {place} has shape {matrix.shape}; (2**k, 2**k) is needed")
        if dim > 1 << MAX_CHANNEL_QUBITS:
            raise InputError(
                f"{name}: operator {place} acts on {dim.bit_length() - 1} qubits; {MAX_CHANNEL_QUBITS} are allowed"
            )
        if matrix.shape != (found or [matrix])[0].shape:
            raise InputError(f"{name}: operator {place} has shape {matrix.shape}, operator 0 {found[0].shape}")
        if not np.isfinite(matrix).all():
            raise InputError(f"{name}: operator {place} holds a number that is not finite")
        matrix.flags.writeable = False
        found.append(matrix)
    return found


def pauli_label(matrix: ComplexArray) -> str | None:
    """Return the Pauli string that a unitary is up to a phase, or None.

    A Pauli string has one entry in each column: row 0's place tells the X part, the signs along it the Z part.
    """
    dim = len(matrix)
    num_qubits = dim.bit_length() - 1
    x_mask = int(np.abs(matrix[:, 0]).argmax())
    phase = matrix[x_mask, 0]
    if abs(abs(phase) - 1) > _TOLERANCE:
        return None
    z_mask = 0
    for qubit in range(num_qubits):
        if (matrix[x_mask ^ (1 << qubit), 1 << qubit] / phase).real < 0:
            z_mask |= 1 << qubit
    label = "".join("IXZY"[(x_mask >> q & 1) | (z_mask >> q & 1) << 1] for q in range(num_qubits))
    wanted = pauli_matrix(label)
    turn = phase / wanted[x_mask, 0]
    return label if np.abs(matrix - turn * wanted).max() < _TOLERANCE else None


def _fewest_kraus(operators: Sequence[ComplexArray]) -> list[ComplexArray]:
    """Return an equal set of at most 4**k Kraus operators: the eigenvectors of the Choi matrix."""
    dim = len(operators[0])
    if len(operators) <= dim:
        return list(operators)
    columns = np.array([operator.reshape(-1) for operator in operators]).T
    values, vectors = np.linalg.eigh(columns @ columns.conj().T)
    kept = np.flatnonzero(values > _NEGLIGIBLE).tolist()
    return [np.asarray(math.sqrt(values[k]) * vectors[:, k].reshape(dim, dim), dtype=np.complex128) for k in kept]


def checked_qubits(qubits: Iterable[int] | int, place: str) -> tuple[int, ...]:
    """Return qubit numbers as a tuple: not negative, none twice."""
    listed = as_tuple(qubits)
    found: list[int] = []
    for qubit in listed:
        number = as_index(qubit)
        if number is None or number < 0:
            raise InputError(f"{place}: {qubit!r} is no qubit number")
        if number in found:
            raise InputError(f"{place}: qubit {number} is named twice")
        found.append(number)
    return tuple(found)

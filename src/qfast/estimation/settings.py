"""Measurement settings: which terms of an observable one basis change measures together, and that basis change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.circuit import Circuit, PauliSum
from qfast.circuit.commuting import odd_parity
from qfast.circuit.shot_plan import Segment
from qfast.errors import ObservableError, ShotPlanError

__all__ = ["Grouping", "Setting", "group_settings", "parity_signs", "segment_setting"]

Grouping: TypeAlias = Literal["qubit_wise", "general"]
Gate: TypeAlias = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """One way to measure: a basis change, the qubits that are read after it, and the terms that this measures.

    Attributes
    ----------
    basis : str
        One letter of XYZ per measured qubit; empty for a Clifford basis.
    qubits : tuple of int
        The measured qubits, ascending; ``qubits[j]`` is bit j of an outcome.
    gates : tuple of (name, qubits)
        The basis change, applied before Z is measured.
    terms : ndarray of int64, shape (t,)
        The terms of the observable that it measures.
    masks : ndarray of uint64, shape (t,)
        The bits of an outcome whose parity gives the sign of a term.
    coefficients : ndarray of float64, shape (t,)
    signs : ndarray of float64, shape (t,)
        ±1: what the parity has to be multiplied by, because the basis change turned P into -Z…Z.
    """

    basis: str
    qubits: tuple[int, ...]
    gates: tuple[Gate, ...]
    terms: IntArray
    masks: UIntArray
    coefficients: FloatArray
    signs: FloatArray

    @property
    def label(self) -> str:
        """What is measured: ``"X0 Z2"``, or ``"clifford 0 2"`` where no letters describe the basis."""
        if not self.basis:
            return "clifford " + " ".join(map(str, self.qubits))
        return " ".join(f"{letter}{qubit}" for letter, qubit in zip(self.basis, self.qubits, strict=True))

    @property
    def mixed_variance(self) -> float:
        """Variance of a shot's value on the maximally mixed state, Σ c²: there the terms are independent coins."""
        return float(np.square(self.coefficients).sum())

    @property
    def largest_value(self) -> float:
        """Σ |c|: a shot's value, and so its standard deviation, is never above it."""
        return float(np.abs(self.coefficients).sum())

    def rotation(self, num_qubits: int) -> Circuit | None:
        """Return the basis change as a circuit; None where Z is measured as it is."""
        if not self.gates:
            return None
        circuit = Circuit(num_qubits)
        for name, qubits in self.gates:
            circuit.append(name, qubits)
        return circuit

    def diagonal(self) -> PauliSum:
        """Return what is measured after the basis change: the terms as strings of Z."""
        terms = []
        for mask, weight in zip(self.masks.tolist(), (self.coefficients * self.signs).tolist(), strict=True):
            qubits = [qubit for place, qubit in enumerate(self.qubits) if mask >> place & 1]
            terms.append(("Z" * len(qubits), qubits, weight))
        return PauliSum(terms)

    def values(self, outcomes: UIntArray) -> FloatArray:
        """Return Σ coefficient · (±1) over the terms for each outcome, float64 of shape (k,)."""
        total = np.zeros(outcomes.size, dtype=np.float64)
        for mask, weight in zip(self.masks, (self.coefficients * self.signs).tolist(), strict=True):
            total += weight * parity_signs(outcomes & mask)
        return total


def parity_signs(words: UIntArray) -> FloatArray:
    """Return +1 for each word with an even number of ones, -1 for the others."""
    signs: FloatArray = 1.0 - 2.0 * odd_parity(words).astype(np.float64)
    return signs


def segment_setting(segment: Segment) -> Setting:
    """Return the setting of a segment by itself: it measures the Pauli string of its letters."""
    mask = np.array([(1 << len(segment.qubits)) - 1], dtype=np.uint64)
    gates = _letter_gates(segment.basis_map)
    term = np.zeros(1, dtype=np.int64)
    return Setting(segment.basis, segment.qubits, gates, term, mask, np.ones(1), np.ones(1))


def group_settings(observable: PauliSum, grouping: Grouping) -> tuple[list[Setting], float]:
    """Divide the terms of an observable among as few settings as a greedy search finds.

    Parameters
    ----------
    observable : PauliSum
        Hermitian; like terms are merged.
    grouping : {"qubit_wise", "general"}
        ``"qubit_wise"``: terms that commute qubit by qubit, measured after one gate layer. ``"general"``: terms that
        commute, measured after a Clifford circuit; fewer settings for deeper basis changes.

    Returns
    -------
    settings : list of Setting
        Each term in exactly one, the heaviest settings first.
    constant : float
        The coefficient of the identity, which needs no shot.

    Raises
    ------
    ObservableError
        Not Hermitian.
    ShotPlanError
        An unknown grouping.
    """
    if grouping not in ("qubit_wise", "general"):
        raise ShotPlanError(f"grouping {grouping!r} is unknown; allowed: 'qubit_wise', 'general'")
    if not observable.is_hermitian:
        raise ObservableError(f"the observable {observable} is not Hermitian; its coefficients must be real")
    observable = observable.simplify()
    x, z, coefficients = observable.masks()
    weights = coefficients.real
    is_identity = (x | z) == 0
    make = _qubit_wise_setting if grouping == "qubit_wise" else _general_setting
    groups = observable.commuting_terms(qubit_wise=grouping == "qubit_wise")
    kept = [np.array([term for term in group if not is_identity[term]], dtype=np.int64) for group in groups]
    return [make(x, z, weights, group) for group in kept if group.size], float(weights[is_identity].sum())


# --- basis changes ----------------------------------------------------------------------------------------------------
def _letter_gates(basis_map: dict[int, str]) -> tuple[Gate, ...]:
    """H takes X to Z; S† then H takes Y to Z."""
    gates: list[Gate] = []
    for qubit, letter in basis_map.items():
        if letter == "Y":
            gates.append(("sdg", (qubit,)))
        if letter in "XY":
            gates.append(("h", (qubit,)))
    return tuple(gates)


def _qubit_wise_setting(x: UIntArray, z: UIntArray, weights: FloatArray, group: IntArray) -> Setting:
    all_x, all_z = int(np.bitwise_or.reduce(x[group])), int(np.bitwise_or.reduce(z[group]))
    qubits = _bits(all_x | all_z)
    letters = {qubit: "IXZY"[(all_x >> qubit & 1) + 2 * (all_z >> qubit & 1)] for qubit in qubits}
    masks = _local(x[group] | z[group], qubits)
    basis = "".join(letters.values())
    return Setting(
        basis, tuple(qubits), _letter_gates(letters), group, masks, weights[group].copy(), np.ones(group.size)
    )


def _general_setting(x: UIntArray, z: UIntArray, weights: FloatArray, group: IntArray) -> Setting:
    rotated = _Conjugated(x[group].tolist(), z[group].tolist())
    free = sorted({*rotated.x, *rotated.z})  # without those where a term so far has become a lone Z:
    while (term := rotated.lowest_with_x(free)) is not None:  # whatever commutes with it has I or Z there
        support = [qubit for qubit in free if (rotated.x[qubit] | rotated.z[qubit]) >> term & 1]
        for qubit in support:
            if rotated.x[qubit] >> term & 1:
                if rotated.z[qubit] >> term & 1:
                    rotated.sdg(qubit)
                rotated.h(qubit)
        pivot = support[0]
        for qubit in support[1:]:
            rotated.cx(qubit, pivot)
        free.remove(pivot)
    qubits = [qubit for qubit, column in sorted(rotated.z.items()) if column]
    masks = np.zeros(group.size, dtype=np.uint64)
    for place, qubit in enumerate(qubits):
        masks[_bits(rotated.z[qubit])] |= np.uint64(1 << place)
    signs = np.ones(group.size)
    signs[_bits(rotated.signs)] = -1.0
    return Setting("", tuple(qubits), tuple(rotated.gates), group, masks, weights[group].copy(), signs)


class _Conjugated:
    """Pauli strings under a growing Clifford circuit U: what U P U† is, with its sign.

    A string is (-1)^sign · i^|x & z| X^x Z^z. For each qubit one number holds the bits of all strings, bit t for string
    t, so that a gate is a handful of operations (Aaronson and Gottesman, doi:10.1103/PhysRevA.70.052328).
    """

    def __init__(self, x: list[int], z: list[int]) -> None:
        qubits = sorted({qubit for words in zip(x, z, strict=True) for qubit in _bits(words[0] | words[1])})
        self.x = {qubit: sum((word >> qubit & 1) << term for term, word in enumerate(x)) for qubit in qubits}
        self.z = {qubit: sum((word >> qubit & 1) << term for term, word in enumerate(z)) for qubit in qubits}
        self.signs = 0
        self.gates: list[Gate] = []

    def lowest_with_x(self, qubits: Sequence[int]) -> int | None:
        """Return the first string that has X or Y on any of some qubits."""
        having = 0
        for qubit in qubits:
            having |= self.x[qubit]
        return (having & -having).bit_length() - 1 if having else None

    def h(self, qubit: int) -> None:
        """X ↔ Z, Y → -Y."""
        self.signs ^= self.x[qubit] & self.z[qubit]
        self.x[qubit], self.z[qubit] = self.z[qubit], self.x[qubit]
        self.gates.append(("h", (qubit,)))

    def sdg(self, qubit: int) -> None:
        """X → -Y, Y → X."""
        self.signs ^= self.x[qubit] & ~self.z[qubit]
        self.z[qubit] ^= self.x[qubit]
        self.gates.append(("sdg", (qubit,)))

    def cx(self, control: int, target: int) -> None:
        """X on the control spreads to the target, Z on the target to the control."""
        self.signs ^= self.x[control] & self.z[target] & ~(self.x[target] ^ self.z[control])
        self.x[target] ^= self.x[control]
        self.z[control] ^= self.z[target]
        self.gates.append(("cx", (control, target)))


def _bits(word: int) -> list[int]:
    return [qubit for qubit in range(word.bit_length()) if word >> qubit & 1]


def _local(words: UIntArray, qubits: Sequence[int]) -> UIntArray:
    """Move bit ``qubits[j]`` of each word to bit j."""
    moved = np.zeros(words.size, dtype=np.uint64)
    for place, qubit in enumerate(qubits):
        moved |= (words >> np.uint64(qubit) & np.uint64(1)) << np.uint64(place)
    return moved

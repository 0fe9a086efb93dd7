"""Measurement settings: which terms of an observable one basis change measures together, and that basis change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.errors import ObservableError, ShotPlanError

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit
    from qfast.circuit.observable import PauliSum
    from qfast.circuit.shot_plan import Segment

__all__ = ["Grouping", "Setting", "group_settings", "parity_signs", "segment_setting"]

Grouping: TypeAlias = Literal["qubit_wise", "general"]
Gate: TypeAlias = tuple[str, tuple[int, ...]]

_WORD = 2**64 - 1


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

    def rotation(self, num_qubits: int) -> Circuit | None:
        """Return the basis change as a circuit; None where Z is measured as it is."""
        from qfast.circuit.circuit import Circuit  # it imports this package's modules

        if not self.gates:
            return None
        circuit = Circuit(num_qubits)
        for name, qubits in self.gates:
            circuit.append(name, qubits)
        return circuit

    def values(self, outcomes: UIntArray) -> FloatArray:
        """Return Σ coefficient · (±1) over the terms for each outcome, float64 of shape (k,)."""
        total = np.zeros(outcomes.size, dtype=np.float64)
        for mask, weight in zip(self.masks, (self.coefficients * self.signs).tolist(), strict=True):
            total += weight * parity_signs(outcomes & mask)
        return total


def parity_signs(words: UIntArray) -> FloatArray:
    """Return +1 for each word with an even number of ones, -1 for the others."""
    for shift in (32, 16, 8, 4, 2, 1):
        words = words ^ (words >> np.uint64(shift))
    signs: FloatArray = 1.0 - 2.0 * (words & np.uint64(1)).astype(np.float64)
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
    constant = float(weights[is_identity].sum())
    order = np.argsort(-np.abs(weights), kind="stable")
    groups = _greedy(x, z, order[~is_identity[order]], qubit_wise=grouping == "qubit_wise")
    make = _qubit_wise_setting if grouping == "qubit_wise" else _general_setting
    return [make(x, z, weights, np.array(sorted(group))) for group in groups], constant


def _greedy(x: UIntArray, z: UIntArray, order: IntArray, *, qubit_wise: bool) -> list[list[int]]:
    """Put each term into the first group that it fits, largest first (Verteletskyi et al., doi:10.1063/1.5141458)."""
    groups: list[list[int]] = []
    members: list[UIntArray] = []  # (m, 2) masks of each group
    for term in order.tolist():
        pair = np.array([[x[term], z[term]]], dtype=np.uint64)
        place = next((i for i, kept in enumerate(members) if _fits(kept, x[term], z[term], qubit_wise)), len(groups))
        if place == len(groups):
            groups.append([term])
            members.append(pair)
        else:
            groups[place].append(term)
            # Qubit by qubit, one row says all: the letters wanted so far.
            members[place] = members[place] | pair if qubit_wise else np.concatenate([members[place], pair])
    return groups


def _fits(kept: UIntArray, x: np.uint64, z: np.uint64, qubit_wise: bool) -> bool:
    if qubit_wise:
        common = (kept[:, 0] | kept[:, 1]) & (x | z)
        return not (((kept[:, 0] ^ x) | (kept[:, 1] ^ z)) & common).any()
    return bool((parity_signs(kept[:, 0] & z) == parity_signs(kept[:, 1] & x)).all())


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
    rotated = _Conjugated(x[group].copy(), z[group].copy())
    taken = 0  # qubits on which a term so far has become a lone Z: whatever commutes with it has I or Z there
    while (waiting := np.flatnonzero(rotated.x & np.uint64(~taken & _WORD))).size:
        free_x, free_z = int(rotated.x[waiting[0]]) & ~taken, int(rotated.z[waiting[0]]) & ~taken
        support = _bits(free_x | free_z)
        for qubit in support:
            if free_x >> qubit & 1:
                if free_z >> qubit & 1:
                    rotated.sdg(qubit)
                rotated.h(qubit)
        pivot = support[0]
        for qubit in support[1:]:
            rotated.cx(qubit, pivot)
        taken |= 1 << pivot
    qubits = _bits(int(np.bitwise_or.reduce(rotated.z)))
    masks = _local(rotated.z, qubits)
    return Setting("", tuple(qubits), tuple(rotated.gates), group, masks, weights[group].copy(), rotated.signs)


class _Conjugated:
    """Pauli strings under a growing Clifford circuit U: what U P U† is, with its sign.

    A string is sign · i^|x & z| X^x Z^z; all rows at once (Aaronson and Gottesman, doi:10.1103/PhysRevA.70.052328).
    """

    def __init__(self, x: UIntArray, z: UIntArray) -> None:
        self.x = x
        self.z = z
        self.signs: FloatArray = np.ones(x.size)
        self.gates: list[Gate] = []

    def h(self, qubit: int) -> None:
        """X ↔ Z, Y → -Y."""
        self._flip(self._bit(self.x, qubit) & self._bit(self.z, qubit))
        changed = (self._bit(self.x, qubit) ^ self._bit(self.z, qubit)) << np.uint64(qubit)
        self.x, self.z = self.x ^ changed, self.z ^ changed
        self.gates.append(("h", (qubit,)))

    def sdg(self, qubit: int) -> None:
        """X → -Y, Y → X."""
        has_x = self._bit(self.x, qubit)
        self._flip(has_x & ~self._bit(self.z, qubit))
        self.z = self.z ^ (has_x << np.uint64(qubit))
        self.gates.append(("sdg", (qubit,)))

    def cx(self, control: int, target: int) -> None:
        """X on the control spreads to the target, Z on the target to the control."""
        xc, zt = self._bit(self.x, control), self._bit(self.z, target)
        same = self._bit(self.x, target) ^ self._bit(self.z, control) ^ np.uint64(1)
        self._flip(xc & zt & same)
        self.x = self.x ^ (xc << np.uint64(target))
        self.z = self.z ^ (zt << np.uint64(control))
        self.gates.append(("cx", (control, target)))

    def _bit(self, words: UIntArray, qubit: int) -> UIntArray:
        return words >> np.uint64(qubit) & np.uint64(1)

    def _flip(self, where: UIntArray) -> None:
        self.signs = np.where(where & np.uint64(1), -self.signs, self.signs)


def _bits(word: int) -> list[int]:
    return [qubit for qubit in range(word.bit_length()) if word >> qubit & 1]


def _local(words: UIntArray, qubits: Sequence[int]) -> UIntArray:
    """Move bit ``qubits[j]`` of each word to bit j."""
    moved = np.zeros(words.size, dtype=np.uint64)
    for place, qubit in enumerate(qubits):
        moved |= (words >> np.uint64(qubit) & np.uint64(1)) << np.uint64(place)
    return moved

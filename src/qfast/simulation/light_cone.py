"""Light cones: the gates that what is read from a few qubits depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.circuit import AnyCircuit, Circuit, Parameter, PauliSum
from qfast.circuit.gates import NUM_GATES
from qfast.circuit.transforms import take

__all__ = ["LightCone", "light_cone"]


@dataclass(frozen=True, slots=True)
class LightCone:
    """A circuit of the gates of a cone on the qubits of the cone, renumbered.

    Attributes
    ----------
    circuit : Circuit
    qubits : ndarray of int64, shape (k,)
        Ascending: qubit i of `circuit` was ``qubits[i]``.
    columns : ndarray of int64, shape (p,)
        Parameter j of `circuit` was parameter ``columns[j]``.
    """

    circuit: Circuit
    qubits: IntArray
    columns: IntArray

    def values(self, table: FloatArray) -> FloatArray:
        """Return the cone's parameter values, of values of the whole circuit."""
        return np.ascontiguousarray(table[..., self.columns])

    def observable(self, whole: PauliSum) -> PauliSum:
        """Return an observable of the cone's qubits on the cone's circuit."""
        x, z, coefficients = whole.masks()
        return PauliSum._from_masks(self._gathered(x), self._gathered(z), coefficients.copy(), self.qubits.size)

    def _gathered(self, masks: UIntArray) -> UIntArray:
        found = np.zeros_like(masks)
        for place, qubit in enumerate(self.qubits.tolist()):
            found |= (masks >> np.uint64(qubit) & np.uint64(1)) << np.uint64(place)
        return found


def light_cone(circuit: AnyCircuit, parameters: tuple[Parameter, ...], support: int) -> LightCone | None:
    """Return the cone of some qubits (bit q of `support`: qubit q); None where it holds all of them.

    A gate counts if it acts on a qubit that a later gate of the cone, or the reading, acts on: from |0…0⟩ the state of
    those qubits is that of the cone alone. Measurements at the end change no expectation value before them.
    """
    everything = (1 << circuit.num_qubits) - 1
    opcodes, ends, qubits = circuit.opcodes.tolist(), circuit.qubit_end.tolist(), circuit.qubits.tolist()
    rows = []
    for row in range(len(opcodes) - 1, -1, -1):
        if opcodes[row] >= NUM_GATES:
            continue
        mask = 0
        for qubit in qubits[ends[row - 1] if row else 0 : ends[row]]:
            mask |= 1 << qubit
        if mask & support:
            support |= mask
            if support == everything:
                return None
            rows.append(row)
    rows.reverse()
    inside = np.flatnonzero([support >> qubit & 1 for qubit in range(circuit.num_qubits)])
    cone = take(circuit, rows, qubits=inside.tolist())
    places = {parameter.name: place for place, parameter in enumerate(parameters)}
    if any(parameter.name not in places for parameter in cone.parameters):  # a classical variable of the circuit
        return None
    columns = np.array([places[parameter.name] for parameter in cone.parameters], dtype=np.int64)
    return LightCone(cone, inside, columns)

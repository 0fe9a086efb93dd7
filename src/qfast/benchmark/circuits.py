"""Families as qfast circuits."""

from __future__ import annotations

from itertools import groupby

from qfast.benchmark.canonical import operation_matrix
from qfast.benchmark.families import FamilyCircuit
from qfast.circuit import Circuit

__all__ = ["to_circuit"]


def to_circuit(family: FamilyCircuit) -> Circuit:
    """Build a family's circuit, in bulk wherever a gate repeats.

    Returns
    -------
    Circuit
        The same operations in the same order.
    """
    circuit = Circuit(family.num_qubits)
    for name, run in groupby(family.operations, key=lambda operation: operation.name):
        operations = list(run)
        if name == "unitary":
            for operation in operations:
                circuit.unitary(operation_matrix(operation), operation.qubits)
        else:
            params = [operation.params for operation in operations] if operations[0].params else None
            circuit.extend(name, [operation.qubits for operation in operations], params)
    return circuit

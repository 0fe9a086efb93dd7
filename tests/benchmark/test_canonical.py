"""Canonical flops follow the numbers of the matrices, not the names of the gates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qfast.benchmark.canonical import canonical_flops, operation_matrix
from qfast.benchmark.families import Operation, build_family


def family_flops(family: str, num_qubits: int) -> float:
    circuit = build_family(family, num_qubits)
    return canonical_flops(circuit.operations[circuit.num_preparation :])


@pytest.mark.parametrize("n", [16, 20, 24])
def test_families_cost_what_their_formulae_say(n: int) -> None:
    assert family_flops("qft", n) == 11 * n - 3
    assert family_flops("random", n) == 14 * (8 * n + 6)
    assert family_flops("qv", n) == 16 * n * n
    assert family_flops("ansatz", n) == 4 * (8 * n + 6)
    assert family_flops("qaoa", n) == 4 * (8 * n + 6)
    assert family_flops("trotter", n) == 48 * (n - 1) + 36


def test_names_do_not_matter() -> None:
    operations = build_family("random", 9).operations
    anonymous = [Operation("unitary", op.qubits, matrix=operation_matrix(op)) for op in operations]
    assert canonical_flops(anonymous) == canonical_flops(operations)


@pytest.mark.parametrize(
    ("operations", "flops"),
    [
        ([Operation("u", (0,), (0.1, 0.2, 0.3))], 16),
        ([Operation("h", (0,))], 8),
        ([Operation("rx", (0,), (0.3,))], 8),
        ([Operation("ry", (0,), (0.3,))], 8),
        ([Operation("x", (0,))], 0),
        ([Operation("swap", (0, 1))], 0),
        ([Operation("cx", (0, 1))], 0),
        ([Operation("rz", (0,), (0.3,))], 6),
        ([Operation("cp", (0, 1), (0.3,))], 3),
        ([Operation("fsim", (0, 1), (math.pi / 2, 0.3))], 6),
        ([Operation("rxx", (0, 1), (0.3,))], 8),
    ],
)
def test_one_gate(operations: list[Operation], flops: float) -> None:
    assert canonical_flops(operations) == flops


def test_diagonal_gates_share_a_layer_until_a_gate_on_one_of_their_qubits_ends_it() -> None:
    first, second = Operation("rz", (0,), (0.1,)), Operation("rzz", (1, 2), (0.2,))
    assert canonical_flops([first, second]) == 6
    assert canonical_flops([first, Operation("ry", (3,), (0.3,)), second]) == 6 + 8
    assert canonical_flops([first, Operation("ry", (0,), (0.3,)), second]) == 6 + 8 + 6


def test_a_layer_passes_through_permutations() -> None:
    first, second = Operation("rz", (1,), (0.1,)), Operation("rz", (2,), (0.2,))
    assert canonical_flops([first, Operation("cx", (0, 1)), second]) == 6
    # After the CX the phase of qubit 1 depends on qubit 0 too.
    assert canonical_flops([first, Operation("cx", (0, 1)), Operation("ry", (0,), (0.3,)), first]) == 6 + 8 + 6


def test_a_global_phase_costs_nothing() -> None:
    assert canonical_flops([Operation("unitary", (0,), matrix=np.exp(0.3j) * np.eye(2, dtype=np.complex128))]) == 0


def test_neighbours_on_one_bond_are_multiplied() -> None:
    bond = [Operation(name, (0, 1), (0.2,)) for name in ("rxx", "ryy", "rzz")]
    assert canonical_flops(bond) == 8

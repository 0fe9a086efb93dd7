"""Every row of the gate table against textbook matrices, its own inverse, decomposition and flags."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import numpy as np
import pytest

from qfast.circuit import GATES, Circuit, GateFlag, GateRow, find_gate
from qfast.circuit.gates import NUM_GATES, OPCODES, Step, mcphase_steps
from qfast.errors import GateError
from tests import oracle

FIXED = [row for row in GATES if row.target_matrix is not None]
ANGLES = [
    (0.37, -0.81, 1.3, 0.52),
    (math.pi, math.pi / 2, -math.pi / 2, 0.0),
    (0.0, 0.0, 0.0, 0.0),
    (-5.1, 7.7, 2.2, 9.0),
]
CASES = [(row, angles[: row.num_params]) for row in FIXED for angles in (ANGLES if row.num_params else ANGLES[:1])]
EVERY_CASE = pytest.mark.parametrize(
    ("row", "params"), CASES, ids=[f"{row.name}{list(params) if params else ''}" for row, params in CASES]
)


def steps_matrix(steps: Sequence[Step], num_qubits: int) -> oracle.Array:
    matrix = np.eye(1 << num_qubits, dtype=complex)
    for step in steps:
        gate = oracle.TEXTBOOK[step.name](*step.params)
        matrix = oracle.apply_matrix(matrix, gate, step.qubits, step.controls)
    return matrix


@EVERY_CASE
def test_the_matrix_is_the_textbook_matrix(row: GateRow, params: tuple[float, ...]) -> None:
    np.testing.assert_allclose(row.matrix(params), oracle.TEXTBOOK[row.name](*params), atol=1e-14, rtol=0)


@EVERY_CASE
def test_the_inverse_undoes_the_gate(row: GateRow, params: tuple[float, ...]) -> None:
    assert row.num_qubits is not None
    undone = steps_matrix(row.inverse_steps(params), row.num_qubits) @ row.matrix(params)
    np.testing.assert_allclose(undone, np.eye(1 << row.num_qubits), atol=1e-14, rtol=0)


@EVERY_CASE
def test_the_decomposition_is_the_gate_with_its_global_phase(row: GateRow, params: tuple[float, ...]) -> None:
    if row.decomposition is None:
        assert row.name in ("u", "cx", "gphase")
        return
    assert row.num_qubits is not None
    np.testing.assert_allclose(
        steps_matrix(row.decomposition(params), row.num_qubits), row.matrix(params), atol=1e-14, rtol=0
    )


@pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
def test_repeated_decomposition_ends_in_u_cx_and_gphase(row: GateRow) -> None:
    pending, rounds = {row.name}, 0
    while pending and rounds < 10:
        following = set()
        for name in pending:
            current = find_gate(name)
            if current.decomposition is not None:
                following |= {step.name for step in current.decomposition([0.1] * current.num_params)}
        pending, rounds = following - {"u", "cx", "gphase"}, rounds + 1
    assert not pending


@EVERY_CASE
def test_the_flags_are_true_of_the_matrix(row: GateRow, params: tuple[float, ...]) -> None:
    matrix = row.matrix(params)
    if GateFlag.DIAGONAL in row.flags:
        np.testing.assert_array_equal(matrix, np.diag(np.diag(matrix)))
    if GateFlag.HERMITIAN in row.flags:
        np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-15)
    if GateFlag.REAL in row.flags:
        assert not matrix.imag.any()
    if GateFlag.MONOMIAL in row.flags:
        nonzero = matrix != 0
        assert (nonzero.sum(axis=0) == 1).all()
        assert (nonzero.sum(axis=1) == 1).all()
    if GateFlag.CLIFFORD in row.flags:
        assert row.num_qubits is not None
        for qubit in range(row.num_qubits):
            for pauli in (oracle.X, oracle.Z):
                string = oracle.kron(*(pauli if k == qubit else oracle.ID for k in range(row.num_qubits)))
                assert is_pauli(matrix @ string @ matrix.conj().T)


def is_pauli(matrix: oracle.Array) -> bool:
    """Whether a matrix is a Pauli string up to sign: its overlap with one string has modulus 1."""
    num_qubits = len(matrix).bit_length() - 1
    strings = [oracle.ID, oracle.X, oracle.Y, oracle.Z]
    for code in range(4**num_qubits):
        string = oracle.kron(*(strings[code >> 2 * k & 3] for k in range(num_qubits)))
        if abs(abs(np.vdot(string, matrix)) / len(matrix) - 1) < 1e-12:
            return True
    return False


@pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
def test_flags_that_hold_for_random_angles_are_all_named(row: GateRow) -> None:
    params = (0.3713, -0.8121, 1.3357, 0.5279)[: row.num_params]
    matrix = row.matrix(params)
    assert (GateFlag.DIAGONAL in row.flags) == bool((matrix == np.diag(np.diag(matrix))).all())
    assert (GateFlag.REAL in row.flags) == (not matrix.imag.any())
    assert (GateFlag.HERMITIAN in row.flags) == bool(np.abs(matrix - matrix.conj().T).max() < 1e-15)
    assert (GateFlag.MONOMIAL in row.flags) == bool(((matrix != 0).sum(axis=0) == 1).all())


def test_own_controls_are_the_leading_qubits() -> None:
    for row in FIXED:
        if row.own_controls:
            assert row.num_qubits is not None
            params = [0.3] * row.num_params
            target = row.target_matrix(params) if row.target_matrix else None
            assert target is not None
            np.testing.assert_array_equal(row.matrix(params), oracle.controlled(target, row.own_controls))


def test_names_and_aliases_are_unique() -> None:
    names = [name for row in GATES for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names)) == len(OPCODES)


def test_gates_come_before_what_is_no_gate() -> None:
    assert all(row.is_gate == (opcode < NUM_GATES) for opcode, row in enumerate(GATES))
    assert [row.name for row in GATES[NUM_GATES:]] == [
        "measure", "reset", "barrier", "if_else", "while_loop", "for_loop", "switch_case", "break_loop",
        "continue_loop", "assign",
    ]  # fmt: skip


@pytest.mark.parametrize(("wrong", "near"), [("hadamrd", None), ("ccnx", "ccx"), ("RXX", "rxx"), ("tofoli", "toffoli")])
def test_an_unknown_name_is_refused_with_the_nearest_one(wrong: str, near: str | None) -> None:
    with pytest.raises(GateError, match=f"unknown gate '{wrong}'") as caught:
        find_gate(wrong)
    if near is not None:
        assert f"did you mean '{near}'?" in str(caught.value)


def test_a_wrong_number_of_parameters_is_refused() -> None:
    with pytest.raises(GateError, match="gate 'u': 2 parameters given, 3 needed"):
        find_gate("u").matrix([0.1, 0.2])


def test_a_gate_of_data_has_no_matrix_in_the_table() -> None:
    with pytest.raises(GateError, match="'unitary' has no fixed matrix"):
        find_gate("unitary").matrix()


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5])
def test_the_multi_controlled_phase_network_is_exact(num_qubits: int) -> None:
    steps = mcphase_steps(0.77, range(num_qubits))
    expected = np.ones(1 << num_qubits, dtype=complex)
    expected[-1] = cmath.exp(0.77j)
    np.testing.assert_allclose(steps_matrix(steps, num_qubits), np.diag(expected), atol=1e-14)
    assert sum(step.name == "p" for step in steps) == 2**num_qubits - 1


def test_every_gate_acts_on_any_qubits_in_any_order() -> None:
    rng = np.random.default_rng(7)
    for row in FIXED:
        assert row.num_qubits is not None
        circuit = Circuit(6)
        for _ in range(3):
            qubits = rng.permutation(6)[: row.num_qubits].tolist()
            circuit.append(row.name, qubits, rng.normal(size=row.num_params).tolist())
        np.testing.assert_allclose(circuit.to_matrix(), oracle.unitary(circuit), atol=1e-13)

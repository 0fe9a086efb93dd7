"""Circuits given to Qiskit: the same matrix, and back again the same circuit or the same branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from qiskit.quantum_info import Operator

from qfast.circuit import DEFAULT, Circuit, Parameter, ParameterVector
from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Index, Literal, Unary, Variable
from qfast.errors import CircuitError
from qfast.qiskit import from_qiskit, to_qiskit
from tests import oracle
from tests.circuit.strategies import FIXED, circuits

# Qiskit's PauliEvolutionGate takes a sparse matrix exponential, which scipy calls inefficient.
pytestmark = pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")

ANGLES = [0.37, -0.81, 1.3, 0.52]


@pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
@pytest.mark.parametrize("num_controls", [0, 2])
def test_each_gate_keeps_its_matrix(row: Any, num_controls: int) -> None:
    order = [3, 0, 5, 1, 2, 4]
    if num_controls + row.num_qubits > 6:
        num_controls = 1
    circuit = Circuit(6).append(
        row.name,
        order[: row.num_qubits],
        ANGLES[: row.num_params],
        controls=order[row.num_qubits :][:num_controls],
        ctrl_state=num_controls // 2,
    )
    np.testing.assert_allclose(Operator(to_qiskit(circuit)).data, oracle.unitary(circuit), atol=1e-11)
    if not num_controls and row.name != "fsim":
        assert from_qiskit(to_qiskit(circuit)) == circuit


@given(circuits(max_qubits=4, max_gates=5))
@settings(max_examples=25, deadline=None)
def test_a_circuit_keeps_its_matrix_there_and_back(circuit: Circuit) -> None:
    qc = to_qiskit(circuit)
    expected = oracle.unitary(circuit)
    np.testing.assert_allclose(Operator(qc).data, expected, atol=1e-10)
    np.testing.assert_allclose(oracle.unitary(from_qiskit(qc)), expected, atol=1e-10)


def test_registers_bits_and_measurements_come_back_equal() -> None:
    circuit = Circuit(2, 1)
    circuit.add_qubit_register("anc", 1)
    circuit.add_classical_register("out", 2)
    circuit.h(0).barrier(0, 2).measure([0, 2], [2, 0]).reset(1).append("x", 2, controls=[0, 1], ctrl_state=1)
    again = from_qiskit(to_qiskit(circuit))
    assert again[:4] == circuit[:4]
    np.testing.assert_array_equal(oracle.unitary(again[-1:]), oracle.unitary(circuit[-1:]))


def test_parameters_keep_their_names_order_and_values() -> None:
    a, v = Parameter("a"), ParameterVector("v", 11)
    circuit = Circuit(2).gphase(a / 2).rzz(a * v[2] - v[10], 0, 1).rx((a / 4).asin() + v[3].sqrt() - abs(a), 1)
    circuit.p(-(a**2) + a.exp() * a.log() - (a.tan() + 1) / a.atan(), 0).pauli_rotation("XY", [0, 1], 2 * a)
    circuit.append("fsim", [0, 1], [a.cos(), a.sin()]).rz(Parameter("w[03]") + (a / 4).acos(), 0)
    qc = to_qiskit(circuit)
    assert [p.name for p in qc.parameters] == [p.name for p in circuit.parameters]
    values = [0.3, 0.5, 0.7, 0.2, 0.9]
    expected = oracle.unitary(circuit.bind(values))
    np.testing.assert_allclose(Operator(qc.assign_parameters(values)).data, expected, atol=1e-11)
    np.testing.assert_allclose(oracle.unitary(from_qiskit(qc).bind(values)), expected, atol=1e-11)


def close(found: dict[str, float], expected: dict[str, float]) -> bool:
    return all(abs(found.get(key, 0) - expected.get(key, 0)) < 1e-12 for key in found.keys() | expected.keys())


def test_control_flow_keeps_its_distribution() -> None:
    circuit = Circuit(2, 2).h(0).measure(0, 0)
    register = circuit.classical_registers[0]
    circuit.if_test((0, 1), circuit.block().ry(0.7, 1), circuit.block().ry(0.3, 1).measure(1, 1))
    circuit.if_test(Binary("||", Unary("!", Bit(0)), Binary("<", Bits(0, 2), Literal(1))), circuit.block().x(0))
    circuit.while_loop(Binary("!=", Bit(1), Literal(1)), circuit.block().h(1).measure(1, 1))
    circuit.switch(register, [(2, circuit.block().x(0)), ([0, 1], circuit.block()), (DEFAULT, circuit.block().h(0))])
    circuit.switch(Binary("^", Bits(0, 2), Literal(1)), [(2, circuit.block().t(0))])
    circuit.add_variable("k")
    body = circuit.block().rx(Parameter("k") * 0.1, 0)
    body.if_test((0, 0), body.block().break_loop(), body.block().continue_loop())
    circuit.for_loop(range(3), body, "k").for_loop([5, 7], circuit.block().s(0)).measure(0, 0)
    assert close(oracle.distribution(from_qiskit(to_qiskit(circuit))), oracle.distribution(circuit))


def test_variables_and_assignments_keep_their_distribution() -> None:
    circuit = Circuit(1, 3)
    n = circuit.add_variable("n", "uint", 3)
    flag = circuit.add_variable("flag", "bool")
    x = circuit.add_variable("x", "float")
    circuit.assign(n, Binary("+", n, Literal(5))).assign(flag, Binary("==", Index(n, Literal(2)), Literal(1)))
    circuit.assign(x, Binary("*", Cast("float", None, n), Literal(0.5)))
    circuit.if_test(Binary("&&", flag, Binary(">", x, Literal(2.4))), circuit.block().x(0).assign(Bit(1), flag))
    circuit.measure(0, 0).assign(circuit.classical_registers[0], Binary("|", Bits(0, 3), Unary("~", n)))
    found = oracle.distribution(from_qiskit(to_qiskit(circuit)))
    assert close(found, oracle.distribution(circuit))
    assert found == {"011": pytest.approx(1.0)}


REFUSED: list[tuple[Callable[[Circuit], Any], str]] = [
    (lambda c: c.permutation(range(2048), range(11)), "no permutation of the states of 11 qubits"),
    (lambda c: c.assign(c.add_variable("n"), 1), "Qiskit has no classical variables of kind 'int' \\('n'\\)"),
    (lambda c: c.if_test(Binary("==", Bits(0, 1), Literal(1)), c.block()), "classical bits 0…0 are no whole register"),
    (lambda c: c.if_test(Binary("%", Bits(0, 2), Literal(2)), c.block()), "have no operator '%'"),
    (lambda c: c.if_test(Call("popcount", (Bits(0, 2),)), c.block()), "have no Call"),
    (lambda c: c.if_test(Binary("==", Bits(0, 2), Literal(-1)), c.block()), "have no negative integer"),
    (lambda c: c.if_test(Unary("-", Bits(0, 2)), c.block()), "have no '-'"),
    (lambda c: c.if_test(Binary("&", Bit(0), Literal(2)), c.block()), "does not take these operands of '&'"),
    (lambda c: (c.add_variable("k"), c.for_loop([0.5], c.block(), "k")), "Qiskit's for loop takes integers only"),
    (lambda c: (c.add_variable("u", "uint"), c.rx(Parameter("u"), 0)), "is the classical variable 'u'"),
    (
        lambda c: (
            c.add_variable("u", "uint"),
            c.for_loop(range(2), c.block().if_test(Variable("u", "uint", 32), c.block()), "u"),
        ),
        "the loop variable 'u' is also used in a classical expression",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_qiskit_cannot_say_is_refused_by_name(build: Callable[[Circuit], Any], message: str) -> None:
    circuit = Circuit(11, 2)
    build(circuit)
    with pytest.raises(CircuitError, match=message):
        to_qiskit(circuit)

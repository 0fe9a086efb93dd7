"""Circuits of Qiskit taken over: the same matrix, the same branches, the same names."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import qiskit.circuit.library as lib
from qiskit.circuit import (
    AnnotatedOperation,
    ClassicalRegister,
    Clbit,
    ControlModifier,
    Gate,
    InverseModifier,
    Parameter,
    ParameterVector,
    PowerModifier,
    QuantumCircuit,
    QuantumRegister,
    Qubit,
)
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import Operator, Statevector, random_unitary

from qfast.circuit import Circuit, find_gate
from qfast.circuit.classical import Binary, Bit, Bits, Literal
from qfast.errors import CircuitError, InputError, ParameterError
from qfast.qiskit import from_qiskit, to_qiskit
from qfast.qiskit.gate_classes import CLASSES
from tests import oracle

ANGLES = [0.37, -0.81, 1.3, 0.52]


def check_unitary(qc: QuantumCircuit) -> Circuit:
    circuit = from_qiskit(qc)
    np.testing.assert_allclose(oracle.unitary(circuit), Operator(qc).data, atol=1e-11)
    return circuit


@pytest.mark.parametrize("name", CLASSES)
def test_each_gate_of_the_table_is_qiskits_gate(name: str) -> None:
    kind = CLASSES[name]
    row = find_gate(name)
    assert row.num_qubits is not None
    qc = QuantumCircuit(5)
    order = [3, 0, 4, 1, 2][: row.num_qubits]
    qc.append(kind(*ANGLES[: row.num_params]), order)
    circuit = check_unitary(qc)
    assert [view.name for view in circuit] == [name]


OTHER_GATES: list[Gate] = [
    lib.CXGate(ctrl_state=0), lib.CCXGate(ctrl_state=1), lib.C3XGate(ctrl_state=5), lib.MCXGate(4), lib.MCXGate(3),
    lib.MCXGate(2, ctrl_state=1), lib.MCPhaseGate(0.4, 3), lib.XGate().control(4, ctrl_state=9),
    lib.RZGate(0.2).control(2, annotated=False), lib.UGate(0.1, 0.2, 0.3).control(2, ctrl_state=2, annotated=False),
    lib.HGate().control(3, annotated=True), lib.SwapGate().control(2, annotated=False),
    lib.UnitaryGate(random_unitary(8, seed=1)), lib.UnitaryGate(random_unitary(4, seed=2)).control(1, annotated=False),
    lib.PermutationGate([2, 0, 1]), lib.DiagonalGate([1, -1, 1j, -1j]), lib.PauliGate("XYZ"), lib.QFTGate(3),
    lib.RZXGate(0.3).inverse(), lib.iSwapGate().inverse(), lib.DCXGate().inverse(), lib.RC3XGate().inverse(),
    lib.RYGate(0.4).power(0.5), lib.StatePreparation([0.6, 0, 0, 0.8]), lib.UCRZGate([0.1, 0.2]), lib.MSGate(3, 0.2),
    lib.RVGate(0.1, 0.2, 0.3),
    AnnotatedOperation(lib.SGate(), [InverseModifier(), ControlModifier(2, 1), PowerModifier(3)]),
    AnnotatedOperation(lib.XGate(), [PowerModifier(0.5), ControlModifier(1)]),
    AnnotatedOperation(lib.CXGate(ctrl_state=0), [ControlModifier(1, 0)]),
]  # fmt: skip


@pytest.mark.parametrize("gate", OTHER_GATES, ids=[f"{k}-{gate.name}" for k, gate in enumerate(OTHER_GATES)])
def test_other_gates_keep_their_matrix(gate: Gate) -> None:
    qc = QuantumCircuit(5)
    qc.h(range(5))
    qc.append(gate, [4, 1, 3, 0, 2][: gate.num_qubits])
    check_unitary(qc)


def test_a_chain_with_ancillas_keeps_its_matrix() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the class is on its way out; circuits still hold it
        gate = lib.MCXVChain(4)
        qc = QuantumCircuit(7)
        qc.append(gate, range(7))
        expected = Operator(qc).data
        circuit = from_qiskit(qc)
    np.testing.assert_allclose(oracle.unitary(circuit), expected, atol=1e-11)


def test_a_random_circuit_keeps_its_state_and_global_phase() -> None:
    from qiskit.circuit.random import random_circuit

    for seed in range(8):
        qc = random_circuit(4, 6, max_operands=4, seed=seed)
        qc.global_phase = 0.1 * seed
        check_unitary(qc)


def test_a_custom_gate_is_opened_and_one_with_a_matrix_becomes_a_unitary() -> None:
    inner = QuantumCircuit(2, name="pair", global_phase=0.3)
    inner.h(0)
    inner.cx(0, 1)
    qc = QuantumCircuit(3)
    qc.append(inner.to_gate(), [2, 0])
    qc.append(inner.to_gate().control(1, annotated=False), [1, 2, 0])
    qc.append(inner.to_instruction(), [0, 1])
    assert set(check_unitary(qc).count_ops()) == {"h", "cx", "gphase", "ctrl @ h", "ctrl @ cx", "ctrl @ gphase"}

    class Rooted(Gate):
        def __init__(self) -> None:
            super().__init__("h", 1, [])  # the name of another gate

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array(oracle.TEXTBOOK["sx"](), dtype=dtype)

    qc = QuantumCircuit(1)
    qc.append(Rooted(), [0])
    circuit = from_qiskit(qc)
    assert circuit[0].name == "unitary"
    np.testing.assert_allclose(oracle.unitary(circuit), oracle.TEXTBOOK["sx"]())


def test_an_opaque_gate_is_refused_by_name() -> None:
    qc = QuantumCircuit(1)
    qc.append(Gate("mystery", 1, []), [0])
    with pytest.raises(CircuitError, match="'mystery' at Qiskit's instruction 0 is opaque"):
        from_qiskit(qc)


def test_registers_keep_their_names() -> None:
    qc = QuantumCircuit(QuantumRegister(2, "a"), QuantumRegister(1, "b"), ClassicalRegister(2, "m"))
    qc.x(2)
    qc.measure([0, 2], [1, 0])
    circuit = from_qiskit(qc)
    assert [(r.name, r.start, r.size) for r in circuit.qubit_registers] == [("a", 0, 2), ("b", 2, 1)]
    assert [(r.name, r.start, r.size) for r in circuit.classical_registers] == [("m", 0, 2)]
    assert oracle.distribution(circuit) == {"01": 1.0}


def test_loose_and_shared_bits_stand_in_one_register_in_order() -> None:
    shared = QuantumRegister(2, "a")
    qc = QuantumCircuit([Qubit(), *shared, Qubit()], [Clbit(), Clbit()])
    qc.add_register(shared)
    qc.x(3)
    qc.measure(3, 1)
    circuit = from_qiskit(qc)
    assert [(r.name, r.size) for r in circuit.qubit_registers] == [("q", 4)]
    assert oracle.distribution(circuit) == {"10": 1.0}


def test_initialize_reset_barrier_and_delay() -> None:
    qc = QuantumCircuit(2)
    qc.h(0)
    qc.initialize([0.6, 0, 0, 0.8], [0, 1])
    qc.barrier()
    qc.delay(100, 0)
    with pytest.raises(CircuitError, match=r"lets qubit 0 wait for 100 dt, and a circuit has no clock; pass delays="):
        from_qiskit(qc)
    with pytest.raises(InputError, match="delays='keep' is unknown"):
        from_qiskit(qc, delays="keep")  # type: ignore[arg-type]
    assert from_qiskit(qc, delays="id").count_ops()["id"] == 1
    found = oracle.branches(from_qiskit(qc, delays="drop"))
    for branch in found:
        assert Statevector([0.6, 0, 0, 0.8]).equiv(branch.state)
    assert sum(branch.weight for branch in found) == pytest.approx(1)


# --------------------------------------------------------------------------------------------------------- parameters


def test_parameters_keep_names_and_vectors_their_order() -> None:
    theta, vector = Parameter("θ"), ParameterVector("v", 11)
    qc = QuantumCircuit(1, global_phase=2 * theta)
    for element in vector:
        qc.rx(element, 0)
    qc.rz(theta, 0)
    circuit = from_qiskit(qc)
    assert [p.name for p in circuit.parameters] == [p.name for p in qc.parameters]
    values = np.linspace(0, 1, 12)
    np.testing.assert_allclose(
        oracle.unitary(circuit.bind(values)), Operator(qc.assign_parameters(values)).data, atol=1e-12
    )


A, B = Parameter("a b"), Parameter("b[x]")


@pytest.mark.parametrize(
    "expression",
    [
        A + B, A - B, A * B, A / B, A**B, -A, 1 - A, 2 / A, 2**A, A**2, A / 3, A * 1e-20 + B, (A + B) * (A - B),
        A - A + 1,
        A.sin() + A.cos() * A.tan(), (A / 4).arcsin() + (A / 4).arccos() - A.arctan(), A.exp() - B.log(), abs(A - B),
        A**0.5, A.conjugate(), A - (B - (A - 1)), -(A**2), (-A) ** 2, A / (B / A), 0.1 + 0.2 * A,
    ],
)  # fmt: skip
def test_expressions_keep_their_value(expression: Any) -> None:
    qc = QuantumCircuit(1)
    qc.rx(expression, 0)
    circuit = from_qiskit(qc)
    values = {p.name: 0.3 + 0.4 * k for k, p in enumerate(sorted(expression.parameters, key=lambda p: p.name))}
    expected = float(expression.bind({p: values[p.name] for p in expression.parameters}))
    assert circuit.bind(values)[0].params[0] == pytest.approx(expected, rel=1e-14)


def test_a_function_that_angles_do_not_have_is_refused() -> None:
    qc = QuantumCircuit(1)
    qc.rx(A.sign(), 0)
    with pytest.raises(ParameterError, match=r"'rx' at .* 0: the Qiskit expression sign\(a b\) cannot be"):
        from_qiskit(qc)


# ------------------------------------------------------------------------------------------------- classical control


def test_if_else_with_bits_and_registers() -> None:
    qc = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(2, "c"), ClassicalRegister(1, "d"))
    qc.ry(2 * math.asin(math.sqrt(0.3)), 0)
    qc.measure(0, 0)
    with qc.if_test((qc.clbits[0], 1)) as else_:
        qc.x(1)
    with else_:
        qc.h(1)
    qc.measure(1, 1)
    with qc.if_test((qc.cregs[0], 3)):
        qc.x(1)
        qc.measure(1, 2)
        with qc.if_test((qc.clbits[2], 0)):
            qc.x(0)
    qc.measure(0, 0)
    circuit = from_qiskit(qc)
    # 0.3: x(1) and nothing else; 0.7: h(1), then q[1] decides
    assert oracle.distribution(circuit) == {"010": pytest.approx(0.65), "000": pytest.approx(0.35)}
    blocks = [view.data for view in circuit if view.name == "if_else"]
    assert blocks[0].condition == Binary("==", Bit(0), Literal(1))
    assert blocks[1].condition == Binary("==", Bits(0, 2), Literal(3))


def test_loops_switch_break_and_continue() -> None:
    qc = QuantumCircuit(2, 3)
    theta = Parameter("i")
    with qc.for_loop(range(1, 4), theta):
        qc.rx(0.1 * theta, 0)
    with qc.for_loop([2, 5]):
        qc.x(1)
        qc.measure(1, 1)
        with qc.if_test((qc.clbits[1], 1)):
            qc.break_loop()
    with qc.while_loop((qc.clbits[0], 0)):
        qc.h(0)
        qc.measure(0, 0)
    with qc.switch(qc.cregs[0]) as case:
        with case(3):
            qc.x(0)
        with case(1, 2):
            qc.x(1)
        with case(case.DEFAULT):
            qc.h(0)
    qc.measure([0, 1], [0, 2])
    circuit = from_qiskit(qc)
    assert not circuit.parameters
    assert oracle.distribution(circuit) == {"110": pytest.approx(1.0)}
    block = circuit[-3].data
    assert [values for values, _ in block.cases] == [(3,), (1, 2)]
    assert block.default is not None


def test_a_loop_parameter_is_not_taken_for_a_free_parameter_of_the_same_name() -> None:
    qc = QuantumCircuit(1)
    body = QuantumCircuit(1)
    loop = Parameter("i")
    body.rx(loop, 0)
    qc.for_loop(range(3), loop, body, [0], [])
    qc.rz(Parameter("i"), 0)
    circuit = from_qiskit(qc)
    assert [p.name for p in circuit.parameters] == ["i"]
    assert circuit[0].data.variable == "i_loop"


def test_variables_expressions_and_stores() -> None:
    qc = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(3, "c"))
    counter = qc.add_var("n", expr.lift(2, types.Uint(4)))
    flag = qc.add_var("flag", expr.lift(False))
    qc.x(0)
    qc.measure(0, 0)
    qc.store(flag, expr.logic_and(qc.clbits[0], expr.less(counter, 3)))
    with qc.while_loop(expr.logic_and(flag, expr.not_equal(counter, 9))):
        qc.store(counter, expr.bit_xor(expr.shift_left(counter, 1), expr.lift(1, types.Uint(4))))
        with qc.if_test(expr.greater_equal(counter, 8)):
            inner = qc.add_var("inner", expr.lift(True))
            with qc.if_test(expr.logic_not(inner)):
                qc.x(0)
            qc.store(flag, expr.logic_not(flag))
        qc.x(1)
    qc.store(qc.cregs[0], expr.bit_or(qc.cregs[0], expr.cast(expr.index(counter, 1), types.Uint(3))))
    qc.measure(1, 2)
    circuit = from_qiskit(qc)
    assert {name: variable.kind for name, variable in circuit.variables.items()} == {
        "n": "uint", "flag": "bool", "inner": "bool",
    }  # fmt: skip
    # n: 2, 5, 11 (two passes flip qubit 1 twice); bit 1 of 11 is 1
    assert oracle.distribution(circuit) == {"001": pytest.approx(1.0)}


def test_arithmetic_of_newer_qiskit() -> None:
    qc = QuantumCircuit(1, 1)
    number = qc.add_var("x", expr.lift(1.5, types.Float()))
    with qc.if_test(expr.less(expr.div(expr.mul(number, 2.0), expr.add(number, 1.5)), expr.sub(number, 0.4))):
        qc.x(0)
    qc.measure(0, 0)
    assert oracle.distribution(from_qiskit(qc)) == {"1": pytest.approx(1.0)}


def test_a_box_is_opened() -> None:
    qc = QuantumCircuit(2)
    with qc.box():
        qc.h(0)
        qc.cx(0, 1)
    assert from_qiskit(qc).count_ops() == {"h": 1, "cx": 1}
    text = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; box { h q[0]; box { cx q[0], q[1]; } }'
    assert Circuit.from_qasm(text).count_ops() == {"h": 1, "cx": 1}


def test_a_box_that_takes_a_given_time_is_refused_as_a_delay_is() -> None:
    qc = QuantumCircuit(1)
    with qc.box(duration=100, unit="ns"):
        qc.h(0)
    with pytest.raises(CircuitError, match=r"lasts 100(\.0)? ns, and a circuit has no clock; pass delays='drop'"):
        from_qiskit(qc)
    assert from_qiskit(qc, delays="drop").count_ops() == {"h": 1}


def test_a_register_torn_over_the_circuit_is_read_bit_by_bit() -> None:
    bits = [Clbit() for _ in range(3)]
    register = ClassicalRegister(name="r", bits=[bits[2], bits[0]])
    qc = QuantumCircuit([Qubit(), Qubit()], bits)
    qc.add_register(register)
    qc.x(0)
    qc.measure(0, 2)
    with qc.if_test((register, 1)):
        qc.x(1)
    qc.measure(1, 1)
    assert oracle.distribution(from_qiskit(qc)) == {"110": 1.0}


def test_an_input_variable_is_refused_by_name() -> None:
    qc = QuantumCircuit(1, inputs=[expr.Var.new("given", types.Bool())])
    with pytest.raises(CircuitError, match=r"input variables \('given'\)"):
        from_qiskit(qc)


def test_what_is_no_circuit_is_refused() -> None:
    with pytest.raises(CircuitError, match=r"takes a qiskit\.QuantumCircuit or several, str given"):
        from_qiskit("circuit")  # type: ignore[arg-type]


def test_lists_of_circuits_become_lists() -> None:
    circuits = [QuantumCircuit(1), QuantumCircuit(2)]
    circuits[1].cx(0, 1)
    assert from_qiskit(circuits) == [Circuit(1), Circuit(2).cx(0, 1)]
    assert from_qiskit(()) == []
    with pytest.raises(CircuitError, match=r"circuit 1: a qiskit\.QuantumCircuit is needed, int given"):
        from_qiskit([circuits[0], 3])


def test_a_gate_of_ones_own_is_not_taken_for_qiskits_of_the_same_name() -> None:
    own = QuantumCircuit(1, name="h")
    own.x(0)
    outer = QuantumCircuit(2)
    outer.h(0)
    outer.append(own.to_gate(), [1])
    outer.append(lib.CXGate(ctrl_state=0), [0, 1])
    outer.h(1)
    assert from_qiskit(outer) == Circuit(2).h(0).x(1).mc("x", 0, 1, ctrl_state=0).h(1)


def test_more_controls_on_a_controlled_u_keep_its_phase() -> None:
    circuit = Circuit(3).append("cu", [0, 1], [0.1, 0.2, 0.3, 0.4], controls=2)
    np.testing.assert_allclose(from_qiskit(to_qiskit(circuit)).to_matrix(), circuit.to_matrix(), atol=1e-12)

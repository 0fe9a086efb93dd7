"""Control flow: what a circuit holds of it, checked by the oracle that follows every branch."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from qfast.circuit import DEFAULT, Circuit, IfElse, Parameter
from qfast.circuit.classical import Binary, Bit, Bits, Index, Literal, Variable
from qfast.circuit.control_flow import check_loop_exits
from qfast.errors import CircuitError
from tests import oracle


def close(found: dict[str, float], expected: dict[str, float]) -> bool:
    keys = found.keys() | expected.keys()
    return all(abs(found.get(key, 0.0) - expected.get(key, 0.0)) < 1e-12 for key in keys)


def test_teleportation_moves_a_state() -> None:
    circuit = Circuit(3, 3).ry(1.1, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure(0, 0).measure(1, 1)
    circuit.if_test((1, 1), circuit.block().x(2)).if_test((0, 1), circuit.block().z(2))
    circuit.ry(-1.1, 2).measure(2, 2)
    assert close(oracle.distribution(circuit), {f"0{k:02b}": 0.25 for k in range(4)})


def test_else_runs_where_the_condition_does_not_hold() -> None:
    circuit = Circuit(2, 2).ry(2 * math.asin(math.sqrt(0.3)), 0).measure(0, 0)
    circuit.if_test(Bit(0), circuit.block(), circuit.block().x(1)).measure(1, 1)
    assert close(oracle.distribution(circuit), {"10": 0.7, "01": 0.3})


def test_repeat_until_success_ends_with_success() -> None:
    circuit = Circuit(1, 1).h(0).measure(0, 0)
    circuit.while_loop((0, 0), circuit.block().reset(0).h(0).measure(0, 0))
    assert close(oracle.distribution(circuit), {"1": 1.0})


def test_a_loop_variable_is_the_angle_of_its_pass() -> None:
    circuit = Circuit(1, 1)
    k = circuit.add_variable("k")
    circuit.for_loop(range(1, 4), circuit.block().rx(Parameter("k") * 0.1, 0), k).measure(0, 0)
    assert close(oracle.distribution(circuit), oracle.distribution(Circuit(1, 1).rx(0.6, 0).measure(0, 0)))
    floats = Circuit(1, 1)
    floats.add_variable("x", "float")
    floats.for_loop([0.1, 0.5], floats.block().rx(Parameter("x"), 0), "x").measure(0, 0)
    assert close(oracle.distribution(floats), oracle.distribution(circuit))


def test_break_and_continue_act_on_the_innermost_loop() -> None:
    circuit = Circuit(2, 2)
    k = circuit.add_variable("k")
    body = circuit.block()
    body.if_test(Binary("==", k, Literal(1)), body.block().continue_loop())
    body.if_test(Binary("==", k, Literal(3)), body.block().break_loop())
    body.x(0)
    inner = circuit.block().x(1).break_loop()
    body.for_loop(range(5), inner)
    circuit.for_loop(range(10), body, k).measure([0, 1], [0, 1])
    assert close(oracle.distribution(circuit), {"00": 1.0})  # passes 0 and 2 flip both qubits twice


def test_switch_takes_the_matching_case_or_the_default() -> None:
    circuit = Circuit(3, 3).h(0).h(1).measure([0, 1], [0, 1])
    register = circuit.classical_registers[0]
    cases = [(0, circuit.block().x(2)), ([1, 2], circuit.block()), (DEFAULT, circuit.block().ry(math.pi / 2, 2))]
    circuit.switch(Bits(0, 2), cases).measure(2, 2)
    expected = {"100": 0.25, "001": 0.25, "010": 0.25, "011": 0.125, "111": 0.125}
    assert close(oracle.distribution(circuit), expected)
    assert circuit.copy().switch(register, [(7, circuit.block())])[-1].data.default is None


def test_assignments_change_bits_registers_and_variables() -> None:
    circuit = Circuit(1, 4)
    register = circuit.classical_registers[0]
    n = circuit.add_variable("n", "uint", 3)
    circuit.assign(n, 9).assign(register, Binary("+", n, Literal(4))).assign(Bit(3), Literal(True))
    circuit.assign(Index(n, Literal(2)), True).assign(Index(as_bits(circuit), Literal(0)), Binary("==", n, Literal(5)))
    circuit.measure(0, 1)
    assert close(oracle.distribution(circuit), {"1101": 1.0})


def as_bits(circuit: Circuit) -> Bits:
    return Bits(0, circuit.num_clbits)


def test_operands_of_a_block_are_the_qubits_its_bodies_touch() -> None:
    circuit = Circuit(5, 1)
    circuit.if_test((0, 1), circuit.block().cx(4, 1), circuit.block().h(2))
    assert circuit[0].qubits == (1, 2, 4)


def test_a_body_is_copied_when_it_is_given() -> None:
    circuit = Circuit(2, 1)
    body = circuit.block().x(0)
    circuit.if_test((0, 1), body)
    body.x(1)
    assert len(circuit[0].data.body) == 1


def test_bits_and_variables_that_come_later_reach_the_bodies() -> None:
    circuit = Circuit(1, 1)
    inner = circuit.block()
    inner.if_test((0, 0), inner.block().x(0))
    circuit.if_test((0, 1), inner)
    before = circuit.copy()
    circuit.add_qubit_register("r", 2)
    circuit.add_classical_register("d", 3)
    circuit.add_variable("n")
    body = circuit[0].data.body
    nested = body[0].data.body
    for part in (body, nested):
        assert (part.num_qubits, part.num_clbits, list(part.variables)) == (3, 4, ["n"])
    assert before[0].data.body.num_qubits == 1


def test_a_body_of_another_making_takes_the_circuits_names() -> None:
    circuit = Circuit()
    circuit.add_qubit_register("data", 2)
    circuit.add_classical_register("out", 1)
    circuit.if_test((0, 1), Circuit(2, 1).x(0))
    assert circuit[0].data.body.classical_registers == circuit.classical_registers


def test_blocks_compare_and_pickle() -> None:
    def build() -> Circuit:
        circuit = Circuit(1, 2)
        circuit.add_variable("k")
        circuit.switch(Bits(0, 2), [(1, circuit.block().x(0)), (DEFAULT, circuit.block())])
        circuit.for_loop(range(3), circuit.block().h(0), "k").for_loop([1, 5], circuit.block().h(0))
        return circuit.while_loop((0, 1), circuit.block().break_loop()).assign(Bit(0), 1)

    assert build() == build()
    assert pickle.loads(pickle.dumps(build())) == build()
    assert pickle.loads(pickle.dumps(DEFAULT)) is DEFAULT


def test_loop_exits_outside_a_loop_are_found() -> None:
    circuit = Circuit(1, 1)
    circuit.if_test((0, 1), circuit.block().x(0).break_loop())
    with pytest.raises(CircuitError, match="'break_loop' at instruction 1 stands in no loop"):
        check_loop_exits(circuit)
    looped = Circuit(1, 1)
    looped.while_loop((0, 1), looped.block().if_test((0, 1), looped.block().continue_loop()))
    check_loop_exits(looped)


Call = Callable[[Circuit], Any]
BAD_CALLS: list[tuple[Call, str]] = [
    (lambda c: c.if_test((2, 1), c.block()), "'if_else' at instruction 0: classical bit 2 is out of range"),
    (lambda c: c.if_test(Bits(1, 2), c.block()), "classical bits 1…2 is out of range"),
    (lambda c: c.if_test(Variable("n"), c.block()), "is not declared in this circuit; add_variable declares it"),
    (lambda c: c.if_test((0, 1), Circuit(3, 2)), "the body has 3 qubits and 2 classical bits, the circuit 2 and 2"),
    (lambda c: c.if_test((0, 1), "x"), "a body is a Circuit, str given"),
    (lambda c: c.if_test((0, 1), c.block(), 5), "a body is a Circuit, int given"),
    (lambda c: c.if_test("c == 1", c.block()), "'c == 1' is not a classical expression"),
    (lambda c: c.while_loop((5, 1), c.block()), "'while_loop' at instruction 0: classical bit 5 is out of range"),
    (lambda c: c.for_loop(range(2), c.block(), "k"), "the loop variable 'k' is not declared"),
    (lambda c: c.for_loop([math.nan], c.block()), "the loop value nan is not finite"),
    (lambda c: c.switch(Bit(0), [(1, c.block()), (1, c.block())]), "the value 1 stands in two cases"),
    (lambda c: c.switch(Bit(0), [([1, 1], c.block())]), "the value 1 stands in two cases"),
    (lambda c: c.switch(Bit(0), [(DEFAULT, c.block()), (DEFAULT, c.block())]), "DEFAULT is given twice"),
    (lambda c: c.assign(Literal(1), 2), "cannot be assigned to; a bit, a register or a variable can"),
    (lambda c: c.assign(Bit(9), 2), "classical bit 9 is out of range"),
    (lambda c: c.assign(Bit(0), Bit(9)), "classical bit 9 is out of range"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD_CALLS, ids=[message for _, message in BAD_CALLS])
def test_a_wrong_block_is_refused_with_its_place_and_changes_nothing(call: Call, message: str) -> None:
    circuit = Circuit(2, 2)
    with pytest.raises(CircuitError, match=message):
        call(circuit)
    assert circuit == Circuit(2, 2)
    assert circuit.data_items == ()


def test_a_body_with_a_variable_of_its_own_is_refused() -> None:
    circuit = Circuit(1, 1)
    body = circuit.block()
    body.add_variable("mine")
    with pytest.raises(CircuitError, match="the body's variable 'mine' is not declared in the circuit"):
        circuit.if_test((0, 1), body)


def test_a_view_of_a_block_names_its_type() -> None:
    circuit = Circuit(1, 1)
    circuit.if_test((0, 1), circuit.block().x(0))
    assert isinstance(circuit[0].data, IfElse)
    assert repr(circuit[0]) == "Instruction('if_else', qubits=(0,), data=IfElse)"

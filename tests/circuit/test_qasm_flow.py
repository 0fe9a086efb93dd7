"""OpenQASM programs: what is decided while reading is unrolled, what depends on measurements becomes control flow."""

from __future__ import annotations

import math

import pytest

from qfast.circuit import Assign, Circuit, ForLoop, IfElse, SwitchCase, WhileLoop
from qfast.circuit.classical import Binary, Bit, Bits, Cast, Literal, Variable
from tests import oracle

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '


def read(text: str) -> Circuit:
    return Circuit.from_qasm(HEAD + text)


def names(circuit: Circuit) -> list[str]:
    return [step.name for step in circuit]


def block(circuit: Circuit, kind: type) -> object:
    (found,) = [step.data for step in circuit if isinstance(step.data, kind)]
    return found


def distribution(text: str) -> dict[str, float]:
    return {key: pytest.approx(weight) for key, weight in oracle.distribution(read(text)).items()}


# --------------------------------------------------------------------------------------------- OpenQASM 2: if (c == k)


def test_a_condition_of_openqasm_2_compares_the_whole_register() -> None:
    circuit = Circuit.from_qasm(
        'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg a[1]; creg c[3]; if(c==5) rx(1) q[1];'
        "if (c==1) reset q[0]; if(c==2) measure q[0] -> a[0];"
    )
    first, second, third = (step.data for step in circuit)
    assert isinstance(first, IfElse)
    assert first.condition == Binary("==", Bits(1, 3), Literal(5))
    assert names(first.body) == ["rx"]
    assert circuit[0].qubits == (1,)
    assert isinstance(second, IfElse)
    assert names(second.body) == ["reset"]
    assert isinstance(third, IfElse)
    assert names(third.body) == ["measure"]


def test_a_conditional_gate_is_broadcast_and_expanded_inside_its_block() -> None:
    circuit = Circuit.from_qasm(
        'OPENQASM 2.0; include "qelib1.inc"; gate g a { h a; x a; } qreg q[2]; creg c[1]; if(c==1) g q;'
    )
    (step,) = circuit
    assert names(step.data.body) == ["h", "x", "h", "x"]
    assert step.qubits == (0, 1)


# ----------------------------------------------------------------------------------------------- decided while reading


def test_known_conditions_leave_no_control_flow() -> None:
    circuit = read("const int n = 3; qubit q; if (n > 2) { x q; } else { y q; } if (n == 0) z q; else h q;")
    assert names(circuit) == ["x", "h"]


def test_for_loops_over_ranges_sets_and_bit_strings_are_unrolled() -> None:
    circuit = read(
        """
        qubit[8] q; const bit[3] pattern = "101";
        for int i in [0:2] x q[i];
        for int i in [6:-2:2] { y q[i]; }
        for uint i in {7, 1} z q[i];
        for float a in {0.5, 1.5} rx(a) q[0];
        for bit b in pattern { if (b == 1) h q[0]; else s q[0]; }
        for int i in [3:2] { t q[0]; }
        """
    )
    found = [(step.name, step.qubits[0]) for step in circuit]
    assert found == [
        ("x", 0), ("x", 1), ("x", 2), ("y", 6), ("y", 4), ("y", 2), ("z", 7), ("z", 1), ("rx", 0), ("rx", 0), ("h", 0),
        ("s", 0), ("h", 0),
    ]  # fmt: skip


def test_variables_count_through_loops() -> None:
    circuit = read(
        """
        qubit[6] q; int n = 0; float angle_sum = 0;
        while (n < 5) {
            if (n == 1) { n += 1; continue; }
            if (n == 4) break;
            rx(angle_sum) q[n]; angle_sum += 0.5; n += 1;
        }
        for int i in [0:9] { if (i == 2) break; h q[i]; }
        z q[n];
        """
    )
    found = [(step.name, step.qubits[0], list(step.params)) for step in circuit]
    assert found == [
        ("rx", 0, [0.0]), ("rx", 2, [0.5]), ("rx", 3, [1.0]), ("h", 0, []), ("h", 1, []), ("z", 4, []),
    ]  # fmt: skip


def test_a_known_switch_takes_its_case() -> None:
    text = "qubit q; for int i in [0:3] { switch (i) { case 0 { x q; } case 1, 2 { y q; } default { z q; } } }"
    assert names(read(text)) == ["x", "y", "y", "z"]


def test_inner_names_hide_outer_ones_until_their_block_ends() -> None:
    circuit = read(
        "qubit q; float a = 1; gate g x0 { rx(pi) x0; }"
        "{ float a = 2; rx(a) q; for int pi in [3:3] { rx(pi) q; g q; } } rx(a) q;"
    )
    assert list(circuit.params) == [2.0, 3.0, math.pi, 1.0]


def test_assigning_the_loop_variable_does_not_change_the_next_pass() -> None:
    assert list(read("qubit q; for int i in [1:3] { i *= 10; rx(i) q; }").params) == [10.0, 20.0, 30.0]


# ------------------------------------------------------------------------------------------------- decided at run time


def test_conditions_on_bits_become_blocks() -> None:
    circuit = read(
        "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0];"
        "if (c[0]) { x q[1]; } else if (c == 2) y q[1]; else { z q[1]; } c[1] = measure q[1];"
    )
    outer = block(circuit, IfElse)
    assert isinstance(outer, IfElse)
    assert outer.condition == Bit(0)
    assert outer.else_body is not None
    inner = outer.else_body[0].data
    assert isinstance(inner, IfElse)
    assert inner.condition == Binary("==", Bits(0, 2), Literal(2))
    assert oracle.distribution(circuit) == {"00": pytest.approx(0.5), "11": pytest.approx(0.5)}


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("c == 5", True), ("c != 5", False), ("c < 6 && c[1] == 0", True), ("!c[0] || c[2]", True),
        ("c[0] ^ c[2]", False), ("c[0:1] == 1", True), ("c[1:2] == 2", True), ('(c & "110") == 4', True),
        ("(c << 1) == 2", True), ("~c == 2", True), ("uint[3](c) + 1 == 6", True), ("uint[3](c) * 2 == 2", True),
        ("int[8](c) % 3 == 2", True), ("int(c[0]) + 1 == 2", True), ("popcount(c) == 2", True),
        ("rotl(c, 1) == 3", True), ("bool(c)", True), ("-int[8](c) < 0", True), ('c == "101"', True),
        ("c[{2, 0}] == 3", True), ("c[-1]", True),
        ("float(int[8](c)) / 2 > 2.4", True), ("mod(int[8](c), 2) == 1", True),
    ],
)  # fmt: skip
def test_run_time_expressions(condition: str, taken: bool) -> None:
    text = (
        f"qubit[4] q; bit[3] c; bit d; x q[0]; x q[2]; c = measure q[0:2]; if ({condition}) x q[3]; d = measure q[3];"
    )
    assert distribution(text) == {"1101" if taken else "0101": 1.0}


def test_variables_that_depend_on_measurements_live_at_run_time() -> None:
    text = """
        qubit[3] q; bit[3] c; int[8] ones = 0; bool odd; float turn = 0.25;
        h q[0]; x q[1];
        for int i in [0:1] { c[i] = measure q[i]; ones += c[i]; }
        odd = ones == 1;
        if (odd) { turn = pi; }
        rx(turn) q[2];
        c[2] = measure q[2];
        """
    circuit = read(text)
    assert {v.name: (v.kind, v.width) for v in circuit.variables.values()} == {
        "ones": ("int", 8), "odd": ("bool", None), "turn": ("float", None),
    }  # fmt: skip
    low = math.sin(0.125) ** 2
    assert distribution(text) == {"110": 0.5, "011": 0.5 * (1 - low), "111": 0.5 * low}


def test_what_is_known_before_a_block_is_stored_before_it() -> None:
    circuit = read("qubit q; bit c; int n = 7; c = measure q; if (c) { n = 8; } if (n == 7) { x q; }")
    assert names(circuit) == ["measure", "assign", "if_else", "if_else"]
    stored = circuit[1].data
    assert isinstance(stored, Assign)
    assert stored == Assign(Variable("n", "int", 64), Literal(7))


def test_a_variable_is_known_again_after_a_known_assignment() -> None:
    circuit = read("qubit[3] q; bit c; int n = 0; c = measure q[0]; if (c) n = 1; n = 2; x q[n];")
    assert names(circuit)[-1] == "x"
    assert circuit[-1].qubits == (2,)


def test_while_loops_on_bits_repeat_until_success() -> None:
    text = "qubit q; bit c = 1; while (c) { reset q; h q; c = measure q; }"
    circuit = read(text)
    loop = block(circuit, WhileLoop)
    assert isinstance(loop, WhileLoop)
    assert names(loop.body) == ["reset", "h", "measure"]
    assert distribution(text) == {"0": pytest.approx(1.0, abs=1e-12)}


def test_a_while_loop_may_count_in_a_variable_that_is_read_in_its_condition() -> None:
    text = """
        qubit[2] q; bit[2] c; int[8] tries = 0; c[0] = 1;
        while (c[0] && tries < 3) { reset q[0]; h q[0]; c[0] = measure q[0]; tries += 1; }
        if (tries == 3) x q[1];
        c[1] = measure q[1];
        """
    assert distribution(text) == {"00": 0.75, "10": 0.125, "11": 0.125}


def test_a_loop_that_is_left_by_a_measurement_stays_a_loop() -> None:
    text = """
        qubit q; bit c; int[8] passes;
        for int i in [1:3] { h q; c = measure q; passes = i; if (c) break; }
        rx(passes) q;
        """
    circuit = read(text)
    loop = block(circuit, ForLoop)
    assert isinstance(loop, ForLoop)
    assert (loop.values, loop.variable) == (range(1, 4), "i")
    assert names(loop.body) == ["h", "measure", "assign", "if_else"]
    inner = loop.body[3].data
    assert isinstance(inner, IfElse)
    assert names(inner.body) == ["break_loop"]
    assert [parameter.name for parameter in circuit.expressions[0].parameters] == ["passes"]


def test_an_exit_that_depends_on_measurements_through_variables_is_found() -> None:
    text = """
        qubit q; bit c; int a = 0; int b = 0;
        for int i in [1:3] { h q; if (b == 1) continue; b = a; c = measure q; a = c; }
        """
    assert isinstance(block(read(text), ForLoop), ForLoop)


def test_a_switch_on_measured_bits() -> None:
    text = """
        qubit[3] q; bit[2] c; bit d; h q[0]; h q[1]; c = measure q[0:1];
        switch (uint[2](c)) { case 0, 3 { x q[2]; } case 1 { } default { h q[2]; } }
        d = measure q[2];
        """
    switch = block(read(text), SwitchCase)
    assert isinstance(switch, SwitchCase)
    assert switch.target == Cast("uint", 2, Bits(0, 2))
    assert [values for values, _ in switch.cases] == [(0, 3), (1,)]
    assert distribution(text) == {"100": 0.25, "001": 0.25, "010": 0.125, "110": 0.125, "111": 0.25}


def test_bits_can_be_assigned() -> None:
    text = """
        qubit q; bit[3] c = "110"; bit[2] d; bit e; c[0] = 1; d = c[1:2]; e = c[0] & d[1];
        let a = c[{0, 2}]; a = "01";
        """
    assert distribution(text + "bit f = measure q;") == {"0111011": 1.0}


def test_compound_assignments_of_bits_and_variables() -> None:
    text = (
        'qubit q; bit[4] c = "0110"; uint[4] n = 3; c <<= 1; n |= 8; c ^= "0001"; bit[4] d; d = n; bit f = measure q;'
    )
    assert distribution(text) == {"010111101": 1.0}


def test_run_time_angles_are_reduced_and_rounded() -> None:
    text = """
        qubit[2] q; bit[2] c; angle[4] a = pi; angle b = 5; x q[0]; c[0] = measure q[0];
        if (c[0]) { a += 5 * pi / 4; b = b + b; }
        rx(a) q[1]; rz(b) q[1];
        """
    (branch,) = oracle.branches(read(text))
    assert branch.variables["a"] == pytest.approx(math.pi / 4)
    assert branch.variables["b"] == pytest.approx(10 - 2 * math.pi)


def test_run_time_variables_of_one_name_stay_apart() -> None:
    text = """
        qubit[2] q; bit c; c = measure q[0];
        if (c) { int i = 1; if (c) i = 2; rx(i) q[0]; }
        if (c) { int i = 3; if (c) i = 4; rx(i) q[1]; }
        """
    assert sorted(read(text).variables) == ["i", "i_2"]

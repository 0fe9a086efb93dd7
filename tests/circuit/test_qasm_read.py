"""The OpenQASM reader: gates, expressions, definitions, modifiers, broadcasting, aliases, includes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.circuit import Circuit
from tests import oracle

DATA = Path(__file__).parent.parent / "data" / "qasm"

V2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
V3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def read3(text: str) -> Circuit:
    return Circuit.from_qasm(V3 + text)


def read2(text: str) -> Circuit:
    return Circuit.from_qasm(V2 + text)


def rows(circuit: Circuit) -> list[tuple[str, tuple[int, ...], tuple[object, ...]]]:
    return [(step.label, step.all_qubits, step.params) for step in circuit]


def matrix(circuit: Circuit) -> oracle.Array:
    return oracle.unitary(circuit)


def same(text: str, expected: oracle.Array) -> None:
    np.testing.assert_allclose(matrix(read3(text)), expected, atol=1e-12)


# ------------------------------------------------------------------------------------------------------------ libraries

QELIB1 = {
    "u3": 3, "u2": 2, "u1": 1, "cx": 0, "id": 0, "u": 3, "p": 1, "x": 0, "y": 0, "z": 0, "h": 0, "s": 0, "sdg": 0,
    "t": 0, "tdg": 0, "rx": 1, "ry": 1, "rz": 1, "sx": 0, "sxdg": 0, "cz": 0, "cy": 0, "swap": 0, "ch": 0, "ccx": 0,
    "cswap": 0, "crx": 1, "cry": 1, "crz": 1, "cu1": 1, "cp": 1, "cu3": 3, "csx": 0, "cu": 4, "rxx": 1, "rzz": 1,
    "rccx": 0, "rc3x": 0, "c3x": 0, "c4x": 0,
}  # fmt: skip
STDGATES = {
    "p": 1, "x": 0, "y": 0, "z": 0, "h": 0, "s": 0, "sdg": 0, "t": 0, "tdg": 0, "sx": 0, "rx": 1, "ry": 1, "rz": 1,
    "cx": 0, "cy": 0, "cz": 0, "cp": 1, "crx": 1, "cry": 1, "crz": 1, "ch": 0, "swap": 0, "ccx": 0, "cswap": 0, "cu": 4,
    "id": 0, "u1": 1, "u2": 2, "u3": 3,
}  # fmt: skip


@pytest.mark.parametrize(("read", "library"), [(read2, QELIB1), (read3, STDGATES)], ids=["qelib1", "stdgates"])
def test_every_library_gate_is_the_row_of_its_name(read: Callable[[str], Circuit], library: dict[str, int]) -> None:
    for name, num_params in library.items():
        expected = oracle.TEXTBOOK[name](*(0.1 + 0.2 * k for k in range(num_params)))
        num_qubits = len(expected).bit_length() - 1
        params = f"({', '.join(str(0.1 + 0.2 * k) for k in range(num_params))})" if num_params else ""
        operands = ", ".join(f"q[{k}]" for k in range(num_qubits))
        circuit = read(f"qreg q[{num_qubits}]; {name}{params} {operands};")
        assert [step.name for step in circuit] == [name]
        np.testing.assert_allclose(matrix(circuit), expected, atol=1e-12, err_msg=name)


def test_other_names_of_library_gates() -> None:
    assert [step.name for step in read2("qreg q[4]; U(0,0,0) q[0]; CX q[0],q[1]; c3sqrtx q[0],q[1],q[2],q[3];")] == [
        "u", "cx", "c3sx",
    ]  # fmt: skip
    assert [s.name for s in read3("qubit[2] q; U(0,0,0) q[0]; CX q[0],q[1]; phase(1) q[0]; cphase(1) q[0],q[1];")] == [
        "u", "cx", "p", "cp",
    ]  # fmt: skip


def test_u0_is_an_idle_gate() -> None:
    assert rows(read2("qreg q[1]; u0(3) q[0];")) == [("id", (0,), ())]


def test_builtin_gates_need_no_include() -> None:
    assert len(Circuit.from_qasm("OPENQASM 2.0; qreg q[2]; U(0.1,0.2,0.3) q[0]; CX q[0],q[1];")) == 2
    assert len(Circuit.from_qasm("OPENQASM 3; qubit q; U(0.1,0.2,0.3) q; gphase(0.3);")) == 2


def test_a_text_without_a_version_is_openqasm_3() -> None:
    assert rows(Circuit.from_qasm('include "stdgates.inc"; qubit q; h q;')) == [("h", (0,), ())]


def test_a_definition_in_the_text_replaces_a_library_gate() -> None:
    circuit = read2("gate rzz(a) x0,x1 { cx x0,x1; u1(a) x1; cx x0,x1; }\nqreg q[2]; rzz(0.5) q[0],q[1];")
    assert [step.name for step in circuit] == ["cx", "u1", "cx"]


def test_words_of_openqasm_3_are_names_in_openqasm_2() -> None:
    circuit = read2("qreg angle[1]; creg in[1]; gate ctrl(float) bit { rx(float) bit; }\nctrl(1) angle[0];")
    assert rows(circuit) == [("rx", (0,), (1.0,))]
    assert circuit.classical_register("in").size == 1


# ---------------------------------------------------------------------------------------------------------- expressions

PARAMETERS_2 = {
    "3*pi/4": 3 * math.pi / 4, "-pi/2": -math.pi / 2, "pi*-0.5": -math.pi / 2, "1/2": 0.5, "7/2*2": 7.0, "2^3^2": 512.0,
    "-2^2": -4.0, "2^-1": 0.5, "2^0.5": math.sqrt(2), "sin(pi/6)": math.sin(math.pi / 6), "ln(2)": math.log(2),
    "exp(1)+sqrt(4)": math.e + 2, "1e-3": 1e-3, ".5": 0.5, "5.": 5.0, "(1+2)*3": 9.0, "1-2-3": -4.0, "+3": 3.0,
    "1.5E+1": 15.0, "cos(0)-tan(0)": 1.0,
}  # fmt: skip
PARAMETERS_3 = {
    "3*pi/4": 3 * math.pi / 4, "π/2": math.pi / 2, "τ": 2 * math.pi, "ℇ": math.e, "tau/euler": 2 * math.pi / math.e,
    "2**3**2": 512.0, "-2**2": -4.0, "2**-1": 0.5, "7%4": 3.0, "6/2": 3.0, "1.0/2": 0.5, "arcsin(1)": math.pi / 2,
    "arccos(0.5)": math.acos(0.5), "arctan(1)": math.pi / 4, "log(2)": math.log(2), "ceiling(1.2)": 2.0,
    "floor(-1.2)": -2.0, "mod(7, 4)": 3.0, "mod(-7.5, 2)": 0.5, "pow(2, 3)": 8.0, "pow(2.0, 0.5)": math.sqrt(2),
    "popcount(0b1011)": 3.0, "0x1F": 31.0, "0o17": 15.0, "0b1_01": 5.0, "1_000": 1000.0, "1_0.5_0e0_1": 105.0,
    "1 << 4": 16.0, "(6 & 3) | 8": 10.0, "5 ^ 1": 4.0, "true + 1": 2.0, "int(2.9)": 2.0, "int[4](9)": -7.0,
    "uint[3](9)": 1.0, "float(3)/2": 1.5, "uint(\"101\")": 5.0, "int(5 > 3)": 1.0,
    "int(!false && (2 <= 2 || 1 != 1))": 1.0, "angle(5*pi/2)": math.pi / 2,
    "sqrt(2)*sqrt(2)": 2.0000000000000004,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), PARAMETERS_2.items())
def test_expressions_of_openqasm_2(text: str, value: float) -> None:
    circuit = read2(f"qreg q[1]; rx({text}) q[0];")
    assert circuit.params[0] == pytest.approx(value, rel=1e-15, abs=0)


@pytest.mark.parametrize(("text", "value"), PARAMETERS_3.items())
def test_expressions_of_openqasm_3(text: str, value: float) -> None:
    assert read3(f"qubit q; rx({text}) q;").params[0] == pytest.approx(value, rel=1e-15, abs=0)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_read_exactly(value: float) -> None:
    assert read3(f"qubit q; rx({value!r}) q;").params[0] == value


def test_constants_and_variables_of_all_types() -> None:
    circuit = read3(
        """
        const int[8] n = 3;  const float step = pi / n;  const bit[4] mask = "1010";
        uint[4] u = 15;  u += 2;          // wraps around: 1
        int[8] i = 100;  i += 100;        // -56
        bool flag = n > 2;
        angle[4] a = 7 * (pi / 8);  a *= 3;   // 21 ticks of pi/8, modulo 16: 5
        float f = step;  f *= 2;
        qubit q;
        rx(u) q; rx(i) q; rx(int(flag)) q; rx(a) q; rx(f) q; rx(uint(mask)) q; rx(int(mask[1])) q;
        """
    )
    assert list(circuit.params) == pytest.approx([1, -56, 1, 5 * math.pi / 8, 2 * math.pi / 3, 10, 1])


def test_angles_follow_the_tables_of_the_specification() -> None:
    circuit = read3(
        """
        const angle[4] a = 7 * (pi / 8); const angle[4] b = pi / 8; const angle[4] c = 5 * (pi / 4);
        const uint[4] two = 2;
        qubit q;
        rx(a + b) q; rx(b - a) q; rx(a / two) q; rx(two * c) q; rx(c / b) q; rx(-b) q;
        """
    )
    eighth = math.pi / 8
    assert list(circuit.params) == pytest.approx([8 * eighth, 10 * eighth, 3 * eighth, 4 * eighth, 10, 15 * eighth])


def test_inputs_become_parameters() -> None:
    circuit = read3(
        "input float theta; input angle[32] phi; qubit[2] q; rx(2*theta+1) q[0]; cu(phi,-theta,0,pi) q[0],q[1];"
    )
    assert [parameter.name for parameter in circuit.parameters] == ["phi", "theta"]
    bound = circuit.bind({"theta": 0.25, "phi": 0.5})
    assert list(bound.params) == pytest.approx([1.5, 0.5, -0.25, 0, math.pi])


def test_functions_of_inputs_are_kept_as_expressions() -> None:
    names = ["sin", "cos", "tan", "arcsin", "arccos", "arctan", "exp", "log", "sqrt"]
    numpy_names = [np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.exp, np.log, np.sqrt]
    text = (
        "input float t; qubit q; " + "".join(f"rz({name}(t)) q;" for name in names) + "rz(pow(t, 2)) q; rz(t**3/2-t) q;"
    )
    bound = read3(text).bind({"t": 0.3})
    expected = [float(f(0.3)) for f in numpy_names] + [0.09, 0.3**3 / 2 - 0.3]
    assert list(bound.params) == pytest.approx(expected, rel=1e-14)


# ---------------------------------------------------------------------------------------------- registers and operands


def test_registers_keep_their_order_and_names() -> None:
    circuit = read3("qubit[2] a; bit[3] c; qubit b; bit d; h b; d = measure a[1];")
    assert [(r.name, r.start, r.size) for r in circuit.qubit_registers] == [("a", 0, 2), ("b", 2, 1)]
    assert [(r.name, r.start, r.size) for r in circuit.classical_registers] == [("c", 0, 3), ("d", 3, 1)]
    assert [(step.name, step.qubits, step.clbit) for step in circuit] == [("h", (2,), None), ("measure", (1,), 3)]


def test_broadcasting_walks_registers_in_step() -> None:
    circuit = read3("qubit a; qubit[3] b; qubit[3] c; h b; cx a, b; cx b, c; ccx b, a, c; U(0,0,1) a;")
    found = [step.qubits for step in circuit]
    assert found == [
        (1,), (2,), (3,), (0, 1), (0, 2), (0, 3), (1, 4), (2, 5), (3, 6), (1, 0, 4), (2, 0, 5), (3, 0, 6), (0,),
    ]  # fmt: skip


def test_measure_reset_and_barrier_take_registers() -> None:
    circuit = read2("qreg q[2]; creg c[2]; reset q; barrier q[1],q; measure q -> c; measure q[0] -> c[1];")
    assert [(s.name, s.qubits, s.clbit) for s in circuit] == [
        ("reset", (0,), None), ("reset", (1,), None), ("barrier", (1, 0), None),
        ("measure", (0,), 0), ("measure", (1,), 1), ("measure", (0,), 1),
    ]  # fmt: skip


def test_all_forms_of_measurement_in_openqasm_3() -> None:
    circuit = read3(
        "qubit[2] q; bit[2] c; bit d = measure q[0]; c = measure q; measure q[1] -> c[0]; c[1] = measure q[0];"
    )
    assert [(step.qubits, step.clbit) for step in circuit] == [
        ((0,), 2), ((0,), 0), ((1,), 1), ((1,), 0), ((0,), 1),
    ]  # fmt: skip


def test_a_barrier_without_operands_takes_all_qubits() -> None:
    assert [step.qubits for step in read3("qubit[2] a; qubit b; barrier;")] == [(0, 1, 2)]


def test_slices_sets_negative_indices_and_concatenation() -> None:
    circuit = read3(
        """
        qubit[6] q; qubit[2] r;
        let a = q[1:3]; let b = a ++ r; let c = q[{0, 5}]; let d = q[-1]; let e = q[5:-2:1]; let f = b[0:2:4];
        x a; y b[-1]; z c; h d; s e; t f; sx q[4:];
        """
    )
    assert [(step.name, step.qubits[0]) for step in circuit] == [
        ("x", 1), ("x", 2), ("x", 3), ("y", 7), ("z", 0), ("z", 5), ("h", 5), ("s", 5), ("s", 3), ("s", 1), ("t", 1),
        ("t", 3), ("t", 7), ("sx", 4), ("sx", 5),
    ]  # fmt: skip


def test_hardware_qubits_are_numbered_as_written() -> None:
    circuit = read3("bit c; x $3; cx $0, $1; c = measure $3;")
    assert circuit.num_qubits == 4
    assert [step.qubits for step in circuit] == [(3,), (0, 1), (3,)]


def test_names_may_be_unicode() -> None:
    circuit = read3("qubit δ; input float θ₁; rx(θ₁) δ;")
    assert circuit.qubit_registers[0].name == "δ"
    assert [parameter.name for parameter in circuit.parameters] == ["θ₁"]


# ---------------------------------------------------------------------------------------------------- gate definitions


def test_definitions_are_expanded_with_their_parameters() -> None:
    circuit = read3(
        """
        const float half = 0.5;
        gate inner(a, b) x0, x1 { rx(a*half) x1; cp(a-b) x0, x1; }
        gate outer(t) x0, x1 { inner(2*t, pi) x1, x0; gphase(t); h x0; }
        qubit[3] q;
        outer(0.25) q[2], q[0];
        """
    )
    assert rows(circuit) == [
        ("rx", (2,), (0.25,)), ("cp", (0, 2), (0.5 - math.pi,)), ("gphase", (), (0.25,)), ("h", (2,), ()),
    ]  # fmt: skip


def test_a_definition_may_be_called_with_inputs() -> None:
    circuit = read3("input float t; gate g(a) x0 { rx(a/2) x0; rz(sin(a)) x0; } qubit q; g(t+1) q; g(0.5) q;")
    assert list(circuit.bind({"t": 1.0}).params) == pytest.approx([1.0, math.sin(2), 0.25, math.sin(0.5)])


def test_a_gate_body_may_loop_and_hold_barriers() -> None:
    circuit = read3(
        "gate g(a) x0, x1 { for int i in [1:3] { rx(i*a) x0; } barrier x0, x1; } qubit[2] q; g(0.1) q[0], q[1];"
    )
    assert list(circuit.params) == pytest.approx([0.1, 0.2, 0.3])


def test_an_empty_gate_is_the_identity() -> None:
    assert len(read2("gate nothing a { } qreg q[1]; nothing q[0];")) == 0


# ---------------------------------------------------------------------------------------------------------- modifiers

X, Z, H = oracle.X, oracle.Z, oracle.H


def test_controls_are_listed_first() -> None:
    same("qubit[2] q; ctrl @ h q[1], q[0];", oracle.apply_matrix(np.eye(4), H, [0], [1]))
    same("qubit[2] q; negctrl @ h q[0], q[1];", oracle.apply_matrix(np.eye(4), H, [1], [0], 0))


def test_the_leftmost_modifier_takes_the_first_operand() -> None:
    expected = oracle.apply_matrix(np.eye(16), H, [3], [0, 1, 2], 0b101)
    same("qubit[4] q; ctrl @ negctrl @ ctrl @ h q[0], q[1], q[2], q[3];", expected)
    same("qubit[4] q; negctrl @ ctrl(2) @ h q[1], q[0], q[2], q[3];", expected)


def test_controlled_library_gates_keep_their_names() -> None:
    text = """
        qubit[5] q; ctrl @ x q[0],q[1]; ctrl(2) @ x q[0],q[1],q[2]; ctrl @ cx q[0],q[1],q[2];
        ctrl(4) @ x q[0],q[1],q[2],q[3],q[4]; ctrl @ rz(0.5) q[0],q[1]; ctrl @ gphase(0.5) q[0];
        ctrl(2) @ gphase(0.5) q[0],q[1]; ctrl @ swap q[0],q[1],q[2]; ctrl @ U(1,2,3) q[0],q[1];
        ctrl @ inv @ s q[0],q[1]; negctrl @ x q[0],q[1]; ctrl @ cz q[0],q[1],q[2];
        """
    assert [step.label for step in read3(text)] == [
        "cx", "ccx", "ccx", "c4x", "crz", "p", "cp", "cswap", "cu3", "csdg", "ctrl @ x", "ccz",
    ]  # fmt: skip


def test_a_global_phase_under_controls_of_any_state() -> None:
    for state in range(4):
        modifiers = " @ ".join("ctrl" if state >> j & 1 else "negctrl" for j in range(2))
        expected = np.ones(4, dtype=complex)
        expected[state] = np.exp(0.7j)
        same(f"qubit[2] q; {modifiers} @ gphase(0.7) q[0], q[1];", np.diag(expected))


DEFINED = "gate g(a) x0, x1 { h x0; rx(a) x1; cx x0, x1; gphase(a); t x0; } "


def test_modifiers_of_defined_gates() -> None:
    g = matrix(read3(DEFINED + "qubit[2] q; g(0.3) q[0], q[1];"))
    same(DEFINED + "qubit[2] q; inv @ g(0.3) q[0], q[1];", g.conj().T)
    same(DEFINED + "qubit[2] q; pow(3) @ g(0.3) q[0], q[1];", g @ g @ g)
    same(DEFINED + "qubit[2] q; pow(-2) @ g(0.3) q[0], q[1];", np.linalg.inv(g @ g))
    same(DEFINED + "qubit[2] q; pow(0) @ g(0.3) q[0], q[1];", np.eye(4))
    same(DEFINED + "qubit[3] q; ctrl @ g(0.3) q[0], q[1], q[2];", oracle.apply_matrix(np.eye(8), g, [1, 2], [0]))
    text = "qubit[3] q; negctrl @ inv @ pow(2) @ g(0.3) q[2], q[0], q[1];"
    same(DEFINED + text, oracle.apply_matrix(np.eye(8), (g @ g).conj().T, [0, 1], [2], 0))


def test_modifiers_inside_definitions() -> None:
    text = "gate k(a) x0, x1, x2 { ctrl @ inv @ g(a) x0, x1, x2; pow(2) @ x x0; }"
    g = matrix(read3(DEFINED + "qubit[2] q; g(0.4) q[0], q[1];"))
    expected = oracle.apply_matrix(np.eye(8), g.conj().T, [1, 2], [0])
    same(DEFINED + text + " qubit[3] q; k(0.4) q[0], q[1], q[2];", expected)


@pytest.mark.parametrize("name", STDGATES)
def test_the_inverse_of_every_library_gate(name: str) -> None:
    params = [0.3 + 0.4 * k for k in range(STDGATES[name])]
    expected = oracle.TEXTBOOK[name](*params).conj().T
    num_qubits = len(expected).bit_length() - 1
    arguments = f"({', '.join(map(str, params))})" if params else ""
    operands = ", ".join(f"q[{k}]" for k in range(num_qubits))
    same(f"qubit[{num_qubits}] q; inv @ {name}{arguments} {operands};", expected)


def principal_power(unitary: oracle.Array, exponent: float) -> oracle.Array:
    values, vectors = np.linalg.eig(unitary)
    phases = np.angle(values)
    phases[phases < -math.pi + 1e-9] += 2 * math.pi
    return vectors @ np.diag(np.exp(1j * exponent * phases)) @ np.linalg.inv(vectors)


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.5, 0.3, -2.25])
@pytest.mark.parametrize(
    "gate",
    ["x", "y", "z", "h", "s", "tdg", "sx", "rx(0.7)", "ry(2.9)", "rz(-1.2)", "p(3)", "U(0.3,0.4,0.5)", "U(pi,0,0)",
     "rx(7.5)", "p(5)"],
)  # fmt: skip
def test_fractional_powers_of_one_qubit_gates_are_principal(gate: str, exponent: float) -> None:
    expected = principal_power(matrix(read3(f"qubit q; {gate} q;")), exponent)
    same(f"qubit q; pow({exponent}) @ {gate} q;", expected)
    same(f"qubit[2] q; ctrl @ pow({exponent}) @ {gate} q[1], q[0];", oracle.apply_matrix(np.eye(4), expected, [0], [1]))
    same(f"qubit[2] q; pow({exponent}) @ ctrl @ {gate} q[1], q[0];", oracle.apply_matrix(np.eye(4), expected, [0], [1]))


def test_fractional_powers_of_defined_gates() -> None:
    one = "gate a(t) x0 { h x0; rz(t) x0; gphase(0.2); sx x0; } "
    two = "gate d(t) x0, x1 { rz(t) x0; cp(2*t) x1, x0; negctrl @ gphase(t) x1; } "
    same(one + "qubit q; pow(0.3) @ a(0.5) q;", principal_power(matrix(read3(one + "qubit q; a(0.5) q;")), 0.3))
    expected = principal_power(matrix(read3(two + "qubit[2] q; d(0.5) q[0], q[1];")), 0.3)
    same(two + "qubit[2] q; pow(0.3) @ d(0.5) q[0], q[1];", expected)


def test_the_root_of_x_is_sx_as_the_standard_library_defines_it() -> None:
    same("qubit q; pow(1/2) @ x q;", oracle.TEXTBOOK["sx"]())


def test_powers_of_rotations_stay_rotations() -> None:
    circuit = read3(
        "input float t; qubit[2] q; pow(3) @ rx(t) q[0]; pow(1000) @ rz(0.5) q[0]; pow(-1) @ cp(0.5) q[0],q[1];"
    )
    assert [step.name for step in circuit] == ["rx", "rz", "cp"]
    assert list(circuit.bind({"t": 0.2}).params) == pytest.approx([0.6, 500, -0.5])


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["ctrl", "negctrl", "ctrl(2)", "inv", "pow(2)", "pow(-1)"]), max_size=4))
def test_any_chain_of_modifiers_has_the_matrix_of_its_parts(chain: list[str]) -> None:
    expected, controls = matrix(read3(DEFINED + "qubit[2] q; g(0.3) q[0], q[1];")), 0
    for modifier in reversed(chain):
        if "ctrl" in modifier:
            count, state = (2, 3) if "2" in modifier else (1, 0 if "neg" in modifier else 1)
            controls += count
            size = len(expected).bit_length() - 1
            targets = range(count, count + size)
            expected = oracle.apply_matrix(np.eye(len(expected) << count), expected, targets, range(count), state)
        else:
            expected = expected.conj().T if modifier != "pow(2)" else expected @ expected
    width = controls + 2
    if width > 6:
        return
    operands = ", ".join(f"q[{k}]" for k in range(width))
    same(DEFINED + f"qubit[{width}] q; {' @ '.join([*chain, 'g(0.3)'])} {operands};", expected)


# ---------------------------------------------------------------------------------------------------- files, includes


def test_a_file_may_include_files_of_its_folder() -> None:
    circuit = Circuit.from_qasm_file(DATA / "main.qasm")
    assert rows(circuit) == [("h", (0,), ()), ("cx", (0, 1), ()), ("rz", (1,), (math.pi / 4,))]


def test_comments_pragmas_and_annotations_are_skipped() -> None:
    circuit = read3(
        "/* a\n comment */ qubit q; // h q;\n#pragma vendor h q;\npragma more\n@bind x\n@ other y\nx q; // end"
    )
    assert rows(circuit) == [("x", (0,), ())]


def test_nothing_after_end_is_run() -> None:
    assert rows(read3("qubit q; x q; end; y q; this is not read")) == [("x", (0,), ())]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "bom.qasm"
    file.write_bytes(b"\xef\xbb\xbf" + V3.encode() + b"qubit q; x q;")
    assert len(Circuit.from_qasm_file(file)) == 1


def test_a_large_file_becomes_columns() -> None:
    lines = [f"rz({k}*pi/8) q[{k % 5}]; sx q[{k % 3}]; cx q[{k % 4}], q[4];" for k in range(20_000)]
    circuit = read2("qreg q[5];" + "\n".join(lines))
    assert len(circuit) == 60_000
    assert circuit.count_ops() == {"rz": 20_000, "sx": 20_000, "cx": 20_000}

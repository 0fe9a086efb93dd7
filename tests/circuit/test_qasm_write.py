"""The OpenQASM writer: its text reads back with the same meaning; what a version cannot say is refused by name."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.circuit import DEFAULT, GATES, Circuit, GateFlag, Parameter, ParameterVector
from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Classical, Index, Literal, Unary, Variable
from qfast.circuit.qasm_synthesis import controlled_factors, euler_angles, subset_phases, two_level_factors
from qfast.errors import CircuitError
from tests import oracle
from tests.circuit.strategies import ANGLES, circuits, random_unitary

VERSIONS = pytest.mark.parametrize("version", [2, 3])


def round_trip(circuit: Circuit, version: int) -> Circuit:
    return Circuit.from_qasm(circuit.to_qasm(version))


def same_unitary(circuit: Circuit, version: int, tolerance: float = 1e-11) -> None:
    np.testing.assert_allclose(oracle.unitary(round_trip(circuit, version)), oracle.unitary(circuit), atol=tolerance)


# ---------------------------------------------------------------------------------------------------------------- gates


def test_the_text_of_a_small_circuit() -> None:
    circuit = Circuit(2, 1).h(0).cx(0, 1).rzz(0.5, 0, 1).append("rx", 1, 0.1, controls=[0], ctrl_state=0).measure(1, 0)
    assert circuit.to_qasm() == (
        "OPENQASM 3.0;\n"
        'include "stdgates.inc";\n'
        "gate rzz(p0) q0, q1 { cx q0, q1; rz(p0) q1; cx q0, q1; }\n"
        "qubit[2] q;\n"
        "bit[1] c;\n"
        "h q[0];\n"
        "cx q[0], q[1];\n"
        "rzz(0.5) q[0], q[1];\n"
        "negctrl @ rx(0.1) q[0], q[1];\n"
        "c[0] = measure q[1];\n"
    )
    assert Circuit(2, 1).h(0).measure(0, 0).to_qasm(2) == (
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[1];\nh q[0];\nmeasure q[0] -> c[0];\n'
    )


@VERSIONS
@pytest.mark.parametrize("row", [row for row in GATES if row.target_matrix is not None], ids=lambda row: row.name)
@pytest.mark.parametrize("state", ["", "1", "0", "01"])
def test_every_gate_under_controls_reads_back_with_its_matrix(version: int, row: object, state: str) -> None:
    assert row.num_qubits is not None
    width = row.num_qubits + len(state)
    circuit = Circuit(max(width, 1))
    params = [0.3 + 0.5 * k for k in range(row.num_params)]
    circuit.append(row.name, range(len(state), width), params, controls=range(len(state)), ctrl_state=state or None)
    same_unitary(circuit, version)


@VERSIONS
@settings(max_examples=60)
@given(circuit=circuits(max_qubits=4))
def test_random_circuits_read_back_with_their_matrix(version: int, circuit: Circuit) -> None:
    same_unitary(circuit, version, 1e-10)


@VERSIONS
@given(st.lists(st.tuples(st.sampled_from(["rx", "rz", "p", "u1"]), st.floats(allow_nan=False, allow_infinity=False))))
def test_angles_read_back_exactly(version: int, gates: list[tuple[str, float]]) -> None:
    circuit = Circuit(1)
    for name, angle in gates:
        circuit.append(name, 0, angle)
    assert round_trip(circuit, version) == circuit


@VERSIONS
def test_named_gates_keep_their_names(version: int) -> None:
    both = (
        "id x y z h s sdg t tdg sx sxdg rx ry rz p u u1 cx cy cz ch csx cp cu1 crx cry crz cu cu3 swap ccx cswap c3x "
        "c3sx c4x"
    )
    extra = "u2 u3 rxx rzz rccx rc3x" if version == 2 else "cs csdg ccz gphase"
    circuit = Circuit(5)
    for name in f"{both} {extra}".split():
        row = next(row for row in GATES if row.name == name)
        circuit.append(name, range(row.num_qubits or 0), [0.25] * row.num_params)
    assert round_trip(circuit, version) == circuit


def test_a_pauli_rotation_is_one_defined_gate_under_controls() -> None:
    circuit = Circuit(4).pauli_rotation("YIX", [0, 1, 2], 0.3).pauli_rotation("YIX", [3, 1, 0], 0.4, controls=2)
    assert circuit.to_qasm().count("gate ") == 1
    same_unitary(circuit, 3)
    same_unitary(circuit, 2)


@VERSIONS
def test_a_pauli_rotation_without_letters_is_a_phase(version: int) -> None:
    same_unitary(Circuit(3).pauli_rotation("II", [0, 2], 0.3, controls=1), version)


@VERSIONS
@pytest.mark.parametrize("num_qubits", [1, 2, 3, 4])
def test_matrices_of_up_to_four_qubits_become_gates(version: int, num_qubits: int) -> None:
    rng = np.random.default_rng(num_qubits)
    circuit = Circuit(5).unitary(random_unitary(rng, 1 << num_qubits), range(num_qubits))
    circuit.permutation(rng.permutation(1 << num_qubits), range(1, num_qubits + 1))
    same_unitary(circuit, version)
    if version == 3:
        same_unitary(Circuit(5).unitary(random_unitary(rng, 1 << num_qubits), range(num_qubits), controls=4), 3)


@VERSIONS
def test_diagonals_of_many_qubits_become_phases(version: int) -> None:
    phases = np.random.default_rng(1).uniform(-4, 4, 64)
    same_unitary(Circuit(6).diagonal(np.exp(1j * phases), range(6)), version)


def test_expressions_of_parameters_read_back_equal() -> None:
    a, b = Parameter("alpha"), Parameter("beta")
    circuit = Circuit(1)
    angles = [
        a, -a, 2 * a + b, a - (b - 1), a - b - 1, (a + b) * (a - b), a / (b * 2), a / b * 2, a**b**2, (a**b) ** 2,
        -(a**2), (-a) ** 2, a.sin() + b.cos() * a.tan(), (a / 10).asin() - (a / 10).acos() / b.atan(), a.exp(),
        a.log() * b.sqrt(), -1.5 * a, a * -1e-17, a + 1e300, 2**-a,
    ]  # fmt: skip
    for angle in angles:
        circuit.rx(angle, 0)
    assert round_trip(circuit, 3) == circuit


def test_the_absolute_value_keeps_its_meaning() -> None:
    circuit = Circuit(1).rx(abs(Parameter("a") - 2), 0)
    assert round_trip(circuit, 3).bind({"a": 0.5}).params[0] == pytest.approx(1.5)


def test_long_expressions_are_written_and_read() -> None:
    angle = sum(((k + 1) * Parameter("a") for k in range(500)), start=Parameter("a"))
    circuit = Circuit(1).rx(angle, 0)
    assert round_trip(circuit, 3).bind({"a": 1.0}).params[0] == 125_251


# ---------------------------------------------------------------------------------------------------------------- names


def test_names_that_the_language_does_not_allow_are_changed_and_explained() -> None:
    circuit = Circuit()
    circuit.add_qubit_register("x", 1)
    circuit.add_qubit_register("3 qubits", 1)
    circuit.add_classical_register("measure", 1)
    v = ParameterVector("v", 2)
    circuit.rx(v[0], 0).rx(v[1], 1).rx(Parameter("pi"), 0).measure(1, 0)
    text = circuit.to_qasm()
    read = Circuit.from_qasm(text)
    assert [register.name for register in read.qubit_registers] == ["x_2", "_3_qubits"]
    assert [parameter.name for parameter in read.parameters] == ["pi_2", "v_0", "v_1"]
    assert "// v_0 stands for 'v[0]'" in text
    values = {"v_0": 0.1, "v_1": 0.2, "pi_2": 0.3}
    assert list(read.bind(values).params) == [0.1, 0.2, 0.3]


def test_version_2_names_begin_with_a_small_letter() -> None:
    circuit = Circuit()
    circuit.add_qubit_register("Q", 1)
    circuit.add_qubit_register("θ", 1)
    assert [register.name for register in round_trip(circuit.h(0), 2).qubit_registers] == ["n_Q", "n"]


def test_a_newline_in_a_name_cannot_leave_its_comment() -> None:
    circuit = Circuit(1).rx(Parameter("a\nx q[0];"), 0)
    assert len(round_trip(circuit, 3)) == 1


# --------------------------------------------------------------------------------------------------------- control flow


def same_distribution(circuit: Circuit, version: int = 3) -> Circuit:
    read = round_trip(circuit, version)
    expected, found = oracle.distribution(circuit), oracle.distribution(read)
    assert found == {key: pytest.approx(weight, abs=1e-12) for key, weight in expected.items()}
    return read


def test_registers_measurements_resets_and_barriers() -> None:
    circuit = Circuit()
    circuit.add_qubit_register("a", 2)
    circuit.add_qubit_register("b", 1)
    circuit.add_classical_register("c", 2)
    circuit.add_classical_register("d", 1)
    circuit.h(0).cx(0, 2).barrier(2, 0).measure([2, 0], [1, 2]).reset(0).measure(0, 0)
    assert round_trip(circuit, 3) == circuit
    assert round_trip(circuit, 2) == circuit


@VERSIONS
def test_conditions_on_a_register(version: int) -> None:
    circuit = Circuit(2, 2).h(0).measure(0, 0)
    circuit.if_test((circuit.classical_registers[0], 1), circuit.block().rx(0.5, 1).append("ecr", [0, 1]).measure(1, 1))
    same_distribution(circuit, version)


def test_all_control_flow_reads_back_with_its_distribution() -> None:
    circuit = Circuit(3, 4)
    count = circuit.add_variable("count", "uint", 4)
    turn = circuit.add_variable("turn", "float")
    circuit.add_variable("k", "int", 8)
    register = circuit.classical_registers[0]
    once = circuit.block().h(0).measure(0, 0).assign(count, Binary("+", count, Cast("uint", 4, Bit(0))))
    once.if_test(Binary("==", count, Literal(2)), circuit.block().break_loop())
    circuit.for_loop(range(3, 9, 2), once)
    circuit.for_loop([0.25, 0.5], circuit.block().rx(Parameter("turn"), 1).assign(turn, Literal(1.5)), turn)
    circuit.for_loop([4, 1], circuit.block().rz(Parameter("k"), 2).rx(Parameter("k"), 2), "k")
    circuit.measure(1, 1).assign(turn, Call("sin", (turn,)))
    again = circuit.block().reset(2).h(2).measure(2, 2).assign(Bit(3), Unary("!", Bit(3)))
    circuit.while_loop(Binary("&&", Unary("!", Bit(2)), Binary("<", Cast("int", 8, Bits(0, 4)), Literal(10))), again)
    cases = [
        ((0, 3), circuit.block().x(0)),
        (1, circuit.block().ry(Parameter("turn"), 0)),
        (DEFAULT, circuit.block().h(0)),
    ]
    circuit.switch(count, cases)
    circuit.if_test(Bits(1, 2), circuit.block().z(0), circuit.block().h(0))
    circuit.assign(register, Binary("^", Bits(0, 4), Literal(9))).measure(0, 0)
    same_distribution(circuit)


@pytest.mark.parametrize(
    "expression",
    [
        Binary("+", Bit(0), Bit(1)), Binary("*", Bits(0, 3), Literal(3)), Binary("-", Literal(-2), Bits(0, 2)),
        Unary("-", Cast("int", 8, Bits(0, 3))), Unary("~", Bits(1, 2)), Binary("<<", Bits(0, 3), Literal(1)),
        Binary(">>", Bits(0, 3), Bit(0)), Binary("|", Bits(0, 2), Bits(0, 3)), Index(Bits(0, 3), Bit(0)),
        Index(Variable("n", "int", 8), Literal(2)), Call("popcount", (Bits(0, 3),)),
        Call("rotr", (Bits(0, 3), Literal(1))),
        Binary("/", Variable("n", "int", 8), Literal(2)), Binary("%", Variable("n", "int", 8), Literal(4)),
        Binary("**", Literal(2), Variable("n", "int", 8)), Binary("&&", Bits(0, 2), Literal(True)),
        Binary("-", Literal(9), Binary("-", Variable("n", "int", 8), Literal(1))), Cast("bool", None, Bits(0, 3)),
        Cast("uint", 2, Binary("+", Cast("float", None, Bit(0)), Literal(2.75))), Literal(5),
        Cast("uint", 5, Call("floor", (Binary("/", Cast("float", None, Variable("n", "int", 8)), Literal(2)),))),
    ],
)  # fmt: skip
def test_classical_expressions_keep_their_value(expression: Classical) -> None:
    circuit = Circuit(4, 5)
    circuit.add_variable("n", "int", 8)
    circuit.extend("h", range(3))
    circuit.measure(range(3), range(3)).assign(
        Variable("n", "int", 8), Binary("+", Cast("int", 8, Bits(0, 2)), Literal(3))
    )
    circuit.assign(circuit.classical_registers[0], expression)
    same_distribution(circuit)


# ------------------------------------------------------------------------------------------------------------- refusals


def refusal(circuit: Circuit, version: int) -> str:
    with pytest.raises(CircuitError) as caught:
        circuit.to_qasm(version)
    return str(caught.value)


def test_what_version_3_cannot_say_is_refused_by_name() -> None:
    assert "'unitary' at instruction 1: OpenQASM 3 cannot say a unitary of 5 qubits" in refusal(
        Circuit(5).h(0).unitary(np.eye(32), range(5)), 3
    )
    assert "diagonal of 11 qubits" in refusal(Circuit(11).diagonal(np.ones(2048), range(11)), 3)
    assert "permutation of 5 qubits" in refusal(Circuit(5).permutation(range(32), range(5)), 3)
    circuit = Circuit(1)
    n = circuit.add_variable("n", "int", 8)
    assert "an assignment to" in refusal(circuit.assign(Index(n, Literal(0)), Literal(1)), 3)
    two = Circuit(1)
    two.add_classical_register("a", 1)
    two.add_classical_register("b", 1)
    assert "several registers" in refusal(two.assign(Bits(0, 2), Literal(1)), 3)


def test_what_version_2_cannot_say_is_refused_by_name() -> None:
    assert "unbound parameter theta" in refusal(Circuit(1).rx(Parameter("theta"), 0), 2)
    assert "version=3" in refusal(Circuit(1).rx(Parameter("theta"), 0), 2)
    base = Circuit(12, 2)
    assert "control flow" in refusal(base.copy().while_loop(Bit(0), base.block()), 2)
    assert "control flow" in refusal(base.copy().if_test(Bits(0, 2), base.block(), base.block()), 2)
    assert "condition" in refusal(base.copy().if_test(Bit(0), base.block()), 2)
    register = base.classical_registers[0]
    changing = base.block().measure(0, 0).x(0)
    assert "changes the condition" in refusal(base.copy().if_test((register, 1), changing), 2)
    inner = base.block().if_test((register, 2), base.block().x(0))
    assert "inside a condition" in refusal(base.copy().if_test((register, 1), inner), 2)
    assert "barrier" in refusal(base.copy().if_test((register, 1), base.block().barrier(0)), 2)
    assert "11 controls" in refusal(base.copy().append("rx", 11, 0.5, controls=range(11)), 2)
    assert "without qubits" in refusal(Circuit().gphase(0.5), 2)


def test_exits_outside_of_loops_and_unknown_versions_are_refused() -> None:
    assert "break_loop" in refusal(Circuit(1).break_loop(), 3)
    assert "versions 2 and 3" in refusal(Circuit(1), 4)


# ------------------------------------------------------------------------------------------------------------ synthesis


@given(st.tuples(ANGLES, ANGLES, ANGLES, ANGLES))
def test_euler_angles_rebuild_the_matrix(angles: tuple[float, float, float, float]) -> None:
    matrix = np.exp(1j * angles[3]) * oracle.euler(*angles[:3])
    *euler, phase = euler_angles(matrix)
    np.testing.assert_allclose(np.exp(1j * phase) * oracle.euler(*euler), matrix, atol=1e-14)


@pytest.mark.parametrize("matrix", [oracle.X, oracle.Y, oracle.Z, oracle.H, oracle.ID, -oracle.ID, 1j * oracle.X])
def test_special_matrices_have_euler_angles_and_eigenvectors(matrix: oracle.Array) -> None:
    *euler, phase = euler_angles(matrix)
    np.testing.assert_allclose(np.exp(1j * phase) * oracle.euler(*euler), matrix, atol=1e-14)
    a, b, angles = controlled_factors(matrix)
    basis = oracle.euler(*angles)
    np.testing.assert_allclose(basis @ np.diag(np.exp([1j * a, 1j * b])) @ basis.conj().T, matrix, atol=1e-14)


@given(st.integers(0, 2**32 - 1))
def test_eigenvectors_of_random_matrices(seed: int) -> None:
    matrix = random_unitary(np.random.default_rng(seed), 2)
    a, b, angles = controlled_factors(matrix)
    basis = oracle.euler(*angles)
    np.testing.assert_allclose(basis @ np.diag(np.exp([1j * a, 1j * b])) @ basis.conj().T, matrix, atol=1e-12)


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5])
def test_two_level_factors_multiply_to_the_matrix(num_qubits: int) -> None:
    matrix = random_unitary(np.random.default_rng(3), 1 << num_qubits)
    phases, factors = two_level_factors(matrix)
    product = np.diag(np.exp(1j * phases))
    for target, state, small in factors:
        others = [j for j in range(num_qubits) if j != target]
        pattern = sum((state >> j & 1) << place for place, j in enumerate(others))
        product = oracle.apply_matrix(product, small, [target], others, pattern)
    np.testing.assert_allclose(product, matrix, atol=1e-12)


def test_subset_phases_add_up() -> None:
    phases = np.random.default_rng(5).uniform(-3, 3, 16)
    total = np.zeros(16)
    for subset, angle in subset_phases(phases):
        total += [angle if state & subset == subset else 0 for state in range(16)]
    np.testing.assert_allclose(np.exp(1j * total), np.exp(1j * phases), atol=1e-14)


def test_every_gate_of_the_table_can_be_written() -> None:
    named = [row for row in GATES if not row.flags & (GateFlag.NOT_A_GATE | GateFlag.DATA)]
    circuit = Circuit(5)
    for row in named:
        circuit.append(row.name, range(row.num_qubits or 0), [math.pi / 3] * row.num_params)
    for version in (2, 3):
        same_unitary(circuit, version)

"""New circuits from old ones, against the dense oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.circuit import Circuit, Parameter, ParameterVector
from qfast.circuit.classical import Binary, Bit, Bits, Literal
from qfast.errors import CircuitError, ParameterError
from tests import oracle
from tests.circuit.strategies import circuits

FEW = settings(max_examples=60, deadline=None)


@given(circuits())
@FEW
def test_the_matrix_is_the_oracles_unitary(circuit: Circuit) -> None:
    np.testing.assert_allclose(circuit.to_matrix(), oracle.unitary(circuit), atol=1e-12)


@given(circuits())
@FEW
def test_the_inverse_undoes_a_circuit(circuit: Circuit) -> None:
    undone = oracle.unitary(circuit.inverse()) @ oracle.unitary(circuit)
    np.testing.assert_allclose(undone, np.eye(1 << circuit.num_qubits), atol=1e-12)


@given(circuits(max_qubits=3, max_gates=5), st.integers(1, 2), st.integers(0, 3))
@FEW
def test_control_adds_controls_below_the_circuits_qubits(circuit: Circuit, num_controls: int, state: int) -> None:
    state %= 1 << num_controls
    controlled = oracle.unitary(circuit.control(num_controls, state))
    offset = 1 << num_controls
    expected = np.eye(len(controlled), dtype=complex)
    expected[state::offset, state::offset] = oracle.unitary(circuit)
    np.testing.assert_allclose(controlled, expected, atol=1e-12)


@given(circuits(max_qubits=3, max_gates=5), st.integers(-2, 3))
@FEW
def test_a_whole_power_repeats(circuit: Circuit, exponent: int) -> None:
    expected = np.linalg.matrix_power(oracle.unitary(circuit), exponent)
    np.testing.assert_allclose(oracle.unitary(circuit.power(exponent)), expected, atol=1e-11)


@given(circuits(max_qubits=3, max_gates=5), st.sampled_from([2, 3, 5]))
@FEW
def test_a_fractional_power_is_a_root(circuit: Circuit, degree: int) -> None:
    root = circuit.power(1 / degree)
    assert [view.name for view in root] == ["unitary"]
    powered = np.linalg.matrix_power(oracle.unitary(root), degree)
    np.testing.assert_allclose(powered, oracle.unitary(circuit), atol=1e-9)


def test_the_principal_root_of_x_is_sx() -> None:
    np.testing.assert_allclose(oracle.unitary(Circuit(1).x(0).power(0.5)), oracle.TEXTBOOK["sx"](), atol=1e-14)


@given(st.data())
@FEW
def test_compose_places_the_other_circuits_qubits(data: st.DataObject) -> None:
    other = data.draw(circuits(max_qubits=3))
    first = data.draw(circuits(min_qubits=3, max_qubits=4))
    places = data.draw(st.permutations(range(first.num_qubits)))[: other.num_qubits]
    expected = oracle.apply_matrix(oracle.unitary(first), oracle.unitary(other), places)
    np.testing.assert_allclose(oracle.unitary(first.copy().compose(other, places)), expected, atol=1e-12)


def test_compose_moves_measurements_blocks_conditions_and_parameters() -> None:
    a = Parameter("a")
    other = Circuit(2, 2).rx(a, 0).measure(0, 1).unitary(oracle.X, 1)
    other.add_variable("n")
    body = other.block().measure(1, 0).ry(2 * a, 1)
    other.if_test(Binary("&&", Bit(1), Binary("==", Bits(0, 2), Literal(2))), body)
    target = Circuit(3, 4).unitary(oracle.H, 0).rz(Parameter("b"), 1)
    target.compose(other, [2, 0], [2, 3])
    assert [view.all_qubits for view in target] == [(0,), (1,), (2,), (2,), (0,), (0,)]
    assert target[3].clbit == 3
    block = target[5].data
    assert block.condition == Binary("&&", Bit(3), Binary("==", Bits(2, 2), Literal(2)))
    assert (block.body.num_qubits, block.body.num_clbits) == (3, 4)
    assert [(view.qubits, view.clbit) for view in block.body] == [((0,), 2), ((0,), None)]
    assert [p.name for p in target.parameters] == ["a", "b"]
    assert "n" in target.variables
    assert target.bind(a=0.5, b=1)[5].data.body[1].params == (1.0,)


def test_compose_with_itself_repeats() -> None:
    circuit = Circuit(2).h(0).cx(0, 1).rz(Parameter("a"), 0)
    assert circuit.copy().compose(circuit) == circuit.power(2)
    doubled = circuit.copy()
    assert doubled.compose(doubled) == circuit.power(2)


@pytest.mark.parametrize(
    ("qubits", "message"),
    [
        ([0, 0], "a qubit is named twice"),
        ([0], "the other circuit has 2 qubits, 1 places given"),
        ([0, 3], "qubit 3 is out of range; the circuit has 3 qubits"),
        ([0, "x"], "qubit 'x' is out of range"),
    ],
)
def test_compose_refuses_places_that_are_none_and_changes_nothing(qubits: list[int], message: str) -> None:
    circuit = Circuit(3).h(0)
    with pytest.raises(CircuitError, match=message):
        circuit.compose(Circuit(2).cx(0, 1), qubits)
    assert circuit == Circuit(3).h(0)


def test_compose_refuses_to_tear_a_register_that_is_read_as_a_number() -> None:
    other = Circuit(1, 2)
    other.if_test(Binary("==", Bits(0, 2), Literal(1)), other.block().x(0))
    circuit = Circuit(1, 3)
    with pytest.raises(CircuitError, match="must stay together"):
        circuit.compose(other, [0], [0, 2])
    assert circuit == Circuit(1, 3)


def test_compose_refuses_a_variable_declared_otherwise() -> None:
    one, other = Circuit(1), Circuit(1)
    one.add_variable("n", "int")
    other.add_variable("n", "float")
    with pytest.raises(CircuitError, match="the variable 'n' is declared differently"):
        one.compose(other)


@pytest.mark.parametrize("method", ["inverse", "to_matrix", "control"])
def test_what_is_no_gate_has_no_inverse_matrix_or_control(method: str) -> None:
    circuit = Circuit(1, 1).x(0).measure(0, 0)
    with pytest.raises(CircuitError, match="'measure' at instruction 1"):
        getattr(circuit, method)()


def test_barriers_stay_in_inverse_and_control() -> None:
    circuit = Circuit(2).h(0).barrier(0).s(1)
    assert [view.name for view in circuit.inverse()] == ["sdg", "barrier", "h"]
    assert [(view.name, view.qubits) for view in circuit.control()][1] == ("barrier", (1,))


def test_control_names_the_new_register_and_refuses_bad_counts() -> None:
    circuit = Circuit(1).x(0)
    assert [(r.name, r.size) for r in circuit.control(2).qubit_registers] == [("control", 2), ("q", 1)]
    assert [r.name for r in circuit.control().control().qubit_registers] == ["control1", "control", "q"]
    for count in (0, -1, 1.5, 65):
        with pytest.raises(CircuitError, match="the number of controls must be an integer from 1 to 64"):
            circuit.control(count)  # type: ignore[arg-type]
    with pytest.raises(CircuitError, match="gate 'x' at instruction 0: 65 controls, at most 64"):
        circuit.control(64).control(1)


@pytest.mark.parametrize("exponent", [float("nan"), float("inf"), True])
def test_a_power_that_is_no_finite_number_is_refused(exponent: float) -> None:
    with pytest.raises(CircuitError, match="must be a finite number"):
        Circuit(1).x(0).power(exponent)


def test_a_power_too_long_to_hold_is_refused() -> None:
    with pytest.raises(CircuitError, match="1 instructions 1000000000000 times are too many"):
        Circuit(1).x(0).power(10**12)


def test_the_matrix_of_eleven_qubits_is_refused() -> None:
    with pytest.raises(CircuitError, match="at most 10 qubits are allowed, the circuit has 11"):
        Circuit(11).to_matrix()


# ------------------------------------------------------------------------------------------------------------ binding


def test_parameters_are_sorted_by_name_and_vector_elements_by_index() -> None:
    vector = ParameterVector("v", 12)
    circuit = Circuit(1)
    for element in reversed(vector):
        circuit.rx(element, 0)
    circuit.rz(Parameter("z") * Parameter("a"), 0)
    assert [p.name for p in circuit.parameters] == ["a", *[f"v[{k}]" for k in range(12)], "z"]
    assert circuit.num_parameters == 14


def test_binding_takes_names_parameters_vectors_and_sequences() -> None:
    vector = ParameterVector("v", 2)
    circuit = Circuit(1).rx(vector[0] + vector[1], 0).rz(Parameter("a"), 0)
    expected = Circuit(1).rx(3.0, 0).rz(0.5, 0)
    assert circuit.bind({"a": 0.5, "v": [1, 2]}) == expected
    assert circuit.bind({Parameter("a"): 0.5, vector: np.array([1.0, 2.0])}) == expected
    assert circuit.bind({"v[0]": 1, "v[1]": 2}, a=0.5) == expected
    assert circuit.bind([0.5, 1, 2]) == expected
    assert circuit.assign_parameters(np.array([0.5, 1, 2])) == expected


def test_binding_some_parameters_leaves_the_rest() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = Circuit(1).rx(a * b, 0)
    half = circuit.bind(a=2)
    assert [p.name for p in half.parameters] == ["b"]
    assert circuit.num_parameters == 2
    assert half.bind(b=3)[0].params == (6.0,)
    assert circuit.bind(a=b + 1)[0].params == ((b + 1) * b,)


def test_binding_reaches_the_bodies_of_control_flow() -> None:
    a = Parameter("a")
    circuit = Circuit(1, 1)
    circuit.if_test((0, 1), circuit.block().rx(a, 0))
    assert circuit.parameters == (a,)
    assert circuit.bind(a=1.5)[0].data.body[0].params == (1.5,)


def test_a_classical_variable_is_no_free_parameter() -> None:
    circuit = Circuit(1)
    circuit.add_variable("k")
    circuit.for_loop(range(3), circuit.block().rx(Parameter("k") * Parameter("a"), 0), "k")
    assert [p.name for p in circuit.parameters] == ["a"]
    with pytest.raises(ParameterError, match="there is no parameter 'k' to bind; known are 'a'"):
        circuit.bind(k=1)
    with pytest.raises(ParameterError, match="names 'k', which is a classical variable"):
        circuit.bind(a=Parameter("k"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"c": 1}, "there is no parameter 'c' to bind; known are 'a', 'b'"),
        ([1], "1 parameter values given for 2 parameters"),
        ({"a": float("nan")}, "the value of parameter 'a': nan is not finite"),
        ({"a": "1"}, "the value of parameter 'a': '1' is not a real number"),
        ({3: 1}, "a parameter is named by a string or a Parameter, not by 3"),
        ({"a": 1, Parameter("a"): 2}, "parameter 'a' is given twice"),
        ({ParameterVector("v", 2): [1]}, "parameter vector 'v' needs 2 values, 1 given"),
        ({ParameterVector("v", 2): 1}, "parameter vector 'v' needs 2 values, 1 given"),
    ],
)
def test_wrong_values_are_refused(values: object, message: str) -> None:
    circuit = Circuit(1).rx(Parameter("a"), 0).rx(Parameter("b"), 0)
    with pytest.raises(ParameterError, match=message):
        circuit.bind(values)  # type: ignore[arg-type]


def test_an_unbound_parameter_is_named_when_a_matrix_is_asked() -> None:
    with pytest.raises(ParameterError, match=r"gate 'rx': the parameter 2\*a is not bound to a number"):
        Circuit(1).rx(2 * Parameter("a"), 0).to_matrix()

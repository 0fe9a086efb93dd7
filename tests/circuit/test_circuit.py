"""Circuits: what they hold, and that a wrong call is refused with its place and changes nothing."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qfast.circuit import Circuit, Instruction, Parameter
from qfast.errors import CircuitError, GateError, ParameterError
from tests import oracle


def bell_like() -> Circuit:
    return Circuit(4, 2).h(0).cx(0, 3).rz(0.25, 1).u(0.1, Parameter("a"), 0.3, 2).measure(3, 1)


def test_columns_hold_the_documented_types_and_values() -> None:
    circuit = Circuit(5, 2).cx(0, 1).append("rx", 2, 0.5, controls=[3, 4], ctrl_state="01").measure(4, 1)
    circuit.rz(Parameter("a") + 1, 0).unitary(np.eye(2), 3)
    columns = {
        "opcodes": ("H", [21, 12, 58, 14, 54]),
        "num_controls": ("H", [0, 2, 0, 0, 0]),
        "ctrl_states": ("Q", [0, 1, 0, 0, 0]),
        "data": ("i", [-1, -1, 1, -1, 0]),
        "qubit_end": ("q", [2, 5, 6, 7, 8]),
        "qubits": ("i", [0, 1, 3, 4, 2, 4, 0, 3]),
        "param_end": ("q", [0, 1, 1, 2, 2]),
    }
    for name, (typecode, values) in columns.items():
        column = getattr(circuit, name)
        assert isinstance(column, memoryview)
        assert column.readonly
        assert (column.format, column.tolist()) == (typecode, values), name
    assert circuit.params[0] == 0.5
    assert math.isnan(circuit.params[1])
    assert circuit.expressions == {1: Parameter("a") + 1}
    assert circuit.data_items[0].dtype == np.complex128


def test_iteration_gives_one_view_per_instruction() -> None:
    views = list(bell_like())
    assert [view.name for view in views] == ["h", "cx", "rz", "u", "measure"]
    assert all(isinstance(view, Instruction) for view in views)
    assert views[1].qubits == (0, 3)
    assert views[3].params == (0.1, Parameter("a"), 0.3)
    assert (views[4].qubits, views[4].clbit, views[4].data) == ((3,), 1, None)


def test_an_index_counts_from_the_end_when_negative() -> None:
    assert bell_like()[-1].name == "measure"
    with pytest.raises(IndexError, match="5 instructions; there is no instruction 5"):
        bell_like()[5]


def test_a_slice_is_a_circuit_of_these_instructions() -> None:
    circuit = bell_like().unitary(oracle.X, 0).rx(Parameter("b"), 0).diagonal([1, 1j], 2)
    part = circuit[5:]
    assert [view.name for view in part] == ["unitary", "rx", "diagonal"]
    assert [p.name for p in part.parameters] == ["b"]
    np.testing.assert_array_equal(part[0].data, oracle.X)
    np.testing.assert_array_equal(part[2].data, [1, 1j])
    assert circuit[::-1][2].name == "unitary"
    assert len(circuit[3:3]) == 0
    assert circuit[:] == circuit


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c)), Circuit.copy])
def test_a_copy_is_equal_and_independent(duplicate: Callable[[Circuit], Circuit]) -> None:
    original = bell_like().unitary(np.eye(4), [0, 1])
    original.if_test((0, 1), original.block().x(0))
    twin = duplicate(original)
    assert twin == original
    twin.x(0)
    twin.add_classical_register("more", 1)
    assert twin != original
    assert len(original) == 7
    assert original.num_clbits == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.x(0),
        lambda c: c.add_qubit_register("r", 1),
        lambda c: c.add_variable("v"),
    ],
)
def test_circuits_that_differ_are_not_equal(change: Callable[[Circuit], Any]) -> None:
    one, other = bell_like(), bell_like()
    assert one == other
    change(other)
    assert one != other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Circuit(2).rx(0.1, 0), Circuit(2).rx(0.2, 0)),
        (Circuit(2).rx(0.1, 0), Circuit(2).rx(Parameter("a"), 0)),
        (Circuit(2).rx(Parameter("b"), 0), Circuit(2).rx(Parameter("a"), 0)),
        (Circuit(2).x(0), Circuit(2).x(1)),
        (Circuit(2).unitary(oracle.X, 0), Circuit(2).unitary(oracle.Z, 0)),
        (Circuit(1, 2).measure(0, 0), Circuit(1, 2).measure(0, 1)),
        (Circuit(2).mcx([0], 1, ctrl_state=0), Circuit(2).append("x", 1, controls=[0])),
        (Circuit(1), "circuit"),
    ],
)
def test_equality_looks_at_every_column(one: Circuit, other: object) -> None:
    assert one != other


def test_a_circuit_cannot_be_hashed_because_it_can_change() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Circuit(1))


def test_registers_number_the_bits_in_order_of_declaration() -> None:
    circuit = Circuit(2, 1)
    anc = circuit.add_qubit_register("anc", 3)
    out = circuit.add_classical_register("out", 2)
    assert (circuit.num_qubits, circuit.num_clbits) == (5, 3)
    assert (list(anc), anc[-1], anc[1:], len(out)) == ([2, 3, 4], 4, [3, 4], 2)
    assert circuit.qubit_register("anc") == anc
    assert circuit.measure(anc[:2], out).count_ops() == {"measure": 2}
    with pytest.raises(CircuitError, match="no classical register 'anc'; there are: 'c', 'out'"):
        circuit.classical_register("anc")
    with pytest.raises(IndexError, match="register 'anc' has 3 bits; there is no bit 3"):
        anc[3]


def test_measure_all_adds_a_register_and_keeps_its_name_free() -> None:
    circuit = Circuit(2, 1).measure_all().measure_all()
    registers = [(r.name, r.start, r.size) for r in circuit.classical_registers]
    assert registers == [("c", 0, 1), ("meas", 1, 2), ("meas1", 3, 2)]
    assert [(view.qubits[0], view.clbit) for view in circuit] == [(0, 1), (1, 2), (0, 3), (1, 4)]


def test_depth_follows_qubits_and_classical_bits_and_counts_no_barrier() -> None:
    assert Circuit(3).h(0).h(1).h(2).depth() == 1
    assert Circuit(3).h(0).barrier().h(1).depth() == 2
    assert Circuit(2, 1).measure(0, 0).measure(1, 0).depth() == 2
    circuit = Circuit(2, 1).h(0).measure(0, 0)
    assert circuit.if_test((0, 1), circuit.block().x(1)).depth() == 3
    assert Circuit(2).depth() == Circuit(0).gphase(0.1).depth() == 0


def test_count_ops_names_extra_controls_and_starts_with_the_most_frequent() -> None:
    circuit = Circuit(4).x(0).h(0).h(1).append("h", 0, controls=[1]).mcx([0, 1], 2).append("x", 3, controls=[0, 1])
    assert list(circuit.count_ops().items()) == [("h", 2), ("x", 1), ("ctrl @ h", 1), ("ccx", 1), ("ctrl(2) @ x", 1)]


def test_repr_says_the_size() -> None:
    assert repr(bell_like()) == "<Circuit: 4 qubits, 2 classical bits, 5 instructions, 1 parameters>"
    assert repr(Circuit(1)) == "<Circuit: 1 qubits, 0 instructions>"


def test_numpy_numbers_are_taken_as_qubits_and_angles() -> None:
    circuit = Circuit(3).h(np.int64(1)).rx(np.float32(0.5), np.uint8(2)).rz(1, 0).cx(np.int32(0), 2)
    assert [view.qubits for view in circuit] == [(1,), (2,), (0,), (0, 2)]
    assert circuit.params.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(("count", "name"), [(1, "cx"), (2, "ccx"), (3, "c3x"), (4, "c4x"), (5, "ctrl(5) @ x")])
def test_mcx_takes_the_named_gate_where_there_is_one(count: int, name: str) -> None:
    circuit = Circuit(6).mcx(range(count), 5)
    assert list(circuit.count_ops()) == [name]
    expected = oracle.apply_matrix(np.eye(64), oracle.X, [5], range(count))
    np.testing.assert_array_equal(oracle.unitary(circuit), expected)


def test_mcx_keeps_a_control_state() -> None:
    circuit = Circuit(3).mcx([0, 1], 2, ctrl_state="10")
    assert (circuit[0].controls, circuit[0].ctrl_state) == ((0, 1), 0b10)


def test_mcp_and_mc_add_controls() -> None:
    circuit = Circuit(4).mcp(0.3, [0, 1], 2).mcp(0.3, 0, 1).mc("ry", [0, 1], 3, 0.2, ctrl_state=1)
    assert list(circuit.count_ops()) == ["ctrl(2) @ p", "cp", "ctrl(2) @ ry"]
    assert circuit[2].ctrl_state == 1


# ------------------------------------------------------------------------------------------------------- gates of data


def test_prepare_state_sends_zero_to_the_state() -> None:
    rng = np.random.default_rng(1)
    for num_qubits in (1, 2, 5):
        vector = rng.normal(size=1 << num_qubits) + 1j * rng.normal(size=1 << num_qubits)
        vector /= np.linalg.norm(vector)
        prepared = oracle.statevector(Circuit(num_qubits).prepare_state(vector))
        np.testing.assert_allclose(prepared, vector, atol=1e-14)


@pytest.mark.parametrize("vector", [[1, 0], [0, 1], [-1, 0], [1j, 0], [0, -1j], [math.sqrt(0.5), math.sqrt(0.5)]])
def test_prepare_state_is_exact_at_its_corners(vector: list[complex]) -> None:
    circuit = Circuit(1).prepare_state(vector)
    np.testing.assert_allclose(oracle.statevector(circuit), vector, atol=1e-15)
    matrix = circuit[0].data
    np.testing.assert_allclose(matrix.conj().T @ matrix, np.eye(2), atol=1e-15)


def test_prepare_state_acts_on_listed_qubits_in_order() -> None:
    vector = np.array([0.1, 0.7, 0.5, 0.5]) / np.linalg.norm([0.1, 0.7, 0.5, 0.5])
    state = oracle.statevector(Circuit(3).prepare_state(vector, [2, 0]))
    np.testing.assert_allclose(state[[0, 4, 1, 5]], vector, atol=1e-15)


def test_data_is_copied_and_cannot_be_written() -> None:
    matrix = np.eye(2)
    circuit = Circuit(1).unitary(matrix, 0)
    matrix[0, 0] = 5
    assert circuit.data_items[0][0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        circuit.data_items[0][0, 0] = 2


def test_any_memory_layout_and_precision_of_a_matrix_is_taken() -> None:
    swap = np.array(oracle.TEXTBOOK["swap"]())
    expected = oracle.unitary(Circuit(2).swap(0, 1))
    for given in (swap, np.asfortranarray(swap), swap.astype(np.complex64), swap[::-1, ::-1], swap.real.tolist()):
        np.testing.assert_array_equal(oracle.unitary(Circuit(2).unitary(given, [0, 1])), expected)


def test_gates_of_data_mean_what_the_oracle_says() -> None:
    circuit = Circuit(3).unitary(oracle.TEXTBOOK["iswap"](), [2, 0], controls=[1], ctrl_state=0)
    circuit.diagonal([1, 1j, -1, -1j], [1, 0]).permutation([1, 2, 3, 0], [2, 1], controls=0)
    circuit.pauli_rotation("XYZ", [2, 0, 1], 0.7).pauli_rotation([3, 1], [0, 2], -0.4, controls=1)
    np.testing.assert_allclose(circuit.to_matrix(), oracle.unitary(circuit), atol=1e-14)
    images = oracle.unitary(Circuit(2).permutation([1, 2, 3, 0], [0, 1]))
    assert images[1, 0] == images[2, 1] == images[3, 2] == images[0, 3] == 1


# ---------------------------------------------------------------------------------------------------------- bad input

_EYE = np.eye(2)
_NAN, _INF = math.nan, math.inf
BAD_CALLS: list[tuple[Callable[[Circuit], Any], type[Exception], str]] = [
    (lambda c: c.cx(2, 2), CircuitError, "gate 'cx' at instruction 1: control and target are both qubit 2"),
    (lambda c: c.ccx(1, 0, 1), CircuitError, "gate 'ccx' at instruction 1: control 1 and target are both qubit 1"),
    (lambda c: c.rxx(0.1, 3, 3), CircuitError, "gate 'rxx' at instruction 1: operand 1 and operand 2 are both qubit 3"),
    (lambda c: c.append("h", 1, controls=[0, 1]), CircuitError, "control 2 and target are both qubit 1"),
    (lambda c: c.x(4), CircuitError, "gate 'x' at instruction 1: target is qubit 4, out of range; .* has 4 qubits"),
    (lambda c: c.x(-1), CircuitError, "target is qubit -1, out of range"),
    (lambda c: c.cx(0, 2.0), CircuitError, r"target is 2\.0; a qubit is named by an integer"),
    (lambda c: c.h(True), CircuitError, "target is True; a qubit is named by an integer"),
    (lambda c: c.h("0"), CircuitError, "target is '0'; a qubit is named by an integer"),
    (lambda c: c.append("cx", [0]), GateError, "gate 'cx' at instruction 1: 1 qubits given, 2 needed"),
    (lambda c: c.append("u", 0, [0.1]), GateError, "gate 'u' at instruction 1: 1 parameters given, 3 needed"),
    (lambda c: c.rx(_NAN, 0), ParameterError, "gate 'rx' at instruction 1: the parameter: nan is not finite"),
    (lambda c: c.u(0.1, _INF, 0.2, 0), ParameterError, "gate 'u' at instruction 1: parameter 2: inf is not finite"),
    (lambda c: c.rx("pi", 0), ParameterError, "'pi' is not a real number or a parameter expression"),
    (lambda c: c.rx(1j, 0), ParameterError, "1j is not a real number"),
    (lambda c: c.append("cxx", [0, 1]), GateError, "unknown gate 'cxx'; did you mean 'c"),
    (lambda c: c.append(5, [0, 1]), GateError, "a gate is named by a string, not by 5"),
    (lambda c: c.append("unitary", 0), GateError, "'unitary' is not added by append"),
    (lambda c: c.append("barrier", 0, controls=1), GateError, "'barrier' at instruction 1 is no gate"),
    (lambda c: c.append("x", 0, controls=1, ctrl_state=2), GateError, "ctrl_state 2 must be an integer from 0 to 1"),
    (lambda c: c.append("x", 0, controls=1, ctrl_state="x"), GateError, "ctrl_state 'x' needs 1 characters 0 or 1"),
    (lambda c: c.append("x", 0, controls=1, ctrl_state="10"), GateError, "ctrl_state '10' needs 1 characters"),
    (lambda c: c.append("x", 0, controls=range(1, 67)), GateError, "66 extra controls given, at most 64"),
    (lambda c: c.unitary(2 * _EYE, 0), GateError, "the matrix is not unitary: an entry of U†U differs .* by 3, 1e-08"),
    (lambda c: c.unitary(np.eye(4), 0), GateError, r"1 qubits need a matrix of shape \(2, 2\), \(4, 4\) given"),
    (lambda c: c.unitary([[1, _NAN], [0, 1]], 0), GateError, r"the entry at \(0, 1\) is .*nan.*, which is not finite"),
    (lambda c: c.unitary([["a"]], 0), GateError, "not an array of numbers"),
    (lambda c: c.unitary(_EYE, []), GateError, "a matrix acts on 1 to 10 qubits, 0 given"),
    (lambda c: c.unitary(_EYE, 7), CircuitError, "gate 'unitary' at instruction 1: operand 1 is qubit 7, out of range"),
    (lambda c: c.diagonal([1, 0.5], 0), GateError, "entry 1 is .*, its modulus differs from 1 by 0.5"),
    (lambda c: c.diagonal([1, 1, 1], 0), GateError, r"1 qubits need 2 numbers, shape \(3,\) given"),
    (lambda c: c.permutation([0, 0], 0), GateError, "0 is the image of 2 basis states"),
    (lambda c: c.permutation([0, 2], 0), GateError, "the images run from 0 to 1, 0…2 given"),
    (lambda c: c.permutation([0.0, 1.0], 0), GateError, "a permutation is an array of integers, dtype float64 given"),
    (lambda c: c.permutation([0, 1, 2], 0), GateError, "1 qubits need 2 images"),
    (lambda c: c.pauli_rotation("XQ", [0, 1], 0.1), GateError, "'Q' is not a Pauli letter"),
    (lambda c: c.pauli_rotation("X", [0, 1], 0.1), GateError, "1 Pauli letters given for 2 qubits"),
    (lambda c: c.prepare_state([1, 1], 0), GateError, "the vector has norm 1.41421356237, which must be 1"),
    (lambda c: c.prepare_state([1, 0, 0], 0), GateError, r"1 qubits need a vector of 2 amplitudes, shape \(3,\) given"),
    (lambda c: c.measure(0, 3), CircuitError, "classical bit 3 is out of range; the circuit has 3 classical bits"),
    (lambda c: c.measure([0, 1], [0]), CircuitError, "2 qubits are measured into 1 classical bits"),
    (lambda c: c.measure([0, 9], [0, 1]), CircuitError, "target is qubit 9, out of range"),
    (lambda c: c.reset([0, 9]), CircuitError, "target is qubit 9, out of range"),
    (lambda c: c.barrier(1, 1), CircuitError, "operand 1 and operand 2 are both qubit 1"),
    (lambda c: c.add_qubit_register("q", 1), CircuitError, "the name 'q' is already used"),
    (lambda c: c.add_qubit_register("", 1), CircuitError, "named by a string that is not empty"),
    (lambda c: c.add_classical_register("r", 0), CircuitError, "register 'r': its size must be from 1 to"),
    (lambda c: c.add_qubit_register("r", 10**12), CircuitError, "must be an integer from 0 to 2147483647"),
    (lambda c: c.add_variable("v", "complex"), CircuitError, "unknown kind 'complex'; allowed are int, uint"),
    (lambda c: c.add_variable("v", "uint", 65), CircuitError, "its width must be from 1 to 64 bits, 65 given"),
    (lambda c: c.add_variable("v", "bool", 2), CircuitError, "a bool has no width, 2 given"),
    (lambda c: c.extend("cx", [[0, 1], [2, 2]]), CircuitError, "gate 'cx' at instruction 2: control and target"),
    (lambda c: c.extend("cx", [[0, 1], [2, 4]]), CircuitError, "gate 'cx' at instruction 2: qubit 4 is out of range"),
    (lambda c: c.extend("c3x", [[0, 1, 2, 3], [0, 1, 3, 1]]), CircuitError, "control 2 and target are both qubit 1"),
    (lambda c: c.extend("cx", [0, 1]), GateError, r"extend\('cx'\): qubits of shape \(m, 2\) are needed, \(2,\) given"),
    (lambda c: c.extend("cx", [[0.0, 1.0]]), CircuitError, "integers are needed, dtype float64 given"),
    (lambda c: c.extend("rx", [0, 1], [0.1, _NAN]), ParameterError, "gate 'rx' at instruction 2: parameter nan is"),
    (lambda c: c.extend("rx", [0, 1], [0.1]), GateError, r"parameters of shape \(2, 1\) are needed, \(1, 1\) given"),
    (lambda c: c.extend("rx", [0], ["a"]), ParameterError, "parameters are real numbers"),
    (lambda c: c.extend("rx", [0, 1], [Parameter("a"), None]), ParameterError, "the parameter of gate 1: None is not"),
    (lambda c: c.extend("h", [0, 2**40]), CircuitError, "1099511627776 is out of range"),
    (lambda c: c.extend("unitary", [0]), GateError, "'unitary' cannot be added in bulk"),
    (lambda c: c.extend("measure", [0]), GateError, "'measure' cannot be added in bulk"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD_CALLS, ids=[message for _, _, message in BAD_CALLS])
def test_a_wrong_call_is_refused_with_its_place_and_changes_nothing(
    call: Callable[[Circuit], Any], error: type[Exception], message: str
) -> None:
    circuit = Circuit(4, 3).rz(Parameter("a"), 1)
    with pytest.raises(error, match=message):
        call(circuit)
    assert circuit == Circuit(4, 3).rz(Parameter("a"), 1)
    assert circuit.data_items == ()


@pytest.mark.parametrize("size", [-1, 1.5, "2", None, True, 2**31])
def test_a_number_of_qubits_that_is_none_is_refused(size: Any) -> None:
    with pytest.raises(CircuitError, match="the number of qubits must be an integer from 0 to 2147483647"):
        Circuit(size)


def test_a_matrix_on_eleven_qubits_is_refused() -> None:
    with pytest.raises(GateError, match="a matrix acts on 1 to 10 qubits, 11 given"):
        Circuit(11).unitary(np.eye(2048), range(11))


def test_prepare_state_of_eleven_qubits_points_to_the_initial_state() -> None:
    with pytest.raises(GateError, match=r"start a larger state with simulate\(\.\.\., initial_state=vector\)"):
        Circuit(11).prepare_state(np.eye(2048)[0])


def test_measure_all_needs_a_qubit() -> None:
    with pytest.raises(CircuitError, match="the circuit has no qubits"):
        Circuit(0).measure_all()

"""Bulk import: whole columns are checked as strictly as single calls, and a million gates are quick."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from qfast import simulate
from qfast.circuit import Circuit, IfElse, Parameter, PauliSum
from qfast.circuit.classical import Bit, Variable
from qfast.circuit.gates import OPCODES
from qfast.circuit.rows import COLUMN_TYPES
from qfast.errors import CircuitError, InputError, ParameterError
from tests.circuit.strategies import circuits


def columns_of(circuit: Circuit) -> dict[str, Any]:
    names = ["opcodes", "num_controls", "ctrl_states", "data", "qubit_end", "qubits", "param_end", "params"]
    return {name: np.array(getattr(circuit, name)) for name in names} | {
        "num_qubits": circuit.num_qubits,
        "num_clbits": circuit.num_clbits,
        "data_items": circuit.data_items,
        "expressions": circuit.expressions,
        "qubit_registers": [(r.name, r.size) for r in circuit.qubit_registers],
        "classical_registers": [(r.name, r.size) for r in circuit.classical_registers],
        "variables": list(circuit.variables.values()),
    }


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_columns_make_the_same_circuit_again(circuit: Circuit) -> None:
    assert Circuit.from_columns(**columns_of(circuit)) == circuit


def test_columns_with_control_flow_measurements_and_expressions_make_the_same_circuit() -> None:
    circuit = Circuit(2, 2).h(0).measure(0, 1).rx(Parameter("a"), 0).barrier().reset(1)
    circuit.add_variable("i", "uint", 8)
    circuit.if_test((1, 1), circuit.block().x(1))
    again = Circuit.from_columns(**columns_of(circuit))
    assert again == circuit
    assert again.parameters == circuit.parameters


def test_columns_left_out_have_their_defaults() -> None:
    circuit = Circuit.from_columns(num_qubits=2, opcodes=[5, 21], qubit_end=[1, 3], qubits=[0, 0, 1])
    assert circuit == Circuit(2).h(0).cx(0, 1)


def test_a_million_gates_are_appended_in_order() -> None:
    rng = np.random.default_rng(3)
    first = rng.integers(0, 20, 10**6)
    pairs = np.stack([first, (first + rng.integers(1, 20, 10**6)) % 20], axis=1)
    angles = rng.normal(size=10**6)
    circuit = Circuit(20).h(0).extend("cp", pairs, angles)
    assert len(circuit) == 10**6 + 1
    np.testing.assert_array_equal(np.array(circuit.qubits)[1:].reshape(-1, 2), pairs)
    np.testing.assert_array_equal(np.array(circuit.params), angles)
    assert circuit[123_457].qubits == tuple(pairs[123_456].tolist())


def test_extend_equals_single_appends() -> None:
    theta = Parameter("theta")
    table = [[0, 1], [2, 0], [1, 2]]
    one_by_one = Circuit(3).x(0).rx(theta, 1)
    for (a, b), angle in zip(table, [0.1, 2 * theta, 0.3], strict=True):
        one_by_one.rzz(angle, a, b)
    in_bulk = Circuit(3).x(0).rx(theta, 1).extend("rzz", table, [0.1, 2 * theta, 0.3])
    assert in_bulk == one_by_one
    assert Circuit(3).extend("ccx", np.zeros((0, 3), dtype=int)) == Circuit(3)
    assert Circuit(1).extend("gphase", np.zeros((2, 0), dtype=int), [0.1, 0.2]) == Circuit(1).gphase(0.1).gphase(0.2)


BAD_COLUMNS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"opcodes": [5, 999]}, CircuitError, "instruction 1: opcode 999 is not in the gate table"),
    ({"opcodes": [5, -1]}, CircuitError, "column 'opcodes': -1 is out of range"),
    ({"opcodes": [5.0, 21.0]}, CircuitError, "column 'opcodes': integers are needed"),
    ({"num_controls": [0]}, CircuitError, "column 'num_controls' has 1 rows, 'opcodes' has 2"),
    ({"qubit_end": [1, 2]}, CircuitError, "'qubit_end' must not fall and must end at 3"),
    ({"qubit_end": [2, 1]}, CircuitError, "'qubit_end' must not fall"),
    ({"qubit_end": [2, 3]}, CircuitError, "gate 'h' at instruction 0: 2 qubits given, 1 needed"),
    ({"qubits": [0, 0, 2]}, CircuitError, "gate 'cx' at instruction 1: qubit 2 is out of range"),
    ({"qubits": [0, 1, 1]}, CircuitError, "gate 'cx' at instruction 1: control and target are both qubit 1"),
    ({"params": [0.1], "param_end": [1, 1]}, CircuitError, "gate 'h' at instruction 0: 1 parameters given, 0 needed"),
    ({"params": [0.1]}, CircuitError, "'param_end' must not fall and must end at 1"),
    ({"ctrl_states": [1, 0]}, CircuitError, "instruction 0: control state without controls"),
    ({"num_controls": [0, 1]}, CircuitError, "gate 'cx' at instruction 1: 1 qubits given, 2 needed"),
    ({"expressions": {0: Parameter("a")}}, CircuitError, "an expression stands at a slot outside"),
    ({"qubit_registers": [("a", 1)]}, CircuitError, r"the registers \[\('a', 1\)\] do not add up to 2 bits"),
    ({"variables": [Variable("q")]}, CircuitError, "the name 'q' is already used"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD_COLUMNS, ids=[message for _, _, message in BAD_COLUMNS])
def test_wrong_columns_are_refused_with_their_place(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    columns: dict[str, Any] = {"num_qubits": 2, "opcodes": [5, 21], "qubit_end": [1, 3], "qubits": [0, 0, 1]}
    with pytest.raises(error, match=message):
        Circuit.from_columns(**(columns | change))


def one_row(name: str, **more: Any) -> dict[str, Any]:
    return {"num_qubits": 1, "num_clbits": 1, "opcodes": [OPCODES[name]], "qubits": [0], "qubit_end": [1]} | more


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (one_row("measure", data=[1]), "a measure names a classical bit outside 0…0"),
        (one_row("measure"), "a measure names a classical bit outside 0…0"),
        (one_row("barrier", num_controls=[1], ctrl_states=[1]), "'barrier' at instruction 0 is no gate and takes no"),
        (one_row("x", num_controls=[1], ctrl_states=[2], qubits=[0, 1], qubit_end=[2]), "1 controls .* state 0b10"),
        (one_row("unitary"), "'unitary' at instruction 0: data index -1 is outside the 0 data items"),
        (one_row("unitary", data=[0], data_items=[[[1, 0], [0, 1]]]), "an array of complex128 is needed, list given"),
        (
            one_row("diagonal", data=[0], data_items=[np.ones(4)]),
            r"an array of complex128 is needed, float64 \(4,\) given",
        ),
        (one_row("if_else", data=[0], data_items=[PauliSum()]), "a IfElse is needed, PauliSum given"),
        (one_row("if_else", data=[0], data_items=[IfElse(Bit(3), Circuit(1, 1))]), "classical bit 3 is out of range"),
        (one_row("if_else", data=[0], data_items=[IfElse(Bit(0), Circuit(2, 1))]), "the body has 2 qubits"),
    ],
)
def test_wrong_data_is_refused_with_its_place(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        Circuit.from_columns(**columns)


def test_a_number_that_is_not_finite_is_refused_where_no_expression_stands() -> None:
    columns = {"num_qubits": 1, "opcodes": [12], "qubits": [0], "qubit_end": [1], "params": [np.nan], "param_end": [1]}
    with pytest.raises(ParameterError, match="gate 'rx' at instruction 0: parameter nan is not finite"):
        Circuit.from_columns(**columns)
    assert Circuit.from_columns(**columns, expressions={0: Parameter("a")}) == Circuit(1).rx(Parameter("a"), 0)


def sample_columns() -> dict[str, Any]:
    circuit = Circuit(4, 2).h(0).cx(0, 1).rx(0.3, 2).mc("ry", [0, 1], 3, 0.7, ctrl_state=1).cp(Parameter("a"), 1, 2)
    circuit.unitary(np.diag([1, 1j]), 2).diagonal([1, 1j, -1, 1], [0, 3]).permutation([2, 0, 1, 3], [1, 2])
    return columns_of(circuit.pauli_rotation("XZ", [1, 3], 0.4).barrier().ccx(0, 1, 2).u(0.1, 0.2, 0.3, 3))


def mutated_columns(source: random.Random) -> dict[str, Any]:
    """The sample with a few entries changed, dropped or repeated, in columns and in what they point to."""
    columns = sample_columns()
    del columns["qubit_registers"], columns["classical_registers"]
    columns["data_items"] = [item.copy() for item in columns["data_items"]]
    for _ in range(source.choice((1, 1, 2, 3))):
        if source.random() < 0.25:
            item = source.choice(columns["data_items"])
            item.flat[source.randrange(item.size)] = source.choice((0, 1, 3, 4, 200))
            continue
        name = source.choice([*COLUMN_TYPES])
        column = columns[name]
        at = source.randrange(len(column))
        match source.randrange(4):
            case 0:
                column[at] = source.choice((0, 1, 2, 5, 64, 65, 200))
            case 1:
                column[at] = source.choice((np.nan, np.inf)) if name == "params" else int(column[at]) ^ 1
            case 2:
                columns[name] = np.delete(column, at)
            case _:
                columns[name] = np.insert(column.astype(np.float64 if name == "params" else np.int64), at, -1)
    if source.random() < 0.2:
        columns[source.choice(("num_qubits", "num_clbits"))] = source.choice((0, 1, 3, 5))
    if source.random() < 0.2:
        columns["expressions"] = {source.choice((-1, 0, 2, 99)): Parameter("b")}
    return columns


def test_mutated_columns_are_refused_or_make_a_circuit_that_runs() -> None:
    source = random.Random(11)
    accepted = 0
    for _ in range(3000):
        columns = mutated_columns(source)
        try:
            circuit = Circuit.from_columns(**columns)
        except InputError:  # any other error fails the test, and so does a fault
            continue
        accepted += 1
        gates = circuit.bind(dict.fromkeys((parameter.name for parameter in circuit.parameters), 0.5))
        if all(step.is_gate or step.name == "barrier" for step in gates):
            assert abs(np.linalg.norm(np.asarray(simulate(gates))) - 1) < 1e-3
        assert Circuit.from_bytes(circuit.to_bytes()) == circuit
    assert accepted > 100

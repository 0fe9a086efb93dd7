"""A circuit as a value: snapshots stay, columns are read-only, and the two identities say what they should."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from qfast.circuit import Circuit, CircuitValue, ForLoop, IfElse, Parameter, ParameterExpression, WhileLoop
from qfast.circuit.classical import Binary, Bit, Cast, Literal, Variable
from qfast.circuit.parameter import ExprOp
from qfast.circuit.rows import COLUMN_TYPES
from tests.circuit.strategies import circuits

T = Parameter("t")


def flowing(body: Callable[[Circuit], Any] = lambda c: c.x(1)) -> Circuit:
    """A circuit of all kinds of content, with the given body of an ``if``."""
    circuit = Circuit(3, 2).h(0).rx(2 * T, 1).measure(0, 0).unitary(np.diag([1, 1j]), 2).barrier()
    circuit.permutation([1, 0, 3, 2], [0, 1]).pauli_rotation("XY", [0, 2], T).mc("x", [0, 1], 2, ctrl_state=1)
    count = circuit.add_variable("n", "uint", 8)
    inner = circuit.block()
    body(inner)
    circuit.if_test(Binary("==", count, Literal(3)), inner, circuit.block().rz(Parameter("n"), 0))
    circuit.for_loop(range(3), circuit.block().h(0).continue_loop(), count).for_loop([0.5, 2], circuit.block())
    circuit.while_loop((0, 1), circuit.block().measure(1, 0)).assign(Bit(1), Cast("bool", None, count))
    return circuit.switch(count, [([1, 2], circuit.block().x(0)), (4, circuit.block().y(0))])


# ---------------------------------------------------------------------------------------------------------- snapshots


def test_a_snapshot_stays_while_the_circuit_grows() -> None:
    circuit = Circuit(2, 1).h(0).rx(T, 1).unitary(np.eye(2), 0)
    before = circuit.snapshot()
    params, items, digest = before.params, before.data_items, before.digest
    for _ in range(100):
        circuit.cx(0, 1).ry(T, 0).unitary(np.eye(2), 1)
    circuit.add_qubit_register("more", 2)
    circuit.add_variable("n")
    assert (len(before), before.num_qubits, len(before.data_items), len(before.expressions)) == (3, 2, 1, 1)
    assert before == Circuit(2, 1).h(0).rx(T, 1).unitary(np.eye(2), 0)
    assert (before.digest, before.data_items) == (digest, items)
    assert len(params) == 1
    assert dict(before.variables) == {}


def test_a_snapshot_is_the_same_until_the_circuit_changes() -> None:
    circuit = Circuit(2).h(0)
    first = circuit.snapshot()
    assert circuit.snapshot() is first
    assert first.snapshot() is first
    changes: list[Callable[[], Any]] = [
        lambda: circuit.x(0),
        lambda: circuit.extend("h", [0, 1]),
        lambda: circuit.add_variable("n"),
        lambda: circuit.add_qubit_register("r", 1),
        lambda: circuit.add_classical_register("s", 1),
        lambda: circuit.compose(Circuit(1).h(0)),
    ]
    for change in changes:
        last = circuit.snapshot()
        change()
        assert circuit.snapshot() is not last
        assert circuit.snapshot() != last


def test_copies_of_a_value_grow_apart() -> None:
    value = Circuit(2).h(0).snapshot()
    one, two = value.copy(), value.copy()
    one.x(0)
    two.y(1).x(1)
    assert [len(circuit) for circuit in (value, one, two)] == [1, 2, 3]
    assert (one, two) == (Circuit(2).h(0).x(0), Circuit(2).h(0).y(1).x(1))
    assert isinstance(value.copy(), Circuit)


@pytest.mark.parametrize("name", COLUMN_TYPES)
def test_no_column_can_be_written(name: str) -> None:
    circuit = Circuit(2).cx(0, 1).append("rx", 0, 0.5, controls=1)
    column = getattr(circuit, name)
    with pytest.raises(TypeError, match="cannot modify read-only memory"):
        column[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(column)[0] = 1
    with pytest.raises(AttributeError):
        setattr(circuit, name, column)


def test_no_item_and_no_name_can_be_changed() -> None:
    circuit = flowing()
    kept = circuit.digest
    for item in circuit.data_items:
        if isinstance(item, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                item[0] = 0
    with pytest.raises(TypeError):
        circuit.expressions[1] = T  # type: ignore[index]
    with pytest.raises(TypeError):
        circuit.variables["m"] = Variable("m")  # type: ignore[index]
    assert isinstance(circuit.qubit_registers, tuple)
    body = next(item for item in circuit.data_items if isinstance(item, IfElse)).body
    assert isinstance(body, CircuitValue)
    assert not hasattr(body, "x")
    assert circuit.snapshot().digest == kept


def test_the_array_a_matrix_came_from_may_change_afterwards() -> None:
    matrix = np.eye(2, dtype=np.complex128)
    table = np.array([1, 0])
    circuit = Circuit(1).unitary(matrix, 0).permutation(table, 0)
    columns = {name: np.array(getattr(circuit, name)) for name in COLUMN_TYPES}
    items = [matrix, table]
    again = Circuit.from_columns(num_qubits=1, data_items=items, **columns)
    matrix[0, 0], table[0] = 5, 0
    assert again == circuit == Circuit(1).unitary(np.eye(2), 0).permutation([1, 0], 0)


def test_a_circuit_that_grows_between_snapshots_costs_no_more_than_one_that_does_not() -> None:
    """Counted in bytes that columns move, not in time: what is seen is shared, not copied."""
    circuit = Circuit(1)
    addresses = []
    for _ in range(1000):
        circuit.h(0)
        addresses.append(np.asarray(circuit.snapshot().qubits).__array_interface__["data"][0])
    assert len(set(addresses)) < 20


# ----------------------------------------------------------------------------------------------------------- identity

PAIRS: list[tuple[Circuit, Circuit]] = [
    (Circuit(1).ry(T, 0), Circuit(1).ry(2 * T, 0)),
    (Circuit(1).ry(2 * T, 0), Circuit(1).ry(3 * T, 0)),
    (Circuit(1).ry(T, 0), Circuit(1).ry(Parameter("s"), 0)),
    (Circuit(1).ry(0.5, 0), Circuit(1).ry(0.25, 0)),
    (Circuit(1).ry(0.5, 0), Circuit(1).rx(0.5, 0)),
    (Circuit(2).x(0), Circuit(2).x(1)),
    (Circuit(2).x(0), Circuit(3).x(0)),
    (Circuit(2).x(0), Circuit(2, 1).x(0)),
    (Circuit(2).cx(0, 1), Circuit(2).mc("x", 0, 1)),
    (Circuit(2).mc("x", 0, 1, ctrl_state=0), Circuit(2).mc("x", 0, 1)),
    (Circuit(1, 2).measure(0, 0), Circuit(1, 2).measure(0, 1)),
    (Circuit(1).unitary(np.eye(2), 0), Circuit(1).unitary(-np.eye(2), 0)),
    (Circuit(1).diagonal([1, 1], 0), Circuit(1).diagonal([1, -1], 0)),
    (Circuit(2).permutation([0, 1, 2, 3], [0, 1]), Circuit(2).permutation([0, 2, 1, 3], [0, 1])),
    (Circuit(1).pauli_rotation("X", 0, 0.5), Circuit(1).pauli_rotation("Y", 0, 0.5)),
    (flowing(), flowing(lambda c: c.y(1))),
    (flowing(), flowing(lambda c: c.x(1).barrier())),
    (Circuit(2).barrier(0), Circuit(2).barrier(1)),
    (Circuit(2).barrier(), Circuit(2)),
]


@pytest.mark.parametrize(("one", "two"), PAIRS)
def test_circuits_that_differ_in_meaning_differ(one: Circuit, two: Circuit) -> None:
    assert one != two
    assert one.digest != two.digest
    assert one.snapshot() != two.snapshot()


def test_names_belong_to_the_digest_and_not_to_the_structure() -> None:
    one, two, split = Circuit(), Circuit(), Circuit()
    one.add_qubit_register("a", 2)
    two.add_qubit_register("b", 2)
    split.add_qubit_register("a", 1)
    split.add_qubit_register("c", 1)
    assert len({circuit.h(0).digest for circuit in (one, two, split)}) == 3
    assert len({circuit.structure for circuit in (one, two, split)}) == 1


def test_variables_belong_to_the_identity() -> None:
    plain, one, two = Circuit(1), Circuit(1), Circuit(1)
    one.add_variable("n", "int", 8)
    two.add_variable("n", "uint", 8)
    assert len({plain.digest, one.digest, two.digest}) == 3


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Circuit(1).ry(0.5, 0), Circuit(1).ry(0.25, 0)),
        (Circuit(1).ry(2 * T, 0), Circuit(1).ry(3 * T, 0)),
        (Circuit(1).unitary(np.eye(2), 0), Circuit(1).unitary(-np.eye(2), 0)),
        (flowing(lambda c: c.rx(0.5, 1)), flowing(lambda c: c.rx(0.25, 1))),
    ],
)
def test_numbers_are_no_part_of_the_structure(one: Circuit, two: Circuit) -> None:
    assert one.structure == two.structure
    assert hash(one.structure) == hash(two.structure)
    assert one != two


@pytest.mark.parametrize(
    ("one", "two"),
    [pair for number, pair in enumerate(PAIRS) if number not in (1, 3, 11, 12, 13)],
)
def test_all_else_is_part_of_the_structure(one: Circuit, two: Circuit) -> None:
    assert one.structure != two.structure


def test_a_shared_matrix_means_the_same_as_two_equal_ones() -> None:
    twice = Circuit(1).unitary(np.eye(2), 0).unitary(np.eye(2), 0)
    columns = {name: np.array(getattr(twice, name)) for name in COLUMN_TYPES} | {"data": [0, 0]}
    shared = Circuit.from_columns(num_qubits=1, data_items=[np.eye(2, dtype=np.complex128), np.eye(1)], **columns)
    assert shared == twice
    assert shared.to_bytes() == twice.to_bytes()
    assert len(shared.data_items) == 1


def test_a_zero_is_a_zero_in_an_angle_and_keeps_its_sign_in_an_expression() -> None:
    assert Circuit(1).rx(-0.0, 0) == Circuit(1).rx(0.0, 0)
    assert Circuit(1).diagonal([1, complex(1, -0.0)], 0) == Circuit(1).diagonal([1, 1], 0)
    assert str(Circuit.from_bytes(Circuit(1).rx(-0.0, 0).to_bytes())[0].params) == "(-0.0,)"
    one = ParameterExpression((0.0, T, ExprOp.MUL))
    two = ParameterExpression((-0.0, T, ExprOp.MUL))
    assert Circuit(1).rx(one, 0) != Circuit(1).rx(two, 0)


def test_what_stands_below_an_expression_is_no_part_of_a_circuit() -> None:
    columns: dict[str, Any] = {"num_qubits": 1, "opcodes": [12], "qubits": [0], "qubit_end": [1], "param_end": [1]}
    payload = np.array([0x7FF8_0000_0000_1234], dtype=np.uint64).view(np.float64)
    for below in (payload, np.array([7.0]), np.array([np.inf])):
        assert Circuit.from_columns(**columns, params=below, expressions={0: T}).digest == Circuit(1).rx(T, 0).digest


def test_digests_are_the_same_in_every_release_of_this_version() -> None:
    """Checkpoints and stored results are found by them."""
    plain = Circuit(2, 1).h(0).cx(0, 1).rx(0.5, 1).measure(1, 0)
    assert plain.digest.hex() == "d360d8c96f8ab6bb78e588a29c65f511775a90615706fed612d1bb759bd237ee"
    assert flowing().digest.hex() == "1bc593f67b766a5a9b5fcf99027c3ae6f6c814593b52276a1da0c6d8ba0ef47c"


def test_a_value_is_found_in_a_set() -> None:
    assert len({flowing().snapshot(), flowing().snapshot(), Circuit(1).snapshot()}) == 2
    assert flowing().snapshot() == flowing()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
@pytest.mark.parametrize("of", [lambda c: c, lambda c: c.snapshot()])
def test_circuits_and_values_survive_copies_and_pickles(
    duplicate: Callable[[Any], Any], of: Callable[[Circuit], Any]
) -> None:
    original = of(flowing())
    again = duplicate(original)
    assert type(again) is type(original)
    assert again == original


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_equal_circuits_have_equal_digests(circuit: Circuit) -> None:
    again = circuit.block().compose(circuit)
    assert again == circuit
    assert again.digest == circuit.digest
    assert again.structure == circuit.structure
    if len(circuit):
        assert circuit[:-1] != circuit
        assert circuit[:-1].digest != circuit.digest


def test_a_value_can_do_what_reading_needs() -> None:
    circuit = flowing()
    value = circuit.snapshot()
    assert repr(value) == repr(circuit).replace("Circuit:", "CircuitValue:")
    assert [repr(step) for step in value] == [repr(step) for step in circuit]
    assert value.draw() == circuit.draw()
    assert value.to_qasm() == circuit.to_qasm()
    assert (value.depth(), value.count_ops(), value.parameters) == (
        circuit.depth(), circuit.count_ops(), circuit.parameters
    )  # fmt: skip
    assert value.bind(t=0.5) == circuit.bind(t=0.5)
    assert value[2:5] == circuit[2:5]
    assert Circuit(3, 2).h(0).snapshot().inverse() == Circuit(3, 2).h(0)


def test_blocks_may_be_made_of_values() -> None:
    circuit = Circuit(1, 1)
    body = circuit.block().x(0)
    assert circuit.copy().if_test((0, 1), body.snapshot()) == circuit.copy().if_test((0, 1), body)
    columns = {name: np.array(getattr(circuit, name)) for name in COLUMN_TYPES}
    assert Circuit.from_columns(num_qubits=1, num_clbits=1, **columns) == circuit
    held = circuit.copy().while_loop((0, 1), body).data_items[0]
    assert isinstance(held, WhileLoop)
    body.y(0)
    assert held.body == Circuit(1, 1).x(0)
    assert ForLoop(range(2), held.body).body is held.body

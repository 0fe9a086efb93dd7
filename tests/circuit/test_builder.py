"""The gate methods against the gate table: each row and alias has one, with the row's operands in the row's order."""

from __future__ import annotations

import inspect

import pytest

from qfast.circuit import GATES, Circuit
from qfast.circuit.builder import GateMethods

METHODS = [(name, row) for row in GATES if row.target_matrix is not None for name in (row.name, *row.aliases)]


@pytest.mark.parametrize(("name", "row"), METHODS, ids=[name for name, _ in METHODS])
def test_each_name_has_a_method_that_appends_its_row(name, row) -> None:  # type: ignore[no-untyped-def]
    angles = [0.1 * (k + 1) for k in range(row.num_params)]
    qubits = [4, 0, 3, 1, 2][: row.num_qubits]
    circuit = Circuit(5)
    assert getattr(circuit, name)(*angles, *qubits) is circuit
    (view,) = circuit
    assert (view.name, view.params, view.qubits, view.controls) == (row.name, tuple(angles), tuple(qubits), ())
    assert circuit == Circuit(5).append(name, qubits, angles)


def test_there_is_no_method_without_a_row() -> None:
    names = {name for name, member in vars(GateMethods).items() if inspect.isfunction(member)}
    assert names == {name for name, _ in METHODS}


@pytest.mark.parametrize(("name", "row"), METHODS, ids=[name for name, _ in METHODS])
def test_parameters_are_named_in_the_signature(name, row) -> None:  # type: ignore[no-untyped-def]
    arguments = list(inspect.signature(getattr(Circuit, name)).parameters)[1:]
    assert len(arguments) == row.num_params + row.num_qubits
    assert sum(argument.startswith("control") for argument in arguments) >= row.own_controls

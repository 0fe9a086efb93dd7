"""The core's gate table against Python's, row by row. Collected in native builds only (tests/circuit/conftest.py)."""

from __future__ import annotations

import numpy as np
import pytest

from qfast import _core
from qfast.circuit import GATES, GateRow
from qfast.circuit.gates import NUM_GATES

ROWS = list(enumerate(GATES[:NUM_GATES]))
FIXED = [pytest.param(opcode, row, id=row.name) for opcode, row in ROWS if row.target_matrix is not None]


def test_both_tables_list_the_same_gates_in_the_same_order() -> None:
    expected = [
        (
            row.name,
            row.own_controls,
            -1 if row.num_qubits is None else row.num_qubits - row.own_controls,
            row.num_params,
        )
        for _, row in ROWS
    ]
    assert [tuple(row) for row in _core.gate_table()] == expected


@pytest.mark.parametrize(("opcode", "row"), FIXED)
@pytest.mark.parametrize("angles", [(0.37, -0.81, 1.3, 0.52), (-5.1, 7.7, 2.2, 9.0)])
def test_both_tables_have_the_same_matrix(opcode: int, row: GateRow, angles: tuple[float, ...]) -> None:
    params = angles[: row.num_params]
    assert row.target_matrix is not None
    np.testing.assert_allclose(
        np.asarray(_core.gate_matrix(opcode, params)), row.target_matrix(params), atol=1e-15, rtol=0
    )

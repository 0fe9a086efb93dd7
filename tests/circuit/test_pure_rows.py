"""A pure build and a native one make the same circuits, down to their bytes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings

from qfast.circuit import Circuit, storage
from qfast.circuit.rows import COLUMN_TYPES, PythonRows
from tests.circuit.strategies import circuits
from tests.circuit.test_encoding import SAMPLES


@pytest.fixture
def pure_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "Rows", PythonRows)


@pytest.mark.parametrize("number", range(len(SAMPLES)))
@pytest.mark.usefixtures("pure_rows")
def test_samples_have_the_same_bytes(number: int) -> None:
    pure = Circuit.from_bytes(SAMPLES[number].to_bytes())
    assert isinstance(pure._rows, PythonRows)
    assert pure.digest == SAMPLES[number].digest
    assert pure.to_bytes() == SAMPLES[number].to_bytes()
    for name in COLUMN_TYPES:
        ours, theirs = getattr(pure, name), getattr(SAMPLES[number], name)
        assert (ours.format, bytes(ours), ours.readonly) == (theirs.format, bytes(theirs), True)


@given(circuits())
@settings(max_examples=40, deadline=None)
def test_gates_appended_one_by_one_are_the_same(circuit: Circuit) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "Rows", PythonRows)
        pure = Circuit(circuit.num_qubits)
    for step in circuit:
        pure._append_checked(step.opcode, step.qubits, step.params, step.controls, step.ctrl_state, item=step.data)
    assert pure.to_bytes() == circuit.to_bytes()
    assert pure.structure == circuit.structure


def test_rows_of_a_pure_build_grow_behind_what_has_been_seen() -> None:
    rows = PythonRows(2)
    seen = []
    for number in range(100):
        rows.append(5, 0, 0, -1, (number % 2,), (0.5,))
        seen.append(rows.columns())
    for number, columns in enumerate(seen, start=1):
        assert columns.qubits.tolist() == [k % 2 for k in range(number)]
        assert columns.param_end.tolist() == list(range(1, number + 1))


def test_a_pure_process_finds_the_same_digests() -> None:
    program = (
        "import sys; sys.modules['qfast._core'] = None; from tests.circuit.test_encoding import SAMPLES; "
        "from qfast.circuit.rows import PythonRows, Rows; assert Rows is PythonRows; "
        "print(*(circuit.digest.hex() for circuit in SAMPLES))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [circuit.digest.hex() for circuit in SAMPLES]

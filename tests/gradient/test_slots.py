"""How rotations are shared out to slots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from qfast import Circuit, ParameterVector
from qfast.circuit import GATES
from qfast.circuit.gates import NUM_GATES
from qfast.simulation.gradient_slots import elementary, rotations_of, slots_of
from tests import oracle
from tests.gradient.differences import symbolic_circuits
from tests.gradient.test_adjoint import ansatz

COMPOSITE = [row for row in GATES[:NUM_GATES] if row.num_params and row.num_qubits is not None]


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("row", COMPOSITE, ids=lambda row: row.name)
def test_rewriting_a_gate_as_rotations_keeps_its_matrix(rng, row, extra) -> None:
    qubits = rng.permutation(3).tolist()
    own, controls = qubits[: row.num_qubits], qubits[row.num_qubits : row.num_qubits + extra]
    angles = ParameterVector("angle", row.num_params)
    circuit = Circuit(3).h(0).append(row.name, own, list(angles), controls=controls).x(1)
    values = dict(zip((angle.name for angle in angles), rng.normal(size=row.num_params), strict=True))
    assert np.abs(oracle.unitary(elementary(circuit), values) - oracle.unitary(circuit, values)).max() < 1e-14


@settings(max_examples=60)
@given(circuit=symbolic_circuits())
def test_every_rotation_is_read_once_and_its_generator_is_its_own(circuit) -> None:
    rewritten = elementary(circuit)
    rotations, slots = rotations_of(rewritten), slots_of(rewritten)
    assert sorted(number for slot in slots for number in slot.rotations) == list(range(len(rotations)))


def test_a_layer_of_two_rotations_on_each_qubit_is_one_slot() -> None:
    slots = slots_of(ansatz(4, 3))
    assert [len(slot.rotations) for slot in slots] == [8, 8, 8]
    assert len(slots[0].undo) == 3 + 4  # the ladder and the RZ behind the slot


def test_rotations_that_commute_with_all_between_share_a_slot() -> None:
    a = ParameterVector("a", 6)
    circuit = Circuit(3).rzz(a[0], 0, 1).cz(1, 2).rz(a[1], 1).cx(0, 2).crz(a[2], 0, 1).p(a[3], 0)
    circuit.rx(a[4], 2).rzz(a[5], 0, 1)
    (slot,) = slots_of(circuit)
    assert slot.rotations == (0, 1, 2, 3, 4, 5)


def test_gates_before_the_first_slot_are_never_undone() -> None:
    (slot,) = slots_of(Circuit(1).h(0).t(0).rx(ParameterVector("a", 1)[0], 0))
    assert [step.name for step in slot.undo] == ["rx"]

"""Controlled gates of Qiskit in every control state, inverted, annotated, under more controls: against its Operator."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, ControlledGate, ControlModifier, InverseModifier, PowerModifier
from qiskit.circuit.library import CUGate, GlobalPhaseGate, PermutationGate
from qiskit.quantum_info import Operator

from qfast.qiskit import from_qiskit
from qfast.qiskit.gate_classes import CLASSES
from tests import oracle

ANGLES = (0.4, 1.1, 2.3, 0.7, 1.9)


def made(kind: Any, **how: Any) -> Any:
    """A gate of a class with as many angles as it takes."""
    for number in range(len(ANGLES) + 1):
        try:
            return kind(*ANGLES[:number], **how)
        except TypeError:
            continue
    raise AssertionError(kind)


def changed(gate: Any) -> Iterator[Any]:
    yield gate
    yield gate.inverse()
    yield gate.inverse(annotated=True)
    yield gate.control(1)
    yield gate.control(1, ctrl_state=0)
    yield gate.control(1, ctrl_state=0, annotated=True)
    yield gate.power(0.5, annotated=True)
    yield AnnotatedOperation(gate, [InverseModifier(), PowerModifier(2), ControlModifier(1, 0)])


def check(operation: Any) -> None:
    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, range(operation.num_qubits))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = Operator(circuit).data
    np.testing.assert_allclose(oracle.unitary(from_qiskit(circuit)), expected, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, kind in CLASSES.items() if isinstance(made(kind), ControlledGate)])
def test_a_controlled_gate_is_right_in_every_control_state(name: str) -> None:
    kind = CLASSES[name]
    for state in range(1 << made(kind).num_ctrl_qubits):
        for operation in changed(made(kind, ctrl_state=state)):
            if operation.num_qubits <= 5:
                check(operation)


def test_the_phase_of_a_cu_gate_survives_more_controls() -> None:
    for state in (0, 1):
        check(CUGate(0, 0, 0, np.pi, ctrl_state=state))
        check(CUGate(0.1, 0.2, 0.3, 0.4, ctrl_state=state).control(2, ctrl_state=1).control(1))


@pytest.mark.parametrize("exponent", [2, -1, 0.5])
def test_a_global_phase_has_powers(exponent: float) -> None:
    check(GlobalPhaseGate(0.7).power(exponent))
    check(GlobalPhaseGate(0.7).power(exponent, annotated=True))
    check(AnnotatedOperation(GlobalPhaseGate(0.7), [PowerModifier(exponent), ControlModifier(1, 0)]))


@pytest.mark.parametrize("seed", range(4))
def test_permutations_of_qubits_are_swaps(seed: int) -> None:
    check(PermutationGate(np.random.default_rng(seed).permutation(5).tolist()))


def test_a_permutation_of_many_qubits_is_read() -> None:
    circuit = QuantumCircuit(14)
    circuit.x(0)
    circuit.append(PermutationGate([*range(1, 14), 0]), range(14))
    assert from_qiskit(circuit).count_ops() == {"x": 1, "swap": 13}

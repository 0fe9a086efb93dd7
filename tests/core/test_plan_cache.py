"""Plans are shared by circuits of one structure and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast import _core
from tests import oracle


@pytest.fixture(autouse=True)
def empty_cache():
    _core.clear_plan_cache()
    yield
    _core.clear_plan_cache()


def wide() -> qfast.Circuit:
    """A circuit that is too large to run without a plan."""
    circuit = qfast.Circuit(7)
    for qubit in range(7):
        circuit.h(qubit)
    return circuit


def rotations(angles: list[float]) -> qfast.Circuit:
    circuit = wide()
    for qubit, angle in enumerate(angles):
        circuit.ry(angle, qubit)
    return circuit.cx(0, 1).rzz(angles[0], 1, 2).cx(1, 2)


def amplitudes(circuit: qfast.Circuit) -> np.ndarray:
    state = qfast.simulate(circuit, engine="native").amplitudes
    np.testing.assert_allclose(state, oracle.statevector(circuit), atol=1e-13)
    return state


def test_a_circuit_with_other_angles_needs_no_planning() -> None:
    amplitudes(rotations([0.1, 0.2, 0.3]))
    amplitudes(rotations([1.1, -0.7, 2.5]))
    stats = _core.plan_cache_stats()
    assert (stats["hits"], stats["misses"], stats["plans"]) == (1, 1, 1)


def test_an_angle_that_makes_an_entry_vanish_is_another_structure() -> None:
    amplitudes(rotations([0.1, 0.2, 0.3]))
    amplitudes(rotations([0.1, 0.0, 0.3]))
    amplitudes(rotations([0.1, np.pi, 0.3]))
    assert _core.plan_cache_stats()["plans"] == 3


def test_a_shared_plan_gives_the_bits_of_its_own() -> None:
    second = rotations([1.1, -0.7, 2.5])
    alone = amplitudes(second).copy()
    _core.clear_plan_cache()
    amplitudes(rotations([0.1, 0.2, 0.3]))
    assert np.array_equal(amplitudes(rotations([1.1, -0.7, 2.5])), alone)


def test_letters_of_a_pauli_rotation_are_structure() -> None:
    for letters in ("XYZ", "ZZZ", "XXI"):
        amplitudes(wide().pauli_rotation(letters, [0, 1, 2], 0.7))
    assert _core.plan_cache_stats()["plans"] == 3


def test_the_cache_is_bounded() -> None:
    for length in range(1, 300):
        circuit = wide()
        for _ in range(length):
            circuit.h(0).cx(0, 1)
        qfast.simulate(circuit, engine="native")
    assert _core.plan_cache_stats()["plans"] == 256

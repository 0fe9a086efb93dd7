"""Qubit order, in one place: qubit k is bit k of the amplitude index, the rightmost character of a bitstring is bit 0,
and the first listed qubit of a matrix is its least significant bit. Every expectation here is written out by hand.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from qfast.circuit import Circuit, PauliSum
from tests import oracle

SQRT_HALF = math.sqrt(0.5)


def nonzero(circuit: Circuit) -> dict[int, complex]:
    state = oracle.statevector(circuit)
    return {int(k): complex(np.round(state[k], 12)) for k in np.flatnonzero(np.abs(state) > 1e-12)}


@pytest.mark.parametrize("qubit", range(4))
def test_x_on_qubit_k_sets_bit_k_of_the_index(qubit: int) -> None:
    assert nonzero(Circuit(4).x(qubit)) == {1 << qubit: 1}


def test_cx_lists_the_control_first() -> None:
    assert nonzero(Circuit(3).x(0).cx(0, 2)) == {0b101: 1}
    assert nonzero(Circuit(3).x(0).cx(2, 0)) == {0b001: 1}


def test_the_first_listed_qubit_is_the_least_significant_bit_of_a_matrix() -> None:
    add_one = np.roll(np.eye(4), 1, axis=0)  # |k> becomes |k + 1 mod 4>
    assert nonzero(Circuit(3).x(0).unitary(add_one, [0, 2])) == {0b100: 1}
    assert nonzero(Circuit(3).x(0).unitary(add_one, [2, 0])) == {0b101: 1}
    assert nonzero(Circuit(3).x(0).permutation([1, 2, 3, 0], [0, 2])) == {0b100: 1}
    assert nonzero(Circuit(3).x(0).diagonal([1, 1j, -1, -1j], [0, 2])) == {0b001: 1j}
    assert nonzero(Circuit(3).x(0).diagonal([1, 1j, -1, -1j], [2, 0])) == {0b001: -1}


def test_the_matrix_of_cx_has_the_control_as_its_low_bit() -> None:
    low_bit_controls = [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]
    high_bit_controls = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    np.testing.assert_array_equal(Circuit(2).cx(0, 1).to_matrix(), low_bit_controls)
    np.testing.assert_array_equal(Circuit(2).cx(1, 0).to_matrix(), high_bit_controls)


def test_the_matrix_of_a_layer_is_the_tensor_product_with_qubit_zero_last() -> None:
    np.testing.assert_allclose(Circuit(2).h(0).z(1).to_matrix(), np.kron(oracle.Z, oracle.H), atol=1e-15)


def test_bit_j_of_a_control_state_belongs_to_the_jth_control() -> None:
    circuit = Circuit(3).x(2).append("x", 0, controls=[1, 2], ctrl_state=0b10)
    assert nonzero(circuit) == {0b101: 1}
    assert nonzero(Circuit(3).x(2).append("x", 0, controls=[1, 2], ctrl_state="10")) == {0b101: 1}
    assert nonzero(Circuit(3).x(2).append("x", 0, controls=[1, 2], ctrl_state=0b01)) == {0b100: 1}


def test_control_puts_the_new_qubits_below() -> None:
    assert nonzero(Circuit(3).x(0).compose(Circuit(2).x(1).control())) == {0b101: 1}


def test_letter_j_of_a_pauli_rotation_acts_on_the_jth_listed_qubit() -> None:
    assert nonzero(Circuit(3).pauli_rotation("XZ", [2, 0], math.pi)) == {0b100: -1j}
    assert nonzero(Circuit(3).x(0).pauli_rotation("XZ", [2, 0], math.pi)) == {0b101: 1j}


def test_rzx_has_z_on_its_first_and_x_on_its_second_qubit() -> None:
    assert nonzero(Circuit(2).rzx(math.pi, 0, 1)) == {0b10: -1j}
    assert nonzero(Circuit(2).x(0).rzx(math.pi, 0, 1)) == {0b11: 1j}


def test_a_prepared_state_lists_its_low_bit_first() -> None:
    vector = [0, 1, 0, 0]
    assert nonzero(Circuit(3).prepare_state(vector, [1, 2])) == {0b010: 1}
    assert nonzero(Circuit(3).prepare_state(vector, [2, 1])) == {0b100: 1}


def test_bitstrings_have_bit_zero_rightmost() -> None:
    assert oracle.distribution(Circuit(3).x(0)) == {"001": 1.0}
    assert oracle.distribution(Circuit(2, 3).x(0).measure(0, 2)) == {"100": 1.0}


def test_registers_are_joined_with_the_last_declared_leftmost() -> None:
    circuit = Circuit(2, 2)
    late = circuit.add_classical_register("late", 1)
    circuit.x(0).measure(0, late[0])
    assert oracle.distribution(circuit) == {"100": 1.0}


def test_a_register_reads_as_a_number_with_bit_zero_least_significant() -> None:
    circuit = Circuit(2, 2).x(1).measure([0, 1], [0, 1])
    circuit.if_test((circuit.classical_registers[0], 0b10), circuit.block().x(0)).measure(0, 0)
    assert oracle.distribution(circuit) == {"11": 1.0}


def test_labels_of_an_observable_have_qubit_zero_rightmost() -> None:
    observable = PauliSum.from_labels(["IZ"])
    assert list(observable) == [("Z", [0], 1)]
    assert oracle.expectation(oracle.statevector(Circuit(2).x(0)), observable) == -1
    assert oracle.expectation(oracle.statevector(Circuit(2).x(1)), observable) == 1
    np.testing.assert_array_equal(PauliSum([("X", [1])], num_qubits=2).matrix(), np.kron(oracle.X, oracle.ID))


def test_probabilities_list_the_first_qubit_as_the_low_bit() -> None:
    state = oracle.statevector(Circuit(3).x(2).h(0))
    np.testing.assert_allclose(oracle.probabilities(state, [2, 0]), [0, 0.5, 0, 0.5], atol=1e-15)
    np.testing.assert_allclose(oracle.probabilities(state, [0, 2]), [0, 0, 0.5, 0.5], atol=1e-15)


def test_a_bell_pair_of_qubits_zero_and_two() -> None:
    found = nonzero(Circuit(3).h(0).cx(0, 2))
    assert found.keys() == {0b000, 0b101}
    assert all(abs(amplitude - SQRT_HALF) < 1e-12 for amplitude in found.values())

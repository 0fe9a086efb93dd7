"""Errors pushed to the end of a circuit have exactly the effect that they have where they happen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from qfast.circuit import Circuit, Instruction, Parameter
from qfast.circuit.gates import GATES, NUM_GATES, GateFlag
from qfast.noise import Channel, channels
from qfast.simulation.pauli_frames import PushedCircuitBuilder, euler_angles
from tests import oracle

FIXED = [row.name for row in GATES[:NUM_GATES] if GateFlag.DATA not in row.flags and row.name != "gphase"]
DEPOLARIZING = channels.depolarizing(0.3)


def random_unitary(rng: np.random.Generator, num_qubits: int) -> np.ndarray:
    dim = 1 << num_qubits
    return np.linalg.qr(rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim)))[0]


def gates_of(circuit: Circuit) -> list[Instruction]:
    return [step for step in circuit if step.is_gate]


def check_every_error(circuit: Circuit, num_blocks: int = 2) -> None:
    """Put every Pauli in front of every gate and behind the last one; compare with the error where it is."""
    gates, num_qubits = gates_of(circuit), circuit.num_qubits
    sites = [(place, qubit) for place in range(len(gates) + 1) for qubit in range(num_qubits)]
    builder = PushedCircuitBuilder(num_qubits)
    for place in range(len(gates) + 1):
        for qubit in range(num_qubits):
            builder.add_site(DEPOLARIZING, (qubit,))
        if place < len(gates):
            builder.add_gate(gates[place])
    pushed = builder.build(num_blocks)
    clean, change = pushed.angles({})
    mask = np.unpackbits(pushed.mask(change, outcomes_only=True).view(np.uint8), count=pushed.num_angles)
    for site, (place, qubit) in enumerate(sites):
        for error, letter in enumerate("XYZ"):
            row = pushed.effects.rows[3 * site + error]
            bits = np.unpackbits(row[:-16], count=pushed.num_angles)
            frame = int.from_bytes(row[-8:].tobytes(), "big")
            found = probabilities(pushed.blocks, pushed.bounds, clean + bits * change)
            state = oracle.zero_state(num_qubits)
            for number, gate in enumerate(gates):
                if number == place:
                    state = oracle.apply_matrix(state, oracle.PAULIS[letter], [qubit])
                state = oracle.apply_instruction(state, gate)
            if place == len(gates):
                state = oracle.apply_matrix(state, oracle.PAULIS[letter], [qubit])
            index = np.arange(1 << num_qubits)
            assert is_close(found[index ^ frame], np.abs(state) ** 2), (letter, qubit, place)
            masked = probabilities(pushed.blocks, pushed.bounds, clean + (bits & mask) * change)
            assert is_close(masked, found), "a flip that the mask leaves out changed an outcome"


def probabilities(blocks: list[Circuit], bounds: list[int], angles: np.ndarray) -> np.ndarray:
    state = None
    for block, (begin, end) in zip(blocks, itertools.pairwise(bounds), strict=True):
        names = [parameter.name for parameter in block.parameters]
        state = oracle.statevector(block, dict(zip(names, angles[begin:end].tolist(), strict=True)), state)
    assert state is not None
    return np.abs(state) ** 2


def is_close(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.allclose(found, expected, rtol=0, atol=1e-10))


@pytest.mark.parametrize("name", FIXED)
def test_every_fixed_gate_lets_every_pauli_pass(name: str, rng: np.random.Generator) -> None:
    row = next(row for row in GATES if row.name == name)
    num_qubits = row.num_qubits or 0
    circuit = Circuit(num_qubits)
    for layer in range(2):  # rotations in front and behind, so that no sign goes unseen
        for qubit in range(num_qubits):
            circuit.ry(float(rng.uniform(0.3, 1.2)), qubit).rx(float(rng.uniform(0.3, 1.2)), qubit)
        if layer == 0:
            circuit.append(name, list(range(num_qubits)), rng.uniform(0.2, 1.3, row.num_params).tolist())
    check_every_error(circuit)


def test_data_gates_and_extra_controls_let_every_pauli_pass(rng: np.random.Generator) -> None:
    circuit = Circuit(3)
    for qubit in range(3):
        circuit.u(*rng.uniform(0.3, 1.2, 3).tolist(), qubit)
    circuit.unitary(random_unitary(rng, 1), [1])
    circuit.unitary(random_unitary(rng, 2), [2, 0])
    circuit.append("h", 0, controls=[2, 1], ctrl_state="01")
    circuit.diagonal(np.exp(1j * rng.uniform(0, 6, 4)), [1, 2])
    circuit.permutation([2, 0, 3, 1], [0, 2])
    circuit.pauli_rotation("XYZ", [0, 1, 2], 0.7)
    circuit.append("rx", 1, [0.4], controls=[0])
    for qubit in range(3):
        circuit.ry(float(rng.uniform(0.3, 1.2)), qubit)
    check_every_error(circuit, num_blocks=3)


@pytest.mark.parametrize("name", ["rx", "rz", "p", "u", "r", "rxx", "rzx", "cp", "crx"])
def test_quarter_and_half_turns_let_every_pauli_pass(name: str, rng: np.random.Generator) -> None:
    row = next(row for row in GATES if row.name == name)
    for _ in range(4):
        circuit = Circuit(row.num_qubits or 0)
        for layer in range(2):
            for qubit in range(circuit.num_qubits):
                circuit.u(*rng.uniform(0.3, 1.2, 3).tolist(), qubit)
            if layer == 0:
                angles = (rng.integers(-5, 6, row.num_params) * (np.pi / 2)).tolist()
                circuit.append(name, list(range(circuit.num_qubits)), angles)
        check_every_error(circuit)


def test_a_quarter_turn_with_a_bound_angle_has_no_sign_to_flip() -> None:
    builder = PushedCircuitBuilder(1)
    builder.add_site(DEPOLARIZING, (0,))
    for angle in (np.pi / 2, -np.pi, 0.0, 0.3):
        builder.add_gate(Circuit(1).ry(angle, 0)[0])
    assert builder.build(1).num_angles == 1


def test_a_half_turn_is_the_same_in_either_direction() -> None:
    theta = Parameter("theta")
    builder = PushedCircuitBuilder(1)
    builder.add_site(DEPOLARIZING, (0,))
    builder.add_gate(Circuit(1).rx(theta, 0)[0])
    pushed = builder.build(1)
    for value, matters in ((np.pi, False), (0.0, False), (-2 * np.pi, False), (np.pi / 2, True), (0.1, True)):
        change = pushed.angles({"theta": value})[1]
        assert bool(pushed.mask(change, outcomes_only=False).any()) is matters


def test_phases_that_no_outcome_depends_on_are_told_apart_from_those_that_a_later_gate_turns() -> None:
    circuit = Circuit(3).rz(0.3, 2).h(2).rz(0.4, 0).rz(0.5, 1).rzz(0.6, 0, 2).cx(1, 2).rx(0.7, 0).rz(0.8, 0)
    builder = PushedCircuitBuilder(3)
    for gate in gates_of(circuit):
        builder.add_site(DEPOLARIZING, (0,))
        builder.add_site(DEPOLARIZING, (2,))
        builder.add_gate(gate)
    pushed = builder.build(1)
    change = pushed.angles({})[1]
    seen = np.unpackbits(pushed.mask(change, outcomes_only=True).view(np.uint8), count=pushed.num_angles)
    # rz(0.3) is in front of the h, rz(0.4) and rzz of the rx; rz(0.5) and rz(0.8) only of cx and measurements.
    assert seen.tolist() == [1, 1, 0, 1, 1, 0]
    assert np.unpackbits(pushed.mask(change, outcomes_only=False).view(np.uint8)).sum() == pushed.num_angles


def test_a_clifford_given_as_a_matrix_is_recognised() -> None:
    builder = PushedCircuitBuilder(2)
    builder.add_site(DEPOLARIZING, (0,))
    circuit = Circuit(2).unitary(oracle.controlled(oracle.X), [0, 1])
    builder.add_gate(circuit[0])
    assert builder.build(1).num_angles == 0


def test_nothing_is_left_in_front_of_a_gate_that_no_error_reaches() -> None:
    builder = PushedCircuitBuilder(3)
    builder.add_gate(Circuit(3).append("x", 0, controls=[1, 2])[0])
    builder.add_site(DEPOLARIZING, (0,))
    pushed = builder.build(1)
    assert (pushed.num_angles, len(pushed.blocks[0])) == (0, 1)


def test_a_two_qubit_error_is_the_product_of_its_letters(rng: np.random.Generator) -> None:
    builder = PushedCircuitBuilder(2)
    channel = Channel.of_paulis("one", {"XY": 1.0})
    builder.add_site(channel, (1, 0))  # X on qubit 1, Y on qubit 0
    builder.add_gate(Circuit(2).cx(0, 1)[0])
    row = builder.build(1).effects.rows[0]
    assert int.from_bytes(row[-8:].tobytes(), "big") == 0b01  # Y on the control spreads to the target, where X was


@pytest.mark.parametrize("seed", range(20))
def test_any_single_qubit_matrix_is_a_gate_u_up_to_a_phase(seed: int) -> None:
    matrix = random_unitary(np.random.default_rng(seed), 1)
    if seed < 4:
        matrix = [oracle.X, oracle.Z, oracle.ID, oracle.Y][seed] * np.exp(0.3j)
    found = oracle.euler(*euler_angles(matrix))
    assert abs(np.trace(found.conj().T @ matrix)) == pytest.approx(2, abs=1e-12)

"""Exact density matrices and distributions against dense matrices of the textbook."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast.circuit import Circuit, PauliSum
from qfast.circuit.gates import GATES, NUM_GATES, GateFlag
from qfast.errors import CapacityError, CircuitError, InputError, ParameterError
from qfast.noise import NoiseModel, ReadoutError, channels
from tests import oracle
from tests.conftest import TOLERANCE
from tests.densities import density_of
from tests.noise import noise_oracle

NOISE = (
    NoiseModel().add(channels.amplitude_damping(0.1)).add(channels.depolarizing(0.05, 2)).add(channels.reset(0.2), "rx")
)


def every_gate(rng: np.random.Generator) -> Circuit:
    circuit = Circuit(4)
    for row in GATES[:NUM_GATES]:
        if GateFlag.DATA in row.flags or row.num_qubits == 5:
            continue
        qubits = rng.permutation(4)[: row.num_qubits].tolist()
        circuit.append(row.name, qubits, rng.uniform(0, 6, row.num_params).tolist())
    circuit.pauli_rotation("XYZ", [0, 3, 1], 0.4).pauli_rotation("YY", [2, 1], 0.4).permutation([1, 3, 0, 2], [3, 1])
    circuit.diagonal(np.exp(1j * rng.uniform(0, 6, 4)), [2, 0]).unitary(oracle.rotation("YX", 0.7), [1, 3])
    circuit.append("u", 1, [0.3, 0.4, 0.5], controls=[0, 3], ctrl_state="01")
    return circuit


def test_every_gate_and_channel_acts_on_the_density_matrix(where: dict[str, str], rng: np.random.Generator) -> None:
    circuit = every_gate(rng)
    found = density_of(circuit, NOISE, **where)
    assert np.allclose(found.matrix, noise_oracle.density(circuit, NOISE), rtol=0, atol=1e-12)
    assert found.metadata["engine"] == where["engine"]


def test_single_precision_is_as_good_as_it_can_be(rng: np.random.Generator) -> None:
    circuit = every_gate(rng)
    found = density_of(circuit, NOISE, precision="complex64")
    assert found.matrix.dtype == np.complex64
    assert np.allclose(found.matrix, noise_oracle.density(circuit, NOISE), rtol=0, atol=10 * TOLERANCE["complex64"])


def test_what_is_read_from_it_agrees_with_a_state(rng: np.random.Generator) -> None:
    circuit = every_gate(rng)
    state, found = qfast.simulate(circuit), density_of(circuit)
    observable = PauliSum([("XYZ", [0, 1, 3], 0.7), ("YY", [2, 0], -0.3), ("", [], 0.1)])
    assert found.expectation(observable) == pytest.approx(state.expectation(observable), abs=1e-12)
    assert np.allclose(found.probabilities([2, 0]), state.probabilities([2, 0]), atol=1e-12)
    assert found.purity() == pytest.approx(1)
    assert found.fidelity(state) == pytest.approx(1)


def test_measurements_in_the_middle_are_averaged_over() -> None:
    found = density_of(Circuit(2, 2).h(0).measure(0, 0).cx(0, 1).h(0))
    expected = np.zeros((4, 4))
    expected[np.ix_([0, 1], [0, 1])] = [[0.25, 0.25], [0.25, 0.25]]
    expected[np.ix_([2, 3], [2, 3])] = [[0.25, -0.25], [-0.25, 0.25]]
    assert np.allclose(found.matrix, expected, atol=1e-12)


def test_a_pure_state_may_be_given() -> None:
    start = np.array([0.6, 0.8j])
    found = density_of(Circuit(1).x(0), initial_state=start)
    assert np.allclose(found.matrix, np.outer([0.8j, 0.6], np.conj([0.8j, 0.6])))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_distributions_are_those_of_the_textbook_where_there_is_no_noise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = Circuit(3, 3)
    for qubit in range(3):
        circuit.ry(float(rng.uniform(0, 3)), qubit)
    circuit.cx(0, 1).measure(1, 0).reset(1)
    circuit.if_test((0, 1), circuit.block().h(2), circuit.block().ry(0.3, 0).cx(0, 1))
    circuit.measure([0, 1, 2], [1, 2, 0])
    harmless = NoiseModel().add_readout(ReadoutError.of_flips(0.0, 0.0))
    found = qfast.distribution(circuit, noise=harmless)
    assert found == pytest.approx(oracle.distribution(circuit), abs=1e-12)


def test_final_readout_errors_mix_the_distribution() -> None:
    noise = NoiseModel().add_readout(ReadoutError.of_flips(0.1, 0.2))
    found = qfast.distribution(Circuit(2).x(1), noise=noise)
    assert found == pytest.approx({"00": 0.2 * 0.9, "01": 0.2 * 0.1, "10": 0.8 * 0.9, "11": 0.8 * 0.1})


def test_too_many_qubits_are_refused_before_anything_is_allocated() -> None:
    with pytest.raises(CapacityError, match="density matrix of 22 qubits"):
        density_of(Circuit(22).h(0))


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(ParameterError, match="theta"):
        density_of(Circuit(1).rx(qfast.Parameter("theta"), 0))
    with pytest.raises(InputError, match="there are 1"):
        density_of(Circuit(1).h(0)).probabilities([1])
    circuit = Circuit(1, 1)
    angle = circuit.add_variable("angle", "float")
    circuit.for_loop([0.1, 0.2], circuit.block().rx(qfast.Parameter("angle"), 0), angle)
    with pytest.raises(CircuitError, match="classical variables"):
        density_of(circuit)

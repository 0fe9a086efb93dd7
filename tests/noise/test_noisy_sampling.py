"""Samples under noise follow exact density matrices, whatever way they are drawn, on every engine."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast.circuit import Circuit, Parameter
from qfast.engines import CancelToken
from qfast.errors import CancelledRunError, CircuitError, InputError, ParameterError
from qfast.noise import NoiseModel, ReadoutError, channels
from qfast.simulation import sample, trajectory_rows
from qfast.simulation.seeds import derived_seed
from qfast.simulation.ways import frames
from tests.noise import noise_oracle

DEPOLARIZING = NoiseModel().add(channels.depolarizing(0.02)).add(channels.depolarizing(0.05, num_qubits=2))
TURN = np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])


def ansatz(num_qubits: int, layers: int, seed: int = 1) -> Circuit:
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for _ in range(layers):
        for qubit in range(num_qubits):
            circuit.ry(float(rng.uniform(0, 6)), qubit).rz(float(rng.uniform(0, 6)), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def exact(circuit: Circuit, noise: NoiseModel) -> dict[str, float]:
    return noise_oracle.weights(noise_oracle.density(circuit, noise))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pauli_noise_follows_the_density_matrix(where: dict[str, str], seed: int) -> None:
    circuit = ansatz(3, 3, seed)
    found = sample(circuit, 4000, seed=seed, noise=DEPOLARIZING, **where)
    assert found.metadata["method"] == "frames"
    noise_oracle.assert_follows(found.get_counts(), exact(circuit, DEPOLARIZING))


@pytest.mark.parametrize(
    "channel",
    [
        channels.amplitude_damping(0.2, 0.1),
        channels.thermal_relaxation(50.0, 40.0, 10.0),
        channels.mixed_unitary([(0.7, np.eye(2)), (0.3, TURN)]),
        channels.reset(0.2),
    ],
    ids=lambda channel: channel.name,
)
def test_other_noise_follows_the_density_matrix(channel: qfast.channels.Channel, where: dict[str, str]) -> None:
    circuit = ansatz(3, 2)
    noise = NoiseModel().add(channel, ["ry", "cx"]).add(channels.depolarizing(0.03, 2), ["cx"])
    found = sample(circuit, 600, seed=11, noise=noise, **where)
    assert found.metadata["method"] == "trajectories"
    noise_oracle.assert_follows(found.get_counts(), exact(circuit, noise))


def test_coherent_errors_are_gates_and_pauli_errors_pass_them() -> None:
    noise = NoiseModel().add(channels.coherent(TURN), ["ry"]).add(channels.depolarizing(0.1, 2), ["cx"])
    noise.add(channels.coherent(np.diag([1, 1, 1, np.exp(0.3j)])), ["cx"])
    circuit = ansatz(3, 3)
    found = sample(circuit, 4000, seed=3, noise=noise)
    assert found.metadata["method"] == "frames"
    noise_oracle.assert_follows(found.get_counts(), exact(circuit, noise))


def test_a_kraus_channel_of_two_qubits_follows_the_density_matrix() -> None:
    both = channels.amplitude_damping(0.3).tensor(channels.phase_damping(0.2))
    noise = NoiseModel().add(both, ["cx"])
    circuit = ansatz(3, 3)
    noise_oracle.assert_follows(sample(circuit, 4000, seed=3, noise=noise).get_counts(), exact(circuit, noise))


def test_both_ways_draw_the_same_law() -> None:
    circuit = ansatz(3, 2)
    nothing_but_kraus = NoiseModel().add(channels.depolarizing(0.1, 2), ["cx"]).add(channels.amplitude_damping(1e-12))
    pushed = sample(circuit, 20_000, seed=1, noise=NoiseModel().add(channels.depolarizing(0.1, 2), ["cx"]))
    walked = sample(circuit, 20_000, seed=1, noise=nothing_but_kraus)
    assert (pushed.metadata["method"], walked.metadata["method"]) == ("frames", "trajectories")
    expected = exact(circuit, nothing_but_kraus)
    noise_oracle.assert_follows(pushed.get_counts(), expected)
    noise_oracle.assert_follows(walked.get_counts(), expected)


@pytest.mark.parametrize("extra", [None, channels.amplitude_damping(0.05)], ids=["pushed", "walked"])
def test_a_shot_does_not_depend_on_the_others_or_on_threads(
    extra: qfast.channels.Channel | None, where: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    circuit = ansatz(4, 4)
    noise = NoiseModel().add(channels.depolarizing(0.02)).add(channels.depolarizing(0.05, num_qubits=2))
    if extra is not None:
        noise.add(extra, ["cx"])
    noise.add_readout(ReadoutError.of_flips(0.02, 0.05))
    monkeypatch.setattr(trajectory_rows, "_BLOCK_AMPLITUDES", 1000)  # several blocks for a circuit of this size
    whole = sample(circuit, 300, seed=5, noise=noise, **where, threads=1)
    parts = [sample(circuit, 100, seed=5, noise=noise, **where, first_shot=first, threads=2) for first in (0, 100, 200)]
    assert np.array_equal(np.concatenate([part.packed() for part in parts]), whole.packed())
    monkeypatch.setattr(frames, "_ROWS_BYTES", 1)  # the smallest chunks
    assert sample(circuit, 300, seed=5, noise=noise, **where, threads=2) == whole
    again = sample(circuit, 300, seed=5, noise=noise, **where, output="counts", branch_bytes=0)
    assert again.get_counts() == whole.get_counts()


def test_shared_beginnings_save_gates(where: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectory_rows, "_BLOCK_AMPLITUDES", 1000)
    circuit = ansatz(5, 12)
    noise = NoiseModel().add(channels.depolarizing(0.002))
    report = sample(circuit, 2000, seed=5, noise=noise, threads=1, **where).metadata["noise"]
    assert report["channels"] == 120
    assert 100 < report["trajectories"] < 500
    assert report["gate_applications_per_gate"] < 0.75 * report["trajectories"]
    assert report["max_standard_error"] == pytest.approx(0.5 / 2000**0.5)


def test_errors_that_change_nothing_but_outcomes_share_one_simulation() -> None:
    circuit = Circuit(4).h(0).cx(0, 1).cx(1, 2).cx(2, 3)
    noise = NoiseModel().add(channels.depolarizing(0.3, 2), ["cx"])
    found = sample(circuit, 5000, seed=2, noise=noise)
    assert found.metadata["noise"]["trajectories"] == 1
    noise_oracle.assert_follows(found.get_counts(), exact(circuit, noise))


def test_errors_that_only_turn_phases_in_front_of_a_measurement_share_one_simulation() -> None:
    circuit = Circuit(3).ry(0.4, 0).ry(0.7, 1).ry(1.1, 2)
    for qubit in range(3):
        circuit.rz(0.3 + qubit, qubit)
    circuit.cx(0, 1).rzz(0.4, 1, 2)
    noise = NoiseModel().add(channels.depolarizing(0.2), ["ry", "rz"]).add(channels.depolarizing(0.2, 2), ["cx", "rzz"])
    found = sample(circuit, 5000, seed=2, noise=noise)
    assert found.metadata["noise"]["trajectories"] == 1
    noise_oracle.assert_follows(found.get_counts(), exact(circuit, noise))


def test_a_program_samples_each_row_of_values_under_noise(where: dict[str, str]) -> None:
    circuit = Circuit(2).ry(Parameter("a"), 0).cx(0, 1).rx(Parameter("b"), 1)
    program = qfast.compile(circuit, **where)
    values = [[0.4, 0.9], [1.9, -0.2]]
    found = program.sample(values, shots=200, seed=3, noise=DEPOLARIZING)
    for place, (row, samples) in enumerate(zip(values, found, strict=True)):
        own = derived_seed(3, "row", place)
        alone = sample(circuit, 200, seed=own, noise=DEPOLARIZING, parameters=dict(zip("ab", row, strict=True)))
        assert samples == alone
        assert samples.metadata["noise"]["channels"] == 3
    assert program.sample(values[0], shots=9, seed=1, noise=NoiseModel()) == program.sample(values[0], shots=9, seed=1)
    with pytest.raises(InputError, match="draws='philox'"):
        program.sample(values[0], noise=DEPOLARIZING, draws="multinomial", output="counts")


def test_parameters_are_given_per_run() -> None:
    theta = Parameter("theta")
    circuit = Circuit(2).ry(theta, 0).cx(0, 1).ry(2 * theta, 1)
    for value in (0.4, 1.9):
        found = sample(circuit, 4000, seed=3, noise=DEPOLARIZING, parameters={"theta": value})
        noise_oracle.assert_follows(found.get_counts(), exact(circuit.bind(theta=value), DEPOLARIZING))
    with pytest.raises(ParameterError, match="theta"):
        sample(circuit, 10, noise=DEPOLARIZING)


def test_a_run_may_start_from_a_given_state() -> None:
    circuit = ansatz(3, 1)
    start = qfast.simulate(ansatz(3, 1, seed=9)).amplitudes
    noise = NoiseModel().add(channels.bit_flip(0.2), ["cx"])
    found = sample(circuit, 4000, seed=3, noise=noise, initial_state=start)
    prepared = Circuit(3).unitary(ansatz(3, 1, seed=9).to_matrix(), [0, 1, 2]).compose(circuit)
    noise_oracle.assert_follows(found.get_counts(), exact(prepared, noise))


def test_a_model_that_grows_is_seen() -> None:
    circuit = Circuit(1).x(0)
    noise = NoiseModel().add(channels.bit_flip(0.0), ["h"])
    assert sample(circuit, 100, seed=1, noise=noise).get_counts() == {"1": 100}
    noise.add(channels.bit_flip(1.0), ["x"])
    assert sample(circuit, 100, seed=1, noise=noise).get_counts() == {"0": 100}
    circuit.x(0)
    assert sample(circuit, 100, seed=1, noise=noise).get_counts() == {"0": 100}


# --- readout, crosstalk, measurements ---------------------------------------------------------------------------------


def test_each_bit_is_misread_by_its_own_error() -> None:
    noise = NoiseModel().add_readout(ReadoutError.of_flips(0.1, 0.3)).add_readout(ReadoutError.of_flips(0.0, 1.0), [1])
    circuit = Circuit(2, 2).x(0).x(1).measure([0, 1], [1, 0])
    found = sample(circuit, 5000, seed=4, noise=noise).get_counts()
    noise_oracle.assert_follows(found, {"10": 0.7, "00": 0.3})


def test_qubits_may_be_misread_together() -> None:
    table = np.eye(4)
    table[3] = [0.5, 0, 0, 0.5]  # 11 is read as 00 half of the time
    noise = NoiseModel().add_readout(ReadoutError(table), [0, 2])
    circuit = Circuit(3).x(0).x(1).x(2)
    noise_oracle.assert_follows(sample(circuit, 4000, seed=4, noise=noise).get_counts(), {"111": 0.5, "010": 0.5})
    assert qfast.distribution(circuit, noise=noise) == pytest.approx({"111": 0.5, "010": 0.5})


def test_qubits_that_are_misread_together_must_all_be_measured_at_the_end() -> None:
    noise = NoiseModel().add_readout(ReadoutError(np.eye(4)[::-1]), [0, 1])
    with pytest.raises(CircuitError, match=r"qubits \[0, 1\].*measured"):
        sample(Circuit(2, 1).measure(0, 0), 10, noise=noise)
    with pytest.raises(CircuitError, match="measured in the middle"):
        sample(Circuit(2, 2).measure(0, 0).x(0).measure([0, 1], [0, 1]), 10, noise=noise)


def test_crosstalk_acts_on_the_spectator() -> None:
    noise = NoiseModel().add(channels.bit_flip(1.0), ["cx"], [[0, 1]], on=[2])
    assert sample(Circuit(3).cx(0, 1).cx(1, 0), 10, noise=noise).get_counts() == {"100": 10}


def test_noise_on_a_qubit_that_was_measured_does_not_change_its_outcome() -> None:
    noise = NoiseModel().add(channels.bit_flip(1.0), ["cx"], on=[2])
    circuit = Circuit(3, 3).measure(2, 2).cx(0, 1).measure([0, 1], [0, 1])
    assert sample(circuit, 10, noise=noise).get_counts() == {"000": 10}
    assert qfast.distribution(circuit, noise=noise) == {"000": 1.0}


def test_noise_in_front_of_a_measurement_changes_it() -> None:
    noise = NoiseModel().add(channels.bit_flip(1.0), ["measure"], [[0]])
    assert sample(Circuit(2).measure_all(), 10, noise=noise).get_counts() == {"01": 10}


def test_dynamic_circuits_follow_their_exact_distribution(where: dict[str, str]) -> None:
    circuit = Circuit(3, 3).h(0).cx(0, 1).measure(1, 0)
    circuit.if_test((0, 1), circuit.block().x(2).h(0))
    circuit.reset(1).h(1).cx(1, 2).measure([0, 1, 2], [0, 1, 2])
    noise = NoiseModel().add(channels.depolarizing(0.05)).add(channels.amplitude_damping(0.2), ["cx"])
    noise.add(channels.bit_flip(0.1), "reset").add_readout(ReadoutError.of_flips(0.05, 0.1))
    found = sample(circuit, 2000, seed=6, noise=noise, **where).get_counts()
    expected = qfast.distribution(circuit, noise=noise)
    assert sum(expected.values()) == pytest.approx(1, abs=1e-9)
    noise_oracle.assert_follows(found, expected)


def test_a_measurement_in_the_middle_is_misread_for_what_decides_by_it() -> None:
    circuit = Circuit(1, 2).measure(0, 0)
    circuit.if_test((0, 1), circuit.block().x(0))
    circuit.measure(0, 1)
    noise = NoiseModel().add_readout(ReadoutError.of_flips(0.25, 0.0))
    expected = {"00": 0.75 * 0.75, "10": 0.75 * 0.25, "11": 0.25}
    assert qfast.distribution(circuit, noise=noise) == pytest.approx(expected)
    noise_oracle.assert_follows(sample(circuit, 4000, seed=2, noise=noise).get_counts(), expected)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_is_no_noise_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"qfast\.NoiseModel, Channel given"):
        sample(Circuit(1).h(0), 10, noise=channels.bit_flip(0.1))  # type: ignore[arg-type]


def test_noise_on_a_qubit_that_is_not_there_is_refused() -> None:
    noise = NoiseModel().add(channels.bit_flip(0.1), ["h"], on=[7])
    with pytest.raises(InputError, match=r"qubits \[7\] at 'h' \(instruction 1\), but the circuit has 2"):
        sample(Circuit(2).x(0).h(0), 10, noise=noise)


def test_the_multinomial_method_is_refused() -> None:
    with pytest.raises(InputError, match="philox"):
        sample(Circuit(1).h(0), 10, noise=DEPOLARIZING, draws="multinomial", output="counts")


@pytest.mark.parametrize("channel", [channels.bit_flip(0.3), channels.amplitude_damping(0.3)])
def test_a_cancelled_run_stops(channel: qfast.channels.Channel) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledRunError):
        sample(ansatz(4, 4), 100, noise=NoiseModel().add(channel, ["ry"]), cancel=token)


def test_a_circuit_without_gates_is_misread_too() -> None:
    """Its qubits are packed away, and what is swept is a circuit of none."""
    noise = NoiseModel().add_readout(qfast.ReadoutError.of_flips(0.25, 0.0))
    counts = qfast.sample(Circuit(2, 2).measure([0, 1], [0, 1]), 1000, 1, noise=noise).get_counts()
    assert abs(counts["00"] - 562) < 80

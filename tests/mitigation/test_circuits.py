"""What mitigation does to circuits: the same unitary, written in another way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import qfast
from qfast import Circuit, NoiseModel, Parameter, PauliSum
from qfast.errors import CircuitError, InputError
from qfast.mitigation import TWIRLED_GATES, decouple, fold_global, fold_local, in_gates_of, twirl
from qfast.noise import IdleNoise, channels
from qfast.noise.idle import idle_windows
from tests import oracle
from tests.circuit.strategies import circuits
from tests.densities import density_of

NS = 1e-9
DURATIONS = {"id": 20 * NS, "h": 40 * NS, "x": 40 * NS, "y": 40 * NS, "cx": 300 * NS}


def assert_same_unitary(one: Circuit, other: Circuit) -> None:
    """Up to a global phase, on a random state."""
    rng = np.random.default_rng(3)
    state = rng.normal(size=2**one.num_qubits) + 1j * rng.normal(size=2**one.num_qubits)
    state /= np.linalg.norm(state)
    overlap = np.vdot(oracle.statevector(one, initial=state), oracle.statevector(other, initial=state))
    assert abs(overlap) == pytest.approx(1, abs=1e-9)


# --- folding ----------------------------------------------------------------------------------------------------------
@hypothesis_settings(max_examples=40)
@given(circuits(1, 4), st.floats(1, 6), st.sampled_from([fold_local, fold_global]))
def test_a_folded_circuit_does_the_same_with_as_many_gates_as_it_says(
    circuit: Circuit, scale: float, fold: Any
) -> None:
    folded, reached = fold(circuit, scale)
    phases = circuit.count_ops().get("gphase", 0)
    num_gates = len(circuit) - phases
    np.testing.assert_allclose(oracle.statevector(folded), oracle.statevector(circuit), atol=1e-9)
    if num_gates:
        assert abs(reached - scale) <= 1 / num_gates + 1e-12
    if not any("iswap" in step.name or step.name in ("csx", "dcx") for step in circuit):
        assert len(folded) - phases >= num_gates * reached - 1e-9  # an inverse may be several gates


def test_a_scale_between_is_reached_over_gates_of_all_widths_together() -> None:
    """One gate of each width, each folded or not by itself, would reach 3."""
    folded, reached = fold_local(Circuit(2).h(0).cx(0, 1), 2)
    assert (folded.count_ops(), reached) == ({"h": 1, "cx": 3}, 2.0)
    assert fold_local(Circuit(3).h(0).cx(0, 1).ccx(0, 1, 2), 1.7)[1] == pytest.approx(1 + 2 / 3)


def test_foldings_are_spread_evenly_or_stand_at_the_end() -> None:
    circuit = Circuit(1).x(0).y(0).z(0).h(0)
    assert [step.name for step in fold_local(circuit, 2)[0]] == list("xyyyzhhh")
    assert [step.name for step in fold_global(circuit, 2)[0]] == list("xyzh") + list("hzzh")
    assert [step.name for step in fold_local(circuit, 3)[0]] == list("xxxyyyzzzhhh")


def test_measurements_parameters_and_barriers_stay() -> None:
    circuit = Circuit(2, 2).rx(Parameter("a"), 0).barrier().cx(0, 1).measure([0, 1], [1, 0])
    for fold in (fold_local, fold_global):
        folded, reached = fold(circuit, 3)
        assert reached == 3
        assert [p.name for p in folded.parameters] == ["a"]
        assert folded.count_ops() == {"rx": 3, "barrier": 1, "cx": 3, "measure": 2}
        bound = [c.bind(a=0.7) for c in (circuit, folded)]
        assert qfast.distribution(bound[0]) == pytest.approx(qfast.distribution(bound[1]))


def test_what_has_no_inverse_is_not_folded() -> None:
    with pytest.raises(CircuitError, match=r"folding works on circuits of gates .* instruction 1 is 'reset'"):
        fold_local(Circuit(1).h(0).reset(0), 3)
    with pytest.raises(
        InputError, match=r"scale factor 1000000\.0 would make 2000000 gates of 2; .* a scale of up to 500000"
    ):
        fold_global(Circuit(2).h(0).cx(0, 1), 1e6)
    with pytest.raises(InputError, match=r"scale factor 0\.5 is not valid; a number from 1"):
        fold_global(Circuit(1).h(0), 0.5)
    assert fold_local(Circuit(1), 3)[1] == 1


# --- twirling ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", TWIRLED_GATES)
def test_a_twirled_gate_is_the_gate(name: str) -> None:
    circuit = Circuit(2).append(name, [0, 1])
    seen = set()
    for seed in range(40):
        twirled, number = twirl(circuit, seed)
        assert number == 1
        assert_same_unitary(circuit, twirled)
        seen.add(tuple(step.name for step in twirled))
    assert len(seen) > 5


@hypothesis_settings(max_examples=40)
@given(circuits(2, 4), st.integers(0, 2**64 - 1))
def test_a_twirled_circuit_does_the_same(circuit: Circuit, seed: int) -> None:
    assert_same_unitary(circuit, twirl(circuit, seed)[0])


def test_pauli_gates_that_meet_are_one_and_the_seed_decides() -> None:
    circuit = Circuit(2)
    for _ in range(10):
        circuit.cx(0, 1)
    twirled, number = twirl(circuit, 5)
    assert number == 10
    assert sum(twirled.count_ops().get(name, 0) for name in "xyz") <= 22  # at most one a qubit between two gates
    assert twirl(circuit, 5)[0] == twirled
    assert twirl(circuit, 6)[0] != twirled


def test_gates_with_controls_and_bodies_of_control_flow_stay_as_they_are() -> None:
    circuit = Circuit(3, 1).append("cx", [1, 2], controls=[0]).measure(0, 0)
    circuit.if_test((0, 1), circuit.block().cx(1, 2))
    assert twirl(circuit, 1) == (circuit, 0)
    mixed = Circuit(3, 1).h(0).cx(0, 1).measure(0, 0)
    mixed.if_test((0, 1), mixed.block().x(2))
    assert qfast.distribution(twirl(mixed, 3)[0]) == pytest.approx(qfast.distribution(mixed))


def test_twirling_turns_a_coherent_error_into_pauli_errors() -> None:
    # exp(-i a ZX) after cx: averaged over all Pauli pairs, <ZX-like> signs cancel and cos²(a) of the state is right.
    angle = 0.3
    zx = np.kron(np.array([[0, 1], [1, 0]]), np.diag([1, -1]))
    error = math.cos(angle) * np.eye(4) - 1j * math.sin(angle) * zx
    noise = NoiseModel().add(channels.coherent(error), gates=["cx"])
    circuit = Circuit(2).h(0).ry(0.4, 1).cx(0, 1)
    densities = [density_of(twirl(circuit, seed)[0], noise).matrix for seed in range(600)]
    ideal = np.outer(*(lambda v: (v, v.conj()))(oracle.statevector(circuit)))
    wrong = zx @ ideal @ zx
    expected = math.cos(angle) ** 2 * ideal + math.sin(angle) ** 2 * wrong
    # 600 seeds: entries of size sin(2a)/2 = 0.28 with random signs leave 0.28 / sqrt(600) = 0.012.
    assert np.abs(np.mean(densities, axis=0) - expected).max() < 0.05
    assert np.abs(density_of(circuit, noise).matrix - expected).max() > 0.1


# --- decoupling -------------------------------------------------------------------------------------------------------
def waiting(rounds: int = 6) -> Circuit:
    """Qubit 0 waits in |+> while the others work, and then meets them."""
    circuit = Circuit(3).h(0).h(1).h(2)
    for _ in range(rounds):
        circuit.cx(1, 2)
    return circuit.cx(0, 1)


@pytest.mark.parametrize("sequence", ["xx", "xy4"])
def test_pulses_undo_a_detuning(sequence: Any) -> None:
    noise = NoiseModel().set_durations(DURATIONS).add_idle(IdleNoise(detuning_hz=8e4))
    x = PauliSum([("X", [0])], num_qubits=3)
    circuit = waiting()
    decoupled, number = decouple(circuit, noise.duration_of, sequence)
    assert number >= 1
    assert_same_unitary(circuit, decoupled)
    assert density_of(circuit, noise).expectation(x) < 0.65
    assert density_of(decoupled, noise).expectation(x) > 0.998


def test_a_decoupled_circuit_takes_no_longer_and_explicit_delays_are_windows_too() -> None:
    noise = NoiseModel().set_durations(DURATIONS).add_idle(IdleNoise(detuning_hz=1e5))
    circuit = Circuit(2).h(0).h(1)
    for _ in range(100):
        circuit.id(0)
    circuit.cx(0, 1)
    decoupled, number = decouple(circuit, noise.duration_of, "xy4")
    assert number == 2  # qubit 1 waits for qubit 0

    def end(of: Circuit) -> float:
        """When a third qubit, which waits for both, is done waiting."""
        longer = Circuit(3).h(2).compose(of, [0, 1]).barrier().h(2)
        return max(w.stop for w in idle_windows(longer, noise.duration_of))

    assert end(decoupled) == pytest.approx(end(circuit), abs=1e-12)
    assert_same_unitary(circuit, decoupled)


def test_short_windows_and_those_before_a_measurement_are_left_alone() -> None:
    noise = NoiseModel().set_durations(DURATIONS)
    assert decouple(Circuit(2).h(0).h(1).h(1).cx(0, 1), noise.duration_of)[1] == 0  # 40 ns
    measured = Circuit(3, 1).h(0).h(1).cx(1, 2).cx(1, 2).cx(1, 2).measure(0, 0)
    assert decouple(measured, noise.duration_of)[1] == 0
    assert decouple(waiting(), noise.duration_of, shortest_s=1.0)[1] == 0


def test_decoupling_needs_a_known_sequence_and_a_step() -> None:
    noise = NoiseModel().set_durations({"cx": 300 * NS, "h": 40 * NS})
    with pytest.raises(InputError, match="gate 'id', which has no duration on qubit 0"):
        decouple(waiting(), noise.duration_of)
    with pytest.raises(InputError, match="sequence 'zz' is unknown; allowed: 'xx', 'xy4'"):
        decouple(waiting(), noise.duration_of, "zz")  # type: ignore[arg-type]


# --- the gates of a device --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("gates", [("rz", "sx", "x", "cx"), ("rz", "sx", "cx")])
def test_one_qubit_gates_are_written_in_those_of_the_device(gates: tuple[str, ...]) -> None:
    circuit = Circuit(2).h(0).s(1).cx(0, 1).sdg(0).y(1).sxdg(0).t(1).tdg(0).z(0).x(1).id(0).h(1)
    written = in_gates_of(circuit, gates)
    assert set(written.count_ops()) <= set(gates)
    assert_same_unitary(circuit, written)
    assert in_gates_of(written, gates) is written
    assert in_gates_of(circuit, ()) is circuit
    assert in_gates_of(circuit, ("u", "cx")) is circuit  # nothing known: the device will say what it misses

"""Idling: who waits when, and what waiting does to a qubit."""

from __future__ import annotations

import math
from typing import Any

import pytest

import qfast
from qfast import Circuit, NoiseModel, PauliSum
from qfast.errors import InputError
from qfast.noise import IdleNoise
from qfast.noise.idle import idle_windows
from tests.densities import density_of

NS = 1e-9
DURATIONS = {"id": 10 * NS, "h": 50 * NS, "x": 50 * NS, "cx": 300 * NS, "measure": 1000 * NS}


def model(**idle: Any) -> NoiseModel:
    return NoiseModel().set_durations(DURATIONS).add_idle(IdleNoise(**idle))


def windows(circuit: Circuit) -> list[tuple[int, int, int, int]]:
    """Qubit, row, start and stop in nanoseconds."""
    return [
        (w.qubit, w.row, round(w.start / NS), round(w.stop / NS)) for w in idle_windows(circuit, model().duration_of)
    ]


def test_a_qubit_waits_for_its_partner_and_for_the_end() -> None:
    circuit = Circuit(3).h(0).h(1).cx(1, 2).cx(0, 1).h(2)
    # 1 and 2: 50…350; 0 waits until then; 2 turns at once and waits for the end of cx(0, 1).
    assert windows(circuit) == [(0, 3, 50, 350), (2, 5, 400, 650)]


def test_measurements_at_the_end_begin_together_and_in_the_middle_take_their_time() -> None:
    at_end = Circuit(2, 2).h(0).measure(0, 0).h(1).cx(1, 0).measure([0, 1], [0, 1])
    assert windows(at_end) == [(1, 3, 50, 1050)]
    assert windows(Circuit(2, 2).h(0).h(1).h(1).measure([0, 1], [0, 1])) == [(0, 3, 50, 100)]


def test_id_is_waiting_and_a_barrier_lets_qubits_wait_for_each_other() -> None:
    assert windows(Circuit(1).h(0).id(0).id(0).h(0)) == [(0, 3, 50, 70)]
    assert windows(Circuit(2).h(0).h(1).h(1).barrier().h(0).h(1)) == [(0, 4, 50, 100)]


def test_nothing_happens_before_the_first_gate_nor_without_durations() -> None:
    assert windows(Circuit(2).h(0).h(0).cx(0, 1)) == []
    silent = NoiseModel().add_idle(IdleNoise(t1=1e-6, t2=1e-6))
    assert density_of(Circuit(2).h(0).cx(0, 1), silent).purity() == pytest.approx(1)


@pytest.mark.parametrize("relaxation", ["twirled", "kraus"])
def test_coherence_falls_with_t2_and_turns_with_the_detuning(relaxation: Any) -> None:
    noise = model(t1=2e-6, t2=1.5e-6, detuning_hz=1e6, relaxation=relaxation)
    circuit = Circuit(3).h(0).h(1).cx(1, 2).cx(1, 2).cx(0, 1)  # qubit 0 waits for 600 ns
    density = density_of(circuit.copy().cx(0, 1), noise)
    shrink, angle = math.exp(-0.6 / 1.5), 2 * math.pi * 0.6
    assert density.expectation(PauliSum([("X", [0])])) == pytest.approx(shrink * math.cos(angle), abs=1e-9)
    assert density.expectation(PauliSum([("Y", [0])])) == pytest.approx(shrink * math.sin(angle), abs=1e-9)


def test_sampling_follows_the_density_matrix() -> None:
    noise = model(t1=2e-6, t2=1e-6, detuning_hz=2e5)
    circuit = Circuit(2, 2).h(0).h(1)
    for _ in range(40):
        circuit.id(0)
    circuit.h(0).cx(0, 1).measure([0, 1], [0, 1])
    exact = qfast.distribution(circuit, noise=noise)
    counts = qfast.sample(circuit, 40_000, seed=5, noise=noise).get_counts()
    for key, share in exact.items():
        assert abs(counts.get(key, 0) / 40_000 - share) < 5 * math.sqrt(share * (1 - share) / 40_000)
    found = qfast.expectation(circuit, PauliSum([("ZZ", [0, 1])]), noise=noise, trajectories=4000, seed=5)
    density = density_of(circuit, noise)
    exact_zz = density.expectation(PauliSum([("ZZ", [0, 1])]))
    assert abs(found.expectation - exact_zz) < 5 * found.standard_error + 1e-12


def test_qubits_and_gates_may_differ() -> None:
    noise = NoiseModel().set_durations({"h": 50 * NS, "id": 100 * NS}).set_durations({"id": 200 * NS}, [1])
    noise.add_idle(IdleNoise(detuning_hz=1e6)).add_idle(IdleNoise(), [0])
    density = density_of(Circuit(2).h(0).h(1).id(0).id(1).barrier().h(0).h(1), noise)
    assert density.expectation(PauliSum([("Z", [0])])) == pytest.approx(1)
    assert density.expectation(PauliSum([("Z", [1])])) == pytest.approx(math.cos(2 * math.pi * 0.2))


def test_a_model_with_idling_goes_through_plain_data() -> None:
    noise = model(t1=1e-4, detuning_hz=3.0).set_durations({"cx": 1e-7}, [0, 1]).add_idle(IdleNoise(t2=1e-5), [2])
    again = NoiseModel.from_dict(noise.to_dict())
    assert again == noise
    assert again.duration_of("cx", (0, 1)) == 1e-7
    assert repr(again) == "<NoiseModel: 0 rules, 0 readout errors, idle noise of 2>"
    assert again != model()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.set_durations({"h": -1.0}), "duration of 'h' is -1.0"),
        (lambda m: m.set_durations({"hh": 1.0}), "hh"),
        (lambda m: m.add_idle(3), "an IdleNoise is needed, int given"),
        (lambda m: IdleNoise(t1=1.0, t2=3.0), "t2 = 3.0 exceeds"),
        (lambda m: IdleNoise(relaxation="slow"), "relaxation 'slow'"),  # type: ignore[arg-type]
        (lambda m: IdleNoise(detuning_hz=math.nan), "detuning_hz is nan"),
    ],
)
def test_bad_figures_are_refused(change: Any, message: str) -> None:
    with pytest.raises((InputError, ValueError), match=message):
        change(NoiseModel())

"""Means over trajectories agree with the density matrix within their standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import qfast
from qfast.circuit import Circuit, PauliSum
from qfast.errors import ObservableError
from qfast.noise import NoiseModel, channels
from qfast.simulation import trajectory_rows
from tests.densities import density_of

OBSERVABLE = PauliSum([("ZZ", [0, 1], 1.0), ("X", [2], -0.7), ("YXZ", [0, 1, 2], 0.4), ("", [], 0.25)])
PAULI = NoiseModel().add(channels.depolarizing(0.03)).add(channels.depolarizing(0.08, 2))
KRAUS = NoiseModel().add(channels.amplitude_damping(0.08)).add(channels.depolarizing(0.05, 2))


def circuit_of(seed: int, layers: int = 2) -> Circuit:
    rng = np.random.default_rng(seed)
    circuit = Circuit(3)
    for _ in range(layers):
        for qubit in range(3):
            circuit.ry(float(rng.uniform(0, 6)), qubit).rz(float(rng.uniform(0, 6)), qubit)
        circuit.cx(0, 1).cx(1, 2)
    return circuit


@pytest.mark.parametrize("noise", [PAULI, KRAUS], ids=["pushed", "walked"])
def test_the_mean_is_that_of_the_density_matrix(noise: NoiseModel, where: dict[str, str]) -> None:
    circuit = circuit_of(1)
    found = qfast.expectation(circuit, OBSERVABLE, noise=noise, trajectories=1500, seed=3, **where)
    exact = density_of(circuit, noise).expectation(OBSERVABLE)
    assert 0 < found.standard_error < 0.05
    assert abs(found.expectation - exact) < 4.5 * found.standard_error
    assert found.metadata["noise"]["trajectories"] < 1500


def test_standard_errors_are_honest() -> None:
    """Over many seeds the deviations, in units of the standard error, have variance 1 within its own spread."""
    circuit = circuit_of(2)
    exact = density_of(circuit, PAULI).expectation(OBSERVABLE)
    runs = [qfast.expectation(circuit, OBSERVABLE, noise=PAULI, trajectories=200, seed=seed) for seed in range(200)]
    scaled = np.array([(run.expectation - exact) / run.standard_error for run in runs])
    assert abs(scaled.mean()) < 4 / math.sqrt(200)
    assert abs(scaled.var() - 1) < 4 * math.sqrt(2 / 200) + 0.05


def test_blocks_and_threads_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = circuit_of(4, layers=6)
    one = qfast.expectation(circuit, OBSERVABLE, noise=PAULI, trajectories=300, seed=3, threads=1)
    two = qfast.expectation(circuit, OBSERVABLE, noise=PAULI, trajectories=300, seed=3, threads=2)
    assert (one.expectation, one.standard_error) == (two.expectation, two.standard_error)
    whole = qfast.expectation(circuit, OBSERVABLE, noise=PAULI, trajectories=300, seed=3, engine="reference")
    monkeypatch.setattr(trajectory_rows, "_BLOCK_AMPLITUDES", 100)
    again = qfast.expectation(
        circuit_of(4, layers=6), OBSERVABLE, noise=PAULI, trajectories=300, seed=3, engine="reference"
    )
    assert again.expectation == pytest.approx(whole.expectation, abs=1e-12)
    assert one.expectation == pytest.approx(whole.expectation, abs=1e-12)
    assert again.metadata["noise"]["gate_applications"] < whole.metadata["noise"]["gate_applications"]


def test_an_observable_that_is_not_hermitian_is_refused() -> None:
    noise = NoiseModel().add(channels.phase_flip(0.1))
    with pytest.raises(ObservableError, match="Hermitian"):
        qfast.expectation(Circuit(1).x(0), PauliSum([("Z", [0], 1j)]), noise=noise, trajectories=10, seed=1)


def test_a_single_trajectory_has_no_standard_error() -> None:
    assert math.isinf(qfast.expectation(circuit_of(1), OBSERVABLE, noise=PAULI, trajectories=1, seed=1).standard_error)


def test_what_is_no_observable_is_refused() -> None:
    with pytest.raises(ObservableError, match="str given"):
        qfast.expectation(circuit_of(1), "ZZZ", noise=PAULI, trajectories=10)  # type: ignore[arg-type]
    with pytest.raises(ObservableError):
        qfast.expectation(circuit_of(1), PauliSum([("Z", [5])]), noise=PAULI, trajectories=10)

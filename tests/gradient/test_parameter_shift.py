"""The parameter-shift rule, exact and with shots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qfast
from qfast import Circuit, Parameter, PauliSum
from tests.gradient.differences import random_observable, symbolic_circuits
from tests.gradient.test_adjoint import ansatz, ising


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuit=symbolic_circuits(), seed=st.integers(0, 1000))
def test_both_methods_agree_on_random_circuits(where, circuit, seed) -> None:
    rng = np.random.default_rng(seed)
    program = qfast.compile(circuit, **where)
    values = rng.uniform(-1, 1, len(circuit.parameters))
    observable = random_observable(rng, circuit.num_qubits)
    shifted = program.gradient(values, observable, method="parameter_shift")
    assert np.allclose(program.gradient(values, observable), shifted, atol=1e-10, rtol=0)


def test_rows_and_observables_have_their_axes(where, rng) -> None:
    program, rows = qfast.compile(ansatz(3, 1), **where), rng.normal(size=(2, 6))
    observables = [ising(3), PauliSum([("Y", [1])])]
    for values in (rows, rows[0]):
        for observable in (observables, observables[1]):
            shifted = program.gradient(values, observable, method="parameter_shift")
            assert np.allclose(program.gradient(values, observable), shifted, atol=1e-12)


def test_shots_estimate_the_gradient_within_their_error(where, rng) -> None:
    program, values = qfast.compile(ansatz(3, 1), **where), rng.normal(size=6)
    shots = 20_000
    found = program.gradient(values, ising(3), method="parameter_shift", shots=shots, seed=7)
    # Two groups, ZZ and X, of outcomes within ±2 and ±2.1; each derivative is half the difference of two estimates.
    bound = 5 * np.sqrt((2**2 + 2.1**2) / (2 * shots))
    assert np.abs(found - program.gradient(values, ising(3))).max() < bound
    again = program.gradient(values, ising(3), method="parameter_shift", shots=shots, seed=7)
    assert np.array_equal(found, again)


def test_a_gate_under_thirteen_controls_goes_by_parameter_shift() -> None:
    controls = list(range(13))
    circuit = Circuit(14)
    for qubit in controls:
        circuit.ry(np.pi - 0.1, qubit)
    circuit.append("ry", [13], Parameter("theta"), controls=controls)
    found = qfast.compile(circuit).gradient([0.4], PauliSum([("Z", [13])]), method="parameter_shift")
    assert found == pytest.approx([-np.sin(0.4) * np.cos(0.05) ** 26], abs=1e-12)

"""Every gate on every engine, ISA and precision against the textbook."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from qfast._typing import Precision
from qfast.circuit import GATES, Circuit
from qfast.circuit.gates import NUM_GATES
from qfast.engines import Engine
from tests import oracle
from tests.circuit.strategies import circuits, random_unitary
from tests.conftest import TOLERANCE
from tests.engines.states import after, random_state

NUM_QUBITS = 6
FIXED = [row for row in GATES[:NUM_GATES] if row.num_qubits is not None]


def check(engine: Engine, circuit: Circuit, precision: Precision, rng: np.random.Generator) -> None:
    start = random_state(rng, circuit.num_qubits)
    wanted = oracle.statevector(circuit, initial=start)
    found = after(engine, circuit, start, precision)
    assert np.abs(found - wanted).max() < TOLERANCE[precision], list(circuit)


@pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
def test_a_gate_acts_as_the_textbook_says_on_any_qubits(engine, precision, rng, row) -> None:
    places = list(itertools.permutations(range(NUM_QUBITS), row.num_qubits))
    for place in rng.permutation(len(places))[:24]:
        circuit = Circuit(NUM_QUBITS).append(row.name, places[place], rng.normal(size=row.num_params).tolist())
        check(engine, circuit, precision, rng)


@pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
def test_extra_controls_act_in_every_control_state(engine, precision, rng, row) -> None:
    for extra in range(1, 1 + min(2, NUM_QUBITS - row.num_qubits)):
        for state in range(1 << extra):
            order = rng.permutation(NUM_QUBITS).tolist()
            circuit = Circuit(NUM_QUBITS).append(
                row.name, order[extra : extra + row.num_qubits], rng.normal(size=row.num_params).tolist(),
                controls=order[:extra], ctrl_state=state,
            )  # fmt: skip
            check(engine, circuit, precision, rng)


@pytest.mark.parametrize("kind", ["unitary", "diagonal", "permutation", "pauli_rotation"])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_gates_of_data_act_on_any_qubits_with_and_without_controls(engine, precision, rng, kind, width) -> None:
    dim = 1 << width
    for extra in range(min(3, NUM_QUBITS - width + 1)):
        order = rng.permutation(NUM_QUBITS).tolist()
        controls, qubits = order[:extra], order[extra : extra + width]
        options = {"controls": controls, "ctrl_state": int(rng.integers(1 << extra))}
        circuit = Circuit(NUM_QUBITS)
        if kind == "unitary":
            circuit.unitary(random_unitary(rng, dim), qubits, **options)
        elif kind == "diagonal":
            circuit.diagonal(np.exp(1j * rng.normal(size=dim)), qubits, **options)
        elif kind == "permutation":
            circuit.permutation(rng.permutation(dim), qubits, **options)
        else:
            circuit.pauli_rotation("".join(rng.choice(list("IXYZ"), width)), qubits, float(rng.normal()), **options)
        check(engine, circuit, precision, rng)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuit=circuits(max_gates=12))
def test_random_circuits_agree_with_the_oracle(engine, precision, circuit) -> None:
    check(engine, circuit, precision, np.random.default_rng(0))


def test_a_controlled_global_phase_is_a_phase_gate(engine, precision) -> None:
    found = after(engine, Circuit(1).append("gphase", (), 0.7, controls=[0]), np.array([0.6, 0.8]), precision)
    assert np.allclose(found, [0.6, 0.8 * np.exp(0.7j)], atol=TOLERANCE[precision])


def test_a_run_from_zero_ignores_what_the_buffer_holds(engine, precision) -> None:
    state = np.full(8, np.nan, dtype=precision)
    prepared = engine.prepare(Circuit(3).h(0).cx(0, 2), precision=precision)
    prepared.run(state, np.zeros(0), from_zero=True, threads=1, cancel=None)
    assert np.allclose(np.abs(state) ** 2, [0.5, 0, 0, 0, 0, 0.5, 0, 0])


def test_a_circuit_without_gates_gives_the_start_state(engine, precision) -> None:
    state = np.full(4, np.nan, dtype=precision)
    engine.prepare(Circuit(2), precision=precision).run(state, np.zeros(0), from_zero=True, threads=1, cancel=None)
    assert state.tolist() == [1, 0, 0, 0]

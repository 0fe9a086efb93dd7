"""Circuits that begin alike: every state right, each prefix run once, within the budget."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from qfast import sample, simulate
from qfast.circuit import Circuit, Parameter, PauliSum
from qfast.errors import InputError, ParameterError
from qfast.jobs import Batch
from qfast.simulation import shared_prefix
from qfast.simulation.asks import State
from qfast.simulation.packing import Packing
from qfast.simulation.request import Request
from qfast.simulation.run_settings import run_settings
from qfast.simulation.seeds import derived_seed
from qfast.simulation.shared_prefix import PrefixStatistics, shared_states
from tests.circuit.strategies import circuits


@pytest.fixture(autouse=True)
def every_branch_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On states this small, planning a piece costs more than any prefix; the trie is what is tested here."""
    monkeypatch.setattr(shared_prefix, "_cut_cost", lambda num_qubits: 0)


def ansatz(num_qubits: int, layers: int) -> Circuit:
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for qubit in range(num_qubits):
            circuit.ry(Parameter(f"t{layer:02d}_{qubit:02d}"), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def shifted(values: np.ndarray) -> np.ndarray:
    """The parameter-shift set."""
    shifts = np.concatenate([np.eye(values.size), -np.eye(values.size)]) * math.pi / 2
    return np.asarray(values + shifts)


def copies(i: int, state: np.ndarray, packing: Packing) -> np.ndarray:
    """The whole state: the qubits that no circuit touches are 0."""
    whole = np.zeros(1 << packing.num_qubits, dtype=state.dtype)
    index = np.arange(state.size)
    places = sum((index >> k & 1) << qubit for k, qubit in enumerate(packing.qubits)) + np.zeros_like(index)
    whole[places] = state
    return whole


def run_shared(
    circuits: Any, parameters: Any = None, *, use: Any = copies, engine: str | None = None, budget_bytes: Any = None
) -> tuple[list[Any], PrefixStatistics]:
    listed = [circuits] * len(parameters) if isinstance(circuits, Circuit) else circuits
    rows = [None] * len(listed) if parameters is None else list(parameters)
    requests = [Request.of(State(), c, row, "complex128") for c, row in zip(listed, rows, strict=True)]
    return shared_states(requests, run_settings(engine, "complex128"), use, budget_bytes=budget_bytes)


@hypothesis_settings(max_examples=25)
@given(st.lists(st.tuples(circuits(3, 3), st.integers(0, 8)), min_size=1, max_size=6), st.integers(1, 4))
def test_any_mixture_of_circuits_gives_the_states_that_each_gives_alone(
    parts: list[tuple[Circuit, int]], max_states: int
) -> None:
    trunk = parts[0][0]
    made = []
    for branch, length in parts:
        circuit = Circuit(3)
        for row in range(min(length, len(trunk))):
            circuit.compose(shared_prefix.take(trunk, [row]))
        made.append(circuit.compose(branch))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_prefix, "_cut_cost", lambda num_qubits: 0)
        found, statistics = run_shared(made, use=copies, budget_bytes=max_states * 128)
    for circuit, amplitudes in zip(made, found, strict=True):
        np.testing.assert_allclose(amplitudes, simulate(circuit).amplitudes, atol=1e-13)
    assert statistics.peak_states <= max_states


@pytest.mark.parametrize("engine", [pytest.param("native", marks=pytest.mark.native), "numba", "reference"])
def test_a_parameter_shift_set_runs_little_more_than_half_of_its_gates(engine: str) -> None:
    circuit = ansatz(4, 5)
    values = shifted(np.random.default_rng(3).normal(size=circuit.num_parameters))
    found, statistics = run_shared(circuit, values, use=copies, engine=engine)
    for row, amplitudes in zip(values, found, strict=True):
        np.testing.assert_allclose(amplitudes, simulate(circuit, parameters=row).amplitudes, atol=1e-13)
    assert statistics.instructions == 40 * len(circuit)
    assert 0.4 < statistics.saved < 0.5
    assert statistics.peak_states == 2


def test_equal_circuits_are_run_once() -> None:
    circuit = Circuit(2).h(0).cx(0, 1)
    found, statistics = run_shared([circuit, circuit.copy(), circuit], use=lambda i, state, packing: i)
    assert found == [0, 1, 2]
    assert (statistics.simulated, statistics.pieces) == (2, 1)


def test_bound_circuits_share_as_a_template_does() -> None:
    circuit = ansatz(3, 2)
    values = shifted(np.arange(circuit.num_parameters) / 7)
    _, by_rows = run_shared(circuit, values, use=lambda i, state, packing: None)
    _, bound = run_shared([circuit.bind(row.tolist()) for row in values], use=lambda i, state, packing: None)
    assert bound.simulated == by_rows.simulated


def test_a_prefix_of_another_circuit_and_the_empty_circuit_are_results_too() -> None:
    long = Circuit(2).h(0).cx(0, 1)
    found, statistics = run_shared([long, Circuit(2).h(0), Circuit(2)], use=copies)
    np.testing.assert_allclose(found[1], [math.sqrt(0.5), math.sqrt(0.5), 0, 0], atol=1e-15)
    np.testing.assert_allclose(found[2], [1, 0, 0, 0])
    assert statistics.simulated == 2


def test_matrices_are_compared_by_content_and_measurements_and_barriers_do_not_count() -> None:
    matrix = np.array([[0, 1], [1, 0]])
    a = Circuit(1, 1).unitary(matrix, [0]).measure(0, 0)
    b = Circuit(1).unitary(matrix.copy(), [0]).barrier().h(0)
    c = Circuit(1).unitary(np.eye(2), [0])
    _, statistics = run_shared([a, b, c], use=lambda i, state, packing: None)
    assert (statistics.instructions, statistics.simulated) == (4, 3)


def test_one_state_is_enough_whatever_has_to_be_run_again() -> None:
    circuit = ansatz(3, 4)
    values = shifted(np.arange(circuit.num_parameters) / 5)
    found, statistics = run_shared(circuit, values, use=copies, budget_bytes=1)
    plain, _ = run_shared(circuit, values, use=copies)
    np.testing.assert_allclose(found, plain, atol=1e-13)
    assert statistics.peak_states == 1
    assert statistics.evictions > 0


def test_branches_that_cost_more_than_they_save_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_prefix, "_cut_cost", lambda num_qubits: 10**6)
    circuit = ansatz(3, 2)
    values = shifted(np.zeros(circuit.num_parameters))
    found, statistics = run_shared(circuit, values, use=copies)
    assert statistics.saved == 0
    np.testing.assert_allclose(found[3], simulate(circuit, parameters=values[3]).amplitudes, atol=1e-13)


def test_qubits_that_no_circuit_touches_are_left_out() -> None:
    wide = [Circuit(60).h(7).cx(7, 41).rx(0.1 * k, 41) for k in range(3)]
    found, _ = run_shared(wide, use=lambda i, state, packing: (state.size, packing.qubits))
    assert found == [(4, (7, 41))] * 3


def test_a_job_runs_circuits_that_begin_alike_together() -> None:
    circuit = ansatz(3, 3)
    values = shifted(np.arange(circuit.num_parameters) / 9)
    observable = PauliSum([("ZZ", [0, 1]), ("X", [2], 0.5)])
    with Batch("local::statevector", seed=5) as batch:
        means = batch.run([circuit] * len(values), parameters=values, observables=observable).result()
        samples = batch.run([circuit.bind(row.tolist()) for row in values[:4]], shots=100, seed=9).result()
        states = batch.run([Circuit(2).h(0).cx(0, 1), Circuit(2).h(0).x(1)]).result()
    alone = [simulate(circuit, parameters=row).expectation(observable) for row in values]
    np.testing.assert_allclose(list(means), alone, atol=1e-13)
    assert means.statistics.saved > 0.3
    for i, found in enumerate(samples):
        assert found == sample(circuit, 100, derived_seed(9, "circuit", i), parameters=values[i])
    assert samples.metadata["sharing"]["circuits"] == 4
    assert [np.flatnonzero(state.amplitudes).tolist() for state in states] == [[0, 3], [2, 3]]


def test_a_list_that_shares_nothing_is_run_one_by_one() -> None:
    dynamic = Circuit(1, 1).h(0).measure(0, 0).x(0)
    with Batch("local::statevector") as batch:
        found = batch.run([Circuit(2).x(1), dynamic], shots=10).result()
        assert found.statistics is None
        assert found[0].get_counts() == {"10": 10}
        assert sum(found[1].get_counts().values()) == 10
        assert batch.run([dynamic], observables=PauliSum([("Z", [0])])).result()[0] == pytest.approx(0)


def test_a_list_that_makes_no_sense_is_refused_with_the_place() -> None:
    with Batch("local::statevector") as batch:
        with pytest.raises(InputError, match="there is no circuit"):
            batch.run([], shots=1)
        with pytest.raises(InputError, match="1 circuits and 2 sets"):
            batch.run([Circuit(1)], parameters=[[], []], shots=1)
        with pytest.raises(InputError, match=r"circuit 0: a qfast\.Circuit is needed"):
            batch.run(["h"], shots=1)  # type: ignore[list-item]
        with pytest.raises(ParameterError, match="circuit 1: no value for 1 of 1 parameters"):
            batch.run([Circuit(1), Circuit(1).rx(Parameter("a"), 0)], shots=1)

"""States that no longer fit one tile: tiles, threads and runs of whole-state steps."""

from __future__ import annotations

import numpy as np
import pytest

from qfast import engines
from qfast.circuit import GATES, Circuit
from qfast.circuit.gates import NUM_GATES
from qfast.engines import CancelToken
from qfast.errors import CancelledRunError
from tests import oracle
from tests.circuit.strategies import random_unitary
from tests.conftest import TOLERANCE
from tests.engines.states import NO_VALUES, after, random_state

NUM_QUBITS = 17  # above the numba engine's tiles and its threshold for threads


def mixed_circuit(rng: np.random.Generator, num_qubits: int, num_gates: int) -> Circuit:
    """Gates of every row of the table, and of every kind of data, on random qubits."""
    circuit = Circuit(num_qubits)
    for opcode in rng.permutation(np.resize(np.arange(NUM_GATES), num_gates)).tolist():
        row = GATES[opcode]
        extra = int(rng.integers(2))
        order = rng.permutation(num_qubits).tolist()
        width = int(rng.integers(1, 4)) if row.num_qubits is None else row.num_qubits
        controls, qubits = order[:extra], order[extra : extra + width]
        options = {"controls": controls, "ctrl_state": int(rng.integers(1 << extra))}
        if row.name == "unitary":
            circuit.unitary(random_unitary(rng, 1 << width), qubits, **options)
        elif row.name == "diagonal":
            circuit.diagonal(np.exp(1j * rng.normal(size=1 << width)), qubits, **options)
        elif row.name == "permutation":
            circuit.permutation(rng.permutation(1 << width), qubits, **options)
        elif row.name == "pauli_rotation":
            circuit.pauli_rotation("".join(rng.choice(list("IXYZ"), width)), qubits, float(rng.normal()), **options)
        else:
            circuit.append(row.name, qubits, rng.normal(size=row.num_params).tolist(), **options)
    return circuit


def test_engines_agree_with_the_oracle_beyond_one_tile(engine, precision, rng) -> None:
    circuit = mixed_circuit(rng, NUM_QUBITS, NUM_GATES)
    start = random_state(rng, NUM_QUBITS)
    wanted = oracle.statevector(circuit, initial=start)
    found = after(engine, circuit, start, precision, threads=2)
    assert np.abs(found - wanted).max() < TOLERANCE[precision]


def test_the_result_is_the_same_bit_for_bit_for_any_number_of_threads(engine, precision, rng) -> None:
    circuit = mixed_circuit(rng, NUM_QUBITS, 40)
    start = random_state(rng, NUM_QUBITS)
    one = after(engine, circuit, start, precision, threads=1)
    for threads in (2, 3, 7):
        assert after(engine, circuit, start, precision, threads=threads).tobytes() == one.tobytes()


@pytest.mark.parametrize("tile_qubits", [4, 5, 7])
def test_the_native_engine_agrees_with_the_oracle_on_any_tile_size(precision, rng, tile_qubits) -> None:
    for native in [engines.select("native", isa) for isa in engines.available().get("native", [])]:
        circuit = mixed_circuit(rng, 10, 120)
        start = random_state(rng, 10)
        state = np.array(start, dtype=precision)
        prepared = native.prepare(circuit, precision=precision, tile_qubits=tile_qubits)
        prepared.run(state, NO_VALUES, from_zero=False, threads=2, cancel=None)
        wanted = oracle.statevector(circuit, initial=start)
        assert np.abs(state - wanted).max() < 4 * TOLERANCE[precision]


def test_a_cancelled_token_stops_the_run(engine, precision) -> None:
    token = CancelToken()
    token.cancel()
    state = np.zeros(1 << NUM_QUBITS, dtype=precision)
    prepared = engine.prepare(Circuit(NUM_QUBITS).h(0).h(NUM_QUBITS - 1), precision=precision)
    with pytest.raises(CancelledRunError):
        prepared.run(state, NO_VALUES, from_zero=True, threads=2, cancel=token)


def test_a_finished_run_reports_all_of_its_work(engine) -> None:
    token = CancelToken()
    state = np.zeros(1 << NUM_QUBITS, dtype=np.complex128)
    prepared = engine.prepare(Circuit(NUM_QUBITS).h(0).h(NUM_QUBITS - 1), precision="complex128")
    prepared.run(state, NO_VALUES, from_zero=True, threads=2, cancel=token)
    done, total = token.progress()
    assert done == total > 0


def test_a_deep_circuit_keeps_the_norm(engine, precision, rng) -> None:
    """Rounding errors add up like a random walk: some ε√gates, and never more than ε·gates·10."""
    num_gates = 3000
    circuit = Circuit(6)
    for _ in range(num_gates):
        a, b = rng.permutation(6)[:2].tolist()
        circuit.u(*rng.normal(size=3).tolist(), a).cx(a, b)
    state = after(engine, circuit, random_state(rng, 6), precision)
    epsilon = np.finfo(precision).eps
    assert abs(np.linalg.norm(state.astype(np.complex128)) - 1) < 10 * num_gates * epsilon

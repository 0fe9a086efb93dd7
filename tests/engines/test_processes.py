"""Engines among processes and threads: fork, spawn, many callers at once."""

from __future__ import annotations

import concurrent.futures
import hashlib
import multiprocessing

import numpy as np
import pytest

import qfast
from qfast.circuit import Circuit
from tests.conftest import ENGINES, engine_id

NUM_QUBITS = 17  # large enough for threads


def circuit() -> Circuit:
    c = Circuit(NUM_QUBITS)
    for qubit in range(NUM_QUBITS):
        c.ry(0.1 + qubit, qubit)
    for qubit in range(0, NUM_QUBITS - 1, 3):
        c.cx(qubit, qubit + 1).rz(0.3, qubit + 1)
    return c


def digest(engine: str, isa: str | None) -> str:
    """A fingerprint of the state; a plain function, so that other processes can run it."""
    state = qfast.simulate(circuit(), engine=engine, isa=isa, threads=2)
    return hashlib.sha256(state.amplitudes.tobytes()).hexdigest()


@pytest.mark.parametrize("choice", ENGINES, ids=engine_id)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_runs_after_its_parent_has(choice) -> None:
    wanted = digest(*choice)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(digest, choice) == wanted
    assert digest(*choice) == wanted


def test_a_spawned_child_gets_the_same_bits() -> None:
    choices = [choice for choice in ENGINES if choice[1] is None or choice == ENGINES[0]]
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        for choice in choices:
            assert pool.submit(digest, *choice).result(timeout=100) == digest(*choice)


@pytest.mark.parametrize("choice", ENGINES, ids=engine_id)
def test_many_threads_may_simulate_one_circuit_at_the_same_time(choice) -> None:
    shared = circuit()
    wanted = qfast.simulate(shared, engine=choice[0], isa=choice[1], threads=2).amplitudes.copy()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(qfast.simulate, shared, engine=choice[0], isa=choice[1], threads=2) for _ in range(12)]
        for run in runs:
            assert np.array_equal(run.result(timeout=100).amplitudes, wanted)

"""Many parameter sets at once, one in each lane of the vectors: against the oracle, on every ISA."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

from qfast import PauliSum, _core
from qfast._typing import AnyArray, Precision
from qfast.circuit import Circuit, Parameter
from qfast.engines import CancelToken
from qfast.engines.native import NativeEngine, isas
from qfast.errors import CancelledRunError
from tests import oracle
from tests.circuit.strategies import random_unitary
from tests.conftest import TOLERANCE

SPECIAL = np.array([0.0, np.pi, -np.pi, np.pi / 2, 2 * np.pi, 1e-9, 20.0])


@pytest.fixture(params=isas())
def native(request: pytest.FixtureRequest) -> NativeEngine:
    """The native engine on every ISA."""
    return NativeEngine(request.param)


def random_circuit(rng: np.random.Generator, num_qubits: int, length: int) -> Circuit:
    """Every kind of node that the planner knows, most with a parameter."""
    circuit = Circuit(num_qubits)
    for k in range(length):
        qubits = rng.permutation(num_qubits).tolist()
        theta = Parameter(f"t{k}")
        choice = int(rng.integers(14 if num_qubits > 2 else 9 if num_qubits > 1 else 4))
        a, b, c = (qubits * 3)[:3]
        match choice:
            case 0:
                circuit.rx(theta, a)
            case 1:
                circuit.ry(2 * theta, a).rz(theta, a)
            case 2:
                circuit.u(theta, 0.3, -theta, a).sx(a)
            case 3:
                circuit.h(a).p(theta, a)
            case 4:
                circuit.cx(a, b)
            case 5:
                circuit.cry(theta, a, b)
            case 6:
                circuit.rzz(theta, a, b).cp(theta, a, b)
            case 7:
                circuit.fsim(theta, 0.4, a, b)
            case 8:
                circuit.rxx(theta, a, b)
            case 9:
                circuit.ccx(a, b, c)
            case 10:
                circuit.unitary(random_unitary(rng, 8), [a, b, c])
            case 11:
                circuit.pauli_rotation("XYZ", [a, b, c], theta)
            case 12:
                circuit.xx_plus_yy(theta, 0.2, a, b)
            case _:
                circuit.swap(a, b).crz(theta, b, c)
    return circuit


def random_rows(rng: np.random.Generator, num_rows: int, num_parameters: int) -> AnyArray:
    rows = rng.normal(size=(num_rows, num_parameters)) * 3
    special = rng.random(rows.shape) < 0.2
    rows[special] = rng.choice(SPECIAL, int(special.sum()))
    return rows


@pytest.mark.parametrize("precision", ["complex64", "complex128"])
@pytest.mark.parametrize("num_qubits", [1, 2, 3, 4, 6, 9])
def test_rows_in_lanes_agree_with_the_oracle(native: NativeEngine, precision: Precision, num_qubits: int) -> None:
    rng = np.random.default_rng(num_qubits)
    for length in (4, 40):
        circuit = random_circuit(rng, num_qubits, length)
        names = [parameter.name for parameter in circuit.parameters]
        rows = random_rows(rng, 37, len(names))
        prepared = native.prepare(circuit, precision=precision).batch()
        states = np.empty((len(rows), 1 << num_qubits), dtype=precision)
        prepared.states(rows, states, threads=2, cancel=None)
        for row, state in zip(rows[::6], states[::6], strict=True):
            wanted = oracle.statevector(circuit, dict(zip(names, row.tolist(), strict=True)))
            assert np.abs(state - wanted).max() < TOLERANCE[precision]


@pytest.mark.parametrize("precision", ["complex64", "complex128"])
@pytest.mark.parametrize("num_strings", [1, 5, 300])
def test_expectations_in_lanes_agree_with_the_oracle(
    native: NativeEngine, precision: Precision, num_strings: int
) -> None:
    rng = np.random.default_rng(num_strings)
    num_qubits = 7
    circuit = random_circuit(rng, num_qubits, 30)
    names = [parameter.name for parameter in circuit.parameters]
    rows = random_rows(rng, 19, len(names))
    strings = ["".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(num_strings)]
    weights = rng.normal(size=num_strings) + 1j * rng.normal(size=num_strings)
    observable = PauliSum([(s, list(range(num_qubits)), w) for s, w in zip(strings, weights.tolist(), strict=True)])
    prepared = native.observable(num_qubits, *observable.masks(num_qubits))
    batch = native.prepare(circuit, precision=precision).batch()
    found = batch.expectations(rows, prepared, threads=2, cancel=None)
    for row, value in zip(rows[::5], found[::5], strict=True):
        state = oracle.statevector(circuit, dict(zip(names, row.tolist(), strict=True)))
        assert abs(value - oracle.expectation(state, observable)) < TOLERANCE[precision] * num_strings


def test_lanes_give_the_same_bits_on_any_number_of_threads(native: NativeEngine) -> None:
    rng = np.random.default_rng(3)
    circuit = random_circuit(rng, 5, 30)
    rows = random_rows(rng, 100, len(circuit.parameters))
    batch = native.prepare(circuit, precision="complex128").batch()
    found = [np.empty((100, 32), dtype=np.complex128) for _ in range(2)]
    for states, threads in zip(found, (1, 3), strict=True):
        batch.states(rows, states, threads=threads, cancel=None)
    assert np.array_equal(*found)


@pytest.mark.parametrize("largest", [9e4, 3e5, 1e12])
def test_angles_of_many_turns_lose_no_digits(native: NativeEngine, largest: float) -> None:
    angles = np.concatenate([np.linspace(-largest, largest, 41), np.pi * np.arange(-largest // 8, 0, largest // 40)])
    batch = native.prepare(Circuit(1).ry(Parameter("t"), 0), precision="complex128").batch()
    states = np.empty((angles.size, 2), dtype=np.complex128)
    batch.states(angles[:, None], states, threads=1, cancel=None)
    assert np.abs(states - np.stack([np.cos(angles / 2), np.sin(angles / 2)], axis=1)).max() < 5e-16


def test_a_cancelled_sweep_in_lanes_raises(native: NativeEngine) -> None:
    circuit = Circuit(3).ry(Parameter("t"), 0)
    cancel = CancelToken()
    cancel.cancel()
    batch = native.prepare(circuit, precision="complex128").batch()
    with pytest.raises(CancelledRunError):
        batch.states(np.zeros((64, 1)), np.empty((64, 8), dtype=np.complex128), threads=2, cancel=cancel)


def test_states_in_lanes_keep_their_norm_in_single_precision(native: NativeEngine) -> None:
    circuit = Circuit(4)
    for k in range(1500):
        circuit.ry(Parameter("t"), k % 4).cx(k % 4, (k + 1) % 4)
    rows = np.linspace(-3, 3, 32)[:, None]
    states = np.empty((len(rows), 16), dtype=np.complex64)
    batch = native.prepare(circuit, precision="complex64").batch()
    batch.states(rows, states, threads=1, cancel=None)
    assert np.abs(np.linalg.norm(states.astype(np.complex128), axis=1) - 1).max() < 4e-6
    one = native.observable(4, *PauliSum([("IIII", [0, 1, 2, 3])]).masks(4))
    assert np.abs(batch.expectations(rows, one, threads=1, cancel=None) - 1).max() < 8e-6


# Python warns of every fork beside threads; that this one is safe is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_while_a_sweep_is_planned_finds_nothing_locked() -> None:
    rng = np.random.default_rng(0)
    circuit = random_circuit(rng, 3, 6000)
    rows = random_rows(rng, 32, len(circuit.parameters))
    states = np.empty((2, len(rows), 8), dtype=np.complex128)
    for _ in range(8):
        _core.clear_plan_cache()
        batch = NativeEngine().prepare(circuit, precision="complex128").batch()
        is_running = threading.Event()

        def sweep(batch=batch, is_running=is_running) -> None:
            is_running.set()
            batch.states(rows, states[0], threads=1, cancel=None)

        thread = threading.Thread(target=sweep)
        thread.start()
        is_running.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            batch.states(rows, states[1], threads=1, cancel=None)
            os._exit(0)
        thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("kind", ["tables", "pairs"])
def test_repeated_gates_keep_the_norm_in_single_precision(native: NativeEngine, kind: str) -> None:
    """Rounded once, a gate errs the same way every time: the error would grow with the depth, not with its root."""
    circuit, pair = Circuit(4), random_unitary(np.random.default_rng(5), 4)
    for k in range(3000):
        if kind == "tables":
            circuit.rzz(Parameter("t"), k % 4, (k + 1) % 4).h(k % 4)
        else:
            circuit.rz(Parameter("t"), k % 4).unitary(pair, [k % 4, (k + 1) % 4])
    rows = np.linspace(0.1, 3, 32)[:, None]
    prepared = native.prepare(circuit, precision="complex64")
    states = np.empty((len(rows), 16), dtype=np.complex64)
    prepared.batch().states(rows, states, threads=2, cancel=None)
    alone = np.empty_like(states)
    for row, state in zip(rows, alone, strict=True):
        prepared.run(state, row, from_zero=True, threads=1, cancel=None)
    for found in (states, alone):
        norms = np.square(np.abs(found.astype(np.complex128))).sum(axis=1)
        assert np.abs(norms - 1).max() < 4e-5

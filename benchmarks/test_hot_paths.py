"""The hot paths on every engine that is here, beside the numpy reference: ``pytest benchmarks --benchmark-only``.

Each result is checked against the reference before it is timed. Times are for comparing engines in one run; nothing
passes or fails by them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import qfast
from qfast import Circuit, PauliSum, config, engines
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import FAMILIES, build_family

ENGINES = tuple(engines.available())
GATE_QUBITS = 16
FAMILY_QUBITS = 12
TOLERANCE = {"complex128": 1e-12, "complex64": 1e-5}


def haar_unitary(dim: int) -> np.ndarray[Any, np.dtype[np.complex128]]:
    rng = np.random.default_rng(11)
    q, r = np.linalg.qr(rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim)))
    return q * (np.diag(r) / np.abs(np.diag(r)))


GATES: dict[str, Callable[[Circuit], Circuit]] = {
    "h": lambda c: c.h(7),
    "rz": lambda c: c.rz(0.3, 7),
    "u": lambda c: c.u(0.1, 0.2, 0.3, 7),
    "cx": lambda c: c.cx(3, 11),
    "unitary of 2": lambda c: c.unitary(haar_unitary(4), [3, 11]),
    "unitary of 4": lambda c: c.unitary(haar_unitary(16), [1, 5, 9, 13]),
}


def superposition(num_qubits: int) -> Circuit:
    """A circuit to a state without structure that a gate could use."""
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(0.3 + 0.1 * qubit, qubit)
    return circuit


def check_state(state: qfast.Statevector, circuit: Circuit, precision: str, initial: Any = None) -> None:
    expected = qfast.simulate(circuit, engine="reference", initial_state=initial)
    assert np.abs(state.amplitudes - expected.amplitudes).max() < TOLERANCE[precision]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("gate", GATES)
def test_one_gate_in_place(benchmark: BenchmarkFixture, gate: str, engine: str) -> None:
    benchmark.group = f"one gate, {GATE_QUBITS} qubits, complex128: {gate}"
    initial = qfast.simulate(superposition(GATE_QUBITS)).amplitudes
    circuit = GATES[gate](Circuit(GATE_QUBITS))
    check_state(qfast.simulate(circuit, engine=engine, initial_state=initial), circuit, "complex128", initial)
    prepared = engines.select(engine).prepare(circuit, precision="complex128")
    state, no_values, threads = initial.copy(), np.zeros(0), config.get("threads")
    benchmark(lambda: prepared.run(state, no_values, from_zero=False, threads=threads, cancel=None))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("precision", ["complex128", "complex64"])
@pytest.mark.parametrize("family", FAMILIES)
def test_one_circuit(benchmark: BenchmarkFixture, family: str, precision: str, engine: str) -> None:
    benchmark.group = f"circuit, {FAMILY_QUBITS} qubits, {precision}: {family}"
    circuit = to_circuit(build_family(family, FAMILY_QUBITS))
    check_state(qfast.simulate(circuit, engine=engine, precision=precision), circuit, precision)
    program = qfast.compile(circuit, engine=engine, precision=precision)
    benchmark(program.run)


@pytest.mark.parametrize("engine", ENGINES)
def test_sampling(benchmark: BenchmarkFixture, engine: str) -> None:
    benchmark.group = f"100 000 shots of {GATE_QUBITS} qubits"
    circuit = superposition(GATE_QUBITS)
    state = qfast.simulate(circuit, engine=engine)
    drawn = state.sample(1000, seed=7).to_bool_array()
    expected = qfast.simulate(circuit, engine="reference").sample(1000, seed=7).to_bool_array()
    assert (drawn != expected).any(axis=1).sum() <= 1  # a uniform within rounding of a boundary
    benchmark(lambda: state.sample(100_000, seed=7).get_counts())


@pytest.mark.parametrize("engine", ENGINES)
def test_expectation_of_an_ising_chain(benchmark: BenchmarkFixture, engine: str) -> None:
    benchmark.group = f"transverse-field Ising energy, {GATE_QUBITS} qubits"
    bonds = [("ZZ", [i, i + 1], 1.0) for i in range(GATE_QUBITS - 1)]
    energy = PauliSum([*bonds, *(("X", [i], -0.7) for i in range(GATE_QUBITS))])
    circuit = superposition(GATE_QUBITS)
    state = qfast.simulate(circuit, engine=engine)
    assert state.expectation(energy) == pytest.approx(qfast.simulate(circuit, engine="reference").expectation(energy))
    benchmark(lambda: state.expectation(energy))


@pytest.mark.parametrize("engine", ENGINES)
def test_bind_and_run_a_small_circuit(benchmark: BenchmarkFixture, engine: str) -> None:
    benchmark.group = "bind, run and expectation, 4 qubits"
    angles = [qfast.Parameter(f"t{i}") for i in range(8)]
    circuit = Circuit(4)
    for layer in (angles[:4], angles[4:]):
        for qubit, angle in enumerate(layer):
            circuit.ry(angle, qubit)
        circuit.cx(0, 1).cx(1, 2).cx(2, 3)
    energy = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7)])
    values = np.linspace(0.1, 0.8, 8)
    program = qfast.compile(circuit, engine=engine)
    expected = qfast.compile(circuit, engine="reference").expectation(values, energy)
    assert program.expectation(values, energy) == pytest.approx(expected)
    benchmark(lambda: program.expectation(values, energy))


def test_bulk_append(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "entering 100 000 gates"
    qubits = np.stack([np.arange(100_000) % 19, np.arange(100_000) % 19 + 1], axis=1)
    assert len(Circuit(20).extend("cx", qubits)) == 100_000
    benchmark(lambda: Circuit(20).extend("cx", qubits))


def test_reading_openqasm(benchmark: BenchmarkFixture) -> None:
    benchmark.group = "reading 20 000 gates of OpenQASM"
    lines = [f"cx q[{i % 19}], q[{i % 19 + 1}];\nrz(0.{i}) q[{i % 20}];" for i in range(10_000)]
    text = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[20];\n' + "\n".join(lines)
    assert Circuit.from_qasm(text).count_ops() == {"cx": 10_000, "rz": 10_000}
    benchmark(lambda: Circuit.from_qasm(text))

"""The hot paths: what is timed, against what, and the least ratio that it must keep.

Every path is timed beside a baseline in the same process: the same work on the numpy reference or, where no engine is
at work, plain Python that does the least the path could. The ratio (baseline's time over the path's) means the same on
every machine, roughly; the floors of a path are what any machine must reach, far below what is measured. What is lost
above the floors shows against another commit (`benchmarks.gate`).
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import qfast
from benchmarks.gate.timing import Call
from qfast import Circuit, NoiseModel, PauliSum, engines
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import FAMILIES, build_family
from qfast.config.machine import cpu_count
from qfast.engines.memory import allocate_state

__all__ = ["PATHS", "PLANT", "HotPath", "planted_slowdown"]

REFERENCE = "reference"
PLANT = "BENCHMARK_PLANT"
"""Environment variable ``NAME=TIMES``: that path does its work so many times, to show that the gate sees it."""

TOLERANCE = {"complex128": 1e-10, "complex64": 1e-4}


@dataclass(frozen=True)
class HotPath:
    """One row of the gate.

    Attributes
    ----------
    name : str
        ``group: detail``; the group is pytest-benchmark's.
    work : str
        Sizes. Two commits are compared only where name and work are the same.
    make : callable
        ``make(subject)`` returns the call to time; subjects are the names in `floors` and `baseline`.
    floors : dict
        Subject → least ratio of the baseline's time to its own.
    baseline : str
    agree : callable, optional
        ``agree(result, expected)`` raises where the subject's result is not the baseline's; None: nothing to compare.
    """

    name: str
    work: str
    make: Callable[[str], Call]
    floors: Mapping[str, float]
    baseline: str = REFERENCE
    agree: Callable[[Any, Any], None] | None = None

    @property
    def group(self) -> str:
        """What stands before the colon of the name."""
        return self.name.partition(":")[0]

    def subjects(self) -> list[str]:
        """Return those that can run here: an engine that is absent is not timed."""
        absent = {"native", "numba"} - set(engines.available())
        return [subject for subject in self.floors if subject not in absent]

    def call(self, subject: str) -> Call:
        """Return the call of a subject, slowed down where the environment plants that."""
        call = self.make(subject)
        times = planted_slowdown(self.name)
        if times == 1 or subject == self.baseline:
            return call

        def planted() -> Any:
            for _ in range(times - 1):
                call()
            return call()

        return planted


def planted_slowdown(name: str) -> int:
    """Return how many times the path `name` is to do its work, by the environment."""
    planted, _, times = os.environ.get(PLANT, "").rpartition("=")
    return int(times) if planted == name else 1


# --- comparisons ------------------------------------------------------------------------------------------------------
def close(rtol: float) -> Callable[[Any, Any], None]:
    """Numbers within `rtol` of the largest."""

    def agree(result: Any, expected: Any) -> None:
        result, expected = np.asarray(result), np.asarray(expected)
        assert result.shape == expected.shape
        assert np.abs(result - expected).max() <= rtol * max(1.0, np.abs(expected).max())

    return agree


def same(result: Any, expected: Any) -> None:
    """Equal values."""
    assert result == expected


def same_counts(result: Mapping[str, int], expected: Mapping[str, int]) -> None:
    """Counts of the same seed: a shot may differ where its uniform lies within rounding of a boundary."""
    total = sum(expected.values())
    assert sum(result.values()) == total
    moved = sum(abs(result.get(key, 0) - expected.get(key, 0)) for key in {*result, *expected})
    assert moved <= 2 * max(1, total // 10_000)


# --- circuits ---------------------------------------------------------------------------------------------------------
def haar_unitary(dim: int) -> np.ndarray[Any, np.dtype[np.complex128]]:
    """A random unitary, always the same."""
    rng = np.random.default_rng(11)
    q, r = np.linalg.qr(rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim)))
    return q * (np.diag(r) / np.abs(np.diag(r)))


def superposition(num_qubits: int) -> Circuit:
    """A circuit to a state without structure that a gate could use."""
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(0.3 + 0.1 * qubit, qubit)
    return circuit


def layered(num_qubits: int, num_layers: int) -> Circuit:
    """Layers of RY with a parameter each and a ladder of CX."""
    angles = iter([qfast.Parameter(f"t{i}") for i in range(num_qubits * num_layers)])
    circuit = Circuit(num_qubits)
    for _ in range(num_layers):
        for qubit in range(num_qubits):
            circuit.ry(next(angles), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def ising_chain(num_qubits: int) -> PauliSum:
    """Energy of a transverse-field Ising chain."""
    bonds = [("ZZ", [i, i + 1], 1.0) for i in range(num_qubits - 1)]
    return PauliSum([*bonds, *(("X", [i], -0.7) for i in range(num_qubits))])


def random_strings(num_qubits: int, count: int) -> PauliSum:
    """Strings of all lengths."""
    rng = np.random.default_rng(5)
    letters = rng.choice(list("IXYZ"), size=(count, num_qubits))
    return PauliSum([("".join(row), list(range(num_qubits)), 1.0) for row in letters])


def rounds_of_correction(num_rounds: int) -> Circuit:
    """Two data qubits, a check that is measured and reset in every round, a flip where it says so."""
    circuit = Circuit(3, num_rounds + 2).h(0).cx(0, 1)
    for number in range(num_rounds):
        circuit.rx(0.2, 0).rx(0.3, 1).cx(0, 2).cx(1, 2).measure([2], [number]).reset(2)
        circuit.if_test((number, 1), circuit.block().x(1))
    return circuit.measure([0, 1], [num_rounds, num_rounds + 1])


def openqasm(num_lines: int) -> str:
    """Text of `num_lines` times two gates on 12 qubits, all of them measured."""
    lines = [f"cx q[{i % 11}], q[{i % 11 + 1}];\nrz(0.{i}) q[{i % 12}];" for i in range(num_lines)]
    body = "\n".join(["h q;", *lines, "measure q -> c;"])
    return f'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[12];\ncreg c[12];\n{body}\n'


# --- rows -------------------------------------------------------------------------------------------------------------
GATES: dict[str, Callable[[Circuit], Circuit]] = {
    "h": lambda c: c.h(7),
    "rz": lambda c: c.rz(0.3, 7),
    "u": lambda c: c.u(0.1, 0.2, 0.3, 7),
    "cx": lambda c: c.cx(3, 11),
    "unitary of 2": lambda c: c.unitary(haar_unitary(4), [3, 11]),
    "unitary of 4": lambda c: c.unitary(haar_unitary(16), [1, 5, 9, 13]),
}


def gate_in_place(gate: str, engine: str) -> Call:
    """One gate on a state that is there already."""
    state = allocate_state(16, "complex128")
    state[:] = qfast.simulate(superposition(16), engine=REFERENCE).amplitudes
    prepared = engines.select(engine).prepare(GATES[gate](Circuit(16)), precision="complex128")
    no_values = np.zeros(0)

    def call() -> Any:
        prepared.run(state, no_values, from_zero=False, threads=1, cancel=None)
        return state

    return call


def family_state(family: str, precision: Any, engine: str) -> Call:
    """A compiled circuit of a family, from |0…0⟩ to its amplitudes."""
    program = qfast.compile(to_circuit(build_family(family, 12)), engine=engine, precision=precision)
    return lambda: program.simulate().amplitudes


def bind_and_run(engine: str) -> Call:
    """New values, a run and an expectation value of a small circuit."""
    program, values = qfast.compile(layered(4, 2), engine=engine), np.linspace(0.1, 0.8, 8)
    energy = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7)])
    return lambda: program.expectation(values, energy)


def fresh_circuit(engine: str) -> Call:
    """A small circuit entered, planned and run, every time anew."""

    def call() -> Any:
        circuit = Circuit(5)
        for qubit in range(5):
            circuit.h(qubit)
        for qubit in range(4):
            circuit.cx(qubit, qubit + 1).rz(0.1, qubit + 1)
        return qfast.simulate(circuit, engine=engine).amplitudes

    return call


def sweep(engine: str) -> Call:
    """An expectation value for each row of a table of values."""
    program, table = qfast.compile(layered(8, 3), engine=engine), np.linspace(0.1, 0.9, 64 * 24).reshape(64, 24)
    energy = ising_chain(8)
    return lambda: program.expectation(table, energy)


def state_sampling(engine: str) -> Call:
    """Counts drawn from a state."""
    state = qfast.simulate(superposition(14), engine=engine)
    return lambda: state.sample(100_000, seed=7).get_counts()


def observable(make: Callable[[], PauliSum], num_qubits: int, engine: str) -> Call:
    """An expectation value of a state."""
    state, wanted = qfast.simulate(superposition(num_qubits), engine=engine), make()
    return lambda: state.expectation(wanted)


def gradient(engine: str) -> Call:
    """Value and gradient by the adjoint method."""
    program, values, energy = qfast.compile(layered(10, 4), engine=engine), np.linspace(0.1, 0.9, 40), ising_chain(10)
    return lambda: program.gradient(values, energy)


def noisy_shots(engine: str) -> Call:
    """Shots of a circuit with an error after every gate of two qubits."""
    circuit = layered(8, 3)
    values = dict(zip((p.name for p in circuit.parameters), np.linspace(0.1, 0.9, 24), strict=True))
    noise = NoiseModel().add(qfast.channels.depolarizing(0.01, num_qubits=2), gates=["cx"])
    return lambda: qfast.sample(circuit, 300, 7, parameters=values, noise=noise, engine=engine).get_counts()


def density(engine: str) -> Call:
    """An exact density matrix with noise that is no mixture of Paulis."""
    circuit = to_circuit(build_family("ansatz", 5))
    noise = NoiseModel().add(qfast.channels.amplitude_damping(0.02), gates=["ry"])
    return lambda: qfast.simulate(circuit, noise=noise, engine=engine).matrix


def dynamic_shots(engine: str) -> Call:
    """Shots of a circuit that measures, resets and decides in the middle."""
    circuit = rounds_of_correction(3)
    return lambda: qfast.sample(circuit, 2000, 7, engine=engine).get_counts()


def text_to_counts(engine: str) -> Call:
    """OpenQASM read, planned, run and sampled."""
    text = openqasm(200)
    return lambda: qfast.sample(Circuit.from_qasm(text), 1000, 7, engine=engine).get_counts()


def shot_plan(engine: str) -> Call:
    """A plan of shots for an observable, allocated by variance."""
    circuit = to_circuit(build_family("qaoa", 12))
    plan = qfast.ShotPlan.for_observable(circuit, ising_chain(12), shots=20_000, allocation="variance")
    return lambda: plan.run(seed=7, options={"engine": engine}).expectation


BELL = Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])


def job(subject: str) -> Call:
    """A Bell circuit through a session, beside the direct call."""
    if subject == "direct call":
        return lambda: qfast.sample(BELL, 1000, 7).get_counts()
    session = qfast.Session()

    def call() -> Any:
        counts = session.run(BELL, shots=1000, seed=7).result().get_counts()
        session._jobs.clear()  # a session keeps its jobs; that they are freed belongs to the time
        return counts

    return call


def batch(subject: str) -> Call:
    """Twenty Bell circuits through a batch, beside as many direct calls."""
    if subject == "direct call":
        return lambda: [qfast.sample(BELL, 1000, seed).get_counts() for seed in range(20)]
    group = qfast.Batch()

    def call() -> Any:
        jobs = [group.run(BELL, shots=1000, seed=seed) for seed in range(20)]
        counts = [job.result().get_counts() for job in jobs]
        group._jobs.clear()
        return counts

    return call


def entering_gates(subject: str) -> Call:
    """A thousand gates entered one by one, beside a list that grows as much."""
    if subject == "list":

        def grow() -> int:
            rows: list[tuple[str, float, int, int]] = []
            for i in range(500):
                rows.append(("rz", 0.1, i % 10, 0))
                rows.append(("cx", 0.0, i % 9, i % 9 + 1))
            return len(rows)

        return grow

    def enter() -> int:
        circuit = Circuit(10)
        for i in range(500):
            circuit.rz(0.1, i % 10).cx(i % 9, i % 9 + 1)
        return len(circuit)

    return enter


def bulk_entry(subject: str) -> Call:
    """A hundred thousand gates in one call, beside numpy's looking at all of their qubits once."""
    qubits = np.stack([np.arange(100_000) % 19, np.arange(100_000) % 19 + 1], axis=1)
    if subject == "numpy":

        def look() -> int:
            assert qubits.min() >= 0
            assert qubits.max() < 20
            assert not (qubits[:, 0] == qubits[:, 1]).any()
            return len(qubits.astype(np.int32))

        return look
    return lambda: len(Circuit(20).extend("cx", qubits))


def reading(subject: str) -> Call:
    """Ten thousand gates of OpenQASM, beside Python's `re` cutting the text into words."""
    text, word = openqasm(5000), re.compile(r"[A-Za-z_]\w*|[0-9.]+|->|\S")
    if subject == "re":
        return lambda: sum(1 for found in word.finditer(text) if found.group() == "rz")
    return lambda: Circuit.from_qasm(text).count_ops()["rz"]


def imports(subject: str) -> Call:
    """A new interpreter that imports qfast, beside one that imports numpy."""
    command = [sys.executable, "-c", f"import {'numpy' if subject == 'numpy' else 'qfast'}"]
    return lambda: subprocess.run(command, check=True).returncode


def threads(subject: str) -> Call:
    """A circuit on all threads, beside one; the amplitudes are the same bits."""
    circuit = to_circuit(build_family("ansatz", 18))
    count = 1 if subject == "one thread" else cpu_count()
    program = qfast.compile(circuit, threads=count)
    return lambda: program.simulate().amplitudes.sum()


# Path or group → least ratio to the reference, a quarter or less of what was measured (two cores of an AMD EPYC of the
# Zen 5 kind, AVX-512, 2026-11-30, other work running): another machine, and a busy one, reach them too.
ENGINE_FLOORS: dict[str, tuple[float, float]] = {  # native, numba
    "one gate": (3, 3),
    "one gate: unitary of 4": (1, 1),
    "circuit": (6, 1),
    "bind and run": (40, 2),
    "fresh circuit": (1.2, 0.2),
    "sweep": (60, 0.3),
    "sampling": (2, 0.5),
    "expectation": (10, 0.6),
    "gradient": (15, 2),
    "noise": (12, 0.3),
    "density matrix": (0.4, 0.2),
    "dynamic": (0.4, 0.3),
    "text to counts": (3, 0.3),
    "plan": (0.9, 0.5),
}


def on_engines(
    name: str, work: str, make: Callable[[str], Call], agree: Callable[[Any, Any], None] | None = None
) -> HotPath:
    """Return a path that every engine has, beside the reference."""
    native, numba = ENGINE_FLOORS.get(name) or ENGINE_FLOORS[name.partition(":")[0]]
    return HotPath(name, work, make, {"native": native, "numba": numba}, REFERENCE, agree)


def engine_rows() -> Iterator[HotPath]:
    """Yield the paths that every engine has."""
    for gate in GATES:
        yield on_engines(f"one gate: {gate}", "16 qubits, one thread", functools.partial(gate_in_place, gate))
    for family in FAMILIES:
        for precision in ("complex128", "complex64"):
            make = functools.partial(family_state, family, precision)
            yield on_engines(f"circuit: {family}, {precision}", "12 qubits", make, close(TOLERANCE[precision]))
    numbers = close(TOLERANCE["complex128"])
    yield on_engines("bind and run: ⟨H⟩", "4 qubits, 8 parameters", bind_and_run, numbers)
    yield on_engines("fresh circuit: state", "5 qubits, 13 gates", fresh_circuit, numbers)
    yield on_engines("sweep: ⟨H⟩", "8 qubits, 64 rows of 24", sweep, numbers)
    yield on_engines("sampling: counts", "14 qubits, 1e5 shots", state_sampling, same_counts)
    chain, strings = functools.partial(ising_chain, 16), functools.partial(random_strings, 12, 100)
    yield on_engines("expectation: Ising chain", "16 qubits", functools.partial(observable, chain, 16), numbers)
    yield on_engines("expectation: 100 strings", "12 qubits", functools.partial(observable, strings, 12), numbers)
    yield on_engines("gradient: adjoint", "10 qubits, 40 parameters", gradient, numbers)
    yield on_engines("noise: shots", "8 qubits, 300 shots", noisy_shots, same_counts)
    yield on_engines("density matrix: damping", "5 qubits", density, numbers)
    yield on_engines("dynamic: shots", "3 qubits, 3 rounds, 2000 shots", dynamic_shots, same_counts)
    yield on_engines("text to counts: OpenQASM", "12 qubits, 412 gates", text_to_counts, same_counts)
    yield on_engines("plan: by variance", "12 qubits, 20000 shots", shot_plan, close(1e-2))


def other_rows() -> Iterator[HotPath]:
    """Yield the paths with a baseline of their own."""
    yield HotPath("job: session", "Bell, 1000 shots", job, {"session": 0.08}, "direct call", same)
    yield HotPath("job: batch", "20 of Bell, 1000 shots", batch, {"batch": 0.08}, "direct call", same)
    yield HotPath("entry: one by one", "1000 gates", entering_gates, {"circuit": 0.02}, "list", same)
    yield HotPath("entry: in bulk", "1e5 gates", bulk_entry, {"circuit": 0.005}, "numpy", same)
    yield HotPath("reading: OpenQASM", "10012 gates", reading, {"reader": 1.2}, "re", same)
    yield HotPath("import: package", "new interpreter", imports, {"qfast": 0.35}, "numpy", same)
    yield HotPath("threads: ansatz", "18 qubits", threads, {"all": 0.3}, "one thread", same)


PATHS: dict[str, HotPath] = {path.name: path for path in (*engine_rows(), *other_rows())}

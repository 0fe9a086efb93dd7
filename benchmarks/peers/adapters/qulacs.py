"""Qulacs (complex128 only): its circuit optimizer merges gates into blocks of up to `block` qubits, or lightly."""

from __future__ import annotations

import cmath
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import qulacs
from qulacs import gate
from qulacs.circuit import QuantumCircuitOptimizer

from benchmarks.peers.adapters._prepared import Prepared, Stopwatch, ansatz_rows, matrix_of, spec_angles, z_means

_X, _Y, _Z = 1, 2, 3
SEED = 42


def versions() -> dict[str, str]:
    return {"qulacs": qulacs.__version__}


def prepare(spec: Mapping[str, Any], precision: str, threads: int, options: Mapping[str, Any]) -> Prepared:
    """See the package's docstring. `threads` is set by the environment (OMP_NUM_THREADS)."""
    if precision != "complex128":
        raise ValueError(f"Qulacs computes in complex128 only, not in {precision}")
    return _KINDS[spec["kind"]](spec, options)


# RotX and its like turn by exp(-i angle/2 P); RX, PauliRotation and the parametric gates by exp(+i angle/2 P).
_GATES: dict[str, Callable[..., Any]] = {
    "x": gate.X,
    "h": gate.H,
    "cx": gate.CNOT,
    "swap": gate.SWAP,
    "rx": gate.RotX,
    "ry": gate.RotY,
    "rz": gate.RotZ,
    "cp": lambda a, b, angle: gate.DiagonalMatrix([a, b], np.array([1, 1, 1, cmath.exp(1j * angle)])),
    "rxx": lambda a, b, angle: gate.PauliRotation([a, b], [_X, _X], -angle),
    "ryy": lambda a, b, angle: gate.PauliRotation([a, b], [_Y, _Y], -angle),
    "rzz": lambda a, b, angle: gate.PauliRotation([a, b], [_Z, _Z], -angle),
}


def _gate(name: str, qubits: list[int], params: list[float], pairs: Any = None) -> Any:
    if name in ("unitary", "fsim"):
        return gate.DenseMatrix(qubits, matrix_of(name, params, pairs))
    return _GATES[name](*qubits, *params)


def _circuit(num_qubits: int, rows: Any) -> Any:
    circuit = qulacs.QuantumCircuit(num_qubits)
    for row in rows:
        circuit.add_gate(_gate(*row))
    return circuit


def _optimize(circuit: Any, options: Mapping[str, Any]) -> None:
    block = options.get("block")
    if block == "light":
        QuantumCircuitOptimizer().optimize_light(circuit)
    elif block is not None:
        QuantumCircuitOptimizer().optimize(circuit, block)


def _state(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit = _circuit(spec["num_qubits"], spec["operations"])
    construct_s = watch.lap()
    _optimize(circuit, options)
    compile_s = watch.lap()
    state = qulacs.QuantumState(spec["num_qubits"])

    def run(_: int) -> Any:
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return state

    return Prepared(run=run, fetch=lambda result: result.get_vector(), construct_s=construct_s, compile_s=compile_s)


def _parametric(spec: Mapping[str, Any]) -> Any:
    circuit = qulacs.ParametricQuantumCircuit(spec["num_qubits"])
    for name, qubits, params in ansatz_rows(spec["num_qubits"], spec["layers"], spec["angles"][0]):
        if name == "cx":
            circuit.add_CNOT_gate(*qubits)
        else:
            getattr(circuit, f"add_parametric_{name.upper()}_gate")(*qubits, -params[0])
    return circuit


def _ansatz(spec: Mapping[str, Any]) -> Any:
    return _circuit(spec["num_qubits"], ansatz_rows(spec["num_qubits"], spec["layers"], spec["angles"][0]))


def _observable(spec: Mapping[str, Any]) -> Any:
    observable = qulacs.Observable(spec["num_qubits"])
    for coefficient, factors in spec["terms"]:
        observable.add_operator(coefficient, " ".join(f"{letter} {qubit}" for qubit, letter in factors))
    return observable


def _expectation(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit, observable = _parametric(spec), _observable(spec)
    state = qulacs.QuantumState(spec["num_qubits"])
    rows = (-spec_angles(spec)).tolist()

    def run(i: int) -> float:
        for slot, angle in enumerate(rows[i % len(rows)]):
            circuit.set_parameter(slot, angle)
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return float(observable.get_expectation_value(state).real)

    return Prepared(run=run, construct_s=watch.lap())


def _sweep(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    single = _expectation(spec, options)
    count = len(spec["angles"])
    return Prepared(run=lambda _: [single.run(i) for i in range(count)], construct_s=single.construct_s)


def _paulis(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit, observable = _ansatz(spec), _observable(spec)
    construct_s = watch.lap()
    _optimize(circuit, options)
    compile_s = watch.lap()
    state = qulacs.QuantumState(spec["num_qubits"])

    def run(_: int) -> float:
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return float(observable.get_expectation_value(state).real)

    return Prepared(run=run, construct_s=construct_s, compile_s=compile_s)


def _gradient(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit, observable = _parametric(spec), _observable(spec)
    state = qulacs.QuantumState(spec["num_qubits"])
    rows = (-spec_angles(spec)).tolist()

    def run(i: int) -> Any:
        for slot, angle in enumerate(rows[i % len(rows)]):
            circuit.set_parameter(slot, angle)
        return circuit.backprop(observable)

    def check(gradient: Any) -> Any:
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return np.array([observable.get_expectation_value(state).real, *(-np.asarray(gradient))])

    return Prepared(run=run, check=check, construct_s=watch.lap())


def _shots(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec)
    construct_s = watch.lap()
    _optimize(circuit, options)
    compile_s = watch.lap()
    state = qulacs.QuantumState(spec["num_qubits"])

    def run(_: int) -> Any:
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return state.sampling(spec["shots"], SEED)

    return Prepared(
        run=run,
        fetch=Counter,
        check=lambda counts: z_means(counts, spec["num_qubits"]),
        construct_s=construct_s,
        compile_s=compile_s,
    )


def _noisy(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    num_qubits = spec["num_qubits"]
    circuit = qulacs.QuantumCircuit(num_qubits)
    for name, qubits, params in ansatz_rows(num_qubits, spec["layers"], spec["angles"][0]):
        circuit.add_gate(_gate(name, qubits, params))
        if len(qubits) == 1:
            circuit.add_gate(gate.DepolarizingNoise(*qubits, spec["p1"]))
        else:
            circuit.add_gate(gate.TwoQubitDepolarizingNoise(*qubits, spec["p2"]))
    simulator = qulacs.NoiseSimulator(circuit, qulacs.QuantumState(num_qubits))
    return Prepared(
        run=lambda _: simulator.execute(spec["shots"]),
        fetch=Counter,
        check=lambda counts: z_means(counts, num_qubits),
        construct_s=watch.lap(),
    )


_KINDS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Prepared]] = {
    "state": _state,
    "expectation": _expectation,
    "sweep": _sweep,
    "paulis": _paulis,
    "gradient": _gradient,
    "shots": _shots,
    "noisy": _noisy,
}

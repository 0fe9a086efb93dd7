"""qsim through qsimcirq (complex64 only): greedy fusion up to `fusion` qubits, translated circuits memoized."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import cirq
import numpy as np
import qsimcirq
import sympy

from benchmarks.peers.adapters._prepared import Prepared, Stopwatch, ansatz_rows, matrix_of, spec_angles, z_means

_PAULIS = {"X": cirq.X, "Y": cirq.Y, "Z": cirq.Z}


def versions() -> dict[str, str]:
    return {"qsimcirq": qsimcirq.__version__, "cirq-core": cirq.__version__}


def prepare(spec: Mapping[str, Any], precision: str, threads: int, options: Mapping[str, Any]) -> Prepared:
    """See the package's docstring."""
    if precision != "complex64":
        raise ValueError(f"qsim computes in complex64 only, not in {precision}")
    return _KINDS[spec["kind"]](spec, _simulator(threads, options))


def _simulator(threads: int, options: Mapping[str, Any]) -> Any:
    return qsimcirq.QSimSimulator(
        qsimcirq.QSimOptions(
            max_fused_gate_size=options.get("fusion", 2), cpu_threads=threads, denormals_are_zeros=True
        ),
        seed=7,
        circuit_memoization_size=1,
    )


def _line(num_qubits: int) -> list[cirq.LineQubit]:
    """Qubits in cirq's order, most significant first."""
    return [cirq.LineQubit(q) for q in reversed(range(num_qubits))]


_GATES: dict[str, Callable[..., Any]] = {
    "x": lambda: cirq.X,
    "h": lambda: cirq.H,
    "cx": lambda: cirq.CNOT,
    "swap": lambda: cirq.SWAP,
    "rx": cirq.rx,
    "ry": cirq.ry,
    "rz": cirq.rz,
    "cp": lambda angle: cirq.CZPowGate(exponent=angle / math.pi),
    "rxx": lambda angle: cirq.XXPowGate(exponent=angle / math.pi, global_shift=-0.5),
    "ryy": lambda angle: cirq.YYPowGate(exponent=angle / math.pi, global_shift=-0.5),
    "rzz": lambda angle: cirq.ZZPowGate(exponent=angle / math.pi, global_shift=-0.5),
    "fsim": cirq.FSimGate,
}


def _operation(name: str, qubits: list[int], params: list[Any], pairs: Any = None) -> cirq.Operation:
    if name == "unitary":
        # Its matrices have the first qubit most significant.
        return cirq.MatrixGate(matrix_of(name, params, pairs)).on(*(cirq.LineQubit(q) for q in reversed(qubits)))
    return _GATES[name](*params).on(*(cirq.LineQubit(q) for q in qubits))


def _state(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit = cirq.Circuit(_operation(*row) for row in spec["operations"])
    order = _line(spec["num_qubits"])
    return Prepared(
        run=lambda _: simulator.simulate_into_1d_array(circuit, qubit_order=order),
        fetch=lambda result: result[1],
        construct_s=watch.lap(),
    )


def _parametric(spec: Mapping[str, Any]) -> tuple[cirq.Circuit, list[Any]]:
    symbols = [sympy.Symbol(f"t{i}") for i in range(2 * spec["layers"] * spec["num_qubits"])]
    rows = ansatz_rows(spec["num_qubits"], spec["layers"], symbols)
    return cirq.Circuit(_operation(*row) for row in rows), symbols


def _bound(spec: Mapping[str, Any]) -> cirq.Circuit:
    rows = ansatz_rows(spec["num_qubits"], spec["layers"], spec["angles"][0])
    return cirq.Circuit(_operation(*row) for row in rows)


def _observable(spec: Mapping[str, Any]) -> cirq.PauliSum:
    return cirq.PauliSum.from_pauli_strings(
        cirq.PauliString({cirq.LineQubit(q): _PAULIS[letter] for q, letter in factors}, coefficient=coefficient)
        for coefficient, factors in spec["terms"]
    )


def _expectation(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit, symbols = _parametric(spec)
    observable, order = _observable(spec), _line(spec["num_qubits"])
    resolvers = [dict(zip(symbols, row, strict=True)) for row in spec_angles(spec).tolist()]
    return Prepared(
        run=lambda i: simulator.simulate_expectation_values(
            circuit, observable, param_resolver=resolvers[i % len(resolvers)], qubit_order=order
        ),
        fetch=lambda values: values[0].real,
        construct_s=watch.lap(),
    )


def _sweep(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit, symbols = _parametric(spec)
    observable, order = _observable(spec), _line(spec["num_qubits"])
    resolvers = [cirq.ParamResolver(dict(zip(symbols, row, strict=True))) for row in spec_angles(spec).tolist()]
    return Prepared(
        run=lambda _: simulator.simulate_expectation_values_sweep(circuit, observable, resolvers, qubit_order=order),
        fetch=lambda values: np.array([row[0].real for row in values]),
        construct_s=watch.lap(),
    )


def _paulis(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit, observable, order = _bound(spec), _observable(spec), _line(spec["num_qubits"])
    return Prepared(
        run=lambda _: simulator.simulate_expectation_values(circuit, observable, qubit_order=order),
        fetch=lambda values: values[0].real,
        construct_s=watch.lap(),
    )


def _shots(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    num_qubits = spec["num_qubits"]
    circuit = _bound(spec)
    circuit.append(cirq.measure(*_line(num_qubits), key="m"))
    return Prepared(
        run=lambda _: simulator.run(circuit, repetitions=spec["shots"]),
        fetch=lambda result: result.histogram(key="m"),  # an index per shot, most significant qubit first
        check=lambda counts: z_means(counts, num_qubits),
        construct_s=watch.lap(),
    )


def _noisy(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    num_qubits = spec["num_qubits"]
    channels = {1: cirq.depolarize(spec["p1"]), 2: cirq.depolarize(spec["p2"], n_qubits=2)}
    circuit = cirq.Circuit()
    for operation in _bound(spec).all_operations():
        circuit.append([operation, channels[len(operation.qubits)].on(*operation.qubits)])
    circuit.append(cirq.measure(*_line(num_qubits), key="m"))
    return Prepared(
        run=lambda _: simulator.run(circuit, repetitions=spec["shots"]),
        fetch=lambda result: Counter(result.histogram(key="m")),
        check=lambda counts: z_means(counts, num_qubits),
        construct_s=watch.lap(),
    )


_KINDS: dict[str, Callable[[Mapping[str, Any], Any], Prepared]] = {
    "state": _state,
    "expectation": _expectation,
    "sweep": _sweep,
    "paulis": _paulis,
    "shots": _shots,
    "noisy": _noisy,
}

"""Qiskit Aer, statevector method, both precisions: fusion up to `fusion` qubits (5 is its own choice)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import qiskit
import qiskit_aer
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer.noise import NoiseModel, depolarizing_error

from benchmarks.peers.adapters._prepared import Prepared, Stopwatch, ansatz_rows, matrix_of, spec_angles, z_means

SEED = 42


def versions() -> dict[str, str]:
    return {"qiskit-aer": qiskit_aer.__version__, "qiskit": qiskit.__version__}


def prepare(spec: Mapping[str, Any], precision: str, threads: int, options: Mapping[str, Any]) -> Prepared:
    """See the package's docstring."""
    kind = spec["kind"]
    simulator = qiskit_aer.AerSimulator(
        method="statevector",
        precision={"complex64": "single", "complex128": "double"}[precision],
        max_parallel_threads=threads,
        seed_simulator=SEED,
        fusion_max_qubit=options.get("fusion"),
        # A sweep of small circuits runs circuit by circuit in parallel, trajectories shot by shot.
        max_parallel_experiments=threads if kind == "sweep" else 1,
        max_parallel_shots=threads if kind == "noisy" else 1,
        runtime_parameter_bind_enable=bool(options.get("runtime_bind", False)),
    )
    return _KINDS[kind](spec, simulator)


def _append(circuit: QuantumCircuit, name: str, qubits: list[int], params: list[Any], pairs: Any = None) -> None:
    if name in ("unitary", "fsim"):
        circuit.append(UnitaryGate(matrix_of(name, params, pairs)), qubits)
    else:
        getattr(circuit, name)(*params, *qubits)


def _build(num_qubits: int, rows: Any) -> QuantumCircuit:
    circuit = QuantumCircuit(num_qubits)
    for row in rows:
        _append(circuit, *row)
    return circuit


def _ansatz(spec: Mapping[str, Any], values: Any = None) -> QuantumCircuit:
    angles = spec["angles"][0] if values is None else values
    return _build(spec["num_qubits"], ansatz_rows(spec["num_qubits"], spec["layers"], angles))


def _observable(spec: Mapping[str, Any]) -> SparsePauliOp:
    terms = [("".join(f[1] for f in factors), [f[0] for f in factors], c) for c, factors in spec["terms"]]
    return SparsePauliOp.from_sparse_list(terms, num_qubits=spec["num_qubits"])


def _state(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit = _build(spec["num_qubits"], spec["operations"])
    circuit.save_statevector()
    return Prepared(
        run=lambda _: simulator.run(circuit, shots=1).result(),
        fetch=lambda result: np.asarray(result.get_statevector(circuit)),
        construct_s=watch.lap(),
    )


def _values(circuit: QuantumCircuit, spec: Mapping[str, Any]) -> QuantumCircuit:
    circuit.save_expectation_value(_observable(spec), range(spec["num_qubits"]), label="value")
    return circuit


def _parametric(spec: Mapping[str, Any]) -> tuple[QuantumCircuit, Any]:
    parameters = ParameterVector("t", 2 * spec["layers"] * spec["num_qubits"])
    return _values(_ansatz(spec, list(parameters)), spec), parameters


def _expectation(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit, parameters = _parametric(spec)
    binds = [[{p: [x] for p, x in zip(parameters, row, strict=True)}] for row in spec_angles(spec).tolist()]
    return Prepared(
        run=lambda i: simulator.run(circuit, shots=1, parameter_binds=binds[i % len(binds)]).result(),
        fetch=lambda result: result.data(0)["value"],
        construct_s=watch.lap(),
    )


def _sweep(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit, parameters = _parametric(spec)
    angles = spec_angles(spec)
    binds = [dict(zip(parameters, angles.T.tolist(), strict=True))]
    return Prepared(
        run=lambda _: simulator.run(circuit, shots=1, parameter_binds=binds).result(),
        fetch=lambda result: np.array([result.data(i)["value"] for i in range(len(angles))]),
        construct_s=watch.lap(),
    )


def _paulis(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit = _values(_ansatz(spec), spec)
    return Prepared(
        run=lambda _: simulator.run(circuit, shots=1).result(),
        fetch=lambda result: result.data(0)["value"],
        construct_s=watch.lap(),
    )


def _shots(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec)
    circuit.measure_all()
    return Prepared(
        run=lambda _: simulator.run(circuit, shots=spec["shots"]).result(),
        fetch=lambda result: result.get_counts(),
        check=_means_of(spec["num_qubits"]),
        construct_s=watch.lap(),
    )


def _noisy(spec: Mapping[str, Any], simulator: Any) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec)
    circuit.measure_all()
    # Its parameter is the weight of the fully mixed state; ours the probability of an error that is not the identity.
    noise = NoiseModel()
    noise.add_all_qubit_quantum_error(depolarizing_error(spec["p1"] * 4 / 3, 1), ["ry", "rz"])
    noise.add_all_qubit_quantum_error(depolarizing_error(spec["p2"] * 16 / 15, 2), ["cx"])
    return Prepared(
        run=lambda i: simulator.run(circuit, shots=spec["shots"], noise_model=noise, seed_simulator=SEED + i).result(),
        fetch=lambda result: result.get_counts(),
        check=_means_of(spec["num_qubits"]),
        construct_s=watch.lap(),
    )


def _means_of(num_qubits: int) -> Callable[[Mapping[str, int]], Any]:
    return lambda counts: z_means({int(key, 2): count for key, count in counts.items()}, num_qubits)


_KINDS: dict[str, Callable[[Mapping[str, Any], Any], Prepared]] = {
    "state": _state,
    "expectation": _expectation,
    "sweep": _sweep,
    "paulis": _paulis,
    "shots": _shots,
    "noisy": _noisy,
}

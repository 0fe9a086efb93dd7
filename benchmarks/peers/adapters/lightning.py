"""PennyLane Lightning (lightning.qubit), both precisions, driven through the device interface.

A tape that the device has preprocessed once is executed again and again: what a QNode does for every call besides is
left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.devices import ExecutionConfig
from pennylane.tape import QuantumScript

from benchmarks.peers.adapters._prepared import Prepared, Stopwatch, ansatz_rows, matrix_of, spec_angles, z_means

SEED = 42


def versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("pennylane-lightning", "pennylane")}


def prepare(spec: Mapping[str, Any], precision: str, threads: int, options: Mapping[str, Any]) -> Prepared:
    """See the package's docstring. `threads` is set by the environment (OMP_NUM_THREADS)."""
    device = qml.device("lightning.qubit", wires=spec["num_qubits"], c_dtype=np.dtype(precision).type, seed=SEED)
    return _KINDS[spec["kind"]](spec, device)


_GATES: dict[str, Any] = {
    "x": qml.PauliX,
    "h": qml.Hadamard,
    "cx": qml.CNOT,
    "swap": qml.SWAP,
    "rx": qml.RX,
    "ry": qml.RY,
    "rz": qml.RZ,
    "cp": qml.ControlledPhaseShift,
    "rxx": qml.IsingXX,
    "ryy": qml.IsingYY,
    "rzz": qml.IsingZZ,
}


def _operations(num_qubits: int, rows: Any) -> list[Any]:
    """Wire 0 is the most significant bit of its states, and the first wire of its matrices."""
    operations = []
    for name, qubits, params, *pairs in rows:
        wires = [num_qubits - 1 - q for q in qubits]
        if name in ("unitary", "fsim"):
            operations.append(qml.QubitUnitary(matrix_of(name, params, *pairs), wires=wires[::-1]))
        else:
            operations.append(_GATES[name](*params, wires=wires))
    return operations


def _ansatz(spec: Mapping[str, Any]) -> list[Any]:
    n = spec["num_qubits"]
    return _operations(n, ansatz_rows(n, spec["layers"], spec["angles"][0]))


def _observable(spec: Mapping[str, Any]) -> Any:
    n = spec["num_qubits"]
    letters = {"X": qml.PauliX, "Y": qml.PauliY, "Z": qml.PauliZ}
    products = [[letters[letter](n - 1 - q) for q, letter in factors] for _, factors in spec["terms"]]
    return qml.Hamiltonian([c for c, _ in spec["terms"]], [qml.prod(*p) if len(p) > 1 else p[0] for p in products])


def _preprocessed(device: Any, tape: QuantumScript, config: ExecutionConfig | None = None) -> tuple[Any, Any]:
    pipeline, resolved = device.preprocess(config)
    batch, _ = pipeline([tape])
    if len(batch) != 1:
        raise ValueError(f"Lightning splits the circuit into {len(batch)} tapes")
    return batch[0], resolved


def _state(spec: Mapping[str, Any], device: Any) -> Prepared:
    watch = Stopwatch()
    tape = QuantumScript(_operations(spec["num_qubits"], spec["operations"]), [qml.state()])
    construct_s = watch.lap()
    tape, config = _preprocessed(device, tape)
    return Prepared(
        run=lambda _: device.execute([tape], config),
        fetch=lambda results: np.asarray(results[0]),
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


def _expectation(spec: Mapping[str, Any], device: Any) -> Prepared:
    watch = Stopwatch()
    tape = QuantumScript(_ansatz(spec), [qml.expval(_observable(spec))])
    construct_s = watch.lap()
    tape, config = _preprocessed(device, tape)
    rows = spec_angles(spec).tolist()
    slots = range(len(rows[0]))
    return Prepared(
        run=lambda i: device.execute([tape.bind_new_parameters(rows[i % len(rows)], slots)], config),
        fetch=lambda results: float(results[0]),
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


def _sweep(spec: Mapping[str, Any], device: Any) -> Prepared:
    watch = Stopwatch()
    tape = QuantumScript(_ansatz(spec), [qml.expval(_observable(spec))])
    construct_s = watch.lap()
    tape, config = _preprocessed(device, tape)
    rows = spec_angles(spec).tolist()
    slots = range(len(rows[0]))
    return Prepared(
        run=lambda _: device.execute([tape.bind_new_parameters(row, slots) for row in rows], config),
        fetch=lambda results: np.array([float(value) for value in results]),
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


def _gradient(spec: Mapping[str, Any], device: Any) -> Prepared:
    watch = Stopwatch()
    rows = spec_angles(spec).tolist()
    slots = list(range(len(rows[0])))
    tape = QuantumScript(_ansatz(spec), [qml.expval(_observable(spec))], trainable_params=slots)
    construct_s = watch.lap()
    tape, config = _preprocessed(device, tape, ExecutionConfig(gradient_method="adjoint", use_device_gradient=True))
    return Prepared(
        run=lambda i: device.execute_and_compute_derivatives(
            [tape.bind_new_parameters(rows[i % len(rows)], slots)], config
        ),
        fetch=lambda result: (float(result[0][0]), np.asarray(result[1][0], dtype=np.float64)),
        check=lambda pair: np.array([pair[0], *pair[1]]),
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


def _shots(spec: Mapping[str, Any], device: Any) -> Prepared:
    watch = Stopwatch()
    n = spec["num_qubits"]
    tape = QuantumScript(_ansatz(spec), [qml.counts(wires=range(n))], shots=spec["shots"])
    construct_s = watch.lap()
    tape, config = _preprocessed(device, tape)
    return Prepared(
        run=lambda _: device.execute([tape], config),
        fetch=lambda results: Counter(results[0]),
        check=lambda counts: z_means({int(key, 2): count for key, count in counts.items()}, n),
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


_KINDS: dict[str, Callable[[Mapping[str, Any], Any], Prepared]] = {
    "state": _state,
    "expectation": _expectation,
    "sweep": _sweep,
    "paulis": _expectation,
    "gradient": _gradient,
    "shots": _shots,
}

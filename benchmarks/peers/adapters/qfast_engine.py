"""qfast itself, both precisions, on the engine that the setting names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

import qfast
from benchmarks.peers.adapters._prepared import Prepared, Stopwatch, ansatz_rows, matrix_of, spec_angles, z_means

SEED = 42


def versions() -> dict[str, str]:
    return {"qfast": qfast.__version__}


@dataclass(frozen=True)
class _How:
    """Keywords of `qfast.compile` and its like."""

    precision: Any
    threads: int
    engine: Any

    def keywords(self) -> dict[str, Any]:
        return {"precision": self.precision, "threads": self.threads, "engine": self.engine}


def prepare(spec: Mapping[str, Any], precision: str, threads: int, options: Mapping[str, Any]) -> Prepared:
    """See the package's docstring."""
    return _KINDS[spec["kind"]](spec, _How(precision, threads, options["engine"]))


def _build(num_qubits: int, rows: Any) -> qfast.Circuit:
    circuit = qfast.Circuit(num_qubits)
    for name, run in groupby(rows, key=lambda row: row[0]):
        found = list(run)
        if name == "unitary":
            for _, qubits, params, pairs in found:
                circuit.unitary(matrix_of(name, params, pairs), qubits)
        else:
            params = [row[2] for row in found]
            circuit.extend(name, [row[1] for row in found], params if params[0] else None)
    return circuit


def _state(spec: Mapping[str, Any], how: _How) -> Prepared:
    watch = Stopwatch()
    circuit = _build(spec["num_qubits"], spec["operations"])
    construct_s = watch.lap()
    program = qfast.compile(circuit, **how.keywords())
    return Prepared(
        run=lambda _: program.simulate(),
        fetch=lambda state: state.amplitudes,
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


def _ansatz(spec: Mapping[str, Any], angles: Any) -> qfast.Circuit:
    return _build(spec["num_qubits"], ansatz_rows(spec["num_qubits"], spec["layers"], angles))


def _parametric(spec: Mapping[str, Any], how: _How) -> tuple[Any, float, float]:
    watch = Stopwatch()
    circuit = _ansatz(spec, list(qfast.ParameterVector("t", 2 * spec["layers"] * spec["num_qubits"])))
    construct_s = watch.lap()
    return qfast.compile(circuit, **how.keywords()), construct_s, watch.lap()


def _observable(spec: Mapping[str, Any]) -> qfast.PauliSum:
    return qfast.PauliSum(
        [("".join(letter for _, letter in factors), [q for q, _ in factors], c) for c, factors in spec["terms"]]
    )


def _expectation(spec: Mapping[str, Any], how: _How) -> Prepared:
    program, construct_s, compile_s = _parametric(spec, how)
    observable, rows = _observable(spec), list(spec_angles(spec))
    return Prepared(
        run=lambda i: program.expectation(rows[i % len(rows)], observable),
        construct_s=construct_s,
        compile_s=compile_s,
    )


def _sweep(spec: Mapping[str, Any], how: _How) -> Prepared:
    program, construct_s, compile_s = _parametric(spec, how)
    observable, angles = _observable(spec), spec_angles(spec)
    return Prepared(run=lambda _: program.expectation(angles, observable), construct_s=construct_s, compile_s=compile_s)


def _shots(spec: Mapping[str, Any], how: _How) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec, spec["angles"][0])
    construct_s = watch.lap()
    program = qfast.compile(circuit, **how.keywords())
    return Prepared(
        run=lambda _: program.sample(shots=spec["shots"], seed=SEED),
        fetch=lambda samples: samples.get_counts(),
        check=_means_of(spec["num_qubits"]),
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


def _bits(spec: Mapping[str, Any], how: _How) -> Prepared:
    shots = _shots(spec, how)
    shots.fetch = lambda samples: samples.packed()
    shots.check = lambda rows: (
        1 - 2 * np.unpackbits(rows, axis=1, count=spec["num_qubits"], bitorder="little").mean(axis=0, dtype=np.float64)
    )
    return shots


def _gradient(spec: Mapping[str, Any], how: _How) -> Prepared:
    program, construct_s, compile_s = _parametric(spec, how)
    observable, rows = _observable(spec), list(spec_angles(spec))
    return Prepared(
        run=lambda i: program.value_and_gradient(rows[i % len(rows)], observable),
        check=lambda result: np.concatenate([[result[0]], result[1]]),
        construct_s=construct_s,
        compile_s=compile_s,
    )


def _noisy(spec: Mapping[str, Any], how: _How) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec, spec["angles"][0])
    noise = (
        qfast.NoiseModel()
        .add(qfast.channels.depolarizing(spec["p1"]), gates=["ry", "rz"])
        .add(qfast.channels.depolarizing(spec["p2"], num_qubits=2), gates=["cx"])
    )
    return Prepared(
        run=lambda i: qfast.sample(circuit, shots=spec["shots"], seed=SEED + i, noise=noise, **how.keywords()),
        fetch=lambda samples: samples.get_counts(),
        check=_means_of(spec["num_qubits"]),
        construct_s=watch.lap(),
    )


def _means_of(num_qubits: int) -> Callable[[Mapping[str, int]], Any]:
    return lambda counts: z_means({int(key, 2): count for key, count in counts.items()}, num_qubits)


_KINDS: dict[str, Callable[[Mapping[str, Any], _How], Prepared]] = {
    "state": _state,
    "expectation": _expectation,
    "sweep": _sweep,
    "paulis": _expectation,
    "gradient": _gradient,
    "shots": _shots,
    "bits": _bits,
    "noisy": _noisy,
}

"""PRISM-Q (complex128 only): dense statevector backend, or a prepared circuit that replays its fusion plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import prism_q as pq

from benchmarks.peers.adapters._prepared import Prepared, Stopwatch, ansatz_rows, matrix_of, spec_angles, z_means

SEED = 42


def versions() -> dict[str, str]:
    return {"prism-q": pq.__version__}


def prepare(spec: Mapping[str, Any], precision: str, threads: int, options: Mapping[str, Any]) -> Prepared:
    """See the package's docstring. `threads` is set by the environment (RAYON_NUM_THREADS)."""
    if precision != "complex128":
        raise ValueError(f"PRISM-Q computes in complex128 only, not in {precision}")
    return _KINDS[spec["kind"]](spec, options)


def _state(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit = _build(spec["num_qubits"], spec["operations"])
    construct_s = watch.lap()
    dense = pq.BackendKind.statevector()
    if not options.get("prepared"):
        return Prepared(
            run=lambda _: pq.simulate(circuit).backend(dense).seed(SEED).state_vector(), construct_s=construct_s
        )
    circuit.add_save(pq.SaveSpec.StateVector, "final")
    program = pq.PreparedCircuit(circuit, pq.Parameters(0), dense)
    return Prepared(
        run=lambda _: program.run([], seed=SEED),
        fetch=lambda outcome: outcome.saves[0]["value"],
        construct_s=construct_s,
        compile_s=watch.lap(),
    )


def _build(num_qubits: int, operations: Iterable[Any]) -> Any:
    builder = pq.CircuitBuilder(num_qubits)
    for name, qubits, params, pairs in operations:
        if name in ("unitary", "fsim"):
            # Its matrices have the first qubit most significant.
            builder.gate(pq.Gate.unitary(matrix_of(name, params, pairs)), qubits[::-1])
        else:
            getattr(builder, {"cp": "cphase"}.get(name, name))(*params, *qubits)
    return builder.build()


def _ansatz(spec: Mapping[str, Any], values: Iterable[float], measured: bool = False) -> Any:
    """Builder of the ansatz whose rotations are the slots 0, 1, … of its parameters."""
    num_qubits = spec["num_qubits"]
    builder = pq.CircuitBuilder(num_qubits, num_qubits if measured else 0)
    slot = 0
    for name, qubits, params in ansatz_rows(num_qubits, spec["layers"], list(values)):
        getattr(builder, name)(*params, *qubits)
        if params:
            builder.param(slot)
            slot += 1
    return builder.measure_all() if measured else builder


def _observable(spec: Mapping[str, Any]) -> Any:
    return pq.PauliObservable([(coefficient, [tuple(f) for f in factors]) for coefficient, factors in spec["terms"]])


def _program(spec: Mapping[str, Any], angles: Any) -> tuple[Any, float, float]:
    watch = Stopwatch()
    builder = _ansatz(spec, angles[0].tolist())
    circuit, parameters = builder.build(), builder.parameters()
    construct_s = watch.lap()
    program = pq.PreparedCircuit(circuit, parameters, pq.BackendKind.statevector())
    return program, construct_s, watch.lap()


def _expectation(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    angles = spec_angles(spec)
    program, construct_s, compile_s = _program(spec, angles)
    observable = _observable(spec)
    rows = [row.tolist() for row in angles]
    return Prepared(
        run=lambda i: program.observable_expectation(rows[i % len(rows)], observable, seed=SEED).mean,
        construct_s=construct_s,
        compile_s=compile_s,
    )


def _sweep(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    angles = spec_angles(spec)
    program, construct_s, compile_s = _program(spec, angles)
    observable = _observable(spec)
    return Prepared(
        run=lambda _: program.observable_expectation_many(angles, observable, seed=SEED),
        fetch=lambda results: np.array([result.mean for result in results]),
        construct_s=construct_s,
        compile_s=compile_s,
    )


def _gradient(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    angles = spec_angles(spec)
    builder = _ansatz(spec, angles[0].tolist())
    circuit, parameters, links = builder.build(), builder.parameters(), builder.parameter_links()
    observable = _observable(spec)
    dense = pq.BackendKind.statevector()
    rows = [row.tolist() for row in angles]

    def run(i: int) -> Any:
        bound = parameters.bind(circuit, rows[i % len(rows)])
        return pq.simulate(bound).backend(dense).seed(SEED).expectation_gradient(observable, links)

    return Prepared(run=run, check=lambda result: np.array([result[0], *result[1]]), construct_s=watch.lap())


def _shots(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec, spec_angles(spec)[0].tolist(), measured=True).build()
    dense = pq.BackendKind.statevector()
    return Prepared(
        run=lambda _: pq.simulate(circuit).backend(dense).seed(SEED).sample_counts(spec["shots"]),
        fetch=lambda result: result.counts(),
        check=_means_of(spec["num_qubits"]),
        construct_s=watch.lap(),
    )


def _bits(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec, spec_angles(spec)[0].tolist(), measured=True).build()
    dense = pq.BackendKind.statevector()
    return Prepared(
        run=lambda _: pq.simulate(circuit).backend(dense).seed(SEED).shots(spec["shots"]),
        fetch=lambda result: result.shots,  # one row of booleans for each shot
        check=lambda rows: 1 - 2 * np.mean(rows, axis=0, dtype=np.float64),
        construct_s=watch.lap(),
    )


def _noisy(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Prepared:
    watch = Stopwatch()
    circuit = _ansatz(spec, spec_angles(spec)[0].tolist(), measured=True).build()
    noise = (
        pq.NoiseBuilder()
        .after_gates(pq.GateFilter.all().arity(1), pq.NoiseChannel.depolarizing(spec["p1"]))
        .after_gates_joint(pq.GateFilter.all().named("cx"), pq.NoiseChannel.two_qubit_depolarizing(spec["p2"]))
        .build(circuit)
    )
    dense = pq.BackendKind.statevector()
    return Prepared(
        run=lambda i: pq.simulate(circuit).backend(dense).seed(SEED + i).noise(noise).sample_counts(spec["shots"]),
        fetch=lambda result: result.counts(),
        check=_means_of(spec["num_qubits"]),
        construct_s=watch.lap(),
    )


def _means_of(num_qubits: int) -> Callable[[Mapping[str, int]], Any]:
    # Classical bit 0 is the leftmost character of a key.
    return lambda counts: z_means({int(key[::-1], 2): count for key, count in counts.items()}, num_qubits)


_KINDS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Prepared]] = {
    "state": _state,
    "expectation": _expectation,
    "sweep": _sweep,
    "paulis": _expectation,
    "gradient": _gradient,
    "shots": _shots,
    "bits": _bits,
    "noisy": _noisy,
}

"""A sweep of 100 points in a batch: the jobs are independent, so they run in parallel and finish in any order.

Run: python examples/sweep_batch.py
"""

from __future__ import annotations

import numpy as np

import qfast

NUM_QUBITS = 8


def make_circuit() -> qfast.Circuit:
    """Return one layer of QAOA for MaxCut on a ring: the cut as a function of two angles."""
    gamma, beta = qfast.Parameter("gamma"), qfast.Parameter("beta")
    circuit = qfast.Circuit(NUM_QUBITS)
    for qubit in range(NUM_QUBITS):
        circuit.h(qubit)
    for qubit in range(NUM_QUBITS):
        circuit.rzz(gamma, qubit, (qubit + 1) % NUM_QUBITS)
    for qubit in range(NUM_QUBITS):
        circuit.rx(beta, qubit)
    return circuit


def cut_of(counts: dict[str, int]) -> float:
    """Return the mean number of edges of the ring whose ends differ."""
    cuts = {bits: sum(a != b for a, b in zip(bits, bits[1:] + bits[0], strict=True)) for bits in counts}
    return sum(cuts[bits] * count for bits, count in counts.items()) / sum(counts.values())


def main(points: int = 10, shots: int = 2000) -> tuple[tuple[float, float], float]:
    """Return the best point of a grid of ``points`` by ``points`` angles, and its cut."""
    circuit = make_circuit()
    grid = [(g, b) for g in np.linspace(0.0, np.pi, points) for b in np.linspace(0.0, np.pi, points)]
    with qfast.Batch("local::statevector", seed=7, tags=["sweep"]) as batch:
        point_of = {batch.run(circuit, shots=shots, parameters={"gamma": g, "beta": b}).id: (g, b) for g, b in grid}
    best = max((cut_of(job.result().get_counts()), point_of[job.id]) for job in batch.as_completed())
    figures = batch.metrics()
    print(f"best of {figures.completed} points: gamma {best[1][0]:.2f}, beta {best[1][1]:.2f}, cut {best[0]:.3f}")
    print(f"{figures.shots} shots, {1e3 * figures.run_s / figures.completed:.2f} ms a job")
    return best[1], best[0]


if __name__ == "__main__":
    main()

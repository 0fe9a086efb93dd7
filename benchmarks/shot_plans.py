"""Shot plans: what segments cost beyond one simulation and its sampling, and whether error bars hold.

Run: ``python benchmarks/shot_plans.py cost [qubits]``, ``… coverage [seeds]`` or ``… target [seeds]``.
Goals: a plan of 100 segments takes at most 1.3 times as long as one simulation with the same shots; of 200 seeds 65 to
71 % are within one standard error (their share has itself a standard deviation of 3.3 %). Times: CPU seconds of one
thread, the middle of five runs.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import numpy as np

import qfast
from qfast import Circuit, PauliSum, ShotPlan

SHOTS = 100_000
REPETITIONS = 5


def brickwork(num_qubits: int, layers: int) -> Circuit:
    """Layers of random one-qubit gates and cz."""
    rng = np.random.default_rng(0)
    circuit = Circuit(num_qubits)
    for layer in range(layers):
        for q in range(num_qubits):
            circuit.u(*rng.uniform(0, 6, 3).tolist(), q)
        for q in range(layer % 2, num_qubits - 1, 2):
            circuit.cz(q, q + 1)
    return circuit


def tfim(num_qubits: int) -> PauliSum:
    """Transverse-field Ising model: two measurement settings."""
    bonds = [("ZZ", [q, q + 1], -1.0) for q in range(num_qubits - 1)]
    return PauliSum(bonds + [("X", [q], -0.7) for q in range(num_qubits)])


def molecule(num_qubits: int = 8, num_terms: int = 300) -> PauliSum:
    """Random Pauli strings with coefficients that fall off as those of a small molecule do."""
    rng = np.random.default_rng(5)
    letters = ["".join(rng.choice(list("IXYZ"), num_qubits, p=[0.4, 0.15, 0.15, 0.3])) for _ in range(num_terms)]
    sizes = np.exp(-rng.uniform(0, 5, num_terms)) * rng.choice([-1, 1], num_terms)
    terms = [(text, range(num_qubits), float(size)) for text, size in zip(letters, sizes, strict=True)]
    return PauliSum(terms, num_qubits=num_qubits)


def median_s(action: Callable[[], object]) -> float:
    """CPU seconds of the middle one of some runs."""
    times = []
    for _ in range(REPETITIONS):
        begun = time.process_time()
        action()
        times.append(time.process_time() - begun)
    return sorted(times)[REPETITIONS // 2]


def shots_of(circuit: Circuit, shots: int) -> object:
    """Simulate and sample, without a plan."""
    return qfast.sample(circuit, shots, seed=1, threads=1)


def cost(num_qubits: int) -> None:
    """Print what 100 segments cost in one, two and four bases, for a shallow and a deep circuit."""
    for layers in (4, 40):
        circuit = brickwork(num_qubits, layers)
        once = median_s(lambda circuit=circuit: shots_of(circuit, SHOTS))  # type: ignore[misc]
        print(f"{num_qubits} qubits, {layers} layers: simulation and {SHOTS} shots {once * 1e3:.0f} ms")
        for bases in ("Z", "ZX", "ZXY"):
            segments = [{"shots": SHOTS // 100, "basis": bases[k % len(bases)]} for k in range(100)]
            plan = ShotPlan(segments, circuit=circuit)
            taken = median_s(lambda plan=plan: plan.run(seed=1, options={"threads": 1}))  # type: ignore[misc]
            alone = [Circuit(num_qubits).compose(circuit).compose(turned(num_qubits, b)) for b in bases]
            apart = median_s(lambda alone=alone: [shots_of(c, SHOTS // len(alone)) for c in alone])  # type: ignore[misc]
            print(
                f"  100 segments, {len(bases)} bases: {taken * 1e3:.0f} ms, {taken / once:.2f} x one; "
                f"each basis simulated by itself, without segments: {apart * 1e3:.0f} ms"
            )


def turned(num_qubits: int, basis: str) -> Circuit:
    """The basis change of one letter on all qubits."""
    circuit = Circuit(num_qubits)
    for q in range(num_qubits):
        if basis == "Y":
            circuit.sdg(q)
        if basis != "Z":
            circuit.h(q)
    return circuit


def coverage(seeds: int) -> None:
    """Print the share of seeds whose value is within one and two standard errors, and the pulls' mean and spread."""
    cases = [
        ("TFIM, 6 qubits, 2000 shots", brickwork(6, 3), tfim(6), 2000),
        ("TFIM, 12 qubits, 2000 shots", brickwork(12, 3), tfim(12), 2000),
        ("300 terms, 8 qubits, 40000 shots", brickwork(8, 3), molecule(), 40_000),
    ]
    spread = math.sqrt(0.6827 * 0.3173 / seeds)
    print(f"{seeds} seeds: 68.3 % expected, standard deviation {100 * spread:.1f} %")
    for name, circuit, observable, shots in cases:
        exact = qfast.simulate(circuit).expectation(observable)
        for allocation in ("uniform", "coefficient", "variance"):
            plan = ShotPlan.for_observable(circuit, observable, shots=shots, allocation=allocation)  # type: ignore[arg-type]
            found = [plan.run(seed=seed) for seed in range(seeds)]
            pulls = np.array([(f.expectation - exact) / f.standard_error for f in found])
            print(
                f"  {name}, {allocation}: {100 * np.mean(np.abs(pulls) <= 1):.1f} % within one error, "
                f"{100 * np.mean(np.abs(pulls) <= 2):.1f} % within two; "
                f"pull {pulls.mean():+.3f} ± {pulls.std(ddof=1):.3f}"
            )


def target(seeds: int) -> None:
    """Print how many shots each allocation needs to a target error."""
    cases = [
        ("TFIM, 12 qubits, to 0.02", brickwork(12, 3), tfim(12), 0.02),
        ("300 terms, 8 qubits, to 0.03", brickwork(8, 3), molecule(), 0.03),
        ("ground state of a strong field, 12 qubits, to 0.01", turned(12, "X"), tfim(12), 0.01),
    ]
    for name, circuit, observable, error in cases:
        shots = {}
        for allocation in ("uniform", "coefficient", "variance"):
            plan = ShotPlan.for_observable(
                circuit,
                observable,
                shots=10**8,
                allocation=allocation,
                target_error=error,  # type: ignore[arg-type]
            )
            results = [plan.run(seed=seed) for seed in range(seeds)]
            assert all(result.standard_error <= error for result in results)
            shots[allocation] = float(np.mean([result.total_shots for result in results]))
        print(
            f"{name}, {len(plan.settings)} settings: "
            + ", ".join(f"{key} {value:,.0f} ({value / shots['uniform']:.2f})" for key, value in shots.items())
        )


if __name__ == "__main__":
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    what = sys.argv[1] if len(sys.argv) > 1 else "cost"
    if what == "coverage":
        coverage(number or 200)
    elif what == "target":
        target(number or 5)
    else:
        cost(number or 22)

"""The task table: what people do with a simulator besides computing one state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["TASKS", "Task"]

SEED = 11
_Term = tuple[float, list[tuple[int, str]]]


@dataclass(frozen=True)
class Task:
    """One row of the task table; complex128 unless a simulator has only the other.

    Attributes
    ----------
    name, title : str
    kind : str
        What the adapters are asked to prepare.
    num_qubits, layers : int
        The circuit: a hardware-efficient ansatz.
    sets : int
        Parameter sets: a sweep runs all of them, the other kinds one after the other, a new one each time.
    shots : int
    p1, p2 : float
        Depolarising error behind one- and two-qubit gates of a noisy run.
    num_strings : int
        Random Pauli strings of the observable; 0: the transverse-field Ising chain.
    is_long : bool
        Only on request: some simulators take minutes for each run.
    tolerance : float
        Largest difference from qfast's values in complex128 (for counts: from its ⟨Z⟩ of every qubit; both sides
        sample, so this is six standard deviations).
    """

    name: str
    title: str
    kind: str
    num_qubits: int
    layers: int
    sets: int = 1
    shots: int = 0
    num_strings: int = 0
    tolerance: float = 1e-9
    p1: float = 0.001
    p2: float = 0.01
    is_long: bool = False

    def to_spec(self) -> dict[str, Any]:
        """Return the job as plain JSON types."""
        rng = np.random.default_rng([SEED, self.num_qubits, self.layers])
        angles = rng.uniform(-np.pi, np.pi, (self.sets, 2 * self.layers * self.num_qubits))
        strings = _random_strings(self.num_qubits, self.num_strings, rng)
        return {
            "kind": self.kind,
            "num_qubits": self.num_qubits,
            "layers": self.layers,
            "angles": angles.tolist(),
            "terms": strings or _ising_chain(self.num_qubits),
            "shots": self.shots,
            "p1": self.p1,
            "p2": self.p2,
        }


def _ising_chain(num_qubits: int) -> list[_Term]:
    """-Σ Z Z - 0.7 Σ X on an open chain."""
    bonds: list[_Term] = [(-1.0, [(q, "Z"), (q + 1, "Z")]) for q in range(num_qubits - 1)]
    return bonds + [(-0.7, [(q, "X")]) for q in range(num_qubits)]


def _random_strings(num_qubits: int, count: int, rng: np.random.Generator) -> list[_Term]:
    """Distinct strings of random weight (1 to n), random places, letters and coefficients."""
    terms: dict[str, _Term] = {}
    while len(terms) < count:
        weight = int(rng.integers(1, num_qubits + 1))
        places = np.sort(rng.choice(num_qubits, weight, replace=False)).tolist()
        factors = [(q, "XYZ"[k]) for q, k in zip(places, rng.integers(0, 3, weight).tolist(), strict=True)]
        terms.setdefault(str(factors), (float(rng.normal()), factors))
    return list(terms.values())


def _deviations(shots: int) -> float:
    return 6 * math.sqrt(2 / shots)


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("bind-4", "bind + run + ⟨H⟩, 4 qubits", "expectation", 4, 2, sets=16),
        Task("bind-10", "bind + run + ⟨H⟩, 10 qubits", "expectation", 10, 2, sets=16),
        Task("bind-16", "bind + run + ⟨H⟩, 16 qubits", "expectation", 16, 2, sets=16),
        Task("sweep-8", "256 parameter sets, 8 qubits", "sweep", 8, 2, sets=256),
        Task("sweep-12", "256 parameter sets, 12 qubits", "sweep", 12, 2, sets=256),
        Task("paulis-18", "⟨H⟩ of 500 random Pauli strings, 18 qubits", "paulis", 18, 4, num_strings=500),
        Task("gradient-12", "gradient, 96 parameters, 12 qubits", "gradient", 12, 4, sets=4),
        Task("gradient-20", "gradient, 160 parameters, 20 qubits", "gradient", 20, 4, sets=4),
        Task("shots-20", "run + 10^6 shots, 20 qubits", "shots", 20, 4, shots=10**6, tolerance=_deviations(10**6)),
        Task("shots-deep-20", "the same, 16 layers", "shots", 20, 16, shots=10**6, tolerance=_deviations(10**6)),
        Task(
            "bits-20",
            "run + every one of 10^6 shots, 20 qubits",
            "bits",
            20,
            4,
            shots=10**6,
            tolerance=_deviations(10**6),
        ),
        Task("noisy-12", "1000 noisy shots, 12 qubits", "noisy", 12, 4, shots=1000, tolerance=_deviations(1000)),
        Task(
            "noisy-14",
            "10^4 noisy shots, 14 qubits, 30 layers",
            "noisy",
            14,
            30,
            shots=10**4,
            tolerance=_deviations(10**4),
            p2=0.001,
            is_long=True,
        ),
    )
}

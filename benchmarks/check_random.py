"""Check the native engine on thousands of random circuits against the dense oracle of the tests.

Run from the root of the project, with the extra ``test``::

    python -m benchmarks.check_random [--circuits 10000] [--most-qubits 14] [--seed 0]

Every circuit draws gates of the whole table, gates of data (unitaries, diagonals, permutations, Pauli rotations) and
extra controls in any state; angles are often multiples of π/2. It runs on every instruction set of this CPU, in both
precisions, with tiles as the planner chooses them and with the smallest ones, from |0…0⟩ or from a random state.
The largest difference of an amplitude must stay below 1e-12 and 3e-5.
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any

import numpy as np

from qfast.circuit import GATES, Circuit
from qfast.engines.native import NativeEngine, isas
from tests import oracle
from tests.circuit.strategies import random_unitary

BOUNDS = {"complex128": 1e-12, "complex64": 3e-5}
TILES = (0, 1, 6)  # 0: the planner's choice; 1: the smallest that the instruction set allows
FIXED = [row for row in GATES if row.target_matrix is not None and row.num_qubits is not None]
DATA = ("unitary", "diagonal", "permutation", "pauli_rotation")


def angle(rng: np.random.Generator) -> float:
    return float(rng.integers(-4, 5)) * math.pi / 2 if rng.random() < 0.25 else float(rng.normal()) * 2


def random_circuit(rng: np.random.Generator, num_qubits: int, num_gates: int) -> Circuit:
    circuit = Circuit(num_qubits)
    while len(circuit) < num_gates:
        order = rng.permutation(num_qubits).tolist()
        choice = int(rng.integers(len(FIXED) + 8))
        width = FIXED[choice].num_qubits if choice < len(FIXED) else int(rng.integers(1, min(4, num_qubits) + 1))
        if width is None or width > num_qubits:
            continue
        extra = min(int(rng.choice([0, 0, 0, 0, 1, 2, 5])), num_qubits - width)
        options: dict[str, Any] = {
            "controls": order[width : width + extra], "ctrl_state": int(rng.integers(1 << extra)),
        }  # fmt: skip
        qubits, dim = order[:width], 1 << width
        if choice < len(FIXED):
            row = FIXED[choice]
            circuit.append(row.name, qubits, [angle(rng) for _ in range(row.num_params)], **options)
            continue
        match DATA[choice % len(DATA)]:
            case "unitary":
                circuit.unitary(random_unitary(rng, dim), qubits, **options)
            case "diagonal":
                circuit.diagonal(np.exp(1j * rng.uniform(-math.pi, math.pi, dim)), qubits, **options)
            case "permutation":
                circuit.permutation(rng.permutation(dim), qubits, **options)
            case _:
                letters = "".join(rng.choice(list("IXYZ"), width))
                circuit.pauli_rotation(letters, qubits, angle(rng), **options)
    return circuit


def differences(circuit: Circuit, rng: np.random.Generator, engines: list[NativeEngine]) -> dict[str, float]:
    """The largest difference of an amplitude by precision, over instruction sets and tiles."""
    size = 1 << circuit.num_qubits
    start = None
    if rng.random() < 0.5:
        start = rng.normal(size=size) + 1j * rng.normal(size=size)
        start /= np.linalg.norm(start)
    wanted = oracle.statevector(circuit, initial=start)
    worst = dict.fromkeys(BOUNDS, 0.0)
    for engine in engines:
        for precision in BOUNDS:
            for tile_qubits in TILES:
                prepared = engine.prepare(circuit, precision=precision, tile_qubits=tile_qubits)
                state = np.full(size, 7 + 7j, dtype=precision) if start is None else start.astype(precision)
                prepared.run(state, np.zeros(0), from_zero=start is None, threads=2, cancel=None)
                worst[precision] = max(worst[precision], float(np.abs(state - wanted).max()))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--circuits", type=int, default=10_000)
    parser.add_argument("--most-qubits", type=int, default=14)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    engines = [NativeEngine(isa) for isa in isas()]
    worst, wrong = dict.fromkeys(BOUNDS, 0.0), 0
    for number in range(arguments.circuits):
        rng = np.random.default_rng([arguments.seed, number])
        num_qubits = int(rng.integers(1, arguments.most_qubits + 1))
        circuit = random_circuit(rng, num_qubits, int(rng.integers(1, 41)))
        found = differences(circuit, rng, engines)
        for precision, bound in BOUNDS.items():
            worst[precision] = max(worst[precision], found[precision])
            if not found[precision] < bound:
                wrong += 1
                print(f"circuit {number} ({num_qubits} qubits), {precision}: off by {found[precision]:.1e}")
        if (number + 1) % 500 == 0:
            print(f"{number + 1} circuits, largest differences {worst}", flush=True)
    print(f"{wrong} wrong of {arguments.circuits} circuits on {', '.join(isas())}; largest differences {worst}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

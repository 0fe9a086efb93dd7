"""Check OpenQASM 2 files against Qiskit Aer: states amplitude by amplitude, measured circuits by distribution.

Needs qiskit and qiskit-aer besides qfast::

    python benchmarks/check_circuits.py FOLDER [--most-qubits 27]

For a file that only measures at its end, the final states of qfast (native engine, both precisions) and Aer
(complex128) are compared up to a global phase: the largest difference must stay below 1e-10 and 1e-5. A file that
measures, resets or decides in the middle is compared by the counts of both: the total variation distance must stay
below twice what two samples of one distribution of that support have on average.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit, qasm2, transpile
from qiskit_aer import AerSimulator

import qfast

SHOTS = 200_000
BOUNDS = {"complex128": 1e-10, "complex64": 1e-5}
BLOCK = 1 << 22  # amplitudes compared at a time


def aer_state(circuit: QuantumCircuit) -> np.ndarray:
    bare = circuit.remove_final_measurements(inplace=False)
    bare.save_statevector()
    result = AerSimulator(method="statevector").run(bare, optimization_level=0).result()
    return np.asarray(result.get_statevector())


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest |a - phase * b|, the phase taken where b is largest."""
    place = int(np.argmax(np.abs(theirs[:BLOCK]))) if len(theirs) > BLOCK else int(np.argmax(np.abs(theirs)))
    phase = ours[place] / theirs[place]
    phase /= abs(phase)
    pieces = (slice(at, at + BLOCK) for at in range(0, len(ours), BLOCK))
    return max(float(np.abs(ours[piece] - phase * theirs[piece]).max()) for piece in pieces)


def measures_in_the_middle(circuit: QuantumCircuit) -> bool:
    bare = circuit.remove_final_measurements(inplace=False)
    return any(step.operation.name in ("measure", "reset", "if_else") or getattr(step.operation, "condition", None)
               for step in bare.data)  # fmt: skip


def check_states(path: Path, theirs: QuantumCircuit) -> bool:
    reference = aer_state(theirs)
    differences = {}
    for precision, bound in BOUNDS.items():
        circuit = qfast.Circuit.from_qasm_file(path)
        state = qfast.simulate(circuit, engine="native", precision=precision).amplitudes
        differences[precision] = (largest_difference(state, reference), bound)
    print(f"{path.name:26} {theirs.num_qubits:3} qubits  state   ", end="")
    print("  ".join(f"{p} {d:.1e}" for p, (d, _) in differences.items()))
    return all(d < bound for d, bound in differences.values())


def check_counts(path: Path, theirs: QuantumCircuit) -> bool:
    simulator = AerSimulator(method="statevector", seed_simulator=11)
    their_counts = simulator.run(theirs, shots=SHOTS, optimization_level=0).result().get_counts()
    expected = {key.replace(" ", ""): count for key, count in their_counts.items()}
    found = dict(qfast.sample(qfast.Circuit.from_qasm_file(path), shots=SHOTS, seed=7, engine="native").get_counts())
    keys = expected.keys() | found.keys()
    distance = sum(abs(expected.get(k, 0) - found.get(k, 0)) for k in keys) / (2 * SHOTS)
    # Mean distance of two samples of p: sum_k sqrt(p_k / (pi * shots)).
    usual = sum(((expected.get(k, 0) + found.get(k, 0)) / (2 * SHOTS) / (np.pi * SHOTS)) ** 0.5 for k in keys)
    print(f"{path.name:26} {theirs.num_qubits:3} qubits  counts  distance {distance:.1e}, usual {usual:.1e}")
    return distance <= 2 * usual + 1e-12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most-qubits", type=int, default=27)
    arguments = parser.parse_args()
    bad = []
    for path in sorted(arguments.folder.glob("*.qasm")):
        try:
            read = qasm2.load(path, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)
            theirs = transpile(read, AerSimulator(), optimization_level=0)  # Aer knows no gates defined in a file
        except qasm2.QASM2ParseError as error:
            try:
                qfast.Circuit.from_qasm_file(path)
            except qfast.errors.QasmError as ours:
                print(f"{path.name:26} both refuse it: {str(ours).splitlines()[0]}")
                continue
            print(f"{path.name}: Qiskit refuses it ({error}), qfast reads it")
            bad.append(path.name)
            continue
        if theirs.num_qubits > arguments.most_qubits:
            print(f"{path.name:26} {theirs.num_qubits:3} qubits  left out")
            continue
        check = check_counts if measures_in_the_middle(theirs) else check_states
        if not check(path, theirs):
            bad.append(path.name)
    print("all agree" if not bad else f"DIFFERENT: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

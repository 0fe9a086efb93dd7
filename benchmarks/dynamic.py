"""Circuits that measure, reset and decide while they run, against Aer: milliseconds and ratios.

Run from the root of the project::

    python benchmarks/dynamic.py [--rounds 7] [--cases ghz …] [--json FILE]

Every case is compared first: the marginal of each classical bit, within six standard deviations. Then both simulators
take turns in one process; the median counts. Aer (qiskit-aer) runs with its methods ``statevector`` and ``automatic``;
its time is that of ``run(…).result()`` with counts, of a circuit that is already transpiled.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import qfast
from qfast import Circuit, NoiseModel, channels
from qfast.benchmark.fingerprint import take_fingerprint

FLIPS = 0.02


@dataclass(frozen=True)
class Case:
    """A circuit, its shots, and the noise on ``id`` gates: the probability of a bit flip."""

    circuit: Circuit
    shots: int
    flips: float = 0.0
    goal_ms: float | None = None


def ghz_by_reuse(width: int) -> Circuit:
    c = Circuit(2, width).h(0)
    for k in range(width - 1):
        here, following = k % 2, 1 - k % 2
        c.cx(here, following).measure(here, k).reset(here)
    return c.measure((width - 1) % 2, width - 1)


def swap_rounds(rounds: int) -> Circuit:
    c = Circuit(3, 1)
    for k in range(rounds):
        c.ry(0.3 + 0.1 * k, 1).ry(0.7 + 0.05 * k, 2).ry(0.4, 0).cswap(0, 1, 2).reset(1).reset(2)
    return c.measure(0, 0)


def measured_again(times: int) -> Circuit:
    c = Circuit(1, times)
    for k in range(times):
        c.h(0).measure(0, k)
    return c


def coin_flips(flips: int) -> Circuit:
    c = Circuit(1, flips)
    for k in range(flips):
        c.h(0).measure(0, k).reset(0)
    return c


def teleportations(times: int) -> Circuit:
    c = Circuit(3, 3).ry(0.8, 0).rz(0.4, 0)
    for k in range(times):
        here, pair, there = k % 2 * 2, 1, 2 - k % 2 * 2
        c.h(pair).cx(pair, there).cx(here, pair).h(here).measure(here, 0).measure(pair, 1)
        c.if_test((1, 1), c.block().x(there)).if_test((0, 1), c.block().z(there))
        c.reset(here).reset(pair)
    return c.measure(times % 2 * 2, 2)


def repetition_code(distance: int, rounds: int) -> Circuit:
    data, ancillas = range(distance), range(distance, 2 * distance - 1)
    c = Circuit(2 * distance - 1, rounds * (distance - 1) + distance)
    bit = 0
    for _ in range(rounds):
        for qubit in data:
            c.id(qubit)
        for ancilla in ancillas:
            left = ancilla - distance
            c.cx(left, ancilla).cx(left + 1, ancilla).measure(ancilla, bit).reset(ancilla)
            bit += 1
    return c.measure(list(data), list(range(bit, bit + distance)))


CASES: dict[str, Callable[[], Case]] = {
    "ghz": lambda: Case(ghz_by_reuse(200), 1024, goal_ms=0.5),
    "cswap": lambda: Case(swap_rounds(20), 1024, goal_ms=10),
    "h, measure": lambda: Case(measured_again(300), 1024),
    "coins 1000": lambda: Case(coin_flips(50), 1000),
    "coins 20000": lambda: Case(coin_flips(50), 20_000),
    "teleportation": lambda: Case(teleportations(20), 1024),
    "repetition 3": lambda: Case(repetition_code(3, 30), 1024, FLIPS),
    "repetition 5": lambda: Case(repetition_code(5, 30), 1024, FLIPS),
}


def to_aer(case: Case) -> tuple[Any, Any]:
    """Return the circuit for Aer, and its noise model or None."""
    from qiskit import transpile
    from qiskit.circuit import QuantumCircuit
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoise
    from qiskit_aer.noise import pauli_error

    circuit: QuantumCircuit = qfast.qiskit.to_qiskit(case.circuit)
    noise = None
    if case.flips:
        noise = AerNoise()
        noise.add_all_qubit_quantum_error(pauli_error([("X", case.flips), ("I", 1 - case.flips)]), ["id"])
    return transpile(circuit, AerSimulator(), optimization_level=0), noise


def runs_of(case: Case) -> dict[str, Callable[[int], dict[str, int]]]:
    """One call for each simulator: seed → counts."""
    from qiskit_aer import AerSimulator

    noise = NoiseModel().add(channels.bit_flip(case.flips), ["id"]) if case.flips else None
    circuit, aer_noise = to_aer(case)

    def ours(seed: int) -> dict[str, int]:
        return qfast.sample(
            case.circuit, case.shots, seed=seed, noise=noise, engine="native", output="counts"
        ).get_counts()

    def theirs(method: str) -> Callable[[int], dict[str, int]]:
        simulator = AerSimulator(method=method, noise_model=aer_noise)

        def run(seed: int) -> dict[str, int]:
            counts = simulator.run(circuit, shots=case.shots, seed_simulator=seed).result().get_counts()
            return {key.replace(" ", ""): value for key, value in counts.items()}

        return run

    return {"qfast": ours, "statevector": theirs("statevector"), "automatic": theirs("automatic")}


def means(counts: dict[str, int]) -> np.ndarray:
    """The mean of every classical bit."""
    bits = np.array([[int(digit) for digit in key] for key in counts])
    weights = np.array(list(counts.values()))
    found: np.ndarray = weights @ bits / weights.sum()
    return found


def check(case: Case, runs: dict[str, Callable[[int], dict[str, int]]]) -> None:
    ours = means(runs["qfast"](1))
    for name in ("statevector", "automatic"):
        theirs = means(runs[name](2))
        spread = np.sqrt((ours * (1 - ours) + theirs * (1 - theirs) + 0.1 / case.shots) / case.shots)
        if (np.abs(ours - theirs) > 6 * spread).any():
            raise SystemExit(f"means of bits differ from Aer's ({name}): {ours} {theirs}")


def measure(case: Case, rounds: int) -> dict[str, float]:
    """Return milliseconds by simulator; "first" is our first run of a circuit never seen."""
    runs = runs_of(case)
    check(case, runs)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name, run in runs.items():
            begun = time.perf_counter()
            run(turn)
            times[name].append(1e3 * (time.perf_counter() - begun))
    found = {name: statistics.median(values) for name, values in times.items()}
    firsts = []
    noise = NoiseModel().add(channels.bit_flip(case.flips), ["id"]) if case.flips else None
    for turn in range(rounds):
        fresh = Circuit.from_qasm(case.circuit.to_qasm())
        begun = time.perf_counter()
        qfast.sample(fresh, case.shots, seed=turn, noise=noise, engine="native", output="counts").get_counts()
        firsts.append(1e3 * (time.perf_counter() - begun))
    found["first"] = statistics.median(firsts)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--json")
    chosen = parser.parse_args()
    record = {}
    print(f"{'case':14} {'qfast':>9} {'first':>9} {'statevector':>12} {'automatic':>10}   ratios       goal")
    for name in chosen.cases:
        case = CASES[name]()
        found = record[name] = measure(case, chosen.rounds)
        ratios = [found[other] / found["qfast"] for other in ("statevector", "automatic")]
        goal = "" if case.goal_ms is None else f"{case.goal_ms:g} ms"
        print(
            f"{name:14} {found['qfast']:9.3f} {found['first']:9.3f} {found['statevector']:12.2f} "
            f"{found['automatic']:10.2f}   {ratios[0]:.1f} {ratios[1]:.1f}   {goal}", flush=True,
        )  # fmt: skip
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as file:
            json.dump({"fingerprint": take_fingerprint(), "milliseconds": record}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

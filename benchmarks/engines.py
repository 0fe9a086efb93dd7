"""The engines against each other: native, numba and reference on the circuit families and on single gates.

    python benchmarks/engines.py [--qubits 20] [--engines native,numba,reference] [--json out.json]

States are compared before anything is timed; runs are interleaved; medians are printed in milliseconds and as ratios to
the first engine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from qfast import engines
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import FAMILIES, build_family
from qfast.benchmark.fingerprint import take_fingerprint
from qfast.circuit import Circuit
from qfast.config.machine import cpu_count
from qfast.engines.memory import allocate_state

TOLERANCES = {"complex128": 1e-10, "complex64": 1e-5}
SLOW_S = 5.0  # an engine this slow gets two runs


def circuits(num_qubits: int, families: Sequence[str]) -> Iterator[tuple[str, Circuit]]:
    """Yield the families, then single gates in the middle of the register."""
    for family in families:
        yield family, to_circuit(build_family(family, num_qubits))
    middle = num_qubits // 2
    yield "h", Circuit(num_qubits).h(middle)
    yield "rz", Circuit(num_qubits).rz(0.3, middle)
    yield "cx", Circuit(num_qubits).cx(middle, middle + 1)
    yield "u3", Circuit(num_qubits).u3(0.1, 0.2, 0.3, middle)


def compare(circuit: Circuit, names: Sequence[str], options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of every run by engine, or raise if two engines disagree."""
    values = np.empty(0)
    runs = {}
    for name in names:
        prepared = engines.select(name).prepare(circuit, precision=options.precision)
        runs[name] = (prepared, allocate_state(circuit.num_qubits, options.precision))
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(options.repeats + 1):
        for name, (prepared, state) in runs.items():
            if turn > 2 and median(seconds[name]) > SLOW_S:
                continue
            start = time.perf_counter()
            prepared.run(state, values, from_zero=True, threads=options.threads, cancel=None)
            if turn:
                seconds[name].append(time.perf_counter() - start)
        if turn == 0:
            check({name: state for name, (_, state) in runs.items()}, TOLERANCES[options.precision])
    return seconds


def check(states: dict[str, Any], tolerance: float) -> None:
    """Raise unless all states agree with the first."""
    (first, expected), *others = states.items()
    for name, state in others:
        infidelity = abs(1 - abs(np.vdot(state.astype(np.complex128), expected)))
        if not infidelity <= tolerance:
            raise SystemExit(f"engines {first} and {name} disagree: 1 - |overlap| is {infidelity:.2e}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Times of qfast's engines on the same circuits.")
    parser.add_argument("--qubits", type=int, default=20)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--engines", default="native,numba,reference")
    parser.add_argument("--precision", choices=("complex64", "complex128"), default="complex128")
    parser.add_argument("--threads", type=int, default=cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    names = options.engines.split(",")
    setup = f"{options.qubits} qubits, {options.precision}, {options.threads} threads"
    print(f"{setup}; milliseconds (ratio to {names[0]})")
    print("".join(f"{title:>20}" for title in ("circuit", *names)))
    rows = []
    for label, circuit in circuits(options.qubits, options.families.split(",")):
        seconds = compare(circuit, names, options)
        medians = {name: median(seconds[name]) for name in names}
        base = medians[names[0]]
        cells = (f"{1e3 * medians[name]:.4g} ({medians[name] / base:.1f})" for name in names)
        print("".join(f"{cell:>20}" for cell in (label, *cells)), flush=True)
        rows.append({"circuit": label, "seconds": seconds, "median_s": medians})
    if options.json is not None:
        data = {"fingerprint": take_fingerprint(threads=options.threads, isa=engines.select().isa), "rows": rows}
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

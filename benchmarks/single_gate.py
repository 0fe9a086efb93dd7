"""One gate at a time, at every target: bytes a second against the measured in-place bandwidth.

    python benchmarks/single_gate.py [--qubits 24] [--precision complex128] [--json out.json]

A gate's bytes are those it must touch, read and written: all of the state, but for CX only the half whose control is 1
(with a control below the width of a cache line, both halves lie in the same lines and all of them count).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from qfast import engines
from qfast.benchmark.canonical import operation_matrix
from qfast.benchmark.families import build_family
from qfast.benchmark.fingerprint import take_fingerprint
from qfast.benchmark.roofline import measure_limits
from qfast.circuit import Circuit
from qfast.config.machine import cpu_count
from qfast.engines.memory import allocate_state, state_bytes

CACHE_LINE_BYTES = 64
SU4 = operation_matrix(build_family("qv", 2).operations[0])

GATES: dict[str, Callable[[Circuit, int, int], Any]] = {
    "h": lambda circuit, target, other: circuit.h(target),
    "x": lambda circuit, target, other: circuit.x(target),
    "rz": lambda circuit, target, other: circuit.rz(0.3, target),
    "cx": lambda circuit, target, other: circuit.cx(other, target),
    "u3": lambda circuit, target, other: circuit.u3(0.1, 0.2, 0.3, target),
    "su4": lambda circuit, target, other: circuit.unitary(SU4, [target, other]),
}


def touched_bytes(gate: str, control: int, num_qubits: int, precision: Any) -> int:
    """Bytes that the gate must read plus those it must write."""
    size = state_bytes(num_qubits, precision)
    line_bits = (CACHE_LINE_BYTES * 2**num_qubits // size).bit_length() - 1
    return size if gate == "cx" and control >= line_bits else 2 * size


def measure(engine: Any, gate: str, target: int, options: argparse.Namespace) -> dict[str, Any]:
    """Time one gate on one target, on a state that is there already."""
    num_qubits, precision = options.qubits, options.precision
    other = (target + 1) % num_qubits
    circuit = Circuit(num_qubits)
    GATES[gate](circuit, target, other)
    prepared = engine.prepare(circuit, precision=precision)
    state = allocate_state(num_qubits, precision)
    values = np.empty(0)
    prepared.run(state, values, from_zero=True, threads=options.threads, cancel=None)
    seconds = []
    for _ in range(options.repeats + 1):
        start = time.perf_counter()
        prepared.run(state, values, from_zero=False, threads=options.threads, cancel=None)
        seconds.append(time.perf_counter() - start)
    size_bytes = touched_bytes(gate, other, num_qubits, precision)
    warm = median(seconds[1:])
    return {"gate": gate, "target": target, "bytes": size_bytes, "median_s": warm, "bandwidth": size_bytes / warm}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0 whatever the figures."""
    parser = argparse.ArgumentParser(description="Bandwidth of single gates against that of the machine.")
    parser.add_argument("--qubits", type=int, default=24)
    parser.add_argument("--precision", choices=("complex64", "complex128"), default="complex128")
    parser.add_argument("--gates", default=",".join(GATES), help="among " + ", ".join(GATES))
    parser.add_argument("--engine", default="native")
    parser.add_argument("--threads", type=int, default=cpu_count())
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    engine = engines.select(options.engine)
    limits = measure_limits(options.qubits, options.precision, options.threads, isa=engine.isa)
    print(f"in-place bandwidth {limits.bandwidth / 1e9:.1f} GB/s, {options.threads} threads, {options.precision}")
    rows = []
    for gate in options.gates.split(","):
        found = [measure(engine, gate, target, options) for target in range(options.qubits)]
        for row in found:
            row["fraction"] = row["bandwidth"] / limits.bandwidth
        rows += found
        worst = min(found, key=lambda row: row["fraction"])
        shares = " ".join(f"{100 * row['fraction']:.0f}" for row in found)
        print(f"{gate:>4}  % by target: {shares}   least {100 * worst['fraction']:.0f} % at {worst['target']}")
    if options.json is not None:
        fingerprint = take_fingerprint(threads=options.threads, isa=engine.isa)
        data = {"fingerprint": fingerprint, "bandwidth": limits.bandwidth, "rows": rows}
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

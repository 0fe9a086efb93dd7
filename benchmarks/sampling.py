"""Drawing shots: what each kind of outcome costs, and 10^9 shots in bounded memory.

    python benchmarks/sampling.py [--qubits 20] [--shots 1000000] [--large-qubits 24] [--large-shots 1000000000]
                                  [--json out.json]

The first table times a run with its shots, from an ansatz of 4 layers and from a random state, which only sampling is
timed of. The second counts many shots of a large state in a process of its own: seconds, and the high-water mark of its
resident set. Progress goes to the standard error; Ctrl-C stops the draw. Outcomes are checked before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import qfast
from qfast.benchmark.fingerprint import take_fingerprint
from qfast.config.machine import cpu_count

MIB = 1 << 20
SEED = 42
VISITS = 9
LAYERS = 4
OUTCOMES: dict[str, Callable[[qfast.Samples], object]] = {
    "packed bits": lambda samples: samples.packed(),
    "counts, arrays": lambda samples: samples.histogram(),
    "counts, bitstrings": lambda samples: samples.get_counts(),
    "counts, integers": lambda samples: samples.get_int_counts(),
}


def ansatz(num_qubits: int) -> qfast.Circuit:
    """Layers of RY and RZ on every qubit and a ladder of CX."""
    angles = iter(np.random.default_rng(num_qubits).uniform(-np.pi, np.pi, 2 * LAYERS * num_qubits).tolist())
    circuit = qfast.Circuit(num_qubits)
    for _ in range(LAYERS):
        for qubit in range(num_qubits):
            circuit.ry(next(angles), qubit).rz(next(angles), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def random_state(num_qubits: int) -> qfast.Statevector:
    """A state of Haar measure."""
    rng = np.random.default_rng(num_qubits)
    amplitudes = np.empty(1 << num_qubits, dtype=np.complex128)
    amplitudes.real, amplitudes.imag = rng.normal(size=amplitudes.size), rng.normal(size=amplitudes.size)
    amplitudes /= np.linalg.norm(amplitudes)
    return qfast.Statevector(amplitudes)


def check(samples: qfast.Samples, state: qfast.Statevector) -> None:
    """Compare ⟨Z⟩ of some qubits with the state's, within six standard deviations, and counts with shots."""
    for qubit in (0, state.num_qubits // 2, state.num_qubits - 1):
        letters = "".join("Z" if place == qubit else "I" for place in reversed(range(state.num_qubits)))
        weights = state.probabilities([qubit])
        exact = float((weights[0] - weights[1]) / weights.sum())
        error = abs(samples.expectation_values(letters) - exact)
        if error > 6 / samples.shots**0.5:
            raise SystemExit(f"⟨Z⟩ of qubit {qubit} is off by {error:.2g} in {samples.shots} shots")
    if samples.has_bits and samples.get_counts() != qfast.Counts(_counted(samples)):
        raise SystemExit("the counts are not those of the shots")


def _counted(samples: qfast.Samples) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in samples.get_bitstrings():
        found[text] = found.get(text, 0) + 1
    return found


def median_ms(action: Callable[[], object]) -> float:
    """Milliseconds of an action, the median of several after a first one."""
    times = []
    for _ in range(VISITS + 1):
        begun = time.perf_counter()
        result = action()
        times.append(time.perf_counter() - begun)
        del result  # freed here, not in the next measurement
    return 1e3 * statistics.median(times[1:])


def small(num_qubits: int, shots: int, threads: int) -> list[dict[str, Any]]:
    """Time each kind of outcome."""
    program = qfast.compile(ansatz(num_qubits), threads=threads)
    state = random_state(num_qubits)
    draws: dict[str, Callable[[str], qfast.Samples]] = {
        "run + ansatz": lambda output: program.sample(shots=shots, seed=SEED, output=output),  # type: ignore[arg-type]
        "random state": lambda output: state.sample(shots, SEED, output=output),  # type: ignore[call-overload]
    }
    check(draws["run + ansatz"]("bits"), program.simulate())
    check(draws["random state"]("bits"), state)
    rows = []
    for source, draw in draws.items():
        distinct = len(draw("counts").histogram()[1])
        for name, outcome in OUTCOMES.items():
            output = "bits" if name == "packed bits" else "counts"
            row = {"source": source, "outcome": name, "distinct": distinct}
            row["ms"] = median_ms(lambda draw=draw, outcome=outcome, output=output: outcome(draw(output)))
            print(f"{source:>14}{name:>20}{row['ms']:>10.2f} ms{distinct:>10} distinct", flush=True)
            rows.append(row)
    return rows


def peak_bytes() -> int:
    """The high-water mark of this process's resident set."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def large(num_qubits: int, shots: int, threads: int) -> dict[str, Any]:
    """Count many shots; runs in a process of its own."""
    qfast.config.set("threads", threads)
    imported = peak_bytes()
    state = qfast.simulate(ansatz(num_qubits))
    check(state.sample(10**6, SEED, output="counts"), state)
    before, token = peak_bytes(), qfast.CancelToken()
    is_over = threading.Event()

    def show() -> None:
        while not is_over.wait(1.0):
            done, total = token.progress()
            print(f"  {done / 1e6:.0f} of {total / 1e6:.0f} million shots", file=sys.stderr, flush=True)

    watcher = threading.Thread(target=show, daemon=True)
    watcher.start()
    begun = time.perf_counter()
    samples = state.sample(shots, SEED, output="counts", cancel=token)
    seconds = time.perf_counter() - begun
    is_over.set()
    watcher.join()
    peak = peak_bytes()
    check(samples, state)
    return {
        "qubits": num_qubits, "shots": shots, "seconds": seconds, "distinct": len(samples.histogram()[1]),
        "imported_bytes": imported, "state_bytes": state.amplitudes.nbytes, "with_state_bytes": before,
        "peak_bytes": peak,
    }  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The cost of shots.")
    parser.add_argument("--qubits", type=int, default=20)
    parser.add_argument("--shots", type=int, default=10**6)
    parser.add_argument("--large-qubits", type=int, default=24)
    parser.add_argument("--large-shots", type=int, default=10**9, help="0: without the second table")
    parser.add_argument("--threads", type=int, default=cpu_count())
    parser.add_argument("--json", type=Path)
    parser.add_argument("--large-only", action="store_true", help=argparse.SUPPRESS)  # what the child runs
    options = parser.parse_args(argv)
    if options.large_only:
        print(json.dumps(large(options.large_qubits, options.large_shots, options.threads)))
        return 0
    data: dict[str, Any] = {"fingerprint": take_fingerprint(threads=options.threads), "shots": options.shots}
    print(f"{options.qubits} qubits, {options.shots} shots, {options.threads} threads; medians of {VISITS}")
    data["small"] = small(options.qubits, options.shots, options.threads)
    if options.large_shots:
        sizes = ["--large-qubits", str(options.large_qubits), "--large-shots", str(options.large_shots)]
        command = [sys.executable, __file__, "--large-only", *sizes, "--threads", str(options.threads)]
        child = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        row = data["large"] = json.loads(child.stdout)
        print(f"{row['qubits']} qubits, {row['shots']:.0e} shots, {row['distinct']} distinct: {row['seconds']:.2f} s")
        parts = ("imported", "with_state", "peak")
        print("resident MiB: " + ", ".join(f"{part} {row[part + '_bytes'] / MIB:.0f}" for part in parts))
    if options.json is not None:
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

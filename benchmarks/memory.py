"""Peak memory of a large run, over what the process holds after importing qfast and over the state itself.

    python benchmarks/memory.py [--qubits 25] [--families qft,qv] [--json out.json]

Each run is a process of its own; its peak is the high-water mark of its resident set.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qfast.benchmark.families import FAMILIES
from qfast.benchmark.fingerprint import take_fingerprint
from qfast.config.machine import cpu_count
from qfast.engines.memory import state_bytes

MIB = 1 << 20
LIMIT_BYTES = 64 * MIB

CHILD = """
import json, sys
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import build_family
import qfast

def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

family, num_qubits, precision, engine, threads = sys.argv[1:]
before = peak_bytes()
circuit = to_circuit(build_family(family, int(num_qubits)))
state = qfast.simulate(circuit, engine=engine, precision=precision, threads=int(threads))
print(json.dumps({"imported_bytes": before, "peak_bytes": peak_bytes()}))
"""


def measure(family: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run one circuit in a child process."""
    arguments = [family, str(options.qubits), options.precision, options.engine, str(options.threads)]
    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], check=True, capture_output=True, text=True)
    row: dict[str, Any] = json.loads(done.stdout)
    size = state_bytes(options.qubits, options.precision)
    extra = row["peak_bytes"] - row["imported_bytes"] - size
    return row | {"family": family, "state_bytes": size, "extra_bytes": extra}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 1 if a run takes more than its state and 64 MiB."""
    parser = argparse.ArgumentParser(description="Peak memory of a run over the import and the state.")
    parser.add_argument("--qubits", type=int, default=25)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--precision", choices=("complex64", "complex128"), default="complex128")
    parser.add_argument("--engine", default="native")
    parser.add_argument("--threads", type=int, default=cpu_count())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    rows = []
    print(f"{options.qubits} qubits, {options.precision}, engine {options.engine}; MiB")
    print(f"{'family':>10}{'import':>10}{'state':>10}{'extra':>10}{'peak / state':>15}")
    for family in options.families.split(","):
        row = measure(family, options)
        ratio = (row["peak_bytes"] - row["imported_bytes"]) / row["state_bytes"]
        sizes = "".join(f"{row[key] / MIB:>10.1f}" for key in ("imported_bytes", "state_bytes", "extra_bytes"))
        print(f"{family:>10}{sizes}{ratio:>15.3f}", flush=True)
        rows.append(row)
    if options.json is not None:
        data = {"fingerprint": take_fingerprint(threads=options.threads), "rows": rows}
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row["extra_bytes"] <= LIMIT_BYTES for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

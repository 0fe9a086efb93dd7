"""Compare the hot paths of this checkout with those of another commit, on this machine, in turn.

    python -m benchmarks.gate [--base COMMIT] [--json gate.json] [--paths REGEX] [--plant 'NAME=3']

The exit code is 1 if a path became slower than `--limit` allows, twice measured.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gate.base import ROOT, base_commit, build_base
from benchmarks.gate.compare import Row, Side, compare
from benchmarks.gate.paths import PATHS, PLANT
from qfast.benchmark.fingerprint import take_fingerprint

LIMIT = 1.6


def line_of(row: Row) -> str:
    """Return a row of the printed table."""
    verdict = row.note
    if row.speedup is not None:
        verdict = f"{row.speedup:6.2f}" + ("  SLOWER" if row.is_slower else "")
    return f"{row.path:34} {row.subject:8} {verdict}"


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=str(__doc__).splitlines()[0])
    parser.add_argument("--base", metavar="COMMIT", help="default: where HEAD left main; on main, the commit before")
    parser.add_argument(
        "--limit", type=float, default=LIMIT, help="how many times as long a path may take (%(default)s)"
    )
    parser.add_argument("--paths", default="", metavar="REGEX", help="only the paths whose name it matches")
    parser.add_argument("--json", type=Path, help="where to write all times")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "gate", help="where the other commit is built")
    parser.add_argument("--plant", metavar="NAME=TIMES", help="let a path do its work so many times: it must be caught")
    options = parser.parse_args(argv)
    if options.plant and options.plant.rpartition("=")[0] not in PATHS:
        parser.error(f"--plant {options.plant!r} names no path; they are\n  " + "\n  ".join(PATHS))
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Build, compare and print."""
    options = parse(argv)
    commit = base_commit(options.base)
    tree, site = build_base(commit, options.build)
    # Paths are described by the commit they belong to: names of functions change, the work stays the same.
    has_paths = (tree / "benchmarks" / "gate" / "worker.py").is_file()
    plant = {PLANT: options.plant} if options.plant else {}

    def open_sides() -> tuple[Side, Side]:
        return Side(ROOT, environment=plant), Side(tree if has_paths else ROOT, site)

    print(f"times of {commit[:12]} over times of this checkout; {1 / options.limit:.2f} is the least")
    rows = []
    for row in compare(open_sides, re.compile(options.paths), options.limit):
        print(line_of(row), flush=True)
        rows.append(row)
    slower = [row for row in rows if row.is_slower]
    if options.json is not None:
        data = {"base": commit, "limit": options.limit, "fingerprint": take_fingerprint()}
        options.json.write_text(json.dumps(data | {"rows": [row.as_json() for row in rows]}, indent=1) + "\n")
    for row in slower:
        taken = 1 / (row.speedup or 1)
        print(f"{row.path} on {row.subject} takes {taken:.2f} times as long as at {commit[:12]} ({row.work})")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())

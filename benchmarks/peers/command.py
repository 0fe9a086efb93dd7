"""Command line of the comparison."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers import report
from benchmarks.peers.catalog import PEERS
from benchmarks.peers.contest import Entry, Job, Policy, Workers, hold
from benchmarks.peers.environment import install
from benchmarks.peers.protocol import ROOT, PeerError
from benchmarks.peers.tasks import TASKS, Task
from qfast import engines
from qfast.benchmark.canonical import canonical_flops
from qfast.benchmark.families import FAMILIES, FamilyCircuit, build_family
from qfast.benchmark.fingerprint import take_fingerprint
from qfast.benchmark.roofline import measure_limits
from qfast.errors import EngineError

__all__ = ["main"]

FORMAT = "qfast-peers/1"
COMPARED = ("qfast", "prism", "qsim", "lightning", "qulacs", "aer")
STATE_TOLERANCES = {"complex128": 1e-10, "complex64": 1e-5}
SMOKE_TASKS = (
    Task("bind-4", "bind + run + ⟨H⟩, 4 qubits", "expectation", 4, 2, sets=16),
    Task("sweep-6", "32 parameter sets, 6 qubits", "sweep", 6, 2, sets=32),
    Task("paulis-8", "⟨H⟩ of 50 random Pauli strings, 8 qubits", "paulis", 8, 4, num_strings=50),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Install, measure, save; the exit code is 1 if qfast itself failed or was wrong anywhere."""
    options = _parser().parse_args(argv)
    if options.render is not None:
        data = json.loads(options.render.read_text(encoding="utf-8"))
    else:
        data = _measure(options)
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "peers.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    text = report.tables(data)
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "peers.md").write_text(text + "\n", encoding="utf-8")
    if not options.no_plots:
        for path in report.draw(data, options.out):
            print(f"wrote {path}")
    failed = [e for c in data["contests"] for e in c["entries"] if e["error"] and not PEERS[e["peer"]].requirements]
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Compare qfast with other statevector simulators: six circuit families and a table of tasks, "
        "interleaved, each simulator in its own process and environment at its best setting, results compared first.",
    )
    parser.add_argument("--install", action="store_true", help="install the simulators below --env first")
    parser.add_argument("--env", type=Path, default=ROOT / ".venv-peers", help="folder of the environments")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "peers", help="folder for JSON, table, pictures")
    parser.add_argument("--peers", type=_names(PEERS), default=list(COMPARED), help=f"among {', '.join(PEERS)}")
    parser.add_argument("--families", type=_names(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--qubits", type=_numbers, default=[16, 20, 24], help="sizes of the families")
    parser.add_argument("--precision", choices=("complex64", "complex128", "both"), default="both")
    usual = [name for name, task in TASKS.items() if not task.is_long]
    parser.add_argument(
        "--tasks", type=_names(TASKS), default=usual, help=f"'' for none; by default {', '.join(usual)}"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--visits", type=int, default=Policy.visits, help="turns of each simulator")
    parser.add_argument("--timeout", type=float, default=Policy.timeout_s, help="longest wait for one answer, seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the circuits")
    parser.add_argument("--no-plots", action="store_true", help="no pictures (they need matplotlib)")
    parser.add_argument("--smoke", action="store_true", help="qfast against its reference engine, 8 and 10 qubits")
    parser.add_argument("--render", type=Path, metavar="JSON", help="only make tables and pictures of a saved run")
    return parser


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    if options.smoke:
        options.peers, options.qubits, options.visits = ["qfast", "reference"], [8, 10], 2
        options.no_plots, options.threads = True, 1
    policy = Policy(threads=options.threads, visits=options.visits, timeout_s=options.timeout)
    missing = _install(options) if options.install else {}
    peers = [peer for peer in options.peers if peer not in missing]
    tasks = SMOKE_TASKS if options.smoke else [TASKS[name] for name in options.tasks]
    isa = engines.select().isa
    contests: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="qfast-peers-") as folder, Workers(options.env, policy) as workers:
        for job, contest in [*_family_jobs(options, isa), *_task_jobs(tasks)]:
            print(f"{job.name} {contest['precision']}", file=sys.stderr)
            entrants = _entrants(peers, job, contest["precision"])
            entries = hold(job, entrants, workers, policy, Path(folder), lambda line: print(line, file=sys.stderr))
            contests.append(contest | {"entries": [_with_contest(entry, contest) for entry in entries]})
    return {
        "format": FORMAT,
        "fingerprint": take_fingerprint(threads=policy.threads, isa=isa),
        "policy": asdict(policy),
        "not_installed": missing,
        "contests": contests,
    }


def _install(options: argparse.Namespace) -> dict[str, str]:
    """Install what was asked for; a peer that cannot be installed is reported, and the others go on."""
    failed = {}
    for peer in options.peers:
        print(f"installing {peer} below {options.env}", file=sys.stderr)
        try:
            install(peer, options.env)
        except PeerError as error:
            failed[peer] = str(error)
            print(f"  {error}", file=sys.stderr)
    return failed


def _family_jobs(options: argparse.Namespace, isa: str | None) -> Iterator[tuple[Job, dict[str, Any]]]:
    precisions = ("complex128", "complex64") if options.precision == "both" else (options.precision,)
    for num_qubits in options.qubits:
        for precision in precisions:
            limits = _limits(num_qubits, precision, options.threads, isa)
            for family in options.families:
                circuit = build_family(family, num_qubits, options.seed)
                flops = canonical_flops(circuit.operations[circuit.num_preparation :])
                yield (
                    Job(circuit.name, {"kind": "state", **circuit.to_payload()}, STATE_TOLERANCES),
                    _contest_of(circuit, precision)
                    | {
                        "canonical_flops": flops,
                        "limits": None if limits is None else asdict(limits),
                        "least_s": None if limits is None else limits.least_seconds(flops),
                    },
                )


def _contest_of(circuit: FamilyCircuit, precision: str) -> dict[str, Any]:
    return {
        "name": circuit.name,
        "kind": "state",
        "family": circuit.family,
        "num_qubits": circuit.num_qubits,
        "seed": circuit.seed,
        "precision": precision,
    }


def _task_jobs(tasks: Sequence[Task]) -> Iterator[tuple[Job, dict[str, Any]]]:
    for task in tasks:
        contest = {"name": task.name, "title": task.title, "kind": task.kind, "precision": "complex128"}
        tolerances = {"complex128": task.tolerance, "complex64": max(task.tolerance, 1e-4)}
        yield Job(task.name, task.to_spec(), tolerances), contest | {"least_s": None}


def _entrants(peers: Sequence[str], job: Job, precision: str) -> list[tuple[str, str]]:
    """Each simulator that can do the job, in the contest's precision if it has it, otherwise in the one it has."""
    able = [peer for peer in peers if PEERS[peer].settings(job.kind)]
    entrants = []
    for peer in able:
        has = PEERS[peer].precisions
        if precision in has:
            entrants.append((peer, precision))
        elif precision == "complex64" or job.kind != "state":
            entrants.append((peer, has[0]))  # a higher precision, or the only one for a task
    return entrants


def _limits(num_qubits: int, precision: Any, threads: int, isa: str | None) -> Any:
    try:
        return measure_limits(num_qubits, precision, threads, isa=isa)
    except EngineError as error:
        print(f"no roofline: {error}", file=sys.stderr)
        return None


def _with_contest(entry: Entry, contest: dict[str, Any]) -> dict[str, Any]:
    return entry.to_dict() | {"contest_precision": contest["precision"]}


def _names(allowed: Any) -> Any:
    def parse(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(allowed)}")
        return names

    return parse


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]

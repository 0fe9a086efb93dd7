"""Mutated job graphs: what is accepted runs, what is rejected names its rule, nothing else happens.

``python fuzz/graph_fuzz.py --graphs 100000 --seed 1`` exits with 1 and prints the graph when that is not so; with
``--seconds 60`` it goes on for a minute. Graphs to start from: those of the examples, and any files that are named.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from qfast import qvm
from qfast.errors import CapacityError, QfastError, VerificationError

EXAMPLES = Path(__file__).parents[1] / "examples"
MAX_RUN_QUBITS = 10
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 2**70, 0.5, 1e308, "", "q0", "a" * 300, [], ["q0"], {}, {"event": "m", "equals": 1},
    [[]], "\x00", "logical:QLDPC(d=3,rate=0.0000001)", float("inf"),
)  # fmt: skip


def places(data: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every value inside JSON data."""
    found = [way] if way else []
    if isinstance(data, dict):
        for key, value in data.items():
            found += places(value, (*way, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            found += places(value, (*way, number))
    return found


def mutated(draw: random.Random, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """A graph with one to four changes: values replaced, exchanged, removed or doubled, nodes moved."""
    data = copy.deepcopy(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 4))):
        ways = places(data)
        if not ways:
            return data
        *way, last = draw.choice(ways)
        parent: Any = data
        for key in way:
            parent = parent[key]
        kind = draw.randrange(6)
        if kind == 0:
            parent[last] = copy.deepcopy(draw.choice(ODD))  # a shared one would come to hold itself
        elif kind == 1:
            other: Any = draw.choice(seeds)
            for key in draw.choice(places(other)):
                other = other[key]
            parent[last] = copy.deepcopy(other)
        elif kind == 2:
            del parent[last]
        elif isinstance(parent, list):
            if kind == 3:
                parent.insert(draw.randrange(len(parent) + 1), copy.deepcopy(parent[last]))
            else:
                parent.insert(draw.randrange(len(parent)), parent.pop(last))
        elif kind == 4:
            parent[draw.choice(("guard", "inputs", "produces", "vqs", "chs", "args", "op", "xyz"))] = copy.deepcopy(
                parent[last]
            )
        else:
            nodes = data.get("program")
            if isinstance(nodes, dict) and isinstance(nodes.get("nodes"), list):
                draw.shuffle(nodes["nodes"])
    return data


def try_one(executor: qvm.Executor, data: dict[str, Any]) -> str:
    """Read, certify and run a graph; return how it ended. Any other exception is a fault of qfast."""
    try:
        graph = qvm.from_dict(data)
        certificate = qvm.certify(graph, executor.capabilities)
    except VerificationError as error:
        if not error.faults or any(fault.rule not in qvm.RULES for fault in error.faults):
            raise RuntimeError(f"rejected without a rule that is known: {error}") from error
        return "rejected"
    if certificate.peak_qubits > MAX_RUN_QUBITS or executor_shots(graph) > 1000:
        return "accepted, too large to run"
    try:
        result = executor.execute(graph)
    except CapacityError:
        return "over quota"
    assert result["telemetry"] == {"logical_qubits": 0, "physical_qubits": 0, "channels": 0}
    assert result["execution_log"][-1] == ("UNLOAD", "resources_released")
    return "accepted and run"


def executor_shots(graph: qvm.Graph) -> int:
    """Shots that the graph asks for itself."""
    return max((int(node.arguments.get("shots", 1)) for node in graph.nodes if node.op == "SET_POLICY"), default=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=1 << 62)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args()
    files = [*sorted(EXAMPLES.glob("*.qvm.json")), *arguments.files]
    seeds = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    executor = qvm.Executor(capabilities=qvm.CAPABILITIES)
    ends: Counter[str] = Counter()
    stop = time.monotonic() + arguments.seconds
    memory = 0
    for number in range(arguments.graphs):
        if time.monotonic() > stop:
            break
        data = mutated(random.Random(f"{arguments.seed}:{number}"), seeds)
        try:
            ends[try_one(executor, data)] += 1
        except (Exception, QfastError) as error:
            print(
                f"graph {number} of seed {arguments.seed}: {type(error).__name__}: {error}\n{data!r}", file=sys.stderr
            )
            return 1
        if number == 1000:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory if memory else 0
    print(f"{sum(ends.values())} graphs: {dict(ends)}; peak memory grew by {grown} KiB after the first thousand")
    return 0


if __name__ == "__main__":
    sys.exit(main())

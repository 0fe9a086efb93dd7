"""``qfast graph check | run | draw | schema``: job graphs, see docs/graphs.md."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

from qfast import qvm
from qfast.cli.files import check_writable, replacing
from qfast.errors import InputError

__all__ = ["add_parser", "run"]

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("graph", help="check, run and draw job graphs", description=__doc__)
    parser.set_defaults(handler=run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="certify graphs and print every fault; exit code 1 if there are any")
    execute = actions.add_parser("run", help="run a graph and print its outcomes")
    draw = actions.add_parser("draw", help="write a picture of a graph (.svg, .png or .pdf)")
    actions.add_parser("schema", help="print the JSON Schema of graphs")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a graph as JSON")
    for action in (execute, draw):
        action.add_argument("file", type=Path, metavar="FILE", help="a graph as JSON")
    for action in (check, execute, draw):
        action.add_argument(
            "--cap", action="append", default=[], choices=list(qvm.CAPABILITIES), metavar="CAP",
            help="a capability that is granted besides CAP_ALLOC, CAP_COMPUTE and CAP_MEASURE",
        )  # fmt: skip
    execute.add_argument("--shots", type=int, metavar="N", help="default: what the graph says, else 1")
    execute.add_argument("--seed", type=int, metavar="N")
    execute.add_argument("--device", metavar="PROVIDER::NAME", help="default: the default device")
    execute.add_argument("--json", action="store_true", help="print the whole result as JSON")
    draw.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    if arguments.action == "schema":
        print(json.dumps(qvm.schema(), indent=2, ensure_ascii=False))
        return 0
    capabilities = qvm.DEFAULT_CAPABILITIES | set(arguments.cap)
    match arguments.action:
        case "check":
            for file in arguments.files:
                _check(file, capabilities)
        case "run":
            _run(arguments, capabilities)
        case "draw":
            _draw(arguments.file, arguments.output, capabilities)
    return 0


def _check(file: Path, capabilities: frozenset[str]) -> None:
    graph = qvm.from_file(file)
    certificate = qvm.certify(graph, capabilities)
    print(
        f"{file}: {len(graph.nodes)} nodes are valid; at the peak {certificate.peak_qubits} qubits "
        f"({certificate.peak_physical_qubits} physical), {certificate.peak_channels} channels"
    )
    for warning in certificate.warnings:
        print(f"  warning: {warning}")


def _run(arguments: argparse.Namespace, capabilities: frozenset[str]) -> None:
    executor = qvm.Executor(arguments.device, capabilities=capabilities)
    graph = qvm.from_file(arguments.file)
    result = executor.execute(graph, shots=arguments.shots, seed=arguments.seed)
    if arguments.json:
        print(json.dumps(_plain(result), indent=2, ensure_ascii=False))
        return
    peak = result["peak_resources"]
    print(f"{arguments.file}: {result['shots']} shots, seed {result['seed']}, at most {peak['logical_qubits']} qubits")
    print(f"  {' '.join(reversed(graph.events))}")
    for outcome, count in sorted(result["counts"].items(), key=lambda item: -item[1]):
        print(f"  {outcome}  {count}")


def _plain(result: qvm.GraphResult) -> dict[str, Any]:
    """The result with keys that JSON has: a value of an event as text, "null" where it was skipped."""
    plain = dict(result)
    if result["shots"] > 1:
        plain["events"] = {
            event: {"null" if value is None else str(value): count for value, count in values.items()}
            for event, values in result["events"].items()
        }
    return plain


def _draw(file: Path, output: Path, capabilities: frozenset[str]) -> None:
    if output.suffix not in PLOT_SUFFIXES:
        raise InputError(f"--output {output}: a picture's name ends in {', '.join(PLOT_SUFFIXES)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("qfast graph draw needs matplotlib, which is not installed; pip install 'qfast-sim[plot]'")
    check_writable(output, "--output")
    graph = qvm.from_file(file)
    figure = qvm.plot_graph(graph, qvm.certify(graph, capabilities))
    with replacing(output) as temporary:
        figure.savefig(temporary)

"""``qfast explain FILE``: show how a circuit is planned, and how near its runs come to the machine's limits."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path

from qfast.benchmark.explain import explain
from qfast.cli.files import check_writable, read_circuit, replacing
from qfast.cli.values import parse_parameters
from qfast.engines import AMPLITUDE_BYTES, AUTO_ORDER
from qfast.errors import InputError

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("explain", help="show how a circuit is planned and timed", description=__doc__)
    parser.set_defaults(handler=run)
    parser.add_argument("file", type=Path, metavar="FILE", help="OpenQASM 2 or 3; - is standard input")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="such as theta=pi/2")
    parser.add_argument("--precision", choices=tuple(AMPLITUDE_BYTES), help="type of the amplitudes")
    parser.add_argument("--engine", choices=("auto", *AUTO_ORDER), help="a forced one never falls back")
    parser.add_argument("--threads", type=int, metavar="N", help="default: every CPU that this process may use")
    parser.add_argument("--no-measure", action="store_true", help="only the plan: run nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the sweeps (needs matplotlib)")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    if arguments.plot is not None:
        check_writable(arguments.plot, "--plot")
        if importlib.util.find_spec("matplotlib") is None:
            raise InputError("--plot needs matplotlib, which is not installed; pip install 'qfast-sim[plot]'")
    found = explain(
        read_circuit(arguments.file),
        parameters=parse_parameters(arguments.param),
        precision=arguments.precision,
        threads=arguments.threads,
        engine=arguments.engine,
        measure=not arguments.no_measure,
    )
    print(json.dumps(found.to_dict(), indent=1) if arguments.json else found)
    if arguments.plot is not None:
        with replacing(arguments.plot) as path:
            found.plot(title=f"{arguments.file.name}: {found.num_gates} gates, {found.precision}").savefig(path)
    return 0

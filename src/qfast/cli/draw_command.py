"""``qfast draw FILE…``: print circuits as text."""

from __future__ import annotations

import argparse
from pathlib import Path

from qfast import Circuit

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("draw", help="print circuits as text", description=__doc__)
    parser.set_defaults(handler=run)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="OpenQASM 2 or 3")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    for file in arguments.files:
        if len(arguments.files) > 1:
            print(f"{file}:")
        print(Circuit.from_qasm_file(file).draw())
    return 0

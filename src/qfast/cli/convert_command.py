"""``qfast convert FILE``: write a circuit as OpenQASM 2 or 3."""

from __future__ import annotations

import argparse
from pathlib import Path

from qfast.cli.files import check_writable, read_circuit, replacing

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("convert", help="write a circuit as OpenQASM 2 or 3", description=__doc__)
    parser.set_defaults(handler=run)
    parser.add_argument("file", type=Path, metavar="FILE", help="OpenQASM 2 or 3; - is standard input")
    parser.add_argument("--to", choices=("qasm2", "qasm3"), default="qasm3", help="default: qasm3")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="default: standard output")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    if arguments.out is not None:
        check_writable(arguments.out, "--out")
    text = read_circuit(arguments.file).to_qasm(version=2 if arguments.to == "qasm2" else 3)
    if arguments.out is None:
        print(text, end="" if text.endswith("\n") else "\n")
        return 0
    with replacing(arguments.out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return 0

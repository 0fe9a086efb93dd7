"""``qfast draw FILE…``: print circuits as text, or write one as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from qfast.cli.files import check_writable, read_circuit, replacing
from qfast.errors import InputError

__all__ = ["add_parser", "run"]

_SUFFIXES = (".svg", ".png", ".pdf")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("draw", help="print or draw circuits", description=__doc__)
    parser.set_defaults(handler=run)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="OpenQASM 2 or 3; - is standard input")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE", help=f"a picture of one circuit: {', '.join(_SUFFIXES)}"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    if arguments.out is not None:
        return _write(arguments.files, arguments.out)
    for file in arguments.files:
        if len(arguments.files) > 1:
            print(f"{file}:")
        print(read_circuit(file).draw())
    return 0


def _write(files: list[Path], out: Path) -> int:
    if len(files) > 1:
        raise InputError(f"--out {out}: {len(files)} input files were given; draw them one by one")
    if out.suffix.lower() not in _SUFFIXES:
        raise InputError(f"--out {out}: the suffix names the format and may be {', '.join(_SUFFIXES)}")
    check_writable(out, "--out")
    circuit = read_circuit(files[0])
    with replacing(out) as temporary:
        if out.suffix.lower() == ".svg":
            temporary.write_text(circuit.draw("svg"), encoding="utf-8")
        else:
            circuit.draw("mpl").savefig(temporary)
    return 0

"""The command line: ``qfast`` and ``python -m qfast``.

Exit codes: 0 done; 1 qfast refused or failed (the message is on standard error); 2 the command line is wrong; 130
stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from qfast import __version__
from qfast.benchmark import command as bench_command
from qfast.cli import (
    config_command,
    convert_command,
    draw_command,
    explain_command,
    graph_command,
    info_command,
    run_command,
)
from qfast.errors import QfastError

__all__ = ["entry_point", "main"]

EXIT_OK, EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130

COMMANDS = (
    run_command, info_command, draw_command, convert_command, explain_command, graph_command, config_command,
    bench_command,
)  # fmt: skip

EPILOG = "exit codes: 0 done, 1 error, 2 wrong command line, 130 stopped by Ctrl-C"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; each command module adds its own part."""
    parser = argparse.ArgumentParser(prog="qfast", description="A fast quantum statevector simulator.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"qfast {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a wrong command line raises ``SystemExit(2)``.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.
    """
    arguments = build_parser().parse_args(argv)
    try:
        code = int(arguments.handler(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("qfast: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except (QfastError, OSError) as error:
        print(f"qfast: {error}", file=sys.stderr)
        return EXIT_ERROR
    return code


def entry_point() -> NoReturn:
    """Run the command line of this process and end it."""
    code = main()
    if code == EXIT_INTERRUPTED:
        # A simulation thread may still be at work for some milliseconds; tidying the interpreter under it could crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)

"""Circuits from files or standard input; output files that are whole or absent, written under another name first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qfast import Circuit
from qfast.errors import InputError

__all__ = ["STANDARD_INPUT", "check_writable", "read_circuit", "replacing"]

STANDARD_INPUT = Path("-")


def read_circuit(path: Path) -> Circuit:
    """Read OpenQASM from a file, or from standard input where the path is ``-``.

    Raises
    ------
    QasmError
        It cannot be read as OpenQASM.
    """
    return Circuit.from_qasm(sys.stdin.read()) if path == STANDARD_INPUT else Circuit.from_qasm_file(path)


def check_writable(path: Path, option: str) -> None:
    """Refuse a path that cannot become a file, before any work is done.

    Raises
    ------
    InputError
        The folder does not exist or cannot be written, or the path is a folder.
    """
    folder = path.absolute().parent
    if path.is_dir():
        raise InputError(f"{option} {path}: this is a folder; name a file in it")
    if not folder.is_dir():
        raise InputError(f"{option} {path}: the folder {folder} does not exist; create it first")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{option} {path}: the folder {folder} cannot be written; choose another or change its mode")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, of the same suffix; it takes the place of `path` when the block succeeds.

    On any exception, Ctrl-C included, the temporary file is removed and `path` stays as it was.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

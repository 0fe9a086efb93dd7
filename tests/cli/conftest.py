"""Circuits as files, and the command line called in process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from qfast.cli import main

BELL = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
cx q[0], q[1];
measure q -> c;
"""

TWO_REGISTERS = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[3];
creg low[2];
creg high[1];
x q[2];
measure q[0] -> low[0];
measure q[2] -> high[0];
"""

NO_MEASUREMENT = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
x q[1];
"""

FEED_FORWARD = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
c[0] = measure q[0];
if (c[0]) { x q[1]; }
c[1] = measure q[1];
"""

ROTATION = """OPENQASM 3.0;
include "stdgates.inc";
input float theta;
qubit q;
bit c;
ry(theta) q;
c = measure q;
"""

CIRCUITS = {
    "bell": BELL,
    "two_registers": TWO_REGISTERS,
    "no_measurement": NO_MEASUREMENT,
    "feed_forward": FEED_FORWARD,
    "rotation": ROTATION,
    "broken": "OPENQASM 2.0;\nqreg q[2];\nhadamard q[0];\n",
    "empty": "",
}


class Called(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], Path]:
    """Write a circuit of `CIRCUITS` and return its path."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.qasm"
        path.write_text(CIRCUITS[name], encoding="utf-8")
        return path

    return write


@pytest.fixture
def qfast(capsys: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    """Call the command line with arguments."""

    def call(*arguments: object) -> Called:
        code = main([str(argument) for argument in arguments])
        return Called(code, *capsys.readouterr())

    return call


@pytest.fixture
def hears_ctrl_c() -> Iterator[None]:
    """Let this process and its children hear SIGINT, even if a shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

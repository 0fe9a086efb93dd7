"""Ctrl-C in a real process, in the middle of a long run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qfast import engines

LIMIT_S = 0.1  # what is promised; the test allows five times as much for a machine that is busy


@pytest.fixture
def long_circuit(tmp_path: Path) -> Path:
    """A file that takes minutes on every engine: its gates are dense and do not fuse away."""
    layer = "".join(f"ry(0.{i + 1}) q[{i}];\n" for i in range(24))
    layer += "".join(f"cx q[{i}], q[{(i + 7) % 24}];\n" for i in range(24))
    path = tmp_path / "long.qasm"
    path.write_text('OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[24];\n' + layer * 400, encoding="utf-8")
    return path


@pytest.mark.usefixtures("hears_ctrl_c")
@pytest.mark.parametrize("engine", list(engines.available()))
def test_ctrl_c_ends_a_run_at_once_and_leaves_nothing_behind(long_circuit: Path, engine: str) -> None:
    plot = long_circuit.with_suffix(".png")
    process = subprocess.Popen(
        [sys.executable, "-m", "qfast", "run", long_circuit, "--plot", plot, "--progress", "--engine", engine],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("long.qasm: ")  # the run has begun
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        elapsed_s = time.monotonic() - begun
    assert process.returncode == 130
    assert out == ""
    assert err.endswith("qfast: interrupted\n")
    assert elapsed_s < 5 * LIMIT_S
    assert list(long_circuit.parent.iterdir()) == [long_circuit]

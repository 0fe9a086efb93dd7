"""The stand-alone benchmarks run and refuse engines that disagree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import engines, memory, single_gate


def test_engines_prints_a_line_for_each_circuit_and_saves_every_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "engines.json"
    arguments = ["--qubits", "4", "--families", "qft", "--engines", "reference", "--repeats", "2", "--json", str(path)]
    assert engines.main(arguments) == 0
    labels = [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]]
    assert labels == ["qft", "h", "rz", "cx", "u3"]
    rows = json.loads(path.read_text())["rows"]
    assert [len(row["seconds"]["reference"]) for row in rows] == [2] * 5


def test_engines_that_disagree_are_not_timed() -> None:
    state = np.array([1, 0], dtype=np.complex64)
    with pytest.raises(SystemExit, match="engines a and b disagree"):
        engines.check({"a": state, "b": state[::-1]}, 1e-5)


def test_memory_measures_a_run_in_its_own_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert memory.main(["--qubits", "4", "--families", "qft", "--engine", "reference", "--threads", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[0] == "qft"


@pytest.mark.parametrize(
    ("gate", "control", "precision", "states"),
    [
        ("h", 9, "complex128", 2),
        ("cx", 9, "complex128", 1),
        ("cx", 2, "complex128", 1),
        ("cx", 1, "complex128", 2),  # four amplitudes share a cache line
        ("cx", 2, "complex64", 2),
        ("cx", 3, "complex64", 1),
    ],
)
def test_a_gate_touches_whole_cache_lines(gate: str, control: int, precision: str, states: int) -> None:
    size = {"complex64": 8, "complex128": 16}[precision] * 2**10
    assert single_gate.touched_bytes(gate, control, 10, precision) == states * size

"""``qfast draw``, ``convert`` and ``info``, and the streams that the commands print to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import qfast as library
from qfast import config
from tests.cli.conftest import CIRCUITS, Called

Files = Callable[[str], Path]
Command = Callable[..., Called]


def test_draw_prints_the_drawing_of_every_file(qfast: Command, files: Files) -> None:
    called = qfast("draw", files("bell"), files("rotation"))
    assert called.code == 0
    for name in ("bell", "rotation"):
        assert f"{name}.qasm:\n" in called.out
        assert library.Circuit.from_qasm(CIRCUITS[name]).draw() in called.out


@pytest.mark.parametrize(("version", "head"), [("qasm2", "OPENQASM 2.0;"), ("qasm3", "OPENQASM 3")])
def test_convert_keeps_the_circuit(qfast: Command, files: Files, version: str, head: str) -> None:
    called = qfast("convert", files("bell"), "--to", version)
    assert called.out.startswith(head)
    assert library.Circuit.from_qasm(called.out) == library.Circuit.from_qasm(CIRCUITS["bell"])


def test_convert_writes_a_file(qfast: Command, files: Files, tmp_path: Path) -> None:
    source, target = files("bell"), tmp_path / "bell3.qasm"
    called = qfast("convert", source, "-o", target)
    assert (called.code, called.out) == (0, "")
    assert library.Circuit.from_qasm_file(target) == library.Circuit.from_qasm_file(source)
    assert set(tmp_path.iterdir()) == {source, target}


def test_what_openqasm_2_cannot_say_is_refused_and_no_file_appears(
    qfast: Command, files: Files, tmp_path: Path
) -> None:
    source, target = files("rotation"), tmp_path / "rotation2.qasm"
    called = qfast("convert", source, "--to", "qasm2", "-o", target)
    assert called.code == 1
    assert "theta" in called.err
    assert set(tmp_path.iterdir()) == {source}


def test_info_tells_the_machine_the_engines_and_the_threads(qfast: Command) -> None:
    facts = json.loads(qfast("info", "--json").out)
    assert facts["version"] == library.__version__
    assert facts["engines"]["reference"] == "available"
    assert facts["threads"]["count"] == config.get("threads")
    assert facts["largest_state"]["complex64"] == facts["largest_state"]["complex128"] + 1
    assert 0 < facts["memory"]["available_bytes"] <= facts["memory"]["limit_bytes"]


def test_info_as_text_has_a_line_for_every_fact(qfast: Command) -> None:
    lines = qfast("info").out.splitlines()
    assert [line.split()[0] for line in lines] == list(json.loads(qfast("info", "--json").out))


def test_info_tells_why_a_forced_choice_cannot_be_served(qfast: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QFAST_ENGINE", "reference")
    monkeypatch.setenv("QFAST_ARRAY_BACKEND", "cupynumeric")
    called = qfast("info")
    assert called.code == 0
    assert "engine         none: " in called.out
    assert "cupynumeric" in called.out


def test_a_reader_that_leaves_early_is_no_traceback(files: Files) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "qfast", "run", files("bell"), "--engine", "reference"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
    )
    os.close(write_end)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_a_circuit_is_drawn_into_a_file(
    qfast: Command, files: Files, tmp_path: Path, suffix: str, begins: bytes
) -> None:
    out = tmp_path / f"bell{suffix}"
    assert qfast("draw", files("bell"), "-o", out).code == 0
    assert out.read_bytes().startswith(begins)


def test_a_picture_is_of_one_circuit_in_a_known_format(qfast: Command, files: Files, tmp_path: Path) -> None:
    bell = files("bell")
    assert "draw them one by one" in qfast("draw", bell, bell, "-o", tmp_path / "two.svg").err
    assert ".svg, .png, .pdf" in qfast("draw", bell, "-o", tmp_path / "bell.gif").err

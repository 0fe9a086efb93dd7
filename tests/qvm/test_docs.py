"""The page on graphs, its commands and the example run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from qfast import qvm
from qfast.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "graphs.md").read_text(encoding="utf-8")
EXAMPLE = str(ROOT / "examples" / "teleportation.qvm.json")


def test_the_python_of_the_page_runs_and_says_what_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "graphs.md", "exec"), names)
    result = names["result"]
    assert result["telemetry"] == {"logical_qubits": 0, "physical_qubits": 0, "channels": 0}
    assert {outcome[0] for outcome in result["counts"]} == {"0"}  # received what was sent
    assert len(result["counts"]) == 4


def test_every_op_rule_and_capability_of_the_page_exists() -> None:
    for name in qvm.OPERATIONS:
        shown = name.removeprefix("APPLY_").removeprefix("MEASURE_")
        assert re.search(rf"(\b|_){shown}\b", PAGE), name
    for name in qvm.CAPABILITIES:
        assert name in PAGE


def test_check_run_draw_and_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["graph", "check", EXAMPLE]) == 0
    assert "11 nodes are valid; at the peak 3 qubits (486 physical)" in capsys.readouterr().out
    assert main(["graph", "run", EXAMPLE, "--shots", "100", "--seed", "3"]) == 0
    assert "received parity phase" in capsys.readouterr().out
    assert main(["graph", "run", EXAMPLE, "--shots", "100", "--seed", "3", "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["counts"].values()) == 100
    for suffix in ("svg", "png"):
        picture = tmp_path / f"graph.{suffix}"
        assert main(["graph", "draw", EXAMPLE, "-o", str(picture)]) == 0
        assert picture.stat().st_size > 5000
    capsys.readouterr()
    assert main(["graph", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["version"] == {"const": "0.1"}


def test_check_prints_every_fault_and_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"version": "9", "program": {"nodes": [{"id": "x", "op": "FLY"}]}, "resources": {}}')
    assert main(["graph", "check", str(path)]) == 1
    error = capsys.readouterr().err
    assert "[version]" in error
    assert "node 'x' [known-op]" in error


def test_the_schema_takes_the_example_and_names_every_operation() -> None:
    schema = qvm.schema()
    listed = {each["properties"]["op"]["const"] for each in schema["$defs"]["node"]["oneOf"]}
    assert listed == set(qvm.OPERATIONS)
    assert set(json.loads(Path(EXAMPLE).read_text())) <= set(schema["properties"])

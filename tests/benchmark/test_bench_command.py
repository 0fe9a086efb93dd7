"""``qfast bench`` measures, saves, compares and draws."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qfast.benchmark.command import FORMAT
from qfast.cli import main

QUICK = ["bench", "--families", "qft,ansatz", "--qubits", "3,2", "--engine", "reference", "--repeats", "2"]


def test_bench_prints_one_line_for_each_family_size_and_precision(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(QUICK) == 0
    lines = capsys.readouterr().out.splitlines()
    found = [tuple(line.split()[:3]) for line in lines[2:]]
    expected = [
        (family, size, precision)
        for size in ("2", "3")
        for precision in ("complex128", "complex64")
        for family in ("qft", "ansatz")
    ]
    assert found == expected


def test_bench_saves_the_measurements_with_the_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert main([*QUICK, "--precision", "complex64", "--json", str(path)]) == 0
    data = json.loads(path.read_text())
    assert data["format"] == FORMAT
    assert data["fingerprint"]["cpu"]
    assert [(row["family"], row["num_qubits"]) for row in data["rows"]] == [
        ("qft", 2), ("ansatz", 2), ("qft", 3), ("ansatz", 3),
    ]  # fmt: skip
    for row in data["rows"]:
        assert row["engine"] == "reference"
        assert len(row["warm_s"]) == 2
        assert 0 < row["least_s"] <= row["median_s"]
        assert row["first_s"] > 0


def test_bench_compares_with_a_saved_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.json"
    assert main([*QUICK, "--precision", "complex64", "--json", str(path)]) == 0
    data = json.loads(path.read_text())
    data["fingerprint"]["cpu"] = "another"
    data["rows"] = data["rows"][:1]
    path.write_text(json.dumps(data))
    capsys.readouterr()
    assert main([*QUICK, "--precision", "complex64", "--compare", str(path)]) == 0
    _, compared, differs, header, first, second, *_ = capsys.readouterr().out.splitlines()
    assert compared.startswith("compared with ")
    assert "not the same cpu: another" in differs
    assert header.endswith("saved / now")
    assert float(first.split()[-1]) > 0
    assert second.split()[-1] == "-"


def test_bench_draws_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "run.png"
    assert main([*QUICK, "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "not a run of qfast bench"), ('{"format": "other"}', "not a run of qfast bench")],
)
def test_a_file_to_compare_with_that_is_no_saved_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    assert main([*QUICK, "--compare", str(path)]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--families", "ghz"], ["--qubits", "1"], ["--qubits", "few"], ["--repeats", "0"]]
)
def test_a_wrong_command_line_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", *arguments])


def test_output_into_a_missing_folder_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*QUICK, "--json", str(tmp_path / "no" / "run.json")]) == 1
    captured = capsys.readouterr()
    assert "does not exist" in captured.err
    assert captured.out == ""

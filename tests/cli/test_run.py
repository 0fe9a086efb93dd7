"""``qfast run``: what it prints, what it refuses, what it writes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qfast as library
from tests.cli.conftest import Called

Files = Callable[[str], Path]
Command = Callable[..., Called]


def result_of(called: Called) -> dict[str, object]:
    """The one result of a JSON document."""
    assert called.code == 0, called.err
    (result,) = json.loads(called.out)["results"]
    assert isinstance(result, dict)
    return result


def table_rows(out: str) -> list[tuple[str, ...]]:
    """Cells of the lines that start with a bitstring, bars left out."""
    return [tuple(line.split(" %")[0].split()) for line in out.splitlines() if re.match(r" +[01]+ ", line)]


def test_counts_are_those_of_the_library_with_the_same_seed(qfast: Command, files: Files) -> None:
    file = files("bell")
    result = result_of(qfast("run", file, "--shots", 500, "--seed", 7, "--json"))
    circuit = library.Circuit.from_qasm_file(file)
    assert result["counts"] == library.sample(circuit, shots=500, seed=7).get_counts()
    assert (result["shots"], result["seed"]) == (500, 7)


def test_the_table_lists_outcomes_with_count_and_ratio_the_largest_first(qfast: Command, files: Files) -> None:
    called = qfast("run", files("bell"), "--shots", 400, "--seed", 7)
    counts = library.sample(library.Circuit.from_qasm_file(files("bell")), shots=400, seed=7).get_counts()
    expected = [(bits, str(count), f"{count / 4:.1f}") for bits, count in counts.most_common()]
    assert table_rows(called.out) == expected


def test_the_footer_names_time_engine_precision_threads_seed_and_memory(qfast: Command, files: Files) -> None:
    out = qfast("run", files("bell"), "--engine", "reference", "--threads", 1, "--seed", 3).out
    assert re.search(r"^  time    \S+ \S+ \(read .*, prepare .*, run .*, sample .*\)$", out, re.MULTILINE)
    assert "  engine  reference, complex128, 1 thread, seed 3\n" in out
    assert re.search(r"^  memory  64 B state, \S+ MiB peak of the process$", out, re.MULTILINE)


def test_a_fresh_seed_is_reported_and_repeats_the_counts(qfast: Command, files: Files) -> None:
    first = result_of(qfast("run", files("bell"), "--json"))
    again = result_of(qfast("run", files("bell"), "--json", "--seed", first["seed"]))
    assert again["counts"] == first["counts"]


def test_each_register_has_its_column_and_the_last_declared_stands_left(qfast: Command, files: Files) -> None:
    out = qfast("run", files("two_registers"), "--shots", 10).out
    assert re.search(r"^ +high +low +count +ratio$", out, re.MULTILINE)
    assert table_rows(out) == [("1", "00", "10", "100.0")]


def test_a_circuit_without_measurement_is_measured_whole(qfast: Command, files: Files) -> None:
    result = result_of(qfast("run", files("no_measurement"), "--shots", 10, "--json"))
    assert result["counts"] == {"10": 10}


def test_probabilities_are_those_of_the_classical_bits(qfast: Command, files: Files) -> None:
    result = result_of(qfast("run", files("two_registers"), "--output", "probabilities", "--json"))
    assert result["probabilities"] == {"100": 1.0}


def test_probabilities_of_a_circuit_that_measures_in_the_middle_are_exact(qfast: Command, files: Files) -> None:
    result = result_of(qfast("run", files("feed_forward"), "--output", "probabilities", "--json"))
    assert result["probabilities"] == pytest.approx({"00": 0.5, "11": 0.5})


def test_amplitudes_are_listed_by_qubits_as_real_and_imaginary_part(qfast: Command, files: Files) -> None:
    result = result_of(qfast("run", files("bell"), "--output", "state", "--json"))
    state = result["state"]
    assert isinstance(state, dict)
    assert {bits: pytest.approx([np.sqrt(0.5), 0.0]) for bits in ("00", "11")} == state


def test_the_state_after_a_measurement_in_the_middle_says_what_was_measured(qfast: Command, files: Files) -> None:
    called = qfast("run", files("feed_forward"), "--output", "state", "--seed", 1)
    (row,) = table_rows(called.out)
    bit = row[0][1]
    assert f"after one shot, which measured 0{bit}" in called.out or f"measured {bit}{bit}" in called.out


def test_parameters_are_bound_from_the_command_line(qfast: Command, files: Files) -> None:
    result = result_of(
        qfast("run", files("rotation"), "--param", "theta=2*pi/3", "--output", "probabilities", "--json")
    )
    assert result["probabilities"] == pytest.approx({"0": 0.25, "1": 0.75})


def test_outcomes_beyond_top_are_summed_up_in_one_line(qfast: Command, files: Files) -> None:
    out = qfast("run", files("bell"), "--shots", 100, "--seed", 1, "--top", 1).out
    (row,) = table_rows(out)
    assert f"and 1 more, together {100 - float(row[2]):.1f} % (all: --top 2)" in out


def test_precision_and_engine_are_forced(qfast: Command, files: Files) -> None:
    result = result_of(
        qfast("run", files("bell"), "--engine", "reference", "--precision", "complex64", "--json", "--shots", 1)
    )
    assert (result["engine"], result["precision"]) == ("reference", "complex64")
    assert result["memory"]["state_bytes"] == 32  # type: ignore[index]


def test_output_json_is_counts_as_json(qfast: Command, files: Files) -> None:
    assert "counts" in result_of(qfast("run", files("bell"), "--output", "json"))


def test_a_plot_is_written_whole_beside_the_table(qfast: Command, files: Files, tmp_path: Path) -> None:
    file, plot = files("bell"), tmp_path / "bell.png"
    assert qfast("run", file, "--plot", plot).code == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert set(tmp_path.iterdir()) == {file, plot}


def test_the_state_is_saved_as_an_array(qfast: Command, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "state.npy"
    assert qfast("run", files("bell"), "--output", "state", "--save", path).code == 0
    assert np.load(path) == pytest.approx(np.array([1, 0, 0, 1]) / np.sqrt(2))


# --- several files and errors -----------------------------------------------------------------------------------------


def test_a_file_that_fails_does_not_stop_the_others_and_the_exit_code_is_1(qfast: Command, files: Files) -> None:
    called = qfast("run", files("broken"), files("bell"), "--json", "--shots", 10)
    broken, bell = json.loads(called.out)["results"]
    assert called.code == 1
    assert broken["error"]["type"] == "QasmError"
    assert sum(bell["counts"].values()) == 10
    assert "broken.qasm" in called.err
    assert "hadamard" in called.err


def test_a_missing_and_an_empty_file_are_refused_by_name(qfast: Command, files: Files, tmp_path: Path) -> None:
    for file in (tmp_path / "absent.qasm", files("empty")):
        called = qfast("run", file)
        assert called.code == 1
        assert called.out == ""
        assert file.name in called.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shots", "0"], "shots = 0 must be a positive integer"),
        (["--shots", "-5"], "shots = -5 must be a positive integer"),
        (["--seed", "-1"], "seed -1 must be an integer from 0"),
        (["--threads", "0"], "threads"),
        (["--top", "0"], "--top 0"),
        (["--param", "theta"], "expected name=value"),
        (["--param", "phi=1"], "phi"),
        (["--plot", "counts.gif"], "may be .pdf, .png, .svg"),
        (["--plot", "absent-folder/counts.png"], "does not exist"),
        (["--plot", "counts.png", "--output", "state"], "add --output probabilities"),
        (["--save", "state.npy"], "add --output state"),
        (["--save", "state.txt", "--output", "state"], "may be .npy, .npz"),
    ],
)
def test_a_bad_option_is_refused_with_its_value(
    qfast: Command, files: Files, arguments: list[str], message: str
) -> None:
    called = qfast("run", files("bell"), *arguments)
    assert called.code == 1
    assert called.out == ""
    assert message in called.err


def test_one_plot_cannot_show_two_files(qfast: Command, files: Files) -> None:
    called = qfast("run", files("bell"), files("no_measurement"), "--plot", "x.png")
    assert called.code == 1
    assert "2 input files" in called.err


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "x.qasm", "--precision", "complex32"], ["fly"]])
def test_a_wrong_command_line_exits_with_2(qfast: Command, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        qfast(*arguments)
    assert ended.value.code == 2


def test_a_circuit_comes_from_standard_input(qfast: Command, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    text = files("bell").read_text()
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    done = qfast("run", "-", "--shots", 100, "--seed", 7, "--json")
    assert done.code == 0
    expected = qfast("run", files("bell"), "--shots", 100, "--seed", 7, "--json")
    assert json.loads(done.out)["results"][0]["counts"] == json.loads(expected.out)["results"][0]["counts"]
    monkeypatch.setattr("sys.stdin", io.StringIO("OPENQASM 2.0;\nqreg q[2];\nhadamard q[0];\n"))
    refused = qfast("run", "-")
    assert refused.code == 1
    assert refused.err.startswith("qfast: standard input: ")

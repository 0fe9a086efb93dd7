"""``qfast bench --tune`` measures a table, keeps it whole, and is the only thing that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qfast
from qfast import engines
from qfast.benchmark import tune
from qfast.cli import main
from qfast.engines import cost_tables
from qfast.engines.cost_tables import BUILT_IN, table_path, this_machine
from qfast.extension import core


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, no engine that has read another one, and a measurement of about a second."""
    folder = tmp_path / "qfast"
    monkeypatch.setattr(cost_tables, "_cache_folder", lambda environ: folder)
    monkeypatch.setattr(engines, "_loaded", {})
    monkeypatch.setattr(tune, "SMALL_QUBITS", 5)
    monkeypatch.setattr(tune, "LARGE_QUBITS", 18)
    monkeypatch.setattr(tune, "ROUNDS", 1)
    return folder


def plan_of_a_run(**options: Any) -> str:
    circuit = qfast.Circuit(8)  # smaller ones run without a plan
    for qubit in range(8):
        circuit.h(qubit)
    state = qfast.simulate(circuit, engine="native", **options)
    return str(state.metadata["plan"]["cost_table"])


def test_tune_keeps_a_table_that_later_engines_plan_by(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--tune"]) == 0
    out = capsys.readouterr().out
    path = table_path(this_machine(engines.select("native").isa or "baseline"))
    assert f"kept in {path}" in out
    data = json.loads(path.read_text())
    assert data["qfast"] == qfast.__version__
    assert set(data["speedup"]) == set(data["costs"]) == {"complex128", "complex64"}
    engines._loaded.clear()
    name = plan_of_a_run()
    assert name == cost_tables.table_name(data["costs"])
    with qfast.config.override(plan="portable"):
        assert plan_of_a_run() == BUILT_IN
    assert main(["info"]) == 0
    assert f"plans by the {name} cost table" in capsys.readouterr().out


def test_measured_prices_are_those_of_a_machine() -> None:
    tuner = tune.Tuner("complex128", engines.select("native").isa or "baseline", 1, sizes=(5, 18))
    prices = tuner.pass_prices(13, lambda: None)
    assert len(prices) == len(tuner.built_in["pass"])
    assert prices == sorted(prices, reverse=True)
    steps = tuner.step_prices(lambda: None)
    assert steps.keys() == tuner.built_in["steps"].keys()
    assert steps["exchange"] < steps["pairs"] < steps["dense_pair"]


def test_a_sweep_in_runs_shorter_than_a_vector_is_not_measured() -> None:
    bits = [0, *range(6, 16)]
    with pytest.raises(qfast.errors.InputError, match="bit 1 of memory is not among the tile's bits"):
        core.measure_sweep(18, bits, 4, "complex64", "baseline", 1, 1)


def test_progress_reaches_no_more_than_its_total(cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    tune.tune(engines.select("native").isa or "baseline", 1, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}


def test_ctrl_c_leaves_the_old_table(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table_path(this_machine(engines.select("native").isa or "baseline"))
    path.parent.mkdir()
    path.write_text("old")

    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tune.Tuner, "step_prices", interrupt)
    assert main(["bench", "--tune"]) == 130
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_measured(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.write_text("a file where the folder should be")
    monkeypatch.setattr(tune.Tuner, "run", None)
    assert main(["bench", "--tune"]) == 1
    assert f"the cache folder {cache} cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--threads", "1"], "measured with all CPUs that this process may use"),
        (["--engine", "reference"], "only the native engine plans by a cost table"),
    ],
)
def test_options_that_make_no_sense_with_tune_are_refused(
    cache: Path, capsys: pytest.CaptureFixture[str], option: list[str], message: str
) -> None:
    assert main(["bench", "--tune", *option]) == 1
    assert message in capsys.readouterr().err
    assert not cache.exists()


def test_small_gains_count_as_noise() -> None:
    assert tune._fastest(np.array([[1.0, 1.0], [0.99, 0.99]])) == 0
    assert tune._fastest(np.array([[1.0, 1.0], [0.99, 0.99], [0.99, 0.97]])) == 2


def test_a_table_that_slows_one_workload_down_is_not_kept() -> None:
    assert tune._fastest(np.array([[1.0, 1.0], [0.5, 1.2], [0.9, 1.05]])) == 2


def test_longer_runs_are_never_dearer() -> None:
    assert tune._descending([5.0, 3.0, 4.0, 1.0]) == [5.0, 4.0, 4.0, 1.0]

"""The gate on speed: its paths give right results, and it sees what it must see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.gate import trend
from benchmarks.gate.compare import judge
from benchmarks.gate.paths import PATHS, PLANT, HotPath
from benchmarks.gate.timing import ratio, worst_case

STEADY = [1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0]


@pytest.mark.parametrize("path", PATHS.values(), ids=list(PATHS))
def test_a_hot_path_gives_what_its_baseline_gives(path: HotPath) -> None:
    for subject in path.subjects():
        result, expected = path.call(subject)(), path.call(path.baseline)()
        if path.agree is not None:
            path.agree(result, expected)


def test_every_group_of_hot_paths_is_there() -> None:
    groups = {path.group for path in PATHS.values()}
    assert groups == {
        "one gate", "circuit", "bind and run", "fresh circuit", "sweep", "sampling", "expectation", "gradient", "noise",
        "density matrix", "dynamic", "text to counts", "plan", "job", "entry", "reading", "import", "threads",
    }  # fmt: skip


def test_a_threefold_slowdown_is_seen() -> None:
    assert judge([3 * second for second in STEADY], STEADY, limit=1.6)
    assert not judge(STEADY, STEADY, limit=1.6)


@pytest.mark.parametrize("disturbed", [[*STEADY[:3], 5.0, 5.0, 5.0, 5.0], [3.0] * 6 + [1.0]])
def test_moments_in_which_the_machine_was_busy_are_no_slowdown(disturbed: list[float]) -> None:
    assert ratio(disturbed, STEADY) < 0.5
    assert not judge(disturbed, STEADY, limit=1.6)


def test_a_planted_path_does_its_work_as_often_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def make(subject: str) -> Any:
        return lambda: calls.append(subject)

    path = HotPath("some: work", "any size", make, {"fast": 1}, "plain")
    monkeypatch.setenv(PLANT, "some: work=3")
    path.call("fast")()
    path.call("plain")()
    replace(path, name="other: work").call("fast")()
    assert calls == ["fast"] * 3 + ["plain", "fast"]


def saved_run(folder: Path, name: str, date: str, found: float) -> Path:
    extra = {"path": "some: <work>", "subject": "native", "baseline": "reference", "floor": 5, "ratio": found}
    data = {
        "datetime": date,
        "commit_info": {"id": 20 * name},
        "machine_info": {"cpu": {"brand_raw": "a processor"}},
        "benchmarks": [{"extra_info": extra}, {"extra_info": {}}],
    }
    file = folder / f"{name}.json"
    file.write_text(json.dumps(data))
    return file


def test_the_trend_shows_the_newest_run_last_and_marks_what_is_below_its_floor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [saved_run(tmp_path, "b", "2026-11-02T00:00", 4.0), saved_run(tmp_path, "a", "2026-11-01T00:00", 9.0)]
    page = tmp_path / "page.html"
    assert trend.main([*map(str, files), "--page", str(page)]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "some:", "<work>", "native", "4", "5", "reference", "BELOW",
    ]  # fmt: skip
    text = page.read_text()
    assert "some: &lt;work&gt;" in text
    assert text.index("a" * 12) < text.rindex("b" * 12)
    assert text.count("<circle") == 2


def test_the_ratio_that_counts_is_the_kinder_of_two() -> None:
    assert worst_case([2.0, 2.0, 1.0], [2.0, 2.0, 2.0]) == 2.0

"""The Python of the pages on mitigation and shot plans runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from qfast.devices import list_devices, remove_device

DOCS = Path(__file__).parents[2] / "docs"


def run_page(name: str) -> dict[str, Any]:
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    namespace: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, name, "exec"), namespace)
    return namespace


def test_the_python_of_the_page_on_mitigation_runs_and_its_numbers_hold() -> None:
    try:
        names = run_page("mitigation.md")
    finally:
        if "local::lab" in list_devices():
            remove_device("local::lab")
    exact = names["qfast"].simulate(names["circuit"]).expectation(names["H"])
    assert abs(names["found"].expectation - exact) < 4 * names["found"].standard_error
    assert abs(names["estimated"].expectation - names["estimated"].metadata["unmitigated"]) > 0.01
    assert sum(names["quasi"].values()) == pytest.approx(1)
    assert names["plain"].expectation == pytest.approx(0.93, abs=0.01)
    assert names["pulsed"].expectation == pytest.approx(0.99, abs=0.01)


def test_the_python_of_the_page_on_shot_plans_runs() -> None:
    names = run_page("shot_plans.md")
    assert names["result"].standard_error <= 0.02

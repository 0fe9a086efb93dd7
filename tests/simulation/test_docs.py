"""The page on observables runs, and what it says of the results is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "observables.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_runs_and_its_numbers_hold() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "observables.md", "exec"), names)
    state, energy, both_one = names["state"], names["energy"], names["both_one"]
    assert state.expectation([[energy, both_one], [both_one, energy]]).shape == (2, 2)
    assert state.expectation(both_one) == pytest.approx(0.5)
    assert state.expectation(names["ones"]) == pytest.approx(0.5 + np.sin(0.15) ** 2)
    assert names["program"].gradient([0.3], both_one) == pytest.approx([np.sin(0.3) / 2])
    assert 0 < 1 - names["exact"].fidelity(names["approximate"]) < 1e-6
    assert names["evolution"].tolerance == 1e-10
    assert set(names["exact"].metadata["evolution"]) >= {"method", "applications", "steps", "error_bound"}

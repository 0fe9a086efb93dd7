"""Every example in a docstring shows what comes out."""

from __future__ import annotations

import doctest
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

import qfast

ROOT = Path(qfast.__file__).parent
NEEDS = {"qfast.torch": "torch", "qfast.jax": "jax", "qfast.capi": "cffi", "qfast.plotting": "matplotlib"}
ABSENT = {module for module, needed in NEEDS.items() if find_spec(needed) is None}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(
    name
    for name in map(module_name, ROOT.rglob("*.py"))
    if name not in ABSENT and not name.endswith("__main__") and (name != "qfast.capi" or find_spec("qfast._core"))
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # what an example saves
    assert doctest.testmod(importlib.import_module(name)).failed == 0

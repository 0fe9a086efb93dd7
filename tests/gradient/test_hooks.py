"""What the hooks for PyTorch and JAX do where these are not installed."""

from __future__ import annotations

import importlib
import sys

import pytest


@pytest.mark.parametrize(("name", "title"), [("torch", "PyTorch"), ("jax", "JAX")])
def test_a_missing_package_is_named_with_the_remedy(monkeypatch, name, title) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, f"qfast.{name}", raising=False)
    with pytest.raises(ImportError, match=rf"qfast\.{name} needs {title}.*pip install 'qfast-sim\[{name}\]'"):
        importlib.import_module(f"qfast.{name}")

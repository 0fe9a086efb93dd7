"""The examples in the docstrings of the mitigation package show what comes out."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import qfast.mitigation

MODULES = [info.name for info in pkgutil.iter_modules(qfast.mitigation.__path__, "qfast.mitigation.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0

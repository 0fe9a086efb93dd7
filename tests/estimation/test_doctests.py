"""The examples in the docstrings of the estimation and mitigation packages show what comes out."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import qfast.estimation
import qfast.mitigation

MODULES = [
    info.name
    for package in (qfast.estimation, qfast.mitigation)
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0

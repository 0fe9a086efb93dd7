"""Fixtures for all tests: every engine that can run here, on every instruction set it can be forced to."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import settings

from qfast import engines
from qfast._typing import Precision
from qfast.engines import Engine, cost_tables
from qfast.extension import core

# What a complex amplitude may be off by after some dozen gates.
TOLERANCE = {"complex64": 2e-6, "complex128": 1e-13}

ENGINES: list[tuple[str, str | None]] = [
    (name, isa) for name, isas in engines.available().items() for isa in (isas or [None])
]

# The first example of a kernel is the one that compiles it.
# In CI the same examples every time: a change is judged, not the luck of the draw.
settings.register_profile("qfast", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("qfast")


def is_about_the_core(item: pytest.Item) -> bool:
    """Whether a test is marked ``native``, or its parameters name the native engine."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return item.get_closest_marker("native") is not None or any(
        isinstance(p, str) and p == "native" for p in parameters
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about the compiled core where there is none, and nothing else."""
    if core is None:
        config.hook.pytest_deselected(items=[item for item in items if is_about_the_core(item)])
        items[:] = [item for item in items if not is_about_the_core(item)]


@pytest.fixture(autouse=True, scope="session")
def empty_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests do not depend on what was measured on the machine that they run on."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost_tables, "_cache_folder", lambda environ: folder)
        yield


def engine_id(choice: tuple[str, str | None]) -> str:
    """Name an engine and its ISA."""
    return "-".join(filter(None, choice))


@pytest.fixture(params=ENGINES, ids=engine_id)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine, and the native one on every ISA."""
    return engines.select(*request.param)


@pytest.fixture(params=ENGINES, ids=engine_id)
def where(request: pytest.FixtureRequest) -> dict[str, str]:
    """Every engine and ISA, as keyword arguments of `simulate` and `sample`."""
    name, isa = request.param
    return {"engine": name} if isa is None else {"engine": name, "isa": isa}


@pytest.fixture(params=["complex64", "complex128"])
def precision(request: pytest.FixtureRequest) -> Precision:
    """Both precisions."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers with a fixed seed."""
    return np.random.default_rng(20250101)

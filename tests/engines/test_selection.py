"""Which engine runs: auto order, forced engines, what is absent."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from qfast import engines
from qfast.circuit import Circuit
from qfast.engines import native
from qfast.engines.reference import ReferenceEngine
from qfast.errors import EngineError


@pytest.fixture
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(engines, "_loaded", {})


@pytest.fixture
def pure_build(monkeypatch, nothing_loaded):
    monkeypatch.setattr(native, "missing_reason", "this is a pure build")
    monkeypatch.setattr(native, "core", None)


@pytest.fixture
def without_numba(monkeypatch, nothing_loaded):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "qfast.engines.numba", raising=False)
    monkeypatch.delitem(sys.modules, "qfast.engines._numba_kernels", raising=False)
    monkeypatch.delitem(sys.modules, "qfast.engines._numba_reading", raising=False)


def test_an_engine_is_the_same_object_every_time() -> None:
    assert engines.select("reference") is engines.select("reference")
    assert engines.select("auto") is engines.select("auto")


def test_auto_takes_the_first_engine_that_is_there() -> None:
    assert engines.select("auto").name == next(iter(engines.available()))


@pytest.mark.usefixtures("pure_build")
def test_without_the_extension_auto_takes_numba() -> None:
    assert engines.select("auto").name == "numba"
    assert "native" not in engines.available()


@pytest.mark.usefixtures("pure_build", "without_numba")
def test_without_extension_and_numba_auto_takes_the_reference() -> None:
    assert engines.select("auto").name == "reference"


@pytest.mark.usefixtures("pure_build")
def test_a_forced_native_engine_is_refused_with_the_reason() -> None:
    with pytest.raises(EngineError, match="'native' was forced but is not available here: this is a pure build"):
        engines.select("native")


@pytest.mark.usefixtures("without_numba")
def test_a_forced_numba_engine_is_refused_with_the_reason() -> None:
    with pytest.raises(EngineError, match=r"'numba'.*numba"):
        engines.select("numba")


def test_an_unknown_engine_is_refused_with_those_that_exist() -> None:
    with pytest.raises(EngineError, match=r"unknown engine 'fast'.*'native', 'numba', 'reference'"):
        engines.select("fast")


def test_an_isa_with_another_engine_is_refused() -> None:
    with pytest.raises(EngineError, match="'avx2' was forced together with engine 'reference'"):
        engines.select("reference", "avx2")


@pytest.mark.usefixtures("pure_build")
def test_an_isa_forced_under_auto_never_becomes_another_engine() -> None:
    with pytest.raises(EngineError, match="native"):
        engines.select("auto", "avx2")


def test_an_isa_that_this_machine_lacks_is_refused(monkeypatch, nothing_loaded) -> None:
    monkeypatch.setattr(native, "missing_reason", None)
    monkeypatch.setattr(native, "isas", lambda: ["baseline"])
    with pytest.raises(EngineError, match="ISA 'avx512' was forced, but this CPU and build offer baseline"):
        engines.select("native", "avx512")


def test_an_array_library_that_is_not_installed_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineError, match=r"array backend 'pytorch' was asked for.*choose the backend 'numpy'"):
        ReferenceEngine("pytorch")


def test_an_unknown_array_backend_is_refused() -> None:
    with pytest.raises(EngineError, match="unknown array backend 'jaxx'"):
        ReferenceEngine("jaxx")


def test_the_reference_engine_runs_in_another_namespace(monkeypatch, rng) -> None:
    """cuPyNumeric is a numpy-like namespace; numpy under another name must do as well as numpy."""
    monkeypatch.setitem(sys.modules, "cupynumeric", np)
    state = np.zeros(8, dtype=np.complex128)
    circuit = (
        Circuit(3).h(0).cx(0, 2).ccx(0, 2, 1).permutation(rng.permutation(4), [1, 2]).pauli_rotation("XY", [0, 1], 1)
    )
    prepared = ReferenceEngine("cupynumeric").prepare(circuit, precision="complex128")
    prepared.run(state, np.zeros(0), from_zero=True, threads=1, cancel=None)
    assert prepared.explain()["array_backend"] == "cupynumeric"
    wanted = np.zeros(8, dtype=np.complex128)
    engines.select("reference").prepare(circuit, precision="complex128").run(
        wanted, np.zeros(0), from_zero=True, threads=1, cancel=None
    )
    assert np.array_equal(state, wanted)

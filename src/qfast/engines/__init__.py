"""Engines: native (C++), numba and reference behind one interface, and the choice among them."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable

from qfast._typing import EngineName, Isa
from qfast.engines import native
from qfast.engines.cost_tables import measured_table
from qfast.engines.interface import (
    AMPLITUDE_BYTES,
    CancelToken,
    Engine,
    PreparedCircuit,
    PreparedObservable,
    PreparedOperator,
)
from qfast.engines.reference import ReferenceEngine
from qfast.errors import EngineError

__all__ = [
    "AMPLITUDE_BYTES",
    "AUTO_ORDER",
    "CancelToken",
    "Engine",
    "PreparedCircuit",
    "PreparedObservable",
    "PreparedOperator",
    "available",
    "select",
    "unavailable_reason",
]

AUTO_ORDER: tuple[EngineName, ...] = ("native", "numba", "reference")
"""What ``engine="auto"`` tries, in order."""

_lock = threading.Lock()
_loaded: dict[tuple[str, str | None, str, str], Engine] = {}


def select(name: str = "auto", isa: str | None = None, array_backend: str = "numpy", plan: str = "auto") -> Engine:
    """Return an engine.

    Parameters
    ----------
    name : {"auto", "native", "numba", "reference"}
        ``"auto"`` takes the first of `AUTO_ORDER` that is available. A named engine is returned or refused; another
        one never takes its place.
    isa : {"baseline", "avx2", "avx512"}, optional
        Force the native engine's instruction set; by default the best that this CPU has.
    array_backend : str, default "numpy"
        Array library of the reference engine: "numpy", "pytorch", "cupy" or "cupynumeric".
    plan : {"auto", "portable"}
        Prices by which the native engine plans: "auto", those that ``qfast bench --tune`` has measured on this machine,
        as they were at the first call, or the built-in ones; "portable", the built-in ones.

    Returns
    -------
    Engine
        Always the same object for the same arguments.

    Raises
    ------
    EngineError
        The engine, the ISA or the array library is absent; the message says why.

    Examples
    --------
    >>> select("reference").name
    'reference'
    """
    key = (name, isa, array_backend, plan)
    engine = _loaded.get(key)
    if engine is None:
        with _lock:
            engine = _loaded.get(key) or _load(name, isa, array_backend, plan)
            _loaded[key] = engine
    return engine


def _after_fork() -> None:
    """Another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def available() -> dict[EngineName, list[Isa]]:
    """Return the engines that can run here, best first, with the ISAs each can be forced to.

    Examples
    --------
    >>> "reference" in available()
    True
    """
    return {name: native.isas() if name == "native" else [] for name in AUTO_ORDER if not unavailable_reason(name)}


def unavailable_reason(name: str) -> str | None:
    """Say why an engine cannot run here; None if it can."""
    if name == "native":
        return native.unavailable_reason()
    if name == "numba" and importlib.util.find_spec("numba") is None:
        return "the package numba is not installed; install it with: pip install 'qfast-sim[numba]'"
    return None


def _load(name: str, isa: str | None, array_backend: str, plan: str) -> Engine:
    if name == "auto":
        return _load_best(isa, array_backend, plan)
    if name not in _LOADERS:
        raise EngineError(f"unknown engine {name!r}; known are 'auto', {', '.join(map(repr, AUTO_ORDER))}")
    reason = unavailable_reason(name)
    if reason is not None:
        raise EngineError(f"engine {name!r} was forced but is not available here: {reason}")
    if isa is not None and name != "native":
        raise EngineError(
            f"ISA {isa!r} was forced together with engine {name!r}; only engine 'native' has ISAs: "
            "leave out one of the two"
        )
    return _LOADERS[name](isa, array_backend, plan)


def _load_best(isa: str | None, array_backend: str, plan: str) -> Engine:
    if isa is not None:  # only one engine can serve this
        return _load("native", isa, array_backend, plan)
    for name in AUTO_ORDER[:-1]:
        try:
            return _load(name, None, array_backend, plan)
        except EngineError:
            continue  # the result names the engine that ran
    return _load(AUTO_ORDER[-1], None, array_backend, plan)


def _load_native(isa: str | None, array_backend: str, plan: str) -> Engine:
    engine = native.NativeEngine(isa)
    return engine if plan == "portable" else native.NativeEngine(engine.isa, measured_table(engine.isa))


def _load_numba(isa: str | None, array_backend: str, plan: str) -> Engine:
    try:
        from qfast.engines.numba import NumbaEngine  # an extra, and most of a second to import
    except ImportError as error:
        raise EngineError(f"engine 'numba' cannot be used here: importing it failed with: {error}") from error
    return NumbaEngine()


def _load_reference(isa: str | None, array_backend: str, plan: str) -> Engine:
    return ReferenceEngine(array_backend)


_LOADERS: dict[str, Callable[[str | None, str, str], Engine]] = {
    "native": _load_native,
    "numba": _load_numba,
    "reference": _load_reference,
}

"""Observables prepared for an engine, the last ones kept; their variances and covariances."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qfast._typing import AnyArray, Precision
from qfast.circuit import Observable, PauliSum
from qfast.circuit.operators import check_observable
from qfast.engines import CancelToken, Engine, PreparedObservable, PreparedOperator
from qfast.engines.memory import allocate_state, check_memory, memory_limits
from qfast.errors import ObservableError
from qfast.simulation.operators_on_states import prepare_operator
from qfast.simulation.run_settings import RunSettings

# A sequence of observables, or nested ones of equal lengths; an array of objects too.
Several: TypeAlias = Sequence[Any] | NDArray[np.object_]
Observables: TypeAlias = Observable | Several

_KEPT = 64
_PIECE = 1 << 15  # amplitudes that stay in the cache between two operations on them


@dataclass(frozen=True, slots=True)
class Measurable:
    """An observable that is prepared; it holds the observable, so that its id() stays its own."""

    observable: Observable
    prepared: PreparedOperator
    is_hermitian: bool

    @property
    def strings(self) -> PreparedObservable | None:
        """What the engine prepared; None where the observable is read in Python."""
        return self.prepared if hasattr(self.prepared, "imaginary_overlaps") else None  # type: ignore[return-value]

    def expectation(self, state: AnyArray, threads: int, cancel: CancelToken | None = None) -> float | complex:
        """Return ⟨ψ|O|ψ⟩, real for a Hermitian observable."""
        value = self.prepared.expectation(state, threads=threads, cancel=cancel)
        return value.real if self.is_hermitian else value

    def deviation(self, state: AnyArray, out: AnyArray, threads: int, cancel: CancelToken | None) -> None:
        """Write (O - ⟨O⟩)|ψ⟩ into `out`."""
        mean = self.expectation(state, threads, cancel)
        self.prepared.apply(state, out, threads=threads, cancel=cancel)
        for begin in range(0, state.size, _PIECE):
            out[begin : begin + _PIECE] -= mean * state[begin : begin + _PIECE]


_kept: dict[tuple[int, Engine, int], Measurable] = {}
_lock = threading.Lock()


def _after_fork() -> None:
    """Another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def measurable(observable: Observable, engine: Engine, num_qubits: int) -> Measurable:
    """Prepare an observable, or find it among the last ones; observables are immutable, so the object is the key.

    Raises
    ------
    ObservableError
        It is no observable, or acts on a qubit that the state does not have.
    """
    key = (id(observable), engine, num_qubits)
    found = _kept.get(key)
    if found is None:
        check_observable(observable, "expectation")
        prepared: PreparedOperator
        if isinstance(observable, PauliSum):
            prepared = engine.observable(num_qubits, *observable.masks(num_qubits))
        else:
            prepared = prepare_operator(observable, engine, num_qubits)
        found = Measurable(observable, prepared, observable.is_hermitian)
        with _lock:
            while len(_kept) >= _KEPT:
                del _kept[next(iter(_kept))]
            _kept[key] = found
    return found


def listed_observables(observables: Observables, what: str) -> tuple[list[Observable], tuple[int, ...]]:
    """Return observables as a list, and their shape, () for a single one.

    Raises
    ------
    ObservableError
        Nested unevenly, or something is no observable.
    """
    listed, shape = unnested(observables, what)
    for observable in listed:
        check_observable(observable, what)
    return listed, shape


def unnested(entries: Any, what: str) -> tuple[list[Any], tuple[int, ...]]:
    """Return what sequences and arrays of objects hold, as a list, and their shape.

    numpy would take a Pauli sum for a sequence of its terms, so nesting is walked here. Raises `ObservableError` where
    it is uneven.
    """
    shape: tuple[int, ...] = ()
    level: list[Any] = [entries]
    while level and _is_nested(level[0]):
        lengths = {len(entry) if _is_nested(entry) else -1 for entry in level}
        if len(lengths) != 1:
            raise ObservableError(f"{what}: the observables are nested unevenly at depth {len(shape)}")
        shape += (lengths.pop(),)
        level = [inner for entry in level for inner in entry]
    return level, shape


def _is_nested(entry: object) -> bool:
    return isinstance(entry, (list, tuple)) or (isinstance(entry, np.ndarray) and entry.ndim > 0)


def shaped(values: Sequence[float | complex], shape: tuple[int, ...]) -> Any:
    """Return one value, or an array of the observables' shape."""
    return np.array(values, dtype=None if values else np.float64).reshape(shape) if shape else values[0]


def variance(wanted: Measurable, state: AnyArray, settings: RunSettings, cancel: CancelToken | None) -> float:
    """Return ⟨O†O⟩ - |⟨O⟩|² as ‖(O - ⟨O⟩)ψ‖², which does not cancel."""
    (moved,) = _more_states(state, settings, 1, 1)
    wanted.deviation(state, moved, settings.threads, cancel)
    return settings.engine.norm_squared(moved, threads=settings.threads)


def covariance(
    wanted: Sequence[Measurable], state: AnyArray, settings: RunSettings, cancel: CancelToken | None
) -> AnyArray:
    """Return ⟨(A_i - ⟨A_i⟩)†(A_j - ⟨A_j⟩)⟩, its real part where all are Hermitian; see `Statevector.covariance`.

    As many deviations are kept as memory allows; with room for b of them, each is made about len(wanted) / b times.
    """
    count, engine, threads = len(wanted), settings.engine, settings.threads
    found = np.zeros((count, count), dtype=np.complex128)
    if count:
        *held, scratch = _more_states(state, settings, 2, count + 1)
        for first in range(0, count, len(held)):
            rows = range(first, min(count, first + len(held)))
            for row in rows:
                wanted[row].deviation(state, held[row - first], threads, cancel)
                for other in range(first, row + 1):
                    found[other, row] = engine.inner_product(held[other - first], held[row - first], threads=threads)
            for column in range(rows.stop, count):
                wanted[column].deviation(state, scratch, threads, cancel)
                for row in rows:
                    found[row, column] = engine.inner_product(held[row - first], scratch, threads=threads)
    found += np.triu(found, 1).conj().T
    np.fill_diagonal(found, found.diagonal().real)
    return found.real.copy() if all(one.is_hermitian for one in wanted) else found


def _more_states(state: AnyArray, settings: RunSettings, least: int, most: int) -> list[AnyArray]:
    """Allocate states like a given one: as many as fit into half of the memory there is, within limits."""
    num_qubits = state.size.bit_length() - 1
    number = most
    if number > least and (settings.max_bytes is not None or number * state.nbytes > 1 << 24):
        free = memory_limits().available_bytes or 1 << 62
        if settings.max_bytes is not None:
            free = min(free, settings.max_bytes)
        number = max(least, min(most, free // (2 * state.nbytes)))
    what = f"moments of observables on {num_qubits} qubits ({number} more states)"
    check_memory(number * state.nbytes, what, amplitude_bytes=state.itemsize, limit_bytes=settings.max_bytes)
    precision: Precision = "complex64" if state.dtype == np.complex64 else "complex128"
    return [allocate_state(num_qubits, precision) for _ in range(number)]

"""Observables prepared for an engine, the last ones kept."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

from qfast._typing import AnyArray
from qfast.circuit import PauliSum
from qfast.engines import Engine, PreparedObservable

_KEPT = 64


@dataclass(frozen=True, slots=True)
class Measurable:
    """A Pauli sum that an engine has prepared; it holds the sum, so that its id() stays its own."""

    observable: PauliSum
    prepared: PreparedObservable
    is_hermitian: bool

    def expectation(self, state: AnyArray, threads: int) -> float | complex:
        """Return ⟨ψ|O|ψ⟩, real for a Hermitian observable."""
        value = self.prepared.expectation(state, threads=threads)
        return value.real if self.is_hermitian else value


_kept: dict[tuple[int, Engine, int], Measurable] = {}
_lock = threading.Lock()


def _after_fork() -> None:
    """Another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def measurable(observable: PauliSum, engine: Engine, num_qubits: int) -> Measurable:
    """Prepare an observable, or find it among the last ones; sums are immutable, so the object is the key.

    Raises
    ------
    ObservableError
        It acts on a qubit that the state does not have.
    """
    key = (id(observable), engine, num_qubits)
    found = _kept.get(key)
    if found is None:
        prepared = engine.observable(num_qubits, *observable.masks(num_qubits))
        found = Measurable(observable, prepared, observable.is_hermitian)
        with _lock:
            while len(_kept) >= _KEPT:
                del _kept[next(iter(_kept))]
            _kept[key] = found
    return found

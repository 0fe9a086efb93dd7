"""States and runs that the engine tests share."""

from __future__ import annotations

import numpy as np

from qfast._typing import AnyArray, Precision
from qfast.circuit import Circuit
from qfast.engines import Engine

NO_VALUES = np.zeros(0)


def random_state(rng: np.random.Generator, num_qubits: int) -> AnyArray:
    """A Haar-random state in complex128."""
    state = rng.normal(size=1 << num_qubits) + 1j * rng.normal(size=1 << num_qubits)
    return state / np.linalg.norm(state)


def after(engine: Engine, circuit: Circuit, start: AnyArray, precision: Precision, *, threads: int = 1) -> AnyArray:
    """The state that an engine makes of `start`."""
    state = np.array(start, dtype=precision)
    engine.prepare(circuit, precision=precision).run(state, NO_VALUES, from_zero=False, threads=threads, cancel=None)
    return state

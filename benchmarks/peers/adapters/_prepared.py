"""What an adapter hands to the worker, and what the adapters share."""

from __future__ import annotations

import cmath
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def _same(result: Any) -> Any:
    return result


@dataclass
class Prepared:
    """A job that is ready to run.

    Attributes
    ----------
    run : callable
        ``run(i)`` does the job for the i-th set of values (tasks cycle through several) and returns the simulator's own
        result. Timed as ``run``.
    fetch : callable
        Turns it into a numpy array, or into the values that the task asks for. Timed as ``fetch``.
    check : callable
        Turns what `fetch` gave into an array that is compared with qfast's. Not timed.
    construct_s, compile_s : float
        Seconds to build the circuit, and to do whatever the simulator can do once for many runs.
    """

    run: Callable[[int], Any]
    fetch: Callable[[Any], Any] = _same
    check: Callable[[Any], Any] = np.asarray
    construct_s: float = 0.0
    compile_s: float = 0.0


@dataclass
class Stopwatch:
    """Seconds between calls of `lap`."""

    _last: float = field(default_factory=time.perf_counter)

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def matrix_of(name: str, params: Sequence[float], pairs: Any) -> np.ndarray[Any, np.dtype[np.complex128]]:
    """Matrix of an operation that the simulator has no gate for: given in the payload, or fSim."""
    if pairs is not None:
        array = np.asarray(pairs, dtype=np.float64)
        return array[..., 0] + 1j * array[..., 1]
    if name == "fsim":
        theta, phi = params
        c, s = cmath.cos(theta), -1j * cmath.sin(theta)
        return np.array([[1, 0, 0, 0], [0, c, s, 0], [0, s, c, 0], [0, 0, 0, cmath.exp(-1j * phi)]])
    raise ValueError(f"no matrix for operation {name!r}")


def ansatz_rows(num_qubits: int, layers: int, angles: Sequence[Any]) -> list[tuple[str, list[int], list[Any]]]:
    """Rows (name, qubits, params) of the ansatz: per layer RY and RZ on every qubit, then a CX ladder.

    `angles` holds 2 * layers * num_qubits values or placeholders, layer by layer, the RY of all qubits before the RZ.
    """
    rows: list[tuple[str, list[int], list[Any]]] = []
    values = iter(angles)
    for _ in range(layers):
        for name in ("ry", "rz"):
            rows.extend((name, [q], [next(values)]) for q in range(num_qubits))
        rows.extend(("cx", [q, q + 1], []) for q in range(num_qubits - 1))
    return rows


def spec_angles(spec: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Parameter sets of a task, shape (sets, parameters)."""
    return np.asarray(spec["angles"], dtype=np.float64)


def z_means(counts: Mapping[int, int], num_qubits: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """⟨Z⟩ of every qubit from counts keyed by basis index."""
    keys = np.fromiter(counts.keys(), dtype=np.int64)
    weights = np.fromiter(counts.values(), dtype=np.float64)
    bits = (keys[:, None] >> np.arange(num_qubits)) & 1
    return np.asarray(1 - 2 * (weights @ bits) / weights.sum())

"""Pubs: a circuit with arrays of parameter values and observables, checked and broadcast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from qfast._typing import FloatArray, IntArray
from qfast.circuit import CircuitValue, Parameter, PauliSum
from qfast.errors import InputError, ObservableError, ParameterError
from qfast.simulation.prepared_observables import unnested
from qfast.simulation.request import checked_circuit

__all__ = ["Bindings", "EstimatorPub", "SamplerPub", "make_estimator_pub", "make_sampler_pub"]

ObjectArray: TypeAlias = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Bindings:
    """Sets of parameter values.

    Attributes
    ----------
    shape : tuple of int
        Of the sets; ``()`` for a single one.
    table : ndarray of float64, shape (prod(shape), p)
        One row per set, in C order; columns in the order of ``circuit.parameters``.
    """

    shape: tuple[int, ...]
    table: FloatArray


@dataclass(frozen=True, slots=True)
class SamplerPub:
    """A circuit to be sampled: ``shots`` of every set of values."""

    circuit: CircuitValue
    bindings: Bindings
    shots: int


@dataclass(frozen=True, slots=True)
class EstimatorPub:
    """A circuit whose observables are to be estimated.

    Attributes
    ----------
    observables : list of PauliSum
        Every distinct place of the observables array, in C order.
    bindings : Bindings
    of_observable, of_binding : ndarray of int, shape = the broadcast shape
        Which observable, and which set of values, belongs to each element of the result.
    precision : float
        The standard error that is aimed at; 0 is exact.
    """

    circuit: CircuitValue
    observables: list[PauliSum]
    bindings: Bindings
    of_observable: IntArray
    of_binding: IntArray
    precision: float


def make_sampler_pub(pub: Any, default_shots: int, place: str) -> SamplerPub:
    """Turn ``circuit``, ``(circuit, values)`` or ``(circuit, values, shots)`` into a pub, or refuse it."""
    circuit, values, shots = _parts(pub, place, ("circuit", "parameter values", "shots"))
    if shots is None:
        shots = default_shots
    if isinstance(shots, bool) or not hasattr(shots, "__index__") or shots.__index__() < 1:
        raise InputError(f"{place}: shots {shots!r} is not valid; allowed: whole numbers from 1")
    return SamplerPub(circuit, _bindings(circuit, values, place), shots.__index__())


def make_estimator_pub(pub: Any, default_precision: float, place: str) -> EstimatorPub:
    """Turn ``(circuit, observables)``, and optionally values and a precision, into a pub, or refuse it."""
    names = ("circuit", "observables", "parameter values", "precision")
    circuit, observables, values, precision = _parts(pub, place, names)
    if precision is None:
        precision = default_precision
    if isinstance(precision, bool) or not isinstance(precision, (int, float)) or not 0 <= precision < math.inf:
        raise InputError(f"{place}: precision {precision!r} is not valid; allowed: a standard error from 0 (exact)")
    bindings = _bindings(circuit, values, place)
    listed, shape = unnested(observables, place)
    sums = [_checked_sum(observable, circuit, place) for observable in listed]
    numbers = np.arange(len(sums)).reshape(shape)
    rows = np.arange(math.prod(bindings.shape)).reshape(bindings.shape)
    try:
        of_observable, of_binding = np.broadcast_arrays(numbers, rows)
    except ValueError:
        raise InputError(
            f"{place}: observables of shape {shape} and parameter sets of shape {bindings.shape} cannot be "
            "broadcast together"
        ) from None
    return EstimatorPub(circuit, sums, bindings, of_observable, of_binding, float(precision))


def _parts(pub: Any, place: str, names: tuple[str, ...]) -> list[Any]:
    parts = list(pub) if isinstance(pub, (tuple, list)) else [pub]
    if not 1 <= len(parts) <= len(names):
        raise InputError(f"{place} has {len(parts)} parts; allowed: ({', '.join(names)}), the last ones optional")
    try:
        parts[0] = checked_circuit(parts[0])
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return parts + [None] * (len(names) - len(parts))


# --- parameter values -------------------------------------------------------------------------------------------------
def _bindings(circuit: CircuitValue, values: Any, place: str) -> Bindings:
    names = [parameter.name for parameter in circuit.parameters]
    if isinstance(values, Mapping):
        table = _named_table(names, values, place)
    elif values is None:
        table = np.empty(0)
    else:
        table = _numbers(values, f"{place}: the parameter values")
    if table.ndim == 0 or table.shape[-1] != len(names):
        order = ", ".join(names[:8]) + (", …" if len(names) > 8 else "") or "none"
        raise ParameterError(
            f"{place}: parameter values of shape {table.shape} were given; the last axis must have length "
            f"{len(names)}, one for each parameter in the order: {order}"
        )
    if not np.isfinite(table).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(table))[0])
        raise ParameterError(f"{place}: the value of parameter '{names[where[-1]]}' at {where[:-1]} is {table[where]}")
    shape = table.shape[:-1]
    return Bindings(shape, np.array(table, dtype=np.float64).reshape(math.prod(shape), len(names)))


def _numbers(values: Any, what: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"{what} are no real numbers: {error}") from None


def _named_table(names: list[str], values: Mapping[Any, Any], place: str) -> FloatArray:
    given = {key.name if isinstance(key, Parameter) else key: value for key, value in values.items()}
    unknown = [name for name in given if name not in names]
    missing = [name for name in names if name not in given]
    if unknown or missing:
        problem = f"no parameter {unknown[0]!r}" if unknown else f"no values for {', '.join(map(repr, missing[:8]))}"
        raise ParameterError(f"{place}: there is {problem}; the circuit has: {', '.join(names[:8]) or 'none'}")
    columns = [_numbers(given[name], f"{place}: the values of parameter {name!r}") for name in names]
    try:
        return np.stack(np.broadcast_arrays(*columns), axis=-1) if columns else np.empty(0)
    except ValueError:
        shapes = ", ".join(f"{name} {column.shape}" for name, column in zip(names, columns, strict=True))
        raise ParameterError(f"{place}: parameter values cannot be broadcast together: {shapes}") from None


# --- observables ------------------------------------------------------------------------------------------------------
def _checked_sum(observable: Any, circuit: CircuitValue, place: str) -> PauliSum:
    if not isinstance(observable, PauliSum):
        raise ObservableError(f"{place}: {type(observable).__name__} is not an observable; pass a qfast.PauliSum")
    if observable.num_qubits > circuit.num_qubits:
        raise ObservableError(
            f"{place}: the observable acts on {observable.num_qubits} qubits and the circuit has {circuit.num_qubits}"
        )
    if not observable.is_hermitian:
        raise ObservableError(f"{place}: the observable {observable} is not Hermitian; its coefficients must be real")
    return observable

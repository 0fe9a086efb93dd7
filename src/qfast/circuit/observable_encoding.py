"""Observables as bytes: one form each, without pickle, checked in full when they are read."""

from __future__ import annotations

import numpy as np

from qfast._typing import AnyArray
from qfast.circuit.byte_stream import ByteReader, ByteWriter
from qfast.circuit.observable import PauliSum
from qfast.circuit.operators import DenseOperator, DiagonalOperator, Observable, Projector, SparseOperator
from qfast.errors import ObservableError

__all__ = ["read_observable", "write_observable"]

_PAULI_SUM, _BASIS_STATE, _STATE, _DIAGONAL, _DENSE, _SPARSE = range(6)
_MAX_PAULI_QUBITS = 64
_MAX_OPERATOR_QUBITS = 62
_NUMBERS = ("<f8", "<c16", "<c8")
"""What an operator's numbers may be."""


def write_observable(out: ByteWriter, observable: Observable) -> None:
    """Write an observable.

    Raises
    ------
    ObservableError
        It is a function, which has no bytes.
    """
    if isinstance(observable, PauliSum):
        x_masks, z_masks, coefficients = observable.masks()
        out.number(_PAULI_SUM, 1)
        out.number(observable.num_qubits)
        out.number(len(coefficients), 8)
        out.column(x_masks, "<u8")
        out.column(z_masks, "<u8")
        out.column(coefficients, "<c16")
        return
    if isinstance(observable, Projector) and observable.pattern is not None:
        out.number(_BASIS_STATE, 1)
        out.number(observable.pattern, 8)
    elif isinstance(observable, Projector):
        out.number(_STATE, 1)
        _write_numbers(out, observable.amplitudes)
    elif isinstance(observable, DiagonalOperator):
        if observable.table is None:
            raise ObservableError(
                "a DiagonalOperator of a function cannot be written, sent or compared; make it of a table of values"
            )
        out.number(_DIAGONAL, 1)
        _write_numbers(out, observable.table)
    elif isinstance(observable, DenseOperator):
        out.number(_DENSE, 1)
        _write_numbers(out, observable.own_matrix().reshape(-1))
    elif isinstance(observable, SparseOperator):
        out.number(_SPARSE, 1)
        _write_numbers(out, observable.values)
        out.number(len(observable.row_ends), 8)
        out.column(observable.columns, "<i8")
        out.column(observable.row_ends, "<i8")
    else:
        raise ObservableError(f"{type(observable).__name__} is not an observable that can be written")
    out.number(len(observable.qubits))
    out.column(np.array(observable.qubits, dtype=np.int64), "<u4")


def read_observable(source: ByteReader) -> Observable:
    """Read what `write_observable` wrote.

    Raises
    ------
    InputError
        The bytes hold no observable, or one that its class refuses.
    """
    kind = source.number(1, _SPARSE + 1)
    if kind == _PAULI_SUM:
        return _read_pauli_sum(source)
    if kind == _BASIS_STATE:
        pattern = source.number(8)
        return Projector(pattern, _read_qubits(source))
    values = _read_numbers(source)
    if kind == _SPARSE:
        return _read_sparse(source, values)
    qubits = _read_qubits(source)
    if values.size != 1 << (2 * len(qubits) if kind == _DENSE else len(qubits)):
        raise source.fail(f"{values.size} numbers stand for {len(qubits)} qubits")
    if kind == _STATE:
        return Projector(values, qubits)
    if kind == _DIAGONAL:
        return DiagonalOperator(values, qubits)
    return DenseOperator(values.reshape(1 << len(qubits), -1), qubits)


def _read_pauli_sum(source: ByteReader) -> PauliSum:
    num_qubits = source.number(limit=_MAX_PAULI_QUBITS + 1)
    count = source.count(32)
    x_masks, z_masks = source.column(count, "<u8"), source.column(count, "<u8")
    coefficients = source.column(count, "<c16")
    touched = int(np.bitwise_or.reduce(x_masks | z_masks)) if count else 0
    if touched >> num_qubits:
        raise source.fail(f"a term acts on qubit {touched.bit_length() - 1} of {num_qubits}")
    if not np.isfinite(coefficients).all():
        raise source.fail("a coefficient is not finite")
    return PauliSum._from_masks(x_masks.copy(), z_masks.copy(), coefficients.copy(), num_qubits)


def _read_sparse(source: ByteReader, values: AnyArray) -> SparseOperator:
    num_ends = source.count(8)
    columns, ends = source.column(values.size, "<i8"), source.column(num_ends, "<i8")
    qubits = _read_qubits(source)
    dim = 1 << len(qubits)
    if num_ends != dim + 1 or ends[0] != 0 or ends[-1] != values.size or (np.diff(ends) < 0).any():
        raise source.fail(f"the entries of a sparse operator on {len(qubits)} qubits are not divided among its rows")
    rows = np.repeat(np.arange(dim), np.diff(ends))
    return SparseOperator((rows, columns, values), qubits)


def _write_numbers(out: ByteWriter, values: AnyArray | None) -> None:
    assert values is not None
    code = next(k for k, dtype in enumerate(_NUMBERS) if values.dtype == np.dtype(dtype))
    out.number(code, 1)
    out.number(values.size, 8)
    out.column(values, _NUMBERS[code])


def _read_numbers(source: ByteReader) -> AnyArray:
    dtype = _NUMBERS[source.number(1, len(_NUMBERS))]
    return source.column(source.count(np.dtype(dtype).itemsize), dtype)


def _read_qubits(source: ByteReader) -> list[int]:
    qubits = source.column(source.number(limit=_MAX_OPERATOR_QUBITS + 1), "<u4")
    return [int(qubit) for qubit in qubits]

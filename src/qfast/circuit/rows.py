"""The rows of a circuit: append-only columns, and what they were at one moment.

`Rows` is what a circuit appends to, `Columns` what it has shown so far. A column is never written where
it has been seen: an append writes behind the last row, and a column that is full moves to a longer one, while whoever
holds the old one keeps it. So taking the columns costs the same for ten rows and for ten million.

In a native build both are the core's (``csrc/bindings/rows.h``), over columns that plans share; the classes here are
those of a pure build.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from qfast._typing import AnyArray
from qfast.circuit.parameter import ParameterExpression
from qfast.extension import core

__all__ = ["COLUMN_TYPES", "RAGGED", "Columns", "PythonRows", "Rows"]

COLUMN_TYPES: dict[str, type[np.generic]] = {
    "opcodes": np.uint16, "num_controls": np.uint16, "ctrl_states": np.uint64, "data": np.int32,
    "qubit_end": np.int64, "qubits": np.int32, "param_end": np.int64, "params": np.float64,
}  # fmt: skip
"""The columns in order, and what they hold."""

RAGGED = ("qubits", "params")
"""The columns that have any number of entries for a row."""

_CODES: dict[str, Any] = {
    "opcodes": "H", "num_controls": "H", "ctrl_states": "Q", "data": "i",
    "qubit_end": "q", "qubits": "i", "param_end": "q", "params": "d",
}  # fmt: skip
"""The same as type codes of `array`."""

_FIRST_CAPACITY = 16


@dataclass(frozen=True, slots=True, eq=False)
class PythonColumns:
    """Read-only views of all rows up to a moment; CONTRIBUTING.md says what stands in them."""

    opcodes: memoryview
    num_controls: memoryview
    ctrl_states: memoryview
    data: memoryview
    qubit_end: memoryview
    qubits: memoryview
    param_end: memoryview
    params: memoryview

    def __len__(self) -> int:
        return len(self.opcodes)


class PythonRows:
    """Columns that rows are appended to. Nothing is checked here: callers have.

    Attributes
    ----------
    num_qubits, num_clbits : int
        Qubits and classical bits that the rows may name.
    expressions : dict of int to ParameterExpression
        By slot of `params`, ascending; added to, never changed.
    """

    __slots__ = ("_capacities", "_columns", "_lengths", "_size", "expressions", "num_clbits", "num_qubits")

    def __init__(self, num_qubits: int = 0, num_clbits: int = 0) -> None:
        self.num_qubits = num_qubits
        self.num_clbits = num_clbits
        self.expressions: dict[int, ParameterExpression] = {}
        self._size = 0
        self._lengths = dict.fromkeys(RAGGED, 0)
        self._columns: dict[str, array[Any]] = {}
        self._capacities = (0, 0, 0)
        self._reserve(_FIRST_CAPACITY, _FIRST_CAPACITY, _FIRST_CAPACITY)

    def __len__(self) -> int:
        return self._size

    @property
    def num_params(self) -> int:
        """Length of the column `params`: the slot that comes next."""
        return self._lengths["params"]

    def _reserve(self, rows: int, qubits: int, params: int) -> None:
        """Make room for so many entries in all; columns that must grow move and leave the old ones to their holders."""
        wanted = []
        for needed, capacity in zip((rows, qubits, params), self._capacities, strict=True):
            wanted.append(capacity if needed <= capacity else max(needed, 2 * capacity))
        for name, code in _CODES.items():
            kind = 1 + RAGGED.index(name) if name in RAGGED else 0
            if wanted[kind] > self._capacities[kind]:
                grown = array(code, bytes(wanted[kind] * np.dtype(COLUMN_TYPES[name]).itemsize))
                if name in self._columns:
                    old = self._columns[name]
                    grown[: len(old)] = old
                self._columns[name] = grown
        self._capacities = (wanted[0], wanted[1], wanted[2])

    def append(
        self, opcode: int, num_controls: int, ctrl_state: int, data: int, qubits: Sequence[int], params: Sequence[Any]
    ) -> None:
        """Append one row; a parameter is a float or an expression."""
        row, at, slot = self._size, self._lengths["qubits"], self._lengths["params"]
        end, slots_end = at + len(qubits), slot + len(params)
        capacities = self._capacities
        if row >= capacities[0] or end > capacities[1] or slots_end > capacities[2]:
            self._reserve(row + 1, end, slots_end)
        columns = self._columns
        columns["opcodes"][row] = opcode
        columns["num_controls"][row] = num_controls
        columns["ctrl_states"][row] = ctrl_state
        columns["data"][row] = data
        columns["qubit_end"][row] = end
        columns["param_end"][row] = slots_end
        column = columns["qubits"]
        for qubit in qubits:
            column[at] = qubit
            at += 1
        column = columns["params"]
        for value in params:
            if isinstance(value, ParameterExpression):
                self.expressions[slot] = value
                value = np.nan
            column[slot] = value
            slot += 1
        self._lengths["qubits"], self._lengths["params"] = end, slots_end
        self._size = row + 1

    def append_each(self, opcode: int, rows: list[tuple[Any, ...]], num_params: int, expression_type: type) -> bool:
        """Append one gate for each tuple of parameters and operands, if all are plain; else nothing, and return False.

        Plain are different integers in range and parameters that are finite floats or expressions.
        """
        for row in rows:
            qubits = row[num_params:]
            for qubit in qubits:
                if type(qubit) is not int or not 0 <= qubit < self.num_qubits:
                    return False
            for value in row[:num_params]:
                if not isinstance(value, expression_type) and (type(value) is not float or not math.isfinite(value)):
                    return False
            if len(qubits) > 1 and len(set(qubits)) != len(qubits):
                return False
        for row in rows:
            self.append(opcode, 0, 0, -1, row[num_params:], row[:num_params])
        return True

    def extend(
        self,
        opcodes: AnyArray,
        num_controls: AnyArray,
        ctrl_states: AnyArray,
        data: AnyArray,
        qubit_end: AnyArray,
        qubits: AnyArray,
        param_end: AnyArray,
        params: AnyArray,
    ) -> None:
        """Append many rows; their ends count from 0."""
        row, at, slot = self._size, self._lengths["qubits"], self._lengths["params"]
        rows_end, end, slots_end = row + len(opcodes), at + len(qubits), slot + len(params)
        self._reserve(rows_end, end, slots_end)
        given = (opcodes, num_controls, ctrl_states, data, np.asarray(qubit_end) + at, qubits,
                 np.asarray(param_end) + slot, params)  # fmt: skip
        begins, ends = {"qubits": at, "params": slot}, {"qubits": end, "params": slots_end}
        for (name, dtype), values in zip(COLUMN_TYPES.items(), given, strict=True):
            target = np.frombuffer(self._columns[name], dtype=dtype)
            target[begins.get(name, row) : ends.get(name, rows_end)] = values
        self._lengths["qubits"], self._lengths["params"] = end, slots_end
        self._size = rows_end

    def columns(self) -> PythonColumns:
        """Return what has been appended so far."""
        lengths, size = self._lengths, self._size
        return PythonColumns(
            *(memoryview(column)[: lengths.get(name, size)].toreadonly() for name, column in self._columns.items())
        )

    @classmethod
    def of(cls, columns: PythonColumns, num_qubits: int, num_clbits: int) -> Self:
        """Return rows that begin with those of `columns`."""
        rows = cls(num_qubits, num_clbits)
        rows.extend(*(np.asarray(getattr(columns, name)) for name in COLUMN_TYPES))
        return rows


Columns: TypeAlias = PythonColumns
Rows: type[PythonRows] = PythonRows if core is None else core.Rows

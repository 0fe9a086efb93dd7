"""Checks on whole columns of instructions, vectorised: what bulk import needs instead of a loop over instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qfast._typing import AnyArray, IntArray
from qfast.circuit.canonical import HOLDS_DATA, MEASURE
from qfast.circuit.checks import as_index
from qfast.circuit.gates import GATES
from qfast.circuit.parameter import ParameterExpression
from qfast.circuit.rows import COLUMN_TYPES
from qfast.errors import CircuitError, ParameterError

__all__ = [
    "as_columns",
    "as_integers",
    "check_columns",
    "operand_name",
    "plain_columns",
    "repeated_qubit_message",
    "slots_of",
]

_VARIABLE = -1
_ROW_QUBITS = np.array([_VARIABLE if row.num_qubits is None else row.num_qubits for row in GATES], dtype=np.int64)
_ROW_PARAMS = np.array([row.num_params for row in GATES], dtype=np.int64)
_NAMES_DATA = HOLDS_DATA | (np.arange(len(GATES)) == MEASURE)
_ROW_OWN_CONTROLS = [row.own_controls for row in GATES]


def as_integers(values: ArrayLike, dtype: type[np.generic], place: str) -> NDArray[Any]:
    """Return an integer array of the wanted dtype, refusing other kinds of numbers and overflow."""
    given = np.asarray(values)
    if given.size == 0:
        return given.astype(dtype)
    if given.dtype.kind not in "iu":
        raise CircuitError(f"{place}: integers are needed, dtype {given.dtype} given")
    limits = np.iinfo(np.dtype(dtype))
    low, high = int(given.min()), int(given.max())
    if low < limits.min or high > limits.max:
        raise CircuitError(f"{place}: {low if low < limits.min else high} is out of range")
    return given.astype(dtype, copy=False)


def as_columns(given: Sequence[ArrayLike | None]) -> dict[str, NDArray[Any]]:
    """Return columns as arrays of their types by name; one that is None is -1 for `data` and 0 for the others."""
    size = len(np.atleast_1d(np.asarray(given[0])))
    columns: dict[str, NDArray[Any]] = {}
    for (name, dtype), values in zip(COLUMN_TYPES.items(), given, strict=True):
        place = f"column '{name}'"
        if values is None:
            columns[name] = np.full(size, -1 if name == "data" else 0, dtype=dtype)
        elif name == "params":
            array = np.asarray(values)
            if array.dtype.kind not in "iuf":
                raise ParameterError(f"{place}: real numbers are needed, dtype {array.dtype} given")
            columns[name] = np.ascontiguousarray(array, dtype=np.float64)
        else:
            columns[name] = as_integers(values, dtype, place)
        if columns[name].ndim != 1:
            raise CircuitError(f"{place}: one dimension is needed, shape {columns[name].shape} given")
    return columns


def plain_columns(opcodes: AnyArray, qubits: AnyArray, params: AnyArray) -> tuple[AnyArray, ...]:
    """Return all columns of gates that the table knows the operands of, without extra controls."""
    size = len(opcodes)
    return (
        opcodes, np.zeros(size, dtype=np.uint16), np.zeros(size, dtype=np.uint64), np.full(size, -1, dtype=np.int32),
        np.cumsum(_ROW_QUBITS[opcodes]), qubits, np.cumsum(_ROW_PARAMS[opcodes]), params,
    )  # fmt: skip


def slots_of(expressions: Mapping[int, ParameterExpression], num_params: int) -> IntArray:
    """Return the slots at which expressions stand, ascending, after a check of both."""
    for slot, expression in expressions.items():
        if not isinstance(expression, ParameterExpression):
            raise ParameterError(f"slot {slot} of 'params': a parameter expression is needed, {expression!r} given")
        if as_index(slot) is None or not 0 <= slot < num_params:
            raise CircuitError(f"an expression stands at a slot outside 0…{num_params - 1}")
    return np.sort(np.fromiter(expressions, dtype=np.int64, count=len(expressions)))


def operand_name(position: int, num_controls: int, opcode: int) -> str:
    """Name an operand by its place in an instruction's qubit list."""
    row = GATES[opcode]
    own = _ROW_OWN_CONTROLS[opcode]
    total = num_controls + own
    if position < total:
        return "control" if total == 1 else f"control {position + 1}"
    target = position - total
    if row.num_qubits is not None and row.num_qubits - own == 1:
        return "target"
    return f"target {target + 1}" if total else f"operand {target + 1}"


def repeated_qubit_message(opcode: int, index: int, num_controls: int, first: int, second: int, qubit: int) -> str:
    """Say which two operands of an instruction are the same qubit."""
    names = operand_name(first, num_controls, opcode), operand_name(second, num_controls, opcode)
    return (
        f"gate '{GATES[opcode].name}' at instruction {index}: {names[0]} and {names[1]} are both qubit {qubit}; "
        "they must differ"
    )


def check_columns(
    opcodes: AnyArray,
    num_controls: AnyArray,
    ctrl_states: AnyArray,
    data: AnyArray,
    qubit_end: AnyArray,
    qubits: AnyArray,
    param_end: AnyArray,
    params: AnyArray,
    *,
    num_qubits: int,
    first_index: int = 0,
    expression_slots: AnyArray | None = None,
) -> None:
    """Check rows of instructions against the gate table.

    Raises
    ------
    CircuitError
        Columns disagree in length, an operand is out of range, or an instruction names a qubit twice.
    ParameterError
        A parameter is not finite.
    """
    size = len(opcodes)
    for name, column in (("num_controls", num_controls), ("ctrl_states", ctrl_states), ("data", data),
                         ("qubit_end", qubit_end), ("param_end", param_end)):  # fmt: skip
        if len(column) != size:
            raise CircuitError(f"column '{name}' has {len(column)} rows, 'opcodes' has {size}")
    if size and int(opcodes.max()) >= len(GATES):
        where = int(np.argmax(opcodes >= len(GATES)))
        raise CircuitError(f"instruction {first_index + where}: opcode {opcodes[where]} is not in the gate table")
    arity = _row_lengths(qubit_end, len(qubits), "qubit")
    wanted = _ROW_QUBITS[opcodes]
    _check_counts(arity - num_controls, wanted, opcodes, first_index, "qubits")
    num_params = _row_lengths(param_end, len(params), "param")
    _check_counts(num_params, _ROW_PARAMS[opcodes], opcodes, first_index, "parameters")
    _check_control_states(opcodes, num_controls, ctrl_states, first_index)
    _check_data(opcodes, data, first_index)
    outside = (qubits < 0) | (qubits >= num_qubits)
    if outside.any():
        where = int(np.argmax(outside))
        row = int(np.searchsorted(qubit_end, where, side="right"))
        raise CircuitError(
            f"gate '{GATES[opcodes[row]].name}' at instruction {first_index + row}: qubit {qubits[where]} is out of "
            f"range; the circuit has {num_qubits} qubits"
        )
    _check_distinct(opcodes, num_controls, qubit_end - arity, arity, qubits, first_index)
    finite = np.isfinite(params)
    if expression_slots is not None:
        finite[expression_slots] = True
    if not finite.all():
        where = int(np.argmin(finite))
        row = int(np.searchsorted(param_end, where, side="right"))
        place = f"gate '{GATES[opcodes[row]].name}' at instruction {first_index + row}"
        raise ParameterError(f"{place}: parameter {params[where]} is not finite")


def _row_lengths(end: AnyArray, total: int, name: str) -> NDArray[np.int64]:
    lengths = np.diff(end, prepend=0)
    if len(end) and (int(lengths.min()) < 0 or int(end[-1]) != total):
        raise CircuitError(f"column '{name}_end' must not fall and must end at {total}, the length of '{name}s'")
    if not len(end) and total:
        raise CircuitError(f"column '{name}s' has {total} entries that belong to no instruction")
    return lengths.astype(np.int64, copy=False)


def _check_counts(
    given: NDArray[np.int64], wanted: NDArray[np.int64], opcodes: AnyArray, first_index: int, what: str
) -> None:
    wrong = ((given != wanted) & (wanted != _VARIABLE)) | (given < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise CircuitError(
            f"gate '{GATES[opcodes[row]].name}' at instruction {first_index + row}: {given[row]} {what} given, "
            f"{wanted[row]} needed"
        )


def _check_data(opcodes: AnyArray, data: AnyArray, first_index: int) -> None:
    stray = (data != -1) & ~_NAMES_DATA[opcodes]
    if stray.any():
        row = int(np.argmax(stray))
        raise CircuitError(
            f"'{GATES[opcodes[row]].name}' at instruction {first_index + row} holds no data; -1 must stand in column "
            f"'data', not {data[row]}"
        )


def _check_control_states(opcodes: AnyArray, num_controls: AnyArray, ctrl_states: AnyArray, first_index: int) -> None:
    controlled = np.flatnonzero(num_controls)
    if not len(controlled):
        if ctrl_states.any():
            where = first_index + int(np.argmax(ctrl_states != 0))
            raise CircuitError(f"instruction {where}: control state without controls")
        return
    for row in controlled.tolist():
        count, state = int(num_controls[row]), int(ctrl_states[row])
        place = f"'{GATES[opcodes[row]].name}' at instruction {first_index + row}"
        if count > 64 or state >> count:
            raise CircuitError(f"{place}: {count} controls (at most 64) with control state {state:#b}")
        if not GATES[opcodes[row]].is_gate:
            raise CircuitError(f"{place} is no gate and takes no controls")


def _check_distinct(
    opcodes: AnyArray,
    num_controls: AnyArray,
    starts: AnyArray,
    arity: NDArray[np.int64],
    qubits: AnyArray,
    first_index: int,
) -> None:
    """Rows are taken together by their number of qubits, so that each group is one rectangular gather."""
    for width in np.flatnonzero(np.bincount(arity)).tolist() if len(arity) else ():
        if width < 2:
            continue
        rows = np.flatnonzero(arity == width)
        block = qubits[starts[rows][:, None] + np.arange(width)]
        if width == 2:
            equal = block[:, 0] == block[:, 1]
        else:
            ordered = np.sort(block, axis=1)
            equal = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if equal.any():
            at = int(np.argmax(equal))
            row = int(rows[at])
            operands = block[at].tolist()
            second = next(i for i, qubit in enumerate(operands) if qubit in operands[:i])
            first = operands.index(operands[second])
            raise CircuitError(
                repeated_qubit_message(
                    int(opcodes[row]), first_index + row, int(num_controls[row]), first, second, operands[second]
                )
            )

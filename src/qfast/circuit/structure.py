"""What two circuits share that differ in numbers only: the key of plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from qfast.circuit.canonical import MEASURE, numbered_items
from qfast.circuit.control_flow import Assign, Block, ForLoop, IfElse, SwitchCase, WhileLoop
from qfast.circuit.parameter import ExprOp, Parameter, ParameterExpression

if TYPE_CHECKING:
    from qfast.circuit.value import CircuitValue

__all__ = ["Structure", "structure_of"]


class Structure:
    """A key of everything about a circuit but its numbers and the names of its registers.

    It covers the numbers of bits, the instructions with their operands, where expressions stand and how they are built
    (constants aside), the shapes of matrices, the letters of Pauli rotations, and control flow: conditions, loop values
    and the structure of bodies. Keys are compared in full; their hash is computed once.

    Notes
    -----
    The core's own cache of plans looks at the zeros of small matrices too.
    """

    __slots__ = ("_hash", "_parts")

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self._parts = parts
        self._hash = hash(parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Structure):
            return NotImplemented
        return self is other or (self._hash == other._hash and self._parts == other._parts)

    def __hash__(self) -> int:
        return self._hash


def structure_of(value: CircuitValue) -> Structure:
    """Return the structure of a circuit."""
    columns = value.columns
    numbers, items = numbered_items(value, _item_key)
    measured = np.asarray(columns.data)[np.asarray(columns.opcodes) == MEASURE]
    return Structure(
        (
            value.num_qubits,
            value.num_clbits,
            *(_Bytes(column) for column in (columns.opcodes, columns.num_controls, columns.ctrl_states, columns.qubits,
                                            columns.qubit_end)),
            measured.tobytes(),
            numbers.tobytes(),
            tuple(items),
            tuple((slot, _expression_key(expression)) for slot, expression in value.expressions.items()),
            tuple(value.variables.values()),
        )
    )  # fmt: skip


class _Bytes:
    """A column as bytes that are not kept twice."""

    __slots__ = ("_hash", "_view")

    def __init__(self, column: memoryview) -> None:
        self._view = column.cast("B") if len(column) else memoryview(b"")
        self._hash = hash(self._view.tobytes())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Bytes):
            return NotImplemented
        return bool(np.array_equal(np.asarray(self._view), np.asarray(other._view)))

    def __hash__(self) -> int:
        return self._hash


def _expression_key(expression: ParameterExpression) -> tuple[Any, ...]:
    return tuple(
        item.name if isinstance(item, Parameter) else item.value if isinstance(item, ExprOp) else None
        for item in expression.code
    )


def _item_key(name: str, item: Any) -> tuple[Any, ...]:
    if isinstance(item, Block):
        return (name, *_block_key(item))
    return (name, item.tobytes() if name == "pauli_rotation" else item.shape)


def _block_key(block: Block) -> tuple[Any, ...]:
    """Expressions are tagged with `repr`, which tells 1 from True and -0.0 from 0.0."""
    if isinstance(block, IfElse):
        orelse = None if block.else_body is None else block.else_body.structure
        return (repr(block.condition), block.body.structure, orelse)
    if isinstance(block, WhileLoop):
        return (repr(block.condition), block.body.structure)
    if isinstance(block, ForLoop):
        return (repr(block.values), block.variable, block.body.structure)
    if isinstance(block, SwitchCase):
        cases = tuple((labels, body.structure) for labels, body in block.cases)
        return (repr(block.target), cases, None if block.default is None else block.default.structure)
    assert isinstance(block, Assign)
    return (repr(block.target), repr(block.value))

"""Blocks of control flow and classical expressions as bytes; expressions in postfix order, so that nothing recurses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from qfast.circuit.byte_stream import ByteReader, ByteWriter
from qfast.circuit.classical import (
    VARIABLE_KINDS,
    Binary,
    Bit,
    Bits,
    Call,
    Cast,
    Classical,
    Index,
    Literal,
    Unary,
    Variable,
)
from qfast.circuit.control_flow import Assign, Block, ForLoop, IfElse, SwitchCase, WhileLoop, bodies_of
from qfast.errors import CircuitError

if TYPE_CHECKING:
    from qfast.circuit.value import CircuitValue

__all__ = ["read_block", "write_block"]

_BIT, _BITS, _VARIABLE, _INTEGER, _REAL, _TRUTH, _UNARY, _BINARY, _INDEX, _CAST, _CALL = range(11)
_MAX_ARGUMENTS = 8

_Variables = Mapping[Variable, int]


def write_block(
    out: ByteWriter, block: Block, variables: _Variables, write_body: Callable[[CircuitValue], None]
) -> None:
    """Write a block; its kind is known from its gate's name."""
    if isinstance(block, IfElse):
        _write_expression(out, block.condition, variables)
        out.number(block.else_body is not None, 1)
    elif isinstance(block, WhileLoop):
        _write_expression(out, block.condition, variables)
    elif isinstance(block, ForLoop):
        _write_values(out, block.values)
        names = [variable.name for variable in variables]
        out.number(0 if block.variable is None else 1 + names.index(block.variable))
    elif isinstance(block, SwitchCase):
        _write_expression(out, block.target, variables)
        out.number(len(block.cases), 8)
        for labels, _ in block.cases:
            out.number(len(labels), 8)
            for label in labels:
                out.integer(label)
        out.number(block.default is not None, 1)
    else:
        _write_expression(out, block.target, variables)
        _write_expression(out, block.value, variables)
    for body in bodies_of(block):
        write_body(body.snapshot())


def read_block(
    source: ByteReader, name: str, variables: Sequence[Variable], read_body: Callable[[], CircuitValue]
) -> Block:
    """Read the block of a gate of this name."""
    if name == "if_else":
        condition = _read_expression(source, variables)
        has_else = source.number(1, 2)
        return IfElse(condition, read_body(), read_body() if has_else else None)
    if name == "while_loop":
        return WhileLoop(_read_expression(source, variables), read_body())
    if name == "for_loop":
        values = _read_values(source)
        number = source.number(limit=len(variables) + 1)
        return ForLoop(values, read_body(), variables[number - 1].name if number else None)
    if name == "switch_case":
        target = _read_expression(source, variables)
        labels = [tuple(source.integer() for _ in range(source.count(5))) for _ in range(source.count(8))]
        has_default = source.number(1, 2)
        cases = tuple((values, read_body()) for values in labels)
        return SwitchCase(target, cases, read_body() if has_default else None)
    return Assign(_read_expression(source, variables), _read_expression(source, variables))


def _write_values(out: ByteWriter, values: range | tuple[int | float, ...]) -> None:
    out.number(isinstance(values, range), 1)
    if isinstance(values, range):
        # Ranges of the same values are one: the step of a single value says nothing.
        step = values.step if len(values) > 1 else 1
        for number in (values.start if len(values) else 0, step, len(values)):
            out.integer(number)
        return
    out.number(len(values), 8)
    for value in values:
        is_real = isinstance(value, float)
        out.number(is_real, 1)
        if isinstance(value, float):
            out.real(value)
        else:
            out.integer(value)


def _read_values(source: ByteReader) -> range | tuple[int | float, ...]:
    if source.number(1, 2):
        start, step, count = source.integer(), source.integer(), source.integer()
        if step == 0 or count < 0:
            raise source.fail(f"a range of {count} values with step {step} is announced")
        return range(start, start + step * count, step)
    return tuple(source.real() if source.number(1, 2) else source.integer() for _ in range(source.count(6)))


def _write_expression(out: ByteWriter, expression: Classical, variables: _Variables) -> None:
    nodes = _postfix(expression)
    out.number(len(nodes), 8)
    for node in nodes:
        _write_node(out, node, variables)


def _postfix(expression: Classical) -> list[Classical]:
    """Operands before what takes them: a node before its operands from the last to the first, read backwards."""
    found: list[Classical] = []
    stack = [expression]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(_operands(node))
    found.reverse()
    return found


def _operands(node: Classical) -> tuple[Classical, ...]:
    if isinstance(node, (Unary, Cast)):
        return (node.operand,)
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Index):
        return (node.operand, node.index)
    return node.arguments if isinstance(node, Call) else ()


def _write_node(out: ByteWriter, node: Classical, variables: _Variables) -> None:
    if isinstance(node, Bit):
        out.number(_BIT, 1)
        out.number(node.index)
    elif isinstance(node, Bits):
        out.number(_BITS, 1)
        out.number(node.start)
        out.number(node.size)
    elif isinstance(node, Variable):
        out.number(_VARIABLE, 1)
        out.number(variables[node])
    elif isinstance(node, Literal):
        _write_literal(out, node.value)
    elif isinstance(node, Unary):
        out.number(_UNARY, 1)
        out.text(node.op)
    elif isinstance(node, Binary):
        out.number(_BINARY, 1)
        out.text(node.op)
    elif isinstance(node, Index):
        out.number(_INDEX, 1)
    elif isinstance(node, Cast):
        out.number(_CAST, 1)
        out.number(VARIABLE_KINDS.index(node.kind), 1)
        out.number(node.width or 0)
    elif isinstance(node, Call):
        out.number(_CALL, 1)
        out.text(node.function)
        out.number(len(node.arguments), 1)
    else:
        raise CircuitError(f"{node!r} is no classical expression")


def _write_literal(out: ByteWriter, value: int | float | bool) -> None:
    if isinstance(value, bool):
        out.number(_TRUTH, 1)
        out.number(value, 1)
    elif isinstance(value, float):
        out.number(_REAL, 1)
        out.real(value)
    else:
        out.number(_INTEGER, 1)
        out.integer(value)


def _read_expression(source: ByteReader, variables: Sequence[Variable]) -> Classical:
    stack: list[Classical] = []
    for _ in range(source.count(1)):
        stack.append(_read_node(source, stack, variables))
    if len(stack) != 1:
        raise source.fail(f"a classical expression leaves {len(stack)} values")
    return stack[0]


def _read_node(source: ByteReader, stack: list[Classical], variables: Sequence[Variable]) -> Classical:
    def taken(count: int) -> list[Classical]:
        if len(stack) < count:
            raise source.fail("a classical expression lacks an operand")
        found = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        return found

    match source.number(1, _CALL + 1):
        case 0:  # _BIT
            return Bit(source.number())
        case 1:  # _BITS
            return Bits(source.number(), source.number())
        case 2:  # _VARIABLE
            return variables[source.number(limit=len(variables))]
        case 3:  # _INTEGER
            return Literal(source.integer())
        case 4:  # _REAL
            return Literal(source.real())
        case 5:  # _TRUTH
            return Literal(bool(source.number(1, 2)))
        case 6:  # _UNARY
            return Unary(source.text(), *taken(1))
        case 7:  # _BINARY
            return Binary(source.text(), *taken(2))
        case 8:  # _INDEX
            return Index(*taken(2))
        case 9:  # _CAST
            kind, width = VARIABLE_KINDS[source.number(1, len(VARIABLE_KINDS))], source.number() or None
            return Cast(kind, width, *taken(1))
        case _:
            function, count = source.text(), source.number(1, _MAX_ARGUMENTS + 1)
            return Call(function, tuple(taken(count)))

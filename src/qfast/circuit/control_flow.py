"""Blocks of control flow: the data items of `if_else`, `while_loop`, `for_loop`, `switch_case` and `assign`.

A body is a circuit over the same qubits, classical bits and variables as the circuit that holds it; once it is held, it
is a :class:`~qfast.circuit.CircuitValue`, which nobody can change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from qfast.circuit.checks import as_index, as_tuple
from qfast.circuit.classical import Bit, Bits, Classical, Condition, Index, Variable, walk
from qfast.circuit.classical_code import ClassicalCompiler
from qfast.circuit.gates import OPCODES
from qfast.errors import CircuitError

if TYPE_CHECKING:
    from qfast.circuit.storage import CircuitStorage
    from qfast.circuit.value import AnyCircuit

_BodyChange: TypeAlias = "Callable[[AnyCircuit], AnyCircuit]"
_ExpressionChange: TypeAlias = "Callable[[Classical], Classical]"

__all__ = [
    "BLOCK_TYPES",
    "DEFAULT",
    "Assign",
    "Block",
    "ForLoop",
    "IfElse",
    "SwitchCase",
    "WhileLoop",
    "bodies_of",
    "check_loop_exits",
    "checked_block",
    "checked_expression",
    "expressions_of",
    "loop_values",
    "map_block",
    "switch_block",
    "touched_qubits",
]


class _Default:
    """The value of the `switch` case that is taken when no other is."""

    def __repr__(self) -> str:
        return "DEFAULT"

    def __reduce__(self) -> str:
        return "DEFAULT"


DEFAULT = _Default()


@dataclass(frozen=True, slots=True)
class IfElse:
    """Run `body` where the condition is not zero, otherwise `else_body`."""

    condition: Condition
    body: AnyCircuit
    else_body: AnyCircuit | None = None


@dataclass(frozen=True, slots=True)
class WhileLoop:
    """Run `body` as long as the condition, tested before each pass, is not zero."""

    condition: Condition
    body: AnyCircuit


@dataclass(frozen=True, slots=True)
class ForLoop:
    """Run `body` once for each value; `variable`, if any, holds it."""

    values: range | tuple[int | float, ...]
    body: AnyCircuit
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class SwitchCase:
    """Run the body of the case that holds the target's value; `default` where none does."""

    target: Classical
    cases: tuple[tuple[tuple[int, ...], AnyCircuit], ...]
    default: AnyCircuit | None = None


@dataclass(frozen=True, slots=True)
class Assign:
    """Give classical bits or a variable the value of an expression, converted to the target's type.

    `target` is a :class:`Bit`, :class:`Bits` or :class:`Variable`, or an :class:`Index` of one of the last two.
    """

    target: Classical
    value: Classical


Block: TypeAlias = IfElse | WhileLoop | ForLoop | SwitchCase | Assign


BLOCK_TYPES: dict[str, type[Block]] = {
    "if_else": IfElse, "while_loop": WhileLoop, "for_loop": ForLoop, "switch_case": SwitchCase, "assign": Assign,
}  # fmt: skip


def checked_block(circuit: CircuitStorage, name: str, block: object, place: str) -> Block:
    """Return a block with private bodies, or refuse its type or a bit or variable that the circuit does not have."""
    if not isinstance(block, BLOCK_TYPES[name]):
        raise CircuitError(f"{place}: a {BLOCK_TYPES[name].__name__} is needed, {type(block).__name__} given")
    for expression in expressions_of(block):
        checked_expression(circuit, expression, place)
    if isinstance(block, Assign):
        base = block.target.operand if isinstance(block.target, Index) else block.target
        if not isinstance(base, (Bit, Bits, Variable)):
            raise CircuitError(f"{place}: {base} cannot be assigned to; a bit, a register or a variable can")
    try:
        _compile(circuit, block)
    except CircuitError as error:
        raise CircuitError(f"{place}: {error}") from None
    if isinstance(block, ForLoop):
        if block.variable is not None and block.variable not in circuit.variables:
            raise CircuitError(
                f"{place}: the loop variable '{block.variable}' is not declared; add_variable declares it"
            )
        if not isinstance(block.values, range):
            block = ForLoop(loop_values(block.values, place), block.body, block.variable)
    elif isinstance(block, SwitchCase):
        default = [] if block.default is None else [(DEFAULT, block.default)]
        block = switch_block(block.target, [*block.cases, *default], place)
    return map_block(block, lambda body: circuit._checked_body(body, place))


def _compile(circuit: CircuitStorage, block: Block) -> None:
    """Refuse expressions whose types do not go together, now and not when the circuit runs."""
    compiler = ClassicalCompiler(circuit.variables.values())
    if isinstance(block, Assign):
        compiler.assign(block.target, block.value)
    elif isinstance(block, SwitchCase):
        compiler.whole(block.target)
    elif isinstance(block, (IfElse, WhileLoop)):
        compiler.condition(block.condition)


def bodies_of(block: Block) -> tuple[AnyCircuit, ...]:
    """Return the circuits that a block may run."""
    if isinstance(block, IfElse):
        return (block.body,) if block.else_body is None else (block.body, block.else_body)
    if isinstance(block, (WhileLoop, ForLoop)):
        return (block.body,)
    if isinstance(block, SwitchCase):
        bodies = tuple(body for _, body in block.cases)
        return bodies if block.default is None else (*bodies, block.default)
    return ()


def expressions_of(block: Block) -> tuple[Classical, ...]:
    """Return the classical expressions that stand in the block itself, not in its bodies."""
    if isinstance(block, (IfElse, WhileLoop)):
        return (block.condition,)
    if isinstance(block, SwitchCase):
        return (block.target,)
    return (block.target, block.value) if isinstance(block, Assign) else ()


def checked_expression(circuit: CircuitStorage, expression: Classical, place: str) -> Classical:
    """Refuse an expression that names classical bits or variables which the circuit does not have."""
    for node in walk(expression):
        if not isinstance(node, Classical):
            raise CircuitError(f"{place}: {node!r} is not a classical expression")
        if isinstance(node, Bit):
            inside = 0 <= node.index < circuit.num_clbits
            what = f"classical bit {node.index}"
        elif isinstance(node, Bits):
            inside = node.size > 0 and 0 <= node.start <= circuit.num_clbits - node.size
            what = f"classical bits {node.start}…{node.start + node.size - 1}"
        else:
            if isinstance(node, Variable) and circuit.variables.get(node.name) != node:
                raise CircuitError(f"{place}: {node} is not declared in this circuit; add_variable declares it")
            continue
        if not inside:
            raise CircuitError(f"{place}: {what} is out of range; the circuit has {circuit.num_clbits} classical bits")
    return expression


def loop_values(values: Iterable[int] | Iterable[float], place: str) -> tuple[int | float, ...]:
    """Return the values of a `for` loop as plain finite numbers."""
    kept: list[int | float] = []
    for value in values:
        whole = as_index(value)
        if whole is None and not (isinstance(value, (float, np.floating)) and math.isfinite(value)):
            raise CircuitError(f"{place}: the loop value {value} is not finite")
        kept.append(float(value) if whole is None else whole)
    return tuple(kept)


def switch_block(
    target: Classical,
    cases: Iterable[tuple[Any, AnyCircuit]],
    place: str,
) -> SwitchCase:
    """Check the cases of a `switch`: no value twice, one default at most."""
    kept: list[tuple[tuple[int, ...], AnyCircuit]] = []
    default: AnyCircuit | None = None
    seen: set[int] = set()
    for label, body in cases:
        if isinstance(label, _Default):
            if default is not None:
                raise CircuitError(f"{place}: DEFAULT is given twice")
            default = body
            continue
        given = as_tuple(label)
        values = tuple(whole for value in given if (whole := as_index(value)) is not None)
        if len(values) != len(given):
            raise CircuitError(f"{place}: the value of a case is an integer, or several, not {label!r}")
        repeated = [value for position, value in enumerate(values) if value in seen or value in values[:position]]
        if repeated:
            raise CircuitError(f"{place}: the value {repeated[0]} stands in two cases")
        seen.update(values)
        kept.append((values, body))
    return SwitchCase(target, tuple(kept), default)


def touched_qubits(bodies: Sequence[AnyCircuit]) -> tuple[int, ...]:
    """The qubits that some body acts on, ascending: the operands of a control-flow instruction."""
    return tuple(sorted({qubit for body in bodies for qubit in body.qubits}))


def map_block(block: Block, change: _BodyChange, rename: _ExpressionChange | None = None) -> Block:
    """Rebuild a block with each body, and each expression, changed."""
    of = rename or (lambda expression: expression)
    if isinstance(block, IfElse):
        orelse = None if block.else_body is None else change(block.else_body)
        return IfElse(of(block.condition), change(block.body), orelse)
    if isinstance(block, WhileLoop):
        return WhileLoop(of(block.condition), change(block.body))
    if isinstance(block, ForLoop):
        return ForLoop(block.values, change(block.body), block.variable)
    if isinstance(block, SwitchCase):
        cases = tuple((values, change(body)) for values, body in block.cases)
        return SwitchCase(of(block.target), cases, None if block.default is None else change(block.default))
    return Assign(of(block.target), of(block.value))


def check_loop_exits(circuit: AnyCircuit, inside_loop: bool = False) -> None:
    """Refuse `break_loop` and `continue_loop` outside any loop.

    A body is built before it is known where it goes, so this is asked of a whole circuit, before it runs or is written.
    """
    data, items = circuit.data, circuit.data_items
    for index, opcode in enumerate(circuit.opcodes):
        if opcode in (_BREAK, _CONTINUE) and not inside_loop:
            name = "break_loop" if opcode == _BREAK else "continue_loop"
            raise CircuitError(f"'{name}' at instruction {index} stands in no loop")
        if opcode in _FLOW:
            block = items[data[index]]
            for body in bodies_of(block):
                check_loop_exits(body, inside_loop or isinstance(block, (WhileLoop, ForLoop)))


_BREAK, _CONTINUE = OPCODES["break_loop"], OPCODES["continue_loop"]
_FLOW = frozenset(OPCODES[name] for name in ("if_else", "while_loop", "for_loop", "switch_case"))

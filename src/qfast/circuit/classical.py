"""Classical expressions of a circuit: bits, registers as unsigned numbers, variables, and the operators of OpenQASM 3.

The nodes are frozen data, so a condition can be compared, pickled and shared. `classical_code` says what types they
have and compiles them, `classical_run` computes their values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from qfast.circuit.checks import as_index
from qfast.circuit.instruction import Register
from qfast.errors import CircuitError

__all__ = [
    "VARIABLE_KINDS",
    "Binary",
    "Bit",
    "Bits",
    "Call",
    "Cast",
    "Classical",
    "ClassicalLike",
    "ClassicalValue",
    "Condition",
    "ConditionLike",
    "Index",
    "Literal",
    "Unary",
    "Variable",
    "as_classical",
    "as_condition",
    "walk",
]

ClassicalValue: TypeAlias = int | float
"""The value of an expression; booleans are ints."""

VARIABLE_KINDS = ("int", "uint", "bool", "float")
_OPERATORS = ["+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "&&", "||", "==", "!=", "<", "<=", ">", ">="]
_ARITIES = {
    "arccos": 1, "arcsin": 1, "arctan": 1, "ceiling": 1, "cos": 1, "exp": 1, "floor": 1, "log": 1, "mod": 2,
    "popcount": 1, "pow": 2, "rotl": 2, "rotr": 2, "sin": 1, "sqrt": 1, "tan": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bit:
    """One classical bit, by its number in the circuit."""

    index: int


@dataclass(frozen=True, slots=True)
class Bits:
    """A run of classical bits read as an unsigned number, bit `start` the least significant."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A classical variable.

    Attributes
    ----------
    name : str
    kind : {"int", "uint", "bool", "float"}
    width : int or None
        Bits of an int or uint, 1…64, default 32; None for bool and float (double).
    """

    name: str
    kind: str = "int"
    width: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in VARIABLE_KINDS:
            raise CircuitError(
                f"variable '{self.name}': unknown kind '{self.kind}'; allowed are {', '.join(VARIABLE_KINDS)}"
            )
        if self.kind in ("bool", "float"):
            if self.width is not None:
                raise CircuitError(f"variable '{self.name}': a {self.kind} has no width, {self.width} given")
        elif self.width is None:
            object.__setattr__(self, "width", 32)
        elif not 1 <= self.width <= 64:
            raise CircuitError(f"variable '{self.name}': its width must be from 1 to 64 bits, {self.width} given")


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, or True or False."""

    value: int | float | bool


@dataclass(frozen=True, slots=True)
class Unary:
    """``-``, ``~`` (bitwise) or ``!`` (logical) of an expression."""

    op: str
    operand: Classical

    def __post_init__(self) -> None:
        if self.op not in ("-", "~", "!"):
            raise CircuitError(f"unknown classical operator '{self.op}' with one operand; allowed are - ~ !")


@dataclass(frozen=True, slots=True)
class Binary:
    """``+ - * / % ** << >> & | ^ && || == != < <= > >=`` of two expressions."""

    op: str
    left: Classical
    right: Classical

    def __post_init__(self) -> None:
        if self.op not in _OPERATORS:
            raise CircuitError(f"unknown classical operator '{self.op}'; allowed are {' '.join(_OPERATORS)}")


@dataclass(frozen=True, slots=True)
class Index:
    """One bit of a register or of an int or uint variable; an index counts from the least significant bit."""

    operand: Classical
    index: Classical


@dataclass(frozen=True, slots=True)
class Cast:
    """Conversion to a type, as in OpenQASM 3 (int to bool: not zero; to uint[n]: modulo 2^n)."""

    kind: str
    width: int | None
    operand: Classical

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", Variable("cast", self.kind, self.width).width)


@dataclass(frozen=True, slots=True)
class Call:
    """A built-in function of numbers."""

    function: str
    arguments: tuple[Classical, ...]

    def __post_init__(self) -> None:
        arity = _ARITIES.get(self.function)
        if arity is None:
            raise CircuitError(f"unknown classical function '{self.function}'; allowed are {', '.join(_ARITIES)}")
        if arity != len(self.arguments):
            raise CircuitError(f"'{self.function}' takes {arity} arguments, {len(self.arguments)} given")


Classical: TypeAlias = Bit | Bits | Variable | Literal | Unary | Binary | Index | Cast | Call
"""A classical expression."""

Condition: TypeAlias = Classical
"""An expression whose value is tested against zero."""

ClassicalLike: TypeAlias = Classical | Register | int | float | bool
"""What stands for an expression: a number is a literal, a register its unsigned value."""


def as_classical(value: ClassicalLike) -> Classical:
    """Turn a number or a register into an expression."""
    if isinstance(value, Register):
        return Bits(value.start, value.size)
    if isinstance(value, (bool, int, float)):
        if isinstance(value, float) and not math.isfinite(value):
            raise CircuitError(f"a classical literal must be finite, {value} given")
        return Literal(value)
    if isinstance(value, (Bit, Bits, Variable, Literal, Unary, Binary, Index, Cast, Call)):
        return value
    raise CircuitError(f"{value!r} is not a classical expression, a register or a number")


ConditionLike: TypeAlias = Classical | tuple[Register | int | Classical, int]
"""What stands for a condition: an expression, or (bit or register, value) for equality."""


def as_condition(value: ConditionLike) -> Condition:
    """Turn what a caller gives as a condition into an expression.

    Parameters
    ----------
    value : expression, or (bit, value) or (register, value)
        The pair means equality; an int is the number of a classical bit.
    """
    if isinstance(value, tuple):
        return _equality(value)
    return as_classical(value)


def _equality(pair: tuple[Any, ...]) -> Condition:
    wanted = as_index(int(pair[1]) if isinstance(pair[1], (bool, np.bool_)) else pair[1]) if len(pair) == 2 else None
    if wanted is None:
        raise CircuitError(f"a condition is an expression or a pair (bit or register, integer), not {pair!r}")
    bit = as_index(pair[0])
    return Binary("==", as_classical(pair[0]) if bit is None else Bit(bit), Literal(wanted))


def walk(expression: Classical) -> Iterator[Classical]:
    """Yield an expression and all expressions inside it."""
    stack = [expression]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, (Unary, Cast)):
            stack.append(node.operand)
        elif isinstance(node, Binary):
            stack += (node.right, node.left)
        elif isinstance(node, Index):
            stack += (node.index, node.operand)
        elif isinstance(node, Call):
            stack += reversed(node.arguments)

"""Classical expressions of a circuit: bits, registers as unsigned numbers, variables, and the operators of OpenQASM 3.

The nodes are frozen data, so a condition can be compared, pickled and shared. :func:`evaluate` gives the value for the
classical bits and variables of one shot.

Types follow OpenQASM 3: a bit is 0 or 1, a register of n bits is a ``uint[n]``; unsigned numbers wrap around at their
width, signed ones at theirs when they are assigned; integer division truncates toward zero and ``%`` has the sign of
the dividend, as in C.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    "convert",
    "evaluate",
    "walk",
]

ClassicalValue: TypeAlias = int | float
"""The value of an expression; booleans are ints."""

VARIABLE_KINDS = ("int", "uint", "bool", "float")


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
        arity = _FUNCTIONS[self.function][0] if self.function in _FUNCTIONS else None
        if arity is None:
            raise CircuitError(f"unknown classical function '{self.function}'; allowed are {', '.join(_FUNCTIONS)}")
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


def convert(value: ClassicalValue, kind: str, width: int | None = None) -> ClassicalValue:
    """Convert a value to a type; ints wrap around at `width` bits (two's complement)."""
    if kind == "float":
        return float(value)
    if kind == "bool":
        return int(value != 0)
    number = int(value)
    bits = 32 if width is None else width
    number &= (1 << bits) - 1
    if kind == "int" and number >> (bits - 1):
        number -= 1 << bits
    return number


@dataclass(frozen=True, slots=True)
class _Typed:
    """A value and, where it is unsigned of known width, that width; None: signed, boolean or float."""

    value: ClassicalValue
    width: int | None = None


def evaluate(
    expression: Classical,
    bits: Sequence[int] | int,
    variables: Mapping[str, ClassicalValue] | None = None,
) -> ClassicalValue:
    """Return the value of an expression.

    Parameters
    ----------
    expression : Classical
    bits : sequence of 0 and 1, or int
        The circuit's classical bits; as an int, bit k of it is classical bit k.
    variables : mapping of str to int or float, optional
        A variable that is missing has the value 0.

    Returns
    -------
    int or float
        Truth values are 0 and 1.

    Raises
    ------
    CircuitError
        Division by zero, a negative shift, a bit index outside its operand.

    Examples
    --------
    >>> evaluate(Binary("==", Bits(0, 3), Literal(5)), [1, 0, 1])
    1
    """
    return _evaluate(expression, bits, variables or {}).value


def _evaluate(node: Classical, bits: Sequence[int] | int, variables: Mapping[str, ClassicalValue]) -> _Typed:
    if isinstance(node, Literal):
        return _Typed(int(node.value) if isinstance(node.value, bool) else node.value)
    if isinstance(node, Bit):
        return _Typed(_read_bits(bits, node.index, 1), 1)
    if isinstance(node, Bits):
        return _Typed(_read_bits(bits, node.start, node.size), node.size)
    if isinstance(node, Variable):
        return _Typed(variables.get(node.name, 0), node.width if node.kind == "uint" else None)
    if isinstance(node, Unary):
        return _evaluate_unary(node.op, _evaluate(node.operand, bits, variables))
    if isinstance(node, Binary):
        left = _evaluate(node.left, bits, variables)
        if node.op == "&&":
            return _Typed(int(bool(left.value) and bool(_evaluate(node.right, bits, variables).value)))
        if node.op == "||":
            return _Typed(int(bool(left.value) or bool(_evaluate(node.right, bits, variables).value)))
        return _evaluate_binary(node.op, left, _evaluate(node.right, bits, variables))
    if isinstance(node, Index):
        return _evaluate_index(_evaluate(node.operand, bits, variables), _evaluate(node.index, bits, variables), node)
    if isinstance(node, Cast):
        value = convert(_evaluate(node.operand, bits, variables).value, node.kind, node.width)
        return _Typed(value, node.width if node.kind == "uint" else None)
    arguments = [_evaluate(argument, bits, variables) for argument in node.arguments]
    return _call(node.function, arguments)


def _read_bits(bits: Sequence[int] | int, start: int, size: int) -> int:
    if isinstance(bits, int):
        return (bits >> start) & ((1 << size) - 1)
    return sum(int(bits[start + k]) << k for k in range(size))


def _wrapped(value: ClassicalValue, width: int | None) -> _Typed:
    if width is None or isinstance(value, float):
        return _Typed(value)
    return _Typed(value & ((1 << width) - 1), width)


def _evaluate_unary(op: str, operand: _Typed) -> _Typed:
    value = operand.value
    if op == "!":
        return _Typed(int(not value))
    if op == "~":
        return _wrapped(~_integer(value, "~"), operand.width)
    return _wrapped(-value, operand.width)


def _evaluate_binary(op: str, left: _Typed, right: _Typed) -> _Typed:
    a, b = left.value, right.value
    if op in _COMPARISONS:
        return _Typed(int(_COMPARISONS[op](a, b)))
    if op in ("<<", ">>", "&", "|", "^", "%"):
        a, b = _integer(a, op), _integer(b, op)
    width = left.width if op in ("<<", ">>") else _common_width(left, right)
    try:
        return _wrapped(_OPERATORS[op](a, b), width)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise CircuitError(f"the classical expression {a} {op} {b} has no value: {error}") from None


def _common_width(left: _Typed, right: _Typed) -> int | None:
    """Unsigned with unsigned is unsigned of the wider; a literal takes the type of its partner."""
    if left.width is None or right.width is None:
        return left.width if right.width is None else right.width
    return max(left.width, right.width)


def _integer(value: ClassicalValue, op: str) -> int:
    if isinstance(value, float):
        raise CircuitError(f"the classical operator '{op}' takes integers, {value} given; cast it to int first")
    return value


def _evaluate_index(operand: _Typed, index: _Typed, node: Index) -> _Typed:
    value, position = _integer(operand.value, "[]"), _integer(index.value, "[]")
    width = operand.width
    if width is None and isinstance(node.operand, (Variable, Cast)):
        width = node.operand.width
    limit = 64 if width is None else width
    if not 0 <= position < limit:
        raise CircuitError(f"bit {position} is read from a classical value of {limit} bits")
    return _Typed((value >> position) & 1, 1)


def _divide(a: ClassicalValue, b: ClassicalValue) -> ClassicalValue:
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int) -> int:
    return a - int(_divide(a, b)) * b


def _power(a: ClassicalValue, b: ClassicalValue) -> ClassicalValue:
    if isinstance(a, int) and isinstance(b, int) and b >= 0:
        if b * max(a.bit_length(), 1) > 4096:  # wraps around anyway, and must not eat the memory
            return pow(a, b, 1 << 64)
        return int(a**b)
    return math.pow(a, b)


def _shift_left(a: ClassicalValue, b: ClassicalValue) -> int:
    return int(a) << min(int(b), 4096)


def _logical(a: ClassicalValue, b: ClassicalValue) -> int:
    raise AssertionError("&& and || are evaluated where their right operand may be skipped")


_COMPARISONS: dict[str, Callable[[ClassicalValue, ClassicalValue], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_OPERATORS: dict[str, Callable[..., ClassicalValue]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divide, "%": _remainder, "**": _power,
    "<<": _shift_left, ">>": operator.rshift, "&": operator.and_, "|": operator.or_, "^": operator.xor,
    "&&": _logical, "||": _logical, **_COMPARISONS,
}  # fmt: skip


def _popcount(a: _Typed) -> ClassicalValue:
    return (_integer(a.value, "popcount") & ((1 << (a.width or 64)) - 1)).bit_count()


def _rotate(a: _Typed, b: _Typed, direction: int) -> ClassicalValue:
    width = a.width or 64
    by = direction * _integer(b.value, "rotl") % width
    value = _integer(a.value, "rotl") & ((1 << width) - 1)
    return ((value << by) | (value >> (width - by))) & ((1 << width) - 1)


def _of_floats(function: Callable[..., float]) -> Callable[..., ClassicalValue]:
    return lambda *arguments: function(*(argument.value for argument in arguments))


_FUNCTIONS: dict[str, tuple[int, Callable[..., ClassicalValue]]] = {
    "sin": (1, _of_floats(math.sin)), "cos": (1, _of_floats(math.cos)), "tan": (1, _of_floats(math.tan)),
    "arcsin": (1, _of_floats(math.asin)), "arccos": (1, _of_floats(math.acos)), "arctan": (1, _of_floats(math.atan)),
    "exp": (1, _of_floats(math.exp)), "log": (1, _of_floats(math.log)), "sqrt": (1, _of_floats(math.sqrt)),
    "ceiling": (1, _of_floats(math.ceil)), "floor": (1, _of_floats(math.floor)),
    "mod": (2, lambda a, b: a.value - b.value * math.floor(a.value / b.value)),
    "pow": (2, lambda a, b: _power(a.value, b.value)), "popcount": (1, _popcount),
    "rotl": (2, lambda a, b: _rotate(a, b, 1)), "rotr": (2, lambda a, b: _rotate(a, b, -1)),
}  # fmt: skip


def _call(function: str, arguments: list[_Typed]) -> _Typed:
    try:
        value = _FUNCTIONS[function][1](*arguments)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        given = ", ".join(str(argument.value) for argument in arguments)
        raise CircuitError(f"the classical function {function}({given}) has no value: {error}") from None
    return _Typed(value, arguments[0].width if function in ("rotl", "rotr") else None)

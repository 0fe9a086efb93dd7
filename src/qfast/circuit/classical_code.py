"""Classical expressions compiled once to typed postfix code, which Python and the core run alike.

**Types.** ``bool``; ``int[w]`` and ``uint[w]``, 1 ≤ w ≤ 64; ``float``, a double; runs of bits, which are unsigned
numbers of any width. A whole literal has no type of its own: it takes its partner's where its value fits there, and is
an ``int[64]`` otherwise (``uint[64]`` or a run of bits if it is larger). Arithmetic wraps around at the width of its
type, signed or not.

**Conversions** are those of C, as OpenQASM 3 has them. A float makes both operands floats. Of two integers of one
signedness the wider counts; of a signed and an unsigned one the unsigned, unless the signed is wider. A bool or a
single bit takes its partner's type, and is an ``int[64]`` in arithmetic with its like or with a literal. Comparisons
convert in the same way. A shift has the type of its left operand, and so has a power whose exponent is a literal.
``* / % **`` above 64 bits are refused; ``+ -``, comparisons, masks, shifts and rotations are not. An assignment
converts to the type of its target; a float becomes an integer by dropping its fraction.

**Code** is a row of four int32 per instruction: op, kind, width, arg. Kinds: 0 bool, 1 int, 2 uint (and bits), 3 float.
Every value on the stack has a type known here, and takes ceil(width / 64) words of 64 bits, the lowest first: unsigned
ones zero-extended, signed ones sign-extended, floats as their bit pattern, bools 0 or 1.

====================  =========================================================================================
op                    effect; kind and width are those of the operands, where nothing else is said
====================  =========================================================================================
CONST                 push ``constants[arg:]``, as many words as the width needs
BITS                  push classical bits arg … arg + width - 1
VARIABLE              push variable arg
CONVERT               to (kind, width), from the type ``arg & 7``, ``arg >> 3``
NEGATE, INVERT        two's complement or sign of a float; every bit
IS_ZERO               push a bool; kind and width of the operand
ADD … REMAINDER       both operands and the result have the type
POWER                 likewise for floats; an integer's exponent is 64 bits wide, of kind arg
SHIFT_LEFT, _RIGHT    the count above it is 64 bits wide, of kind arg
AND, OR, XOR
EQUAL … GREATER_EQUAL push a bool
INDEX                 push bit number i, of kind arg and 64 bits; negative ones count from the end
POPCOUNT              push a ``uint[64]``
ROTATE_LEFT, _RIGHT   as the shifts
MODULO                with the sign of the divisor
CALL                  function number arg of `FUNCTIONS`, of one float
SKIP_IF_ZERO          a bool: where it is 0, leave it and skip arg instructions; otherwise drop it
SKIP_UNLESS_ZERO      the other way round
STORE_BITS            pop into classical bits arg … arg + width - 1
STORE_VARIABLE        pop into variable arg
STORE_BIT             pop the index (64 bits, int), then a bit: into bit number index of bits arg … arg + width - 1
STORE_VARIABLE_BIT    likewise into a bit of variable arg
====================  =========================================================================================

Memory is the classical bits, bit b in word b // 64, and one word for each variable.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qfast.circuit.classical import (
    Binary,
    Bit,
    Bits,
    Cast,
    Classical,
    Index,
    Literal,
    Unary,
    Variable,
)
from qfast.errors import CircuitError

__all__ = ["FUNCTIONS", "ClassicalCode", "ClassicalCompiler", "Kind", "Op", "Type", "type_of"]

_LARGEST = 1 << 16  # bits of a number that literals make

MAX_WIDTH = 64
"""The widest number that is multiplied and divided."""

FUNCTIONS = ("arccos", "arcsin", "arctan", "ceiling", "cos", "exp", "floor", "log", "sin", "sqrt", "tan")
"""Functions of one float, by number."""


class Kind(enum.IntEnum):
    """What the words of a value mean."""

    BOOL = 0
    INT = 1
    UINT = 2
    FLOAT = 3


class Op(enum.IntEnum):
    """Instructions; see the module."""

    CONST = 0
    BITS = 1
    VARIABLE = 2
    CONVERT = 3
    NEGATE = 4
    INVERT = 5
    IS_ZERO = 6
    ADD = 7
    SUBTRACT = 8
    MULTIPLY = 9
    DIVIDE = 10
    REMAINDER = 11
    POWER = 12
    SHIFT_LEFT = 13
    SHIFT_RIGHT = 14
    AND = 15
    OR = 16
    XOR = 17
    EQUAL = 18
    NOT_EQUAL = 19
    LESS = 20
    LESS_EQUAL = 21
    GREATER = 22
    GREATER_EQUAL = 23
    INDEX = 24
    POPCOUNT = 25
    ROTATE_LEFT = 26
    ROTATE_RIGHT = 27
    MODULO = 28
    CALL = 29
    SKIP_IF_ZERO = 30
    SKIP_UNLESS_ZERO = 31
    STORE_BITS = 32
    STORE_VARIABLE = 33
    STORE_BIT = 34
    STORE_VARIABLE_BIT = 35


_BINARY = {
    "+": Op.ADD, "-": Op.SUBTRACT, "*": Op.MULTIPLY, "/": Op.DIVIDE, "%": Op.REMAINDER, "**": Op.POWER,
    "<<": Op.SHIFT_LEFT, ">>": Op.SHIFT_RIGHT, "&": Op.AND, "|": Op.OR, "^": Op.XOR,
    "==": Op.EQUAL, "!=": Op.NOT_EQUAL, "<": Op.LESS, "<=": Op.LESS_EQUAL, ">": Op.GREATER, ">=": Op.GREATER_EQUAL,
}  # fmt: skip
_ARITHMETIC = frozenset(("+", "-", "*", "/", "%", "**", "mod"))
_NARROW = frozenset(["*", "/", "%", "**"])
_MASKS = frozenset(["&", "|", "^"])
_SHIFTS = frozenset(["<<", ">>"])
_ONE_WORD_LESS = frozenset((
    Op.SHIFT_LEFT, Op.SHIFT_RIGHT, Op.ROTATE_LEFT, Op.ROTATE_RIGHT, Op.SKIP_IF_ZERO, Op.SKIP_UNLESS_ZERO,
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value.

    Attributes
    ----------
    kind : Kind
    width : int
        Bits of an int or uint; 1 of a bool, 64 of a float.
    is_bits : bool
        A uint that is a run of classical bits: a single one takes its partner's type.
    literal : int or None
        The value of a whole literal, which has no type of its own yet.
    """

    kind: Kind
    width: int
    is_bits: bool = False
    literal: int | None = None

    @property
    def words(self) -> int:
        """Words of 64 bits that it takes."""
        return -(-self.width // 64)

    @property
    def is_logical(self) -> bool:
        """A bool or a single bit."""
        return self.kind is Kind.BOOL or (self.is_bits and self.width == 1)

    def holds(self, value: int) -> bool:
        """Whether a whole number is one of this type's values."""
        if self.kind is Kind.INT:
            return -(1 << (self.width - 1)) <= value < 1 << (self.width - 1)
        return 0 <= value < 1 << self.width

    @property
    def packed(self) -> int:
        return int(self.kind) | self.width << 3

    def __str__(self) -> str:
        if self.literal is not None:
            return f"the number {self.literal}"
        if self.is_bits:
            return f"bit[{self.width}]"
        return self.kind.name.lower() + ("" if self.kind in (Kind.BOOL, Kind.FLOAT) else f"[{self.width}]")


BOOL = Type(Kind.BOOL, 1)
FLOAT = Type(Kind.FLOAT, 64)
INT64 = Type(Kind.INT, 64)
UINT64 = Type(Kind.UINT, 64)
_BIT = Type(Kind.UINT, 1, is_bits=True)


def type_of(kind: str, width: int | None = None) -> Type:
    """Return the type of a variable or cast."""
    if kind == "bool":
        return BOOL
    if kind == "float":
        return FLOAT
    return Type(Kind.INT if kind == "int" else Kind.UINT, 32 if width is None else width)


@dataclass(frozen=True, slots=True)
class ClassicalCode:
    """Expressions and assignments as code; number i is ``code[ends[i - 1]:ends[i]]``.

    Attributes
    ----------
    code : ndarray of int32, shape (instructions, 4)
    ends : ndarray of int64, shape (expressions,)
    constants : ndarray of uint64
    stack_words : int
        The most that any of them needs.
    """

    code: NDArray[np.int32]
    ends: NDArray[np.int64]
    constants: NDArray[np.uint64]
    stack_words: int


@dataclass(slots=True)
class _Part:
    """A compiled subexpression: its type and its code. A literal has no code until its type is known."""

    type: Type
    code: list[tuple[int, int, int, int]] = field(default_factory=list)


class ClassicalCompiler:
    """Compiles expressions over the variables of a circuit.

    Parameters
    ----------
    variables : iterable of Variable
        Variable i is in word i.
    """

    def __init__(self, variables: Iterable[Variable]) -> None:
        self._slots = {variable.name: slot for slot, variable in enumerate(variables)}
        self._code: list[tuple[int, int, int, int]] = []
        self._ends: list[int] = []
        self._constants: list[int] = []
        self._constant_at: dict[tuple[int, ...], int] = {}
        self._stack_words = 1

    # --- what is asked for --------------------------------------------------------------------------------------------

    def condition(self, expression: Classical) -> int:
        """Compile a truth value; return its number."""
        return self._close(self._truth(self._part(expression)))

    def whole(self, expression: Classical) -> tuple[int, Type]:
        """Compile a whole number; return its number and type.

        Raises
        ------
        CircuitError
            It is a float.
        """
        part = self._typed(self._part(expression))
        if part.type.kind is Kind.FLOAT:
            raise CircuitError("a float was given where a whole number is needed; cast it to int")
        return self._close(part), part.type

    def value(self, expression: Classical) -> tuple[int, Type]:
        """Compile any expression; return its number and type."""
        part = self._typed(self._part(expression))
        return self._close(part), part.type

    def assign(self, target: Classical, expression: Classical) -> int:
        """Compile an assignment; return its number."""
        value = self._part(expression)
        if isinstance(target, Variable):
            wanted = type_of(target.kind, target.width)
            op, arg, code = Op.STORE_VARIABLE, self._slots[target.name], self._assigned(value, wanted)
        elif isinstance(target, Bit):
            wanted, op, arg, code = _BIT, Op.STORE_BITS, target.index, self._assigned(value, _BIT)
        elif isinstance(target, Bits):
            wanted = Type(Kind.UINT, target.size, is_bits=True)
            op, arg, code = Op.STORE_BITS, target.start, self._assigned(value, wanted)
        else:
            assert isinstance(target, Index)
            both = [*self._assigned(value, _BIT).code, *self._count(self._part(target.index), INT64).code]
            return self._close(_Part(BOOL, [*both, self._store_bit(target)]))
        return self._close(_Part(BOOL, [*code.code, (op, wanted.kind, wanted.width, arg)]))

    def table(self) -> ClassicalCode:
        """Return all that was compiled."""
        return ClassicalCode(
            np.array(self._code, dtype=np.int32).reshape(-1, 4),
            np.array(self._ends, dtype=np.int64),
            np.array(self._constants, dtype=np.uint64),
            self._stack_words,
        )

    def _store_bit(self, target: Index) -> tuple[int, int, int, int]:
        operand = target.operand
        if isinstance(operand, Bits):
            return (Op.STORE_BIT, Kind.UINT, operand.size, operand.start)
        if isinstance(operand, Variable) and operand.kind in ("int", "uint"):
            own = type_of(operand.kind, operand.width)
            return (Op.STORE_VARIABLE_BIT, own.kind, own.width, self._slots[operand.name])
        raise CircuitError(f"a bit of {operand} cannot be assigned to; one of a register, an int or a uint can")

    def _close(self, part: _Part) -> int:
        self._code += part.code
        self._ends.append(len(self._code))
        self._stack_words = max(self._stack_words, _depth(part.code))
        return len(self._ends) - 1

    # --- expressions --------------------------------------------------------------------------------------------------

    def _part(self, node: Classical) -> _Part:
        if isinstance(node, Literal):
            return self._literal(node.value)
        if isinstance(node, Bit):
            return _Part(_BIT, [(Op.BITS, Kind.UINT, 1, node.index)])
        if isinstance(node, Bits):
            return _Part(Type(Kind.UINT, node.size, is_bits=True), [(Op.BITS, Kind.UINT, node.size, node.start)])
        if isinstance(node, Variable):
            own = type_of(node.kind, node.width)
            return _Part(own, [(Op.VARIABLE, own.kind, own.width, self._slots[node.name])])
        if isinstance(node, Unary):
            return self._unary(node.op, self._part(node.operand))
        if isinstance(node, Binary):
            return self._binary(node.op, self._part(node.left), self._part(node.right))
        if isinstance(node, Index):
            return self._index(self._typed(self._part(node.operand)), self._part(node.index))
        if isinstance(node, Cast):
            return self._convert(self._part(node.operand), type_of(node.kind, node.width))
        return self._call(node.function, [self._part(argument) for argument in node.arguments])

    def _literal(self, value: int | float | bool) -> _Part:
        if isinstance(value, bool):
            return _Part(BOOL, self._constant(int(value), BOOL))
        if isinstance(value, float):
            return _Part(FLOAT, self._constant(int.from_bytes(struct.pack("<d", value), "little"), FLOAT))
        return _Part(Type(Kind.INT, 64, literal=value))

    def _constant(self, value: int, of: Type) -> list[tuple[int, int, int, int]]:
        words = of.words
        value &= (1 << 64 * words) - 1
        if of.kind is Kind.UINT:
            value &= (1 << of.width) - 1
        key = tuple(value >> 64 * word & (1 << 64) - 1 for word in range(words))
        place = self._constant_at.get(key)
        if place is None:
            place = self._constant_at[key] = len(self._constants)
            self._constants += key
        return [(Op.CONST, of.kind, of.width, place)]

    def _typed(self, part: _Part, like: Type | None = None) -> _Part:
        """Give a literal a type: that of its partner, if it fits."""
        value = part.type.literal
        if value is None:
            return part
        if like is not None and like.kind is Kind.FLOAT:
            try:
                return self._literal(float(value))
            except OverflowError:
                raise CircuitError(f"a number of {value.bit_length()} bits is too large for a float") from None
        if like is not None and like.kind is not Kind.BOOL and not like.is_logical and like.holds(value):
            own = Type(like.kind, like.width)
        elif INT64.holds(value):
            own = INT64
        elif value < 0:
            raise CircuitError(f"the number {value} does not fit into 64 bits with a sign")
        else:
            own = UINT64 if UINT64.holds(value) else Type(Kind.UINT, value.bit_length())
        return _Part(own, self._constant(value, own))

    def _convert(self, part: _Part, to: Type) -> _Part:
        part = self._typed(part, to)
        if part.type.kind == to.kind and part.type.width == to.width:
            return _Part(to, part.code)
        if to.kind is Kind.FLOAT and part.type.width > MAX_WIDTH:
            raise CircuitError(f"{part.type} cannot become a float; at most {MAX_WIDTH} bits can")
        return _Part(to, [*part.code, (Op.CONVERT, to.kind, to.width, part.type.packed)])

    def _assigned(self, part: _Part, to: Type) -> _Part:
        if to is _BIT:  # a bit is true or not
            return self._convert(self._truth(part), _BIT)
        if to.is_bits and part.type.kind is Kind.FLOAT:
            raise CircuitError("a float cannot be assigned to bits; cast it to uint first")
        return self._convert(part, to)

    def _truth(self, part: _Part) -> _Part:
        if part.type.literal is not None:
            return self._literal(part.type.literal != 0)
        return part if part.type.kind is Kind.BOOL else self._convert(part, BOOL)

    def _unary(self, op: str, part: _Part) -> _Part:
        value = part.type.literal
        if op == "!":
            if value is not None:
                return self._literal(value == 0)
            return _Part(BOOL, [*part.code, (Op.IS_ZERO, part.type.kind, part.type.width, 0)])
        if value is not None:
            return self._literal(-value if op == "-" else ~value)
        if op == "-":
            if part.type.is_logical:
                part = self._convert(part, INT64)
            return _Part(_plain(part.type), [*part.code, (Op.NEGATE, part.type.kind, part.type.width, 0)])
        if part.type.kind is Kind.BOOL:
            return self._unary("!", part)
        if part.type.kind is Kind.FLOAT:
            raise CircuitError("the classical operator '~' takes integers, a float was given; cast it to int first")
        return _Part(part.type, [*part.code, (Op.INVERT, part.type.kind, part.type.width, 0)])

    def _binary(self, op: str, left: _Part, right: _Part) -> _Part:
        if op in ("&&", "||"):
            first, second = self._truth(left).code, self._truth(right).code
            skip = Op.SKIP_IF_ZERO if op == "&&" else Op.SKIP_UNLESS_ZERO
            return _Part(BOOL, [*first, (skip, Kind.BOOL, 1, len(second)), *second])
        if left.type.literal is not None and right.type.literal is not None:
            return self._of_literals(op, left.type.literal, right.type.literal)
        if op in _SHIFTS:
            return self._shift(_BINARY[op], left, right)
        is_power = op == "**" and Kind.FLOAT not in (left.type.kind, right.type.kind)
        if is_power and right.type.literal is not None:
            own = INT64 if left.type.is_logical else _plain(left.type)
        else:
            own = self._common(op, left.type, right.type)
        if op in _NARROW and own.width > MAX_WIDTH:
            raise CircuitError(
                f"'{op}' of {left.type} and {right.type} is not supported: it would take {own.width} bits, and "
                f"at most {MAX_WIDTH} are; mask or cast an operand to fewer bits"
            )
        if is_power:
            count = self._count(right)
            code = [*self._convert(left, own).code, *count.code, (Op.POWER, own.kind, own.width, count.type.kind)]
            return _Part(own, code)
        code = [*self._convert(left, own).code, *self._convert(right, own).code]
        is_test = _BINARY[op] >= Op.EQUAL
        return _Part(BOOL if is_test else own, [*code, (_BINARY[op], own.kind, own.width, 0)])

    def _common(self, op: str, left: Type, right: Type) -> Type:
        """The type that both operands are converted to."""
        if Kind.FLOAT in (left.kind, right.kind):
            if op in _MASKS or op == "%":
                instead = "; mod(a, b) takes floats" if op == "%" else ""
                raise CircuitError(f"the classical operator '{op}' takes integers, {left} and {right} given{instead}")
            return FLOAT
        is_arithmetic = op in _ARITHMETIC
        for one, other in ((left, right), (right, left)):
            if one.literal is not None:
                if other.is_logical:
                    return INT64 if is_arithmetic or not _BIT.holds(one.literal) else _BIT
                return _usual(_plain(other), self._typed(_Part(one), other).type, other.is_bits)
        if left.is_logical and right.is_logical:
            if is_arithmetic:
                return INT64
            return BOOL if Kind.BOOL in (left.kind, right.kind) else _BIT
        if left.is_logical or right.is_logical:
            return right if left.is_logical else left
        return _usual(left, right, left.is_bits and right.is_bits)

    def _of_literals(self, op: str, a: int, b: int) -> _Part:
        """Compute with numbers that have no width."""
        if _BINARY[op] >= Op.EQUAL:
            tests = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
            return self._literal(tests[op])
        if (op in ("/", "%") and b == 0) or (op in ("<<", ">>") and b < 0):  # an error where it is ever computed
            code = [*self._constant(1, INT64), *self._constant(max(b, -1), INT64)]
            return _Part(INT64, [*code, (_BINARY[op], Kind.INT, 64, Kind.INT)])
        if op == "**" and b < 0:
            base, exponent = (self._typed(_Part(Type(Kind.INT, 64, literal=x)), FLOAT) for x in (a, b))
            return self._binary("**", base, exponent)
        if (op == "<<" and a != 0 and b > _LARGEST) or (op == "**" and abs(a) > 1 and b * a.bit_length() > _LARGEST):
            raise CircuitError(f"the classical expression {a} {op} {b} is too large")
        quotient = 0 if b == 0 else (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)
        values = {
            "+": a + b, "-": a - b, "*": a * b, "/": quotient, "%": a - quotient * b,
            "&": a & b, "|": a | b, "^": a ^ b,
        }  # fmt: skip
        if op in values:
            return self._literal(values[op])
        return self._literal(a**b if op == "**" else a << b if op == "<<" else a >> b)

    def _shift(self, op: Op, left: _Part, right: _Part) -> _Part:
        left = self._typed(left)
        if left.type.kind is Kind.FLOAT:
            raise CircuitError("a float cannot be shifted; cast it to int first")
        if left.type.kind is Kind.BOOL:
            left = self._convert(left, INT64)
        count = self._count(right)
        return _Part(left.type, [*left.code, *count.code, (op, left.type.kind, left.type.width, count.type.kind)])

    def _count(self, part: _Part, to: Type | None = None) -> _Part:
        """A shift or an index, 64 bits wide."""
        part = self._typed(part)
        if part.type.kind is Kind.FLOAT or part.type.width > MAX_WIDTH:
            raise CircuitError(f"a shift, a rotation or an index takes a whole number of 64 bits, {part.type} given")
        return self._convert(part, to or (INT64 if part.type.kind is Kind.INT else UINT64))

    def _index(self, operand: _Part, index: _Part) -> _Part:
        own = operand.type
        if own.kind in (Kind.FLOAT, Kind.BOOL):
            raise CircuitError(f"{own} has no bits that an index could name")
        count = self._count(index)
        return _Part(_BIT, [*operand.code, *count.code, (Op.INDEX, own.kind, own.width, count.type.kind)])

    def _call(self, function: str, arguments: list[_Part]) -> _Part:
        if function == "pow":
            return self._binary("**", *arguments)
        if function == "mod":
            own = self._common("mod", arguments[0].type, arguments[1].type)
            if arguments[0].type.literal is not None and arguments[1].type.literal is not None:
                own = INT64
            if own.width > MAX_WIDTH or own.kind is Kind.BOOL:
                raise CircuitError(f"mod is not defined for {arguments[0].type} and {arguments[1].type}")
            code = [*self._convert(arguments[0], own).code, *self._convert(arguments[1], own).code]
            return _Part(_plain(own), [*code, (Op.MODULO, own.kind, own.width, 0)])
        first = self._typed(arguments[0], None if function in ("popcount", "rotl", "rotr") else FLOAT)
        if function == "popcount":
            if first.type.kind is Kind.FLOAT:
                raise CircuitError("popcount takes bits or an integer, a float was given")
            return _Part(UINT64, [*first.code, (Op.POPCOUNT, first.type.kind, first.type.width, 0)])
        if function in ("rotl", "rotr"):
            if first.type.kind is not Kind.UINT:
                raise CircuitError(f"{function} takes bits or a uint, {first.type} given")
            op = Op.ROTATE_LEFT if function == "rotl" else Op.ROTATE_RIGHT
            count = self._convert(self._count(arguments[1]), INT64)
            return _Part(first.type, [*first.code, *count.code, (op, Kind.UINT, first.type.width, Kind.INT)])
        code = self._convert(first, FLOAT).code
        return _Part(FLOAT, [*code, (Op.CALL, Kind.FLOAT, 64, FUNCTIONS.index(function))])


def _plain(own: Type) -> Type:
    """The same without being a run of bits, which only masks leave."""
    return Type(own.kind, own.width)


def _usual(left: Type, right: Type, is_bits: bool = False) -> Type:
    """C's usual conversions of two integers."""
    if left.kind == right.kind:
        return Type(left.kind, max(left.width, right.width), is_bits)
    signed, unsigned = (left, right) if left.kind is Kind.INT else (right, left)
    return unsigned if unsigned.width >= signed.width else signed


def _depth(code: list[tuple[int, int, int, int]]) -> int:
    """Words that a stretch of code has on the stack at most."""
    deepest = now = 0
    for op, _, width, arg in code:
        words = -(-width // 64)
        if op in (Op.CONST, Op.BITS, Op.VARIABLE):
            now += words
        elif op == Op.CONVERT:
            now += words - -(-(arg >> 3) // 64)
        elif op in (Op.IS_ZERO, Op.POPCOUNT):
            now -= words - 1
        elif Op.EQUAL <= op <= Op.GREATER_EQUAL:
            now -= 2 * words - 1
        elif op == Op.INDEX:
            now -= words
        elif op in _ONE_WORD_LESS:
            now -= 1
        elif op in (Op.STORE_BIT, Op.STORE_VARIABLE_BIT):
            now -= 2
        elif op in (Op.STORE_BITS, Op.STORE_VARIABLE) or op not in (Op.NEGATE, Op.INVERT, Op.CALL):
            now -= words
        deepest = max(deepest, now)
        if op in (Op.ROTATE_LEFT, Op.ROTATE_RIGHT):  # they work beside the value
            deepest = max(deepest, now + words)
    return deepest

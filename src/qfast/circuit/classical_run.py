"""Classical code run in Python; ``csrc/circuit/classical.cc`` is the same machine on words."""

from __future__ import annotations

import itertools
import math
import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from qfast.circuit.classical import Classical, ClassicalValue, Variable, walk
from qfast.circuit.classical_code import FUNCTIONS, ClassicalCode, ClassicalCompiler, Kind, Op
from qfast.errors import CircuitError

__all__ = ["ClassicalProgram", "Memory", "evaluate", "wrapped"]

_WORD = (1 << 64) - 1
_REACH = 2.0**63


@dataclass(slots=True)
class Memory:
    """What expressions read and assignments change.

    Attributes
    ----------
    bits : int
        Bit b is classical bit b.
    variables : list of int or float
        By number.
    """

    bits: int = 0
    variables: list[int | float] = field(default_factory=list)

    def set_bits(self, start: int, size: int, value: int) -> None:
        mask = ((1 << size) - 1) << start
        self.bits = (self.bits & ~mask) | (value << start & mask)


def wrapped(number: int, kind: int, width: int) -> int:
    """Bring a whole number into the range of a type."""
    number &= (1 << width) - 1
    if kind == Kind.INT and number >> (width - 1):
        number -= 1 << width
    return number


_Instruction: TypeAlias = tuple[int, int, int, int | float]


class ClassicalProgram:
    """A table of code, ready to run.

    Parameters
    ----------
    table : ClassicalCode
    """

    def __init__(self, table: ClassicalCode) -> None:
        constants = table.constants.tolist()
        rows = [_decoded(row, constants) for row in table.code.tolist()]
        starts = [0, *table.ends.tolist()]
        self._parts = [rows[begin:end] for begin, end in itertools.pairwise(starts)]

    def run(self, number: int, memory: Memory) -> int | float:
        """Run expression `number`; return its value, 0 for an assignment.

        Raises
        ------
        CircuitError
            A value does not exist: division by zero, a negative shift, an index out of range.
        """
        code = self._parts[number]
        stack: list[int | float] = []
        at = 0
        while at < len(code):
            op, kind, width, arg = code[at]
            at += 1
            if op == Op.CONST:
                stack.append(arg)
            elif op == Op.BITS:
                stack.append(memory.bits >> int(arg) & ((1 << width) - 1))
            elif op == Op.VARIABLE:
                stack.append(memory.variables[int(arg)])
            elif op in _OF_TWO:
                right = stack.pop()
                stack[-1] = _OF_TWO[op](stack[-1], right, kind, width)
            elif op in _OF_ONE:
                stack[-1] = _OF_ONE[op](stack[-1], kind, width, int(arg))
            elif op in _OF_COUNT:
                count = stack.pop()
                stack[-1] = _OF_COUNT[op](int(stack[-1]), int(count), kind, width)
            elif op in (Op.SKIP_IF_ZERO, Op.SKIP_UNLESS_ZERO):
                if (stack[-1] == 0) == (op == Op.SKIP_IF_ZERO):
                    at += int(arg)
                else:
                    stack.pop()
            else:
                _store(op, kind, width, int(arg), stack, memory)
        return stack[0] if stack else 0


def _decoded(row: list[int], constants: list[int]) -> _Instruction:
    """Put a constant's value in place of its address."""
    op, kind, width, arg = row
    if op != Op.CONST:
        return op, kind, width, arg
    words = constants[arg : arg + -(-width // 64)]
    if kind == Kind.FLOAT:
        return op, kind, width, struct.unpack("<d", words[0].to_bytes(8, "little"))[0]
    return op, kind, width, wrapped(sum(word << 64 * place for place, word in enumerate(words)), kind, width)


def _store(op: int, kind: int, width: int, arg: int, stack: list[int | float], memory: Memory) -> None:
    if op == Op.STORE_BITS:
        memory.set_bits(arg, width, int(stack.pop()))
    elif op == Op.STORE_VARIABLE:
        memory.variables[arg] = stack.pop()
    else:
        place = _checked_index(int(stack.pop()), width)
        value = int(stack.pop())
        if op == Op.STORE_BIT:
            memory.set_bits(arg + place, 1, value)
        else:
            old = int(memory.variables[arg])
            memory.variables[arg] = wrapped((old & ~(1 << place)) | value << place, kind, width)


def _checked_index(index: int, width: int) -> int:
    place = index + width if index < 0 else index
    if not 0 <= place < width:
        raise CircuitError(f"bit {index} of a classical value of {width} bits is asked for")
    return place


# --- operators of one operand -----------------------------------------------------------------------------------------


def _convert(value: int | float, kind: int, width: int, source: int) -> int | float:
    if kind == Kind.BOOL:
        return int(value != 0)
    if kind == Kind.FLOAT:
        return float(value)
    if source & 7 == Kind.FLOAT and not abs(value) < _REACH:
        raise CircuitError(f"the number {value:g} does not fit into an integer of 64 bits")
    return wrapped(int(value), kind, width)


def _negate(value: int | float, kind: int, width: int, _: int) -> int | float:
    return -value if kind == Kind.FLOAT else wrapped(-int(value), kind, width)


def _finite(name: str, function: Callable[..., float], *operands: float) -> float:
    """Apply a function; a value that is not finite, of operands that are, is none."""
    try:
        found = function(*operands)
    except (ValueError, OverflowError):
        found = math.inf if all(map(math.isfinite, operands)) else math.nan
    if not math.isfinite(found) and all(map(math.isfinite, operands)):
        given = ", ".join(f"{operand:g}" for operand in operands)
        raise CircuitError(f"the classical function {name}({given}) has no finite value")
    return found


def _floor(x: float) -> float:
    return math.copysign(float(math.floor(x)), x) if math.isfinite(x) else x


def _ceiling(x: float) -> float:
    return math.copysign(float(math.ceil(x)), x) if math.isfinite(x) else x


_CALLS: dict[str, Callable[[float], float]] = {
    "arccos": math.acos, "arcsin": math.asin, "arctan": math.atan, "ceiling": _ceiling, "cos": math.cos,
    "exp": math.exp, "floor": _floor, "log": math.log, "sin": math.sin, "sqrt": math.sqrt, "tan": math.tan,
}  # fmt: skip


def _call(value: int | float, kind: int, width: int, number: int) -> float:
    name = FUNCTIONS[number]
    return _finite(name, _CALLS[name], float(value))


_OF_ONE: dict[int, Callable[[int | float, int, int, int], int | float]] = {
    Op.CONVERT: _convert,
    Op.NEGATE: _negate,
    Op.INVERT: lambda value, kind, width, _: wrapped(~int(value), kind, width),
    Op.IS_ZERO: lambda value, kind, width, _: int(value == 0),
    Op.POPCOUNT: lambda value, kind, width, _: (int(value) & ((1 << width) - 1)).bit_count(),
    Op.CALL: _call,
}


# --- operators of two operands of one type ----------------------------------------------------------------------------


def _arithmetic(apply: Callable[..., int | float]) -> Callable[[int | float, int | float, int, int], int | float]:
    def both(a: int | float, b: int | float, kind: int, width: int) -> int | float:
        found = apply(a, b)
        return found if kind == Kind.FLOAT else wrapped(int(found), kind, width)

    return both


def _test(apply: Callable[..., bool]) -> Callable[[int | float, int | float, int, int], int]:
    return lambda a, b, kind, width: int(apply(a, b))


def _check_divisor(b: int | float) -> None:
    if b == 0:
        raise CircuitError("a classical expression divides by zero")


def _divide(a: int | float, b: int | float, kind: int, width: int) -> int | float:
    _check_divisor(b)
    if kind == Kind.FLOAT:
        return a / b
    return wrapped(_quotient(int(a), int(b)), kind, width)


def _quotient(a: int, b: int) -> int:
    """A whole quotient without its fraction."""
    found = abs(a) // abs(b)
    return found if (a < 0) == (b < 0) else -found


def _remainder(a: int | float, b: int | float, kind: int, width: int) -> int:
    _check_divisor(b)
    return wrapped(int(a) - _quotient(int(a), int(b)) * int(b), kind, width)


def _modulo(a: int | float, b: int | float, kind: int, width: int) -> int | float:
    _check_divisor(b)
    return a - b * _floor(a / b) if kind == Kind.FLOAT else int(a) % int(b)


def _power(a: int | float, b: int | float, kind: int, width: int) -> int | float:
    if kind == Kind.FLOAT:
        return _finite("pow", math.pow, a, b)
    if b < 0:  # the exponent is signed
        raise CircuitError(f"an integer to the power of {b} is no integer; make the base a float")
    return wrapped(pow(int(a), int(b), 1 << 64), kind, width)


_OF_TWO: dict[int, Callable[[int | float, int | float, int, int], int | float]] = {
    Op.ADD: _arithmetic(operator.add),
    Op.SUBTRACT: _arithmetic(operator.sub),
    Op.MULTIPLY: _arithmetic(operator.mul),
    Op.DIVIDE: _divide,
    Op.REMAINDER: _remainder,
    Op.POWER: _power,
    Op.MODULO: _modulo,
    Op.AND: _arithmetic(operator.and_),
    Op.OR: _arithmetic(operator.or_),
    Op.XOR: _arithmetic(operator.xor),
    Op.EQUAL: _test(operator.eq),
    Op.NOT_EQUAL: _test(operator.ne),
    Op.LESS: _test(operator.lt),
    Op.LESS_EQUAL: _test(operator.le),
    Op.GREATER: _test(operator.gt),
    Op.GREATER_EQUAL: _test(operator.ge),
}


# --- shifts, rotations and indices ------------------------------------------------------------------------------------


def _checked_count(count: int, width: int) -> int:
    if count < 0:
        raise CircuitError(f"a classical value is shifted by {count}; a shift must not be negative")
    return min(count, width)


def _rotate(value: int, by: int, width: int) -> int:
    by %= width
    return ((value << by) | (value >> (width - by))) & ((1 << width) - 1)


_OF_COUNT: dict[int, Callable[[int, int, int, int], int]] = {
    Op.SHIFT_LEFT: lambda value, by, kind, width: wrapped(value << _checked_count(by, width), kind, width),
    Op.SHIFT_RIGHT: lambda value, by, kind, width: value >> _checked_count(by, width),
    Op.ROTATE_LEFT: lambda value, by, kind, width: _rotate(value, by, width),
    Op.ROTATE_RIGHT: lambda value, by, kind, width: _rotate(value, -by, width),
    Op.INDEX: lambda value, index, kind, width: value >> _checked_index(index, width) & 1,
}


# --- one expression ---------------------------------------------------------------------------------------------------


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
        The types do not go together, or a value does not exist: division by zero, a negative shift, an index out of
        range.

    Examples
    --------
    >>> from qfast.circuit.classical import Binary, Bits, Literal
    >>> evaluate(Binary("==", Bits(0, 3), Literal(5)), [1, 0, 1])
    1
    """
    given = variables or {}
    used = list(dict.fromkeys(node for node in walk(expression) if isinstance(node, Variable)))
    compiler = ClassicalCompiler(used)
    number, _ = compiler.value(expression)
    word = bits if isinstance(bits, int) else sum(int(bit) << place for place, bit in enumerate(bits))
    memory = Memory(word, [given.get(variable.name, 0) for variable in used])
    return ClassicalProgram(compiler.table()).run(number, memory)

"""Names and expressions as OpenQASM writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Classical, Index, Literal, Unary, Variable
from qfast.circuit.instruction import Register
from qfast.circuit.parameter import ExprOp, Parameter, ParameterExpression, ParameterValue
from qfast.errors import CircuitError

__all__ = ["RESERVED", "ClassicalText", "Names", "angle_text", "is_truth", "number_text"]

_RESERVED_WORDS = """
OPENQASM include qreg creg gate opaque barrier measure reset if else for in while switch case default break continue end
let const input output qubit bit bool int uint float angle complex array duration stretch void readonly mutable gphase
inv pow ctrl negctrl true false def return extern box delay durationof cal defcal defcalgrammar nop pragma im U CX pi
tau euler sin cos tan arcsin arccos arctan exp ln log sqrt ceiling floor mod popcount rotl rotr sizeof real imag dt ns
us ms s phase cphase u0
"""
RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that no register, parameter or variable may be named."""


@dataclass
class Names:
    """Gives everything in a text a name of its own that the language allows."""

    used: set[str] = field(default_factory=lambda: set(RESERVED))
    renamed: list[tuple[str, str]] = field(default_factory=list)
    """Pairs (name in the text, name in the circuit), where they differ."""

    def add(self, wanted: str, version: int) -> str:
        """Take a name; one that is taken or not allowed is changed."""
        letters = [c if re.match(r"[A-Za-z0-9_]", c) or (version == 3 and c.isalpha()) else "_" for c in wanted]
        name = "".join(letters)
        if name != wanted:
            name = name.rstrip("_")  # v[3] becomes v_3
        if version == 2 and not re.match(r"[a-z]", name):
            name = f"n_{name}".rstrip("_")
        elif not name or name[0].isdigit():
            name = f"_{name}"
        free = self.fresh(name)
        if free != wanted:
            self.renamed.append((free, wanted))
        return free

    def fresh(self, name: str) -> str:
        """Take a name, with a number behind it where it is taken."""
        number, free = 2, name
        while free in self.used:
            free, number = f"{name}_{number}", number + 1
        self.used.add(free)
        return free


def number_text(value: float) -> str:
    """A real number that reads back as the same double."""
    return repr(float(value))


_INFIX = {ExprOp.ADD: "+", ExprOp.SUB: "-", ExprOp.MUL: "*", ExprOp.DIV: "/", ExprOp.POW: "**"}
_LEVEL = {ExprOp.ADD: 1, ExprOp.SUB: 1, ExprOp.MUL: 2, ExprOp.DIV: 2, ExprOp.NEG: 3, ExprOp.POW: 4}
_ATOM = 5
_FUNCTIONS = {
    ExprOp.SIN: "sin", ExprOp.COS: "cos", ExprOp.TAN: "tan", ExprOp.ASIN: "arcsin", ExprOp.ACOS: "arccos",
    ExprOp.ATAN: "arctan", ExprOp.EXP: "exp", ExprOp.LOG: "log", ExprOp.SQRT: "sqrt",
}  # fmt: skip


def angle_text(value: ParameterValue, name_of: Callable[[str], str]) -> str:
    """A number, or an expression of parameters in OpenQASM 3.

    Parameters
    ----------
    value : float or ParameterExpression
    name_of : callable
        The name in the text of a parameter of the circuit.
    """
    if not isinstance(value, ParameterExpression):
        return number_text(value)
    stack: list[tuple[str, int]] = []
    for item in value.code:
        if isinstance(item, Parameter):
            stack.append((name_of(item.name), _ATOM))
        elif isinstance(item, float):
            negative = math.copysign(1.0, item) < 0
            stack.append((number_text(item), _LEVEL[ExprOp.NEG] if negative else _ATOM))
        elif item in _INFIX:
            right, left = stack.pop(), stack.pop()
            level = _LEVEL[item]
            # - and / bind to the left, ** to the right.
            first = _within(left, level + (item is ExprOp.POW))
            second = _within(right, level + (item is not ExprOp.POW))
            stack.append((f"{first} {_INFIX[item]} {second}", level))
        elif item is ExprOp.NEG:
            stack.append((f"-{_within(stack.pop(), _LEVEL[item] + 1)}", _LEVEL[item]))
        elif item is ExprOp.ABS:  # OpenQASM has no absolute value
            inner = stack.pop()[0]
            stack.append((f"sqrt(({inner}) * ({inner}))", _ATOM))
        else:
            stack.append((f"{_FUNCTIONS[item]}({stack.pop()[0]})", _ATOM))
    return stack[0][0]


def _within(operand: tuple[str, int], level: int) -> str:
    text, own = operand
    return text if own >= level else f"({text})"


_RAW = frozenset(("==", "!=", "<", "<=", ">", ">=", "&&", "||"))  # operators that take registers as they are


_ARITHMETIC = frozenset(("+", "-", "*", "/", "%", "**"))


def _is_single(node: Classical) -> bool:
    """Whether an expression is a single bit, a truth value or a number without a type."""
    return isinstance(node, (Index, Literal)) or is_truth(node)


def is_truth(node: Classical) -> bool:
    """Whether an expression is 0 or 1."""
    return (
        isinstance(node, Bit)
        or (isinstance(node, Binary) and node.op in _RAW)
        or (isinstance(node, Unary) and node.op == "!")
    )


@dataclass
class ClassicalText:
    """Writes classical expressions.

    A register is written by its name where OpenQASM takes bits, and as ``uint[n](register)`` where it takes numbers.
    """

    registers: Sequence[Register]
    register_names: Mapping[str, str]
    variable_names: Mapping[str, str]

    def write(self, node: Classical, raw: bool = True) -> str:
        """The text of an expression; `raw`: bits may stand as they are."""
        match node:
            case Literal(value):
                return ("true" if value else "false") if isinstance(value, bool) else repr(value)
            case Variable(name):
                return self.variable_names[name]
            case Bit(index):
                text = self.bits(index, 1)
                return text if raw else f"uint[1]({text})"
            case Bits(start, size):
                text = self.bits(start, size)
                return text if raw else f"uint[{size}]({text})"
            case Unary("-", Bit() as operand):
                return f"-{self.number(operand)}"
            case Binary(op, left, right) if op in _ARITHMETIC and _is_single(left) and _is_single(right):
                return f"{self.number(left)} {op} {self.number(right)}"
            case Unary(op, operand):
                return f"{op}{self.operand(operand, raw=op == '!')}"
            case Binary(op, left, right):
                bits = op in _RAW
                return f"{self.operand(left, bits)} {op} {self.operand(right, bits)}"
            case Index(operand, index):
                return f"{self.indexed(operand)}[{self.write(index, raw=False)}]"
            case Cast(kind, width, operand):
                name = kind if width is None else f"{kind}[{width}]"
                return f"{name}({self.write(operand)})"
            case Call(function, arguments):
                return f"{function}({', '.join(self.write(argument, raw=False) for argument in arguments)})"

    def number(self, node: Classical) -> str:
        """An operand of arithmetic in which bits are ints: there is no wider type that they would take."""
        return f"int[64]({self.write(node)})" if isinstance(node, Bit) else self.operand(node, raw=False)

    def operand(self, node: Classical, raw: bool) -> str:
        text = self.write(node, raw)
        is_negative = isinstance(node, Literal) and not isinstance(node.value, bool) and node.value < 0
        return f"({text})" if isinstance(node, (Binary, Unary)) or is_negative else text

    def indexed(self, node: Classical) -> str:
        if isinstance(node, Variable) or (isinstance(node, Bits) and node.size > 1):
            return self.write(node)
        raise CircuitError(f"OpenQASM has no index of {node}; it has one of registers and variables")

    def bits(self, start: int, size: int) -> str:
        """A register, one of its bits or a slice of it."""
        for register in self.registers:
            first = start - register.start
            if first >= 0 and first + size <= register.size:
                name = self.register_names[register.name]
                if size == register.size and size > 1:
                    return name
                return f"{name}[{first}]" if size == 1 else f"{name}[{first}:{first + size - 1}]"
        raise CircuitError(
            f"the classical bits {start}…{start + size - 1} lie in several registers, which OpenQASM cannot write as "
            "one number"
        )

    def values(self, values: Iterable[int | float]) -> str:
        """The values of a loop."""
        if isinstance(values, range):
            step = "" if values.step == 1 else f"{values.step}:"
            return f"[{values[0]}:{step}{values[-1]}]"
        return "{" + ", ".join(repr(value) for value in values) + "}"

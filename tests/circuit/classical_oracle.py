"""C's rules for classical expressions, walked as a tree with values that carry their types: no code, no words."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Classical, Index, Literal, Unary, Variable


class NoValue(Exception):
    """The expression is refused, or has no value."""


@dataclass(frozen=True)
class Typed:
    value: int | float
    kind: str  # bool, int, uint, float, or literal: a whole number that has no type yet
    width: int = 0
    is_bits: bool = False

    @property
    def single(self) -> bool:
        return self.kind == "bool" or (self.is_bits and self.width == 1)


def fit(value: int | float, kind: str, width: int, is_bits: bool = False) -> Typed:
    """A value brought into the range of a type, modulo 2**width."""
    if kind == "float":
        return Typed(float(value), kind)
    if kind == "bool":
        return Typed(int(value != 0), kind, 1)
    if isinstance(value, float):
        if not abs(value) < 2.0**63:
            raise NoValue("too large")
        value = math.trunc(value)
    value %= 1 << width
    if kind == "int" and value >= 1 << (width - 1):
        value -= 1 << width
    return Typed(value, kind, width, is_bits)


def has(kind: str, width: int, value: int) -> bool:
    return fit(value, kind, width).value == value


def given_type(x: Typed, like: Typed | None = None) -> Typed:
    """A literal with the type of its partner, if it fits, or one of its own."""
    if x.kind != "literal":
        return x
    if like is not None and like.kind == "float":
        try:
            return Typed(float(x.value), "float")
        except OverflowError:
            raise NoValue("too large") from None
    if (
        like is not None
        and like.kind in ("int", "uint")
        and not like.single
        and has(like.kind, like.width, int(x.value))
    ):
        return Typed(x.value, like.kind, like.width)
    if -(2**63) <= x.value < 2**63:
        return Typed(x.value, "int", 64)
    if x.value < 0:
        raise NoValue("too negative")
    return Typed(x.value, "uint", max(64, int(x.value).bit_length()))


def common(a: Typed, b: Typed, arithmetic: bool) -> tuple[str, int]:
    """The type that two operands share."""
    if "float" in (a.kind, b.kind):
        return "float", 0
    if a.kind == "literal" or b.kind == "literal":
        number, other = (a, b) if a.kind == "literal" else (b, a)
        if other.single:
            return ("int", 64) if arithmetic or number.value not in (0, 1) else ("uint", 1)
        number = given_type(number, other)
        a, b = number, Typed(other.value, other.kind, other.width)
    elif a.single and b.single:
        return ("int", 64) if arithmetic else (("bool", 1) if "bool" in (a.kind, b.kind) else ("uint", 1))
    elif a.single or b.single:
        wide = b if a.single else a
        return wide.kind, wide.width
    if a.kind == b.kind:
        return a.kind, max(a.width, b.width)
    signed, unsigned = (a, b) if a.kind == "int" else (b, a)
    return ("uint", unsigned.width) if unsigned.width >= signed.width else ("int", signed.width)


def to(x: Typed, kind: str, width: int) -> Typed:
    if kind == "float" and x.kind == "uint" and x.width > 64:
        raise NoValue("too wide for a float")
    return fit(x.value, kind, width)


def count_of(x: Typed) -> int:
    x = given_type(x)
    if x.kind == "float" or x.width > 64:
        raise NoValue("no count")
    return int(x.value)


def truncated(a: int, b: int) -> int:
    return (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


def finite(function: Any, *operands: float) -> float:
    try:
        value = function(*operands)
    except (ValueError, OverflowError):
        value = math.inf if all(map(math.isfinite, operands)) else math.nan
    if all(map(math.isfinite, operands)) and not math.isfinite(value):
        raise NoValue("not finite")
    return value


def of_literals(op: str, a: int, b: int) -> Typed:
    tests = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
    if op in tests:
        return Typed(int(tests[op]), "bool", 1)
    if (op in ("/", "%") and b == 0) or (op in ("<<", ">>") and b < 0):
        raise NoValue("no value")
    if op == "**" and b < 0:
        x, y = (given_type(Typed(v, "literal"), Typed(0, "float")).value for v in (a, b))
        return Typed(finite(math.pow, x, y), "float")
    if (op == "<<" and a != 0 and b > 1 << 16) or (op == "**" and abs(a) > 1 and b * a.bit_length() > 1 << 16):
        raise NoValue("too large")
    found = {
        "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: truncated(a, b),
        "%": lambda: a - truncated(a, b) * b, "**": lambda: a**b, "<<": lambda: a << b, ">>": lambda: a >> b,
        "&": lambda: a & b, "|": lambda: a | b, "^": lambda: a ^ b,
    }[op]()  # fmt: skip
    return Typed(found, "literal")


def binary(op: str, a: Typed, b: Typed) -> Typed:
    if a.kind == "literal" and b.kind == "literal":
        return of_literals(op, int(a.value), int(b.value))
    if op in ("<<", ">>"):
        return shift(op, given_type(a), count_of(b))
    if op == "**" and "float" not in (a.kind, b.kind):
        return power(a, b)
    kind, width = common(a, b, op in ["+", "-", "*", "/", "%", "**"])
    if kind == "float" and op in ("&", "|", "^", "%"):
        raise NoValue("no floats")
    if op in ("*", "/", "%") and width > 64:
        raise NoValue("too wide")
    wanted = Typed(0, kind, width)
    x, y = (to(given_type(v, wanted), kind, width).value for v in (a, b))
    tests = {"==": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}
    if op in tests:
        return Typed(int(tests[op]), "bool", 1)
    if op in ("/", "%") and y == 0:
        raise NoValue("by zero")
    if op == "/":
        return fit(x / y if kind == "float" else truncated(int(x), int(y)), kind, width)
    if op == "**":
        return Typed(finite(math.pow, x, y), "float")
    if kind == "float":
        return Typed({"+": x + y, "-": x - y, "*": x * y}[op], "float")
    p, q = int(x), int(y)
    found = {
        "+": p + q, "-": p - q, "*": p * q, "%": p - truncated(p, q or 1) * q, "&": p & q, "|": p | q, "^": p ^ q,
    }[op]  # fmt: skip
    bits = a.is_bits and b.is_bits and op in ("&", "|", "^")
    return fit(found, kind, width, is_bits=bits or (op in ("&", "|", "^") and mask_of_bits(a, b, kind, width)))


def mask_of_bits(a: Typed, b: Typed, kind: str, width: int) -> bool:
    """A mask keeps being bits where it has the type of bits and the other operand adds nothing to it."""
    if kind != "uint":
        return False
    if width == 1 and all(x.single or x.kind == "literal" for x in (a, b)):
        return True
    for x, y in ((a, b), (b, a)):
        if x.is_bits and not x.single and y.kind == "literal" and given_type(y, x).kind == "uint":
            return given_type(y, x).width <= 64 or x.width == width
        if x.is_bits and x.width == width and y.single:
            return True
    return False


def power(a: Typed, b: Typed) -> Typed:
    if b.kind == "literal":
        kind, width = ("int", 64) if a.single else (a.kind, a.width)
    else:
        kind, width = common(a, b, True)
    exponent = None
    if width > 64:
        raise NoValue("too wide")
    exponent = count_of(b)
    if exponent < 0:
        raise NoValue("negative power")
    base = int(fit(given_type(a).value, kind, width).value)
    return fit(pow(base, exponent, 1 << 64), kind, width)


def shift(op: str, a: Typed, by: int) -> Typed:
    if a.kind == "float":
        raise NoValue("no floats")
    if a.kind == "bool":
        a = Typed(a.value, "int", 64)
    if by < 0:
        raise NoValue("negative shift")
    value = int(a.value)
    found = value << min(by, 200) if op == "<<" else value >> min(by, 200)
    return fit(found, a.kind, a.width, a.is_bits)


def value_of(node: Classical, bits: int, variables: dict[str, int | float]) -> Typed:
    """The value of an expression, or NoValue."""
    if isinstance(node, Literal):
        if isinstance(node.value, bool):
            return Typed(int(node.value), "bool", 1)
        return Typed(node.value, "float" if isinstance(node.value, float) else "literal")
    if isinstance(node, Bit):
        return Typed(bits >> node.index & 1, "uint", 1, True)
    if isinstance(node, Bits):
        return Typed(bits >> node.start & ((1 << node.size) - 1), "uint", node.size, True)
    if isinstance(node, Variable):
        return Typed(variables[node.name], node.kind, {"bool": 1, "float": 0}.get(node.kind, node.width or 32))
    if isinstance(node, Binary) and node.op in ("&&", "||"):
        left = value_of(node.left, bits, variables)
        stops = bool(left.value) == (node.op == "||")
        right = value_of(node.right, bits, variables) if not stops else left
        return Typed(int(bool(right.value)), "bool", 1)
    if isinstance(node, Binary):
        return binary(node.op, value_of(node.left, bits, variables), value_of(node.right, bits, variables))
    if isinstance(node, Unary):
        return unary(node.op, value_of(node.operand, bits, variables))
    if isinstance(node, Cast):
        x = given_type(value_of(node.operand, bits, variables), Typed(0, node.kind) if node.kind == "float" else None)
        return to(x, node.kind, {"bool": 1, "float": 0}.get(node.kind, node.width or 32))
    if isinstance(node, Index):
        x = given_type(value_of(node.operand, bits, variables))
        place = count_of(value_of(node.index, bits, variables))
        if x.kind in ("float", "bool"):
            raise NoValue("no bits")
        place += x.width if place < 0 else 0
        if not 0 <= place < x.width:
            raise NoValue("out of range")
        return Typed(int(x.value) >> place & 1, "uint", 1, True)
    return call(node, [value_of(argument, bits, variables) for argument in node.arguments])


def unary(op: str, x: Typed) -> Typed:
    if op == "!":
        return Typed(int(not x.value), "bool", 1)
    if x.kind == "literal":
        return Typed(-x.value if op == "-" else ~int(x.value), "literal")
    if op == "-":
        x = Typed(x.value, "int", 64) if x.single else x
        return fit(-x.value, x.kind, x.width)
    if x.kind == "bool":
        return Typed(int(not x.value), "bool", 1)
    if x.kind == "float":
        raise NoValue("no floats")
    return fit(~int(x.value), x.kind, x.width, x.is_bits)


def call(node: Call, arguments: list[Typed]) -> Typed:
    name, a = node.function, arguments[0]
    if name == "pow":
        return binary("**", a, arguments[1])
    if name == "mod":
        b = arguments[1]
        kind, width = ("int", 64) if a.kind == b.kind == "literal" else common(a, b, True)
        if width > 64:
            raise NoValue("too wide")
        wanted = Typed(0, kind, width)
        x, y = (to(given_type(v, wanted), kind, width).value for v in (a, b))
        if y == 0:
            raise NoValue("by zero")
        if kind == "float":
            return Typed(x - y * (float(math.floor(x / y)) if math.isfinite(x / y) else x / y), "float")
        return fit(int(x) % int(y), kind, width)
    a = given_type(a, Typed(0, "float") if name not in ("popcount", "rotl", "rotr") else None)
    if name == "popcount":
        if a.kind == "float":
            raise NoValue("no floats")
        return Typed((int(a.value) % (1 << a.width)).bit_count(), "uint", 64)
    if name in ("rotl", "rotr"):
        if a.kind != "uint":
            raise NoValue("only bits")
        by = count_of(arguments[1])
        by = (by if by < 2**63 else by - 2**64) * (1 if name == "rotl" else -1) % a.width
        digits = f"{int(a.value):0{a.width}b}"
        return Typed(int(digits[by:] + digits[:by], 2), "uint", a.width, a.is_bits)
    x = float(to(a, "float", 0).value)
    if name in ("floor", "ceiling"):
        return Typed(float(math.floor(x) if name == "floor" else math.ceil(x)) if math.isfinite(x) else x, "float")
    functions = {
        "arccos": math.acos, "arcsin": math.asin, "arctan": math.atan, "cos": math.cos, "exp": math.exp,
        "log": math.log, "sin": math.sin, "sqrt": math.sqrt, "tan": math.tan,
    }  # fmt: skip
    return Typed(finite(functions[name], x), "float")


# --- random expressions -----------------------------------------------------------------------------------------------

_OPERATORS = ["+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "&&", "||", "==", "!=", "<", "<=", ">", ">="]
_FUNCTIONS = [
    "sin", "cos", "exp", "log", "sqrt", "floor", "ceiling", "arctan", "mod", "pow", "popcount", "rotl", "rotr",
]  # fmt: skip


def random_variable(rng: random.Random, name: str) -> tuple[Variable, int | float]:
    kind = rng.choice(["int", "uint", "int", "uint", "bool", "float"])
    if kind == "bool":
        return Variable(name, "bool"), rng.randrange(2)
    if kind == "float":
        return Variable(name, "float"), rng.choice([0.0, 1.0, -2.5, 3e18, 1e300, rng.uniform(-9, 9)])
    width = rng.choice([1, 2, 3, 8, 31, 32, 33, 63, 64, rng.randint(1, 64)])
    value = rng.choice([0, 1, -1, (1 << (width - 1)) - 1, 1 << (width - 1), rng.getrandbits(width)])
    return Variable(name, kind, width), int(fit(value, kind, width).value)


def random_expression(rng: random.Random, variables: list[Variable], num_bits: int, depth: int) -> Classical:
    def part() -> Classical:
        return random_expression(rng, variables, num_bits, depth - 1)

    shape = rng.random()
    if depth == 0 or shape < 0.15:
        leaf = rng.randrange(6)
        if leaf <= 2:
            return rng.choice(variables)
        if leaf == 3:
            return Bit(rng.randrange(num_bits))
        if leaf == 4:
            size = rng.choice([1, 2, 5, 63, 64, 65, rng.randint(1, num_bits)])
            return Bits(rng.randint(0, num_bits - size), size)
        number: Any = rng.choice([0, 1, 2, 3, 7, 255, -1, 2**31, 2**63, 2**64, 2**70 + 5, True, False, 0.5, -3.0])
        return Literal(number)
    if shape < 0.7:
        return Binary(rng.choice(_OPERATORS), part(), part())
    if shape < 0.78:
        return Unary(rng.choice("-~!"), part())
    if shape < 0.86:
        kind = rng.choice(["int", "uint", "bool", "float"])
        return Cast(kind, rng.randint(1, 64) if kind in ("int", "uint") else None, part())
    if shape < 0.92:
        return Index(part(), part())
    function = rng.choice(_FUNCTIONS)
    return Call(function, tuple(part() for _ in range(2 if function in ("mod", "pow", "rotl", "rotr") else 1)))

"""Text of the command line to numbers."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Sequence

from qfast.errors import InputError

__all__ = ["parse_number", "parse_parameters"]

CONSTANTS = {"pi": math.pi, "tau": math.tau, "e": math.e}
BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}


def parse_number(text: str) -> float:
    """Return the value of a number or of a sum and product of numbers and ``pi``, ``tau``, ``e``.

    Examples
    --------
    >>> parse_number("-3*pi/4") == -3 * math.pi / 4
    True

    Raises
    ------
    InputError
        If the text is anything else, or its value is not finite.
    """
    try:
        value = _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{text!r} is not a finite number; write a number or a product such as -3*pi/4")
    return value


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=float() | int() as value) if not isinstance(value, bool):
            return float(value)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](_value(left), _value(right))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
            return UNARY[type(op)](_value(operand))
    raise ValueError(ast.unparse(node))


def parse_parameters(assignments: Sequence[str]) -> dict[str, float]:
    """Return the values of ``--param name=value`` arguments by name.

    Raises
    ------
    InputError
        An argument is not of this form, a value is not a number, or a name is given twice.
    """
    values: dict[str, float] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip()
        if not equals or not name:
            raise InputError(f"--param {assignment}: expected name=value, such as theta=0.3 or theta=pi/2")
        if name in values:
            raise InputError(f"--param {assignment}: {name!r} was given before, as {values[name]!r}; give it once")
        try:
            values[name] = parse_number(text)
        except InputError as error:
            raise InputError(f"--param {assignment}: {error}") from None
    return values

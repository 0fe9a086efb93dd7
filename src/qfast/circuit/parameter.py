"""Named parameters and expressions of them.

An expression is kept as postfix code, which is also how it crosses to the core (``ExprOp`` in ``csrc/circuit/flat.h``).
Nothing recurses, so a sum of ten thousand terms is as good as a short one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import total_ordering
from typing import Any, SupportsFloat, TypeAlias

import numpy as np

from qfast.circuit.checks import is_name
from qfast.errors import ParameterError

__all__ = [
    "ExprOp",
    "Parameter",
    "ParameterExpression",
    "ParameterValue",
    "ParameterVector",
    "expression_of",
    "real_number",
]


class ExprOp(Enum):
    """Postfix operations; the values are those of ``ExprOp`` in ``csrc/circuit/flat.h``."""

    PUSH_CONST = 0
    PUSH_PARAM = 1
    ADD = 2
    SUB = 3
    MUL = 4
    DIV = 5
    POW = 6
    NEG = 7
    SIN = 8
    COS = 9
    TAN = 10
    ASIN = 11
    ACOS = 12
    ATAN = 13
    EXP = 14
    LOG = 15
    SQRT = 16
    ABS = 17


_BINARY: dict[ExprOp, Callable[[float, float], float]] = {
    ExprOp.ADD: lambda a, b: a + b,
    ExprOp.SUB: lambda a, b: a - b,
    ExprOp.MUL: lambda a, b: a * b,
    ExprOp.DIV: lambda a, b: a / b,
    ExprOp.POW: math.pow,
}
_UNARY: dict[ExprOp, Callable[[float], float]] = {
    ExprOp.NEG: lambda a: -a,
    ExprOp.SIN: math.sin,
    ExprOp.COS: math.cos,
    ExprOp.TAN: math.tan,
    ExprOp.ASIN: math.asin,
    ExprOp.ACOS: math.acos,
    ExprOp.ATAN: math.atan,
    ExprOp.EXP: math.exp,
    ExprOp.LOG: math.log,
    ExprOp.SQRT: math.sqrt,
    ExprOp.ABS: abs,
}
_SYMBOLS = {ExprOp.ADD: "+", ExprOp.SUB: "-", ExprOp.MUL: "*", ExprOp.DIV: "/", ExprOp.POW: "**"}
_PRECEDENCE = {ExprOp.ADD: 1, ExprOp.SUB: 1, ExprOp.MUL: 2, ExprOp.DIV: 2, ExprOp.NEG: 3, ExprOp.POW: 4}
_ATOM = 5

_ELEMENT_NAME = re.compile(r"(.*)\[(\d+)\]\Z", re.DOTALL)


class ParameterExpression:
    """A real expression of parameters, immutable and hashable.

    Built from :class:`Parameter` with ``+ - * / **``, ``abs`` and the methods ``sin cos tan asin acos atan exp log
    sqrt`` (``numpy.sin(theta)`` works too). Two expressions are equal when they were built alike; nothing is
    simplified.

    Examples
    --------
    >>> theta = Parameter("theta")
    >>> expression = 2 * theta + 1
    >>> expression.evaluate({"theta": 0.5})
    2.0
    >>> expression.gradient("theta")
    2.0
    """

    __slots__ = ("_code", "_hash")

    _code: tuple[float | Parameter | ExprOp, ...]
    _hash: int | None

    def __init__(self, code: tuple[float | Parameter | ExprOp, ...]) -> None:
        self._code = code
        self._hash = None

    @property
    def code(self) -> tuple[float | Parameter | ExprOp, ...]:
        """Postfix code: a float or a :class:`Parameter` is pushed, an :class:`ExprOp` takes operands from the top."""
        return self._code

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the expression, by name, vector elements by index."""
        return tuple(sorted({item for item in self.code if isinstance(item, Parameter)}))

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Return the value for given parameter values.

        Parameters
        ----------
        values : mapping of str to float
            A value for each parameter name.

        Raises
        ------
        ParameterError
            A parameter has no value, or the result is not a finite real number.
        """
        stack: list[float] = []
        try:
            for item in self.code:
                if isinstance(item, Parameter):
                    stack.append(values[item.name])
                elif isinstance(item, float):
                    stack.append(item)
                elif item in _BINARY:
                    right = stack.pop()
                    stack[-1] = _BINARY[item](stack[-1], right)
                else:
                    stack[-1] = _UNARY[item](stack[-1])
        except KeyError as error:
            raise ParameterError(f"parameter '{error.args[0]}' of the expression {self} has no value") from None
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise ParameterError(self._not_finite(values, str(error))) from None
        if not math.isfinite(stack[0]):
            raise ParameterError(self._not_finite(values, f"it gives {stack[0]}"))
        return stack[0]

    def _not_finite(self, values: Mapping[str, float], reason: str) -> str:
        at = ", ".join(f"{p.name} = {values[p.name]!r}" for p in self.parameters)
        return f"the expression {self} has no finite real value at {at}: {reason}"

    def substitute(self, values: Mapping[str, float | ParameterExpression]) -> ParameterValue:
        """Replace parameters by numbers or expressions.

        Returns
        -------
        float or ParameterExpression
            A float when no parameter is left.
        """
        code: list[float | Parameter | ExprOp] = []
        for item in self.code:
            if isinstance(item, Parameter) and item.name in values:
                value = values[item.name]
                code.extend(value.code if isinstance(value, ParameterExpression) else (float(value),))
            else:
                code.append(item)
        result = ParameterExpression(tuple(code))
        return result if any(isinstance(item, Parameter) for item in code) else result.evaluate({})

    def gradient(self, parameter: str | Parameter) -> ParameterValue:
        """Return the derivative with respect to one parameter.

        Parameters
        ----------
        parameter : str or Parameter

        Returns
        -------
        float or ParameterExpression
            A float where the derivative is a constant. ``abs`` has the derivative x / |x|, which has no value at 0.
        """
        name = parameter.name if isinstance(parameter, Parameter) else parameter
        # Forward mode: the stack holds (value, derivative); a derivative that is the float 0.0 is not carried on.
        stack: list[tuple[ParameterValue, ParameterValue]] = []
        for item in self.code:
            if isinstance(item, Parameter):
                stack.append((item, 1.0 if item.name == name else 0.0))
            elif isinstance(item, float):
                stack.append((item, 0.0))
            elif item in _BINARY:
                right = stack.pop()
                stack.append(_binary_derivative(item, stack.pop(), right))
            else:
                stack.append(_unary_derivative(item, *stack.pop()))
        return stack[0][1]

    def _binary(self, op: ExprOp, other: object, reverse: bool = False) -> ParameterExpression:
        if isinstance(other, ParameterExpression):
            code = other.code
        elif isinstance(other, (int, float)) or (isinstance(other, SupportsFloat) and not isinstance(other, str)):
            code = (real_number(other, "a parameter expression"),)
        else:
            return NotImplemented  # type: ignore[no-any-return]
        return ParameterExpression((*code, *self.code, op) if reverse else (*self.code, *code, op))

    def _unary(self, op: ExprOp) -> ParameterExpression:
        return ParameterExpression((*self.code, op))

    def __add__(self, other: ParameterExpression | SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.ADD, other)

    def __radd__(self, other: SupportsFloat) -> ParameterExpression:
        if isinstance(other, int) and other == 0:  # so that sum() of expressions starts clean
            return self
        return self._binary(ExprOp.ADD, other, reverse=True)

    def __sub__(self, other: ParameterExpression | SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.SUB, other)

    def __rsub__(self, other: SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.SUB, other, reverse=True)

    def __mul__(self, other: ParameterExpression | SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.MUL, other)

    def __rmul__(self, other: SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.MUL, other, reverse=True)

    def __truediv__(self, other: ParameterExpression | SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.DIV, other)

    def __rtruediv__(self, other: SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.DIV, other, reverse=True)

    def __pow__(self, other: ParameterExpression | SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.POW, other)

    def __rpow__(self, other: SupportsFloat) -> ParameterExpression:
        return self._binary(ExprOp.POW, other, reverse=True)

    def __neg__(self) -> ParameterExpression:
        if self.code[-1] is ExprOp.NEG:  # the inverse of an inverse is the gate itself
            return _from_code(self.code[:-1])
        return self._unary(ExprOp.NEG)

    def __pos__(self) -> ParameterExpression:
        return self

    def __abs__(self) -> ParameterExpression:
        return self._unary(ExprOp.ABS)

    def sin(self) -> ParameterExpression:
        """Return the sine."""
        return self._unary(ExprOp.SIN)

    def cos(self) -> ParameterExpression:
        """Return the cosine."""
        return self._unary(ExprOp.COS)

    def tan(self) -> ParameterExpression:
        """Return the tangent."""
        return self._unary(ExprOp.TAN)

    def asin(self) -> ParameterExpression:
        """Return the inverse sine."""
        return self._unary(ExprOp.ASIN)

    def acos(self) -> ParameterExpression:
        """Return the inverse cosine."""
        return self._unary(ExprOp.ACOS)

    def atan(self) -> ParameterExpression:
        """Return the inverse tangent."""
        return self._unary(ExprOp.ATAN)

    # The names numpy looks for when one of its functions meets an object.
    arcsin = asin
    arccos = acos
    arctan = atan

    def exp(self) -> ParameterExpression:
        """Return e to this power."""
        return self._unary(ExprOp.EXP)

    def log(self) -> ParameterExpression:
        """Return the natural logarithm."""
        return self._unary(ExprOp.LOG)

    def sqrt(self) -> ParameterExpression:
        """Return the square root."""
        return self._unary(ExprOp.SQRT)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParameterExpression):
            return NotImplemented
        return self.code == other.code

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.code)
        return self._hash

    def __reduce__(self) -> tuple[object, ...]:
        return _from_code, (self.code,)

    def __copy__(self) -> ParameterExpression:
        return self

    def __deepcopy__(self, memo: object) -> ParameterExpression:
        return self

    def __str__(self) -> str:
        stack: list[tuple[str, int]] = []
        for item in self.code:
            if isinstance(item, Parameter):
                stack.append((item.name, _ATOM))
            elif isinstance(item, float):
                stack.append((f"{item:.12g}", _ATOM if item >= 0 else _PRECEDENCE[ExprOp.NEG]))
            elif item in _BINARY:
                right, left = stack.pop(), stack.pop()
                level = _PRECEDENCE[item]
                # - and / bind to the left, ** to the right.
                first = _parenthesised(left, level + (item is ExprOp.POW))
                bound = level + (item in (ExprOp.SUB, ExprOp.DIV))
                second = _parenthesised(right, _ATOM if right[0].startswith("-") else bound)
                stack.append((f"{first}{_SYMBOLS[item]}{second}", level))
            elif item is ExprOp.NEG:
                stack.append((f"-{_parenthesised(stack.pop(), _PRECEDENCE[item])}", _PRECEDENCE[item]))
            else:
                stack.append((f"{item.name.lower()}({stack.pop()[0]})", _ATOM))
        return stack[0][0]

    def __repr__(self) -> str:
        return f"ParameterExpression({self})"


ParameterValue: TypeAlias = float | ParameterExpression
"""What may stand for an angle."""


@total_ordering
class Parameter(ParameterExpression):
    """A named real parameter; two parameters of the same name are the same parameter.

    A name that ends in ``[k]`` is element k of a vector and is ordered by k.

    Parameters
    ----------
    name : str
        Not empty.

    Examples
    --------
    >>> Parameter("theta")
    Parameter('theta')
    >>> sorted([Parameter("v[10]"), Parameter("v[9]")])
    [Parameter('v[9]'), Parameter('v[10]')]
    """

    __slots__ = ("_key", "_name")

    def __init__(self, name: str) -> None:
        if not is_name(name) or name != name.strip():
            raise ParameterError(f"a parameter's name is a string, not empty and without outer blanks, not {name!r}")
        self._name = name
        match = _ELEMENT_NAME.match(name)
        self._key = (match[1], int(match[2])) if match else (name, -1)
        self._hash = None

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def sort_key(self) -> tuple[str, int]:
        """Vector and index of a vector's element; else the name and -1."""
        return self._key

    @property
    def code(self) -> tuple[float | Parameter | ExprOp, ...]:
        """Postfix code: the parameter itself."""
        return (self,)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Parameter):
            return self._name == other._name
        return False if isinstance(other, ParameterExpression) else NotImplemented

    def __lt__(self, other: Parameter) -> bool:
        if not isinstance(other, Parameter):
            return NotImplemented
        return (self._key, self._name) < (other._key, other._name)

    def __hash__(self) -> int:
        return hash(self._name)

    def __reduce__(self) -> tuple[object, ...]:
        return Parameter, (self._name,)

    def __repr__(self) -> str:
        return f"Parameter({self._name!r})"


class ParameterVector(Sequence[Parameter]):
    """A row of parameters ``name[0]``, ``name[1]``, ...

    Examples
    --------
    >>> v = ParameterVector("v", 3)
    >>> v[1]
    Parameter('v[1]')
    """

    __slots__ = ("_elements", "_name")

    def __init__(self, name: str, length: int) -> None:
        if length < 0:
            raise ParameterError(f"parameter vector '{name}': its length must not be negative, {length} given")
        self._name = Parameter(name).name
        self._elements = tuple(Parameter(f"{name}[{index}]") for index in range(length))

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._elements[index]

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._elements)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ParameterVector):
            return NotImplemented
        return self._name == other._name and len(self) == len(other)

    def __hash__(self) -> int:
        return hash((self._name, len(self)))

    def __repr__(self) -> str:
        return f"ParameterVector({self._name!r}, {len(self)})"


def real_number(value: object, place: str) -> float:
    """Return a finite float, or say at which place something else was given."""
    try:
        # float() drops the imaginary part of NumPy's complex numbers with a warning; Python's it refuses.
        given: Any = value
        if isinstance(value, (str, bytes)) or np.iscomplexobj(given):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"{place}: {value!r} is not a real number or a parameter expression") from None
    if not math.isfinite(number):
        raise ParameterError(f"{place}: {number} is not finite")
    return number


def _from_code(code: tuple[float | Parameter | ExprOp, ...]) -> ParameterExpression:
    if len(code) == 1 and isinstance(code[0], Parameter):
        return code[0]
    return ParameterExpression(code)


def expression_of(code: Sequence[float | Parameter | ExprOp]) -> ParameterExpression:
    """Return the expression of postfix code from outside, which is checked.

    Raises
    ------
    ParameterError
        The code lacks an operand, leaves more than one value, or holds a number that is not finite.
    """
    depth = 0
    for item in code:
        if isinstance(item, ExprOp):
            needed = 2 if item in _BINARY else 1
            if depth < needed or item not in (_BINARY | _UNARY):
                raise ParameterError(f"the code of an expression lacks an operand of {item.name.lower()}")
            depth -= needed
        elif not isinstance(item, Parameter) and not math.isfinite(item):
            raise ParameterError(f"the code of an expression holds {item}, which is not finite")
        depth += 1
    if depth != 1:
        raise ParameterError(f"the code of an expression leaves {depth} values; it must leave one")
    return _from_code(tuple(code))


def _parenthesised(operand: tuple[str, int], level: int) -> str:
    return operand[0] if operand[1] >= level else f"({operand[0]})"


def _apply(op: ExprOp, *operands: ParameterValue) -> ParameterValue:
    """An operation on numbers or expressions; a number where all operands are."""
    code: tuple[float | Parameter | ExprOp, ...] = ()
    for operand in operands:
        code += operand.code if isinstance(operand, ParameterExpression) else (operand,)
    result = ParameterExpression((*code, op))
    return result if any(isinstance(operand, ParameterExpression) for operand in operands) else result.evaluate({})


def _is_number(value: ParameterValue, number: float) -> bool:
    return isinstance(value, float) and value == number


def _sum(a: ParameterValue, b: ParameterValue) -> ParameterValue:
    if _is_number(a, 0.0):
        return b
    return a if _is_number(b, 0.0) else _apply(ExprOp.ADD, a, b)


def _product(a: ParameterValue, b: ParameterValue) -> ParameterValue:
    if _is_number(a, 0.0) or _is_number(b, 0.0):
        return 0.0
    if _is_number(a, 1.0):
        return b
    return a if _is_number(b, 1.0) else _apply(ExprOp.MUL, a, b)


def _quotient(a: ParameterValue, b: ParameterValue) -> ParameterValue:
    return 0.0 if _is_number(a, 0.0) else _apply(ExprOp.DIV, a, b)


def _negative(a: ParameterValue) -> ParameterValue:
    return -a if isinstance(a, float) else _apply(ExprOp.NEG, a)


_Dual: TypeAlias = tuple[ParameterValue, ParameterValue]  # value, derivative


def _binary_derivative(op: ExprOp, left: _Dual, right: _Dual) -> _Dual:
    (a, da), (b, db) = left, right
    value = _apply(op, a, b)
    if op is ExprOp.ADD:
        return value, _sum(da, db)
    if op is ExprOp.SUB:
        return value, _sum(da, _negative(db))
    if op is ExprOp.MUL:
        return value, _sum(_product(da, b), _product(a, db))
    if op is ExprOp.DIV:  # (a / b)' = (a' - (a / b) b') / b
        return value, _quotient(_sum(da, _negative(_product(value, db))), b)
    # (a^b)' = b a^(b-1) a' + a^b log(a) b'; the second part only where the exponent varies, so that a may be negative.
    first: ParameterValue = 0.0
    if not _is_number(da, 0.0):
        first = _product(_product(b, _apply(ExprOp.POW, a, _sum(b, -1.0))), da)
    if _is_number(db, 0.0):
        return value, first
    return value, _sum(first, _product(_product(value, _apply(ExprOp.LOG, a)), db))


def _unary_derivative(op: ExprOp, a: ParameterValue, da: ParameterValue) -> _Dual:
    value = _apply(op, a)
    if _is_number(da, 0.0):
        return value, 0.0
    return value, _negative(da) if op is ExprOp.NEG else _product(_slope(op, a, value), da)


def _slope(op: ExprOp, a: ParameterValue, value: ParameterValue) -> ParameterValue:
    """The derivative of a function at `a`, where it has `value`."""
    if op is ExprOp.SIN:
        return _apply(ExprOp.COS, a)
    if op is ExprOp.COS:
        return _negative(_apply(ExprOp.SIN, a))
    if op is ExprOp.TAN:
        return _sum(1.0, _product(value, value))
    if op is ExprOp.EXP:
        return value
    if op is ExprOp.LOG:
        return _quotient(1.0, a)
    if op is ExprOp.SQRT:
        return _quotient(0.5, value)
    if op is ExprOp.ABS:
        return _quotient(a, value)  # the sign
    square = _product(a, a)
    if op is ExprOp.ATAN:
        return _quotient(1.0, _sum(1.0, square))
    root = _apply(ExprOp.SQRT, _apply(ExprOp.SUB, 1.0, square))
    return _quotient(1.0 if op is ExprOp.ASIN else -1.0, root)

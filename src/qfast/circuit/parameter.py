"""Named parameters and expressions of them.

An expression is kept as postfix code, which is also how it crosses to the core (``ExprOp`` in ``csrc/circuit/flat.h``).
Nothing recurses, so a sum of ten thousand terms is as good as a short one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import total_ordering
from typing import SupportsFloat, TypeAlias

from qfast.errors import ParameterError

__all__ = [
    "ExprOp",
    "Parameter",
    "ParameterExpression",
    "ParameterValue",
    "ParameterVector",
    "real_number",
    "resolve_values",
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

    Built from :class:`Parameter` with ``+ - * / **``, ``abs`` and the methods ``sin cos tan asin acos atan exp log sqrt``
    (``numpy.sin(theta)`` works too). Two expressions are equal when they were built alike; nothing is simplified.

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
        """Postfix code: a float or a :class:`Parameter` is pushed, an :class:`ExprOp` takes its operands from the top."""
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
            return NotImplemented
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
                second = _parenthesised(right, level + (item in (ExprOp.SUB, ExprOp.DIV)))
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
        if not isinstance(name, str) or not name or name != name.strip():
            raise ParameterError(f"a parameter's name is a string without outer blanks, not {name!r}")
        self._name = name
        match = _ELEMENT_NAME.match(name)
        self._key = (match[1], int(match[2])) if match else (name, -1)
        self._hash = None

    @property
    def name(self) -> str:
        """The name."""
        return self._name

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
        if isinstance(value, (str, bytes)):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ParameterError(f"{place}: {value!r} is not a real number or a parameter expression") from None
    if not math.isfinite(number):
        raise ParameterError(f"{place}: {number} is not finite")
    return number


def resolve_values(
    parameters: Sequence[Parameter],
    values: Mapping[object, object] | Sequence[object],
    *,
    complete: bool = True,
) -> dict[str, ParameterValue]:
    """Turn what a caller gives as parameter values into one value per name.

    Parameters
    ----------
    parameters : sequence of Parameter
        The parameters that exist, in order.
    values : mapping or sequence
        By name, :class:`Parameter` or :class:`ParameterVector` (or a vector's name, with one value per element); or one value
        for each parameter in order.
    complete : bool, default True
        Whether each parameter must have a value.

    Raises
    ------
    ParameterError
        A parameter is unknown, named twice, unbound, or its value is not a finite real number.
    """
    known = {parameter.name: parameter for parameter in parameters}
    result: dict[str, ParameterValue] = {}
    for name, value in _named_values(parameters, values, known):
        if name not in known:
            raise ParameterError(f"there is no parameter '{name}' to bind; {_list_names(known)}")
        if name in result:
            raise ParameterError(f"parameter '{name}' is given twice")
        place = f"the value of parameter '{name}'"
        result[name] = value if isinstance(value, ParameterExpression) else real_number(value, place)
    missing = [name for name in known if name not in result]
    if complete and missing:
        shown = ", ".join(f"'{name}'" for name in missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise ParameterError(f"no value for {len(missing)} of {len(known)} parameters: {shown}")
    return result


def _named_values(
    parameters: Sequence[Parameter],
    values: Mapping[object, object] | Sequence[object],
    known: Mapping[str, Parameter],
) -> Iterator[tuple[str, object]]:
    if not isinstance(values, Mapping):
        given = list(values)
        if len(given) != len(parameters):
            raise ParameterError(f"{len(given)} parameter values given for {len(parameters)} parameters")
        yield from zip((parameter.name for parameter in parameters), given, strict=True)
        return
    for key, value in values.items():
        if isinstance(key, Parameter):
            yield key.name, value
        elif isinstance(key, ParameterVector):
            yield from _vector_values(key.name, len(key), value)
        elif not isinstance(key, str):
            raise ParameterError(f"a parameter is named by a string or a Parameter, not by {key!r}")
        elif key not in known and any(parameter._key[0] == key for parameter in parameters):
            length = 1 + max(parameter._key[1] for parameter in parameters if parameter._key[0] == key)
            yield from _vector_values(key, length, value)
        else:
            yield key, value


def _vector_values(name: str, length: int, value: object) -> Iterator[tuple[str, object]]:
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
        raise ParameterError(f"parameter vector '{name}' needs {length} values, {value!r} given")
    elements = list(value)
    if len(elements) != length:
        raise ParameterError(f"parameter vector '{name}' needs {length} values, {len(elements)} given")
    for index, element in enumerate(elements):
        yield f"{name}[{index}]", element


def _list_names(known: Mapping[str, Parameter]) -> str:
    if not known:
        return "the circuit has none"
    names = list(known)
    return "known are " + ", ".join(f"'{name}'" for name in names[:8]) + (", ..." if len(names) > 8 else "")


def _from_code(code: tuple[float | Parameter | ExprOp, ...]) -> ParameterExpression:
    if len(code) == 1 and isinstance(code[0], Parameter):
        return code[0]
    return ParameterExpression(code)


def _parenthesised(operand: tuple[str, int], level: int) -> str:
    return operand[0] if operand[1] >= level else f"({operand[0]})"


def _sum(a: ParameterValue, b: ParameterValue) -> ParameterValue:
    if isinstance(a, float) and a == 0.0:
        return b
    return a if isinstance(b, float) and b == 0.0 else a + b


def _product(a: ParameterValue, b: ParameterValue) -> ParameterValue:
    for one, other in ((a, b), (b, a)):
        if isinstance(one, float) and one == 0.0:
            return 0.0
        if isinstance(one, float) and one == 1.0:
            return other
    return a * b


def _binary_derivative(
    op: ExprOp, left: tuple[ParameterValue, ParameterValue], right: tuple[ParameterValue, ParameterValue]
) -> tuple[ParameterValue, ParameterValue]:
    (a, da), (b, db) = left, right
    if op is ExprOp.ADD:
        return a + b, _sum(da, db)
    if op is ExprOp.SUB:
        return a - b, _sum(da, _product(-1.0, db))
    if op is ExprOp.MUL:
        return a * b, _sum(_product(da, b), _product(a, db))
    if op is ExprOp.DIV:
        value = a / b
        # (a / b)' = (a' - (a / b) b') / b
        numerator = _sum(da, _product(-1.0, _product(value, db)))
        return value, 0.0 if isinstance(numerator, float) and numerator == 0.0 else numerator / b
    value = a**b
    # (a^b)' = b a^(b-1) a' + a^b log(a) b'; the second part only where the exponent varies, so that a may be <= 0.
    first = 0.0 if isinstance(da, float) and da == 0.0 else _product(_product(b, a ** (b - 1.0)), da)
    second = 0.0 if isinstance(db, float) and db == 0.0 else _product(_product(value, _apply(ExprOp.LOG, a)), db)
    return value, _sum(first, second)


def _apply(op: ExprOp, operand: ParameterValue) -> ParameterValue:
    if isinstance(operand, float):
        return ParameterExpression((operand, op)).evaluate({})
    return operand._unary(op)


def _unary_derivative(op: ExprOp, a: ParameterValue, da: ParameterValue) -> tuple[ParameterValue, ParameterValue]:
    value = -a if op is ExprOp.NEG else _apply(op, a)
    if isinstance(da, float) and da == 0.0:
        return value, 0.0
    slope: ParameterValue
    if op is ExprOp.NEG:
        slope = -1.0
    elif op is ExprOp.SIN:
        slope = _apply(ExprOp.COS, a)
    elif op is ExprOp.COS:
        slope = -_apply(ExprOp.SIN, a)
    elif op is ExprOp.TAN:
        slope = 1.0 + value * value
    elif op is ExprOp.ASIN:
        slope = 1.0 / _apply(ExprOp.SQRT, 1.0 - a * a)
    elif op is ExprOp.ACOS:
        slope = -1.0 / _apply(ExprOp.SQRT, 1.0 - a * a)
    elif op is ExprOp.ATAN:
        slope = 1.0 / (1.0 + a * a)
    elif op is ExprOp.EXP:
        slope = value
    elif op is ExprOp.LOG:
        slope = 1.0 / a
    elif op is ExprOp.SQRT:
        slope = 0.5 / value
    else:
        slope = a / value  # ABS: the sign
    return value, _product(slope, da)

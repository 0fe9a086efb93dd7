"""Parameter values as callers give them, turned into one value per name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from qfast.circuit.checks import has_no_order
from qfast.circuit.parameter import Parameter, ParameterExpression, ParameterValue, ParameterVector, real_number
from qfast.errors import ParameterError

__all__ = ["ParameterValues", "resolve_values"]

ParameterValues: TypeAlias = Mapping[Any, Any] | Sequence[Any]
"""Values by name, Parameter or ParameterVector, or one for each parameter in order."""


def resolve_values(
    parameters: Sequence[Parameter],
    values: ParameterValues,
    *,
    complete: bool = True,
) -> dict[str, ParameterValue]:
    """Turn what a caller gives as parameter values into one value per name.

    Parameters
    ----------
    parameters : sequence of Parameter
        The parameters that exist, in order.
    values : mapping or sequence
        By name, :class:`Parameter` or :class:`ParameterVector` (or a vector's name, with one value per element); or one
        value for each parameter in order.
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
    values: ParameterValues,
    known: Mapping[str, Parameter],
) -> Iterator[tuple[str, object]]:
    if not isinstance(values, Mapping):
        if has_no_order(values):
            raise ParameterError(
                f"parameter values have an order: a list, an array or a mapping by name is needed, {values!r} given"
            )
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
        elif key not in known and any(parameter.sort_key[0] == key for parameter in parameters):
            length = 1 + max(parameter.sort_key[1] for parameter in parameters if parameter.sort_key[0] == key)
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

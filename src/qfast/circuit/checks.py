"""Small checks of what callers pass, shared by circuits and observables."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Set
from typing import TypeVar

import numpy as np

from qfast.errors import CircuitError

__all__ = ["MAX_BITS", "as_index", "as_tuple", "bit_count", "has_no_order", "is_name"]

_Item = TypeVar("_Item")

MAX_BITS = 2**31 - 1
"""Qubits are stored as 32-bit integers."""


def as_index(value: object) -> int | None:
    """Return an integer of any kind as int, and None for anything else, truth values included."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def as_tuple(values: Iterable[_Item] | _Item) -> tuple[_Item, ...]:
    """Return one value, or several, as a tuple.

    A string is one value. So are mappings and sets, which are no lists of anything: whoever takes the values refuses
    them, rather than drop what the keys stand for or rely on an order that there is not.
    """
    if isinstance(values, (list, tuple, range)):
        return tuple(values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable) or has_no_order(values):
        return (values,)  # type: ignore[return-value]
    return tuple(values)


def has_no_order(values: object) -> bool:
    """Whether something is a mapping or a set: iterable, but no list of values."""
    return isinstance(values, (Mapping, Set))


def bit_count(value: object, what: str) -> int:
    """Return a number of bits, or refuse it."""
    number = as_index(value)
    if number is None or not 0 <= number <= MAX_BITS:
        raise CircuitError(f"the number of {what} must be an integer from 0 to {MAX_BITS}, {value!r} given")
    return number


def is_name(value: object) -> bool:
    """Whether something can name a register, a variable or a parameter: a string that is not blank."""
    return isinstance(value, str) and bool(value.strip())

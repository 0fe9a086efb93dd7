"""Operands as people write them: a number, or several at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, TypeAlias

from qfast.circuit.checks import as_index, has_no_order
from qfast.errors import CircuitError

__all__ = ["Operand", "broadcast", "listed"]

Operand: TypeAlias = SupportsIndex | Iterable[SupportsIndex] | slice
"""One qubit or classical bit, or several: a list, a range, a register, an integer array, a slice of all."""


def listed(operand: object, count: int) -> tuple[Any, ...] | None:
    """Return what an operand that names several names, in order; None for one that stands for itself.

    Parameters
    ----------
    operand : object
    count : int
        How many there are, for a slice.
    """
    if has_no_order(operand):
        return None
    if isinstance(operand, slice):
        return tuple(range(count))[operand]
    if isinstance(operand, (str, bytes)) or as_index(operand) is not None or not isinstance(operand, Iterable):
        return None
    try:
        return tuple(operand)
    except TypeError:  # an array of no dimension
        return None


def broadcast(operands: Sequence[object], count: int, place: str) -> list[tuple[Any, ...]]:
    """Return one row of operands for each instruction that they stand for.

    Operands that name several go together, the first with the first; one that stands for itself goes with each.

    Raises
    ------
    CircuitError
        Two operands name several, and not equally many.

    Examples
    --------
    >>> broadcast([0, range(1, 3)], 3, "'cx'")
    [(0, 1), (0, 2)]
    """
    columns = [listed(operand, count) for operand in operands]
    sizes = {len(column) for column in columns if column is not None}
    if not sizes:
        return [tuple(operands)]
    if len(sizes) > 1:
        given = " and ".join(str(size) for size in sorted(sizes))
        raise CircuitError(
            f"{place}: operands name {given} at once; those that name several must name equally many, and a single one "
            "goes with each"
        )
    size = sizes.pop()
    filled = [
        (operand,) * size if column is None else column for operand, column in zip(operands, columns, strict=True)
    ]
    return list(zip(*filled, strict=True))

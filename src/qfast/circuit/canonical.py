"""The data items of a circuit in an order of their own: what its encoding and its structure go by.

Two circuits that mean the same may share their matrices differently. Here each distinct item has one number, in the
order in which instructions first name them, and items that no instruction names have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from qfast._typing import AnyArray
from qfast.circuit.gates import GATES, OPCODES, GateFlag

if TYPE_CHECKING:
    from qfast.circuit.value import CircuitValue

__all__ = ["HOLDS_DATA", "MEASURE", "numbered_items"]

MEASURE = OPCODES["measure"]
HOLDS_DATA = np.array([GateFlag.DATA in row.flags for row in GATES])
"""Whether the column `data` of such a row points into the data items."""

_Key = TypeVar("_Key")


def numbered_items(value: CircuitValue, key_of: Callable[[str, Any], _Key]) -> tuple[AnyArray, list[_Key]]:
    """Number the items that instructions name by what `key_of(gate name, item)` returns for them.

    Returns
    -------
    numbers : ndarray, int64, one for each instruction that holds data
    keys : list
        The distinct keys, in the order of their numbers.
    """
    opcodes = np.asarray(value.opcodes)
    rows = np.flatnonzero(HOLDS_DATA[opcodes])
    numbers = np.empty(len(rows), dtype=np.int64)
    if not len(rows):
        return numbers, []
    items = value.data_items
    data = np.asarray(value.data)[rows].tolist()
    known: dict[tuple[int, int], int] = {}
    places: dict[_Key, int] = {}
    for place, (opcode, item) in enumerate(zip(opcodes[rows].tolist(), data, strict=True)):
        number = known.get((opcode, item))
        if number is None:
            key = key_of(GATES[opcode].name, items[item])
            number = known[opcode, item] = places.setdefault(key, len(places))
        numbers[place] = number
    return numbers, list(places)

"""Which Pauli strings commute: strings as masks, divided into groups."""

from __future__ import annotations

import numpy as np

from qfast._typing import IntArray, UIntArray

__all__ = ["commuting_groups", "odd_parity", "qubit_wise_groups"]

_BLOCK = 64  # rows of the table of what commutes that are made at a time


def odd_parity(words: UIntArray) -> UIntArray:
    """Return 1 for each word with an odd number of ones, 0 for the others."""
    for shift in (32, 16, 8, 4, 2, 1):
        words = words ^ (words >> np.uint64(shift))
    return words & np.uint64(1)


def qubit_wise_groups(x: UIntArray, z: UIntArray) -> list[int]:
    """Return the group of each string: the first whose letters are its own, or none, on all of its qubits.

    A group is a string of the letters that its members want so far, so a string is compared with all groups at once.
    """
    group_x, group_z = np.zeros_like(x), np.zeros_like(z)
    found: list[int] = []
    count = 0
    for own_x, own_z in zip(x, z, strict=True):
        common = (group_x[:count] | group_z[:count]) & (own_x | own_z)
        fits = (((group_x[:count] ^ own_x) | (group_z[:count] ^ own_z)) & common) == 0
        chosen = int(np.argmax(fits)) if fits.any() else count
        count = max(count, chosen + 1)
        group_x[chosen] |= own_x
        group_z[chosen] |= own_z
        found.append(chosen)
    return found


def commuting_groups(x: UIntArray, z: UIntArray) -> list[int]:
    """Return the group of each string: the first in which all earlier strings commute with it."""
    found: IntArray = np.zeros(len(x), dtype=np.int64)
    count = 0
    for begin in range(0, len(x), _BLOCK):
        end = min(begin + _BLOCK, len(x))
        # X^x Z^z and X^u Z^w commute where |x & w| + |z & u| is even.
        words = (x[begin:end, None] & z[:end]) ^ (z[begin:end, None] & x[:end])
        anticommute = odd_parity(words).astype(bool)
        for term in range(begin, end):
            is_free = np.ones(count + 1, dtype=bool)
            is_free[found[:term][anticommute[term - begin, :term]]] = False
            found[term] = np.argmax(is_free)
            count = max(count, int(found[term]) + 1)
    groups: list[int] = found.tolist()
    return groups

"""Readout errors: what is written down differs from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qfast._typing import FloatArray
from qfast.errors import InputError
from qfast.noise.channel import checked_probability

__all__ = ["MAX_READOUT_QUBITS", "ReadoutError"]

MAX_READOUT_QUBITS = 8
"""The most qubits of one correlated readout error: a table of 256 x 256."""

_TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class ReadoutError:
    """Probabilities of what is read, given what is true.

    Parameters
    ----------
    probabilities : array_like of float, shape (2**k, 2**k)
        Row: the true outcome of k qubits; column: what is read; the first qubit is the least significant bit. Every
        row adds up to 1.

    Raises
    ------
    InputError
        Wrong shape, a number outside [0, 1], a row with another sum.

    Examples
    --------
    >>> ReadoutError([[0.98, 0.02], [0.05, 0.95]]).num_qubits
    1
    >>> ReadoutError.of_flips(0.02, 0.05) == ReadoutError([[0.98, 0.02], [0.05, 0.95]])
    True
    """

    probabilities: FloatArray

    def __init__(self, probabilities: ArrayLike) -> None:
        try:
            table: FloatArray = np.array(probabilities, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"readout error: no table of numbers was given ({error})") from None
        dim = table.shape[0] if table.ndim == 2 else 0
        if table.shape != (dim, dim) or dim < 2 or dim & (dim - 1) or dim > 1 << MAX_READOUT_QUBITS:
            raise InputError(
                f"readout error: a table of shape {table.shape} was given; (2**k, 2**k) with k from 1 to "
                f"{MAX_READOUT_QUBITS} is needed"
            )
        wrong = np.argwhere(~((table >= 0) & (table <= 1)))
        if wrong.size:
            row, column = wrong[0].tolist()
            raise InputError(
                f"readout error: the probability of reading {column} where {row} is true is {table[row, column]}, "
                "which is outside [0, 1]"
            )
        sums = table.sum(axis=1)
        worst = int(np.abs(sums - 1).argmax())
        if abs(sums[worst] - 1) > _TOLERANCE:
            raise InputError(
                f"readout error: row {worst} adds up to {sums[worst]:.12g}, which differs from 1 by "
                f"{sums[worst] - 1:.3g}; a row holds what is read where outcome {worst} is true"
            )
        table.flags.writeable = False
        object.__setattr__(self, "probabilities", table)

    @classmethod
    def of_flips(cls, reads_1_for_0: float, reads_0_for_1: float) -> ReadoutError:
        """Make the error of one qubit from the probabilities of its two mistakes."""
        up = checked_probability(reads_1_for_0, "readout error: the probability of reading 1 for 0")
        down = checked_probability(reads_0_for_1, "readout error: the probability of reading 0 for 1")
        return cls([[1 - up, up], [down, 1 - down]])

    @property
    def num_qubits(self) -> int:
        """Qubits that are read together."""
        return len(self.probabilities).bit_length() - 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {"probabilities": self.probabilities.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ReadoutError:
        """Make an error of what `to_dict` returned."""
        if "probabilities" not in data:
            raise InputError("a readout error's data lack 'probabilities'; ReadoutError.to_dict writes what is read")
        return cls(data["probabilities"])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReadoutError):
            return NotImplemented
        mine, theirs = self.probabilities, other.probabilities
        return mine.shape == theirs.shape and bool(np.allclose(mine, theirs, rtol=0, atol=_TOLERANCE))

    __hash__ = None  # type: ignore[assignment]

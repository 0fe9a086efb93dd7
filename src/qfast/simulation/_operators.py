"""Operators applied to states in numpy, block by block."""

from __future__ import annotations

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, UIntArray
from qfast.circuit import PauliSum

_BLOCK_QUBITS = 14


def apply_pauli_sum(amplitudes: AnyArray, observable: PauliSum) -> ComplexArray:
    """Return O|ψ⟩.

    Parameters
    ----------
    amplitudes : ndarray of complex64 or complex128, shape (2**n,)
    observable : PauliSum

    Returns
    -------
    ndarray of complex128, shape (2**n,)

    Raises
    ------
    ObservableError
        It acts on a qubit that the state does not have.

    Notes
    -----
    (P ψ)[i] = i^(number of Y) (-1)^parity(j & z) ψ[j] with j = i ^ x. Terms of one X mask are added up before they meet
    the amplitudes.
    """
    num_qubits = amplitudes.size.bit_length() - 1
    x_masks, z_masks, coefficients = observable.masks(num_qubits)
    powers = [word.bit_count() % 4 for word in (x_masks & z_masks).tolist()]
    weights = coefficients * np.array([1, 1j, -1, -1j])[powers]
    low = min(num_qubits, _BLOCK_QUBITS)
    size = 1 << low
    local = np.arange(size, dtype=np.uint64)
    result = np.zeros(amplitudes.size, dtype=np.complex128)
    for x_mask in np.unique(x_masks):
        chosen = x_masks == x_mask
        order = local ^ (x_mask & np.uint64(size - 1))
        for first in range(0, amplitudes.size, size):
            source = first ^ (int(x_mask) & ~(size - 1))
            block = amplitudes[source : source + size] * _diagonal(
                local | np.uint64(source), z_masks[chosen], weights[chosen]
            )
            result[first : first + size] += block[order]
    return result


def _diagonal(indices: UIntArray, z_masks: UIntArray, weights: ComplexArray) -> ComplexArray:
    """Σ weight · (-1)^parity(index & z)."""
    total = np.zeros(indices.size, dtype=np.complex128)
    for z_mask, weight in zip(z_masks, weights, strict=True):
        total += weight * _signs(indices & z_mask)
    return total


def _signs(words: UIntArray) -> FloatArray:
    for shift in (32, 16, 8, 4, 2, 1):
        words = words ^ (words >> np.uint64(shift))
    signs: FloatArray = 1.0 - 2.0 * (words & np.uint64(1)).astype(np.float64)
    return signs

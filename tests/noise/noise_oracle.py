"""Noisy circuits by dense density matrices: gates and Kraus operators from the textbook, nothing of qfast's engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qfast.circuit import Circuit, Instruction
from qfast.noise import NoiseModel
from tests.oracle import Array, apply_matrix, instruction_matrix


def conjugate(rho: Array, matrix: Array, qubits: Sequence[int]) -> Array:
    """Return K rho K†."""
    half = apply_matrix(rho, matrix, qubits)
    return apply_matrix(half.conj().T, matrix, qubits).conj().T


def channel(rho: Array, operators: Sequence[Array], qubits: Sequence[int]) -> Array:
    """Return the sum of K rho K†."""
    return np.asarray(sum(conjugate(rho, operator, qubits) for operator in operators))


def gate(rho: Array, instruction: Instruction) -> Array:
    """Return U rho U†."""
    matrix = instruction_matrix(instruction)
    qubits, controls = instruction.qubits, instruction.controls
    half = apply_matrix(rho, matrix, qubits, controls, instruction.ctrl_state)
    return apply_matrix(half.conj().T, matrix, qubits, controls, instruction.ctrl_state).conj().T


def density(circuit: Circuit, noise: NoiseModel) -> Array:
    """Density matrix of a circuit of gates, barriers and final measurements."""
    rho = np.zeros((1 << circuit.num_qubits,) * 2, dtype=complex)
    rho[0, 0] = 1
    for instruction in circuit:
        before, after = noise.places_at(instruction.label, instruction.all_qubits)
        for place in before:
            rho = channel(rho, place.channel.kraus(), place.qubits)
        if instruction.is_gate:
            rho = gate(rho, instruction)
        for place in after:
            rho = channel(rho, place.channel.kraus(), place.qubits)
    return rho


def chi_squared(counts: Mapping[str, int], expected: Mapping[str, float]) -> tuple[float, int]:
    """Pearson's statistic and its degrees of freedom; outcomes expected fewer than 5 times are pooled."""
    shots = sum(counts.values())
    statistic, cells, rest_seen, rest_expected = 0.0, 0, 0, 0.0
    for key in set(counts) | set(expected):
        mean, seen = shots * expected.get(key, 0.0), counts.get(key, 0)
        if mean < 5:
            rest_seen += seen
            rest_expected += mean
        else:
            statistic += (seen - mean) ** 2 / mean
            cells += 1
    if rest_expected > 5:
        statistic += (rest_seen - rest_expected) ** 2 / rest_expected
        cells += 1
    else:
        assert rest_seen <= 30, f"{rest_seen} outcomes of a total probability of {rest_expected / shots:.2g}"
    return statistic, max(1, cells - 1)


def assert_follows(counts: Mapping[str, int], expected: Mapping[str, float]) -> None:
    """Pearson's test at five standard deviations of its statistic: with fixed seeds, wrong by chance once in 10^5."""
    statistic, freedom = chi_squared(counts, expected)
    assert statistic < freedom + 5 * (2 * freedom) ** 0.5 + 10


def weights(rho: Array) -> dict[str, float]:
    """Distribution of all qubits."""
    diagonal: NDArray[np.float64] = rho.diagonal().real
    num_qubits = len(rho).bit_length() - 1
    return {f"{index:0{num_qubits}b}": float(weight) for index, weight in enumerate(diagonal)}

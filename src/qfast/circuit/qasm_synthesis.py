"""Matrices, diagonals and multi-controlled gates as gates that OpenQASM can name."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator

import numpy as np

from qfast._typing import ComplexArray, FloatArray

__all__ = ["controlled_factors", "euler_angles", "subset_phases", "two_level_factors"]

_TINY = 1e-15


def euler_angles(matrix: ComplexArray) -> tuple[float, float, float, float]:
    """Angles (theta, phi, lambda, phase) with matrix = e^{i phase} u(theta, phi, lambda).

    Parameters
    ----------
    matrix : ndarray, complex128, shape (2, 2)
        Unitary.
    """
    theta = 2 * math.atan2(abs(matrix[1, 0]), abs(matrix[0, 0]))
    if abs(matrix[0, 0]) < _TINY:  # antidiagonal: only the sum of the phases matters
        phase = cmath.phase(-matrix[0, 1])
        return math.pi, cmath.phase(matrix[1, 0]) - phase, 0.0, phase
    phase = cmath.phase(matrix[0, 0])
    if abs(matrix[1, 0]) < _TINY:
        return 0.0, 0.0, cmath.phase(matrix[1, 1]) - phase, phase
    return theta, cmath.phase(matrix[1, 0]) - phase, cmath.phase(-matrix[0, 1]) - phase, phase


def subset_phases(phases: FloatArray) -> Iterator[tuple[int, float]]:
    """Split a diagonal into phases on "all bits of a subset are 1".

    Parameters
    ----------
    phases : ndarray, float64, shape (2**k,)
        Angle of each diagonal entry.

    Yields
    ------
    subset, angle : int, float
        Bit j of `subset` says whether qubit j belongs to it; angles of zero are left out.

    Notes
    -----
    The Moebius transform over subsets: the angle of s is the sum over the subsets of s.
    """
    angles = phases.copy()
    size = len(angles)
    index = np.arange(size)
    step = 1
    while step < size:
        has = index[(index & step) != 0]
        angles[has] -= angles[has ^ step]
        step *= 2
    for subset in range(size):
        angle = math.remainder(float(angles[subset]), 2 * math.pi)
        if abs(angle) > _TINY:
            yield subset, angle


def two_level_factors(matrix: ComplexArray) -> tuple[FloatArray, list[tuple[int, int, ComplexArray]]]:
    """Factor a unitary into a diagonal and gates with one target and all other qubits as controls.

    Givens rotations between states that are neighbours in a Gray code make the matrix triangular, hence diagonal
    (Nielsen and Chuang, section 4.5.1, without the detours).

    Parameters
    ----------
    matrix : ndarray, complex128, shape (2**k, 2**k)

    Returns
    -------
    phases : ndarray, float64, shape (2**k,)
        The diagonal that is applied first.
    factors : list of (target, state, 2 x 2 matrix)
        In the order of application; bit j of `state` is the value that control j must have.
    """
    work = np.array(matrix, dtype=np.complex128)
    size = len(work)
    gray = [i ^ (i >> 1) for i in range(size)]
    factors: list[tuple[int, int, ComplexArray]] = []
    for column in range(size - 1):
        for row in range(size - 1, column, -1):
            upper, lower = gray[row - 1], gray[row]
            a, b = work[upper, gray[column]], work[lower, gray[column]]
            if abs(b) < _TINY:
                continue
            norm = math.hypot(abs(a), abs(b))
            rotation = np.array([[a.conjugate(), b.conjugate()], [-b, a]]) / norm
            work[[upper, lower]] = rotation @ work[[upper, lower]]
            inverse = rotation.conj().T
            target = (upper ^ lower).bit_length() - 1
            if upper >> target & 1:  # the matrix is indexed by the target's bit
                inverse = inverse[::-1, ::-1]
            factors.append((target, upper & ~(1 << target), np.ascontiguousarray(inverse)))
    phases: FloatArray = np.angle(np.diag(work))
    return phases, factors[::-1]


def controlled_factors(matrix: ComplexArray) -> tuple[float, float, tuple[float, float, float]]:
    """Diagonalise a 2 x 2 unitary: V = W diag(e^{ia}, e^{ib}) W†.

    Returns
    -------
    a, b : float
    angles : tuple of three floats
        W up to a phase, as u(theta, phi, lambda); its phase cancels in the product.
    """
    # A normal matrix is diagonalised by the eigenvectors of cos(t) A + sin(t) B with its Hermitian parts A and B,
    # unless t happens to make the two eigenvalues meet; then another t does not.
    hermitian, anti = (matrix + matrix.conj().T) / 2, (matrix - matrix.conj().T) / 2j
    candidates = [np.linalg.eigh(math.cos(t) * hermitian + math.sin(t) * anti)[1] for t in (0.7390851332, 2.2360679775)]
    vectors = min(candidates, key=lambda v: abs(complex((v.conj().T @ matrix @ v)[0, 1])))
    values = np.diag(vectors.conj().T @ matrix @ vectors)
    theta, phi, lam, _ = euler_angles(vectors)
    return cmath.phase(values[0]), cmath.phase(values[1]), (theta, phi, lam)

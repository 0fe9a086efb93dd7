"""The small numbers behind time evolution: exponentials of tridiagonal matrices and Chebyshev coefficients, with their
error bounds."""

from __future__ import annotations

import math

import numpy as np

from qfast._typing import ComplexArray, FloatArray

_GRID = 256  # intervals of the quadrature of a step's error
_RESOLUTION = 0.5  # largest phase that turns between two points of it
_HALVINGS = 200


def short_time(alphas: FloatArray, betas: FloatArray, time: float) -> ComplexArray:
    """Return exp(-i T time) e_1 of a symmetric tridiagonal matrix.

    Parameters
    ----------
    alphas : ndarray of float64, shape (k,)
        The diagonal.
    betas : ndarray of float64, shape (k - 1,)
    time : float

    Returns
    -------
    ndarray of complex128, shape (k,)
    """
    energies, vectors = _spectrum(alphas, betas)
    found: ComplexArray = vectors @ (np.exp(-1j * energies * time) * vectors[0])
    return found


def safe_step(alphas: FloatArray, betas: FloatArray, longest: float, rate: float, guess: float) -> tuple[float, float]:
    """Return a step of the Lanczos method whose error stays below ``rate`` times its length, and its bound.

    Parameters
    ----------
    alphas, betas : ndarray of float64, shape (k,)
        T, and the entry that leads out of the k vectors as the last of `betas`.
    longest : float
        No step is longer.
    rate : float
    guess : float
        Where the search starts; the result is at most so long.

    Returns
    -------
    step, bound : float
        Both 0 where rounding leaves no such step.

    Notes
    -----
    The bound is b ∫ |⟨e_k|exp(-i T u)|e_1⟩| du from 0 to the step, by the trapezoidal rule on a grid that resolves T's
    largest energy difference. It follows from the recursion alone and holds for vectors that have lost their
    orthogonality.
    """
    if betas[-1] == 0:
        return longest, 0.0
    energies, weights = _leak(alphas, betas)
    step = min(longest, guess, _resolved(energies))
    for _ in range(_HALVINGS):
        grid, bounds = _bounds(energies, weights, step)
        fits = bounds <= rate * grid
        last = _GRID if fits.all() else int(np.argmin(fits)) - 1
        if last >= _GRID // 4:
            return float(grid[last]), float(bounds[last])
        step /= 2
    return 0.0, 0.0


def is_safe(alphas: FloatArray, betas: FloatArray, step: float, rate: float) -> bool:
    """Whether the bound of `safe_step` allows a step of this length."""
    if betas[-1] == 0:
        return True
    energies, weights = _leak(alphas, betas)
    return step <= _resolved(energies) and bool(_bounds(energies, weights, step)[1][-1] <= rate * step)


def _leak(alphas: FloatArray, betas: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return T's spectrum from 0 on, and b ⟨e_k|v⟩⟨v|e_1⟩ of its vectors v."""
    energies, vectors = _spectrum(alphas, betas[:-1])
    return energies - energies[0], betas[-1] * vectors[-1] * vectors[0]


def _resolved(energies: FloatArray) -> float:
    return _GRID * _RESOLUTION / energies[-1] if energies[-1] > 0 else math.inf


def _bounds(energies: FloatArray, weights: FloatArray, step: float) -> tuple[FloatArray, FloatArray]:
    """Return times from 0 to the step, and the bound of the error at each."""
    grid = np.linspace(0.0, step, _GRID + 1)
    sizes = np.abs((np.exp(-1j * np.outer(grid, energies)) * weights).sum(axis=1))
    return grid, np.concatenate([[0.0], np.cumsum(sizes[1:] + sizes[:-1])]) * (step / _GRID / 2)


def _spectrum(alphas: FloatArray, betas: FloatArray) -> tuple[FloatArray, FloatArray]:
    energies, vectors = np.linalg.eigh(np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1))
    return energies, vectors


def chebyshev_coefficients(angle: float, tolerance: float) -> tuple[ComplexArray, float]:
    """Return the coefficients a_k of exp(-i angle x) = Σ a_k T_k(x) on [-1, 1].

    Parameters
    ----------
    angle : float
    tolerance : float

    Returns
    -------
    coefficients : ndarray of complex128, shape (k,)
        a_k = (2 - δ_k0) (-i)^k J_k(angle), as many as are needed.
    bound : float
        Sum of the moduli of those that are left out, at most `tolerance`.
    """
    values = bessel_functions(abs(angle))
    sizes = 2 * np.abs(values)
    left_out = np.concatenate([np.cumsum(sizes[::-1])[::-1][1:], [0.0]])
    count = int(np.argmax(left_out <= tolerance)) + 1
    turns = np.array([1, -1j, -1, 1j] if angle >= 0 else [1, 1j, -1, -1j], dtype=np.complex128)
    powers = turns[np.arange(count) % 4]
    coefficients: ComplexArray = 2 * powers * values[:count]
    coefficients[0] /= 2
    return coefficients, float(left_out[count - 1])


def bessel_functions(angle: float) -> FloatArray:
    """Return J_0, J_1, … of an angle >= 0, until they are below 1e-30.

    Miller's recurrence J_(k-1) = (2 k / angle) J_k - J_(k+1), downwards from where the functions vanish, scaled by
    J_0 + 2 J_2 + 2 J_4 + … = 1 (Abramowitz and Stegun, 9.12).
    """
    if angle < 1e-20:  # J_2 is below 1e-40
        return np.array([1.0, angle / 2])
    # J_k falls below 1e-30 within about 20 angle^(1/3) + 40 orders beyond the turning point k = angle.
    top = math.ceil(angle + 20 * angle ** (1 / 3) + 40)
    found = np.zeros(top + 2)
    above, here = 0.0, 1e-290
    for order in range(top, 0, -1):
        found[order] = here
        above, here = here, 2 * order / angle * here - above
        if abs(here) > 1e250:
            above, here = above * 1e-250, here * 1e-250
            found[order:] *= 1e-250
    found[0] = here
    functions: FloatArray = found[:-1] / (found[0] + 2 * found[2::2].sum())
    return functions

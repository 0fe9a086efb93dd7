"""From values at several strengths of noise to the value without any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from qfast._typing import FloatArray
from qfast.errors import InputError

__all__ = ["Extrapolation", "Extrapolator", "extrapolate"]

Extrapolator: TypeAlias = Literal["linear", "polynomial", "richardson", "exponential"]

_EXTRAPOLATORS = ("linear", "polynomial", "richardson", "exponential")
_MAX_STEPS = 200
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """A value at noise 0.

    Attributes
    ----------
    value : float
    standard_error : float
        What the errors of the values become; nan where they are unknown.
    weights : tuple of float
        How much the value follows each of the given ones, d value / d value_i: they add up to 1 but for the
        exponential. For linear methods the value is their weighted sum.
    method : str
        The one that was used: an exponential tells nothing where the value of least noise is within two errors of the
        asymptote, or another is on its other side by more; a line is taken instead.
    chi_squared : float
        Of the fit, per degree of freedom; nan without errors or without a degree of freedom. Much more than 1 says that
        the model does not fit, and that the error is too small.
    """

    value: float
    standard_error: float
    weights: tuple[float, ...]
    method: str
    chi_squared: float


def extrapolate(
    scales: Sequence[float],
    values: Sequence[float],
    errors: Sequence[float] | None = None,
    *,
    method: Extrapolator = "exponential",
    degree: int = 2,
    asymptote: float = 0.0,
) -> Extrapolation:
    """Extrapolate to noise 0.

    Parameters
    ----------
    scales : sequence of float
        Different strengths of noise, at least 2.
    values, errors : sequence of float
        The values there and their standard errors; without them all count the same.
    method : {"linear", "polynomial", "richardson", "exponential"}
        A line; a polynomial of some degree; the one polynomial through all points; ``asymptote + a exp(-b scale)``.
    degree : int
        Of the polynomial.
    asymptote : float
        What very strong noise leaves: of an observable, its multiple of the identity.

    Returns
    -------
    Extrapolation

    Raises
    ------
    InputError
        Too few scales, equal ones, an unknown method.

    Notes
    -----
    Least squares, weighted by the errors. Temme, Bravyi and Gambetta, doi:10.1103/PhysRevLett.119.180509 (Richardson);
    Endo, Benjamin and Li, doi:10.1103/PhysRevX.8.031027 (exponential).

    Examples
    --------
    >>> round(extrapolate([1, 2, 3], [0.8, 0.6, 0.4], [0.01, 0.01, 0.01], method="linear").value, 12)
    1.0
    >>> found = extrapolate([1, 3], [0.5, 0.125], [0.01, 0.01], method="exponential")
    >>> round(found.value, 12), round(found.standard_error, 4)
    (1.0, 0.05)
    """
    x, y, sigma, order = _checked(scales, values, errors, method, degree)
    weights_of = 1 / sigma if sigma is not None and (sigma > 0).all() else np.ones_like(x)
    used: str = method
    if method == "exponential" and not _decays(x, y - asymptote, sigma):
        used, order = "linear", 1
    if used == "exponential":
        value, weights, fitted = _exponential(x, y - asymptote, weights_of)
        value, fitted, free = value + asymptote, fitted + asymptote, len(x) - 2
    else:
        value, weights, fitted = _polynomial(x, y, weights_of, order)
        free = len(x) - order - 1
    error = math.nan if sigma is None else float(np.sqrt(np.square(weights * sigma).sum()))
    chi = math.nan
    if sigma is not None and (sigma > 0).all() and free > 0:
        chi = float(np.square((y - fitted) / sigma).sum() / free)
    return Extrapolation(float(value), error, tuple(weights.tolist()), used, chi)


def _checked(
    scales: Sequence[float], values: Sequence[float], errors: Sequence[float] | None, method: str, degree: int
) -> tuple[FloatArray, FloatArray, FloatArray | None, int]:
    """Return arrays and the degree of the polynomial."""
    if method not in _EXTRAPOLATORS:
        raise InputError(f"extrapolator {method!r} is unknown; allowed: {', '.join(map(repr, _EXTRAPOLATORS))}")
    x, y = np.array(scales, dtype=np.float64), np.array(values, dtype=np.float64)
    sigma = None if errors is None else np.array(errors, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or (sigma is not None and sigma.shape != x.shape):
        raise InputError(
            f"{x.size} scale factors, {y.size} values and {x.size if sigma is None else sigma.size} errors were given; "
            "as many of each are needed"
        )
    for what, numbers in (("scale factors", x), ("values", y), ("errors", np.zeros(0) if sigma is None else sigma)):
        if not np.isfinite(numbers).all():
            raise InputError(f"the {what} {numbers.tolist()} are not all finite; nothing can be extrapolated from them")
    order = {"linear": 1, "polynomial": degree, "richardson": len(x) - 1, "exponential": 1}[method]
    if len(x) < 2 or len(x) < order + 1 or order < 1:
        raise InputError(
            f"extrapolator {method!r}{f' of degree {degree}' if method == 'polynomial' else ''} needs at least "
            f"{max(2, order + 1)} scale factors and a degree from 1; {len(x)} were given"
        )
    if len(np.unique(x)) < len(x):
        raise InputError(
            f"the scale factors {x.tolist()} are not all different; folding a short circuit rounds them: take odd ones"
        )
    return x, y, sigma, order


def _polynomial(x: FloatArray, y: FloatArray, weights: FloatArray, degree: int) -> tuple[float, FloatArray, FloatArray]:
    matrix = np.vander(x, degree + 1, increasing=True)
    solve = np.linalg.pinv(matrix * weights[:, None]) * weights  # coefficients = solve @ y
    coefficients = solve @ y
    return float(coefficients[0]), solve[0], matrix @ coefficients


def _decays(x: FloatArray, y: FloatArray, sigma: FloatArray | None) -> bool:
    """Whether the value of least noise is clearly off the asymptote, and none is clearly on its other side."""
    margin = np.zeros_like(y) if sigma is None else 2 * sigma
    first = int(x.argmin())
    side = math.copysign(1.0, y[first])
    return bool(side * y[first] > margin[first] and (side * y >= -margin).all())


def _exponential(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Fit a exp(-b x) by Gauss-Newton with halved steps, from the line through the logarithms."""
    side = math.copysign(1.0, y[x.argmin()])
    chosen = side * y > 0
    scale = (weights * np.abs(y))[chosen]
    logarithms = np.vander(x[chosen], 2, increasing=True) * scale[:, None]
    start, slope = np.linalg.lstsq(logarithms, np.log(side * y[chosen]) * scale, rcond=None)[0]
    a, b = side * math.exp(start), -float(slope)

    def jacobian(a: float, b: float) -> FloatArray:
        decay = np.exp(-b * x)
        return np.stack([decay, -a * x * decay], axis=1) * weights[:, None]

    def loss(a: float, b: float) -> float:
        return float(np.square(weights * (y - a * np.exp(-b * x))).sum())

    for _ in range(_MAX_STEPS):
        step = np.linalg.lstsq(jacobian(a, b), weights * (y - a * np.exp(-b * x)), rcond=None)[0]
        length = 1.0
        while length > _TOLERANCE and loss(a + length * step[0], b + length * step[1]) > loss(a, b):
            length /= 2
        a, b = a + length * float(step[0]), b + length * float(step[1])
        if length <= _TOLERANCE or np.abs(length * step).max() <= _TOLERANCE * max(1.0, abs(a), abs(b)):
            break
    gain = np.linalg.pinv(jacobian(a, b)) * weights  # d (a, b) / d y, where the residuals are small
    return a, gain[0], a * np.exp(-b * x)

"""Who gets the shots: totals divided among measurement settings, exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from qfast.circuit.shot_plan import MAX_SHOTS
from qfast.errors import InputError, ShotPlanError
from qfast.estimation.settings import Setting

__all__ = [
    "ALLOCATIONS",
    "LEAST_SHOTS",
    "Allocation",
    "coefficient_shares",
    "divide_shots",
    "neyman_shares",
    "planned_shots",
    "weights_of",
]

Allocation: TypeAlias = Literal["uniform", "coefficient", "variance"]
ALLOCATIONS = ("uniform", "coefficient", "variance")
LEAST_SHOTS = 2  # of a setting: one tells nothing of the spread


def divide_shots(total: int, weights: Sequence[float], minimum: int = 0) -> list[int]:
    """Divide a number of shots in proportion to weights, exactly.

    Parameters
    ----------
    total : int
        At least ``minimum * len(weights)``.
    weights : sequence of float
        Finite, not negative, not all zero.
    minimum : int, default 0
        What each gets before the rest is divided.

    Returns
    -------
    list of int
        Their sum is `total`: quotas are rounded down, and what remains goes to the largest remainders, ties to the
        first (the Hamilton method; computed with fractions, so that no rounding error can lose a shot).

    Raises
    ------
    ShotPlanError

    Examples
    --------
    >>> divide_shots(2, [3, 3, 3, 1])
    [1, 1, 0, 0]
    >>> divide_shots(10, [3, 3, 3, 1])
    [3, 3, 3, 1]
    """
    exact = [_weight(weight, place) for place, weight in enumerate(weights)]
    whole = sum(exact)
    if whole == 0:
        raise ShotPlanError(f"shots cannot be divided by {len(exact)} weights that are all zero; one must be positive")
    rest = total - minimum * len(exact)
    if rest < 0:
        raise ShotPlanError(
            f"{total} shots cannot give {len(exact)} measurement settings {minimum} each; "
            f"at least {minimum * len(exact)} are needed"
        )
    quotas = [rest * weight / whole for weight in exact]
    shares = [math.floor(quota) for quota in quotas]
    order = sorted(range(len(exact)), key=lambda place: (shares[place] - quotas[place], place))
    for place in order[: rest - sum(shares)]:
        shares[place] += 1
    return [share + minimum for share in shares]


def _weight(weight: Any, place: int) -> Fraction:
    try:
        exact = Fraction(float(weight))
    except (TypeError, ValueError, OverflowError):
        raise ShotPlanError(f"weight {place} is {weight!r}; a finite number from 0 is needed") from None
    if exact < 0:
        raise ShotPlanError(f"weight {place} is {weight!r}; a finite number from 0 is needed")
    return exact


def weights_of(settings: Sequence[Setting], allocation: Allocation) -> list[float]:
    """Return what shots are divided by before any is taken: equal weights, or the 2-norms of the coefficients."""
    return [1.0 if allocation == "uniform" else math.sqrt(setting.mixed_variance) for setting in settings]


def coefficient_shares(settings: Sequence[Setting], shots: int) -> list[int]:
    """Divide shots among settings by the 2-norm of their coefficients, at least two each.

    Raises
    ------
    ShotPlanError
        There are too few.
    """
    if not settings:
        return []
    if shots < LEAST_SHOTS * len(settings):
        raise ShotPlanError(
            f"{shots} shots were given for {len(settings)} measurement settings; at least "
            f"{LEAST_SHOTS * len(settings)} are needed"
        )
    return divide_shots(shots, weights_of(settings, "coefficient"), LEAST_SHOTS)


def planned_shots(settings: Sequence[Setting], standard_error: float) -> int:
    """Return the shots that a value to a standard error is planned with, divided by `coefficient_shares`.

    A tenth more than ``(sum of the settings' 2-norms / standard_error)**2``, which is enough wherever terms are not
    correlated; errors are estimates themselves.

    Raises
    ------
    InputError
        More than can be counted.
    """
    norms = math.fsum(weights_of(settings, "coefficient"))
    wanted = 1.1 * (norms / standard_error) ** 2
    if wanted > MAX_SHOTS:
        raise InputError(f"precision {standard_error:g} would take {wanted:.1e} shots; 0 asks for the exact value")
    return max(LEAST_SHOTS * len(settings), math.ceil(wanted * (1 - 1e-12)))  # no shot for a rounding error


def neyman_shares(increment: int, spreads: Sequence[float], done: Sequence[int]) -> list[int]:
    """Divide the next shots so that all shots together come nearest to proportion with the spreads (Neyman 1934).

    Parameters
    ----------
    increment : int
    spreads : sequence of float
        Standard deviation of a shot of each setting.
    done : sequence of int
        Shots that each setting has had.
    """
    whole = math.fsum(spreads)
    total = increment + sum(done)
    missing = [max(0.0, total * spread / whole - had) for spread, had in zip(spreads, done, strict=True)]
    return divide_shots(increment, missing if any(missing) else spreads)

"""Extrapolation to noise 0: exact on its own model, with weights and errors that hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qfast.errors import InputError
from qfast.mitigation import extrapolate

SCALES = [1.0, 1.5, 2.0, 3.0, 5.0]


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=4))
def test_a_polynomial_is_continued_exactly(coefficients: list[float]) -> None:
    degree = len(coefficients) - 1
    values = np.polynomial.polynomial.polyval(SCALES, coefficients)
    errors = [0.1, 0.2, 0.1, 0.3, 0.1]
    for scales, found in (
        (SCALES, extrapolate(SCALES, values, errors, method="polynomial", degree=degree)),
        (SCALES[: degree + 1], extrapolate(SCALES[: degree + 1], values[: degree + 1], method="richardson")),
    ):
        assert found.value == pytest.approx(coefficients[0], abs=1e-7)
        assert np.dot(found.weights, values[: len(scales)]) == pytest.approx(found.value, abs=1e-7)
        assert sum(found.weights) == pytest.approx(1, abs=1e-9)


def test_richardson_has_the_weights_of_the_textbook() -> None:
    assert extrapolate([1, 2, 3], [0.0, 0.0, 0.0], method="richardson").weights == pytest.approx((3, -3, 1))


@given(st.floats(0.2, 2), st.sampled_from([-1, 1]), st.floats(-0.2, 0.6), st.floats(-3, 3))
def test_an_exponential_is_continued_exactly(size: float, sign: int, rate: float, asymptote: float) -> None:
    values = asymptote + sign * size * np.exp(-rate * np.array(SCALES))
    found = extrapolate(SCALES, values, [0.01] * 5, method="exponential", asymptote=asymptote)
    assert found.method == "exponential"
    assert found.value == pytest.approx(asymptote + sign * size, abs=1e-6)
    assert found.chi_squared < 1e-6


@pytest.mark.parametrize("method", ["linear", "polynomial", "richardson", "exponential"])
def test_the_weights_are_the_derivatives(method: Any) -> None:
    values = np.array([0.8, 0.66, 0.52, 0.44])
    errors, scales, step = [0.01, 0.02, 0.01, 0.03], [1, 2, 3, 4], 1e-6
    found = extrapolate(scales, values, errors, method=method)
    for k in range(4):
        moved = values.copy()
        moved[k] += step
        numeric = (extrapolate(scales, moved, errors, method=method).value - found.value) / step
        # Gauss-Newton leaves out the curvature times the residuals, which are small.
        assert found.weights[k] == pytest.approx(numeric, abs=0.08 if method == "exponential" else 1e-6)


@pytest.mark.parametrize("method", ["linear", "polynomial", "richardson", "exponential"])
def test_the_error_is_the_spread_over_repetitions(method: Any) -> None:
    rng = np.random.default_rng(1)
    truth = 0.9 * np.exp(-0.2 * np.array(SCALES)) if method == "exponential" else 0.9 - 0.1 * np.array(SCALES)
    errors = np.array([0.01, 0.02, 0.01, 0.02, 0.01])
    found = [extrapolate(SCALES, truth + errors * rng.normal(size=5), errors, method=method) for _ in range(400)]
    values = np.array([f.value for f in found])
    # 400 repetitions know their standard deviation to 3.5 %.
    assert values.std() == pytest.approx(np.mean([f.standard_error for f in found]), rel=0.12)
    assert abs(values.mean() - 0.9) < 5 * values.std() / 20
    if method in ("linear", "exponential"):
        assert np.mean([f.chi_squared for f in found]) == pytest.approx(1, abs=0.2)


def test_an_exponential_through_zero_is_a_line_and_says_so() -> None:
    found = extrapolate([1, 2, 3], [0.02, -0.01, 0.015], [0.02, 0.02, 0.02], method="exponential")
    assert found.method == "linear"
    assert found == extrapolate([1, 2, 3], [0.02, -0.01, 0.015], [0.02, 0.02, 0.02], method="linear")


def test_values_that_have_decayed_to_nothing_do_not_spoil_an_exponential() -> None:
    found = extrapolate([1, 3, 5], [0.3, 0.0109, -0.004], [0.01, 0.01, 0.01], method="exponential")
    assert found.method == "exponential"
    assert abs(found.value - 0.3 * math.sqrt(0.3 / 0.0109)) < 2 * found.standard_error


def test_without_errors_there_is_none() -> None:
    assert math.isnan(extrapolate([1, 2], [0.5, 0.4], method="linear").standard_error)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1], [0.5]), "needs at least 2 scale factors"),
        (([1, 1], [0.5, 0.4]), "are not all different"),
        (([1, 2], [0.5]), "2 scale factors, 1 values"),
        (([1, 2], [0.5, 0.4], None, "polynomial"), "of degree 2 needs at least 3"),
        (([1, 2], [0.5, 0.4], None, "cubic"), "extrapolator 'cubic' is unknown; allowed: 'linear'"),
    ],
)
def test_what_cannot_be_extrapolated_is_refused(arguments: Any, message: str) -> None:
    scales, values, *rest = arguments
    with pytest.raises(InputError, match=message):
        extrapolate(scales, values, rest[0] if rest else None, method=rest[1] if rest else "linear")


def test_numbers_that_are_none_are_refused() -> None:
    nan = math.nan
    for scales, values, errors in (([1, nan], [1, 2], [1, 1]), ([1, 3], [nan, 2], [1, 1]), ([1, 3], [1, 2], [nan, 1])):
        with pytest.raises(InputError, match="not all finite"):
            extrapolate(scales, values, errors, method="linear")

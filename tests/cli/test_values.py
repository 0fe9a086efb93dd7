from __future__ import annotations

import math

import pytest

from qfast.cli.values import parse_number, parse_parameters
from qfast.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.3", 0.3),
        ("-1e-3", -1e-3),
        ("pi/2", math.pi / 2),
        (" -3*pi/4 + 1", 1 - 3 * math.pi / 4),
        ("(1+2)*tau", 3 * math.tau),
    ],
)
def test_numbers_and_multiples_of_pi_are_read(text: str, value: float) -> None:
    assert parse_number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", "x", "pi pi", "__import__('os')", "1/0", "nan", "1e999", "True", "2**9", "1j", "'3'", "-" * 5000 + "1"]
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a finite number"):
        parse_number(text)


def test_parameters_are_collected_by_name() -> None:
    assert parse_parameters(["theta=0.5", "phi[1]=-2"]) == {"theta": 0.5, "phi[1]": -2.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["theta"], "expected name=value"),
        (["=1"], "expected name=value"),
        (["theta=abc"], "'abc' is not a finite number"),
        (["theta=1", "theta=2"], "given before"),
    ],
)
def test_a_bad_parameter_is_refused_with_its_text(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_parameters(arguments)

"""Classical expressions: their values follow OpenQASM 3, their mistakes are named."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.circuit import Register
from qfast.circuit.classical import (
    Binary,
    Bit,
    Bits,
    Call,
    Cast,
    Index,
    Literal,
    Unary,
    Variable,
    as_classical,
    as_condition,
    walk,
)
from qfast.circuit.classical_run import evaluate
from qfast.errors import CircuitError

U8 = Variable("u", "uint", 8)
I8 = Variable("i", "int", 8)
F = Variable("f", "float")


def value(expression: Any, bits: Any = 0, **variables: Any) -> Any:
    return evaluate(expression, bits, variables)


def binary(left: Any, op: str, right: Any) -> Binary:
    return Binary(op, as_classical(left), as_classical(right))


@given(st.integers(0, 255), st.integers(0, 255), st.sampled_from(["+", "-", "*", "&", "|", "^"]))
@settings(max_examples=100, deadline=None)
def test_unsigned_arithmetic_wraps_around_at_the_width(a: int, b: int, op: str) -> None:
    other = Variable("v", "uint", 8)
    python = {"+": a + b, "-": a - b, "*": a * b, "&": a & b, "|": a | b, "^": a ^ b}[op]
    assert value(Binary(op, U8, other), u=a, v=b) == python % 256


@given(st.integers(-100, 100), st.integers(-100, 100).filter(bool))
@settings(max_examples=100, deadline=None)
def test_integer_division_truncates_and_the_remainder_has_the_sign_of_the_dividend(a: int, b: int) -> None:
    assert value(binary(a, "/", b)) == math.trunc(a / b)
    assert value(binary(a, "%", b)) == math.fmod(a, b)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (binary(7, "/", 2.0), 3.5),
        (binary(2, "**", 10), 1024),
        (binary(2, "**", -1), 0.5),
        (binary(3, "<", 4), 1),
        (binary(3, ">=", 4), 0),
        (binary(3, "==", 3.0), 1),
        (binary(3, "!=", 3), 0),
        (binary(0, "||", 2), 1),
        (binary(1, "&&", 0), 0),
        (Unary("!", Literal(3)), 0),
        (Unary("!", Literal(False)), 1),
        (Unary("-", Literal(3)), -3),
        (Unary("~", Literal(5)), -6),
        (Literal(True), 1),
    ],
)
def test_operators_have_the_values_of_openqasm(expression: Any, expected: Any) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


def test_bits_and_registers_read_the_classical_bits() -> None:
    for bits in ([1, 0, 1, 1], 0b1101):
        assert [value(Bit(k), bits) for k in range(4)] == [1, 0, 1, 1]
        assert value(Bits(1, 3), bits) == 0b110
        assert value(Index(Bits(1, 3), Literal(2)), bits) == 1
    assert value(Unary("~", Bit(0)), [1]) == 0
    assert value(Unary("~", Bits(0, 4)), 0b0101) == 0b1010
    assert value(binary(Bits(0, 4), "<<", 1), 0b1100) == 0b1000


def test_missing_variables_are_zero_and_bits_of_variables_can_be_read() -> None:
    assert value(U8) == 0
    assert [value(Index(I8, Literal(k)), i=-2) for k in range(8)] == [0, 1, 1, 1, 1, 1, 1, 1]
    assert value(binary(U8, "-", 1)) == 255
    assert value(binary(F, "*", 2), f=1.5) == 3.0


def test_the_right_operand_is_left_alone_where_the_left_decides() -> None:
    division = binary(1, "/", 0)
    assert value(binary(0, "&&", division)) == 0
    assert value(binary(1, "||", division)) == 1


@pytest.mark.parametrize(
    ("given_value", "kind", "width", "expected"),
    [
        (300, "uint", 8, 44), (-1, "uint", 8, 255), (200, "int", 8, -56), (127, "int", 8, 127), (-128, "int", 8, -128),
        (3.9, "int", 32, 3), (-3.9, "int", 32, -3), (2**31, "int", None, -(2**31)), (0.5, "bool", None, 1),
        (0, "bool", None, 0), (3, "float", None, 3.0),
    ],
)  # fmt: skip
def test_conversion_wraps_and_truncates(given_value: Any, kind: str, width: int | None, expected: Any) -> None:
    assert value(Cast(kind, width, Literal(given_value))) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Call("sin", (Literal(0.5),)), math.sin(0.5)),
        (Call("arccos", (Literal(0.5),)), math.acos(0.5)),
        (Call("sqrt", (Literal(2),)), math.sqrt(2)),
        (Call("ceiling", (Literal(1.2),)), 2),
        (Call("floor", (Literal(-1.2),)), -2),
        (Call("mod", (Literal(-7), Literal(3))), 2),
        (Call("mod", (Literal(-7.5), Literal(2))), 0.5),
        (Call("pow", (Literal(2), Literal(5))), 32),
        (Call("popcount", (Bits(0, 4),)), 3),
        (Call("rotl", (Bits(0, 4), Literal(1))), 0b1101),
        (Call("rotr", (Bits(0, 4), Literal(1))), 0b0111),
        (Call("rotl", (Bits(0, 4), Literal(-5))), 0b0111),
    ],
)
def test_functions_have_the_values_of_openqasm(call: Call, expected: Any) -> None:
    assert value(call, 0b1110) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (binary(1, "/", 0), "divides by zero"),
        (binary(1, "%", 0), "divides by zero"),
        (binary(1, "<<", -1), "shifted by -1; a shift must not be negative"),
        (binary(1.5, "&", 1), "the classical operator '&' takes integers, float and the number 1 given"),
        (binary(5.5, "%", 2), "'%' takes integers"),
        (Unary("~", Literal(1.5)), "'~' takes integers"),
        (Index(Bits(0, 2), Literal(2)), "bit 2 of a classical value of 2 bits is asked for"),
        (Index(U8, Literal(-9)), "bit -9 of a classical value of 8 bits is asked for"),
        (Call("log", (Literal(0),)), r"the classical function log\(0\) has no finite value"),
        (binary(-8, "**", 0.5), r"pow\(-8, 0.5\) has no finite value"),
    ],
)
def test_an_expression_without_a_value_says_so(expression: Any, message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        value(expression, 0b11)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Binary("<>", Literal(1), Literal(2)), "unknown classical operator '<>'; allowed are"),
        (lambda: Unary("+", Literal(1)), "unknown classical operator '.' with one operand"),
        (lambda: Call("sinh", (Literal(1),)), "unknown classical function 'sinh'; allowed are arccos"),
        (lambda: Call("sin", ()), "'sin' takes 1 arguments, 0 given"),
        (lambda: Cast("uint", 0, Literal(1)), "its width must be from 1 to 64 bits, 0 given"),
        (lambda: as_classical("c"), "'c' is not a classical expression"),
        (lambda: as_classical(math.nan), "a classical literal must be finite"),
        (lambda: as_condition((0,)), "a condition is an expression or a pair"),
        (lambda: as_condition((0, "1")), "a condition is an expression or a pair"),
    ],
)
def test_a_wrong_expression_is_refused(build: Any, message: str) -> None:
    with pytest.raises(CircuitError, match=message):
        build()


def test_a_pair_means_equality() -> None:
    assert as_condition((2, 1)) == Binary("==", Bit(2), Literal(1))
    assert as_condition((2, True)) == Binary("==", Bit(2), Literal(1))
    assert as_condition((Register("c", 1, 2), 3)) == Binary("==", Bits(1, 2), Literal(3))
    assert as_condition(Bit(0)) == Bit(0)


def test_a_huge_power_neither_hangs_nor_eats_the_memory() -> None:
    assert value(binary(U8, "**", 10**9), u=3) == pow(3, 10**9, 256)
    assert value(binary(U8, "<<", 10**12), u=3) == 0


def test_walk_visits_every_part() -> None:
    expression = Binary("+", Index(U8, Bit(0)), Call("pow", (Unary("-", Bits(0, 2)), Cast("int", 8, F))))
    kinds = [type(node).__name__ for node in walk(expression)]
    assert kinds == ["Binary", "Index", "Variable", "Bit", "Call", "Unary", "Bits", "Cast", "Variable"]


def test_expressions_are_values() -> None:
    expression = Binary("<", Bits(0, 3), Literal(5))
    assert pickle.loads(pickle.dumps(expression)) == expression
    assert hash(expression) == hash(Binary("<", Bits(0, 3), Literal(5)))

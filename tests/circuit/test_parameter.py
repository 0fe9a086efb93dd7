"""Parameters and their expressions: values, derivatives, order, pickling, postfix code."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qfast.circuit import Circuit, ExpressionTable, Parameter, ParameterExpression, ParameterVector, expression_table
from qfast.circuit.parameter import ExprOp
from qfast.errors import ParameterError

A, B = Parameter("a"), Parameter("b")
FUNCTIONS = ["sin", "cos", "tan", "asin", "acos", "atan", "exp", "log", "sqrt"]


def apply(op: str, x: Any, y: Any) -> Any:
    if op in FUNCTIONS:
        return getattr(x, op)() if isinstance(x, ParameterExpression) else getattr(math, op)(x)
    return {
        "+": lambda: x + y, "-": lambda: x - y, "*": lambda: x * y, "/": lambda: x / y, "**": lambda: x**y,
        "neg": lambda: -x, "abs": lambda: abs(x),
    }[op]()  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Operations on a growing list that starts with a, b, 2.0 and 0.5; the last entry is the expression."""
    ops = st.sampled_from(["+", "-", "*", "/", "**", "neg", "abs", *FUNCTIONS])
    length = draw(st.integers(1, 6))
    return [(draw(ops), draw(st.integers(0, 3 + k)), draw(st.integers(0, 3 + k))) for k in range(length)]


def run(program: list[tuple[str, int, int]], a: Any, b: Any) -> Any:
    values = [a, b, 2.0, 0.5]
    for op, x, y in program:
        values.append(apply(op, values[x], values[y]))
    return values[-1]


def plain(program: list[tuple[str, int, int]], a: float, b: float) -> float | None:
    """The value in Python floats; None where there is none, or none of moderate size."""
    try:
        value = run(program, a, b)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):  # the last: a function of a complex power
        return None
    return value if isinstance(value, float) and abs(value) < 1e6 else None


@given(programs(), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
@settings(max_examples=300, deadline=None)
def test_an_expression_has_the_value_of_the_same_formula_in_floats(program: Any, a: float, b: float) -> None:
    expected = plain(program, a, b)
    assume(expected is not None)
    try:
        expression = run(program, A, B)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        assume(False)
    assume(isinstance(expression, ParameterExpression))
    assert expression.evaluate({"a": a, "b": b}) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(programs(), st.floats(0.2, 0.8), st.floats(0.2, 0.8))
@settings(max_examples=300, deadline=None)
def test_the_gradient_is_the_slope(program: Any, a: float, b: float) -> None:
    step = 1e-6
    nearby = [plain(program, a + shift, b) for shift in (-2 * step, -step, 0.0, step, 2 * step)]
    assume(all(value is not None and abs(value) < 1e3 for value in nearby))
    try:
        expression = run(program, A, B)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        assume(False)
    assume(isinstance(expression, ParameterExpression))
    slope = (nearby[0] - 8 * nearby[1] + 8 * nearby[3] - nearby[4]) / (12 * step)
    gradient = expression.gradient("a")
    if isinstance(gradient, ParameterExpression):
        try:
            gradient = gradient.evaluate({"a": a, "b": b})
        except ParameterError:
            assume(False)  # at the edge of a domain, where the slope is not finite
    assume(abs(gradient) < 1e3)
    assert gradient == pytest.approx(slope, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("expression", "gradient"),
    [
        (2 * A + B, 2.0),
        (B + 1, 0.0),
        (A, 1.0),
        (-A, -1.0),
        (A * A, None),
        (A / B, None),
        (A**2, None),
        (2**A, None),
        (A.sin() * A.cos(), None),
        (A.log(), None),
    ],
)
def test_constant_derivatives_are_numbers(expression: ParameterExpression, gradient: float | None) -> None:
    found = expression.gradient(A)
    assert found == gradient if gradient is not None else isinstance(found, ParameterExpression)


def test_a_power_with_a_fixed_exponent_has_a_slope_at_negative_values() -> None:
    gradient = (A**3).gradient("a")
    assert isinstance(gradient, ParameterExpression)
    assert gradient.evaluate({"a": -2.0}) == 12.0


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (2 * A + B, "2*a+b"),
        ((A + B) * 2, "(a+b)*2"),
        (A - (B - 1), "a-(b-1)"),
        (A / (B * 2), "a/(b*2)"),
        (-(A + B), "-(a+b)"),
        ((A**B) ** 2, "(a**b)**2"),
        (A ** (B**2), "a**b**2"),
        ((-A) ** 2, "(-a)**2"),
        (A * -1.5, "a*(-1.5)"),
        ((A + 1).sin(), "sin(a+1)"),
        (abs(A), "abs(a)"),
        (1 - A, "1-a"),
        (1 / A, "1/a"),
        (2**A, "2**a"),
        (A - B - 1, "a-b-1"),
        (A - -B, "a-(-b)"),
        (A + -1.0, "a+(-1)"),
    ],
)
def test_an_expression_is_written_with_the_brackets_it_needs(expression: ParameterExpression, text: str) -> None:
    assert str(expression) == text
    values = {"a": 0.7, "b": 1.3}
    python = eval(text, {**values, "sin": math.sin, "abs": abs})
    assert expression.evaluate(values) == pytest.approx(python, rel=1e-15)


def test_equal_formulas_are_equal_and_hash_alike() -> None:
    assert 2 * Parameter("a") + B == 2 * A + B
    assert hash(2 * A + B) == hash(2 * Parameter("a") + B)
    assert Parameter("a") == A
    assert hash(Parameter("a")) == hash(A)
    assert A + B != B + A
    assert A != "a"
    assert A != A + 0
    assert A + ParameterExpression((2.0,)) != A - 2  # an operation is not a number


def test_double_negation_is_the_expression_itself() -> None:
    for expression in (A, A + B):
        negative = -expression
        assert -negative == expression
        assert type(-negative) is type(expression)


def test_sum_starts_clean() -> None:
    assert sum([A, B]) == A + B


def test_numpy_functions_and_arrays_build_expressions() -> None:
    assert np.sin(A) == A.sin()
    assert np.arcsin(A) == A.asin()
    assert (np.float64(2.0) * A).evaluate({"a": 3.0}) == 6.0
    assert [e.evaluate({"a": 1.0}) for e in np.array([1.0, 2.0]) * A] == [1.0, 2.0]


@pytest.mark.parametrize("other", ["x", None, [1], 1j])
def test_what_is_no_real_number_does_not_mix_with_expressions(other: Any) -> None:
    with pytest.raises((TypeError, ParameterError)):
        A + other


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_not_finite_does_not_mix_with_expressions(number: float) -> None:
    with pytest.raises(ParameterError, match="is not finite"):
        A * number


@pytest.mark.parametrize("item", [A, 2 * A + B.sin(), ParameterVector("v", 3)[1], ParameterVector("v", 3)])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_parameters_survive_copies_and_pickles(item: Any, duplicate: Callable[[Any], Any]) -> None:
    assert duplicate(item) == item
    assert hash(duplicate(item)) == hash(item)
    assert repr(duplicate(item)) == repr(item)


def test_a_vector_is_a_sequence_of_named_elements() -> None:
    vector = ParameterVector("v", 3)
    assert [p.name for p in vector] == ["v[0]", "v[1]", "v[2]"]
    assert (len(vector), vector[-1], vector[1:]) == (3, Parameter("v[2]"), (Parameter("v[1]"), Parameter("v[2]")))
    assert vector != ParameterVector("v", 2)
    assert vector != "v"
    with pytest.raises(ParameterError, match="its length must not be negative, -1 given"):
        ParameterVector("v", -1)


def test_parameters_sort_by_name_and_index() -> None:
    names = ["v[10]", "v[2]", "u", "v", "w[0]", "v[1]"]
    assert [p.name for p in sorted(map(Parameter, names))] == ["u", "v", "v[1]", "v[2]", "v[10]", "w[0]"]


@pytest.mark.parametrize("name", ["", " ", "a ", " a", 3, None])
def test_a_name_that_is_blank_is_refused(name: Any) -> None:
    with pytest.raises(ParameterError, match="a parameter's name is a string"):
        Parameter(name)


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        (A.log(), {"a": -1.0}, r"the expression log\(a\) has no finite real value at a = -1.0"),
        (1 / A, {"a": 0.0}, "1/a has no finite real value at a = 0.0"),
        (A.exp(), {"a": 1e4}, "no finite real value"),
        (A * 1e300 * 1e300, {"a": 1.0}, "it gives inf"),
        ((-A) ** 0.5, {"a": 1.0}, "no finite real value"),
        (A + B, {"a": 1.0}, "parameter 'b' of the expression a[+]b has no value"),
    ],
)
def test_an_expression_without_a_value_says_so(
    expression: ParameterExpression, values: dict[str, float], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        expression.evaluate(values)


def test_ten_thousand_terms_are_no_trouble() -> None:
    expression = Parameter("v[0]") * 1.0
    for k in range(1, 3000):
        expression = expression + Parameter(f"v[{k}]")
    assert expression.evaluate({f"v[{k}]": 1.0 for k in range(3000)}) == 3000.0
    assert expression.gradient("v[17]") == 1.0


# ------------------------------------------------------------------------------------------------- the engine's table


def test_the_table_holds_the_postfix_code_of_flat_h() -> None:
    table = expression_table(Circuit(1).rx(0.1, 0).rx(B, 0).rz(2 * A - B.sin(), 0))
    assert table.names == ("a", "b")
    assert table.slots.tolist() == [1, 2]
    assert table.code_end.tolist() == [2, 11]
    assert table.code.tolist() == [1, 1, 0, 0, 1, 0, 4, 1, 1, 8, 3]
    assert table.constants.tolist() == [2.0]


@given(programs(), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
@settings(max_examples=100, deadline=None)
def test_the_table_evaluates_as_the_expressions_do(program: Any, a: float, b: float) -> None:
    assume(plain(program, a, b) is not None)
    try:
        expression = run(program, A, B)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        assume(False)
    assume(isinstance(expression, ParameterExpression))
    circuit = Circuit(1).rx(expression, 0).rz(A, 0).rz(B, 0)
    table = expression_table(circuit)
    found = table.evaluate(np.array([a, b]))
    np.testing.assert_allclose(found, [expression.evaluate({"a": a, "b": b}), a, b], rtol=1e-12, atol=1e-12)
    rows = table.evaluate(np.array([[a, b], [a, b]]))
    np.testing.assert_array_equal(rows, [found, found])


def test_the_table_refuses_what_has_no_value() -> None:
    table = expression_table(Circuit(1).rx(A.log(), 0))
    with pytest.raises(ParameterError, match="the expression at parameter slot 0 has no finite real value"):
        table.evaluate(np.array([-1.0]))
    with pytest.raises(ParameterError, match="2 parameter values given for 1 parameters"):
        table.evaluate(np.array([1.0, 2.0]))


def test_the_table_refuses_a_classical_variable() -> None:
    circuit = Circuit(1)
    circuit.add_variable("k")
    circuit.rx(Parameter("k"), 0)
    with pytest.raises(ParameterError, match="'k' is a classical variable"):
        expression_table(circuit)


def test_a_circuit_without_expressions_has_an_empty_table() -> None:
    table = expression_table(Circuit(1).rx(0.1, 0))
    assert isinstance(table, ExpressionTable)
    assert table.evaluate(np.zeros(0)).shape == (0,)
    assert table.evaluate(np.zeros((5, 0))).shape == (5, 0)


def test_the_operation_numbers_are_those_of_the_core() -> None:
    assert [(op.name, op.value) for op in ExprOp] == [
        ("PUSH_CONST", 0), ("PUSH_PARAM", 1), ("ADD", 2), ("SUB", 3), ("MUL", 4), ("DIV", 5), ("POW", 6), ("NEG", 7),
        ("SIN", 8), ("COS", 9), ("TAN", 10), ("ASIN", 11), ("ACOS", 12), ("ATAN", 13), ("EXP", 14), ("LOG", 15),
        ("SQRT", 16), ("ABS", 17),
    ]  # fmt: skip

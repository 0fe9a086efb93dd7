"""Typed classical code: C's conversions, against an oracle that knows no code, and in the core as in Python."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from qfast.circuit import Circuit
from qfast.circuit.classical import Binary, Bit, Bits, Cast, Classical, Index, Literal, Unary, Variable, walk
from qfast.circuit.classical_code import ClassicalCompiler, Kind
from qfast.circuit.classical_run import ClassicalProgram, Memory, evaluate
from qfast.errors import CircuitError
from qfast.extension import core
from tests.circuit import classical_oracle
from tests.circuit.classical_oracle import NoValue, random_expression, random_variable

NUM_BITS = 140
needs_core = pytest.mark.skipif(core is None, reason="the core is not built")


def python_value(expression: Classical, bits: int, variables: dict[Variable, int | float]) -> Any:
    try:
        return evaluate(expression, bits, {variable.name: value for variable, value in variables.items()})
    except CircuitError:
        return None


def core_value(expression: Classical, bits: int, variables: dict[Variable, int | float]) -> Any:
    used = list(variables)
    compiler = ClassicalCompiler(used)
    try:
        number, own = compiler.value(expression)
    except CircuitError:
        return None
    table = compiler.table()
    words = np.array([bits >> 64 * k & (2**64 - 1) for k in range(NUM_BITS // 64 + 1)], dtype=np.uint64)
    memory = np.zeros(len(used) + 1, dtype=np.uint64)
    for slot, value in enumerate(variables.values()):
        memory[slot] = np.float64(value).view(np.uint64) if isinstance(value, float) else value % 2**64
    try:
        stack = core.run_classical(table.code, table.ends, table.constants, table.stack_words, number, words, memory)
    except CircuitError:
        return None
    if own.kind is Kind.FLOAT:
        return stack[:1].view(np.float64)[0]
    value = sum(int(word) << 64 * k for k, word in enumerate(stack[: own.words]))
    return value - 2**64 if own.kind is Kind.INT and value >= 2**63 else value


def equal(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


def check(seed: int, depth: int = 4) -> bool:
    """Oracle, Python and core agree on one random expression; whether it has a value."""
    rng = random.Random(seed)
    variables = dict(random_variable(rng, f"v{k}") for k in range(4))
    bits = rng.choice([0, 2**NUM_BITS - 1, rng.getrandbits(NUM_BITS)])
    expression = random_expression(rng, list(variables), NUM_BITS, rng.randint(1, depth))
    found = python_value(expression, bits, variables)
    try:
        wanted = classical_oracle.value_of(
            expression, bits, {variable.name: value for variable, value in variables.items()}
        )
        wanted = classical_oracle.given_type(wanted).value
    except NoValue:
        wanted = None
    lazily = any(isinstance(node, Binary) and node.op in ("&&", "||") for node in walk(expression))
    if not (lazily and found is None):  # code is typed whole, also where it is never run
        assert equal(found, wanted), (seed, expression, bits, variables)
    if core is not None:
        assert equal(core_value(expression, bits, variables), found), (seed, expression, bits, variables)
    return found is not None


def test_random_expressions_have_the_values_of_c() -> None:
    assert sum(check(seed) for seed in range(2000)) > 700


# --- C's rules, one by one --------------------------------------------------------------------------------------------


def typed(kind: str, width: int, value: int) -> Cast:
    return Cast(kind, width, Literal(value))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (Binary("+", typed("int", 32, 10), typed("uint", 4, 15)), 25),
        (Binary("|", typed("int", 32, 8), Bit(0)), 9),
        (Binary("<<", typed("int", 8, 5), Literal(5)), -96),
        (Binary("+", typed("uint", 3, 3), typed("int", 4, 7)), -6),
        (Binary("+", typed("int", 8, 127), Literal(1)), -128),
        (Binary("+", typed("uint", 8, 255), Literal(1)), 0),
        (Binary("+", typed("uint", 8, 255), Literal(256)), 511),
        (Binary("==", typed("int", 32, -1), typed("uint", 32, 2**32 - 1)), 1),
        (Binary("<", typed("int", 33, -1), typed("uint", 32, 5)), 1),
        (Binary("==", typed("uint", 8, 255), Literal(-1)), 0),
        (Binary("/", typed("int", 8, -128), typed("int", 8, -1)), -128),
        (Binary("%", typed("int", 8, -7), Literal(3)), -1),
        (Binary(">>", typed("int", 8, -8), Literal(1)), -4),
        (Binary(">>", typed("uint", 8, 0xF8), Literal(1)), 0x7C),
        (Binary("+", Bit(0), Bit(0)), 2),
        (Binary("+", Bits(0, 3), Bits(0, 3)), 6),
        (Binary("+", Literal(True), Literal(True)), 2),
        (Unary("-", typed("uint", 8, 1)), 255),
        (Unary("-", typed("int", 8, -128)), -128),
        (Index(typed("int", 8, -128), Literal(-1)), 1),
    ],
)
def test_integers_convert_and_wrap_as_in_c(expression: Classical, value: int) -> None:
    bits = 0b011
    assert evaluate(expression, bits) == value
    if core is not None:
        assert core_value(expression, bits, {}) == value


def test_registers_of_any_width_are_compared_masked_and_shifted() -> None:
    bits = (1 << 100) | 0b1011
    register = Bits(0, 120)
    assert evaluate(Binary("==", register, Literal(bits)), bits) == 1
    assert evaluate(Binary(">", register, Literal(2**100)), bits) == 1
    assert evaluate(Binary("&", register, Literal(0b110)), bits) == 0b10
    assert evaluate(Binary(">>", register, Literal(99)), bits) == 2
    assert evaluate(Binary("+", register, Literal(2**119)), bits) == bits + 2**119
    assert evaluate(Index(register, Literal(100)), bits) == 1


@pytest.mark.parametrize("op", ["*", "/", "%", "**"])
def test_wide_products_are_refused_when_compiled(op: str) -> None:
    with pytest.raises(CircuitError, match="at most 64 are; mask or cast an operand"):
        ClassicalCompiler(()).value(Binary(op, Bits(0, 65), Literal(3)))


def test_a_wrong_type_is_refused_when_the_circuit_is_built() -> None:
    c = Circuit(1, 70)
    with pytest.raises(CircuitError, match="'assign' at instruction 0: '\\*' of bit\\[70\\] and the number 3 is not"):
        c.assign(Bits(0, 70), Binary("*", Bits(0, 70), Literal(3)))
    with pytest.raises(CircuitError, match="takes integers"):
        c.if_test(Binary("&", Literal(0.5), Bit(0)), c.block().x(0))
    with pytest.raises(CircuitError, match="a whole number is needed"):
        c.switch(Literal(0.5), [(0, c.block().x(0))])
    assert len(c) == 0


# --- assignments ------------------------------------------------------------------------------------------------------


def assigned(target: Classical, value: Classical, memory: Memory, variables: list[Variable]) -> None:
    compiler = ClassicalCompiler(variables)
    number = compiler.assign(target, value)
    table = compiler.table()
    words = np.array([memory.bits >> 64 * k & (2**64 - 1) for k in range(3)], dtype=np.uint64)
    slots = np.array([*(value % 2**64 for value in memory.variables), 0], dtype=np.uint64)
    ClassicalProgram(table).run(number, memory)
    if core is None:
        return
    core.run_classical(table.code, table.ends, table.constants, table.stack_words, number, words, slots)
    assert sum(int(word) << 64 * k for k, word in enumerate(words)) == memory.bits
    assert slots[:-1].tolist() == [value % 2**64 for value in memory.variables]


@pytest.mark.parametrize(
    ("target", "value", "bits", "variables"),
    [
        (Bits(60, 70), Literal(2**69 + 1), 2**129 | 2**60 | 7, [5]),
        (Bits(3, 2), Literal(-1), 31, [5]),
        (Bit(64), Literal(4), 2**64 | 7, [5]),
        (Bit(1), Literal(0.0), 5, [5]),
        (Variable("v", "int", 8), Literal(200), 7, [-56]),
        (Index(Bits(60, 70), Literal(68)), Literal(1), 2**128 | 7, [5]),
        (Index(Bits(0, 3), Literal(-1)), Literal(0), 3, [5]),
        (Index(Variable("v", "int", 8), Literal(7)), Literal(True), 7, [-123]),
    ],
)
def test_an_assignment_converts_to_its_target(target: Any, value: Any, bits: int, variables: list[int]) -> None:
    memory = Memory(7, [5])
    assigned(target, value, memory, [Variable("v", "int", 8)])
    assert (memory.bits, memory.variables) == (bits, variables)


def test_a_float_cannot_be_assigned_to_a_register() -> None:
    with pytest.raises(CircuitError, match="a float cannot be assigned to bits"):
        ClassicalCompiler(()).assign(Bits(0, 4), Literal(0.5))

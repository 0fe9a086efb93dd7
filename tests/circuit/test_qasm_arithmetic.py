"""One arithmetic: a text computes the same whether its values are known while it is read or only when it runs."""

from __future__ import annotations

import random

import pytest

from qfast import Circuit
from qfast.circuit.classical import Variable
from qfast.errors import QfastError
from qfast.simulation.compiled import Compiled
from qfast.simulation.populations import Shots
from qfast.simulation.pure_branch import PureBranch
from qfast.simulation.run_settings import run_settings
from qfast.simulation.script import script_of
from qfast.simulation.walk import BranchWalk
from tests.circuit.classical_oracle import random_variable

np = pytest.importorskip("numpy")

_OPERATORS = ["+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "==", "!=", "<", "<=", ">", ">="]


def result_of(text: str) -> int | None:
    """The 64 bits that a text leaves in its register `out`, or None where it is refused or has no value."""
    try:
        circuit = Circuit.from_qasm(text)
        settings = run_settings("reference")
        compiled = Compiled(script_of(circuit), (), settings.engine, "complex128")
        state = np.zeros(2, dtype=np.complex128)
        walk = BranchWalk(compiled, settings, {}, PureBranch(compiled, settings, state, None), budget_bytes=0)
        rows = np.zeros((1, (circuit.num_clbits + 7) // 8), dtype=np.uint8)
        for _ in walk.leaves(Shots.of(settings.engine, 1, 0, rows)):
            pass
    except QfastError:
        return None
    start = next(register.start for register in circuit.classical_registers if register.name == "out")
    return int.from_bytes(rows.tobytes(), "little") >> start & (2**64 - 1)


def declared(variable: Variable, value: int | float) -> tuple[str, str]:
    """A declaration with its value, and an assignment that changes nothing but makes it a value of the run."""
    kind = variable.kind if variable.width is None else f"{variable.kind}[{variable.width}]"
    text = ("true" if value else "false") if variable.kind == "bool" else repr(value)
    return f"{kind} {variable.name} = {text};", f"{variable.name} = {text};"


def expression(rng: random.Random, names: list[str], depth: int) -> str:
    def part() -> str:
        return expression(rng, names, depth - 1)

    shape = rng.random()
    if depth == 0 or shape < 0.15:
        return rng.choice([*names, *names, "0", "1", "3", "255", "2147483648", "true", "0.5", "2.0"])
    if shape < 0.72:
        return f"({part()} {rng.choice(_OPERATORS)} {part()})"
    if shape < 0.82:
        return f"{rng.choice('-~!')}({part()})"
    if shape < 0.92:
        kind = rng.choice(["int", "uint"])
        return f"{kind}[{rng.randint(1, 64)}]({part()})"
    function = rng.choice(["mod({}, {})", "pow({}, {})", "popcount({})", "rotl({}, {})", "floor({})", "sqrt({})"])
    return function.replace("{}", "%s") % tuple(part() for _ in range(function.count("{}")))


def texts(seed: int) -> tuple[str, str]:
    """The same program with known values and with values of the run."""
    rng = random.Random(seed)
    head = 'OPENQASM 3.0; include "stdgates.inc"; qubit q; bit m; bit[64] out;\n'
    known, late, changes = "", "", "if (m) {"
    names = []
    for k in range(3):
        variable, value = random_variable(rng, f"v{k}")
        if variable.kind == "int" and value == -(2**63):
            value = -1  # no literal is that small
        begin, change = declared(variable, value)
        known, late, changes = known + begin + "\n", late + begin + "\n", changes + change
        names.append(variable.name)
    bits = f"{rng.getrandbits(5):05b}"
    known += f'const bit[5] b = "{bits}";\n'
    late += f'bit[5] b; b = "{bits}";\n'
    changes += "}\n"
    end = f"out = uint[64]({expression(rng, [*names, 'b', 'b[1]'], rng.randint(1, 3))});\n"
    return head + known + end, head + late + "m = measure q;\n" + changes + end


def check(seed: int) -> bool:
    known, late = texts(seed)
    found, wanted = result_of(known), result_of(late)
    assert found == wanted, f"seed {seed}: known {found}, at run time {wanted}\n{known}\n{late}"
    return found is not None


def test_values_known_while_reading_and_values_of_the_run_agree() -> None:
    assert sum(check(seed) for seed in range(300)) > 100


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("bit[4] b; b = 15; int[32] s = 10; s += uint[4](b); out = uint[64](s);", 25),
        ("bit[4] b; b = 1; int[32] s = 8; s |= b[0]; out = uint[64](s);", 9),
        ("int[8] v = 5; out = uint[64](int[64](v << 5));", 2**64 - 96),
        ("uint[3] a = 3; int[4] b = 7; out = uint[64](int[64](a + b));", 2**64 - 6),
        ("bit[2] c; c = 3; out = uint[64](c + c);", 2),
        ("bit[3] c; c = 3; if (c + c == 6) { out = 1; }", 1),
        ("uint[8] a = 250; a += 10; out = uint[64](a);", 4),
        ("int[8] a = -128; a = -a; out = uint[64](int[64](a));", 2**64 - 128),
        ("bool t = true; out = uint[64](t + t);", 2),
        (
            "uint[64] a = 9223372036854775808; switch (a) { case 9223372036854775808 { out = 7; } default { }}",
            7,
        ),
    ],
)
def test_programs_compute_as_c_does(program: str, value: int) -> None:
    head = "OPENQASM 3.0; qubit q; bit[64] out;"
    assert result_of(f"{head} {program}") == value
    late = program.replace("int[32] s = 10;", "int[32] s; m = measure q; s = 10; if (m) { s = 10; }")
    assert result_of(f"{head} bit m; {late}") == value

"""Edges of the language: wide integers, texts without a version, library gates that a text defines itself."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest

import qfast
from qfast import Circuit
from qfast.circuit.classical import Binary, Bits, Literal
from qfast.errors import CircuitError

REFERENCE = {"engine": "reference"}

LIBRARY = """OPENQASM 3.0;
gate p(l) a { ctrl @ gphase(l) a; }
gate x a { U(pi, 0, pi) a; gphase(-pi/2); }
gate y a { U(pi, pi/2, pi/2) a; gphase(-pi/2); }
gate z a { p(pi) a; }
gate h a { U(pi/2, 0, pi) a; gphase(-pi/4); }
gate rx(t) a { U(t, -pi/2, pi/2) a; gphase(-t/2); }
gate ry(t) a { U(t, 0, 0) a; gphase(-t/2); }
gate cx c, t { ctrl @ x c, t; }
gate cy c, t { ctrl @ y c, t; }
gate ch c, t { ctrl @ h c, t; }
gate crx(t) c, b { ctrl @ rx(t) c, b; }
gate cry(t) c, b { ctrl @ ry(t) c, b; }
gate swap a, b { cx a, b; cx b, a; cx a, b; }
gate ccx a, b, c { ctrl @ ctrl @ x a, b, c; }
gate cswap a, b, c { ctrl @ swap a, b, c; }
gate cu(t, f, l, g) c, b { p(g - t/2) c; ctrl @ U(t, f, l) c, b; }
"""

CALLS = [
    "cx q[0], q[1];", "cy q[0], q[1];", "ch q[0], q[1];", "crx(0.3) q[0], q[1];", "cry(0.4) q[0], q[1];",
    "swap q[0], q[1];", "ccx q[0], q[1], q[2];", "cswap q[0], q[1], q[2];", "cu(0.3, 0.4, 0.5, 0.6) q[0], q[1];",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_definitions_that_equal_the_library_are_the_library(call: str) -> None:
    body = f"qubit[3] q; h q[0]; ry(0.3) q[1]; h q[2]; {call} h q[0];"
    own = Circuit.from_qasm(LIBRARY + body)
    wanted = Circuit.from_qasm(f'OPENQASM 3.0; include "stdgates.inc"; {body}')
    assert own == wanted


def test_a_definition_that_differs_from_the_library_keeps_its_meaning() -> None:
    text = (
        "OPENQASM 3.0; gate x a { U(pi, 0, pi) a; gphase(0.3); } qubit[2] q; U(pi/2, 0, pi) q[0]; ctrl @ x q[0], q[1];"
    )
    state = qfast.simulate(Circuit.from_qasm(text), **REFERENCE).amplitudes
    assert state[3] / state[0] == pytest.approx(cmath.exp(0.3j))


def test_a_condition_on_a_register_of_65_bits_is_read_back() -> None:
    circuit = Circuit(1, 65)
    circuit.if_test(Binary("==", Bits(0, 65), Literal(2**64 + 3)), circuit.block().x(0)).measure(0, 0)
    assert Circuit.from_qasm(circuit.to_qasm()) == circuit


def test_wide_integers_of_openqasm_2_and_in_hexadecimal() -> None:
    text = f'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[70]; if (c == {2**69}) x q[0];'
    (block,) = Circuit.from_qasm(text).data_items
    assert block.condition == Binary("==", Bits(0, 70), Literal(2**69))
    text = f"OPENQASM 3.0; qubit q; bit[80] c; c = {2**79 + 1:#x}; if ((c & {2**79:#x}) != 0) {{ U(pi, 0, pi) q; }}"
    assert qfast.distribution(Circuit.from_qasm(text + " bit d; d = measure q;"), **REFERENCE) == {
        "1" + f"{2**79 + 1:080b}": pytest.approx(1.0)
    }


def test_a_text_that_begins_with_qelib1_is_openqasm_2() -> None:
    text = '// made elsewhere\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nu2(0, pi) q[0];\nmeasure q -> c;'
    assert Circuit.from_qasm(text) == Circuit.from_qasm("OPENQASM 2.0;" + text)


def test_versions_may_be_written_as_floats() -> None:
    circuit = Circuit(1).h(0)
    assert circuit.to_qasm(3.0) == circuit.to_qasm(3)
    assert circuit.to_qasm(2.0) == circuit.to_qasm(2)
    with pytest.raises(CircuitError, match=r"has the versions 2 and 3, 2\.5 given"):
        circuit.to_qasm(2.5)


def test_bits_that_are_only_assigned_are_the_outcome() -> None:
    circuit = Circuit.from_qasm("OPENQASM 3.0; qubit[2] q; bit[3] c; U(pi, 0, pi) q[0]; c[1] = 1;")
    assert qfast.sample(circuit, 10, seed=1, **REFERENCE).get_counts() == {"010": 10}
    assert qfast.distribution(circuit, **REFERENCE) == {"010": pytest.approx(1.0)}


@pytest.mark.parametrize("gate", ["swap", "ccx", "cswap", "cx"])
def test_roots_of_gates_that_are_their_own_inverse(gate: str) -> None:
    count = {"swap": 2, "cx": 2}.get(gate, 3)
    qubits = ", ".join(f"q[{k}]" for k in range(count))
    head = f'OPENQASM 3.0; include "stdgates.inc"; qubit[{count}] q; '
    turns = "".join(f"ry(0.{k + 3}) q[{k}]; rz(0.{k + 4}) q[{k}];" for k in range(count))
    half = f"pow(0.5) @ {gate} {qubits};"
    twice = qfast.simulate(Circuit.from_qasm(head + turns + half + half), **REFERENCE).amplitudes
    once = qfast.simulate(Circuit.from_qasm(head + turns + f"{gate} {qubits};"), **REFERENCE).amplitudes
    assert np.allclose(twice, once, atol=1e-12)
    back = Circuit.from_qasm(head + turns + f"pow(0.4) @ {gate} {qubits}; inv @ pow(0.4) @ {gate} {qubits};")
    plain = qfast.simulate(Circuit.from_qasm(head + turns), **REFERENCE).amplitudes
    assert np.allclose(qfast.simulate(back, **REFERENCE).amplitudes, plain, atol=1e-12)
    third = qfast.simulate(Circuit.from_qasm(head + turns + f"pow(0.3) @ {gate} {qubits};" * 10), **REFERENCE)
    assert np.allclose(
        third.amplitudes[0],
        qfast.simulate(Circuit.from_qasm(head + turns + f"pow(3) @ {gate} {qubits};"), **REFERENCE).amplitudes[0],
    )


def test_greek_letters_are_constants() -> None:
    text = "OPENQASM 3.0; qubit q; U(π, τ, ℇ) q;"
    assert Circuit.from_qasm(text).params.tolist() == pytest.approx([math.pi, 2 * math.pi, math.e])


def test_a_loop_whose_bounds_are_measured_runs() -> None:
    text = """OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; uint[8] total; int n;
    x q; c = measure q; n = c; total = 0;
    for int k in [1:n] { if (k == 2) { continue; } total += uint[8](k); }
    for int k in [n:-1:0] { total += 10; if (k == 1) { break; } }
    bit[8] out; out = total;"""
    (found,) = qfast.sample(Circuit.from_qasm(text), 5, seed=1, **REFERENCE).get_counts()
    assert int(found[:8], 2) == 1 + 3 + 30


@pytest.mark.parametrize("gate", ["x", "y", "z", "s", "tdg", "rx(0.3)", "p(-0.4)"])
def test_an_exponent_may_be_a_parameter_of_the_gate(gate: str) -> None:
    head = f'OPENQASM 3.0; include "stdgates.inc"; gate g(e) a {{ pow(e) @ {gate} a; }} qubit[2] q; h q;'
    for exponent in ("0.5", "2", "-0.75"):
        own = qfast.simulate(Circuit.from_qasm(f"{head} ctrl @ g({exponent}) q[0], q[1];"), **REFERENCE).amplitudes
        plain = Circuit.from_qasm(f"{head} ctrl @ pow({exponent}) @ {gate} q[0], q[1];")
        assert np.allclose(own, qfast.simulate(plain, **REFERENCE).amplitudes, atol=1e-12)

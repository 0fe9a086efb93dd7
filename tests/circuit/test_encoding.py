"""Circuits as bytes: what is read is the circuit that was written, or an error that says where it is none."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings

from qfast import simulate
from qfast.circuit import Circuit, Parameter
from qfast.circuit.classical import Binary, Bits, Call, Index, Literal, Unary
from qfast.errors import CircuitError, InputError
from tests.circuit.strategies import circuits
from tests.circuit.test_value import flowing


def wide() -> Circuit:
    """Classical expressions of every kind, names of every alphabet, numbers of any size."""
    circuit = Circuit(2, 3).h(0)
    circuit.add_qubit_register("größe", 1)
    circuit.add_classical_register("a b", 70)
    x = circuit.add_variable("x", "float")
    n = circuit.add_variable("n", "int", 64)
    circuit.assign(Index(n, Literal(3)), Unary("!", Binary("<", Call("sin", (x,)), Literal(-0.0))))
    circuit.assign(Bits(3, 70), Literal(2**69 + 1)).assign(n, Literal(True)).assign(n, Literal(-(2**63)))
    circuit.assign(n, Call("rotl", (Bits(0, 3), Literal(1)))).for_loop([], circuit.block().rx(Parameter("é") / 3, 0))
    return circuit.for_loop(range(10, 0, -3), circuit.block().if_test((0, 1), circuit.block().x(0)))


def all_data() -> Circuit:
    circuit = Circuit(4).h(0).mc("ry", [0, 1], 3, 0.7, ctrl_state=1).unitary(np.diag([1, 1j]), 2)
    circuit.diagonal([1, 1j, -1, 1], [0, 3]).permutation([2, 0, 1, 3], [1, 2]).barrier()
    return circuit.pauli_rotation("XZ", [1, 3], 0.4)


SAMPLES = [
    Circuit(),
    Circuit(0, 3),
    all_data(),
    Circuit(3).h(0).cx(0, 1).u(0.1, 0.2, Parameter("a"), 2),
    flowing(),
    wide(),
]


@pytest.mark.parametrize("circuit", SAMPLES)
def test_what_is_read_is_what_was_written(circuit: Circuit) -> None:
    content = circuit.to_bytes()
    again = Circuit.from_bytes(content)
    assert again == circuit
    assert again.to_bytes() == content
    assert again.qubit_registers == circuit.qubit_registers
    assert Circuit.from_bytes(memoryview(bytearray(content))) == circuit


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_any_circuit_survives(circuit: Circuit) -> None:
    again = Circuit.from_bytes(circuit.to_bytes())
    assert again == circuit
    assert [repr(step) for step in again] == [repr(step) for step in circuit]


@pytest.mark.parametrize("circuit", SAMPLES)
def test_bytes_that_end_early_or_late_are_refused(circuit: Circuit) -> None:
    content = circuit.to_bytes()
    for end in range(len(content)):
        with pytest.raises(InputError):
            Circuit.from_bytes(content[:end])
    with pytest.raises(InputError, match="1 bytes are left over"):
        Circuit.from_bytes(content + b"\0")


def mutated(content: bytes, source: random.Random) -> bytes:
    """Change, drop, repeat or splice some bytes."""
    changed = bytearray(content)
    for _ in range(source.choice((1, 1, 1, 2, 5))):
        at = source.randrange(len(changed))
        match source.randrange(5):
            case 0:
                changed[at] ^= 1 << source.randrange(8)
            case 1:
                changed[at] = source.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del changed[at : at + source.randrange(1, 9)]
            case 3:
                changed[at:at] = changed[source.randrange(len(changed)) :][: source.randrange(1, 9)]
            case _:
                changed[at : at + 8] = source.choice((0, 1, 2**31, 2**32, 2**63, 2**64 - 1)).to_bytes(8, "little")
        if not changed:
            changed = bytearray(b"\0")
    return bytes(changed)


@pytest.mark.parametrize("circuit", SAMPLES[2:])
def test_mutated_bytes_are_refused_or_hold_a_circuit_that_can_be_used(circuit: Circuit) -> None:
    source = random.Random(7)
    content = circuit.to_bytes()
    read = 0
    for _ in range(700):
        try:
            again = Circuit.from_bytes(mutated(content, source))
        except InputError:
            continue
        read += 1
        assert Circuit.from_bytes(again.to_bytes()) == again
        assert len(again.digest) == 32
        again.depth()
        repr(list(again))
        if again.num_qubits < 8 and not again.num_parameters and all(step.is_gate for step in again):
            assert abs(np.linalg.norm(np.asarray(simulate(again))) - 1) < 1e-3
    assert read  # some mutations change a number, a name or an operand to another that may stand there


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "they do not begin as one"),
        (b"OPENQASM 3.0;", "they do not begin as one"),
        (b"qfast circuit" + bytes(4), "their version is 0, this qfast reads version 1"),
        (b"qfast circuit\1\0\0\0" + b"\xff" * 8, "4294967295 stands where a number below 2147483648 must"),
    ],
)
def test_other_bytes_are_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Circuit.from_bytes(content)


def test_what_is_no_bytes_is_refused() -> None:
    with pytest.raises(InputError, match="a circuit is read from bytes, str given"):
        Circuit.from_bytes("qfast circuit")  # type: ignore[arg-type]


def test_control_flow_nested_beyond_the_limit_is_refused_when_written() -> None:
    def nested(depth: int) -> Circuit:
        circuit = Circuit(1, 1).x(0)
        for _ in range(depth):
            circuit = Circuit(1, 1).if_test((0, 1), circuit)
        return circuit

    assert Circuit.from_bytes(nested(64).to_bytes()) == nested(64)
    with pytest.raises(CircuitError, match="nested deeper than 64"):
        nested(65).to_bytes()


def test_a_matrix_of_single_precision_survives() -> None:
    rotation = np.array([[0.6, 0.8], [-0.8, 0.6]], dtype=np.complex64)
    circuit = Circuit(1).unitary(rotation, 0)
    assert Circuit.from_bytes(circuit.to_bytes()) == circuit

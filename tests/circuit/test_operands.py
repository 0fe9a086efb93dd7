"""Operands as people write them: numbers of any kind, and several at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qfast.circuit import Circuit, Parameter, ParameterVector
from qfast.errors import CircuitError, ParameterError

A = Parameter("a")
V = ParameterVector("v", 3)


def with_registers() -> tuple[Circuit, Any, Any]:
    circuit = Circuit()
    return circuit, circuit.add_qubit_register("a", 2), circuit.add_qubit_register("b", 2)


SAME: list[tuple[Callable[[Circuit], Circuit], Callable[[Circuit], Circuit]]] = [
    (lambda c: c.h(range(4)), lambda c: c.h(0).h(1).h(2).h(3)),
    (lambda c: c.h([2, 0]), lambda c: c.h(2).h(0)),
    (lambda c: c.h(slice(1, 3)), lambda c: c.h(1).h(2)),
    (lambda c: c.h(np.array([3, 1])), lambda c: c.h(3).h(1)),
    (lambda c: c.h(()), lambda c: c),
    (lambda c: c.h(np.int64(2)).x(np.uint8(1)), lambda c: c.h(2).x(1)),
    (lambda c: c.h(np.array(2)), lambda c: c.h(2)),
    (lambda c: c.cx(0, [1, 2]), lambda c: c.cx(0, 1).cx(0, 2)),
    (lambda c: c.cx([1, 2], 0), lambda c: c.cx(1, 0).cx(2, 0)),
    (lambda c: c.cx([0, 1], [2, 3]), lambda c: c.cx(0, 2).cx(1, 3)),
    (lambda c: c.ccx([0, 1], 3, range(1, 3)), lambda c: c.ccx(0, 3, 1).ccx(1, 3, 2)),
    (lambda c: c.rx(0.5, range(3)), lambda c: c.rx(0.5, 0).rx(0.5, 1).rx(0.5, 2)),
    (lambda c: c.rx([0.1, A], [0, 1]), lambda c: c.rx(0.1, 0).rx(A, 1)),
    (lambda c: c.ry(V, range(3)), lambda c: c.ry(V[0], 0).ry(V[1], 1).ry(V[2], 2)),
    (lambda c: c.rz(np.linspace(0, 1, 2), 3), lambda c: c.rz(0.0, 3).rz(1.0, 3)),
    (lambda c: c.rzz(A, [0, 1], [1, 2]), lambda c: c.rzz(A, 0, 1).rzz(A, 1, 2)),
    (lambda c: c.measure(0), lambda c: c.measure(0, 0)),
    (lambda c: c.measure([2, 1]), lambda c: c.measure(2, 2).measure(1, 1)),
    (lambda c: c.measure(slice(None)), lambda c: c.measure(range(4), range(4))),
    (lambda c: c.measure(range(2), [3, 0]), lambda c: c.measure(0, 3).measure(1, 0)),
    (lambda c: c.reset(range(2)).barrier([0, 1], 3), lambda c: c.reset(0).reset(1).barrier(0, 1, 3)),
    (lambda c: c.rx(np.float32(0.5), 0).rx(1, 1), lambda c: c.rx(0.5, 0).rx(1.0, 1)),
    (lambda c: c.rx(theta=0.5, qubit=1), lambda c: c.rx(0.5, 1)),
]


@pytest.mark.parametrize(("short", "long"), SAME)
def test_operands_that_name_several_append_one_gate_each(
    short: Callable[[Circuit], Circuit], long: Callable[[Circuit], Circuit]
) -> None:
    assert short(Circuit(4, 4)) == long(Circuit(4, 4))


def test_registers_go_together() -> None:
    circuit, first, second = with_registers()
    other, _, _ = with_registers()
    assert circuit.h(first).cx(first, second).x(second[0]) == other.h(0).h(1).cx(0, 2).cx(1, 3).x(2)


WRONG: list[tuple[Callable[[Circuit], Any], type[Exception], str]] = [
    (lambda c: c.cx([0, 1], [1, 2, 3]), CircuitError, "'cx' at instruction 1: operands name 2 and 3 at once"),
    (lambda c: c.h([0, 4]), CircuitError, "gate 'h' at instruction 2: target is qubit 4, out of range"),
    (lambda c: c.cx([0, 1], [2, 1]), CircuitError, "gate 'cx' at instruction 2: control and target are both qubit 1"),
    (lambda c: c.h("01"), CircuitError, "target is '01'; a qubit is named by an integer, several by a list"),
    (lambda c: c.h([0, 1.5]), CircuitError, r"target is 1\.5; a qubit is named by an integer"),
    (lambda c: c.h([[0, 1]]), CircuitError, r"target is \[0, 1\]; a qubit is named by an integer"),
    (lambda c: c.h([True]), CircuitError, "target is True; a qubit is named by an integer"),
    (lambda c: c.h(np.array(0.0)), CircuitError, "a qubit is named by an integer"),
    (lambda c: c.rx([0.1, 0.2], [0, 1, 2]), CircuitError, "operands name 2 and 3 at once"),
    (lambda c: c.rx([0.1, np.inf], 0), ParameterError, "gate 'rx' at instruction 2: the parameter: inf is not finite"),
    (lambda c: c.rx(np.complex128(1), 0), ParameterError, "is not a real number or a parameter expression"),
    (lambda c: c.rx(np.complex64(1), 0), ParameterError, "is not a real number or a parameter expression"),
    (lambda c: c.rx(np.array(1j), 0), ParameterError, "is not a real number or a parameter expression"),
    (lambda c: c.rx(1j, 0), ParameterError, "is not a real number or a parameter expression"),
    (lambda c: c.measure(3), CircuitError, "classical bit 3 .the qubit's own number, as no classical bit is given. is"),
    (lambda c: c.measure([0, 1], 0), CircuitError, "2 qubits are measured into 1 classical bits"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_operands_are_refused_with_what_is_allowed_and_change_nothing(
    call: Callable[[Circuit], Any], error: type[Exception], message: str
) -> None:
    circuit = Circuit(4, 2).x(0)
    with pytest.raises(error, match=message):
        call(circuit)
    assert circuit == Circuit(4, 2).x(0)


def test_a_wrong_number_of_operands_is_pythons_error() -> None:
    for call in (lambda: Circuit(2).h(), lambda: Circuit(2).h(0, 1), lambda: Circuit(2).rx(0.5, angle=0)):
        with pytest.raises(TypeError, match=r"(h|rx)\(\)"):
            call()  # type: ignore[no-untyped-call]


def test_gate_methods_look_like_functions() -> None:

    assert str(inspect.signature(Circuit.rx)) == "(self, theta: 'Angle', qubit: 'Operand') -> 'Self'"
    assert Circuit.rx.__name__ == "rx"
    assert Circuit.rx.__doc__ == "Exp(-i theta/2 X)."
    assert inspect.isroutine(Circuit.rx)
    bound = Circuit(1).rx
    assert len(bound(0.5, 0)) == 1
    with pytest.raises(AttributeError):
        Circuit.rx("no circuit", 0.5, 0)  # type: ignore[arg-type]

"""What has no gradient is refused with its place and a remedy."""

from __future__ import annotations

import numpy as np
import pytest

import qfast
from qfast import Circuit, Parameter, PauliSum
from qfast.errors import CircuitError, InputError, ObservableError, ParameterError

THETA = Parameter("theta")
Z = PauliSum([("Z", [0])])


def test_a_gradient_through_a_measurement_names_the_instruction() -> None:
    circuit = Circuit(1, 1).ry(THETA, 0).measure(0, 0).h(0)
    with pytest.raises(CircuitError, match=r"'measure' at instruction 1 is no gate; .* take the part before it"):
        qfast.compile(circuit).gradient([0.3], Z)


def test_a_gradient_through_a_reset_or_control_flow_names_the_instruction() -> None:
    with pytest.raises(CircuitError, match="'reset' at instruction 1"):
        qfast.compile(Circuit(1).ry(THETA, 0).reset(0)).gradient([0.3], Z)
    circuit = Circuit(1, 1).ry(THETA, 0)
    circuit.for_loop(range(2), circuit.block().x(0))
    with pytest.raises(CircuitError, match="'for_loop' at instruction 1"):
        qfast.compile(circuit).gradient([0.3], Z, method="parameter_shift")


@pytest.mark.parametrize("method", ["adjoint", "parameter_shift"])
def test_an_observable_that_is_not_hermitian_is_refused(method) -> None:
    observable = PauliSum([("X", [0]), ("Z", [0], 2 + 1j)])
    with pytest.raises(ObservableError, match=r"not Hermitian: term 1 has the coefficient \(2\+1j\)"):
        qfast.compile(Circuit(1).ry(THETA, 0)).gradient([0.3], observable, method=method)


def test_an_observable_beyond_the_circuit_or_of_another_type_is_refused() -> None:
    program = qfast.compile(Circuit(1).ry(THETA, 0))
    with pytest.raises(ObservableError, match="acts on qubit 3"):
        program.gradient([0.3], PauliSum([("Z", [3])]))
    with pytest.raises(ObservableError, match=r"gradient: an observable is a .*, str given"):
        program.gradient([0.3], ["Z"])


def test_thirteen_controls_are_too_many_for_the_adjoint_method() -> None:
    circuit = Circuit(14).x(0).append("ry", [13], THETA, controls=list(range(13)))
    with pytest.raises(CircuitError, match=r"instruction 1 has 13 extra controls .* use method='parameter_shift'"):
        qfast.compile(circuit).gradient([0.3], Z)


def test_a_derivative_that_is_not_finite_is_refused() -> None:
    program = qfast.compile(Circuit(1).ry(THETA.sqrt(), 0))
    assert program.gradient([0.25], Z) == pytest.approx([-np.sin(0.5)])
    with pytest.raises(ParameterError, match="no finite real value"):
        program.gradient([0.0], Z)


def test_bad_arguments_are_refused() -> None:
    program = qfast.compile(Circuit(1).ry(THETA, 0))
    with pytest.raises(InputError, match="'finite' is unknown; 'adjoint' and 'parameter_shift' are known"):
        program.gradient([0.3], Z, method="finite")
    with pytest.raises(InputError, match="takes no shots"):
        program.gradient([0.3], Z, shots=10)
    with pytest.raises(
        InputError, match=r"one finite cotangent for each expectation value, shape \(1,\), is needed, .* \(2,\)"
    ):
        program.vjp([0.3], [Z], [1.0, 2.0])
    with pytest.raises(InputError, match=r"shape \(2,\), is needed"):
        program.vjp([[0.3], [0.1]], Z, 1.0)
    with pytest.raises(InputError, match=r"values of shape \(p,\)"):
        program.metric_tensor([[0.3]])
    with pytest.raises(ParameterError, match=r"shape \(2,\)"):
        program.gradient([0.3, 0.1], Z)

"""Expectation values as JAX functions, against finite differences and `Program.gradient`."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import qfast
import qfast.jax
from qfast import Circuit, Parameter, PauliSum
from qfast.errors import ObservableError, ParameterError
from tests.gradient.differences import random_observable
from tests.gradient.page import run_page

A, B = Parameter("a"), Parameter("b")


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """Double precision, which JAX leaves off by default."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture
def program() -> qfast.Program:
    """Shared parameters and an expression."""
    circuit = Circuit(3).h(0).ry(A, 0).cx(0, 1).rzz(A * B, 1, 2).rx(2 * B + 0.3, 2).cx(2, 0).rx(A, 1)
    return qfast.compile(circuit)


@pytest.mark.parametrize("shape", [(2,), (4, 2), (2, 3, 2)])
@pytest.mark.parametrize("several", [False, True])
def test_values_and_gradients_of_any_leading_axes(program, rng, shape, several) -> None:
    observables = [random_observable(rng, 3), random_observable(rng, 3)]
    function = qfast.jax.expectation(program, observables if several else observables[0])
    values = rng.normal(size=shape)
    found, pull_back = jax.vjp(function, jnp.asarray(values))
    rows = values.reshape(-1, 2)
    wanted = [program.expectation(row, observables if several else observables[0]) for row in rows]
    assert found.shape == shape[:-1] + ((2,) if several else ())
    assert found.dtype == np.float64
    assert np.allclose(np.ravel(found), np.ravel(wanted), atol=1e-13)
    weights = rng.normal(size=found.shape)
    (gradients,) = pull_back(jnp.asarray(weights))
    cotangents = weights.reshape(len(rows), -1)
    for row, cotangent, gradient in zip(rows, cotangents, gradients.reshape(-1, 2), strict=True):
        assert np.allclose(gradient, cotangent @ program.gradient(row, observables[: len(cotangent)]), atol=1e-12)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("transform", [lambda function: function, jax.jit, jax.vmap])
def test_gradients_are_those_of_finite_differences(program, rng, several, transform) -> None:
    observables = [random_observable(rng, 3), random_observable(rng, 3)]
    function = transform(qfast.jax.expectation(program, observables if several else observables[0]))
    check_grads(function, (jnp.asarray(rng.normal(size=(3, 2))),), order=1, modes=["rev"], eps=1e-4)


@pytest.mark.parametrize("several", [False, True])
def test_mapping_hands_over_all_rows_at_once(program, rng, several, monkeypatch) -> None:
    observables = [random_observable(rng, 3), random_observable(rng, 3)]
    function = qfast.jax.expectation(program, observables if several else observables[0])
    rows = rng.normal(size=(5, 2))
    gradients = program.gradient(rows, observables if several else observables[0])
    calls: list[tuple[int, ...]] = []
    vjp = qfast.Program.vjp

    def counted(self: qfast.Program, values: np.ndarray, *arguments: object, **options: object) -> np.ndarray:
        calls.append(values.shape)
        return vjp(self, values, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(qfast.Program, "vjp", counted)
    assert np.allclose(jax.vmap(function)(rows), function(rows), atol=1e-13)
    assert np.allclose(jax.jit(jax.vmap(jax.jacrev(function)))(rows), gradients, atol=1e-12)
    assert calls == ([(10, 2)] if several else [])


def test_single_precision_is_the_default_of_jax(program, rng) -> None:
    jax.config.update("jax_enable_x64", False)
    observable, values = random_observable(rng, 3), rng.normal(size=2)
    function = qfast.jax.expectation(program, observable)
    found, gradient = function(values), jax.grad(function)(jnp.asarray(values))
    assert found.dtype == gradient.dtype == np.float32
    assert np.allclose(gradient, program.gradient(values, observable), atol=1e-5)


def test_an_initial_state_is_started_from(program, rng) -> None:
    observable, initial, values = random_observable(rng, 3), np.eye(8)[5], rng.normal(size=2)
    gradient = jax.grad(qfast.jax.expectation(program, observable, initial_state=initial))(jnp.asarray(values))
    assert np.allclose(gradient, program.gradient(values, observable, initial_state=initial), atol=1e-13)


def test_a_second_derivative_is_refused(program) -> None:
    function = qfast.jax.expectation(program, PauliSum([("Z", [0])]))
    with pytest.raises(ValueError, match="Pure callbacks do not support JVP"):
        jax.hessian(function)(jnp.array([0.1, 0.2]))


def test_the_block_of_the_page_on_gradients_gives_its_gradient() -> None:
    page = run_page("jax")
    assert np.allclose(page["slope"], page["gradient"], atol=1e-12)
    assert np.allclose(page["table"][0], page["value"], atol=1e-12)


def test_bad_arguments_are_refused(program) -> None:
    with pytest.raises(ObservableError, match="not Hermitian"):
        qfast.jax.expectation(program, PauliSum([("Z", [0], 1j)]))
    with pytest.raises(ParameterError, match=r"shape \(3,\) were given; their last axis must hold the program's 2"):
        qfast.jax.expectation(program, PauliSum([("Z", [0])]))(jnp.zeros(3))

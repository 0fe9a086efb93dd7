"""Expectation values as PyTorch functions, against torch's own finite differences and `Program.gradient`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import qfast
import qfast.torch
from qfast import Circuit, Parameter, PauliSum
from qfast.errors import InputError, ObservableError, ParameterError
from tests.gradient.differences import random_observable
from tests.gradient.page import run_page

A, B = Parameter("a"), Parameter("b")


@pytest.fixture
def program() -> qfast.Program:
    """Shared parameters and an expression."""
    circuit = Circuit(3).h(0).ry(A, 0).cx(0, 1).rzz(A * B, 1, 2).rx(2 * B + 0.3, 2).cx(2, 0).rx(A, 1)
    return qfast.compile(circuit)


def tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("shape", [(2,), (4, 2), (2, 3, 2), (0, 2)])
@pytest.mark.parametrize("several", [False, True])
def test_values_and_gradients_of_any_leading_axes(program, rng, shape, several) -> None:
    observables = [random_observable(rng, 3), random_observable(rng, 3)]
    values = tensor(*shape)
    found = qfast.torch.expectation(program, observables if several else observables[0])(values)
    rows = values.detach().numpy().reshape(-1, 2)
    wanted = [program.expectation(row, observables if several else observables[0]) for row in rows]
    assert found.shape == shape[:-1] + ((2,) if several else ())
    assert found.dtype == torch.float64
    assert np.allclose(found.detach().numpy().ravel(), np.ravel(wanted), atol=1e-13)
    weights = torch.from_numpy(rng.normal(size=tuple(found.shape)))
    (found * weights).sum().backward()
    cotangents = weights.numpy().reshape(len(rows), 2 if several else 1)
    for row, cotangent, gradient in zip(rows, cotangents, values.grad.numpy().reshape(-1, 2), strict=True):
        assert np.allclose(gradient, cotangent @ program.gradient(row, observables[: len(cotangent)]), atol=1e-12)


@pytest.mark.parametrize("several", [False, True])
def test_gradcheck(program, rng, several) -> None:
    observables = [random_observable(rng, 3), random_observable(rng, 3)]
    function = qfast.torch.expectation(program, observables if several else observables[0])
    assert torch.autograd.gradcheck(function, (tensor(3, 2),))
    assert torch.autograd.gradcheck(lambda values: function(values.sin()), (tensor(2),))


def test_an_initial_state_is_started_from(program, rng) -> None:
    observable, initial = random_observable(rng, 3), np.eye(8)[5]
    values = tensor(2)
    qfast.torch.expectation(program, observable, initial_state=initial)(values).backward()
    wanted = program.gradient(values.detach().numpy(), observable, initial_state=initial)
    assert np.allclose(values.grad.numpy(), wanted, atol=1e-13)


def test_float32_comes_back_as_float32(program, rng) -> None:
    values = tensor(2).detach().float().requires_grad_()
    found = qfast.torch.expectation(program, random_observable(rng, 3))(values)
    found.backward()
    assert found.dtype == values.grad.dtype == torch.float32


def test_a_tensor_that_requires_no_gradient_gets_none(program, rng) -> None:
    found = qfast.torch.expectation(program, random_observable(rng, 3))(tensor(2).detach())
    assert not found.requires_grad


@pytest.mark.parametrize("several", [False, True])
def test_function_transforms(program, rng, several) -> None:
    observables = [random_observable(rng, 3), random_observable(rng, 3)]
    function = qfast.torch.expectation(program, observables if several else observables[0])
    rows = tensor(4, 2).detach()
    gradients = program.gradient(rows.numpy(), observables if several else observables[0])
    assert torch.allclose(torch.func.vmap(function)(rows), function(rows))
    assert torch.allclose(torch.func.vmap(function, in_dims=1)(rows.T), function(rows))
    assert np.allclose(torch.func.jacrev(function)(rows[0]).numpy(), gradients[0], atol=1e-12)
    assert np.allclose(torch.func.vmap(torch.func.jacrev(function))(rows).numpy(), gradients, atol=1e-12)


def test_a_circuit_inside_a_model_is_trained(program) -> None:
    torch.manual_seed(1)
    model = torch.nn.Linear(1, 2, dtype=torch.float64)
    energy = qfast.torch.expectation(program, PauliSum([("Z", [0]), ("ZZ", [1, 2])]))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    inputs = torch.ones(5, 1, dtype=torch.float64)
    before = energy(model(inputs)).detach().mean()
    for _ in range(100):
        optimizer.zero_grad()
        energy(model(inputs)).mean().backward()
        optimizer.step()
    assert energy(model(inputs)).detach().mean() < before - 0.5


@pytest.mark.parametrize("several", [False, True])
def test_a_second_derivative_is_refused(program, rng, several) -> None:
    observable = random_observable(rng, 3)
    values = tensor(2)
    found = qfast.torch.expectation(program, [observable] if several else observable)(values).sum()
    (gradient,) = torch.autograd.grad(found, values, create_graph=True)
    with pytest.raises(InputError, match="can be differentiated once"):
        gradient.sum().backward()


def test_the_block_of_the_page_on_gradients_gives_its_gradient() -> None:
    page = run_page("torch")
    assert np.allclose(page["values"].grad.numpy(), page["gradient"], atol=1e-12)


def test_bad_arguments_are_refused(program) -> None:
    with pytest.raises(ObservableError, match="not Hermitian"):
        qfast.torch.expectation(program, PauliSum([("Z", [0], 1j)]))
    function = qfast.torch.expectation(program, PauliSum([("Z", [0])]))
    with pytest.raises(ParameterError, match=r"shape \(3,\) were given; their last axis must hold the program's 2"):
        function(tensor(3))
    with pytest.raises(InputError, match="float64 or float32, list given"):
        function([0.1, 0.2])
    with pytest.raises(InputError, match=r"float64 or float32, torch\.int64 given"):
        function(torch.tensor([1, 2]))

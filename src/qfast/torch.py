"""Expectation values that PyTorch differentiates (the extra ``qfast-sim[torch]``).

Examples
--------
>>> import torch
>>> import qfast
>>> circuit = qfast.Circuit(1).ry(qfast.Parameter("theta"), 0)
>>> energy = expectation(qfast.compile(circuit), qfast.PauliSum([("Z", [0])]))
>>> theta = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
>>> energy(theta).backward()
>>> bool(torch.isclose(theta.grad, -torch.sin(theta)))
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

try:
    import torch
except ImportError as error:
    raise ImportError(
        f"qfast.torch needs PyTorch, which cannot be imported ({error}); "
        "install it with: pip install 'qfast-sim[torch]'"
    ) from error

from qfast._typing import FloatArray
from qfast.circuit import Observable
from qfast.errors import InputError
from qfast.simulation import Program
from qfast.simulation.differentiable import Differentiable

__all__ = ["expectation"]


def expectation(
    program: Program, observable: Observable | Sequence[Observable], *, initial_state: Any = None
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return ⟨ψ(values)|O|ψ(values)⟩ as a function of a tensor.

    Parameters
    ----------
    program : Program
        Of a circuit of gates, with measurements at its end at most.
    observable : observable, or sequence of k observables
        Hermitian.
    initial_state
        As for `simulate`; no gradient is taken by it.

    Returns
    -------
    callable
        Takes values of shape (p,) or (..., p), in the order of ``program.parameters``, float64 or float32, on any
        device; returns a tensor of shape () or (...,), or (k,) or (..., k) for several observables, of the same type on
        the same device.

    Raises
    ------
    ObservableError
        An observable is not Hermitian.
    InputError
        Of the function: no tensor of float64 or float32; a second derivative is asked for.
    ParameterError
        Of the function: the last axis does not hold the program's parameters.

    Notes
    -----
    Computed on the CPU in the program's precision, rows of values together. The gradient is that of `Program.vjp`
    (adjoint): once for all Pauli sums of a row. It works with ``backward``, ``torch.autograd.grad`` and ``torch.func``
    (``grad``, ``vjp``, ``jacrev``, ``vmap``); there is no second derivative. For one observable the gradient is
    computed together with the value where the tensor requires it, so that both cost one gradient.
    """
    measured = Differentiable(program, observable, initial_state)

    def function(values: torch.Tensor) -> torch.Tensor:
        if not isinstance(values, torch.Tensor) or values.dtype not in (torch.float64, torch.float32):
            given = values.dtype if isinstance(values, torch.Tensor) else type(values).__name__
            raise InputError(f"parameter values are a tensor of float64 or float32, {given} given")
        measured.shape(tuple(values.shape))
        return _Expectation.apply(values, measured)[0]

    return function


class _Expectation(torch.autograd.Function):
    """Values, and gradients where they cost nothing more: else that output has no parameters on its last axis."""

    @staticmethod
    def forward(values: torch.Tensor, measured: Differentiable) -> tuple[torch.Tensor, torch.Tensor]:
        if values.requires_grad and not measured.several:
            found, gradients = measured.values_and_gradients(_array(values))
            return _tensor(found, values), _tensor(gradients, values)
        return _tensor(measured.values(_array(values)), values), values.new_empty((*values.shape[:-1], 0))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, Differentiable], output: tuple[torch.Tensor, ...]) -> None:
        values, ctx.measured = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(values, output[1])

    @staticmethod
    def backward(ctx: Any, cotangents: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _PullBack.apply(*ctx.saved_tensors, cotangents, ctx.measured), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None], values: torch.Tensor, measured: Differentiable) -> Any:
        return _Expectation.apply(values.movedim(in_dims[0], 0), measured), (0, 0)


class _PullBack(torch.autograd.Function):
    """The vector-Jacobian product; a function of its own, so that it can be mapped and refuses to be differentiated."""

    @staticmethod
    def forward(
        values: torch.Tensor, gradients: torch.Tensor, cotangents: torch.Tensor, measured: Differentiable
    ) -> torch.Tensor:
        if gradients.shape == values.shape:
            return cotangents.unsqueeze(-1) * gradients
        return _tensor(measured.pull_back(_array(values), _array(cotangents)), values)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> None:
        raise InputError(
            "an expectation value can be differentiated once, a second derivative was asked for; "
            "take finite differences of Program.gradient"
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[torch.Tensor, int]:
        *tensors, measured = inputs
        together = [
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims, strict=False)
        ]
        return _PullBack.apply(*together, measured), 0


def _array(tensor: torch.Tensor) -> FloatArray:
    found: FloatArray = tensor.detach().to(device="cpu", dtype=torch.float64).numpy()
    return found


def _tensor(array: FloatArray, like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(array).to(like)

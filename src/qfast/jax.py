"""Expectation values that JAX differentiates (the extra ``qfast-sim[jax]``).

Examples
--------
>>> import jax
>>> import qfast
>>> circuit = qfast.Circuit(1).ry(qfast.Parameter("theta"), 0)
>>> energy = expectation(qfast.compile(circuit), qfast.PauliSum([("Z", [0])]))
>>> gradient = jax.jit(jax.grad(energy))(jax.numpy.array([0.5]))
>>> bool(abs(gradient[0] + jax.numpy.sin(0.5)) < 1e-6)
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    raise ImportError(
        f"qfast.jax needs JAX, which cannot be imported ({error}); install it with: pip install 'qfast-sim[jax]'"
    ) from error

import numpy as np

from qfast._typing import AnyArray, FloatArray
from qfast.circuit import Observable
from qfast.simulation import Program
from qfast.simulation.differentiable import Differentiable

__all__ = ["expectation"]


def expectation(
    program: Program, observable: Observable | Sequence[Observable], *, initial_state: Any = None
) -> Callable[[jax.typing.ArrayLike], jax.Array]:
    """Return ⟨ψ(values)|O|ψ(values)⟩ as a function of an array.

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
        Takes values of shape (p,) or (..., p), in the order of ``program.parameters``; returns an array of shape () or
        (...,), or (k,) or (..., k) for several observables. Type: JAX's default, float32, or float64 where
        ``jax_enable_x64`` is set.

    Raises
    ------
    ObservableError
        An observable is not Hermitian.
    ParameterError
        Of the function: the last axis does not hold the program's parameters.

    Notes
    -----
    Computed on the CPU in the program's precision, rows of values together, by a callback: ``jit`` and ``vmap`` (which
    hands over all rows at once) work, and reverse-mode derivatives do: ``grad``, ``vjp``, ``jacrev``. There are neither
    forward-mode nor second derivatives. The gradient is that of `Program.vjp` (adjoint): once for all Pauli sums of a
    row; for one observable it is computed together with the value, so that both cost one gradient.
    """
    measured = Differentiable(program, observable, initial_state)

    def plain(values: jax.Array) -> jax.Array:
        return _call(measured.values, [measured.shape(values.shape)], values)[0]

    def forward(values: jax.Array) -> tuple[jax.Array, jax.Array]:
        if measured.several:
            return plain(values), values
        shapes = [measured.shape(values.shape), values.shape]
        found, gradients = _call(measured.values_and_gradients, shapes, values)
        return found, gradients

    def backward(saved: jax.Array, cotangents: jax.Array) -> tuple[jax.Array]:
        if measured.several:
            return (_call(measured.pull_back, [saved.shape], saved, cotangents)[0],)
        return (cotangents[..., None] * saved,)

    function = jax.custom_vjp(plain)
    function.defvjp(forward, backward)
    return lambda values: function(jnp.asarray(values, dtype=float))


def _call(
    compute: Callable[..., FloatArray | tuple[FloatArray, ...]], shapes: list[tuple[int, ...]], *arrays: jax.Array
) -> tuple[jax.Array, ...]:
    """Compute in numpy; rows that are mapped over come as more leading axes, of arguments and results alike."""
    dtype = arrays[0].dtype

    def callback(*given: jax.Array) -> tuple[AnyArray, ...]:
        found = compute(*(np.asarray(array, dtype=np.float64) for array in given))
        return tuple(part.astype(dtype, copy=False) for part in (found if isinstance(found, tuple) else (found,)))

    results = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes)
    found: tuple[jax.Array, ...] = jax.pure_callback(callback, results, *arrays, vmap_method="broadcast_all")
    return found

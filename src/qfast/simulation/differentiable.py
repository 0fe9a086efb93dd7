"""Expectation values of a program as a function of arrays: what the hooks for PyTorch and JAX have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qfast._typing import FloatArray
from qfast.circuit import Observable
from qfast.circuit.operators import check_hermitian
from qfast.errors import ParameterError
from qfast.simulation.gradient import flat_observables
from qfast.simulation.program import Program

__all__ = ["Differentiable"]


class Differentiable:
    """⟨ψ(values)|O|ψ(values)⟩ for values of shape (..., p), with its vector-Jacobian product.

    Parameters
    ----------
    program : Program
    observable : observable, or sequence of k observables
        Hermitian.
    initial_state
        As for `simulate`.

    Raises
    ------
    ObservableError
        An observable is not Hermitian.
    """

    def __init__(
        self, program: Program, observable: Observable | Sequence[Observable], initial_state: Any = None
    ) -> None:
        listed, several = flat_observables(observable)
        for one in listed:
            check_hermitian(one, "gradient")
        self._program = program
        self._observable = listed if several else listed[0]
        self._initial_state = initial_state
        self.several = several
        self._tail = (len(listed),) if several else ()

    def shape(self, shape_of_values: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the expectation values: (...,), or (..., k) for several observables.

        Raises
        ------
        ParameterError
            The last axis of the values does not hold the program's parameters.
        """
        number = len(self._program.parameters)
        if not shape_of_values or shape_of_values[-1] != number:
            raise ParameterError(
                f"parameter values of shape {shape_of_values} were given; their last axis must hold the program's "
                f"{number} parameters"
            )
        return shape_of_values[:-1] + self._tail

    def values(self, values: FloatArray) -> FloatArray:
        """Return the expectation values, float64."""
        found = self._program.expectation(self._rows(values), self._observable, initial_state=self._initial_state)
        return np.asarray(found, dtype=np.float64).reshape(self.shape(values.shape))

    def values_and_gradients(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the expectation values and the gradients, of the shape of `values`; for a single observable."""
        found, gradients = self._program.value_and_gradient(
            self._rows(values), self._observable, initial_state=self._initial_state
        )
        return np.asarray(found).reshape(self.shape(values.shape)), gradients.reshape(values.shape)

    def pull_back(self, values: FloatArray, cotangents: FloatArray) -> FloatArray:
        """Return the vector-Jacobian product, of the shape of `values`; see `Program.vjp`."""
        rows = self._rows(values)
        weights = cotangents.reshape(len(rows), *self._tail)
        found = self._program.vjp(rows, self._observable, weights, initial_state=self._initial_state)
        return found.reshape(values.shape)

    def _rows(self, values: FloatArray) -> FloatArray:
        number = int(np.prod(self.shape(values.shape)[: values.ndim - 1]))
        return np.asarray(values, dtype=np.float64).reshape(number, values.shape[-1])

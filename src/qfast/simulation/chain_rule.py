"""From derivatives by angles to derivatives by parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qfast._typing import FloatArray, IntArray
from qfast.circuit import Circuit, Parameter
from qfast.circuit.expressions import expression_table
from qfast.circuit.parameter import ParameterExpression


def sums_by(owners: IntArray, values: FloatArray, count: int) -> FloatArray:
    """Return for each of `count` owners the sum of its values, float64."""
    sums: Any = np.bincount(owners, values, minlength=count)
    found: FloatArray = sums
    return found


class Expressions:
    """Expressions evaluated together for a row of parameter values."""

    def __init__(self, expressions: Sequence[ParameterExpression], parameters: Sequence[Parameter]) -> None:
        holder = Circuit(1)
        for expression in expressions:
            holder.rz(expression, 0)
        self._table = expression_table(holder)
        place = {parameter.name: index for index, parameter in enumerate(parameters)}
        self._inputs: IntArray = np.array([place[name] for name in self._table.names], dtype=np.int64)

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return each expression's value, float64."""
        return self._table.evaluate(values[self._inputs])


class ChainRule:
    """The Jacobian of angles by parameters, of which most entries are constants.

    Parameters
    ----------
    angles : sequence of ParameterExpression
    parameters : sequence of Parameter
        All that occur, and possibly more, in the order of values.
    """

    def __init__(self, angles: Sequence[ParameterExpression], parameters: Sequence[Parameter]) -> None:
        place = {parameter.name: index for index, parameter in enumerate(parameters)}
        rows: list[int] = []
        columns: list[int] = []
        entries: list[float] = []
        varying: dict[int, ParameterExpression] = {}
        for row, angle in enumerate(angles):
            for parameter in angle.parameters:
                derivative = angle.gradient(parameter)
                if isinstance(derivative, ParameterExpression):
                    varying[len(entries)] = derivative
                    derivative = np.nan
                rows.append(row)
                columns.append(place[parameter.name])
                entries.append(derivative)
        self._shape = len(angles), len(parameters)
        self._rows: IntArray = np.array(rows, dtype=np.int64)
        self._columns: IntArray = np.array(columns, dtype=np.int64)
        self._entries: FloatArray = np.array(entries, dtype=np.float64)
        self._places: IntArray = np.array(list(varying), dtype=np.int64)
        self._derivatives = Expressions(list(varying.values()), parameters) if varying else None

    def pull_back(self, by_angle: FloatArray, values: FloatArray) -> FloatArray:
        """Return derivatives by parameter, float64 (p,), from those by angle, float64 (angles,).

        Raises
        ------
        ParameterError
            An angle has no finite derivative at these values.
        """
        weights = self._at(values) * by_angle[self._rows]
        return sums_by(self._columns, weights, self._shape[1])

    def jacobian(self, values: FloatArray) -> FloatArray:
        """Return the derivative of each angle by each parameter, float64 (angles, p)."""
        matrix = np.zeros(self._shape)
        matrix[self._rows, self._columns] = self._at(values)
        return matrix

    def _at(self, values: FloatArray) -> FloatArray:
        if self._derivatives is None:
            return self._entries
        entries = self._entries.copy()
        entries[self._places] = self._derivatives(values)
        return entries

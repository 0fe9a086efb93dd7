"""The parameter-shift rule: derivatives as sums of expectation values at shifted angles, exact or sampled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import FloatArray, IntArray
from qfast.circuit import Circuit, Observable, Parameter, ParameterVector, PauliSum
from qfast.circuit.operators import check_hermitian
from qfast.circuit.transforms import with_expressions
from qfast.errors import ObservableError
from qfast.estimation import group_settings
from qfast.simulation.chain_rule import ChainRule, Expressions, sums_by
from qfast.simulation.gradient_slots import elementary, rotations_of
from qfast.simulation.seeds import derived_seed

if TYPE_CHECKING:
    from qfast.simulation.program import Program

# Under exp(-i a/2 K) an expectation value is a trigonometric polynomial in a. Its frequencies are the differences of
# K's eigenvalues, halved: 1 for a Pauli string and for a phase, 1/2 and 1 for a string under controls. Pairs of (shift,
# weight) of f(a + shift) - f(a - shift). Schuld et al. 2019, doi:10.1103/PhysRevA.99.032331; the second by Anselmetti
# et al. 2021, doi:10.1088/1367-2630/ac2cb3.
_ONE_FREQUENCY = ((math.pi / 2, 0.5),)
_ROOT = math.sqrt(2)
_TWO_FREQUENCIES = (
    (math.pi / 2, (_ROOT + 1) / (4 * _ROOT)),
    (3 * math.pi / 2, -(_ROOT - 1) / (4 * _ROOT)),
)


class ShiftRule:
    """Where to evaluate a circuit for its gradient.

    Parameters
    ----------
    circuit : Circuit
        Gates and barriers only.
    parameters : sequence of Parameter
        Of the circuit, in order.

    Attributes
    ----------
    circuit : Circuit
        The same, with a parameter of its own for each angle of its rotations.
    """

    def __init__(self, circuit: Circuit, parameters: Sequence[Parameter]) -> None:
        rotated = elementary(circuit)
        rotations = rotations_of(rotated)
        angles = [rotation.angle for rotation in rotations]
        self._angles = Expressions(angles, parameters)
        self._chain = ChainRule(angles, parameters)
        own = zip(rotated.expressions, ParameterVector("a", len(angles)), strict=True)
        self.circuit = with_expressions(rotated, dict(own))
        owners, shifts, weights = [], [], []
        for number, rotation in enumerate(rotations):
            is_simple = rotation.is_phase or not rotation.controls
            for shift, weight in _ONE_FREQUENCY if is_simple else _TWO_FREQUENCIES:
                owners += [number, number]
                shifts += [shift, -shift]
                weights += [weight, -weight]
        self._owners: IntArray = np.array(owners, dtype=np.int64)
        self._shifts: FloatArray = np.array(shifts, dtype=np.float64)
        self._weights: FloatArray = np.array(weights, dtype=np.float64)

    def points(self, values: FloatArray) -> FloatArray:
        """Return the values of the own circuit's parameters, float64 (points, angles)."""
        table = np.repeat(self._angles(values)[None, :], len(self._owners), axis=0)
        table[np.arange(len(table)), self._owners] += self._shifts
        return table

    def gradient(self, expectations: FloatArray, values: FloatArray) -> FloatArray:
        """Return the gradient, float64 (p,), from the expectation values at the points."""
        by_angle = sums_by(self._owners, self._weights * expectations, len(self.circuit.expressions))
        return self._chain.pull_back(by_angle, values)


def measured_groups(circuit: Circuit, observable: Observable) -> list[tuple[Circuit, PauliSum]]:
    """Return circuits that end in a measurement basis, each with the diagonal observable that it measures then.

    The multiple of the identity, which has no gradient, is left out.

    Raises
    ------
    ObservableError
        It is no Pauli sum.
    """
    if not isinstance(observable, PauliSum):
        raise ObservableError(
            "gradient: with shots an observable has to be a PauliSum, which is measured in groups of commuting terms, "
            f"{type(observable).__name__} given; leave the shots out, or write it as a Pauli sum"
        )
    found = []
    for setting in group_settings(observable, "qubit_wise")[0]:
        rotation = setting.rotation(circuit.num_qubits)
        changed = circuit if rotation is None else circuit.copy().compose(rotation)
        found.append((changed, setting.diagonal()))
    return found


def shifted_gradients(
    rule: ShiftRule,
    program_of: Callable[[Circuit], Program],
    rows: FloatArray,
    observables: Sequence[Observable],
    shots: int | None,
    seed: int,
    options: dict[str, Any],
) -> FloatArray:
    """Return the gradients at rows of values, shape (m, p), of k observables: float64 (m, k, p).

    `program_of` prepares the rule's circuit, and those of `measured_groups`; the rest as for `shifted_gradient`.
    """
    gradients = np.empty((len(rows), len(observables), rows.shape[1]))
    for place, wanted in enumerate(observables):
        check_hermitian(wanted, "gradient")
        groups: Sequence[tuple[Circuit, Observable]] = [(rule.circuit, wanted)]
        if shots is not None:
            groups = measured_groups(rule.circuit, wanted)
        programs = [(program_of(circuit), measured) for circuit, measured in groups]
        for number, (row, gradient) in enumerate(zip(rows, gradients[:, place], strict=True)):
            own_seed = derived_seed(seed, "shift", place, number)
            gradient[:] = shifted_gradient(rule, programs, row, shots, own_seed, options)
    return gradients


def shifted_gradient(
    rule: ShiftRule,
    programs: Sequence[tuple[Program, Observable]],
    values: FloatArray,
    shots: int | None,
    seed: int,
    options: dict[str, Any],
) -> FloatArray:
    """Return the gradient at one row of values, float64 (p,).

    Parameters
    ----------
    rule : ShiftRule
    programs : sequence of (Program, Observable)
        Of the rule's circuit; with shots, those of `measured_groups`. The expectation values are added up.
    values : ndarray of float64, shape (p,)
    shots : int or None
        Of each circuit at each point; None: exact expectation values.
    seed : int
        Circuit number c has the seed ``derived_seed(seed, "circuit", c)``, and its points are rows of values.
    options : dict
        Passed on to the programs.
    """
    points = rule.points(values)
    total = np.zeros(len(points))
    for number, (program, observable) in enumerate(programs):
        if len(points) == 0:
            break
        if shots is None:
            total += program.expectation(points, observable, **options)
        else:
            assert isinstance(observable, PauliSum)
            samples = program.sample(points, shots, derived_seed(seed, "circuit", number), **options)
            total += [sample.expectation_values(observable) for sample in samples]
    return rule.gradient(total, values)

"""Expectation values of a pub to a standard error, from shots of its device."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qfast.circuit import AnyCircuit
from qfast.circuit.shot_plan import MAX_SHOTS
from qfast.estimation import Estimate, Outcomes, Policy, Setting, group_settings, measure, planned_shots
from qfast.jobs.circuit_work import engine_arguments
from qfast.jobs.device_check import device_bases
from qfast.jobs.pubs import EstimatorPub
from qfast.jobs.results import EstimatorPubResult
from qfast.simulation.asks import State
from qfast.simulation.basis_counts import readout_of
from qfast.simulation.light_cone import light_cone
from qfast.simulation.request import Request
from qfast.simulation.run_settings import run_settings
from qfast.simulation.script import script_of
from qfast.simulation.seeds import derived_seed

if TYPE_CHECKING:
    from qfast.jobs.context import JobContext

__all__ = ["sampled_pub"]


def sampled_pub(pub: EstimatorPub, context: JobContext, seed: int) -> EstimatorPubResult:
    """Measure every element of a pub until its error is small enough.

    Each element has shots of its own, and so an error that is independent of the others'. The circuit is simulated once
    for each set of parameter values. Where the device or the settings limit a job's shots, an element ends with those
    that it was planned with, whatever its error is then.
    """
    shape = pub.of_binding.shape
    values, errors, shots = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    is_limited = context.config["max_shots"] is not None or context.device.max_shots is not None
    measured = _Measured(pub, context, is_limited)
    missed = 0
    for row in range(len(pub.bindings.table)):
        places = [tuple(place) for place in np.argwhere(pub.of_binding == row).tolist()]
        draw_of = measured.draws(row, [int(pub.of_observable[place]) for place in places])
        for place, (number, draw) in zip(places, draw_of, strict=True):
            context.check_cancelled()
            element = int(np.ravel_multi_index(place, shape)) if shape else 0
            found = measured.estimate(number, draw, derived_seed(seed, "estimate", element))
            values[place], errors[place], shots[place] = found.expectation, found.standard_error, found.shots
            missed += not found.metadata.get("target", {"reached": True})["reached"]
    if missed:
        context.log(f"{missed} of {values.size} values end above the precision {pub.precision:g}: shots are limited")
    told = {"target_precision": pub.precision, "method": "sampled", "reached": missed == 0}
    return EstimatorPubResult(values, errors, shots, told)


_Counts = Callable[[int, int, int, int], Outcomes]
"""Setting of an observable, seed, first shot, shots → outcomes."""


class _Measured:
    """The observables of a pub as settings, on the part of the circuit that they depend on."""

    def __init__(self, pub: EstimatorPub, context: JobContext, is_limited: bool) -> None:
        self._context = context
        circuit: AnyCircuit = pub.circuit
        table, observables = pub.bindings.table, list(pub.observables)
        cone = None
        if context.device.noise is None and script_of(circuit).is_static:
            masks = [x | z for x, z, _ in (observable.masks() for observable in observables)]
            cone = light_cone(circuit, circuit.parameters, int(np.bitwise_or.reduce(np.concatenate(masks))))
        if cone is not None:
            circuit, table = cone.circuit, cone.values(table)
            observables = [cone.observable(observable) for observable in observables]
        self._circuit, self._table = circuit, table
        self._grouped = [group_settings(observable, "qubit_wise") for observable in observables]
        self._policies = [_policy(settings, pub.precision, is_limited) for settings, _ in self._grouped]

    def draws(self, row: int, numbers: Sequence[int]) -> list[tuple[int, _Counts]]:
        """Return for each of some observables how its outcomes are drawn with one set of parameter values."""
        context, circuit = self._context, self._circuit
        first: dict[int, int] = {}
        settings: list[Setting] = []
        for number in dict.fromkeys(numbers):
            first[number] = len(settings)
            settings += self._grouped[number][0]
        run = run_settings(**engine_arguments(context, circuit.num_qubits))
        bases = device_bases(settings, context.device, circuit)
        request = Request.of(State(), circuit, self._table[row].tolist(), run.precision, noise=context.device.noise)
        readout = readout_of(request, run, bases, context.cancel_token)

        def counts_from(begin: int) -> _Counts:
            return lambda setting, seed, first_shot, shots: Outcomes(
                *readout.counts(begin + setting, shots, seed, first_shot)
            )

        return [(number, counts_from(first[number])) for number in numbers]

    def estimate(self, number: int, counts: _Counts, seed: int) -> Estimate:
        """Measure one observable."""
        settings, constant = self._grouped[number]
        policy = self._policies[number]
        if policy is None:
            return Estimate(constant)
        return measure(settings, constant, policy, lambda setting, first, shots: counts(setting, seed, first, shots))


def _policy(settings: Sequence[Setting], standard_error: float, is_limited: bool) -> Policy | None:
    """Allow as many shots as the most uncertain state takes, or as were planned; None: no shots are needed."""
    if not settings:
        return None
    most = planned_shots(settings, standard_error)
    if not is_limited:
        spreads = math.fsum(setting.largest_value for setting in settings)
        most = min(MAX_SHOTS, max(most, 2 * math.ceil((spreads / standard_error) ** 2)))
    return Policy.make(len(settings), most, "variance", standard_error)

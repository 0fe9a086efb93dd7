"""Circuits that measure, reset or decide in the middle: all their branches, by their shots or by their probability."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np

from qfast._typing import Precision
from qfast.circuit.value import CircuitValue
from qfast.engines import Engine, PreparedCircuit
from qfast.simulation.asks import Distribution, Expectation, What
from qfast.simulation.populations import Weight
from qfast.simulation.prepared_observables import measurable
from qfast.simulation.request import Method
from qfast.simulation.samples import Samples
from qfast.simulation.script import Script
from qfast.simulation.statevector import Statevector
from qfast.simulation.terminal_sampling import check_outcomes, outcome_table
from qfast.simulation.walk import add_outcomes
from qfast.simulation.ways.interface import Run
from qfast.simulation.ways.means import Means
from qfast.simulation.ways.walked import WalkedScript

__all__ = ["Branches"]

_NEGLIGIBLE = 1e-14
"""Probability of a branch that plays no part in a mean; also what ends a loop that goes on ever more rarely."""


class Branches:
    """See `interface.Way`."""

    method: ClassVar[Method] = "branches"
    asks: ClassVar[frozenset[What]] = frozenset({"state", "shots", "distribution", "expectation"})

    def __init__(self, circuit: CircuitValue, script: Script, engine: Engine, precision: Precision) -> None:
        self._walked = WalkedScript(circuit, script, engine, precision)

    @property
    def segments(self) -> list[PreparedCircuit]:
        """The prepared stretches of gates."""
        return self._walked.segments

    def state(self, run: Run) -> Statevector:
        """Return the state of shot 0."""
        return self._walked.state(run)

    def shots(self, run: Run) -> Samples:
        """Return what shots record."""
        return self._walked.shots(run)[0]

    def distribution(self, run: Run) -> dict[str, float]:
        """Return the exact distribution of the classical bits; the cost is exponential in the measurements."""
        ask = run.request.ask
        assert isinstance(ask, Distribution)
        walking = self._walked.walk(run, self._walked.packing_for(run))
        script, settings = walking.compiled.script, run.settings
        check_outcomes(script)
        measured = np.array(script.measured, dtype=np.int32)
        found: dict[int, float] = {}
        for leaf in walking.walk.leaves(Weight.one(ask.cutoff)):
            weights = settings.engine.probabilities(leaf.state, measured, threads=settings.threads)
            add_outcomes(found, script, leaf.population, weights)
        return outcome_table(found, script.num_bits)

    def expectation(self, run: Run) -> Means:
        """Return the mean of expectation values over the branches, each in front of its measurements at the end."""
        ask = run.request.ask
        assert isinstance(ask, Expectation)
        begun = time.perf_counter()
        packing = self._walked.packing_for(run, ask.observables)
        walking = self._walked.walk(run, packing)
        settings = run.settings
        wanted = [
            measurable(packing.observable(one), settings.engine, walking.compiled.num_qubits) for one in ask.observables
        ]
        totals: list[float | complex] = [0.0] * len(wanted)
        whole = 0.0
        for leaf in walking.walk.leaves(Weight.one(_NEGLIGIBLE)):
            weight = leaf.population.size
            whole += weight
            for place, one in enumerate(wanted):
                totals[place] += weight * one.expectation(leaf.state, settings.threads, run.cancel)
        done = walking.walk.statistics
        made = run.made(
            None, peak_bytes=walking.peak_bytes + done.peak_kept_bytes,
            times={"prepare_s": walking.compiled.prepare_s, "run_s": time.perf_counter() - begun},
            branches=done.branches,
        )  # fmt: skip
        return Means.exact([total / whole for total in totals], ask.shape, made)

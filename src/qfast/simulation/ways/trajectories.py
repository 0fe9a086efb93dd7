"""Noisy circuits shot by shot: whatever tells shots apart divides them, and equal ones are simulated once."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from qfast._typing import ComplexArray, FloatArray, Precision
from qfast.circuit.value import CircuitValue
from qfast.engines import Engine
from qfast.engines.bits import row_bytes
from qfast.engines.samplers import CHUNK
from qfast.simulation.asks import Expectation, What
from qfast.simulation.populations import Shots
from qfast.simulation.prepared_observables import measurable
from qfast.simulation.request import Method
from qfast.simulation.samples import Samples
from qfast.simulation.script import Noise, Script
from qfast.simulation.statevector import Statevector
from qfast.simulation.ways.interface import Run
from qfast.simulation.ways.means import Means, mean_of_trajectories, noise_report
from qfast.simulation.ways.walked import WalkedScript

__all__ = ["Trajectories"]

_SCRATCH_STATES = 1  # a channel's operator works beside the state


class Trajectories:
    """See `interface.Way`."""

    method: ClassVar[Method] = "trajectories"
    asks: ClassVar[frozenset[What]] = frozenset({"state", "shots", "expectation"})

    def __init__(self, circuit: CircuitValue, script: Script, engine: Engine, precision: Precision) -> None:
        self._walked = WalkedScript(circuit, script, engine, precision)
        self._num_channels = sum(isinstance(step, Noise) for step in script.steps)
        self._num_gates = sum(len(segment) for segment in script.segments)

    def state(self, run: Run) -> Statevector:
        """Return the state of shot 0."""
        return self._walked.state(run, scratch_states=_SCRATCH_STATES)

    def shots(self, run: Run) -> Samples:
        """Return what shots record."""
        samples, walk = self._walked.shots(run, scratch_states=_SCRATCH_STATES)
        done = walk.statistics
        report = noise_report(done.branches, done.gates, self._num_channels, self._num_gates)
        samples.add_metadata(noise=report | {"max_standard_error": 0.5 / samples.shots**0.5})
        return samples

    def expectation(self, run: Run) -> Means:
        """Return the means over trajectories of exact expectation values, and how far they may be off."""
        ask = run.request.ask
        assert isinstance(ask, Expectation)
        assert ask.seed is not None
        assert ask.trajectories is not None
        packing = self._walked.packing_for(run, ask.observables)
        walking = self._walked.walk(run, packing, scratch_states=_SCRATCH_STATES)
        settings, compiled = run.settings, walking.compiled
        wanted = [measurable(packing.observable(one), settings.engine, compiled.num_qubits) for one in ask.observables]
        values: list[list[complex]] = []
        counts: list[float] = []
        for begin in range(0, ask.trajectories, CHUNK):
            rows = np.empty((min(CHUNK, ask.trajectories - begin), row_bytes(compiled.script.num_bits)), dtype=np.uint8)
            for leaf in walking.walk.leaves(Shots.of(settings.engine, ask.seed, begin, rows)):
                values.append([complex(one.expectation(leaf.state, settings.threads, run.cancel)) for one in wanted])
                counts.append(float(leaf.population.size))
        table: ComplexArray = np.array(values, dtype=np.complex128).reshape(len(values), len(wanted))
        times: FloatArray = np.array(counts)
        done = walking.walk.statistics
        report = noise_report(done.branches, done.gates, self._num_channels, self._num_gates)
        return mean_of_trajectories(run, table, times, report)

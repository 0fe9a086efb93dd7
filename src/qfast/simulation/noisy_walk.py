"""Noisy circuits shot by shot, for whatever Pauli errors at the end do not cover.

All shots walk together until something tells them apart: a measurement, a misreading, or the operator that a channel
applies. There they divide by their own uniforms; where the probabilities depend on the state, they are those of the
state that these shots share. Branches that wait keep a copy of the state while memory lasts, and are simulated again
otherwise, as in `dynamic`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray
from qfast.engines import Engine, PreparedObservable
from qfast.errors import CancelledRunError
from qfast.noise import Channel
from qfast.noise.channel import pauli_matrix
from qfast.simulation.branch_walk import (
    Leaf,
    Machine,
    Path,
    Shots,
    Walker,
    Weight,
    _Checkpoint,
    _outcomes,
    _Task,
)
from qfast.simulation.noisy_script import Misread, Noise
from qfast.simulation.script import Gates, Measure

__all__ = ["NOISE_SITE", "READ_SITE", "NoisyShots", "NoisyWalker", "NoisyWeight"]

NOISE_SITE = 1 << 40
"""Site of a shot's first channel; the following count on. Measurements count from 0."""

_NEVER = 1e-15  # rounding of what cannot happen
_WORTHWHILE, _FEW = 8, 1024  # uniforms that are drawn for each that is wanted

READ_SITE = 1 << 41
"""Site of a shot's first misreading in the middle of a circuit."""


@dataclass(slots=True)
class NoisyMachine(Machine):
    """The classical side of a branch; `channels` and `readings`: how many there were."""

    channels: int = 0
    readings: int = 0


@dataclass(slots=True)
class NoisyShots(Shots):
    """Shots that divide among any number of outcomes."""

    def uniforms(self, site: int) -> FloatArray:
        """See `Shots.uniforms`; the numbers of a few other shots are cheaper than a look at each index."""
        first, count = int(self.indices[0]), self.indices.size
        span = int(self.indices[-1]) - first + 1
        if count < span <= _WORTHWHILE * count + _FEW:
            return self.engine.uniforms(self.seed, first, span, site)[self.indices - first]
        return Shots.uniforms(self, site)

    def divide(self, weights: FloatArray, site: int) -> dict[int, NoisyShots]:
        """Return who takes which outcome: outcome k has the k-th part of the unit interval."""
        cumulative = np.cumsum(weights)
        drawn = self.uniforms(site) * cumulative[-1]
        if drawn.max() < cumulative[0]:  # nothing happens, nearly always
            return {0: self}
        last = int(np.flatnonzero(weights)[-1])
        chosen = np.searchsorted(cumulative[:last], drawn, side="right")
        found = np.unique(chosen).tolist()
        if len(found) == 1:
            return {found[0]: self}
        return {outcome: replace(self, indices=self.indices[chosen == outcome]) for outcome in found}

    @property
    def size(self) -> float:
        return self.indices.size


@dataclass(slots=True)
class NoisyWeight(Weight):
    """Probability that divides among any number of outcomes."""

    def divide(self, weights: FloatArray, site: int) -> dict[int, NoisyWeight]:
        """Return the parts above the cutoff."""
        found: dict[int, NoisyWeight] = {}
        for outcome, share in enumerate((weights / weights.sum()).tolist()):
            if self.value * share > self.cutoff:
                found[outcome] = replace(self, value=self.value * share)
            else:
                self.dropped.append(self.value * share)
        return found

    @property
    def size(self) -> float:
        return self.value


@dataclass(slots=True)
class _Choice:
    """A decision that is due: the weights of its outcomes, and the site of its uniform."""

    weights: FloatArray
    site: int


class _Copy(_Checkpoint):
    """A checkpoint with the whole state, in front of a step that divides."""


class NoisyWalker(Walker):
    """Walks all branches of a noisy script; see `Walker`."""

    segment_sizes: Sequence[int] = ()
    _spare: AnyArray | None = None  # what an operator writes to; then it is the state
    gates = 0
    """Gates applied, all branches together; `segment_sizes` tells how many a stretch has."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._prepared: dict[tuple[int, tuple[int, ...]], _PauliForm] = {}

    def leaves(self, population: Any) -> Iterator[Leaf]:
        """See `Walker.leaves`."""
        tasks = [self._task(population, _Checkpoint(NoisyMachine()), None)]
        while tasks:
            task = tasks.pop()
            leaf = self._walk(task, tasks)
            if leaf is not None:
                yield leaf
            self._release(task.checkpoint)

    def _walk(self, task: _Task, tasks: list[_Task]) -> Leaf | None:
        self.statistics.branches += 1
        machine = self._restore(task.checkpoint)
        assert isinstance(machine, NoisyMachine)
        settled = _outcomes(task.path)
        if len(settled) > 1 or (settled and not isinstance(task.checkpoint, _Copy)):
            self.statistics.replays += 1
        population = task.population
        path: Path = None
        steps = self._compiled.script.steps
        while machine.step < len(steps):
            step: Any = steps[machine.step]
            if isinstance(step, Gates):
                machine.step += 1
                self._apply(step.segment, machine)
                self.gates += self.segment_sizes[step.segment]
                continue
            if not isinstance(step, (Measure, Misread, Noise)):
                machine.step += 1
                self._decide(step, machine)
                continue
            choice = self._choice(step, machine)
            if settled:
                outcome = settled.pop()
            else:
                parts = population.divide(choice.weights, choice.site)
                if not parts:
                    return None
                # The largest part goes on, so that the fewest shots wait.
                outcome = max(parts, key=lambda number: (parts[number].size, -number))
                population = parts.pop(outcome)
                self._let_wait(parts, task.checkpoint, path, machine, tasks)
            path = (path, outcome)
            machine.step += 1
            self._take(step, outcome, float(choice.weights[outcome]), machine)
        self._write_blank()
        return Leaf(population, machine)

    def _let_wait(
        self, parts: dict[int, Any], checkpoint: _Checkpoint, path: Path, machine: Machine, tasks: list[_Task]
    ) -> None:
        """Let branches wait: with one copy of the state for all of them, or else with the way to it."""
        if not parts:
            return
        if self._kept_bytes + self.state.nbytes <= self._budget_bytes:
            self._write_blank()
            checkpoint, path = _Copy(machine.copy(), self.state.copy()), None
            self._kept_bytes += self.state.nbytes
            self.statistics.peak_kept_bytes = max(self.statistics.peak_kept_bytes, self._kept_bytes)
        waiting = sorted(parts, reverse=True)
        tasks.extend(self._task(parts[outcome], checkpoint, (path, outcome)) for outcome in waiting)

    def _restore(self, checkpoint: _Checkpoint) -> Machine:
        if isinstance(checkpoint, _Copy):
            assert checkpoint.half is not None
            np.copyto(self.state, checkpoint.half)
            self._is_blank = False
            return checkpoint.machine.copy()
        return super()._restore(checkpoint)

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _choice(self, step: Measure | Misread | Noise, machine: NoisyMachine) -> _Choice:
        """Return the decision that a step needs."""
        if self._cancel is not None and self._cancel.cancelled:
            raise CancelledRunError(f"the walk was cancelled in branch {self.statistics.branches}")
        if isinstance(step, Measure):
            return _Choice(np.array(self._weights(step.qubit)), machine.site)
        if isinstance(step, Misread):
            true = machine.bits >> step.bit & 1
            return _Choice(step.error.probabilities[true], READ_SITE + machine.readings)
        self._write_blank()
        channel, site = step.place.channel, NOISE_SITE + machine.channels
        if channel.probabilities is not None:
            return _Choice(np.array(channel.probabilities), site)
        return _Choice(self._form(step).weights(self.state, self._threads), site)

    def _take(self, step: Measure | Misread | Noise, outcome: int, weight: float, machine: NoisyMachine) -> None:
        """Carry out an outcome."""
        if isinstance(step, Measure):
            machine.site += 1
            if step.bit is not None:
                machine.set_bits(step.bit, 1, outcome)
            self._project(step, outcome, weight)
        elif isinstance(step, Misread):
            machine.readings += 1
            machine.set_bits(step.bit, 1, outcome)
        else:
            machine.channels += 1
            channel = step.place.channel
            if channel.labels is not None and not set(channel.labels[outcome]) - {"I"}:
                return
            if self._spare is None:
                self._spare = np.empty_like(self.state)
            self._form(step).apply(outcome, self.state, self._spare, self._threads)
            self.state, self._spare = self._spare, self.state
            if not channel.is_mixture:
                self.state *= weight**-0.5

    def _form(self, step: Noise) -> _PauliForm:
        channel, qubits = step.place.channel, step.place.qubits
        form = self._prepared.get((id(channel), qubits))
        if form is None:
            num_qubits = self.state.size.bit_length() - 1
            form = self._prepared[id(channel), qubits] = _PauliForm(self._engine, num_qubits, channel, qubits)
        return form


class _PauliForm:
    """The operators of a channel as sums of Pauli strings on its qubits.

    All probabilities ``tr(K†K rho)`` follow from the strings' expectation values, which are read in one pass, and an
    operator is applied by the engine as any Pauli sum is.
    """

    def __init__(self, engine: Engine, num_qubits: int, channel: Channel, qubits: tuple[int, ...]) -> None:
        self._engine = engine
        self._num_qubits = num_qubits
        self._operators = channel.operators
        labels = ["".join(label) for label in itertools.product("IXYZ", repeat=len(qubits))]
        self._paulis = np.array([pauli_matrix(label) for label in labels])
        self._x_masks = np.array([_mask(label, "XY", qubits) for label in labels], dtype=np.uint64)
        self._z_masks = np.array([_mask(label, "YZ", qubits) for label in labels], dtype=np.uint64)
        self._table: FloatArray | None = None
        self._strings: PreparedObservable | None = None
        self._sums: dict[int, PreparedObservable] = {}

    def weights(self, state: AnyArray, threads: int) -> FloatArray:
        """Return the probability of each operator."""
        if self._strings is None or self._table is None:
            ones = np.ones(len(self._x_masks), dtype=np.complex128)
            self._strings = self._engine.observable(self._num_qubits, self._x_masks, self._z_masks, ones)
            self._table = np.array([self._coefficients(k.conj().T @ k).real for k in self._operators])
        found: FloatArray = self._table @ self._strings.term_values(state, threads=threads)
        found[found < _NEVER] = 0.0
        return found

    def apply(self, outcome: int, state: AnyArray, out: AnyArray, threads: int) -> None:
        """Write the outcome's operator times the state into `out`."""
        sum_ = self._sums.get(outcome)
        if sum_ is None:
            coefficients = self._coefficients(self._operators[outcome])
            used = np.flatnonzero(coefficients)
            sum_ = self._sums[outcome] = self._engine.observable(
                self._num_qubits, self._x_masks[used], self._z_masks[used], coefficients[used]
            )
        sum_.apply(state, out, threads=threads)

    def _coefficients(self, matrix: ComplexArray) -> ComplexArray:
        """Return those of a matrix's Pauli strings; a string's transpose is its conjugate."""
        found: ComplexArray = (self._paulis.conj() * matrix).sum(axis=(1, 2)) / len(matrix)
        found[np.abs(found) < _NEVER] = 0.0
        return found


def _mask(label: str, letters: str, qubits: tuple[int, ...]) -> int:
    return sum(1 << qubit for letter, qubit in zip(label, qubits, strict=True) if letter in letters)

"""Circuits that measure, reset and decide while they run.

All shots walk together until a measurement tells them apart. There the shots divide by their own uniforms, the state
is projected for those that go on, and the rest waits: with a copy of its half of the state while the memory budget
lasts, otherwise as the list of outcomes that leads to it from the nearest kept copy, to be simulated again. The cost is
that of the distinct branches, not of the shots, and no branch is lost for lack of memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self, TypeAlias

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray
from qfast.circuit import Assign
from qfast.circuit.classical import Bit, Bits, Classical, Index, Variable, convert, evaluate
from qfast.engines import CancelToken, Engine
from qfast.engines.philox import uniforms_at
from qfast.errors import CancelledRunError, CircuitError
from qfast.simulation.compiled import Compiled
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import Choose, Enter, Gates, Jump, Measure, NextValue, Store, Unless

MAX_LOOP_PASSES = 100_000
"""A while loop that a shot passes more often than this is taken to be endless."""

# A linked list of outcomes, the last one first: branches share what they have in common.
Path: TypeAlias = tuple[Any, int] | None


class Population(Protocol):
    """Who walks along a branch: shots, or probability."""

    def split(self, weight_0: float, weight_1: float, site: int) -> tuple[Self | None, Self | None]:
        """Divide at a measurement whose outcomes have these weights; None where nobody goes."""
        ...


@dataclass(slots=True)
class Shots:
    """Shots with absolute indices; each decides by its own uniform."""

    engine: Engine
    seed: int
    indices: IntArray

    def uniforms(self, site: int) -> FloatArray:
        """Return the shots' uniforms at a site."""
        first, count = int(self.indices[0]), self.indices.size
        if int(self.indices[-1]) - first == count - 1:  # ascending, so there is no gap
            return self.engine.uniforms(self.seed, first, count, site)
        return uniforms_at(self.seed, self.indices, site)

    def split(self, weight_0: float, weight_1: float, site: int) -> tuple[Shots | None, Shots | None]:
        """See `Population.split`: outcome 1 has the upper part of the unit interval."""
        is_one = self.uniforms(site) * (weight_0 + weight_1) >= weight_0
        if weight_1 == 0 or not is_one.any():
            return self, None
        if weight_0 == 0 or is_one.all():
            return None, self
        return replace(self, indices=self.indices[~is_one]), replace(self, indices=self.indices[is_one])


@dataclass(slots=True)
class Weight:
    """The probability of a branch; below `cutoff` it is dropped and added to `dropped`."""

    value: float
    cutoff: float
    dropped: list[float]

    def split(self, weight_0: float, weight_1: float, site: int) -> tuple[Weight | None, Weight | None]:
        """See `Population.split`."""
        return self._part(weight_0 / (weight_0 + weight_1)), self._part(weight_1 / (weight_0 + weight_1))

    def _part(self, share: float) -> Weight | None:
        value = self.value * share
        if value <= self.cutoff:
            self.dropped.append(value)
            return None
        return replace(self, value=value)


@dataclass(slots=True)
class Machine:
    """The classical side of a branch.

    Attributes
    ----------
    step : int
        The script's next step.
    bits : int
        Bit b is classical bit b.
    variables : dict of str to number
    passes : dict of int to int
        Of each loop: passes begun.
    site : int
        Measurements and resets so far: the site of the next one.
    """

    step: int = 0
    bits: int = 0
    variables: dict[str, int | float] = field(default_factory=dict)
    passes: dict[int, int] = field(default_factory=dict)
    site: int = 0

    def copy(self) -> Machine:
        return replace(self, variables=dict(self.variables), passes=dict(self.passes))

    def evaluate(self, expression: Classical) -> int | float:
        return evaluate(expression, self.bits, self.variables)

    def set_bits(self, start: int, size: int, value: int) -> None:
        mask = ((1 << size) - 1) << start
        self.bits = (self.bits & ~mask) | (value << start & mask)

    def assign(self, assign: Assign) -> None:
        """Give the target its new value, converted to the target's type."""
        value, target = self.evaluate(assign.value), assign.target
        if isinstance(target, Variable):
            self.variables[target.name] = convert(value, target.kind, target.width)
        elif isinstance(target, Bit):
            self.set_bits(target.index, 1, int(value != 0))
        elif isinstance(target, Bits):
            self.set_bits(target.start, target.size, int(value))
        else:
            assert isinstance(target, Index)
            self._assign_bit(target, int(value != 0))

    def _assign_bit(self, target: Index, value: int) -> None:
        place, operand = int(self.evaluate(target.index)), target.operand
        if isinstance(operand, Bits):
            if not 0 <= place < operand.size:
                raise CircuitError(f"bit {place} of a register of {operand.size} bits was assigned to")
            self.set_bits(operand.start + place, 1, value)
            return
        assert isinstance(operand, Variable)
        width = operand.width or 64
        if not 0 <= place < width:
            raise CircuitError(f"bit {place} of variable '{operand.name}', which has {width} bits, was assigned to")
        old = int(self.variables.get(operand.name, 0))
        changed = (old & ~(1 << place)) | value << place
        self.variables[operand.name] = convert(changed, operand.kind, operand.width)


class _Checkpoint:
    """Where branches can start again: a machine, and half a state (the other half is zero), or the beginning."""

    __slots__ = ("half", "machine", "norm", "outcome", "qubit", "users")

    def __init__(self, machine: Machine, half: AnyArray | None = None, measure: tuple[int, int, float] = (0, 0, 1.0)):
        self.machine = machine
        self.half = half
        self.qubit, self.outcome, self.norm = measure  # norm: the weight of the half
        self.users = 0


@dataclass(slots=True)
class _Task:
    """A branch that waits: who walks it, where it starts, and the outcomes from there on that are settled."""

    population: Any
    checkpoint: _Checkpoint
    path: Path


@dataclass(slots=True)
class Leaf:
    """The end of a branch: who arrived, with which classical bits, at which site; the state is the walker's."""

    population: Any
    machine: Machine


@dataclass(slots=True)
class WalkStatistics:
    """What a walk did."""

    branches: int = 0
    replays: int = 0  # branches that were simulated again from an earlier copy
    peak_kept_bytes: int = 0


class Walker:
    """Walks all branches of a script, depth first.

    Parameters
    ----------
    compiled : Compiled
    settings : RunSettings
    values : dict of str to float
        The circuit's parameters.
    state : ndarray, shape (2**n,)
        The buffer to work in.
    initial : ndarray or None
        What it starts from; None for |0…0⟩. It must not be `state`.
    budget_bytes : int
        For the copies of branches that wait. With 0 every branch but the first is simulated again.
    max_loop_passes : int
    cancel : CancelToken or None
    """

    def __init__(
        self,
        compiled: Compiled,
        settings: RunSettings,
        values: Mapping[str, float],
        state: AnyArray,
        initial: AnyArray | None,
        *,
        budget_bytes: int,
        max_loop_passes: int = MAX_LOOP_PASSES,
        cancel: CancelToken | None = None,
    ) -> None:
        self.state = state
        self.statistics = WalkStatistics()
        self._compiled = compiled
        self._engine, self._threads = settings.engine, settings.threads
        self._values = {**dict.fromkeys(compiled.script.variables, 0), **values}
        self._initial = initial
        self._budget_bytes = budget_bytes
        self._kept_bytes = 0
        self._max_loop_passes = max_loop_passes
        self._cancel = cancel
        self._is_blank = False  # the state is |0…0⟩, but the buffer has not been written

    def leaves(self, population: Population) -> Iterator[Leaf]:
        """Yield the end of every branch; `state` holds its normalised state until the next one is asked for."""
        tasks = [self._task(population, _Checkpoint(Machine()), None)]
        while tasks:
            task = tasks.pop()
            leaf = self._walk(task, tasks)
            if leaf is not None:
                yield leaf
            self._release(task.checkpoint)

    def _task(self, population: Any, checkpoint: _Checkpoint, path: Path) -> _Task:
        checkpoint.users += 1
        return _Task(population, checkpoint, path)

    def _release(self, checkpoint: _Checkpoint) -> None:
        checkpoint.users -= 1
        if checkpoint.users == 0 and checkpoint.half is not None:
            self._kept_bytes -= checkpoint.half.nbytes
            checkpoint.half = None

    def _walk(self, task: _Task, tasks: list[_Task]) -> Leaf | None:
        """Follow a task to its end; branches that leave it on the way are added to `tasks`. None: nobody arrives."""
        self.statistics.branches += 1
        machine = self._restore(task.checkpoint)
        settled = _outcomes(task.path)
        if settled:
            self.statistics.replays += 1
        population = task.population
        path: Path = None
        steps = self._compiled.script.steps
        while machine.step < len(steps):
            step = steps[machine.step]
            machine.step += 1
            if isinstance(step, Gates):
                self._apply(step.segment, machine)
            elif isinstance(step, Measure):
                weights = self._weights(step.qubit)
                if settled:
                    outcome = settled.pop()
                else:
                    parts = population.split(*weights, machine.site)
                    outcome = 0 if parts[0] is not None else 1
                    population = parts[outcome]
                    if population is None:
                        return None
                    if outcome == 0 and parts[1] is not None:
                        tasks.append(self._leave(parts[1], task.checkpoint, (path, 1), machine, step, weights[1]))
                path = (path, outcome)
                _record(machine, step, outcome)
                self._project(step, outcome, weights[outcome])
            else:
                self._decide(step, machine)
        self._write_blank()
        return Leaf(population, machine)

    def _leave(
        self, population: Any, checkpoint: _Checkpoint, path: Path, machine: Machine, step: Measure, weight: float
    ) -> _Task:
        """Let a branch wait: with a copy of its half of the state, or else with the way to it."""
        size = self.state.nbytes // 2
        if self._kept_bytes + size > self._budget_bytes:
            return self._task(population, checkpoint, path)
        self._kept_bytes += size
        self.statistics.peak_kept_bytes = max(self.statistics.peak_kept_bytes, self._kept_bytes)
        machine = machine.copy()
        _record(machine, step, 1)
        half = _halves(self.state, step.qubit)[:, 1].copy()
        place = (step.qubit, 0 if step.bit is None else 1, weight)
        return self._task(population, _Checkpoint(machine, half, place), None)

    def _restore(self, checkpoint: _Checkpoint) -> Machine:
        """Put the state back to where a checkpoint was made."""
        if checkpoint.half is not None:
            halves = _halves(self.state, checkpoint.qubit)
            np.multiply(checkpoint.half, 1 / math.sqrt(checkpoint.norm), out=halves[:, checkpoint.outcome])
            halves[:, 1 - checkpoint.outcome] = 0
            self._is_blank = False
        elif self._initial is None:
            self._is_blank = True
        else:
            self.state[:] = self._initial
        return checkpoint.machine.copy()

    def _apply(self, segment: int, machine: Machine) -> None:
        names = self._compiled.segment_names[segment]
        values = np.array([machine.variables.get(name, self._values[name]) for name in names], dtype=np.float64)
        if not np.isfinite(values).all():
            bad = next(name for name, value in zip(names, values, strict=True) if not math.isfinite(value))
            raise CircuitError(f"variable '{bad}' is not finite where an angle needs its value")
        self._compiled.segments[segment].run(
            self.state, values, from_zero=self._is_blank, threads=self._threads, cancel=self._cancel
        )
        self._is_blank = False

    def _weights(self, qubit: int) -> tuple[float, float]:
        """The weights of a qubit's outcomes."""
        if self._cancel is not None and self._cancel.cancelled:
            raise CancelledRunError(f"the walk was cancelled in branch {self.statistics.branches}")
        self._write_blank()
        found = self._engine.probabilities(self.state, np.array([qubit], dtype=np.int32), threads=self._threads)
        return float(found[0]), float(found[1])

    def _project(self, step: Measure, outcome: int, weight: float) -> None:
        """Keep the part of the state with this outcome, normalised; a reset also moves it to 0."""
        halves = _halves(self.state, step.qubit)
        goes_to = 0 if step.bit is None else outcome
        np.multiply(halves[:, outcome], 1 / math.sqrt(weight), out=halves[:, goes_to])
        halves[:, 1 - goes_to] = 0

    def _write_blank(self) -> None:
        if self._is_blank:
            self.state[:] = 0
            self.state[0] = 1
            self._is_blank = False

    def _decide(self, step: Store | Jump | Unless | Choose | Enter | NextValue, machine: Machine) -> None:
        """Take a step that concerns the classical side only."""
        if isinstance(step, Jump):
            machine.step = step.target
        elif isinstance(step, Store):
            machine.assign(step.assign)
        elif isinstance(step, Enter):
            machine.passes[step.loop] = 0
        elif isinstance(step, Choose):
            machine.step = step.targets.get(int(machine.evaluate(step.value)), step.default)
        elif isinstance(step, NextValue):
            done = machine.passes[step.loop]
            if done == len(step.values):
                machine.step = step.target
                return
            machine.passes[step.loop] = done + 1
            if step.variable is not None:
                machine.variables[step.variable] = step.values[done]
        elif not machine.evaluate(step.condition):
            machine.step = step.target
        elif step.loop is not None:
            machine.passes[step.loop] += 1
            if machine.passes[step.loop] > self._max_loop_passes:
                raise CircuitError(
                    f"a while loop has made {self._max_loop_passes} passes and its condition still holds; "
                    "if it is not endless, raise max_loop_passes"
                )


def _record(machine: Machine, step: Measure, outcome: int) -> None:
    """Note an outcome on the classical side."""
    machine.site += 1
    if step.bit is not None:
        machine.set_bits(step.bit, 1, outcome)


def _halves(state: AnyArray, qubit: int) -> AnyArray:
    """View a state as (rest above, value of the qubit, rest below)."""
    return state.reshape(-1, 2, 1 << qubit)


def _outcomes(path: Path) -> list[int]:
    """List a path from its end, so that the first outcome is popped first."""
    found = []
    while path is not None:
        path, outcome = path
        found.append(outcome)
    return found


def named_values(names: Sequence[str], values: FloatArray) -> dict[str, float]:
    """Pair parameter names with their values."""
    return dict(zip(names, values.tolist(), strict=True))

"""A script run by all its branches: circuits that measure, reset and decide while they run, with their noise.

All shots walk together until a measurement, a misreading or a channel tells them apart. There they divide by their own
uniforms; one part goes on, and the others wait with a copy of the state while the memory budget lasts, or else with the
list of outcomes that leads to it from the nearest kept copy, to be simulated again. Branches whose states are equal bit
for bit, and that have nothing else left by which they could go on differently (`liveness`), become one. The cost is
that of the distinct branches, not of the shots, and no branch is lost for lack of memory.

`Walk` is what an engine offers that walks scripts itself.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray
from qfast.circuit.classical_code import type_of
from qfast.circuit.classical_run import Memory
from qfast.engines import CancelToken
from qfast.engines.bits import Histogram, Rows, row_bytes, row_of_int
from qfast.engines.samplers import CHUNK
from qfast.errors import CancelledRunError, CircuitError
from qfast.simulation.compiled import Compiled
from qfast.simulation.liveness import Live
from qfast.simulation.populations import Population, Shots, Weight, misread
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import (
    Alloc,
    Choose,
    Enter,
    Free,
    Gates,
    Jump,
    Measure,
    Misread,
    NextValue,
    Noise,
    Reset,
    Script,
    Store,
    Unless,
)
from qfast.simulation.script_code import value_of
from qfast.simulation.sites import CHANNEL, FINAL_SAMPLING, MAX_VISIT, OUTCOME, READING, site_of

__all__ = [
    "MAX_LOOP_PASSES", "BranchState", "BranchWalk", "Leaf", "Machine", "Walk", "WalkStatistics", "add_outcomes",
    "measure_at_end",
]  # fmt: skip

MAX_LOOP_PASSES = 100_000
"""A while loop that a shot passes more often than this is taken to be endless."""

# As long as no more branches wait, the one that is furthest behind goes on, so that equal ones meet. These are fixed
# numbers: the order of the branches, and with it the rounding of sums over them, must not depend on free memory.
_ABREAST = 256
_ABREAST_BYTES = 1 << 28

# A linked list of outcomes, the last one first: branches share what they have in common.
Path: TypeAlias = tuple[Any, int] | None

P = TypeVar("P", bound=Population)


@dataclass(slots=True)
class WalkStatistics:
    """What a walk did.

    Attributes
    ----------
    branches : int
        Parts that all divisions have made.
    merges : int
        Branches that became one with another.
    replays : int
        Branches that were simulated again from an earlier copy.
    gates : int
        Gates applied, all branches together.
    peak_kept_bytes : int
        Of copies of states.
    """

    branches: int = 0
    merges: int = 0
    replays: int = 0
    gates: int = 0
    peak_kept_bytes: int = 0


@dataclass(slots=True)
class Leaf(Generic[P]):
    """The end of a branch: who arrived, and the state until the next leaf is asked for."""

    population: P
    state: AnyArray


class Walk(Protocol):
    """A prepared script, ready to be walked. A walk is used by one thread at a time."""

    script: Script
    statistics: WalkStatistics

    def rows(self, seed: int, first_shot: int, shots: int) -> Rows:
        """Return what consecutive shots record, measurements at the end and misreadings included.

        Returns
        -------
        ndarray of uint8, shape (shots, row_bytes(num_bits))
        """
        ...

    def counts(self, seed: int, first_shot: int, shots: int) -> tuple[Rows, IntArray]:
        """Return the distinct rows in ascending order, and how often each was recorded."""
        ...

    def leaves(self, population: P) -> Iterator[Leaf[P]]:
        """Yield the end of every branch."""
        ...

    def finish(self, leaf: Leaf[Shots], rows: Rows) -> None:
        """Let shots that have arrived make their measurements at the end, into their rows."""
        ...


class BranchState(Protocol):
    """The quantum side of a branch: `PureBranch`, or a density matrix."""

    @property
    def array(self) -> AnyArray: ...
    def begin(self) -> None: ...
    def load(self, copy: AnyArray) -> None: ...
    def apply(self, segment: int, values: FloatArray) -> None: ...
    def alloc(self) -> None: ...
    def weights(self, step: Measure | Reset | Free | Noise) -> FloatArray: ...
    def take(self, step: Measure | Reset | Free | Noise, outcome: int, weight: float) -> None: ...


@dataclass(slots=True)
class Machine:
    """The classical side of a branch.

    Attributes
    ----------
    step : int
        The script's next step.
    memory : Memory
        Classical bits, where they will still be read, and variables.
    passes, visits : list of int
        Of each loop: passes begun since it was entered, and in all.
    """

    step: int
    memory: Memory
    passes: list[int]
    visits: list[int]

    @classmethod
    def of(cls, script: Script) -> Machine:
        """Return the machine at the beginning of a script: everything is 0."""
        loops = len(script.loops)
        return cls(0, Memory(0, [0] * len(script.variables)), [0] * loops, [0] * loops)

    def copy(self) -> Machine:
        memory = Memory(self.memory.bits, list(self.memory.variables))
        return Machine(self.step, memory, list(self.passes), list(self.visits))


class _Checkpoint:
    """Where branches can start again: a machine and a copy of the state, or the beginning."""

    __slots__ = ("copy", "machine", "users")

    def __init__(self, machine: Machine, copy: AnyArray | None = None) -> None:
        self.machine = machine
        self.copy = copy
        self.users = 0


@dataclass(slots=True)
class _Task(Generic[P]):
    """A branch that waits.

    Attributes
    ----------
    population : Population
    checkpoint : _Checkpoint
    path : Path
        The outcomes from there on.
    walked : int
        Steps from there on that have been walked before: what they recorded stands.
    position : tuple of int
        How far it is, to be compared with others.
    key : tuple, or None
        What equal branches have in common, where it waits in front of a step that divides.
    """

    population: P
    checkpoint: _Checkpoint
    path: Path
    walked: int
    position: tuple[int, ...]
    key: tuple[object, ...] | None = None


class BranchWalk:
    """Walks all branches of a script in Python, on any engine; see `Walk`.

    Parameters
    ----------
    compiled : Compiled
    settings : RunSettings
    values : mapping of str to float
        The circuit's parameters.
    state : BranchState
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
        state: BranchState,
        *,
        budget_bytes: int,
        max_loop_passes: int = MAX_LOOP_PASSES,
        cancel: CancelToken | None = None,
    ) -> None:
        self.statistics = WalkStatistics()
        self._compiled = compiled
        self.script: Script = compiled.script
        self._live: list[Live] = compiled.liveness
        self._settings = settings
        self._state = state
        self._values = values
        self._slots = {variable.name: slot for slot, variable in enumerate(self.script.variables)}
        self._operands: list[list[int]] = compiled.code.steps.tolist()
        self._budget_bytes = budget_bytes
        self._kept_bytes = 0
        self._max_loop_passes = max_loop_passes
        self._cancel = cancel
        self._around = _loops_around(compiled.script)
        self._abreast = min(_ABREAST, _ABREAST_BYTES // max(1, compiled.state_bytes))

    # --- shots --------------------------------------------------------------------------------------------------------

    def rows(self, seed: int, first_shot: int, shots: int) -> Rows:
        """See `Walk.rows`."""
        rows = np.empty((shots, row_bytes(self.script.num_bits)), dtype=np.uint8)
        for begin in range(0, shots, CHUNK):
            self._fill(rows[begin : begin + CHUNK], seed, first_shot + begin)
        return rows

    def counts(self, seed: int, first_shot: int, shots: int) -> tuple[Rows, IntArray]:
        """See `Walk.counts`."""
        histogram = Histogram(self.script.num_bits)
        for begin in range(0, shots, CHUNK):
            rows = np.empty((min(CHUNK, shots - begin), row_bytes(self.script.num_bits)), dtype=np.uint8)
            self._fill(rows, seed, first_shot + begin)
            histogram.add(rows)
        return histogram.result()

    def _fill(self, rows: Rows, seed: int, first_shot: int) -> None:
        """Write the rows of consecutive shots."""
        for leaf in self.leaves(Shots.of(self._settings.engine, seed, first_shot, rows)):
            self.finish(leaf, rows)

    def finish(self, leaf: Leaf[Shots], rows: Rows) -> None:
        """See `Walk.finish`."""
        measure_at_end(self.script, self._settings, leaf, rows)

    # --- branches -----------------------------------------------------------------------------------------------------

    def leaves(self, population: P) -> Iterator[Leaf[P]]:
        """See `Walk.leaves`."""
        self.statistics.branches += 1
        tasks = [self._task(population, _Checkpoint(Machine.of(self.script)), None, 0, ())]
        parked: dict[tuple[object, ...], _Task[P]] = {}
        while tasks:
            task = tasks.pop(self._next(tasks))
            if task.key is not None:
                del parked[task.key]
            leaf = self._walk(task, tasks, parked)
            if leaf is not None:
                yield leaf
            self._release(task.checkpoint)

    def _next(self, tasks: list[_Task[P]]) -> int:
        """The branch that is furthest behind, or the newest where too many wait."""
        if len(tasks) > self._abreast:
            return -1
        return min(range(len(tasks)), key=lambda number: tasks[number].position)

    def _task(
        self, population: P, checkpoint: _Checkpoint, path: Path, walked: int, position: tuple[int, ...]
    ) -> _Task[P]:
        checkpoint.users += 1
        return _Task(population, checkpoint, path, walked, position)

    def _release(self, checkpoint: _Checkpoint) -> None:
        checkpoint.users -= 1
        if checkpoint.users == 0 and checkpoint.copy is not None:
            self._kept_bytes -= checkpoint.copy.nbytes
            checkpoint.copy = None

    def _walk(
        self, task: _Task[P], tasks: list[_Task[P]], parked: dict[tuple[object, ...], _Task[P]]
    ) -> Leaf[P] | None:
        """Follow a branch to its end, or to where it waits again; parts that leave it on the way join `tasks`."""
        machine = task.checkpoint.machine.copy()
        if task.checkpoint.copy is None:
            self._state.begin()
        else:
            self._state.load(task.checkpoint.copy)
        settled = _outcomes(task.path)
        if len(settled) > 1 or (settled and task.checkpoint.copy is None):
            self.statistics.replays += 1
        population, walked = task.population, 0
        path: Path = None
        may_wait = task.key is None  # one that has just waited here does not wait again
        steps = self.script.steps
        while machine.step < len(steps):
            step = steps[machine.step]
            is_new = walked >= task.walked
            if not isinstance(step, (Measure, Reset, Free, Noise, Misread)):
                self._go_on(step, machine, population if is_new else None)
                walked += 1
                continue
            if isinstance(step, Misread) and not self._live[machine.step + 1].bits >> step.bit & 1:
                if is_new:
                    population.misread(step.bit, step.error, self._site(step, machine))
                machine.step += 1
                walked += 1
                continue
            if self._cancel is not None and self._cancel.cancelled:
                raise CancelledRunError(f"the walk was cancelled in branch {self.statistics.branches}")
            if is_new and may_wait and self._waits(machine, population, task.checkpoint, path, walked, tasks, parked):
                return None
            may_wait = may_wait or is_new
            weights = self._weights(step, machine)
            if not is_new:
                outcome = settled.pop()
            else:
                parts = population.divide(weights, self._site(step, machine))
                if not parts:
                    return None
                _record(step, parts)
                # The largest part goes on, so that the fewest shots wait.
                outcome = max(parts, key=lambda number: (parts[number].size, -number))
                population = parts.pop(outcome)
                checkpoint = task.checkpoint
                self._let_wait(parts, checkpoint, path, walked, machine, tasks)
            path = (path, outcome)
            walked += 1
            self._take(step, outcome, float(weights[outcome]), machine)
        return Leaf(population, self._state.array)

    def _let_wait(
        self,
        parts: dict[int, P],
        checkpoint: _Checkpoint,
        path: Path,
        walked: int,
        machine: Machine,
        tasks: list[_Task[P]],
    ) -> None:
        """Let the other parts of a division wait: with one copy of the state, or else with the way to it."""
        if not parts:
            return
        self.statistics.branches += len(parts)
        position = (*self._position(machine), 1)
        kept = self._keep(machine)
        if kept is not None:
            checkpoint, path, walked = kept, None, 0
        tasks.extend(
            self._task(parts[outcome], checkpoint, (path, outcome), walked + 1, position)
            for outcome in sorted(parts, reverse=True)
        )

    def _waits(
        self,
        machine: Machine,
        population: P,
        checkpoint: _Checkpoint,
        path: Path,
        walked: int,
        tasks: list[_Task[P]],
        parked: dict[tuple[object, ...], _Task[P]],
    ) -> bool:
        """Let a branch wait for others that are not further yet, or become one with its equal."""
        position = self._position(machine)
        if len(tasks) >= self._abreast or all(other.position > position for other in tasks):
            return False
        key = self._key(machine)
        equal = parked.get(key)
        if equal is not None:
            equal.population = equal.population.join(population)
            self.statistics.merges += 1
            return True
        kept = self._keep(machine)
        if kept is not None:
            checkpoint, path, walked = kept, None, 0
        task = self._task(population, checkpoint, path, walked, position)
        task.key = key
        parked[key] = task
        tasks.append(task)
        return True

    def _keep(self, machine: Machine) -> _Checkpoint | None:
        """Copy a branch, if there is room."""
        state = self._state.array
        if self._kept_bytes + state.nbytes > self._budget_bytes:
            return None
        self._kept_bytes += state.nbytes
        self.statistics.peak_kept_bytes = max(self.statistics.peak_kept_bytes, self._kept_bytes)
        return _Checkpoint(machine.copy(), state.copy())

    def _position(self, machine: Machine) -> tuple[int, ...]:
        """How far a branch is: the loops around it and their passes, from the outermost on, and the step."""
        found: list[int] = []
        for loop in self._around[machine.step]:
            found += (self.script.loops[loop], machine.passes[loop])
        return (*found, machine.step)

    def _key(self, machine: Machine) -> tuple[object, ...]:
        """All by which a branch can go on differently from another."""
        live = self._live[machine.step]
        memory = machine.memory
        return (
            machine.step,
            memory.bits & live.bits,
            tuple(memory.variables[number] for number in _numbers(live.variables)),
            tuple(machine.passes[number] for number in _numbers(live.passes)),
            tuple(machine.visits[number] for number in _numbers(live.visits)),
            hashlib.blake2b(self._state.array.data, digest_size=16).digest(),
        )

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _weights(self, step: Measure | Reset | Free | Noise | Misread, machine: Machine) -> FloatArray:
        if isinstance(step, Misread):
            found: FloatArray = step.error.probabilities[machine.memory.bits >> step.bit & 1]
            return found
        return self._state.weights(step)

    def _take(self, step: Measure | Reset | Free | Noise | Misread, outcome: int, weight: float, m: Machine) -> None:
        m.step += 1
        if isinstance(step, (Measure, Misread)):
            m.memory.set_bits(step.bit, 1, outcome)
        if not isinstance(step, Misread):
            self._state.take(step, outcome, weight)

    def _site(self, step: Measure | Reset | Free | Noise | Misread, machine: Machine) -> int:
        visit = 0 if step.loop < 0 else machine.visits[step.loop] - 1
        domain = CHANNEL if isinstance(step, Noise) else READING if isinstance(step, Misread) else OUTCOME
        return site_of(domain, max(0, step.number), visit)

    def _go_on(
        self,
        step: Gates | Alloc | Store | Jump | Unless | Choose | Enter | NextValue,
        machine: Machine,
        population: Population | None,
    ) -> None:
        """Take a step that does not divide; `population`: who records, None where they have."""
        machine.step += 1
        if isinstance(step, Gates):
            self._apply(step.segment, machine)
        elif isinstance(step, Jump):
            machine.step = step.target
        elif isinstance(step, Store):
            code, start, size = self._operands[machine.step - 1][1:4]
            self._compiled.classical.run(code, machine.memory)
            if size and population is not None:
                population.record(start, size, machine.memory.bits >> start & ((1 << size) - 1))
        elif isinstance(step, Enter):
            machine.passes[step.loop] = 0
        elif isinstance(step, Choose):
            machine.step = step.targets.get(int(self._value(machine)), step.default)
        elif isinstance(step, NextValue):
            done = machine.passes[step.loop]
            if done == len(step.values):
                machine.step = step.target
                return
            self._pass(step.loop, machine)
            slot = self._operands[machine.step - 1][4]
            if slot >= 0:
                variable = self.script.variables[slot]
                own = type_of(variable.kind, variable.width)
                machine.memory.variables[slot] = value_of(step.values[done], own)
        elif isinstance(step, Alloc):
            self._state.alloc()
        elif not self._value(machine):
            machine.step = step.target
        elif step.loop is not None:
            if machine.passes[step.loop] == self._max_loop_passes:
                raise CircuitError(
                    f"a while loop has made {self._max_loop_passes} passes and its condition still holds; "
                    "if it is not endless, raise max_loop_passes"
                )
            self._pass(step.loop, machine)

    def _value(self, machine: Machine) -> int | float:
        """The value that the step in front of the machine's next one asks for."""
        return self._compiled.classical.run(self._operands[machine.step - 1][1], machine.memory)

    def _pass(self, loop: int, machine: Machine) -> None:
        """Begin a pass of a loop."""
        machine.passes[loop] += 1
        visits = machine.visits[loop]
        if visits > MAX_VISIT:
            raise CircuitError(f"a shot passes a loop more than {MAX_VISIT + 1} times; it has no random numbers left")
        machine.visits[loop] = visits + 1

    def _apply(self, segment: int, machine: Machine) -> None:
        names = self._compiled.segment_names[segment]
        variables = machine.memory.variables
        values = np.array(
            [variables[self._slots[name]] if name in self._slots else self._values[name] for name in names],
            dtype=np.float64,
        )
        if not np.isfinite(values).all():
            bad = next(name for name, value in zip(names, values, strict=True) if not math.isfinite(value))
            raise CircuitError(f"variable '{bad}' is not finite where an angle needs its value")
        self._state.apply(segment, values)
        self.statistics.gates += self._compiled.segment_sizes[segment]


def measure_at_end(script: Script, settings: RunSettings, leaf: Leaf[Shots], rows: Rows) -> None:
    """Let shots that have arrived make their measurements at the end, into their rows."""
    wiring = script.wiring
    if not wiring.runs and not script.readout:
        return
    arrived = leaf.population
    found = rows[arrived.places]
    if wiring.runs:
        sampler = settings.engine.sampler(leaf.state, threads=settings.threads)
        found &= ~row_of_int(wiring.written, wiring.num_bits)
        found |= wiring.pack(sampler.find(arrived.uniforms(FINAL_SAMPLING)))
    misread(found, script.readout, arrived.uniforms)
    rows[arrived.places] = found


def add_outcomes(found: dict[int, float], script: Script, population: Weight, weights: FloatArray) -> None:
    """Add the probabilities of what is recorded at a leaf, the measurements at the end included.

    Parameters
    ----------
    found : dict of int to float
        Bit b of a key is classical bit b.
    script : Script
    population : Weight
    weights : ndarray of float64, shape (2**k,)
        The joint distribution of ``script.measured``; any multiple of it.
    """
    weights = weights / weights.sum()
    place_of = {qubit: place for place, qubit in enumerate(script.measured)}
    for outcome in np.flatnonzero(weights).tolist():
        written = 0
        for run in script.wiring.runs:
            for step in range(run.width):
                written |= (outcome >> place_of[run.source + step] & 1) << (run.destination + step)
        for recorded, value in population.recorded.items():
            weight = value * float(weights[outcome])
            if weight > population.cutoff:
                bits = (recorded & ~script.wiring.written) | written
                found[bits] = found.get(bits, 0.0) + weight


def _record(step: Measure | Reset | Free | Noise | Misread, parts: Mapping[int, Population]) -> None:
    """Let every part note its outcome."""
    if isinstance(step, (Measure, Misread)):
        for outcome, part in parts.items():
            part.record(step.bit, 1, outcome)


def _loops_around(script: Script) -> list[tuple[int, ...]]:
    """Return the loops that each step stands in, from the outermost on; a loop's `Enter` stands in front of it."""
    found: list[list[int]] = [[] for _ in range(len(script.steps) + 1)]
    for loop, begin in enumerate(script.loops):
        first = script.steps[begin + 1]
        assert isinstance(first, (Unless, NextValue))
        for number in range(begin + 1, first.target):
            found[number].append(loop)
    return [tuple(loops) for loops in found]


def _numbers(mask: int) -> Iterator[int]:
    """Yield the places of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _outcomes(path: Path) -> list[int]:
    """List a path from its end, so that the first outcome is popped first."""
    found = []
    while path is not None:
        path, outcome = path
        found.append(outcome)
    return found

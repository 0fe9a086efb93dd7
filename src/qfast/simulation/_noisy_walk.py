"""Noisy circuits shot by shot, for whatever Pauli errors at the end do not cover.

All shots walk together until something tells them apart: a measurement, a misreading, or the operator that a channel
applies. There they divide by their own uniforms; where the probabilities depend on the state, they are those of the
state that these shots share. Branches that wait keep a copy of the state while memory lasts, and are simulated again
otherwise, as in `dynamic`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray
from qfast.errors import CancelledRunError
from qfast.noise import Channel
from qfast.simulation._noisy_script import Misread, Noise
from qfast.simulation._script import Gates, Measure
from qfast.simulation.dynamic import (
    Leaf,
    Machine,
    Path,
    Shots,
    Walker,
    Weight,
    _Checkpoint,
    _halves,
    _outcomes,
    _Task,
)

__all__ = ["NOISE_SITE", "READ_SITE", "NoisyShots", "NoisyWalker", "NoisyWeight", "apply_operator"]

NOISE_SITE = 1 << 40
"""Site of a shot's first channel; the following count on. Measurements count from 0."""

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

    def divide(self, weights: FloatArray, site: int) -> dict[int, NoisyShots]:
        """Return who takes which outcome: outcome k has the k-th part of the unit interval."""
        cumulative = np.cumsum(weights)
        last = int(np.flatnonzero(weights)[-1])
        chosen = np.searchsorted(cumulative[:last], self.uniforms(site) * cumulative[-1], side="right")
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
    gates = 0
    """Gates applied, all branches together; `segment_sizes` tells how many a stretch has."""

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
        return _Choice(kraus_weights(self.state, channel, step.place.qubits), site)

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
            scale = 1.0 if channel.is_mixture else weight**-0.5
            apply_operator(self.state, channel.operators[outcome] * scale, step.place.qubits)


def apply_operator(state: AnyArray, matrix: ComplexArray, qubits: tuple[int, ...]) -> None:
    """Apply any matrix to some qubits of a state, in place; numpy's loops, no BLAS, so that threads change nothing."""
    matrix = matrix.astype(state.dtype, copy=False)
    if len(qubits) == 1:
        halves = _halves(state, qubits[0])
        low, high = halves[:, 0], halves[:, 1]
        new_low = matrix[0, 0] * low + matrix[0, 1] * high
        np.add(matrix[1, 0] * low, matrix[1, 1] * high, out=high)
        low[...] = new_low
        return
    local = _local(state, qubits)
    columns = [local[column].copy() for column in range(len(matrix))]
    for row, entries in enumerate(matrix):
        total = np.zeros_like(columns[0])
        for column in np.flatnonzero(entries).tolist():
            total += entries[column] * columns[column]
        local[row] = total


def kraus_weights(state: AnyArray, channel: Channel, qubits: tuple[int, ...]) -> FloatArray:
    """Return the probability of each Kraus operator, ``tr(K†K rho)`` with the qubits' density matrix rho."""
    local = _local(state, qubits)
    dim = 1 << len(qubits)
    rho = np.empty((dim, dim), dtype=np.complex128)
    for row in range(dim):
        for column in range(row + 1):
            rho[row, column] = (local[row] * local[column].conj()).sum(dtype=np.complex128)
            rho[column, row] = rho[row, column].conj()
    weights = np.array([np.einsum("ij,jk,ik->", k, rho, k.conj()).real for k in channel.operators])
    weights[weights < 1e-15] = 0.0  # rounding of what cannot happen
    return weights


def _local(state: AnyArray, qubits: tuple[int, ...]) -> Any:
    """View a state by the index of some qubits, the first least significant."""
    num_qubits = state.size.bit_length() - 1
    tensor = state.reshape((2,) * num_qubits)
    front = tensor.transpose(
        [num_qubits - 1 - qubit for qubit in reversed(qubits)]
        + [num_qubits - 1 - qubit for qubit in reversed(range(num_qubits)) if qubit not in qubits]
    )
    return _Slices(front, len(qubits))


class _Slices:
    """Slices of a tensor by the joint index of its first k axes."""

    def __init__(self, tensor: AnyArray, k: int) -> None:
        self._tensor, self._k = tensor, k

    def _place(self, index: int) -> tuple[int, ...]:
        return tuple(index >> (self._k - 1 - axis) & 1 for axis in range(self._k))

    def __getitem__(self, index: int) -> AnyArray:
        found: AnyArray = self._tensor[self._place(index)]
        return found

    def __setitem__(self, index: int, value: AnyArray) -> None:
        self._tensor[self._place(index)] = value

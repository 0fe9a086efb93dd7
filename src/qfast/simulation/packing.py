"""Qubits that nothing touches cost nothing: a script on the others, renumbered in their order.

A qubit is touched by a gate, a reset, a channel, or a measurement that is a step of the script. Any other is 0 for
good: where it is measured at the end, its bit is 0, and in an observable its Z counts 1 and its X and Y nothing. Places
of random numbers are those of the whole circuit, so shots do not depend on what is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from qfast._typing import UIntArray
from qfast.circuit import Observable, Operator, PauliSum
from qfast.circuit.classical import Bit, Bits, Index
from qfast.circuit.gates import OPCODES
from qfast.circuit.transforms import take
from qfast.circuit.value import AnyCircuit, CircuitValue
from qfast.engines.bits import Wiring
from qfast.simulation.script import Free, Measure, Noise, Reset, Script, Step, Store

__all__ = ["Packing", "num_touched", "pack_script", "touched_qubits"]

S = TypeVar("S", bound=Step)

_MEASURE, _BARRIER = OPCODES["measure"], OPCODES["barrier"]
_FEW = 256  # entries that a loop takes in faster than numpy counts them


@dataclass(frozen=True, slots=True)
class Packing:
    """Some qubits of a circuit: qubit ``qubits[k]`` is qubit k of what is run.

    Attributes
    ----------
    qubits : tuple of int
        Ascending.
    num_qubits : int
        Of the circuit.
    """

    qubits: tuple[int, ...]
    num_qubits: int

    @property
    def is_whole(self) -> bool:
        """Whether no qubit is left out."""
        return len(self.qubits) == self.num_qubits

    def place_of(self) -> dict[int, int]:
        """Return the new number of each qubit."""
        return {qubit: place for place, qubit in enumerate(self.qubits)}

    def observable(self, observable: Observable) -> Observable:
        """Return an observable's part on these qubits, all others being 0.

        An operator that is no Pauli sum acts on none of the others.
        """
        if self.is_whole:
            return observable
        if isinstance(observable, Operator):
            place = self.place_of()
            return observable.on(tuple(place[qubit] for qubit in observable.qubits))
        x, z, coefficients = observable.masks(self.num_qubits)
        kept = sum(1 << qubit for qubit in self.qubits)
        seen = (x & np.uint64(~kept & (1 << 64) - 1)) == 0
        moved_x, moved_z = self._gathered(x[seen]), self._gathered(z[seen])
        return PauliSum._from_masks(moved_x, moved_z, coefficients[seen], len(self.qubits))

    def _gathered(self, masks: UIntArray) -> UIntArray:
        found = np.zeros_like(masks)
        for place, qubit in enumerate(self.qubits):
            found |= (masks >> np.uint64(qubit) & np.uint64(1)) << np.uint64(place)
        return found

    def basis_state(self, state: int) -> int | None:
        """Return a basis state of the circuit as one of these qubits; None where another qubit is 1."""
        found, rest = 0, state
        for place, qubit in enumerate(self.qubits):
            found |= (state >> qubit & 1) << place
            rest &= ~(1 << qubit)
        return None if rest else found


def touched_qubits(script: Script, more: Iterable[int] = ()) -> Packing:
    """Return the qubits that a script cannot do without.

    Parameters
    ----------
    script : Script
        One in which no qubit is allocated or freed.
    more : iterable of int
        Others that are wanted.
    """
    touched = set(more)
    for segment in script.segments:
        touched |= _distinct(segment)
    written = 0  # bits that a step of the script may write
    for step in script.steps:
        if isinstance(step, (Measure, Reset)):
            touched.add(step.qubit)
        elif isinstance(step, Noise):
            touched.update(step.place.qubits)
        if isinstance(step, Measure):
            written |= 1 << step.bit
        elif isinstance(step, Store):
            written |= _bits_of(step)
    # A measurement at the end has to take back what stood in its bit before.
    touched.update(qubit for bit, qubit in enumerate(script.wiring.sources) if qubit >= 0 and written >> bit & 1)
    return Packing(tuple(sorted(touched)), script.num_qubits)


def num_touched(circuit: CircuitValue) -> int:
    """Return how many qubits a circuit's gates, resets and bodies act on: what a run of it needs at least."""
    columns = circuit.columns
    opcodes, ends, qubits = columns.opcodes, columns.qubit_end, columns.qubits
    if len(opcodes) <= _FEW:
        touched: set[int] = set()
        begin = 0
        for opcode, end in zip(opcodes, ends, strict=True):
            if opcode != _MEASURE and opcode != _BARRIER:
                touched.update(qubits[begin:end])
            begin = end
        return len(touched)
    acts = (np.asarray(opcodes) != _MEASURE) & (np.asarray(opcodes) != _BARRIER)
    return int(np.count_nonzero(np.bincount(np.asarray(qubits)[np.repeat(acts, np.diff(ends, prepend=0))])))


def _distinct(circuit: AnyCircuit) -> set[int]:
    """Return the qubits that instructions name."""
    qubits = circuit.qubits
    if len(qubits) <= _FEW:
        return set(qubits)
    return set(np.flatnonzero(np.bincount(np.asarray(qubits))).tolist())


def _bits_of(step: Store) -> int:
    target = step.assign.target
    if isinstance(target, Index):
        target = target.operand
    if isinstance(target, Bit):
        return 1 << target.index
    return ((1 << target.size) - 1) << target.start if isinstance(target, Bits) else 0


def pack_script(script: Script, packing: Packing) -> Script:
    """Return a script on the qubits of a packing."""
    if packing.is_whole:
        return script
    place = packing.place_of()
    pairs = [(place[qubit], bit) for bit, qubit in enumerate(script.wiring.sources) if qubit in place]
    return replace(
        script,
        steps=tuple(_moved(step, place) for step in script.steps),
        segments=tuple(
            take(segment, range(len(segment)), qubits=packing.qubits, frees_variables=True)
            for segment in script.segments
        ),
        num_qubits=len(packing.qubits),
        wiring=Wiring(pairs, script.wiring.num_bits),
        measured=tuple(place[qubit] for qubit in script.measured if qubit in place),
    )


def _moved(step: S, place: dict[int, int]) -> S:
    if isinstance(step, (Measure, Reset, Free)):
        return replace(step, qubit=place[step.qubit])
    if isinstance(step, Noise):
        return replace(step, place=replace(step.place, qubits=tuple(place[qubit] for qubit in step.place.qubits)))
    return step

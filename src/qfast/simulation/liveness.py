"""What a branch of a script must know: the classical bits, variables and loop counters that will still be read.

Branches whose states, places and live values are equal go on alike, whatever their shots have recorded, and can be
walked as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qfast.circuit.classical import Bit, Bits, Classical, Index, Variable, walk
from qfast.simulation.script import (
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
    Step,
    Store,
    Unless,
)

__all__ = ["Live", "liveness_of"]


@dataclass(frozen=True, slots=True)
class Live:
    """What is read from some step on.

    Attributes
    ----------
    bits : int
        Bit b is set: classical bit b.
    variables : int
        Bit v is set: variable number v of the script.
    passes : int
        Bit l is set: how many passes of loop l were begun since it was last entered.
    visits : int
        Bit l is set: how many passes of loop l were begun in all.
    """

    bits: int = 0
    variables: int = 0
    passes: int = 0
    visits: int = 0

    def __or__(self, other: Live) -> Live:
        return Live(
            self.bits | other.bits,
            self.variables | other.variables,
            self.passes | other.passes,
            self.visits | other.visits,
        )

    def without(self, other: Live) -> Live:
        return Live(
            self.bits & ~other.bits,
            self.variables & ~other.variables,
            self.passes & ~other.passes,
            self.visits & ~other.visits,
        )


_NOTHING = Live()


def liveness_of(script: Script, segment_names: Sequence[Sequence[str]]) -> list[Live]:
    """Return what is live in front of each step, and behind the last one (nothing).

    Parameters
    ----------
    script : Script
    segment_names : sequence of sequence of str
        The parameters of each stretch of gates, classical variables among them.
    """
    place = {variable.name: 1 << number for number, variable in enumerate(script.variables)}
    reads = [_reads(step, place, segment_names) for step in script.steps]
    live = [_NOTHING] * (len(script.steps) + 1)
    changed = True
    while changed:  # backwards; a loop needs one more round for each level of nesting
        changed = False
        for number in range(len(script.steps) - 1, -1, -1):
            found = _before(script.steps[number], number, live, place) | reads[number]
            if found != live[number]:
                live[number] = found
                changed = True
    return live


def _before(step: Step, number: int, live: list[Live], place: dict[str, int]) -> Live:
    """What is live in front of a step because of what follows it."""
    after = live[number + 1]
    if isinstance(step, Jump):
        return live[step.target]
    if isinstance(step, Unless):
        return after | live[step.target]
    if isinstance(step, Choose):
        for target in (step.default, *step.targets.values()):
            # The step behind a Choose is one of its targets.
            after = after | live[target]
        return after
    if isinstance(step, NextValue):
        given = _NOTHING if step.variable is None else Live(variables=place[step.variable])
        return after.without(given) | live[step.target]
    return after.without(_writes(step, place))


def _writes(step: Step, place: dict[str, int]) -> Live:
    """What a step gives a new value, whole."""
    if isinstance(step, Measure):
        return Live(bits=1 << step.bit)
    if isinstance(step, Enter):
        return Live(passes=1 << step.loop)
    if isinstance(step, Store):
        target = step.assign.target
        if isinstance(target, Bit):
            return Live(bits=1 << target.index)
        if isinstance(target, Bits):
            return Live(bits=((1 << target.size) - 1) << target.start)
        if isinstance(target, Variable):
            return Live(variables=place[target.name])
    return _NOTHING


def _reads(step: Step, place: dict[str, int], segment_names: Sequence[Sequence[str]]) -> Live:
    """What a step reads itself."""
    if isinstance(step, Gates):
        return Live(variables=sum(place[name] for name in set(segment_names[step.segment]) if name in place))
    if isinstance(step, (Measure, Reset, Free, Noise, Misread)):
        return _NOTHING if step.loop < 0 or step.number < 0 else Live(visits=1 << step.loop)
    if isinstance(step, Store):
        return _read_by(step.assign.value, place) | _read_by_target(step.assign.target, place)
    if isinstance(step, Unless):
        return _read_by(step.condition, place) | Live(passes=0 if step.loop is None else 1 << step.loop)
    if isinstance(step, Choose):
        return _read_by(step.value, place)
    if isinstance(step, NextValue):
        return Live(passes=1 << step.loop)
    return _NOTHING


def _read_by(expression: Classical, place: dict[str, int]) -> Live:
    bits = variables = 0
    for node in walk(expression):
        if isinstance(node, Bit):
            bits |= 1 << node.index
        elif isinstance(node, Bits):
            bits |= ((1 << node.size) - 1) << node.start
        elif isinstance(node, Variable):
            variables |= place[node.name]
    return Live(bits, variables)


def _read_by_target(target: Classical, place: dict[str, int]) -> Live:
    """An index is read, and what keeps its other bits."""
    return _read_by(target, place) if isinstance(target, Index) else _NOTHING

"""A script as arrays: what a walk outside of Python reads.

``steps`` is a row of eight int32 for each step: kind, then operands; unused ones are -1. ``code`` numbers are those of
`ClassicalCode`, ``loop`` and ``number`` those of a site (`sites`: visit = passes of that loop begun before, in all,
or 0 for loop -1), qubits are positions in the state as it is at that step.

==========  ==========================================================================================================
kind        operands
==========  ==========================================================================================================
0 GATES     segment
1 MEASURE   qubit, bit, number, loop, is_read. The outcome goes to the shots' rows, and to the branch's bits where
            is_read is 1
2 RESET     qubit, number, loop
3 ALLOC     (a qubit in |0>, above all others)
4 FREE      qubit, number, loop. Measured and dropped; those above it move down
5 NOISE     channel, first qubit's place in ``noise_qubits``, how many, number, loop; number -1: nothing is drawn
6 MISREAD   bit, error, number, loop, is_read. Where is_read is 0 only the shots' rows change and nothing divides
7 STORE     code, first, size: the classical bits first … first + size - 1 may change and go to the shots' rows; size 0
            for a variable. Run the code
8 JUMP      target
9 UNLESS    code, target, loop. Where the bool is 0 go on at target; otherwise, if loop >= 0, begin a pass of it: an
            error if that makes more than max_loop_passes since it was entered
10 CHOOSE   code, first label's place, how many, default. Go on at ``label_targets[i]`` of the label that equals the
            value: ``labels[i]``, 64 bits, of the value's type; labels ascend as unsigned words
11 ENTER    loop: no pass made since it was entered
12 NEXT     loop, first value's place, how many, variable, target, is_range. Begin a pass and give the variable (-1:
            none) ``loop_values[first + passes made]``, a word of its type; where is_range is 1, ``loop_values[first] +
            passes made * loop_values[first + 1]``, int64, converted to its type. After the last one go on at target
==========  ==========================================================================================================

A pass adds one to both counters of a loop: passes since it was entered, and visits in all, which ENTER leaves alone.
The visit of a site is visits - 1.

Live values: in front of step s a branch is told from others by its state, s, and the entries of row ``live[s]`` of
``live_bits`` (words of 64 classical bits), ``live_variables``, ``live_passes``, ``live_visits`` (words likewise).

Angles: parameter p of segment g is ``angle_sources[angle_ends[g - 1] + p]``: a value's index, or -1 - v for variable v,
as a double.

Channels: operator k of channel c is a complex128 matrix at ``operators[operator_at[c] + k * 4**q]``, q qubits, the
first the least significant bit. ``channel_kinds``: 0 a mixture of unitaries with ``channel_weights`` (at
``weight_at[c]``), 1 Kraus operators, whose weights are ⟨K†K⟩. In mixtures outcome k may be the identity:
``is_identity`` at ``weight_at[c] + k``.

Misreading: error e reads bit t as r with probability ``read_errors[e, t, r]``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qfast._typing import ComplexArray, FloatArray
from qfast.circuit.classical import Bit, Bits, Index, Variable
from qfast.circuit.classical_code import ClassicalCode, ClassicalCompiler, Kind, Type, type_of
from qfast.circuit.classical_run import wrapped
from qfast.circuit.control_flow import Assign
from qfast.errors import CircuitError
from qfast.noise import Channel, ReadoutError
from qfast.simulation.liveness import Live
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
    Step,
    Store,
    Unless,
)
from qfast.simulation.sites import MAX_VISIT

__all__ = ["ScriptCode", "encode_script", "value_of"]

_COLUMNS = 8
_KINDS: tuple[type[Step], ...] = (
    Gates, Measure, Reset, Alloc, Free, Noise, Misread, Store, Jump, Unless, Choose, Enter, NextValue,
)  # fmt: skip
_WORD = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class ScriptCode:
    """See the module. All arrays are C-contiguous."""

    num_qubits: int
    peak_qubits: int
    num_bits: int
    num_variables: int
    num_loops: int
    steps: NDArray[np.int32]
    classical: ClassicalCode
    noise_qubits: NDArray[np.int32]
    labels: NDArray[np.uint64]
    label_targets: NDArray[np.int32]
    loop_values: NDArray[np.uint64]
    variable_kinds: NDArray[np.int32]
    live: NDArray[np.int32]
    live_bits: NDArray[np.uint64]
    live_variables: NDArray[np.uint64]
    live_passes: NDArray[np.uint64]
    live_visits: NDArray[np.uint64]
    angle_ends: NDArray[np.int64]
    angle_sources: NDArray[np.int32]
    channel_kinds: NDArray[np.int32]
    channel_qubits: NDArray[np.int32]
    num_outcomes: NDArray[np.int32]
    weight_at: NDArray[np.int64]
    channel_weights: FloatArray
    is_identity: NDArray[np.uint8]
    operator_at: NDArray[np.int64]
    operators: ComplexArray
    read_errors: FloatArray


def encode_script(
    script: Script, live: Sequence[Live], segment_names: Sequence[Sequence[str]], parameter_names: Sequence[str]
) -> ScriptCode:
    """Write a script as arrays.

    Parameters
    ----------
    script : Script
    live : sequence of Live
        As `liveness_of` has it.
    segment_names : sequence of sequence of str
        The parameters of each stretch of gates.
    parameter_names : sequence of str
        The circuit's, in the order of their values.
    """
    encoder = _Encoder(script, live)
    steps = np.full((len(script.steps), _COLUMNS), -1, dtype=np.int32)
    for number, step in enumerate(script.steps):
        operands = encoder.operands(step, number)
        steps[number, 0] = _KINDS.index(type(step))
        steps[number, 1 : 1 + len(operands)] = operands
    slots = {variable.name: -1 - slot for slot, variable in enumerate(script.variables)}
    places = {name: place for place, name in enumerate(parameter_names)}
    sources = [slots[name] if name in slots else places[name] for names in segment_names for name in names]
    distinct = list(dict.fromkeys(live))
    channels = encoder.channels
    weights = [_weights(channel) for channel in channels]
    return ScriptCode(
        num_qubits=script.num_qubits,
        peak_qubits=max(script.widths()),
        num_bits=script.num_bits,
        num_variables=len(script.variables),
        num_loops=len(script.loops),
        steps=steps,
        classical=encoder.compiler.table(),
        noise_qubits=np.array(encoder.noise_qubits, dtype=np.int32),
        labels=np.array(encoder.labels, dtype=np.uint64),
        label_targets=np.array(encoder.label_targets, dtype=np.int32),
        loop_values=np.array(encoder.loop_values, dtype=np.uint64),
        variable_kinds=np.array([type_of(v.kind, v.width).kind for v in script.variables], dtype=np.int32),
        live=np.array([distinct.index(entry) for entry in live], dtype=np.int32),
        live_bits=_masks((entry.bits for entry in distinct), script.num_bits),
        live_variables=_masks((entry.variables for entry in distinct), len(script.variables)),
        live_passes=_masks((entry.passes for entry in distinct), len(script.loops)),
        live_visits=_masks((entry.visits for entry in distinct), len(script.loops)),
        angle_ends=np.cumsum([len(names) for names in segment_names], dtype=np.int64),
        angle_sources=np.array(sources, dtype=np.int32),
        channel_kinds=np.array([0 if channel.is_mixture else 1 for channel in channels], dtype=np.int32),
        channel_qubits=np.array([channel.num_qubits for channel in channels], dtype=np.int32),
        num_outcomes=np.array([len(channel.operators) for channel in channels], dtype=np.int32),
        weight_at=_starts([len(part) for part in weights]),
        channel_weights=np.array([value for part in weights for value in part], dtype=np.float64),
        is_identity=np.array([flag for channel in channels for flag in _identities(channel)], dtype=np.uint8),
        operator_at=_starts([sum(matrix.size for matrix in channel.operators) for channel in channels]),
        operators=np.concatenate(
            [np.zeros(0, dtype=np.complex128), *(matrix.reshape(-1) for c in channels for matrix in c.operators)]
        ),
        read_errors=np.array([error.probabilities for error in encoder.errors], dtype=np.float64).reshape(-1, 2, 2),
    )


class _Encoder:
    """Collects the tables that steps refer to."""

    def __init__(self, script: Script, live: Sequence[Live]) -> None:
        self.compiler = ClassicalCompiler(script.variables)
        self.noise_qubits: list[int] = []
        self.labels: list[int] = []
        self.label_targets: list[int] = []
        self.loop_values: list[int] = []
        self.channels: list[Channel] = []
        self.errors: list[ReadoutError] = []
        self._variables = {variable.name: (slot, variable) for slot, variable in enumerate(script.variables)}
        self._live = live

    def operands(self, step: Step, number: int) -> tuple[int, ...]:
        """Return the operands of a step."""
        if isinstance(step, Gates):
            return (step.segment,)
        if isinstance(step, Measure):
            return (step.qubit, step.bit, step.number, step.loop, self._is_read(step.bit, number))
        if isinstance(step, (Reset, Free)):
            return (step.qubit, step.number, step.loop)
        if isinstance(step, Noise):
            first = len(self.noise_qubits)
            self.noise_qubits += step.place.qubits
            channel = _place(self.channels, step.place.channel)
            return (channel, first, len(step.place.qubits), step.number, step.loop)
        if isinstance(step, Misread):
            error = _place(self.errors, step.error)
            return (step.bit, error, step.number, step.loop, self._is_read(step.bit, number))
        if isinstance(step, Store):
            return (self.compiler.assign(step.assign.target, step.assign.value), *_written(step.assign))
        return self._jump_operands(step)

    def _jump_operands(self, step: Jump | Unless | Choose | Enter | NextValue | Alloc | Step) -> tuple[int, ...]:
        if isinstance(step, Jump):
            return (step.target,)
        if isinstance(step, Unless):
            return (self.compiler.condition(step.condition), step.target, -1 if step.loop is None else step.loop)
        if isinstance(step, Choose):
            return self._choose(step)
        if isinstance(step, Enter):
            return (step.loop,)
        if isinstance(step, NextValue):
            slot, own = -1, Type(Kind.INT, 64)
            if step.variable is not None:
                slot, variable = self._variables[step.variable]
                own = type_of(variable.kind, variable.width)
            first, is_range = len(self.loop_values), isinstance(step.values, range)
            if isinstance(step.values, range):
                self.loop_values += [step.values.start & _WORD, step.values.step & _WORD]
            else:
                self.loop_values += [_word(value, own) for value in step.values]
            # No shot makes more passes than it has random numbers for.
            return (step.loop, first, min(len(step.values), MAX_VISIT + 2), slot, step.target, int(is_range))
        return ()

    def _choose(self, step: Choose) -> tuple[int, ...]:
        code, own = self.compiler.whole(step.value)
        if own.width > 64:
            raise CircuitError(f"a switch takes a value of at most 64 bits, {own} given")
        first = len(self.labels)
        # A label that the type cannot have is never the value.
        reachable = sorted((_word(label, own), target) for label, target in step.targets.items() if own.holds(label))
        self.labels += [label for label, _ in reachable]
        self.label_targets += [target for _, target in reachable]
        return (code, first, len(reachable), step.default)

    def _is_read(self, bit: int, number: int) -> int:
        return self._live[number + 1].bits >> bit & 1


def _written(assign: Assign) -> tuple[int, int]:
    """The run of classical bits that an assignment may change."""
    target = assign.target.operand if isinstance(assign.target, Index) else assign.target
    if isinstance(target, Bit):
        return target.index, 1
    if isinstance(target, Bits):
        return target.start, target.size
    assert isinstance(target, Variable)
    return 0, 0


def value_of(value: int | float, own: Type) -> int | float:
    """Return a number converted to a type."""
    if own.kind is Kind.FLOAT:
        return float(value)
    return int(value != 0) if own.kind is Kind.BOOL else wrapped(int(value), own.kind, own.width)


def _word(value: int | float, own: Type) -> int:
    """A number as a word of a type."""
    found = value_of(value, own)
    return int.from_bytes(struct.pack("<d", found), "little") if isinstance(found, float) else found & _WORD


def _masks(values: Iterable[int], size: int) -> NDArray[np.uint64]:
    words = max(1, -(-size // 64))
    rows = [[value >> 64 * word & _WORD for word in range(words)] for value in values]
    return np.array(rows, dtype=np.uint64).reshape(-1, words)


def _place(table: list[Channel] | list[ReadoutError], entry: Channel | ReadoutError) -> int:
    """Return the place of an object in a table of those that occur; by identity, as their comparison is not exact."""
    for place, known in enumerate(table):
        if known is entry:
            return place
    table.append(entry)  # type: ignore[arg-type]
    return len(table) - 1


def _weights(channel: Channel) -> tuple[float, ...]:
    return channel.probabilities if channel.probabilities is not None else (0.0,) * len(channel.operators)


def _identities(channel: Channel) -> list[bool]:
    if channel.labels is None:
        return [False] * len(channel.operators)
    return [not set(label) - {"I"} for label in channel.labels]


def _starts(lengths: Sequence[int]) -> NDArray[np.int64]:
    ends = np.cumsum([0, *lengths], dtype=np.int64)
    return ends[:-1]

"""From a certified graph to the script that a walk runs: qubits come and go, guards become jumps, events are bits.

A qubit's place in the state is how many of those alive were allocated before it. Stretches of gates that are alike, at
the same places of states of one width, are one stretch: graphs that reuse qubits repeat themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from qfast.circuit import Circuit
from qfast.circuit.classical import Binary, Bit, Bits, Classical, Literal
from qfast.engines.bits import Wiring
from qfast.errors import CircuitError
from qfast.noise import NoiseModel, Place, channels
from qfast.qvm.certification import Certificate
from qfast.qvm.graph import Node
from qfast.qvm.operations import Kind
from qfast.simulation.noise_places import Places, draws, places_of
from qfast.simulation.script import Alloc, Free, Gates, Measure, Misread, Noise, Reset, Script, Step, Unless

__all__ = ["BASIS_TURNS", "EventBits", "Lowered", "lower", "node_condition", "pauli_letters"]

_Gate: TypeAlias = tuple[str, tuple[int, ...], tuple[float, ...]]
"""Name, places, angles."""

# Gates that bring the basis of a measurement to Z; their inverses lead back, in reverse order.
BASIS_TURNS: dict[str, tuple[tuple[str, str], ...]] = {
    "MEASURE_Z": (),
    "MEASURE_X": (("h", "h"),),
    "MEASURE_Y": (("sdg", "s"), ("h", "h")),
}


_PERMUTES_BASIS = frozenset({"x", "y", "z", "s", "sdg", "t", "tdg", "rz", "cz", "cx", "swap"})
"""Gates that take basis states to basis states."""


@dataclass(frozen=True, slots=True)
class EventBits:
    """Where an event stands among the classical bits: one bit, or two of a Bell index."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Lowered:
    """A graph as a script.

    Attributes
    ----------
    script : Script
    events : dict of str to EventBits
    measured_out : frozenset of str
        Ids of the FREE nodes with a qubit that the structure does not show to be in a basis state: it is measured
        first.
    channel_noise : frozenset of str
        Ids of the nodes at which a channel's fidelity acts.
    """

    script: Script
    events: dict[str, EventBits]
    measured_out: frozenset[str]
    channel_noise: frozenset[str]


def lower(certificate: Certificate, qubits: Sequence[str], noise: NoiseModel | None = None) -> Lowered:
    """Make the script of a certified graph.

    Parameters
    ----------
    certificate : Certificate
    qubits : sequence of str
        The graph's declared qubits; the k-th is qubit k of the noise model.
    noise : NoiseModel, optional

    Raises
    ------
    InputError
        A channel of the noise model does not fit its gate.
    """
    lowering = _Lowering(qubits, None if noise is None or noise.is_empty else noise)
    for node in certificate.order:
        lowering.add(node)
    return lowering.finish()


class _Lowering:
    def __init__(self, qubits: Sequence[str], noise: NoiseModel | None) -> None:
        self._noise = noise
        self._names = tuple(qubits)
        self._index = {name: place for place, name in enumerate(qubits)}
        self._alive: list[str] = []
        self._place: dict[str, int] = {}
        self._known: set[str] = set()  # qubits in a basis state, by structure
        self._steps: list[Step] = []
        self._gates: list[_Gate] = []
        self._segments: dict[tuple[int, tuple[_Gate, ...]], int] = {}
        self._circuits: list[Circuit] = []
        self._events: dict[str, EventBits] = {}
        self._num_bits = 0
        self._number = 0
        self._num_channels = 0
        self._measured_out: set[str] = set()
        self._noisy_channels: set[str] = set()
        self._fidelity: dict[str, float] = {}
        self._noise_at = functools.cache(self._find_noise)

    def finish(self) -> Lowered:
        self._flush()
        script = Script(
            steps=tuple(self._steps),
            segments=tuple(self._circuits),
            num_qubits=0,
            wiring=Wiring((), self._num_bits),
            measured=(),
            readout=(),
            registers=(),
            variables=(),
            loops=(),
        )
        return Lowered(script, self._events, frozenset(self._measured_out), frozenset(self._noisy_channels))

    def add(self, node: Node) -> None:
        """Add one node."""
        kind = node.operation.kind
        if kind is Kind.ALLOC:
            self._allocate(node)
        elif kind is Kind.FREE:
            self._free(node)
        elif kind is Kind.OPEN:
            self._fidelity[node.channels[0]] = float(node.arguments.get("fidelity", 1.0))
        elif kind in (Kind.GATE, Kind.MEASURE, Kind.RESET, Kind.PAULI):
            condition = node_condition(node, self._events)
            if condition is None:
                self._act(node, kind)
            else:
                self._act_unless(condition, node, kind)

    def _act_unless(self, condition: Classical, node: Node, kind: Kind) -> None:
        self._flush()
        over = Unless(condition)
        self._steps.append(over)
        before = self._known.copy()
        self._act(node, kind)
        self._flush()
        over.target = len(self._steps)
        self._known &= before  # where the node was skipped, it has brought nothing to a basis state

    # --- what is alive ------------------------------------------------------------------------------------------------

    def _allocate(self, node: Node) -> None:
        self._flush()
        for name in node.qubits:
            self._place[name] = len(self._alive)
            self._alive.append(name)
            self._steps.append(Alloc())
            self._known.add(name)

    def _free(self, node: Node) -> None:
        self._flush()
        for name in node.qubits:
            place = self._place.pop(name, None)
            if place is None:
                continue  # freed before
            if name not in self._known:
                self._measured_out.add(node.id)
            self._known.discard(name)
            self._steps.append(Free(place, self._next()))
            del self._alive[place]
            for other in self._alive[place:]:
                self._place[other] -= 1

    # --- what happens -------------------------------------------------------------------------------------------------

    def _act(self, node: Node, kind: Kind) -> None:
        if kind is Kind.GATE:
            angle = node.arguments.get("theta")
            self._gate(node.operation.gate or "", node.qubits, () if angle is None else (float(angle),))
            if node.channels:
                self._pass_through(node)
        elif kind is Kind.PAULI:
            for letter, name in zip(pauli_letters(node), node.qubits, strict=True):
                if letter != "I":
                    self._gate(letter.lower(), (name,))
        elif kind is Kind.RESET:
            for name in node.qubits:
                self._reset(name)
        elif node.op == "MEASURE_BELL":
            self._measure_bell(node)
        else:
            self._measure(node)

    def _gate(self, gate: str, names: tuple[str, ...], angles: tuple[float, ...] = ()) -> None:
        indices = tuple(self._index[name] for name in names)
        before, after = self._noise_at(gate, indices, angles)
        self._add_noise(before)
        self._gates.append((gate, tuple(self._place[name] for name in names), angles))
        self._add_noise(after)
        self._follow_basis_states(gate, names, is_noisy=bool(before or after))

    def _follow_basis_states(self, gate: str, names: tuple[str, ...], is_noisy: bool) -> None:
        """Keep track of the qubits that are in a basis state whatever happened."""
        if is_noisy or gate not in _PERMUTES_BASIS:
            self._known.difference_update(names)
        elif gate == "swap" and len(self._known.intersection(names)) == 1:
            self._known.symmetric_difference_update(names)
        elif gate == "cx" and names[0] not in self._known:
            self._known.discard(names[1])

    def _pass_through(self, node: Node) -> None:
        """What a Werner pair of a channel's fidelity does to the CNOT that is teleported through it.

        With probability (1 - fidelity)/3 each, the pair carries an X, which ends on the target, a Z, which ends on the
        control, or both (Gottesman, Chuang, Nature 402, 390 (1999), doi:10.1038/46503, for the teleportation).
        """
        fidelity = self._fidelity[node.channels[0]]
        if self._noise is None or fidelity == 1.0:
            return
        wrong = (1.0 - fidelity) / 3
        werner = channels.pauli({"II": fidelity, "IX": wrong, "ZI": wrong, "ZX": wrong})  # the control's letter first
        self._add_noise((Place(werner, tuple(self._index[name] for name in node.qubits)),))
        self._known.difference_update(node.qubits)
        self._noisy_channels.add(node.id)

    def _measure(self, node: Node) -> None:
        (name,) = node.qubits
        place = (self._place[name],)
        if node.op == "MEASURE_ANGLE":
            angle = float(node.arguments["angle"])
            turn: list[_Gate] = [("ry", place, (-angle,))]
            back: list[_Gate] = [("ry", place, (angle,))]
        else:
            turn = [(gate, place, ()) for gate, _ in BASIS_TURNS[node.op]]
            back = [(gate, place, ()) for _, gate in reversed(BASIS_TURNS[node.op])]
        # The turns belong to the measurement: noise at gates is not theirs.
        self._gates += turn
        self._record(name, self._bits_of(node.produces[0], 1))
        self._gates += back
        if turn:
            self._known.discard(name)

    def _measure_bell(self, node: Node) -> None:
        first, second = node.qubits
        pair = (self._place[first], self._place[second])
        turn: list[_Gate] = [("cx", pair, ()), ("h", pair[:1], ())]
        if len(node.produces) == 1:
            phase = self._bits_of(node.produces[0], 2)
            parity = phase + 1
        else:
            phase, parity = (self._bits_of(event, 1) for event in node.produces)
        self._gates += turn
        self._record(first, phase)
        self._record(second, parity)
        self._gates += reversed(turn)
        self._known.difference_update(node.qubits)

    def _bits_of(self, event: str, size: int) -> int:
        start = self._num_bits
        self._num_bits += size
        self._events[event] = EventBits(start, size)
        return start

    def _record(self, name: str, bit: int) -> None:
        index = self._index[name]
        before, after = self._noise_at("measure", (index,), ())
        self._add_noise(before)
        self._flush()
        self._steps.append(Measure(self._place[name], bit, self._next()))
        found = None if self._noise is None else self._noise.readout_of(index)
        if found is not None:
            error, group = found
            if len(group) > 1:
                raise CircuitError(
                    f"the readout error on qubits {list(group)} acts on all of them at once, but a graph measures "
                    f"qubit '{name}' (number {index}) by itself; give it a readout error of its own"
                )
            self._steps.append(Misread(bit, error, self._number))
        self._known.add(name)
        self._add_noise(after)

    def _reset(self, name: str) -> None:
        before, after = self._noise_at("reset", (self._index[name],), ())
        self._add_noise(before)
        self._flush()
        self._steps.append(Reset(self._place[name], self._next()))
        self._known.add(name)
        self._add_noise(after)
        if after:
            self._known.discard(name)

    def _next(self) -> int:
        self._number += 1
        return self._number

    # --- noise --------------------------------------------------------------------------------------------------------

    def _find_noise(self, gate: str, indices: tuple[int, ...], angles: tuple[float, ...]) -> Places:
        """What acts before and after one operation, on declared qubits."""
        if self._noise is None:
            return (), ()
        circuit = Circuit(len(self._index), 1)
        if gate == "measure":
            circuit.measure(indices[0], 0)
        else:
            circuit.append(gate, list(indices), list(angles))
        return places_of(circuit, self._noise)[0]

    def _add_noise(self, places: Iterable[Place]) -> None:
        for place in places:
            names = [self._names[index] for index in place.qubits]
            if not all(name in self._place for name in names):
                continue  # crosstalk onto a qubit that is not there
            self._flush()
            number = -1
            if draws(place):
                number = self._num_channels
                self._num_channels += 1
            self._steps.append(Noise(Place(place.channel, tuple(self._place[name] for name in names)), number))

    # --- stretches of gates -------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """End the stretch of gates."""
        if not self._gates:
            return
        key = len(self._alive), tuple(self._gates)
        self._gates.clear()
        number = self._segments.get(key)
        if number is None:
            number = self._segments[key] = len(self._circuits)
            circuit = Circuit(key[0])
            for gate, places, angles in key[1]:
                circuit.append(gate, places, angles)
            self._circuits.append(circuit)
        self._steps.append(Gates(number))


def pauli_letters(node: Node) -> str:
    """Return the letters of a COND_PAULI, one for each of its qubits."""
    letters: str = node.arguments.get("mask") or node.arguments["pauli"]
    return letters * len(node.qubits) if len(letters) == 1 else letters


def node_condition(node: Node, events: Mapping[str, EventBits]) -> Classical | None:
    """When a node acts: its guard holds, and the exclusive-or of its inputs is 1."""
    parts: list[Classical] = []
    if node.guard is not None:
        tests = [_equals(events[one.event], one.equals) for one in node.guard.conditions]
        op = "&&" if node.guard.type == "and" else "||"
        parts.append(functools.reduce(lambda left, right: Binary(op, left, right), tests))
    if node.inputs:
        bits: list[Classical] = [Bit(events[name].start) for name in node.inputs]
        parts.append(functools.reduce(lambda left, right: Binary("^", left, right), bits))
    return functools.reduce(lambda left, right: Binary("&&", left, right), parts) if parts else None


def _equals(event: EventBits, value: int) -> Classical:
    read = Bit(event.start) if event.size == 1 else Bits(event.start, event.size)
    return Binary("==", read, Literal(value))

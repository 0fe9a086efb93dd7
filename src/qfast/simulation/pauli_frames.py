"""Pauli errors pushed to the end of a circuit.

A Pauli error in front of a gate is the same as another angle and a Pauli error behind it: Clifford gates turn it into
another Pauli, and a rotation about an axis that anticommutes with it changes its sign. Pushed to the end, an error is a
set of changed angles, and a Pauli frame whose X part flips outcomes. All of this is linear over GF(2): the effect of
several errors is the sum of their effects. So a noisy trajectory is a row of angles of one program.

Gates are rewritten where that helps (t becomes a phase with an angle, cp three rotations). Where a Pauli cannot pass a
gate it is left in front of it, as an RX or RZ whose angle is 0 or pi.
"""

from __future__ import annotations

import cmath
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, IntArray
from qfast.circuit import Circuit, Instruction, Parameter, ParameterExpression
from qfast.circuit.gates import GATES, OPCODES, GateFlag, Step
from qfast.circuit.parameter import ParameterValue
from qfast.noise.channel import Channel, pauli_label, pauli_matrix

__all__ = ["FRAME_BYTES", "MAX_FRAME_QUBITS", "Effects", "PushedCircuit", "PushedCircuitBuilder"]

MAX_FRAME_QUBITS = 64
FRAME_BYTES = 16  # the X and the Z of each qubit
_FRAME_BITS = 8 * FRAME_BYTES
_Z_FRAME = ((1 << MAX_FRAME_QUBITS) - 1) << MAX_FRAME_QUBITS
_UNPACKED_BYTES = 1 << 24  # bits of effects that stand in a byte each at a time

# The axes that a gate's parameters turn about; a gate is the product of these rotations, up to a global phase.
_ROTATIONS: dict[str, tuple[str, ...]] = {
    "rx": ("X",), "ry": ("Y",), "rz": ("Z",), "p": ("Z",), "u1": ("Z",), "r": ("X", "Z"),
    "u": ("Y", "Z", "Z"), "u3": ("Y", "Z", "Z"),
    "rxx": ("XX",), "ryy": ("YY",), "rzz": ("ZZ",), "rzx": ("ZX",),
}  # fmt: skip

# Gates as such rotations, up to a global phase.
_REWRITTEN: dict[str, Callable[[Sequence[ParameterValue]], tuple[Step, ...]]] = {
    "t": lambda p: (Step("p", (0,), (math.pi / 4,)),),
    "tdg": lambda p: (Step("p", (0,), (-math.pi / 4,)),),
    "u2": lambda p: (Step("u", (0,), (math.pi / 2, p[0], p[1])),),
    "cp": lambda p: (Step("p", (0,), (p[0] / 2,)), Step("p", (1,), (p[0] / 2,)), Step("rzz", (0, 1), (-p[0] / 2,))),
    "cu1": lambda p: (Step("cp", (0, 1), (p[0],)),),
    "cs": lambda p: (Step("cp", (0, 1), (math.pi / 2,)),),
    "csdg": lambda p: (Step("cp", (0, 1), (-math.pi / 2,)),),
    "crx": lambda p: (Step("rx", (1,), (p[0] / 2,)), Step("rzx", (0, 1), (-p[0] / 2,))),
    "crz": lambda p: (Step("rz", (1,), (p[0] / 2,)), Step("rzz", (0, 1), (-p[0] / 2,))),
    "csx": lambda p: (Step("p", (0,), (math.pi / 4,)), Step("crx", (0, 1), (math.pi / 2,))),
}

# The order in which a gate of several rotations makes them, where it is not that of its parameters. Both turns of r
# about Z are counted where the first is.
_IN_TIME: dict[str, tuple[int, ...]] = {"u": (2, 0, 1), "u3": (2, 0, 1), "r": (1, 0)}

_ROUNDING = 1e-12  # of angles that are multiples of quarter turns
_MAX_DECOMPOSED_QUBITS = 3  # wider gates have long decompositions; errors stop in front of them instead
_MAX_NUMERIC_QUBITS = 2  # of a matrix whose conjugations of Paulis are looked at

Images: TypeAlias = tuple[tuple[int, int] | None, ...]
"""Masks (x, z) over a gate's qubits that X_0, X_1, …, Z_0, Z_1, … become behind it; None: no Pauli."""


@dataclass(slots=True)
class _Row:
    """One gate of the pushed circuit; `slots` are the numbers of the angles among its parameters, or None."""

    opcode: int
    qubits: tuple[int, ...]
    params: tuple[ParameterValue, ...] = ()
    slots: tuple[int, ...] | None = None
    controls: tuple[int, ...] = ()
    ctrl_state: int = 0
    item: Any = None


@dataclass(slots=True)
class _Turn:
    """An error that anticommutes with `letters` on `qubits` flips angle `slot`."""

    slot: int
    letters: str
    qubits: tuple[int, ...]


@dataclass(slots=True)
class _Conjugate:
    """Paulis on `qubits` become others; those that cannot are caught by the slots of `caught` (X_j, then Z_j)."""

    qubits: tuple[int, ...]
    images: Images
    caught: tuple[int, ...]


@dataclass(slots=True)
class _Site:
    """A Pauli channel acts here."""

    channel: Channel
    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Effects:
    """What the errors of every site do.

    Attributes
    ----------
    rows : ndarray of uint8, shape (errors, ceil(slots / 64) * 8 + 16)
        Of each error that is not the identity, site by site: which angles it flips, slot 0 in the most significant bit
        of byte 0, so that rows sort as the circuit runs; and, in the last 16 bytes, the qubits with Z and those
        with X behind the circuit as big-endian numbers.
    thresholds : ndarray of float64
        Cumulative probabilities of all sites, each from that of no error on.
    ends : ndarray of int64, shape (sites,)
        Where each site's thresholds end.
    """

    rows: AnyArray
    thresholds: FloatArray
    ends: IntArray

    def reordered(self, order: IntArray) -> Effects:
        """Return the effects with slot ``order[c]`` at place c of the rows."""
        rows = self.rows.copy()
        step = max(1, _UNPACKED_BYTES // max(1, order.size))
        for begin in range(0, len(rows), step):
            part = rows[begin : begin + step]
            flips = np.packbits(np.unpackbits(part, axis=1, count=order.size)[:, order], axis=1)
            part[:, : flips.shape[1]] = flips
        return Effects(rows, self.thresholds, self.ends)


@dataclass(slots=True)
class PushedCircuit:
    """A circuit whose angles are parameters, and what errors do to them.

    Attributes
    ----------
    blocks : list of Circuit
        One after the other; block b has the angles ``bounds[b]:bounds[b + 1]``, in order.
    bounds : list of int
    effects : Effects
    """

    num_qubits: int
    blocks: list[Circuit]
    bounds: list[int]
    effects: Effects
    _clean: list[ParameterValue]
    _caught: AnyArray  # angles that are 0 or pi, not plus or minus
    _unseen: AnyArray  # angles of rotations that commute to the end and turn about Z there
    _order: IntArray  # the slot at each place of the effects' rows

    @property
    def num_angles(self) -> int:
        return self.bounds[-1]

    def reorder(self, order: IntArray) -> None:
        """Put slot ``order[c]`` at place c of the effects' rows."""
        self.effects, self._order = self.effects.reordered(order), order

    def mask(self, change: FloatArray, *, outcomes_only: bool) -> AnyArray:
        """Return which flipped angles matter, as the first words of an effect's row: uint64.

        Parameters
        ----------
        change : ndarray of float64, shape (angles,)
        outcomes_only : bool
            True: only outcomes of measurements are read, not all of the state.
        """
        matters = change != 0
        if outcomes_only:
            matters &= ~self._unseen
        bits = np.zeros(8 * (self.effects.rows.shape[1] - FRAME_BYTES), dtype=bool)
        bits[: self.num_angles] = matters[self._order]
        return np.packbits(bits).view(np.uint64)

    def angles(self, values: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
        """Return the angles without errors, and what an error adds to each; float64 of shape (angles,).

        A half turn is the same in either direction, up to a phase.
        """
        clean = np.array([value.evaluate(values) if isinstance(value, ParameterExpression) else value
                          for value in self._clean], dtype=np.float64)  # fmt: skip
        flips = np.where(np.abs(np.sin(clean)) < _ROUNDING, 0.0, -2 * clean)
        return clean, np.where(self._caught, math.pi, flips)


@dataclass(slots=True)
class PushedCircuitBuilder:
    """Collects gates and sites in the order in which they run."""

    num_qubits: int
    _rows: list[_Row] = field(default_factory=list)
    _clean: list[ParameterValue] = field(default_factory=list)
    _caught: list[bool] = field(default_factory=list)
    _path: list[_Turn | _Conjugate | _Site] = field(default_factory=list)

    def add_site(self, channel: Channel, qubits: tuple[int, ...]) -> None:
        """Let a Pauli channel act."""
        self._path.append(_Site(channel, qubits))

    def add_gate(self, gate: Instruction) -> None:
        """Append a gate."""
        if gate.controls:
            self._add_stop(gate)
        elif gate.name == "pauli_rotation":
            letters = "".join("IXYZ"[int(code)] for code in gate.data)
            self._add_rotations(gate.opcode, gate.qubits, gate.params, (letters,), gate.data)
        elif gate.name == "unitary" and len(gate.qubits) == 1 and images_of(gate.data) is None:
            self._add_steps(gate.qubits, (Step("u", (0,), euler_angles(gate.data)),))
        elif GateFlag.DATA in gate.row.flags:
            self._add_stop(gate)
        else:
            self._add_fixed(gate.opcode, gate.qubits, gate.params)

    def _add_fixed(self, opcode: int, qubits: tuple[int, ...], params: Sequence[ParameterValue]) -> None:
        row = GATES[opcode]
        if row.name in ("gphase", "id"):
            return
        if row.name == "cry":
            self._add_steps(qubits, (Step("ry", (1,), (params[0] / 2,)),))
            item = np.array([3, 2], dtype=np.uint8)  # Z on the control, Y on the target
            self._add_rotations(OPCODES["pauli_rotation"], qubits, (-params[0] / 2,), ("ZY",), item)
        elif (quarters := _quarter_turns(row.name, params)) is not None:
            images = _clifford_images(opcode, quarters)
            assert images is not None
            self._rows.append(_Row(opcode, qubits, tuple(params)))
            self._path.append(_Conjugate(qubits, images, ()))
        elif row.name in _ROTATIONS:
            self._add_rotations(opcode, qubits, params, _ROTATIONS[row.name])
        elif row.name in _REWRITTEN:
            self._add_steps(qubits, _REWRITTEN[row.name](params))
        elif row.decomposition is not None and len(qubits) <= _MAX_DECOMPOSED_QUBITS:
            self._add_steps(qubits, row.decomposition(params))
        else:
            self._add_stop(Instruction(opcode, qubits, tuple(params)))

    def _add_steps(self, qubits: tuple[int, ...], steps: tuple[Step, ...]) -> None:
        for step in steps:
            own = tuple(qubits[place] for place in step.qubits)
            if step.controls:
                self._add_stop(
                    Instruction(
                        OPCODES[step.name], own, step.params, tuple(qubits[place] for place in step.controls),
                        (1 << len(step.controls)) - 1,
                    )
                )  # fmt: skip
            else:
                self._add_fixed(OPCODES[step.name], own, step.params)

    def _add_rotations(
        self,
        opcode: int,
        qubits: tuple[int, ...],
        params: Sequence[ParameterValue],
        axes: tuple[str, ...],
        item: Any = None,
    ) -> None:
        slots = tuple(self._new_slot(value, caught=False) for value in params)
        self._rows.append(_Row(opcode, qubits, slots=slots, item=item))
        turns = [_Turn(slot, letters, qubits) for slot, letters in zip(slots, axes, strict=True)]
        self._path += [turns[place] for place in _IN_TIME.get(GATES[opcode].name, range(len(turns)))]

    def _add_stop(self, gate: Instruction) -> None:
        """Append a gate that not every Pauli passes."""
        qubits = gate.all_qubits
        images = _images_of_gate(gate)
        caught = []
        for place, image in enumerate(images):
            if image is None:
                letter, qubit = divmod(place, len(qubits))
                caught.append(self._new_slot(0.0, caught=True))
                self._rows.append(_Row(OPCODES["rz" if letter else "rx"], (qubits[qubit],), slots=(caught[-1],)))
        item = gate.data
        self._rows.append(_Row(gate.opcode, gate.qubits, gate.params, None, gate.controls, gate.ctrl_state, item))
        self._path.append(_Conjugate(qubits, images, tuple(caught)))

    def _new_slot(self, value: ParameterValue, *, caught: bool) -> int:
        self._clean.append(value)
        self._caught.append(caught)
        return len(self._clean) - 1

    # --- the result ---------------------------------------------------------------------------------------------------

    def build(self, num_blocks: int) -> PushedCircuit:
        """Return the circuit in at most `num_blocks` blocks of about equal numbers of gates."""
        sites, unseen = self._walk_back()
        used = 0
        for _, errors in sites:
            for error in errors:
                used |= error
        used >>= _FRAME_BITS
        # What catches nothing is left out: a gate that no error reaches stays as it was.
        kept = [slot for slot, caught in enumerate(self._caught) if not caught or used >> slot & 1]
        number = {slot: place for place, slot in enumerate(kept)}
        rows = [row for row in self._rows if row.slots is None or row.slots[0] in number]
        blocks, bounds = self._cut(rows, number, num_blocks)
        return PushedCircuit(
            self.num_qubits, blocks, bounds, _effects(sites, kept),
            [self._clean[slot] for slot in kept], np.array([self._caught[slot] for slot in kept], dtype=bool),
            np.array([slot in unseen for slot in kept], dtype=bool), np.arange(len(kept)),
        )  # fmt: skip

    @property
    def num_gates(self) -> int:
        """Gates so far, those that catch errors included."""
        return len(self._rows)

    def _walk_back(self) -> tuple[list[tuple[Channel, list[int]]], set[int]]:
        """Return the effect of every error at every site: its X and Z frame in the low bits, flipped slots above.

        And the slots whose rotations no outcome depends on: their axis, pushed to the end, is a string of Z and has
        flipped nothing on its way.
        """
        behind_x = [1 << qubit for qubit in range(self.num_qubits)]  # of X on each qubit, at the current place
        behind_z = [1 << (MAX_FRAME_QUBITS + qubit) for qubit in range(self.num_qubits)]
        sites: list[tuple[Channel, list[int]]] = []
        unseen: set[int] = set()
        for step in reversed(self._path):
            if isinstance(step, _Turn):
                if not _effect(step.letters, step.qubits, behind_x, behind_z) & ~_Z_FRAME:
                    unseen.add(step.slot)
                bit = 1 << (_FRAME_BITS + step.slot)
                for letter, qubit in zip(step.letters, step.qubits, strict=True):
                    if letter in "YZ":
                        behind_x[qubit] ^= bit
                    if letter in "XY":
                        behind_z[qubit] ^= bit
            elif isinstance(step, _Conjugate):
                _conjugate(step, behind_x, behind_z)
            else:
                sites.append((step.channel, _errors(step, behind_x, behind_z)))
        sites.reverse()
        return sites, unseen

    def _cut(self, rows: list[_Row], number: dict[int, int], num_blocks: int) -> tuple[list[Circuit], list[int]]:
        blocks, bounds, done = [], [0], 0
        for block in range(num_blocks):
            end = len(rows) * (block + 1) // num_blocks
            circuit = Circuit(self.num_qubits)
            angles = bounds[-1]
            for row in rows[done:end]:
                params = row.params
                if row.slots is not None:
                    params = tuple(Parameter(f"angle{number[slot]:07d}") for slot in row.slots)
                    angles += len(params)
                circuit._append_checked(row.opcode, row.qubits, params, row.controls, row.ctrl_state, item=row.item)
            blocks.append(circuit)
            bounds.append(angles)
            done = end
        return blocks, bounds


def _conjugate(step: _Conjugate, behind_x: list[int], behind_z: list[int]) -> None:
    """Go back through a gate: the effect of each Pauli before it is that of what it becomes."""
    qubits, caught = step.qubits, iter(step.caught)
    found = []
    for image in step.images:
        if image is None:
            found.append(1 << (_FRAME_BITS + next(caught)))
            continue
        effect = 0
        for place, qubit in enumerate(qubits):
            if image[0] >> place & 1:
                effect ^= behind_x[qubit]
            if image[1] >> place & 1:
                effect ^= behind_z[qubit]
        found.append(effect)
    for place, qubit in enumerate(qubits):
        behind_x[qubit], behind_z[qubit] = found[place], found[len(qubits) + place]


def _errors(site: _Site, behind_x: list[int], behind_z: list[int]) -> list[int]:
    assert site.channel.labels is not None
    return [_effect(label, site.qubits, behind_x, behind_z) for label in site.channel.labels[1:]]


def _effect(letters: str, qubits: tuple[int, ...], behind_x: list[int], behind_z: list[int]) -> int:
    """Return the effect of a Pauli string at the current place."""
    effect = 0
    for letter, qubit in zip(letters, qubits, strict=True):
        if letter in "XY":
            effect ^= behind_x[qubit]
        if letter in "YZ":
            effect ^= behind_z[qubit]
    return effect


def _effects(sites: list[tuple[Channel, list[int]]], kept: list[int]) -> Effects:
    """Pack the effects as rows of bytes, the slots renumbered."""
    errors = [error for _, listed in sites for error in listed]
    raw_bytes = FRAME_BYTES + 1 + max(kept, default=0) // 8
    raw = np.frombuffer(b"".join(error.to_bytes(raw_bytes, "little") for error in errors), dtype=np.uint8)
    raw = raw.reshape(len(errors), raw_bytes)
    rows = np.zeros((len(errors), -(-len(kept) // 64) * 8 + FRAME_BYTES), dtype=np.uint8)
    bits = np.unpackbits(raw[:, FRAME_BYTES:], axis=1, bitorder="little")[:, kept]
    rows[:, : -(-len(kept) // 8)] = np.packbits(bits, axis=1)
    rows[:, -FRAME_BYTES:] = raw[:, FRAME_BYTES - 1 :: -1]
    thresholds = [np.cumsum(channel.probabilities or ()) for channel, _ in sites]
    ends = np.cumsum([part.size for part in thresholds], dtype=np.int64)
    return Effects(rows, np.concatenate([np.zeros(0), *thresholds]), ends)


# --- how gates turn Paulis into Paulis --------------------------------------------------------------------------------


def _quarter_turns(name: str, params: Sequence[ParameterValue]) -> tuple[int, ...] | None:
    """Return the quarter turns that a Clifford gate makes, () for one without angles; None for any other gate."""
    if name not in _ROTATIONS:
        return () if GateFlag.CLIFFORD in GATES[OPCODES[name]].flags else None
    found = []
    for value in params:
        if isinstance(value, ParameterExpression):
            return None
        quarters = round(value / (math.pi / 2))
        if abs(value - quarters * (math.pi / 2)) > _ROUNDING:
            return None
        found.append(quarters % 4)
    return tuple(found)


@functools.cache
def _clifford_images(opcode: int, quarters: tuple[int, ...]) -> Images | None:
    return images_of(GATES[opcode].matrix(tuple(quarter * (math.pi / 2) for quarter in quarters)))


def images_of(matrix: ComplexArray) -> Images | None:
    """Return what every X_j and Z_j becomes behind a matrix; None if it is not a Clifford gate."""
    images = _numeric_images(matrix)
    return None if None in images else images


def _numeric_images(matrix: ComplexArray) -> Images:
    num_qubits = len(matrix).bit_length() - 1
    found: list[tuple[int, int] | None] = []
    for letter in "XZ":
        for qubit in range(num_qubits):
            pauli = pauli_matrix("I" * qubit + letter + "I" * (num_qubits - 1 - qubit))
            label = pauli_label(matrix @ pauli @ matrix.conj().T)
            found.append(None if label is None else _masks(label))
    return tuple(found)


def _masks(label: str) -> tuple[int, int]:
    x_mask = sum(1 << place for place, letter in enumerate(label) if letter in "XY")
    z_mask = sum(1 << place for place, letter in enumerate(label) if letter in "YZ")
    return x_mask, z_mask


def _images_of_gate(gate: Instruction) -> Images:
    """What a gate does to Paulis whatever its angles: from its numbers if it is small, else where it is diagonal."""
    qubits = gate.all_qubits
    if not gate.params and not gate.controls and len(gate.qubits) <= _MAX_NUMERIC_QUBITS:
        return _numeric_images(gate.matrix())
    is_diagonal = GateFlag.DIAGONAL in gate.row.flags
    diagonal = len(qubits) if is_diagonal else len(gate.controls) + gate.row.own_controls
    passes = tuple((0, 1 << place) if place < diagonal else None for place in range(len(qubits)))
    return (None,) * len(qubits) + passes


def euler_angles(matrix: ComplexArray) -> tuple[float, float, float]:
    """Return (theta, phi, lambda) of the gate u that a 2 x 2 unitary matrix is up to a phase."""
    a, b, c, d = (complex(entry) for entry in np.asarray(matrix).ravel())
    theta = 2 * math.atan2(abs(c), abs(a))
    if abs(a) < abs(c):  # the phases of the larger entries are the ones that are known
        phi_minus = cmath.phase(c) - cmath.phase(-b)  # phi - lambda
        phi_plus = cmath.phase(d) - cmath.phase(a) if abs(a) > 0 else 0.0
    else:
        phi_plus = cmath.phase(d) - cmath.phase(a)  # phi + lambda
        phi_minus = cmath.phase(c) - cmath.phase(-b) if abs(c) > 0 else 0.0
    phi, lam = (phi_plus + phi_minus) / 2, (phi_plus - phi_minus) / 2
    return theta, *_same_sheet(matrix, theta, phi, lam)


def _same_sheet(matrix: ComplexArray, theta: float, phi: float, lam: float) -> tuple[float, float]:
    """Halving angles leaves phi and lambda open by pi together: choose what reproduces the matrix."""
    opcode = OPCODES["u"]
    best = (phi, lam)
    error = math.inf
    for shift in (0.0, math.pi):
        candidate = GATES[opcode].matrix((theta, phi + shift, lam + shift))
        overlap = abs(np.trace(candidate.conj().T @ matrix))
        if 2 - overlap < error:
            best, error = (phi + shift, lam + shift), 2 - overlap
    return best

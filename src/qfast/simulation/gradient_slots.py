"""A circuit as its gradient sees it: rotations by symbolic angles, and the few points at which all of them are read.

A gate with symbolic parameters becomes rotations exp(-i angle/2 K), one parameter each. K is a Pauli string, or one on
the subspace where controls have their values, or that subspace's projector alone (phases). The derivative by the angle
needs K between two states at a point of the circuit that lies beside the gate, up to gates that commute with it. Slots
are such points, as few as a greedy pass finds: on an ansatz of RY and RZ layers, one slot for each pair of layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from qfast._typing import ComplexArray, UIntArray
from qfast.circuit import Circuit, Instruction
from qfast.circuit.gates import NUM_GATES, GateFlag, Step
from qfast.circuit.parameter import ParameterExpression, ParameterValue
from qfast.circuit.transforms import take
from qfast.errors import CircuitError

MAX_CONTROLS = 12
"""Extra controls of a gate whose derivative is taken: k controls make 2^k Pauli strings."""

_I, _X, _Y, _Z = 0, 1, 2, 3
_MIXED = -1  # a gate that commutes with no Pauli letter on this qubit

# Gates that are functions of one Pauli letter on each target, besides those that the gate table calls diagonal.
_TARGET_LETTERS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("x", "sx", "sxdg", "rx", "cx", "csx", "crx", "ccx", "c3x", "c3sx", "c4x"), (_X,)),
    **dict.fromkeys(("y", "ry", "cy", "cry"), (_Y,)),
    "rxx": (_X, _X),
    "ryy": (_Y, _Y),
    "rzx": (_Z, _X),
}
_STRINGS: dict[str, tuple[int, ...]] = {
    **{name: _TARGET_LETTERS[name] for name in ("rx", "ry", "crx", "cry", "rxx", "ryy", "rzx")},
    **dict.fromkeys(("rz", "crz"), (_Z,)),
    "rzz": (_Z, _Z),
}
"""Rotations: the Pauli string on the targets."""
_PHASES = frozenset(("gphase", "p", "u1", "cp", "cu1"))
"""Phases on the subspace where all own qubits are 1."""

_Steps = Callable[[Sequence[ParameterValue]], tuple[Step, ...]]


def _euler(angles: Sequence[ParameterValue]) -> tuple[Step, ...]:
    theta, phi, lam = angles
    return Step("p", (0,), (lam,)), Step("ry", (0,), (theta,)), Step("p", (0,), (phi,))


def _controlled_euler(angles: Sequence[ParameterValue]) -> tuple[Step, ...]:
    theta, phi, lam = angles[:3]
    steps = Step("cp", (0, 1), (lam,)), Step("cry", (0, 1), (theta,)), Step("cp", (0, 1), (phi,))
    return steps if len(angles) == 3 else (*steps, Step("p", (0,), (angles[3],)))


# In place of the gate table's decompositions, which end in more gates. Exact, global phase included.
_STEPS: dict[str, _Steps] = {
    "u": _euler,
    "u3": _euler,
    "u2": lambda p: _euler((np.pi / 2, *p)),
    "r": lambda p: (Step("p", (0,), (-p[1],)), Step("rx", (0,), (p[0],)), Step("p", (0,), (p[1],))),
    "cu": _controlled_euler,
    "cu3": _controlled_euler,
}


@dataclass(frozen=True, slots=True)
class Rotation:
    """A gate exp(-i angle/2 K).

    Attributes
    ----------
    angle : ParameterExpression
    x_mask, z_mask : int
        The Pauli string; both 0 where there is none.
    is_phase : bool
        The gate is exp(i angle Π): K = -2 Π.
    controls : tuple of int
        Qubits of the projector Π.
    values : tuple of int
        What each of them must be, 0 or 1.
    """

    angle: ParameterExpression
    x_mask: int
    z_mask: int
    is_phase: bool
    controls: tuple[int, ...]
    values: tuple[int, ...]

    def generator(self) -> tuple[UIntArray, UIntArray, ComplexArray]:
        """Return K as Pauli strings: masks and weights, as an engine's observable takes them.

        A projector is the product of (1 ± Z)/2 over its qubits, + where the value is 0.
        """
        z_masks, weights = [self.z_mask], [-2.0 if self.is_phase else 1.0]
        for qubit, value in zip(self.controls, self.values, strict=True):
            z_masks += [mask | 1 << qubit for mask in z_masks]
            weights = [weight / 2 for weight in weights]
            weights += [-weight if value else weight for weight in weights]
        z = np.array(z_masks, dtype=np.uint64)
        return np.full_like(z, self.x_mask), z, np.array(weights, dtype=np.complex128)


@dataclass(frozen=True, slots=True)
class Slot:
    """A point of the circuit.

    Attributes
    ----------
    undo : Circuit
        What leads from the slot before, which lies later in the circuit, to this one; from the circuit's end for the
        first slot. Possibly empty.
    rotations : tuple of int
        Those to be read here, by number.
    """

    undo: Circuit
    rotations: tuple[int, ...]


def elementary(circuit: Circuit) -> Circuit:
    """Rewrite the gates with symbolic parameters such that each has one parameter and is a `Rotation`.

    Parameters
    ----------
    circuit : Circuit
        Gates and barriers only.

    Returns
    -------
    Circuit
        The same unitary, global phase included.
    """
    result = circuit.block()
    first = 0
    for row in dict.fromkeys(_symbolic_rows(circuit)):
        step = circuit[row]
        if step.name not in _STRINGS and step.name not in _PHASES and step.name != "pauli_rotation":
            result.compose(circuit[first:row])
            _append_steps(result, step)
            first = row + 1
    return circuit if first == 0 else result.compose(circuit[first:])


def _append_steps(result: Circuit, step: Instruction) -> None:
    decomposition = _STEPS.get(step.name, step.row.decomposition)
    if decomposition is None:
        raise CircuitError(f"gate '{step.name}' with a symbolic parameter has no form as rotations")
    for part in decomposition(step.params):
        qubits = [step.qubits[k] for k in part.qubits]
        result.append(part.name, qubits, part.params, controls=step.controls, ctrl_state=step.ctrl_state)


def check_controls(circuit: Circuit) -> None:
    """Refuse gates with so many extra controls that their generators are too many strings.

    Raises
    ------
    CircuitError
    """
    for row in _symbolic_rows(circuit):
        if circuit.num_controls[row] > MAX_CONTROLS:
            raise CircuitError(
                f"gradient: gate '{circuit[row].label}' at instruction {row} has {circuit.num_controls[row]} extra "
                f"controls and a symbolic parameter; the adjoint method takes up to {MAX_CONTROLS}: "
                "use method='parameter_shift'"
            )


def rotations_of(circuit: Circuit) -> list[Rotation]:
    """Return the rotations of an elementary circuit, in the order of its symbolic parameter slots."""
    return [_rotation(circuit[row]) for row in _symbolic_rows(circuit)]


def _symbolic_rows(circuit: Circuit) -> list[int]:
    """The instruction of each symbolic parameter slot, ascending."""
    rows: list[int] = np.searchsorted(circuit.param_end, sorted(circuit.expressions), side="right").tolist()
    return rows


def _rotation(step: Instruction) -> Rotation:
    (angle,) = step.params
    assert isinstance(angle, ParameterExpression)
    own = step.row.own_controls
    is_phase = step.name in _PHASES
    letters: Sequence[int] = ()
    if is_phase:
        own = len(step.qubits)
    else:
        letters = step.data.tolist() if step.name == "pauli_rotation" else _STRINGS[step.name]
    x_mask = z_mask = 0
    for qubit, letter in zip(step.qubits[own:], letters, strict=True):
        x_mask |= int(letter in (_X, _Y)) << qubit
        z_mask |= int(letter in (_Y, _Z)) << qubit
    values = tuple(step.ctrl_state >> k & 1 for k in range(len(step.controls))) + (1,) * own
    return Rotation(angle, x_mask, z_mask, is_phase, step.controls + step.qubits[:own], values)


def _letters(step: Instruction) -> list[tuple[int, int]]:
    """The qubits a gate acts on, and the Pauli letter of which it is a function there, or _MIXED.

    Two gates with the same letter on every qubit that they share commute.
    """
    row, own = step.row, step.row.own_controls
    if GateFlag.DIAGONAL in row.flags:
        targets: Sequence[int] = (_Z,) * (len(step.qubits) - own)
    elif row.name == "pauli_rotation":
        targets = step.data.tolist()
    else:
        targets = _TARGET_LETTERS.get(row.name, (_MIXED,) * (len(step.qubits) - own))
    letters = (_Z,) * (len(step.controls) + own) + tuple(targets)
    return [(qubit, letter) for qubit, letter in zip(step.all_qubits, letters, strict=True) if letter != _I]


class _Frontier:
    """What the gates seen so far, walking back, demand of the next one on each qubit.

    Times are numbers of slots: what is undone at time t is undone before slot t is read. A gate must not be undone
    before a later gate that it does not commute with, nor before such a rotation is read; and a rotation is read after
    such gates are undone. Gates that follow each other on a qubit with one letter make no demands on each other there.
    """

    def __init__(self, num_qubits: int) -> None:
        self._letter = [_MIXED] * num_qubits
        # Demands of gates of other letters, and of all gates: (earliest slot to read at, earliest time to undo).
        self._others = [(0, 0)] * num_qubits
        self._all = [(0, 0)] * num_qubits

    def place(self, letters: Sequence[tuple[int, int]], is_rotation: bool) -> tuple[int, int]:
        """Return the slot at which a gate is read, and the time at which it is undone."""
        read_at = undone_at = 0
        for qubit, letter in letters:
            if letter == _MIXED or letter != self._letter[qubit]:
                self._letter[qubit] = letter
                self._others[qubit] = self._all[qubit]
            read_at = max(read_at, self._others[qubit][0])
            undone_at = max(undone_at, self._others[qubit][1])
        next_undone = max(undone_at, read_at + 1) if is_rotation else undone_at
        for qubit, _ in letters:
            read, undone = self._all[qubit]
            self._all[qubit] = max(read, undone_at), max(undone, next_undone)
        return read_at, undone_at


def slots_of(circuit: Circuit) -> list[Slot]:
    """Share an elementary circuit's rotations out to slots, the one nearest the circuit's end first."""
    numbers = {row: number for number, row in enumerate(_symbolic_rows(circuit))}
    frontier = _Frontier(circuit.num_qubits)
    read: dict[int, list[int]] = {}
    undone: list[tuple[int, int]] = []  # time and row
    for row in range(len(circuit) - 1, -1, -1):
        if circuit.opcodes[row] >= NUM_GATES:
            continue
        is_rotation = row in numbers
        slot, time = frontier.place(_letters(circuit[row]), is_rotation)
        if is_rotation:
            read.setdefault(slot, []).append(numbers[row])
        undone.append((time, row))
    slots, before = [], -1
    undone.sort()  # the rows of one slot in the circuit's order
    times = np.array([time for time, _ in undone])
    for slot in sorted(read):
        begin, end = np.searchsorted(times, [before + 1, slot + 1]).tolist()
        rows = sorted(row for _, row in undone[begin:end])
        slots.append(Slot(take(circuit, rows).inverse(), tuple(sorted(read[slot]))))
        before = slot
    return slots

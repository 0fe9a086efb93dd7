"""New circuits from old ones, instruction by instruction."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from qfast.circuit import Circuit, Instruction
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.circuit.parameter import ParameterValue
from qfast.circuit.transforms import inverse, take
from qfast.errors import CircuitError
from qfast.simulation.noise_places import final_measurements

__all__ = ["Rewriter", "body_and_end", "in_gates_of"]

_BARRIER = OPCODES["barrier"]
_PI = math.pi

Step = tuple[str, tuple[float, ...]]

# One-qubit gates as a virtual rz and pulses, up to a global phase; first applied first.
_AS_PULSES: dict[str, tuple[Step, ...]] = {
    "id": (),
    "z": (("rz", (_PI,)),),
    "s": (("rz", (_PI / 2,)),),
    "sdg": (("rz", (-_PI / 2,)),),
    "t": (("rz", (_PI / 4,)),),
    "tdg": (("rz", (-_PI / 4,)),),
    "x": (("sx", ()), ("sx", ())),
    "y": (("rz", (_PI,)), ("x", ())),
    "sxdg": (("rz", (_PI,)), ("sx", ()), ("rz", (-_PI,))),
    "h": (("rz", (_PI / 2,)), ("sx", ()), ("rz", (_PI / 2,))),
}


class Rewriter:
    """Writes a circuit from the instructions of another one and from new gates.

    Parameters
    ----------
    circuit : Circuit
        It is not changed.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._pool = circuit.copy()
        self._rows: list[int] = []
        self._inverses: dict[int, range] = {}

    def keep(self, *rows: int) -> None:
        """Append instructions of the old circuit."""
        self._rows += rows

    def add(self, name: str, qubits: Sequence[int], params: Sequence[ParameterValue] = ()) -> None:
        """Append a new gate."""
        self._rows.append(len(self._pool))
        self._pool.append(name, list(qubits), list(params))

    def add_inverse(self, row: int) -> None:
        """Append the inverse of an instruction of the old circuit."""
        known = self._inverses.get(row)
        if known is None:
            first = len(self._pool)
            self._pool.compose(inverse(take(self._pool, [row])))
            known = self._inverses[row] = range(first, len(self._pool))
        self._rows += known

    def circuit(self) -> Circuit:
        """Return what was written."""
        return take(self._pool, self._rows)


def body_and_end(circuit: Circuit, what: str) -> tuple[list[int], list[int]]:
    """Return the rows of a circuit's gates and barriers, and those of its measurements at the end.

    Raises
    ------
    CircuitError
        The circuit measures, resets or decides in the middle; `what` names the method that cannot work then.
    """
    final = final_measurements(circuit)
    body = []
    for row, opcode in enumerate(circuit.opcodes):
        if row in final:
            continue
        if opcode >= NUM_GATES and opcode != _BARRIER:
            raise CircuitError(
                f"{what} works on circuits of gates with measurements at their end; instruction {row} is "
                f"'{circuit._instruction(row).label}'"
            )
        body.append(row)
    return body, sorted(final)


def in_gates_of(circuit: Circuit, gates: Collection[str]) -> Circuit:
    """Write the one-qubit gates that a device does not have with its ``rz``, ``sx`` and ``x``, up to a global phase.

    Parameters
    ----------
    circuit : Circuit
    gates : collection of str
        The device's gates; empty: it has all. Without ``rz`` and ``sx`` nothing is rewritten.

    Returns
    -------
    Circuit
        The same object where nothing had to be changed.
    """
    missing = {opcode for opcode in set(circuit.opcodes) if opcode < NUM_GATES and _is_rewritten(opcode, gates)}
    if not missing:
        return circuit
    rewriter = Rewriter(circuit)
    for row, opcode in enumerate(circuit.opcodes):
        step = circuit._instruction(row) if opcode in missing else None
        if step is None or step.controls:
            rewriter.keep(row)
            continue
        for name, params in _pulses(step, gates):
            rewriter.add(name, step.qubits, params)
    return rewriter.circuit()


def _is_rewritten(opcode: int, gates: Collection[str]) -> bool:
    name = Instruction(opcode, (0,)).name
    return bool(gates) and name not in gates and name in _AS_PULSES and {"rz", "sx"} <= set(gates)


def _pulses(step: Instruction, gates: Collection[str]) -> list[Step]:
    found: list[Step] = []
    for name, params in _AS_PULSES[step.name]:
        if name == "x" and "x" not in gates:
            found += _AS_PULSES["x"]
        else:
            found.append((name, params))
    return found

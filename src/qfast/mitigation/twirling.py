"""Pauli twirling: noise of two-qubit gates becomes a mixture of Pauli errors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from qfast._typing import ComplexArray
from qfast.circuit import Circuit
from qfast.circuit.gates import GATES, NUM_GATES, OPCODES, GateFlag
from qfast.mitigation.rewriting import Rewriter

__all__ = ["TWIRLED_GATES", "twirl"]

TWIRLED_GATES = tuple(row.name for row in GATES[:NUM_GATES] if row.num_qubits == 2 and GateFlag.CLIFFORD in row.flags)
"""Two-qubit gates that turn Pauli strings into Pauli strings."""

_OPCODES = frozenset(OPCODES[name] for name in TWIRLED_GATES)
_BARRIER = OPCODES["barrier"]
_LETTERS = "IXZY"  # index: x + 2 z, so that a product is an exclusive or
_GATES = ("", "x", "z", "y")


def twirl(circuit: Circuit, seed: int) -> tuple[Circuit, int]:
    """Put random Pauli gates around every two-qubit Clifford gate, which leave the circuit's unitary as it is.

    Parameters
    ----------
    circuit : Circuit
        `TWIRLED_GATES` (cx, cz, ecr, …) without extra controls are twirled, outside control flow; other gates stay as
        they are.
    seed : int
        The randomisation is a function of it.

    Returns
    -------
    twirled : Circuit
        Equal up to a global phase. Pauli gates that meet on a qubit are one.
    number : int
        Of gates that were twirled.

    Notes
    -----
    Averaged over seeds, the noise of a gate becomes its Pauli twirl (Wallman and Emerson,
    doi:10.1103/PhysRevA.94.052325).

    Examples
    --------
    >>> twirled, number = twirl(Circuit(2).h(0).cx(0, 1), seed=3)
    >>> number, twirled.count_ops()["cx"]
    (1, 1)
    """
    rows = [row for row, opcode in enumerate(circuit.opcodes) if opcode in _OPCODES and not circuit.num_controls[row]]
    drawn = np.random.Generator(np.random.Philox(key=seed)).integers(4, size=(len(rows), 2)).tolist()
    number = iter(drawn)
    twirled = set(rows)
    rewriter = Rewriter(circuit)
    waiting: dict[int, int] = {}  # Pauli operators that still have to be written, by qubit

    def write(qubits: tuple[int, ...] | list[int]) -> None:
        for qubit in qubits:
            code = waiting.pop(qubit, 0)
            if code:
                rewriter.add(_GATES[code], [qubit])

    for row, opcode in enumerate(circuit.opcodes):
        if row in twirled:
            first, second = circuit._instruction(row).qubits
            before = next(number)
            for qubit, code in zip((first, second), before, strict=True):
                waiting[qubit] = waiting.get(qubit, 0) ^ code
            write((first, second))
            rewriter.keep(row)
            waiting[first], waiting[second] = _after(opcode)[before[0] + 4 * before[1]]
            continue
        if opcode == _BARRIER:  # a Pauli gate is no more than waiting for it: it may stand on its far side
            rewriter.keep(row)
            continue
        step = circuit._instruction(row)
        # A block of control flow may touch every qubit that it names, an assignment none.
        write(list(step.all_qubits))
        rewriter.keep(row)
    write(list(waiting))
    return rewriter.circuit(), len(rows)


@functools.cache
def _after(opcode: int) -> tuple[tuple[int, int], ...]:
    """Return, for each pair of Pauli operators in front of a gate, the pair behind it: U P U† up to its sign."""
    matrix = GATES[opcode].matrix()
    strings = [(low, high) for high in range(4) for low in range(4)]
    matrices = [_pauli(*codes) for codes in strings]
    found = []
    for before in matrices:
        behind = matrix @ before @ matrix.conj().T
        overlaps = [abs(np.vdot(other, behind)) for other in matrices]
        found.append(strings[int(np.argmax(overlaps))])
    return tuple(found)


def _pauli(low: int, high: int) -> ComplexArray:
    one: list[Any] = [np.eye(2), np.array([[0, 1], [1, 0]]), np.diag([1, -1]), np.array([[0, -1j], [1j, 0]])]
    product: ComplexArray = np.kron(one[high], one[low]).astype(np.complex128)
    return product

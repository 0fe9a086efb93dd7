"""More noise on purpose: unitary folding."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from qfast.circuit import Circuit
from qfast.circuit.gates import OPCODES
from qfast.errors import InputError
from qfast.estimation.allocation import divide_shots
from qfast.mitigation.rewriting import Rewriter, body_and_end

__all__ = ["Folding", "fold", "fold_global", "fold_local"]

Folding: TypeAlias = Literal["local", "global"]

_MOST_GATES = 1_000_000  # of a folded circuit: some seconds of work
_BARRIER, _GPHASE = OPCODES["barrier"], OPCODES["gphase"]


def fold_local(circuit: Circuit, scale: float) -> tuple[Circuit, float]:
    """Replace gates G by G (G† G)^k: the same unitary, more noise.

    Parameters
    ----------
    circuit : Circuit
        Of gates, with measurements at its end; these are not folded.
    scale : float
        How many times as many gates; at least 1, and so many that the folded circuit has at most a million.

    Returns
    -------
    folded : Circuit
    scale : float
        What was reached, the nearest there is: of d gates, s foldings make ``1 + 2 s / d``. Where not all gates are
        folded equally often, those with one folding more are spread evenly over the gates of one qubit, of two, and so
        on. Odd scales fold all of them equally.

    Raises
    ------
    CircuitError
        The circuit measures, resets or decides in the middle.
    InputError
        The scale is out of range.

    Notes
    -----
    Giurgica-Tiron et al., Digital zero noise extrapolation for quantum error mitigation,
    doi:10.1109/QCE49297.2020.00045.

    Examples
    --------
    >>> folded, reached = fold_local(Circuit(2).h(0).cx(0, 1), 3)
    >>> folded.count_ops(), reached
    ({'h': 3, 'cx': 3}, 3.0)
    """
    body, end = body_and_end(circuit, "folding")
    of_width: dict[int, list[int]] = {}
    for row in body:
        if _is_foldable(circuit, row):
            of_width.setdefault(len(circuit._instruction(row).all_qubits), []).append(row)
    foldings: dict[int, int] = {}
    widths = sorted(of_width, reverse=True)  # of equal claims that of the wider gates, which are noisier
    sizes = [len(of_width[width]) for width in widths]
    total = _number_of_foldings(sum(sizes), scale)
    shares = divide_shots(total, sizes) if total else [0] * len(sizes)
    for width, number in zip(widths, shares, strict=True):
        rows = of_width[width]
        for place, row in enumerate(rows):  # as often as the line place * number / len(rows) climbs by one
            foldings[row] = (place + 1) * number // len(rows) - place * number // len(rows)
    rewriter = Rewriter(circuit)
    for row in body:
        rewriter.keep(row)
        for _ in range(foldings.get(row, 0)):
            rewriter.add_inverse(row)
            rewriter.keep(row)
    rewriter.keep(*end)
    return rewriter.circuit(), _reached(sum(foldings.values()), len(foldings))


def fold_global(circuit: Circuit, scale: float) -> tuple[Circuit, float]:
    """Replace the circuit C by C (C† C)^k (L† L), with L its last gates; otherwise as `fold_local`.

    Examples
    --------
    >>> folded, reached = fold_global(Circuit(2).h(0).cx(0, 1), 3)
    >>> [step.name for step in folded], reached
    (['h', 'cx', 'cx', 'h', 'h', 'cx'], 3.0)
    """
    body, end = body_and_end(circuit, "folding")
    gates = _gates_of(circuit, body)
    number = _number_of_foldings(len(gates), scale)
    rewriter = Rewriter(circuit)
    rewriter.keep(*body)
    whole, rest = divmod(number, len(gates)) if gates else (0, 0)
    for part in [gates] * whole + [gates[len(gates) - rest :]] * bool(rest):
        for row in reversed(part):
            rewriter.add_inverse(row)
        rewriter.keep(*part)
    rewriter.keep(*end)
    return rewriter.circuit(), _reached(number, len(gates))


def fold(circuit: Circuit, scale: float, folding: Folding) -> tuple[Circuit, float]:
    """Fold in one of the two ways."""
    return fold_local(circuit, scale) if folding == "local" else fold_global(circuit, scale)


def _gates_of(circuit: Circuit, body: list[int]) -> list[int]:
    return [row for row in body if _is_foldable(circuit, row)]


def _is_foldable(circuit: Circuit, row: int) -> bool:
    """Whether an instruction takes place: no barrier, no global phase."""
    opcode = circuit.opcodes[row]
    return opcode != _BARRIER and (opcode != _GPHASE or circuit.num_controls[row] > 0)


def _number_of_foldings(num_gates: int, scale: float) -> int:
    if not 1 <= scale < math.inf:
        raise InputError(f"scale factor {scale!r} is not valid; a number from 1 is needed: noise can only be added")
    if scale > 1 and num_gates * scale > _MOST_GATES:
        raise InputError(
            f"scale factor {scale!r} would make {num_gates * scale:.0f} gates of {num_gates}; at most {_MOST_GATES} "
            f"are folded to: a scale of up to {max(1, _MOST_GATES // num_gates)}"
        )
    return math.floor(num_gates * (scale - 1) / 2 + 0.5)


def _reached(number: int, num_gates: int) -> float:
    return 1 + 2 * number / num_gates if num_gates else 1.0

"""Dynamical decoupling: pulses in idle windows that undo slow noise."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from qfast.circuit import Circuit
from qfast.circuit.gates import OPCODES
from qfast.errors import InputError
from qfast.mitigation.rewriting import Rewriter
from qfast.noise.idle import Durations, Window, idle_windows

__all__ = ["SEQUENCES", "Sequence", "decouple"]

Sequence: TypeAlias = Literal["xx", "xy4"]

SEQUENCES: dict[str, tuple[str, ...]] = {"xx": ("x", "x"), "xy4": ("x", "y", "x", "y")}
"""Pulses of each sequence; together they are the identity."""

_MEASURE = OPCODES["measure"]
_ROUNDING_S = 1e-12  # of sums of durations


def decouple(
    circuit: Circuit, duration_of: Durations, sequence: Sequence = "xy4", *, shortest_s: float = 0.0
) -> tuple[Circuit, int]:
    """Fill idle windows with pulses, evenly spaced: t/2 P t P t … P t/2.

    Parameters
    ----------
    circuit : Circuit
    duration_of : callable
        Seconds that a gate takes, by its name and qubits, such as ``NoiseModel.duration_of``. ``id`` needs one: it is
        the step by which pulses are placed.
    sequence : {"xx", "xy4"}
        Two X pulses undo phases that grow steadily; X, Y, X, Y undo errors of the pulses, too.
    shortest_s : float
        Windows below are left alone; so are those without room for the pulses and a step between them, and those that
        end in a measurement, to which a phase means nothing.

    Returns
    -------
    decoupled : Circuit
        The same unitary up to a global phase, and no longer in time: waiting is written as ``id`` gates.
    number : int
        Of windows that were filled.

    Raises
    ------
    InputError
        An unknown sequence; no duration of ``id``.

    Notes
    -----
    Viola and Lloyd, doi:10.1103/PhysRevA.58.2733; XY4: Maudsley, doi:10.1016/0022-2364(86)90160-5. How windows are
    found: `qfast.noise.idle.idle_windows`.
    """
    if sequence not in SEQUENCES:
        raise InputError(f"sequence {sequence!r} is unknown; allowed: {', '.join(map(repr, SEQUENCES))}")
    starts: dict[int, list[Window]] = {}
    dropped: set[int] = set()
    number = 0
    for window in idle_windows(circuit, duration_of):
        if window.seconds < shortest_s or _is_measurement(circuit, window.row):
            continue
        if _waits(window, duration_of, sequence) is not None:
            starts.setdefault(window.row, []).append(window)
            dropped.update(window.steps)
            number += 1
    if not number:
        return circuit, 0
    rewriter = Rewriter(circuit)
    for row in range(len(circuit) + 1):
        for window in starts.get(row, ()):
            _write(rewriter, window, duration_of, sequence)
        if row < len(circuit) and row not in dropped:
            rewriter.keep(row)
    return rewriter.circuit(), number


def _is_measurement(circuit: Circuit, row: int) -> bool:
    return row < len(circuit) and circuit.opcodes[row] == _MEASURE


def _waits(window: Window, duration_of: Durations, sequence: str) -> list[int] | None:
    """Return the steps of waiting before each pulse and after the last; None if they do not fit."""
    place = (window.qubit,)
    step = duration_of("id", place)
    if step <= 0:
        raise InputError(
            f"decoupling places pulses in steps of the gate 'id', which has no duration on qubit {window.qubit}; "
            "give it one: set_durations({'id': …})"
        )
    # A device without a y plays an x after a virtual rz.
    pulses = [duration_of(name, place) or duration_of("x", place) for name in SEQUENCES[sequence]]
    gap = (window.seconds - sum(pulses)) / len(pulses)
    if gap < step:
        return None
    waits = []
    reached = ideal = 0.0
    for place_of_pulse, seconds in enumerate(pulses):
        ideal += gap if place_of_pulse else gap / 2
        steps = max(0, math.floor((ideal - reached) / step + 0.5))
        waits.append(steps)
        reached += steps * step + seconds
        ideal += seconds
    if reached > window.seconds + _ROUNDING_S:
        return None
    return [*waits, math.floor((window.seconds - reached + _ROUNDING_S) / step)]


def _write(rewriter: Rewriter, window: Window, duration_of: Durations, sequence: str) -> None:
    waits = _waits(window, duration_of, sequence)
    assert waits is not None
    for name, steps in zip((*SEQUENCES[sequence], ""), waits, strict=True):
        for _ in range(steps):
            rewriter.add("id", [window.qubit])
        if name:
            rewriter.add(name, [window.qubit])

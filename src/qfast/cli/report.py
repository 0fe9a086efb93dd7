"""What ``qfast run`` shows of one file: a table for people, JSON for scripts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from qfast._format import format_bytes, format_seconds
from qfast._typing import AnyArray
from qfast.cli.table import Row, render, split_registers

__all__ = ["Outcome", "Output", "Report", "largest", "peak_bytes", "spread_bits"]

Output: TypeAlias = Literal["counts", "probabilities", "state"]
TITLES: dict[Output, tuple[str, ...]] = {"counts": ("count",), "probabilities": (), "state": ("amplitude",)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line: a bitstring, its value and its share of the whole."""

    bits: str
    value: int | float | complex
    ratio: float


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one file.

    Attributes
    ----------
    registers : tuple of (str, int)
        Names and sizes of the bits of an outcome, in order of declaration.
    outcomes : list of Outcome
        The largest first.
    num_outcomes : int
        How many there are altogether, those not listed included.
    metadata : dict
        Provenance of the result, as `qfast.sample` and `qfast.simulate` give it.
    total_s, parts_s : float, dict of str to float
        Seconds from opening the file to the outcomes, and by what they were spent on.
    """

    file: str
    output: Output
    num_qubits: int
    num_instructions: int
    registers: tuple[tuple[str, int], ...]
    outcomes: list[Outcome]
    num_outcomes: int
    shots: int | None
    metadata: dict[str, Any]
    total_s: float
    parts_s: dict[str, float]
    state_bytes: int
    peak_bytes: int | None

    def lines(self, *, unicode: bool) -> list[str]:
        """Return the text, line by line."""
        shots = "" if self.shots is None else f", {self.shots} shots"
        names, sizes = [name for name, _ in self.registers], [size for _, size in self.registers]
        header = (*reversed(names), *TITLES[self.output])
        rows = [
            Row((*split_registers(outcome.bits, sizes), *self._value_cells(outcome.value)), outcome.ratio)
            for outcome in self.outcomes
        ]
        lines = [f"{self.file}: {self.num_qubits} qubits, {self.num_instructions} instructions{shots}", ""]
        if self.output == "state" and "classical_bits" in self.metadata:
            lines[1:] = [f"  after one shot, which measured {self.metadata['classical_bits']}", ""]
        lines += render(header, rows, unicode=unicode)
        hidden = self.num_outcomes - len(self.outcomes)
        if hidden > 0:
            rest = 1 - sum(outcome.ratio for outcome in self.outcomes)
            lines.append(f"  and {hidden} more, together {100 * max(rest, 0):.1f} % (all: --top {self.num_outcomes})")
        return [*lines, "", *self._footer()]

    def _value_cells(self, value: complex) -> tuple[str, ...]:
        match self.output:
            case "state":
                return (f"{value.real:+.6f}{value.imag:+.6f}i",)
            case "counts":
                return (str(value),)
            case "probabilities":  # the ratio is all
                return ()

    def _footer(self) -> list[str]:
        engine = str(self.metadata["engine"])
        if self.metadata.get("isa"):
            engine += f" ({self.metadata['isa']})"
        threads = self.metadata["threads"]
        parts = [engine, self.metadata["precision"], f"{threads} thread{'s' if threads != 1 else ''}"]
        if self.metadata.get("seed") is not None:
            parts.append(f"seed {self.metadata['seed']}")
        memory = f"{format_bytes(self.state_bytes)} state"
        if self.peak_bytes is not None:
            memory += f", {format_bytes(self.peak_bytes)} peak of the process"
        parts_s = ", ".join(f"{name} {format_seconds(value)}" for name, value in self.parts_s.items())
        return [
            f"  time    {format_seconds(self.total_s)} ({parts_s})",
            f"  engine  {', '.join(parts)}",
            f"  memory  {memory}",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the same as plain data; amplitudes are ``[re, im]``."""
        return {
            "file": self.file,
            "num_qubits": self.num_qubits,
            "num_instructions": self.num_instructions,
            "registers": [{"name": name, "size": size} for name, size in self.registers],
            "shots": self.shots,
            "seed": self.metadata.get("seed"),
            self.output: {outcome.bits: self._plain_value(outcome.value) for outcome in self.outcomes},
            "num_outcomes": self.num_outcomes,
            "classical_bits": self.metadata.get("classical_bits"),
            "engine": self.metadata["engine"],
            "isa": self.metadata.get("isa"),
            "threads": self.metadata["threads"],
            "precision": self.metadata["precision"],
            "seconds": {"total": self.total_s, **self.parts_s},
            "memory": {"state_bytes": self.state_bytes, "peak_bytes": self.peak_bytes},
        }

    def _plain_value(self, value: complex) -> complex | list[float]:
        return [value.real, value.imag] if self.output == "state" else value


def largest(values: AnyArray, num_bits: int, top: int) -> tuple[list[Outcome], int]:
    """Return the `top` entries of largest weight of an array over basis states, and how many are not zero.

    Parameters
    ----------
    values : ndarray of float64 or complex, shape (2**num_bits,)
        Probabilities, or amplitudes, whose weight is their squared modulus.
    num_bits : int
    top : int
        At least 1.

    Notes
    -----
    Weights below 1e-15 of the whole count as zero: they are rounding.
    """
    weights = np.square(values.real) + np.square(values.imag) if np.iscomplexobj(values) else values
    found = int(np.count_nonzero(weights > 1e-15))
    keep = min(top, found)
    if keep < weights.size:
        indices = np.argpartition(weights, weights.size - keep - 1)[weights.size - keep :]
    else:
        indices = np.arange(weights.size)
    indices = indices[np.lexsort((indices, -weights[indices]))]
    return [
        Outcome(f"{index:0{num_bits}b}", values[index].item(), float(weights[index])) for index in indices.tolist()
    ], found


def spread_bits(bits: str, place: Mapping[int, int], num_bits: int) -> str:
    """Return a bitstring of `num_bits` whose bit b is bit ``place[b]`` of `bits`, 0 where there is no place.

    Examples
    --------
    >>> spread_bits("10", {0: 1, 3: 0}, 4)
    '0001'
    """
    return "".join(bits[-1 - place[bit]] if bit in place else "0" for bit in reversed(range(num_bits)))


def peak_bytes() -> int | None:
    """Return the largest resident size of this process so far; None where the system does not tell."""
    try:
        import resource  # POSIX only
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

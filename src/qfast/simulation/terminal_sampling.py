"""Outcomes of shots: drawn from a finished state, kept as packed rows or counts, written as text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qfast._typing import AnyArray, IntArray
from qfast.engines import CancelToken
from qfast.engines.bits import Histogram, Rows, Wiring, row_bytes
from qfast.engines.memory import check_memory
from qfast.simulation.asks import Output, Shots
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import Script
from qfast.simulation.seeds import derived_seed
from qfast.simulation.sites import FINAL_SAMPLING

__all__ = ["ShotRows", "check_outcomes", "check_rows", "draw_shots", "outcome_table"]

_OUTCOME_BYTES = 208  # an entry of a dictionary of outcomes

Drawn = tuple[Rows | None, tuple[Rows, IntArray] | None]
"""Packed rows, or distinct rows and their counts."""


def draw_shots(
    settings: RunSettings, state: AnyArray, wiring: Wiring, ask: Shots, cancel: CancelToken | None = None
) -> Drawn:
    """Draw shots from a state; see `Statevector.sample`."""
    seed = ask.seed
    assert seed is not None
    if ask.draws == "multinomial":
        own_seed = derived_seed(seed, "multinomial", ask.first_shot)
        return None, _multinomial(settings, state, wiring, ask.shots, own_seed)
    if ask.output == "bits":
        check_rows(ask.shots, wiring.num_bits)
    sampler = settings.engine.sampler(state, threads=settings.threads)
    if ask.output == "bits":
        return sampler.packed(seed, ask.first_shot, ask.shots, FINAL_SAMPLING, wiring, cancel), None
    return None, sampler.count(seed, ask.first_shot, ask.shots, FINAL_SAMPLING, wiring, cancel)


def check_rows(shots: int, num_bits: int) -> None:
    """Refuse more packed shots than memory holds."""
    what = f'{shots} shots of {num_bits} bits (output="counts" takes less)'
    check_memory(shots * row_bytes(num_bits), what, amplitude_bytes=16)


def check_outcomes(script: Script) -> None:
    """Refuse a distribution whose outcomes no dictionary holds."""
    count = len(script.measured)
    check_memory(_OUTCOME_BYTES << count, f"the exact distribution over {count} qubits", amplitude_bytes=_OUTCOME_BYTES)


def outcome_table(weights: Mapping[int, float], num_bits: int) -> dict[str, float]:
    """Return probabilities by bitstring, bit 0 rightmost, in ascending order."""
    return {f"{bits:0{num_bits}b}" if num_bits else "": weights[bits] for bits in sorted(weights)}


def _multinomial(
    settings: RunSettings, state: AnyArray, wiring: Wiring, shots: int, seed: int
) -> tuple[Rows, IntArray]:
    """Counts of all basis states at once, by binomials along the index."""
    check_memory(24 * state.size, f"a multinomial draw over {state.size} outcomes", amplitude_bytes=24)
    everything = np.arange(state.size.bit_length() - 1, dtype=np.int32)
    weights = settings.engine.probabilities(state, everything, threads=settings.threads)
    weights /= weights.sum()
    generator = np.random.Generator(np.random.Philox(key=seed))
    counts = generator.multinomial(shots, weights)
    seen = np.flatnonzero(counts)
    histogram = Histogram(wiring.num_bits)
    histogram.add(wiring.pack(seen.astype(np.int64)), counts[seen].astype(np.int64))
    return histogram.result()


class ShotRows:
    """Gathers what shots recorded.

    Attributes
    ----------
    rows : ndarray of uint8, shape (shots, row bytes), or None
        Where single shots are kept.
    """

    def __init__(self, shots: int, num_bits: int, output: Output) -> None:
        self.rows: Rows | None = None
        self._histogram: Histogram | None = None
        if output == "bits":
            check_rows(shots, num_bits)
            self.rows = np.empty((shots, row_bytes(num_bits)), dtype=np.uint8)
        else:
            self._histogram = Histogram(num_bits)

    def put(self, begin: int, rows: Rows) -> None:
        """Take the rows of consecutive shots, counted from the first one."""
        if self.rows is not None:
            self.rows[begin : begin + len(rows)] = rows
        elif self._histogram is not None:
            self._histogram.add(rows)

    def counts(self) -> tuple[Rows, IntArray] | None:
        """Return the distinct rows and their counts, where these were asked for."""
        return None if self._histogram is None else self._histogram.result()

"""Drawing shots from a finished state, in chunks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from qfast._typing import AnyArray, IntArray
from qfast.engines import CancelToken, PreparedCircuit
from qfast.engines.bits import Histogram, Rows, Wiring, row_bytes
from qfast.engines.memory import check_memory
from qfast.errors import InputError
from qfast.simulation.provenance import Provenance
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import BitRegister, Samples
from qfast.simulation.seeds import derived_seed

Output: TypeAlias = Literal["bits", "counts"]
Method: TypeAlias = Literal["philox", "multinomial"]


def check_output(output: str) -> None:
    """Refuse an unknown kind of output."""
    if output not in ("bits", "counts"):
        raise InputError(
            f"output {output!r} is unknown; 'bits' keeps every shot, 'counts' how often each outcome was seen"
        )


def sample_state(
    settings: RunSettings,
    state: AnyArray,
    wiring: Wiring,
    registers: Sequence[BitRegister],
    shots: int,
    seed: int,
    *,
    output: Output = "bits",
    method: Method = "philox",
    first_shot: int = 0,
    prepared: PreparedCircuit | None = None,
    peak_bytes: int = 0,
    times: dict[str, float] | None = None,
    cancel: CancelToken | None = None,
) -> Samples:
    """Draw shots from a state; see `Statevector.sample`."""
    begun = time.perf_counter()
    check_output(output)
    if method not in ("philox", "multinomial"):
        raise InputError(f"sampling method {method!r} is unknown; 'philox' and 'multinomial' are")
    if method == "multinomial" and output != "counts":
        raise InputError("method 'multinomial' draws counts, not single shots; ask for output=\"counts\"")
    rows = histogram = None
    if method == "multinomial":
        histogram = _multinomial(settings, state, wiring, shots, derived_seed(seed, "multinomial", first_shot))
    else:
        sampler = settings.engine.sampler(state, threads=settings.threads)
        if output == "counts":
            histogram = sampler.count(seed, first_shot, shots, 0, wiring, cancel)
        else:
            check_rows(shots, wiring.num_bits)
            rows = sampler.packed(seed, first_shot, shots, 0, wiring, cancel)
    times = {**(times or {}), "sample_s": time.perf_counter() - begun}
    more = {"shots": shots, "first_shot": first_shot, "method": method}
    provenance = Provenance(settings, prepared, seed=seed, peak_bytes=peak_bytes, times=times, more=more)
    return Samples(registers, rows=rows, histogram=histogram, metadata=provenance)


def check_rows(shots: int, num_bits: int) -> None:
    """Refuse more packed shots than memory holds."""
    what = f'{shots} shots of {num_bits} bits (output="counts" takes less)'
    check_memory(shots * row_bytes(num_bits), what, amplitude_bytes=16)


class Collector:
    """Gathers packed rows: every shot in its place, or how often each row was seen."""

    def __init__(self, shots: int, num_bits: int, output: Output) -> None:
        check_output(output)
        self.rows: Rows | None = None
        self._histogram: Histogram | None = None
        if output == "bits":
            check_rows(shots, num_bits)
            self.rows = np.empty((shots, row_bytes(num_bits)), dtype=np.uint8)
        else:
            self._histogram = Histogram(num_bits)

    def put(self, places: IntArray, rows: Rows) -> None:
        """Take the rows of some shots, or one row for all of them; `places` are counted from the first shot."""
        if self.rows is not None:
            self.rows[places] = rows
        elif self._histogram is not None:
            self._histogram.add(rows, np.array([places.size]) if len(rows) == 1 else None)

    def counts(self) -> tuple[Rows, IntArray] | None:
        """Return the distinct rows and their counts, where these were asked for."""
        return None if self._histogram is None else self._histogram.result()


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

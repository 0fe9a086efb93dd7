"""Drawing shots from a finished state, in chunks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from qfast._typing import AnyArray
from qfast.engines import CancelToken, PreparedCircuit
from qfast.engines._memory import check_memory
from qfast.errors import CancelledRunError, InputError
from qfast.simulation._bits import Histogram, Wiring, row_bytes
from qfast.simulation._provenance import Provenance
from qfast.simulation._settings import RunSettings
from qfast.simulation.samples import BitRegister, Samples

Output: TypeAlias = Literal["bits", "counts"]
Method: TypeAlias = Literal["philox", "multinomial"]

CHUNK = 1 << 22
"""Shots drawn at a time; their uniforms, indices and rows take some 150 MB."""


class Collector:
    """Gathers packed rows: every shot in its place, or how often each row was seen."""

    def __init__(self, shots: int, num_bits: int, output: Output) -> None:
        check_output(output)
        width = row_bytes(num_bits)
        self._rows = None
        self._histogram = None
        if output == "bits":
            check_memory(
                shots * width, f'{shots} shots of {num_bits} bits (output="counts" takes less)', amplitude_bytes=16
            )
            self._rows = np.empty((shots, width), dtype=np.uint8)
        else:
            self._histogram = Histogram(num_bits)

    def put(self, places: slice | AnyArray, rows: AnyArray) -> None:
        """Take the rows of some shots, `places` counted from the first one."""
        if self._rows is not None:
            self._rows[places] = rows
        else:
            assert self._histogram is not None
            self._histogram.add(rows)

    def put_same(self, places: AnyArray, row: AnyArray) -> None:
        """Take one row, shape (1, row bytes), for many shots."""
        if self._rows is not None:
            self._rows[places] = row
        else:
            assert self._histogram is not None
            self._histogram.add(row, np.array([len(places)], dtype=np.int64))

    def samples(self, registers: Sequence[BitRegister], provenance: Provenance) -> Samples:
        """Return what was gathered."""
        histogram = None if self._histogram is None else self._histogram.result()
        return Samples(registers, rows=self._rows, histogram=histogram, metadata=provenance)


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
    if method not in ("philox", "multinomial"):
        raise InputError(f"sampling method {method!r} is unknown; 'philox' and 'multinomial' are")
    collector = Collector(shots, wiring.num_bits, output)
    more = {"shots": shots, "first_shot": first_shot, "method": method}
    provenance = Provenance(settings, prepared, seed=seed, peak_bytes=peak_bytes, times=times, more=more)
    if method == "multinomial":
        if output != "counts":
            raise InputError("method 'multinomial' draws counts, not single shots; ask for output=\"counts\"")
        histogram = _multinomial(settings, state, wiring, shots, seed)
        samples = Samples(registers, histogram=histogram.result(), metadata=provenance)
    else:
        engine, threads = settings.engine, settings.threads
        for begin in range(0, shots, CHUNK):
            if cancel is not None and cancel.cancelled:
                raise CancelledRunError(f"sampling was cancelled after {begin} of {shots} shots")
            count = min(CHUNK, shots - begin)
            uniforms = engine.uniforms(seed, first_shot + begin, count, 0)
            indices = engine.sample_indices(state, uniforms, threads=threads)
            collector.put(slice(begin, begin + count), wiring.pack(indices))
        samples = collector.samples(registers, provenance)
    provenance.times["sample_s"] = time.perf_counter() - begun
    return samples


def _multinomial(settings: RunSettings, state: AnyArray, wiring: Wiring, shots: int, seed: int) -> Histogram:
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
    return histogram

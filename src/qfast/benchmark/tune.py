"""``qfast bench --tune``: measure a cost table for this machine.

Per precision: the six families are run with tiles of several sizes, to choose one; sweeps are timed by the number of
lowest memory bits in their tiles, and kernel steps by kind, for the prices; then the families are run with the built-in
prices and with the measured ones, and only what is faster is kept. Every time is the least of several rounds in which
the candidates take turns, so that a machine that slows down for a while slows them all.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qfast._typing import FloatArray, Isa, Precision
from qfast._version import __version__
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import FAMILIES, build_family
from qfast.circuit import Circuit
from qfast.config.machine import available_memory_bytes
from qfast.engines import AMPLITUDE_BYTES
from qfast.engines.cost_tables import this_machine, write_table
from qfast.engines.memory import allocate_state
from qfast.engines.native import NativeCircuit, NativeEngine
from qfast.errors import EngineError
from qfast.extension import core, missing_reason

__all__ = ["Tuner", "Tuning", "tune"]

PRECISIONS: tuple[Precision, ...] = ("complex128", "complex64")
TILE_BITS = range(13, 18)
SMALL_QUBITS, LARGE_QUBITS = 20, 24
SMALL_ONLY = ("qv",)  # bound by arithmetic: a table hardly changes it, and it would take most of the time
SWEEP_STEPS = 8  # dense pairs of a timed sweep: the work of a usual one
SHORTEST_RUN = 4  # memory bits that every tile of a plan holds: whole cache lines, and the widest vector
PATTERNS = 3  # choices of the tile's upper bits that a price is the mean of
MIN_GAIN = 0.015  # of all workloads together: below this a difference is noise, and the built-in numbers stay
MAX_LOSS = 0.1  # of any one workload: a table is for circuits that it was not measured by, too
ROUNDS = 4
BUDGET_S = {"tiles": 10.0, "sweeps": 5.0, "check": 9.0}  # of each precision; after it no further round begins

Costs = dict[str, Any]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Tuning:
    """What was measured.

    Attributes
    ----------
    costs : dict
        By precision, as a cost table has them.
    speedup : dict of str to float
        By precision: the families' time with the built-in table over that with this one, geometric mean.
    """

    costs: dict[str, Costs]
    speedup: dict[str, float]


def tune(isa: Isa, threads: int, progress: Progress | None = None) -> tuple[Tuning, Path]:
    """Measure a table for this machine and keep it, in place of an older one.

    Parameters
    ----------
    isa : {"baseline", "avx2", "avx512"}
    threads : int
        All CPUs that this process may use; a table is kept for that number.
    progress : callable, optional
        Called with (steps done, steps in all).

    Returns
    -------
    tuning : Tuning
    path : Path
        The file. It is written at the end, whole: stopped before, the old one stays.

    Raises
    ------
    EngineError
        There is no native core.
    CapacityError
        A state of 20 qubits does not fit.
    OSError
        The file cannot be written.
    """
    if core is None:
        raise EngineError(f"cost tables are for the native engine, which is absent: {missing_reason}")
    tuners = [Tuner(precision, isa, threads) for precision in PRECISIONS]
    counter = _Counter(sum(tuner.num_steps for tuner in tuners), progress)
    costs: dict[str, Costs] = {}
    speedup: dict[str, float] = {}
    for tuner in tuners:
        costs[tuner.precision], speedup[tuner.precision] = tuner.run(counter.step)
    tuning = Tuning(costs, speedup)
    path = write_table(
        this_machine(isa),
        costs,
        {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "qfast": __version__,
            "speedup": {precision: round(value, 3) for precision, value in speedup.items()},
        },
    )
    return tuning, path


class _Counter:
    """Steps done, of a known number."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def step(self) -> None:
        self._done = min(self._done + 1, self._total)
        if self._progress is not None:
            self._progress(self._done, self._total)


class Tuner:
    """The measurements of one precision.

    Parameters
    ----------
    precision : {"complex64", "complex128"}
    isa : {"baseline", "avx2", "avx512"}
    threads : int
    sizes : tuple of int, optional
        Qubits of the circuits that are run, ascending. By default a state that lies in the last cache on most machines,
        and one that does not, as large as memory allows.
    """

    def __init__(self, precision: Precision, isa: Isa, threads: int, sizes: tuple[int, ...] | None = None) -> None:
        self.precision = precision
        self.isa = isa
        self.threads = threads
        self.sizes = _sizes_for(precision) if sizes is None else sizes
        self.built_in: Costs = core.CostTable().to_dict()[precision]
        self.workloads = [
            (family, size)
            for size in self.sizes
            for family in FAMILIES
            if size == self.sizes[0] or family not in SMALL_ONLY
        ]

    @property
    def num_steps(self) -> int:
        """Calls of `step` that `run` makes at most."""
        return ROUNDS * (2 * len(self.workloads) + 1) + len(self.built_in["steps"])

    def run(self, step: Callable[[], None]) -> tuple[Costs, float]:
        """Return the prices to keep, and how much faster than with the built-in ones the families run."""
        sizes = [self.built_in] + [
            self.built_in | {"tile_bits": bits} for bits in TILE_BITS if bits != self.built_in["tile_bits"]
        ]
        tiled = sizes[_fastest(self.compare(sizes, BUDGET_S["tiles"], step))]
        passes = tiled | {"pass": self.pass_prices(tiled["tile_bits"], step)}
        steps = passes | {"steps": self.step_prices(step)}
        candidates = [self.built_in, *([] if tiled == self.built_in else [tiled]), passes, steps]
        times = self.compare(candidates, BUDGET_S["check"], step)
        chosen = _fastest(times)
        return deepcopy(candidates[chosen]), _speedup(times[0], times[chosen])

    @cached_property
    def _circuits(self) -> list[Circuit]:
        return [to_circuit(build_family(family, size, 0)) for family, size in self.workloads]

    def compare(self, candidates: Sequence[Costs], budget_s: float, step: Callable[[], None]) -> FloatArray:
        """Return the seconds of every workload for each set of prices, float64 of shape (candidates, workloads)."""
        state = allocate_state(self.sizes[-1], self.precision)
        no_values = np.zeros(0)
        engines = [NativeEngine(self.isa, self._table(costs)) for costs in candidates]
        prepared = [
            [engine.prepare(circuit, precision=self.precision) for circuit in self._circuits] for engine in engines
        ]
        least = np.full((len(candidates), len(self._circuits)), np.inf)

        def run(program: NativeCircuit, size: int) -> float:
            begun = time.perf_counter()
            program.run(state[: 1 << size], no_values, from_zero=True, threads=self.threads, cancel=None)
            return time.perf_counter() - begun

        for first in _rounds(budget_s):
            for k, (_family, size) in enumerate(self.workloads):
                # The workload before has left other things in the caches: one run is for nothing, and no candidate is
                # always the first one after it.
                order = [(first + place) % len(candidates) for place in range(len(candidates))]
                run(prepared[order[-1]][k], size)
                for candidate in order:
                    least[candidate, k] = min(least[candidate, k], run(prepared[candidate][k], size))
                step()
        return least

    def _table(self, costs: Costs) -> Any:
        table = core.CostTable().to_dict()
        table[self.precision] = costs
        return core.CostTable("candidate", table)

    @cached_property
    def seconds_per_fma(self) -> float:
        """Seconds that one fused multiply-add of every amplitude takes, by a dense pair of a full tile."""
        return self._step_s("dense_pair") / float(core.CostTable().to_dict()[self.precision]["steps"]["dense_pair"])

    def _step_s(self, kind: str) -> float:
        bits = self.built_in["tile_bits"]
        seconds: float = core.measure_step(kind, bits, self.precision, self.isa, self.threads, 9)
        return seconds

    def step_prices(self, step: Callable[[], None]) -> dict[str, float]:
        """Return the prices of kernel steps; a dense pair keeps its built-in price, which gives the unit."""
        prices = {}
        for kind in self.built_in["steps"]:
            prices[kind] = round(max(self._step_s(kind) / self.seconds_per_fma, 0.1), 2)
            step()
        return prices | {"dense_pair": self.built_in["steps"]["dense_pair"]}

    def pass_prices(self, tile_bits: int, step: Callable[[], None]) -> list[float]:
        """Return what a sweep costs beside its steps, by the number of lowest memory bits in its tiles.

        No plan has tiles with fewer than `SHORTEST_RUN` of them; their price stands for what is not measured.
        """
        rng = random.Random(0)
        runs = range(SHORTEST_RUN, len(self.built_in["pass"]))
        tiles = {run: [self._tile(run, tile_bits, rng) for _ in range(PATTERNS)] for run in runs}
        least = {(run, pattern): math.inf for run in runs for pattern in range(PATTERNS)}
        for _ in _rounds(BUDGET_S["sweeps"]):
            for run, pattern in least:
                seconds = core.measure_sweep(
                    self.sizes[-1], tiles[run][pattern], SWEEP_STEPS, self.precision, self.isa, self.threads, 1
                )
                least[run, pattern] = min(least[run, pattern], seconds)
            step()
        unit_s = self.seconds_per_fma * 2.0 ** self.sizes[-1] / self.threads
        work = SWEEP_STEPS * self.built_in["steps"]["dense_pair"]
        prices = [sum(least[run, pattern] for pattern in range(PATTERNS)) / PATTERNS / unit_s - work for run in runs]
        return _descending([max(price, 1.0) for price in [prices[0]] * SHORTEST_RUN + prices])

    def _tile(self, run: int, tile_bits: int, rng: random.Random) -> list[int]:
        """Tile bits whose lowest `run` ones are the lowest of memory, and the next bit of memory is not among them."""
        return [*range(run), *sorted(rng.sample(range(run + 1, self.sizes[-1]), tile_bits - run))]


def _rounds(budget_s: float) -> Iterator[int]:
    """Yield rounds: a first one, further ones as long as there is time for one more."""
    begun = time.perf_counter()
    for done in range(ROUNDS):
        if done and (time.perf_counter() - begun) * (done + 1) / done > budget_s:
            return
        yield done


def _speedup(before: FloatArray, after: FloatArray) -> float:
    """Geometric mean over the workloads."""
    return float(np.exp(np.log(before / after).mean()))


def _fastest(times: FloatArray) -> int:
    """Place of the candidate of the least times that slows nothing down; 0, the built-in prices, where none gains."""
    gains = [
        _speedup(times[0], of_candidate) if (times[0] > (1 - MAX_LOSS) * of_candidate).all() else 0.0
        for of_candidate in times
    ]
    best = max(range(len(gains)), key=gains.__getitem__)
    return best if gains[best] > 1 + MIN_GAIN else 0


def _descending(prices: Sequence[float]) -> list[float]:
    """Longer runs are never dearer: what says otherwise is noise, and counts for the shorter ones too."""
    found: list[float] = []
    for price in reversed(prices):
        found.append(round(max(price, found[-1] if found else 0.0), 1))
    return found[::-1]


def _sizes_for(precision: Precision) -> tuple[int, ...]:
    fits = (available_memory_bytes() // (2 * AMPLITUDE_BYTES[precision])).bit_length() - 1
    return SMALL_QUBITS, max(SMALL_QUBITS, min(LARGE_QUBITS, fits))


def tuning_lines(tuning: Tuning, built_in: Mapping[str, Costs]) -> Iterator[str]:
    """Yield the measured prices beside the built-in ones."""
    for precision, costs in tuning.costs.items():
        old = built_in[precision]
        yield f"{precision}: the families run {tuning.speedup[precision]:.3f} times as fast as by the built-in table"
        yield f"  tile     2^{costs['tile_bits']} amplitudes (built-in: 2^{old['tile_bits']})"
        yield f"  pass     {_numbers(costs['pass'])}"
        yield f"  built-in {_numbers(old['pass'])}"
        steps = (f"{kind} {price:g} ({old['steps'][kind]:g})" for kind, price in costs["steps"].items())
        yield f"  steps    {', '.join(steps)}"


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)

"""Measure the circuit families on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from qfast import engines
from qfast._typing import Precision
from qfast.benchmark.canonical import canonical_flops
from qfast.benchmark.circuits import to_circuit
from qfast.benchmark.families import build_family
from qfast.benchmark.roofline import Limits, measure_limits
from qfast.errors import EngineError
from qfast.simulation.program import compile as compile_circuit

__all__ = ["Measurement", "Plan", "measure", "measure_all", "time_runs"]

SLOW_S = 10.0  # runs longer than this are repeated SLOW_REPEATS times
SLOW_REPEATS = 3


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes
    ----------
    families : tuple of str
    qubits : tuple of int
    precisions : tuple of {"complex64", "complex128"}
    engine : str
    threads : int
    repeats : int
        Timed runs after the first one.
    seed : int
        Of the circuits.
    """

    families: tuple[str, ...]
    qubits: tuple[int, ...]
    precisions: tuple[Precision, ...]
    engine: str
    threads: int
    repeats: int
    seed: int = 0


@dataclass(frozen=True)
class Measurement:
    """One family at one size.

    Attributes
    ----------
    family, num_qubits, precision, engine, isa, threads
        What was measured; `isa` is None for engines without.
    first_s : float
        Planning and the first run.
    warm_s : tuple of float
        Further runs of the same program, each into a result of its own.
    canonical_flops : float
        Per amplitude; see `qfast.benchmark.canonical`.
    plan_flops, plan_passes : float or None
        Flops per amplitude and passes over the state of the engine's own plan, if it has one.
    limits : Limits or None
        None without the native core.
    """

    family: str
    num_qubits: int
    precision: Precision
    engine: str
    isa: str | None
    threads: int
    first_s: float
    warm_s: tuple[float, ...]
    canonical_flops: float
    plan_flops: float | None
    plan_passes: int | None
    limits: Limits | None

    @property
    def median_s(self) -> float:
        """Median of the warm runs."""
        return median(self.warm_s)

    @property
    def least_s(self) -> float:
        """Fastest warm run."""
        return min(self.warm_s)

    @property
    def roofline_fraction(self) -> float | None:
        """Time that the machine's limits allow over the median time."""
        return None if self.limits is None else self.limits.least_seconds(self.canonical_flops) / self.median_s

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, with what follows from it, as JSON types."""
        derived = {"median_s": self.median_s, "least_s": self.least_s, "roofline_fraction": self.roofline_fraction}
        return asdict(self) | derived


def measure_all(plan: Plan) -> Iterator[Measurement]:
    """Measure everything that a plan names, smallest first."""
    for num_qubits in sorted(plan.qubits):
        for precision in plan.precisions:
            limits = _limits(num_qubits, precision, plan)
            for family in plan.families:
                yield measure(family, num_qubits, precision, plan, limits)


def measure(
    family: str, num_qubits: int, precision: Precision, plan: Plan, limits: Limits | None = None
) -> Measurement:
    """Measure one family at one size.

    Raises
    ------
    CapacityError
        The state does not fit into memory.
    """
    member = build_family(family, num_qubits, plan.seed)
    circuit = to_circuit(member)
    start = time.perf_counter()
    program = compile_circuit(circuit, engine=plan.engine, precision=precision, threads=plan.threads)
    program.simulate()
    first_s = time.perf_counter() - start
    warm_s = time_runs(program.simulate, plan.repeats if first_s < SLOW_S else min(SLOW_REPEATS, plan.repeats))
    segments = program.explain()["segments"]
    return Measurement(
        family=family,
        num_qubits=num_qubits,
        precision=precision,
        engine=program.engine,
        isa=program.isa,
        threads=plan.threads,
        first_s=first_s,
        warm_s=warm_s,
        canonical_flops=canonical_flops(member.operations[member.num_preparation :]),
        plan_flops=_total(segments, "flops_per_amplitude"),
        plan_passes=_total(segments, "passes"),
        limits=limits,
    )


def time_runs(run: Callable[[], object], repeats: int) -> tuple[float, ...]:
    """Return the seconds that each of `repeats` calls takes."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return tuple(seconds)


def _total(segments: Sequence[Mapping[str, Any]], key: str) -> Any:
    """Sum an entry of the plans; None where an engine has no such entry."""
    found = [segment[key] for segment in segments if key in segment]
    return sum(found) if found else None


def _limits(num_qubits: int, precision: Precision, plan: Plan) -> Limits | None:
    try:
        return measure_limits(num_qubits, precision, plan.threads, isa=engines.select(plan.engine, plan="portable").isa)
    except EngineError:
        return None  # no native core: the table leaves the fraction out

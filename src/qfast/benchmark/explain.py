"""`explain`: what the planner makes of a circuit, and how near its runs come to the machine's limits."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from qfast._typing import Precision
from qfast.benchmark.canonical import circuit_flops
from qfast.benchmark.explain_text import explanation_lines
from qfast.benchmark.roofline import Limits, measure_limits
from qfast.benchmark.suite import SLOW_REPEATS, SLOW_S, time_runs
from qfast.circuit import Circuit
from qfast.circuit.binding import ParameterValues
from qfast.errors import InputError
from qfast.extension import core
from qfast.simulation.program import compile as compile_circuit
from qfast.simulation.run_settings import run_settings
from qfast.simulation.script import script_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Explanation", "SegmentPlan", "SweepPlan", "explain"]

REPEATS = 7


@dataclass(frozen=True)
class SweepPlan:
    """One pass over the state: every tile is read, worked on in cache, and written back.

    Attributes
    ----------
    tile_bits : tuple of int
        The bits of the amplitude index that vary within a tile, ascending.
    blocks : int
        Groups of steps that are done in registers.
    matrices : int
        Gates too wide for registers.
    steps : mapping of str to int
        Steps of the blocks by kind: ``one_qubit``, ``two_qubit``, ``diagonal``, ``lane_swap``, ``exchange``.
    flops_per_amplitude : float
    moves : bool
        Whether amplitudes are written back to other places: a relabelling of qubits that costs nothing.
    """

    tile_bits: tuple[int, ...]
    blocks: int
    matrices: int
    steps: Mapping[str, int]
    flops_per_amplitude: float
    moves: bool


@dataclass(frozen=True)
class SegmentPlan:
    """A stretch of gates between measurements; most circuits are one.

    Attributes
    ----------
    num_gates : int
        As the circuit has them.
    nodes : mapping of str to int, or None
        What gates have become after merging, by kind; None for engines that do not merge.
    tile_qubits : int or None
    cost_table : str or None
        Prices that the plan was made by: ``built-in``, or the name of a measured table.
    sweeps : tuple of SweepPlan
        Empty for engines that apply gate by gate.
    """

    num_gates: int
    nodes: Mapping[str, int] | None
    tile_qubits: int | None
    cost_table: str | None
    sweeps: tuple[SweepPlan, ...]


@dataclass(frozen=True)
class Explanation:
    """What `explain` found. ``str()`` is a table, `plot` a picture, `to_dict` plain data.

    Attributes
    ----------
    num_qubits, num_gates, precision, engine, isa, threads
        What was looked at; `isa` is None for engines without.
    segments : tuple of SegmentPlan
    canonical_flops : float or None
        Per amplitude, by the yardstick of `qfast.benchmark.canonical`; None if the circuit decides in the middle.
    limits : Limits or None
        Of this machine for a state of this size; None if nothing was measured or there is no native core.
    first_s : float or None
        Planning and the first run; less planning where a circuit of this structure has run before.
    warm_s : tuple of float
        Further runs.
    note : str or None
        Why something was left out.
    """

    num_qubits: int
    num_gates: int
    precision: Precision
    engine: str
    isa: str | None
    threads: int
    segments: tuple[SegmentPlan, ...]
    canonical_flops: float | None
    limits: Limits | None = None
    first_s: float | None = None
    warm_s: tuple[float, ...] = ()
    note: str | None = None

    @property
    def sweeps(self) -> tuple[SweepPlan, ...]:
        """The sweeps of all segments."""
        return tuple(sweep for segment in self.segments for sweep in segment.sweeps)

    @property
    def passes(self) -> int | None:
        """Passes over the state; None for engines without sweeps."""
        return len(self.sweeps) if self._has_sweeps else None

    @property
    def plan_flops(self) -> float | None:
        """Flops per amplitude of the plan; None for engines without sweeps."""
        return sum(sweep.flops_per_amplitude for sweep in self.sweeps) if self._has_sweeps else None

    @property
    def predicted_s(self) -> float | None:
        """Seconds of all sweeps at the machine's limits, each bound by its arithmetic or by its memory traffic."""
        if self.limits is None or not self._has_sweeps:
            return None
        return sum(self.limits.least_seconds(sweep.flops_per_amplitude) for sweep in self.sweeps)

    @property
    def least_s(self) -> float | None:
        """Seconds that the limits allow at best: the canonical flops, or one pass over the state."""
        if self.limits is None or self.canonical_flops is None:
            return None
        return self.limits.least_seconds(self.canonical_flops)

    @property
    def measured_s(self) -> float | None:
        """Median of the warm runs."""
        return median(self.warm_s) if self.warm_s else None

    @property
    def roofline_fraction(self) -> float | None:
        """`least_s` over `measured_s`; over 1 where the plan needs fewer flops than the yardstick says."""
        if self.least_s is None or self.measured_s is None:
            return None
        return self.least_s / self.measured_s

    @property
    def _has_sweeps(self) -> bool:
        return all(segment.nodes is not None for segment in self.segments)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, with what follows from it, as JSON types."""
        names = ("passes", "plan_flops", "predicted_s", "least_s", "measured_s", "roofline_fraction")
        plain = asdict(self) | {name: getattr(self, name) for name in names}
        plain["segments"] = [
            segment | {"sweeps": [sweep | {"tile_bits": list(sweep["tile_bits"])} for sweep in segment["sweeps"]]}
            for segment in plain["segments"]
        ]
        return plain | {"warm_s": list(self.warm_s)}

    def plot(self, *, title: str | None = None) -> Figure:
        """Draw the sweeps; see `qfast.plotting.plot_plan`.

        Parameters
        ----------
        title : str, optional

        Returns
        -------
        matplotlib.figure.Figure
            ``figure.savefig("plan.png")`` writes it.

        Raises
        ------
        InputError
            There are no sweeps to draw: another engine than ``native``, or a circuit without gates.
        ImportError
            If matplotlib is not installed.
        """
        from qfast import plotting  # matplotlib is an optional extra

        if not self.sweeps:
            raise InputError(
                f"there are no sweeps to draw: engine {self.engine!r}, {self.num_gates} gates; only the native engine "
                "works in sweeps, and only if there are gates"
            )
        labels = [
            f"{number}.{place}" if len(self.segments) > 1 else str(place)
            for number, segment in enumerate(self.segments, 1)
            for place in range(1, len(segment.sweeps) + 1)
        ]
        return plotting.plot_plan(
            [sweep.tile_bits for sweep in self.sweeps],
            [sweep.flops_per_amplitude for sweep in self.sweeps],
            num_bits=self.num_qubits,
            labels=labels,
            title=title or f"{self.num_gates} gates on {self.num_qubits} qubits, {self.precision}",
        )

    def __str__(self) -> str:
        return "\n".join(explanation_lines(self))


def explain(
    circuit: Circuit,
    *,
    parameters: ParameterValues | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    engine: str | None = None,
    measure: bool = True,
) -> Explanation:
    """Tell what the planner makes of a circuit, and measure how near its runs come to the machine's limits.

    Parameters
    ----------
    circuit : Circuit
    parameters : mapping or sequence, optional
        Values of the circuit's parameters; flops are counted from numbers.
    precision, threads, engine
        As for `qfast.simulate`.
    measure : bool, default True
        Whether to run the circuit (once to warm up, then seven times, fewer if a run takes over 10 s) and to measure
        the machine's limits. Without, nothing is simulated and no state is allocated.

    Returns
    -------
    Explanation

    Raises
    ------
    ParameterError
        A parameter has no value.
    CircuitError, CapacityError, EngineError
        As for `qfast.simulate`.

    Notes
    -----
    A circuit that measures, resets or decides in the middle has a plan for each stretch of gates between, but no time:
    which stretches run depends on outcomes.

    Examples
    --------
    >>> import qfast
    >>> found = explain(qfast.Circuit(2).h(0).cx(0, 1), engine="reference", measure=False)
    >>> found.num_gates, found.canonical_flops
    (2, 8.0)
    """
    if not isinstance(circuit, Circuit):
        raise InputError(f"a qfast.Circuit is needed, {type(circuit).__name__} given")
    settings = run_settings(engine, precision, threads)
    bound = circuit if parameters is None and not circuit.num_parameters else circuit.bind(parameters)
    script = script_of(circuit)
    stretches = script.segments
    begun = time.perf_counter()
    program = compile_circuit(circuit, engine=engine, precision=precision, threads=threads)
    limits: Limits | None = None
    first_s: float | None = None
    warm_s: tuple[float, ...] = ()
    note: str | None = None
    if not script.is_static:
        note = "not measured: the circuit measures, resets or decides in the middle, so its work depends on outcomes"
    elif measure:
        program.simulate(parameters)
        first_s = time.perf_counter() - begun
        warm_s = time_runs(lambda: program.simulate(parameters), REPEATS if first_s < SLOW_S else SLOW_REPEATS)
        if core is None:
            note = "no limits: they are measured by the native core, which is absent"
        else:
            isa = settings.engine.isa
            limits = measure_limits(circuit.num_qubits, settings.precision, settings.threads, isa=isa)
    return Explanation(
        num_qubits=circuit.num_qubits,
        num_gates=sum(map(_num_gates, stretches)),
        precision=settings.precision,
        engine=settings.engine.name,
        isa=settings.engine.isa,
        threads=settings.threads,
        segments=_segments(stretches, program.explain()["segments"]),
        canonical_flops=circuit_flops(bound) if script.is_static else None,
        limits=limits,
        first_s=first_s,
        warm_s=warm_s,
        note=note,
    )


def _segments(stretches: Sequence[Circuit], plans: Sequence[Mapping[str, Any]]) -> tuple[SegmentPlan, ...]:
    return tuple(
        SegmentPlan(
            num_gates=_num_gates(stretch),
            nodes=plan.get("nodes"),
            tile_qubits=plan.get("tile_qubits"),
            cost_table=plan.get("cost_table"),
            sweeps=tuple(_sweep(sweep) for sweep in plan.get("sweeps", ())),
        )
        for stretch, plan in zip(stretches, plans, strict=True)
    )


def _sweep(plan: Mapping[str, Any]) -> SweepPlan:
    return SweepPlan(
        tile_bits=tuple(bit for bit in plan["tile_bits"] if bit >= 0),  # -1 pads a state smaller than a tile
        blocks=plan["blocks"],
        matrices=plan["matrices"],
        steps=plan["steps"],
        flops_per_amplitude=float(plan["flops_per_amplitude"]),
        moves=plan["moves"],
    )


def _num_gates(stretch: Circuit) -> int:
    return sum(number for name, number in stretch.count_ops().items() if name != "barrier")

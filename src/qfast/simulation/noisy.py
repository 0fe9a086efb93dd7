"""Sampling a circuit under a noise model.

Where all channels are Pauli mixtures and the circuit measures at its end, every shot's errors are drawn first, pushed
to the end of the circuit (`pauli_frames`), and shots with the same angles share one simulation (`trajectory_rows`).
Everything else is walked branch by branch (`walk`). Both draw a shot's errors from the same uniforms (`sites`).
"""

from __future__ import annotations

import functools
import time
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from qfast._typing import AnyArray, FloatArray, IntArray, Precision, UIntArray
from qfast.circuit import Circuit, Instruction
from qfast.circuit.binding import ParameterValues, resolve_values
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.engines import CancelToken, Engine
from qfast.engines.bits import Wiring
from qfast.engines.error_draws import draw_errors
from qfast.engines.memory import check_memory, memory_limits, state_bytes
from qfast.engines.samplers import CHUNK
from qfast.errors import InputError, ParameterError
from qfast.noise import NoiseModel, Place, ReadoutError
from qfast.simulation.compiled import Compiled
from qfast.simulation.noise_places import final_measurements, is_straight, places_of
from qfast.simulation.pauli_frames import MAX_FRAME_QUBITS, PushedCircuit, PushedCircuitBuilder
from qfast.simulation.populations import misread
from qfast.simulation.provenance import Provenance
from qfast.simulation.pure_branch import PureBranch
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import BitRegister, Samples
from qfast.simulation.script import script_of
from qfast.simulation.sites import CHANNEL, FINAL_SAMPLING
from qfast.simulation.terminal_sampling import Collector, Method, Output, check_output, check_rows
from qfast.simulation.trajectory_rows import Rows as AngleRows
from qfast.simulation.trajectory_rows import RunOptions, Sweep, SweepStatistics, sweep_of
from qfast.simulation.walk import BranchWalk
from qfast.simulation.working_states import initial_array, working_state

__all__ = [
    "Plan",
    "Pushed",
    "Walked",
    "check_noise",
    "check_noisy_method",
    "grouped",
    "noisy_walk",
    "parameter_values",
    "plan_for",
    "sample_noisy",
]

_UNITARY = OPCODES["unitary"]
_ROWS_BYTES = 1 << 27  # effects of errors that stand in memory at a time


def check_noise(noise: Any) -> NoiseModel:
    """Return a noise model, or refuse what is none."""
    if not isinstance(noise, NoiseModel):
        raise InputError(
            f"noise must be a qfast.NoiseModel, {type(noise).__name__} given; a single channel becomes one with "
            "NoiseModel().add(channel, gates=[…])"
        )
    return noise


def check_noisy_method(method: Method) -> None:
    """Refuse a way of drawing that noise does not have."""
    if method != "philox":
        raise InputError(f"method {method!r} draws from one final state, which noise leaves none; use 'philox'")


@dataclass(slots=True)
class Pushed:
    """Plan of a circuit whose errors are pushed to its end."""

    pushed: PushedCircuit
    sweep: Sweep
    wiring: Wiring
    registers: tuple[BitRegister, ...]
    readout: tuple[tuple[ReadoutError, tuple[int, ...]], ...]


@dataclass(slots=True)
class Walked:
    """Plan of a circuit that is walked."""

    compiled: Compiled


@dataclass(slots=True)
class Plan:
    """How a circuit is sampled under a noise model, on one engine in one precision."""

    way: Pushed | Walked
    num_gates: int
    num_channels: int
    prepare_s: float


def sample_noisy(
    circuit: Circuit,
    noise: NoiseModel,
    settings: RunSettings,
    parameters: ParameterValues | None,
    shots: int,
    seed: int,
    *,
    initial_state: Any = None,
    output: Output = "bits",
    first_shot: int = 0,
    branch_bytes: int | None = None,
    max_loop_passes: int,
    cancel: CancelToken | None = None,
) -> Samples:
    """Sample a circuit under noise; see `qfast.sample`.

    Notes
    -----
    The result's ``metadata["noise"]`` tells how: ``method`` ("pauli-frames" or "walk"), ``trajectories`` (distinct ones
    that were simulated), ``channels`` (places where noise acts), ``gate_applications`` and the same per gate of the
    circuit, and ``max_standard_error``, the largest that an outcome's relative frequency has.
    """
    plan = plan_for(circuit, noise, settings)
    values = parameter_values(circuit, parameters)
    initial = initial_array(initial_state, circuit.num_qubits)
    begun = time.perf_counter()
    rows = histogram = None
    if isinstance(plan.way, Pushed):
        collector = Collector(shots, plan.way.wiring.num_bits, output)
        registers = plan.way.registers
        statistics, peak_bytes = _sample_pushed(
            plan, plan.way, settings, values, shots, seed, initial, first_shot, collector, cancel
        )
        rows, histogram = collector.rows, collector.counts()
        made = ("pauli-frames", statistics.rows, statistics.gates)
    else:
        script = plan.way.compiled.script
        check_output(output)
        if output == "bits":
            check_rows(shots, script.num_bits)
        registers = script.registers
        walk, peak_bytes = noisy_walk(plan.way, settings, values, initial, branch_bytes, max_loop_passes, cancel)
        if output == "bits":
            rows = walk.rows(seed, first_shot, shots)
        else:
            histogram = walk.counts(seed, first_shot, shots)
        peak_bytes += walk.statistics.peak_kept_bytes
        made = ("walk", walk.statistics.branches, walk.statistics.gates)
    more = {
        "shots": shots, "first_shot": first_shot, "method": "philox",
        "noise": {
            "method": made[0], "trajectories": made[1], "channels": plan.num_channels, "gate_applications": made[2],
            "gate_applications_per_gate": made[2] / max(1, plan.num_gates), "max_standard_error": 0.5 / shots**0.5,
        },
    }  # fmt: skip
    times = {"prepare_s": plan.prepare_s, "run_s": time.perf_counter() - begun}
    provenance = Provenance(settings, None, seed=seed, peak_bytes=peak_bytes, times=times, more=more)
    return Samples(registers, rows=rows, histogram=histogram, metadata=provenance)


def parameter_values(circuit: Circuit, parameters: ParameterValues | None) -> dict[str, float]:
    """Return the value of each parameter.

    Raises
    ------
    ParameterError
        One is unbound or unknown, or a value is not a finite real number.
    """
    free = circuit.parameters
    if not free and not parameters:
        return {}
    found: dict[str, float] = {}
    for name, value in resolve_values(free, {} if parameters is None else parameters).items():
        if not isinstance(value, float):
            raise ParameterError(f"the value of parameter '{name}' is the expression {value}; a number is needed")
        found[name] = value
    return found


# --- plans ------------------------------------------------------------------------------------------------------------

_Key = tuple[int, int, Engine, Precision]
_State = tuple[weakref.ref[Circuit], weakref.ref[NoiseModel], tuple[int, ...]]
_plans: dict[_Key, tuple[_State, Plan]] = {}
_MAX_PLANS = 64


def plan_for(circuit: Circuit, noise: NoiseModel, settings: RunSettings) -> Plan:
    """Return the plan, the same object until the circuit or the model grows or dies."""
    if not isinstance(circuit, Circuit):
        raise InputError(f"a qfast.Circuit is needed, {type(circuit).__name__} given")
    noise = noise.snapshot()
    key = (id(circuit), id(noise), settings.engine, settings.precision)
    sizes = (len(circuit.opcodes), circuit.num_qubits, circuit.num_clbits, len(circuit.variables))
    entry = _plans.get(key)
    if entry is not None:
        (known_circuit, known_noise, known_sizes), plan = entry
        if known_circuit() is circuit and known_noise() is noise and known_sizes == sizes:
            return plan
    plan = _make_plan(circuit, noise, settings.engine, settings.precision)
    for other, ((known_circuit, known_noise, _), _) in list(_plans.items()):
        if known_circuit() is None or known_noise() is None:
            _plans.pop(other, None)
    while len(_plans) >= _MAX_PLANS:
        _plans.pop(next(iter(_plans)), None)
    _plans[key] = ((weakref.ref(circuit), weakref.ref(noise), sizes), plan)
    return plan


def _make_plan(circuit: Circuit, noise: NoiseModel, engine: Engine, precision: Precision) -> Plan:
    begun = time.perf_counter()
    final = final_measurements(circuit, noise)
    num_gates = sum(opcode < NUM_GATES for opcode in circuit.opcodes)
    size = state_bytes(circuit.num_qubits, precision)
    check_memory(
        size, f"a run of {circuit.num_qubits} qubits in {precision}", amplitude_bytes=size >> circuit.num_qubits
    )
    places = [place for parts in places_of(circuit, noise) for part in parts for place in part]
    can_push = circuit.num_qubits <= MAX_FRAME_QUBITS and all(_can_push(place) for place in places)
    way: Pushed | Walked
    if can_push and is_straight(circuit, final):
        way = _push(circuit, noise, engine, precision)
    else:
        way = Walked(Compiled(circuit, engine, precision, script_of(circuit, noise)))
    return Plan(way, num_gates, len(places), time.perf_counter() - begun)


def _can_push(place: Place) -> bool:
    """Whether a channel is a Pauli mixture, or one unitary matrix: that is a gate like any other."""
    return place.channel.is_pauli or (place.channel.is_mixture and len(place.channel.operators) == 1)


def _add_place(builder: PushedCircuitBuilder, place: Place) -> None:
    if place.channel.is_pauli:
        builder.add_site(place.channel, place.qubits)
    else:
        builder.add_gate(Instruction(_UNITARY, place.qubits, data=place.channel.operators[0]))


def _push(circuit: Circuit, noise: NoiseModel, engine: Engine, precision: Precision) -> Pushed:
    builder = PushedCircuitBuilder(circuit.num_qubits)
    for row, (before, after) in enumerate(places_of(circuit, noise)):
        for place in before:
            _add_place(builder, place)
        if circuit.opcodes[row] < NUM_GATES:
            builder.add_gate(circuit._instruction(row))
        for place in after:
            _add_place(builder, place)
    script = script_of(circuit, noise)
    pushed, sweep = sweep_of(builder, engine, precision)
    return Pushed(pushed, sweep, script.wiring, script.registers, script.readout)


# --- errors at the end ------------------------------------------------------------------------------------------------


def _sample_pushed(
    plan: Plan,
    way: Pushed,
    settings: RunSettings,
    values: dict[str, float],
    shots: int,
    seed: int,
    initial: AnyArray | None,
    first_shot: int,
    collector: Collector,
    cancel: CancelToken | None,
) -> tuple[SweepStatistics, int]:
    engine, effects = settings.engine, way.pushed.effects
    chunk = min(CHUNK, max(4096, _ROWS_BYTES // (effects.rows.shape[1] + 64)))
    run = RunOptions(initial, settings.threads, cancel, settings.max_bytes)
    peak_bytes = way.sweep.held_bytes(run)
    num_qubits = way.pushed.num_qubits
    check_memory(
        peak_bytes, f"noisy shots of {num_qubits} qubits in {settings.precision}",
        amplitude_bytes=state_bytes(num_qubits, settings.precision) >> num_qubits, limit_bytes=settings.max_bytes,
    )  # fmt: skip
    clean, change = way.pushed.angles(values)
    mask = way.pushed.mask(change, outcomes_only=True)
    for begin in range(0, shots, chunk):
        first, count = first_shot + begin, min(chunk, shots - begin)
        group = grouped(way.pushed, mask, seed, first, count, settings.threads)
        uniforms = engine.uniforms(seed, first, count, FINAL_SAMPLING)
        found = way.sweep.sample(AngleRows(clean, change, group.bits), uniforms[group.order], group.offsets, run)
        indices = np.empty(count, dtype=np.int64)
        indices[group.order] = found
        indices ^= group.x_frames.view(np.int64)
        rows = way.wiring.pack(indices)
        misread(rows, way.readout, functools.partial(_uniforms, engine, seed, first, count))
        collector.put(np.arange(begin, begin + count), rows)
    return run.statistics, peak_bytes


def _uniforms(engine: Engine, seed: int, first: int, count: int, site: int) -> FloatArray:
    return engine.uniforms(seed, first, count, site)


@dataclass(slots=True)
class _Groups:
    """Shots by their changed angles.

    Attributes
    ----------
    bits : ndarray of uint8, shape (m, bytes)
        Which angles each group changes, as `trajectory_rows.Rows` has them.
    order : ndarray of int64, shape (shots,)
        The shots, group by group.
    offsets : ndarray of int64, shape (m + 1,)
    x_frames, z_frames : ndarray of uint64, shape (shots,)
        Qubits with an X, and with a Z, that each shot's errors leave behind the circuit.
    """

    bits: AnyArray
    order: IntArray
    offsets: IntArray
    x_frames: UIntArray
    z_frames: UIntArray


def grouped(pushed: PushedCircuit, mask: UIntArray, seed: int, first: int, count: int, threads: int) -> _Groups:
    """Draw the errors of consecutive shots, and bring together those that change the same angles of `mask`."""
    effects = pushed.effects
    shots, errors = draw_errors(seed, first, count, CHANNEL, effects.thresholds, effects.ends, threads=threads)
    order = np.argsort(shots, kind="stable")
    shots = shots[order]
    starts = np.flatnonzero(np.diff(shots, prepend=-1))
    noisy = shots[starts]
    words = effects.rows.view(np.uint64)[errors[order]]
    summed = np.bitwise_xor.reduceat(words, starts, axis=0) if noisy.size else words
    z_frames, x_frames = np.zeros((2, count), dtype=np.uint64)
    z_frames[noisy] = np.ascontiguousarray(summed[:, -2]).view(">u8")
    x_frames[noisy] = np.ascontiguousarray(summed[:, -1]).view(">u8")
    if noisy.size < count:  # some shots have no error
        summed = np.concatenate([summed, np.zeros((1, summed.shape[1]), dtype=np.uint64)])
    flips = summed[:, :-2] & mask
    if flips.shape[1]:
        keys = flips.view(f"S{8 * flips.shape[1]}")[:, 0]
        _, chosen, inverse = np.unique(keys, return_index=True, return_inverse=True)
    else:
        chosen, inverse = np.zeros(1, dtype=np.int64), np.zeros(len(flips), dtype=np.int64)
    group = np.full(count, inverse[-1], dtype=np.int64)
    group[noisy] = inverse[: noisy.size]
    bits = flips[chosen].view(np.uint8)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=len(chosen)))])
    return _Groups(bits, np.argsort(group, kind="stable"), offsets, x_frames, z_frames)


# --- branch by branch -------------------------------------------------------------------------------------------------


def noisy_walk(
    way: Walked,
    settings: RunSettings,
    values: dict[str, float],
    initial: AnyArray | None,
    branch_bytes: int | None,
    max_loop_passes: int,
    cancel: CancelToken | None,
) -> tuple[BranchWalk, int]:
    """Make a walk, and the bytes it holds without the branches that wait."""
    compiled = way.compiled
    size = state_bytes(compiled.num_qubits, settings.precision)
    peak_bytes = compiled.check_memory(settings, more_bytes=size)  # a channel's operator works beside the state
    if branch_bytes is None:
        available = memory_limits().available_bytes if size > 1 << 20 else 1 << 30
        free = available if settings.max_bytes is None else min(available, settings.max_bytes)
        branch_bytes = max(0, free - peak_bytes) // 2
    state = working_state(None, None, compiled.num_qubits, settings.precision)
    walk = BranchWalk(
        compiled, settings, values, PureBranch(compiled, settings, state, initial, cancel), budget_bytes=branch_bytes,
        max_loop_passes=max_loop_passes, cancel=cancel,
    )  # fmt: skip
    return walk, peak_bytes

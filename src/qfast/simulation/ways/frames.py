"""Circuits whose noise is Pauli mixtures and which measure at their end only: errors are drawn first, and pushed there.

Every shot's errors are pushed to the end of the circuit (`pauli_frames`), and shots that then have the same angles
share one simulation (`trajectory_rows`). A shot's errors come from the same uniforms as in `trajectories`.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, IntArray, Precision, UIntArray
from qfast.circuit import Instruction, Observable, PauliSum
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.circuit.value import CircuitValue
from qfast.engines import Engine, PreparedCircuit
from qfast.engines.error_draws import draw_errors
from qfast.engines.memory import check_memory, state_bytes
from qfast.engines.samplers import CHUNK
from qfast.errors import ObservableError
from qfast.noise import Place
from qfast.simulation.asks import Expectation, Shots, What
from qfast.simulation.noise_places import Places
from qfast.simulation.packing import Packing, pack_script, touched_qubits
from qfast.simulation.pauli_frames import MAX_FRAME_QUBITS, PushedCircuit, PushedCircuitBuilder
from qfast.simulation.populations import misread
from qfast.simulation.request import Method
from qfast.simulation.samples import Samples
from qfast.simulation.script import Script
from qfast.simulation.sites import CHANNEL, FINAL_SAMPLING
from qfast.simulation.terminal_sampling import ShotRows
from qfast.simulation.trajectory_rows import Rows, RunOptions, Sweep, sweep_of
from qfast.simulation.ways.interface import Run
from qfast.simulation.ways.means import Means, mean_of_trajectories, noise_report

__all__ = ["Frames", "why_not_frames"]

_UNITARY = OPCODES["unitary"]
_ROWS_BYTES = 1 << 27  # effects of errors that stand in memory at a time
_MEAN_CHUNK = 1 << 16  # trajectories whose errors stand in memory at a time


def why_not_frames(script: Script, places: list[Places], is_straight: bool) -> str | None:
    """Say why errors cannot be pushed to the end of a circuit; None if they can."""
    if not is_straight:
        return "the circuit measures, resets or decides in the middle"
    for before, after in places:
        for place in before + after:
            if not _can_push(place):
                return f"channel {place.channel.name!r} is neither a Pauli mixture nor a single gate"
    count = len(touched_qubits(script).qubits)
    if count > MAX_FRAME_QUBITS:
        return f"frames have {MAX_FRAME_QUBITS} qubits at most, {count} are used"
    return None


def _can_push(place: Place) -> bool:
    """Whether a channel is a Pauli mixture, or one unitary matrix: that is a gate like any other."""
    return place.channel.is_pauli or (place.channel.is_mixture and len(place.channel.operators) == 1)


class Frames:
    """See `interface.Way`."""

    method: ClassVar[Method] = "frames"
    asks: ClassVar[frozenset[What]] = frozenset({"shots", "expectation"})

    def __init__(
        self, circuit: CircuitValue, script: Script, places: list[Places], engine: Engine, precision: Precision
    ) -> None:
        begun = time.perf_counter()
        self._circuit, self._script, self._places = circuit, script, places
        self._engine, self._precision = engine, precision
        self._num_channels = sum(len(before) + len(after) for before, after in places)
        self._num_gates = sum(opcode < NUM_GATES for opcode in circuit.opcodes)
        self._touched = touched_qubits(script)
        self._pushed: dict[tuple[int, ...], _Pushed] = {}
        self._on(self._touched)
        self._prepare_s = time.perf_counter() - begun

    @property
    def segments(self) -> list[PreparedCircuit]:
        """None: they depend on the errors, or on the values."""
        return []

    def shots(self, run: Run) -> Samples:
        """Return what shots measure."""
        ask = run.request.ask
        assert isinstance(ask, Shots)
        assert ask.seed is not None
        way = self._on(self._packing_for(run))
        settings, request = run.settings, run.request
        begun = time.perf_counter()
        options = RunOptions(request.initial, settings.threads, run.cancel, settings.max_bytes)
        peak_bytes = way.check_memory(options, self._precision, settings.max_bytes)
        effects = way.pushed.effects
        chunk = min(CHUNK, max(4096, _ROWS_BYTES // (effects.rows.shape[1] + 64)))
        clean, change = way.pushed.angles(self._named(request.values))
        mask = way.pushed.mask(change, outcomes_only=True)
        kept = ShotRows(ask.shots, way.script.num_bits, ask.output)
        for begin in range(0, ask.shots, chunk):
            first, count = ask.first_shot + begin, min(chunk, ask.shots - begin)
            group = grouped(way.pushed, mask, ask.seed, first, count, settings.threads)
            uniforms = self._engine.uniforms(ask.seed, first, count, FINAL_SAMPLING)
            found = way.sweep.sample(Rows(clean, change, group.bits), uniforms[group.order], group.offsets, options)
            indices = np.empty(count, dtype=np.int64)
            indices[group.order] = found
            indices ^= group.x_frames.view(np.int64)
            rows = way.script.wiring.pack(indices)
            misread(rows, way.script.readout, functools.partial(self._engine.uniforms, ask.seed, first, count))
            kept.put(begin, rows)
        report = noise_report(options.statistics.rows, options.statistics.gates, self._num_channels, self._num_gates)
        made = run.made(
            None, seed=ask.seed, peak_bytes=peak_bytes,
            times={"prepare_s": self._prepare_s, "run_s": time.perf_counter() - begun},
            shots=ask.shots, first_shot=ask.first_shot, draws=ask.draws,
            noise=report | {"max_standard_error": 0.5 / ask.shots**0.5},
        )  # fmt: skip
        return Samples(way.script.registers, rows=kept.rows, histogram=kept.counts(), metadata=made)

    def expectation(self, run: Run) -> Means:
        """Return the means over trajectories of exact expectation values, and how far they may be off."""
        ask = run.request.ask
        assert isinstance(ask, Expectation)
        assert ask.seed is not None
        assert ask.trajectories is not None
        sums = [_checked_sum(observable) for observable in ask.observables]
        packing = self._packing_for(run)
        way = self._on(packing)
        settings = run.settings
        options = RunOptions(run.request.initial, settings.threads, run.cancel, settings.max_bytes)
        way.check_memory(options, self._precision, settings.max_bytes)
        clean, change = way.pushed.angles(self._named(run.request.values))
        mask = way.pushed.mask(change, outcomes_only=False)
        strings = []
        for observable in sums:
            packed = packing.observable(observable)
            assert isinstance(packed, PauliSum)
            strings.append(packed.masks(way.pushed.num_qubits))
        tables: list[ComplexArray] = []
        counts: list[FloatArray] = []
        for begin in range(0, ask.trajectories, _MEAN_CHUNK):
            shots = min(_MEAN_CHUNK, ask.trajectories - begin)
            group = grouped(way.pushed, mask, ask.seed, begin, shots, settings.threads)
            member = np.empty(shots, dtype=np.uint64)
            member[group.order] = np.repeat(np.arange(len(group.bits), dtype=np.uint64), np.diff(group.offsets))
            frames, times = np.unique(
                np.stack([member, group.x_frames, group.z_frames], axis=1), axis=0, return_counts=True
            )
            ends = np.searchsorted(frames[:, 0], np.arange(len(group.bits) + 1, dtype=np.uint64))
            masks = np.ascontiguousarray(frames[:, 1]), np.ascontiguousarray(frames[:, 2])
            rows = Rows(clean, change, group.bits)
            means = [way.sweep.pauli_means(rows, masks, ends, string, options) for string in strings]
            tables.append(np.stack(means, axis=1))
            counts.append(times.astype(np.float64))
        done = options.statistics
        report = noise_report(done.rows, done.gates, self._num_channels, self._num_gates)
        return mean_of_trajectories(run, np.concatenate(tables), np.concatenate(counts), report)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _packing_for(self, run: Run) -> Packing:
        if run.request.initial is None:
            return self._touched
        return Packing(tuple(range(self._circuit.num_qubits)), self._circuit.num_qubits)

    def _named(self, values: FloatArray) -> dict[str, float]:
        names = (parameter.name for parameter in self._circuit.parameters)
        return dict(zip(names, values.tolist(), strict=True))

    def _on(self, packing: Packing) -> _Pushed:
        found = self._pushed.get(packing.qubits)
        if found is None:
            found = self._pushed[packing.qubits] = self._push(packing)
        return found

    def _push(self, packing: Packing) -> _Pushed:
        place_of = packing.place_of()
        builder = PushedCircuitBuilder(len(packing.qubits))
        for row, (before, after) in enumerate(self._places):
            for place in before:
                _add_place(builder, place, place_of)
            if self._circuit.opcodes[row] < NUM_GATES:
                gate = self._circuit[row]
                qubits = tuple(place_of[qubit] for qubit in gate.qubits)
                controls = tuple(place_of[qubit] for qubit in gate.controls)
                builder.add_gate(replace(gate, qubits=qubits, controls=controls))
            for place in after:
                _add_place(builder, place, place_of)
        pushed, sweep = sweep_of(builder, self._engine, self._precision)
        return _Pushed(pushed, sweep, pack_script(self._script, packing))


def _add_place(builder: PushedCircuitBuilder, place: Place, place_of: dict[int, int]) -> None:
    qubits = tuple(place_of[qubit] for qubit in place.qubits)
    if place.channel.is_pauli:
        builder.add_site(place.channel, qubits)
    else:
        builder.add_gate(Instruction(_UNITARY, qubits, data=place.channel.operators[0]))


def _checked_sum(observable: Observable) -> PauliSum:
    if not isinstance(observable, PauliSum):
        raise ObservableError(
            f"method 'frames' reads Pauli sums, {type(observable).__name__} given; use method='trajectories' or "
            "'density', or DenseOperator.to_pauli_sum()"
        )
    return observable


@dataclass(slots=True)
class _Pushed:
    """A circuit whose errors are pushed to its end, on some qubits."""

    pushed: PushedCircuit
    sweep: Sweep
    script: Script

    def check_memory(self, options: RunOptions, precision: Precision, limit_bytes: int | None) -> int:
        """Refuse a run that does not fit; return the bytes that it holds."""
        held = self.sweep.held_bytes(options)
        num_qubits = self.pushed.num_qubits
        check_memory(
            held, f"noisy shots of {num_qubits} qubits in {precision}",
            amplitude_bytes=state_bytes(num_qubits, precision) >> num_qubits, limit_bytes=limit_bytes,
        )  # fmt: skip
        return held


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

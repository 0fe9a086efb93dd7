"""Expectation values under noise: the mean over noisy trajectories, and how far it may be off."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, Precision
from qfast.circuit import Circuit, PauliSum
from qfast.circuit.binding import ParameterValues
from qfast.engines import CancelToken
from qfast.engines.bits import row_bytes
from qfast.engines.samplers import CHUNK
from qfast.errors import ObservableError
from qfast.noise import NoiseModel
from qfast.simulation.noisy import Plan, Pushed, check_noise, grouped, noisy_walk, parameter_values, plan_for
from qfast.simulation.populations import Shots
from qfast.simulation.prepared_observables import measurable
from qfast.simulation.provenance import Provenance
from qfast.simulation.run_settings import RunSettings, checked_shots, run_settings
from qfast.simulation.seeds import chosen_seed
from qfast.simulation.trajectory_rows import Rows, RunOptions
from qfast.simulation.walk import MAX_LOOP_PASSES
from qfast.simulation.working_states import initial_array

__all__ = ["NoisyExpectation", "noisy_expectation"]

_CHUNK = 1 << 16  # trajectories whose errors stand in memory at a time


@dataclass(frozen=True, slots=True)
class NoisyExpectation:
    """The mean of ⟨O⟩ over trajectories.

    Attributes
    ----------
    value : float or complex
        Complex where the observable is not Hermitian.
    standard_error : float
        Of `value`: the trajectories' standard deviation over the root of their number; nan for a single one.
    metadata : dict
        Provenance; ``metadata["noise"]`` as of `qfast.sample`.
    """

    value: float | complex
    standard_error: float
    metadata: dict[str, Any]


def noisy_expectation(
    circuit: Circuit,
    observable: PauliSum,
    noise: NoiseModel,
    trajectories: int = 1000,
    seed: int | None = None,
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    cancel: CancelToken | None = None,
) -> NoisyExpectation:
    """Estimate tr(O rho) of the state that a circuit leaves under noise.

    Parameters
    ----------
    circuit : Circuit
        Measurements at its end are left out, and readout errors of theirs play no part.
    observable : PauliSum
    noise : NoiseModel
    trajectories : int, default 1000
        Equal ones are simulated once. The error of the estimate shrinks as one over their root.
    seed, parameters, engine, precision, threads, isa, initial_state, cancel
        As for `sample`.

    Returns
    -------
    NoisyExpectation

    Raises
    ------
    ObservableError
        It acts on a qubit that the circuit does not have, or is no Pauli sum.
    InputError, ParameterError, CapacityError, EngineError, CancelledRunError
        As for `sample`.

    Notes
    -----
    A trajectory's exact ⟨O⟩ is averaged, not outcomes: the spread is that of the noise alone, without shot noise.

    Examples
    --------
    >>> from qfast.noise import channels
    >>> noise = NoiseModel().add(channels.bit_flip(0.25), gates=["id"])
    >>> found = noisy_expectation(Circuit(1).id(0), PauliSum([("Z", [0])]), noise, 10_000, seed=7, engine="reference")
    >>> abs(found.value - 0.5) < 4 * found.standard_error < 0.04
    True
    """
    if not isinstance(observable, PauliSum):
        raise ObservableError(f"a PauliSum is needed, {type(observable).__name__} given")
    settings = run_settings(engine, precision, threads, isa)
    count, start = checked_shots(trajectories), chosen_seed(seed)
    plan = plan_for(circuit, check_noise(noise), settings)
    values = parameter_values(circuit, parameters)
    initial = initial_array(initial_state, circuit.num_qubits)
    begun = time.perf_counter()
    if isinstance(plan.way, Pushed):
        found = _of_pushed(plan.way, observable, settings, values, count, start, initial, cancel)
    else:
        found = _of_walked(plan, observable, settings, values, count, start, initial, cancel)
    numbers, counts, report = found
    mean = complex((counts * numbers).sum() / count)
    spread = float((counts * np.abs(numbers - mean) ** 2).sum())
    error = (spread / (count - 1) / count) ** 0.5 if count > 1 else float("nan")
    report |= {"channels": plan.num_channels}
    report["gate_applications_per_gate"] = report["gate_applications"] / max(1, plan.num_gates)
    times = {"prepare_s": plan.prepare_s, "run_s": time.perf_counter() - begun}
    made = Provenance(settings, None, seed=start, times=times, more={"shots": count, "noise": report})
    return NoisyExpectation(mean.real if observable.is_hermitian else mean, error, made.as_dict())


_Found = tuple[ComplexArray, FloatArray, dict[str, Any]]


def _of_pushed(
    way: Pushed,
    observable: PauliSum,
    settings: RunSettings,
    values: dict[str, float],
    count: int,
    seed: int,
    initial: AnyArray | None,
    cancel: CancelToken | None,
) -> _Found:
    """Values of distinct trajectories and how often each happens."""
    clean, change = way.pushed.angles(values)
    mask = way.pushed.mask(change, outcomes_only=False)
    strings = observable.masks(way.pushed.num_qubits)
    run = RunOptions(initial, settings.threads, cancel, settings.max_bytes)
    numbers: list[ComplexArray] = []
    counts: list[FloatArray] = []
    for begin in range(0, count, _CHUNK):
        shots = min(_CHUNK, count - begin)
        group = grouped(way.pushed, mask, seed, begin, shots, settings.threads)
        member = np.empty(shots, dtype=np.uint64)
        member[group.order] = np.repeat(np.arange(len(group.bits), dtype=np.uint64), np.diff(group.offsets))
        frames, times = np.unique(
            np.stack([member, group.x_frames, group.z_frames], axis=1), axis=0, return_counts=True
        )
        ends = np.searchsorted(frames[:, 0], np.arange(len(group.bits) + 1, dtype=np.uint64))
        masks = np.ascontiguousarray(frames[:, 1]), np.ascontiguousarray(frames[:, 2])
        numbers.append(way.sweep.pauli_means(Rows(clean, change, group.bits), masks, ends, strings, run))
        counts.append(times.astype(np.float64))
    report = {
        "method": "pauli-frames", "trajectories": run.statistics.rows, "gate_applications": run.statistics.gates,
    }  # fmt: skip
    return np.concatenate(numbers), np.concatenate(counts), report


def _of_walked(
    plan: Plan,
    observable: PauliSum,
    settings: RunSettings,
    values: dict[str, float],
    count: int,
    seed: int,
    initial: AnyArray | None,
    cancel: CancelToken | None,
) -> _Found:
    assert not isinstance(plan.way, Pushed)
    walk, _ = noisy_walk(plan.way, settings, values, initial, None, MAX_LOOP_PASSES, cancel)
    prepared = measurable(observable, settings.engine, plan.way.compiled.num_qubits)
    numbers, counts = [], []
    for begin in range(0, count, CHUNK):
        rows = np.empty((min(CHUNK, count - begin), row_bytes(plan.way.compiled.script.num_bits)), dtype=np.uint8)
        for leaf in walk.leaves(Shots.of(settings.engine, seed, begin, rows)):
            numbers.append(complex(prepared.expectation(leaf.state, settings.threads)))
            counts.append(float(leaf.population.size))
    report = {"method": "walk", "trajectories": walk.statistics.branches, "gate_applications": walk.statistics.gates}
    return np.array(numbers), np.array(counts), report

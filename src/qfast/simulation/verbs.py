"""`simulate`, `sample` and `distribution`: a circuit in, a result out."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from qfast._typing import AnyArray, FloatArray, Precision
from qfast.circuit import Circuit
from qfast.circuit.binding import ParameterValues
from qfast.engines import CancelToken
from qfast.engines.bits import row_bytes, strings_of
from qfast.engines.memory import check_memory, memory_limits, state_bytes
from qfast.errors import CircuitError
from qfast.noise import NoiseModel
from qfast.simulation.compiled import Compiled, compiled_for
from qfast.simulation.density import noisy_distribution
from qfast.simulation.noisy import check_noise, check_noisy_method, sample_noisy
from qfast.simulation.populations import Shots, Weight
from qfast.simulation.provenance import Provenance
from qfast.simulation.pure_branch import PureBranch
from qfast.simulation.run_settings import RunSettings, checked_shots, run_settings
from qfast.simulation.samples import Samples
from qfast.simulation.seeds import chosen_seed
from qfast.simulation.statevector import Statevector
from qfast.simulation.terminal_sampling import Method, Output, check_output, check_rows, sample_state
from qfast.simulation.walk import MAX_LOOP_PASSES, BranchWalk, add_outcomes
from qfast.simulation.working_states import initial_array, working_state

__all__ = ["distribution", "sample", "simulate"]


def simulate(
    circuit: Circuit,
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    out: AnyArray | None = None,
    seed: int | None = None,
    cancel: CancelToken | None = None,
) -> Statevector:
    """Run a circuit and return its state.

    Parameters
    ----------
    circuit : Circuit
        Measurements at its end are left out: the result is the state they would be made on. If it measures, resets or
        decides in the middle, the result is the state of shot 0 of `seed`, and ``metadata["classical_bits"]`` tells the
        outcomes.
    parameters : mapping or sequence, optional
        A number for every parameter: by name or `Parameter`, or in the order of ``circuit.parameters``.
    engine : {"auto", "native", "numba", "reference"}, optional
    precision : {"complex64", "complex128"}, optional
    threads : int, optional
        At least 1. The result is the same, bit for bit, for every number.
    isa : {"baseline", "avx2", "avx512"}, optional
        Of the native engine.
    initial_state : Statevector or array_like, shape (2**n,), optional
        Normalised; |0…0⟩ by default. It is not changed, unless it is `out`.
    out : ndarray, shape (2**n,), optional
        Of the run's precision, C-contiguous: the result is written into it and the returned state's amplitudes are it.
        With ``initial_state=out`` the run continues in place.
    seed : int, optional
        For circuits that measure in the middle; by default the setting `seed`, or fresh entropy.
    cancel : CancelToken, optional

    Returns
    -------
    Statevector

    Raises
    ------
    ParameterError
        A parameter is unbound (all of them are named) or not finite.
    InputError
        A bad initial state or `out`.
    CapacityError
        The state does not fit: bytes needed, bytes available, the largest size that fits. Nothing was allocated.
    EngineError
        A forced engine or ISA is absent.
    CancelledRunError
        The token was set; `out` is then unspecified.

    Notes
    -----
    What an argument leaves open, the settings decide. Memory: the state, and the engine's workspace. Preparing a
    circuit is done once for each engine and precision, for as long as the circuit does not change. Thread-safe.

    Examples
    --------
    >>> from qfast.circuit import Circuit
    >>> simulate(Circuit(2).h(0).cx(0, 1), engine="reference").probabilities()
    array([0.5, 0. , 0. , 0.5])
    """
    settings = run_settings(engine, precision, threads, isa)
    compiled = compiled_for(circuit, settings.engine, settings.precision)
    return run_state(compiled, settings, compiled.values(parameters), initial_state, out, seed, cancel)


def run_state(
    compiled: Compiled,
    settings: RunSettings,
    values: FloatArray,
    initial_state: Any = None,
    out: AnyArray | None = None,
    seed: int | None = None,
    cancel: CancelToken | None = None,
) -> Statevector:
    """Run a compiled circuit once; see `simulate`."""
    if not compiled.script.is_static:
        return _run_one_shot(compiled, settings, values, initial_state, out, chosen_seed(seed), cancel)
    peak_bytes = compiled.check_memory(settings, states=out is None)
    initial = initial_array(initial_state, compiled.num_qubits)
    state = working_state(out, initial, compiled.num_qubits, settings.precision)
    begun = time.perf_counter()
    prepared = None
    if compiled.segments:
        prepared = compiled.segments[0]
        prepared.run(state, values, from_zero=initial is None, threads=settings.threads, cancel=cancel)
    elif initial is None:
        state[:] = 0
        state[0] = 1
    times = {"prepare_s": compiled.prepare_s, "run_s": time.perf_counter() - begun}
    return Statevector._of_run(state, settings, Provenance(settings, prepared, peak_bytes=peak_bytes, times=times))


def _run_one_shot(
    compiled: Compiled,
    settings: RunSettings,
    values: FloatArray,
    initial_state: Any,
    out: AnyArray | None,
    seed: int,
    cancel: CancelToken | None,
) -> Statevector:
    peak_bytes = compiled.check_memory(settings, states=out is None)
    initial = initial_array(initial_state, compiled.num_qubits)
    state = working_state(out, None, compiled.num_qubits, settings.precision)
    begun = time.perf_counter()
    # One shot never divides, so the initial state is read once, before anything is written over it.
    branch = PureBranch(compiled, settings, state, initial, cancel)
    walk = BranchWalk(compiled, settings, compiled.named(values), branch, budget_bytes=0, cancel=cancel)
    row = np.zeros((1, row_bytes(compiled.script.num_bits)), dtype=np.uint8)
    (leaf,) = walk.leaves(Shots.of(settings.engine, seed, 0, row))
    bits = strings_of(row[:, : row_bytes(compiled.num_clbits)], compiled.num_clbits)[0]
    times = {"prepare_s": compiled.prepare_s, "run_s": time.perf_counter() - begun}
    provenance = Provenance(
        settings, None, seed=seed, peak_bytes=peak_bytes, times=times, more={"classical_bits": bits}
    )
    return Statevector._of_run(leaf.state, settings, provenance)


def sample(
    circuit: Circuit,
    shots: int,
    seed: int | None = None,
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    output: Output = "bits",
    method: Method = "philox",
    first_shot: int = 0,
    noise: NoiseModel | None = None,
    branch_bytes: int | None = None,
    max_loop_passes: int = MAX_LOOP_PASSES,
    cancel: CancelToken | None = None,
) -> Samples:
    """Run a circuit with its own measurements into its classical bits.

    Parameters
    ----------
    circuit : Circuit
        One without any measurement is measured whole, qubit k into bit k.
    shots : int
    seed : int, optional
        0 ≤ seed < 2**64. Shot i is a function of (seed, i). By default the setting `seed`, or fresh entropy, which the
        result's metadata tells.
    parameters, engine, precision, threads, isa, initial_state, cancel
        As for `simulate`.
    output : {"bits", "counts"}
        ``"counts"`` keeps how often each outcome was seen instead of every shot.
    method : {"philox", "multinomial"}
        ``"multinomial"`` draws counts at once, equal in law only, for circuits that measure at the end.
    first_shot : int, default 0
        Absolute index of the first shot: segments of one plan use disjoint ranges of the same seed.
    noise : NoiseModel, optional
        What acts at gates and measurements. ``metadata["noise"]`` tells how it was simulated.
    branch_bytes : int, optional
        Memory for branches that wait, where the circuit measures in the middle; a branch that finds no room is
        simulated again. By default half of what is available.
    max_loop_passes : int
        A while loop that passes more often is an error.

    Returns
    -------
    Samples

    Raises
    ------
    InputError, ParameterError, CapacityError, EngineError, CancelledRunError
        As for `simulate`; shots that are not positive; a bad seed.
    CircuitError
        A while loop does not end.

    Notes
    -----
    Measurements at the end cost one simulation and a pass per 2**22 shots. With measurements in the middle the cost is
    that of the distinct branches. A shot's random numbers are those of (instruction, visit): see CONTRIBUTING.

    Examples
    --------
    >>> from qfast.circuit import Circuit
    >>> bell = Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
    >>> sorted(sample(bell, shots=1000, seed=7, engine="reference").get_counts())
    ['00', '11']
    """
    settings = run_settings(engine, precision, threads, isa)
    if noise is not None and not check_noise(noise).is_empty:
        check_noisy_method(method)
        return sample_noisy(
            circuit, noise, settings, parameters, checked_shots(shots), chosen_seed(seed), initial_state=initial_state,
            output=output, first_shot=first_shot, branch_bytes=branch_bytes, max_loop_passes=max_loop_passes,
            cancel=cancel,
        )  # fmt: skip
    compiled = compiled_for(circuit, settings.engine, settings.precision)
    return run_shots(
        compiled, settings, compiled.values(parameters), checked_shots(shots), chosen_seed(seed),
        initial_state=initial_state, output=output, method=method, first_shot=first_shot, branch_bytes=branch_bytes,
        max_loop_passes=max_loop_passes, cancel=cancel,
    )  # fmt: skip


def run_shots(
    compiled: Compiled,
    settings: RunSettings,
    values: FloatArray,
    shots: int,
    seed: int,
    *,
    initial_state: Any = None,
    output: Output = "bits",
    method: Method = "philox",
    first_shot: int = 0,
    branch_bytes: int | None = None,
    max_loop_passes: int = MAX_LOOP_PASSES,
    cancel: CancelToken | None = None,
) -> Samples:
    """Sample a compiled circuit; see `sample`."""
    script = compiled.script
    if script.is_static:
        check_output(output)
        state = run_state(compiled, settings, values, initial_state, cancel=cancel)
        made = state._metadata
        assert isinstance(made, Provenance)
        return sample_state(
            settings, state.amplitudes, script.wiring, script.registers, shots, seed, output=output, method=method,
            first_shot=first_shot, prepared=made.prepared, peak_bytes=made.peak_bytes, times=made.times, cancel=cancel,
        )  # fmt: skip
    if method != "philox":
        raise CircuitError(
            f"method {method!r} draws from one final state, but this circuit measures or resets in the middle; "
            "use method='philox'"
        )
    check_output(output)
    if output == "bits":
        check_rows(shots, script.num_bits)
    walk, peak_bytes = _walk(compiled, settings, values, initial_state, branch_bytes, max_loop_passes, cancel)
    begun = time.perf_counter()
    rows = histogram = None
    if output == "bits":
        rows = walk.rows(seed, first_shot, shots)
    else:
        histogram = walk.counts(seed, first_shot, shots)
    times = {"prepare_s": compiled.prepare_s, "run_s": time.perf_counter() - begun}
    made_by = walk.statistics
    provenance = Provenance(
        settings, None, seed=seed, peak_bytes=peak_bytes + made_by.peak_kept_bytes, times=times,
        more={
            "shots": shots, "first_shot": first_shot, "method": method, "branches": made_by.branches,
            "replayed_branches": made_by.replays,
        },
    )  # fmt: skip
    return Samples(script.registers, rows=rows, histogram=histogram, metadata=provenance)


def _walk(
    compiled: Compiled,
    settings: RunSettings,
    values: FloatArray,
    initial_state: Any,
    branch_bytes: int | None,
    max_loop_passes: int,
    cancel: CancelToken | None,
) -> tuple[BranchWalk, int]:
    """Make a walk, and the bytes it holds without the branches that wait."""
    size = state_bytes(compiled.num_qubits, settings.precision)
    peak_bytes = compiled.check_memory(settings)
    if branch_bytes is None:
        available = memory_limits().available_bytes if size > 1 << 20 else 1 << 30
        free = available if settings.max_bytes is None else min(available, settings.max_bytes)
        branch_bytes = max(0, free - peak_bytes) // 2
    initial = initial_array(initial_state, compiled.num_qubits)
    state = working_state(None, None, compiled.num_qubits, settings.precision)
    walk = BranchWalk(
        compiled, settings, compiled.named(values), PureBranch(compiled, settings, state, initial, cancel),
        budget_bytes=branch_bytes, max_loop_passes=max_loop_passes, cancel=cancel,
    )  # fmt: skip
    return walk, peak_bytes


def distribution(
    circuit: Circuit,
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    noise: NoiseModel | None = None,
    cutoff: float = 1e-14,
    branch_bytes: int | None = None,
    max_loop_passes: int = MAX_LOOP_PASSES,
    cancel: CancelToken | None = None,
) -> dict[str, float]:
    """Return the exact distribution of a circuit's classical bits.

    Parameters
    ----------
    circuit, parameters, engine, precision, threads, isa, initial_state, branch_bytes, max_loop_passes, cancel
        As for `sample`.
    noise : NoiseModel, optional
        The distribution is then that of the exact density matrix, a state of twice the qubits.
    cutoff : float, default 1e-14
        Branches and outcomes of this probability or less are dropped, which also ends loops that go on with ever
        smaller probability.

    Returns
    -------
    dict of str to float
        Bitstring, bit 0 rightmost → probability, in ascending order.

    Raises
    ------
    CapacityError
        The state does not fit, or the qubits measured at the end have too many outcomes.

    Notes
    -----
    Every branch with a chance is walked: the cost is exponential in the number of measurements in the middle.

    Examples
    --------
    >>> from qfast.circuit import Circuit
    >>> distribution(Circuit(1, 1).h(0).measure(0, 0).reset(0), engine="reference")
    {'0': 0.5, '1': 0.5}
    """
    settings = run_settings(engine, precision, threads, isa)
    if noise is not None and not check_noise(noise).is_empty:
        return noisy_distribution(
            circuit, noise, settings, parameters, initial_state=initial_state, cutoff=cutoff,
            max_loop_passes=max_loop_passes, cancel=cancel,
        )  # fmt: skip
    compiled = compiled_for(circuit, settings.engine, settings.precision)
    script = compiled.script
    measured = np.array(script.measured, dtype=np.int32)
    # A dictionary entry takes some 200 bytes.
    check_memory(208 << measured.size, f"the exact distribution over {measured.size} qubits", amplitude_bytes=208)
    values = compiled.values(parameters)
    walk, _ = _walk(compiled, settings, values, initial_state, branch_bytes, max_loop_passes, cancel)
    found: dict[int, float] = {}
    for leaf in walk.leaves(Weight.one(cutoff)):
        weights = settings.engine.probabilities(leaf.state, measured, threads=settings.threads)
        add_outcomes(found, script, leaf.population, weights)
    width = script.wiring.num_bits
    return {f"{bits:0{width}b}" if width else "": found[bits] for bits in sorted(found)}

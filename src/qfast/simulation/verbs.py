"""`simulate`, `sample`, `distribution`, `expectation`, `amplitudes`: a circuit in, a result out."""

from __future__ import annotations

from typing import Any, Literal, overload

from qfast._typing import AnyArray, PrecisionLike
from qfast.circuit import AnyCircuit
from qfast.circuit.binding import ParameterValues
from qfast.engines import CancelToken
from qfast.noise import NoiseModel
from qfast.simulation.asks import Amplitudes, Distribution, Draws, Output, Shots, State
from qfast.simulation.density_matrix import DensityMatrix
from qfast.simulation.door import run
from qfast.simulation.request import DEFAULT_LIMITS, MAX_LOOP_PASSES, Limits, Method, Request
from qfast.simulation.run_settings import run_settings
from qfast.simulation.samples import Samples
from qfast.simulation.seeds import chosen_seed
from qfast.simulation.statevector import Statevector

__all__ = ["amplitudes", "distribution", "sample", "simulate"]


@overload
def simulate(
    circuit: AnyCircuit,
    *,
    parameters: ParameterValues | None = None,
    noise: None = None,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    out: AnyArray | None = None,
    seed: int | None = None,
    method: Literal["auto", "terminal", "branches", "trajectories"] = "auto",
    cancel: CancelToken | None = None,
) -> Statevector: ...
@overload
def simulate(
    circuit: AnyCircuit,
    *,
    parameters: ParameterValues | None = None,
    noise: NoiseModel,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    seed: int | None = None,
    method: Literal["auto", "density"] = "auto",
    cancel: CancelToken | None = None,
) -> DensityMatrix: ...
@overload
def simulate(
    circuit: AnyCircuit,
    *,
    parameters: ParameterValues | None = None,
    noise: NoiseModel | None = None,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    out: AnyArray | None = None,
    seed: int | None = None,
    method: Method = "auto",
    cancel: CancelToken | None = None,
) -> Statevector | DensityMatrix: ...
def simulate(
    circuit: AnyCircuit,
    *,
    parameters: ParameterValues | None = None,
    noise: NoiseModel | None = None,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    out: AnyArray | None = None,
    seed: int | None = None,
    method: Method = "auto",
    cancel: CancelToken | None = None,
) -> Statevector | DensityMatrix:
    """Run a circuit and return its state.

    Parameters
    ----------
    circuit : Circuit
        Measurements at its end are left out: the result is the state they would be made on. If it measures, resets or
        decides in the middle, the result is the state of shot 0 of `seed`, and ``metadata["classical_bits"]`` is what
        this shot records, as ``sample(circuit, 1, seed)`` returns it; a density matrix is the mean over all outcomes.
    parameters : mapping or sequence, optional
        A number for every parameter: by name or `Parameter`, or in the order of ``circuit.parameters``.
    noise : NoiseModel, optional
        The result is then a density matrix.
    engine : {"auto", "native", "numba", "reference"}, optional
    precision : {"complex64", "complex128"}, or a numpy dtype, optional
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
    method : {"auto", "terminal", "branches", "trajectories", "density"}
        How it is simulated; see `qfast.simulation.door`. ``"trajectories"``: the pure state of one noisy shot.
    cancel : CancelToken, optional

    Returns
    -------
    Statevector, or DensityMatrix under noise

    Raises
    ------
    ParameterError
        A parameter is unbound (all of them are named) or not finite.
    InputError
        A bad initial state or `out`; the method cannot serve this circuit.
    CapacityError
        The state does not fit: bytes needed, bytes available, the largest size that fits. Nothing was allocated.
    EngineError
        A forced engine or ISA is absent.
    CancelledRunError
        The token was set; `out` is then unspecified.

    Notes
    -----
    What an argument leaves open, the settings decide. Memory: the state, and the engine's workspace; of a density
    matrix three times 16 · 4**n bytes in complex128. Thread-safe.

    Examples
    --------
    >>> from qfast.circuit import Circuit
    >>> simulate(Circuit(2).h(0).cx(0, 1), engine="reference").probabilities()
    array([0.5, 0. , 0. , 0.5])
    >>> from qfast.noise import NoiseModel, channels
    >>> noise = NoiseModel().add(channels.phase_flip(0.5), gates=["h"])
    >>> round(simulate(Circuit(1).h(0), noise=noise, engine="reference").purity(), 12)
    0.5
    """
    settings = run_settings(engine, precision, threads, isa)
    request = Request.of(
        State(None if seed is None else chosen_seed(seed)), circuit, parameters, settings.precision, noise=noise,
        initial_state=initial_state, method=method,
    )  # fmt: skip
    found: Statevector | DensityMatrix = run(request, settings, cancel, out)
    return found


def sample(
    circuit: AnyCircuit,
    shots: int,
    seed: int | None = None,
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    output: Output = "bits",
    draws: Draws = "philox",
    first_shot: int = 0,
    noise: NoiseModel | None = None,
    method: Method = "auto",
    branch_bytes: int | None = None,
    max_loop_passes: int = MAX_LOOP_PASSES,
    cancel: CancelToken | None = None,
) -> Samples:
    """Run a circuit with its own measurements into its classical bits.

    Parameters
    ----------
    circuit : Circuit
        One without any measurement is measured whole, qubit k into bit k. Qubits that nothing acts on cost nothing.
    shots : int
    seed : int, optional
        0 ≤ seed < 2**64. Shot i is a function of (seed, i). By default the setting `seed`, or fresh entropy, which the
        result's metadata tells.
    parameters, engine, precision, threads, isa, initial_state, cancel
        As for `simulate`.
    output : {"bits", "counts"}
        ``"counts"`` keeps how often each outcome was seen instead of every shot.
    draws : {"philox", "multinomial"}
        How outcomes are drawn. ``"multinomial"`` draws counts at once, equal in law only, for circuits that measure at
        the end.
    first_shot : int, default 0
        Absolute index of the first shot: segments of one plan use disjoint ranges of the same seed.
    noise : NoiseModel, optional
        What acts at gates and measurements. ``metadata["noise"]`` tells how much there was to simulate.
    method : {"auto", "terminal", "branches", "frames", "trajectories", "density"}
        How it is simulated: from the final state; branch by branch; noisy with errors pushed to the end as Pauli
        frames; noisy branch by branch; from the exact density matrix. ``metadata["method"]`` and ``["why"]`` tell what
        ``"auto"`` chose; it looks at the circuit and the noise only. Ways are equal in law; shots of one seed are
        equal within one way.
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
    >>> found = sample(bell, shots=1000, seed=7, engine="reference")
    >>> sorted(found.get_counts()), found.metadata["method"]
    (['00', '11'], 'terminal')
    >>> sample(Circuit(50, 1).x(45).measure(45, 0), shots=3, seed=7).get_counts()
    {'1': 3}
    """
    settings = run_settings(engine, precision, threads, isa)
    ask = Shots(shots, chosen_seed(seed), output, draws, first_shot)
    limits = DEFAULT_LIMITS
    if branch_bytes is not None or max_loop_passes != MAX_LOOP_PASSES:
        limits = Limits(max_loop_passes, branch_bytes)
    request = Request.of(
        ask, circuit, parameters, settings.precision, noise=noise, initial_state=initial_state, method=method,
        limits=limits,
    )  # fmt: skip
    found: Samples = run(request, settings, cancel)
    return found


def distribution(
    circuit: AnyCircuit,
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    noise: NoiseModel | None = None,
    method: Method = "auto",
    cutoff: float = 1e-14,
    branch_bytes: int | None = None,
    max_loop_passes: int = MAX_LOOP_PASSES,
    cancel: CancelToken | None = None,
) -> dict[str, float]:
    """Return the exact distribution of a circuit's classical bits.

    Parameters
    ----------
    circuit, parameters, engine, precision, threads, isa, initial_state, method, branch_bytes, max_loop_passes, cancel
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
    request = Request.of(
        Distribution(cutoff), circuit, parameters, settings.precision, noise=noise, initial_state=initial_state,
        method=method, limits=Limits(max_loop_passes, branch_bytes),
    )  # fmt: skip
    found: dict[str, float] = run(request, settings, cancel)
    return found


def amplitudes(
    circuit: AnyCircuit,
    bitstrings: list[str] | list[int],
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    cancel: CancelToken | None = None,
) -> AnyArray:
    """Return the amplitudes of chosen basis states.

    Parameters
    ----------
    circuit : Circuit
        Measurements at its end are left out; none stand before.
    bitstrings : list of str or int
        Basis states, qubit 0 rightmost.
    parameters, engine, precision, threads, isa, initial_state, cancel
        As for `simulate`.

    Returns
    -------
    ndarray of the run's precision, shape (len(bitstrings),)

    Raises
    ------
    InputError
        A bitstring has another length; the circuit measures, resets or decides in the middle.

    Notes
    -----
    Qubits that nothing acts on cost nothing: the state that is simulated is that of the others.

    Examples
    --------
    >>> from qfast.circuit import Circuit
    >>> amplitudes(Circuit(60).h(59), ["0" * 60, "1" + "0" * 59, "1" * 60]).round(3)
    array([0.707+0.j, 0.707+0.j, 0.   +0.j])
    """
    settings = run_settings(engine, precision, threads, isa)
    wanted = Amplitudes.of(bitstrings, getattr(circuit, "num_qubits", 0))
    request = Request.of(wanted, circuit, parameters, settings.precision, initial_state=initial_state)
    found: AnyArray = run(request, settings, cancel)
    return found

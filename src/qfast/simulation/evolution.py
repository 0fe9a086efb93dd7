"""Time evolution of states under a Pauli sum, to a tolerance: Krylov and Chebyshev."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from qfast._typing import AnyArray, FloatArray, Precision
from qfast.circuit import PauliSum
from qfast.circuit.checks import as_index
from qfast.circuit.operators import check_hermitian
from qfast.engines import AMPLITUDE_BYTES, CancelToken
from qfast.engines.interface import check_cancel
from qfast.engines.memory import allocate_state, check_memory, check_qubits, memory_limits, state_bytes
from qfast.errors import InputError, ObservableError
from qfast.simulation.prepared_observables import Observables, measurable
from qfast.simulation.propagators import chebyshev_coefficients, is_safe, safe_step, short_time
from qfast.simulation.provenance import Provenance
from qfast.simulation.run_settings import run_settings
from qfast.simulation.statevector import Statevector
from qfast.simulation.working_states import initial_array, working_state

__all__ = ["Evolution"]

Method = Literal["krylov", "chebyshev"]

_PIECE = 1 << 15  # amplitudes that stay in the cache between two operations on them
_CHEBYSHEV_STATES = 4
_LEAST_VECTORS = 4
_PARTS = 1000  # of the time, for progress
_DOUBLE_ROUNDING = 1e-15  # relative error of a phase ‖H‖ t
_EPS = {"complex64": 1e-7, "complex128": 1e-15}
_LEAST_TOLERANCE = {"complex64": 1e-6, "complex128": 1e-14}
_DEFAULT_TOLERANCE = {"complex64": 1e-5, "complex128": 1e-10}


@dataclass(slots=True)
class _Work:
    """What a run has done so far."""

    applications: int = 0
    steps: int = 0
    error_bound: float = 0.0
    begun: float = field(default_factory=clock.perf_counter)


class Evolution:
    """exp(-i H t) for a Hermitian Pauli sum H, prepared for one engine in one precision.

    Parameters
    ----------
    hamiltonian : PauliSum
        Hermitian.
    method : {"krylov", "chebyshev"}
        Krylov (Lanczos) adapts to the state and takes up to `max_vectors` states of memory; Chebyshev takes four, and
        a number of steps in proportion to ``t * sum(|coefficients|)``.
    tolerance : float, optional
        Largest norm of the error, apart from rounding; 1e-10 by default, 1e-5 in complex64.
    num_qubits : int, optional
        Of the states; by default as many as the Hamiltonian is declared on.
    max_vectors : int, default 30
        Krylov vectors that are kept at most, 4 or more. Where they do not fit into half of the free memory, fewer are.
    engine, precision, threads, isa
        As for `simulate`; fixed for all runs.

    Raises
    ------
    ObservableError
        Not Hermitian, or no Pauli sum.
    InputError
        A method, tolerance or number of qubits or vectors that is not allowed.

    Notes
    -----
    Krylov: in a step of length s the error is at most b ∫₀ˢ |⟨e_m|exp(-i T u)|e_1⟩| du, T the tridiagonal matrix of the
    Lanczos recursion and b its next off-diagonal entry (Saad 1992, doi:10.1137/0729014); steps are as long as that
    allows. Chebyshev: with R = sum(|coefficients|) ≥ ‖H‖, the terms that are left out of the series add up to at most
    Σ 2|J_k(R t)| (Tal-Ezer and Kosloff 1984, doi:10.1063/1.448136). Rounding adds some 1e-16 (1e-7 in complex64) for
    each application of H. Thread-safe.

    Examples
    --------
    >>> import numpy as np
    >>> evolution = Evolution(PauliSum([("X", [0], 0.5)]), engine="reference")
    >>> evolution.evolve(np.pi).probabilities().round(9) + 0.0
    array([0., 1.])
    """

    def __init__(
        self,
        hamiltonian: PauliSum,
        *,
        method: Method = "krylov",
        tolerance: float | None = None,
        num_qubits: int | None = None,
        max_vectors: int = 30,
        engine: str | None = None,
        precision: Precision | None = None,
        threads: int | None = None,
        isa: str | None = None,
    ) -> None:
        if not isinstance(hamiltonian, PauliSum):
            raise ObservableError(f"Evolution: a PauliSum is needed, {type(hamiltonian).__name__} given")
        check_hermitian(hamiltonian, "Evolution")
        if method not in ("krylov", "chebyshev"):
            raise InputError(f"Evolution: method {method!r} is unknown; 'krylov' and 'chebyshev' are known")
        width = hamiltonian.num_qubits if num_qubits is None else as_index(num_qubits)
        if width is None or width < hamiltonian.num_qubits:
            raise InputError(
                f"Evolution: the Hamiltonian is declared on {hamiltonian.num_qubits} qubits, "
                f"num_qubits = {num_qubits!r} given"
            )
        vectors = as_index(max_vectors)
        if vectors is None or vectors < _LEAST_VECTORS:
            raise InputError(f"Evolution: max_vectors = {max_vectors!r} must be an integer from {_LEAST_VECTORS}")
        self._settings = settings = run_settings(engine, precision, threads, isa)
        check_qubits(width, settings.precision)
        least = _LEAST_TOLERANCE[settings.precision]
        self.tolerance = _DEFAULT_TOLERANCE[settings.precision] if tolerance is None else float(tolerance)
        if not least <= self.tolerance < 1:
            raise InputError(
                f"Evolution: tolerance {tolerance!r} is not allowed in {settings.precision}; "
                f"{least:g} to 1 is, below which rounding decides"
            )
        self.method: Method = method
        self.num_qubits = width
        self._max_vectors = vectors
        terms = hamiltonian.simplify()
        x_masks, z_masks, coefficients = terms.masks()
        is_identity = (x_masks | z_masks) == 0
        self._constant = float(coefficients[is_identity].real.sum())
        self._radius = float(np.abs(coefficients[~is_identity]).sum())
        self._rest = PauliSum._from_masks(
            x_masks[~is_identity], z_masks[~is_identity], coefficients[~is_identity].real + 0j, width
        )

    @property
    def precision(self) -> Precision:
        """``"complex64"`` or ``"complex128"``."""
        return self._settings.precision

    @property
    def engine(self) -> str:
        """The engine that runs it."""
        return self._settings.engine.name

    def evolve(
        self, time: float, *, initial_state: Any = None, out: AnyArray | None = None, cancel: CancelToken | None = None
    ) -> Statevector:
        """Return exp(-i H time)|ψ⟩.

        Parameters
        ----------
        time : float
            Negative ones go back.
        initial_state, out, cancel
            As for `simulate`.

        Returns
        -------
        Statevector
            ``metadata["evolution"]`` tells the method, the applications of H, the steps and the bound of the error.

        Raises
        ------
        InputError
            The time is not finite; the tolerance cannot be kept in double precision over so long a time; a bad initial
            state or `out`.
        CapacityError
            The states do not fit.
        CancelledRunError
            The token was set; `out` is then unspecified.
        """
        length = _checked_time(time)
        vectors = self._check_memory()
        state = self._started(initial_array(initial_state, self.num_qubits), out)
        return self._evolved(state, length, self.tolerance, vectors, cancel)

    def iter_evolve(
        self, times: ArrayLike, *, initial_state: Any = None, cancel: CancelToken | None = None
    ) -> Iterator[Statevector]:
        """Yield the state at each of some times, each continued from the one before; every state has its own memory.

        Parameters
        ----------
        times : array_like of float, shape (m,)
            From the initial state, which stands at 0, in any order. The tolerance is divided in proportion to time.
        initial_state, cancel
            As for `run`.
        """
        wanted = _checked_times(times)
        vectors = self._check_memory(more=1)
        start = initial_array(initial_state, self.num_qubits)
        whole = float(np.abs(np.diff(wanted, prepend=0.0)).sum())
        before = 0.0
        for now in wanted.tolist():
            share = self.tolerance * abs(now - before) / whole if whole else self.tolerance
            state = self._evolved(self._started(start, None), now - before, share, vectors, cancel)
            yield state
            start, before = state.amplitudes, now

    def expectation(
        self, times: ArrayLike, observable: Observables, *, initial_state: Any = None, cancel: CancelToken | None = None
    ) -> AnyArray:
        """Return ⟨O⟩ at some times.

        Parameters
        ----------
        times, initial_state, cancel
            As for `iter_evolve`.
        observable : PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator
            Or a sequence of them, nested or not, of shape s.

        Returns
        -------
        ndarray of float64, shape (m, *s)
            Complex128 where an observable is not Hermitian.
        """
        states = self.iter_evolve(times, initial_state=initial_state, cancel=cancel)
        return np.array([state.expectation(observable, cancel=cancel) for state in states])

    def _started(self, initial: AnyArray | None, out: AnyArray | None) -> AnyArray:
        """Return the buffer to work in, holding the initial state."""
        state = working_state(out, initial, self.num_qubits, self.precision)
        if initial is None:
            state[:] = 0
            state[0] = 1
        return state

    def _evolved(
        self, state: AnyArray, time: float, tolerance: float, vectors: int, cancel: CancelToken | None
    ) -> Statevector:
        """Change the state in place and wrap it."""
        rounding = _DOUBLE_ROUNDING * self._radius * abs(time)
        if rounding > tolerance:
            raise InputError(
                f"Evolution: rounding alone may exceed the tolerance {tolerance:g} over the time {time:g}, as ‖H‖ may "
                f"be {self._radius:g}; allow {rounding:.1g}, or a shorter time"
            )
        work = _Work()
        if self._radius and time:
            if self.method == "krylov":
                self._krylov(state, time, tolerance, vectors, work, cancel)
            else:
                self._chebyshev(state, time, tolerance, work, cancel)
        phase = complex(np.exp(-1j * self._constant * time))
        if phase != 1:
            state *= state.dtype.type(phase)
        check_cancel(cancel, "the time evolution", _PARTS, _PARTS, "parts")
        more = {
            "evolution": {
                "method": self.method, "time": time, "applications": work.applications, "steps": work.steps,
                "error_bound": work.error_bound, "tolerance": tolerance,
            }
        }  # fmt: skip
        times = {"run_s": clock.perf_counter() - work.begun}
        size = state_bytes(self.num_qubits, self.precision)
        provenance = Provenance(self._settings, None, peak_bytes=(vectors + 1) * size, times=times, more=more)
        return Statevector._of_run(state, self._settings, provenance)

    # --- Krylov -------------------------------------------------------------------------------------------------------

    def _krylov(
        self, state: AnyArray, time: float, tolerance: float, vectors: int, work: _Work, cancel: CancelToken | None
    ) -> None:
        length, direction = abs(time), math.copysign(1.0, time)
        rate = tolerance / max(length, 1e-290)  # finite for denormal times
        basis = [state, *(allocate_state(self.num_qubits, self.precision) for _ in range(vectors))]
        done, guess = 0.0, length
        while done < length:
            check_cancel(cancel, "the time evolution", int(_PARTS * done / length), _PARTS, "parts")
            alphas, betas, norm = self._lanczos(basis, length - done, rate, work, cancel)
            step, bound = safe_step(alphas, betas, length - done, rate / norm, guess)
            assert step > 0, "the tolerance has been checked against rounding"
            weights = norm * short_time(alphas, betas[:-1], direction * step)
            _combine(basis[: len(weights)], weights)
            work.steps += 1
            work.error_bound += norm * bound
            done = length if step >= length - done else done + step
            guess = 4 * step

    def _lanczos(
        self, basis: Sequence[AnyArray], remaining: float, rate: float, work: _Work, cancel: CancelToken | None
    ) -> tuple[FloatArray, FloatArray, float]:
        """Fill the basis from its first vector on, until one step can cover the remaining time or it is full.

        Returns
        -------
        alphas, betas : ndarray of float64, shape (k,)
            Diagonal of T, and its off-diagonal with the entry that leads out of the basis last.
        norm : float
            Of the first vector before it was normalised.
        """
        engine, threads = self._settings.engine, self._settings.threads
        prepared = measurable(self._rest, engine, self.num_qubits).prepared
        norm = math.sqrt(engine.norm_squared(basis[0], threads=threads))
        _scale(basis[0], 1 / norm)
        alphas: list[float] = []
        betas: list[float] = []
        for place in range(len(basis) - 1):
            vector, following = basis[place], basis[place + 1]
            prepared.apply(vector, following, threads=threads, cancel=cancel)
            work.applications += 1
            alphas.append(engine.inner_product(vector, following, threads=threads).real)
            before = [(betas[-1], basis[place - 1])] if place else []
            _subtract(following, [(alphas[-1], vector), *before])
            betas.append(math.sqrt(engine.norm_squared(following, threads=threads)))
            if betas[-1] <= _EPS[self.precision] * self._radius:  # the vectors span an invariant space
                betas[-1] = 0.0
                break
            if place >= 2 and is_safe(np.array(alphas), np.array(betas), remaining, rate / norm):
                break
            _scale(following, 1 / betas[-1])
        return np.array(alphas), np.array(betas), norm

    # --- Chebyshev ----------------------------------------------------------------------------------------------------

    def _chebyshev(
        self, state: AnyArray, time: float, tolerance: float, work: _Work, cancel: CancelToken | None
    ) -> None:
        """Sum a_k T_k(H / R)|ψ⟩ with T_(k+1) = 2 (H / R) T_k - T_(k-1)."""
        threads = self._settings.threads
        prepared = measurable(self._rest, self._settings.engine, self.num_qubits).prepared
        weights, work.error_bound = chebyshev_coefficients(self._radius * time, tolerance)
        total = state.astype(np.complex128)
        total *= weights[0]
        before, now, moved = state, *(allocate_state(self.num_qubits, self.precision) for _ in range(2))
        for degree, weight in enumerate(weights[1:], 1):
            check_cancel(cancel, "the time evolution", _PARTS * degree // len(weights), _PARTS, "parts")
            if degree == 1:
                prepared.apply(before, now, threads=threads, cancel=cancel)
                _scale(now, 1 / self._radius)
            else:
                prepared.apply(now, moved, threads=threads, cancel=cancel)
                _scale(moved, 2 / self._radius)
                _subtract(moved, [(1.0, before)])
                before, now, moved = now, moved, before
            work.applications += 1
            for piece in _pieces(state.size):
                total[piece] += weight * now[piece]
        work.steps = 1
        state[:] = total

    # --- memory -------------------------------------------------------------------------------------------------------

    def _check_memory(self, more: int = 0) -> int:
        """Refuse a run that does not fit; return how many states it may take besides the one that changes."""
        settings = self._settings
        size = state_bytes(self.num_qubits, self.precision)
        least = _LEAST_VECTORS if self.method == "krylov" else _CHEBYSHEV_STATES - 1
        if self.method == "chebyshev" and self.precision == "complex64":
            least += 1  # the sum is in double
        chosen = least
        if self.method == "krylov":
            chosen = self._max_vectors
            if settings.max_bytes is not None or chosen * size > 1 << 24:
                free = memory_limits().available_bytes or 1 << 62
                free = free if settings.max_bytes is None else min(free, settings.max_bytes)
                chosen = max(least, min(chosen, free // (2 * size) - 1 - more))
        what = f"the time evolution of {self.num_qubits} qubits in {self.precision} ({chosen + 1 + more} states)"
        check_memory(
            (chosen + 1 + more) * size,
            what,
            amplitude_bytes=AMPLITUDE_BYTES[self.precision],
            limit_bytes=settings.max_bytes,
        )
        return chosen

    def __repr__(self) -> str:
        return (
            f"<Evolution: {self._rest.num_terms} terms on {self.num_qubits} qubits, {self.method}, "
            f"tolerance {self.tolerance:g}, {self.precision}, engine {self.engine!r}>"
        )


def _pieces(size: int) -> Iterator[slice]:
    for begin in range(0, size, _PIECE):
        yield slice(begin, begin + _PIECE)


def _reals(vector: AnyArray) -> AnyArray:
    """View amplitudes as real numbers: a real factor then costs half of what a complex one does."""
    return vector.view(np.float32 if vector.dtype == np.complex64 else np.float64)


def _scale(vector: AnyArray, factor: float) -> None:
    numbers = _reals(vector)
    numbers *= numbers.dtype.type(factor)


def _subtract(vector: AnyArray, others: Sequence[tuple[float, AnyArray]]) -> None:
    """Subtract Σ factor · other."""
    numbers = _reals(vector)
    scratch = np.empty(_PIECE, dtype=numbers.dtype)
    parts = [(numbers.dtype.type(factor), _reals(other)) for factor, other in others]
    for piece in _pieces(numbers.size):
        target = numbers[piece]
        product = scratch[: target.size]
        for factor, other in parts:
            np.multiply(other[piece], factor, out=product)
            target -= product


def _combine(basis: Sequence[AnyArray], weights: AnyArray) -> None:
    """Write Σ weight · vector over the first vector, summed in double."""
    scratch = np.empty(_PIECE, dtype=np.complex128)
    for piece in _pieces(basis[0].size):
        total = weights[0] * basis[0][piece]
        product = scratch[: total.size]
        for vector, weight in zip(basis[1:], weights[1:], strict=True):
            np.multiply(vector[piece], weight, out=product)
            total += product
        basis[0][piece] = total


def _checked_time(time: Any) -> float:
    try:
        value = float(time)
    except (TypeError, ValueError):
        raise InputError(f"Evolution: the time {time!r} is no real number") from None
    if not math.isfinite(value):
        raise InputError(f"Evolution: the time {value} is not finite")
    return value


def _checked_times(times: ArrayLike) -> FloatArray:
    try:
        wanted = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"Evolution: the times are no real numbers: {error}") from None
    if wanted.ndim != 1 or not np.isfinite(wanted).all():
        raise InputError(f"Evolution: finite times of shape (m,) are needed, {wanted} given")
    return wanted

"""What an engine is: the interface that layer 4 is written against, and the cancel token every engine reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qfast._typing import AnyArray, ComplexArray, EngineName, FloatArray, IntArray, Isa, Precision, UIntArray
from qfast.errors import CancelledRunError
from qfast.extension import core

if TYPE_CHECKING:
    from qfast.circuit import Circuit
    from qfast.engines.samplers import Sampler

AMPLITUDE_BYTES: dict[Precision, int] = {"complex64": 8, "complex128": 16}


class CancelToken:
    """A flag that stops a running simulation, and a view of how far it is.

    Hand the same token to ``simulate(…, cancel=token)`` and to whoever may call `cancel`, from any thread. An engine
    looks at the token at least every 50 ms of work (the reference engine: between gates) and raises
    `CancelledRunError` when it is set. A token stays set: use a new one for the next run.

    Examples
    --------
    >>> token = CancelToken()
    >>> token.cancelled
    False
    >>> token.cancel()
    >>> token.cancelled
    True
    """

    __slots__ = ("_cancelled", "_done", "_total", "native")

    def __init__(self) -> None:
        self._cancelled = False  # no Event: Ctrl-C inside its `set` may leave it locked for good
        self._done = 0
        self._total = 0
        self.native = None if core is None else core.CancelToken()  # what the C++ executor polls

    def cancel(self) -> None:
        """Ask the run to stop; returns at once."""
        self._cancelled = True
        if self.native is not None:
            self.native.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def raise_if_cancelled(self, what: str) -> None:
        """Raise `CancelledRunError` if `cancel` was called; `what` was going on."""
        if self.cancelled:
            raise CancelledRunError(f"{what} was cancelled")

    def progress(self) -> tuple[int, int]:
        """Return ``(done, total)`` in units of the engine's plan; ``(0, 0)`` before the run has begun."""
        if self.native is not None:
            done, total = self.native.progress()
            if total:
                return done, total
        return self._done, self._total

    def report(self, done: int, total: int) -> None:
        """Record progress; called by engines written in Python."""
        self._done, self._total = done, total


def check_cancel(cancel: CancelToken | None, what: str, done: int, total: int, units: str) -> None:
    """Record progress, or stop: what engines and workloads written in Python do between two slices of work.

    Raises
    ------
    CancelledRunError
        The token was set.
    """
    if cancel is not None:
        if cancel.cancelled:
            raise CancelledRunError(f"{what} was cancelled after {done} of {total} {units}")
        cancel.report(done, total)


class BatchedCircuit(Protocol):
    """A prepared circuit that runs many parameter sets from |0…0⟩ side by side.

    In all methods: values : ndarray of float64, shape (m, num_parameters), C-contiguous; each result is that of a run
    of its row alone, to rounding. Raises `CancelledRunError` when the token was set.
    """

    def states(self, values: FloatArray, out: AnyArray, *, threads: int, cancel: CancelToken | None) -> None:
        """Write the final states into `out`, shape (m, 2**n)."""
        ...

    def expectations(
        self, values: FloatArray, observable: PreparedObservable, *, threads: int, cancel: CancelToken | None
    ) -> AnyArray:
        """Return the expectation of an observable of the same engine: complex128, shape (m,)."""
        ...

    def quick_expectation(
        self, observable: PreparedObservable, is_real: bool, threads: int
    ) -> Callable[[Any], float | complex | None]:
        """Return a function of one row of values that returns the expectation value.

        It returns None for anything but a contiguous float64 array of shape (p,), and where `expectations` raises.
        """
        ...

    def sample_indices(
        self, values: FloatArray, uniforms: FloatArray, offsets: IntArray, *, threads: int, cancel: CancelToken | None
    ) -> IntArray:
        """Return basis states: set s is drawn with ``uniforms[offsets[s]:offsets[s + 1]]``, int64."""
        ...


class Trajectories(Protocol):
    """A circuit run for many rows of parameter values that differ little: what they have in common is run once.

    In all methods: base, change : ndarray of float64, shape (num_parameters,). bits : ndarray of uint8, shape
    (m, bytes): column c of row r is bit c of its bytes, the most significant first, and stands for parameter
    ``order[c]``; the row's value of a parameter is ``base + bit * change``. Rows ascend as strings of bytes. offsets :
    ndarray of int64, shape (m + 1,): row r has the items ``offsets[r]:offsets[r + 1]``. initial : ndarray or None
    (|0…0⟩). kept_bytes : most memory for copies of states. Each row's result is that of a run of its own, bit for bit.
    The number returned last is the work done, in runs of the whole circuit. Raises `CancelledRunError` when the token
    was set.
    """

    @property
    def order(self) -> IntArray:
        """The parameter of each column."""
        ...

    def sample_indices(
        self, base: FloatArray, change: FloatArray, bits: AnyArray, uniforms: FloatArray, offsets: IntArray, *,
        initial: AnyArray | None, kept_bytes: int, threads: int, cancel: CancelToken | None,
    ) -> tuple[IntArray, float]:  # fmt: skip
        """Return a basis state, int64, for each uniform."""
        ...

    def pauli_means(
        self, base: FloatArray, change: FloatArray, bits: AnyArray, offsets: IntArray,
        frames: tuple[UIntArray, UIntArray], observable: tuple[UIntArray, UIntArray, ComplexArray], *,
        initial: AnyArray | None, kept_bytes: int, threads: int, cancel: CancelToken | None,
    ) -> tuple[ComplexArray, float]:  # fmt: skip
        """Return ⟨O⟩ behind each Pauli frame (masks of X, of Z); O as x_masks, z_masks and coefficients."""
        ...


class PreparedCircuit(Protocol):
    """A circuit of gates, ready to run many times on one engine in one precision. Thread-safe."""

    @property
    def num_qubits(self) -> int: ...

    @property
    def num_parameters(self) -> int: ...

    @property
    def workspace_bytes(self) -> int:
        """Bytes that a run allocates besides the state."""
        ...

    def run(
        self,
        state: AnyArray,
        values: FloatArray,
        *,
        from_zero: bool,
        threads: int,
        cancel: CancelToken | None,
    ) -> None:
        """Apply the circuit in place.

        Parameters
        ----------
        state : ndarray, shape (2**n,)
            C-contiguous, of the prepared precision.
        values : ndarray of float64, shape (num_parameters,)
            In the order of ``circuit.parameters``.
        from_zero : bool
            True: the content of `state` is ignored and the run starts from |0…0⟩.
        threads : int
            At least 1; the result does not depend on it.
        cancel : CancelToken or None

        Raises
        ------
        CancelledRunError
            The token was set; the state is then unspecified.
        """
        ...

    def batch(self) -> BatchedCircuit | None:
        """Return the way to run many parameter sets at once; None where the engine runs them one by one."""
        ...

    def explain(self) -> dict[str, Any]:
        """Return the plan in words and figures."""
        ...


class PreparedOperator(Protocol):
    """An observable, ready for any number of states. Thread-safe. Raises `CancelledRunError` when the token was set."""

    def expectation(self, state: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> complex:
        """Return ⟨ψ|O|ψ⟩, accumulated in double."""
        ...

    def apply(self, state: AnyArray, out: AnyArray, *, threads: int, cancel: CancelToken | None = None) -> None:
        """Write O|ψ⟩ into `out`, an array like `state` that does not overlap it."""
        ...


class PreparedObservable(PreparedOperator, Protocol):
    """A Pauli sum that an engine has prepared."""

    def term_values(self, state: AnyArray, *, threads: int) -> FloatArray:
        """Return ⟨ψ|P|ψ⟩ of each string without its coefficient, float64 of shape (strings,)."""
        ...

    def imaginary_overlaps(self, bra: AnyArray, ket: AnyArray, *, threads: int) -> FloatArray:
        """Return Im ⟨bra|P|ket⟩ of each string without its coefficient, float64 of shape (strings,)."""
        ...


class Engine(Protocol):
    """One way to change and to read statevectors. Every method is thread-safe and keeps its result independent of
    ``threads``, bit for bit."""

    @property
    def name(self) -> EngineName: ...

    @property
    def isa(self) -> Isa | None:
        """The instruction set that the native engine uses; None for the others."""
        ...

    @property
    def max_walk_qubits(self) -> int:
        """The largest states of which it walks whole scripts itself; 0: none."""
        ...

    def prepare(self, circuit: Circuit, *, precision: Precision) -> PreparedCircuit:
        """Prepare a circuit of gates and barriers only."""
        ...

    def trajectories(self, circuit: Circuit, *, precision: Precision) -> Trajectories | None:
        """Prepare a circuit for rows that differ little; None where the engine runs one row at a time."""
        ...

    def probabilities(self, state: AnyArray, qubits: NDArray[np.int32], *, threads: int) -> FloatArray:
        """Return the joint distribution of `qubits`, shape (2**k,); the first listed is the least significant bit."""
        ...

    def norm_squared(self, state: AnyArray, *, threads: int) -> float:
        """Return ⟨ψ|ψ⟩, accumulated in double."""
        ...

    def inner_product(self, a: AnyArray, b: AnyArray, *, threads: int) -> complex:
        """Return ⟨a|b⟩, accumulated in double."""
        ...

    def expectation_pauli(
        self,
        state: AnyArray,
        x_masks: UIntArray,
        z_masks: UIntArray,
        coefficients: ComplexArray,
        *,
        threads: int,
    ) -> complex:
        """Return Σ c ⟨ψ|P|ψ⟩; bit q of a term's masks is set in x for X, in z for Z and in both for Y."""
        ...

    def observable(
        self, num_qubits: int, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray
    ) -> PreparedObservable:
        """Prepare a Pauli sum for any number of states of `num_qubits`; masks as for `expectation_pauli`."""
        ...

    def sampler(self, state: AnyArray, *, threads: int) -> Sampler:
        """Read a state in order to draw shots from it, whose number need not be known yet."""
        ...

    def sample_indices(self, state: AnyArray, uniforms: FloatArray, *, threads: int) -> IntArray:
        """Return for each uniform the first index whose cumulative probability, in index order, exceeds it."""
        ...

    def uniforms(self, seed: int, first_shot: int, count: int, site: int) -> FloatArray:
        """Return the Philox uniforms of consecutive shots at one site."""
        ...

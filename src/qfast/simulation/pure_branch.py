"""The quantum side of a branch: a statevector that is measured, reset, hit by channels, and grows and shrinks."""

from __future__ import annotations

import itertools
import math

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray
from qfast.engines import CancelToken, Engine, PreparedObservable
from qfast.noise import Channel
from qfast.noise.channel import pauli_matrix
from qfast.simulation.compiled import Compiled
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.script import Free, Measure, Noise, Reset

__all__ = ["PureBranch"]

_NEVER = 1e-15  # rounding of what cannot happen
_LOOKED_THROUGH = 1 << 16  # amplitudes among which a single one is looked for


class PureBranch:
    """A statevector for the walk; see `walk.BranchState`.

    Parameters
    ----------
    compiled : Compiled
    settings : RunSettings
    state : ndarray, shape (2**n,)
        The buffer to work in.
    initial : ndarray or None
        What it starts from; None for |0…0⟩. It must not be `state`.
    cancel : CancelToken or None
    """

    def __init__(
        self,
        compiled: Compiled,
        settings: RunSettings,
        state: AnyArray,
        initial: AnyArray | None,
        cancel: CancelToken | None = None,
    ) -> None:
        self._compiled = compiled
        self._engine, self._threads = settings.engine, settings.threads
        self._first, self._initial = state, initial
        self._cancel = cancel
        self._array = state
        self._is_blank = False  # the state is |0…0⟩, but the buffer has not been written
        self._spare: AnyArray | None = None  # what an operator writes to; then it is the state
        self._forms: dict[tuple[int, tuple[int, ...], int], _PauliForm] = {}

    @property
    def array(self) -> AnyArray:
        """The amplitudes, normalised, shape (2**n,)."""
        if self._is_blank:
            self._array[:] = 0
            self._array[0] = 1
            self._is_blank = False
        return self._array

    def begin(self) -> None:
        """Go back to the initial state."""
        self._resize(self._first.size)
        self._is_blank = self._initial is None
        if self._initial is not None:
            self._array[:] = self._initial

    def load(self, copy: AnyArray) -> None:
        """Go back to where a copy of `array` was made."""
        self._resize(copy.size)
        np.copyto(self._array, copy)
        self._is_blank = False

    def _resize(self, size: int) -> None:
        """Find room for a state whose content is yet to be written; operators exchange buffers."""
        if self._array.size != size:
            self._array = self._first if self._first.size == size else np.empty(size, dtype=self._first.dtype)
            self._spare = None

    def apply(self, segment: int, values: FloatArray) -> None:
        """Apply a stretch of gates."""
        self._compiled.segments[segment].run(
            self._array, values, from_zero=self._is_blank, threads=self._threads, cancel=self._cancel
        )
        self._is_blank = False

    def alloc(self) -> None:
        """Bring in a qubit in |0⟩, above all others."""
        small = self.array
        self._array = np.zeros(2 * small.size, dtype=small.dtype)
        self._array[: small.size] = small

    def weights(self, step: Measure | Reset | Free | Noise) -> FloatArray:
        """Return the probabilities of a step's outcomes."""
        if not isinstance(step, Noise):
            qubit = np.array([step.qubit], dtype=np.int32)
            return self._engine.probabilities(self.array, qubit, threads=self._threads)
        channel = step.place.channel
        if channel.probabilities is not None:
            return np.array(channel.probabilities)
        return self._form(step).weights(self.array, self._threads)

    def take(self, step: Measure | Reset | Free | Noise, outcome: int, weight: float) -> None:
        """Carry out an outcome of this weight."""
        if isinstance(step, Noise):
            self._operate(step, outcome, weight)
        else:
            self._project(step, outcome, weight)

    def _project(self, step: Measure | Reset | Free, outcome: int, weight: float) -> None:
        """Keep the part of the state with this outcome, normalised."""
        halves = self.array.reshape(-1, 2, 1 << step.qubit)
        scale = 1 / math.sqrt(weight)
        if isinstance(step, Free):
            self._array = np.ascontiguousarray(halves[:, outcome]).reshape(-1)
            self._array *= scale
            self._spare = None
        else:
            goes_to = outcome if isinstance(step, Measure) else 0
            np.multiply(halves[:, outcome], scale, out=halves[:, goes_to])
            halves[:, 1 - goes_to] = 0
        self._settle()

    def _settle(self) -> None:
        """Write a basis state as just that: its phase means nothing, and equal branches can be seen to be equal."""
        if self._array.size <= _LOOKED_THROUGH:
            places = np.flatnonzero(self._array)
            if places.size == 1:
                self._array[places[0]] = 1

    def _operate(self, step: Noise, outcome: int, weight: float) -> None:
        channel = step.place.channel
        if channel.labels is not None and not set(channel.labels[outcome]) - {"I"}:
            return
        state = self.array
        if self._spare is None or self._spare.size != state.size:
            self._spare = np.empty_like(state)
        self._form(step).apply(outcome, state, self._spare, self._threads)
        self._array, self._spare = self._spare, state
        if not channel.is_mixture:
            self._array *= weight**-0.5

    def _form(self, step: Noise) -> _PauliForm:
        channel, qubits = step.place.channel, step.place.qubits
        num_qubits = self._array.size.bit_length() - 1
        form = self._forms.get((id(channel), qubits, num_qubits))
        if form is None:
            form = _PauliForm(self._engine, num_qubits, channel, qubits)
            self._forms[id(channel), qubits, num_qubits] = form
        return form


class _PauliForm:
    """The operators of a channel as sums of Pauli strings on its qubits.

    All probabilities ``tr(K†K rho)`` follow from the strings' expectation values, which are read in one pass, and an
    operator is applied by the engine as any Pauli sum is.
    """

    def __init__(self, engine: Engine, num_qubits: int, channel: Channel, qubits: tuple[int, ...]) -> None:
        self._engine = engine
        self._num_qubits = num_qubits
        self._operators = channel.operators
        labels = ["".join(label) for label in itertools.product("IXYZ", repeat=len(qubits))]
        self._paulis = np.array([pauli_matrix(label) for label in labels])
        self._x_masks = np.array([_mask(label, "XY", qubits) for label in labels], dtype=np.uint64)
        self._z_masks = np.array([_mask(label, "YZ", qubits) for label in labels], dtype=np.uint64)
        self._table: FloatArray | None = None
        self._strings: PreparedObservable | None = None
        self._sums: dict[int, PreparedObservable] = {}

    def weights(self, state: AnyArray, threads: int) -> FloatArray:
        """Return the probability of each operator."""
        if self._strings is None or self._table is None:
            ones = np.ones(len(self._x_masks), dtype=np.complex128)
            self._strings = self._engine.observable(self._num_qubits, self._x_masks, self._z_masks, ones)
            self._table = np.array([self._coefficients(k.conj().T @ k).real for k in self._operators])
        found: FloatArray = self._table @ self._strings.term_values(state, threads=threads)
        found[found < _NEVER] = 0.0
        return found

    def apply(self, outcome: int, state: AnyArray, out: AnyArray, threads: int) -> None:
        """Write the outcome's operator times the state into `out`."""
        sum_ = self._sums.get(outcome)
        if sum_ is None:
            coefficients = self._coefficients(self._operators[outcome])
            used = np.flatnonzero(coefficients)
            sum_ = self._sums[outcome] = self._engine.observable(
                self._num_qubits, self._x_masks[used], self._z_masks[used], coefficients[used]
            )
        sum_.apply(state, out, threads=threads)

    def _coefficients(self, matrix: ComplexArray) -> ComplexArray:
        """Return those of a matrix's Pauli strings; a string's transpose is its conjugate."""
        found: ComplexArray = (self._paulis.conj() * matrix).sum(axis=(1, 2)) / len(matrix)
        found[np.abs(found) < _NEVER] = 0.0
        return found


def _mask(label: str, letters: str, qubits: tuple[int, ...]) -> int:
    return sum(1 << qubit for letter, qubit in zip(label, qubits, strict=True) if letter in letters)

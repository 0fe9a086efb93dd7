"""The state after a simulation, and everything that can be read from it."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast, overload

import numpy as np
from numpy.typing import ArrayLike

from qfast._html import bar, phase_arrow, table
from qfast._typing import AnyArray, ComplexArray, FloatArray, Precision
from qfast.circuit import Observable
from qfast.circuit.checks import as_tuple
from qfast.engines import CancelToken
from qfast.engines.bits import Wiring
from qfast.engines.memory import check_memory
from qfast.errors import InputError, ObservableError
from qfast.simulation.asks import Draws, Output, Shots
from qfast.simulation.prepared_observables import (
    Measurable,
    Observables,
    Several,
    covariance,
    listed_observables,
    measurable,
    shaped,
    variance,
)
from qfast.simulation.provenance import Provenance
from qfast.simulation.run_settings import RunSettings, run_settings
from qfast.simulation.samples import BitRegister, Samples
from qfast.simulation.seeds import chosen_seed
from qfast.simulation.terminal_sampling import draw_shots
from qfast.simulation.working_states import checked_state

__all__ = ["Statevector"]

_FILE_KEYS: tuple[Literal["amplitudes"], Literal["metadata"]] = ("amplitudes", "metadata")
_SHOWN = 32  # basis states that a notebook shows


class Statevector:
    """A pure state of n qubits.

    Parameters
    ----------
    amplitudes : array_like, complex, shape (2**n,)
        Normalised. An array of complex64 or complex128 that is C-contiguous is not copied.
    engine, threads, isa
        What reads the state; the settings decide by default.

    Notes
    -----
    Qubit k is bit k of the index. Memory: 16 · 2**n bytes in complex128, half of it in complex64. Reading is
    thread-safe as long as nobody writes to `amplitudes`. ``numpy.asarray(state)`` and DLPack see the amplitudes without
    a copy.

    Examples
    --------
    >>> import numpy as np
    >>> state = Statevector(np.array([1, 0, 0, 1]) / np.sqrt(2), engine="reference")
    >>> state.num_qubits
    2
    >>> state.probabilities([0])
    array([0.5, 0.5])
    >>> state.sample(4, seed=7).shots
    4
    """

    __slots__ = ("_metadata", "_settings", "amplitudes", "num_qubits")

    amplitudes: AnyArray
    """The amplitudes, complex64 or complex128 of shape (2**n,): the state itself, not a copy."""

    num_qubits: int

    def __init__(
        self,
        amplitudes: ArrayLike,
        *,
        engine: str | None = None,
        threads: int | None = None,
        isa: str | None = None,
    ) -> None:
        array = np.asarray(amplitudes)
        precision: Precision = "complex64" if array.dtype == np.complex64 else "complex128"
        settings = run_settings(engine, precision, threads, isa)
        checked = checked_state(array, "amplitudes")
        self._set(np.ascontiguousarray(checked, dtype=precision), settings, Provenance(settings, None))

    def _set(self, amplitudes: AnyArray, settings: RunSettings, metadata: Provenance | dict[str, Any]) -> None:
        self.amplitudes = amplitudes
        self.num_qubits = amplitudes.size.bit_length() - 1
        self._settings = settings
        self._metadata = metadata

    @classmethod
    def _of_run(cls, amplitudes: AnyArray, settings: RunSettings, provenance: Provenance) -> Statevector:
        """Wrap what an engine has just written, unchecked."""
        state = cls.__new__(cls)
        state._set(amplitudes, settings, provenance)
        return state

    @property
    def precision(self) -> Precision:
        """``"complex64"`` or ``"complex128"``."""
        return cast(Precision, self.amplitudes.dtype.name)

    @property
    def metadata(self) -> dict[str, Any]:
        """Provenance: version, engine, isa, threads, precision, seed, plan, times (seconds), peak_bytes."""
        if isinstance(self._metadata, Provenance):
            self._metadata = self._metadata.as_dict()
        return self._metadata

    def add_metadata(self, **entries: Any) -> None:
        """Add entries to `metadata`, which is still put together only when somebody looks."""
        if isinstance(self._metadata, Provenance):
            self._metadata.more.update(entries)
        else:
            self._metadata.update(entries)

    # --- numbers of the state -----------------------------------------------------------------------------------------

    def norm(self) -> float:
        """Return √⟨ψ|ψ⟩, 1 up to rounding."""
        return float(np.sqrt(self._settings.engine.norm_squared(self.amplitudes, threads=self._settings.threads)))

    def probabilities(self, qubits: Sequence[int] | int | None = None) -> FloatArray:
        """Return the joint distribution of some qubits.

        Parameters
        ----------
        qubits : int or sequence of int, optional
            The first listed is the least significant bit of the outcome; all qubits in order by default.

        Returns
        -------
        ndarray of float64, shape (2**k,)

        Raises
        ------
        InputError
            A qubit is out of range or named twice.
        """
        listed = self._checked_qubits(qubits)
        check_memory(8 << len(listed), f"a distribution over {len(listed)} qubits", amplitude_bytes=16)
        return self._settings.engine.probabilities(
            self.amplitudes, np.array(listed, dtype=np.int32), threads=self._settings.threads
        )

    @overload
    def amplitude(self, basis_state: int | str) -> complex: ...
    @overload
    def amplitude(self, basis_state: list[int] | list[str] | AnyArray) -> AnyArray: ...

    def amplitude(self, basis_state: int | str | list[int] | list[str] | AnyArray) -> complex | AnyArray:
        """Return the amplitudes of chosen basis states.

        Parameters
        ----------
        basis_state : int, str, or a list of them
            An index, or a bitstring with qubit 0 rightmost.

        Returns
        -------
        complex, or ndarray of the state's precision, shape (len(basis_state),)
        """
        if isinstance(basis_state, (str, int, np.integer)):
            return complex(self.amplitudes[self._index_of(basis_state)])
        picked: AnyArray = self.amplitudes[[self._index_of(entry) for entry in basis_state]]
        return picked

    def _index_of(self, basis_state: int | str) -> int:
        if isinstance(basis_state, str):
            if len(basis_state) != self.num_qubits or set(basis_state) - {"0", "1"}:
                raise InputError(f"bitstring {basis_state!r} must hold one 0 or 1 for each of {self.num_qubits} qubits")
            return int(basis_state, 2) if basis_state else 0
        index = int(basis_state)
        if not 0 <= index < self.amplitudes.size:
            raise InputError(f"basis state {index} is out of range; there are {self.amplitudes.size}")
        return index

    # --- sampling -----------------------------------------------------------------------------------------------------

    def sample(
        self,
        shots: int,
        seed: int | None = None,
        qubits: Sequence[int] | None = None,
        *,
        output: Output = "bits",
        draws: Draws = "philox",
        first_shot: int = 0,
        cancel: CancelToken | None = None,
    ) -> Samples:
        """Measure the state many times; the state stays as it is.

        Parameters
        ----------
        shots : int
        seed : int, optional
            0 ≤ seed < 2**64. By default the setting `seed`, or fresh entropy, which the result's metadata tells.
        qubits : sequence of int, optional
            Qubit ``qubits[j]`` becomes bit j of the outcome; all qubits in order by default.
        output : {"bits", "counts"}
            ``"counts"`` keeps how often each outcome was seen instead of every shot: 10**9 shots need no list of shots.
        draws : {"philox", "multinomial"}
            ``"philox"``: shot i is a function of (seed, i) alone. ``"multinomial"``: counts drawn at once, equal in law
            only; needs ``output="counts"``.
        first_shot : int, default 0
            Absolute index of the first shot.
        cancel : CancelToken, optional
            Stops the draw; its `progress` tells how many shots are done. Ctrl-C is heard without one.

        Returns
        -------
        Samples
            With one register ``"meas"``.

        Raises
        ------
        InputError
            Shots not positive, a bad seed, a qubit out of range or named twice.
        CapacityError
            The packed shots do not fit into memory.
        CancelledRunError
            The token was set.

        Notes
        -----
        Cost: O(1) per shot on average, and a pass over the state for every 2**20 shots (2**24 where it is large).
        Memory: 16 bytes for each of these and the outcome; for counts, 4 bytes for every possible outcome and about 12
        for each that came.
        """
        listed = self._checked_qubits(qubits)
        wiring = Wiring([(qubit, bit) for bit, qubit in enumerate(listed)], len(listed))
        registers = [BitRegister("meas", 0, len(listed))] if listed else []
        ask = Shots(shots, chosen_seed(seed), output, draws, first_shot)
        begun = time.perf_counter()
        rows, histogram = draw_shots(self._settings, self.amplitudes, wiring, ask, cancel)
        more = {"shots": ask.shots, "first_shot": ask.first_shot, "draws": ask.draws}
        times = {"sample_s": time.perf_counter() - begun}
        made = Provenance(self._settings, None, seed=ask.seed, times=times, more=more)
        return Samples(registers, rows=rows, histogram=histogram, metadata=made)

    # --- observables --------------------------------------------------------------------------------------------------

    @overload
    def expectation(self, observable: Observable, *, cancel: CancelToken | None = None) -> float | complex: ...
    @overload
    def expectation(self, observable: Several, *, cancel: CancelToken | None = None) -> AnyArray: ...

    def expectation(self, observable: Observables, *, cancel: CancelToken | None = None) -> float | complex | AnyArray:
        """Return ⟨ψ|O|ψ⟩.

        Parameters
        ----------
        observable : PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator
            Or a sequence of them, nested or not.
        cancel : CancelToken, optional

        Returns
        -------
        float, or complex where the observable is not Hermitian; an array of the shape of a sequence

        Raises
        ------
        ObservableError
            It acts on a qubit that the state does not have.
        CancelledRunError
            The token was set.
        """
        listed, shape = listed_observables(observable, "expectation")
        # No comprehension: it would close over the state, which an error that a job keeps would then hold.
        values = list(map(functools.partial(self._measured, cancel=cancel), listed))
        found: float | complex | AnyArray = shaped(values, shape)
        return found

    def _measured(self, observable: Observable, cancel: CancelToken | None) -> float | complex:
        return self._measurable(observable).expectation(self.amplitudes, self._settings.threads, cancel)

    @overload
    def variance(self, observable: Observable, *, cancel: CancelToken | None = None) -> float: ...
    @overload
    def variance(self, observable: Several, *, cancel: CancelToken | None = None) -> FloatArray: ...

    def variance(self, observable: Observables, *, cancel: CancelToken | None = None) -> float | FloatArray:
        """Return ⟨O†O⟩ - |⟨O⟩|².

        Parameters
        ----------
        observable, cancel
            As for `expectation`.

        Returns
        -------
        float, or an array of float64 of the shape of a sequence

        Raises
        ------
        CapacityError
            One more state does not fit.

        Notes
        -----
        Computed as ‖(O - ⟨O⟩)ψ‖², which does not cancel. In complex64 it carries the rounding of single precision.
        """
        listed, shape = listed_observables(observable, "variance")
        values = [variance(self._measurable(entry), self.amplitudes, self._settings, cancel) for entry in listed]
        found: float | FloatArray = shaped(values, shape)
        return found

    def covariance(self, observables: Sequence[Observable], *, cancel: CancelToken | None = None) -> AnyArray:
        """Return the covariance matrix of k observables.

        Parameters
        ----------
        observables : sequence of PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator
        cancel : CancelToken, optional

        Returns
        -------
        ndarray of float64, shape (k, k)
            ⟨AB + BA⟩/2 - ⟨A⟩⟨B⟩, whose diagonal holds the variances. Where an observable is not Hermitian: complex128,
            ⟨A†B⟩ - ⟨A⟩*⟨B⟩.

        Raises
        ------
        CapacityError
            Two more states do not fit.

        Notes
        -----
        Where k more states fit into half of the free memory, each observable is applied once, else more often.
        """
        listed, shape = listed_observables(observables, "covariance")
        if len(shape) != 1:
            raise ObservableError(f"covariance: a flat sequence of observables is needed, shape {shape} given")
        return covariance([self._measurable(entry) for entry in listed], self.amplitudes, self._settings, cancel)

    def _measurable(self, observable: Observable) -> Measurable:
        return measurable(observable, self._settings.engine, self.num_qubits)

    # --- comparison and entanglement ----------------------------------------------------------------------------------

    def inner_product(self, other: Statevector) -> complex:
        """Return ⟨self|other⟩, accumulated in double."""
        if not isinstance(other, Statevector):
            raise InputError(f"an inner product needs another Statevector, {type(other).__name__} given")
        if other.num_qubits != self.num_qubits:
            raise InputError(f"states of {self.num_qubits} and {other.num_qubits} qubits have no inner product")
        a, b = self.amplitudes, other.amplitudes
        if a.dtype != b.dtype:
            a, b = a.astype(np.complex128, copy=False), b.astype(np.complex128, copy=False)
        return self._settings.engine.inner_product(a, b, threads=self._settings.threads)

    def fidelity(self, other: Statevector) -> float:
        """Return |⟨self|other⟩|²."""
        return abs(self.inner_product(other)) ** 2

    def reduced_density_matrix(self, qubits: Sequence[int] | int) -> ComplexArray:
        """Trace out all other qubits.

        Parameters
        ----------
        qubits : int or sequence of int
            The first listed is the least significant bit of the matrix's index.

        Returns
        -------
        ndarray of complex128, shape (2**k, 2**k)

        Notes
        -----
        Memory: 16 · 4**k bytes, and a copy of the state in complex128.
        """
        listed = self._checked_qubits(qubits)
        size = 16 << 2 * len(listed)
        check_memory(size + (16 << self.num_qubits), f"a density matrix of {len(listed)} qubits", amplitude_bytes=16)
        split = self._split(listed)
        return split @ split.conj().T

    def entropy(self, qubits: Sequence[int] | int) -> float:
        """Return the entanglement entropy of some qubits with all others, in bits.

        Notes
        -----
        Both sides have the same entropy, so the smaller side's density matrix is diagonalised: O(8**k) for k ≤ n / 2.
        """
        listed = self._checked_qubits(qubits)
        if 2 * len(listed) > self.num_qubits:
            listed = [qubit for qubit in range(self.num_qubits) if qubit not in set(listed)]
        weights = np.linalg.eigvalsh(self.reduced_density_matrix(listed))
        kept = weights[weights > 1e-15]  # 0 log 0 = 0
        return max(0.0, float(-(kept * np.log2(kept)).sum()))

    def _split(self, qubits: Sequence[int]) -> ComplexArray:
        """The amplitudes as a matrix: rows are the listed qubits, columns all others."""
        axes = [self.num_qubits - 1 - qubit for qubit in reversed(qubits)]
        others = [axis for axis in range(self.num_qubits) if axis not in set(axes)]
        tensor = self.amplitudes.reshape((2,) * self.num_qubits).transpose(axes + others)
        return tensor.reshape(1 << len(qubits), -1).astype(np.complex128)

    def _checked_qubits(self, qubits: Sequence[int] | int | None) -> list[int]:
        if qubits is None:
            return list(range(self.num_qubits))
        listed = list(as_tuple(qubits))
        for qubit in listed:
            if isinstance(qubit, bool) or not hasattr(qubit, "__index__") or not 0 <= qubit < self.num_qubits:
                raise InputError(f"qubit {qubit!r} is out of range; the state has {self.num_qubits} qubits")
        if len(set(listed)) < len(listed):
            repeated = next(qubit for qubit in listed if listed.count(qubit) > 1)
            raise InputError(f"qubit {repeated} is named twice in {listed}")
        return [int(qubit) for qubit in listed]

    # --- files, arrays ------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the amplitudes to a file.

        Parameters
        ----------
        path : path
            ``.npy``: the amplitudes alone. ``.npz``: amplitudes and metadata (as JSON), not compressed.

        Raises
        ------
        InputError
            Another suffix.
        """
        target = Path(path)
        if target.suffix == ".npy":
            np.save(target, self.amplitudes)
        elif target.suffix == ".npz":
            np.savez(target, amplitudes=self.amplitudes, metadata=np.array(json.dumps(self.metadata)))
        else:
            raise InputError(f"cannot save a state as {target.name!r}; the suffix must be .npy or .npz")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Statevector:
        """Read a state that `save` wrote, or any normalised array in an ``.npy`` file.

        Raises
        ------
        InputError
            Not a state: shape, type or norm.
        OSError
            The file cannot be read.
        """
        source = Path(path)
        try:
            found = np.load(source, allow_pickle=False)
        except ValueError as error:
            raise InputError(f"{source} holds no array: {error}") from error
        if isinstance(found, np.ndarray):
            return cls(found)
        with found:
            if _FILE_KEYS[0] not in found:
                raise InputError(f"{source} holds no array 'amplitudes'; it holds {', '.join(found) or 'nothing'}")
            state = cls(found["amplitudes"])
            if "metadata" in found:
                state._metadata = json.loads(str(found["metadata"]))
        return state

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        if dtype is None or np.dtype(dtype) == self.amplitudes.dtype:
            return self.amplitudes.copy() if copy else self.amplitudes
        if copy is False:
            raise ValueError(f"a state in {self.precision} becomes {np.dtype(dtype)} only by a copy")
        if not np.issubdtype(dtype, np.complexfloating):
            raise TypeError(
                f"a state has complex amplitudes, of which an array of {np.dtype(dtype)} would lose half; take "
                "probabilities(), or amplitudes and their real part"
            )
        return self.amplitudes.astype(dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self.amplitudes.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.amplitudes.__dlpack_device__()

    def __getstate__(self) -> dict[str, Any]:
        return {"amplitudes": self.amplitudes, "metadata": self.metadata}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Where the pickle is read, the settings of that process choose what reads the state."""
        amplitudes = state["amplitudes"]
        self._set(amplitudes, run_settings(precision=amplitudes.dtype.name), state["metadata"])

    def __repr__(self) -> str:
        return f"<Statevector: {self.num_qubits} qubits, {self.precision}, engine {self._settings.engine.name!r}>"

    def _repr_html_(self) -> str:
        """The basis states of the largest probabilities, in a notebook."""
        weights = np.square(np.abs(self.amplitudes))
        shown = np.arange(weights.size)
        if weights.size > _SHOWN:
            shown = np.argpartition(weights, weights.size - _SHOWN)[-_SHOWN:]
        shown = shown[np.lexsort((shown, -weights[shown]))]
        shown = shown[weights[shown] > 1e-15]  # less is rounding
        rows = [
            (
                f"{index:0{self.num_qubits}b}",
                f"{amplitude.real:.4f}{amplitude.imag:+.4f}i",
                phase_arrow(float(np.angle(amplitude))),
                f"{weight:.4f}",
                bar(weight / float(weights[shown[0]])),
            )
            for index, amplitude, weight in zip(
                shown.tolist(), self.amplitudes[shown].tolist(), weights[shown].tolist(), strict=True
            )
        ]
        columns = ("basis state", "amplitude", "phase", "probability", "")
        note = f"the {_SHOWN} largest of {weights.size:,}" if weights.size > _SHOWN else ""
        return table(f"{self.num_qubits} qubits, {self.precision}", columns, rows, note)

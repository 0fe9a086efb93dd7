"""`compile`: a circuit prepared once, run for many parameter values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from qfast import config
from qfast._typing import AnyArray, FloatArray, Precision
from qfast.circuit import Circuit, Observable, Operator, Parameter, PauliSum
from qfast.engines import CancelToken, PreparedObservable
from qfast.engines.interface import BatchedCircuit
from qfast.engines.memory import allocate_state, check_memory, state_bytes
from qfast.errors import CircuitError, EngineError, InputError
from qfast.noise import NoiseModel
from qfast.simulation.compiled import Compiled, compiled_for
from qfast.simulation.gradient import Adjoint, flat_observables, gates_of
from qfast.simulation.light_cone import LightCones
from qfast.simulation.noisy import check_noise, check_noisy_method, sample_noisy
from qfast.simulation.prepared_observables import Observables, measurable
from qfast.simulation.run_settings import RunSettings, checked_shots, run_settings
from qfast.simulation.samples import Samples
from qfast.simulation.seeds import chosen_seed, derived_seed
from qfast.simulation.shift_rule import ShiftRule, shifted_gradients
from qfast.simulation.statevector import Statevector
from qfast.simulation.terminal_sampling import Method, Output
from qfast.simulation.verbs import run_shots, run_state
from qfast.simulation.walk import MAX_LOOP_PASSES

__all__ = ["Program", "compile"]

_SMALL_QUBITS = 12  # a state that needs no look at the memory limits: 64 KiB


class Program:
    """A circuit prepared for one engine in one precision. Made by `compile`.

    Attributes
    ----------
    parameters : tuple of Parameter
        The order of parameter values.
    num_qubits : int
    precision : {"complex64", "complex128"}
    engine : str
        The engine that runs it.

    Notes
    -----
    Values are an array of shape (p,), or (m, p) for m runs; a mapping from names to numbers is taken for (p,). A
    program does not follow later changes of the circuit. Thread-safe.

    Examples
    --------
    >>> import numpy as np
    >>> from qfast.circuit import Circuit, Parameter, PauliSum
    >>> program = compile(Circuit(1).ry(Parameter("theta"), 0), engine="reference")
    >>> program.run([np.pi / 2]).probabilities()
    array([0.5, 0.5])
    >>> program.expectation([[0.0], [np.pi]], PauliSum([("Z", [0])]))
    array([ 1., -1.])
    """

    __slots__ = ("_adjoint", "_circuit", "_compiled", "_cones", "_quick", "_settings")

    def __init__(self, compiled: Compiled, settings: RunSettings, circuit: Circuit) -> None:
        self._compiled = compiled
        self._settings = settings
        self._circuit = compiled.copy_of(circuit)  # gradients take theirs from it when they are asked for
        self._adjoint: Adjoint | None = None
        self._cones = LightCones()
        # The last observable that one row was measured with, and the engine's way to do so again.
        self._quick: tuple[Observables, Callable[[Any], float | complex | None]] | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self._compiled.parameters

    @property
    def num_qubits(self) -> int:
        return self._compiled.num_qubits

    @property
    def precision(self) -> Precision:
        return self._compiled.precision

    @property
    def engine(self) -> str:
        return self._settings.engine.name

    @property
    def isa(self) -> str | None:
        """The native engine's instruction set; None for the others."""
        return self._settings.engine.isa

    def explain(self) -> dict[str, Any]:
        """Return the plan of each stretch of gates."""
        return {"segments": [segment.explain() for segment in self._compiled.segments]}

    # --- states -------------------------------------------------------------------------------------------------------

    def run(
        self,
        values: Any = None,
        *,
        initial_state: Any = None,
        out: Any = None,
        cancel: CancelToken | None = None,
    ) -> Any:
        """Return the state, or the states.

        Parameters
        ----------
        values : array_like of float, shape (p,) or (m, p), or mapping
        initial_state, cancel
            As for `simulate`.
        out : ndarray, shape (2**n,) or (m, 2**n), optional
            Of the program's precision, C-contiguous; the result is written into it.

        Returns
        -------
        Statevector
            For (p,).
        ndarray, complex, shape (m, 2**n)
            For (m, p).

        Raises
        ------
        CapacityError
            The states do not fit; `iter_run` needs one at a time.
        CircuitError
            The circuit measures or resets in the middle.
        """
        self._check_static("run")
        table = self._compiled.table(values)
        if table.ndim == 1:
            return run_state(self._compiled, self._settings, table, initial_state, out, cancel=cancel)
        self._check_policy()
        shape = (len(table), 1 << self.num_qubits)
        if out is None:
            size = state_bytes(self.num_qubits, self.precision)
            what = f"{shape[0]} states of {self.num_qubits} qubits (iter_run needs one at a time)"
            check_memory(
                shape[0] * size, what, amplitude_bytes=size >> self.num_qubits, limit_bytes=self._settings.max_bytes
            )
            out = np.empty(shape, dtype=self.precision)
        elif not isinstance(out, np.ndarray) or out.shape != shape or not out.flags.c_contiguous:
            given = getattr(out, "shape", type(out).__name__)
            raise InputError(f"out must be a C-contiguous array of shape {shape}, {given} given")
        batch = self._batch(initial_state)
        if batch is not None:
            batch.states(table, out, threads=self._settings.threads, cancel=cancel)
            return out
        for row, result in zip(table, out, strict=True):
            run_state(self._compiled, self._settings, row, initial_state, result, cancel=cancel)
        return out

    def iter_run(
        self, values: ArrayLike, *, initial_state: Any = None, cancel: CancelToken | None = None
    ) -> Iterator[Statevector]:
        """Yield the state of each row of values, shape (m, p); every state has memory of its own."""
        self._check_static("iter_run")
        self._check_policy()
        for row in self._rows(values):
            yield run_state(self._compiled, self._settings, row, initial_state, cancel=cancel)

    # --- numbers ------------------------------------------------------------------------------------------------------

    def expectation(
        self,
        values: Any,
        observable: Observables,
        *,
        initial_state: Any = None,
        cancel: CancelToken | None = None,
    ) -> Any:
        """Return ⟨ψ(values)|O|ψ(values)⟩.

        Parameters
        ----------
        values : array_like of float, shape (p,) or (m, p), or mapping
        observable : PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator
            Or a sequence of them, nested or not, of shape s.
        initial_state, cancel
            As for `simulate`.

        Returns
        -------
        float or complex
            For (p,) and one observable; complex where it is not Hermitian.
        ndarray, shape s, (m,) or (m, *s)
            For several observables, several rows of values, or both.

        Notes
        -----
        Of more than 12 qubits, a Pauli sum is measured on its light cone alone, where that has fewer.
        """
        quick = self._quick
        is_known = quick is not None and quick[0] is observable
        if quick is not None and is_known and initial_state is None and cancel is None:
            found = quick[1](values)
            if found is not None:
                return found
        self._check_static("expectation")
        table = self._compiled.table(values)
        if self.num_qubits > _SMALL_QUBITS and initial_state is None and isinstance(observable, PauliSum):
            seen = self._cones.of(observable, self._circuit, self._alike)
            if seen is not None:
                cone, program = seen
                return program.expectation(cone.values(table), cone.observable(observable), cancel=cancel)
        batch = self._batch(initial_state, rows=table.ndim)
        if batch is not None and isinstance(observable, PauliSum | Operator):
            wanted = measurable(observable, self._settings.engine, self.num_qubits)
            if wanted.strings is not None:
                if not is_known and table.ndim == 1 and self.num_qubits <= _SMALL_QUBITS:
                    threads = self._settings.threads
                    self._quick = observable, batch.quick_expectation(wanted.strings, wanted.is_hermitian, threads)
                return self._batched_expectation(batch, table, wanted.strings, wanted.is_hermitian, cancel)
        return self._of_states(table, initial_state, cancel, lambda state: state.expectation(observable, cancel=cancel))

    def variance(
        self, values: Any, observable: Observables, *, initial_state: Any = None, cancel: CancelToken | None = None
    ) -> Any:
        """Return ⟨O†O⟩ - |⟨O⟩|² (`Statevector.variance`); parameters and shapes as for `expectation`."""
        self._check_static("variance")
        table = self._compiled.table(values)
        return self._of_states(table, initial_state, cancel, lambda state: state.variance(observable, cancel=cancel))

    def covariance(
        self,
        values: Any,
        observables: Sequence[Observable],
        *,
        initial_state: Any = None,
        cancel: CancelToken | None = None,
    ) -> AnyArray:
        """Return the covariance matrix of k observables at parameter values.

        Parameters
        ----------
        values, initial_state, cancel
            As for `expectation`.
        observables : sequence of k observables

        Returns
        -------
        ndarray of float64 or complex128, shape (k, k), or (m, k, k) for values of shape (m, p)
            See `Statevector.covariance`.
        """
        self._check_static("covariance")
        table = self._compiled.table(values)
        found: AnyArray = self._of_states(
            table, initial_state, cancel, lambda state: state.covariance(observables, cancel=cancel)
        )
        return found

    def _of_states(
        self, table: FloatArray, initial_state: Any, cancel: CancelToken | None, read: Callable[[Statevector], Any]
    ) -> Any:
        """Return what `read` finds in the state of each row; the states share one buffer."""
        if table.ndim == 1:
            return read(run_state(self._compiled, self._settings, table, initial_state, cancel=cancel))
        self._check_policy()
        self._compiled.check_memory(self._settings)
        buffer = allocate_state(self.num_qubits, self.precision)
        return np.array(
            [
                read(run_state(self._compiled, self._settings, row, initial_state, buffer, cancel=cancel))
                for row in table
            ]
        )

    def _batched_expectation(
        self,
        batch: BatchedCircuit,
        table: FloatArray,
        observable: PreparedObservable,
        is_hermitian: bool,
        cancel: CancelToken | None,
    ) -> Any:
        if self.num_qubits > _SMALL_QUBITS:
            self._compiled.check_memory(self._settings)
        rows = table if table.ndim == 2 else table[None, :]
        found = batch.expectations(rows, observable, threads=self._settings.threads, cancel=cancel)
        if is_hermitian:
            found = found.real
        return found if table.ndim == 2 else found[0].item()

    def sample(
        self,
        values: Any = None,
        shots: int = 1024,
        seed: int | None = None,
        *,
        initial_state: Any = None,
        output: Output = "bits",
        method: Method = "philox",
        first_shot: int = 0,
        noise: NoiseModel | None = None,
        cancel: CancelToken | None = None,
    ) -> Any:
        """Run the circuit's measurements; see `qfast.sample`.

        Parameters
        ----------
        values : array_like of float, shape (p,) or (m, p), or mapping
        shots : int
            Of each row of values.
        seed : int, optional
            Row i of (m, p) has the seed ``derived_seed(seed, "row", i)`` of `qfast.simulation.seeds`.

        Returns
        -------
        Samples, or a list of m of them
        """
        table = self._compiled.table(values)
        start, count = chosen_seed(seed), checked_shots(shots)
        options: dict[str, Any] = {
            "initial_state": initial_state, "output": output, "first_shot": first_shot, "cancel": cancel,
        }  # fmt: skip
        is_noisy = noise is not None and not check_noise(noise).is_empty
        if is_noisy:
            check_noisy_method(method)

        def draw(row: FloatArray, row_seed: int) -> Samples:
            if noise is not None and is_noisy:
                return sample_noisy(
                    self._circuit, noise, self._settings, row.tolist(), count, row_seed,
                    max_loop_passes=MAX_LOOP_PASSES, **options,
                )  # fmt: skip
            return run_shots(self._compiled, self._settings, row, count, row_seed, method=method, **options)

        if table.ndim == 1:
            return draw(table, start)
        self._check_policy()
        return [draw(row, derived_seed(start, "row", place)) for place, row in enumerate(table)]

    # --- gradients ----------------------------------------------------------------------------------------------------

    def gradient(
        self,
        values: Any,
        observable: Observable | Sequence[Observable],
        *,
        method: Literal["adjoint", "parameter_shift"] = "adjoint",
        shots: int | None = None,
        seed: int | None = None,
        initial_state: Any = None,
        cancel: CancelToken | None = None,
    ) -> FloatArray:
        """Return the derivatives of ⟨ψ(values)|O|ψ(values)⟩ by all parameters.

        Parameters
        ----------
        values : array_like of float, shape (p,) or (m, p), or mapping
        observable : PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator
            Or a sequence of k of them; all Hermitian. With shots: Pauli sums.
        method : {"adjoint", "parameter_shift"}
            Adjoint: exact, about three runs' time for all parameters, memory of two states. Parameter shift: two runs
            for each gate that depends on a parameter (four where it has controls).
        shots : int, optional
            With ``"parameter_shift"``: estimate each expectation value from so many shots for each group of commuting
            terms, as a device would.
        seed : int, optional
            Of the shots.
        initial_state, cancel
            As for `simulate`.

        Returns
        -------
        ndarray of float64, shape (p,), (k, p), (m, p) or (m, k, p)
            Axes as the arguments have them.

        Raises
        ------
        ObservableError
            Not Hermitian, or on a qubit that the circuit does not have.
        CircuitError
            The circuit measures, resets or decides before its end, or (adjoint) a gate with a symbolic parameter has
            more than 12 extra controls.
        ParameterError
            An expression has no finite derivative at these values.
        CapacityError
            The states do not fit.

        Notes
        -----
        Every gate with parameters is rewritten as rotations exp(-i a/2 K), K a Pauli string, a projector or both
        together; each control of a rotation doubles the strings to be read. Expressions and shared parameters follow
        by the chain rule. Source: Jones and Gacon, arXiv:2009.02823.

        Examples
        --------
        >>> import numpy as np
        >>> from qfast.circuit import Circuit, Parameter, PauliSum
        >>> program = compile(Circuit(1).ry(2 * Parameter("theta"), 0))
        >>> program.gradient([np.pi / 8], PauliSum([("Z", [0])])).round(12)
        array([-1.41421356])
        """
        if method == "adjoint":
            if shots is not None:
                raise InputError("gradient: the adjoint method takes no shots; use method='parameter_shift'")
            options: dict[str, Any] = {"initial_state": initial_state, "cancel": cancel}
            gradients: FloatArray = self.value_and_gradient(values, observable, **options)[1]
            return gradients
        if method != "parameter_shift":
            raise InputError(f"gradient: method {method!r} is unknown; 'adjoint' and 'parameter_shift' are known")
        return self._shifted_gradient(values, observable, shots, seed, initial_state, cancel)

    def value_and_gradient(
        self,
        values: Any,
        observable: Observable | Sequence[Observable],
        *,
        initial_state: Any = None,
        cancel: CancelToken | None = None,
    ) -> tuple[Any, FloatArray]:
        """Return expectation values and their gradients at the cost of the gradients; see `expectation`, `gradient`."""
        table = self._compiled.table(values)
        observables, several = flat_observables(observable)
        rows = table if table.ndim == 2 else table[None, :]
        found, gradients = self._way_back().gradients(rows, observables, initial_state, cancel)
        if not several:
            found, gradients = found[:, 0], gradients[:, 0]
        if table.ndim == 2:
            return found, gradients
        return (found[0] if several else float(found[0])), gradients[0]

    def vjp(
        self,
        values: Any,
        observables: Observable | Sequence[Observable],
        cotangents: ArrayLike,
        *,
        initial_state: Any = None,
        cancel: CancelToken | None = None,
    ) -> FloatArray:
        """Return the vector-Jacobian product Σ_k cotangent_k · gradient of ⟨O_k⟩.

        At the cost of one gradient for all Pauli sums together, and one for each other observable.

        Parameters
        ----------
        values : array_like of float, shape (p,) or (m, p), or mapping
        observables : observable, or sequence of k observables
        cotangents : array_like of float
            Of the shape that `expectation` returns: (), (k,), (m,) or (m, k).
        initial_state, cancel
            As for `simulate`.

        Returns
        -------
        ndarray of float64, shape (p,) or (m, p)
        """
        table = self._compiled.table(values)
        listed, several = flat_observables(observables)
        weights = np.asarray(cotangents, dtype=np.float64)
        shape = table.shape[:-1] + ((len(listed),) if several else ())
        if weights.shape != shape or not np.isfinite(weights).all():
            raise InputError(
                f"vjp: one finite cotangent for each expectation value, shape {shape}, is needed, an array of shape "
                f"{weights.shape} given"
            )
        options: dict[str, Any] = {"initial_state": initial_state, "cancel": cancel}
        if len(listed) == 1:
            gradient = self.gradient(table, listed[0], **options)
            return weights.reshape(*table.shape[:-1], 1) * gradient
        if table.ndim == 1:
            return self._weighted_gradient(table, listed, weights, options)
        rows = [self._weighted_gradient(row, listed, some, options) for row, some in zip(table, weights, strict=True)]
        return np.array(rows).reshape(table.shape)

    def _weighted_gradient(
        self, values: FloatArray, listed: Sequence[Observable], weights: FloatArray, options: dict[str, Any]
    ) -> FloatArray:
        """Return the gradient of Σ weight ⟨O⟩ at values of shape (p,)."""
        pairs = list(zip(weights.tolist(), listed, strict=True))
        sums = [weight * one for weight, one in pairs if isinstance(one, PauliSum)]
        others = [(weight, one) for weight, one in pairs if not isinstance(one, PauliSum)]
        wanted = [sum(sums, PauliSum()).simplify(0.0), *(one for _, one in others)]
        found: FloatArray = np.array([1.0, *(weight for weight, _ in others)]) @ self.gradient(
            values, wanted, **options
        )
        return found

    def metric_tensor(self, values: Any, *, initial_state: Any = None, cancel: CancelToken | None = None) -> FloatArray:
        """Return the Fubini-Study metric, a quarter of the quantum Fisher information matrix.

        Parameters
        ----------
        values : array_like of float, shape (p,), or mapping
        initial_state, cancel
            As for `simulate`.

        Returns
        -------
        ndarray of float64, shape (p, p)
            Re⟨∂_i ψ|∂_j ψ⟩ - ⟨∂_i ψ|ψ⟩⟨ψ|∂_j ψ⟩, symmetric.

        Notes
        -----
        Memory of three states; time of about p gradients. Source: Stokes et al. 2020, doi:10.22331/q-2020-05-25-269.
        """
        table = self._compiled.table(values)
        if table.ndim != 1:
            raise InputError(f"metric_tensor: values of shape (p,) are needed, {table.shape} given")
        return self._way_back().geometric_tensor(table, initial_state, cancel)

    def _way_back(self) -> Adjoint:
        if self._adjoint is None:
            self._adjoint = Adjoint(gates_of(self._circuit), self._compiled, self._settings)
        return self._adjoint

    def _shifted_gradient(
        self,
        values: Any,
        observable: Observable | Sequence[Observable],
        shots: int | None,
        seed: int | None,
        initial_state: Any,
        cancel: CancelToken | None,
    ) -> FloatArray:
        table = self._compiled.table(values)
        rows = table if table.ndim == 2 else table[None, :]
        observables, several = flat_observables(observable)
        rule = ShiftRule(gates_of(self._circuit), self.parameters)
        start = 0 if shots is None else chosen_seed(seed)
        options = {"initial_state": initial_state, "cancel": cancel}
        gradients = shifted_gradients(rule, self._alike, rows, observables, shots, start, options)
        if not several:
            gradients = gradients[:, 0]
        return gradients if table.ndim == 2 else gradients[0]

    def _alike(self, circuit: Circuit) -> Program:
        """Return another circuit's program with the same settings."""
        return Program(compiled_for(circuit, self._settings.engine, self.precision), self._settings, circuit)

    # --- checks -------------------------------------------------------------------------------------------------------

    def _rows(self, values: ArrayLike) -> FloatArray:
        table = self._compiled.table(values)
        return table if table.ndim == 2 else table[None, :]

    def _check_static(self, what: str) -> None:
        if not self._compiled.script.is_static:
            raise CircuitError(
                f"Program.{what} needs a circuit that measures at the end only; this one measures, resets or decides "
                "in the middle: use sample, or qfast.simulate for the state of one shot"
            )

    def _batch(self, initial_state: Any, rows: int = 2) -> BatchedCircuit | None:
        """Return the engine's way to run many rows at once, where it has one and the policy (for rows) wants it."""
        if initial_state is not None or len(self._compiled.segments) != 1:
            return None
        if rows == 2 and config.get("vectorization") == "off":
            return None
        return self._compiled.segments[0].batch()

    def _check_policy(self) -> None:
        if config.get("vectorization") == "force" and self._batch(None) is None:
            raise EngineError(
                f"vectorization is 'force', but engine {self.engine!r} runs parameter sets one by one; "
                "set vectorization to 'auto' or 'off'"
            )

    def __repr__(self) -> str:
        return (
            f"<Program: {self.num_qubits} qubits, {len(self.parameters)} parameters, {self.precision}, "
            f"engine {self.engine!r}>"
        )


def compile(
    circuit: Circuit,
    *,
    engine: str | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Program:
    """Prepare a circuit for many runs.

    Parameters
    ----------
    circuit : Circuit
    engine, precision, threads, isa
        As for `simulate`; fixed for all runs of the program.

    Returns
    -------
    Program

    Raises
    ------
    CircuitError, CapacityError, EngineError
        As for `simulate`.
    """
    settings = run_settings(engine, precision, threads, isa)
    return Program(compiled_for(circuit, settings.engine, settings.precision), settings, circuit)

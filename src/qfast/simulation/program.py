"""`compile`: a circuit prepared once, run for many parameter values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from qfast import config
from qfast._typing import AnyArray, FloatArray, Precision, PrecisionLike
from qfast.circuit import Circuit, Observable, Parameter, PauliSum
from qfast.circuit.value import AnyCircuit, CircuitValue
from qfast.engines import CancelToken
from qfast.engines.interface import BatchedCircuit
from qfast.engines.memory import check_memory, state_bytes
from qfast.errors import CircuitError, EngineError, InputError
from qfast.noise import NoiseModel
from qfast.simulation.asks import Ask, Draws, Expectation, Output, Shots, State
from qfast.simulation.door import Prepared, runs_of
from qfast.simulation.gradient import Adjoint, flat_observables, gates_of
from qfast.simulation.prepared_observables import Observables
from qfast.simulation.request import Method, Request, checked_circuit, checked_noise, table_of
from qfast.simulation.run_settings import RunSettings, run_settings
from qfast.simulation.seeds import chosen_seed, derived_seed
from qfast.simulation.shift_rule import ShiftRule, shifted_gradients
from qfast.simulation.statevector import Statevector
from qfast.simulation.ways.interface import Run
from qfast.simulation.ways.terminal import Terminal
from qfast.simulation.working_states import initial_array

__all__ = ["Program", "compile"]

_Place = tuple[str | None, int | None, str | None]
"""Engine, threads and ISA, each None where the settings decide."""


class Program:
    """A circuit prepared for one engine in one precision. Made by `compile`.

    Attributes
    ----------
    circuit : CircuitValue
        As it was when the program was made.
    parameters : tuple of Parameter
        The order of parameter values.
    num_qubits : int
    precision : {"complex64", "complex128"}
    engine : str
        The engine that runs it.

    Notes
    -----
    Values are an array of shape (p,), or (m, p) for m runs; a mapping from names to numbers is taken for (p,). A
    program does not follow later changes of the circuit. Thread-safe. It pickles what was asked, the circuit and the
    arguments of `compile`; where the pickle is read, it is prepared again.

    Examples
    --------
    >>> import numpy as np
    >>> from qfast.circuit import Circuit, Parameter, PauliSum
    >>> program = compile(Circuit(1).ry(Parameter("theta"), 0), engine="reference")
    >>> program.simulate([np.pi / 2]).probabilities()
    array([0.5, 0.5])
    >>> program.expectation([[0.0], [np.pi]], PauliSum([("Z", [0])]))
    array([ 1., -1.])
    """

    __slots__ = ("_adjoint", "_place", "_quick", "_runs", "_settings", "circuit")

    circuit: CircuitValue

    def __init__(self, circuit: AnyCircuit, settings: RunSettings, place: _Place = (None, None, None)) -> None:
        self.circuit = checked_circuit(circuit)
        self._settings = settings
        self._place = place
        self._runs = runs_of(self.circuit, None, settings.engine, settings.precision)
        self._runs.prepare(State())
        self._adjoint: Adjoint | None = None
        # The last observable that one row was measured with, and the engine's way to do so again.
        self._quick: tuple[Observables, Callable[[Any], float | complex | None]] | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.circuit.parameters

    @property
    def num_qubits(self) -> int:
        return self.circuit.num_qubits

    @property
    def precision(self) -> Precision:
        return self._settings.precision

    @property
    def engine(self) -> str:
        return self._settings.engine.name

    @property
    def isa(self) -> str | None:
        """The native engine's instruction set; None for the others."""
        return self._settings.engine.isa

    def explain(self) -> dict[str, Any]:
        """Return the way that shots take, and the plan of each stretch of gates."""
        prepared = self._runs.prepare(Shots(1))
        plans = [segment.explain() for segment in prepared.way.segments]
        return {"method": prepared.way.method, "why": prepared.why, "segments": plans}

    # --- states -------------------------------------------------------------------------------------------------------

    def simulate(
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
            As for `qfast.simulate`.
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
            The states do not fit; `iter_simulate` needs one at a time.
        CircuitError
            The circuit measures or resets in the middle.
        """
        way = self._terminal("simulate")
        table = self._table(values)
        prepared = self._runs.prepare(State())
        if table.ndim == 1:
            return prepared.run(self._request(State(), table, initial_state), self._settings, cancel, out)
        self._check_policy()
        shape = (len(table), 1 << self.num_qubits)
        if out is None:
            size = state_bytes(self.num_qubits, self.precision)
            what = f"{shape[0]} states of {self.num_qubits} qubits (iter_simulate needs one at a time)"
            check_memory(
                shape[0] * size, what, amplitude_bytes=size >> self.num_qubits, limit_bytes=self._settings.max_bytes
            )
            out = np.empty(shape, dtype=self.precision)
        elif not isinstance(out, np.ndarray) or out.shape != shape or not out.flags.c_contiguous:
            given = getattr(out, "shape", type(out).__name__)
            raise InputError(f"out must be a C-contiguous array of shape {shape}, {given} given")
        batch = way.whole.batch() if initial_state is None and _wants_lanes() else None
        if batch is not None:
            batch.states(table, out, threads=self._settings.threads, cancel=cancel)
            return out
        request = self._request(State(), table[0] if len(table) else table, initial_state)
        for row, result in zip(table, out, strict=True):
            prepared.run(request.at(row), self._settings, cancel, result)
        return out

    def iter_simulate(
        self, values: ArrayLike, *, initial_state: Any = None, cancel: CancelToken | None = None
    ) -> Iterator[Statevector]:
        """Yield the state of each row of values, shape (m, p); every state has memory of its own."""
        self._terminal("iter_simulate")
        self._check_policy()
        prepared = self._runs.prepare(State())
        table = self._table(values)
        for row in table if table.ndim == 2 else table[None, :]:
            yield prepared.run(self._request(State(), row, initial_state), self._settings, cancel)

    # --- numbers ------------------------------------------------------------------------------------------------------

    def expectation(
        self,
        values: Any,
        observable: Observables,
        *,
        initial_state: Any = None,
        noise: NoiseModel | None = None,
        cancel: CancelToken | None = None,
    ) -> Any:
        """Return ⟨ψ(values)|O|ψ(values)⟩.

        Parameters
        ----------
        values : array_like of float, shape (p,) or (m, p), or mapping
        observable : PauliSum, Projector, DiagonalOperator, DenseOperator or SparseOperator
            Or a sequence of them, nested or not, of shape s.
        initial_state, cancel
            As for `qfast.simulate`.
        noise : NoiseModel, optional
            The value is then the exact one of the density matrix.

        Returns
        -------
        float or complex
            For (p,) and one observable; complex where it is not Hermitian.
        ndarray, shape s, (m,) or (m, *s)
            For several observables, several rows of values, or both.

        Notes
        -----
        Where the circuit measures in the middle, the value is the mean over its branches, whose number may grow with
        every measurement. Of more than 12 qubits, a Pauli sum is measured on its light cone alone, where that has
        fewer.
        """
        quick = self._quick
        is_plain = initial_state is None and cancel is None and noise is None
        if quick is not None and is_plain and quick[0] is observable:
            found = quick[1](values)
            if found is not None:
                return found
        table = self._table(values)
        ask = Expectation.of(observable)
        model = None if noise is None else checked_noise(noise)
        runs = self._runs if model is None else runs_of(self.circuit, model, self._settings.engine, self.precision)
        prepared = runs.prepare(ask)
        request = self._request(ask, table if table.ndim == 1 else table[:1].ravel(), initial_state, model)
        if table.ndim == 1:
            if is_plain and not ask.shape and (quick is None or quick[0] is not observable):
                self._remember(observable, prepared)
            return prepared.run(request, self._settings, cancel).array()
        self._check_policy()
        if isinstance(prepared.way, Terminal):
            asked = Run(request, self._settings, prepared.way.method, prepared.why, cancel)
            rows = prepared.way.expectation_rows(asked, table, ask.observables, in_lanes=_wants_lanes())
            return rows.reshape(len(table), *ask.shape)
        return np.array([prepared.run(request.at(row), self._settings, cancel).array() for row in table])

    def _remember(self, observable: Observables, prepared: Prepared) -> None:
        """Keep the engine's shortest way to the last observable."""
        if isinstance(prepared.way, Terminal) and isinstance(observable, Observable):
            quick = prepared.way.quick_expectation(observable, self._settings)
            self._quick = None if quick is None else (observable, quick)

    def variance(
        self, values: Any, observable: Observables, *, initial_state: Any = None, cancel: CancelToken | None = None
    ) -> Any:
        """Return ⟨O†O⟩ - |⟨O⟩|² (`Statevector.variance`); parameters and shapes as for `expectation`."""
        return self._of_states(
            values, initial_state, cancel, "variance", lambda state: state.variance(observable, cancel=cancel)
        )

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
        found: AnyArray = self._of_states(
            values, initial_state, cancel, "covariance", lambda state: state.covariance(observables, cancel=cancel)
        )
        return found

    def _of_states(
        self, values: Any, initial_state: Any, cancel: CancelToken | None, what: str, read: Callable[[Statevector], Any]
    ) -> Any:
        """Return what `read` finds in the state of each row; the states share one buffer."""
        way, table = self._terminal(what), self._table(values)
        rows = table if table.ndim == 2 else table[None, :]
        if table.ndim == 2:
            self._check_policy()
        asked = Run(
            self._request(State(), rows[0] if len(rows) else table, initial_state),
            self._settings,
            way.method,
            "",
            cancel,
        )
        found = [read(state) for state in way.states_of_rows(asked, rows)]
        return np.array(found) if table.ndim == 2 else found[0]

    def sample(
        self,
        values: Any = None,
        shots: int = 1024,
        seed: int | None = None,
        *,
        initial_state: Any = None,
        output: Output = "bits",
        draws: Draws = "philox",
        first_shot: int = 0,
        noise: NoiseModel | None = None,
        method: Method = "auto",
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
        table = self._table(values)
        start = chosen_seed(seed)
        ask = Shots(shots, start, output, draws, first_shot)
        model = None if noise is None else checked_noise(noise)
        runs = self._runs if model is None else runs_of(self.circuit, model, self._settings.engine, self.precision)
        prepared = runs.prepare(ask, method)
        if table.ndim == 1:
            return prepared.run(self._request(ask, table, initial_state, model), self._settings, cancel)
        self._check_policy()
        found = []
        for place, row in enumerate(table):
            own = Shots(ask.shots, derived_seed(start, "row", place), output, draws, ask.first_shot)
            found.append(prepared.run(self._request(own, row, initial_state, model), self._settings, cancel))
        return found

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
        table = self._table(values)
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
        table = self._table(values)
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
        table = self._table(values)
        if table.ndim != 1:
            raise InputError(f"metric_tensor: values of shape (p,) are needed, {table.shape} given")
        return self._way_back().geometric_tensor(table, initial_state, cancel)

    def _way_back(self) -> Adjoint:
        if self._adjoint is None:
            self._adjoint = Adjoint(gates_of(self.circuit), self._runs.terminal().whole, self._settings)
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
        table = self._table(values)
        rows = table if table.ndim == 2 else table[None, :]
        observables, several = flat_observables(observable)
        rule = ShiftRule(gates_of(self.circuit), self.parameters)
        start = 0 if shots is None else chosen_seed(seed)
        options = {"initial_state": initial_state, "cancel": cancel}
        gradients = shifted_gradients(rule, self._alike, rows, observables, shots, start, options)
        if not several:
            gradients = gradients[:, 0]
        return gradients if table.ndim == 2 else gradients[0]

    def _alike(self, circuit: Circuit) -> Program:
        """Return another circuit's program with the same settings."""
        return Program(circuit, self._settings)

    # --- checks and parts ---------------------------------------------------------------------------------------------

    def _table(self, values: Any) -> FloatArray:
        return table_of(self.circuit.parameters, values)

    def _request(self, ask: Ask, values: FloatArray, initial_state: Any, noise: NoiseModel | None = None) -> Request:
        initial = None if initial_state is None else initial_array(initial_state, self.num_qubits)
        return Request(ask, self.circuit, values, noise, initial, self.precision)

    def _terminal(self, what: str) -> Terminal:
        if not self._runs.script.is_static:
            raise CircuitError(
                f"Program.{what} needs a circuit that measures at the end only; this one measures, resets or decides "
                "in the middle: use sample or expectation, or qfast.simulate for the state of one shot"
            )
        return self._runs.terminal()

    def _batch(self) -> BatchedCircuit | None:
        """Return the engine's way to run many rows at once, where it has one."""
        return self._runs.terminal().packed.batch() if self._runs.script.is_static else None

    def _check_policy(self) -> None:
        if config.get("vectorization") == "force" and self._batch() is None:
            raise EngineError(
                f"vectorization is 'force', but engine {self.engine!r} runs parameter sets one by one; "
                "set vectorization to 'auto' or 'off'"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _compiled_again, (self.circuit, self.precision, *self._place)

    def __repr__(self) -> str:
        return (
            f"<Program: {self.num_qubits} qubits, {len(self.parameters)} parameters, {self.precision}, "
            f"engine {self.engine!r}>"
        )


def _wants_lanes() -> bool:
    """Whether the setting allows rows to run side by side."""
    return bool(config.get("vectorization") != "off")


def _compiled_again(
    circuit: CircuitValue, precision: Precision, engine: str | None, threads: int | None, isa: str | None
) -> Program:
    return Program(circuit, run_settings(engine, precision, threads, isa), (engine, threads, isa))


def compile(
    circuit: AnyCircuit,
    *,
    engine: str | None = None,
    precision: PrecisionLike | None = None,
    threads: int | None = None,
    isa: str | None = None,
) -> Program:
    """Prepare a circuit for many runs.

    Parameters
    ----------
    circuit : Circuit
    engine, precision, threads, isa
        As for `qfast.simulate`; fixed for all runs of the program.

    Returns
    -------
    Program

    Raises
    ------
    CircuitError, CapacityError, EngineError
        As for `qfast.simulate`.
    """
    return Program(circuit, run_settings(engine, precision, threads, isa), (engine, threads, isa))

"""Circuits that measure at their end only: one run of the engine, and everything is read from the final state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, get_args

import numpy as np

from qfast._typing import AnyArray, FloatArray, Precision
from qfast.circuit import Circuit, Observable, Operator, PauliSum
from qfast.circuit.value import CircuitValue
from qfast.engines import Engine, PreparedCircuit
from qfast.engines.memory import allocate_state
from qfast.simulation.asks import Amplitudes, Distribution, Expectation, Shots, Variance, What
from qfast.simulation.compiled import Compiled
from qfast.simulation.light_cone import LightCone, light_cone
from qfast.simulation.packing import Packing, pack_script, touched_qubits
from qfast.simulation.populations import Weight
from qfast.simulation.prepared_observables import Measurable, measurable, shaped, variance
from qfast.simulation.request import Method
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import Samples
from qfast.simulation.script import Script, script_of
from qfast.simulation.statevector import Statevector
from qfast.simulation.terminal_sampling import check_outcomes, draw_shots, outcome_table
from qfast.simulation.walk import add_outcomes
from qfast.simulation.ways.interface import Run
from qfast.simulation.ways.means import Means
from qfast.simulation.working_states import working_state

__all__ = ["Terminal"]

_SMALL_QUBITS = 12  # a state of 64 KiB is not worth the search for a light cone
_KEPT_CONES = 64


class Terminal:
    """See `interface.Way`. Programs read many rows of values by `expectation_rows` and `rows_of_states`.

    Attributes
    ----------
    packed : Compiled
        The circuit on the qubits that something touches.
    """

    method: ClassVar[Method] = "terminal"
    asks: ClassVar[frozenset[What]] = frozenset(get_args(What))

    def __init__(self, circuit: CircuitValue, script: Script, engine: Engine, precision: Precision) -> None:
        self._script, self._parameters = script, circuit.parameters
        self._engine, self._precision = engine, precision
        self._packing = touched_qubits(script)
        self._whole = Packing(tuple(range(script.num_qubits)), script.num_qubits)
        self.packed = self._compiled(self._packing)
        self._others: dict[tuple[int, ...], Compiled] = {}
        self._cones: dict[int, tuple[LightCone, Terminal] | None] = {}

    @property
    def segments(self) -> list[PreparedCircuit]:
        """The prepared gates."""
        return self.packed.segments

    @property
    def whole(self) -> Compiled:
        """The circuit on all its qubits."""
        return self._on(self._whole)

    def _compiled(self, packing: Packing) -> Compiled:
        return Compiled(pack_script(self._script, packing), self._parameters, self._engine, self._precision)

    def _on(self, packing: Packing) -> Compiled:
        """Return the circuit on some qubits, those that something touches among them."""
        if packing.qubits == self._packing.qubits:
            return self.packed
        found = self._others.get(packing.qubits)
        if found is None:
            found = self._others[packing.qubits] = self._compiled(packing)
        return found

    def _for_outcomes(self, run: Run) -> Compiled:
        return self.packed if run.request.initial is None else self.whole

    def _packing_for(self, run: Run, observables: Sequence[Observable]) -> Packing:
        """Return the qubits without which observables cannot be read."""
        if run.request.initial is not None:
            return self._whole
        wanted: set[int] = set()
        for observable in observables:
            if isinstance(observable, Operator):
                observable.check_fits(self._script.num_qubits)
                wanted.update(observable.qubits)
        if wanted <= set(self._packing.qubits):
            return self._packing
        return Packing(tuple(sorted(wanted.union(self._packing.qubits))), self._script.num_qubits)

    # --- what is asked ------------------------------------------------------------------------------------------------

    def state(self, run: Run) -> Statevector:
        """Return the final state."""
        compiled = self.whole
        state, peak_bytes, times = self._final_state(run, compiled, run.out)
        made = run.made(compiled.only_segment, peak_bytes=peak_bytes, times=times)
        return Statevector._of_run(state, run.settings, made)

    def shots(self, run: Run) -> Samples:
        """Return what shots measure."""
        ask = run.request.ask
        assert isinstance(ask, Shots)
        compiled = self._for_outcomes(run)
        script = compiled.script
        state, peak_bytes, times = self._final_state(run, compiled)
        begun = time.perf_counter()
        rows, histogram = draw_shots(run.settings, state, script.wiring, ask, run.cancel)
        times["sample_s"] = time.perf_counter() - begun
        made = run.made(
            compiled.only_segment, seed=ask.seed, peak_bytes=peak_bytes, times=times,
            shots=ask.shots, first_shot=ask.first_shot, draws=ask.draws,
        )  # fmt: skip
        return Samples(script.registers, rows=rows, histogram=histogram, metadata=made)

    def distribution(self, run: Run) -> dict[str, float]:
        """Return the exact distribution of the classical bits."""
        ask = run.request.ask
        assert isinstance(ask, Distribution)
        compiled = self._for_outcomes(run)
        script = compiled.script
        check_outcomes(script)
        state, _, _ = self._final_state(run, compiled)
        measured = np.array(script.measured, dtype=np.int32)
        weights = self._engine.probabilities(state, measured, threads=run.settings.threads)
        found: dict[int, float] = {}
        add_outcomes(found, script, Weight.one(ask.cutoff), weights)
        return outcome_table(found, script.num_bits)

    def expectation(self, run: Run) -> Means:
        """Return expectation values."""
        ask = run.request.ask
        assert isinstance(ask, Expectation)
        (found,) = self.expectation_rows(run, run.request.values[None, :], ask.observables)
        made = run.made(self.packed.only_segment, times={"prepare_s": self.packed.prepare_s})
        return Means.exact(found.tolist(), ask.shape, made)

    def variance(self, run: Run) -> Any:
        """Return variances."""
        ask = run.request.ask
        assert isinstance(ask, Variance)
        packing = self._packing_for(run, ask.observables)
        compiled = self._on(packing)
        state, _, _ = self._final_state(run, compiled)
        found = []
        for observable in ask.observables:
            wanted = self._measurable(packing, observable)
            found.append(variance(wanted, state, run.settings, run.cancel))
        return shaped(found, ask.shape)

    def amplitudes(self, run: Run) -> AnyArray:
        """Return the amplitudes of basis states."""
        ask = run.request.ask
        assert isinstance(ask, Amplitudes)
        packing = self._packing_for(run, ())
        state, _, _ = self._final_state(run, self._on(packing))
        found = np.zeros(len(ask.states), dtype=self._precision)
        for place, wanted in enumerate(ask.states):
            index = packing.basis_state(wanted)
            if index is not None:
                found[place] = state[index]
        return found

    def _final_state(
        self, run: Run, compiled: Compiled, out: AnyArray | None = None
    ) -> tuple[AnyArray, int, dict[str, float]]:
        """Return the final state, the bytes that it took, and the seconds."""
        request, settings = run.request, run.settings
        peak_bytes = compiled.check_memory(settings, states=out is None)
        state = working_state(out, request.initial, compiled.num_qubits, self._precision)
        begun = time.perf_counter()
        compiled.run_static(state, request.values, request.initial is None, settings.threads, run.cancel)
        return state, peak_bytes, {"prepare_s": compiled.prepare_s, "run_s": time.perf_counter() - begun}

    # --- many rows of values ------------------------------------------------------------------------------------------

    def states_of_rows(self, run: Run, table: FloatArray) -> Iterator[Statevector]:
        """Yield the final state of each row, all in the same memory."""
        buffer = None
        for row in table:
            part = Run(run.request.at(row), run.settings, run.method, run.why, run.cancel, buffer)
            state = self.state(part)
            buffer = state.amplitudes
            yield state

    def expectation_rows(
        self, run: Run, table: FloatArray, observables: Sequence[Observable], *, in_lanes: bool = True
    ) -> AnyArray:
        """Return expectation values at rows of values.

        Parameters
        ----------
        run : Run
            Whose request has the initial state; its values play no part.
        table : ndarray of float64, shape (m, p)
        observables : sequence of k Observable
        in_lanes : bool
            Whether the engine may run rows side by side, where it can.

        Returns
        -------
        ndarray of float64 or complex128, shape (m, k)
            Complex where an observable is not Hermitian.
        """
        packing = self._packing_for(run, observables)
        compiled = self._on(packing)
        if compiled.num_qubits > _SMALL_QUBITS and run.request.initial is None and len(observables) == 1:
            observable = packing.observable(observables[0])
            seen = self._seen_by(observable, compiled) if isinstance(observable, PauliSum) else None
            if seen is not None:
                cone, way = seen
                assert isinstance(observable, PauliSum)
                return way.expectation_rows(run, cone.values(table), [cone.observable(observable)], in_lanes=in_lanes)
        wanted = [self._measurable(packing, observable) for observable in observables]
        is_real = all(one.is_hermitian for one in wanted)
        batch = compiled.batch() if in_lanes and run.request.initial is None and len(wanted) == 1 else None
        if batch is not None and wanted[0].strings is not None:
            if compiled.num_qubits > _SMALL_QUBITS:
                compiled.check_memory(run.settings)
            found = batch.expectations(table, wanted[0].strings, threads=run.settings.threads, cancel=run.cancel)
            column: AnyArray = found.real if is_real else found
            return column.reshape(-1, 1)
        values = np.empty((len(table), len(wanted)), dtype=np.float64 if is_real else np.complex128)
        peak_bytes = compiled.check_memory(run.settings)
        assert peak_bytes >= 0
        state = allocate_state(compiled.num_qubits, self._precision)
        for row, found in zip(table, values, strict=True):
            working_state(state, run.request.initial, compiled.num_qubits, self._precision)
            compiled.run_static(state, row, run.request.initial is None, run.settings.threads, run.cancel)
            found[:] = [one.expectation(state, run.settings.threads, run.cancel) for one in wanted]
        return values

    def quick_expectation(
        self, observable: Observable, settings: RunSettings
    ) -> Callable[[Any], float | complex | None] | None:
        """Return the engine's shortest way from a row of values to an expectation value; None where it has none."""
        if not self._packing.is_whole or self.packed.num_qubits > _SMALL_QUBITS:
            return None
        batch = self.packed.batch()
        wanted = self._measurable(self._packing, observable)
        if batch is None or wanted.strings is None:
            return None
        return batch.quick_expectation(wanted.strings, wanted.is_hermitian, settings.threads)

    def _measurable(self, packing: Packing, observable: Observable) -> Measurable:
        return measurable(packing.observable(observable), self._engine, len(packing.qubits))

    def _seen_by(self, observable: PauliSum, compiled: Compiled) -> tuple[LightCone, Terminal] | None:
        """Return the light cone of an observable and its own way; None where all qubits are in it."""
        x, z, _ = observable.masks(compiled.num_qubits)
        support = int(np.bitwise_or.reduce(x | z)) if x.size else 0
        if support not in self._cones:
            while len(self._cones) >= _KEPT_CONES:
                del self._cones[next(iter(self._cones))]
            circuit = self._packed_circuit()
            cone = light_cone(circuit, self._parameters, support)
            self._cones[support] = None if cone is None else (cone, self._alike(cone.circuit))
        return self._cones.get(support)

    def _packed_circuit(self) -> Circuit:
        packed = pack_script(self._script, self._packing)
        return packed.segments[0] if packed.segments else Circuit(packed.num_qubits)

    def _alike(self, circuit: Circuit) -> Terminal:
        value = circuit.snapshot()
        return Terminal(value, script_of(value), self._engine, self._precision)

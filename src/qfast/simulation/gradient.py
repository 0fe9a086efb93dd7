"""Gradients of expectation values: adjoint differentiation, the parameter-shift rule, the quantum geometric tensor.

Adjoint (Jones and Gacon, arXiv:2009.02823): with |ψ⟩ the circuit's state and |λ⟩ = O|ψ⟩ both are walked back through
the circuit; beside a gate exp(-i a/2 K) the derivative by a is Im ⟨λ|K|ψ⟩. Time: about three times that of the circuit,
for any number of parameters. Memory: two states.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from threading import Event
from typing import Any

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, IntArray, UIntArray
from qfast.circuit import GATES, AnyCircuit, Circuit, Observable, Parameter
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.circuit.operators import check_hermitian, check_observable
from qfast.circuit.transforms import take
from qfast.engines import CancelToken, PreparedCircuit, PreparedObservable
from qfast.engines.memory import allocate_state
from qfast.errors import CircuitError, ObservableError
from qfast.simulation.chain_rule import ChainRule, sums_by
from qfast.simulation.compiled import Compiled
from qfast.simulation.gradient_slots import Rotation, check_controls, elementary, rotations_of, slots_of
from qfast.simulation.noise_places import final_measurements
from qfast.simulation.prepared_observables import Measurable, listed_observables, measurable
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.working_states import initial_array, working_state

_BARRIER = OPCODES["barrier"]

# Where rows of values run side by side, each on a thread, rather than one after the other with threads inside. Two
# threads and an ansatz of 4 layers, microseconds a row, side by side : one by one, at 11 qubits 179 : 177,
# 12: 121 : 184, 13: 254 : 407, 14: 400 : 531, 15: 1640 : 1210. With fewer amplitudes in all, starting threads costs
# more than it brings (4 rows of 12 qubits: 308 : 224). Zen 5 EPYC, 2 virtual cores, 2026-11-20.
_SIDE_BY_SIDE_QUBITS = range(12, 15)
_SIDE_BY_SIDE_AMPLITUDES = 1 << 16

_Generator = tuple[UIntArray, UIntArray, ComplexArray]


@dataclass(frozen=True, slots=True)
class _Point:
    """A slot, prepared: how to get to it from the slot before, and what is read there."""

    undo: PreparedCircuit | None
    inputs: IntArray  # of the program's parameters, those of `undo`
    strings: PreparedObservable
    rotations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """How a row of values is differentiated."""

    threads: int
    cancel: CancelToken | None
    stop: Event  # another thread has failed


def gates_of(circuit: AnyCircuit) -> Circuit:
    """Return a circuit without the measurements at its end, which no expectation value sees.

    Raises
    ------
    CircuitError
        It measures, resets or decides before its end.
    """
    final = final_measurements(circuit)
    for row, opcode in enumerate(circuit.opcodes):
        if opcode >= NUM_GATES and opcode != _BARRIER and row not in final:
            raise CircuitError(
                f"gradient: '{GATES[opcode].name}' at instruction {row} is no gate; there are gradients of circuits of "
                "gates only, with measurements at the end: take the part before it"
            )
    return take(circuit, [row for row, opcode in enumerate(circuit.opcodes) if opcode < NUM_GATES])


class Adjoint:
    """The way back through a circuit, prepared for an engine.

    Parameters
    ----------
    circuit : Circuit
        Gates and barriers only.
    compiled : Compiled
        The same circuit.
    settings : RunSettings

    Raises
    ------
    CircuitError
        A gate with a symbolic parameter has more extra controls than strings can be made of.
    """

    def __init__(self, circuit: Circuit, compiled: Compiled, settings: RunSettings) -> None:
        check_controls(circuit)
        self._compiled = compiled
        self._settings = settings
        rewritten = elementary(circuit)
        self._rotations = rotations_of(rewritten)
        self._chain = ChainRule([rotation.angle for rotation in self._rotations], compiled.parameters)
        self._points: list[_Point] = []
        owners, weights = [], []
        for slot in slots_of(rewritten):
            generators = [self._rotations[number].generator() for number in slot.rotations]
            strings = _join(generators)
            for number, (_, z_masks, found) in zip(slot.rotations, generators, strict=True):
                owners += [number] * len(z_masks)
                weights += found.real.tolist()
            undo = settings.engine.prepare(slot.undo, precision=settings.precision) if len(slot.undo) else None
            inputs = _places(slot.undo.parameters, compiled.parameters)
            observable = settings.engine.observable(compiled.num_qubits, *strings)
            self._points.append(_Point(undo, inputs, observable, slot.rotations))
        self._owners: IntArray = np.array(owners, dtype=np.int64)  # rotation of each string, in the order of reading
        self._weights: FloatArray = np.array(weights, dtype=np.float64)

    def gradients(
        self,
        table: FloatArray,
        observables: Sequence[Observable],
        initial_state: Any,
        cancel: CancelToken | None,
    ) -> tuple[FloatArray, FloatArray]:
        """Return values (m, k) and gradients (m, k, p) of k observables at m rows of values.

        Raises
        ------
        ObservableError
            An observable is not Hermitian, or acts on a qubit that the circuit does not have.
        CapacityError
            Two states do not fit, or two for each thread where rows run side by side (12 to 14 qubits).
        """
        wanted = [self._hermitian(observable) for observable in observables]
        spans = self._spans(len(table))
        self._compiled.check_memory(self._settings, states=2 * len(spans))
        initial = initial_array(initial_state, self._compiled.num_qubits)
        run = _Run(self._settings.threads if len(spans) == 1 else 1, cancel, Event())
        values = np.empty((len(table), len(wanted)))
        gradients = np.empty((len(table), len(wanted), table.shape[1]))

        def differentiate(rows: range, psi: AnyArray, bra: AnyArray) -> None:
            for row, (place, target) in product(rows, enumerate(wanted)):
                if run.stop.is_set():
                    return
                self._run_forward(psi, table[row], initial, run)
                target.prepared.apply(psi, bra, threads=run.threads, cancel=cancel)
                values[row, place] = self._settings.engine.inner_product(psi, bra, threads=run.threads).real
                by_angle = self._walk_back(psi, bra, table[row], run)
                gradients[row, place] = self._chain.pull_back(by_angle, table[row])

        # Made here, since a job's memory is known in its own thread only.
        states = [(self._buffer(), self._buffer()) for _ in spans]
        if len(spans) == 1:
            differentiate(spans[0], *states[0])
            return values, gradients
        with ThreadPoolExecutor(len(spans)) as pool:
            try:
                for future in [
                    pool.submit(differentiate, span, *pair) for span, pair in zip(spans, states, strict=True)
                ]:
                    future.result()
            except BaseException:  # Ctrl-C: the other threads finish their row, no more
                run.stop.set()
                raise
        return values, gradients

    def _spans(self, rows: int) -> list[range]:
        """Divide rows among threads, where one row does not keep them busy and is no matter of microseconds."""
        num_qubits = self._compiled.num_qubits
        is_worth_it = num_qubits in _SIDE_BY_SIDE_QUBITS and rows << num_qubits >= _SIDE_BY_SIDE_AMPLITUDES
        count = min(self._settings.threads, rows) if is_worth_it else 1
        return [range(rows * part // count, rows * (part + 1) // count) for part in range(count)]

    def geometric_tensor(self, parameters: FloatArray, initial_state: Any, cancel: CancelToken | None) -> FloatArray:
        """Return the Fubini-Study metric at one row of values, float64 (p, p): see `Program.metric_tensor`.

        G_ij = Re⟨∂_i ψ|∂_j ψ⟩ - ⟨∂_i ψ|ψ⟩⟨ψ|∂_j ψ⟩, and at a slot ∂_j|ψ⟩ = -i/2 K_j |ψ⟩. The first part is a quarter
        of Re⟨K_i ψ|K_j ψ⟩ for rotations of one slot; for those of other slots K_i|ψ⟩ is walked back there with |ψ⟩.
        """
        self._compiled.check_memory(self._settings, states=3)
        initial = initial_array(initial_state, self._compiled.num_qubits)
        threads = self._settings.threads
        run = _Run(threads, cancel, Event())
        at_slot, psi, bra = self._buffer(), self._buffer(), self._buffer()
        self._run_forward(at_slot, parameters, initial, run)
        count = len(self._rotations)
        products, means = np.zeros((count, count)), np.zeros(count)
        for first, point in enumerate(self._points):
            self._undo(point, (at_slot,), parameters, run)
            for number in point.rotations:
                generator = self._generator(self._rotations[number])
                generator.apply(at_slot, bra, threads=threads)
                means[number] = self._settings.engine.inner_product(at_slot, bra, threads=threads).real
                bra *= bra.dtype.type(1j)  # Re⟨χ|K|ψ⟩ = -Im⟨iχ|K|ψ⟩
                psi[:] = at_slot
                row = -self._walk_back(psi, bra, parameters, run, stand_at=first)
                later = [other for point in self._points[first:] for other in point.rotations]
                products[number, later] = products[later, number] = row[later]
        metric = (products - np.outer(means, means)) / 4
        jacobian = self._chain.jacobian(parameters)
        return np.asarray(jacobian.T @ metric @ jacobian)

    def _walk_back(
        self, psi: AnyArray, bra: AnyArray, parameters: FloatArray, run: _Run, stand_at: int = -1
    ) -> FloatArray:
        """Return Im⟨bra|K|psi⟩ of each rotation from slot `stand_at` on, where the states stand (-1: at the end)."""
        found = []
        for number, point in enumerate(self._points):
            if number < stand_at:
                continue
            if number > stand_at:
                self._undo(point, (psi, bra), parameters, run)
            found.append(point.strings.imaginary_overlaps(bra, psi, threads=run.threads))
        if not found:
            return np.zeros(0)
        overlaps = np.concatenate(found)
        skipped = len(self._owners) - len(overlaps)
        weighted = self._weights[skipped:] * overlaps
        return sums_by(self._owners[skipped:], weighted, len(self._rotations))

    def _undo(self, point: _Point, states: Sequence[AnyArray], parameters: FloatArray, run: _Run) -> None:
        if point.undo is not None:
            values = parameters[point.inputs]
            for state in states:
                point.undo.run(state, values, from_zero=False, threads=run.threads, cancel=run.cancel)

    def _run_forward(self, state: AnyArray, parameters: FloatArray, initial: AnyArray | None, run: _Run) -> None:
        compiled = self._compiled
        if initial is not None:
            working_state(state, initial, compiled.num_qubits, compiled.precision)
        if compiled.segments:
            prepared = compiled.segments[0]
            prepared.run(state, parameters, from_zero=initial is None, threads=run.threads, cancel=run.cancel)
        elif initial is None:
            state[:] = 0
            state[0] = 1

    def _hermitian(self, observable: Any) -> Measurable:
        check_observable(observable, "gradient")
        found = measurable(observable, self._settings.engine, self._compiled.num_qubits)
        if not found.is_hermitian:  # known from the first time on; finding it out takes as long as a small gradient
            check_hermitian(observable, "gradient")
        return found

    def _generator(self, rotation: Rotation) -> PreparedObservable:
        return self._settings.engine.observable(self._compiled.num_qubits, *rotation.generator())

    def _buffer(self) -> AnyArray:
        return allocate_state(self._compiled.num_qubits, self._compiled.precision)


def flat_observables(observable: Observable | Sequence[Observable]) -> tuple[list[Observable], bool]:
    """Return observables as a list, and whether a sequence was given."""
    listed, shape = listed_observables(observable, "gradient")
    if len(shape) > 1:
        raise ObservableError(f"gradient: an observable or a flat sequence is needed, shape {shape} given")
    return listed, bool(shape)


def _join(generators: Sequence[_Generator]) -> _Generator:
    x_masks, z_masks, weights = (np.concatenate(columns) for columns in zip(*generators, strict=True))
    return x_masks, z_masks, weights


def _places(parameters: Sequence[Parameter], among: Sequence[Parameter]) -> IntArray:
    place = {parameter.name: index for index, parameter in enumerate(among)}
    return np.array([place[parameter.name] for parameter in parameters], dtype=np.int64)

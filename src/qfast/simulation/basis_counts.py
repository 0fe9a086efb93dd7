"""One simulation, many measurement bases: counts of absolute shot ranges in each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.circuit import Circuit
from qfast.circuit.transforms import take
from qfast.engines import CancelToken, PreparedCircuit
from qfast.engines.bits import Wiring, words_of_rows
from qfast.engines.memory import allocate_state, memory_limits, state_bytes
from qfast.engines.samplers import Sampler
from qfast.noise import NoiseModel
from qfast.simulation.compiled import Compiled, compiled_for
from qfast.simulation.noise_places import final_measurements
from qfast.simulation.noisy import sample_noisy
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import Samples
from qfast.simulation.terminal_sampling import Output
from qfast.simulation.verbs import run_shots, run_state
from qfast.simulation.walk import MAX_LOOP_PASSES

__all__ = ["Basis", "CircuitReadout", "Readout", "StateReadout", "measured", "readout_of", "without_measurements"]

_NO_VALUES: FloatArray = np.zeros(0)

# Below, passes over the state cost less than planning them.
_LARGE_QUBITS = 18


class Basis(Protocol):
    """What a readout needs to know of a measurement setting."""

    @property
    def qubits(self) -> tuple[int, ...]: ...

    def rotation(self, num_qubits: int) -> Circuit | None: ...


class Readout(Protocol):
    """Counts of a circuit in several bases."""

    def counts(self, basis: int, shots: int, seed: int, first_shot: int) -> tuple[UIntArray, IntArray]:
        """Return the distinct outcomes, ascending, and how often each came.

        Bit j of an outcome is qubit ``qubits[j]`` of basis number `basis`. Shot i is a function of (seed, i).
        """
        ...

    def outcomes(self, basis: int, seed: int, ranges: Sequence[range]) -> UIntArray:
        """Return the outcome of every shot of some ranges, in order; one call is cheaper than many for a few shots."""
        ...

    def statistics(self) -> dict[str, Any]:
        """Return what was simulated."""
        ...


class StateReadout:
    """The final state of a circuit of gates, kept, and read in many bases.

    Parameters
    ----------
    circuit : Circuit
    compiled : Compiled
        The circuit's; static: it measures at its end, if at all.
    settings : RunSettings
    values : ndarray of float64, shape (p,)
    bases : sequence of Basis
    cancel : CancelToken, optional
    budget_bytes : int, optional
        For rotated copies that are kept between calls; by default a quarter of what is available. At least one is kept.

    Notes
    -----
    Cost: one simulation; per basis a copy, its basis change and one reading pass; per shot O(log). A large state of a
    circuit so shallow that copy and basis change take more passes over memory than the circuit itself, basis change
    included, is simulated with each basis instead. A copy that was dropped is made again, with the same bits. Memory:
    the state and the copies.
    """

    def __init__(
        self,
        circuit: Circuit,
        compiled: Compiled,
        settings: RunSettings,
        values: FloatArray,
        bases: Sequence[Basis],
        cancel: CancelToken | None = None,
        budget_bytes: int | None = None,
    ) -> None:
        self._circuit = circuit
        self._values = values
        self._passes = _passes(compiled)
        self._settings = settings
        self._bases = bases
        self._cancel = cancel
        self._state = run_state(compiled, settings, values, cancel=cancel).amplitudes
        self._num_qubits = compiled.num_qubits
        size = state_bytes(compiled.num_qubits, settings.precision)
        if budget_bytes is None:
            budget_bytes = memory_limits().available_bytes // 4 if size > 1 << 20 else 1 << 26
        self._max_copies = max(1, budget_bytes // size)
        self._plain: Sampler | None = None
        self._samplers: OrderedDict[int, Sampler] = OrderedDict()
        self._wirings = [Wiring([(q, j) for j, q in enumerate(basis.qubits)], len(basis.qubits)) for basis in bases]
        self._num_copies = 0
        self._num_runs = 1

    def counts(self, basis: int, shots: int, seed: int, first_shot: int) -> tuple[UIntArray, IntArray]:
        """See `Readout.counts`."""
        rows, counts = self._sampler(basis).count(seed, first_shot, shots, 0, self._wirings[basis], self._cancel)
        return words_of_rows(rows)[:, 0], counts

    def outcomes(self, basis: int, seed: int, ranges: Sequence[range]) -> UIntArray:
        """See `Readout.outcomes`."""
        sampler, wiring = self._sampler(basis), self._wirings[basis]
        if len(ranges) == 1:
            rows = sampler.packed(seed, ranges[0].start, len(ranges[0]), 0, wiring, self._cancel)
        else:
            uniforms = [self._settings.engine.uniforms(seed, part.start, len(part), 0) for part in ranges]
            rows = wiring.pack(sampler.find(np.concatenate(uniforms)))
        return words_of_rows(rows)[:, 0]

    def statistics(self) -> dict[str, Any]:
        """See `Readout.statistics`."""
        return {"simulations": self._num_runs, "basis_changes": self._num_copies}

    def _sampler(self, basis: int) -> Sampler:
        rotation = self._bases[basis].rotation(self._num_qubits)
        if rotation is None:
            if self._plain is None:
                self._plain = self._settings.engine.sampler(self._state, threads=self._settings.threads)
            return self._plain
        sampler = self._samplers.get(basis)
        if sampler is None:
            while len(self._samplers) >= self._max_copies:
                self._samplers.popitem(last=False)
            sampler = self._samplers[basis] = self._rotated(rotation)
        self._samplers.move_to_end(basis)
        return sampler

    def _rotated(self, rotation: Circuit) -> Sampler:
        settings = self._settings
        prepared = settings.engine.prepare(rotation, precision=settings.precision)
        whole = self._with_basis(rotation, prepared)
        if whole is not None:
            self._num_runs += 1
            state = run_state(whole, settings, self._values, cancel=self._cancel).amplitudes
            return settings.engine.sampler(state, threads=settings.threads)
        state = allocate_state(self._num_qubits, settings.precision)
        np.copyto(state, self._state)
        prepared.run(state, _NO_VALUES, from_zero=False, threads=settings.threads, cancel=self._cancel)
        self._num_copies += 1
        return settings.engine.sampler(state, threads=settings.threads)

    def _with_basis(self, rotation: Circuit, prepared: PreparedCircuit) -> Compiled | None:
        """Return the circuit with its basis change, if it passes over the state no more often than the change alone."""
        passes = prepared.explain().get("passes")
        if self._num_qubits < _LARGE_QUBITS or self._passes is None or passes is None or self._passes > passes + 1:
            return None
        whole = without_measurements(self._circuit).copy().compose(rotation)
        compiled = Compiled(whole, self._settings.engine, self._settings.precision)
        reached = _passes(compiled)
        return compiled if reached is not None and reached <= passes + 1 else None  # one for the copy


def _passes(compiled: Compiled) -> int | None:
    """Return how often a static circuit passes over its state; None where the engine does not say."""
    if len(compiled.segments) != 1:
        return None
    passes: int | None = compiled.segments[0].explain().get("passes")
    return passes


class CircuitReadout:
    """A circuit that is noisy, or measures, resets or decides in the middle: every call follows its branches again.

    Parameters are those of `StateReadout`, and the noise, which acts on basis changes and readout too. The circuit's
    measurements at its end are left out.
    """

    def __init__(
        self,
        circuit: Circuit,
        settings: RunSettings,
        values: FloatArray,
        bases: Sequence[Basis],
        cancel: CancelToken | None = None,
        noise: NoiseModel | None = None,
    ) -> None:
        self._settings = settings
        self._values = values
        self._noise = noise
        self._cancel = cancel
        self._num_runs = 0
        base = without_measurements(circuit)
        self._circuits = [measured(base, basis) for basis in bases]
        self._bases = bases
        self._first_bit = circuit.num_clbits

    def counts(self, basis: int, shots: int, seed: int, first_shot: int) -> tuple[UIntArray, IntArray]:
        """See `Readout.counts`."""
        rows, counts = self._run(basis, shots, seed, first_shot, "counts").histogram()
        return words_of_rows(rows)[:, 0], counts

    def outcomes(self, basis: int, seed: int, ranges: Sequence[range]) -> UIntArray:
        """See `Readout.outcomes`."""
        rows = [self._run(basis, len(part), seed, part.start, "bits").packed() for part in ranges]
        return words_of_rows(np.concatenate(rows))[:, 0]

    def _run(self, basis: int, shots: int, seed: int, first_shot: int, output: Output) -> Samples:
        circuit, settings, cancel = self._circuits[basis], self._settings, self._cancel
        if self._noise is not None:
            samples = sample_noisy(
                circuit, self._noise, settings, self._values.tolist(), shots, seed,
                output=output, first_shot=first_shot, max_loop_passes=MAX_LOOP_PASSES, cancel=cancel,
            )  # fmt: skip
        else:
            compiled = compiled_for(circuit, settings.engine, settings.precision)
            samples = run_shots(
                compiled, settings, self._values, shots, seed, output=output, first_shot=first_shot, cancel=cancel
            )
        self._num_runs += 1
        return samples.slice(bits=range(self._first_bit, self._first_bit + len(self._bases[basis].qubits)))

    def statistics(self) -> dict[str, Any]:
        """See `Readout.statistics`."""
        return {"simulations": self._num_runs, "basis_changes": self._num_runs}


def readout_of(
    circuit: Circuit,
    settings: RunSettings,
    values: FloatArray,
    bases: Sequence[Basis],
    noise: NoiseModel | None = None,
    cancel: CancelToken | None = None,
) -> Readout:
    """Return how a circuit is read: from one final state where it has one, and shot by shot where it has not."""
    if noise is None or noise.is_empty:
        compiled = compiled_for(circuit, settings.engine, settings.precision)
        if compiled.script.is_static:
            return StateReadout(circuit, compiled, settings, values, bases, cancel)
        noise = None
    return CircuitReadout(circuit, settings, values, bases, cancel, noise)


def without_measurements(circuit: Circuit) -> Circuit:
    """Return the circuit without its measurements at the end; the same object where it has none."""
    final = final_measurements(circuit)
    return take(circuit, [row for row in range(len(circuit)) if row not in final]) if final else circuit


def measured(circuit: Circuit, basis: Basis) -> Circuit:
    """Return the circuit, the basis change, and the measurements into a classical register of their own."""
    result = circuit.copy()
    taken = {register.name for register in (*result.qubit_registers, *result.classical_registers)}
    taken |= set(result.variables)
    name = next(name for k in range(len(taken) + 1) if (name := f"readout{k or ''}") not in taken)
    register = result.add_classical_register(name, len(basis.qubits))
    rotation = basis.rotation(circuit.num_qubits)
    if rotation is not None:
        result.compose(rotation)
    return result.measure(basis.qubits, register)

"""One simulation, many measurement bases: counts of absolute shot ranges in each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np

from qfast._typing import FloatArray, IntArray, UIntArray
from qfast.circuit import Circuit
from qfast.circuit.gates import NUM_GATES
from qfast.circuit.transforms import take
from qfast.circuit.value import AnyCircuit
from qfast.engines import CancelToken, PreparedCircuit
from qfast.engines.bits import Wiring, words_of_rows
from qfast.engines.memory import allocate_state, memory_limits, state_bytes
from qfast.engines.samplers import Sampler
from qfast.simulation.asks import Output, Shots, State
from qfast.simulation.door import prepare, run
from qfast.simulation.noise_places import final_measurements
from qfast.simulation.packing import Packing
from qfast.simulation.request import Request
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import Samples
from qfast.simulation.sites import FINAL_SAMPLING
from qfast.simulation.statevector import Statevector

__all__ = ["Basis", "Readout", "measured", "readout_of", "without_measurements"]

_NO_VALUES: FloatArray = np.zeros(0)

C = TypeVar("C", bound=AnyCircuit)

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


def readout_of(
    request: Request, settings: RunSettings, bases: Sequence[Basis], cancel: CancelToken | None = None
) -> Readout:
    """Return what reads a circuit in many bases: from one final state, or by shots of one circuit for each basis.

    Parameters
    ----------
    request : Request
        Of a circuit, at values, under noise; what it asks, and the circuit's measurements at its end, play no part.
    settings : RunSettings
    bases : sequence of Basis
    cancel : CancelToken, optional
    """
    asked = request.asking(Shots(1))
    if prepare(asked, settings).way.method == "terminal":
        return _StateReadout(asked, settings, bases, cancel)
    return _CircuitReadout(asked, settings, bases, cancel)


class _StateReadout:
    """The final state of a circuit of gates, kept, and read in many bases; see `readout_of`.

    Notes
    -----
    Cost: one simulation; per basis a copy, its basis change and one reading pass; per shot O(log). A large state of a
    circuit so shallow that copy and basis change take more passes over memory than the circuit itself, basis change
    included, is simulated with each basis instead. A copy that was dropped is made again, with the same bits. Memory:
    the state and the copies. Qubits that neither the circuit nor a basis touches are left out.
    """

    def __init__(
        self,
        request: Request,
        settings: RunSettings,
        bases: Sequence[Basis],
        cancel: CancelToken | None = None,
        budget_bytes: int | None = None,
    ) -> None:
        self._settings = settings
        self._cancel = cancel
        body = without_measurements(request.circuit)
        rotations = [basis.rotation(body.num_qubits) for basis in bases]
        packing = _packing(body, bases, rotations) if request.initial is None else _all_qubits(body)
        self._circuit = take(body, _gate_rows(body), qubits=packing.qubits)
        self._rotations = [
            None if part is None else take(part, range(len(part)), qubits=packing.qubits) for part in rotations
        ]
        place = packing.place_of()
        self._wirings = [
            Wiring([(place[q], j) for j, q in enumerate(basis.qubits)], len(basis.qubits)) for basis in bases
        ]
        self._num_qubits = len(packing.qubits)
        self._request = replace(request, ask=State(), circuit=self._circuit.snapshot(), method="terminal")
        prepared = prepare(self._request, settings)
        self._passes = _passes(prepared.way.segments)
        found: Statevector = prepared.run(self._request, settings, cancel)
        self._state = found.amplitudes
        size = state_bytes(self._num_qubits, settings.precision)
        if budget_bytes is None:
            budget_bytes = memory_limits().available_bytes // 4 if size > 1 << 20 else 1 << 26
        self._max_copies = max(1, budget_bytes // size)
        self._plain: Sampler | None = None
        self._samplers: OrderedDict[int, Sampler] = OrderedDict()
        self._num_copies = 0
        self._num_runs = 1

    def counts(self, basis: int, shots: int, seed: int, first_shot: int) -> tuple[UIntArray, IntArray]:
        """See `Readout.counts`."""
        rows, counts = self._sampler(basis).count(
            seed, first_shot, shots, FINAL_SAMPLING, self._wirings[basis], self._cancel
        )
        return words_of_rows(rows)[:, 0], counts

    def outcomes(self, basis: int, seed: int, ranges: Sequence[range]) -> UIntArray:
        """See `Readout.outcomes`."""
        sampler, wiring = self._sampler(basis), self._wirings[basis]
        if len(ranges) == 1:
            rows = sampler.packed(seed, ranges[0].start, len(ranges[0]), FINAL_SAMPLING, wiring, self._cancel)
        else:
            uniforms = [self._settings.engine.uniforms(seed, part.start, len(part), FINAL_SAMPLING) for part in ranges]
            rows = wiring.pack(sampler.find(np.concatenate(uniforms)))
        return words_of_rows(rows)[:, 0]

    def statistics(self) -> dict[str, Any]:
        """See `Readout.statistics`."""
        return {"simulations": self._num_runs, "basis_changes": self._num_copies}

    def _sampler(self, basis: int) -> Sampler:
        rotation = self._rotations[basis]
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
            state = run(whole, settings, self._cancel).amplitudes
            return settings.engine.sampler(state, threads=settings.threads)
        state = allocate_state(self._num_qubits, settings.precision)
        np.copyto(state, self._state)
        prepared.run(state, _NO_VALUES, from_zero=False, threads=settings.threads, cancel=self._cancel)
        self._num_copies += 1
        return settings.engine.sampler(state, threads=settings.threads)

    def _with_basis(self, rotation: Circuit, prepared: PreparedCircuit) -> Request | None:
        """Return the circuit with its basis change, if it passes over the state no more often than the change alone."""
        passes = prepared.explain().get("passes")
        if self._num_qubits < _LARGE_QUBITS or self._passes is None or passes is None or self._passes > passes + 1:
            return None
        whole = replace(self._request, circuit=self._circuit.copy().compose(rotation).snapshot())
        reached = _passes(prepare(whole, self._settings).way.segments)
        return whole if reached is not None and reached <= passes + 1 else None  # one for the copy


def _passes(segments: Sequence[PreparedCircuit]) -> int | None:
    """Return how often a circuit of gates passes over its state; None where the engine does not say."""
    if len(segments) != 1:
        return None
    passes: int | None = segments[0].explain().get("passes")
    return passes


def _packing(body: AnyCircuit, bases: Sequence[Basis], rotations: Sequence[Circuit | None]) -> Packing:
    """Return the qubits that a circuit or a basis touches."""
    touched = set(np.unique(np.asarray(take(body, _gate_rows(body)).qubits)).tolist())
    for basis, rotation in zip(bases, rotations, strict=True):
        touched.update(basis.qubits)
        if rotation is not None:
            touched.update(np.unique(np.asarray(rotation.qubits)).tolist())
    return Packing(tuple(sorted(touched)), body.num_qubits)


def _gate_rows(body: AnyCircuit) -> list[int]:
    """Return the instructions but for barriers."""
    return [int(row) for row in np.flatnonzero(np.asarray(body.opcodes) < NUM_GATES)]


def _all_qubits(body: AnyCircuit) -> Packing:
    return Packing(tuple(range(body.num_qubits)), body.num_qubits)


class _CircuitReadout:
    """A circuit that is noisy, or measures, resets or decides in the middle: every call follows its branches again.

    Noise acts on basis changes and readout too. The circuit's measurements at its end are left out.
    """

    def __init__(
        self, request: Request, settings: RunSettings, bases: Sequence[Basis], cancel: CancelToken | None = None
    ) -> None:
        self._settings = settings
        self._cancel = cancel
        self._num_runs = 0
        base = without_measurements(request.circuit)
        self._requests = [replace(request, circuit=measured(base, basis).snapshot()) for basis in bases]
        self._bases = bases
        self._first_bit = request.circuit.num_clbits

    def counts(self, basis: int, shots: int, seed: int, first_shot: int) -> tuple[UIntArray, IntArray]:
        """See `Readout.counts`."""
        rows, counts = self._run(basis, shots, seed, first_shot, "counts").histogram()
        return words_of_rows(rows)[:, 0], counts

    def outcomes(self, basis: int, seed: int, ranges: Sequence[range]) -> UIntArray:
        """See `Readout.outcomes`."""
        rows = [self._run(basis, len(part), seed, part.start, "bits").packed() for part in ranges]
        return words_of_rows(np.concatenate(rows))[:, 0]

    def _run(self, basis: int, shots: int, seed: int, first_shot: int, output: Output) -> Samples:
        ask = Shots(shots, seed, output, first_shot=first_shot)
        samples: Samples = run(self._requests[basis].asking(ask), self._settings, self._cancel)
        self._num_runs += 1
        return samples.slice(bits=range(self._first_bit, self._first_bit + len(self._bases[basis].qubits)))

    def statistics(self) -> dict[str, Any]:
        """See `Readout.statistics`."""
        return {"simulations": self._num_runs, "basis_changes": self._num_runs}


def without_measurements(circuit: C) -> C | Circuit:
    """Return the circuit without its measurements at the end; the same object where it has none."""
    final = final_measurements(circuit)
    return take(circuit, [row for row in range(len(circuit)) if row not in final]) if final else circuit


def measured(circuit: AnyCircuit, basis: Basis) -> Circuit:
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

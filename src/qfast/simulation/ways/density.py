"""Exact density matrices, noisy or not.

A density matrix of n qubits is a state of 2n: amplitude ``i + 2**n j`` is ``rho[i, j]``, qubit k is the ket's, qubit
n + k the bra's. A gate is applied to the ket's qubits and, conjugated, to the bra's, by the same engines as any state;
a channel is its superoperator on both. Only measurements in the middle divide, by their probability.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, Precision
from qfast.circuit import Circuit, Instruction, Observable, Operator
from qfast.circuit.gates import OPCODES, GateFlag
from qfast.circuit.value import CircuitValue
from qfast.engines import Engine, PreparedCircuit
from qfast.engines.bits import rows_of_ints
from qfast.engines.memory import check_memory, check_qubits, density_bytes, state_bytes
from qfast.errors import CircuitError
from qfast.noise import NoiseModel
from qfast.simulation.asks import Distribution, Expectation, Shots, What
from qfast.simulation.compiled import Compiled
from qfast.simulation.density_matrix import DensityMatrix
from qfast.simulation.native_walk import NativeWalk
from qfast.simulation.packing import Packing, pack_script, touched_qubits
from qfast.simulation.populations import Weight, misread_weights
from qfast.simulation.request import Method
from qfast.simulation.run_settings import RunSettings
from qfast.simulation.samples import Samples
from qfast.simulation.script import Free, Measure, Noise, Reset, script_of
from qfast.simulation.sites import FINAL_SAMPLING
from qfast.simulation.terminal_sampling import check_rows, outcome_table
from qfast.simulation.walk import BranchWalk, Walk, add_outcomes
from qfast.simulation.ways.interface import Run
from qfast.simulation.ways.means import Means
from qfast.simulation.working_states import working_state

__all__ = ["Density"]

_UNITARY = OPCODES["unitary"]
_NEGLIGIBLE = 1e-14
_BRANCH_BYTES = 1 << 30  # copies of branches that wait; without them they are simulated again


class Density:
    """See `interface.Way`."""

    method: ClassVar[Method] = "density"
    asks: ClassVar[frozenset[What]] = frozenset({"state", "shots", "distribution", "expectation"})

    def __init__(self, circuit: CircuitValue, noise: NoiseModel | None, engine: Engine, precision: Precision) -> None:
        self._circuit, self._noise = circuit, noise
        self._engine, self._precision = engine, precision

    @property
    def segments(self) -> list[PreparedCircuit]:
        """None: they depend on the errors, or on the values."""
        return []

    def state(self, run: Run) -> DensityMatrix:
        """Return the final density matrix, averaged over the outcomes of measurements in the middle."""
        count = self._circuit.num_qubits
        return self._matrix(run, Packing(tuple(range(count)), count))

    def expectation(self, run: Run) -> Means:
        """Return tr(O rho) of observables."""
        ask = run.request.ask
        assert isinstance(ask, Expectation)
        packing = self._packing(run, ask.observables)
        matrix = self._matrix(run, packing)
        values = [matrix.expectation(packing.observable(one)) for one in ask.observables]
        return Means.exact(values, ask.shape, run.made(None))

    def distribution(self, run: Run) -> dict[str, float]:
        """Return the exact distribution of the classical bits, as they are read."""
        ask = run.request.ask
        assert isinstance(ask, Distribution)
        found, num_bits, _ = self._outcomes(run, ask.cutoff)
        return outcome_table(found, num_bits)

    def shots(self, run: Run) -> Samples:
        """Return outcomes drawn from the exact distribution: shot i has outcome k where its uniform falls into k's part
        of the unit interval, outcomes in ascending order."""
        ask = run.request.ask
        assert isinstance(ask, Shots)
        assert ask.seed is not None
        begun = time.perf_counter()
        found, num_bits, registers = self._outcomes(run, _NEGLIGIBLE)
        check_rows(ask.shots, num_bits)
        outcomes = sorted(found)
        cumulative = np.cumsum([found[bits] for bits in outcomes])
        drawn = self._engine.uniforms(ask.seed, ask.first_shot, ask.shots, FINAL_SAMPLING) * cumulative[-1]
        chosen = np.minimum(np.searchsorted(cumulative, drawn, side="right"), len(outcomes) - 1)
        table = rows_of_ints(outcomes, num_bits)
        made = run.made(
            None, seed=ask.seed, times={"run_s": time.perf_counter() - begun},
            shots=ask.shots, first_shot=ask.first_shot, draws=ask.draws,
        )  # fmt: skip
        if ask.output == "bits":
            return Samples(registers, rows=table[chosen], metadata=made)
        counts = np.bincount(chosen, minlength=len(outcomes)).astype(np.int64)
        seen = np.flatnonzero(counts)
        return Samples(registers, histogram=(table[seen], counts[seen]), metadata=made)

    # --- how ----------------------------------------------------------------------------------------------------------

    def _packing(self, run: Run, observables: tuple[Observable, ...] = ()) -> Packing:
        count = self._circuit.num_qubits
        if run.request.initial is not None:
            return Packing(tuple(range(count)), count)
        wanted: set[int] = set()
        for observable in observables:
            if isinstance(observable, Operator):
                observable.check_fits(count)
                wanted.update(observable.qubits)
        return touched_qubits(script_of(self._circuit, self._noise), wanted)

    def _matrix(self, run: Run, packing: Packing) -> DensityMatrix:
        begun = time.perf_counter()
        walk = self._walk(run, packing)
        dim = 1 << len(packing.qubits)
        total = np.zeros((dim, dim), dtype=self._precision)
        for leaf in walk.leaves(Weight.one(_NEGLIGIBLE)):
            total += leaf.population.size * leaf.state.reshape(dim, dim).T
        peak_bytes = 2 * total.nbytes + walk.statistics.peak_kept_bytes
        made = run.made(None, peak_bytes=peak_bytes, times={"run_s": time.perf_counter() - begun})
        return DensityMatrix._of_run(total, made)

    def _outcomes(self, run: Run, cutoff: float) -> tuple[dict[int, float], int, Any]:
        """Return the probabilities of what is read, the number of bits, and their registers."""
        packing = self._packing(run)
        walk = self._walk(run, packing)
        script, dim = walk.script, 1 << len(packing.qubits)
        found: dict[int, float] = {}
        for leaf in walk.leaves(Weight.one(cutoff)):
            weights = DensityMatrix(leaf.state.reshape(dim, dim).T).probabilities(script.measured)
            add_outcomes(found, script, leaf.population, np.maximum(weights, 0.0))
        return misread_weights(found, script.readout, cutoff), script.num_bits, script.registers

    def _walk(self, run: Run, packing: Packing) -> Walk:
        """Return a walk over the branches of the classical side."""
        count, settings, request = len(packing.qubits), run.settings, run.request
        check_density(count, self._precision, settings)
        bound = self._circuit.bind(request.values.tolist()) if request.values.size else self._circuit
        script = pack_script(script_of(bound, self._noise), packing)
        script = replace(script, segments=tuple(_doubled(script.segments)))
        doubled = replace(script, num_qubits=2 * count)
        compiled = Compiled(doubled, (), self._engine, self._precision, is_density=True)
        start = None
        if request.initial is not None:
            start = np.outer(request.initial.conj(), request.initial).astype(self._precision).reshape(-1)
        if compiled.walks_natively:
            return NativeWalk(
                compiled, settings, np.zeros(0), start, max_loop_passes=request.limits.loop_passes, cancel=run.cancel
            )
        state = working_state(None, None, 2 * count, self._precision)
        branch = _DensityBranch(compiled, settings, state, start)
        return BranchWalk(
            compiled, settings, {}, branch, budget_bytes=_BRANCH_BYTES,
            max_loop_passes=request.limits.loop_passes, cancel=run.cancel,
        )  # fmt: skip


def check_density(num_qubits: int, precision: Precision, settings: RunSettings) -> None:
    """Refuse a density matrix that does not fit.

    Raises
    ------
    CapacityError
    """
    check_qubits(2 * num_qubits, precision)
    check_memory(
        density_bytes(num_qubits, precision),
        f"a density matrix of {num_qubits} qubits in {precision}, which is a state of twice as many,",
        amplitude_bytes=state_bytes(0, precision), limit_bytes=settings.max_bytes,
    )  # fmt: skip


# --- a density matrix as a state of twice the qubits ------------------------------------------------------------------


def _doubled(segments: Iterable[Circuit]) -> list[Circuit]:
    """Return each stretch of gates on the ket's qubits and, conjugated, on the bra's."""
    found = []
    for segment in segments:
        shift = segment.num_qubits
        doubled = Circuit(2 * shift)
        for place, gate in enumerate(segment):
            if not gate.is_gate:
                continue  # a barrier
            if any(not isinstance(value, float) for value in gate.params):
                raise CircuitError(
                    f"'{gate.label}' at instruction {place} of a stretch of gates has an angle that is no number; "
                    "an exact density matrix needs numbers: bind parameters, and sample circuits whose angles are "
                    "classical variables"
                )
            doubled._append_checked(
                gate.opcode, gate.qubits, gate.params, gate.controls, gate.ctrl_state, item=gate.data
            )
            _append_conjugated(doubled, gate, shift)
        found.append(doubled)
    return found


def _append_conjugated(circuit: Circuit, gate: Instruction, shift: int) -> None:
    """Append the gate whose matrix is the complex conjugate, on qubits further up."""
    qubits = tuple(qubit + shift for qubit in gate.qubits)
    controls = tuple(qubit + shift for qubit in gate.controls)
    opcode, params, item = gate.opcode, gate.params, gate.data
    if gate.name == "pauli_rotation":
        # conj(exp(-i a/2 P)) = exp(i a/2 conj(P)), and conj(Y) = -Y.
        num_y = sum(int(code) == 2 for code in item)
        params = (gate.params[0] * (1 if num_y % 2 else -1),)
    elif item is not None and gate.name != "permutation":
        item = _frozen(item.conj())
    elif item is None and GateFlag.REAL not in gate.row.flags:
        if not gate.qubits:  # a global phase
            params = tuple(-value for value in params)
        else:
            opcode, params, item = _UNITARY, (), _frozen(gate.matrix().conj())
    circuit._append_checked(opcode, qubits, params, controls, gate.ctrl_state, item=item)


def _frozen(array: ComplexArray) -> ComplexArray:
    copy: ComplexArray = np.ascontiguousarray(array)
    copy.flags.writeable = False
    return copy


class _DensityBranch:
    """A density matrix for the walk, see `walk.BranchState`: noise, resets and freed qubits do not divide."""

    def __init__(self, compiled: Compiled, settings: RunSettings, state: AnyArray, initial: AnyArray | None) -> None:
        self._compiled, self._threads = compiled, settings.threads
        self._first, self._initial = state, initial
        self.array = state

    @property
    def num_qubits(self) -> int:
        """Qubits of the ket: the bra's come after them."""
        return (self.array.size.bit_length() - 1) // 2

    def begin(self) -> None:
        self.array = self._first
        if self._initial is None:
            self.array[:] = 0
            self.array[0] = 1
        else:
            self.array[:] = self._initial

    def load(self, copy: AnyArray) -> None:
        self.array = copy.copy()

    def apply(self, segment: int, values: FloatArray) -> None:
        self._compiled.segments[segment].run(self.array, values, from_zero=False, threads=self._threads, cancel=None)

    def alloc(self) -> None:
        dim = 1 << self.num_qubits
        large = np.zeros((2 * dim, 2 * dim), dtype=self.array.dtype)
        large[:dim, :dim] = self.array.reshape(dim, dim)
        self.array = large.reshape(-1)

    def weights(self, step: Measure | Reset | Free | Noise) -> FloatArray:
        if not isinstance(step, Measure):
            return np.ones(1)
        dim = 1 << self.num_qubits
        found = DensityMatrix(self.array.reshape(dim, dim).T).probabilities([step.qubit])
        return np.maximum(found, 0.0)

    def take(self, step: Measure | Reset | Free | Noise, outcome: int, weight: float) -> None:
        shift = self.num_qubits
        if isinstance(step, Noise):
            both = step.place.qubits + tuple(qubit + shift for qubit in step.place.qubits)
            _apply_operator(self.array, step.place.channel.superoperator, both)
            return
        local = _local(self.array, (step.qubit, step.qubit + shift))
        if isinstance(step, Free):
            self.array = np.ascontiguousarray(local[0] + local[3]).reshape(-1)
        elif isinstance(step, Reset):
            local[0] = local[0] + local[3]
            for index in (1, 2, 3):
                local[index] = np.zeros_like(local[index])
        else:
            for index in range(4):
                local[index] = local[index] / weight if index == 3 * outcome else np.zeros_like(local[index])


def _apply_operator(state: AnyArray, matrix: ComplexArray, qubits: tuple[int, ...]) -> None:
    """Apply any matrix to some qubits of a state, in place; numpy's loops, no BLAS, so that threads change nothing."""
    matrix = matrix.astype(state.dtype, copy=False)
    local = _local(state, qubits)
    columns = [local[column].copy() for column in range(len(matrix))]
    for row, entries in enumerate(matrix):
        total = np.zeros_like(columns[0])
        for column in np.flatnonzero(entries).tolist():
            total += entries[column] * columns[column]
        local[row] = total


def _local(state: AnyArray, qubits: tuple[int, ...]) -> Any:
    """View a state by the index of some qubits, the first least significant."""
    num_qubits = state.size.bit_length() - 1
    tensor = state.reshape((2,) * num_qubits)
    front = tensor.transpose(
        [num_qubits - 1 - qubit for qubit in reversed(qubits)]
        + [num_qubits - 1 - qubit for qubit in reversed(range(num_qubits)) if qubit not in qubits]
    )
    return _Slices(front, len(qubits))


class _Slices:
    """Slices of a tensor by the joint index of its first k axes."""

    def __init__(self, tensor: AnyArray, k: int) -> None:
        self._tensor, self._k = tensor, k

    def _place(self, index: int) -> tuple[int, ...]:
        return tuple(index >> (self._k - 1 - axis) & 1 for axis in range(self._k))

    def __getitem__(self, index: int) -> AnyArray:
        found: AnyArray = self._tensor[self._place(index)]
        return found

    def __setitem__(self, index: int, value: AnyArray) -> None:
        self._tensor[self._place(index)] = value

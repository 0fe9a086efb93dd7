"""Exact density matrices of small circuits, noisy or not.

A density matrix of n qubits is a state of 2n: amplitude ``i + 2**n j`` is ``rho[i, j]``, qubit k is the ket's, qubit
n + k the bra's. A gate is applied to the ket's qubits and, conjugated, to the bra's, by the same engines as any state;
a channel is its superoperator on both.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray, Precision
from qfast.circuit import Circuit, Instruction, Observable, Operator
from qfast.circuit.binding import ParameterValues
from qfast.circuit.gates import OPCODES, GateFlag
from qfast.circuit.operators import check_observable
from qfast.engines import CancelToken
from qfast.engines.memory import check_memory, check_qubits, state_bytes
from qfast.errors import CircuitError, InputError
from qfast.noise import NoiseModel
from qfast.noise.channel import checked_qubits
from qfast.simulation.compiled import Compiled
from qfast.simulation.noisy import check_noise, parameter_values
from qfast.simulation.populations import Weight, misread_weights
from qfast.simulation.prepared_observables import measurable
from qfast.simulation.provenance import Provenance
from qfast.simulation.run_settings import RunSettings, run_settings
from qfast.simulation.script import Free, Measure, Noise, Reset, script_of
from qfast.simulation.walk import MAX_LOOP_PASSES, BranchWalk, add_outcomes
from qfast.simulation.working_states import initial_array, working_state

__all__ = ["DensityMatrix", "noisy_distribution", "simulate_density"]

_UNITARY = OPCODES["unitary"]


class DensityMatrix:
    """A density matrix. Made by `simulate_density`.

    Attributes
    ----------
    matrix : ndarray, complex, shape (2**n, 2**n)
        ``matrix[i, j]`` is ⟨i|rho|j⟩; qubit 0 is the least significant bit.
    num_qubits : int
    """

    __slots__ = ("_metadata", "matrix", "num_qubits")

    def __init__(self, matrix: AnyArray, metadata: Provenance | None = None) -> None:
        self.matrix = matrix
        self.num_qubits = len(matrix).bit_length() - 1
        self._metadata = metadata

    @property
    def metadata(self) -> dict[str, Any]:
        """Provenance; see `Samples.metadata`."""
        return {} if self._metadata is None else self._metadata.as_dict()

    def probabilities(self, qubits: Iterable[int] | None = None) -> FloatArray:
        """Return the joint distribution of some qubits, shape (2**k,), the first listed least significant."""
        listed = tuple(range(self.num_qubits)) if qubits is None else checked_qubits(qubits, "probabilities")
        if any(qubit >= self.num_qubits for qubit in listed):
            raise InputError(f"probabilities of qubits {list(listed)} were asked for; there are {self.num_qubits}")
        diagonal = np.ascontiguousarray(self.matrix.diagonal().real, dtype=np.float64)
        index = np.arange(diagonal.size)
        outcome = np.zeros_like(index)
        for place, qubit in enumerate(listed):
            outcome |= (index >> qubit & 1) << place
        found = np.bincount(outcome, weights=diagonal, minlength=1 << len(listed))
        return found.astype(np.float64, copy=False)

    def expectation(self, observable: Observable) -> complex | float:
        """Return tr(O rho): a float where the observable's coefficients are real, or it is Hermitian."""
        if isinstance(observable, Operator):
            return self._expectation_of(observable)
        check_observable(observable, "expectation")
        index = np.arange(1 << self.num_qubits)
        total = 0j
        for letters, qubits, coefficient in observable:
            if qubits and max(qubits) >= self.num_qubits:
                raise InputError(f"the term {letters!r} on {list(qubits)} does not fit {self.num_qubits} qubits")
            x_mask = sum(1 << q for letter, q in zip(letters, qubits, strict=True) if letter in "XY")
            z_mask = sum(1 << q for letter, q in zip(letters, qubits, strict=True) if letter in "YZ")
            signs = np.ones(index.size)
            for qubit in range(self.num_qubits):
                if z_mask >> qubit & 1:
                    signs *= 1 - 2 * (index >> qubit & 1)
            # P|k> = i^(number of Y) (-1)^(z.k) |k xor x>, so tr(P rho) gathers rho[k, k xor x].
            total += (
                coefficient * 1j ** letters.count("Y") * complex((signs * self.matrix[index, index ^ x_mask]).sum())
            )
        is_real = all(np.imag(coefficient) == 0 for _, _, coefficient in observable)
        return total.real if is_real else total

    def _expectation_of(self, operator: Operator) -> complex | float:
        """tr(O rho), column by column of rho."""
        settings = run_settings()
        wanted = measurable(operator, settings.engine, self.num_qubits)
        columns = np.ascontiguousarray(self.matrix.T)
        moved = np.empty_like(columns[0])
        total = 0j
        for place, column in enumerate(columns):
            wanted.prepared.apply(column, moved, threads=settings.threads)
            total += complex(moved[place])
        return total.real if wanted.is_hermitian else total

    def purity(self) -> float:
        """Return tr(rho²)."""
        return float(np.square(np.abs(self.matrix), dtype=np.float64).sum())

    def fidelity(self, state: Any) -> float:
        """Return ⟨ψ|rho|ψ⟩ with a pure state, a Statevector or an array of shape (2**n,)."""
        vector = initial_array(state, self.num_qubits)
        assert vector is not None
        return float(np.vdot(vector, self.matrix @ vector).real)

    def __repr__(self) -> str:
        return f"<DensityMatrix: {self.num_qubits} qubits, {self.matrix.dtype}>"


def density_bytes(num_qubits: int, precision: Precision) -> int:
    """Return the memory of a run with a density matrix at its peak: the matrix, and two copies at a channel."""
    return 3 * state_bytes(2 * num_qubits, precision)


def simulate_density(
    circuit: Circuit,
    noise: NoiseModel | None = None,
    *,
    parameters: ParameterValues | None = None,
    engine: str | None = None,
    precision: Precision | None = None,
    threads: int | None = None,
    isa: str | None = None,
    initial_state: Any = None,
    cancel: CancelToken | None = None,
) -> DensityMatrix:
    """Run a circuit on its density matrix.

    Parameters
    ----------
    circuit : Circuit
        Measurements at its end are left out; over the outcomes of those in the middle the result is averaged.
    noise : NoiseModel, optional
    parameters, engine, precision, threads, isa, initial_state, cancel
        As for `simulate`; `initial_state` is pure.

    Returns
    -------
    DensityMatrix

    Raises
    ------
    CapacityError
        4**n amplitudes do not fit.
    CircuitError
        An angle depends on a classical variable.

    Notes
    -----
    Memory: two or three times 16 · 4**n bytes in complex128; cost: 2 gates on 2n qubits for each gate.

    Examples
    --------
    >>> from qfast.noise import channels
    >>> noise = NoiseModel().add(channels.phase_flip(0.5), gates=["h"])
    >>> round(simulate_density(Circuit(1).h(0), noise, engine="reference").purity(), 12)
    0.5
    """
    settings = run_settings(engine, precision, threads, isa)
    begun = time.perf_counter()
    walk = _density_walk(circuit, noise, settings, parameters, initial_state, MAX_LOOP_PASSES, cancel)
    dim = 1 << circuit.num_qubits
    total = np.zeros((dim, dim), dtype=settings.precision)
    for leaf in walk.leaves(Weight.one(1e-14)):
        total += leaf.population.size * leaf.state.reshape(dim, dim).T
    times = {"run_s": time.perf_counter() - begun}
    peak_bytes = 2 * total.nbytes + walk.statistics.peak_kept_bytes
    return DensityMatrix(total, Provenance(settings, None, peak_bytes=peak_bytes, times=times))


def noisy_distribution(
    circuit: Circuit,
    noise: NoiseModel,
    settings: RunSettings,
    parameters: ParameterValues | None,
    *,
    initial_state: Any = None,
    cutoff: float = 1e-14,
    max_loop_passes: int = MAX_LOOP_PASSES,
    cancel: CancelToken | None = None,
) -> dict[str, float]:
    """Return the exact distribution of the classical bits under noise; see `qfast.distribution`."""
    walk = _density_walk(circuit, noise, settings, parameters, initial_state, max_loop_passes, cancel)
    script, dim = walk.script, 1 << circuit.num_qubits
    found: dict[int, float] = {}
    for leaf in walk.leaves(Weight.one(cutoff)):
        weights = DensityMatrix(leaf.state.reshape(dim, dim).T).probabilities(script.measured)
        add_outcomes(found, script, leaf.population, np.maximum(weights, 0.0))
    found = misread_weights(found, script.readout, cutoff)
    width = script.wiring.num_bits
    return {f"{bits:0{width}b}" if width else "": found[bits] for bits in sorted(found)}


# --- a density matrix as a state of twice the qubits ------------------------------------------------------------------


def _density_walk(
    circuit: Circuit,
    noise: NoiseModel | None,
    settings: RunSettings,
    parameters: ParameterValues | None,
    initial_state: Any,
    max_loop_passes: int,
    cancel: CancelToken | None,
) -> BranchWalk:
    num_qubits = circuit.num_qubits
    check_qubits(2 * num_qubits, settings.precision)
    check_memory(
        density_bytes(num_qubits, settings.precision),
        f"a density matrix of {num_qubits} qubits in {settings.precision}, which is a state of twice as many",
        amplitude_bytes=state_bytes(0, settings.precision),
        limit_bytes=settings.max_bytes,
    )
    values = parameter_values(circuit, parameters)
    bound = circuit.bind(values) if values else circuit
    script = script_of(bound, None if noise is None else check_noise(noise))
    script = replace(script, segments=tuple(_doubled(script.segments)))
    compiled = Compiled(Circuit(2 * num_qubits), settings.engine, settings.precision, script)
    initial = initial_array(initial_state, num_qubits)
    start = None
    if initial is not None:
        start = np.outer(initial.conj(), initial).astype(settings.precision).reshape(-1)
    state = working_state(None, None, 2 * num_qubits, settings.precision)
    branch = _DensityBranch(compiled, settings, state, start)
    return BranchWalk(
        compiled, settings, {}, branch, budget_bytes=1 << 30, max_loop_passes=max_loop_passes, cancel=cancel
    )


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

"""The native engine: the C++ core behind pybind11. Absent in a pure build."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import AnyArray, ComplexArray, EngineName, FloatArray, IntArray, Isa, Precision, UIntArray
from qfast.circuit.expressions import ExpressionTable, expression_table
from qfast.circuit.gates import GATES, NUM_GATES, OPCODES
from qfast.engines.interface import CancelToken
from qfast.engines.samplers import NativeObservable, NativeSampler, Sampler
from qfast.errors import CircuitError, EngineError, ParameterError
from qfast.extension import core, missing_reason

if TYPE_CHECKING:
    from qfast.circuit import AnyCircuit, Circuit

_BARRIER = OPCODES["barrier"]
_ONE_TILE_QUBITS: dict[Precision, int] = {"complex64": 15, "complex128": 14}  # 256 KiB: beside its copies in L2


def unavailable_reason() -> str | None:
    """Say why there is no native engine; None if there is."""
    return missing_reason


def isas() -> list[Isa]:
    """Return the instruction sets that this CPU has and the extension was built for, best last."""
    found: list[Isa] = [] if core is None else core.isa_available()
    return found


class NativeEngine:
    """Plans and runs circuits in the C++ core.

    Parameters
    ----------
    isa : {"baseline", "avx2", "avx512"}, optional
        By default the best that this CPU has.
    cost_table : qfast._core.CostTable, optional
        Prices that the planner compares; by default the built-in ones.

    Raises
    ------
    EngineError
        The ISA is unknown or this CPU lacks it.
    """

    name: EngineName = "native"
    max_walk_qubits: int = 0 if core is None else core.WalkPlan.max_qubits

    def __init__(self, isa: str | None = None, cost_table: Any = None) -> None:
        if isa is not None and isa not in isas():
            raise EngineError(f"ISA {isa!r} was forced, but this CPU and build offer {', '.join(isas())}")
        self.isa: Isa = isa or core.isa_default()
        self.cost_table = core.CostTable() if cost_table is None else cost_table

    def prepare(self, circuit: Circuit, *, precision: Precision, tile_qubits: int = 0) -> NativeCircuit:
        """See `Engine.prepare`; `tile_qubits` forces the planner's tile size, 0 leaves it to the cost table."""
        return NativeCircuit(circuit, precision, self.isa, tile_qubits, self.cost_table)

    def trajectories(self, circuit: Circuit, *, precision: Precision) -> NativeTrajectories:
        """See `Engine.trajectories`. A small state is planned as one tile, so that rows can part at any of its ops."""
        is_small = circuit.num_qubits <= _ONE_TILE_QUBITS[precision]
        tile_qubits = max(1, circuit.num_qubits) if is_small else 0  # 0 would leave a circuit of no qubits unplanned
        return NativeTrajectories(self.prepare(circuit, precision=precision, tile_qubits=tile_qubits))

    def prepare_script(
        self,
        code: Any,
        segments: Sequence[Circuit],
        sources: Sequence[int],
        readout: Sequence[tuple[Sequence[int], FloatArray]],
        variables: Sequence[str],
        *,
        precision: Precision,
        is_density: bool = False,
    ) -> Any:
        """Return a ``qfast._core.WalkPlan``, whose states have at most `max_walk_qubits` qubits.

        Parameters
        ----------
        code : ScriptCode
        segments : sequence of Circuit
            The stretches of gates.
        sources : sequence of int
            For each classical bit the qubit that is measured into it at the end, or -1.
        readout : sequence of (bits, probabilities)
            What is misread at the end.
        variables : sequence of str
        precision : {"complex64", "complex128"}
        is_density : bool
            States are density matrices, and the stretches act on the ket's and on the bra's qubits.
        """
        columns = [_columns(segment, expression_table(segment)) for segment in segments]
        wired = np.array(sources, dtype=np.int32)
        readouts = [(list(bits), np.ascontiguousarray(table, dtype=np.float64)) for bits, table in readout]
        return core.WalkPlan(code, columns, wired, readouts, list(variables), is_density, precision, self.isa)

    def probabilities(self, state: AnyArray, qubits: AnyArray, *, threads: int) -> FloatArray:
        """See `Engine.probabilities`."""
        found: FloatArray = core.probabilities(state, np.asarray(qubits, dtype=np.int32), threads, self.isa)
        return found

    def norm_squared(self, state: AnyArray, *, threads: int) -> float:
        """See `Engine.norm_squared`."""
        return float(core.norm_squared(state, threads, self.isa))

    def inner_product(self, a: AnyArray, b: AnyArray, *, threads: int) -> complex:
        """See `Engine.inner_product`."""
        return complex(core.inner_product(a, b, threads, self.isa))

    def expectation_pauli(
        self, state: AnyArray, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray, *, threads: int
    ) -> complex:
        """See `Engine.expectation_pauli`."""
        return complex(core.expectation_pauli(state, x_masks, z_masks, coefficients, threads, self.isa))

    def observable(
        self, num_qubits: int, x_masks: UIntArray, z_masks: UIntArray, coefficients: ComplexArray
    ) -> NativeObservable:
        """See `Engine.observable`."""
        return NativeObservable(num_qubits, x_masks, z_masks, coefficients, self.isa)

    def sampler(self, state: AnyArray, *, threads: int) -> Sampler:
        """See `Engine.sampler`."""
        return NativeSampler(self, state, threads, self.isa)

    def sample_indices(self, state: AnyArray, uniforms: FloatArray, *, threads: int) -> IntArray:
        """See `Engine.sample_indices`."""
        found: IntArray = core.sample_indices(state, uniforms, threads, self.isa)
        return found

    def uniforms(self, seed: int, first_shot: int, count: int, site: int) -> FloatArray:
        """See `Engine.uniforms`."""
        found: FloatArray = core.uniforms(seed, first_shot, count, site)
        return found


class NativeCircuit:
    """A plan of the core; see `PreparedCircuit`."""

    def __init__(self, circuit: Circuit, precision: Precision, isa: Isa, tile_qubits: int, cost_table: Any) -> None:
        self._expressions = expressions = expression_table(circuit)
        self.num_qubits = circuit.num_qubits
        self.num_parameters = expressions.num_parameters
        try:
            self._program = core.Program(_columns(circuit, expressions), precision, isa, tile_qubits, cost_table)
        except CircuitError:
            _check_gates(circuit)
            raise
        # Tables and tile buffers are bounded, and small beside a state that matters; a permutation gate on most of the
        # qubits is the only one that does not work in place.
        self.workspace_bytes: int = self._program.workspace_bytes

    def run(
        self, state: AnyArray, values: FloatArray, *, from_zero: bool, threads: int, cancel: CancelToken | None
    ) -> None:
        """See `PreparedCircuit.run`."""
        try:
            self._program.run(state, from_zero, values, threads, None if cancel is None else cancel.native)
        except ParameterError:
            self._expressions.evaluate(values)  # names the expression that has no finite value
            raise

    def batch(self) -> NativeCircuit:
        """See `PreparedCircuit.batch`."""
        return self

    def states(self, values: FloatArray, out: AnyArray, *, threads: int, cancel: CancelToken | None) -> None:
        """See `BatchedCircuit.states`."""
        self._program.states_many(values, out, threads, cancel and cancel.native)

    def expectations(
        self, values: FloatArray, observable: Any, *, threads: int, cancel: CancelToken | None
    ) -> AnyArray:
        """See `BatchedCircuit.expectations`."""
        found: AnyArray = self._program.expectation_many(values, observable.core, threads, cancel and cancel.native)
        return found

    def quick_expectation(
        self, observable: Any, is_real: bool, threads: int
    ) -> Callable[[Any], float | complex | None]:
        """See `BatchedCircuit.quick_expectation`."""
        quick: Callable[[Any], float | complex | None]
        quick = core.quick_expectation(self._program, observable.core, is_real, threads)
        return quick

    def sample_indices(
        self, values: FloatArray, uniforms: FloatArray, offsets: IntArray, *, threads: int, cancel: CancelToken | None
    ) -> IntArray:
        """See `BatchedCircuit.sample_indices`."""
        found: IntArray = self._program.run_many(values, uniforms, offsets, threads, cancel and cancel.native)
        return found

    def explain(self) -> dict[str, Any]:
        """See `PreparedCircuit.explain`."""
        plan: dict[str, Any] = json.loads(self._program.explain())
        return plan


class NativeTrajectories:
    """Rows of parameter values that differ little; see `Trajectories`."""

    def __init__(self, circuit: NativeCircuit) -> None:
        self._core = core.Trajectories(circuit._program)
        self.order: IntArray = self._core.order

    def sample_indices(
        self, base: FloatArray, change: FloatArray, bits: AnyArray, uniforms: FloatArray, offsets: IntArray, *,
        initial: AnyArray | None, kept_bytes: int, threads: int, cancel: CancelToken | None,
    ) -> tuple[IntArray, float]:  # fmt: skip
        """See `Trajectories.sample_indices`."""
        found: tuple[IntArray, float] = self._core.sample(
            base, change, bits, uniforms, offsets, initial, kept_bytes, threads, cancel and cancel.native
        )
        return found

    def pauli_means(
        self, base: FloatArray, change: FloatArray, bits: AnyArray, offsets: IntArray,
        frames: tuple[UIntArray, UIntArray], observable: tuple[UIntArray, UIntArray, ComplexArray], *,
        initial: AnyArray | None, kept_bytes: int, threads: int, cancel: CancelToken | None,
    ) -> tuple[ComplexArray, float]:  # fmt: skip
        """See `Trajectories.pauli_means`."""
        found: tuple[ComplexArray, float] = self._core.pauli_means(
            base, change, bits, offsets, *frames, *observable, initial, kept_bytes, threads, cancel and cancel.native
        )
        return found


def _columns(circuit: AnyCircuit, expressions: ExpressionTable) -> tuple[Any, ...]:
    """The parts of a circuit as the core takes them; columns are shared."""
    return (
        circuit.num_qubits, circuit.columns, circuit.data_items,
        expressions.slots, expressions.code_end, expressions.code, expressions.constants, expressions.num_parameters,
    )  # fmt: skip


def _check_gates(circuit: AnyCircuit) -> None:
    """Refuse what is neither a gate nor a barrier, by name."""
    opcodes = np.asarray(circuit.opcodes)
    wrong = np.flatnonzero((opcodes >= NUM_GATES) & (opcodes != _BARRIER))
    if wrong.size:
        row = int(wrong[0])
        raise CircuitError(
            f"'{GATES[int(opcodes[row])].name}' at instruction {row} is no gate: an engine runs gates only; "
            "qfast.simulate and qfast.sample run the rest"
        )

"""From Qiskit's QuantumCircuit."""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias, overload

from qiskit.circuit import CASE_DEFAULT as QISKIT_DEFAULT
from qiskit.circuit import (
    AnnotatedOperation,
    BreakLoopOp,
    CircuitInstruction,
    ContinueLoopOp,
    ControlFlowOp,
    ControlledGate,
    ControlModifier,
    ForLoopOp,
    Gate,
    IfElseOp,
    InverseModifier,
    PowerModifier,
    QuantumCircuit,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import DiagonalGate, PermutationGate, UGate, UnitaryGate

from qfast.circuit import DEFAULT, Circuit
from qfast.circuit.classical import Variable
from qfast.circuit.data_items import MAX_DATA_QUBITS
from qfast.circuit.gates import GATES, OPCODES
from qfast.circuit.parameter import ParameterExpression
from qfast.errors import CircuitError, InputError
from qfast.qiskit.conditions import read_condition, read_expression, read_type
from qfast.qiskit.gate_classes import CLASSES, ROWS
from qfast.qiskit.parameters import ParameterReader

__all__ = ["Delays", "from_qiskit"]

Delays: TypeAlias = Literal["refuse", "drop", "id"]


@overload
def from_qiskit(
    circuit: list[QuantumCircuit] | tuple[QuantumCircuit, ...], *, delays: Delays = "refuse"
) -> list[Circuit]: ...
@overload
def from_qiskit(circuit: QuantumCircuit, *, delays: Delays = "refuse") -> Circuit: ...
def from_qiskit(
    circuit: QuantumCircuit | Iterable[QuantumCircuit], *, delays: Delays = "refuse"
) -> Circuit | list[Circuit]:
    """Convert a Qiskit circuit, or several.

    Parameters
    ----------
    circuit : qiskit.QuantumCircuit, or an iterable of them
        Gates of Qiskit's library and any instruction with a definition or a matrix, controlled gates in any control
        state, parameters, measurement, reset, barriers, control flow, classical expressions and variables.
    delays : {"refuse", "drop", "id"}
        What becomes of delays that take time, which change no state but let noise act: refused, left out, or one ``id``
        gate each, at which a noise model acts and whose duration it knows (``NoiseModel.set_durations``).

    Returns
    -------
    Circuit, or a list of them
        With the same bits in the same order, the same register names and the same parameter names. A global phase
        becomes a ``gphase`` at the start. Boxes are opened; what is not in the gate table is replaced by its
        definition.

    Raises
    ------
    CircuitError, ParameterError
        Something has no counterpart (an input variable, a delay, ``sign`` in an angle); the message names it.
    InputError
        `delays` is something else.

    Notes
    -----
    Tested with Qiskit 2; a classical condition of Qiskit 1 (``c_if``) becomes an ``if``.
    """
    if delays not in ("refuse", "drop", "id"):
        raise InputError(f"from_qiskit: delays={delays!r} is unknown; allowed: 'refuse', 'drop', 'id'")
    if isinstance(circuit, QuantumCircuit):
        return _Reader(circuit, delays).result
    if not isinstance(circuit, Iterable) or isinstance(circuit, (str, bytes)):
        raise CircuitError(f"from_qiskit takes a qiskit.QuantumCircuit or several, {type(circuit).__name__} given")
    given = list(circuit)
    for place, one in enumerate(given):
        if not isinstance(one, QuantumCircuit):
            raise CircuitError(f"circuit {place}: a qiskit.QuantumCircuit is needed, {type(one).__name__} given")
    return [_Reader(one, delays).result for one in given]


class _StandardGates:
    """Gates of our table that are appended together."""

    def __init__(self, parameters: ParameterReader, target: Circuit) -> None:
        self._parameters, self._target = parameters, target
        self.opcodes: list[int] = []
        self.qubits: list[int] = []
        self._params: list[float] = []
        self._expressions: dict[int, ParameterExpression] = {}

    def add_params(self, item: Any, index: int) -> None:
        """Take over the parameters of an instruction."""
        for value in item.params:
            if type(value) is not float:
                value = self._parameters.read(value, f"'{item.name}' at Qiskit's instruction {index}")
                if isinstance(value, ParameterExpression):
                    self._expressions[len(self._params)] = value
                    value = math.nan
            self._params.append(value)

    def flush(self) -> None:
        """Append what has been collected."""
        if self.opcodes:
            self._target._append_gates(self.opcodes, self.qubits, self._params, self._expressions)
            self.opcodes, self.qubits, self._params, self._expressions = [], [], [], {}


class _Scope:
    """Where the bits of a Qiskit circuit, or of a body inside it, stand in ours."""

    def __init__(self, source: QuantumCircuit, qubits: Sequence[int], clbits: Sequence[int]) -> None:
        self.qubits = dict(zip(source.qubits, qubits, strict=True))
        self.clbits = dict(zip(source.clbits, clbits, strict=True))


class _Reader:
    def __init__(self, source: QuantumCircuit, delays: Delays) -> None:
        self.delays = delays
        self.parameters = ParameterReader()
        self.variables: dict[Any, Variable] = {}
        self.result = Circuit()
        for name, size in _runs(source.qubits, source, source.qregs, "q"):
            self.result.add_qubit_register(name, size)
        for name, size in _runs(source.clbits, source, source.cregs, "c"):
            self.result.add_classical_register(name, size)
        if any(True for _ in getattr(source, "iter_input_vars", tuple)()):
            names = ", ".join(f"'{var.name}'" for var in source.iter_input_vars())
            raise CircuitError(f"the Qiskit circuit has input variables ({names}), whose values only a caller can give")
        self.read_block(source, self.result, _Scope(source, range(source.num_qubits), range(source.num_clbits)))

    def read_block(self, source: QuantumCircuit, target: Circuit, scope: _Scope) -> None:
        """Append a circuit or body to `target`, whose bits `scope` tells."""
        for variable in getattr(source, "iter_declared_vars", tuple)():
            kind, width = read_type(variable.type, f"variable '{variable.name}'")
            self.variables[variable] = self.declare(variable.name, kind, width)
            target._declare(self.result.variables.values())
        phase = self.parameters.read(source.global_phase, "the global phase")
        if isinstance(phase, ParameterExpression) or phase:
            target.gphase(phase)
        standard = _StandardGates(self.parameters, target)
        place_of = scope.qubits.__getitem__
        for index, item in enumerate(source.data):
            # No object is made of a gate that Qiskit keeps as a number and operands.
            opcode = _STANDARD.get(item.name)
            if opcode is not None and item.is_standard_gate():
                standard.opcodes.append(opcode)
                standard.qubits.extend(map(place_of, item.qubits))
                if opcode in _WITH_PARAMS:
                    standard.add_params(item, index)
                continue
            standard.flush()
            qubits = [scope.qubits[bit] for bit in item.qubits]
            clbits = [scope.clbits[bit] for bit in item.clbits]
            place = f"'{item.operation.name}' at Qiskit's instruction {index}"
            condition = getattr(item.operation, "condition", None)
            if condition is not None and not isinstance(item.operation, ControlFlowOp):
                body = target.block()
                self.append(item.operation, qubits, clbits, body, scope, place)
                target.if_test(read_condition(condition, scope.clbits.__getitem__, self.variable, place), body)
            else:
                self.append(item.operation, qubits, clbits, target, scope, place)
        standard.flush()

    def declare(self, name: str, kind: str, width: int | None) -> Variable:
        """Declare a variable under a name that is still free; inner scopes may use a name again."""
        taken = {register.name for register in (*self.result.qubit_registers, *self.result.classical_registers)}
        taken |= set(self.result.variables)
        free = next(free for k in range(len(taken) + 1) if (free := f"{name}_{k}" if k else name) not in taken)
        return self.result.add_variable(free, kind, width)

    def variable(self, var: Any) -> Variable:
        return self.variables[var]

    def append(
        self, operation: Any, qubits: list[int], clbits: list[int], target: Circuit, scope: _Scope, place: str
    ) -> None:
        """Append one operation on the given bits of `target`."""
        name = operation.name
        if name == "measure":
            target.measure(qubits[0], clbits[0])
        elif name == "reset":
            target.reset(qubits[0])
        elif name == "barrier":
            target.barrier(*qubits)
        elif name == "delay":
            self.append_delay(operation, qubits[0], target, place)
        elif isinstance(operation, BreakLoopOp):
            target.break_loop()
        elif isinstance(operation, ContinueLoopOp):
            target.continue_loop()
        elif name == "store":
            self.append_store(operation, target, scope, place)
        elif isinstance(operation, ControlFlowOp):
            self.append_control_flow(operation, qubits, clbits, target, scope, place)
        elif isinstance(operation, AnnotatedOperation):
            self.append_annotated(operation, qubits, target, place)
        else:
            self.append_gate(operation, qubits, clbits, target, place)

    def append_gate(self, operation: Any, qubits: list[int], clbits: list[int], target: Circuit, place: str) -> None:
        row = ROWS.get(getattr(operation, "base_class", type(operation)))
        open_controls = isinstance(operation, ControlledGate) and (
            operation.ctrl_state != (1 << operation.num_ctrl_qubits) - 1
        )
        if row is not None and not open_controls:
            params = [self.parameters.read(value, place) for value in operation.params]
            target._append_checked(OPCODES[row], qubits, params)
        elif isinstance(operation, UnitaryGate) and not qubits:
            target.gphase(cmath.phase(operation.to_matrix()[0, 0]))
        elif isinstance(operation, UnitaryGate) and len(qubits) <= MAX_DATA_QUBITS:
            target.unitary(operation.to_matrix(), qubits)
        elif isinstance(operation, PermutationGate):
            _append_permutation(operation.pattern.tolist(), qubits, target)
        elif isinstance(operation, DiagonalGate):
            target.diagonal(operation.params, qubits)
        elif isinstance(operation, ControlledGate) and _has_no_ancillas(operation):
            count = operation.num_ctrl_qubits
            inner = Circuit(len(qubits) - count)
            self.append_base(operation, inner, place)
            target.compose(inner.control(count, operation.ctrl_state), qubits)
        else:
            self.append_definition(operation, qubits, clbits, target, place)

    def append_base(self, operation: Any, inner: Circuit, place: str) -> None:
        """Append what a controlled gate does where its controls agree."""
        base = operation.base_gate
        if type(base) is UGate and len(operation.params) == 4:
            # A CUGate, or one under more controls: the phase between its branches is not in the base gate, which Qiskit
            # even gives four parameters.
            theta, phi, lam, phase = (self.parameters.read(value, place) for value in operation.params)
            inner.gphase(phase)
            inner.u(theta, phi, lam, 0)
        else:
            self.append_gate(base, list(range(inner.num_qubits)), [], inner, place)

    def append_delay(self, operation: Any, qubit: int, target: Circuit, place: str) -> None:
        if self.delays == "id":
            target.id(qubit)
        elif self.delays == "refuse" and operation.duration != 0:
            raise CircuitError(
                f"{place} lets qubit {qubit} wait for {operation.duration} {operation.unit}, and a circuit has no "
                "clock; pass delays='drop' to leave delays out, or delays='id' to let the noise of 'id' act at each"
            )

    def append_definition(
        self, operation: Any, qubits: list[int], clbits: list[int], target: Circuit, place: str
    ) -> None:
        definition = operation.definition
        if definition is not None:
            self.read_block(definition, target, _Scope(definition, qubits, clbits))
        elif isinstance(operation, Gate) and len(qubits) <= MAX_DATA_QUBITS and hasattr(operation, "__array__"):
            target.unitary(operation.to_matrix(), qubits)
        else:
            raise CircuitError(f"{place} is opaque: it has neither a definition nor a matrix")

    def append_annotated(self, operation: Any, qubits: list[int], target: Circuit, place: str) -> None:
        """An operation with modifiers, each applied to what stands before it; controls come first."""
        inner = Circuit(operation.base_op.num_qubits)
        scope = _Scope(QuantumCircuit(), (), ())
        self.append(operation.base_op, list(range(inner.num_qubits)), [], inner, scope, place)
        for modifier in operation.modifiers:
            if isinstance(modifier, InverseModifier):
                inner = inner.inverse()
            elif isinstance(modifier, ControlModifier):
                inner = inner.control(modifier.num_ctrl_qubits, modifier.ctrl_state)
            elif isinstance(modifier, PowerModifier):
                inner = inner.power(modifier.power)
            else:
                raise CircuitError(f"{place}: the modifier {modifier} is unknown")
        target.compose(inner, qubits)

    # ---------------------------------------------------------------------------------------------------- control flow

    def append_store(self, operation: Any, target: Circuit, scope: _Scope, place: str) -> None:
        goal = read_expression(operation.lvalue, scope.clbits.__getitem__, self.variable, place)
        value = read_expression(operation.rvalue, scope.clbits.__getitem__, self.variable, place)
        target.assign(goal, value)  # type: ignore[arg-type]  # assign refuses what is no place

    def append_control_flow(
        self, operation: Any, qubits: list[int], clbits: list[int], target: Circuit, scope: _Scope, place: str
    ) -> None:
        def body(source: QuantumCircuit) -> Circuit:
            block = target.block()
            self.read_block(source, block, _Scope(source, qubits, clbits))
            target._declare(self.result.variables.values())
            return block

        def condition() -> Any:
            return read_condition(operation.condition, scope.clbits.__getitem__, self.variable, place)

        if isinstance(operation, IfElseOp):
            blocks = [body(block) for block in operation.blocks]
            target.if_test(condition(), *blocks)
        elif isinstance(operation, WhileLoopOp):
            target.while_loop(condition(), body(operation.blocks[0]))
        elif isinstance(operation, ForLoopOp):
            self.append_for(operation, target, body)
        elif isinstance(operation, SwitchCaseOp):
            tested = read_expression(operation.target, scope.clbits.__getitem__, self.variable, place)
            cases = [
                (DEFAULT if QISKIT_DEFAULT in labels else [int(label) for label in labels], body(block))
                for labels, block in operation.cases_specifier()
            ]
            target.switch(tested, cases)
        elif type(operation).__name__ == "BoxOp":
            if self.delays != "drop" and operation.duration is not None:
                raise CircuitError(
                    f"{place} lasts {operation.duration} {operation.unit}, and a circuit has no clock; pass "
                    "delays='drop' to open boxes whatever time they take"
                )
            target.compose(body(operation.blocks[0]))
        else:
            raise CircuitError(f"{place}: this kind of control flow is unknown")

    def append_for(self, operation: Any, target: Circuit, body: Any) -> None:
        values, parameter, source = operation.params
        variable = None
        if parameter is not None:
            # A name of its own, so that no free parameter of the same name is taken for it.
            variable = self.declare(f"{parameter.name}_loop", "int", 64)
            self.parameters.rename(parameter, variable.name)
            target._declare(self.result.variables.values())
        target.for_loop(values if isinstance(values, range) else list(values), body(source), variable)


def _append_permutation(pattern: list[int], qubits: list[int], target: Circuit) -> None:
    """Swap qubits until each place k holds what stood at ``pattern[k]``; the planner makes swaps relabellings."""
    place_of, held = list(range(len(pattern))), list(range(len(pattern)))
    for place, wanted in enumerate(pattern):
        source, other = place_of[wanted], held[place]
        if source != place:
            target.swap(qubits[place], qubits[source])
            held[source], place_of[other] = other, source


def _has_no_ancillas(operation: Any) -> bool:
    return bool(operation.num_qubits == operation.num_ctrl_qubits + operation.base_gate.num_qubits)


def _runs(bits: Sequence[Any], source: QuantumCircuit, registers: Sequence[Any], default: str) -> list[tuple[str, int]]:
    """The registers as runs that cover all bits in order; one run under one name where they do not."""
    covered = [bit for register in registers for bit in register]
    if covered == list(bits):
        return [(register.name, len(register)) for register in registers if len(register)]
    taken = {register.name for register in (*source.qregs, *source.cregs)}
    name = next(name for k in range(len(taken) + 1) if (name := f"{default}{k or ''}") not in taken)
    return [(name, len(bits))]


def _standard_opcodes() -> dict[str, int]:
    """Our opcode of each gate that Qiskit keeps without an object; none before Qiskit 1.3, which cannot be asked."""
    if not hasattr(CircuitInstruction, "is_standard_gate"):
        return {}
    kinds = {name: getattr(kind, "_standard_gate", None) for name, kind in CLASSES.items()}
    return {kind.name: OPCODES[name] for name, kind in kinds.items() if kind is not None}


_STANDARD = _standard_opcodes()
_WITH_PARAMS = frozenset(opcode for opcode in _STANDARD.values() if GATES[opcode].num_params)

"""To Qiskit's QuantumCircuit."""

from __future__ import annotations

from typing import Any

import numpy as np
from qiskit.circuit import CASE_DEFAULT, ClassicalRegister, Parameter, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit.circuit.library import DiagonalGate, PauliEvolutionGate, UnitaryGate, XGate
from qiskit.quantum_info import SparsePauliOp

from qfast.circuit import AnyCircuit, ForLoop, IfElse, Instruction, SwitchCase, WhileLoop, find_gate
from qfast.circuit.classical import Bit, Bits, Variable, walk
from qfast.circuit.control_flow import Assign, Block, bodies_of, expressions_of
from qfast.circuit.data_items import MAX_DATA_QUBITS, data_matrix
from qfast.circuit.gates import OPCODES, Step
from qfast.errors import CircuitError
from qfast.qiskit.conditions import ExpressionWriter, write_type
from qfast.qiskit.gate_classes import CLASSES
from qfast.qiskit.parameters import ParameterWriter

__all__ = ["to_qiskit"]


def to_qiskit(circuit: AnyCircuit) -> QuantumCircuit:
    """Convert to a Qiskit circuit.

    Parameters
    ----------
    circuit : Circuit or CircuitValue

    Returns
    -------
    qiskit.QuantumCircuit
        With the same registers, bits and parameter names. ``fsim`` is decomposed, a permutation becomes a unitary, a
        Pauli rotation a ``PauliEvolutionGate``.

    Raises
    ------
    CircuitError
        Something has no counterpart in Qiskit; the message names the instruction: a signed variable, a bit run that is
        no register, an angle that is a classical variable, a permutation on more than 10 qubits.
    """
    return _Writer(circuit).result


class _Writer:
    def __init__(self, circuit: AnyCircuit) -> None:
        qregs = [QuantumRegister(register.size, register.name) for register in circuit.qubit_registers]
        cregs = [ClassicalRegister(register.size, register.name) for register in circuit.classical_registers]
        self.result = QuantumCircuit(*qregs, *cregs)
        self.parameters = ParameterWriter(circuit.parameters)
        self.classical = ExpressionWriter(
            self.result.clbits,
            [(register.start, creg) for register, creg in zip(circuit.classical_registers, cregs, strict=True)],
            {},
        )
        classical, loops = _used_variables(circuit)
        for name, variable in circuit.variables.items():
            if name in classical or name not in loops:
                kind = write_type(variable, f"variable '{name}'")
                initial = expr.lift(False) if variable.kind == "bool" else expr.cast(expr.lift(0), kind)
                self.classical.variables[name] = self.result.add_var(name, initial)
        self.write_block(circuit, self.result)

    def write_block(self, circuit: AnyCircuit, target: QuantumCircuit) -> None:
        for index, instruction in enumerate(circuit):
            self.append(instruction, target, f"'{instruction.name}' at instruction {index}")

    def append(self, instruction: Instruction, target: QuantumCircuit, place: str) -> None:
        name, qubits = instruction.name, list(instruction.qubits)
        if name == "measure":
            target.measure(qubits[0], self.result.clbits[instruction.clbit])
        elif name == "reset":
            target.reset(qubits[0])
        elif name == "barrier":
            target.barrier(qubits)
        elif name == "break_loop":
            target.break_loop()
        elif name == "continue_loop":
            target.continue_loop()
        elif isinstance(instruction.data, Block):
            self.append_block(instruction.data, target, place)
        else:
            self.append_gate(instruction, target, place)

    def append_gate(self, instruction: Instruction, target: QuantumCircuit, place: str) -> None:
        name, controls, state = instruction.name, list(instruction.controls), instruction.ctrl_state
        if name == "gphase" and controls:
            self.append_controlled_phase(instruction, target, place)
            return
        if name not in CLASSES and instruction.data is None:
            row = find_gate(name)
            assert row.decomposition is not None
            for step in row.decomposition(instruction.params):
                self.append_gate(_step_instruction(step, instruction), target, place)
            return
        gate = self.gate(instruction, place)
        if controls:
            gate = gate.control(len(controls), ctrl_state=state, annotated=False)
        target.append(gate, controls + list(instruction.qubits))

    def gate(self, instruction: Instruction, place: str) -> Any:
        """Qiskit's gate without the extra controls."""
        name, data = instruction.name, instruction.data
        params = [self.parameter(value, place) for value in instruction.params]
        if name in CLASSES:
            return CLASSES[name](*params)
        if name == "unitary":
            return UnitaryGate(data)
        if name == "diagonal":
            return DiagonalGate(data.tolist())
        if name == "pauli_rotation":
            label = "".join("IXYZ"[code] for code in reversed(data.tolist()))
            return PauliEvolutionGate(SparsePauliOp(label), time=params[0] / 2)
        if len(instruction.qubits) > MAX_DATA_QUBITS:
            raise CircuitError(f"{place}: Qiskit has no permutation of the states of {len(instruction.qubits)} qubits")
        return UnitaryGate(np.asarray(data_matrix(name, data)))

    def parameter(self, value: Any, place: str) -> Any:
        try:
            return self.parameters.write(value)
        except KeyError as error:
            raise CircuitError(
                f"{place}: the angle {value} is the classical variable '{error.args[0]}', which Qiskit cannot use"
            ) from None

    def append_controlled_phase(self, instruction: Instruction, target: QuantumCircuit, place: str) -> None:
        """A global phase under controls is a phase of the last one, which is flipped around it where it must be 0."""
        *rest, last = instruction.controls
        state = instruction.ctrl_state
        flipped = not state >> len(rest) & 1
        gate = CLASSES["p"](self.parameter(instruction.params[0], place))
        if rest:
            gate = gate.control(len(rest), ctrl_state=state & ((1 << len(rest)) - 1), annotated=False)
        for part, bits in ((XGate(), [last]), (gate, [*rest, last]), (XGate(), [last])):
            if flipped or part is gate:
                target.append(part, bits)

    # ---------------------------------------------------------------------------------------------------- control flow

    def body(self, circuit: AnyCircuit, target: QuantumCircuit) -> QuantumCircuit:
        inner = QuantumCircuit(target.qubits, target.clbits, *target.cregs)
        for var in self.classical.variables.values():
            inner.add_capture(var)
        self.write_block(circuit, inner)
        return inner

    def append_block(self, block: Block, target: QuantumCircuit, place: str) -> None:
        write = self.classical.write
        qubits, clbits = target.qubits, target.clbits
        if isinstance(block, Assign):
            self.append_assign(block, target, place)
        elif isinstance(block, ForLoop):
            self.append_for(block, target, place)
        elif isinstance(block, IfElse):
            condition = _truth(write(block.condition, place))
            body = self.body(block.body, target)
            if block.else_body is None:
                target.if_test(condition, body, qubits, clbits)
            else:
                target.if_else(condition, body, self.body(block.else_body, target), qubits, clbits)
        elif isinstance(block, WhileLoop):
            target.while_loop(_truth(write(block.condition, place)), self.body(block.body, target), qubits, clbits)
        else:
            self.append_switch(block, target, place)

    def append_switch(self, block: SwitchCase, target: QuantumCircuit, place: str) -> None:
        cases: list[tuple[Any, QuantumCircuit]] = [
            (values if len(values) > 1 else values[0], self.body(body, target)) for values, body in block.cases
        ]
        if block.default is not None:
            cases.append((CASE_DEFAULT, self.body(block.default, target)))
        tested = block.target
        goal = (
            self.classical.place_of(tested, place)
            if isinstance(tested, (Bit, Bits))
            else self.classical.write(tested, place)
        )
        target.switch(goal, cases, target.qubits, target.clbits)

    def append_for(self, block: ForLoop, target: QuantumCircuit, place: str) -> None:
        if any(isinstance(value, float) for value in block.values):
            raise CircuitError(f"{place}: Qiskit's for loop takes integers only, {block.values} given")
        parameter, outer = None, None
        if block.variable is not None:
            if block.variable in self.classical.variables:
                raise CircuitError(
                    f"{place}: the loop variable '{block.variable}' is also used in a classical expression, "
                    "which Qiskit's loop parameters cannot be"
                )
            parameter = Parameter(block.variable)
            outer = self.parameters.known.get(block.variable)
            self.parameters.known[block.variable] = parameter
        body = self.body(block.body, target)
        if outer is not None:
            self.parameters.known[str(block.variable)] = outer
        elif block.variable is not None:
            del self.parameters.known[block.variable]
        # Qiskit refuses a loop parameter that the body does not use.
        used = parameter if parameter is not None and parameter in body.parameters else None
        target.for_loop(block.values, used, body, target.qubits, target.clbits)

    def append_assign(self, block: Assign, target: QuantumCircuit, place: str) -> None:
        goal = block.target
        value = self.classical.write(block.value, place)
        if isinstance(goal, (Bit, Bits)):
            where = expr.lift(self.classical.place_of(goal, place))
        else:
            where = self.classical.write(goal, place)
        try:
            target.store(where, value if where.type == value.type else expr.cast(value, where.type))
        except Exception as error:
            raise CircuitError(f"{place}: Qiskit cannot store {value} in {goal}: {error}") from None


def _truth(condition: Any) -> Any:
    """A condition must be of Qiskit's type Bool."""
    return condition if type(condition.type).__name__ == "Bool" else expr.not_equal(condition, 0)


def _step_instruction(step: Step, outer: Instruction) -> Instruction:
    """A step of a decomposition as an instruction under the controls of what it belongs to."""
    own = tuple(outer.qubits[place] for place in step.controls)
    state = outer.ctrl_state | ((1 << len(own)) - 1) << len(outer.controls)
    qubits = tuple(outer.qubits[place] for place in step.qubits)
    return Instruction(OPCODES[step.name], qubits, step.params, outer.controls + own, state)


def _used_variables(circuit: AnyCircuit) -> tuple[set[str], set[str]]:
    """Names of the variables that classical expressions use, and of those that loops set."""
    classical: set[str] = set()
    loops: set[str] = set()
    for item in circuit.data_items:
        if not isinstance(item, Block):
            continue
        if isinstance(item, ForLoop) and item.variable is not None:
            loops.add(item.variable)
        for expression in expressions_of(item):
            classical |= {node.name for node in walk(expression) if isinstance(node, Variable)}
        for body in bodies_of(item):
            inner_classical, inner_loops = _used_variables(body)
            classical |= inner_classical
            loops |= inner_loops
    return classical, loops

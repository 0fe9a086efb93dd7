"""What can be read off a circuit without running it: free parameters, depth, counts, registers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qfast.circuit.classical import Bit, Bits, walk
from qfast.circuit.control_flow import Block, bodies_of, expressions_of
from qfast.circuit.gates import GATES, OPCODES
from qfast.circuit.instruction import Register, control_label
from qfast.circuit.parameter import Parameter
from qfast.errors import CircuitError

if TYPE_CHECKING:
    from qfast.circuit.value import AnyCircuit

__all__ = ["clbits_of", "count_ops", "depth", "free_parameters", "register_by_name"]

_MEASURE, _BARRIER = OPCODES["measure"], OPCODES["barrier"]


def free_parameters(circuit: AnyCircuit) -> tuple[Parameter, ...]:
    """Return the parameters of all expressions, bodies included, that are not classical variables of the circuit."""
    found: set[Parameter] = set()
    _collect_parameters(circuit, found)
    return tuple(sorted(parameter for parameter in found if parameter.name not in circuit.variables))


def _collect_parameters(circuit: AnyCircuit, found: set[Parameter]) -> None:
    for expression in set(circuit.expressions.values()):
        found.update(item for item in expression.code if isinstance(item, Parameter))
    for item in circuit.data_items:
        if isinstance(item, Block):
            for body in bodies_of(item):
                _collect_parameters(body, found)


def count_ops(circuit: AnyCircuit) -> dict[str, int]:
    """Return how often each gate occurs, most frequent first."""
    pairs = Counter(zip(circuit.opcodes, circuit.num_controls, strict=True))
    return {control_label(GATES[opcode].name, extra): count for (opcode, extra), count in pairs.most_common()}


def clbits_of(block: Block) -> set[int]:
    """Return the classical bits that a block, bodies included, reads or writes."""
    bits: set[int] = set()
    for expression in expressions_of(block):
        for node in walk(expression):
            if isinstance(node, Bit):
                bits.add(node.index)
            elif isinstance(node, Bits):
                bits.update(range(node.start, node.start + node.size))
    for body in bodies_of(block):
        for opcode, number in zip(body.opcodes, body.data, strict=True):
            if opcode == _MEASURE:
                bits.add(number)
            elif number >= 0 and isinstance(body.data_items[number], Block):
                bits |= clbits_of(body.data_items[number])
    return bits


def depth(circuit: AnyCircuit) -> int:
    """Return the number of instructions on the longest path through qubits and classical bits."""
    num_qubits = circuit.num_qubits
    level = [0] * (num_qubits + circuit.num_clbits)
    qubits, items = circuit.qubits, circuit.data_items
    start = 0
    for opcode, number, end in zip(circuit.opcodes, circuit.data, circuit.qubit_end, strict=True):
        wires = qubits[start:end].tolist()
        start = end
        if opcode == _MEASURE:
            wires.append(num_qubits + number)
        elif number >= 0 and isinstance(items[number], Block):
            wires += [num_qubits + bit for bit in clbits_of(items[number])]
        if wires:
            reached = max([level[wire] for wire in wires]) + (opcode != _BARRIER)
            for wire in wires:
                level[wire] = reached
    return max(level, default=0)


def register_by_name(registers: Sequence[Register], name: str, what: str) -> Register:
    """Return the register of this name, or say which there are."""
    for register in registers:
        if register.name == name:
            return register
    names = ", ".join(f"'{register.name}'" for register in registers) or "none"
    raise CircuitError(f"there is no {what} register '{name}'; there are: {names}")

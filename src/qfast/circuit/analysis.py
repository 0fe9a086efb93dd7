"""What can be read off a circuit without running it: free parameters, depth, counts, equality."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast.circuit.classical import Bit, Bits, walk
from qfast.circuit.control_flow import Block, bodies_of, expressions_of
from qfast.circuit.gates import GATES, OPCODES
from qfast.circuit.instruction import control_label
from qfast.circuit.parameter import Parameter

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit

__all__ = ["clbits_of", "count_ops", "depth", "equal", "free_parameters"]

_MEASURE, _BARRIER = OPCODES["measure"], OPCODES["barrier"]


def free_parameters(circuit: Circuit) -> tuple[Parameter, ...]:
    """Return the parameters of all expressions, bodies included, that are not classical variables of the circuit."""
    found: set[Parameter] = set()
    _collect_parameters(circuit, found)
    return tuple(sorted(parameter for parameter in found if parameter.name not in circuit.variables))


def _collect_parameters(circuit: Circuit, found: set[Parameter]) -> None:
    for expression in set(circuit.expressions.values()):
        found.update(item for item in expression.code if isinstance(item, Parameter))
    for item in circuit.data_items:
        if isinstance(item, Block):
            for body in bodies_of(item):
                _collect_parameters(body, found)


def count_ops(circuit: Circuit) -> dict[str, int]:
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


def depth(circuit: Circuit) -> int:
    """Return the number of instructions on the longest path through qubits and classical bits."""
    num_qubits = circuit.num_qubits
    level = [0] * (num_qubits + circuit.num_clbits)
    start = 0
    for opcode, number, end in zip(circuit.opcodes, circuit.data, circuit.qubit_end, strict=True):
        wires = circuit.qubits[start:end].tolist()
        start = end
        if opcode == _MEASURE:
            wires.append(num_qubits + number)
        elif number >= 0 and isinstance(circuit.data_items[number], Block):
            wires += [num_qubits + bit for bit in clbits_of(circuit.data_items[number])]
        if wires:
            reached = max([level[wire] for wire in wires]) + (opcode != _BARRIER)
            for wire in wires:
                level[wire] = reached
    return max(level, default=0)


def equal(one: Circuit, other: Circuit) -> bool:
    """Whether two circuits have the same bits, names, instructions and content."""
    if (
        one.qubit_registers != other.qubit_registers
        or one.classical_registers != other.classical_registers
        or one.variables != other.variables
        or one.opcodes != other.opcodes
        or one.num_controls != other.num_controls
        or one.ctrl_states != other.ctrl_states
        or one.qubit_end != other.qubit_end
        or one.qubits != other.qubits
        or one.param_end != other.param_end
        or one.expressions != other.expressions
        or not np.array_equal(np.array(one.params), np.array(other.params), equal_nan=True)
    ):
        return False
    for opcode, a, b in zip(one.opcodes, one.data, other.data, strict=True):
        if opcode == _MEASURE or a < 0 or b < 0:
            if a != b:
                return False
        elif not _equal_items(one.data_items[a], other.data_items[b]):
            return False
    return True


def _equal_items(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return type(one) is type(other) and np.array_equal(one, other)
    return bool(one == other)

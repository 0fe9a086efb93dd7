"""Graphs from circuits and circuits from graphs, where the meaning is kept; what is not kept is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qfast.circuit import AnyCircuit, Circuit, IfElse, ParameterExpression
from qfast.circuit.classical import Binary, Bit, Classical, Literal, Unary
from qfast.circuit.instruction import Instruction
from qfast.errors import InputError
from qfast.qvm.certification import Limits, certify
from qfast.qvm.graph import Graph, Node
from qfast.qvm.lowering import BASIS_TURNS, EventBits, node_condition, pauli_letters
from qfast.qvm.operations import CAPABILITIES, OPERATIONS, Kind
from qfast.qvm.reading import from_dict

__all__ = ["ConvertedCircuit", "from_circuit", "to_circuit"]

_UNBOUNDED = 1 << 62
_NO_LIMITS = Limits(_UNBOUNDED, _UNBOUNDED, _UNBOUNDED, _UNBOUNDED)

_OPS = {row.gate: row.name for row in OPERATIONS.values() if row.name.startswith("APPLY_")}


@dataclass(frozen=True, slots=True)
class ConvertedCircuit:
    """A circuit with the meaning of a graph.

    Attributes
    ----------
    circuit : Circuit
        Qubit k is the k-th declared one. Bit k is the k-th event; a Bell index takes two.
    lost : tuple of str
        What a circuit cannot say, each with its node.
    """

    circuit: Circuit
    lost: tuple[str, ...]


def to_circuit(graph: Graph) -> ConvertedCircuit:
    """Return the circuit of a graph, for example to write it as OpenQASM 3.

    Raises
    ------
    VerificationError
        The graph is not valid.

    Examples
    --------
    >>> from qfast.qvm import GraphBuilder
    >>> builder = GraphBuilder()
    >>> with builder.allocate() as (q,):
    ...     builder.h(q)
    ...     event = builder.measure(q)
    >>> to_circuit(builder.graph()).circuit.count_ops()
    {'h': 1, 'measure': 1, 'reset': 1}
    """
    certificate = certify(graph, CAPABILITIES, _NO_LIMITS)
    events: dict[str, EventBits] = {}
    size = 0
    for node in certificate.order:
        is_index = node.op == "MEASURE_BELL" and len(node.produces) == 1
        for event in node.produces:
            events[event] = EventBits(size, 1 + is_index)
            size += 1 + is_index
    writer = _CircuitWriter(graph, events, Circuit(len(graph.qubits), size))
    for node in certificate.order:
        writer.add(node)
    return ConvertedCircuit(writer.circuit, tuple(writer.lost))


class _CircuitWriter:
    """Writes nodes, in their order, into a circuit."""

    def __init__(self, graph: Graph, events: dict[str, EventBits], circuit: Circuit) -> None:
        self.circuit = circuit
        self.lost: list[str] = []
        self._events = events
        self._index = {name: place for place, name in enumerate(graph.qubits)}

    def add(self, node: Node) -> None:
        condition = node_condition(node, self._events)
        if condition is None:
            self._write(self.circuit, node)
        else:
            body = self.circuit.block()
            self._write(body, node)
            if len(body):
                self.circuit.if_test(condition, body)

    def _write(self, circuit: Circuit, node: Node) -> None:
        kind, qubits = node.operation.kind, [self._index[name] for name in node.qubits]
        if kind is Kind.GATE:
            theta = node.arguments.get("theta")
            circuit.append(node.operation.gate or "", qubits, [] if theta is None else [theta])
            if node.op != _OPS.get(node.operation.gate or ""):
                self.lost.append(f"node '{node.id}': {node.op} has become a plain {node.operation.gate}")
        elif kind is Kind.PAULI:
            for letter, qubit in zip(pauli_letters(node), qubits, strict=True):
                if letter != "I":
                    circuit.append(letter.lower(), [qubit])
        elif kind is Kind.MEASURE:
            self._measure(circuit, node, qubits)
        elif kind in (Kind.RESET, Kind.FREE):
            for qubit in qubits:
                circuit.reset(qubit)
        elif kind is Kind.BARRIER:
            circuit.barrier()
        elif kind is not Kind.ALLOC:
            self.lost.append(f"node '{node.id}': {node.op}")

    def _measure(self, circuit: Circuit, node: Node, qubits: list[int]) -> None:
        if node.op == "MEASURE_BELL":
            first, second = qubits
            start = self._events[node.produces[0]].start
            circuit.cx(first, second).h(first).measure([first, second], [start, start + 1]).h(first).cx(first, second)
            return
        (qubit,) = qubits
        bit = self._events[node.produces[0]].start
        if node.op == "MEASURE_ANGLE":
            angle = node.arguments["angle"]
            circuit.ry(-angle, qubit).measure(qubit, bit).ry(angle, qubit)
            return
        for gate, _ in BASIS_TURNS[node.op]:
            circuit.append(gate, [qubit])
        circuit.measure(qubit, bit)
        for _, gate in reversed(BASIS_TURNS[node.op]):
            circuit.append(gate, [qubit])


def from_circuit(circuit: Circuit) -> Graph:
    """Return the graph of a circuit: every qubit is allocated before its first use and freed behind its last.

    Raises
    ------
    InputError
        With all instructions that no operation of a graph says: another gate, a loop, an assignment, a condition that
        is more than bits compared with 0 and 1 and joined by and, or by or.

    Examples
    --------
    >>> graph = from_circuit(Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1]))
    >>> [node.op for node in graph.nodes]
    ['ALLOC_LQ', 'APPLY_H', 'APPLY_CNOT', 'MEASURE_Z', 'MEASURE_Z', 'FREE_LQ']
    """
    writer = _GraphWriter(circuit)
    used = sorted({qubit for instruction in circuit for qubit in instruction.all_qubits})
    names = [f"q{qubit}" for qubit in used]
    if names:
        writer.add("ALLOC_LQ", used, args={"n": len(used)})
    writer.write(circuit, None)
    if names:
        writer.add("FREE_LQ", used)
    if writer.refused:
        shown = "; ".join(writer.refused[:8]) + ("; …" if len(writer.refused) > 8 else "")
        raise InputError(f"a graph cannot say {shown}; decompose the gates, or unroll the control flow, first")
    resources = {"vqs": names, "events": list(writer.events)}
    return from_dict({"version": "0.1", "program": {"nodes": writer.nodes}, "resources": resources})


class _GraphWriter:
    """Writes instructions as nodes."""

    def __init__(self, circuit: Circuit) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.events: dict[str, None] = {}
        self.refused: list[str] = []
        self._event_of_bit: dict[int, str] = {}
        self._circuit = circuit

    def add(self, op: str, qubits: list[int] | tuple[int, ...], **more: Any) -> None:
        """Add a node; entries that are None are left out."""
        node = {"id": f"n{len(self.nodes)}", "op": op, "vqs": [f"q{qubit}" for qubit in qubits]}
        self.nodes.append(node | {key: value for key, value in more.items() if value is not None})

    def write(self, circuit: AnyCircuit, guard: dict[str, Any] | None) -> None:
        """Write the instructions of a circuit, or of the body of a condition."""
        for place, instruction in enumerate(circuit):
            self._write(instruction, place, guard)

    def _write(self, instruction: Instruction, place: int, guard: dict[str, Any] | None) -> None:
        name, qubits = instruction.label, list(instruction.all_qubits)
        if name == "barrier":
            self.add("FENCE_EPOCH", ())
        elif name == "measure":
            assert instruction.clbit is not None
            self._measure(qubits[0], instruction.clbit, guard)
        elif name == "reset":
            self.add("RESET", qubits, guard=guard)
        elif isinstance(instruction.data, IfElse) and guard is None:
            self._branch(instruction.data, place)
        elif name in _OPS:
            self._gate(_OPS[name], instruction, place, guard)
        elif name != "id":
            self.refused.append(f"'{name}' (instruction {place})")

    def _gate(self, op: str, instruction: Instruction, place: int, guard: dict[str, Any] | None) -> None:
        arguments = None
        if instruction.params:
            (theta,) = instruction.params
            if isinstance(theta, ParameterExpression):
                self.refused.append(f"the unbound angle {theta} (instruction {place})")
                return
            arguments = {"theta": theta}
        self.add(op, instruction.all_qubits, args=arguments, guard=guard)

    def _measure(self, qubit: int, bit: int, guard: dict[str, Any] | None) -> None:
        # A graph produces an event once: the bit's later measurements are events of their own.
        event = f"c{bit}"
        repeats = 1
        while event in self.events:
            repeats += 1
            event = f"c{bit}_{repeats}"
        self.events[event] = None
        self._event_of_bit[bit] = event
        self.add("MEASURE_Z", [qubit], produces=[event], guard=guard)

    def _branch(self, block: IfElse, place: int) -> None:
        tests = self._tests(block.condition)
        if tests is None:
            self.refused.append(f"the condition of 'if_else' (instruction {place})")
            return
        kind, conditions = tests
        self.write(block.body, _guard(kind, conditions))
        if block.else_body is not None:  # not (a and b) = not a or not b
            opposite = [(event, 1 - value) for event, value in conditions]
            self.write(block.else_body, _guard("or" if kind == "and" else "and", opposite))

    def _tests(self, condition: Classical) -> tuple[str, list[tuple[str, int]]] | None:
        """Read a condition as tests of events that are joined by and, or by or; None where it is something else."""
        test = self._test(condition)
        if test is not None:
            return "and", [test]
        if not isinstance(condition, Binary) or condition.op not in ("&&", "||"):
            return None
        kind = "and" if condition.op == "&&" else "or"
        found: list[tuple[str, int]] = []
        for side in (condition.left, condition.right):
            tests = self._tests(side)
            if tests is None or (tests[0] != kind and len(tests[1]) > 1):
                return None
            found += tests[1]
        return kind, found

    def _test(self, condition: Classical) -> tuple[str, int] | None:
        if isinstance(condition, Bit):
            event = self._event_of_bit.get(condition.index)
            return None if event is None else (event, 1)
        if isinstance(condition, Unary) and condition.op == "!" and isinstance(condition.operand, Bit):
            test = self._test(condition.operand)
            return None if test is None else (test[0], 0)
        if isinstance(condition, Binary) and condition.op in ("==", "!=") and isinstance(condition.left, Bit):
            test = self._test(condition.left)
            if test is not None and isinstance(condition.right, Literal) and condition.right.value in (0, 1):
                value = int(condition.right.value)
                return test[0], value if condition.op == "==" else 1 - value
        return None


def _guard(kind: str, conditions: list[tuple[str, int]]) -> dict[str, Any]:
    listed = [{"event": event, "equals": value} for event, value in conditions]
    return listed[0] if len(listed) == 1 else {"type": kind, "conditions": listed}

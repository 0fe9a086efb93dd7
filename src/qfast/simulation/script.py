"""A circuit as a flat script: stretches of gates, and between them measurements, resets and jumps.

Nested control flow becomes jumps between numbered steps, so that a shot's place in the circuit is one number and a shot
that branches is copied by copying that number, its classical bits and its variables. Measurements at the end, on qubits
that nothing touches afterwards and into bits that nothing reads, are not steps: they are sampled all at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from qfast.circuit import AnyCircuit, Assign, Circuit, ForLoop, IfElse, SwitchCase, WhileLoop
from qfast.circuit.analysis import clbits_of
from qfast.circuit.classical import Classical
from qfast.circuit.control_flow import Block, bodies_of, check_loop_exits
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.circuit.transforms import take
from qfast.engines.bits import Wiring
from qfast.simulation.samples import BitRegister

_MEASURE, _RESET, _BARRIER = OPCODES["measure"], OPCODES["reset"], OPCODES["barrier"]
_BREAK, _CONTINUE = OPCODES["break_loop"], OPCODES["continue_loop"]


@dataclass(slots=True)
class Gates:
    """Apply stretch `segment`."""

    segment: int


@dataclass(slots=True)
class Measure:
    """Measure a qubit into a classical bit; `bit` None: a reset, which flips the qubit back to 0."""

    qubit: int
    bit: int | None


@dataclass(slots=True)
class Store:
    """Assign to classical bits or a variable."""

    assign: Assign


@dataclass(slots=True)
class Jump:
    """Go on at step `target`."""

    target: int = -1


@dataclass(slots=True)
class Unless:
    """Go on at step `target` if the condition is zero. `loop`: the while loop whose passes this counts."""

    condition: Classical
    target: int = -1
    loop: int | None = None


@dataclass(slots=True)
class Choose:
    """Go on where the value of an expression says."""

    value: Classical
    targets: dict[int, int] = field(default_factory=dict)
    default: int = -1


@dataclass(slots=True)
class Enter:
    """Begin loop number `loop`: no pass made."""

    loop: int


@dataclass(slots=True)
class NextValue:
    """Give a for loop's variable its next value, or go on at step `target` when there is none."""

    loop: int
    values: range | tuple[int | float, ...]
    variable: str | None
    target: int = -1


Step: TypeAlias = Gates | Measure | Store | Jump | Unless | Choose | Enter | NextValue


@dataclass(frozen=True, slots=True)
class Script:
    """What a circuit does.

    Attributes
    ----------
    steps : tuple of Step
        Run from 0 to the end.
    wiring : Wiring
        The measurements at the end: which qubit goes to which classical bit.
    measured : tuple of int
        The qubits of `wiring`.
    registers : tuple of BitRegister
        How outcomes are named.
    variables : tuple of str
    is_static : bool
        At most one stretch of gates and nothing else: one run of an engine.
    """

    steps: tuple[Step, ...]
    wiring: Wiring
    measured: tuple[int, ...]
    registers: tuple[BitRegister, ...]
    variables: tuple[str, ...]
    is_static: bool


def script_of(circuit: AnyCircuit) -> tuple[Script, list[Circuit]]:
    """Flatten a circuit.

    Returns
    -------
    script : Script
    segments : list of Circuit
        The stretches of gates, and barriers, in the order of their numbers. A classical variable in an angle is a
        parameter there.

    Raises
    ------
    CircuitError
        ``break_loop`` or ``continue_loop`` outside any loop.
    """
    check_loop_exits(circuit)
    final = _final_measurements(circuit)
    builder = _Builder()
    builder.add_block(circuit, skipped=final)
    pairs = [(circuit.qubits[circuit.qubit_end[row] - 1], circuit.data[row]) for row in sorted(final)]
    registers = tuple(BitRegister(r.name, r.start, r.size) for r in circuit.classical_registers)
    num_bits = circuit.num_clbits
    if not _measures(circuit):
        pairs = [(qubit, qubit) for qubit in range(circuit.num_qubits)]
        registers = (BitRegister("meas", 0, circuit.num_qubits),) if circuit.num_qubits else ()
        num_bits = circuit.num_qubits
    script = Script(
        steps=tuple(builder.steps),
        wiring=Wiring(pairs, num_bits),
        measured=tuple(dict.fromkeys(qubit for qubit, _ in pairs)),
        registers=registers,
        variables=tuple(circuit.variables),
        is_static=len(builder.steps) <= 1 and all(isinstance(step, Gates) for step in builder.steps),
    )
    return script, builder.segments


def _measures(circuit: AnyCircuit) -> bool:
    """Whether a circuit, or a body inside it, measures."""
    if _MEASURE in circuit.opcodes:
        return True
    blocks = [item for item in circuit.data_items if isinstance(item, Block)]
    return any(_measures(body) for block in blocks for body in bodies_of(block))


def _final_measurements(circuit: AnyCircuit) -> set[int]:
    """Rows of the measurements that may wait until the end of the circuit."""
    final: set[int] = set()
    if _MEASURE not in circuit.opcodes:
        return final
    touched: set[int] = set()  # qubits that a later instruction acts on
    blocked: set[int] = set()  # bits that a later instruction reads, or writes before the end
    end = len(circuit.qubits)
    for row in range(len(circuit) - 1, -1, -1):
        begin = circuit.qubit_end[row - 1] if row else 0
        qubits = circuit.qubits[begin:end]
        end = begin
        opcode, number = circuit.opcodes[row], circuit.data[row]
        if opcode == _MEASURE:
            if qubits[0] not in touched and number not in blocked:
                final.add(row)
            else:
                touched.add(qubits[0])
                blocked.add(number)
        elif opcode != _BARRIER:
            touched.update(qubits)
            if opcode >= NUM_GATES and number >= 0:
                blocked |= clbits_of(circuit.data_items[number])
        if len(touched) == circuit.num_qubits:
            break
    return final


class _Builder:
    """Appends the steps of circuits; jumps are given their targets as soon as these are known."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.segments: list[Circuit] = []
        self._num_loops = 0
        self._breaks: list[list[Jump]] = []  # of the loops that are open, innermost last
        self._continues: list[list[Jump]] = []

    def add_block(self, circuit: AnyCircuit, skipped: set[int] | None = None) -> None:
        if max(circuit.opcodes, default=0) < NUM_GATES:
            self._flush(circuit, list(range(len(circuit))))
            return
        gates: list[int] = []
        for row, opcode in enumerate(circuit.opcodes):
            if opcode < NUM_GATES:
                gates.append(row)
            elif opcode != _BARRIER and not (skipped and row in skipped):
                self._flush(circuit, gates)
                self._add_row(circuit, row, opcode)
        self._flush(circuit, gates)

    def _flush(self, circuit: AnyCircuit, gates: list[int]) -> None:
        if not gates:
            return
        if len(gates) < len(circuit) or circuit.variables:
            # So that an angle may name a variable, whose value is given at each run.
            segment = take(circuit, gates, frees_variables=True)
        else:
            segment = circuit.copy()
        self.steps.append(Gates(len(self.segments)))
        self.segments.append(segment)
        gates.clear()

    def _add_row(self, circuit: AnyCircuit, row: int, opcode: int) -> None:
        if opcode in (_MEASURE, _RESET):
            qubit = circuit.qubits[circuit.qubit_end[row] - 1]
            self.steps.append(Measure(qubit, circuit.data[row] if opcode == _MEASURE else None))
        elif opcode in (_BREAK, _CONTINUE):
            jump = Jump()
            self.steps.append(jump)
            (self._breaks if opcode == _BREAK else self._continues)[-1].append(jump)
        else:
            self._add_data(circuit.data_items[circuit.data[row]])

    def _add_data(self, block: Block) -> None:
        if isinstance(block, Assign):
            self.steps.append(Store(block))
        elif isinstance(block, IfElse):
            self._add_if(block)
        elif isinstance(block, SwitchCase):
            self._add_switch(block)
        elif isinstance(block, WhileLoop):
            self._add_while(block)
        else:
            self._add_for(block)

    def _add_if(self, block: IfElse) -> None:
        unless = Unless(block.condition)
        self.steps.append(unless)
        self.add_block(block.body)
        if block.else_body is not None:
            over = Jump()
            self.steps.append(over)
            unless.target = len(self.steps)
            self.add_block(block.else_body)
            over.target = len(self.steps)
        else:
            unless.target = len(self.steps)

    def _add_switch(self, block: SwitchCase) -> None:
        choose = Choose(block.target)
        self.steps.append(choose)
        overs = []
        for labels, body in block.cases:
            for label in labels:
                choose.targets.setdefault(label, len(self.steps))
            self.add_block(body)
            overs.append(Jump())
            self.steps.append(overs[-1])
        choose.default = len(self.steps)
        if block.default is not None:
            self.add_block(block.default)
        for over in overs:
            over.target = len(self.steps)

    def _add_while(self, block: WhileLoop) -> None:
        loop = self._open_loop()
        begin = len(self.steps)
        test = Unless(block.condition, loop=loop)
        self.steps.append(test)
        self.add_block(block.body)
        self.steps.append(Jump(begin))
        test.target = len(self.steps)
        self._close_loop(begin)

    def _add_for(self, block: ForLoop) -> None:
        loop = self._open_loop()
        begin = len(self.steps)
        following = NextValue(loop, block.values, block.variable)
        self.steps.append(following)
        self.add_block(block.body)
        self.steps.append(Jump(begin))
        following.target = len(self.steps)
        self._close_loop(begin)

    def _open_loop(self) -> int:
        loop = self._num_loops
        self._num_loops += 1
        self.steps.append(Enter(loop))
        self._breaks.append([])
        self._continues.append([])
        return loop

    def _close_loop(self, begin: int) -> None:
        for jump in self._breaks.pop():
            jump.target = len(self.steps)
        for jump in self._continues.pop():
            jump.target = begin

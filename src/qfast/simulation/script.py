"""A circuit, with its noise, as a flat script: stretches of gates, and between them everything else that happens.

Nested control flow becomes jumps between numbered steps, so that a shot's place in the circuit is one number and a shot
that branches is copied by copying that number, the classical bits and variables that are still read, and how often its
loops were passed. Measurements at the end, on qubits that nothing touches afterwards and into bits that nothing reads,
are not steps: they are sampled all at once.

Qubits are positions in the state as it is at that step: `Alloc` adds the highest, `Free` removes one, and those above
it move down. `script_of` emits neither; orders of few live qubits and job graphs do.

What a step records (`Measure`, `Misread`, `Store`) belongs to the shots, whatever happens to their branch. `Liveness`
tells what a branch must know itself. Every step that may draw a random number has the `number` and the `loop` of its
site (see `sites`). `script_code` writes a script as arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from qfast.circuit import AnyCircuit, Assign, Circuit, ForLoop, IfElse, SwitchCase, WhileLoop
from qfast.circuit.classical import Classical, Index, Variable
from qfast.circuit.control_flow import Block, bodies_of, check_loop_exits
from qfast.circuit.gates import NUM_GATES, OPCODES
from qfast.circuit.transforms import take
from qfast.engines.bits import Wiring
from qfast.errors import CircuitError
from qfast.noise import NoiseModel, Place, ReadoutError
from qfast.simulation.noise_places import draws, final_measurements, places_of, readout_groups
from qfast.simulation.samples import BitRegister

__all__ = [
    "Alloc",
    "Choose",
    "Enter",
    "Free",
    "Gates",
    "Jump",
    "Measure",
    "Misread",
    "NextValue",
    "Noise",
    "Reset",
    "Script",
    "Step",
    "Store",
    "Unless",
    "script_of",
    "writes_bits",
]

_MEASURE, _RESET, _BARRIER = OPCODES["measure"], OPCODES["reset"], OPCODES["barrier"]
_BREAK, _CONTINUE = OPCODES["break_loop"], OPCODES["continue_loop"]

NO_LOOP = -1
"""`loop` of a step outside of loops: it is visited once."""


@dataclass(slots=True)
class Gates:
    """Apply stretch `segment`."""

    segment: int


@dataclass(slots=True)
class Measure:
    """Measure a qubit into a classical bit."""

    qubit: int
    bit: int
    number: int
    loop: int = NO_LOOP


@dataclass(slots=True)
class Reset:
    """Bring a qubit to |0⟩: measure it, forget the outcome, flip it back."""

    qubit: int
    number: int
    loop: int = NO_LOOP


@dataclass(slots=True)
class Alloc:
    """Bring in a qubit in |0⟩, above all others."""


@dataclass(slots=True)
class Free:
    """Take a qubit out of the state: measure it, forget the outcome, drop it. Those above it move down."""

    qubit: int
    number: int
    loop: int = NO_LOOP


@dataclass(slots=True)
class Noise:
    """A channel acts. `number` is -1 where it draws nothing."""

    place: Place
    number: int
    loop: int = NO_LOOP


@dataclass(slots=True)
class Misread:
    """A classical bit that a measurement has just written may be flipped."""

    bit: int
    error: ReadoutError
    number: int
    loop: int = NO_LOOP


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


Step: TypeAlias = (
    Gates | Measure | Reset | Alloc | Free | Noise | Misread | Store | Jump | Unless | Choose | Enter | NextValue
)


@dataclass(frozen=True, slots=True)
class Script:
    """What a circuit does.

    Attributes
    ----------
    steps : tuple of Step
        Run from 0 to the end.
    segments : tuple of Circuit
        The stretches of gates, by number. A classical variable in an angle is a parameter there.
    num_qubits : int
        Of the state in the beginning.
    num_bits : int
        Classical bits of a shot's row: `wiring.num_bits`.
    wiring : Wiring
        The measurements at the end: which qubit goes to which classical bit.
    measured : tuple of int
        The qubits of `wiring`.
    readout : tuple of (ReadoutError, tuple of int)
        What is misread at the end, and the classical bits that each acts on.
    registers : tuple of BitRegister
        How outcomes are named.
    variables : tuple of Variable
    loops : tuple of int
        Of each loop, the step at which it begins (`Enter`); inner loops have higher numbers than those around them.
    is_static : bool
        At most one stretch of gates and nothing else: one run of an engine.
    """

    steps: tuple[Step, ...]
    segments: tuple[Circuit, ...]
    num_qubits: int
    wiring: Wiring
    measured: tuple[int, ...]
    readout: tuple[tuple[ReadoutError, tuple[int, ...]], ...]
    registers: tuple[BitRegister, ...]
    variables: tuple[Variable, ...]
    loops: tuple[int, ...]

    @property
    def num_bits(self) -> int:
        return self.wiring.num_bits

    @property
    def is_static(self) -> bool:
        return len(self.steps) <= 1 and all(isinstance(step, Gates) for step in self.steps)

    def widths(self) -> list[int]:
        """Return how many qubits the state has before each step, and after the last one."""
        found = [self.num_qubits]
        for step in self.steps:
            found.append(found[-1] + isinstance(step, Alloc) - isinstance(step, Free))
        return found


def script_of(circuit: AnyCircuit, noise: NoiseModel | None = None) -> Script:
    """Flatten a circuit and what noise does to it.

    Raises
    ------
    CircuitError
        ``break_loop`` or ``continue_loop`` outside any loop; a readout error that cannot act where its qubits are
        measured.
    InputError
        A channel does not fit its gate, or acts on a qubit that the circuit does not have.
    """
    check_loop_exits(circuit)
    if noise is not None and noise.is_empty:
        noise = None
    final = final_measurements(circuit, noise)
    builder = _Builder(noise)
    builder.add_block(circuit, skipped=final)
    pairs = [(circuit.qubits[circuit.qubit_end[row] - 1], circuit.data[row]) for row in sorted(final)]
    registers = tuple(BitRegister(r.name, r.start, r.size) for r in circuit.classical_registers)
    num_bits = circuit.num_clbits
    if not writes_bits(circuit):
        pairs = [(qubit, qubit) for qubit in range(circuit.num_qubits)]
        registers = (BitRegister("meas", 0, circuit.num_qubits),) if circuit.num_qubits else ()
        num_bits = circuit.num_qubits
    wiring = Wiring(pairs, num_bits)
    return Script(
        steps=tuple(builder.steps),
        segments=tuple(builder.segments),
        num_qubits=circuit.num_qubits,
        wiring=wiring,
        measured=tuple(dict.fromkeys(qubit for qubit, _ in pairs)),
        readout=() if noise is None else tuple(readout_groups(wiring, noise)),
        registers=registers,
        variables=tuple(circuit.variables.values()),
        loops=tuple(builder.loops),
    )


def writes_bits(circuit: AnyCircuit) -> bool:
    """Whether a circuit, or a body inside it, measures or assigns to classical bits."""
    if _MEASURE in circuit.opcodes:
        return True
    for item in circuit.data_items:
        if isinstance(item, Assign):
            target = item.target.operand if isinstance(item.target, Index) else item.target
            if not isinstance(target, Variable):
                return True
        elif isinstance(item, Block) and any(writes_bits(body) for body in bodies_of(item)):
            return True
    return False


class _Block:
    """The instructions of a circuit or body as lists, which are quick to read one by one."""

    def __init__(self, circuit: AnyCircuit) -> None:
        columns = circuit.columns
        self.circuit = circuit
        self.opcodes: list[int] = columns.opcodes.tolist()
        self.data: list[int] = columns.data.tolist()
        self.qubits: list[int] = columns.qubits.tolist()
        self.qubit_end: list[int] = columns.qubit_end.tolist()
        self._controls: list[int] = columns.num_controls.tolist()
        self._states: list[int] = columns.ctrl_states.tolist()
        self._params = [float(value) for value in columns.params]
        self._param_end: list[int] = columns.param_end.tolist()
        self._is_symbolic = bool(circuit.expressions)

    def key(self, gates: list[int]) -> object:
        """What a stretch holds, to be compared with others; None where that is not told by numbers."""
        if self._is_symbolic:
            return None
        rows = []
        for row in gates:
            begin, first = (self.qubit_end[row - 1], self._param_end[row - 1]) if row else (0, 0)
            if self.data[row] >= 0:
                return None
            rows.append(
                (
                    self.opcodes[row], self._controls[row], self._states[row],
                    *self.qubits[begin : self.qubit_end[row]], *self._params[first : self._param_end[row]],
                )
            )  # fmt: skip
        return tuple(rows)

    def take(self, gates: list[int]) -> Circuit:
        if len(gates) < len(self.opcodes) or self.circuit.variables:
            # So that an angle may name a variable, whose value is given at each run.
            return take(self.circuit, gates, frees_variables=True)
        return self.circuit.copy()


class _Builder:
    """Appends the steps of circuits; jumps are given their targets as soon as these are known."""

    def __init__(self, noise: NoiseModel | None) -> None:
        self.steps: list[Step] = []
        self.segments: list[Circuit] = []
        self._segment_of: dict[object, int] = {}  # by what they hold: a stretch that comes again is the same one
        self.loops: list[int] = []
        self._noise = noise
        self._number = 0  # of the last instruction
        self._num_channels = 0  # that draw
        self._open: list[int] = []  # loops around the next step, innermost last
        self._breaks: list[list[Jump]] = []  # of the open loops
        self._continues: list[list[Jump]] = []

    @property
    def _loop(self) -> int:
        return self._open[-1] if self._open else NO_LOOP

    def add_block(self, circuit: AnyCircuit, skipped: Iterable[int] = ()) -> None:
        block = _Block(circuit)
        if self._noise is None and max(block.opcodes, default=0) < NUM_GATES:
            self._number += len(circuit)
            self._flush(block, list(range(len(circuit))))
            return
        gates: list[int] = []
        for row, (before, after) in enumerate(places_of(circuit, self._noise)):
            opcode = block.opcodes[row]
            self._number += 1
            if before:
                self._flush(block, gates)
                self._add_noise(before)
            if opcode < NUM_GATES:
                gates.append(row)
            elif opcode != _BARRIER and row not in skipped:
                self._flush(block, gates)
                self._add_row(block, row, opcode)
            if after:
                self._flush(block, gates)
                self._add_noise(after)
        self._flush(block, gates)

    def _flush(self, block: _Block, gates: list[int]) -> None:
        if not gates:
            return
        key = block.key(gates)
        number = len(self.segments) if key is None else self._segment_of.get(key, len(self.segments))
        if number == len(self.segments):
            self.segments.append(block.take(gates))
            if key is not None:
                self._segment_of[key] = number
        self.steps.append(Gates(number))
        gates.clear()

    def _add_noise(self, places: tuple[Place, ...]) -> None:
        for place in places:
            number = -1
            if draws(place):
                number = self._num_channels
                self._num_channels += 1
            self.steps.append(Noise(place, number, self._loop))

    def _add_row(self, block: _Block, row: int, opcode: int) -> None:
        if opcode == _MEASURE:
            self._add_measure(block.qubits[block.qubit_end[row] - 1], block.data[row])
        elif opcode == _RESET:
            self.steps.append(Reset(block.qubits[block.qubit_end[row] - 1], self._number, self._loop))
        elif opcode in (_BREAK, _CONTINUE):
            jump = Jump()
            self.steps.append(jump)
            (self._breaks if opcode == _BREAK else self._continues)[-1].append(jump)
        else:
            self._add_data(block.circuit.data_items[block.data[row]])

    def _add_measure(self, qubit: int, bit: int) -> None:
        self.steps.append(Measure(qubit, bit, self._number, self._loop))
        found = None if self._noise is None else self._noise.readout_of(qubit)
        if found is None:
            return
        error, group = found
        if len(group) > 1:
            raise CircuitError(
                f"the readout error on qubits {list(group)} needs all of them measured at the end of the circuit, but "
                f"qubit {qubit} is measured in the middle; give it a readout error of its own"
            )
        self.steps.append(Misread(bit, error, self._number, self._loop))

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
        loop = len(self.loops)
        self.loops.append(len(self.steps))
        self.steps.append(Enter(loop))
        self._open.append(loop)
        self._breaks.append([])
        self._continues.append([])
        return loop

    def _close_loop(self, begin: int) -> None:
        self._open.pop()
        for jump in self._breaks.pop():
            jump.target = len(self.steps)
        for jump in self._continues.pop():
            jump.target = begin

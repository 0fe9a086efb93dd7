"""Circuits as OpenQASM 2 and 3 text.

Gates that the library does not have are defined in the text from their row's decomposition; matrices are written as
gates where that is possible. What a version cannot say is refused with the instruction's number, never dropped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import ComplexArray
from qfast.circuit.classical import Binary, Bit, Bits, Classical, Literal, Variable, walk
from qfast.circuit.control_flow import (
    Assign,
    Block,
    ForLoop,
    IfElse,
    SwitchCase,
    WhileLoop,
    bodies_of,
    check_loop_exits,
    expressions_of,
)
from qfast.circuit.data_items import data_matrix
from qfast.circuit.gates import GATES, OPCODES, GateRow, find_gate, mcphase_steps
from qfast.circuit.parameter import Parameter, ParameterExpression, ParameterValue
from qfast.circuit.qasm_synthesis import controlled_factors, euler_angles, subset_phases, two_level_factors
from qfast.circuit.qasm_text import ClassicalText, Names, angle_text, is_truth
from qfast.errors import CircuitError

if TYPE_CHECKING:
    from qfast.circuit.instruction import Instruction
    from qfast.circuit.value import AnyCircuit

__all__ = ["to_qasm"]

_MAX_MATRIX_QUBITS = 4  # a unitary of k qubits becomes up to 2^k (2^k - 1) / 2 gates
_MAX_DIAGONAL_QUBITS = 10  # a diagonal becomes up to 2^k - 1 gates
_MAX_CONTROLS_2 = 10  # a gate under k controls becomes about 2^k gates of OpenQASM 2

_STDGATES = """
gphase id x y z h s sdg t tdg sx rx ry rz p u1 cx cy cz ch cp crx cry crz cu swap ccx cswap
"""
_QELIB1 = """
id x y z h s sdg t tdg sx sxdg rx ry rz p u u1 u2 u3 cx cy cz ch swap ccx cswap crx cry crz cu1 cp cu3 csx cu rxx rzz
rccx rc3x c3x c4x
"""

# Gates of OpenQASM 3: as stdgates.inc names them, or as modifiers of such a gate. U and not u2, u3: the specification
# has given those two different global phases.
_SPELLING_3 = {name: name for name in _STDGATES.split()} | {
    "u": "U", "u2": "U", "u3": "U", "sxdg": "inv @ sx", "cs": "ctrl @ s", "csdg": "ctrl @ sdg", "csx": "ctrl @ sx",
    "cu1": "ctrl @ u1", "cu3": "ctrl @ U", "ccz": "ctrl(2) @ z", "c3x": "ctrl(3) @ x", "c3sx": "ctrl(3) @ sx",
    "c4x": "ctrl(4) @ x",
}  # fmt: skip
_SPELLING_2 = {name: name for name in _QELIB1.split()} | {"c3sx": "c3sqrtx"}

# (gate, controls) that are a gate of the table.
_CONTROLLED = {
    ("x", 1): "cx", ("x", 2): "ccx", ("x", 3): "c3x", ("x", 4): "c4x", ("y", 1): "cy", ("z", 1): "cz", ("z", 2): "ccz",
    ("h", 1): "ch", ("s", 1): "cs", ("sdg", 1): "csdg", ("sx", 1): "csx", ("sx", 3): "c3sx", ("p", 1): "cp",
    ("u1", 1): "cu1", ("rx", 1): "crx", ("ry", 1): "cry", ("rz", 1): "crz", ("u", 1): "cu3", ("u3", 1): "cu3",
    ("swap", 1): "cswap",
}  # fmt: skip
_PARTS = {name: parts for parts, name in _CONTROLLED.items()}


@dataclass(frozen=True)
class _Gate:
    """A gate on its way to text: qubits are those of its own, `controls` extra ones with their values in `state`."""

    name: str
    qubits: tuple[int, ...]
    params: tuple[ParameterValue, ...] = ()
    controls: tuple[int, ...] = ()
    state: int = 0
    data: Any = None

    @property
    def row(self) -> GateRow:
        return find_gate(self.name)

    def under(self, controls: Sequence[int], state: int | None = None) -> _Gate:
        """The gate under more controls, which come first; all ones by default."""
        count = len(controls)
        value = (1 << count) - 1 if state is None else state
        return replace(self, controls=(*controls, *self.controls), state=value | self.state << count)


def to_qasm(circuit: AnyCircuit, version: int = 3) -> str:
    """Write a circuit as OpenQASM.

    Parameters
    ----------
    circuit : AnyCircuit
    version : {3, 2}
        3.0 and 2.0 mean the same.

    Returns
    -------
    str
        Reading it gives a circuit of the same meaning, global phase included. Names that the language does not allow
        are changed, which a comment at the beginning says.

    Raises
    ------
    CircuitError
        The version has no words for an instruction: in 3 a `unitary` or `permutation` of more than 4 qubits or a
        `diagonal` of more than 10; in 2 also unbound parameters, all control flow but ``if (register == number)``, and
        gates under more than 10 controls.
    """
    if version not in (2, 3):
        raise CircuitError(f"OpenQASM has the versions 2 and 3, {version!r} given")
    version = int(version)
    check_loop_exits(circuit)
    return _Writer(circuit, version).text()


class _Writer:
    """One text. Gate definitions are collected while the instructions are written."""

    def __init__(self, circuit: AnyCircuit, version: int) -> None:
        self.circuit = circuit
        self.version = version
        self.spelling = _SPELLING_3 if version == 3 else _SPELLING_2
        self.plain = {OPCODES[gate]: text for gate, text in self.spelling.items() if gate not in ("u2", "gphase")}
        self.names = Names()
        self.names.used |= {row.name for row in GATES} | set(self.spelling.values())
        self.definitions: list[str] = []
        self.defined: dict[object, str] = {}
        self.place = ""
        self.if_prefix = ""
        self.register_names = {
            register.name: self.names.add(register.name, version)
            for register in (*circuit.qubit_registers, *circuit.classical_registers)
        }
        self.qubit_names = [
            f"{self.register_names[register.name]}[{index}]"
            for register in circuit.qubit_registers
            for index in range(register.size)
        ]
        loop_only = set() if version == 2 else _loop_only_variables(circuit)
        self.variable_names = {name: self.names.add(name, version) for name in circuit.variables}
        self.declared = [variable for name, variable in circuit.variables.items() if name not in loop_only]
        self.loop_only = loop_only
        self.parameter_names = {
            parameter.name: self.names.add(parameter.name, version)
            for parameter in circuit.parameters
            if parameter.name not in circuit.variables
        }
        self.classical = ClassicalText(circuit.classical_registers, self.register_names, self.variable_names)

    # ------------------------------------------------------------------------------------------------------ the text

    def text(self) -> str:
        body = self.block(self.circuit, "")
        library = "stdgates.inc" if self.version == 3 else "qelib1.inc"
        lines = [f"OPENQASM {self.version}.0;", f'include "{library}";']
        lines += [f"// {name} stands for {original!r}" for name, original in self.names.renamed]
        if self.version == 3:
            lines += [f"input float[64] {name};" for name in self.parameter_names.values()]
        lines += self.definitions
        lines += [self.register(register.name, register.size, "q") for register in self.circuit.qubit_registers]
        lines += [self.register(register.name, register.size, "c") for register in self.circuit.classical_registers]
        if self.version == 3:
            lines += [self.declaration(variable) for variable in self.declared]
        return "\n".join([*lines, *body, ""])

    def register(self, original: str, size: int, kind: str) -> str:
        name = self.register_names[original]
        if self.version == 2:
            return f"{kind}reg {name}[{size}];"
        return f"{'qubit' if kind == 'q' else 'bit'}[{size}] {name};"

    def declaration(self, variable: Variable) -> str:
        zero = "false" if variable.kind == "bool" else "0.0" if variable.kind == "float" else "0"
        return f"{_type_text(variable)} {self.variable_names[variable.name]} = {zero};"

    def block(self, circuit: AnyCircuit, indent: str) -> list[str]:
        lines: list[str] = []
        for index in range(len(circuit)):
            line = self.plain_line(circuit, index)
            if line is not None:
                lines.append(indent + self.if_prefix + line)
                continue
            instruction = circuit[index]
            self.place = f"'{instruction.name}' at instruction {index}"
            if instruction.is_gate:
                gate = _Gate(
                    instruction.name, instruction.qubits, instruction.params, instruction.controls,
                    instruction.ctrl_state, instruction.data,
                )  # fmt: skip
                lines += [indent + self.if_prefix + line for line in self.gate(gate, self.qubit_name, self.angle)]
            else:
                lines += [indent + line for line in self.no_gate(instruction)]
        return lines

    def plain_line(self, circuit: AnyCircuit, index: int) -> str | None:
        """The commonest rows without a detour: a library gate with numbers and without extra controls."""
        name = self.plain.get(circuit.opcodes[index])
        if name is None or circuit.num_controls[index]:
            return None
        first, last = (circuit.qubit_end[index - 1] if index else 0), circuit.qubit_end[index]
        operands = ", ".join([self.qubit_names[qubit] for qubit in circuit.qubits[first:last]])
        first, last = (circuit.param_end[index - 1] if index else 0), circuit.param_end[index]
        if first == last:
            return f"{name} {operands};"
        params = circuit.params[first:last]
        if any(map(math.isnan, params)):  # an expression
            return None
        return f"{name}({', '.join(map(repr, params))}) {operands};"

    def no_gate(self, instruction: Instruction) -> list[str]:
        qubits = [self.qubit_names[qubit] for qubit in instruction.qubits]
        match instruction.name:
            case "measure":
                assert instruction.clbit is not None
                bit = self.classical.bits(instruction.clbit, 1)
                if self.version == 2:
                    return [f"{self.if_prefix}measure {qubits[0]} -> {bit};"]
                return [f"{bit} = measure {qubits[0]};"]
            case "reset":
                return [f"{self.if_prefix}reset {qubits[0]};"]
            case "barrier":
                if self.if_prefix:
                    raise self.refusal("a barrier under a condition")
                return [f"barrier {', '.join(qubits)};"] if qubits else []
            case "break_loop" | "continue_loop":
                return [f"{instruction.name.split('_')[0]};"]
        return self.condition_2(instruction.data) if self.version == 2 else self.flow(instruction.data)

    def refusal(self, what: str, remedy: str = "") -> CircuitError:
        other = "; write version=3" if self.version == 2 and not remedy else remedy
        return CircuitError(f"{self.place}: OpenQASM {self.version} cannot say {what}{other}")

    def qubit_name(self, qubit: int) -> str:
        return self.qubit_names[qubit]

    def angle(self, value: ParameterValue) -> str:
        if isinstance(value, ParameterExpression):
            if self.version == 2:
                raise self.refusal(f"the unbound parameter {value}", "; bind it, or write version=3")
            return angle_text(value, lambda name: self.parameter_names.get(name) or self.variable_names[name])
        return repr(value)

    # --------------------------------------------------------------------------------------------------------- gates

    def gate(self, gate: _Gate, qubit: Callable[[int], str], angle: Callable[[ParameterValue], str]) -> Iterator[str]:
        """The lines of a gate; `qubit` and `angle` write its operands, in the circuit or in a definition."""
        expanded = self.data_gates(gate)
        if expanded is not None:
            for part in expanded:
                yield from self.gate(part, qubit, angle)
        elif self.version == 3 or (gate.name != "gphase" and not gate.controls):
            yield self.line(gate, qubit, angle)
        else:
            for part in self.parts_2(gate):
                yield from self.gate(part, qubit, angle)

    def line(self, gate: _Gate, qubit: Callable[[int], str], angle: Callable[[ParameterValue], str]) -> str:
        """One gate that has a name, under modifiers."""
        name = self.spelling.get(gate.name) or self.define(gate)
        params = gate.params
        if gate.name == "u2" and name == "U":
            params = (np.pi / 2, *params)
        arguments = f"({', '.join(angle(value) for value in params)})" if params else ""
        operands = ", ".join(qubit(number) for number in (*gate.controls, *gate.qubits))
        return f"{_modifiers(len(gate.controls), gate.state)}{name}{arguments}{' ' if operands else ''}{operands};"

    def define(self, gate: _Gate) -> str:
        """The name of a gate that the text defines, from the decomposition of its row."""
        letters = "".join("ixyz"[code] for code in gate.data) if gate.name == "pauli_rotation" else ""
        key = (gate.name, letters)
        if key not in self.defined:
            wanted = f"pauli_{letters}" if letters else gate.name
            name = self.names.add(wanted, self.version) if letters else wanted
            formals = [Parameter(f"p{index}") for index in range(len(gate.params))]
            operands = [f"q{index}" for index in range(len(gate.qubits))]
            formal = replace(gate, qubits=tuple(range(len(operands))), params=tuple(formals), controls=(), state=0)
            body = " ".join(
                line
                for part in (_pauli_parts(formal) if letters else self.decomposition(formal))
                for line in self.gate(part, operands.__getitem__, lambda value: angle_text(value, str))
            )
            head = f"({', '.join(parameter.name for parameter in formals)})" if formals else ""
            self.definitions.append(f"gate {name}{head} {', '.join(operands)} {{ {body} }}")
            self.defined[key] = name
        return self.defined[key]

    def decomposition(self, gate: _Gate) -> Iterator[_Gate]:
        """The steps of a row's decomposition under the gate's controls."""
        steps = gate.row.decomposition
        assert steps is not None, f"'{gate.name}' has a name in every version"
        for step in steps(gate.params):
            part = _Gate(step.name, tuple(gate.qubits[i] for i in step.qubits), step.params)
            inner = part.under([gate.qubits[i] for i in step.controls])
            yield inner.under(gate.controls, gate.state)

    def data_gates(self, gate: _Gate) -> list[_Gate] | None:
        """What a gate of data becomes; None for a gate with a name."""
        own = len(gate.qubits)
        if gate.name == "diagonal":
            if own > _MAX_DIAGONAL_QUBITS:
                raise self.refusal(f"a diagonal of {own} qubits", f" ({_MAX_DIAGONAL_QUBITS} at most)")
            return _phase_gates(gate, np.angle(gate.data))
        if gate.name in ("unitary", "permutation"):
            if own > _MAX_MATRIX_QUBITS:
                raise self.refusal(
                    f"a {gate.name} of {own} qubits", f" ({_MAX_MATRIX_QUBITS} at most); write it as smaller gates"
                )
            return _matrix_gates(gate, data_matrix(gate.name, gate.data))
        if gate.name == "pauli_rotation" and not any(gate.data):
            (angle,) = gate.params
            return [replace(gate, name="gphase", qubits=(), params=(angle / -2,), data=None)]
        return None

    # ------------------------------------------------------------------------------------------------- OpenQASM 2 only

    def parts_2(self, gate: _Gate) -> Iterator[_Gate]:
        """A gate under controls, or a global phase, as gates of OpenQASM 2, which has no modifiers."""
        zeros = [_Gate("x", (control,)) for j, control in enumerate(gate.controls) if not gate.state >> j & 1]
        if zeros:
            yield from zeros
            yield replace(gate, state=(1 << len(gate.controls)) - 1)
            yield from zeros
        elif gate.name == "gphase":
            yield from self.phase_2(gate)
        else:
            yield from self.controlled_2(gate)

    def phase_2(self, gate: _Gate) -> Iterator[_Gate]:
        (angle,) = gate.params
        if gate.controls:
            yield _Gate("p", gate.controls[-1:], (angle,)).under(gate.controls[:-1])
            return
        if not self.qubit_names:
            raise self.refusal("a global phase of a circuit without qubits")
        flip = _Gate("x", (0,))
        turn = _Gate("p", (0,), (angle,))
        yield from (turn, flip, turn, flip)  # diag(1, e^{ia}) and diag(e^{ia}, 1)

    def controlled_2(self, gate: _Gate) -> Iterator[_Gate]:
        base, own = _PARTS.get(gate.name, (gate.name, gate.row.own_controls))
        controls = (*gate.controls, *gate.qubits[:own])
        known = _CONTROLLED.get((base, len(controls)))
        if known is not None and find_gate(known).num_params == len(gate.params):
            yield replace(gate, name=known, qubits=(*gate.controls, *gate.qubits), controls=(), state=0)
        elif gate.name == "pauli_rotation":
            yield from (part if part.name != "rz" else part.under(gate.controls) for part in _pauli_parts(gate))
        elif gate.row.target_matrix is None or len(gate.qubits) - gate.row.own_controls != 1:
            yield from self.decomposition(gate)
        else:
            yield from self.eigen_2(gate, controls)

    def eigen_2(self, gate: _Gate, controls: tuple[int, ...]) -> Iterator[_Gate]:
        """One target under any controls: W, phases on the controls and on all, W†."""
        if len(controls) > _MAX_CONTROLS_2:
            raise self.refusal(f"a gate under {len(controls)} controls ({_MAX_CONTROLS_2} at most)")
        target = gate.qubits[-1]
        numbers = [self.number(value) for value in gate.params]
        matrix_of = gate.row.target_matrix
        assert matrix_of is not None
        a, b, (theta, phi, lam) = controlled_factors(matrix_of(numbers))
        yield _Gate("u", (target,), (-theta, -lam, -phi))
        for angle, qubits in ((a, controls), (b - a, (*controls, target))):
            for step in mcphase_steps(angle, qubits) if angle else ():
                yield _Gate(step.name, step.qubits, step.params)
        yield _Gate("u", (target,), (theta, phi, lam))

    def number(self, value: ParameterValue) -> float:
        if isinstance(value, ParameterExpression):
            raise self.refusal(f"the unbound parameter {value}", "; bind it, or write version=3")
        return value

    def condition_2(self, block: Block) -> list[str]:
        """``if (register == number)`` before each gate of the body."""
        if not isinstance(block, IfElse) or block.else_body is not None:
            raise self.refusal("this control flow, only 'if (register == number)'")
        register, value = _register_test(block.condition)
        found = [r for r in self.circuit.classical_registers if (r.start, r.size) == register]
        if not found or value < 0:
            raise self.refusal(f"the condition {block.condition}, only 'register == number'")
        if self.if_prefix:
            raise self.refusal("a condition inside a condition")
        for index, inner in enumerate(block.body):
            if inner.clbit is not None and inner.clbit in found[0] and index + 1 < len(block.body):
                raise self.refusal("a measurement that changes the condition of the gates after it")
        self.if_prefix = f"if ({self.register_names[found[0].name]} == {value}) "
        lines = self.block(block.body, "")
        self.if_prefix = ""
        return lines

    # ------------------------------------------------------------------------------------------------- OpenQASM 3 only

    def flow(self, block: Block) -> list[str]:
        write = self.classical.write
        match block:
            case IfElse(condition, body, else_body):
                lines = [f"if ({write(condition)}) {{", *self.block(body, "  "), "}"]
                if else_body is not None:
                    lines[-1:] = ["} else {", *self.block(else_body, "  "), "}"]
                return lines
            case WhileLoop(condition, body):
                return [f"while ({write(condition)}) {{", *self.block(body, "  "), "}"]
            case SwitchCase():
                return self.switch(block)
            case ForLoop():
                return self.for_loop(block)
            case Assign(target, value):
                if not isinstance(target, (Bit, Bits, Variable)):
                    raise self.refusal(f"an assignment to {target}, only to bits, registers and variables")
                return [f"{write(target)} = {self.assigned(target, value)};"]

    def assigned(self, target: Bit | Bits | Variable, value: Classical) -> str:
        """The assigned value; numbers are cast to the width of the bits that take them."""
        if isinstance(target, Variable):
            return self.classical.write(value, raw=False)
        size = target.size if isinstance(target, Bits) else 1
        same = isinstance(value, Bits) and value.size == size
        fits = isinstance(value, Literal) and isinstance(value.value, int) and 0 <= value.value < 1 << size
        if same or fits or (size == 1 and is_truth(value)):
            return self.classical.write(value)
        return f"uint[{size}]({self.classical.write(value)})"

    def switch(self, block: SwitchCase) -> list[str]:
        if not block.cases:
            return ["{", *self.block(block.default, "  "), "}"] if block.default is not None else []
        lines = [f"switch ({self.classical.write(block.target, raw=False)}) {{"]
        for values, body in block.cases:
            lines += [f"  case {', '.join(map(str, values))} {{", *self.block(body, "    "), "  }"]
        if block.default is not None:
            lines += ["  default {", *self.block(block.default, "    "), "  }"]
        return [*lines, "}"]

    def for_loop(self, block: ForLoop) -> list[str]:
        """A loop whose variable lives in the loop alone, or is copied into the circuit's variable at each pass."""
        if not len(block.values):
            return []
        whole = all(isinstance(value, int) for value in block.values)
        copies: list[str] = []
        kind = "int" if block.variable is None else _type_text(self.circuit.variables[block.variable])
        if block.variable is None:
            name = self.names.fresh("pass")
        elif block.variable in self.loop_only:
            name = self.variable_names[block.variable]
        else:
            name = self.names.fresh(f"{self.variable_names[block.variable]}_pass")
            copies = [f"  {self.variable_names[block.variable]} = {name};"]
        values = self.classical.values(block.values)
        if not whole and not kind.startswith("float"):
            if block.variable is not None:
                raise self.refusal(f"a loop of an {kind} over numbers that are not whole")
            values = f"[1:{len(block.values)}]"
        return [f"for {kind} {name} in {values} {{", *copies, *self.block(block.body, "  "), "}"]


def _type_text(variable: Variable) -> str:
    if variable.kind == "float":
        return "float[64]"
    return variable.kind if variable.width is None else f"{variable.kind}[{variable.width}]"


def _modifiers(count: int, state: int) -> str:
    """The control modifiers of extra controls, first control first; runs of equal ones are joined."""
    text = ""
    start = 0
    while start < count:
        value = state >> start & 1
        end = start
        while end < count and state >> end & 1 == value:
            end += 1
        number = f"({end - start})" if end - start > 1 else ""
        text += f"{'ctrl' if value else 'negctrl'}{number} @ "
        start = end
    return text


def _phase_gates(gate: _Gate, phases: Any) -> list[_Gate]:
    """A diagonal as phases on subsets of its qubits."""
    result = []
    for subset, angle in subset_phases(phases):
        members = [qubit for j, qubit in enumerate(gate.qubits) if subset >> j & 1]
        part = _Gate("p", (members[-1],), (angle,)).under(members[:-1]) if members else _Gate("gphase", (), (angle,))
        result.append(part.under(gate.controls, gate.state))
    return result


def _matrix_gates(gate: _Gate, matrix: ComplexArray) -> list[_Gate]:
    """A unitary matrix as gates with one target."""
    if len(gate.qubits) == 1:
        theta, phi, lam, phase = euler_angles(matrix)
        parts = [_Gate("u", gate.qubits, (theta, phi, lam))]
        if phase:
            parts.insert(0, _Gate("gphase", (), (phase,)))
        return [part.under(gate.controls, gate.state) for part in parts]
    phases, factors = two_level_factors(matrix)
    result = _phase_gates(gate, phases)
    for target, state, small in factors:
        others = [j for j in range(len(gate.qubits)) if j != target]
        pattern = sum((state >> j & 1) << position for position, j in enumerate(others))
        part = replace(gate, name="unitary", qubits=(gate.qubits[target],), data=small)
        inner = replace(part, controls=(), state=0).under([gate.qubits[j] for j in others], pattern)
        result.append(inner.under(gate.controls, gate.state))
    return result


def _pauli_parts(gate: _Gate) -> list[_Gate]:
    """exp(-i angle/2 P): turn every letter into Z, collect the parity on the last qubit, rotate, and go back."""
    turns, back, active = [], [], []
    for qubit, code in zip(gate.qubits, gate.data, strict=True):
        if code:
            active.append(qubit)
        if code == 1:
            turns.append(_Gate("h", (qubit,)))
            back.append(_Gate("h", (qubit,)))
        elif code == 2:
            turns.append(_Gate("sx", (qubit,)))
            back.append(_Gate("sxdg", (qubit,)))
    ladder = [_Gate("cx", pair) for pair in itertools.pairwise(active)]
    return [*turns, *ladder, _Gate("rz", (active[-1],), gate.params), *reversed(ladder), *back]


def _register_test(condition: Classical) -> tuple[tuple[int, int], int]:
    """((start, size), value) of ``bits == number``; an impossible run where it is something else."""
    if isinstance(condition, Binary) and condition.op == "==":
        for left, right in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(right, Literal) and isinstance(right.value, int) and isinstance(left, (Bit, Bits)):
                run = (left.index, 1) if isinstance(left, Bit) else (left.start, left.size)
                return run, int(right.value)
    return (-1, 0), 0


def _loop_only_variables(circuit: AnyCircuit) -> set[str]:
    """Variables that are used only inside loops that run over them."""
    loops: set[str] = set()
    outside: set[str] = set()
    _collect_uses(circuit, frozenset(), loops, outside)
    return loops - outside


def _collect_uses(circuit: AnyCircuit, enclosing: frozenset[str], loops: set[str], outside: set[str]) -> None:
    for angle in circuit.expressions.values():
        names = {parameter.name for parameter in angle.parameters}
        outside |= {name for name in names if name in circuit.variables and name not in enclosing}
    for block in circuit.data_items:
        if not isinstance(block, (IfElse, WhileLoop, ForLoop, SwitchCase, Assign)):
            continue
        for expression in expressions_of(block):
            used = {node.name for node in walk(expression) if isinstance(node, Variable)}
            outside |= used - enclosing
        own = {block.variable} if isinstance(block, ForLoop) and block.variable is not None else set()
        loops |= own
        for body in bodies_of(block):
            _collect_uses(body, enclosing | own, loops, outside)

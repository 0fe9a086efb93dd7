"""A circuit as text: one line per qubit, time from left to right, blocks of control flow drawn below."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from qfast.circuit.analysis import clbits_of
from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Classical, Index, Literal, Unary, Variable
from qfast.circuit.control_flow import Assign, Block, ForLoop, IfElse, SwitchCase, WhileLoop
from qfast.circuit.instruction import Instruction, Register
from qfast.circuit.parameter import ParameterExpression, ParameterValue

if TYPE_CHECKING:
    from qfast.circuit.value import AnyCircuit

__all__ = ["Column", "bit_names", "block_parts", "columns", "draw", "headline"]

_WIRE, _CROSS, _BAR = "─", "┼", "│"
_MIN_WIDTH = 20
# Names of the data items' captions: what a block is called in the picture.
_KEYWORDS = {"if_else": "if", "while_loop": "while", "for_loop": "for", "switch_case": "switch"}


@dataclass(slots=True)
class Column:
    """One moment: the text on each wire, and the runs of wires joined by a vertical line."""

    cells: dict[int, str] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)


def draw(circuit: AnyCircuit, width: int | None = None) -> str:
    """Return a picture of the circuit.

    Parameters
    ----------
    circuit : AnyCircuit
    width : int, optional
        Characters of a line, at least 20; by default the terminal's. Longer circuits are folded.

    Returns
    -------
    str
        Without a line break at the end.
    """
    limit = max(_MIN_WIDTH, shutil.get_terminal_size((120, 24)).columns if width is None else width)
    blocks: list[tuple[str, Block]] = []
    lines = _folded(columns(circuit, blocks), bit_names(circuit.qubit_registers), limit)
    for number, (caption, block) in enumerate(blocks, start=1):
        lines += ["", f"{caption} {number}: {headline(block, circuit)}"]
        lines += _block_lines(block, limit)
    return "\n".join(lines)


def bit_names(registers: Sequence[Register]) -> list[str]:
    """Name each bit by its register: ``q[0]``, or ``q`` where the register has one bit."""
    return [f"{r.name}[{k}]" if r.size > 1 else r.name for r in registers for k in range(r.size)]


def columns(circuit: AnyCircuit, blocks: list[tuple[str, Block]], most: int | None = None) -> list[Column]:
    """Place every instruction in the first column where its wires, and those its line crosses, are free.

    Parameters
    ----------
    circuit : AnyCircuit
    blocks : list
        Filled with the blocks of control flow on the way: what they are called, and the block.
    most : int, optional
        Place the first `most` instructions only.
    """
    num_wires = circuit.num_qubits
    free = [0] * num_wires
    clbit_free = [0] * circuit.num_clbits
    clbit_names = bit_names(circuit.classical_registers)
    placed: list[Column] = []
    for instruction in islice(circuit, most):
        cells = _cells(instruction, circuit, clbit_names, blocks)
        if not cells:
            continue
        low, high = min(cells), max(cells)
        bits = _classical_bits(instruction)
        at = max([*free[low : high + 1], *(clbit_free[bit] for bit in bits)])
        free[low : high + 1] = [at + 1] * (high + 1 - low)
        for bit in bits:
            clbit_free[bit] = at + 1
        while len(placed) <= at:
            placed.append(Column())
        placed[at].cells.update(cells)
        if high > low and instruction.name != "barrier":
            placed[at].spans.append((low, high))
    return placed


def _classical_bits(instruction: Instruction) -> Sequence[int]:
    if instruction.clbit is not None:
        return (instruction.clbit,)
    return tuple(clbits_of(instruction.data)) if isinstance(instruction.data, Block) else ()


def _cells(
    instruction: Instruction, circuit: AnyCircuit, clbit_names: list[str], blocks: list[tuple[str, Block]]
) -> dict[int, str]:
    name, qubits = instruction.name, instruction.qubits
    if name == "barrier":
        return dict.fromkeys(qubits, "░")
    if name == "measure" and instruction.clbit is not None:
        return {qubits[0]: f"┤M {clbit_names[instruction.clbit]}├"}
    if name == "reset":
        return {qubits[0]: "|0⟩"}
    if name in ("break_loop", "continue_loop") or isinstance(instruction.data, Block):
        label = name.removesuffix("_loop")
        if isinstance(instruction.data, Assign):
            target, value = instruction.data.target, instruction.data.value
            label = f"{expression_text(target, circuit)} = {expression_text(value, circuit)}"
        elif isinstance(instruction.data, Block):
            blocks.append((_KEYWORDS[name], instruction.data))
            label = f"{_KEYWORDS[name]} {len(blocks)}"
        # What acts on no qubit still has its place in time: it is drawn over all of them.
        return dict.fromkeys(qubits or range(circuit.num_qubits), f"┤{label}├")
    return _gate_cells(instruction, circuit.num_qubits)


def _gate_cells(instruction: Instruction, num_qubits: int) -> dict[int, str]:
    own_controls = instruction.row.own_controls
    cells = {
        qubit: "●" if instruction.ctrl_state >> place & 1 else "○" for place, qubit in enumerate(instruction.controls)
    }
    cells.update(dict.fromkeys(instruction.qubits[:own_controls], "●"))
    targets = instruction.qubits[own_controls:]
    params = ",".join(angle_text(value) for value in instruction.params)
    label = _target_name(instruction) + (f"({params})" if params else "")
    if instruction.name in ("cz", "ccz"):
        return cells | {targets[0]: "●"}
    if instruction.name in ("swap", "cswap"):
        return cells | dict.fromkeys(targets, "✕")
    if not targets:  # a global phase, under controls or alone
        return {qubit: f"{mark}{label}" for qubit, mark in cells.items()} or ({0: f"┤{label}├"} if num_qubits else {})
    if instruction.name == "pauli_rotation":
        letters = ["IXYZ"[code] for code in instruction.data]
        return cells | {qubit: f"┤{letter}({params})├" for qubit, letter in zip(targets, letters, strict=True)}
    if len(targets) == 1:
        return cells | {targets[0]: f"┤{label}├"}
    return cells | {qubit: f"┤{label}:{place}├" for place, qubit in enumerate(targets)}


def _target_name(instruction: Instruction) -> str:
    """The name of what happens to the targets: cx shows x, cu3 shows u3."""
    row = instruction.row
    if not row.own_controls:
        return row.name
    return row.name[1:].lstrip("c34") if row.own_controls > 1 else row.name[1:]


def _folded(columns: list[Column], names: list[str], limit: int) -> list[str]:
    if not names:
        return ["(no qubits)"]
    margin = max(map(len, names)) + 2
    # An odd width has a middle, where lines and odd labels meet.
    widths = [(max((len(text) for text in column.cells.values()), default=1) + 2) | 1 for column in columns]
    lines: list[str] = []
    start = 0
    while start < len(columns) or not lines:
        end, used = start, margin
        while end < len(columns) and (end == start or used + widths[end] <= limit - 1):
            used += widths[end]
            end += 1
        if lines:
            lines.append("")
        lines += _picture(columns[start:end], widths[start:end], names, margin, end < len(columns))
        start = max(end, start + 1)
    return lines


def _picture(columns: list[Column], widths: list[int], names: list[str], margin: int, goes_on: bool) -> list[str]:
    lines = []
    for wire, name in enumerate(names):
        parts = [f"{name}: ".rjust(margin)]
        below = [" " * margin]
        for column, width in zip(columns, widths, strict=True):
            crossed = any(low < wire < high for low, high in column.spans)
            parts.append(_centred(column.cells.get(wire, _CROSS if crossed else ""), width, _WIRE))
            joined = any(low <= wire < high for low, high in column.spans)
            below.append(_centred(_BAR if joined else "", width, " "))
        lines.append("".join(parts) + ("»" if goes_on else "" if columns else _WIRE))
        between = "".join(below).rstrip()
        if between and wire + 1 < len(names):
            lines.append(between)
    return lines


def _centred(text: str, width: int, fill: str) -> str:
    """Centre a text, what is odd to the right (str.center puts it now left, now right)."""
    left = (width - len(text)) // 2
    return fill * left + text + fill * (width - left - len(text))


def headline(block: Block, circuit: AnyCircuit) -> str:
    """Say what decides: a condition, the values of a loop, the target of a switch."""
    if isinstance(block, (IfElse, WhileLoop)):
        return expression_text(block.condition, circuit)
    if isinstance(block, ForLoop):
        values = block.values
        listed = repr(values) if isinstance(values, range) else "{" + ", ".join(map(str, values)) + "}"
        return f"{block.variable or '_'} in {listed}"
    return expression_text(block.target, circuit)


def block_parts(block: Block) -> list[tuple[str, AnyCircuit]]:
    """Return the circuits of a block, each with a title."""
    if isinstance(block, IfElse):
        return [("then", block.body)] + ([] if block.else_body is None else [("else", block.else_body)])
    if isinstance(block, (WhileLoop, ForLoop)):
        return [("do", block.body)]
    if isinstance(block, SwitchCase):
        cases = [("case " + ", ".join(map(str, values)), body) for values, body in block.cases]
        return cases + ([] if block.default is None else [("default", block.default)])
    return []


def _block_lines(block: Block, limit: int) -> list[str]:
    lines = []
    for title, body in block_parts(block):
        lines.append(f"  {title}:")
        lines += [("    " + line).rstrip() for line in draw(body, limit - 4).split("\n")]
    return lines


def angle_text(value: ParameterValue) -> str:
    """Write an angle, small fractions of pi as such."""
    if isinstance(value, ParameterExpression):
        return str(value)
    for divisor in (1, 2, 3, 4, 6, 8, 12, 16):
        times = value * divisor / math.pi
        if times and abs(times) <= 16 and abs(times - round(times)) < 1e-12 and round(times):
            sign, count = "-" if times < 0 else "", abs(round(times))
            return f"{sign}{'' if count == 1 else count}π" + ("" if divisor == 1 else f"/{divisor}")
    return f"{value:.4g}"


def expression_text(node: Classical, circuit: AnyCircuit) -> str:
    """Write a classical expression with the names of a circuit's registers."""
    if isinstance(node, Literal):
        return str(node.value).lower() if isinstance(node.value, bool) else str(node.value)
    if isinstance(node, Variable):
        return node.name
    if isinstance(node, (Bit, Bits)):
        return _bits_text(node, circuit)
    if isinstance(node, Unary):
        return node.op + _inner_text(node.operand, circuit)
    if isinstance(node, Binary):
        return f"{_inner_text(node.left, circuit)} {node.op} {_inner_text(node.right, circuit)}"
    if isinstance(node, Index):
        return f"{_inner_text(node.operand, circuit)}[{expression_text(node.index, circuit)}]"
    if isinstance(node, Cast):
        width = "" if node.width is None else f"[{node.width}]"
        return f"{node.kind}{width}({expression_text(node.operand, circuit)})"
    assert isinstance(node, Call)
    return f"{node.function}({', '.join(expression_text(argument, circuit) for argument in node.arguments)})"


def _inner_text(node: Classical, circuit: AnyCircuit) -> str:
    text = expression_text(node, circuit)
    return f"({text})" if isinstance(node, (Binary, Unary)) else text


def _bits_text(node: Bit | Bits, circuit: AnyCircuit) -> str:
    start, size = (node.index, 1) if isinstance(node, Bit) else (node.start, node.size)
    for register in circuit.classical_registers:
        if register.start <= start < register.start + register.size:
            if (register.start, register.size) == (start, size):
                return register.name
            first = start - register.start
            return f"{register.name}[{first}]" if size == 1 else f"{register.name}[{first}:{first + size - 1}]"
    return f"bit[{start}]"

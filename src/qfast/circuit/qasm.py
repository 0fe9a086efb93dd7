"""OpenQASM 2 and 3 in and out.

The reader is the core's (``csrc/circuit/qasm_reader.h``): it runs the text like a program. Gate definitions are
expanded, loops over known values unrolled, known variables computed; what depends on measurements becomes control flow
of the circuit. In a pure build, texts are read through Qiskit where it is installed.

What is read
    OpenQASM 2, and of OpenQASM 3: gate definitions, ``ctrl negctrl inv pow``, broadcasting, ``input float`` and
    ``input angle``, constants, arithmetic and built-in functions, ``bit bool int uint float angle`` variables,
    ``if for while switch``, aliases, ``gphase``, hardware qubits. Pragmas and annotations are skipped. The rest
    (timing, pulses, subroutines, arrays, complex numbers, ``output``) is refused with its line and column.
Global phase
    ``U``, ``u2``, ``u3`` and ``rz`` have Qiskit's matrices in both languages (``csrc/circuit/qasm_library.h``).
Known differences from the specification
    A definition in the text replaces a library gate of the same name. Angles of gates and inputs are real numbers, not
    reduced modulo 2 pi. Bits and variables begin as 0. A division of two integer literals that leaves a rest (``1/2``)
    is refused outside of ``pow(...)``, because most writers mean the fraction and the language the whole part.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Classical, Index, Literal, Unary, Variable
from qfast.circuit.control_flow import Assign, Block, ForLoop, IfElse, SwitchCase, WhileLoop, checked_block
from qfast.circuit.gates import GATES
from qfast.circuit.parameter import ExprOp, Parameter, ParameterExpression
from qfast.circuit.qasm_writer import to_qasm
from qfast.errors import QasmError
from qfast.extension import core

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit

__all__ = ["from_qasm", "from_qasm_file", "to_qasm"]

_OPS = tuple(ExprOp)


def from_qasm(text: str, circuit_class: type[Circuit]) -> Circuit:
    """Read a circuit from OpenQASM 2 or 3.

    Parameters
    ----------
    text : str
    circuit_class : type
        ``Circuit``; :meth:`Circuit.from_qasm` passes it.

    Returns
    -------
    Circuit
        Qubits and classical bits in the order of their declaration.

    Raises
    ------
    QasmError
        With ``line`` and ``column``. Includes other than qelib1.inc and stdgates.inc need :func:`from_qasm_file`.
    """
    if not isinstance(text, str):
        raise QasmError(f"OpenQASM text is a str, {type(text).__name__} given; from_qasm_file reads a file")
    return _read(text, "", "", circuit_class)


def from_qasm_file(path: str | os.PathLike[str], circuit_class: type[Circuit]) -> Circuit:
    """Read a circuit from a file of OpenQASM 2 or 3.

    Parameters
    ----------
    path : path-like
        A UTF-8 file. It may include files of its own folder and below, up to 16 deep and 64 MiB each.
    circuit_class : type
        ``Circuit``; :meth:`Circuit.from_qasm_file` passes it.

    Raises
    ------
    QasmError
        The file is missing, empty or no text, or cannot be read as OpenQASM (with ``line`` and ``column``).
    """
    file = Path(path)
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "is not a regular file" if file.exists() else "does not exist"
        raise QasmError(f"the OpenQASM file '{file}' cannot be read: it {what}")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise QasmError(f"the OpenQASM file '{file}' cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        place = f"{file}, line {line}, byte {column}"
        raise QasmError(f"{place}: this is not UTF-8 text; save the file as UTF-8", line, column) from None
    return _read(text, str(file), str(file.parent), circuit_class)


def _read(text: str, filename: str, folder: str, circuit_class: type[Circuit]) -> Circuit:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            line = text.count("\n", 0, error.start) + 1
            column = error.start - text.rfind("\n", 0, error.start)
            place = f"OpenQASM line {line}, column {column}"
            raise QasmError(f"{place}: a lone surrogate is no character", line, column) from None
    if core is None:
        return _read_through_qiskit(text, filename)
    return _Builder(core.read_qasm(text, filename, folder), circuit_class).circuit()


class _Builder:
    """Turns what the core has read into a circuit."""

    def __init__(self, read: Mapping[str, Any], circuit_class: type[Circuit]) -> None:
        self.blocks: Sequence[Mapping[str, Any]] = read["blocks"]
        self.parameters = [Parameter(name) for name in read["parameters"]]
        self.variables = [Variable(*declared) for declared in read["variables"]]
        self.nodes = self.expressions(read["nodes"])
        self.frame = circuit_class.from_columns(
            num_qubits=read["num_qubits"],
            num_clbits=read["num_clbits"],
            opcodes=(),
            qubits=(),
            qubit_end=(),
            qubit_registers=read["qubit_registers"],
            classical_registers=read["classical_registers"],
            variables=self.variables,
        )

    def circuit(self) -> Circuit:
        return self.block(0)

    def expressions(self, rows: Sequence[tuple[Any, ...]]) -> list[Classical]:
        """The classical nodes; each stands behind its operands."""
        nodes: list[Classical] = []
        for kind, *fields in rows:
            match kind:
                case "bit":
                    nodes.append(Bit(fields[0]))
                case "bits":
                    nodes.append(Bits(*fields))
                case "variable":
                    nodes.append(self.variables[fields[0]])
                case "literal":
                    nodes.append(Literal(fields[0]))
                case "unary":
                    nodes.append(Unary(fields[0], nodes[fields[1]]))
                case "binary":
                    nodes.append(Binary(fields[0], nodes[fields[1]], nodes[fields[2]]))
                case "index":
                    nodes.append(Index(nodes[fields[0]], nodes[fields[1]]))
                case "cast":
                    nodes.append(Cast(fields[0], fields[1], nodes[fields[2]]))
                case _:
                    nodes.append(Call(fields[0], tuple(nodes[operand] for operand in fields[1:])))
        return nodes

    def block(self, index: int) -> Circuit:
        """A block, and the blocks inside it, as a circuit."""
        read = self.blocks[index]
        circuit = self.frame.block()
        flows = [self.flow(circuit, *flow) for flow in read["flows"]]
        circuit._begin(read["columns"], [*read["matrices"], *flows], self.angles(read))
        return circuit

    def angles(self, read: Mapping[str, Any]) -> dict[int, ParameterExpression]:
        """The expressions of a block by parameter slot."""
        code, constants = read["code"], read["constants"]
        found: dict[int, ParameterExpression] = {}
        word = 0
        for slot, end in zip(read["slots"], read["code_end"], strict=True):
            items: list[float | Parameter | ExprOp] = []
            while word < end:
                op = _OPS[code[word]]
                if op is ExprOp.PUSH_CONST:
                    items.append(constants[code[word + 1]])
                elif op is ExprOp.PUSH_PARAM:
                    items.append(self.parameters[code[word + 1]])
                else:
                    items.append(op)
                word += 2 if op in (ExprOp.PUSH_CONST, ExprOp.PUSH_PARAM) else 1
            only = items[0]
            alone = len(items) == 1 and isinstance(only, Parameter)
            found[slot] = only if alone and isinstance(only, Parameter) else ParameterExpression(tuple(items))
        return found

    def flow(self, circuit: Circuit, opcode: int, *parts: Any) -> Block:
        """A row of control flow, or an assignment, of a circuit."""
        name = GATES[opcode].name
        return checked_block(circuit, name, self.flow_of(name, *parts), f"'{name}'")

    def flow_of(
        self,
        name: str,
        expression: int,
        target: int,
        blocks: list[int],
        values: list[list[int]],
        is_range: bool,
        is_unsigned: bool,
    ) -> Block:
        bodies = [self.block(index) for index in blocks]
        match name:
            case "if_else":
                return IfElse(self.nodes[expression], *bodies)
            case "while_loop":
                return WhileLoop(self.nodes[expression], bodies[0])
            case "for_loop":
                start, step, count = values[0] if is_range else (0, 1, 0)
                passes = range(start, start + step * count, step) if is_range else tuple(values[0])
                return ForLoop(passes, bodies[0], self.variables[target].name)
            case "switch_case":
                size = 1 << 64 if is_unsigned else 0
                read = [tuple(label % size if size else label for label in labels) for labels in values]
                cases = tuple(zip(read, bodies, strict=False))
                return SwitchCase(self.nodes[expression], cases, bodies[-1] if len(bodies) > len(values) else None)
            case _:
                return Assign(self.nodes[target], self.nodes[expression])


def _read_through_qiskit(text: str, filename: str) -> Circuit:
    """Read in a build without the core."""
    where = f"the file '{filename}'" if filename else "this text"
    hint = (
        f"{where} cannot be read: OpenQASM is read by qfast's compiled core, which this build has not, or by Qiskit; "
        "install a wheel of qfast-sim, or 'qfast-sim[qiskit]'"
    )
    is_version_3 = re.search(r"^\s*OPENQASM\s+2", text, re.MULTILINE) is None
    try:
        parser = importlib.import_module("qiskit.qasm3" if is_version_3 else "qiskit.qasm2")
        adapter = importlib.import_module("qfast.qiskit")
    except ImportError:
        raise QasmError(hint) from None
    try:
        read = parser.loads(text)
    except Exception as error:  # Qiskit's two parsers have error classes of their own
        raise QasmError(f"{where} cannot be read by Qiskit: {error}") from error
    circuit: Circuit = adapter.from_qiskit(read)
    return circuit

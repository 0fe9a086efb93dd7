"""A circuit as bytes: one canonical form, without pickle, with a version, checked in full when it is read.

The digest of a circuit is BLAKE2b over these bytes, so what they hold is what a circuit means. Whatever can be said in
two ways is said in one: gates are named, not numbered; a matrix stands once, however many instructions share it;
columns that the gate table determines are left out; the NaN below an expression is one NaN. Only -0.0 differs: the
bytes keep it in angles and matrices, so that a circuit read back runs bit for bit like the one written, and the digest
takes it for 0.0, which is the same rotation.

Layout (little-endian; `text` and `block` stand behind their length): the magic, a version, numbers of bits, registers,
variables, then the instructions, which the bodies of control flow repeat inside: names of gates, the column of gates,
controls if there are any, operands, classical bits, parameters, expressions, items.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import AnyArray
from qfast.circuit import block_encoding
from qfast.circuit.byte_stream import ByteReader, ByteWriter
from qfast.circuit.canonical import HOLDS_DATA, MEASURE, numbered_items
from qfast.circuit.checks import MAX_BITS
from qfast.circuit.classical import VARIABLE_KINDS, Variable
from qfast.circuit.control_flow import Block
from qfast.circuit.data_items import MAX_TABLE_QUBITS
from qfast.circuit.gates import GATES, OPCODES, GateFlag
from qfast.circuit.parameter import ExprOp, Parameter, ParameterExpression, expression_of
from qfast.errors import CircuitError

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit
    from qfast.circuit.value import CircuitValue

__all__ = ["circuit_digest", "circuit_from_bytes", "circuit_to_bytes"]

_MAGIC = b"qfast circuit"
_VERSION = 1
_MAX_DEPTH = 64

_ROW_QUBITS = np.array([-1 if row.num_qubits is None else row.num_qubits for row in GATES], dtype=np.int64)
_ROW_PARAMS = np.array([row.num_params for row in GATES], dtype=np.int64)
_ITEM_DTYPES = {"unitary": "<c16", "diagonal": "<c16", "permutation": "<i8", "pauli_rotation": "|u1"}
_OPERATIONS = tuple(ExprOp)


def circuit_digest(value: CircuitValue) -> bytes:
    """Return the 32 bytes that name a circuit by what it means."""
    return hashlib.blake2b(_Writer(value, folds_zeros=True).content(), digest_size=32).digest()


def circuit_to_bytes(value: CircuitValue) -> bytes:
    """Return a circuit as bytes."""
    return _Writer(value, folds_zeros=False).content()


def circuit_from_bytes(content: bytes | bytearray | memoryview, circuit_class: type[Circuit]) -> Circuit:
    """Read what `circuit_to_bytes` wrote.

    Raises
    ------
    InputError
        The bytes hold no circuit, or one that the builder would refuse; the message says where.
    """
    return _Reader(ByteReader(content, "a circuit"), circuit_class).circuit()


# ------------------------------------------------------------------------------------------------------------- writing


class _Writer:
    def __init__(self, value: CircuitValue, *, folds_zeros: bool) -> None:
        self._value = value
        self._folds_zeros = folds_zeros
        self._variables = {variable: number for number, variable in enumerate(value.variables.values())}

    def content(self) -> bytes:
        value, out = self._value, ByteWriter()
        out.raw(_MAGIC)
        out.number(_VERSION)
        out.number(value.num_qubits)
        out.number(value.num_clbits)
        for registers in (value.qubit_registers, value.classical_registers):
            out.number(len(registers), 8)
            for register in registers:
                out.text(register.name)
                out.number(register.size)
        out.number(len(value.variables), 8)
        for variable in value.variables.values():
            out.text(variable.name)
            out.number(VARIABLE_KINDS.index(variable.kind), 1)
            out.number(variable.width or 0, 1)
        self._rows(out, value, 0)
        return out.content()

    def _rows(self, out: ByteWriter, value: CircuitValue, depth: int) -> None:
        columns = value.columns
        opcodes = np.asarray(columns.opcodes)
        used = np.flatnonzero(np.bincount(opcodes, minlength=1)) if len(opcodes) else np.zeros(0, dtype=np.int64)
        used = used[np.argsort([int(np.argmax(opcodes == opcode)) for opcode in used])]
        place = np.zeros(len(GATES), dtype=np.int64)
        place[used] = np.arange(len(used))
        out.number(len(opcodes), 8)
        out.number(len(used))
        for opcode in used.tolist():
            out.text(GATES[opcode].name)
        out.column(place[opcodes], "<u2")
        self._operands(out, value, opcodes)
        out.column(np.asarray(columns.data)[opcodes == MEASURE], "<u4")
        self._params(out, value)
        numbers, items = numbered_items(value, lambda name, item: (name, self._item(name, item, depth)))
        out.column(numbers, "<u4")
        out.number(len(items), 8)
        for _, content in items:
            out.block(content)

    def _operands(self, out: ByteWriter, value: CircuitValue, opcodes: AnyArray) -> None:
        columns = value.columns
        controls = np.asarray(columns.num_controls)
        is_controlled = bool(controls.any())
        out.number(is_controlled, 1)
        if is_controlled:
            out.column(controls, "<u2")
            out.column(np.asarray(columns.ctrl_states), "<u8")
        free = _ROW_QUBITS[opcodes] < 0
        out.column(np.diff(np.asarray(columns.qubit_end), prepend=0)[free] - controls[free], "<u4")
        out.column(np.asarray(columns.qubits), "<u4")

    def _params(self, out: ByteWriter, value: CircuitValue) -> None:
        params = np.array(value.params, dtype=np.float64)
        expressions = value.expressions
        slots = np.fromiter(expressions, dtype=np.int64, count=len(expressions))
        params[slots] = 0.0
        out.column(self._folded(params), "<f8")
        out.number(len(slots), 8)
        out.column(slots, "<u8")
        codes: dict[bytes, int] = {}
        known: dict[int, int] = {}
        numbers = []
        for expression in expressions.values():
            number = known.get(id(expression))
            if number is None:
                number = known[id(expression)] = codes.setdefault(_expression_bytes(expression), len(codes))
            numbers.append(number)
        out.column(np.array(numbers, dtype=np.int64), "<u4")
        out.number(len(codes), 8)
        for code in codes:
            out.block(code)

    def _folded(self, values: AnyArray) -> AnyArray:
        """Numbers as they are written: adding 0.0 turns -0.0 into 0.0 and changes no other number."""
        return values + 0.0 if self._folds_zeros else values

    def _item(self, name: str, item: Any, depth: int) -> bytes:
        out = ByteWriter()
        if isinstance(item, Block):
            if depth >= _MAX_DEPTH:
                raise CircuitError(f"control flow is nested deeper than {_MAX_DEPTH}, which has no form in bytes")
            block_encoding.write_block(out, item, self._variables, lambda body: self._rows(out, body, depth + 1))
        else:
            out.column(self._folded(item) if item.dtype == np.complex128 else item, _ITEM_DTYPES[name])
        return out.content()


def _expression_bytes(expression: ParameterExpression) -> bytes:
    out = ByteWriter()
    out.number(len(expression.code), 8)
    for item in expression.code:
        if isinstance(item, Parameter):
            out.number(ExprOp.PUSH_PARAM.value, 1)
            out.text(item.name)
        elif isinstance(item, ExprOp):
            out.number(item.value, 1)
        else:
            out.number(ExprOp.PUSH_CONST.value, 1)
            out.real(item)
    return out.content()


# ------------------------------------------------------------------------------------------------------------- reading


class _Reader:
    def __init__(self, source: ByteReader, circuit_class: type[Circuit]) -> None:
        self._source = source
        self._circuit_class = circuit_class

    def circuit(self) -> Circuit:
        source = self._source
        if source.remaining < len(_MAGIC) or source.raw(len(_MAGIC)) != _MAGIC:
            raise source.fail("they do not begin as one")
        version = source.number()
        if version != _VERSION:
            raise source.fail(f"their version is {version}, this qfast reads version {_VERSION}")
        bits = source.number(limit=MAX_BITS + 1), source.number(limit=MAX_BITS + 1)
        registers = [[(source.text(), source.number()) for _ in range(source.count(12))] for _ in bits]
        self._variables = [
            Variable(source.text(), VARIABLE_KINDS[source.number(1, len(VARIABLE_KINDS))], source.number(1) or None)
            for _ in range(source.count(10))
        ]
        self._frame = self._circuit_class.from_columns(
            num_qubits=bits[0], num_clbits=bits[1], opcodes=(), qubits=(), qubit_end=(),
            qubit_registers=registers[0], classical_registers=registers[1], variables=self._variables,
        )  # fmt: skip
        result = self._rows(source, 0)
        source.end()
        return result

    def _rows(self, source: ByteReader, depth: int) -> Circuit:
        size = source.count(2)
        names = [source.text() for _ in range(source.number(limit=len(GATES) + 1))]
        for name in names:
            if OPCODES.get(name) is None or GATES[OPCODES[name]].name != name:
                raise source.fail(f"'{name}' is not in the gate table")
        used = np.array([OPCODES[name] for name in names], dtype=np.uint16)
        places = source.column(size, "<u2")
        if len(set(names)) != len(names) or not _in_first_order(places, len(names)):
            raise source.fail("the gates are not named in the order of their first use")
        opcodes = used[places] if size else np.zeros(0, dtype=np.uint16)
        controls, states, qubit_end, qubits = self._operands(source, opcodes)
        clbits = source.column(int((opcodes == MEASURE).sum()), "<u4")
        param_end = np.cumsum(_ROW_PARAMS[opcodes], dtype=np.int64)
        params, expressions = self._params(source, int(param_end[-1]) if size else 0)
        holders = np.flatnonzero(HOLDS_DATA[opcodes])
        numbers = source.column(len(holders), "<u4")
        count = source.count(8)
        if not _in_first_order(numbers, count):
            raise source.fail("the data items do not stand in the order of their first use")
        data = np.full(size, -1, dtype=np.int64)
        data[opcodes == MEASURE] = clbits
        data[holders] = numbers
        of_item = holders[np.unique(numbers, return_index=True)[1]].tolist()
        widths = np.diff(qubit_end, prepend=0) - controls
        items = [self._item(source, GATES[opcodes[row]].name, int(widths[row]), depth) for row in of_item]
        result = self._frame.block()
        columns = (opcodes, controls, states, data, qubit_end, qubits, param_end, params)
        result._set_columns(columns, items, expressions)
        return result

    def _operands(self, source: ByteReader, opcodes: AnyArray) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
        size = len(opcodes)
        is_controlled = source.number(1, 2)
        controls = source.column(size, "<u2") if is_controlled else np.zeros(size, dtype=np.uint16)
        states = source.column(size, "<u8") if is_controlled else np.zeros(size, dtype=np.uint64)
        if is_controlled and not controls.any():
            raise source.fail("a column of controls holds none")
        widths = _ROW_QUBITS[opcodes]
        free = widths < 0
        widths[free] = source.column(int(free.sum()), "<u4")
        qubit_end = np.cumsum(widths + controls, dtype=np.int64)
        total = int(qubit_end[-1]) if size else 0
        return controls, states, qubit_end, source.column(total, "<u4")

    def _params(self, source: ByteReader, total: int) -> tuple[AnyArray, dict[int, ParameterExpression]]:
        params = source.column(total, "<f8")
        count = source.count(12)
        slots = source.column(count, "<u8")
        numbers = source.column(count, "<u4")
        codes = [self._expression(source) for _ in range(source.count(16))]
        if not _in_first_order(numbers, len(codes)):
            raise source.fail("the expressions do not stand in the order of their first use")
        if count and (int(slots.max()) >= total or not (slots[1:] > slots[:-1]).all()):
            raise source.fail("the slots of expressions do not ascend below the number of parameters")
        if count and params[slots.astype(np.int64)].view(np.uint64).any():
            raise source.fail("a number stands where an expression does")
        return params, {slot: codes[number] for slot, number in zip(slots.tolist(), numbers.tolist(), strict=True)}

    def _expression(self, outer: ByteReader) -> ParameterExpression:
        source = ByteReader(outer.raw(outer.number(8)), "an expression")
        code: list[float | Parameter | ExprOp] = []
        for _ in range(source.count(1)):
            operation = _OPERATIONS[source.number(1, len(_OPERATIONS))]
            if operation is ExprOp.PUSH_PARAM:
                code.append(Parameter(source.text()))
            else:
                code.append(source.real() if operation is ExprOp.PUSH_CONST else operation)
        source.end()
        return expression_of(code)

    def _item(self, outer: ByteReader, name: str, num_qubits: int, depth: int) -> Any:
        source = ByteReader(outer.raw(outer.number(8)), "a circuit")
        if GateFlag.CONTROL_FLOW in GATES[OPCODES[name]].flags or name == "assign":
            if depth >= _MAX_DEPTH:
                raise source.fail(f"control flow is nested deeper than {_MAX_DEPTH}")
            found = block_encoding.read_block(
                source, name, self._variables, lambda: self._rows(source, depth + 1).snapshot()
            )
            source.end()
            return found
        dtype = np.dtype(_ITEM_DTYPES[name])
        if num_qubits > MAX_TABLE_QUBITS:
            raise source.fail(f"'{name}' on {num_qubits} qubits is announced")
        shape = {"unitary": (1 << num_qubits,) * 2, "pauli_rotation": (num_qubits,)}.get(name, (1 << num_qubits,))
        if int(np.prod(shape)) * dtype.itemsize != source.remaining:
            raise source.fail(f"{source.remaining} bytes are given for '{name}' on {num_qubits} qubits")
        return source.column(int(np.prod(shape)), dtype.str).reshape(shape)


def _in_first_order(numbers: AnyArray, count: int) -> bool:
    """Whether numbers are 0 … count - 1, all used, and first used in this order."""
    if not len(numbers):
        return count == 0
    highest = np.maximum.accumulate(numbers.astype(np.int64))
    return int(numbers[0]) == 0 and int(highest[-1]) == count - 1 and bool((np.diff(highest) <= 1).all())

"""Classical expressions to and from Qiskit's ``qiskit.circuit.classical.expr``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr, types

from qfast.circuit.classical import Binary, Bit, Bits, Cast, Classical, Index, Literal, Unary, Variable
from qfast.errors import CircuitError

__all__ = ["ExpressionWriter", "read_condition", "read_expression", "read_type", "write_type"]

_BINARY = {
    "BIT_AND": "&", "BIT_OR": "|", "BIT_XOR": "^", "LOGIC_AND": "&&", "LOGIC_OR": "||", "EQUAL": "==",
    "NOT_EQUAL": "!=", "LESS": "<", "LESS_EQUAL": "<=", "GREATER": ">", "GREATER_EQUAL": ">=", "SHIFT_LEFT": "<<",
    "SHIFT_RIGHT": ">>", "ADD": "+", "SUB": "-", "MUL": "*", "DIV": "/",
}  # fmt: skip
_UNARY = {"BIT_NOT": "~", "LOGIC_NOT": "!", "NEGATE": "-"}
_WRITE_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "&": expr.bit_and, "|": expr.bit_or, "^": expr.bit_xor, "&&": expr.logic_and, "||": expr.logic_or,
    "==": expr.equal, "!=": expr.not_equal, "<": expr.less, "<=": expr.less_equal, ">": expr.greater,
    ">=": expr.greater_equal,
}  # fmt: skip
# Newer parts of Qiskit's expressions, by the names of its functions.
_WRITE_NEWER = {"<<": "shift_left", ">>": "shift_right", "+": "add", "-": "sub", "*": "mul", "/": "div"}

ReadBit = Callable[[Any], int]  # number of a classical bit
ReadVariable = Callable[[Any], Variable]


def read_type(kind: Any, place: str) -> tuple[str, int | None]:
    """Return our kind and width of a Qiskit type."""
    if isinstance(kind, types.Bool):
        return "bool", None
    if isinstance(kind, types.Uint):
        return "uint", int(kind.width)
    if type(kind).__name__ == "Float":
        return "float", None
    raise CircuitError(f"{place}: classical values of Qiskit's type {kind} cannot be taken over")


def read_bits(bits: Sequence[int]) -> Classical:
    """Return bits, the first least significant, as one unsigned number."""
    if len(bits) and list(bits) == list(range(bits[0], bits[0] + len(bits))):
        return Bits(bits[0], len(bits))
    number: Classical = Literal(0)
    for place, bit in enumerate(bits):
        number = Binary("|", number, Binary("<<", Cast("uint", max(len(bits), 1), Bit(bit)), Literal(place)))
    return number


def read_condition(condition: Any, bit: ReadBit, variable: ReadVariable, place: str) -> Classical:
    """Return the condition of an `if` or `while`: a pair (bit or register, value) or an expression."""
    if isinstance(condition, tuple):
        target, wanted = condition
        if isinstance(target, Clbit):
            return Binary("==", Bit(bit(target)), Literal(int(wanted)))
        return Binary("==", read_bits([bit(entry) for entry in target]), Literal(int(wanted)))
    return read_expression(condition, bit, variable, place)


def read_expression(node: Any, bit: ReadBit, variable: ReadVariable, place: str) -> Classical:
    """Return our expression of a Qiskit expression, bit or register."""

    def read(inner: Any) -> Classical:
        return read_expression(inner, bit, variable, place)

    if isinstance(node, Clbit):
        return Bit(bit(node))
    if isinstance(node, ClassicalRegister):
        return read_bits([bit(entry) for entry in node])
    if isinstance(node, expr.Var):
        return variable(node) if node.standalone else read(node.var)
    if isinstance(node, expr.Value) and isinstance(node.value, (bool, int, float)):
        return Literal(node.value)
    if isinstance(node, expr.Cast):
        return Cast(*read_type(node.type, place), read(node.operand))
    if isinstance(node, expr.Unary) and node.op.name in _UNARY:
        return Unary(_UNARY[node.op.name], read(node.operand))
    if isinstance(node, expr.Binary) and node.op.name in _BINARY:
        return Binary(_BINARY[node.op.name], read(node.left), read(node.right))
    if type(node).__name__ == "Index":
        return Index(read(node.target), read(node.index))
    raise CircuitError(f"{place}: the Qiskit expression {node} cannot be taken over")


def write_type(variable: Variable, place: str) -> Any:
    """Return Qiskit's type of a variable."""
    if variable.kind == "bool":
        return types.Bool()
    if variable.kind == "uint":
        return types.Uint(variable.width)
    if variable.kind == "float" and hasattr(types, "Float"):
        return types.Float()
    raise CircuitError(f"{place}: Qiskit has no classical variables of kind '{variable.kind}' ('{variable.name}')")


class ExpressionWriter:
    """Writes expressions over the bits and variables of one Qiskit circuit.

    Parameters
    ----------
    clbits : sequence of Clbit
    registers : sequence of (first bit, ClassicalRegister)
    variables : dict of str to expr.Var
    """

    def __init__(self, clbits: Sequence[Any], registers: Sequence[tuple[int, Any]], variables: dict[str, Any]) -> None:
        self.clbits = clbits
        self.registers = {(start, len(register)): register for start, register in registers}
        self.variables = variables

    def place_of(self, node: Bit | Bits, place: str) -> Any:
        """Return the Clbit or ClassicalRegister of a bit or a run of bits."""
        if isinstance(node, Bit):
            return self.clbits[node.index]
        if (node.start, node.size) in self.registers:
            return self.registers[node.start, node.size]
        last = node.start + node.size - 1
        raise CircuitError(f"{place}: classical bits {node.start}…{last} are no whole register, which Qiskit needs")

    def write(self, node: Classical, place: str) -> Any:
        """Return Qiskit's expression."""
        if isinstance(node, (Bit, Bits)):
            return expr.lift(self.place_of(node, place))
        if isinstance(node, Variable):
            if node.name in self.variables:
                return self.variables[node.name]
            raise CircuitError(f"{place}: Qiskit cannot read the loop variable '{node.name}' in a classical expression")
        if isinstance(node, Literal):
            if not isinstance(node.value, float) and node.value < 0:
                raise CircuitError(f"{place}: Qiskit's classical expressions have no negative integer ({node.value})")
            return expr.lift(node.value)
        if isinstance(node, Cast):
            kind = write_type(Variable("cast", node.kind, node.width), place)
            return expr.cast(self.write(node.operand, place), kind)
        if isinstance(node, Unary) and node.op in ("~", "!"):
            return (expr.bit_not if node.op == "~" else expr.logic_not)(self.write(node.operand, place))
        if isinstance(node, Index) and hasattr(expr, "index"):
            return expr.index(self.write(node.operand, place), self.write(node.index, place))
        if isinstance(node, Binary):
            return self._write_binary(node, place)
        what = f"'{node.op}'" if isinstance(node, Unary) else type(node).__name__
        raise CircuitError(f"{place}: Qiskit's classical expressions have no {what}")

    def _write_binary(self, node: Binary, place: str) -> Any:
        function = _WRITE_BINARY.get(node.op) or getattr(expr, _WRITE_NEWER.get(node.op, ""), None)
        if function is None:
            raise CircuitError(f"{place}: Qiskit's classical expressions have no operator '{node.op}'")
        left, right = self.write(node.left, place), self.write(node.right, place)
        if isinstance(node.right, Literal):
            right = _as_partner(node.right, right, left)
        elif isinstance(node.left, Literal):
            left = _as_partner(node.left, left, right)
        if node.op not in ("<<", ">>"):
            left, right = _same_width(left, right)
        try:
            return function(left, right)
        except TypeError as error:
            raise CircuitError(f"{place}: Qiskit does not take these operands of '{node.op}': {error}") from None


def _as_partner(literal: Literal, written: Any, partner: Any) -> Any:
    """A literal in the type of its partner where it fits: bits are truth values in Qiskit, widths must agree."""
    value = literal.value
    if isinstance(partner.type, types.Bool) and value in (0, 1):
        return expr.lift(bool(value))
    if isinstance(partner.type, types.Uint) and isinstance(value, int) and value.bit_length() <= partner.type.width:
        return expr.lift(int(value), partner.type)
    return written


def _same_width(left: Any, right: Any) -> tuple[Any, Any]:
    """Two unsigned numbers in the wider of their types."""
    if isinstance(left.type, types.Uint) and isinstance(right.type, types.Uint):
        kind = left.type if left.type.width >= right.type.width else right.type
        left, right = (side if side.type == kind else expr.cast(side, kind) for side in (left, right))
    return left, right

"""Parameter expressions to and from Qiskit.

Qiskit gives its expressions as text only (the tree is private and differs between versions), so they are read from that
text, with every parameter renamed to a plain identifier first.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from qiskit.circuit import Parameter as QiskitParameter
from qiskit.circuit import ParameterExpression as QiskitExpression
from qiskit.circuit import ParameterVector as QiskitVector

from qfast.circuit.parameter import ExprOp, Parameter, ParameterExpression, ParameterValue
from qfast.errors import ParameterError

__all__ = ["ParameterReader", "ParameterWriter"]

_FUNCTIONS: dict[str, Callable[[ParameterExpression], ParameterExpression]] = {
    "sin": ParameterExpression.sin, "cos": ParameterExpression.cos, "tan": ParameterExpression.tan,
    "asin": ParameterExpression.asin, "acos": ParameterExpression.acos, "atan": ParameterExpression.atan,
    "exp": ParameterExpression.exp, "log": ParameterExpression.log, "sqrt": ParameterExpression.sqrt,
    "abs": ParameterExpression.__abs__, "Abs": ParameterExpression.__abs__,
    "conj": lambda x: x, "conjugate": lambda x: x,  # parameters are real
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], ExprOp] = {
    ast.Add: ExprOp.ADD, ast.Sub: ExprOp.SUB, ast.Mult: ExprOp.MUL, ast.Div: ExprOp.DIV, ast.Pow: ExprOp.POW,
}  # fmt: skip


class ParameterReader:
    """Turns Qiskit's parameters and expressions into ours.

    Attributes
    ----------
    names : dict
        Our name of a Qiskit parameter where it is not its own: loop parameters, which are variables here.
    """

    def __init__(self) -> None:
        self.names: dict[QiskitParameter, str] = {}
        self._known: dict[QiskitExpression, ParameterValue] = {}

    def rename(self, parameter: QiskitParameter, name: str) -> None:
        """Give a parameter another name from here on."""
        self.names[parameter] = name
        self._known.clear()

    def read(self, value: Any, place: str) -> ParameterValue:
        """Return a float or an expression.

        Raises
        ------
        ParameterError
            The value is complex, or uses a function that no gate angle has here (``sign``).
        """
        if not isinstance(value, QiskitExpression):
            return float(value)
        if isinstance(value, QiskitParameter):
            return Parameter(self.names.get(value, value.name))
        if value not in self._known:
            self._known[value] = self._read_text(value, place)
        return self._known[value]

    def _read_text(self, value: QiskitExpression, place: str) -> ParameterValue:
        stand_ins = {p: QiskitParameter(f"qfast_{k}_") for k, p in enumerate(value.parameters)}
        ours = {stand_in.name: Parameter(self.names.get(p, p.name)) for p, stand_in in stand_ins.items()}
        text = str(value.subs(stand_ins))
        try:
            result = _build(ast.parse(text, mode="eval").body, ours)
        except (SyntaxError, ValueError):
            raise ParameterError(
                f"{place}: the Qiskit expression {value} cannot be taken over; real sums, products, powers and the "
                f"functions {', '.join(sorted(_FUNCTIONS))} can"
            ) from None
        for parameter in ours.values():
            # Qiskit counts a parameter that has cancelled out among those to be bound, and so do we.
            if not isinstance(result, ParameterExpression) or parameter not in result.parameters:
                result = result + 0.0 * parameter
        return result


def _build(node: ast.expr, names: Mapping[str, Parameter]) -> ParameterValue:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_build(node.operand, names)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _combined(_OPERATORS[type(node.op)], _build(node.left, names), _build(node.right, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        (argument,) = (_build(argument, names) for argument in node.args)
        function = _FUNCTIONS[node.func.id]
        return function(argument if isinstance(argument, ParameterExpression) else ParameterExpression((argument,)))
    raise ValueError(ast.dump(node))


def _combined(op: ExprOp, left: ParameterValue, right: ParameterValue) -> ParameterExpression:
    first = left.code if isinstance(left, ParameterExpression) else (left,)
    second = right.code if isinstance(right, ParameterExpression) else (right,)
    return ParameterExpression((*first, *second, op))


class ParameterWriter:
    """Turns our parameters and expressions into Qiskit's; each name becomes one parameter.

    Parameters
    ----------
    parameters : sequence of Parameter
        All of a circuit; names like ``v[3]`` become elements of one vector, so that Qiskit orders them by index too.
    """

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self.known: dict[str, Any] = {}
        lengths: dict[str, int] = {}
        for parameter in parameters:
            vector, index = parameter.sort_key
            if index >= 0:
                lengths[vector] = max(lengths.get(vector, 0), index + 1)
        vectors = {name: QiskitVector(name, length) for name, length in lengths.items()}
        for parameter in parameters:
            vector, index = parameter.sort_key
            element = vectors[vector][index] if index >= 0 else None
            # A name such as v[03] is no element of a Qiskit vector.
            self.known[parameter.name] = (
                element if element is not None and element.name == parameter.name else QiskitParameter(parameter.name)
            )

    def write(self, value: ParameterValue) -> Any:
        """Return a float or one of Qiskit's expressions."""
        if not isinstance(value, ParameterExpression):
            return value
        stack: list[Any] = []
        for item in value.code:
            if isinstance(item, Parameter):
                stack.append(self.known[item.name])
            elif isinstance(item, float):
                stack.append(item)
            elif item in _OPERATORS.values():
                right = stack.pop()
                stack[-1] = _qiskit_binary(item, stack[-1], right)
            else:
                stack[-1] = _qiskit_unary(item, stack[-1])
        return stack[0]


def _qiskit_binary(op: ExprOp, left: Any, right: Any) -> Any:
    if op is ExprOp.ADD:
        return left + right
    if op is ExprOp.SUB:
        return left - right
    if op is ExprOp.MUL:
        return left * right
    return left / right if op is ExprOp.DIV else left**right


def _qiskit_unary(op: ExprOp, operand: Any) -> Any:
    if isinstance(operand, float):
        return ParameterExpression((operand, op)).evaluate({})
    if op is ExprOp.NEG:
        return -1.0 * operand
    if op is ExprOp.ABS:
        return operand.abs()
    if op is ExprOp.SQRT:
        return operand**0.5
    name = {ExprOp.ASIN: "arcsin", ExprOp.ACOS: "arccos", ExprOp.ATAN: "arctan"}.get(op, op.name.lower())
    return getattr(operand, name)()

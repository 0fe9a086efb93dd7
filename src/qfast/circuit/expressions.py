"""The expressions of a circuit as one table, which an engine evaluates for a row of parameter values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qfast._typing import FloatArray, IntArray
from qfast.circuit.parameter import ExprOp, Parameter
from qfast.errors import ParameterError

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit

__all__ = ["ExpressionTable", "expression_table"]

_BINARY_UFUNCS = {
    ExprOp.ADD.value: np.add,
    ExprOp.SUB.value: np.subtract,
    ExprOp.MUL.value: np.multiply,
    ExprOp.DIV.value: np.divide,
    ExprOp.POW.value: np.power,
}
_UNARY_UFUNCS = {
    ExprOp.NEG.value: np.negative,
    ExprOp.SIN.value: np.sin,
    ExprOp.COS.value: np.cos,
    ExprOp.TAN.value: np.tan,
    ExprOp.ASIN.value: np.arcsin,
    ExprOp.ACOS.value: np.arccos,
    ExprOp.ATAN.value: np.arctan,
    ExprOp.EXP.value: np.exp,
    ExprOp.LOG.value: np.log,
    ExprOp.SQRT.value: np.sqrt,
    ExprOp.ABS.value: np.abs,
}
_PUSH_CONST, _PUSH_PARAM = ExprOp.PUSH_CONST.value, ExprOp.PUSH_PARAM.value


@dataclass(frozen=True, slots=True)
class ExpressionTable:
    """The columns of ``ExpressionTable`` in ``csrc/circuit/flat.h``.

    Attributes
    ----------
    slots : ndarray, int64, shape (s,)
        Index into the circuit's `params`, ascending.
    code_end : ndarray, int64, shape (s,)
        End of each slot's code.
    code : ndarray, int32
        Postfix words: an ``ExprOp``; after PUSH_CONST an index into `constants`, after PUSH_PARAM a parameter's index.
    constants : ndarray, float64
    names : tuple of str
        The circuit's parameters in order.
    """

    slots: IntArray
    code_end: IntArray
    code: NDArray[np.int32]
    constants: FloatArray
    names: tuple[str, ...]

    @property
    def num_parameters(self) -> int:
        """Length of a row of values."""
        return len(self.names)

    def evaluate(self, values: FloatArray) -> FloatArray:
        """Return the value of each slot.

        Parameters
        ----------
        values : ndarray, float64, shape (p,) or (m, p)

        Returns
        -------
        ndarray, float64, shape (s,) or (m, s)

        Raises
        ------
        ParameterError
            A result is not a finite real number.
        """
        columns = np.moveaxis(np.asarray(values, dtype=np.float64), -1, 0)
        if len(columns) != self.num_parameters:
            raise ParameterError(f"{len(columns)} parameter values given for {self.num_parameters} parameters")
        result = np.empty((len(self.slots), *columns.shape[1:]))
        code = self.code.tolist()
        begin = 0
        with np.errstate(all="ignore"):  # what is not finite is reported below, with its place
            for row, end in enumerate(self.code_end.tolist()):
                result[row] = self._run(code, begin, end, columns)
                begin = end
        if not np.isfinite(result).all():
            row = int(np.argwhere(~np.isfinite(result))[0][0])
            raise ParameterError(
                f"the expression at parameter slot {int(self.slots[row])} has no finite real value for these parameters"
            )
        return np.moveaxis(result, 0, -1)

    def _run(self, code: list[int], begin: int, end: int, columns: FloatArray) -> FloatArray:
        stack: list[FloatArray] = []
        word = begin
        while word < end:
            op = code[word]
            word += 1
            if op == _PUSH_CONST:
                stack.append(self.constants[code[word]])
                word += 1
            elif op == _PUSH_PARAM:
                stack.append(columns[code[word]])
                word += 1
            elif op in _BINARY_UFUNCS:
                right = stack.pop()
                stack[-1] = _BINARY_UFUNCS[op](stack[-1], right)
            else:
                stack[-1] = _UNARY_UFUNCS[op](stack[-1])
        return stack[0]


def expression_table(circuit: Circuit) -> ExpressionTable:
    """Encode the expressions of a circuit (not of the bodies inside it).

    Raises
    ------
    ParameterError
        An expression names a classical variable, which has a value only at run time.
    """
    names = tuple(parameter.name for parameter in circuit.parameters)
    index = {name: place for place, name in enumerate(names)}
    constants: dict[float, int] = {}
    code: list[int] = []
    ends: list[int] = []
    slots = sorted(circuit.expressions)
    for slot in slots:
        for item in circuit.expressions[slot].code:
            if isinstance(item, Parameter):
                if item.name not in index:
                    raise ParameterError(
                        f"'{item.name}' is a classical variable; the circuit must be bound to its value before it runs"
                    )
                code += (_PUSH_PARAM, index[item.name])
            elif isinstance(item, ExprOp):
                code.append(item.value)
            else:
                code += (_PUSH_CONST, constants.setdefault(item, len(constants)))
        ends.append(len(code))
    return ExpressionTable(
        np.array(slots, dtype=np.int64),
        np.array(ends, dtype=np.int64),
        np.array(code, dtype=np.int32),
        np.array(list(constants), dtype=np.float64),
        names,
    )

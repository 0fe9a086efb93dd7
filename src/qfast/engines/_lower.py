"""A circuit of gates as a list of operations, for the engines written in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from qfast._typing import AnyArray, ComplexArray, FloatArray
from qfast.circuit.expressions import expression_table
from qfast.circuit.gates import GATES, NUM_GATES, OPCODES
from qfast.errors import CircuitError

if TYPE_CHECKING:
    from qfast.circuit import Circuit

OpKind: TypeAlias = Literal["matrix", "diagonal", "permutation", "pauli"]

_DATA_KINDS: dict[str, OpKind] = {
    "unitary": "matrix",
    "diagonal": "diagonal",
    "permutation": "permutation",
    "pauli_rotation": "pauli",
}
_BARRIER = OPCODES["barrier"]


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: `content` on `targets` wherever the controls have their values.

    Attributes
    ----------
    kind : str
        What `content` is: a matrix (2**k, 2**k), a diagonal (2**k,), a permutation (2**k,) or Pauli letters (k,).
    targets : tuple of int
        The first is the least significant bit of the content's index. Empty for a global phase.
    controls : tuple of int
    control_values : tuple of int
        0 or 1 for each control.
    content : ndarray or None
        None: the matrix of gate `opcode` at the operation's parameters.
    opcode : int
    slots : slice
        Where the operation's parameters stand among the circuit's.
    """

    kind: OpKind
    targets: tuple[int, ...]
    controls: tuple[int, ...]
    control_values: tuple[int, ...]
    content: AnyArray | None
    opcode: int
    slots: slice

    def matrix(self, params: Sequence[float]) -> ComplexArray:
        """Return the matrix of an operation of kind "matrix", complex128 of shape (2**k, 2**k)."""
        if self.content is not None:
            return self.content
        if self.slots.start == self.slots.stop:
            return _constant_matrix(self.opcode)
        target_matrix = GATES[self.opcode].target_matrix
        assert target_matrix is not None
        return target_matrix(params[self.slots])


@cache
def _constant_matrix(opcode: int) -> ComplexArray:
    target_matrix = GATES[opcode].target_matrix
    assert target_matrix is not None
    matrix = target_matrix(())
    matrix.flags.writeable = False
    return matrix


class LoweredCircuit:
    """The operations of a circuit, and its parameters as numbers once there are values.

    Raises
    ------
    CircuitError
        The circuit holds something that is no gate; barriers are dropped.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.num_qubits = circuit.num_qubits
        self.ops = _operations(circuit)
        self._params = np.array(circuit.params)
        self._expressions = expression_table(circuit)

    @property
    def num_parameters(self) -> int:
        return self._expressions.num_parameters

    def params(self, values: FloatArray) -> list[float]:
        """Return every parameter slot of the circuit at some parameter values."""
        params = self._params
        if self._expressions.slots.size:
            params = params.copy()
            params[self._expressions.slots] = self._expressions.evaluate(values)
        numbers: list[float] = params.tolist()
        return numbers


def _operations(circuit: Circuit) -> list[Op]:
    ops = []
    qubit_begin = param_begin = 0
    for index, opcode in enumerate(circuit.opcodes):
        qubit_end, param_end = circuit.qubit_end[index], circuit.param_end[index]
        if opcode < NUM_GATES:
            ops.append(_op(circuit, index, tuple(circuit.qubits[qubit_begin:qubit_end]), slice(param_begin, param_end)))
        elif opcode != _BARRIER:
            raise CircuitError(
                f"'{GATES[opcode].name}' at instruction {index} is no gate: an engine runs gates only; "
                "qfast.simulate and qfast.sample run the rest"
            )
        qubit_begin, param_begin = qubit_end, param_end
    return ops


def _op(circuit: Circuit, index: int, qubits: tuple[int, ...], slots: slice) -> Op:
    opcode = circuit.opcodes[index]
    row = GATES[opcode]
    extra = circuit.num_controls[index]
    num_controls = extra + row.own_controls
    state = circuit.ctrl_states[index]
    values = tuple(state >> j & 1 for j in range(extra)) + (1,) * row.own_controls
    kind = _DATA_KINDS.get(row.name, "matrix")
    content = circuit.data_items[circuit.data[index]] if row.name in _DATA_KINDS else None
    return Op(kind, qubits[num_controls:], qubits[:num_controls], values, content, opcode, slots)


def pauli_masks(op: Op) -> tuple[int, int]:
    """Return the X and Z masks of a Pauli rotation over the whole index; Y has both bits."""
    assert op.content is not None
    x_mask = z_mask = 0
    for qubit, letter in zip(op.targets, op.content.tolist(), strict=True):
        x_mask |= (letter in (1, 2)) << qubit
        z_mask |= (letter in (2, 3)) << qubit
    return x_mask, z_mask

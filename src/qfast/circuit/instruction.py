"""What a circuit shows of itself: registers and instructions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, overload

from qfast._typing import ComplexArray
from qfast.circuit.data_items import data_matrix
from qfast.circuit.gates import GATES, GateFlag, GateRow
from qfast.circuit.parameter import ParameterExpression, ParameterValue
from qfast.errors import CircuitError, ParameterError

__all__ = ["Instruction", "Register"]


@dataclass(frozen=True, slots=True)
class Register:
    """A named run of qubits or of classical bits.

    Attributes
    ----------
    name : str
    start : int
        The circuit's number of the register's bit 0.
    size : int

    Examples
    --------
    >>> register = Register("a", 2, 3)
    >>> register[0], register[-1], list(register)
    (2, 4, [2, 3, 4])
    """

    name: str
    start: int
    size: int

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> list[int]: ...
    def __getitem__(self, index: int | slice) -> int | list[int]:
        bits = range(self.start, self.start + self.size)
        if isinstance(index, slice):
            return list(bits[index])
        try:
            return bits[index]
        except IndexError:
            raise IndexError(f"register '{self.name}' has {self.size} bits; there is no bit {index}") from None

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.start + self.size))


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """A view of one row of a circuit.

    Attributes
    ----------
    opcode : int
        Index into the gate table.
    qubits : tuple of int
        The gate's own qubits (its own controls included), without the extra controls.
    params : tuple of float or ParameterExpression
    controls : tuple of int
        Extra controls.
    ctrl_state : int
        Bit j is the value that extra control j must have.
    data : object or None
        The data item: matrix, diagonal, permutation, Pauli letters, or a block of control flow.
    clbit : int or None
        The classical bit of a measurement.
    """

    opcode: int
    qubits: tuple[int, ...]
    params: tuple[ParameterValue, ...] = ()
    controls: tuple[int, ...] = ()
    ctrl_state: int = 0
    data: Any = None
    clbit: int | None = None

    @property
    def row(self) -> GateRow:
        """The row of the gate table."""
        return GATES[self.opcode]

    @property
    def name(self) -> str:
        """The gate's name, without the extra controls."""
        return GATES[self.opcode].name

    @property
    def label(self) -> str:
        """The name with the extra controls in front, as ``ctrl(2) @ h``."""
        return control_label(self.name, len(self.controls))

    @property
    def all_qubits(self) -> tuple[int, ...]:
        """Extra controls, then the own qubits: the order of the circuit's `qubits` column."""
        return self.controls + self.qubits

    @property
    def is_gate(self) -> bool:
        """Whether it is a unitary gate."""
        return GATES[self.opcode].is_gate

    def matrix(self) -> ComplexArray:
        """Return the matrix over the gate's own qubits, extra controls not included.

        Returns
        -------
        ndarray, complex128, shape (2**k, 2**k)
            The first own qubit is the least significant bit.

        Raises
        ------
        ParameterError
            A parameter is unbound.
        CircuitError
            The instruction is no gate.
        """
        params: list[float] = []
        for value in self.params:
            if isinstance(value, ParameterExpression):
                raise ParameterError(f"gate '{self.name}': the parameter {value} is not bound to a number")
            params.append(value)
        row = self.row
        if not row.is_gate:
            raise CircuitError(f"'{row.name}' is no gate and has no matrix")
        if GateFlag.DATA in row.flags:
            return data_matrix(row.name, self.data, params)
        return row.matrix(params)

    def __repr__(self) -> str:
        parts = [f"'{self.name}'", f"qubits={self.qubits}"]
        if self.params:
            parts.append("params=(" + ", ".join(f"{value}" for value in self.params) + ")")
        if self.controls:
            parts.append(f"controls={self.controls}, ctrl_state={self.ctrl_state:0{len(self.controls)}b}")
        if self.clbit is not None:
            parts.append(f"clbit={self.clbit}")
        if self.data is not None:
            parts.append(f"data={type(self.data).__name__}")
        return f"Instruction({', '.join(parts)})"


def control_label(name: str, num_controls: int) -> str:
    """Write a gate with extra controls as OpenQASM 3 does."""
    if num_controls == 0:
        return name
    return f"ctrl @ {name}" if num_controls == 1 else f"ctrl({num_controls}) @ {name}"

"""How a circuit grows: its registers, and every way to add rows: one by one, many of one gate, whole columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, SupportsFloat, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qfast._typing import FloatArray
from qfast.circuit import control_flow
from qfast.circuit.canonical import HOLDS_DATA, MEASURE
from qfast.circuit.checks import MAX_BITS, as_index, bit_count, is_name
from qfast.circuit.classical import Variable
from qfast.circuit.columns import (
    as_columns,
    as_integers,
    check_columns,
    operand_name,
    plain_columns,
    repeated_qubit_message,
    slots_of,
)
from qfast.circuit.data_items import checked_item
from qfast.circuit.gates import GATES, OPCODES, unknown_gate_message
from qfast.circuit.instruction import Register
from qfast.circuit.operands import broadcast
from qfast.circuit.parameter import ParameterExpression, ParameterValue, real_number
from qfast.circuit.rows import Columns, PythonRows, Rows
from qfast.circuit.transforms import map_bodies
from qfast.circuit.value import AnyCircuit, CircuitValue
from qfast.errors import CircuitError, GateError, ParameterError

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit

__all__ = ["Angle", "CircuitStorage"]

Angle: TypeAlias = ParameterExpression | SupportsFloat
"""A real number or an expression, in radians."""

_Registers: TypeAlias = tuple[Register, ...]

_NAN = math.nan


class CircuitStorage(AnyCircuit):
    """The growing part of :class:`~qfast.circuit.Circuit`, which documents it."""

    __slots__ = ("__weakref__", "_classical", "_items", "_quantum", "_rows", "_taken", "_variables_view")

    __hash__ = None  # type: ignore[assignment]  # a circuit can change

    _rows: PythonRows
    _items: list[Any]  # only ever appended to, or replaced by another list
    _taken: CircuitValue | None  # the last snapshot

    def __init__(self, num_qubits: int = 0, num_clbits: int = 0) -> None:
        num_qubits = bit_count(num_qubits, "qubits")
        num_clbits = bit_count(num_clbits, "classical bits")
        self._rows = Rows(num_qubits, num_clbits)
        self._items = []
        self._quantum: _Registers = (Register("q", 0, num_qubits),) if num_qubits else ()
        self._classical: _Registers = (Register("c", 0, num_clbits),) if num_clbits else ()
        self._variables_view: Mapping[str, Variable] = _NO_VARIABLES
        self._taken = None

    def snapshot(self) -> CircuitValue:
        """See `AnyCircuit.snapshot`."""
        taken, rows = self._taken, self._rows
        if taken is None or len(taken._columns) != len(rows):
            taken = self._taken = CircuitValue(
                rows.columns(), self._items, rows.expressions, (self._quantum, self._classical), self._variables_view,
                (rows.num_qubits, self._rows.num_clbits), self._class(),
            )  # fmt: skip
        return taken

    def _class(self) -> type[Circuit]:
        kind: Any = type(self)
        circuit_class: type[Circuit] = kind
        return circuit_class

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self._rows.num_qubits

    @property
    def num_clbits(self) -> int:
        """Number of classical bits."""
        return self._rows.num_clbits

    # -------------------------------------------------------------------------------------------------- bits and names

    def add_qubit_register(self, name: str, size: int) -> Register:
        """Add qubits under a name; they follow those that exist."""
        register = self._new_register(name, size, self._rows.num_qubits)
        self._set_frame((*self._quantum, register), self._classical, self._variables_view)
        return register

    def add_classical_register(self, name: str, size: int) -> Register:
        """Add classical bits under a name; they follow those that exist."""
        register = self._new_register(name, size, self._rows.num_clbits)
        self._set_frame(self._quantum, (*self._classical, register), self._variables_view)
        return register

    def _new_register(self, name: str, size: int, start: int) -> Register:
        self._check_new_name(name)
        size = bit_count(size, f"bits of register '{name}'")
        if not 1 <= size <= MAX_BITS - start:
            raise CircuitError(f"register '{name}': its size must be from 1 to {MAX_BITS - start}, {size} given")
        return Register(name, start, size)

    def _check_new_name(self, name: str) -> None:
        if not is_name(name):
            raise CircuitError(f"a register or variable is named by a string that is not empty, not by {name!r}")
        registers = (*self._quantum, *self._classical)
        if name in self._variables_view or any(register.name == name for register in registers):
            raise CircuitError(f"the name '{name}' is already used in this circuit")

    def add_variable(self, name: str, kind: str = "int", width: int | None = None) -> Variable:
        """Declare a classical variable, 0 or false at the start.

        Parameters
        ----------
        name : str
        kind : {"int", "uint", "bool", "float"}
        width : int, optional
            Bits of an int or uint, 1…64, default 32; arithmetic wraps around.

        Returns
        -------
        Variable
            For classical expressions. In an angle, ``Parameter(name)`` is its value at run time.
        """
        self._check_new_name(name)
        variable = Variable(name, kind, width)
        self._declare((variable,))
        return variable

    def _declare(self, variables: Iterable[Variable]) -> None:
        """Declare variables whose names have been checked, or stand declared alike already."""
        declared = {**self._variables_view, **{variable.name: variable for variable in variables}}
        self._set_frame(self._quantum, self._classical, declared)

    def _set_frame(self, quantum: _Registers, classical: _Registers, variables: Mapping[str, Variable]) -> None:
        """Take other registers and variables; bodies of control flow keep those of their circuit."""
        kept = MappingProxyType(dict(variables)) if variables else _NO_VARIABLES
        self._items = list(map_bodies(self._items, lambda body: body.snapshot().in_frame((quantum, classical), kept)))
        self._rows.num_qubits = sum(register.size for register in quantum)
        self._rows.num_clbits = sum(register.size for register in classical)
        self._quantum, self._classical, self._variables_view = quantum, classical, kept
        self._taken = None

    @classmethod
    def _in_frame_of(cls, value: CircuitValue) -> Self:
        """Return an empty circuit over the bits and variables of another."""
        circuit = cls()
        circuit._rows.num_qubits, circuit._rows.num_clbits = value.num_qubits, value.num_clbits
        circuit._quantum, circuit._classical = value.qubit_registers, value.classical_registers
        circuit._variables_view = value.variables
        return circuit

    @classmethod
    def _of(cls, value: CircuitValue) -> Self:
        """Return a circuit that begins as a value."""
        circuit = cls._in_frame_of(value)
        circuit._begin(value.columns, value.data_items, value.expressions)
        circuit._taken = value
        return circuit

    def _begin(self, columns: Columns, items: Sequence[Any], expressions: Mapping[int, ParameterExpression]) -> None:
        """Begin with columns of another circuit, which are shared, or of the reader."""
        self._rows = Rows.of(columns, self._rows.num_qubits, self._rows.num_clbits)
        self._rows.expressions.update(expressions)
        self._items = list(items)
        self._taken = None

    def _fill(
        self, columns: Sequence[NDArray[Any]], items: Sequence[Any], expressions: Mapping[int, ParameterExpression]
    ) -> None:
        """Begin anew with rows that are known to be right; slots of `expressions` ascend."""
        self._rows = Rows(self._rows.num_qubits, self._rows.num_clbits)
        self._items = []
        self._taken = None
        self._extend(columns, items, expressions)

    def _extend(
        self, columns: Sequence[NDArray[Any]], items: Sequence[Any], expressions: Mapping[int, ParameterExpression]
    ) -> None:
        """Append rows that are known to be right; their ends and slots count from 0, `data` is used as it is."""
        first_slot = self._rows.num_params
        self._rows.expressions.update((first_slot + slot, value) for slot, value in expressions.items())
        self._items.extend(items)
        self._rows.extend(*columns)

    def _append_gates(
        self,
        opcodes: Sequence[int],
        qubits: Sequence[int],
        params: Sequence[float],
        expressions: Mapping[int, ParameterExpression],
    ) -> None:
        """Append gates of the table without extra controls, after a check; slots of `expressions` count from 0."""
        codes = np.array(opcodes, dtype=np.uint16)
        slots = np.fromiter(expressions, dtype=np.int64, count=len(expressions))
        columns = plain_columns(codes, np.array(qubits, dtype=np.int64), np.array(params, dtype=np.float64))
        check_columns(*columns, num_qubits=self.num_qubits, first_index=len(self._rows), expression_slots=slots)
        self._extend(columns, (), expressions)

    # -------------------------------------------------------------------------------------------------- adding rows

    def extend(self, name: str, qubits: ArrayLike, params: ArrayLike | None = None) -> Self:
        """Append many gates of one kind at once.

        Parameters
        ----------
        name : str
            A gate of the table with a fixed number of qubits, or an alias.
        qubits : array_like of int, shape (m, k) or (m,) for one-qubit gates
            One row per gate.
        params : array_like of float (or object with expressions), shape (m, p) or (m,) for p = 1

        Notes
        -----
        A million gates take well under a second.

        Examples
        --------
        >>> from qfast.circuit import Circuit
        >>> Circuit(4).extend("h", range(4)).extend("cp", [[0, 1], [1, 2]], [0.5, 0.25]).count_ops()
        {'h': 4, 'cp': 2}
        """
        opcode = self._opcode(name)
        row = GATES[opcode]
        if row.num_qubits is None or not row.is_gate:
            raise GateError(f"'{row.name}' cannot be added in bulk; call the circuit's method of that name")
        place = f"extend('{row.name}')"
        table = as_integers(qubits, np.int32, place)
        if table.ndim == 1 and row.num_qubits == 1:
            table = table[:, None]
        count = len(table) if table.ndim else 0
        if table.ndim != 2 or table.shape[1] != row.num_qubits:
            raise GateError(f"{place}: qubits of shape (m, {row.num_qubits}) are needed, {table.shape} given")
        numbers, found = _parameter_table(params, count, row.num_params, place)
        ends = np.arange(1, count + 1, dtype=np.int64)
        columns = (
            np.full(count, opcode, dtype=np.uint16), np.zeros(count, dtype=np.uint16), np.zeros(count, dtype=np.uint64),
            np.full(count, -1, dtype=np.int32), ends * row.num_qubits, table.ravel(), ends * row.num_params, numbers,
        )  # fmt: skip
        check_columns(
            *columns, num_qubits=self._rows.num_qubits, first_index=len(self._rows),
            expression_slots=np.fromiter(found, dtype=np.int64, count=len(found)),
        )  # fmt: skip
        self._extend(columns, (), found)
        return self

    def _append_gate(self, opcode: int, qubits: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Self:
        """Append a gate of the table, or several where an operand names several."""
        rows, count = self._rows, len(params)
        if rows.append_each(opcode, [(*params, *qubits)], count, ParameterExpression):
            return self
        given = broadcast((*params, *qubits), rows.num_qubits, self._place(opcode))
        if not rows.append_each(opcode, given, count, ParameterExpression):
            checked = [self._checked_row(opcode, row[count:], row[:count], ahead=k) for k, row in enumerate(given)]
            for operands, values in checked:
                rows.append(opcode, 0, 0, -1, operands, values)
        return self

    def _append_checked(
        self,
        opcode: int,
        qubits: Sequence[Any],
        params: Sequence[Angle] = (),
        controls: Sequence[Any] = (),
        ctrl_state: int = 0,
        data: int = -1,
        item: Any = None,
    ) -> Self:
        """Check everything, then append; `item` becomes a new data item."""
        operands, values = self._checked_row(opcode, qubits, params, controls)
        if item is not None:
            data = len(self._items)
            self._items.append(item)
        self._rows.append(opcode, len(controls), ctrl_state, data, operands, values)
        return self

    def _checked_row(
        self,
        opcode: int,
        qubits: Sequence[Any],
        params: Sequence[Angle] = (),
        controls: Sequence[Any] = (),
        *,
        ahead: int = 0,
    ) -> tuple[tuple[int, ...], Sequence[Any]]:
        """Return the operands and parameters of a row that is to stand `ahead` rows behind the next one."""
        row = GATES[opcode]
        if row.num_qubits is not None and len(qubits) != row.num_qubits:
            raise GateError(f"{self._place(opcode, ahead)}: {len(qubits)} qubits given, {row.num_qubits} needed")
        if len(params) != row.num_params:
            raise GateError(f"{self._place(opcode, ahead)}: {len(params)} parameters given, {row.num_params} needed")
        operands = self._checked_qubits(opcode, (*controls, *qubits), len(controls), ahead)
        values: Sequence[Any] = params
        for value in params:
            if type(value) is not float or not math.isfinite(value):
                place = self._place(opcode, ahead)
                values = [_angle(value, position, len(params), place) for position, value in enumerate(params)]
                break
        return operands, values

    def _place(self, opcode: int, ahead: int = 0) -> str:
        row = GATES[opcode]
        return f"{'gate ' if row.is_gate else ''}'{row.name}' at instruction {len(self._rows) + ahead}"

    def _opcode(self, name: str) -> int:
        opcode = OPCODES.get(name)
        if opcode is None:
            raise GateError(f"{unknown_gate_message(name)} (at instruction {len(self._rows)})")
        return opcode

    def _checked_qubits(
        self, opcode: int, qubits: tuple[Any, ...], num_controls: int, ahead: int = 0
    ) -> tuple[int, ...]:
        num_qubits = self._rows.num_qubits
        for qubit in qubits:
            if type(qubit) is not int or not 0 <= qubit < num_qubits:
                qubits = self._converted_qubits(opcode, qubits, num_controls, ahead)
                break
        if len(set(qubits)) != len(qubits):
            second = next(i for i, qubit in enumerate(qubits) if qubit in qubits[:i])
            first = qubits.index(qubits[second])
            index = len(self._rows) + ahead
            raise CircuitError(repeated_qubit_message(opcode, index, num_controls, first, second, qubits[second]))
        return qubits

    def _converted_qubits(self, opcode: int, qubits: tuple[Any, ...], num_controls: int, ahead: int) -> tuple[int, ...]:
        """Turn what counts as an integer into one, or say which operand is none or out of range."""
        converted = []
        for position, qubit in enumerate(qubits):
            number = as_index(qubit)
            name = operand_name(position, num_controls, opcode)
            if number is None:
                raise CircuitError(
                    f"{self._place(opcode, ahead)}: {name} is {qubit!r}; a qubit is named by an integer, several by a "
                    "list, a range or a register"
                )
            if not 0 <= number < self._rows.num_qubits:
                raise CircuitError(
                    f"{self._place(opcode, ahead)}: {name} is qubit {number}, out of range; "
                    f"the circuit has {self._rows.num_qubits} qubits"
                )
            converted.append(number)
        return tuple(converted)

    def _control_state(self, ctrl_state: int | str | None, num_controls: int, opcode: int) -> int:
        place = self._place(opcode)
        if num_controls > 64:
            raise GateError(f"{place}: {num_controls} extra controls given, at most 64 are allowed")
        if ctrl_state is None:
            return (1 << num_controls) - 1
        if isinstance(ctrl_state, str):
            if len(ctrl_state) != num_controls or set(ctrl_state) - {"0", "1"}:
                raise GateError(f"{place}: ctrl_state '{ctrl_state}' needs {num_controls} characters 0 or 1")
            return int(ctrl_state, 2) if ctrl_state else 0
        state = as_index(ctrl_state)
        if state is None or not 0 <= state < 1 << num_controls:
            limit = (1 << num_controls) - 1
            raise GateError(f"{place}: ctrl_state {ctrl_state!r} must be an integer from 0 to {limit}")
        return state

    @classmethod
    def from_columns(
        cls,
        *,
        num_qubits: int,
        num_clbits: int = 0,
        opcodes: ArrayLike,
        qubits: ArrayLike,
        qubit_end: ArrayLike,
        params: ArrayLike = (),
        param_end: ArrayLike | None = None,
        num_controls: ArrayLike | None = None,
        ctrl_states: ArrayLike | None = None,
        data: ArrayLike | None = None,
        data_items: Sequence[Any] = (),
        expressions: Mapping[int, ParameterExpression] | None = None,
        qubit_registers: Sequence[tuple[str, int]] | None = None,
        classical_registers: Sequence[tuple[str, int]] | None = None,
        variables: Sequence[Variable] = (),
    ) -> Self:
        """Build a circuit from whole columns, checked as vectors.

        Parameters
        ----------
        num_qubits, num_clbits : int
        opcodes, qubits, qubit_end, params, param_end, num_controls, ctrl_states, data : array_like
            The columns of CONTRIBUTING.md; those left out are empty, 0, 0 and -1 for each instruction.
        data_items : sequence
            What `data` points into. They are checked and copied.
        expressions : mapping of int to ParameterExpression, optional
            The value of each slot of `params` that holds NaN.
        qubit_registers, classical_registers : sequence of (name, size), optional
            They must add up to the number of bits; one register ``q`` or ``c`` by default.
        variables : sequence of Variable

        Raises
        ------
        CircuitError, ParameterError
            With the number of the offending instruction.
        """
        circuit = cls(0, 0)
        for total, add, registers, default in (
            (num_qubits, circuit.add_qubit_register, qubit_registers, "q"),
            (num_clbits, circuit.add_classical_register, classical_registers, "c"),
        ):
            total = bit_count(total, "qubits or classical bits")
            given = [(default, total)] if registers is None and total else list(registers or ())
            if sum(size for _, size in given) != total:
                raise CircuitError(f"the registers {given} do not add up to {total} bits")
            for name, size in given:
                add(name, size)
        for variable in variables:
            circuit._check_new_name(variable.name)
            circuit._declare((variable,))
        columns = (opcodes, num_controls, ctrl_states, data, qubit_end, qubits, param_end, params)
        circuit._set_columns(columns, data_items, expressions or {})
        return circuit

    def _set_columns(
        self,
        given: Sequence[ArrayLike | None],
        items: Sequence[Any],
        expressions: Mapping[int, ParameterExpression],
    ) -> None:
        """Check columns, in the order of `COLUMN_TYPES`, and make copies of them this empty circuit's rows."""
        columns = as_columns(given)
        slots = slots_of(expressions, len(columns["params"]))
        check_columns(*columns.values(), num_qubits=self.num_qubits, expression_slots=slots)
        kept, columns["data"] = self._checked_items(columns, items)
        columns["params"] = columns["params"].copy()
        columns["params"][slots] = _NAN
        self._fill(tuple(columns.values()), kept, {slot: expressions[slot] for slot in slots.tolist()})

    def _checked_items(
        self, columns: Mapping[str, NDArray[Any]], items: Sequence[Any]
    ) -> tuple[list[Any], NDArray[np.int32]]:
        """Return the items that gates name, checked and copied, and the column `data` over them."""
        opcodes, data = columns["opcodes"], columns["data"].copy()
        measured = data[opcodes == MEASURE]
        if len(measured) and not (int(measured.min()) >= 0 and int(measured.max()) < self._rows.num_clbits):
            raise CircuitError(f"a measure names a classical bit outside 0…{self._rows.num_clbits - 1}")
        kept: dict[tuple[str, int, int], int] = {}
        result: list[Any] = []
        for row in np.flatnonzero(HOLDS_DATA[opcodes]).tolist():
            name, number = GATES[opcodes[row]].name, int(data[row])
            place = f"'{name}' at instruction {row}"
            if not 0 <= number < len(items):
                raise CircuitError(f"{place}: data index {number} is outside the {len(items)} data items")
            own = int(columns["qubit_end"][row] - (columns["qubit_end"][row - 1] if row else 0))
            key = name, number, own - int(columns["num_controls"][row])
            if key not in kept:
                kept[key] = len(result)
                if name in control_flow.BLOCK_TYPES:
                    result.append(control_flow.checked_block(self, name, items[number], place))
                else:
                    result.append(checked_item(name, items[number], key[2], place))
            data[row] = kept[key]
        return result, data

    def _checked_body(self, body: object, place: str) -> CircuitValue:
        """Return a body as a value over this circuit's registers, after a check that it lives on its bits."""
        if not isinstance(body, AnyCircuit):
            raise CircuitError(f"{place}: a body is a Circuit, {type(body).__name__} given")
        if (body.num_qubits, body.num_clbits) != (self.num_qubits, self.num_clbits):
            raise CircuitError(
                f"{place}: the body has {body.num_qubits} qubits and {body.num_clbits} classical bits, the circuit "
                f"{self.num_qubits} and {self.num_clbits}; start the body with circuit.block()"
            )
        for name, variable in body.variables.items():
            if self._variables_view.get(name) != variable:
                raise CircuitError(f"{place}: the body's variable '{name}' is not declared in the circuit")
        return body.snapshot().in_frame((self._quantum, self._classical), self._variables_view)


_NO_VARIABLES: Mapping[str, Variable] = MappingProxyType({})


def _angle(value: Angle, position: int, count: int, place: str) -> ParameterValue:
    """A parameter that is not a plain finite float."""
    if isinstance(value, ParameterExpression):
        return value
    which = f"parameter {position + 1}" if count > 1 else "the parameter"
    return real_number(value, f"{place}: {which}")


def _parameter_table(
    params: ArrayLike | None, count: int, num_params: int, place: str
) -> tuple[FloatArray, dict[int, ParameterExpression]]:
    """The parameters of `count` gates as one run of numbers, with the expressions among them by slot."""
    given = np.zeros((count, 0)) if params is None else np.asarray(params)
    if given.ndim == 1 and num_params == 1:
        given = given[:, None]
    if given.shape != (count, num_params):
        raise GateError(f"{place}: parameters of shape ({count}, {num_params}) are needed, {given.shape} given")
    found: dict[int, ParameterExpression] = {}
    if given.dtype == object:
        numbers = np.empty(given.size)
        for slot, value in enumerate(given.ravel().tolist()):
            if isinstance(value, ParameterExpression):
                found[slot] = value
                value = _NAN
            else:
                value = real_number(value, f"{place}: the parameter of gate {slot // num_params}")
            numbers[slot] = value
        return numbers, found
    if given.dtype.kind not in "iuf":
        raise ParameterError(f"{place}: parameters are real numbers, dtype {given.dtype} given")
    return np.ascontiguousarray(given, dtype=np.float64).ravel(), found

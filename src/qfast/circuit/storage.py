"""The columns of a circuit, and every way to add rows to them: one by one, many of one gate, whole columns."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, SupportsFloat, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qfast._typing import FloatArray, IntArray
from qfast.circuit import control_flow
from qfast.circuit.checks import MAX_BITS, as_index, as_tuple, bit_count, is_name
from qfast.circuit.classical import Variable
from qfast.circuit.columns import as_integers, check_columns, operand_name, repeated_qubit_message, to_array
from qfast.circuit.data_items import check_item_shape
from qfast.circuit.gates import GATES, OPCODES, GateFlag, unknown_gate_message
from qfast.circuit.instruction import Register
from qfast.circuit.parameter import ParameterExpression, ParameterValue, real_number
from qfast.errors import CircuitError, GateError, ParameterError

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit

__all__ = ["Angle", "CircuitColumns"]

Angle: TypeAlias = ParameterExpression | SupportsFloat
"""A real number or an expression, in radians."""

_NAN = math.nan


class CircuitColumns:
    """The storage of :class:`~qfast.circuit.Circuit`, which documents it."""

    __slots__ = (
        "__weakref__",
        "_num_clbits",
        "_num_qubits",
        "classical_registers",
        "ctrl_states",
        "data",
        "data_items",
        "expressions",
        "num_controls",
        "opcodes",
        "param_end",
        "params",
        "qubit_end",
        "qubit_registers",
        "qubits",
        "variables",
    )

    __hash__ = None  # type: ignore[assignment]  # a circuit can change

    def __init__(self, num_qubits: int = 0, num_clbits: int = 0) -> None:
        num_qubits = bit_count(num_qubits, "qubits")
        num_clbits = bit_count(num_clbits, "classical bits")
        self._num_qubits = num_qubits
        self._num_clbits = num_clbits
        self.opcodes: array[int] = array("H")
        self.num_controls: array[int] = array("H")
        self.ctrl_states: array[int] = array("Q")
        self.data: array[int] = array("i")
        self.qubit_end: array[int] = array("q")
        self.qubits: array[int] = array("i")
        self.param_end: array[int] = array("q")
        self.params: array[float] = array("d")
        self.data_items: list[Any] = []
        self.expressions: dict[int, ParameterExpression] = {}
        self.qubit_registers: list[Register] = [Register("q", 0, num_qubits)] if num_qubits else []
        self.classical_registers: list[Register] = [Register("c", 0, num_clbits)] if num_clbits else []
        self.variables: dict[str, Variable] = {}

    # ------------------------------------------------------------------------------------------------ bits and names

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self._num_qubits

    @property
    def num_clbits(self) -> int:
        """Number of classical bits."""
        return self._num_clbits

    def add_qubit_register(self, name: str, size: int) -> Register:
        """Add qubits under a name; they follow those that exist."""
        register = self._new_register(name, size, self._num_qubits)
        self.qubit_registers.append(register)
        self._num_qubits += register.size
        self._change_bodies(lambda body: body.add_qubit_register(name, size))
        return register

    def add_classical_register(self, name: str, size: int) -> Register:
        """Add classical bits under a name; they follow those that exist."""
        register = self._new_register(name, size, self._num_clbits)
        self.classical_registers.append(register)
        self._num_clbits += register.size
        self._change_bodies(lambda body: body.add_classical_register(name, size))
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
        if name in self.variables or any(
            register.name == name for register in (*self.qubit_registers, *self.classical_registers)
        ):
            raise CircuitError(f"the name '{name}' is already used in this circuit")

    def qubit_register(self, name: str) -> Register:
        """Return the qubit register of this name."""
        return _register_by_name(self.qubit_registers, name, "qubit")

    def classical_register(self, name: str) -> Register:
        """Return the classical register of this name."""
        return _register_by_name(self.classical_registers, name, "classical")

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
        self.variables[name] = variable
        self._change_bodies(lambda body: body.add_variable(name, kind, width))
        return variable

    def _change_bodies(self, change: Callable[[Circuit], object]) -> None:
        """Bodies of control flow keep the bits and variables of their circuit; copies of the circuit may share them."""

        def changed(body: Circuit) -> Circuit:
            copied = body.copy()
            change(copied)
            return copied

        for place, item in enumerate(self.data_items):
            if isinstance(item, control_flow.Block):
                self.data_items[place] = control_flow.map_block(item, changed)

    # -------------------------------------------------------------------------------------------------- adding rows

    def append(
        self,
        name: str,
        qubits: Iterable[int] | int,
        params: Iterable[Angle] | Angle = (),
        *,
        controls: Iterable[int] | int = (),
        ctrl_state: int | str | None = None,
    ) -> Self:
        """Append one gate by name.

        Parameters
        ----------
        name : str
            A gate of the table, an alias, ``reset`` or ``barrier``.
        qubits : int or iterable of int
            The gate's own qubits in its own order, its own controls first.
        params : float, ParameterExpression or iterable of these
        controls : int or iterable of int
            Extra controls, at most 64.
        ctrl_state : int or str, optional
            Bit j is the value that control j must have (as a string of 0 and 1, rightmost first); all ones by default.

        Raises
        ------
        GateError
            Unknown gate, or wrong number of qubits or parameters.
        CircuitError
            A qubit is out of range or named twice.

        Examples
        --------
        >>> from qfast.circuit import Circuit
        >>> Circuit(3).append("rzz", [0, 1], [0.3]).append("x", 2, controls=[0, 1], ctrl_state="01").count_ops()
        {'rzz': 1, 'ctrl(2) @ x': 1}
        """
        opcode = self._opcode(name)
        row = GATES[opcode]
        if GateFlag.DATA in row.flags or row.name in ("measure", "break_loop", "continue_loop"):
            raise GateError(f"'{row.name}' is not added by append; call the circuit's method of that name")
        own = as_tuple(qubits)
        extra = as_tuple(controls)
        if extra and not row.is_gate:
            raise GateError(f"'{row.name}' at instruction {len(self.opcodes)} is no gate and takes no controls")
        state = self._control_state(ctrl_state, len(extra), opcode)
        return self._append_checked(opcode, own, as_tuple(params), extra, state)

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
        check_columns(
            np.full(count, opcode, dtype=np.uint16),
            np.zeros(count, dtype=np.uint16),
            np.zeros(count, dtype=np.uint64),
            np.arange(1, count + 1) * row.num_qubits,
            table.ravel(),
            np.arange(1, count + 1) * row.num_params,
            numbers,
            num_qubits=self._num_qubits,
            first_index=len(self.opcodes),
            expression_slots=np.fromiter(found, dtype=np.int64, count=len(found)),
        )
        first_slot, first_qubit = len(self.params), len(self.qubits)
        self.opcodes.extend(array("H", [opcode]) * count)
        self.num_controls.extend(array("H", [0]) * count)
        self.ctrl_states.extend(array("Q", [0]) * count)
        self.data.extend(array("i", [-1]) * count)
        self.qubits.frombytes(np.ascontiguousarray(table).tobytes())
        ends = np.arange(1, count + 1, dtype=np.int64)
        self.qubit_end.frombytes((first_qubit + ends * row.num_qubits).tobytes())
        self.params.frombytes(numbers.tobytes())
        self.param_end.frombytes((first_slot + ends * row.num_params).tobytes())
        self.expressions.update((first_slot + slot, value) for slot, value in found.items())
        return self

    def _append_1(self, opcode: int, qubit: int) -> Self:
        """One qubit, no parameter: the fast path."""
        if type(qubit) is not int or not 0 <= qubit < self._num_qubits:
            return self._append_checked(opcode, (qubit,))
        self.opcodes.append(opcode)
        self.num_controls.append(0)
        self.ctrl_states.append(0)
        self.data.append(-1)
        self.qubits.append(qubit)
        self.qubit_end.append(len(self.qubits))
        self.param_end.append(len(self.params))
        return self

    def _append_1_1(self, opcode: int, angle: Angle, qubit: int) -> Self:
        """One qubit, one parameter: the fast path."""
        if (
            type(angle) is not float
            or not -math.inf < angle < math.inf
            or type(qubit) is not int
            or not 0 <= qubit < self._num_qubits
        ):
            return self._append_checked(opcode, (qubit,), (angle,))
        self.opcodes.append(opcode)
        self.num_controls.append(0)
        self.ctrl_states.append(0)
        self.data.append(-1)
        self.qubits.append(qubit)
        self.qubit_end.append(len(self.qubits))
        self.params.append(angle)
        self.param_end.append(len(self.params))
        return self

    def _append_2(self, opcode: int, first: int, second: int) -> Self:
        """Two qubits, no parameter: the fast path."""
        num_qubits = self._num_qubits
        if (
            type(first) is not int
            or type(second) is not int
            or not 0 <= first < num_qubits
            or not 0 <= second < num_qubits
            or first == second
        ):
            return self._append_checked(opcode, (first, second))
        self.opcodes.append(opcode)
        self.num_controls.append(0)
        self.ctrl_states.append(0)
        self.data.append(-1)
        self.qubits.append(first)
        self.qubits.append(second)
        self.qubit_end.append(len(self.qubits))
        self.param_end.append(len(self.params))
        return self

    def _append_checked(
        self,
        opcode: int,
        qubits: Sequence[int],
        params: Sequence[Angle] = (),
        controls: Sequence[int] = (),
        ctrl_state: int = 0,
        data: int = -1,
        item: Any = None,
    ) -> Self:
        """Check everything, then append; `item` becomes a new data item."""
        row = GATES[opcode]
        if row.num_qubits is not None and len(qubits) != row.num_qubits:
            raise GateError(f"{self._place(opcode)}: {len(qubits)} qubits given, {row.num_qubits} needed")
        if len(params) != row.num_params:
            raise GateError(f"{self._place(opcode)}: {len(params)} parameters given, {row.num_params} needed")
        operands = self._checked_qubits(opcode, (*controls, *qubits), len(controls))
        values: Sequence[Any] = params
        for value in params:
            if type(value) is not float or not math.isfinite(value):
                place = self._place(opcode)
                values = [_angle(value, position, len(params), place) for position, value in enumerate(params)]
                break
        if item is not None:
            data = len(self.data_items)
            self.data_items.append(item)
        self.opcodes.append(opcode)
        self.num_controls.append(len(controls))
        self.ctrl_states.append(ctrl_state)
        self.data.append(data)
        self.qubits.extend(operands)
        self.qubit_end.append(len(self.qubits))
        for value in values:
            if isinstance(value, ParameterExpression):
                self.expressions[len(self.params)] = value
                value = _NAN
            self.params.append(value)
        self.param_end.append(len(self.params))
        return self

    def _place(self, opcode: int) -> str:
        row = GATES[opcode]
        return f"{'gate ' if row.is_gate else ''}'{row.name}' at instruction {len(self.opcodes)}"

    def _opcode(self, name: str) -> int:
        opcode = OPCODES.get(name)
        if opcode is None:
            raise GateError(f"{unknown_gate_message(name)} (at instruction {len(self.opcodes)})")
        return opcode

    def _checked_qubits(self, opcode: int, qubits: tuple[int, ...], num_controls: int) -> tuple[int, ...]:
        for qubit in qubits:
            if type(qubit) is not int or not 0 <= qubit < self._num_qubits:
                qubits = self._converted_qubits(opcode, qubits, num_controls)
                break
        if len(set(qubits)) != len(qubits):
            second = next(i for i, qubit in enumerate(qubits) if qubit in qubits[:i])
            first = qubits.index(qubits[second])
            index = len(self.opcodes)
            raise CircuitError(repeated_qubit_message(opcode, index, num_controls, first, second, qubits[second]))
        return qubits

    def _converted_qubits(self, opcode: int, qubits: tuple[int, ...], num_controls: int) -> tuple[int, ...]:
        """Turn what counts as an integer into one, or say which operand is none or out of range."""
        converted = []
        for position, qubit in enumerate(qubits):
            number = as_index(qubit)
            name = operand_name(position, num_controls, opcode)
            if number is None:
                raise CircuitError(f"{self._place(opcode)}: {name} is {qubit!r}; a qubit is named by an integer")
            if not 0 <= number < self._num_qubits:
                raise CircuitError(
                    f"{self._place(opcode)}: {name} is qubit {number}, out of range; "
                    f"the circuit has {self._num_qubits} qubits"
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
            What `data` points into. Their shapes are checked, their numbers (unitarity, ...) are not.
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
            circuit.variables[variable.name] = variable
        circuit._set_columns(
            as_integers(opcodes, np.uint16, "column 'opcodes'"),
            num_controls, ctrl_states, data,
            as_integers(qubit_end, np.int64, "column 'qubit_end'"),
            as_integers(qubits, np.int32, "column 'qubits'"),
            param_end,
            np.ascontiguousarray(params, dtype=np.float64),
            list(data_items),
            dict(expressions or {}),
        )  # fmt: skip
        return circuit

    def _set_columns(
        self,
        opcodes: NDArray[np.uint16],
        num_controls: ArrayLike | None,
        ctrl_states: ArrayLike | None,
        data: ArrayLike | None,
        qubit_end: IntArray,
        qubits: NDArray[np.int32],
        param_end: ArrayLike | None,
        params: FloatArray,
        items: list[Any],
        expressions: dict[int, ParameterExpression],
    ) -> None:
        """Check columns and make them this empty circuit's own."""
        size = len(opcodes)
        zeros = np.zeros(size, dtype=np.int64)
        controls = as_integers(zeros if num_controls is None else num_controls, np.uint16, "column 'num_controls'")
        states = as_integers(zeros if ctrl_states is None else ctrl_states, np.uint64, "column 'ctrl_states'")
        numbers = as_integers(zeros - 1 if data is None else data, np.int32, "column 'data'")
        ends = as_integers(zeros if param_end is None else param_end, np.int64, "column 'param_end'")
        slots = np.fromiter(expressions, dtype=np.int64, count=len(expressions))
        if len(slots) and not (int(slots.min()) >= 0 and int(slots.max()) < len(params)):
            raise CircuitError(f"an expression stands at a slot outside 0…{len(params) - 1}")
        check_columns(
            opcodes, controls, states, qubit_end, qubits, ends, params,
            num_qubits=self._num_qubits, expression_slots=slots,
        )  # fmt: skip
        self._check_data(opcodes, controls, numbers, qubit_end, items)
        params = params.copy()
        params[slots] = _NAN
        self.opcodes = to_array("H", opcodes)
        self.num_controls = to_array("H", controls)
        self.ctrl_states = to_array("Q", states)
        self.data = to_array("i", numbers)
        self.qubit_end = to_array("q", qubit_end)
        self.qubits = to_array("i", qubits)
        self.param_end = to_array("q", ends)
        self.params = to_array("d", params)
        self.data_items = items
        self.expressions = expressions

    def _check_data(
        self,
        opcodes: NDArray[np.uint16],
        num_controls: NDArray[np.uint16],
        data: NDArray[np.int32],
        qubit_end: IntArray,
        items: list[Any],
    ) -> None:
        measured = data[opcodes == OPCODES["measure"]]
        if len(measured) and not (int(measured.min()) >= 0 and int(measured.max()) < self._num_clbits):
            raise CircuitError(f"a measure names a classical bit outside 0…{self._num_clbits - 1}")
        for row in np.flatnonzero(_HOLDS_DATA[opcodes]).tolist():
            name = GATES[opcodes[row]].name
            place = f"'{name}' at instruction {row}"
            if not 0 <= data[row] < len(items):
                raise CircuitError(f"{place}: data index {data[row]} is outside the {len(items)} data items")
            item = items[data[row]]
            if name in control_flow.BLOCK_TYPES:
                items[data[row]] = control_flow.checked_block(self, name, item, place)
            else:
                own = int(qubit_end[row] - (qubit_end[row - 1] if row else 0)) - int(num_controls[row])
                check_item_shape(name, item, own, place)


_HOLDS_DATA = np.array([GateFlag.DATA in row.flags for row in GATES])


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


def _register_by_name(registers: list[Register], name: str, what: str) -> Register:
    for register in registers:
        if register.name == name:
            return register
    names = ", ".join(f"'{register.name}'" for register in registers) or "none"
    raise CircuitError(f"there is no {what} register '{name}'; there are: {names}")

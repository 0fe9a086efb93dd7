"""New circuits from old ones: part, inverse, power, control, compose, bind, matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import ComplexArray, IntArray
from qfast.circuit.binding import resolve_values
from qfast.circuit.checks import as_index
from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Classical, Index, Unary
from qfast.circuit.control_flow import Block, map_block
from qfast.circuit.data_items import MAX_DATA_QUBITS
from qfast.circuit.gate_matrices import controlled_matrix
from qfast.circuit.gates import OPCODES, GateFlag
from qfast.circuit.parameter import ParameterExpression, ParameterValue
from qfast.circuit.rows import COLUMN_TYPES
from qfast.errors import CircuitError, ParameterError

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit
    from qfast.circuit.value import AnyCircuit

__all__ = [
    "bind", "compose", "control", "inverse", "map_bodies", "power", "take", "to_matrix", "with_expressions",
]  # fmt: skip

_UNITARY, _DIAGONAL, _PERMUTATION, _PAULI = (
    OPCODES[name] for name in ("unitary", "diagonal", "permutation", "pauli_rotation")
)
_MEASURE, _BARRIER = OPCODES["measure"], OPCODES["barrier"]
_MAX_INSTRUCTIONS = 2**31


def take(
    circuit: AnyCircuit,
    rows: Sequence[int],
    *,
    qubits: Sequence[int] | None = None,
    frees_variables: bool = False,
) -> Circuit:
    """Return a circuit of some of the instructions, in the given order.

    Parameters
    ----------
    circuit : AnyCircuit
    rows : sequence of int
    qubits : sequence of int, ascending, optional
        All that the instructions act on: they become qubits 0, 1, ... of a circuit without classical bits.
    frees_variables : bool, default False
        Leave the classical variables out: in angles they are free parameters then.
    """
    chosen = np.array(rows, dtype=np.int64)
    columns = circuit.columns
    in_qubits, qubit_end = _ragged(np.asarray(columns.qubit_end), chosen)
    in_params, param_end = _ragged(np.asarray(columns.param_end), chosen)
    opcodes = np.asarray(columns.opcodes)[chosen]
    data = np.asarray(columns.data)[chosen]
    points = (data >= 0) & (opcodes != _MEASURE)
    used, data[points] = np.unique(data[points], return_inverse=True)
    items = circuit.data_items
    old = circuit.expressions
    expressions = {new: old[slot] for new, slot in enumerate(in_params.tolist()) if slot in old} if old else {}
    operands = np.asarray(columns.qubits)[in_qubits]
    result = circuit.block()
    if qubits is not None:
        operands = np.searchsorted(np.asarray(qubits), operands).astype(np.int32)
        result = type(result)(len(qubits))
    elif frees_variables:
        result._set_frame(circuit.qubit_registers, circuit.classical_registers, {})
    result._fill(
        (opcodes, np.asarray(columns.num_controls)[chosen], np.asarray(columns.ctrl_states)[chosen], data, qubit_end,
         operands, param_end, np.asarray(columns.params)[in_params]),
        [items[number] for number in used.tolist()], expressions,
    )  # fmt: skip
    return result


def with_expressions(circuit: AnyCircuit, expressions: Mapping[int, ParameterValue]) -> Circuit:
    """Return a copy with other values at some slots of `params` that hold expressions."""
    kept = {slot: expressions.get(slot, value) for slot, value in circuit.expressions.items()}
    params = np.array(circuit.params)
    for slot, value in kept.items():
        params[slot] = math.nan if isinstance(value, ParameterExpression) else value
    columns = [np.asarray(getattr(circuit.columns, name)) for name in COLUMN_TYPES]
    result = circuit.block()
    symbolic = {slot: value for slot, value in kept.items() if isinstance(value, ParameterExpression)}
    result._fill((*columns[:-1], params), circuit.data_items, symbolic)
    return result


def map_bodies(items: Sequence[Any], change: Callable[[AnyCircuit], AnyCircuit]) -> tuple[Any, ...]:
    """Return data items with each body of control flow changed, as a value."""
    return tuple(
        map_block(item, lambda body: change(body).snapshot()) if isinstance(item, Block) else item for item in items
    )


def _ragged(ends: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of the entries of some rows of a ragged column, and where each of these rows ends among them."""
    lengths = np.diff(ends, prepend=0)[rows]
    new_ends = np.cumsum(lengths)
    gather = np.repeat(ends[rows] - new_ends, lengths) + np.arange(new_ends[-1] if len(rows) else 0)
    return gather, new_ends


def inverse(circuit: AnyCircuit) -> Circuit:
    """Return the inverse circuit."""
    result = circuit.block()
    for index in range(len(circuit) - 1, -1, -1):
        step = circuit._instruction(index)
        row = step.row
        if not row.is_gate and step.opcode != _BARRIER:
            raise CircuitError(f"'{row.name}' at instruction {index} has no inverse")
        controls, state = step.controls, step.ctrl_state
        if step.opcode == _BARRIER:
            result._append_checked(_BARRIER, step.qubits)
        elif GateFlag.DATA in row.flags:
            params = tuple(-value for value in step.params)
            result._append_checked(
                step.opcode, step.qubits, params, controls, state, item=_inverse_item(step.opcode, step.data)
            )
        else:
            for part in row.inverse_steps(step.params):
                own_controls = tuple(step.qubits[k] for k in part.controls)
                result._append_checked(
                    OPCODES[part.name],
                    tuple(step.qubits[k] for k in part.qubits),
                    part.params,
                    controls + own_controls,
                    state | ((1 << len(own_controls)) - 1) << len(controls),
                )
    return result


def _inverse_item(opcode: int, item: Any) -> Any:
    if opcode == _PAULI:
        return item  # its angle is negated
    if opcode == _PERMUTATION:
        changed = np.empty_like(item)
        changed[item] = np.arange(len(item))
    else:
        changed = np.ascontiguousarray(item.conj().T)  # of a diagonal too: .T leaves one dimension as it is
    changed.flags.writeable = False
    return changed


def power(circuit: AnyCircuit, exponent: float) -> Circuit:
    """Return the circuit to a power: repeated for integers, one `unitary` for fractions."""
    if isinstance(exponent, bool) or not math.isfinite(exponent):
        raise CircuitError(f"the power of a circuit must be a finite number, {exponent} given")
    if exponent == int(exponent):
        if len(circuit) * abs(exponent) > _MAX_INSTRUCTIONS:
            raise CircuitError(f"power: {len(circuit)} instructions {abs(int(exponent))} times are too many")
        base = circuit if exponent >= 0 else inverse(circuit)
        result = circuit.block()
        for _ in range(abs(int(exponent))):
            compose(result, base, None, None)
        return result
    matrix = _matrix_power(to_matrix(circuit), float(exponent))
    if circuit.num_qubits == 0:
        return circuit.block().gphase(float(np.angle(matrix[0, 0])))
    return circuit.block().unitary(matrix, range(circuit.num_qubits))


def _matrix_power(matrix: ComplexArray, exponent: float) -> ComplexArray:
    """Principal power of a unitary matrix.

    Its Hermitian parts A = (U + U†)/2 and B = (U - U†)/2i commute, so the eigenvectors of cos(t) A + sin(t) B are
    common to both unless t happens to make two different eigenvalues meet; the reconstruction tells, and another t is
    taken.
    """
    a, b = (matrix + matrix.conj().T) / 2, (matrix - matrix.conj().T) / 2j
    for angle in (0.7390851332, 1.2345678910, 2.2360679775, 0.3141592654):
        vectors = np.linalg.eigh(math.cos(angle) * a + math.sin(angle) * b)[1]
        phases = np.angle(np.einsum("ji,jk,ki->i", vectors.conj(), matrix, vectors))
        if np.abs((vectors * np.exp(1j * phases)) @ vectors.conj().T - matrix).max() < 1e-10:
            # An eigenvalue -1 is taken as e^{+i pi}, whichever side rounding puts it on.
            phases = np.where(phases < -math.pi + 1e-9, math.pi, phases)
            powered: ComplexArray = (vectors * np.exp(1j * exponent * phases)) @ vectors.conj().T
            return powered
    raise CircuitError(f"the eigenvectors of this {matrix.shape} matrix could not be found to 1e-10")


def control(circuit: AnyCircuit, num_controls: int, ctrl_state: int | str | None) -> Circuit:
    """Return the circuit under new controls, which become its first qubits."""
    count = as_index(num_controls)
    if count is None or not 1 <= count <= 64:
        raise CircuitError(f"control: the number of controls must be an integer from 1 to 64, {num_controls!r} given")
    result = type(circuit.block())()
    result.add_qubit_register(_free_name(circuit, "control"), count)
    for register in circuit.qubit_registers:
        result.add_qubit_register(register.name, register.size)
    state = result._control_state(ctrl_state, count, OPCODES["id"])
    extra = tuple(range(count))
    for index, step in enumerate(circuit):
        moved = tuple(qubit + count for qubit in step.qubits)
        if step.opcode == _BARRIER:
            result._append_checked(_BARRIER, moved)
            continue
        if not step.is_gate:
            raise CircuitError(f"'{step.name}' at instruction {index} is no gate and takes no controls")
        controls = extra + tuple(qubit + count for qubit in step.controls)
        if len(controls) > 64:
            place = f"gate '{step.name}' at instruction {index}"
            raise CircuitError(f"{place}: {len(controls)} controls, at most 64 are allowed")
        result._append_checked(
            step.opcode, moved, step.params, controls, state | step.ctrl_state << count, item=step.data
        )
    return result


def _free_name(circuit: AnyCircuit, wanted: str) -> str:
    taken = {register.name for register in (*circuit.qubit_registers, *circuit.classical_registers)}
    return next(name for k in range(len(taken) + 1) if (name := f"{wanted}{k or ''}") not in taken)


def compose(circuit: Circuit, other: AnyCircuit, qubits: Iterable[int] | None, clbits: Iterable[int] | None) -> None:
    """Append another circuit's instructions, its qubits and classical bits sent to the given ones."""
    added = other.snapshot()
    qubit_map = _bit_map(qubits, added.num_qubits, circuit.num_qubits, "qubit")
    clbit_map = _bit_map(clbits, added.num_clbits, circuit.num_clbits, "classical bit")
    for name, variable in added.variables.items():
        if name not in circuit.variables:
            circuit._check_new_name(name)
        elif circuit.variables[name] != variable:
            raise CircuitError(f"compose: the variable '{name}' is declared differently in the two circuits")
    frame = circuit.block()
    if added.variables:
        frame._declare(added.variables.values())
    items = [_moved_block(item, frame, qubit_map, clbit_map) if isinstance(item, Block) else item
             for item in added.data_items]  # fmt: skip
    columns = added.columns
    opcodes, data = np.asarray(columns.opcodes), np.array(columns.data)
    measured = opcodes == _MEASURE
    data[measured] = clbit_map[data[measured]]
    data[~measured & (data >= 0)] += len(circuit._items)
    moved = qubit_map[np.asarray(columns.qubits)].astype(np.int32)
    # From here on nothing fails.
    if added.variables:
        circuit._declare(added.variables.values())
    circuit._extend(
        (opcodes, np.asarray(columns.num_controls), np.asarray(columns.ctrl_states), data,
         np.asarray(columns.qubit_end), moved, np.asarray(columns.param_end), np.asarray(columns.params)),
        items, added.expressions,
    )  # fmt: skip


def _bit_map(bits: Iterable[int] | None, count: int, available: int, what: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    given = list(range(count)) if bits is None else list(bits)
    if len(given) != count:
        raise CircuitError(f"compose: the other circuit has {count} {what}s, {len(given)} places given")
    for bit in given:
        number = as_index(bit)
        if number is None or not 0 <= number < available:
            raise CircuitError(f"compose: {what} {bit!r} is out of range; the circuit has {available} {what}s")
    if len(set(given)) != len(given):
        raise CircuitError(f"compose: a {what} is named twice in {given}")
    return np.array(given, dtype=np.int64)


def _moved_block(block: Block, frame: Circuit, qubit_map: Any, clbit_map: Any) -> Block:
    def move_body(body: AnyCircuit) -> AnyCircuit:
        moved = frame.block()
        compose(moved, body, qubit_map.tolist(), clbit_map.tolist())
        return moved.snapshot()

    def move_expression(node: Classical) -> Classical:
        if isinstance(node, Bit):
            return Bit(int(clbit_map[node.index]))
        if isinstance(node, Bits):
            places = clbit_map[node.start : node.start + node.size].tolist()
            if places != list(range(places[0], places[0] + node.size)):
                raise CircuitError(f"compose: a register that is read as a number must stay together, {places} given")
            return Bits(places[0], node.size)
        if isinstance(node, Unary):
            return Unary(node.op, move_expression(node.operand))
        if isinstance(node, Cast):
            return Cast(node.kind, node.width, move_expression(node.operand))
        if isinstance(node, Binary):
            return Binary(node.op, move_expression(node.left), move_expression(node.right))
        if isinstance(node, Index):
            return Index(move_expression(node.operand), move_expression(node.index))
        if isinstance(node, Call):
            return Call(node.function, tuple(move_expression(argument) for argument in node.arguments))
        return node

    return map_block(block, move_body, move_expression)


def bind(circuit: AnyCircuit, values: Mapping[Any, Any] | Sequence[Any] | None, by_name: Mapping[str, Any]) -> Circuit:
    """Return a copy in which parameters have values."""
    if values is not None and by_name and not isinstance(values, Mapping):
        raise ParameterError("bind: values by position and by name cannot be mixed")
    given: Any = by_name if values is None else values
    if isinstance(given, Mapping) and given is not by_name:
        given = {**given, **by_name}
    parameters = circuit.parameters
    resolved = resolve_values(parameters, given, complete=False)
    _check_bound_names(circuit, resolved)
    return _substitute(circuit, resolved)


def _check_bound_names(circuit: AnyCircuit, values: Mapping[str, ParameterValue]) -> None:
    for name, value in values.items():
        for parameter in value.parameters if isinstance(value, ParameterExpression) else ():
            if parameter.name in circuit.variables:
                raise ParameterError(
                    f"the value {value} of parameter '{name}' names '{parameter.name}', "
                    "which is a classical variable of the circuit"
                )


def _substitute(circuit: AnyCircuit, values: Mapping[str, ParameterValue]) -> Circuit:
    if not values:
        return circuit.copy()
    done: dict[ParameterExpression, ParameterValue] = {}
    for expression in circuit.expressions.values():
        if expression not in done:
            done[expression] = expression.substitute(values)
    result = with_expressions(circuit, {slot: done[expression] for slot, expression in circuit.expressions.items()})
    result._items = list(map_bodies(result._items, lambda body: _substitute(body, values)))
    return result


def to_matrix(circuit: AnyCircuit) -> ComplexArray:
    """Return the unitary matrix of a circuit of up to 10 qubits, by applying each gate to all basis states at once."""
    n = circuit.num_qubits
    if n > MAX_DATA_QUBITS:
        raise CircuitError(f"to_matrix: at most {MAX_DATA_QUBITS} qubits are allowed, the circuit has {n}")
    # Axes: qubit n-1, ..., qubit 0, then the column.
    state = np.eye(1 << n, dtype=np.complex128).reshape((2,) * n + (1 << n,))
    for index, step in enumerate(circuit):
        if step.opcode == _BARRIER:
            continue
        if not step.is_gate:
            raise CircuitError(f"'{step.name}' at instruction {index} is no gate; the circuit has no unitary matrix")
        matrix = controlled_matrix(step.matrix(), len(step.controls), step.ctrl_state)
        axes = [n - 1 - qubit for qubit in reversed(step.all_qubits)]
        k = len(axes)
        moved = np.tensordot(matrix.reshape((2,) * (2 * k)), state, axes=(range(k, 2 * k), axes))
        state = np.moveaxis(moved, range(k), axes)
    return np.ascontiguousarray(state.reshape(1 << n, 1 << n))

"""New circuits from old ones: copy, part, inverse, power, control, compose, bind, matrix."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from qfast._typing import ComplexArray, IntArray
from qfast.circuit.binding import resolve_values
from qfast.circuit.checks import as_index
from qfast.circuit.classical import Binary, Bit, Bits, Call, Cast, Classical, Index, Unary
from qfast.circuit.columns import to_array
from qfast.circuit.control_flow import Block, map_block
from qfast.circuit.data_items import MAX_DATA_QUBITS
from qfast.circuit.gate_matrices import controlled_matrix
from qfast.circuit.gates import OPCODES, GateFlag
from qfast.circuit.parameter import ParameterExpression, ParameterValue
from qfast.errors import CircuitError, ParameterError

if TYPE_CHECKING:
    from qfast.circuit.circuit import Circuit

__all__ = ["bind", "compose", "control", "copy", "inverse", "power", "take", "to_matrix"]

_UNITARY, _DIAGONAL, _PERMUTATION, _PAULI = (
    OPCODES[name] for name in ("unitary", "diagonal", "permutation", "pauli_rotation")
)
_MEASURE, _BARRIER = OPCODES["measure"], OPCODES["barrier"]
_MAX_INSTRUCTIONS = 2**31


def copy(circuit: Circuit) -> Circuit:
    """Return an independent copy; data items, which are never changed, are shared."""
    result = circuit.block()
    for name in ("opcodes", "num_controls", "ctrl_states", "data", "qubit_end", "qubits", "param_end", "params"):
        setattr(result, name, getattr(circuit, name)[:])
    result.data_items = list(circuit.data_items)
    result.expressions = dict(circuit.expressions)
    return result


def take(circuit: Circuit, rows: Sequence[int]) -> Circuit:
    """Return a circuit of some of the instructions, in the given order."""
    chosen = np.array(rows, dtype=np.int64)
    result = circuit.block()
    for name, typecode in (("opcodes", "H"), ("num_controls", "H"), ("ctrl_states", "Q")):
        setattr(result, name, to_array(typecode, np.array(getattr(circuit, name))[chosen]))
    gather, ends = _ragged(np.array(circuit.qubit_end), chosen)
    result.qubits = to_array("i", np.array(circuit.qubits)[gather])
    result.qubit_end = to_array("q", ends)
    gather, ends = _ragged(np.array(circuit.param_end), chosen)
    result.params = to_array("d", np.array(circuit.params)[gather])
    result.param_end = to_array("q", ends)
    if circuit.expressions:
        slots = enumerate(gather.tolist())
        result.expressions = {new: circuit.expressions[old] for new, old in slots if old in circuit.expressions}
    data = np.array(circuit.data)[chosen]
    points = (data >= 0) & (np.array(result.opcodes) != _MEASURE)
    used, data[points] = np.unique(data[points], return_inverse=True)
    result.data = to_array("i", data)
    result.data_items = [circuit.data_items[number] for number in used.tolist()]
    return result


def _ragged(ends: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of the entries of some rows of a ragged column, and where each of these rows ends among them."""
    lengths = np.diff(ends, prepend=0)[rows]
    new_ends = np.cumsum(lengths)
    gather = np.repeat(ends[rows] - new_ends, lengths) + np.arange(new_ends[-1] if len(rows) else 0)
    return gather, new_ends


def inverse(circuit: Circuit) -> Circuit:
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


def power(circuit: Circuit, exponent: float) -> Circuit:
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


def control(circuit: Circuit, num_controls: int, ctrl_state: int | str | None) -> Circuit:
    """Return the circuit under new controls, which become its first qubits."""
    count = as_index(num_controls)
    if count is None or not 1 <= count <= 64:
        raise CircuitError(f"control: the number of controls must be an integer from 1 to 64, {num_controls!r} given")
    result = type(circuit)()
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


def _free_name(circuit: Circuit, wanted: str) -> str:
    taken = {register.name for register in (*circuit.qubit_registers, *circuit.classical_registers)}
    return next(name for k in range(len(taken) + 1) if (name := f"{wanted}{k or ''}") not in taken)


def compose(circuit: Circuit, other: Circuit, qubits: Iterable[int] | None, clbits: Iterable[int] | None) -> None:
    """Append another circuit's instructions, its qubits and classical bits sent to the given ones."""
    qubit_map = _bit_map(qubits, other.num_qubits, circuit.num_qubits, "qubit")
    clbit_map = _bit_map(clbits, other.num_clbits, circuit.num_clbits, "classical bit")
    for name, variable in other.variables.items():
        if name not in circuit.variables:
            circuit._check_new_name(name)
        elif circuit.variables[name] != variable:
            raise CircuitError(f"compose: the variable '{name}' is declared differently in the two circuits")
    variables = circuit.variables | other.variables
    frame = circuit.block()
    frame.variables = variables
    items = [_moved_block(item, frame, qubit_map, clbit_map) if isinstance(item, Block) else item
             for item in other.data_items]  # fmt: skip
    data = np.array(other.data, dtype=np.int32)
    measured = np.array(other.opcodes, dtype=np.uint16) == _MEASURE
    data[measured] = clbit_map[data[measured]]
    data[~measured & (data >= 0)] += len(circuit.data_items)
    moved = qubit_map[np.array(other.qubits, dtype=np.int64)].astype(np.int32)
    first_qubit, first_slot = len(circuit.qubits), len(circuit.params)
    qubit_end = np.array(other.qubit_end, dtype=np.int64) + first_qubit
    param_end = np.array(other.param_end, dtype=np.int64) + first_slot
    expressions = {first_slot + slot: value for slot, value in other.expressions.items()}
    # From here on nothing fails.
    circuit.opcodes.extend(other.opcodes[:])
    circuit.num_controls.extend(other.num_controls[:])
    circuit.ctrl_states.extend(other.ctrl_states[:])
    circuit.data.frombytes(data.tobytes())
    circuit.qubits.frombytes(moved.tobytes())
    circuit.qubit_end.frombytes(qubit_end.tobytes())
    circuit.params.extend(other.params[:])
    circuit.param_end.frombytes(param_end.tobytes())
    circuit.data_items.extend(items)
    circuit.expressions.update(expressions)
    circuit.variables = variables


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
    def move_body(body: Circuit) -> Circuit:
        moved = frame.block()
        compose(moved, body, qubit_map.tolist(), clbit_map.tolist())
        return moved

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


def bind(circuit: Circuit, values: Mapping[Any, Any] | Sequence[Any] | None, by_name: Mapping[str, Any]) -> Circuit:
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


def _check_bound_names(circuit: Circuit, values: Mapping[str, ParameterValue]) -> None:
    for name, value in values.items():
        for parameter in value.parameters if isinstance(value, ParameterExpression) else ():
            if parameter.name in circuit.variables:
                raise ParameterError(
                    f"the value {value} of parameter '{name}' names '{parameter.name}', "
                    "which is a classical variable of the circuit"
                )


def _substitute(circuit: Circuit, values: Mapping[str, ParameterValue]) -> Circuit:
    result = copy(circuit)
    if not values:
        return result
    done: dict[ParameterExpression, ParameterValue] = {}
    for slot, expression in circuit.expressions.items():
        if expression not in done:
            done[expression] = expression.substitute(values)
        value = done[expression]
        if isinstance(value, ParameterExpression):
            result.expressions[slot] = value
        else:
            del result.expressions[slot]
            result.params[slot] = value
    result.data_items = [
        map_block(item, lambda body: _substitute(body, values)) if isinstance(item, Block) else item
        for item in circuit.data_items
    ]
    return result


def to_matrix(circuit: Circuit) -> ComplexArray:
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

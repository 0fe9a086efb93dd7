"""The circuit: a struct of arrays, one row per instruction (the columns stand in CONTRIBUTING.md)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, overload

from numpy.typing import ArrayLike

from qfast._typing import ComplexArray
from qfast.circuit import analysis, control_flow, data_items, drawing, qasm, transforms
from qfast.circuit.builder import GateMethods
from qfast.circuit.checks import as_index, as_tuple
from qfast.circuit.classical import Bit, Bits, ClassicalLike, ConditionLike, Index, Variable, as_classical, as_condition
from qfast.circuit.gates import OPCODES
from qfast.circuit.instruction import Instruction, Register
from qfast.circuit.parameter import Parameter
from qfast.circuit.storage import Angle
from qfast.errors import CircuitError

__all__ = ["Circuit"]

_CONTROLLED_X = {1: OPCODES["cx"], 2: OPCODES["ccx"], 3: OPCODES["c3x"], 4: OPCODES["c4x"]}


class Circuit(GateMethods):
    """A quantum circuit.

    Gates are added by chained methods (``c.h(0).cx(0, 1)``), by :meth:`append`, or many at once by :meth:`extend`.
    Every argument is checked when it is given; a call that fails leaves the circuit as it was.

    Parameters
    ----------
    num_qubits : int
        Qubits of a first register named ``q`` (none for 0).
    num_clbits : int, default 0
        Classical bits of a first register named ``c`` (none for 0).

    Attributes
    ----------
    opcodes, num_controls, ctrl_states, data, qubit_end, qubits, param_end, params : array.array
        The columns; read them, change them only through methods.
    data_items : list
        Matrices, diagonals, permutations, Pauli letters and blocks of control flow that the column `data` points into.
    expressions : dict of int to ParameterExpression
        The value of each slot of `params` that holds NaN.
    qubit_registers, classical_registers : list of Register
    variables : dict of str to Variable
        Classical variables; in angles they are parameters of the same name, whose value is taken at run time.

    Notes
    -----
    Qubit k is bit k of the amplitude index. An instruction takes about 40 bytes plus 4 per qubit and 8 per parameter. A
    circuit may be read from many threads, and changed by one.

    Examples
    --------
    >>> c = Circuit(2).h(0).cx(0, 1)
    >>> len(c), c.depth(), c.count_ops()
    (2, 2, {'h': 1, 'cx': 1})
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # a circuit can change

    def unitary(
        self,
        matrix: ArrayLike,
        qubits: Iterable[int] | int,
        *,
        controls: Iterable[int] | int = (),
        ctrl_state: int | str | None = None,
    ) -> Self:
        """Apply a unitary matrix to 1 to 10 qubits.

        Parameters
        ----------
        matrix : array_like, complex, shape (2**k, 2**k)
            The first listed qubit is the least significant bit. No entry of |U†U - 1| may exceed 1e-8 (1e-5 for single
            precision). It is copied.
        qubits : int or iterable of int, length k
        controls, ctrl_state
            Extra controls, as in :meth:`append`.

        Raises
        ------
        GateError
            Wrong shape, an entry that is not finite, or not unitary.
        """
        own = as_tuple(qubits)
        return self._append_data("unitary", own, data_items.checked_unitary, matrix, (), controls, ctrl_state)

    def diagonal(
        self,
        values: ArrayLike,
        qubits: Iterable[int] | int,
        *,
        controls: Iterable[int] | int = (),
        ctrl_state: int | str | None = None,
    ) -> Self:
        """Multiply each basis state of k qubits by a number of modulus 1 (`values`, complex, shape (2**k,))."""
        own = as_tuple(qubits)
        return self._append_data("diagonal", own, data_items.checked_diagonal, values, (), controls, ctrl_state)

    def permutation(
        self,
        images: ArrayLike,
        qubits: Iterable[int] | int,
        *,
        controls: Iterable[int] | int = (),
        ctrl_state: int | str | None = None,
    ) -> Self:
        """Send basis state i of k qubits to ``images[i]`` (integers, shape (2**k,))."""
        own = as_tuple(qubits)
        return self._append_data("permutation", own, data_items.checked_permutation, images, (), controls, ctrl_state)

    def pauli_rotation(
        self,
        letters: str | Sequence[int],
        qubits: Iterable[int] | int,
        angle: Angle,
        *,
        controls: Iterable[int] | int = (),
        ctrl_state: int | str | None = None,
    ) -> Self:
        """Apply exp(-i angle/2 P) for the Pauli string P whose letter j acts on listed qubit j.

        Examples
        --------
        >>> Circuit(3).pauli_rotation("XZY", [0, 1, 2], 0.3).count_ops()
        {'pauli_rotation': 1}
        """
        own = as_tuple(qubits)
        check = data_items.checked_pauli_letters
        return self._append_data("pauli_rotation", own, check, letters, (angle,), controls, ctrl_state)

    def prepare_state(self, vector: ArrayLike, qubits: Iterable[int] | int | None = None) -> Self:
        """Send |0...0> of 1 to 10 qubits to a given state, as one `unitary` (a Householder reflection).

        Parameters
        ----------
        vector : array_like, complex, shape (2**k,)
            Normalised to 1e-8 (1e-5 in single precision). The first listed qubit is the least significant bit.
        qubits : int or iterable of int, optional
            All qubits by default.

        Notes
        -----
        Larger states are given to ``simulate(..., initial_state=vector)``. On other states than |0...0> the gate acts
        as the rest of the reflection.
        """
        own = tuple(range(self._num_qubits)) if qubits is None else as_tuple(qubits)
        opcode = OPCODES["unitary"]
        matrix = data_items.state_preparation_matrix(vector, len(own), f"prepare_state at instruction {len(self)}")
        return self._append_checked(opcode, own, item=matrix)

    def _append_data(
        self,
        name: str,
        qubits: tuple[int, ...],
        check: Any,
        content: Any,
        params: tuple[Angle, ...],
        controls: Iterable[int] | int,
        ctrl_state: int | str | None,
    ) -> Self:
        opcode = OPCODES[name]
        extra = as_tuple(controls)
        state = self._control_state(ctrl_state, len(extra), opcode)
        operands = self._checked_qubits(opcode, (*extra, *qubits), len(extra))
        item = check(content, len(qubits), self._place(opcode))
        return self._append_checked(opcode, operands[len(extra) :], params, operands[: len(extra)], state, item=item)

    def mc(
        self,
        name: str,
        controls: Iterable[int] | int,
        qubits: Iterable[int] | int,
        params: Iterable[Angle] | Angle = (),
        *,
        ctrl_state: int | str | None = None,
    ) -> Self:
        """Append any gate under extra controls: :meth:`append` with the controls first."""
        return self.append(name, qubits, params, controls=controls, ctrl_state=ctrl_state)

    def mcx(self, controls: Iterable[int] | int, target: int, *, ctrl_state: int | str | None = None) -> Self:
        """Flip the target where all controls have their value; one to four controls on 1 become cx, ccx, c3x, c4x."""
        extra = as_tuple(controls)
        if ctrl_state is None and len(extra) in _CONTROLLED_X:
            return self._append_checked(_CONTROLLED_X[len(extra)], (*extra, target))
        return self.append("x", target, controls=extra, ctrl_state=ctrl_state)

    def mcp(
        self, angle: Angle, controls: Iterable[int] | int, target: int, *, ctrl_state: int | str | None = None
    ) -> Self:
        """Multiply by e^{i angle} where the target is 1 and all controls have their value."""
        extra = as_tuple(controls)
        if ctrl_state is None and len(extra) == 1:
            return self._append_checked(OPCODES["cp"], (*extra, target), (angle,))
        return self.append("p", target, angle, controls=extra, ctrl_state=ctrl_state)

    # ---------------------------------------------------------------------------------- measurement and classical bits

    def measure(self, qubit: int | Iterable[int], clbit: int | Iterable[int]) -> Self:
        """Measure one qubit into one classical bit, or several pairwise.

        Parameters
        ----------
        qubit, clbit : int or iterable of int (a register is one), of equal length
        """
        qubits, clbits = as_tuple(qubit), as_tuple(clbit)
        opcode = OPCODES["measure"]
        place = self._place(opcode)
        if len(qubits) != len(clbits):
            raise CircuitError(f"{place}: {len(qubits)} qubits are measured into {len(clbits)} classical bits")
        checked = []
        for number, bit in zip(qubits, clbits, strict=True):
            target = as_index(bit)
            if target is None or not 0 <= target < self._num_clbits:
                raise CircuitError(
                    f"{place}: classical bit {bit!r} is out of range; the circuit has {self._num_clbits} classical bits"
                )
            checked.append((self._checked_qubits(opcode, (number,), 0), target))
        for operands, target in checked:
            self._append_checked(opcode, operands, data=target)
        return self

    def measure_all(self) -> Self:
        """Measure every qubit, qubit k into bit k of a new classical register ``meas`` (``meas1``, ... if taken)."""
        if not self._num_qubits:
            raise CircuitError("measure_all: the circuit has no qubits")
        taken = {register.name for register in (*self.qubit_registers, *self.classical_registers)} | set(self.variables)
        name = next(name for k in range(len(taken) + 1) if (name := f"meas{k or ''}") not in taken)
        register = self.add_classical_register(name, self._num_qubits)
        return self.measure(range(self._num_qubits), register)

    def reset(self, qubit: int | Iterable[int]) -> Self:
        """Return one or several qubits to |0>."""
        opcode = OPCODES["reset"]
        checked = [self._checked_qubits(opcode, (number,), 0) for number in as_tuple(qubit)]
        for operands in checked:
            self._append_checked(opcode, operands)
        return self

    def barrier(self, *qubits: int | Iterable[int]) -> Self:
        """Keep gates of these qubits (all by default) from being moved across; it has no effect on the state."""
        named = tuple(qubit for entry in qubits for qubit in as_tuple(entry))
        operands = named if qubits else tuple(range(self._num_qubits))
        return self._append_checked(OPCODES["barrier"], operands)

    # ---------------------------------------------------------------------------------------------------- control flow

    def block(self) -> Circuit:
        """Return an empty circuit with the same registers and variables: the start of a body."""
        body = Circuit()
        body._num_qubits, body._num_clbits = self._num_qubits, self._num_clbits
        body.qubit_registers = list(self.qubit_registers)
        body.classical_registers = list(self.classical_registers)
        body.variables = dict(self.variables)
        return body

    def if_test(self, condition: ConditionLike, body: Circuit, else_body: Circuit | None = None) -> Self:
        """Run `body` where a condition on classical bits holds, otherwise `else_body`.

        Parameters
        ----------
        condition : classical expression, or (bit or register, integer) for equality
        body, else_body : Circuit
            Over the same qubits and classical bits; :meth:`block` starts one. They are copied.

        Examples
        --------
        >>> c = Circuit(2, 1).h(0).measure(0, 0)
        >>> c.if_test((0, 1), c.block().x(1)).count_ops()
        {'h': 1, 'measure': 1, 'if_else': 1}
        """
        return self._append_block(control_flow.IfElse(as_condition(condition), body, else_body))

    def while_loop(self, condition: ConditionLike, body: Circuit) -> Self:
        """Repeat `body` while a condition, tested before each pass, holds."""
        return self._append_block(control_flow.WhileLoop(as_condition(condition), body))

    def for_loop(
        self, values: Iterable[int] | Iterable[float], body: Circuit, variable: Variable | str | None = None
    ) -> Self:
        """Repeat `body` once for each value.

        Parameters
        ----------
        values : range or iterable of int or float
        body : Circuit
        variable : Variable or str, optional
            A declared variable that holds the value; in the body's angles, ``Parameter(name)`` is its value too.
        """
        name = variable.name if isinstance(variable, Variable) else variable
        kept = values if isinstance(values, range) else control_flow.loop_values(values, self._place(_FOR_LOOP))
        return self._append_block(control_flow.ForLoop(kept, body, name))

    def switch(
        self, target: ClassicalLike, cases: Iterable[tuple[int | Iterable[int] | control_flow._Default, Circuit]]
    ) -> Self:
        """Run the body of the case that holds the target's value.

        Parameters
        ----------
        target : classical expression or register
        cases : iterable of (value or values, Circuit)
            ``DEFAULT`` as the value marks the body that runs where no other does.
        """
        place = self._place(OPCODES["switch_case"])
        return self._append_block(control_flow.switch_block(as_classical(target), cases, place))

    def break_loop(self) -> Self:
        """Leave the innermost loop; for use in a loop's body."""
        return self._append_checked(OPCODES["break_loop"], ())

    def continue_loop(self) -> Self:
        """Go on with the next pass of the innermost loop; for use in a loop's body."""
        return self._append_checked(OPCODES["continue_loop"], ())

    def assign(self, target: Bit | Bits | Variable | Index | Register, value: ClassicalLike) -> Self:
        """Give classical bits or a variable the value of a classical expression, converted to the target's type."""
        return self._append_block(control_flow.Assign(as_classical(target), as_classical(value)))

    def _append_block(self, block: control_flow.Block) -> Self:
        name = next(name for name, kind in control_flow.BLOCK_TYPES.items() if isinstance(block, kind))
        opcode = OPCODES[name]
        checked = control_flow.checked_block(self, name, block, self._place(opcode))
        operands = control_flow.touched_qubits(control_flow.bodies_of(checked))
        return self._append_checked(opcode, operands, item=checked)

    # -------------------------------------------------------------------------------------------------------- OpenQASM

    @classmethod
    def from_qasm(cls, text: str) -> Circuit:
        """Read OpenQASM 2 or 3; see :func:`qfast.circuit.qasm.from_qasm`.

        Examples
        --------
        >>> text = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; h q[0]; cx q[0], q[1];'
        >>> Circuit.from_qasm(text).count_ops()
        {'h': 1, 'cx': 1}
        """
        return qasm.from_qasm(text, cls)

    @classmethod
    def from_qasm_file(cls, path: str | os.PathLike[str]) -> Circuit:
        """Read a file of OpenQASM 2 or 3; see :func:`qfast.circuit.qasm.from_qasm_file`."""
        return qasm.from_qasm_file(path, cls)

    def to_qasm(self, version: int = 3) -> str:
        """Write the circuit as OpenQASM 3 or 2; see :func:`qfast.circuit.qasm.to_qasm`."""
        return qasm.to_qasm(self, version)

    # ------------------------------------------------------------------------------------------------------ parameters

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The free parameters, by name, vector elements by index; classical variables are not among them."""
        return analysis.free_parameters(self)

    @property
    def num_parameters(self) -> int:
        """Number of free parameters."""
        return len(self.parameters)

    def bind(self, values: Mapping[Any, Any] | Sequence[Any] | None = None, /, **by_name: Any) -> Circuit:
        """Return a copy in which parameters have values.

        Parameters
        ----------
        values : mapping or sequence, optional
            By name, Parameter or ParameterVector; or one value for each of :attr:`parameters`. A value is a number or
            an expression. With a mapping, parameters that are not named stay free.
        **by_name
            Values by name.

        Examples
        --------
        >>> c = Circuit(1).rx(2 * Parameter("a"), 0)
        >>> c.bind(a=0.25)[0].params
        (0.5,)
        """
        return transforms.bind(self, values, by_name)

    assign_parameters = bind

    # ------------------------------------------------------------------------------------------------------ transforms

    def copy(self) -> Circuit:
        """Return an independent copy (matrices, which nobody changes, are shared)."""
        return transforms.copy(self)

    def inverse(self) -> Circuit:
        """Return the inverse; barriers stay.

        Raises
        ------
        CircuitError
            An instruction has no inverse (measurement, reset, control flow).
        """
        return transforms.inverse(self)

    def power(self, exponent: float) -> Circuit:
        """Return the circuit repeated, inverted for a negative exponent.

        A fraction gives one `unitary`, the principal power, for up to 10 qubits.
        """
        return transforms.power(self, exponent)

    def control(self, num_controls: int = 1, ctrl_state: int | str | None = None) -> Circuit:
        """Return the circuit under controls, which become qubits 0 … num_controls - 1; the others move up.

        Parameters
        ----------
        num_controls : int, default 1
        ctrl_state : int or str, optional
            As in :meth:`append`.
        """
        return transforms.control(self, num_controls, ctrl_state)

    def compose(self, other: Circuit, qubits: Iterable[int] | None = None, clbits: Iterable[int] | None = None) -> Self:
        """Append another circuit's instructions to this one.

        Parameters
        ----------
        other : Circuit
            Its variables are declared here where they are not yet.
        qubits, clbits : iterable of int, optional
            Where its qubit k and classical bit k go; by default to k.
        """
        transforms.compose(self, other, qubits, clbits)
        return self

    def to_matrix(self) -> ComplexArray:
        """Return the circuit's unitary matrix, complex128 of shape (2**n, 2**n), for up to 10 qubits.

        Qubit 0 is the least significant bit. Raises CircuitError where something is not a gate, ParameterError where a
        parameter is unbound.
        """
        return transforms.to_matrix(self)

    # ----------------------------------------------------------------------------------------------------- inspection

    def depth(self) -> int:
        """Return the number of instructions on the longest path; barriers hold others back but do not count."""
        return analysis.depth(self)

    def count_ops(self) -> dict[str, int]:
        """Return how often each gate occurs, most frequent first, extra controls written as ``ctrl(2) @ x``."""
        return analysis.count_ops(self)

    def draw(self, width: int | None = None) -> str:
        """Return a picture of the circuit in text, folded at `width` characters (the terminal's by default).

        Examples
        --------
        >>> print(Circuit(2, 1).h(0).cx(0, 1).measure(1, 0).draw())
        q[0]: ─┤h├───●─────────
                     │
        q[1]: ──────┤x├──┤M c├─
        """
        return drawing.draw(self, width)

    def __len__(self) -> int:
        return len(self.opcodes)

    def __iter__(self) -> Iterator[Instruction]:
        return (self._instruction(index) for index in range(len(self.opcodes)))

    @overload
    def __getitem__(self, index: int) -> Instruction: ...
    @overload
    def __getitem__(self, index: slice) -> Circuit: ...
    def __getitem__(self, index: int | slice) -> Instruction | Circuit:
        if isinstance(index, slice):
            return transforms.take(self, range(len(self))[index])
        try:
            return self._instruction(range(len(self))[index])
        except IndexError:
            raise IndexError(f"the circuit has {len(self)} instructions; there is no instruction {index}") from None

    def _instruction(self, index: int) -> Instruction:
        start, end = (self.qubit_end[index - 1] if index else 0), self.qubit_end[index]
        slot, slots_end = (self.param_end[index - 1] if index else 0), self.param_end[index]
        opcode, number, extra = self.opcodes[index], self.data[index], self.num_controls[index]
        operands = tuple(self.qubits[start:end])
        params: tuple[Any, ...] = tuple(self.params[slot:slots_end])
        if self.expressions:
            params = tuple(self.expressions.get(slot + k, value) for k, value in enumerate(params))
        measured = opcode == _MEASURE
        return Instruction(
            opcode,
            operands[extra:],
            params,
            operands[:extra],
            self.ctrl_states[index],
            self.data_items[number] if number >= 0 and not measured else None,
            number if measured else None,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuit):
            return NotImplemented
        return analysis.equal(self, other)

    def __copy__(self) -> Circuit:
        return self.copy()

    def __repr__(self) -> str:
        bits = f"{self._num_qubits} qubits" + (f", {self._num_clbits} classical bits" if self._num_clbits else "")
        free = self.num_parameters
        return f"<Circuit: {bits}, {len(self)} instructions" + (f", {free} parameters>" if free else ">")


_MEASURE, _FOR_LOOP = OPCODES["measure"], OPCODES["for_loop"]

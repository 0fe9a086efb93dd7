"""The circuit as it is built: methods that append, each checked when it is called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Self

from numpy.typing import ArrayLike

from qfast.circuit import control_flow, data_items, encoding, qasm, transforms
from qfast.circuit.builder import GateMethods, gate_method, taken_by_core
from qfast.circuit.checks import as_index, as_tuple
from qfast.circuit.classical import Bit, Bits, ClassicalLike, ConditionLike, Index, Variable, as_classical, as_condition
from qfast.circuit.gates import GATES, OPCODES, GateFlag
from qfast.circuit.instruction import Register
from qfast.circuit.operands import Operand, listed
from qfast.circuit.storage import Angle
from qfast.circuit.value import AnyCircuit, CircuitValue
from qfast.errors import CircuitError, GateError

__all__ = ["Circuit"]

_CONTROLLED_X = {1: "cx", 2: "ccx", 3: "c3x", 4: "c4x"}


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

    Notes
    -----
    Qubit k is bit k of the amplitude index. An instruction takes about 40 bytes plus 4 per qubit and 8 per parameter. A
    circuit may be read from many threads, and changed by one. What can be read of it, columns included, is read-only;
    :meth:`snapshot` gives what it is now as a value that stays.

    Two circuits are equal if they mean the same: bits, names, instructions and content. They pickle as :meth:`to_bytes`
    writes them.

    Examples
    --------
    >>> c = Circuit(2).h(0).cx(0, 1)
    >>> len(c), c.depth(), c.count_ops()
    (2, 2, {'h': 1, 'cx': 1})
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # a circuit can change

    @taken_by_core(OPCODES)
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
            raise GateError(f"'{row.name}' at instruction {len(self)} is no gate and takes no controls")
        state = self._control_state(ctrl_state, len(extra), opcode)
        return self._append_checked(opcode, own, as_tuple(params), extra, state)

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
        own = tuple(range(self.num_qubits)) if qubits is None else as_tuple(qubits)
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
            return self.append(_CONTROLLED_X[len(extra)], (*extra, target))
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

    @taken_by_core(OPCODES["measure"])
    def measure(self, qubit: Operand, clbit: Operand | None = None) -> Self:
        """Measure one qubit into one classical bit, or several pairwise.

        Parameters
        ----------
        qubit : int, or several (a list, a range, a register, an integer array, a slice of all qubits)
        clbit : the same for classical bits, as many
            Left out, qubit k is measured into classical bit k.

        Examples
        --------
        >>> Circuit(3, 3).h(range(3)).measure(0).measure([1, 2]).count_ops()
        {'h': 3, 'measure': 3}
        """
        opcode = OPCODES["measure"]
        place = self._place(opcode)
        several = listed(qubit, self.num_qubits)
        qubits = (qubit,) if several is None else several
        several = listed(clbit, self.num_clbits)
        clbits = qubits if clbit is None else (clbit,) if several is None else several
        if len(qubits) != len(clbits):
            raise CircuitError(f"{place}: {len(qubits)} qubits are measured into {len(clbits)} classical bits")
        checked = []
        for number, bit in zip(qubits, clbits, strict=True):
            target = as_index(bit)
            if target is None or not 0 <= target < self.num_clbits:
                same = " (the qubit's own number, as no classical bit is given)" if clbit is None else ""
                raise CircuitError(
                    f"{place}: classical bit {bit!r}{same} is out of range; the circuit has {self.num_clbits} "
                    "classical bits"
                )
            checked.append((self._checked_qubits(opcode, (number,), 0), target))
        for operands, target in checked:
            self._append_checked(opcode, operands, data=target)
        return self

    def measure_all(self) -> Self:
        """Measure every qubit, qubit k into bit k of a new classical register ``meas`` (``meas1``, ... if taken)."""
        if not self.num_qubits:
            raise CircuitError("measure_all: the circuit has no qubits")
        taken = {register.name for register in (*self._quantum, *self._classical)} | set(self._variables_view)
        name = next(name for k in range(len(taken) + 1) if (name := f"meas{k or ''}") not in taken)
        register = self.add_classical_register(name, self.num_qubits)
        return self.measure(range(self.num_qubits), register)

    @gate_method("reset")
    def reset(self, qubit: Operand) -> Self:
        """Return one or several qubits to |0>."""
        return self._append_gate(OPCODES["reset"], (qubit,))

    def barrier(self, *qubits: Operand) -> Self:
        """Keep gates of these qubits (all by default) from being moved across; it has no effect on the state."""
        if not qubits:
            self._rows.append(OPCODES["barrier"], 0, 0, -1, range(self.num_qubits), ())
            return self
        named: tuple[Any, ...] = ()
        for entry in qubits:
            several = listed(entry, self.num_qubits)
            named += (entry,) if several is None else several
        return self._append_checked(OPCODES["barrier"], named)

    # ---------------------------------------------------------------------------------------------------- control flow

    def if_test(self, condition: ConditionLike, body: AnyCircuit, else_body: AnyCircuit | None = None) -> Self:
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

    def while_loop(self, condition: ConditionLike, body: AnyCircuit) -> Self:
        """Repeat `body` while a condition, tested before each pass, holds."""
        return self._append_block(control_flow.WhileLoop(as_condition(condition), body))

    def for_loop(
        self, values: Iterable[int] | Iterable[float], body: AnyCircuit, variable: Variable | str | None = None
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
        self, target: ClassicalLike, cases: Iterable[tuple[int | Iterable[int] | control_flow._Default, AnyCircuit]]
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

    # ----------------------------------------------------------------------------------------------------------- bytes

    @classmethod
    def from_bytes(cls, content: bytes | bytearray | memoryview) -> Circuit:
        """Read a circuit that :meth:`to_bytes` wrote; everything is checked.

        Raises
        ------
        InputError
            The bytes hold no circuit; the message says what is wrong and at which byte.

        Examples
        --------
        >>> circuit = Circuit(2, 1).h(0).cx(0, 1).measure(1, 0)
        >>> Circuit.from_bytes(circuit.to_bytes()) == circuit
        True
        """
        return encoding.circuit_from_bytes(content, cls)

    @classmethod
    def value_from_bytes(cls, content: bytes | bytearray | memoryview) -> CircuitValue:
        """Read what :meth:`to_bytes` wrote as a value; see :meth:`from_bytes`."""
        return cls.from_bytes(content).snapshot()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)

    # ------------------------------------------------------------------------------------------------------- together

    def compose(
        self, other: AnyCircuit, qubits: Iterable[int] | None = None, clbits: Iterable[int] | None = None
    ) -> Self:
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

    def __copy__(self) -> Circuit:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Circuit:
        return self.copy()


_FOR_LOOP = OPCODES["for_loop"]

"""What can be read of a circuit, and a circuit as a value.

A :class:`~qfast.circuit.Circuit` is a builder: it grows. :meth:`AnyCircuit.snapshot` gives what it is now as a
:class:`CircuitValue`, which never changes. Snapshots share the builder's columns (:mod:`qfast.circuit.rows`), so that
they cost the same for any number of instructions, and the same one is returned until the circuit changes. Whoever keeps
a circuit, for a job, a cache or a file, keeps its snapshot.

A value has two identities. Its `digest` is 32 bytes over all that it means, the same in every build and process: what
stores and compares go by. Its `structure` leaves out the numbers and the names of registers: what plans go by.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload

from qfast._typing import ComplexArray
from qfast.circuit import analysis, drawing, encoding, qasm, transforms
from qfast.circuit.classical import Variable
from qfast.circuit.gates import OPCODES
from qfast.circuit.instruction import Instruction, Register
from qfast.circuit.parameter import Parameter, ParameterExpression
from qfast.circuit.rows import Columns
from qfast.circuit.structure import Structure, structure_of
from qfast.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qfast.circuit.circuit import Circuit

__all__ = ["AnyCircuit", "CircuitValue"]

_MEASURE = OPCODES["measure"]


class AnyCircuit:
    """What can be read of a circuit, whether it still grows (`Circuit`) or is a value (`CircuitValue`)."""

    __slots__ = ()

    def snapshot(self) -> CircuitValue:
        """Return the circuit as it is now: a value that never changes, whatever is appended to the circuit later.

        Notes
        -----
        Nothing is copied, and the same value is returned until the circuit changes.

        Examples
        --------
        >>> from qfast.circuit import Circuit
        >>> circuit = Circuit(2).h(0)
        >>> before = circuit.snapshot()
        >>> len(circuit.cx(0, 1)), len(before), before == Circuit(2).h(0)
        (2, 1, True)
        """
        raise NotImplementedError

    # --------------------------------------------------------------------------------------------------------- columns

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return self.snapshot()._num_qubits

    @property
    def num_clbits(self) -> int:
        """Number of classical bits."""
        return self.snapshot()._num_clbits

    @property
    def columns(self) -> Columns:
        """All columns, read-only."""
        return self.snapshot()._columns

    @property
    def opcodes(self) -> memoryview:
        """Row of the gate table, for each instruction."""
        return self.columns.opcodes

    @property
    def num_controls(self) -> memoryview:
        """Number of extra controls, for each instruction."""
        return self.columns.num_controls

    @property
    def ctrl_states(self) -> memoryview:
        """Bit j is the value that extra control j must have, for each instruction."""
        return self.columns.ctrl_states

    @property
    def data(self) -> memoryview:
        """Index into `data_items`, a measurement's classical bit, or -1, for each instruction."""
        return self.columns.data

    @property
    def qubit_end(self) -> memoryview:
        """Where each instruction's qubits end in `qubits`."""
        return self.columns.qubit_end

    @property
    def qubits(self) -> memoryview:
        """The qubits of all instructions, extra controls first."""
        return self.columns.qubits

    @property
    def param_end(self) -> memoryview:
        """Where each instruction's parameters end in `params`."""
        return self.columns.param_end

    @property
    def params(self) -> memoryview:
        """The parameters of all instructions; NaN where an expression stands."""
        return self.columns.params

    @property
    def data_items(self) -> tuple[Any, ...]:
        """Matrices, diagonals, permutations, Pauli letters and blocks of control flow that `data` points into."""
        return self.snapshot()._items()

    @property
    def expressions(self) -> Mapping[int, ParameterExpression]:
        """The value of each slot of `params` that holds NaN, slots ascending."""
        return self.snapshot()._angles()

    @property
    def qubit_registers(self) -> tuple[Register, ...]:
        """The registers of qubits, in order, without gaps."""
        return self.snapshot()._qubit_registers

    @property
    def classical_registers(self) -> tuple[Register, ...]:
        """The registers of classical bits, in order, without gaps."""
        return self.snapshot()._classical_registers

    @property
    def variables(self) -> Mapping[str, Variable]:
        """The classical variables by name; in angles they are parameters of that name, with their value at run time."""
        return self.snapshot()._variables

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The free parameters, by name, vector elements by index; classical variables are not among them."""
        return self.snapshot()._free_parameters()

    @property
    def num_parameters(self) -> int:
        """Number of free parameters."""
        return len(self.parameters)

    # -------------------------------------------------------------------------------------------------------- identity

    @property
    def digest(self) -> bytes:
        """BLAKE2b of all that the circuit means, 32 bytes: equal circuits, and only they, have equal digests.

        It covers numbers, expressions, matrices, bodies of control flow, registers with their names and variables, and
        does not depend on the build, on the process, or on how often a matrix is shared. -0.0 counts as 0.0 in an angle
        or a matrix, where no result can tell them apart, and as itself in expressions, where ``1/x`` can.
        """
        return self.snapshot()._digest_now()

    @property
    def structure(self) -> Structure:
        """A key that circuits share if they differ in numbers and names of registers only; see `Structure`."""
        return self.snapshot()._structure_now()

    def to_bytes(self) -> bytes:
        """Return the circuit as bytes, which :meth:`Circuit.from_bytes` reads: no pickle, a version, canonical.

        Raises
        ------
        CircuitError
            Control flow is nested deeper than 64.
        """
        return encoding.circuit_to_bytes(self.snapshot())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AnyCircuit):
            return NotImplemented
        one, two = self.snapshot(), other.snapshot()
        return one is two or (one._size_key() == two._size_key() and one.digest == two.digest)

    # ----------------------------------------------------------------------------------------------------- instructions

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[Instruction]:
        value = self.snapshot()
        return (value._instruction(index) for index in range(len(value)))

    @overload
    def __getitem__(self, index: int) -> Instruction: ...
    @overload
    def __getitem__(self, index: slice) -> Circuit: ...
    def __getitem__(self, index: int | slice) -> Instruction | Circuit:
        if isinstance(index, slice):
            return transforms.take(self, range(len(self))[index])
        try:
            return self._instruction(range(len(self))[operator.index(index)])
        except IndexError:
            raise IndexError(f"the circuit has {len(self)} instructions; there is no instruction {index}") from None

    def _instruction(self, index: int) -> Instruction:
        value = self.snapshot()
        columns = value._columns
        start, end = (columns.qubit_end[index - 1] if index else 0), columns.qubit_end[index]
        slot, slots_end = (columns.param_end[index - 1] if index else 0), columns.param_end[index]
        opcode, number, extra = columns.opcodes[index], columns.data[index], columns.num_controls[index]
        operands = tuple(columns.qubits[start:end])
        params: tuple[Any, ...] = tuple(columns.params[slot:slots_end])
        if params and value._num_expressions:
            angles = value._angles()
            params = tuple(angles.get(slot + k, value) for k, value in enumerate(params))
        measured = opcode == _MEASURE
        return Instruction(
            opcode,
            operands[extra:],
            params,
            operands[:extra],
            columns.ctrl_states[index],
            value._item_list[number] if number >= 0 and not measured else None,
            number if measured else None,
        )

    def block(self) -> Circuit:
        """Return an empty circuit with the same registers and variables: the start of a body."""
        return self.snapshot()._circuit_class._in_frame_of(self.snapshot())

    # ------------------------------------------------------------------------------------------------------ transforms

    def copy(self) -> Circuit:
        """Return an independent circuit (matrices, which nobody changes, are shared)."""
        return self.snapshot()._circuit_class._of(self.snapshot())

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
        >>> from qfast.circuit import Circuit, Parameter
        >>> c = Circuit(1).rx(2 * Parameter("a"), 0)
        >>> c.bind(a=0.25)[0].params
        (0.5,)
        """
        return transforms.bind(self, values, by_name)

    assign_parameters = bind

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
            As in :meth:`Circuit.append`.
        """
        return transforms.control(self, num_controls, ctrl_state)

    def to_matrix(self) -> ComplexArray:
        """Return the circuit's unitary matrix, complex128 of shape (2**n, 2**n), for up to 10 qubits.

        Qubit 0 is the least significant bit. Raises CircuitError where something is not a gate, ParameterError where a
        parameter is unbound.
        """
        return transforms.to_matrix(self)

    # ----------------------------------------------------------------------------------------------------- inspection

    def qubit_register(self, name: str) -> Register:
        """Return the qubit register of this name."""
        return analysis.register_by_name(self.qubit_registers, name, "qubit")

    def classical_register(self, name: str) -> Register:
        """Return the classical register of this name."""
        return analysis.register_by_name(self.classical_registers, name, "classical")

    def depth(self) -> int:
        """Return the number of instructions on the longest path; barriers hold others back but do not count."""
        return analysis.depth(self)

    def count_ops(self) -> dict[str, int]:
        """Return how often each gate occurs, most frequent first, extra controls written as ``ctrl(2) @ x``."""
        return analysis.count_ops(self)

    @overload
    def draw(self, output: Literal["text", "svg"] = "text", *, width: int | None = None) -> str: ...
    @overload
    def draw(self, output: Literal["mpl"], *, width: int | None = None) -> Figure: ...

    def draw(self, output: Literal["text", "svg", "mpl"] = "text", *, width: int | None = None) -> str | Figure:
        """Return a picture of the circuit.

        Parameters
        ----------
        output : {"text", "svg", "mpl"}
            Lines of text; an SVG element; a figure of matplotlib (extra ``plot``). Notebooks show the SVG.
        width : int, optional
            Where the picture is folded: characters of text (by default the terminal's), pixels of the others (960).

        Raises
        ------
        InputError
            For another output.
        ImportError
            For "mpl" without matplotlib.

        Examples
        --------
        >>> from qfast.circuit import Circuit
        >>> print(Circuit(2, 1).h(0).cx(0, 1).measure(1, 0).draw())
        q[0]: ─┤h├───●─────────
                     │
        q[1]: ──────┤x├──┤M c├─
        """
        if output == "text":
            return drawing.draw(self, width)
        # Loaded when asked for: `import qfast` stays quick.
        from qfast.circuit import picture

        if output not in ("svg", "mpl"):
            raise InputError(f"a circuit is drawn as 'text', 'svg' or 'mpl'; {output!r} given")
        drawn = picture.draw_picture(self) if width is None else picture.draw_picture(self, width)
        return picture.to_svg(drawn) if output == "svg" else picture.to_figure(drawn)

    def _repr_html_(self) -> str:
        return self.draw("svg")

    def to_qasm(self, version: int = 3) -> str:
        """Write the circuit as OpenQASM 3 or 2; see :func:`qfast.circuit.qasm.to_qasm`."""
        return qasm.to_qasm(self, version)

    def __repr__(self) -> str:
        bits = f"{self.num_qubits} qubits" + (f", {self.num_clbits} classical bits" if self.num_clbits else "")
        free = self.num_parameters
        end = f", {free} parameters>" if free else ">"
        return f"<{type(self).__name__}: {bits}, {len(self)} instructions{end}"


class CircuitValue(AnyCircuit):
    """A circuit as it was at one moment; immutable, hashable, equal to any circuit that means the same.

    Made by :meth:`AnyCircuit.snapshot`; :meth:`AnyCircuit.copy` makes a circuit of it again.

    Notes
    -----
    It may be read from any number of threads. It pickles as :meth:`AnyCircuit.to_bytes` writes it.
    """

    __slots__ = (
        "__weakref__",
        "_circuit_class",
        "_classical_registers",
        "_columns",
        "_digest",
        "_expression_dict",
        "_expression_view",
        "_item_list",
        "_item_tuple",
        "_num_clbits",
        "_num_expressions",
        "_num_items",
        "_num_qubits",
        "_parameters",
        "_qubit_registers",
        "_structure",
        "_variables",
    )

    def __init__(
        self,
        columns: Columns,
        items: Sequence[Any],
        expressions: dict[int, ParameterExpression],
        registers: tuple[tuple[Register, ...], tuple[Register, ...]],
        variables: Mapping[str, Variable],
        bits: tuple[int, int],
        circuit_class: type[Circuit],
    ) -> None:
        """Keep what a circuit hands over: `items` and `expressions` may be added to, and nothing else."""
        self._columns = columns
        self._item_list, self._num_items = items, len(items)
        self._expression_dict, self._num_expressions = expressions, len(expressions)
        self._qubit_registers, self._classical_registers = registers
        self._variables = variables
        self._num_qubits, self._num_clbits = bits
        self._circuit_class = circuit_class
        self._item_tuple: tuple[Any, ...] | None = None
        self._expression_view: Mapping[int, ParameterExpression] | None = None
        self._parameters: tuple[Parameter, ...] | None = None
        self._digest: bytes | None = None
        self._structure: Structure | None = None

    def snapshot(self) -> CircuitValue:
        """Return this value."""
        return self

    def in_frame(
        self, registers: tuple[tuple[Register, ...], tuple[Register, ...]], variables: Mapping[str, Variable]
    ) -> CircuitValue:
        """Return the same instructions over other registers and variables, bodies included."""
        if (self._qubit_registers, self._classical_registers) == registers and self._variables == variables:
            return self
        items = transforms.map_bodies(self._items(), lambda body: body.snapshot().in_frame(registers, variables))
        bits = (
            sum(register.size for register in registers[0]),
            sum(register.size for register in registers[1]),
        )
        return CircuitValue(self._columns, items, dict(self._angles()), registers, variables, bits, self._circuit_class)

    # What is computed when first asked for. Two threads may both do it: they find the same.

    def _items(self) -> tuple[Any, ...]:
        if self._item_tuple is None:
            self._item_tuple = tuple(self._item_list[: self._num_items])
        return self._item_tuple

    def _angles(self) -> Mapping[int, ParameterExpression]:
        if self._expression_view is None:
            # One step under the interpreter's lock: the circuit may be appended to meanwhile.
            found = list(self._expression_dict.items())
            self._expression_view = MappingProxyType(dict(found[: self._num_expressions]))
        return self._expression_view

    def _free_parameters(self) -> tuple[Parameter, ...]:
        if self._parameters is None:
            self._parameters = analysis.free_parameters(self)
        return self._parameters

    def _digest_now(self) -> bytes:
        if self._digest is None:
            self._digest = encoding.circuit_digest(self)
        return self._digest

    def _structure_now(self) -> Structure:
        if self._structure is None:
            self._structure = structure_of(self)
        return self._structure

    def _size_key(self) -> tuple[int, ...]:
        columns = self._columns
        return (len(columns), len(columns.qubits), self._num_qubits, self._num_clbits, self._num_expressions)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __copy__(self) -> CircuitValue:
        return self

    def __deepcopy__(self, memo: object) -> CircuitValue:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return self._circuit_class.value_from_bytes, (self.to_bytes(),)

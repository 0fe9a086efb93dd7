"""The gate table: one row per gate, read by circuits, engines, converters, documentation and tests.

The opcode of an instruction is the index of its row. Rows 0…53 are the fixed gates, in the order of
``csrc/circuit/gates.def``; then come the four gates whose content is data, then what is no gate at all (``measure``,
control flow, …). Rows are checked against textbook matrices in ``tests/circuit/test_gate_table.py`` and against the
core's table in ``tests/circuit/test_core_gate_table.py``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Flag, auto

from qfast._typing import ComplexArray
from qfast.circuit.gate_matrices import MATRIX_FUNCTIONS, MatrixFunction, controlled_matrix
from qfast.circuit.parameter import ParameterValue
from qfast.errors import GateError

__all__ = ["GATES", "NUM_GATES", "OPCODES", "GateFlag", "GateRow", "Step", "find_gate", "mcphase_steps"]


class GateFlag(Flag):
    """What is true of a row for all parameter values."""

    NONE = 0
    DIAGONAL = auto()  # the matrix is diagonal
    HERMITIAN = auto()  # the matrix is its own inverse
    REAL = auto()  # the matrix has no imaginary part
    MONOMIAL = auto()  # one nonzero in each row and column: basis states go to basis states, up to phases
    CLIFFORD = auto()  # Paulis are conjugated to Paulis
    DATA = auto()  # the content stands in the circuit's `data_items`
    NOT_A_GATE = auto()  # measurement, reset, barrier, control flow: no matrix
    CONTROL_FLOW = auto()  # the data item holds blocks


@dataclass(frozen=True, slots=True)
class Step:
    """One gate of a decomposition or an inverse; qubits are positions in the row's own qubit list."""

    name: str
    qubits: tuple[int, ...]
    params: tuple[ParameterValue, ...] = ()
    controls: tuple[int, ...] = ()


Steps = tuple[Step, ...]
StepsFunction = Callable[[Sequence[ParameterValue]], Steps]


@dataclass(frozen=True, slots=True)
class GateRow:
    """All that is known about one gate.

    Attributes
    ----------
    name : str
        Name in circuits, OpenQASM and results.
    num_qubits : int or None
        Length of the gate's own qubit list, own controls included; None: as many as the instruction has.
    num_params : int
        Real parameters.
    own_controls : int
        Leading qubits that control the rest (cx: 1, ccx: 2).
    target_matrix : callable or None
        ``target_matrix(params)`` is the complex128 matrix on the targets alone; None for data rows and for what is no
        gate.
    inverse : callable or None
        ``inverse(params)`` gives the steps of the inverse; None where `flags` has HERMITIAN, and for data rows.
    decomposition : callable or None
        ``decomposition(params)`` gives simpler gates, first applied first, with the exact global phase. Repeated, it
        ends in ``u``, ``cx`` and ``gphase``, the only fixed gates without one.
    flags : GateFlag
    aliases : tuple of str
        Other names that mean the same gate.
    doc : str
        One line for readers.
    """

    name: str
    num_qubits: int | None
    num_params: int = 0
    own_controls: int = 0
    target_matrix: MatrixFunction | None = None
    inverse: StepsFunction | None = None
    decomposition: StepsFunction | None = None
    flags: GateFlag = GateFlag.NONE
    aliases: tuple[str, ...] = ()
    doc: str = ""

    def matrix(self, params: Sequence[float] = ()) -> ComplexArray:
        """Return the matrix over all the gate's own qubits.

        Parameters
        ----------
        params : sequence of float, length `num_params`

        Returns
        -------
        ndarray, complex128, shape (2**num_qubits, 2**num_qubits)
            The first listed qubit is the least significant bit of the index.

        Raises
        ------
        GateError
            The row has no matrix of its own, or the number of parameters is wrong.
        """
        if self.target_matrix is None:
            raise GateError(f"'{self.name}' has no fixed matrix; its content stands in the circuit's data_items")
        if len(params) != self.num_params:
            raise GateError(f"gate '{self.name}': {len(params)} parameters given, {self.num_params} needed")
        target = self.target_matrix(params)
        return controlled_matrix(target, self.own_controls) if self.own_controls else target

    def inverse_steps(self, params: Sequence[ParameterValue] = ()) -> Steps:
        """Return the steps of the inverse of a fixed gate, first applied first."""
        if self.num_qubits is None or GateFlag.NOT_A_GATE in self.flags:
            raise GateError(f"'{self.name}' has no inverse in the gate table")
        if GateFlag.HERMITIAN in self.flags:
            return (Step(self.name, tuple(range(self.num_qubits)), tuple(params)),)
        if self.inverse is None:
            raise GateError(f"'{self.name}' has no inverse in the gate table")
        return self.inverse(params)

    @property
    def is_gate(self) -> bool:
        """Whether the row is a unitary gate."""
        return GateFlag.NOT_A_GATE not in self.flags


_PI = math.pi


def mcphase_steps(angle: ParameterValue, qubits: Sequence[int]) -> Steps:
    """Decompose a phase on the all-ones state of k qubits into 2^k - 1 ``p`` and about 2^k ``cx``.

    The product of k bits is a signed sum of the parities of their nonempty subsets, each with weight 2^(1-k)
    (Barenco et al. 1995, doi:10.1103/PhysRevA.52.3457, lemma 7.1 generalised). Walking the subsets that end in one
    qubit in Gray-code order costs a single cx per parity.
    """
    weight = angle / (1 << (len(qubits) - 1))
    steps: list[Step] = []
    for top, target in enumerate(qubits):
        steps.append(Step("p", (target,), (weight,)))
        gray = 0
        for count in range(1, 1 << top):
            flipped = (count & -count).bit_length() - 1
            gray ^= 1 << flipped
            steps.append(Step("cx", (qubits[flipped], target)))
            steps.append(Step("p", (target,), (-weight if gray.bit_count() % 2 else weight,)))
        if top:  # the last word of the Gray code has only its highest bit set
            steps.append(Step("cx", (qubits[top - 1], target)))
    return tuple(steps)


def _named(name: str, count: int = 1) -> StepsFunction:
    """The inverse that is another row with the same parameters."""
    return lambda p: (Step(name, tuple(range(count)), tuple(p)),)


def _negated(name: str, count: int = 1) -> StepsFunction:
    """The inverse that is the same row with all parameters negated."""
    return lambda p: (Step(name, tuple(range(count)), tuple(-value for value in p)),)


def _first_negated(name: str, count: int) -> StepsFunction:
    """The inverse that is the same row with the angle negated and the axis kept."""
    return lambda p: (Step(name, tuple(range(count)), (-p[0], *p[1:])),)


def _euler_inverse(name: str, count: int = 1) -> StepsFunction:
    """The inverse of u(theta, phi, lambda[, gamma]): u(-theta, -lambda, -phi[, -gamma])."""
    return lambda p: (Step(name, tuple(range(count)), (-p[0], -p[2], -p[1], *(-value for value in p[3:]))),)


def _on_target(name: str, target: int, *params: ParameterValue) -> Step:
    return Step(name, (target,), params)


def _u_steps(theta: ParameterValue, phi: ParameterValue, lam: ParameterValue) -> Steps:
    return (Step("u", (0,), (theta, phi, lam)),)


def _phased(phase: ParameterValue, steps: Steps) -> Steps:
    return (Step("gphase", (), (phase,)), *steps)


def _around(outer: Step, inner: Steps) -> Steps:
    """A self-inverse step before and after."""
    return (outer, *inner, outer)


_CX = Step("cx", (0, 1))
_CX_BACK = Step("cx", (1, 0))
_H0, _H1, _H2 = Step("h", (0,)), Step("h", (1,)), Step("h", (2,))


def _cu3_steps(p: Sequence[ParameterValue]) -> Steps:
    theta, phi, lam = p[0], p[1], p[2]
    return (
        _on_target("p", 0, (lam + phi) / 2),
        _on_target("p", 1, (lam - phi) / 2),
        _CX,
        _on_target("u", 1, -theta / 2, 0.0, -(phi + lam) / 2),
        _CX,
        _on_target("u", 1, theta / 2, phi, 0.0),
    )


def _half_angles(name: str) -> StepsFunction:
    """Controlled rotation about an axis that X flips: half forward, half back between two cx."""
    return lambda p: (_on_target(name, 1, p[0] / 2), _CX, _on_target(name, 1, -p[0] / 2), _CX)


def _ccx_steps(p: Sequence[ParameterValue]) -> Steps:
    sequence = [
        ("h", 2), ("cx", 1, 2), ("tdg", 2), ("cx", 0, 2), ("t", 2), ("cx", 1, 2), ("tdg", 2), ("cx", 0, 2),
        ("t", 1), ("t", 2), ("h", 2), ("cx", 0, 1), ("t", 0), ("tdg", 1), ("cx", 0, 1),
    ]  # fmt: skip
    return _steps(sequence)


def _rccx_steps(p: Sequence[ParameterValue]) -> Steps:
    sequence = [
        ("h", 2), ("t", 2), ("cx", 1, 2), ("tdg", 2), ("cx", 0, 2), ("t", 2), ("cx", 1, 2), ("tdg", 2), ("h", 2),
    ]  # fmt: skip
    return _steps(sequence)


def _rc3x_steps(p: Sequence[ParameterValue]) -> Steps:
    sequence = [
        ("h", 3), ("t", 3), ("cx", 2, 3), ("tdg", 3), ("h", 3), ("cx", 0, 3), ("t", 3), ("cx", 1, 3), ("tdg", 3),
        ("cx", 0, 3), ("t", 3), ("cx", 1, 3), ("tdg", 3), ("h", 3), ("t", 3), ("cx", 2, 3), ("tdg", 3), ("h", 3),
    ]  # fmt: skip
    return _steps(sequence)


def _steps(sequence: Sequence[tuple[str | int, ...]]) -> Steps:
    return tuple(Step(str(entry[0]), tuple(int(qubit) for qubit in entry[1:])) for entry in sequence)


def _multi_controlled(angle: float, count: int) -> StepsFunction:
    """X (angle pi) or its root sx (pi/2) under count - 1 controls, as a phase between two h."""
    last = Step("h", (count - 1,))
    return lambda p: _around(last, mcphase_steps(angle, range(count)))


def _fixed(
    name: str,
    num_qubits: int,
    num_params: int = 0,
    *,
    own_controls: int = 0,
    inverse: StepsFunction | None = None,
    decomposition: StepsFunction | None = None,
    flags: GateFlag = GateFlag.NONE,
    aliases: tuple[str, ...] = (),
    doc: str,
) -> GateRow:
    matrix = MATRIX_FUNCTIONS[name]
    return GateRow(name, num_qubits, num_params, own_controls, matrix, inverse, decomposition, flags, aliases, doc)


_D, _H, _R, _M, _C = GateFlag.DIAGONAL, GateFlag.HERMITIAN, GateFlag.REAL, GateFlag.MONOMIAL, GateFlag.CLIFFORD
_NOT = GateFlag.NOT_A_GATE
_FLOW = GateFlag.NOT_A_GATE | GateFlag.CONTROL_FLOW | GateFlag.DATA

_ONE_QUBIT = (
    _fixed("gphase", 0, 1, inverse=_negated("gphase", 0), flags=_D | _M, doc="global phase e^{i gamma}"),
    _fixed("id", 1, decomposition=lambda p: (), flags=_D | _H | _R | _M | _C, aliases=("i",),
           doc="identity"),
    _fixed("x", 1, decomposition=lambda p: _u_steps(_PI, 0.0, _PI), flags=_H | _R | _M | _C,
           doc="Pauli X, bit flip"),
    _fixed("y", 1, decomposition=lambda p: _u_steps(_PI, _PI / 2, _PI / 2), flags=_H | _M | _C, doc="Pauli Y"),
    _fixed("z", 1, decomposition=lambda p: _u_steps(0.0, 0.0, _PI), flags=_D | _H | _R | _M | _C,
           doc="Pauli Z, phase flip"),
    _fixed("h", 1, decomposition=lambda p: _u_steps(_PI / 2, 0.0, _PI), flags=_H | _R | _C, doc="Hadamard"),
    _fixed("s", 1, inverse=_named("sdg"), decomposition=lambda p: _u_steps(0.0, 0.0, _PI / 2), flags=_D | _M | _C,
           doc="square root of Z"),
    _fixed("sdg", 1, inverse=_named("s"), decomposition=lambda p: _u_steps(0.0, 0.0, -_PI / 2), flags=_D | _M | _C,
           doc="inverse of s"),
    _fixed("t", 1, inverse=_named("tdg"), decomposition=lambda p: _u_steps(0.0, 0.0, _PI / 4), flags=_D | _M,
           doc="fourth root of Z"),
    _fixed("tdg", 1, inverse=_named("t"), decomposition=lambda p: _u_steps(0.0, 0.0, -_PI / 4), flags=_D | _M,
           doc="inverse of t"),
    _fixed("sx", 1, inverse=_named("sxdg"),
           decomposition=lambda p: _phased(_PI / 4, _u_steps(_PI / 2, -_PI / 2, _PI / 2)), flags=_C,
           doc="square root of X"),
    _fixed("sxdg", 1, inverse=_named("sx"),
           decomposition=lambda p: _phased(-_PI / 4, _u_steps(-_PI / 2, -_PI / 2, _PI / 2)), flags=_C,
           doc="inverse of sx"),
    _fixed("rx", 1, 1, inverse=_negated("rx"), decomposition=lambda p: _u_steps(p[0], -_PI / 2, _PI / 2),
           doc="exp(-i theta/2 X)"),
    _fixed("ry", 1, 1, inverse=_negated("ry"), decomposition=lambda p: _u_steps(p[0], 0.0, 0.0), flags=_R,
           doc="exp(-i theta/2 Y)"),
    _fixed("rz", 1, 1, inverse=_negated("rz"),
           decomposition=lambda p: _phased(-p[0] / 2, _u_steps(0.0, 0.0, p[0])), flags=_D | _M,
           doc="exp(-i theta/2 Z)"),
    _fixed("p", 1, 1, inverse=_negated("p"), decomposition=lambda p: _u_steps(0.0, 0.0, p[0]), flags=_D | _M,
           aliases=("phase",), doc="diag(1, e^{i lambda})"),
    _fixed("r", 1, 2, inverse=_first_negated("r", 1),
           decomposition=lambda p: _u_steps(p[0], p[1] - _PI / 2, _PI / 2 - p[1]),
           doc="rotation by theta about cos(phi) X + sin(phi) Y"),
    _fixed("u", 1, 3, inverse=_euler_inverse("u"), aliases=("U",), doc="general gate u(theta, phi, lambda)"),
    _fixed("u1", 1, 1, inverse=_negated("u1"), decomposition=lambda p: _u_steps(0.0, 0.0, p[0]), flags=_D | _M,
           doc="p under its OpenQASM 2 name"),
    _fixed("u2", 1, 2, inverse=lambda p: (Step("u2", (0,), (-p[1] - _PI, -p[0] + _PI)),),
           decomposition=lambda p: _u_steps(_PI / 2, p[0], p[1]), doc="u(pi/2, phi, lambda)"),
    _fixed("u3", 1, 3, inverse=_euler_inverse("u3"), decomposition=lambda p: _u_steps(p[0], p[1], p[2]),
           doc="u under its OpenQASM 2 name"),
)  # fmt: skip

_CONTROLLED = (
    _fixed("cx", 2, own_controls=1, flags=_H | _R | _M | _C, aliases=("CX", "cnot"), doc="controlled X"),
    _fixed("cy", 2, own_controls=1, decomposition=lambda p: (Step("sdg", (1,)), _CX, Step("s", (1,))),
           flags=_H | _M | _C, doc="controlled Y"),
    _fixed("cz", 2, own_controls=1, decomposition=lambda p: _around(_H1, (_CX,)), flags=_D | _H | _R | _M | _C,
           doc="controlled Z"),
    _fixed("ch", 2, own_controls=1,
           decomposition=lambda p: _steps([("s", 1), ("h", 1), ("t", 1), ("cx", 0, 1), ("tdg", 1), ("h", 1),
                                           ("sdg", 1)]),
           flags=_H | _R, doc="controlled Hadamard"),
    _fixed("cs", 2, own_controls=1, inverse=_named("csdg", 2),
           decomposition=lambda p: (Step("cp", (0, 1), (_PI / 2,)),), flags=_D | _M, doc="controlled s"),
    _fixed("csdg", 2, own_controls=1, inverse=_named("cs", 2),
           decomposition=lambda p: (Step("cp", (0, 1), (-_PI / 2,)),), flags=_D | _M, doc="controlled sdg"),
    _fixed("csx", 2, own_controls=1, inverse=lambda p: (Step("sxdg", (1,), (), (0,)),),
           decomposition=lambda p: _around(_H1, (Step("cp", (0, 1), (_PI / 2,)),)), doc="controlled sx"),
    _fixed("cp", 2, 1, own_controls=1, inverse=_negated("cp", 2), decomposition=lambda p: mcphase_steps(p[0], (0, 1)),
           flags=_D | _M, aliases=("cphase",), doc="controlled p"),
    _fixed("cu1", 2, 1, own_controls=1, inverse=_negated("cu1", 2),
           decomposition=lambda p: mcphase_steps(p[0], (0, 1)), flags=_D | _M, doc="cp under its OpenQASM 2 name"),
    _fixed("crx", 2, 1, own_controls=1, inverse=_negated("crx", 2),
           decomposition=lambda p: _around(_H1, (Step("crz", (0, 1), (p[0],)),)), doc="controlled rx"),
    _fixed("cry", 2, 1, own_controls=1, inverse=_negated("cry", 2), decomposition=_half_angles("ry"), flags=_R,
           doc="controlled ry"),
    _fixed("crz", 2, 1, own_controls=1, inverse=_negated("crz", 2), decomposition=_half_angles("rz"), flags=_D | _M,
           doc="controlled rz"),
    _fixed("cu", 2, 4, own_controls=1, inverse=_euler_inverse("cu", 2),
           decomposition=lambda p: (_on_target("p", 0, p[3]), *_cu3_steps(p)),
           doc="controlled e^{i gamma} u(theta, phi, lambda)"),
    _fixed("cu3", 2, 3, own_controls=1, inverse=_euler_inverse("cu3", 2), decomposition=_cu3_steps,
           doc="controlled u3"),
)  # fmt: skip

_TWO_QUBIT = (
    _fixed("swap", 2, decomposition=lambda p: (_CX, _CX_BACK, _CX), flags=_H | _R | _M | _C, doc="exchange two qubits"),
    _fixed("iswap", 2, inverse=lambda p: (Step("xx_plus_yy", (0, 1), (_PI, 0.0)),),
           decomposition=lambda p: _steps([("s", 0), ("s", 1), ("h", 0), ("cx", 0, 1), ("cx", 1, 0), ("h", 1)]),
           flags=_M | _C, doc="swap with a factor i on the exchanged states"),
    _fixed("dcx", 2, inverse=lambda p: (Step("dcx", (1, 0)),), decomposition=lambda p: (_CX, _CX_BACK),
           flags=_R | _M | _C, doc="cx(a, b), then cx(b, a)"),
    _fixed("ecr", 2,
           decomposition=lambda p: (Step("rzx", (0, 1), (_PI / 4,)), Step("x", (0,)), Step("rzx", (0, 1), (-_PI / 4,))),
           flags=_H | _C, doc="echoed cross resonance"),
    _fixed("rxx", 2, 1, inverse=_negated("rxx", 2),
           decomposition=lambda p: (_H0, _H1, Step("rzz", (0, 1), (p[0],)), _H0, _H1), doc="exp(-i theta/2 XX)"),
    _fixed("ryy", 2, 1, inverse=_negated("ryy", 2),
           decomposition=lambda p: (Step("sx", (0,)), Step("sx", (1,)), Step("rzz", (0, 1), (p[0],)),
                                    Step("sxdg", (0,)), Step("sxdg", (1,))),
           doc="exp(-i theta/2 YY)"),
    _fixed("rzz", 2, 1, inverse=_negated("rzz", 2), decomposition=lambda p: (_CX, _on_target("rz", 1, p[0]), _CX),
           flags=_D | _M, doc="exp(-i theta/2 ZZ)"),
    _fixed("rzx", 2, 1, inverse=_negated("rzx", 2),
           decomposition=lambda p: _around(_H1, (Step("rzz", (0, 1), (p[0],)),)),
           doc="exp(-i theta/2 P), Z on the first qubit and X on the second"),
    _fixed("xx_plus_yy", 2, 2, inverse=_first_negated("xx_plus_yy", 2),
           decomposition=lambda p: (_on_target("rz", 0, p[1]), Step("rxx", (0, 1), (p[0] / 2,)),
                                    Step("ryy", (0, 1), (p[0] / 2,)), _on_target("rz", 0, -p[1])),
           doc="rotation by theta with phase beta between |01> and |10>"),
    _fixed("xx_minus_yy", 2, 2, inverse=_first_negated("xx_minus_yy", 2),
           decomposition=lambda p: (_on_target("rz", 0, -p[1]), Step("rxx", (0, 1), (p[0] / 2,)),
                                    Step("ryy", (0, 1), (-p[0] / 2,)), _on_target("rz", 0, p[1])),
           doc="rotation by theta with phase beta between |00> and |11>"),
    _fixed("fsim", 2, 2, inverse=_negated("fsim", 2),
           decomposition=lambda p: (Step("rxx", (0, 1), (p[0],)), Step("ryy", (0, 1), (p[0],)),
                                    Step("cp", (0, 1), (-p[1],))),
           doc="fermionic simulation gate fsim(theta, phi)"),
)  # fmt: skip

_MANY_QUBIT = (
    _fixed("ccx", 3, own_controls=2, decomposition=_ccx_steps, flags=_H | _R | _M, aliases=("toffoli",),
           doc="X under two controls"),
    _fixed("ccz", 3, own_controls=2, decomposition=lambda p: _around(_H2, (Step("ccx", (0, 1, 2)),)),
           flags=_D | _H | _R | _M, doc="Z under two controls"),
    _fixed("cswap", 3, own_controls=1,
           decomposition=lambda p: _around(Step("cx", (2, 1)), (Step("ccx", (0, 1, 2)),)), flags=_H | _R | _M,
           aliases=("fredkin",), doc="controlled swap"),
    _fixed("rccx", 3, decomposition=_rccx_steps, flags=_H | _M, aliases=("margolus",),
           doc="ccx up to relative phases (Margolus)"),
    _fixed("c3x", 4, own_controls=3, decomposition=_multi_controlled(_PI, 4), flags=_H | _R | _M,
           doc="X under three controls"),
    _fixed("c3sx", 4, own_controls=3, inverse=lambda p: (Step("sxdg", (3,), (), (0, 1, 2)),),
           decomposition=_multi_controlled(_PI / 2, 4), aliases=("c3sqrtx",), doc="sx under three controls"),
    _fixed("c4x", 5, own_controls=4, decomposition=_multi_controlled(_PI, 5), flags=_H | _R | _M,
           doc="X under four controls"),
    # Where the gate is not the identity it is a Pauli times +-i, and X on the target flips that sign.
    _fixed("rc3x", 4, inverse=lambda p: _around(Step("x", (3,)), (Step("rc3x", (0, 1, 2, 3)),)),
           decomposition=_rc3x_steps, flags=_M, aliases=("rcccx",), doc="c3x up to relative phases"),
)  # fmt: skip

_DATA_ROWS = (
    GateRow("unitary", None, flags=GateFlag.DATA, doc="any unitary matrix on up to 10 qubits"),
    GateRow("diagonal", None, flags=GateFlag.DATA | _D | _M, doc="any diagonal of unit-modulus numbers"),
    GateRow("permutation", None, flags=GateFlag.DATA | _R | _M, doc="any permutation of the basis states"),
    GateRow("pauli_rotation", None, 1, flags=GateFlag.DATA, doc="exp(-i angle/2 P) of a Pauli string P"),
)

_NOT_GATES = (
    GateRow("measure", 1, flags=_NOT, doc="measure a qubit into a classical bit"),
    GateRow("reset", 1, flags=_NOT, doc="return a qubit to |0>"),
    GateRow("barrier", None, flags=_NOT, doc="no gate is moved across"),
    GateRow("if_else", None, flags=_FLOW, doc="run one of two blocks"),
    GateRow("while_loop", None, flags=_FLOW, doc="repeat a block while a condition holds"),
    GateRow("for_loop", None, flags=_FLOW, doc="repeat a block for each value"),
    GateRow("switch_case", None, flags=_FLOW, doc="run the block of the matching value"),
    GateRow("break_loop", 0, flags=_NOT, doc="leave the innermost loop"),
    GateRow("continue_loop", 0, flags=_NOT, doc="go on with the next pass of the innermost loop"),
    GateRow("assign", 0, flags=_NOT | GateFlag.DATA, doc="give classical bits or a variable a new value"),
)

GATES: tuple[GateRow, ...] = _ONE_QUBIT + _CONTROLLED + _TWO_QUBIT + _MANY_QUBIT + _DATA_ROWS + _NOT_GATES
"""All rows; the opcode is the index."""

NUM_GATES: int = len(GATES) - len(_NOT_GATES)
"""Opcodes below this are unitary gates and may reach an engine."""

OPCODES: dict[str, int] = {name: op for op, row in enumerate(GATES) for name in (row.name, *row.aliases)}
"""Opcode of each name and alias."""


def find_gate(name: str) -> GateRow:
    """Return the row of a gate by its name or an alias.

    Raises
    ------
    GateError
        There is no such gate; the message names the nearest one.

    Examples
    --------
    >>> find_gate("cnot").name
    'cx'
    """
    try:
        return GATES[OPCODES[name]]
    except (KeyError, TypeError):
        raise GateError(unknown_gate_message(name)) from None


def unknown_gate_message(name: object) -> str:
    """Say that a gate is unknown, and which name is nearest."""
    if not isinstance(name, str):
        return f"a gate is named by a string, not by {name!r}"
    near = difflib.get_close_matches(name.lower(), OPCODES, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else "see qfast.circuit.GATES for all names"
    return f"unknown gate '{name}'; {hint}"

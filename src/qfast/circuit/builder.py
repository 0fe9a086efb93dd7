"""One method per gate of the table, written out so that editors, type checkers and readers see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self, TypeVar

from qfast.circuit.gates import GATES, OPCODES
from qfast.circuit.operands import Operand
from qfast.circuit.parameter import ParameterExpression
from qfast.circuit.storage import Angle, CircuitStorage
from qfast.extension import core

__all__ = ["GateMethods", "gate_method", "taken_by_core"]

_OP = OPCODES

_Method = TypeVar("_Method", bound=Callable[..., object])


def taken_by_core(chosen: int | Mapping[str, int], *counts: int) -> Callable[[_Method], _Method]:
    """Let the core append where a method's arguments are plain; the method itself takes all others.

    Parameters
    ----------
    chosen : int or mapping
        The gate's opcode (``measure`` without counts), or opcodes by name: the method is ``append``.
    *counts : int
        Number of parameters and of qubits.
    """

    def made(method: _Method) -> _Method:
        if core is None:
            return method
        slot = CircuitStorage.__dict__["_rows"]
        fast: _Method = core.GateMethod(method, slot, ParameterExpression, chosen, *counts)
        return fast

    return made


def gate_method(name: str) -> Callable[[_Method], _Method]:
    """Let the core append a gate of the table; see `taken_by_core`."""
    row = GATES[OPCODES[name]]
    assert row.num_qubits is not None
    return taken_by_core(OPCODES[name], row.num_params, row.num_qubits)


class GateMethods(CircuitStorage):
    """The gate methods of :class:`~qfast.circuit.Circuit`; each appends one gate and returns the circuit.

    Angles come first, then the gate's qubits in its own order. A qubit is an integer; where operands name several (a
    list, a range, a register, an integer array, a slice of all qubits), the gate is appended for each:
    ``c.h(range(3))``, ``c.cx(0, [1, 2])``, ``c.cx([0, 1], [2, 3])``, ``c.rx(angles, range(3))``. Several go together
    with equally many, one goes with each. ``tests/circuit/test_builder.py`` holds the methods against the gate table.
    """

    __slots__ = ()

    @gate_method("gphase")
    def gphase(self, gamma: Angle) -> Self:
        """Global phase e^{i gamma}."""
        return self._append_gate(_OP["gphase"], (), (gamma,))

    @gate_method("id")
    def id(self, qubit: Operand) -> Self:
        """Identity."""
        return self._append_gate(_OP["id"], (qubit,))

    @gate_method("id")
    def i(self, qubit: Operand) -> Self:
        """Alias of :meth:`id`."""
        return self._append_gate(_OP["id"], (qubit,))

    @gate_method("x")
    def x(self, qubit: Operand) -> Self:
        """Pauli X, bit flip."""
        return self._append_gate(_OP["x"], (qubit,))

    @gate_method("y")
    def y(self, qubit: Operand) -> Self:
        """Pauli Y."""
        return self._append_gate(_OP["y"], (qubit,))

    @gate_method("z")
    def z(self, qubit: Operand) -> Self:
        """Pauli Z, phase flip."""
        return self._append_gate(_OP["z"], (qubit,))

    @gate_method("h")
    def h(self, qubit: Operand) -> Self:
        """Hadamard."""
        return self._append_gate(_OP["h"], (qubit,))

    @gate_method("s")
    def s(self, qubit: Operand) -> Self:
        """Square root of Z."""
        return self._append_gate(_OP["s"], (qubit,))

    @gate_method("sdg")
    def sdg(self, qubit: Operand) -> Self:
        """Inverse of s."""
        return self._append_gate(_OP["sdg"], (qubit,))

    @gate_method("t")
    def t(self, qubit: Operand) -> Self:
        """Fourth root of Z."""
        return self._append_gate(_OP["t"], (qubit,))

    @gate_method("tdg")
    def tdg(self, qubit: Operand) -> Self:
        """Inverse of t."""
        return self._append_gate(_OP["tdg"], (qubit,))

    @gate_method("sx")
    def sx(self, qubit: Operand) -> Self:
        """Square root of X."""
        return self._append_gate(_OP["sx"], (qubit,))

    @gate_method("sxdg")
    def sxdg(self, qubit: Operand) -> Self:
        """Inverse of sx."""
        return self._append_gate(_OP["sxdg"], (qubit,))

    @gate_method("rx")
    def rx(self, theta: Angle, qubit: Operand) -> Self:
        """Exp(-i theta/2 X)."""
        return self._append_gate(_OP["rx"], (qubit,), (theta,))

    @gate_method("ry")
    def ry(self, theta: Angle, qubit: Operand) -> Self:
        """Exp(-i theta/2 Y)."""
        return self._append_gate(_OP["ry"], (qubit,), (theta,))

    @gate_method("rz")
    def rz(self, theta: Angle, qubit: Operand) -> Self:
        """Exp(-i theta/2 Z)."""
        return self._append_gate(_OP["rz"], (qubit,), (theta,))

    @gate_method("p")
    def p(self, lam: Angle, qubit: Operand) -> Self:
        """Diag(1, e^{i lambda})."""
        return self._append_gate(_OP["p"], (qubit,), (lam,))

    @gate_method("p")
    def phase(self, lam: Angle, qubit: Operand) -> Self:
        """Alias of :meth:`p`."""
        return self._append_gate(_OP["p"], (qubit,), (lam,))

    @gate_method("r")
    def r(self, theta: Angle, phi: Angle, qubit: Operand) -> Self:
        """Rotation by theta about cos(phi) X + sin(phi) Y."""
        return self._append_gate(_OP["r"], (qubit,), (theta, phi))

    @gate_method("u")
    def u(self, theta: Angle, phi: Angle, lam: Angle, qubit: Operand) -> Self:
        """General gate u(theta, phi, lambda)."""
        return self._append_gate(_OP["u"], (qubit,), (theta, phi, lam))

    @gate_method("u")
    def U(self, theta: Angle, phi: Angle, lam: Angle, qubit: Operand) -> Self:
        """Alias of :meth:`u`."""
        return self._append_gate(_OP["u"], (qubit,), (theta, phi, lam))

    @gate_method("u1")
    def u1(self, lam: Angle, qubit: Operand) -> Self:
        """P under its OpenQASM 2 name."""
        return self._append_gate(_OP["u1"], (qubit,), (lam,))

    @gate_method("u2")
    def u2(self, phi: Angle, lam: Angle, qubit: Operand) -> Self:
        """U(pi/2, phi, lambda)."""
        return self._append_gate(_OP["u2"], (qubit,), (phi, lam))

    @gate_method("u3")
    def u3(self, theta: Angle, phi: Angle, lam: Angle, qubit: Operand) -> Self:
        """U under its OpenQASM 2 name."""
        return self._append_gate(_OP["u3"], (qubit,), (theta, phi, lam))

    @gate_method("cx")
    def cx(self, control: Operand, target: Operand) -> Self:
        """Controlled X."""
        return self._append_gate(_OP["cx"], (control, target))

    @gate_method("cx")
    def CX(self, control: Operand, target: Operand) -> Self:
        """Alias of :meth:`cx`."""
        return self._append_gate(_OP["cx"], (control, target))

    @gate_method("cx")
    def cnot(self, control: Operand, target: Operand) -> Self:
        """Alias of :meth:`cx`."""
        return self._append_gate(_OP["cx"], (control, target))

    @gate_method("cy")
    def cy(self, control: Operand, target: Operand) -> Self:
        """Controlled Y."""
        return self._append_gate(_OP["cy"], (control, target))

    @gate_method("cz")
    def cz(self, control: Operand, target: Operand) -> Self:
        """Controlled Z."""
        return self._append_gate(_OP["cz"], (control, target))

    @gate_method("ch")
    def ch(self, control: Operand, target: Operand) -> Self:
        """Controlled Hadamard."""
        return self._append_gate(_OP["ch"], (control, target))

    @gate_method("cs")
    def cs(self, control: Operand, target: Operand) -> Self:
        """Controlled s."""
        return self._append_gate(_OP["cs"], (control, target))

    @gate_method("csdg")
    def csdg(self, control: Operand, target: Operand) -> Self:
        """Controlled sdg."""
        return self._append_gate(_OP["csdg"], (control, target))

    @gate_method("csx")
    def csx(self, control: Operand, target: Operand) -> Self:
        """Controlled sx."""
        return self._append_gate(_OP["csx"], (control, target))

    @gate_method("cp")
    def cp(self, lam: Angle, control: Operand, target: Operand) -> Self:
        """Controlled p."""
        return self._append_gate(_OP["cp"], (control, target), (lam,))

    @gate_method("cp")
    def cphase(self, lam: Angle, control: Operand, target: Operand) -> Self:
        """Alias of :meth:`cp`."""
        return self._append_gate(_OP["cp"], (control, target), (lam,))

    @gate_method("cu1")
    def cu1(self, lam: Angle, control: Operand, target: Operand) -> Self:
        """Cp under its OpenQASM 2 name."""
        return self._append_gate(_OP["cu1"], (control, target), (lam,))

    @gate_method("crx")
    def crx(self, theta: Angle, control: Operand, target: Operand) -> Self:
        """Controlled rx."""
        return self._append_gate(_OP["crx"], (control, target), (theta,))

    @gate_method("cry")
    def cry(self, theta: Angle, control: Operand, target: Operand) -> Self:
        """Controlled ry."""
        return self._append_gate(_OP["cry"], (control, target), (theta,))

    @gate_method("crz")
    def crz(self, theta: Angle, control: Operand, target: Operand) -> Self:
        """Controlled rz."""
        return self._append_gate(_OP["crz"], (control, target), (theta,))

    @gate_method("cu")
    def cu(self, theta: Angle, phi: Angle, lam: Angle, gamma: Angle, control: Operand, target: Operand) -> Self:
        """Controlled e^{i gamma} u(theta, phi, lambda)."""
        return self._append_gate(_OP["cu"], (control, target), (theta, phi, lam, gamma))

    @gate_method("cu3")
    def cu3(self, theta: Angle, phi: Angle, lam: Angle, control: Operand, target: Operand) -> Self:
        """Controlled u3."""
        return self._append_gate(_OP["cu3"], (control, target), (theta, phi, lam))

    @gate_method("swap")
    def swap(self, a: Operand, b: Operand) -> Self:
        """Exchange two qubits."""
        return self._append_gate(_OP["swap"], (a, b))

    @gate_method("iswap")
    def iswap(self, a: Operand, b: Operand) -> Self:
        """Swap with a factor i on the exchanged states."""
        return self._append_gate(_OP["iswap"], (a, b))

    @gate_method("dcx")
    def dcx(self, a: Operand, b: Operand) -> Self:
        """Cx(a, b), then cx(b, a)."""
        return self._append_gate(_OP["dcx"], (a, b))

    @gate_method("ecr")
    def ecr(self, a: Operand, b: Operand) -> Self:
        """Echoed cross resonance."""
        return self._append_gate(_OP["ecr"], (a, b))

    @gate_method("rxx")
    def rxx(self, theta: Angle, a: Operand, b: Operand) -> Self:
        """Exp(-i theta/2 XX)."""
        return self._append_gate(_OP["rxx"], (a, b), (theta,))

    @gate_method("ryy")
    def ryy(self, theta: Angle, a: Operand, b: Operand) -> Self:
        """Exp(-i theta/2 YY)."""
        return self._append_gate(_OP["ryy"], (a, b), (theta,))

    @gate_method("rzz")
    def rzz(self, theta: Angle, a: Operand, b: Operand) -> Self:
        """Exp(-i theta/2 ZZ)."""
        return self._append_gate(_OP["rzz"], (a, b), (theta,))

    @gate_method("rzx")
    def rzx(self, theta: Angle, a: Operand, b: Operand) -> Self:
        """Exp(-i theta/2 P), Z on the first qubit and X on the second."""
        return self._append_gate(_OP["rzx"], (a, b), (theta,))

    @gate_method("xx_plus_yy")
    def xx_plus_yy(self, theta: Angle, beta: Angle, a: Operand, b: Operand) -> Self:
        """Rotation by theta with phase beta between |01> and |10>."""
        return self._append_gate(_OP["xx_plus_yy"], (a, b), (theta, beta))

    @gate_method("xx_minus_yy")
    def xx_minus_yy(self, theta: Angle, beta: Angle, a: Operand, b: Operand) -> Self:
        """Rotation by theta with phase beta between |00> and |11>."""
        return self._append_gate(_OP["xx_minus_yy"], (a, b), (theta, beta))

    @gate_method("fsim")
    def fsim(self, theta: Angle, phi: Angle, a: Operand, b: Operand) -> Self:
        """Fermionic simulation gate fsim(theta, phi)."""
        return self._append_gate(_OP["fsim"], (a, b), (theta, phi))

    @gate_method("ccx")
    def ccx(self, control_1: Operand, control_2: Operand, target: Operand) -> Self:
        """X under two controls."""
        return self._append_gate(_OP["ccx"], (control_1, control_2, target))

    @gate_method("ccx")
    def toffoli(self, control_1: Operand, control_2: Operand, target: Operand) -> Self:
        """Alias of :meth:`ccx`."""
        return self._append_gate(_OP["ccx"], (control_1, control_2, target))

    @gate_method("ccz")
    def ccz(self, control_1: Operand, control_2: Operand, target: Operand) -> Self:
        """Z under two controls."""
        return self._append_gate(_OP["ccz"], (control_1, control_2, target))

    @gate_method("cswap")
    def cswap(self, control: Operand, a: Operand, b: Operand) -> Self:
        """Controlled swap."""
        return self._append_gate(_OP["cswap"], (control, a, b))

    @gate_method("cswap")
    def fredkin(self, control: Operand, a: Operand, b: Operand) -> Self:
        """Alias of :meth:`cswap`."""
        return self._append_gate(_OP["cswap"], (control, a, b))

    @gate_method("rccx")
    def rccx(self, control_1: Operand, control_2: Operand, target: Operand) -> Self:
        """Ccx up to relative phases (Margolus)."""
        return self._append_gate(_OP["rccx"], (control_1, control_2, target))

    @gate_method("rccx")
    def margolus(self, control_1: Operand, control_2: Operand, target: Operand) -> Self:
        """Alias of :meth:`rccx`."""
        return self._append_gate(_OP["rccx"], (control_1, control_2, target))

    @gate_method("c3x")
    def c3x(self, control_1: Operand, control_2: Operand, control_3: Operand, target: Operand) -> Self:
        """X under three controls."""
        return self._append_gate(_OP["c3x"], (control_1, control_2, control_3, target))

    @gate_method("c3sx")
    def c3sx(self, control_1: Operand, control_2: Operand, control_3: Operand, target: Operand) -> Self:
        """Sx under three controls."""
        return self._append_gate(_OP["c3sx"], (control_1, control_2, control_3, target))

    @gate_method("c3sx")
    def c3sqrtx(self, control_1: Operand, control_2: Operand, control_3: Operand, target: Operand) -> Self:
        """Alias of :meth:`c3sx`."""
        return self._append_gate(_OP["c3sx"], (control_1, control_2, control_3, target))

    @gate_method("c4x")
    def c4x(
        self, control_1: Operand, control_2: Operand, control_3: Operand, control_4: Operand, target: Operand
    ) -> Self:
        """X under four controls."""
        return self._append_gate(_OP["c4x"], (control_1, control_2, control_3, control_4, target))

    @gate_method("rc3x")
    def rc3x(self, control_1: Operand, control_2: Operand, control_3: Operand, target: Operand) -> Self:
        """C3x up to relative phases."""
        return self._append_gate(_OP["rc3x"], (control_1, control_2, control_3, target))

    @gate_method("rc3x")
    def rcccx(self, control_1: Operand, control_2: Operand, control_3: Operand, target: Operand) -> Self:
        """Alias of :meth:`rc3x`."""
        return self._append_gate(_OP["rc3x"], (control_1, control_2, control_3, target))

"""One method per gate of the table, written out so that editors, type checkers and readers see them."""

from __future__ import annotations

from typing import Self

from qfast.circuit.gates import OPCODES
from qfast.circuit.storage import Angle, CircuitStorage

__all__ = ["GateMethods"]

_OP = OPCODES


class GateMethods(CircuitStorage):
    """The gate methods of :class:`~qfast.circuit.Circuit`; each appends one gate and returns the circuit.

    Angles come first, then the gate's qubits in its own order. ``tests/circuit/test_builder.py`` holds the methods
    against the gate table.
    """

    __slots__ = ()

    def gphase(self, gamma: Angle) -> Self:
        """Global phase e^{i gamma}."""
        return self._append_checked(_OP["gphase"], (), (gamma,))

    def id(self, qubit: int) -> Self:
        """Identity."""
        return self._append_1(_OP["id"], qubit)

    def i(self, qubit: int) -> Self:
        """Alias of :meth:`id`."""
        return self._append_1(_OP["id"], qubit)

    def x(self, qubit: int) -> Self:
        """Pauli X, bit flip."""
        return self._append_1(_OP["x"], qubit)

    def y(self, qubit: int) -> Self:
        """Pauli Y."""
        return self._append_1(_OP["y"], qubit)

    def z(self, qubit: int) -> Self:
        """Pauli Z, phase flip."""
        return self._append_1(_OP["z"], qubit)

    def h(self, qubit: int) -> Self:
        """Hadamard."""
        return self._append_1(_OP["h"], qubit)

    def s(self, qubit: int) -> Self:
        """Square root of Z."""
        return self._append_1(_OP["s"], qubit)

    def sdg(self, qubit: int) -> Self:
        """Inverse of s."""
        return self._append_1(_OP["sdg"], qubit)

    def t(self, qubit: int) -> Self:
        """Fourth root of Z."""
        return self._append_1(_OP["t"], qubit)

    def tdg(self, qubit: int) -> Self:
        """Inverse of t."""
        return self._append_1(_OP["tdg"], qubit)

    def sx(self, qubit: int) -> Self:
        """Square root of X."""
        return self._append_1(_OP["sx"], qubit)

    def sxdg(self, qubit: int) -> Self:
        """Inverse of sx."""
        return self._append_1(_OP["sxdg"], qubit)

    def rx(self, theta: Angle, qubit: int) -> Self:
        """Exp(-i theta/2 X)."""
        return self._append_1_1(_OP["rx"], theta, qubit)

    def ry(self, theta: Angle, qubit: int) -> Self:
        """Exp(-i theta/2 Y)."""
        return self._append_1_1(_OP["ry"], theta, qubit)

    def rz(self, theta: Angle, qubit: int) -> Self:
        """Exp(-i theta/2 Z)."""
        return self._append_1_1(_OP["rz"], theta, qubit)

    def p(self, lam: Angle, qubit: int) -> Self:
        """Diag(1, e^{i lambda})."""
        return self._append_1_1(_OP["p"], lam, qubit)

    def phase(self, lam: Angle, qubit: int) -> Self:
        """Alias of :meth:`p`."""
        return self._append_1_1(_OP["p"], lam, qubit)

    def r(self, theta: Angle, phi: Angle, qubit: int) -> Self:
        """Rotation by theta about cos(phi) X + sin(phi) Y."""
        return self._append_checked(_OP["r"], (qubit,), (theta, phi))

    def u(self, theta: Angle, phi: Angle, lam: Angle, qubit: int) -> Self:
        """General gate u(theta, phi, lambda)."""
        return self._append_checked(_OP["u"], (qubit,), (theta, phi, lam))

    def U(self, theta: Angle, phi: Angle, lam: Angle, qubit: int) -> Self:
        """Alias of :meth:`u`."""
        return self._append_checked(_OP["u"], (qubit,), (theta, phi, lam))

    def u1(self, lam: Angle, qubit: int) -> Self:
        """P under its OpenQASM 2 name."""
        return self._append_1_1(_OP["u1"], lam, qubit)

    def u2(self, phi: Angle, lam: Angle, qubit: int) -> Self:
        """U(pi/2, phi, lambda)."""
        return self._append_checked(_OP["u2"], (qubit,), (phi, lam))

    def u3(self, theta: Angle, phi: Angle, lam: Angle, qubit: int) -> Self:
        """U under its OpenQASM 2 name."""
        return self._append_checked(_OP["u3"], (qubit,), (theta, phi, lam))

    def cx(self, control: int, target: int) -> Self:
        """Controlled X."""
        return self._append_2(_OP["cx"], control, target)

    def CX(self, control: int, target: int) -> Self:
        """Alias of :meth:`cx`."""
        return self._append_2(_OP["cx"], control, target)

    def cnot(self, control: int, target: int) -> Self:
        """Alias of :meth:`cx`."""
        return self._append_2(_OP["cx"], control, target)

    def cy(self, control: int, target: int) -> Self:
        """Controlled Y."""
        return self._append_2(_OP["cy"], control, target)

    def cz(self, control: int, target: int) -> Self:
        """Controlled Z."""
        return self._append_2(_OP["cz"], control, target)

    def ch(self, control: int, target: int) -> Self:
        """Controlled Hadamard."""
        return self._append_2(_OP["ch"], control, target)

    def cs(self, control: int, target: int) -> Self:
        """Controlled s."""
        return self._append_2(_OP["cs"], control, target)

    def csdg(self, control: int, target: int) -> Self:
        """Controlled sdg."""
        return self._append_2(_OP["csdg"], control, target)

    def csx(self, control: int, target: int) -> Self:
        """Controlled sx."""
        return self._append_2(_OP["csx"], control, target)

    def cp(self, lam: Angle, control: int, target: int) -> Self:
        """Controlled p."""
        return self._append_checked(_OP["cp"], (control, target), (lam,))

    def cphase(self, lam: Angle, control: int, target: int) -> Self:
        """Alias of :meth:`cp`."""
        return self._append_checked(_OP["cp"], (control, target), (lam,))

    def cu1(self, lam: Angle, control: int, target: int) -> Self:
        """Cp under its OpenQASM 2 name."""
        return self._append_checked(_OP["cu1"], (control, target), (lam,))

    def crx(self, theta: Angle, control: int, target: int) -> Self:
        """Controlled rx."""
        return self._append_checked(_OP["crx"], (control, target), (theta,))

    def cry(self, theta: Angle, control: int, target: int) -> Self:
        """Controlled ry."""
        return self._append_checked(_OP["cry"], (control, target), (theta,))

    def crz(self, theta: Angle, control: int, target: int) -> Self:
        """Controlled rz."""
        return self._append_checked(_OP["crz"], (control, target), (theta,))

    def cu(self, theta: Angle, phi: Angle, lam: Angle, gamma: Angle, control: int, target: int) -> Self:
        """Controlled e^{i gamma} u(theta, phi, lambda)."""
        return self._append_checked(_OP["cu"], (control, target), (theta, phi, lam, gamma))

    def cu3(self, theta: Angle, phi: Angle, lam: Angle, control: int, target: int) -> Self:
        """Controlled u3."""
        return self._append_checked(_OP["cu3"], (control, target), (theta, phi, lam))

    def swap(self, a: int, b: int) -> Self:
        """Exchange two qubits."""
        return self._append_2(_OP["swap"], a, b)

    def iswap(self, a: int, b: int) -> Self:
        """Swap with a factor i on the exchanged states."""
        return self._append_2(_OP["iswap"], a, b)

    def dcx(self, a: int, b: int) -> Self:
        """Cx(a, b), then cx(b, a)."""
        return self._append_2(_OP["dcx"], a, b)

    def ecr(self, a: int, b: int) -> Self:
        """Echoed cross resonance."""
        return self._append_2(_OP["ecr"], a, b)

    def rxx(self, theta: Angle, a: int, b: int) -> Self:
        """Exp(-i theta/2 XX)."""
        return self._append_checked(_OP["rxx"], (a, b), (theta,))

    def ryy(self, theta: Angle, a: int, b: int) -> Self:
        """Exp(-i theta/2 YY)."""
        return self._append_checked(_OP["ryy"], (a, b), (theta,))

    def rzz(self, theta: Angle, a: int, b: int) -> Self:
        """Exp(-i theta/2 ZZ)."""
        return self._append_checked(_OP["rzz"], (a, b), (theta,))

    def rzx(self, theta: Angle, a: int, b: int) -> Self:
        """Exp(-i theta/2 P), Z on the first qubit and X on the second."""
        return self._append_checked(_OP["rzx"], (a, b), (theta,))

    def xx_plus_yy(self, theta: Angle, beta: Angle, a: int, b: int) -> Self:
        """Rotation by theta with phase beta between |01> and |10>."""
        return self._append_checked(_OP["xx_plus_yy"], (a, b), (theta, beta))

    def xx_minus_yy(self, theta: Angle, beta: Angle, a: int, b: int) -> Self:
        """Rotation by theta with phase beta between |00> and |11>."""
        return self._append_checked(_OP["xx_minus_yy"], (a, b), (theta, beta))

    def fsim(self, theta: Angle, phi: Angle, a: int, b: int) -> Self:
        """Fermionic simulation gate fsim(theta, phi)."""
        return self._append_checked(_OP["fsim"], (a, b), (theta, phi))

    def ccx(self, control_1: int, control_2: int, target: int) -> Self:
        """X under two controls."""
        return self._append_checked(_OP["ccx"], (control_1, control_2, target), ())

    def toffoli(self, control_1: int, control_2: int, target: int) -> Self:
        """Alias of :meth:`ccx`."""
        return self._append_checked(_OP["ccx"], (control_1, control_2, target), ())

    def ccz(self, control_1: int, control_2: int, target: int) -> Self:
        """Z under two controls."""
        return self._append_checked(_OP["ccz"], (control_1, control_2, target), ())

    def cswap(self, control: int, a: int, b: int) -> Self:
        """Controlled swap."""
        return self._append_checked(_OP["cswap"], (control, a, b), ())

    def fredkin(self, control: int, a: int, b: int) -> Self:
        """Alias of :meth:`cswap`."""
        return self._append_checked(_OP["cswap"], (control, a, b), ())

    def rccx(self, control_1: int, control_2: int, target: int) -> Self:
        """Ccx up to relative phases (Margolus)."""
        return self._append_checked(_OP["rccx"], (control_1, control_2, target), ())

    def margolus(self, control_1: int, control_2: int, target: int) -> Self:
        """Alias of :meth:`rccx`."""
        return self._append_checked(_OP["rccx"], (control_1, control_2, target), ())

    def c3x(self, control_1: int, control_2: int, control_3: int, target: int) -> Self:
        """X under three controls."""
        return self._append_checked(_OP["c3x"], (control_1, control_2, control_3, target), ())

    def c3sx(self, control_1: int, control_2: int, control_3: int, target: int) -> Self:
        """Sx under three controls."""
        return self._append_checked(_OP["c3sx"], (control_1, control_2, control_3, target), ())

    def c3sqrtx(self, control_1: int, control_2: int, control_3: int, target: int) -> Self:
        """Alias of :meth:`c3sx`."""
        return self._append_checked(_OP["c3sx"], (control_1, control_2, control_3, target), ())

    def c4x(self, control_1: int, control_2: int, control_3: int, control_4: int, target: int) -> Self:
        """X under four controls."""
        return self._append_checked(_OP["c4x"], (control_1, control_2, control_3, control_4, target), ())

    def rc3x(self, control_1: int, control_2: int, control_3: int, target: int) -> Self:
        """C3x up to relative phases."""
        return self._append_checked(_OP["rc3x"], (control_1, control_2, control_3, target), ())

    def rcccx(self, control_1: int, control_2: int, control_3: int, target: int) -> Self:
        """Alias of :meth:`rc3x`."""
        return self._append_checked(_OP["rc3x"], (control_1, control_2, control_3, target), ())

"""The matrices of the fixed gates, on their targets alone (a gate's own controls are added by its row).

Every function takes the gate's parameters as floats and returns a complex128 array of shape (2^t, 2^t), where the first
listed target is the least significant bit of the index. Sources: OpenQASM 3 ``stdgates.inc`` (arXiv:2104.14722),
``qelib1.inc`` (arXiv:1707.03429); the two-qubit and relative-phase gates follow Qiskit 2, ``fsim`` follows Cirq.
"""

from __future__ import annotations

import math
from cmath import exp
from collections.abc import Callable, Sequence

import numpy as np

from qfast._typing import ComplexArray

__all__ = ["MATRIX_FUNCTIONS", "MatrixFunction", "controlled_matrix"]

MatrixFunction = Callable[[Sequence[float]], ComplexArray]

_SQRT_HALF = math.sqrt(0.5)


def controlled_matrix(matrix: ComplexArray, num_controls: int, ctrl_state: int | None = None) -> ComplexArray:
    """Add controls below the targets of a matrix.

    Parameters
    ----------
    matrix : ndarray, complex, shape (2**t, 2**t)
        The operation on the targets.
    num_controls : int
        Controls to add; they become the least significant bits of the index.
    ctrl_state : int, optional
        Bit j is the value that control j must have; all ones by default.

    Returns
    -------
    ndarray, complex128, shape (2**(t + num_controls), 2**(t + num_controls))
    """
    stride = 1 << num_controls
    offset = stride - 1 if ctrl_state is None else ctrl_state
    full = np.eye(stride * matrix.shape[0], dtype=np.complex128)
    full[offset::stride, offset::stride] = matrix
    return full


def _array(rows: Sequence[Sequence[complex]]) -> ComplexArray:
    return np.array(rows, dtype=np.complex128)


def _permuted(images: Sequence[int]) -> ComplexArray:
    """The matrix that sends basis state ``column`` to ``images[column]``."""
    matrix = np.zeros((len(images), len(images)), dtype=np.complex128)
    matrix[list(images), range(len(images))] = 1.0
    return matrix


def _phase(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0], [0, exp(1j * params[0])]])


def _gphase(params: Sequence[float]) -> ComplexArray:
    return _array([[exp(1j * params[0])]])


def _id(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0], [0, 1]])


def _x(params: Sequence[float]) -> ComplexArray:
    return _array([[0, 1], [1, 0]])


def _y(params: Sequence[float]) -> ComplexArray:
    return _array([[0, -1j], [1j, 0]])


def _z(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0], [0, -1]])


def _h(params: Sequence[float]) -> ComplexArray:
    return _array([[_SQRT_HALF, _SQRT_HALF], [_SQRT_HALF, -_SQRT_HALF]])


def _s(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0], [0, 1j]])


def _sdg(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0], [0, -1j]])


def _t(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0], [0, complex(_SQRT_HALF, _SQRT_HALF)]])


def _tdg(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0], [0, complex(_SQRT_HALF, -_SQRT_HALF)]])


def _sx(params: Sequence[float]) -> ComplexArray:
    return _array([[0.5 + 0.5j, 0.5 - 0.5j], [0.5 - 0.5j, 0.5 + 0.5j]])


def _sxdg(params: Sequence[float]) -> ComplexArray:
    return _array([[0.5 - 0.5j, 0.5 + 0.5j], [0.5 + 0.5j, 0.5 - 0.5j]])


def _rx(params: Sequence[float]) -> ComplexArray:
    c, s = math.cos(params[0] / 2), math.sin(params[0] / 2)
    return _array([[c, -1j * s], [-1j * s, c]])


def _ry(params: Sequence[float]) -> ComplexArray:
    c, s = math.cos(params[0] / 2), math.sin(params[0] / 2)
    return _array([[c, -s], [s, c]])


def _rz(params: Sequence[float]) -> ComplexArray:
    return _array([[exp(-0.5j * params[0]), 0], [0, exp(0.5j * params[0])]])


def _r(params: Sequence[float]) -> ComplexArray:
    """Rotation by ``params[0]`` about the axis cos(params[1]) X + sin(params[1]) Y."""
    c, s = math.cos(params[0] / 2), math.sin(params[0] / 2)
    return _array([[c, -1j * exp(-1j * params[1]) * s], [-1j * exp(1j * params[1]) * s, c]])


def _u(params: Sequence[float]) -> ComplexArray:
    theta, phi, lam = params[0], params[1], params[2]
    c, s = math.cos(theta / 2), math.sin(theta / 2)
    return _array([[c, -exp(1j * lam) * s], [exp(1j * phi) * s, exp(1j * (phi + lam)) * c]])


def _u2(params: Sequence[float]) -> ComplexArray:
    return _u((math.pi / 2, params[0], params[1]))


def _cu(params: Sequence[float]) -> ComplexArray:
    return exp(1j * params[3]) * _u(params)


def _swap(params: Sequence[float]) -> ComplexArray:
    return _permuted([0, 2, 1, 3])


def _iswap(params: Sequence[float]) -> ComplexArray:
    return _array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]])


def _dcx(params: Sequence[float]) -> ComplexArray:
    """cx(0, 1), then cx(1, 0)."""
    return _permuted([0, 2, 3, 1])


def _ecr(params: Sequence[float]) -> ComplexArray:
    """(X on the first qubit, minus Y on the first times X on the second) / sqrt 2, as Qiskit's ECRGate."""
    return _SQRT_HALF * _array([[0, 1, 0, 1j], [1, 0, -1j, 0], [0, 1j, 0, 1], [-1j, 0, 1, 0]])


def _rxx(params: Sequence[float]) -> ComplexArray:
    c, s = math.cos(params[0] / 2), -1j * math.sin(params[0] / 2)
    return _array([[c, 0, 0, s], [0, c, s, 0], [0, s, c, 0], [s, 0, 0, c]])


def _ryy(params: Sequence[float]) -> ComplexArray:
    c, s = math.cos(params[0] / 2), -1j * math.sin(params[0] / 2)
    return _array([[c, 0, 0, -s], [0, c, s, 0], [0, s, c, 0], [-s, 0, 0, c]])


def _rzz(params: Sequence[float]) -> ComplexArray:
    minus, plus = exp(-0.5j * params[0]), exp(0.5j * params[0])
    return np.diag(np.array([minus, plus, plus, minus], dtype=np.complex128))


def _rzx(params: Sequence[float]) -> ComplexArray:
    """exp(-i theta/2 P), P = Z on the first qubit and X on the second."""
    c, s = math.cos(params[0] / 2), -1j * math.sin(params[0] / 2)
    return _array([[c, 0, s, 0], [0, c, 0, -s], [s, 0, c, 0], [0, -s, 0, c]])


def _xx_plus_yy(params: Sequence[float]) -> ComplexArray:
    c, s = math.cos(params[0] / 2), -1j * math.sin(params[0] / 2)
    e = exp(1j * params[1])
    return _array([[1, 0, 0, 0], [0, c, s / e, 0], [0, s * e, c, 0], [0, 0, 0, 1]])


def _xx_minus_yy(params: Sequence[float]) -> ComplexArray:
    c, s = math.cos(params[0] / 2), -1j * math.sin(params[0] / 2)
    e = exp(1j * params[1])
    return _array([[c, 0, 0, s / e], [0, 1, 0, 0], [0, 0, 1, 0], [s * e, 0, 0, c]])


def _fsim(params: Sequence[float]) -> ComplexArray:
    c, s = math.cos(params[0]), -1j * math.sin(params[0])
    return _array([[1, 0, 0, 0], [0, c, s, 0], [0, s, c, 0], [0, 0, 0, exp(-1j * params[1])]])


def _rccx(params: Sequence[float]) -> ComplexArray:
    matrix = np.eye(8, dtype=np.complex128)
    matrix[5, 5] = -1
    matrix[3, 3] = matrix[7, 7] = 0
    matrix[3, 7], matrix[7, 3] = -1j, 1j
    return matrix


def _rc3x(params: Sequence[float]) -> ComplexArray:
    matrix = np.eye(16, dtype=np.complex128)
    matrix[3, 3], matrix[11, 11] = 1j, -1j
    matrix[7, 7] = matrix[15, 15] = 0
    matrix[7, 15], matrix[15, 7] = 1, -1
    return matrix


# Keyed by the name of the gate row; rows with controls of their own name the matrix of their target.
MATRIX_FUNCTIONS: dict[str, MatrixFunction] = {
    "gphase": _gphase, "id": _id, "x": _x, "y": _y, "z": _z, "h": _h, "s": _s, "sdg": _sdg, "t": _t, "tdg": _tdg,
    "sx": _sx, "sxdg": _sxdg, "rx": _rx, "ry": _ry, "rz": _rz, "p": _phase, "r": _r, "u": _u, "u1": _phase, "u2": _u2,
    "u3": _u, "cx": _x, "cy": _y, "cz": _z, "ch": _h, "cs": _s, "csdg": _sdg, "csx": _sx, "cp": _phase, "cu1": _phase,
    "crx": _rx, "cry": _ry, "crz": _rz, "cu": _cu, "cu3": _u, "swap": _swap, "iswap": _iswap, "dcx": _dcx, "ecr": _ecr,
    "rxx": _rxx, "ryy": _ryy, "rzz": _rzz, "rzx": _rzx, "xx_plus_yy": _xx_plus_yy, "xx_minus_yy": _xx_minus_yy,
    "fsim": _fsim, "ccx": _x, "ccz": _z, "cswap": _swap, "rccx": _rccx, "c3x": _x, "c3sx": _sx, "c4x": _x,
    "rc3x": _rc3x,
}  # fmt: skip

"""The six circuit families of the benchmarks, as neutral lists of operations.

An operation is a gate name of qfast, its qubits, its angles and, for a ``unitary``, its matrix: enough for any
simulator to build the same circuit in its own words. Families are seeded and exist for any number of qubits from 2.

==============  ======================================================================================================
``qft``         quantum Fourier transform with its swaps, on a random product of RY
``random``      2-D grid, 14 cycles: √X, √Y or √W on every qubit (never the same twice in a row), then
                fSim(π/2, π/6) on the bonds of one of the patterns A B C D C D A B (Arute et al., Nature 574 (2019)
                505, doi:10.1038/s41586-019-1666-5)
``qv``          quantum volume: n layers of random SU(4) on a random pairing (Cross et al., Phys. Rev. A 100 (2019)
                032328, doi:10.1103/PhysRevA.100.032328)
``ansatz``      hardware-efficient ansatz: 4 layers of RY and RZ on every qubit and a CX ladder
``qaoa``        p = 4 on a random 3-regular graph: RZZ on the edges, RX on every qubit, from a layer of H
``trotter``     6 first-order steps of the Heisenberg chain: RXX RYY RZZ on even, then odd bonds, an RZ field, from the
                Néel state
==============  ======================================================================================================
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qfast.errors import InputError

__all__ = ["FAMILIES", "FamilyCircuit", "Operation", "ansatz_operations", "build_family"]

RANDOM_CYCLES = 14
RANDOM_PATTERN = "ABCDCDAB"
ANSATZ_LAYERS = 4
QAOA_LAYERS = 4
TROTTER_STEPS = 6
TROTTER_ANGLE = 0.2  # 2 J dt


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One gate: the name qfast gives it, its qubits, its angles and, if the name is ``unitary``, its matrix.

    Attributes
    ----------
    name : str
        Row of qfast's gate table.
    qubits : tuple of int
        Controls first, then targets; the first qubit of a matrix is its least significant bit.
    params : tuple of float
        Angles in radians.
    matrix : ndarray, complex128, shape (2**k, 2**k), or None
        Row-major; only for ``unitary``.
    """

    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()
    matrix: npt.NDArray[np.complex128] | None = None


@dataclass(frozen=True, eq=False)
class FamilyCircuit:
    """A member of a family.

    Attributes
    ----------
    family : str
        Key of `FAMILIES`.
    num_qubits, seed : int
        What it was built from.
    num_preparation : int
        The first operations that prepare the product state on which the family is defined (the RY of ``qft``, the H of
        ``qaoa``, the X of ``trotter``). Simulators run them like all others, but the canonical flops leave them out.
    operations : tuple of Operation
        In order of application to |0…0⟩.
    """

    family: str
    num_qubits: int
    seed: int
    num_preparation: int
    operations: tuple[Operation, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """Short label, for example ``qft-20``."""
        return f"{self.family}-{self.num_qubits}"

    def to_payload(self) -> dict[str, Any]:
        """Return the circuit as plain JSON types, for a simulator in another process.

        Returns
        -------
        dict
            ``name``, ``num_qubits`` and ``operations``: rows ``[name, qubits, params, matrix]`` with the matrix as rows
            of ``[re, im]`` pairs or None. Doubles survive JSON unchanged.
        """
        return {
            "name": self.name,
            "num_qubits": self.num_qubits,
            "operations": [
                [op.name, list(op.qubits), list(op.params), None if op.matrix is None else _to_pairs(op.matrix)]
                for op in self.operations
            ],
        }


def build_family(family: str, num_qubits: int, seed: int = 0) -> FamilyCircuit:
    """Build one circuit of a family.

    Parameters
    ----------
    family : str
        Key of `FAMILIES`.
    num_qubits : int
        At least 2.
    seed : int, default 0
        Key of the random angles, pairings, graphs and matrices; the same seed gives the same circuit.

    Returns
    -------
    FamilyCircuit

    Raises
    ------
    InputError
        The family is unknown or the size is out of range.
    """
    if family not in FAMILIES:
        raise InputError(f"unknown circuit family {family!r}; the families are {', '.join(FAMILIES)}")
    if num_qubits < 2:
        raise InputError(f"family {family!r} needs at least 2 qubits, got num_qubits={num_qubits}")
    rng = np.random.default_rng([seed, num_qubits, list(FAMILIES).index(family)])
    preparation, operations = FAMILIES[family](num_qubits, rng)
    return FamilyCircuit(family, num_qubits, seed, len(preparation), (*preparation, *operations))


def ansatz_operations(num_qubits: int, angles: npt.NDArray[np.float64]) -> list[Operation]:
    """Return the hardware-efficient ansatz with given angles.

    Parameters
    ----------
    num_qubits : int
    angles : ndarray, float64, shape (layers, 2, num_qubits)
        Angles of RY (index 0) and RZ (index 1), in radians.

    Returns
    -------
    list of Operation
        Per layer RY on every qubit, RZ on every qubit, CX from each qubit to the next.
    """
    operations: list[Operation] = []
    for ry, rz in angles.tolist():
        operations.extend(Operation("ry", (q,), (angle,)) for q, angle in enumerate(ry))
        operations.extend(Operation("rz", (q,), (angle,)) for q, angle in enumerate(rz))
        operations.extend(Operation("cx", (q, q + 1)) for q in range(num_qubits - 1))
    return operations


# --- the families: each returns (preparation, operations) -------------------------------------------------------------

_Parts = tuple[list[Operation], list[Operation]]


def _qft(n: int, rng: np.random.Generator) -> _Parts:
    preparation = [Operation("ry", (q,), (angle,)) for q, angle in enumerate(rng.uniform(0, math.pi, n).tolist())]
    operations: list[Operation] = []
    for target in reversed(range(n)):
        operations.append(Operation("h", (target,)))
        operations.extend(
            Operation("cp", (control, target), (math.pi / 2 ** (target - control),))
            for control in reversed(range(target))
        )
    operations.extend(Operation("swap", (q, n - 1 - q)) for q in range(n // 2))
    return preparation, operations


def _random(n: int, rng: np.random.Generator) -> _Parts:
    roots = [_square_root(0.0), _square_root(math.pi / 2), _square_root(math.pi / 4)]  # of X, Y, W
    bonds = _grid_bonds(n)
    operations: list[Operation] = []
    last = rng.integers(0, 3, size=n)
    for cycle in range(RANDOM_CYCLES):
        last = (last + rng.integers(1, 3, size=n)) % 3  # one of the two others
        operations.extend(Operation("unitary", (q,), matrix=roots[k]) for q, k in enumerate(last.tolist()))
        pattern = RANDOM_PATTERN[cycle % len(RANDOM_PATTERN)]
        operations.extend(Operation("fsim", bond, (math.pi / 2, math.pi / 6)) for bond in bonds[pattern])
    return [], operations


def _quantum_volume(n: int, rng: np.random.Generator) -> _Parts:
    operations: list[Operation] = []
    for _ in range(n):
        order = rng.permutation(n).tolist()
        operations.extend(
            Operation("unitary", (order[i], order[i + 1]), matrix=_haar_su4(rng)) for i in range(0, n - 1, 2)
        )
    return [], operations


def _ansatz(n: int, rng: np.random.Generator) -> _Parts:
    return [], ansatz_operations(n, rng.uniform(-math.pi, math.pi, (ANSATZ_LAYERS, 2, n)))


def _qaoa(n: int, rng: np.random.Generator) -> _Parts:
    edges = list(_regular_graph(n, rng))
    operations: list[Operation] = []
    for gamma, beta in rng.uniform(0, math.pi, (QAOA_LAYERS, 2)).tolist():
        operations.extend(Operation("rzz", edge, (gamma,)) for edge in edges)
        operations.extend(Operation("rx", (q,), (beta,)) for q in range(n))
    return [Operation("h", (q,)) for q in range(n)], operations


def _trotter(n: int, rng: np.random.Generator) -> _Parts:
    field_angles = rng.uniform(-TROTTER_ANGLE, TROTTER_ANGLE, n).tolist()
    operations: list[Operation] = []
    for _ in range(TROTTER_STEPS):
        for first in (0, 1):
            for q in range(first, n - 1, 2):
                operations.extend(Operation(name, (q, q + 1), (TROTTER_ANGLE,)) for name in ("rxx", "ryy", "rzz"))
        operations.extend(Operation("rz", (q,), (angle,)) for q, angle in enumerate(field_angles))
    return [Operation("x", (q,)) for q in range(0, n, 2)], operations


FAMILIES: dict[str, Callable[[int, np.random.Generator], _Parts]] = {
    "qft": _qft,
    "random": _random,
    "qv": _quantum_volume,
    "ansatz": _ansatz,
    "qaoa": _qaoa,
    "trotter": _trotter,
}


# --- their ingredients ------------------------------------------------------------------------------------------------


def _square_root(axis: float) -> npt.NDArray[np.complex128]:
    """Square root of cos(axis) X + sin(axis) Y: a quarter turn about an axis of the equator, up to phase."""
    off = -1j * cmath.exp(-1j * axis)
    return np.array([[1, off], [-off.conjugate(), 1]], dtype=np.complex128) / math.sqrt(2)


def _haar_su4(rng: np.random.Generator) -> npt.NDArray[np.complex128]:
    """Haar-random SU(4): QR of a Ginibre matrix, phases fixed (Mezzadri, arXiv:math-ph/0609050)."""
    q, r = np.linalg.qr(rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))
    q = q * (np.diag(r) / np.abs(np.diag(r)))
    return np.asarray(q / np.linalg.det(q) ** 0.25, dtype=np.complex128)


def _grid_bonds(n: int) -> dict[str, list[tuple[int, int]]]:
    """Bonds of the most square grid (its last row may be short): A, B down from even and odd rows, C, D across."""
    columns = math.ceil(n / math.isqrt(n))
    bonds: dict[str, list[tuple[int, int]]] = {pattern: [] for pattern in "ABCD"}
    for q in range(n):
        row, column = divmod(q, columns)
        if q + columns < n:
            bonds["AB"[row % 2]].append((q, q + columns))
        if column + 1 < columns and q + 1 < n:
            bonds["CD"[column % 2]].append((q, q + 1))
    return bonds


def _regular_graph(n: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Edges of a random simple 3-regular graph by the pairing model; for odd n the last vertex has degree 2.

    Fewer than 4 vertices give the complete graph. A pairing is simple with probability about exp(-2).
    """
    degree = min(3, n - 1)
    stubs = np.repeat(np.arange(n), degree)
    stubs = stubs[: len(stubs) - len(stubs) % 2]
    while True:
        pairs = np.sort(rng.permutation(stubs).reshape(-1, 2), axis=1)
        if np.all(pairs[:, 0] != pairs[:, 1]) and len(np.unique(pairs, axis=0)) == len(pairs):
            yield from map(tuple, pairs[np.lexsort(pairs.T[::-1])].tolist())
            return


def _to_pairs(matrix: npt.NDArray[np.complex128]) -> list[Any]:
    pairs: list[Any] = np.stack([matrix.real, matrix.imag], axis=-1).tolist()
    return pairs

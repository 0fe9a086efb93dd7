"""Canonical flops of a circuit: a fixed yardstick for roofline fractions, counted from the numbers of its matrices.

The count is what straightforward kernels need, one amplitude at a time, once the free parts of a circuit are left out:

=====================================================  ====================================================
dense 1-qubit gate                                     16
real or imaginary 1-qubit gate, equatorial rotation    8
layer of diagonal gates                                6; 3 if one qubit controls all of them
dense 2-qubit gate                                     32; 16 if real or imaginary
one nonzero per row (CX, SWAP, X, fSim(π/2, φ))        0; its phases join the diagonal layer
2 x 2 blocks of a larger gate                          8 or 16 on the amplitudes they touch
=====================================================  ====================================================

Flops are real additions and multiplications of an amplitude, two to a fused multiply-add. Neighbours on the same
qubits are multiplied first (RXX RYY RZZ of one bond with equal angles is one block on |01⟩, |10⟩: 8 an amplitude). An
equatorial rotation (equal diagonal entries: RX, RY, √W) is a real one between two Z rotations that the neighbouring
diagonal layers take in. Algebra may be cheaper than canonical: a roofline fraction over 100 % is no error.

For the six families this gives: QFT 11 n - 3, random circuit 14 (8 n + 6), quantum volume 16 n² for even n, ansatz and
QAOA 4 (8 n + 6), Trotter 48 (n - 1) + 36.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from qfast._typing import ComplexArray
from qfast.benchmark.families import Operation
from qfast.circuit.gates import find_gate

__all__ = ["canonical_flops", "operation_matrix"]

_TOLERANCE = 1e-12


def operation_matrix(operation: Operation) -> ComplexArray:
    """Return the matrix of an operation on all its qubits.

    Returns
    -------
    ndarray, complex128, shape (2**k, 2**k)
        The first qubit is the least significant bit of an index.
    """
    if operation.matrix is not None:
        return operation.matrix
    return find_gate(operation.name).matrix(operation.params)


def canonical_flops(operations: Sequence[Operation]) -> float:
    """Count the canonical flops per amplitude.

    Parameters
    ----------
    operations : sequence of Operation
        Without those that only prepare the product state at the start.

    Returns
    -------
    float
        Flops per amplitude; times 2**n for the whole state.
    """
    total = 0.0
    layer = _DiagonalLayer()
    for qubits, matrix in _merged(operations):
        if _is_monomial(matrix):
            layer.add_monomial(qubits, matrix)
            continue
        if layer.meets(qubits):
            total += layer.flops()
            layer = _DiagonalLayer()
        total += _dense_flops(matrix)
    return total + layer.flops()


class _DiagonalLayer:
    """Phases that wait for the next gate that does not commute with them."""

    def __init__(self) -> None:
        self._support: set[int] = set()
        self._controls: set[int] | None = None  # qubits whose |0> half no phase touches; None: no gate yet

    def meets(self, qubits: Sequence[int]) -> bool:
        return not self._support.isdisjoint(qubits)

    def flops(self) -> float:
        if not self._support:
            return 0.0
        return 3.0 if self._controls else 6.0

    def add_monomial(self, qubits: Sequence[int], matrix: ComplexArray) -> None:
        """Take in a gate that is a permutation times phases, which the gates after it see."""
        columns = np.argmax(np.abs(matrix), axis=1)
        phases = matrix[np.arange(len(matrix)), columns]
        if self.meets(qubits) and not np.array_equal(columns, np.arange(len(matrix))):
            # Earlier phases depend on the permuted index now, on any of these qubits.
            self._support.update(qubits)
            self._controls = set()
        if np.allclose(phases, phases[0], rtol=0, atol=_TOLERANCE):
            return  # a global phase
        self._support.update(qubits)
        index = np.arange(len(matrix))
        untouched = np.abs(phases - 1) < _TOLERANCE
        controls = {q for bit, q in enumerate(qubits) if untouched[(index >> bit) & 1 == 0].all()}
        self._controls = controls if self._controls is None else self._controls & controls


def _merged(operations: Sequence[Operation]) -> Iterator[tuple[tuple[int, ...], ComplexArray]]:
    """Yield (qubits, matrix), neighbours on the same two or more qubits in the same order multiplied."""
    pending: tuple[tuple[int, ...], ComplexArray] | None = None
    for operation in operations:
        matrix = operation_matrix(operation)
        if pending is not None and pending[0] == operation.qubits and len(operation.qubits) > 1:
            pending = (pending[0], matrix @ pending[1])
            continue
        if pending is not None:
            yield pending
        pending = (operation.qubits, matrix)
    if pending is not None:
        yield pending


def _is_monomial(matrix: ComplexArray) -> bool:
    return bool((np.count_nonzero(np.abs(matrix) > _TOLERANCE, axis=1) == 1).all())


def _dense_flops(matrix: ComplexArray) -> float:
    """Flops per amplitude of a matrix that is not monomial, by the blocks of its nonzeros."""
    blocks = _blocks(matrix)
    singles = [matrix[block[0], block[0]] for block in blocks if len(block) == 1]
    # The phase that makes the gate cheapest: of the entries that stand alone, else of the first nonzero number.
    anchor = max(singles, key=lambda z: sum(abs(z - w) < _TOLERANCE for w in singles)) if singles else None
    flops = 0.0
    for block in blocks:
        part = matrix[np.ix_(block, block)]
        share = len(block) / len(matrix)
        if len(block) == 1:
            flops += share * (0.0 if anchor is None or abs(part[0, 0] - anchor) < _TOLERANCE else 6.0)
        else:
            flops += share * 8 * len(block) / (2 if _is_half(part, anchor) else 1)
    return flops


def _is_half(block: ComplexArray, anchor: complex | None) -> bool:
    """Whether half the multiplications do: real or imaginary entries, or a 2 x 2 with equal real diagonal ones."""
    phase = anchor if anchor is not None else block.flat[int(np.argmax(np.abs(block) > _TOLERANCE))]
    turned = block * (np.conj(phase) / abs(phase))
    if (np.minimum(np.abs(turned.real), np.abs(turned.imag)) < _TOLERANCE).all():
        return True
    return len(block) == 2 and abs(turned[0, 0] - turned[1, 1]) < _TOLERANCE and abs(turned[0, 0].imag) < _TOLERANCE


def _blocks(matrix: ComplexArray) -> list[list[int]]:
    """Connected components of the indices, two being connected where the matrix has a nonzero."""
    linked = np.abs(matrix) > _TOLERANCE
    linked |= linked.T
    blocks: list[list[int]] = []
    left = set(range(len(matrix)))
    while left:
        block = {left.pop()}
        frontier = set(block)
        while frontier:
            frontier = {int(j) for i in frontier for j in np.flatnonzero(linked[i])} - block
            block |= frontier
        left -= block
        blocks.append(sorted(block))
    return blocks

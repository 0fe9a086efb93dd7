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

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qfast._typing import ComplexArray
from qfast.benchmark.families import Operation
from qfast.circuit import Circuit, Instruction
from qfast.circuit.gate_matrices import controlled_matrix
from qfast.circuit.gates import OPCODES, find_gate

__all__ = ["canonical_flops", "circuit_flops", "operation_matrix"]

_TOLERANCE = 1e-12
_MATRIX_QUBITS = 6  # gates up to this width are counted from their whole matrix; 64 x 64 numbers are quickly looked at


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
    return _total((operation.qubits, operation_matrix(operation)) for operation in operations)


def circuit_flops(circuit: Circuit) -> float:
    """Count the canonical flops per amplitude of a circuit's gates.

    Parameters
    ----------
    circuit : Circuit
        Without free parameters: the count is read from numbers. Measurements and barriers at any place are passed over.
        Gates that only prepare a product state count like all others.

    Returns
    -------
    float
        Flops per amplitude; times 2**n for the whole state.

    Raises
    ------
    ParameterError
        A parameter is unbound.
    CircuitError
        The circuit has control flow, so that its gates depend on outcomes.
    """
    return _total(_gate(instruction) for instruction in circuit if instruction.name not in ("measure", "barrier"))


@dataclass(frozen=True, slots=True)
class _Cost:
    """What the count needs to know of one gate.

    Attributes
    ----------
    qubits : tuple of int
    flops : float or None
        Per amplitude; None: one nonzero per row, so its phases join the diagonal layer.
    moves : bool
        One nonzero per row: whether it permutes basis states.
    controls : set of int or None
        One nonzero per row: the qubits whose |0> half gets no phase; None: no phases but a global one.
    """

    qubits: tuple[int, ...]
    flops: float | None
    moves: bool = False
    controls: frozenset[int] | None = None


_Gate = tuple[tuple[int, ...], ComplexArray] | _Cost


def _total(gates: Iterable[_Gate]) -> float:
    total = 0.0
    layer = _DiagonalLayer()
    for gate in _merged(gates):
        cost = gate if isinstance(gate, _Cost) else _matrix_cost(*gate)
        if cost.flops is None:
            layer.add(cost)
            continue
        if layer.meets(cost.qubits):
            total += layer.flops()
            layer = _DiagonalLayer()
        total += cost.flops
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

    def add(self, cost: _Cost) -> None:
        """Take in a gate that is a permutation times phases, which the gates after it see."""
        if cost.moves and self.meets(cost.qubits):
            # Earlier phases depend on the permuted index now, on any of these qubits.
            self._support.update(cost.qubits)
            self._controls = set()
        if cost.controls is None:
            return
        self._support.update(cost.qubits)
        self._controls = set(cost.controls) if self._controls is None else self._controls & cost.controls


def _merged(gates: Iterable[_Gate]) -> Iterator[_Gate]:
    """Yield the gates, neighbours on the same two or more qubits in the same order multiplied."""
    pending: _Gate | None = None
    for gate in gates:
        if isinstance(pending, tuple) and isinstance(gate, tuple) and pending[0] == gate[0] and len(gate[0]) > 1:
            pending = (gate[0], gate[1] @ pending[1])
            continue
        if pending is not None:
            yield pending
        pending = gate
    if pending is not None:
        yield pending


def _gate(instruction: Instruction) -> _Gate:
    """A gate of a circuit as its matrix, or as its cost where the matrix would be too large."""
    qubits = instruction.all_qubits
    if len(qubits) > _MATRIX_QUBITS:
        return _wide_cost(instruction)
    matrix = instruction.matrix()
    if instruction.controls:
        matrix = controlled_matrix(matrix, len(instruction.controls), instruction.ctrl_state)
    return qubits, matrix


def _wide_cost(instruction: Instruction) -> _Cost:
    """The cost of a gate on many qubits, from a small matrix that costs the same on the amplitudes it touches."""
    qubits, extra = instruction.all_qubits, instruction.controls
    on = frozenset(q for bit, q in enumerate(extra) if instruction.ctrl_state >> bit & 1)
    if instruction.name == "permutation":
        return _Cost(qubits, None, moves=not np.array_equal(instruction.data, np.arange(len(instruction.data))))
    if instruction.name == "diagonal":
        return replace(_phase_cost(instruction.qubits, instruction.data, on if extra else None), qubits=qubits)
    own = instruction.qubits
    if instruction.name == "pauli_rotation":
        # Every Pauli string with an X or a Y pairs the basis states as one X does; without, its eigenvalues are Z's.
        own = instruction.qubits[:1]
        letter = "rx" if np.isin(instruction.data, (1, 2)).any() else "rz"
        matrix = Instruction(OPCODES[letter], own, instruction.params).matrix()
    else:
        matrix = instruction.matrix()
    # One control stands for all: the rest only halve the amplitudes that are touched.
    narrow = _matrix_cost((*extra[:1], *own), controlled_matrix(matrix, len(extra[:1])))
    if narrow.flops is not None:
        return _Cost(qubits, narrow.flops / 2 ** max(len(extra) - 1, 0))
    if narrow.controls is None:
        return replace(narrow, qubits=qubits)
    return replace(narrow, qubits=qubits, controls=on | (narrow.controls - set(extra)))


def _matrix_cost(qubits: tuple[int, ...], matrix: ComplexArray) -> _Cost:
    if not _is_monomial(matrix):
        return _Cost(qubits, _dense_flops(matrix))
    columns = np.argmax(np.abs(matrix), axis=1)
    index = np.arange(len(matrix))
    return replace(_phase_cost(qubits, matrix[index, columns], None), moves=not np.array_equal(columns, index))


def _phase_cost(qubits: tuple[int, ...], phases: ComplexArray, on: frozenset[int] | None) -> _Cost:
    """The cost of phases over the basis states of `qubits`; `on`: further controls, which must be 1; None: none."""
    if np.abs(phases - (phases[0] if on is None else 1)).max() < _TOLERANCE:
        return _Cost(qubits, None)  # a global phase, or nothing
    untouched = np.abs(phases - 1) < _TOLERANCE
    controls = {q for bit, q in enumerate(qubits) if untouched.reshape(-1, 2, 1 << bit)[:, 0].all()}
    return _Cost(qubits, None, controls=frozenset(controls) | (on or frozenset()))


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

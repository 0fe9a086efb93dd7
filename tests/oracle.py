"""An independent oracle: dense, slow, and written from the textbook.

Nothing here comes from ``qfast.circuit.gates`` or from an engine. Gates are built as the literature defines them
(exponentials of Pauli strings, |0><0| x 1 + |1><1| x U, products of simpler gates), states are changed by gathering
amplitudes by index, and measurement, reset and control flow are followed branch by branch with exact weights, so that
no sampling is needed to check a distribution.

Qubit k is bit k of an index; in a matrix the first listed qubit is the least significant bit.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from qfast.circuit import Assign, Circuit, ForLoop, IfElse, Instruction, PauliSum, SwitchCase, WhileLoop
from qfast.circuit.classical import Bit, Bits, Index, Variable
from qfast.circuit.classical_run import evaluate

Array = NDArray[np.complex128]

PRUNED = 1e-14  # branches of less weight are dropped

# ---------------------------------------------------------------------------------------------------- textbook matrices

ID = np.array([[1, 0], [0, 1]], dtype=complex)
X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]], dtype=complex)
Z = np.array([[1, 0], [0, -1]], dtype=complex)
H = (X + Z) / math.sqrt(2)
PAULIS = {"I": ID, "X": X, "Y": Y, "Z": Z}


def kron(*factors: Array) -> Array:
    """Tensor product with the first factor on the least significant bit."""
    result = np.ones((1, 1), dtype=complex)
    for factor in factors:
        result = np.kron(factor, result)
    return result


def exponential(generator: Array, angle: float) -> Array:
    """exp(-i angle G) of a Hermitian G, by its spectrum."""
    values, vectors = np.linalg.eigh(generator)
    return (vectors * np.exp(-1j * angle * values)) @ vectors.conj().T


def controlled(matrix: Array, num_controls: int = 1) -> Array:
    """|0><0| x 1 + |1><1| x U for each control; controls come first."""
    for _ in range(num_controls):
        identity = np.eye(len(matrix))
        matrix = np.kron(identity, np.diag([1, 0])) + np.kron(matrix, np.diag([0, 1]))
    return matrix


def product(num_qubits: int, *steps: tuple[Array, Sequence[int]]) -> Array:
    """Matrix of a sequence of gates, the first applied first."""
    result = np.eye(1 << num_qubits, dtype=complex)
    for matrix, qubits in steps:
        result = apply_matrix(result, matrix, qubits)
    return result


def rotation(pauli: str, angle: float) -> Array:
    """exp(-i angle/2 P), letter j on qubit j."""
    return exponential(kron(*(PAULIS[letter] for letter in pauli)), angle / 2)


def phase(angle: float) -> Array:
    return np.diag([1, cmath.exp(1j * angle)])


def euler(theta: float, phi: float, lam: float) -> Array:
    """OpenQASM 3's U: the product of three rotations, with the phase that makes its first entry real."""
    rotations = rotation("Z", phi) @ rotation("Y", theta) @ rotation("Z", lam)
    return cmath.exp(0.5j * (phi + lam)) * rotations


def root(matrix: Array) -> Array:
    """The principal square root of a unitary matrix with eigenvalues 1 and -1."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.where(values > 0, 1, 1j)) @ vectors.conj().T


def _swap() -> Array:
    return (kron(ID, ID) + kron(X, X) + kron(Y, Y) + kron(Z, Z)) / 2


def _hopping(sign: int) -> Array:
    """(XX + YY)/2 for sign 1: it exchanges |01> and |10>; (XX - YY)/2 for -1: it exchanges |00> and |11>."""
    return (kron(X, X) + sign * kron(Y, Y)) / 2


def _margolus() -> Array:
    """The relative-phase Toffoli gate of Margolus, in the form of Maslov (doi:10.1103/PhysRevA.93.022311), figure 3."""
    t, tdg = phase(math.pi / 4), phase(-math.pi / 4)
    cx = controlled(X)
    return product(
        3, (H, [2]), (t, [2]), (cx, [1, 2]), (tdg, [2]), (cx, [0, 2]), (t, [2]), (cx, [1, 2]), (tdg, [2]), (H, [2])
    )


def _relative_phase_c3x() -> Array:
    """The relative-phase Toffoli gate with three controls of Maslov, figure 4."""
    t, tdg = phase(math.pi / 4), phase(-math.pi / 4)
    cx = controlled(X)
    inner = [(cx, [0, 3]), (t, [3]), (cx, [1, 3]), (tdg, [3])]
    ends = [(H, [3]), (t, [3]), (cx, [2, 3]), (tdg, [3]), (H, [3])]
    return product(4, *ends, *inner, *inner, *ends)


def _cu(theta: float, phi: float, lam: float, gamma: float = 0.0) -> Array:
    return controlled(cmath.exp(1j * gamma) * euler(theta, phi, lam))


def _axis_rotation(theta: float, phi: float) -> Array:
    return exponential(math.cos(phi) * X + math.sin(phi) * Y, theta / 2)


def _with_phase(sign: int, theta: float, beta: float) -> Array:
    """A rotation between two basis states, its off-diagonal entries turned by beta."""
    turn = kron(rotation("Z", sign * beta), ID)
    return turn.conj().T @ exponential(_hopping(sign), theta / 2) @ turn


TEXTBOOK: dict[str, Callable[..., Array]] = {
    "gphase": lambda a: np.array([[cmath.exp(1j * a)]]),
    "id": lambda: ID, "x": lambda: X, "y": lambda: Y, "z": lambda: Z, "h": lambda: H,
    "s": lambda: phase(math.pi / 2), "sdg": lambda: phase(-math.pi / 2),
    "t": lambda: phase(math.pi / 4), "tdg": lambda: phase(-math.pi / 4),
    "sx": lambda: root(X), "sxdg": lambda: root(X).conj().T,
    "rx": lambda a: rotation("X", a), "ry": lambda a: rotation("Y", a), "rz": lambda a: rotation("Z", a),
    "p": phase, "u1": phase, "r": _axis_rotation,
    "u": euler, "u3": euler, "u2": lambda a, b: euler(math.pi / 2, a, b),
    "cx": lambda: controlled(X), "cy": lambda: controlled(Y), "cz": lambda: controlled(Z), "ch": lambda: controlled(H),
    "cs": lambda: controlled(phase(math.pi / 2)), "csdg": lambda: controlled(phase(-math.pi / 2)),
    "csx": lambda: controlled(root(X)), "cp": lambda a: controlled(phase(a)), "cu1": lambda a: controlled(phase(a)),
    "crx": lambda a: controlled(rotation("X", a)), "cry": lambda a: controlled(rotation("Y", a)),
    "crz": lambda a: controlled(rotation("Z", a)), "cu": _cu, "cu3": _cu,
    "swap": _swap, "iswap": lambda: exponential(_hopping(1), -math.pi / 2),
    "dcx": lambda: product(2, (controlled(X), [0, 1]), (controlled(X), [1, 0])),
    "ecr": lambda: (kron(X, ID) - kron(Y, X)) / math.sqrt(2),
    "rxx": lambda a: rotation("XX", a), "ryy": lambda a: rotation("YY", a), "rzz": lambda a: rotation("ZZ", a),
    "rzx": lambda a: rotation("ZX", a),
    "xx_plus_yy": lambda a, b: _with_phase(1, a, b), "xx_minus_yy": lambda a, b: _with_phase(-1, a, b),
    "fsim": lambda a, b: controlled(phase(-b)) @ exponential(_hopping(1), a),
    "ccx": lambda: controlled(X, 2), "ccz": lambda: controlled(Z, 2), "cswap": lambda: controlled(_swap()),
    "rccx": _margolus, "c3x": lambda: controlled(X, 3), "c3sx": lambda: controlled(root(X), 3),
    "c4x": lambda: controlled(X, 4), "rc3x": _relative_phase_c3x,
}  # fmt: skip


# ------------------------------------------------------------------------------------------------- states and unitaries


def apply_matrix(
    state: Array, matrix: Array, qubits: Sequence[int], controls: Sequence[int] = (), ctrl_state: int | None = None
) -> Array:
    """Return a matrix applied to some qubits of a vector (2^n,) or of each column of a matrix (2^n, m).

    Row i of the result is the sum over local columns j of matrix[local(i), j] times the amplitude whose target bits
    are j.
    """
    index = np.arange(len(state))
    local = np.zeros_like(index)
    rest = index.copy()
    for place, qubit in enumerate(qubits):
        local |= (index >> qubit & 1) << place
        rest &= ~(1 << qubit)
    result = np.zeros(state.shape, dtype=complex)
    for column in range(len(matrix)):
        source = rest.copy()
        for place, qubit in enumerate(qubits):
            source |= (column >> place & 1) << qubit
        weights = matrix[local, column].reshape((-1,) + (1,) * (state.ndim - 1))
        result += weights * state[source]
    wanted = (1 << len(controls)) - 1 if ctrl_state is None else ctrl_state
    held = np.ones(len(state), dtype=bool)
    for place, qubit in enumerate(controls):
        held &= (index >> qubit & 1) == (wanted >> place & 1)
    result[~held] = state[~held]
    return result


def instruction_matrix(instruction: Instruction, values: Mapping[str, float] | None = None) -> Array:
    """Textbook matrix of a gate over its own qubits, extra controls left out."""
    params = [value if isinstance(value, float) else value.evaluate(dict(values or {})) for value in instruction.params]
    name, data = instruction.name, instruction.data
    if name == "unitary":
        return np.array(data)
    if name == "diagonal":
        return np.diag(data)
    if name == "permutation":
        matrix = np.zeros((len(data), len(data)), dtype=complex)
        for source, image in enumerate(data):
            matrix[image, source] = 1
        return matrix
    if name == "pauli_rotation":
        return rotation("".join("IXYZ"[code] for code in data), params[0])
    return TEXTBOOK[name](*params)


def apply_instruction(state: Array, instruction: Instruction, values: Mapping[str, float] | None = None) -> Array:
    """Return a state, or each column of a matrix, after one gate or barrier."""
    if instruction.name == "barrier":
        return state
    matrix = instruction_matrix(instruction, values)
    return apply_matrix(state, matrix, instruction.qubits, instruction.controls, instruction.ctrl_state)


def zero_state(num_qubits: int) -> Array:
    state = np.zeros(1 << num_qubits, dtype=complex)
    state[0] = 1
    return state


def statevector(circuit: Circuit, values: Mapping[str, float] | None = None, initial: Array | None = None) -> Array:
    """State after a circuit of gates, shape (2^n,)."""
    state = zero_state(circuit.num_qubits) if initial is None else np.array(initial, dtype=complex)
    for instruction in circuit:
        state = apply_instruction(state, instruction, values)
    return state


def unitary(circuit: Circuit, values: Mapping[str, float] | None = None) -> Array:
    """Matrix of a circuit of gates, shape (2^n, 2^n)."""
    matrix = np.eye(1 << circuit.num_qubits, dtype=complex)
    for instruction in circuit:
        matrix = apply_instruction(matrix, instruction, values)
    return matrix


def probabilities(state: Array, qubits: Sequence[int]) -> NDArray[np.float64]:
    """Joint distribution of some qubits, shape (2^k,), the first listed least significant."""
    result = np.zeros(1 << len(qubits))
    for index, amplitude in enumerate(state):
        outcome = sum((index >> qubit & 1) << place for place, qubit in enumerate(qubits))
        result[outcome] += abs(amplitude) ** 2
    return result


def expectation(state: Array, observable: PauliSum) -> complex:
    """<psi| O |psi>, letter by letter."""
    total = 0j
    for letters, qubits, coefficient in observable:
        moved = state
        for letter, qubit in zip(letters, qubits, strict=True):
            moved = apply_matrix(moved, PAULIS[letter], [qubit])
        total += coefficient * np.vdot(state, moved)
    return complex(total)


# ------------------------------------------------------------------------------- measurement, reset, classical control


@dataclass(frozen=True)
class Branch:
    """One possible course of a shot: its probability, its normalised state, its classical bits and variables."""

    weight: float
    state: Array
    bits: tuple[int, ...]
    variables: dict[str, float] = field(default_factory=dict)
    leaving: str | None = None  # "break_loop" or "continue_loop" while it is on its way out of a loop body


def branches(
    circuit: Circuit,
    values: Mapping[str, float] | None = None,
    initial: Array | None = None,
    *,
    max_passes: int = 200,
) -> list[Branch]:
    """All courses of a shot with their exact weights; they add up to 1 up to what was pruned.

    Raises
    ------
    RuntimeError
        A while loop still has weight after `max_passes` passes.
    """
    state = zero_state(circuit.num_qubits) if initial is None else np.array(initial, dtype=complex)
    start = Branch(1.0, state, (0,) * circuit.num_clbits)
    return _Run(dict(values or {}), max_passes).block(circuit, [start])


def distribution(
    circuit: Circuit, values: Mapping[str, float] | None = None, initial: Array | None = None
) -> dict[str, float]:
    """Exact distribution of the classical bits, bit 0 rightmost; of all qubits where nothing is measured."""
    result: dict[str, float] = {}
    if not has_measurement(circuit):
        state = statevector(circuit, values, initial)
        return {
            f"{index:0{circuit.num_qubits}b}": float(abs(amplitude) ** 2)
            for index, amplitude in enumerate(state)
            if abs(amplitude) ** 2 > PRUNED
        }
    for branch in branches(circuit, values, initial):
        key = "".join(str(bit) for bit in reversed(branch.bits))
        result[key] = result.get(key, 0.0) + branch.weight
    return result


def has_measurement(circuit: Circuit) -> bool:
    """Whether a circuit, or a body inside it, measures."""
    return any(
        instruction.name == "measure" or any(has_measurement(body) for body in _bodies(instruction.data))
        for instruction in circuit
    )


def _bodies(block: object) -> list[Circuit]:
    if isinstance(block, IfElse):
        return [body for body in (block.body, block.else_body) if body is not None]
    if isinstance(block, (WhileLoop, ForLoop)):
        return [block.body]
    if isinstance(block, SwitchCase):
        return [body for _, body in block.cases] + ([] if block.default is None else [block.default])
    return []


class _Run:
    def __init__(self, values: dict[str, float], max_passes: int) -> None:
        self.values = values
        self.max_passes = max_passes

    def block(self, circuit: Circuit, started: list[Branch]) -> list[Branch]:
        done: list[Branch] = []
        current = started
        for instruction in circuit:
            following = [after for branch in current for after in self.step(instruction, branch)]
            done += [branch for branch in following if branch.leaving]
            current = [branch for branch in following if not branch.leaving]
        return done + current

    def step(self, instruction: Instruction, branch: Branch) -> list[Branch]:
        name, block = instruction.name, instruction.data
        if name == "measure":
            assert instruction.clbit is not None
            return [
                replace(part, bits=_with_bit(part.bits, instruction.clbit, outcome))
                for outcome, part in self.project(branch, instruction.qubits[0])
            ]
        if name == "reset":
            qubit = instruction.qubits[0]
            return [
                replace(part, state=apply_matrix(part.state, X, [qubit])) if outcome else part
                for outcome, part in self.project(branch, qubit)
            ]
        if name in ("break_loop", "continue_loop"):
            return [replace(branch, leaving=name)]
        if isinstance(block, IfElse):
            body = block.body if evaluate(block.condition, branch.bits, branch.variables) else block.else_body
            return [branch] if body is None else self.block(body, [branch])
        if isinstance(block, SwitchCase):
            return self.switch(block, branch)
        if isinstance(block, ForLoop):
            return self.for_loop(block, branch)
        if isinstance(block, WhileLoop):
            return self.while_loop(block, branch)
        if isinstance(block, Assign):
            return [self.assign(block, branch)]
        values = {**self.values, **branch.variables}
        return [replace(branch, state=apply_instruction(branch.state, instruction, values))]

    def project(self, branch: Branch, qubit: int) -> list[tuple[int, Branch]]:
        parts = []
        index = np.arange(len(branch.state))
        for outcome in (0, 1):
            kept = np.where((index >> qubit & 1) == outcome, branch.state, 0)
            weight = float(np.vdot(kept, kept).real)
            if branch.weight * weight > PRUNED:
                state = kept / math.sqrt(weight)
                parts.append((outcome, replace(branch, weight=branch.weight * weight, state=state)))
        return parts

    def switch(self, block: SwitchCase, branch: Branch) -> list[Branch]:
        value = evaluate(block.target, branch.bits, branch.variables)
        for labels, body in block.cases:
            if value in labels:
                return self.block(body, [branch])
        return [branch] if block.default is None else self.block(block.default, [branch])

    def for_loop(self, block: ForLoop, branch: Branch) -> list[Branch]:
        current, done = [branch], []
        for value in block.values:
            if block.variable is not None:
                current = [replace(b, variables={**b.variables, block.variable: value}) for b in current]
            current, left = self.one_pass(block.body, current)
            done += left
        return done + current

    def while_loop(self, block: WhileLoop, branch: Branch) -> list[Branch]:
        current, done = [branch], []
        for _ in range(self.max_passes):
            done += [b for b in current if not evaluate(block.condition, b.bits, b.variables)]
            current = [b for b in current if evaluate(block.condition, b.bits, b.variables)]
            if not current:
                return done
            current, left = self.one_pass(block.body, current)
            done += left
        weight = sum(branch.weight for branch in current)
        raise RuntimeError(f"a while loop still has weight {weight} after {self.max_passes} passes")

    def one_pass(self, body: Circuit, started: list[Branch]) -> tuple[list[Branch], list[Branch]]:
        """Branches that go on with the loop, and those that broke out of it."""
        after = self.block(body, started)
        going = [replace(b, leaving=None) for b in after if b.leaving != "break_loop"]
        return going, [replace(b, leaving=None) for b in after if b.leaving == "break_loop"]

    def assign(self, block: Assign, branch: Branch) -> Branch:
        value = evaluate(block.value, branch.bits, branch.variables)
        target = block.target
        if isinstance(target, Variable):
            converted = convert(value, target.kind, target.width)
            return replace(branch, variables={**branch.variables, target.name: converted})
        if isinstance(target, Bit):
            return replace(branch, bits=_with_bit(branch.bits, target.index, int(value != 0)))
        if isinstance(target, Bits):
            bits = branch.bits
            for place in range(target.size):
                bits = _with_bit(bits, target.start + place, int(value) >> place & 1)
            return replace(branch, bits=bits)
        assert isinstance(target, Index)
        place = int(evaluate(target.index, branch.bits, branch.variables))
        if isinstance(target.operand, Bits):
            return replace(branch, bits=_with_bit(branch.bits, target.operand.start + place, int(value != 0)))
        assert isinstance(target.operand, Variable)
        variable = target.operand
        old = int(branch.variables.get(variable.name, 0))
        changed = (old & ~(1 << place)) | (int(value != 0) << place)
        new = convert(changed, variable.kind, variable.width)
        return replace(branch, variables={**branch.variables, variable.name: new})


def convert(value: int | float, kind: str, width: int | None) -> int | float:
    """A number as a value of a type: ints wrap around."""
    if kind in ("bool", "float"):
        return int(value != 0) if kind == "bool" else float(value)
    size = 1 << (width or 32)
    number = int(value) % size
    return number - size if kind == "int" and 2 * number >= size else number


def _with_bit(bits: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*bits[:place], value, *bits[place + 1 :])

"""Exact outcomes of a graph, computed without qfast: dense matrices on named qubits, every branch with its weight."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

H = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
X, Y, Z = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])


def _phase(angle: float) -> np.ndarray:
    return np.diag([1, np.exp(1j * angle)])


def _rotation(pauli: np.ndarray, theta: float) -> np.ndarray:
    return math.cos(theta / 2) * np.eye(2) - 1j * math.sin(theta / 2) * pauli


ONE = {
    "H": H, "X": X, "Y": Y, "Z": Z, "S": _phase(math.pi / 2), "SDG": _phase(-math.pi / 2), "T": _phase(math.pi / 4),
    "TDG": _phase(-math.pi / 4),
}  # fmt: skip
BELL = [  # phase + 2 parity
    np.array([1, 0, 0, 1]) / math.sqrt(2), np.array([1, 0, 0, -1]) / math.sqrt(2),
    np.array([0, 1, 1, 0]) / math.sqrt(2), np.array([0, 1, -1, 0]) / math.sqrt(2),
]  # fmt: skip


class Dense:
    """A state of named qubits: axis k belongs to the k-th name."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.state = np.ones((), dtype=complex)

    def copy(self) -> Dense:
        other = Dense()
        other.names, other.state = list(self.names), self.state.copy()
        return other

    def alloc(self, name: str) -> None:
        self.names.append(name)
        self.state = np.stack([self.state, np.zeros_like(self.state)], axis=-1)

    def apply(self, matrix: np.ndarray, *names: str) -> None:
        """Apply a matrix whose index has the first name as its highest bit."""
        axes = [self.names.index(name) for name in names]
        k = len(axes)
        moved = np.moveaxis(self.state, axes, range(k)).reshape(1 << k, -1)
        out = (matrix @ moved).reshape([2] * len(self.names))
        self.state = np.moveaxis(out, range(k), axes)

    def project(self, vector: np.ndarray, *names: str) -> tuple[float, Dense]:
        other = self.copy()
        other.apply(np.outer(vector, vector.conj()), *names)
        return float(np.vdot(other.state, other.state).real), other

    def drop(self, name: str) -> Iterator[tuple[float, Dense]]:
        axis = self.names.index(name)
        for value in (0, 1):
            other = Dense()
            other.names = [each for each in self.names if each != name]
            other.state = np.take(self.state, value, axis=axis)
            yield float(np.vdot(other.state, other.state).real), other


def outcomes(nodes: list[dict[str, Any]], events: list[str]) -> dict[str, float]:
    """Exact probabilities of the events, as `GraphResult` writes them, of nodes in an order that is valid."""
    found: dict[str, float] = {}
    _run(list(_expanded(nodes)), 0, Dense(), {}, 1.0, found, events)
    return found


def _run(
    nodes: list[dict[str, Any]], place: int, dense: Dense, seen: dict[str, int], weight: float,
    found: dict[str, float], events: list[str],
) -> None:  # fmt: skip
    while place < len(nodes):
        node = nodes[place]
        place += 1
        if not _holds(node.get("guard"), seen):
            continue
        op, qubits, arguments = node["op"], node.get("vqs", []), node.get("args", {})
        branches = _branches(op, qubits, arguments, dense)
        if branches is None:
            _act(op, qubits, arguments, node, dense, seen)
            continue
        for value, (probability, after) in branches:
            if probability > 1e-14:
                after.state = after.state / math.sqrt(probability)
                known = dict(seen)
                produces = node.get("produces", [])
                if len(produces) == 1:
                    known[produces[0]] = value
                elif produces:
                    known[produces[0]], known[produces[1]] = value & 1, value >> 1
                _run(nodes, place, after, known, weight * probability, found, events)
        return
    key = "".join("-" if event not in seen else str(seen[event]) for event in reversed(events))
    found[key] = found.get(key, 0.0) + weight


def _holds(guard: dict[str, Any] | None, seen: dict[str, int]) -> bool:
    if guard is None:
        return True
    if "conditions" not in guard:
        return seen.get(guard["event"]) == guard["equals"]
    tests = [seen.get(one["event"]) == one["equals"] for one in guard["conditions"]]
    return all(tests) if guard["type"] == "and" else any(tests)


def _branches(op: str, qubits: list[str], arguments: dict[str, Any], dense: Dense) -> Any:
    if op == "MEASURE_BELL":
        return [(value, dense.project(vector, *qubits)) for value, vector in enumerate(BELL)]
    if op.startswith("MEASURE_"):
        kind = op.removeprefix("MEASURE_")
        operator = {"X": X, "Y": Y, "Z": Z}.get(kind)
        if operator is None:
            operator = math.cos(arguments["angle"]) * Z + math.sin(arguments["angle"]) * X
        values, vectors = np.linalg.eigh(operator)
        return [(int(value < 0), dense.project(vectors[:, k], qubits[0])) for k, value in enumerate(values)]
    if op == "FREE_LQ":
        return [(0, branch) for branch in dense.drop(qubits[0])] if qubits[0] in dense.names else None
    return None


def _expanded(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Frees qubits one by one; a reset is another qubit of the same name."""
    for node in nodes:
        if node["op"] in ("FREE_LQ", "RESET"):
            for name in node["vqs"]:
                yield node | {"op": "FREE_LQ", "vqs": [name]}
                if node["op"] == "RESET":
                    yield node | {"op": "ALLOC_LQ", "vqs": [name]}
        else:
            yield node


def _act(
    op: str, qubits: list[str], arguments: dict[str, Any], node: dict[str, Any], dense: Dense, seen: dict[str, int]
) -> None:
    name = op.removeprefix("APPLY_")
    if op == "ALLOC_LQ":
        for qubit in qubits:
            dense.alloc(qubit)
    elif op == "COND_PAULI":
        if sum(seen[event] for event in node.get("inputs", [])) % 2 or not node.get("inputs"):
            letters = arguments.get("mask", arguments.get("pauli"))
            for letter, qubit in zip(letters * len(qubits) if len(letters) == 1 else letters, qubits, strict=True):
                dense.apply({"I": np.eye(2), "X": X, "Y": Y, "Z": Z}[letter], qubit)
    elif name in ONE:
        dense.apply(ONE[name], qubits[0])
    elif name in ("RX", "RY", "RZ"):
        dense.apply(_rotation({"X": X, "Y": Y, "Z": Z}[name[1]], arguments["theta"]), qubits[0])
    elif name in ("CNOT", "TELEPORT_CNOT"):
        dense.apply(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]), *qubits)
    elif name == "CZ":
        dense.apply(np.diag([1, 1, 1, -1]), *qubits)
    elif name == "SWAP":
        dense.apply(np.eye(4)[[0, 2, 1, 3]], *qubits)
    elif name == "INJECT_T_STATE":
        dense.apply(ONE["T"], qubits[0])
    elif op not in ("FREE_LQ", "FENCE_EPOCH", "BAR_REGION", "OPEN_CHAN", "USE_CHAN", "CLOSE_CHAN", "SET_POLICY"):
        raise AssertionError(op)

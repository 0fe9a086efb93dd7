"""Random circuits for hypothesis."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from qfast.circuit import GATES, Circuit, GateRow
from tests import oracle

ANGLES = st.floats(-2 * math.pi, 2 * math.pi, allow_nan=False).map(lambda x: round(x, 6))
FIXED: list[GateRow] = [row for row in GATES if row.target_matrix is not None]


@st.composite
def circuits(draw: st.DrawFn, min_qubits: int = 1, max_qubits: int = 5, max_gates: int = 8) -> Circuit:
    """A circuit of gates only: fixed gates and gates of data on any qubits, with extra controls in any state."""
    num_qubits = draw(st.integers(min_qubits, max_qubits))
    circuit = Circuit(num_qubits)
    for _ in range(draw(st.integers(0, max_gates))):
        order = draw(st.permutations(range(num_qubits)))
        fitting = [row for row in FIXED if row.num_qubits is not None and row.num_qubits <= num_qubits]
        row = draw(st.sampled_from(fitting + [None] * 8))
        width = draw(st.integers(1, min(3, num_qubits))) if row is None else row.num_qubits
        assert width is not None
        extra = draw(st.integers(0, min(2, num_qubits - width)))
        controls = order[width : width + extra]
        state = draw(st.integers(0, (1 << extra) - 1))
        if row is not None:
            params = [draw(ANGLES) for _ in range(row.num_params)]
            circuit.append(row.name, order[:width], params, controls=controls, ctrl_state=state)
        else:
            _add_data_gate(draw, circuit, order[:width], controls, state)
    return circuit


def _add_data_gate(draw: st.DrawFn, circuit: Circuit, qubits: list[int], controls: list[int], state: int) -> None:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dim = 1 << len(qubits)
    kind = draw(st.sampled_from(["unitary", "diagonal", "permutation", "pauli_rotation"]))
    if kind == "unitary":
        circuit.unitary(random_unitary(rng, dim), qubits, controls=controls, ctrl_state=state)
    elif kind == "diagonal":
        phases = np.exp(1j * rng.uniform(-math.pi, math.pi, dim))
        circuit.diagonal(phases, qubits, controls=controls, ctrl_state=state)
    elif kind == "permutation":
        circuit.permutation(rng.permutation(dim), qubits, controls=controls, ctrl_state=state)
    else:
        letters = "".join(rng.choice(list("IXYZ"), len(qubits)))
        circuit.pauli_rotation(letters, qubits, float(rng.normal()), controls=controls, ctrl_state=state)


def random_unitary(rng: np.random.Generator, dim: int) -> oracle.Array:
    """A Haar-random unitary (Mezzadri, math-ph/0609050)."""
    q, r = np.linalg.qr(rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim)))
    return q * (np.diag(r) / np.abs(np.diag(r)))

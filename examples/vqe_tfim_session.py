"""Ground state of a 12-qubit transverse-field Ising chain by VQE in a session.

Run: python examples/vqe_tfim_session.py
"""

from __future__ import annotations

import numpy as np

import qfast


def make_hamiltonian(num_qubits: int, field: float) -> qfast.PauliSum:
    """Return H = -sum Z Z - field * sum X on an open chain."""
    bonds = [("ZZ", [i, i + 1], -1.0) for i in range(num_qubits - 1)]
    return qfast.PauliSum(bonds + [("X", [i], -field) for i in range(num_qubits)])


def exact_energy(num_qubits: int, field: float) -> float:
    """Return the ground-state energy by free fermions (Lieb, Schultz and Mattis, Ann. Phys. 16, 407, 1961)."""
    couplings = field * np.eye(num_qubits) + np.eye(num_qubits, k=1)
    return -float(np.linalg.svd(couplings, compute_uv=False).sum())


def make_ansatz(num_qubits: int, layers: int) -> qfast.Circuit:
    """Return layers of exp(-i g/2 sum ZZ) and exp(-i b/2 sum X) on the state of all plus."""
    circuit = qfast.Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.h(qubit)
    for layer in range(layers):
        zz, x = qfast.Parameter(f"g{layer:02}"), qfast.Parameter(f"b{layer:02}")
        for parity in (0, 1):
            for i in range(parity, num_qubits - 1, 2):
                circuit.rzz(zz, i, i + 1)
        for qubit in range(num_qubits):
            circuit.rx(x, qubit)
    return circuit


class Objective:
    """Energy and gradient, every evaluation one job of the session."""

    def __init__(self, session: qfast.Session, ansatz: qfast.Circuit, hamiltonian: qfast.PauliSum) -> None:
        self._estimator = qfast.Estimator(session)
        self._ansatz = ansatz
        self._hamiltonian = hamiltonian

    def __call__(self, angles: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the energy and its central differences, from one batch of parameter sets."""
        step = 1e-5
        shifts = step * np.eye(len(angles))
        trials = np.vstack([angles, angles + shifts, angles - shifts])
        (result,) = self._estimator.run([(self._ansatz, self._hamiltonian, trials)]).result()
        energy, plus, minus = np.split(result.expectation, [1, 1 + len(angles)])
        return float(energy[0]), (plus - minus) / (2 * step)


def minimise(objective: Objective, angles: np.ndarray, steps: int) -> tuple[float, np.ndarray]:
    """Minimise by BFGS with a halving line search (Nocedal and Wright, Numerical Optimization, algorithm 6.1)."""
    inverse = np.eye(len(angles)) * 0.05
    energy, gradient = objective(angles)
    for _ in range(steps):
        direction = -inverse @ gradient
        length = 1.0
        while True:
            moved = angles + length * direction
            new_energy, new_gradient = objective(moved)
            if new_energy <= energy + 1e-4 * length * float(gradient @ direction) or length < 1e-6:
                break
            length /= 2
        change, bend = moved - angles, new_gradient - gradient
        curvature = float(change @ bend)
        if curvature > 1e-12:
            project = np.eye(len(angles)) - np.outer(change, bend) / curvature
            inverse = project @ inverse @ project.T + np.outer(change, change) / curvature
        angles, energy, gradient = moved, new_energy, new_gradient
        if np.abs(gradient).max() < 1e-5:
            break
    return energy, angles


def main(num_qubits: int = 12, layers: int = 6, steps: int = 120, field: float = 1.0) -> tuple[float, float]:
    """Return the energy that VQE finds and the exact one."""
    hamiltonian, ansatz = make_hamiltonian(num_qubits, field), make_ansatz(num_qubits, layers)
    with qfast.Session("local::statevector", max_ttl=3600, tags=["vqe", "tfim"]) as session:
        energy, _ = minimise(Objective(session, ansatz, hamiltonian), np.full(2 * layers, -0.6), steps)
    exact = exact_energy(num_qubits, field)
    figures = session.metrics()
    print(f"VQE {energy:.6f}, exact {exact:.6f}: {100 * (energy / exact - 1):+.3f} percent")
    print(
        f"{figures.completed} jobs of {4 * layers + 1} circuits, {1e3 * figures.run_s / figures.completed:.2f} ms each"
    )
    return energy, exact


if __name__ == "__main__":
    main()

"""Ground state of H2 by VQE in a session: every step needs the result of the one before.

A session keeps plans, memory and a worker warm, so that a step costs little more than its simulation.

Run: python examples/vqe_h2_session.py
"""

from __future__ import annotations

import numpy as np

import qfast

# H2 at 0.735 Angstrom, STO-3G, parity mapping, two qubits; electronic part, in Hartree (O'Malley et al., PRX 6, 031007,
# describes the reduction; the coefficients are those that Qiskit Nature computes).
HAMILTONIAN = qfast.PauliSum(
    [
        ("II", [0, 1], -1.052373245772859),
        ("Z", [0], 0.39793742484318045),
        ("Z", [1], -0.39793742484318045),
        ("ZZ", [0, 1], -0.01128010425623538),
        ("XX", [0, 1], 0.18093119978423156),
    ]
)


def make_ansatz() -> qfast.Circuit:
    """Return RY rotations around one CX: enough for any real state of two qubits up to local phases."""
    circuit = qfast.Circuit(2)
    angles = [qfast.Parameter(f"t{i}") for i in range(4)]
    circuit.ry(angles[0], 0).ry(angles[1], 1).cx(0, 1).ry(angles[2], 0).ry(angles[3], 1)
    return circuit


def minimise_angle(estimator: qfast.Estimator, ansatz: qfast.Circuit, angles: np.ndarray, k: int) -> float:
    """Move angle ``k`` to its best value and return the energy there.

    The energy is a sinusoid in every single angle, so three values tell where its minimum is (Ostaszewski, Grant and
    Benedetti, Quantum 5, 391, 2021).
    """
    trials = np.tile(angles, (3, 1))
    trials[:, k] += (0.0, np.pi / 2, -np.pi / 2)
    (result,) = estimator.run([(ansatz, HAMILTONIAN, trials)]).result()
    here, plus, minus = result.expectation
    phase = np.arctan2(2 * here - plus - minus, plus - minus)
    mean, amplitude = (plus + minus) / 2, np.hypot(here - (plus + minus) / 2, (plus - minus) / 2)
    angles[k] -= np.pi / 2 + phase
    return float(mean - amplitude)


def main(sweeps: int = 10) -> tuple[float, float]:
    """Return the energy that VQE finds and the exact one."""
    ansatz = make_ansatz()
    angles = np.full(4, 0.1)
    with qfast.Session("local::statevector", max_ttl=600, tags=["vqe", "h2"]) as session:
        estimator = qfast.Estimator(session)
        for sweep in range(sweeps):
            for k in range(len(angles)):
                energy = minimise_angle(estimator, ansatz, angles, k)
            print(f"sweep {sweep + 1:2}: {energy:.9f} Hartree")
    exact = float(np.linalg.eigvalsh(HAMILTONIAN.matrix())[0])
    figures = session.metrics()
    print(f"exact   : {exact:.9f} Hartree")
    print(f"{figures.completed} jobs, {1e6 * figures.run_s / figures.completed:.0f} us each")
    return energy, exact


if __name__ == "__main__":
    main()

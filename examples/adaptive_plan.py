"""Measure the energy of a spin chain to a stated error, and see where the shots went.

Run: ``python examples/adaptive_plan.py [picture.png]`` (the picture needs the extra ``plot``).
"""

from __future__ import annotations

import sys

import qfast

NUM_SPINS = 12
TARGET_ERROR = 0.02


def ising_chain(num_spins: int, field: float) -> qfast.PauliSum:
    """The transverse-field Ising model on an open chain."""
    bonds = [("ZZ", [q, q + 1], -1.0) for q in range(num_spins - 1)]
    return qfast.PauliSum(bonds + [("X", [q], -field) for q in range(num_spins)])


def annealed_state(num_spins: int, steps: int) -> qfast.Circuit:
    """A few steps from all spins along X towards the chain's ground state."""
    circuit = qfast.Circuit(num_spins)
    for q in range(num_spins):
        circuit.h(q)
    for step in range(steps):
        done = (step + 0.5) / steps
        for q in range(num_spins - 1):
            circuit.rzz(-1.6 * done, q, q + 1)
        for q in range(num_spins):
            circuit.rx(-1.6 * (1 - done), q)
    return circuit


def main() -> None:
    """Compare the allocations, then draw the best one."""
    energy = ising_chain(NUM_SPINS, field=1.0)
    circuit = annealed_state(NUM_SPINS, steps=3)
    exact = qfast.simulate(circuit).expectation(energy)
    print(f"exact energy {exact:.4f}; wanted: a standard error of {TARGET_ERROR}")
    for allocation in ("uniform", "coefficient", "variance"):
        plan = qfast.ShotPlan.for_observable(
            circuit, energy, shots=200_000, allocation=allocation, target_error=TARGET_ERROR, max_shots_per_segment=2000
        )
        result = plan.run("local::statevector", seed=7)
        off = (result.expectation - exact) / result.standard_error
        print(
            f"{allocation:12} {result.expectation:9.4f} ± {result.standard_error:.4f} ({off:+.1f} errors off), "
            f"{result.total_shots} shots in {len(result.parts)} segments"
        )
    if len(sys.argv) > 1:
        qfast.plotting.plot_shot_plan(result).savefig(sys.argv[1])


if __name__ == "__main__":
    main()

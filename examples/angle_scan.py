"""The energy of a transverse-field Ising chain over a grid of two angles, in one call.

A program is planned once; a table of parameter values, one row per point, runs side by side.
"""

import numpy as np

import qfast

NUM_QUBITS = 8
GRID = 33

coupling, field = qfast.Parameter("coupling"), qfast.Parameter("field")
circuit = qfast.Circuit(NUM_QUBITS)
for qubit in range(NUM_QUBITS):
    circuit.h(qubit)
for qubit in range(NUM_QUBITS - 1):
    circuit.rzz(coupling, qubit, qubit + 1)
for qubit in range(NUM_QUBITS):
    circuit.rx(field, qubit)

bonds = [("ZZ", [qubit, qubit + 1], -1.0) for qubit in range(NUM_QUBITS - 1)]
energy = qfast.PauliSum([*bonds, *(("X", [qubit], -0.7) for qubit in range(NUM_QUBITS))])

program = qfast.compile(circuit)
angles = np.linspace(0, np.pi, GRID)
points = np.stack(np.meshgrid(angles, angles, indexing="ij"), axis=-1).reshape(-1, 2)
energies = program.expectation(points, energy)

best = int(np.argmin(energies))
names = [parameter.name for parameter in program.parameters]
print(
    f"{len(points)} points, lowest energy {energies[best]:.6f} at",
    dict(zip(names, points[best].round(4).tolist(), strict=True)),
)

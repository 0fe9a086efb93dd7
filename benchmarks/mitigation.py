"""What each method of error mitigation brings, over circuits and seeds.

Run: ``python benchmarks/mitigation.py [shots] [seeds]``. One line for each method and circuit: the exact value, the
mean distance from it as measured and as mitigated, the mean standard error, the root mean square of (value - exact) /
error, which is 1 where the error says all, and what a value costs. Goal: nearer by more than the error, wherever the
noise does harm: moves the value by more than three of these errors.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import numpy as np

from qfast import Circuit, NoiseModel, PauliSum, ReadoutError, channels, expectation, simulate
from qfast.noise import IdleNoise

NS = 1e-9
DURATIONS = {"id": 20 * NS, "x": 40 * NS, "y": 40 * NS, "h": 40 * NS, "ry": 40 * NS, "cx": 300 * NS}
OVERROTATION = math.cos(0.05) * np.eye(4) - 1j * math.sin(0.05) * np.diag([1, -1, -1, 1])


def tfim(num_qubits: int) -> PauliSum:
    """Transverse-field Ising model."""
    bonds = [("ZZ", [q, q + 1], -1.0) for q in range(num_qubits - 1)]
    return PauliSum(bonds + [("X", [q], -0.7) for q in range(num_qubits)])


def layered(num_qubits: int, layers: int, seed: int) -> Circuit:
    """Random rotations and staircases of cx."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for _ in range(layers):
        for q in range(num_qubits):
            circuit.ry(float(rng.normal(scale=0.6)), q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
    return circuit


def ghz(num_qubits: int) -> Circuit:
    """A GHZ state."""
    circuit = Circuit(num_qubits).h(0)
    for q in range(num_qubits - 1):
        circuit.cx(q, q + 1)
    return circuit


def quench(num_qubits: int, steps: int) -> Circuit:
    """Steps of a time evolution."""
    circuit = Circuit(num_qubits)
    for _ in range(steps):
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1).ry(0.3, q + 1).cx(q, q + 1)
        for q in range(num_qubits):
            circuit.ry(0.25, q)
    return circuit


CIRCUITS = {
    "layered 4x2": layered(4, 2, 1),
    "layered 3x3": layered(3, 3, 2),
    "layered 4x3": layered(4, 3, 2),
    "layered 5x2": layered(5, 2, 3),
    "ghz 4": ghz(4),
    "quench 4x2": quench(4, 2),
    "quench 5x3": quench(5, 3),
}


def gates() -> NoiseModel:
    """Depolarizing noise."""
    return NoiseModel().add(channels.depolarizing(0.01, num_qubits=2), gates=["cx"]).add(channels.depolarizing(0.0005))


def readout(model: NoiseModel) -> NoiseModel:
    """The same, misread."""
    return model.add_readout(ReadoutError.of_flips(0.02, 0.06))


def idle(model: NoiseModel) -> NoiseModel:
    """The same, with qubits that suffer while they wait."""
    return model.set_durations(DURATIONS).add_idle(IdleNoise(t1=200e-6, detuning_hz=80e3))


def coherent(model: NoiseModel) -> NoiseModel:
    """The same, with cx that turn too far."""
    return model.add(channels.coherent(OVERROTATION), gates=["cx"])


METHODS: list[tuple[str, dict[str, Any], NoiseModel]] = [
    ("readout", {"readout": True}, readout(NoiseModel())),
    ("zne, exponential", {"zne": True}, gates()),
    ("zne, richardson", {"zne": True, "extrapolator": "richardson"}, gates()),
    ("zne, global, linear", {"zne": True, "folding": "global", "extrapolator": "linear"}, gates()),
    ("decoupling, xx", {"decoupling": True, "sequence": "xx"}, idle(NoiseModel())),
    ("decoupling, xy4", {"decoupling": True}, idle(NoiseModel())),
    ("twirling, zne", {"twirling": True, "zne": True, "randomizations": 16}, coherent(gates())),
    (
        "all",
        {"readout": True, "zne": True, "twirling": True, "decoupling": True, "randomizations": 16},
        coherent(idle(readout(gates()))),
    ),
]


def main() -> None:
    """Print the table."""
    shots = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print(f"{shots} shots at each scale factor, {seeds} seeds")
    for method, how, noise in METHODS:
        better = harmed = 0
        for name, circuit in CIRCUITS.items():
            observable = tfim(circuit.num_qubits)
            exact = simulate(circuit).expectation(observable)
            begun = time.perf_counter()
            found = [
                expectation(circuit, observable, noise=noise, mitigation=how, shots=shots, seed=seed)
                for seed in range(seeds)
            ]
            seconds = (time.perf_counter() - begun) / seeds
            plain = [expectation(circuit, observable, noise=noise, shots=shots, seed=seed) for seed in range(seeds)]
            before = float(np.mean([abs(f.expectation - exact) for f in plain]))
            after = float(np.mean([abs(f.expectation - exact) for f in found]))
            error = float(np.mean([f.standard_error for f in found]))
            pull = math.sqrt(np.mean([((f.expectation - exact) / f.standard_error) ** 2 for f in found]))
            harmed += before > 3 * error
            better += before > 3 * error and before - after > error
            cost = found[0].metadata["cost"]
            spent = f"{cost['circuits']} circuits, {cost['shots'] + cost['calibration_shots']:,} shots, {seconds:.1f} s"
            print(
                f"  {method:20} {name:12} exact {exact:+.3f}: off by {before:.4f}, "
                f"mitigated {after:.4f} ± {error:.4f}, pull {pull:.1f}; {spent}"
            )
        print(f"{method}: nearer by more than the error on {better} of {harmed} circuits that are off by over 3 errors")


if __name__ == "__main__":
    main()

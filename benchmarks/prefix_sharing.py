"""What sharing prefixes saves on a parameter-shift set, for circuits of growing depth.

Run: ``python benchmarks/prefix_sharing.py [qubits] [layers ...]``. Times: CPU seconds of one thread, the best of two.
Goal: 1.8 times as fast on 18 qubits and 200 circuits; two times is what the structure allows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from qfast import Circuit, Parameter, compile
from qfast._typing import AnyArray
from qfast.simulation.asks import State
from qfast.simulation.packing import Packing
from qfast.simulation.request import Request
from qfast.simulation.run_settings import run_settings
from qfast.simulation.shared_prefix import shared_states

NUM_PARAMETERS = 100


def brickwork(num_qubits: int, layers: int) -> Circuit:
    """Layers of fixed gates, with 100 parametric rotations spread over them."""
    rng = np.random.default_rng(0)
    circuit = Circuit(num_qubits)
    made = 0
    for layer in range(layers):
        for q in range(num_qubits):
            circuit.u(*rng.uniform(0, 6, 3).tolist(), q)
        for q in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(q, q + 1)
        while made < NUM_PARAMETERS * (layer + 1) // layers:
            circuit.rzz(Parameter(f"t{made:03d}"), 5 * made % num_qubits, (5 * made + 1) % num_qubits)
            made += 1
    return circuit


def best(action: Callable[[], object]) -> float:
    """CPU seconds of the better of two runs."""
    times = []
    for _ in range(2):
        begun = time.process_time()
        action()
        times.append(time.process_time() - begun)
    return min(times)


def main() -> None:
    """Print one line for each depth."""
    num_qubits = int(sys.argv[1]) if len(sys.argv) > 1 else 18
    for layers in [int(text) for text in sys.argv[2:]] or [20, 50, 100]:
        circuit = brickwork(num_qubits, layers)
        values = np.random.default_rng(1).normal(size=NUM_PARAMETERS)
        shifts = np.repeat(np.eye(NUM_PARAMETERS), 2, axis=0) * np.pi / 2
        shifts[1::2] *= -1
        table = values + shifts
        program = compile(circuit, threads=1)

        settings = run_settings(threads=1)
        requests = [Request.of(State(), circuit, row, settings.precision) for row in table]

        def amplitude(index: int, state: AnyArray, packing: Packing) -> complex:
            return complex(state[1])

        found, statistics = shared_states(requests, settings, amplitude)
        alone = [complex(program.simulate(row).amplitudes[1]) for row in table]
        assert np.allclose(found, alone, atol=1e-12)
        plain = best(lambda program=program, table=table: [program.simulate(row) for row in table])  # type: ignore[misc]
        shared = best(
            lambda requests=requests, settings=settings: shared_states(requests, settings, amplitude)  # type: ignore[misc]
        )
        print(
            f"{num_qubits} qubits, {len(circuit)} gates, {len(table)} circuits: alone {plain:.2f} s, shared "
            f"{shared:.2f} s, {plain / shared:.2f} times as fast; gates {statistics.instructions} to "
            f"{statistics.simulated} ({statistics.instructions / statistics.simulated:.2f} times fewer)"
        )


if __name__ == "__main__":
    main()

"""Check the walk of the native engine on thousands of random scripts against the walk in Python.

Run from the root of the project, with the extra ``test``::

    python -m benchmarks.check_walks [--scripts 10000] [--shots 100] [--seed 0]

Scripts have nested control flow, measurements, resets, assignments, noise of every kind, and qubits that come and go.
Every shot must record the same, unless one of its uniforms lies within 1e-12 of what would have changed it. Small
circuits are also compared with the exact distribution of the density matrix: all branches, to 1e-10.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import qfast
from qfast import NoiseModel
from qfast.circuit import Circuit
from qfast.engines import native
from qfast.simulation.compiled import Compiled
from qfast.simulation.native_walk import NativeWalk
from qfast.simulation.run_settings import run_settings
from qfast.simulation.script import Measure, Reset, Script, script_of
from tests.simulation.dynamic_scripts import random_circuit, random_noise, random_script, rows_in_python

CLOSE = 1e-12
TOLERANCE = 1e-10
MOST_DIVISIONS = 8


def wrong_shots(script: Script, seed: int, shots: int) -> tuple[int, int]:
    """Shots that differ, those near a boundary apart."""
    wanted, margins = rows_in_python(script, run_settings("reference"), seed, 0, shots)
    wrong = near = 0
    for isa in native.isas():
        settings = run_settings("native", "complex128", 1 + seed % 4, isa)
        compiled = Compiled(script, (), settings.engine, settings.precision)
        found = NativeWalk(compiled, settings, np.zeros(0), None).rows(seed, 0, shots)
        differs = (found != wanted).any(axis=1)
        wrong += int((differs & (margins > CLOSE)).sum())
        near += int((differs & (margins <= CLOSE)).sum())
    return wrong, near


def few_branches(rng: np.random.Generator) -> tuple[Circuit, NoiseModel]:
    """Return a random circuit, and noise, that have at most some thousand branches."""
    while True:
        circuit, noise = random_circuit(rng), random_noise(rng)
        script = script_of(circuit, noise)
        if not script.loops and sum(isinstance(step, (Measure, Reset)) for step in script.steps) <= MOST_DIVISIONS:
            return circuit, noise


def largest_error(rng: np.random.Generator) -> float:
    """How far distributions of a random circuit are from those of the density matrix, without noise and with it."""
    circuit, noise = few_branches(rng)
    worst = 0.0
    for model in (None, noise):
        exact = qfast.distribution(circuit, noise=model, engine="reference", method="density")
        found = qfast.distribution(circuit, noise=model, engine="native")
        worst = max(worst, *(abs(exact.get(key, 0.0) - found.get(key, 0.0)) for key in {*exact, *found}))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scripts", type=int, default=10_000)
    parser.add_argument("--distributions", type=int, default=300)
    parser.add_argument("--shots", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    wrong = near = walked = 0
    for number in range(chosen.seed, chosen.seed + chosen.scripts):
        script = random_script(np.random.default_rng(number))
        if script.is_static:
            continue
        walked += 1
        found, close = wrong_shots(script, number, chosen.shots)
        if found:
            print(f"script {number}: {found} shots differ")
        wrong, near = wrong + found, near + close
    print(
        f"{walked} scripts, {chosen.shots} shots each, {native.isas()}: {wrong} differ, {near} of them near a boundary"
    )
    rng = np.random.default_rng(chosen.seed)
    worst = max((largest_error(rng) for _ in range(chosen.distributions)), default=0.0)
    print(f"{chosen.distributions} distributions: within {worst:.1e} of the density matrix's")
    return 1 if wrong or worst > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())

"""No part of what has a seed repeats another part, or its neighbours' seeds."""

from __future__ import annotations

import itertools
from typing import get_args

import numpy as np
import pytest

import qfast
from qfast.errors import InputError
from qfast.simulation.seeds import MAX_SEED, Purpose, chosen_seed, derived_seed

PURPOSES = get_args(Purpose)


def test_purposes_paths_and_neighbouring_seeds_have_keys_of_their_own() -> None:
    seeds = [*range(12), MAX_SEED, MAX_SEED - 1]
    paths = [
        (),
        *((i,) for i in range(60)),
        *itertools.product(range(5), repeat=2),
        *itertools.product(range(3), repeat=3),
    ]
    keys = {derived_seed(seed, purpose, *path) for seed in seeds for purpose in PURPOSES for path in paths}
    assert len(keys) == len(seeds) * len(PURPOSES) * len(paths)
    assert keys.isdisjoint(range(100_000))


def test_a_purpose_fits_the_personalisation_of_the_hash() -> None:
    assert all(0 < len(purpose.encode()) <= 16 for purpose in PURPOSES)


def test_the_keys_of_version_0_1() -> None:
    """Counts of a seed are promised within a minor version: these numbers change with it only."""
    assert derived_seed(7, "row", 0) == 1010371393925539044
    assert derived_seed(7, "job", 1) == 30646793697961540
    assert derived_seed(MAX_SEED, "randomization", 1, 2, 3) == 2581473352839976606


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, True, "7"])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    with pytest.raises(InputError, match=r"seed .* must be an integer"):
        chosen_seed(seed)  # type: ignore[arg-type]


def test_no_row_of_a_seed_repeats_a_row_of_the_next_one() -> None:
    program = qfast.compile(_uniform(8), engine="reference")
    values = np.zeros((4, 0))
    tables = [program.sample(values, shots=64, seed=seed) for seed in (7, 8)]
    alone = [program.sample(None, shots=64, seed=seed) for seed in (7, 8)]
    drawn = [samples.packed().tobytes() for samples in (*tables[0], *tables[1], *alone)]
    assert len(set(drawn)) == len(drawn)


def test_rows_of_a_sampled_gradient_have_shots_of_their_own() -> None:
    circuit = qfast.Circuit(1).ry(qfast.Parameter("t"), 0)
    program = qfast.compile(circuit, engine="reference")
    z = qfast.PauliSum([("Z", [0])])
    found = program.gradient([[0.3]] * 6, [z, z], method="parameter_shift", shots=101, seed=3)
    assert len(np.unique(found)) > 6  # one seed for all would give one number


def test_segments_of_counts_drawn_at_once_are_independent() -> None:
    state = qfast.simulate(_uniform(6), engine="reference")
    parts = [
        state.sample(500, seed=3, output="counts", draws="multinomial", first_shot=first).get_counts()
        for first in (0, 500)
    ]
    assert parts[0] != parts[1]


def _uniform(num_qubits: int) -> qfast.Circuit:
    circuit = qfast.Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.h(qubit)
    return circuit

"""What engines read off a state: probabilities, inner products, Pauli sums, samples."""

from __future__ import annotations

import numpy as np
import pytest

from qfast.circuit import PauliSum
from qfast.engines.bits import Wiring
from tests import oracle
from tests.engines.states import random_state

LOOSE = {"complex64": 3e-7, "complex128": 1e-14}


@pytest.mark.parametrize("qubits", [[], [0], [3], [4, 1], [0, 1, 2, 3, 4], [2, 0, 4, 3, 1]])
def test_probabilities_are_those_of_the_oracle_in_the_order_asked_for(engine, precision, rng, qubits) -> None:
    state = random_state(rng, 5).astype(precision)
    found = engine.probabilities(state, np.array(qubits, dtype=np.int32), threads=1)
    assert found.dtype == np.float64
    assert np.abs(found - oracle.probabilities(state, qubits)).max() < LOOSE[precision]


def test_sums_do_not_depend_on_the_number_of_threads(engine, precision, rng) -> None:
    a, b = (random_state(rng, 17).astype(precision) for _ in range(2))
    x, z = (rng.integers(1 << 17, size=5).astype(np.uint64) for _ in range(2))
    weights = rng.normal(size=5) + 0j
    qubits = np.array([16, 3], dtype=np.int32)
    one = (
        engine.norm_squared(a, threads=1),
        engine.inner_product(a, b, threads=1),
        engine.expectation_pauli(a, x, z, weights, threads=1),
        engine.probabilities(a, qubits, threads=1).tolist(),
    )
    for threads in (2, 3):
        assert one == (
            engine.norm_squared(a, threads=threads),
            engine.inner_product(a, b, threads=threads),
            engine.expectation_pauli(a, x, z, weights, threads=threads),
            engine.probabilities(a, qubits, threads=threads).tolist(),
        )


def test_single_precision_states_are_summed_in_double(engine) -> None:
    """A sum of 2**18 equal terms in single precision would be off by 1e-4 or so."""
    state = np.full(1 << 18, 2**-9, dtype=np.complex64)
    assert abs(engine.norm_squared(state, threads=2) - 1) < 1e-12
    assert abs(engine.inner_product(state, state, threads=2) - 1) < 1e-12
    assert abs(engine.probabilities(state, np.array([4], dtype=np.int32), threads=2)[0] - 0.5) < 1e-12


def test_inner_products_conjugate_the_left_state(engine, precision, rng) -> None:
    a, b = (random_state(rng, 6).astype(precision) for _ in range(2))
    assert abs(engine.inner_product(a, b, threads=1) - np.vdot(a, b)) < 1e-6
    assert abs(engine.inner_product(a, b, threads=1) - np.conj(engine.inner_product(b, a, threads=1))) < 1e-12


def test_expectations_of_pauli_sums_are_those_of_the_oracle(engine, precision, rng) -> None:
    state = random_state(rng, 5).astype(precision)
    terms = [("".join(rng.choice(list("IXYZ"), 5)), range(5), complex(rng.normal(), rng.normal())) for _ in range(40)]
    observable = PauliSum(terms, 5)
    wanted = oracle.expectation(state, observable)
    found = engine.expectation_pauli(state, *observable.masks(5), threads=1)
    prepared = engine.observable(5, *observable.masks(5))
    assert abs(found - wanted) < 40 * LOOSE[precision]
    assert abs(prepared.expectation(state, threads=2) - wanted) < 40 * LOOSE[precision]


def test_an_observable_without_terms_is_zero(engine) -> None:
    state = np.array([1, 0], dtype=np.complex128)
    assert engine.observable(1, *PauliSum([], 1).masks(1)).expectation(state, threads=1) == 0


def test_samples_invert_the_cumulative_distribution_in_index_order(engine, precision, rng) -> None:
    state = random_state(rng, 14).astype(precision)
    uniforms = rng.random(2000)
    weights = np.abs(state.astype(np.complex128)) ** 2
    cumulative = np.cumsum(weights)
    wanted = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    for threads in (1, 3):
        assert np.array_equal(engine.sample_indices(state, uniforms, threads=threads), wanted)


def test_outcomes_without_probability_are_never_sampled(engine, precision) -> None:
    state = np.zeros(1 << 13, dtype=precision)
    state[[7, 5000]] = np.sqrt(0.5)
    uniforms = np.array([0.0, 0.25, np.nextafter(0.5, 0), 0.5000001, np.nextafter(1.0, 0.0)])
    assert engine.sample_indices(state, uniforms, threads=2).tolist() == [7, 7, 7, 5000, 5000]


def test_a_sampler_packs_the_bits_that_were_asked_for(engine, precision, rng) -> None:
    state = random_state(rng, 6).astype(precision)
    sampler = engine.sampler(state, threads=2)
    wiring = Wiring([(4, 0), (1, 2), (1, 9)], 11)
    indices = sampler.find(engine.uniforms(9, 100, 300, 2))
    rows = sampler.packed(9, 100, 300, 2, wiring)
    values = (indices >> 4 & 1) | (indices >> 1 & 1) << 2 | (indices >> 1 & 1) << 9
    assert np.array_equal(rows, values.astype("<u2").view(np.uint8).reshape(-1, 2))


def test_counting_agrees_with_the_single_shots(engine, precision, rng) -> None:
    sampler = engine.sampler(random_state(rng, 5).astype(precision), threads=2)
    for wiring in (Wiring([(q, q) for q in range(5)], 5), Wiring([(3, 70)], 71)):
        rows = sampler.packed(3, 0, 1000, 0, wiring)
        distinct, counts = sampler.count(3, 0, 1000, 0, wiring)
        wanted = {int.from_bytes(row.tobytes(), "little") for row in rows}
        found = [int.from_bytes(row.tobytes(), "little") for row in distinct]
        assert found == sorted(wanted)
        assert counts.sum() == 1000
        for row, count in zip(distinct, counts, strict=True):
            assert (rows == row).all(axis=1).sum() == count

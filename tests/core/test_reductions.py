"""Reductions of the core through its bindings, for every ISA and precision, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qfast import _core
from qfast.engines import philox
from qfast.errors import CancelledRunError, EngineError, InputError, ObservableError

ISAS = _core.isa_available()
PRECISIONS = ["complex64", "complex128"]
State = NDArray[Any]

each_engine = pytest.mark.parametrize(("isa", "precision"), [(isa, p) for isa in ISAS for p in PRECISIONS])


def random_state(num_qubits: int, precision: str, seed: int = 1) -> State:
    rng = np.random.default_rng(seed)
    state = rng.normal(size=1 << num_qubits) + 1j * rng.normal(size=1 << num_qubits)
    return (state / np.linalg.norm(state)).astype(precision)


def pauli_value(state: State, x: int, z: int) -> complex:
    """⟨P⟩ by permuting amplitudes: P|i⟩ = i^y (-1)^(i·z) |i ^ x⟩."""
    index = np.arange(state.size)
    parity = index & z
    for shift in (16, 8, 4, 2, 1):
        parity ^= parity >> shift
    wide = state.astype(np.complex128)
    return complex(1j ** (x & z).bit_count() * np.sum(wide[index ^ x].conj() * (1 - 2 * (parity & 1)) * wide))


def marginal(state: State, qubits: list[int]) -> NDArray[np.float64]:
    index = np.arange(state.size)
    outcome = sum(((index >> qubit & 1) << place for place, qubit in enumerate(qubits)), np.zeros_like(index))
    return np.bincount(outcome, np.abs(state.astype(np.complex128)) ** 2, 1 << len(qubits))


@each_engine
@pytest.mark.parametrize("num_qubits", [0, 1, 4, 13])
def test_norm_and_inner_product(isa: str, precision: str, num_qubits: int) -> None:
    a, b = random_state(num_qubits, precision, 1), random_state(num_qubits, precision, 2)
    wide_a, wide_b = a.astype(np.complex128), b.astype(np.complex128)
    assert _core.norm_squared(a, 2, isa) == pytest.approx(np.vdot(wide_a, wide_a).real, abs=1e-14)
    assert _core.inner_product(a, b, 2, isa) == pytest.approx(np.vdot(wide_a, wide_b), abs=1e-14)


@each_engine
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_marginals_of_any_qubits(isa: str, precision: str, data: st.DataObject) -> None:
    num_qubits = data.draw(st.sampled_from([1, 3, 6, 13, 15]))
    qubits = data.draw(st.lists(st.integers(0, num_qubits - 1), unique=True, max_size=num_qubits))
    state = random_state(num_qubits, precision)
    got = _core.probabilities(state, np.array(qubits, dtype=np.int32), 2, isa)
    np.testing.assert_allclose(got, marginal(state, qubits), atol=1e-14)


@each_engine
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_expectation_of_random_pauli_sums(isa: str, precision: str, data: st.DataObject) -> None:
    num_qubits = data.draw(st.sampled_from([1, 3, 6, 12, 14]))
    mask = st.integers(0, (1 << num_qubits) - 1)
    few = data.draw(st.lists(mask, min_size=1, max_size=3))  # X masks come again: groups of strings
    terms = data.draw(st.lists(st.tuples(st.sampled_from(few), mask), min_size=1, max_size=12))
    x, z = (np.array(column, dtype=np.uint64) for column in zip(*terms, strict=True))
    coefficients = np.exp(1j * np.arange(len(terms)))
    state = random_state(num_qubits, precision)
    values = [pauli_value(state, *term) for term in terms]
    got = _core.expectation_pauli(state, x, z, coefficients, 2, isa)
    assert got == pytest.approx(complex(np.dot(coefficients, values)), abs=1e-13)
    observable = _core.PauliSum(num_qubits, x, z, coefficients)
    np.testing.assert_allclose(observable.term_values(state, 2, isa), np.real(values), atol=1e-13)


@each_engine
def test_results_do_not_depend_on_the_number_of_threads(isa: str, precision: str) -> None:
    state = random_state(16, precision)
    x, z = (np.arange(40, dtype=np.uint64) * np.uint64(k) % np.uint64(1 << 16) for k in (1571, 811))
    uniforms = _core.uniforms(1, 0, 100_000, 0)
    results = [
        (
            _core.norm_squared(state, threads, isa),
            _core.probabilities(state, np.array([9, 2], dtype=np.int32), threads, isa).tobytes(),
            _core.expectation_pauli(state, x, z, np.ones(40), threads, isa),
            _core.sample_indices(state, uniforms, threads, isa).tobytes(),
        )
        for threads in (1, 2, 3)
    ]
    assert results[0] == results[1] == results[2]


@each_engine
@pytest.mark.parametrize("num_qubits", [0, 3, 14])
def test_sampling_inverts_the_cumulative_distribution(isa: str, precision: str, num_qubits: int) -> None:
    state = random_state(num_qubits, precision)
    cumulative = np.cumsum(np.abs(state.astype(np.complex128)) ** 2)
    uniforms = _core.uniforms(5, 0, 50_000, 0)
    got = _core.sample_indices(state, uniforms, 2, isa)
    # A uniform this close to a boundary may fall on either side of it.
    near = np.abs(cumulative[got] - uniforms * cumulative[-1]) < 1e-14
    expected = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    np.testing.assert_array_equal(got[~near], expected[~near])
    assert near.sum() < 3


def test_zero_amplitudes_are_never_drawn() -> None:
    state = np.zeros(1 << 14, dtype=complex)
    state[[5, 4096, 9000]] = 3**-0.5
    uniforms = np.concatenate([[0.0, np.nextafter(1, 0), 1 / 3, 2 / 3], _core.uniforms(1, 0, 10_000, 0)])
    assert set(_core.sample_indices(state, uniforms, 2).tolist()) == {5, 4096, 9000}


@pytest.mark.parametrize("first_shot", [0, 2**32 - 3, 2**63 - 20])
def test_uniforms_are_those_of_the_package(first_shot: int) -> None:
    got = _core.uniforms(2**64 - 5, first_shot, 15, 2**33 + 1)
    np.testing.assert_array_equal(got, philox.uniforms(2**64 - 5, first_shot, 15, 2**33 + 1))


def test_a_sampler_counts_and_packs_the_shots_that_it_draws() -> None:
    state = random_state(10, "complex128")
    sampler = _core.Sampler(state, 2)
    indices = sampler.sample(seed=3, first_shot=7, shots=5000, site=1, threads=2)
    np.testing.assert_array_equal(indices, sampler.find(_core.uniforms(3, 7, 5000, 1), 2))
    wires = [9, -1, 0, 4, 4, 1, 2, 3, 7]
    outcomes = sum(((indices >> wire & 1) << place for place, wire in enumerate(wires) if wire >= 0), 0 * indices)
    rows = sampler.sample_packed(3, 7, 5000, 1, wires, 2)
    assert rows.shape == (5000, 2)
    np.testing.assert_array_equal(rows[:, 0] + 256 * rows[:, 1].astype(int), outcomes)
    expected, multiplicity = np.unique(outcomes, return_counts=True)
    for distinct, counts in (sampler.count(3, 7, 5000, 1, wires, 2), _core.count_rows(rows, len(wires))):
        np.testing.assert_array_equal(distinct[:, 0] + 256 * distinct[:, 1].astype(int), expected)
        np.testing.assert_array_equal(counts, multiplicity)


def packed(outcomes: list[int], num_bits: int) -> NDArray[np.uint8]:
    bytes_ = -(-num_bits // 8)
    whole = b"".join(outcome.to_bytes(bytes_, "little") for outcome in outcomes)
    return np.frombuffer(whole, dtype=np.uint8).reshape(-1, bytes_)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from([1, 7, 8, 20, 29, 63, 64]), st.data())
def test_packed_rows_are_counted_in_ascending_order(num_bits: int, data: st.DataObject) -> None:
    few = data.draw(st.lists(st.integers(0, 2**num_bits - 1), min_size=1, max_size=5))  # some come again
    outcomes = data.draw(st.lists(st.sampled_from(few), max_size=40))
    rows, counts = _core.count_rows(packed(outcomes, num_bits), num_bits)
    np.testing.assert_array_equal(rows, packed(sorted(set(outcomes)), num_bits))
    assert counts.tolist() == [outcomes.count(outcome) for outcome in sorted(set(outcomes))]


def test_a_long_list_of_shots_is_drawn_in_batches_of_the_same_shots() -> None:
    """The state of 2**4 amplitudes takes 2**20 shots at once; what follows is another batch."""
    sampler = _core.Sampler(random_state(4, "complex128"), 2)
    shots = (1 << 20) + 5
    indices = sampler.sample(1, 0, shots, 0, 2)
    np.testing.assert_array_equal(indices[-10:], sampler.sample(1, shots - 10, 10, 0, 1))
    counts = sampler.count(1, 0, shots, 0, [0, 1, 2, 3], 2)[1]
    np.testing.assert_array_equal(counts, np.bincount(indices, minlength=16))


def test_sampling_tells_how_many_shots_are_done() -> None:
    token = _core.CancelToken()
    _core.Sampler(random_state(4, "complex128"), 2).count(1, 0, 5000, 0, [0, 1], 2, token)
    assert token.progress() == (5000, 5000)


@pytest.mark.parametrize("num_bits", [1, 8, 11, 64])
def test_counts_become_bitstrings_with_bit_0_rightmost(num_bits: int) -> None:
    top = (1 << num_bits) - 1
    outcomes = sorted({0, top, top >> 1, top // 3})
    counts: dict[str, int] = {}
    _core.add_counts(counts, packed(outcomes, num_bits), np.arange(1, len(outcomes) + 1), num_bits)
    expected = {f"{value:0{num_bits}b}": count + 1 for count, value in enumerate(outcomes)}
    assert counts == expected
    assert list(counts) == list(expected)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (np.ones(3, dtype=complex), r"state has shape \(3,\); it must be \(2\*\*n,\)"),
        (np.ones((2, 2), dtype=complex), r"state has shape \(2, 2\)"),
        (np.ones(4), "state has dtype float64; it must be complex64 or complex128"),
        (np.ones(8, dtype=complex)[::2], "stride of 32 bytes; it must be C-contiguous"),
    ],
)
def test_an_array_that_is_no_state_is_refused(state: State, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _core.norm_squared(state, 1)


def test_bad_requests_are_refused() -> None:
    state = random_state(3, "complex128")
    one = np.array([1], dtype=np.uint64)
    with pytest.raises(InputError, match="qubit 3 is listed twice or not one of the state's 3 qubits"):
        _core.probabilities(state, np.array([3], dtype=np.int32), 1)
    with pytest.raises(InputError, match="listed twice"):
        _core.probabilities(state, np.array([1, 1], dtype=np.int32), 1)
    with pytest.raises(InputError, match="two states of one size and precision"):
        _core.inner_product(state, state.astype(np.complex64), 1)
    with pytest.raises(ObservableError, match="string 0 of the Pauli sum acts on qubit 3; the state has 3 qubits"):
        _core.expectation_pauli(state, one * np.uint64(8), one, np.ones(1), 1)
    with pytest.raises(ObservableError, match="1 X masks, 2 Z masks and 1 coefficients"):
        _core.PauliSum(3, one, np.ones(2, dtype=np.uint64), np.ones(1))
    with pytest.raises(ObservableError, match="prepared for 2 qubits; the state has 3"):
        _core.PauliSum(2, one, one, np.ones(1)).expectation(state, 1)
    for uniform in (1.0, -0.1, float("nan")):
        with pytest.raises(InputError, match=r"all must lie in \[0, 1\)"):
            _core.sample_indices(state, np.array([uniform]), 1)
    with pytest.raises(InputError, match="-1 shots were asked for"):
        _core.Sampler(state, 1).sample(0, 0, -1, 0, 1)
    rows = np.zeros((2, 1), dtype=np.uint8)
    for num_bits in (0, 9, 65):
        with pytest.raises(InputError, match=f"packed outcomes of {num_bits} bits were given; they must have 1 to 64"):
            _core.count_rows(rows, num_bits)
    with pytest.raises(InputError, match="2 outcomes and 3 counts were given"):
        _core.add_counts({}, rows, np.ones(3, dtype=int), 8)
    with pytest.raises(InputError, match="squared norm is 0"):
        _core.Sampler(np.zeros(4, dtype=complex), 1)
    with pytest.raises(InputError, match="squared norm is nan"):
        _core.Sampler(np.full(4, np.nan, dtype=complex), 1)
    with pytest.raises(EngineError, match="unknown ISA 'mmx'"):
        _core.norm_squared(state, 1, "mmx")


def test_a_cancelled_token_stops_expectation_and_sampling() -> None:
    state = random_state(12, "complex128")
    token = _core.CancelToken()
    token.cancel()
    one = np.array([1], dtype=np.uint64)
    with pytest.raises(CancelledRunError, match="the expectation value was cancelled"):
        _core.expectation_pauli(state, one, one, np.ones(1), 1, None, token)
    with pytest.raises(CancelledRunError, match="sampling was cancelled"):
        _core.Sampler(state, 1).sample(0, 0, 10, 0, 1, token)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**64 - 1))
def test_samples_follow_the_distribution(seed: int) -> None:
    """Chi-squared over 16 outcomes with 20 000 shots: 15 degrees of freedom, 60 has a probability of 2e-7."""
    state = random_state(4, "complex128")
    outcomes, counts = _core.Sampler(state, 1).count(seed, 0, 20_000, 0, [0, 1, 2, 3], 1)
    observed = np.bincount(outcomes[:, 0], counts, 16)
    expected = 20_000 * np.abs(state) ** 2
    assert ((observed - expected) ** 2 / expected).sum() < 60

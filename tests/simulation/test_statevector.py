"""Everything that is read off a state."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import qfast
from qfast import Circuit, PauliSum, Statevector
from tests import oracle
from tests.engines.states import random_state

LOOSE = {"complex64": 2e-6, "complex128": 1e-13}


@pytest.fixture
def state(where, precision, rng):
    return Statevector(random_state(rng, 5).astype(precision), **where)


def test_probabilities_follow_the_listed_order(state, precision) -> None:
    for qubits in ([0], [4, 2], 3):
        listed = [qubits] if isinstance(qubits, int) else qubits
        wanted = oracle.probabilities(state.amplitudes, listed)
        assert np.abs(state.probabilities(qubits) - wanted).max() < LOOSE[precision]
    assert np.abs(state.probabilities() - np.abs(state.amplitudes) ** 2).max() < LOOSE[precision]


def test_amplitudes_of_chosen_basis_states(state) -> None:
    assert state.amplitude(6) == state.amplitudes[6]
    assert state.amplitude("00110") == state.amplitudes[6]
    assert np.array_equal(state.amplitude(["00000", "11111"]), state.amplitudes[[0, 31]])
    assert np.array_equal(state.amplitude([3, 1]), state.amplitudes[[3, 1]])


def test_the_norm_is_one(state, precision) -> None:
    assert abs(state.norm() - 1) < LOOSE[precision]


def test_expectations_are_real_for_hermitian_observables(state, precision) -> None:
    hermitian = PauliSum([("ZZ", [0, 1], 1.0), ("XY", [2, 4], -0.7), ("", [], 0.25)])
    found = state.expectation(hermitian)
    assert isinstance(found, float)
    assert abs(found - oracle.expectation(state.amplitudes, hermitian)) < LOOSE[precision]
    other = PauliSum([("X", [0], 1j), ("Z", [1], 2.0)])
    found = state.expectation(other)
    assert isinstance(found, complex)
    assert abs(found - oracle.expectation(state.amplitudes, other)) < LOOSE[precision]


def test_several_observables_give_an_array(state, precision) -> None:
    listed = [PauliSum([("Z", [q])]) for q in range(5)]
    found = state.expectation(listed)
    assert found.shape == (5,)
    assert found.dtype == np.float64
    assert np.abs(found - [oracle.expectation(state.amplitudes, o).real for o in listed]).max() < LOOSE[precision]
    assert state.expectation([]).shape == (0,)


def test_the_variance_is_that_of_the_operator(state, precision) -> None:
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7), ("Y", [3], 0.2j), ("XYZ", [4, 2, 0], 0.4)])
    matrix = observable.matrix(5)
    psi = state.amplitudes.astype(np.complex128)
    wanted = np.vdot(matrix @ psi, matrix @ psi).real - abs(np.vdot(psi, matrix @ psi)) ** 2
    assert abs(state.variance(observable) - wanted) < 4 * LOOSE[precision]


def test_an_eigenstate_has_no_variance(where) -> None:
    state = qfast.simulate(Circuit(2).h(0).cx(0, 1), **where)
    assert state.variance(PauliSum([("XX", [0, 1], 3.0), ("ZZ", [0, 1], 0.1)])) < 1e-28


def test_the_variance_reaches_beyond_one_block(where, rng) -> None:
    state = Statevector(random_state(rng, 16), **where)
    observable = PauliSum([("XZ", [15, 14]), ("Y", [15], 0.5), ("XY", [0, 13], -0.2)])
    mean = state.expectation(observable)
    squared = (observable * observable).simplify()
    assert abs(state.variance(observable) - (state.expectation(squared).real - mean**2)) < 1e-12


def test_fidelity_and_inner_product(where, precision, rng) -> None:
    a, b = (Statevector(random_state(rng, 4).astype(precision), **where) for _ in range(2))
    wanted = np.vdot(a.amplitudes, b.amplitudes)
    assert abs(a.inner_product(b) - wanted) < LOOSE[precision]
    assert abs(a.fidelity(b) - abs(wanted) ** 2) < LOOSE[precision]
    assert abs(a.fidelity(a) - 1) < LOOSE[precision]


def test_states_of_both_precisions_have_a_fidelity(where, rng) -> None:
    amplitudes = random_state(rng, 4)
    double, single = Statevector(amplitudes, **where), Statevector(amplitudes.astype(np.complex64), **where)
    assert abs(double.fidelity(single) - 1) < 1e-6
    assert abs(single.fidelity(double) - 1) < 1e-6


@pytest.mark.parametrize("qubits", [[0], [4, 1], [2, 3, 0], [0, 1, 2, 3, 4]])
def test_reduced_density_matrices_trace_out_the_rest(state, precision, qubits) -> None:
    rho = state.reduced_density_matrix(qubits)
    psi = state.amplitudes.astype(np.complex128)
    rest = [q for q in range(5) if q not in qubits]
    wanted = np.zeros((1 << len(qubits),) * 2, dtype=complex)
    for i in range(32):
        for j in range(32):
            if all((i ^ j) >> q & 1 == 0 for q in rest):
                row = sum((i >> q & 1) << k for k, q in enumerate(qubits))
                column = sum((j >> q & 1) << k for k, q in enumerate(qubits))
                wanted[row, column] += psi[i] * psi[j].conjugate()
    assert np.abs(rho - wanted).max() < LOOSE[precision]


def test_entropy_of_known_states(where) -> None:
    ghz = qfast.simulate(Circuit(4).h(0).cx(0, 1).cx(1, 2).cx(2, 3), **where)
    assert ghz.entropy([0]) == pytest.approx(1)
    assert ghz.entropy([0, 1, 3]) == pytest.approx(1)
    assert ghz.entropy([]) == 0
    pairs = qfast.simulate(Circuit(4).h(0).cx(0, 2).h(1).cx(1, 3), **where)
    assert pairs.entropy([0, 1]) == pytest.approx(2)
    assert pairs.entropy([0, 2]) == pytest.approx(0, abs=1e-10)


def test_both_sides_have_the_same_entropy(state, precision) -> None:
    assert abs(state.entropy([0, 3]) - state.entropy([1, 2, 4])) < 50 * LOOSE[precision]


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_saved_state_is_read_back(state, tmp_path, suffix) -> None:
    path = tmp_path / f"state{suffix}"
    state.save(path)
    found = Statevector.load(path)
    assert np.array_equal(found.amplitudes, state.amplitudes)
    assert found.precision == state.precision
    if suffix == ".npz":
        assert found.metadata["engine"] == state.metadata["engine"]


def test_a_pickled_state_is_read_back(state) -> None:
    found = pickle.loads(pickle.dumps(state))
    assert np.array_equal(found.amplitudes, state.amplitudes)
    assert found.metadata == state.metadata
    assert found.probabilities([0]).tolist() == pytest.approx(state.probabilities([0]).tolist())


def test_numpy_and_dlpack_see_the_amplitudes_without_a_copy(state) -> None:
    assert np.asarray(state) is state.amplitudes
    assert np.shares_memory(np.from_dlpack(state), state.amplitudes)
    assert np.array(state, dtype=np.complex128).dtype == np.complex128
    assert not np.shares_memory(np.array(state, copy=True), state.amplitudes)


def test_a_state_is_not_copied_when_it_need_not_be(rng) -> None:
    amplitudes = random_state(rng, 3)
    assert Statevector(amplitudes).amplitudes is amplitudes
    assert Statevector([1.0, 0.0]).precision == "complex128"


def test_the_text_says_what_it_is(state, where) -> None:
    assert repr(state) == f"<Statevector: 5 qubits, {state.precision}, engine '{where['engine']}'>"

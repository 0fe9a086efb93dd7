"""Observables that are no Pauli sums, as data: matrices, Hermiticity, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse as scipy_sparse

from qfast import DenseOperator, DiagonalOperator, PauliSum, Projector, SparseOperator, Statevector
from qfast.errors import ObservableError
from tests import oracle

RNG_SEEDS = st.integers(0, 2**32 - 1)


def test_the_rightmost_character_is_the_first_listed_qubit() -> None:
    zero, one = np.diag([1, 0]), np.diag([0, 1])
    assert np.array_equal(Projector("10").matrix(), oracle.kron(zero, one))
    assert np.array_equal(Projector("10", [2, 0]).matrix(), oracle.kron(one, oracle.ID, zero))
    assert np.array_equal(Projector(1, [2, 0]).matrix(), oracle.kron(zero, oracle.ID, one))


def test_the_first_listed_qubit_is_the_least_significant_bit() -> None:
    matrix = np.arange(16).reshape(4, 4)
    swapped = oracle.apply_matrix(np.eye(4, dtype=complex), matrix.astype(complex), [1, 0])
    assert np.array_equal(DenseOperator(matrix, [1, 0]).matrix(), swapped)
    rows, columns = np.nonzero(matrix)
    assert np.array_equal(SparseOperator((rows, columns, matrix[rows, columns]), [1, 0]).matrix(), swapped)
    assert np.array_equal(np.diag(DiagonalOperator([0, 1, 2, 3], [1, 0]).matrix()), [0, 2, 1, 3])


def test_a_state_is_taken_as_amplitudes_or_as_a_statevector() -> None:
    amplitudes = np.array([0.6, 0.8j])
    for target in (amplitudes, Statevector(amplitudes), amplitudes.astype(np.complex64)):
        assert np.allclose(Projector(target).matrix(), np.outer(amplitudes, amplitudes.conj()), atol=1e-7)


@given(seed=RNG_SEEDS, width=st.integers(1, 4))
def test_a_matrix_is_the_sum_of_its_pauli_strings(seed, width) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(1 << width, 1 << width)) + 1j * rng.normal(size=(1 << width, 1 << width))
    operator = DenseOperator(matrix, rng.permutation(6)[:width].tolist())
    found = operator.to_pauli_sum()
    assert found.num_terms <= 4**width
    assert np.abs(found.matrix(6) - operator.matrix(6)).max() < 1e-13


@given(seed=RNG_SEEDS)
def test_scipy_matrices_and_triples_are_the_same(seed) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(8, size=(2, 20))  # some places more than once
    values = rng.normal(size=20)
    wanted = np.zeros((8, 8))
    np.add.at(wanted, (rows, columns), values)
    triples = SparseOperator((rows, columns, values), range(3))
    made = scipy_sparse.coo_array((values, (rows, columns)), shape=(8, 8))
    for operator in (triples, *(SparseOperator(one) for one in (made, made.tocsr(), made.tocsc()))):
        assert np.allclose(operator.matrix(), wanted, atol=1e-14)
        assert operator.num_entries == np.count_nonzero(wanted)


def test_what_is_its_own_adjoint_is_hermitian() -> None:
    assert Projector("01").is_hermitian
    assert Projector([0.6, 0.8j]).is_hermitian
    assert DiagonalOperator([1.0, 2.0]).is_hermitian
    assert DiagonalOperator([1 + 0j, 2.0]).is_hermitian
    assert not DiagonalOperator([1j, 2.0]).is_hermitian
    assert DiagonalOperator(np.sqrt, [0]).is_hermitian
    assert DenseOperator([[1, 2j], [-2j, 0]]).is_hermitian
    assert not DenseOperator([[1, 2j], [2j, 0]]).is_hermitian
    assert SparseOperator(([0, 1], [1, 0], [2j, -2j]), [0]).is_hermitian
    assert not SparseOperator(([0, 1], [1, 0], [2j, 2j]), [0]).is_hermitian
    assert not SparseOperator(([0], [1], [1.0]), [0]).is_hermitian
    assert SparseOperator(([0, 0, 1], [0, 1, 1], [1.0, 0.0, 2.0]), [0]).is_hermitian  # a zero that is kept
    assert SparseOperator(([], [], []), [0]).is_hermitian


def test_the_place_that_is_not_hermitian_is_named() -> None:
    assert "entry (0, 1) is 2j, entry (1, 0) is 2j" in DenseOperator([[1, 2j], [2j, 0]]).hermitian_offence()
    assert "entry (2, 3)" in SparseOperator(([0, 2], [0, 3], [1.0, 1.0]), [0, 1]).hermitian_offence()
    assert DiagonalOperator([0, 1, 5j, 0]).hermitian_offence() == "the value of outcome 2 is 5j"


def test_operators_name_their_qubits() -> None:
    operator = Projector("10", [4, 2])
    assert operator.qubits == (4, 2)
    assert operator.num_qubits == 5
    assert repr(operator) == "<Projector on qubits [4, 2]>"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Projector("012"), "'012' is no bitstring"),
        (lambda: Projector(""), "'' is no bitstring"),
        (lambda: Projector(3), "basis state 3 needs its qubits"),
        (lambda: Projector(4, [0, 1]), "2 qubits have no basis state 4"),
        (lambda: Projector(-1, [0]), "no basis state -1"),
        (lambda: Projector("01", [0]), "1 qubits given for content of 2 qubits"),
        (lambda: Projector("01", [3, 3]), "qubit 3 is named twice"),
        (lambda: Projector("01", [0, -1]), "-1 is not a qubit"),
        (lambda: Projector("01", [0, 1.0]), "1.0 is not a qubit"),
        (lambda: Projector([1, 1]), r"the sum of \|amplitude\|² is 2; divide it by its norm"),
        (lambda: Projector([1, 0, 0]), r"2\*\*k entries along each axis are needed, shape \(3,\) given"),
        (lambda: Projector([np.nan, 0]), r"the entry at \(0,\) is nan"),
        (lambda: DiagonalOperator([1, 2, 3]), r"2\*\*k entries along each axis are needed, shape \(3,\)"),
        (lambda: DiagonalOperator([1, 2], [0, 1]), "2 qubits given for content of 1 qubits"),
        (lambda: DiagonalOperator(np.sqrt), "needs the qubits whose bits it takes"),
        (lambda: DiagonalOperator([1, np.inf]), r"the entry at \(1,\) is inf"),
        (lambda: DiagonalOperator(["a", "b"]), "not an array of numbers"),
        (lambda: DiagonalOperator([1, None]), "not an array of numbers|dtype object"),
        (lambda: DenseOperator([1, 2]), r"a square matrix is needed, shape \(2,\) given"),
        (lambda: DenseOperator(np.eye(3)), r"2\*\*k entries along each axis"),
        (lambda: DenseOperator(np.eye(1)), "acts on 1 to 10 qubits, 0 given"),
        (lambda: DenseOperator(np.eye(2048)), "acts on 1 to 10 qubits, 11 given; use a SparseOperator"),
        (lambda: DenseOperator([[1, 0], [0, np.nan]]), r"the entry at \(1, 1\) is nan"),
        (lambda: DenseOperator([[1, 0], [0]]), "not an array of numbers"),
        (lambda: SparseOperator(np.eye(2)), "a DenseOperator takes arrays"),
        (lambda: SparseOperator(([0], [0], [1.0])), "name the qubits"),
        (lambda: SparseOperator(([0, 1], [0], [1.0]), [0]), r"rows of shape \(2,\) given for values of shape \(1,\)"),
        (lambda: SparseOperator(([0], [2], [1.0]), [0]), "entry 0 has column 2; 0 to 1 are there"),
        (lambda: SparseOperator(([0], [0.5], [1.0]), [0]), "columns are integers, dtype float64 given"),
        (lambda: SparseOperator(([0], [0], [np.nan]), [0]), r"the entry at \(0,\) is nan"),
        (lambda: SparseOperator(scipy_sparse.eye_array(3)), r"shape \(2\*\*k, 2\*\*k\) is needed, \(3, 3\)"),
        (lambda: SparseOperator(scipy_sparse.eye_array(4), [0]), "1 qubits given for content of 2 qubits"),
        (lambda: Projector("0" * 13).matrix(), "13 qubits is too large; 12 are allowed"),
        (lambda: Projector("1", [3]).matrix(2), "acts on qubit 3, the state has 2 qubits"),
    ],
)  # fmt: skip
def test_bad_content_is_refused(make, message) -> None:
    with pytest.raises(ObservableError, match=message):
        make()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda outcomes: 1.0, r"dtype float64 of shape \(\); one real number for each is needed"),
        (lambda outcomes: outcomes[:1], r"for 4 outcomes .* shape \(1,\)"),
        (lambda outcomes: outcomes * 1j, "dtype complex128"),
        (lambda outcomes: np.where(outcomes == 2, np.nan, 0), "the value of outcome 2 is nan"),
        (lambda outcomes: [str(k) for k in outcomes], "one real number for each is needed"),
    ],
)
def test_a_function_that_gives_no_real_numbers_is_refused(function, message) -> None:
    with pytest.raises(ObservableError, match=message):
        DiagonalOperator(function, [0, 1]).values_at(np.arange(4))


def test_an_array_of_pauli_sums_is_no_content() -> None:
    with pytest.raises(ObservableError, match=r"dtype object|not an array"):
        DenseOperator([[PauliSum([("Z", [0])]), 0], [0, 1]])

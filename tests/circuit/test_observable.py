"""Pauli sums against dense matrices."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.circuit import PauliSum
from qfast.errors import ObservableError
from tests import oracle

FEW = settings(max_examples=80, deadline=None)
NUMBERS = st.builds(lambda re, im: complex(re / 8, im / 8), st.integers(-24, 24), st.integers(-24, 24))


@st.composite
def sums(draw: st.DrawFn, num_qubits: int = 3) -> PauliSum:
    terms = []
    for _ in range(draw(st.integers(0, 6))):
        width = draw(st.integers(0, num_qubits))
        qubits = draw(st.permutations(range(num_qubits)))[:width]
        letters = "".join(draw(st.sampled_from("IXYZ")) for _ in range(width))
        terms.append((letters, qubits, draw(NUMBERS)))
    return PauliSum(terms, num_qubits)


def dense(observable: PauliSum, num_qubits: int = 3) -> oracle.Array:
    """Sum of tensor products, letter by letter."""
    total = np.zeros((1 << num_qubits, 1 << num_qubits), dtype=complex)
    for letters, qubits, coefficient in observable:
        factors = [oracle.ID] * num_qubits
        for letter, qubit in zip(letters, qubits, strict=True):
            factors[qubit] = oracle.PAULIS[letter]
        total += coefficient * oracle.kron(*factors)
    return total


@given(sums())
@FEW
def test_the_matrix_is_the_sum_of_tensor_products(observable: PauliSum) -> None:
    np.testing.assert_allclose(observable.matrix(), dense(observable), atol=1e-13)


@given(sums(), st.integers(0, 2**32 - 1))
@FEW
def test_masks_give_the_expectation_by_the_documented_formula(observable: PauliSum, seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = rng.normal(size=8) + 1j * rng.normal(size=8)
    total = 0j
    for x, z, coefficient in zip(*(column.tolist() for column in observable.masks(3)), strict=True):
        signs = [(-1) ** (k & z).bit_count() for k in range(8)]
        value = sum(signs[k] * state[k ^ x].conjugate() * state[k] for k in range(8))
        total += coefficient * 1j ** (x & z).bit_count() * value
    assert total == pytest.approx(oracle.expectation(state, observable), abs=1e-10)


@given(sums(), sums(), NUMBERS)
@FEW
def test_the_algebra_is_that_of_matrices(a: PauliSum, b: PauliSum, number: complex) -> None:
    one = np.eye(8)
    for found, expected in (
        (a + b, dense(a) + dense(b)),
        (a - b, dense(a) - dense(b)),
        (a * b, dense(a) @ dense(b)),
        (a @ b, dense(a) @ dense(b)),
        (-a, -dense(a)),
        (number * a, number * dense(a)),
        (a * number, number * dense(a)),
        (a + number, dense(a) + number * one),
        (number - a, number * one - dense(a)),
        (a - number, dense(a) - number * one),
        (a.simplify(), dense(a)),
        (a.adjoint(), dense(a).conj().T),
    ):
        np.testing.assert_allclose(dense(found), expected, atol=1e-12)


@given(sums())
@FEW
def test_simplify_leaves_each_string_once(observable: PauliSum) -> None:
    strings = [(letters, tuple(qubits)) for letters, qubits, _ in observable.simplify()]
    assert len(strings) == len(set(strings))
    assert observable.simplify() == observable


def test_small_terms_stay_and_those_that_cancel_go() -> None:
    small = PauliSum([("Z", [0], 1e-17), ("X", [0], 1.0)])
    assert small.simplify().num_terms == 2
    many = PauliSum([("Z", [0], 1e-16)] * 1000)
    assert many.simplify().coefficients.real == pytest.approx([1e-13])
    tenths = PauliSum([("Z", [0], 0.1), ("Z", [0], 0.2), ("Z", [0], -0.3)])  # 5.6e-17 is left
    assert tenths.simplify().num_terms == 0
    assert (1e-20 * PauliSum([("ZZ", [0, 1])])).simplify().num_terms == 1
    assert small.simplify(1e-12).num_terms == 1
    for wrong in (float("nan"), -1.0):
        with pytest.raises(ObservableError, match="tolerance"):
            small.simplify(wrong)


@given(sums(4))
@FEW
def test_groups_share_a_measurement_basis_and_cover_each_term_once(observable: PauliSum) -> None:
    groups = observable.group_commuting()
    terms = [(letters, tuple(qubits), c) for group in groups for letters, qubits, c in group]
    assert sorted(terms, key=repr) == sorted(((ls, tuple(qs), c) for ls, qs, c in observable), key=repr)
    for group in groups:
        basis = group.measurement_basis()
        for letters, qubits, _ in group:
            assert all(basis[qubit] == letter for letter, qubit in zip(letters, qubits, strict=True))


def test_grouping_is_not_wasteful_on_a_known_case() -> None:
    observable = PauliSum([("ZZ", [0, 1]), ("X", [0]), ("Z", [1]), ("XX", [0, 1]), ("Y", [0]), ("", [])])
    assert [[(ls, qs) for ls, qs, _ in group] for group in observable.group_commuting()] == [
        [("ZZ", [0, 1]), ("Z", [1]), ("", [])],
        [("X", [0]), ("XX", [0, 1])],
        [("Y", [0])],
    ]


def test_a_basis_of_terms_that_do_not_agree_is_refused() -> None:
    with pytest.raises(ObservableError, match=r"term 1 needs X on qubit 0, an earlier one Z; split .* group_commuting"):
        PauliSum([("Z", [0]), ("X", [0])]).measurement_basis()


@given(sums())
@FEW
def test_hermitian_means_equal_to_its_adjoint(observable: PauliSum) -> None:
    matrix = dense(observable)
    assert observable.is_hermitian == bool(np.abs(matrix - matrix.conj().T).max() < 1e-9)
    assert (observable + observable.adjoint()).is_hermitian
    assert observable.is_diagonal == (not any(set(letters) & {"X", "Y"} for letters, _, _ in observable))


def test_labels_put_qubit_zero_rightmost() -> None:
    observable = PauliSum.from_labels(["ZIX", "IYI"], [0.5, 2])
    assert [(ls, qs, c) for ls, qs, c in observable] == [("XZ", [0, 2], 0.5), ("Y", [1], 2)]
    assert observable.to_dict() == {"ZIX": 0.5, "IYI": 2}
    assert PauliSum.from_dict(observable.to_dict()) == observable
    assert PauliSum.from_labels(["Z"]).coefficients.tolist() == [1]
    assert PauliSum.from_labels(["III"]).num_qubits == 3


def test_letters_follow_their_qubits_in_any_order() -> None:
    assert PauliSum([("XYZ", [2, 0, 1])])[0] == ("YZX", [0, 1, 2], 1)


def test_single_qubits_defaults_and_sizes() -> None:
    observable = PauliSum([("X", 3, 2), ("ZI", [0, 1])])
    assert (observable.num_qubits, observable.num_terms, len(observable)) == (4, 2, 2)
    assert PauliSum().num_qubits == PauliSum().num_terms == 0
    assert PauliSum([("Z", [63])]).masks()[1].tolist() == [1 << 63]
    assert observable[-1] == ("Z", [0], 1)
    assert observable[1:] == PauliSum([("Z", [0])])
    with pytest.raises(IndexError, match="2 terms; there is no term 2"):
        observable[2]


def test_columns_are_read_only() -> None:
    for column in PauliSum([("X", [0])]).masks():
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_text_is_short_and_the_repr_rebuilds_the_sum() -> None:
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7), ("", [], 2j)])
    assert str(observable) == "1.0 Z0 Z1 - 0.7 X0 + 2j I"
    assert eval(repr(observable)) == observable
    assert str(PauliSum([("X", [0], -1)])) == "-1.0 X0"
    assert str(PauliSum()) == "0"
    many = PauliSum([("X", [k]) for k in range(30)])
    assert str(many).endswith("+ ... (30 terms)")
    assert repr(many) == "<PauliSum: 30 terms on 30 qubits>"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_sums_survive_copies_and_pickles(duplicate: Callable[[Any], Any]) -> None:
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7j)], num_qubits=5)
    assert duplicate(observable) == observable
    assert hash(duplicate(observable)) == hash(observable)
    assert duplicate(observable).num_qubits == 5


def test_equality_merges_like_terms_and_ignores_order() -> None:
    assert PauliSum([("X", [0]), ("Z", [1]), ("X", [0])]) == PauliSum([("Z", [1]), ("X", [0], 2)])
    assert PauliSum([("X", [0])]) != PauliSum([("X", [1])])
    assert PauliSum([("X", [0])]) != "X0"


BAD_TERMS: list[tuple[Any, str]] = [
    ([("XQ", [0, 1])], "term 0 of the Pauli sum: 'Q' is not a Pauli letter"),
    ([("X", [0]), ("XX", [1, 1])], "term 1 of the Pauli sum: qubit 1 is named twice"),
    ([("XX", [0])], "2 letters and 1 qubits given"),
    ([("X", [-1])], "-1 is not a qubit; integers from 0 to 63 are"),
    ([("X", [64])], "64 is not a qubit"),
    ([("X", [0.0])], "0.0 is not a qubit"),
    ([("X", [True])], "True is not a qubit"),
    ([("X", [0], float("nan"))], "the coefficient .*nan.* is not finite"),
    ([("X", [0], "1")], "the coefficient '1' is not a number"),
    ([("X", [0], None)], "the coefficient None is not a number"),
    ([(5, [0])], "the letters are a string"),
    (["XX"], r"\(letters, qubits, coefficient\) is needed, 'XX' given"),
    ([("X",)], r"\(letters, qubits, coefficient\) is needed"),
]


@pytest.mark.parametrize(("terms", "message"), BAD_TERMS, ids=[message for _, message in BAD_TERMS])
def test_a_wrong_term_is_refused_with_its_place(terms: Any, message: str) -> None:
    with pytest.raises(ObservableError, match=message):
        PauliSum(terms)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PauliSum([("X", [3])], num_qubits=3), "can be declared on 4 to 64 qubits, 3 given"),
        (lambda: PauliSum([("X", [3])]).masks(3), r"acts on qubit 3, the state has 3 qubits \(0…2\)"),
        (lambda: PauliSum([("X", [12])]).matrix(), "an observable on 13 qubits is too large"),
        (lambda: PauliSum.from_labels(["X", "XX"]), r"the labels have different lengths: \[1, 2\]"),
        (lambda: PauliSum.from_labels(["X"], [1, 2]), "1 labels and 2 coefficients given"),
        (lambda: PauliSum.from_labels(["X" * 65]), "labels of 65 letters given"),
        (lambda: PauliSum([("X", [0])]) / 0, "cannot be divided by zero"),
        (lambda: PauliSum([("X", [0])]) * float("inf"), "is not finite"),
    ],
)
def test_a_wrong_call_is_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ObservableError, match=message):
        call()


@pytest.mark.parametrize("other", ["x", None, [1]])
def test_what_is_no_number_does_not_mix_with_sums(other: Any) -> None:
    for operation in (lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a / b):
        with pytest.raises(TypeError):
            operation(PauliSum([("X", [0])]), other)


def test_numpy_numbers_scale_a_sum_from_either_side() -> None:
    observable = PauliSum([("X", [0])])
    assert np.float64(2) * observable == observable * np.float32(2) == 2 * observable
    assert sum([observable, observable]) == 2 * observable

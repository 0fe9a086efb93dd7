"""Observables that are no Pauli sums, on every engine, against the dense oracle."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qfast
from qfast import (
    CancelToken,
    Circuit,
    DenseOperator,
    DiagonalOperator,
    Parameter,
    PauliSum,
    Projector,
    SparseOperator,
    Statevector,
)
from qfast.errors import CancelledRunError, CapacityError, ObservableError
from qfast.simulation import operators_on_states, prepared_observables
from tests import oracle
from tests.densities import density_of
from tests.engines.states import random_state

LOOSE = {"complex64": 2e-6, "complex128": 1e-13}
N = 7


def hermitian(rng: np.random.Generator, width: int) -> np.ndarray:
    matrix = rng.normal(size=(1 << width, 1 << width)) + 1j * rng.normal(size=(1 << width, 1 << width))
    return matrix + matrix.conj().T


def sparse(rng: np.random.Generator, width: int, entries: int, *, is_hermitian: bool = True) -> tuple[np.ndarray, ...]:
    rows, columns = rng.integers(1 << width, size=(2, entries))
    values = rng.normal(size=entries) + 1j * rng.normal(size=entries)
    if not is_hermitian:
        return rows, columns, values
    both = np.concatenate([rows, columns]), np.concatenate([columns, rows])
    return *both, np.concatenate([values, values.conj()])


def dense_of(entries: tuple[np.ndarray, ...], width: int) -> np.ndarray:
    matrix = np.zeros((1 << width, 1 << width), dtype=complex)
    for row, column, value in zip(*entries, strict=True):
        matrix[row, column] += value
    return matrix


def cases(rng: np.random.Generator) -> list[tuple[object, np.ndarray, list[int]]]:
    """Operators, each with its matrix on its qubits."""
    found: list[tuple[object, np.ndarray, list[int]]] = []
    for qubits in ([3], [5, 1], [0, 1, 2, 3, 4, 5, 6], [6, 2, 0, 4, 1, 3]):
        width = len(qubits)
        dim = 1 << width
        pattern = int(rng.integers(dim))
        found.append((Projector(f"{pattern:0{width}b}", qubits), np.diag(np.eye(dim)[pattern]), qubits))
        state = random_state(rng, width)
        found.append((Projector(state, qubits), np.outer(state, state.conj()), qubits))
        table = rng.normal(size=dim)
        found.append((DiagonalOperator(table, qubits), np.diag(table), qubits))
        found.append((DiagonalOperator(table * 1j + 1, qubits), np.diag(table * 1j + 1), qubits))
        found.append((DiagonalOperator(np.sqrt, qubits), np.diag(np.sqrt(np.arange(dim))), qubits))
        matrix = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
        found.append((DenseOperator(matrix, qubits), matrix, qubits))
        entries = sparse(rng, width, 3 * width, is_hermitian=width % 2 == 0)
        found.append((SparseOperator(entries, qubits), dense_of(entries, width), qubits))
    return found


def test_expectations_are_those_of_the_dense_matrix(where, precision, rng) -> None:
    state = Statevector(random_state(rng, N).astype(precision), **where)
    psi = state.amplitudes.astype(np.complex128)
    for operator, matrix, qubits in cases(rng):
        wanted = np.vdot(psi, oracle.apply_matrix(psi, matrix.astype(complex), qubits))
        found = state.expectation(operator)
        assert isinstance(found, float if operator.is_hermitian else complex), operator
        assert abs(found - wanted) < LOOSE[precision] * max(1, np.linalg.norm(matrix)), operator


def test_variances_are_those_of_the_dense_matrix(where, precision, rng) -> None:
    state = Statevector(random_state(rng, N).astype(precision), **where)
    psi = state.amplitudes.astype(np.complex128)
    for operator, matrix, qubits in cases(rng):
        moved = oracle.apply_matrix(psi, matrix.astype(complex), qubits)
        wanted = np.vdot(moved, moved).real - abs(np.vdot(psi, moved)) ** 2
        assert abs(state.variance(operator) - wanted) < 4 * LOOSE[precision] * max(1, np.linalg.norm(matrix) ** 2)


def test_small_pieces_change_nothing(where, precision, rng, monkeypatch) -> None:
    """Everything is read in pieces of bounded size; here they are smaller than any operator."""
    state = Statevector(random_state(rng, N).astype(precision), **where)
    made = cases(rng)
    before = [(state.expectation(operator), state.variance(operator)) for operator, _, _ in made]
    for name, size in (("_PIECE", 8), ("_ENGINE_PIECE", 8), ("_TABLE_QUBITS", 1), ("_STRING_QUBITS", 0)):
        monkeypatch.setattr(operators_on_states, name, size)
    monkeypatch.setattr(prepared_observables, "_kept", {})
    after = [(state.expectation(operator), state.variance(operator)) for operator, _, _ in made]
    assert np.allclose(before, after, rtol=0, atol=100 * LOOSE[precision])


def test_the_result_does_not_depend_on_the_number_of_threads(where, rng) -> None:
    amplitudes = random_state(rng, 16)
    operators = [operator for operator, _, _ in cases(rng)]
    one, three = (Statevector(amplitudes, threads=threads, **where) for threads in (1, 3))
    assert one.expectation(operators).tolist() == three.expectation(operators).tolist()
    assert one.variance(operators[:7]).tolist() == three.variance(operators[:7]).tolist()


def test_a_function_of_many_bits_is_asked_piece_by_piece(where, monkeypatch) -> None:
    monkeypatch.setattr(operators_on_states, "_TABLE_QUBITS", 3)
    monkeypatch.setattr(operators_on_states, "_ENGINE_PIECE", 64)
    asked = []

    def ones(outcomes: np.ndarray) -> np.ndarray:
        asked.append(outcomes.size)
        return np.array([outcome.bit_count() for outcome in outcomes.tolist()])

    circuit = Circuit(9)
    for qubit in range(9):
        circuit.ry(0.3 + qubit, qubit)
    state = qfast.simulate(circuit, **where)
    wanted = sum(state.probabilities([qubit])[1] for qubit in range(9))
    assert state.expectation(DiagonalOperator(ones, range(9))) == pytest.approx(wanted, abs=1e-13)
    assert max(asked) == 64
    assert sum(asked) == 512


def test_a_state_is_its_own_projector(where, precision, rng) -> None:
    state = Statevector(random_state(rng, 6).astype(precision), **where)
    assert state.expectation(Projector(state)) == pytest.approx(1, abs=10 * LOOSE[precision])
    assert state.variance(Projector(state)) < 10 * LOOSE[precision]


# --- covariance -------------------------------------------------------------------------------------------------------


def covariance_of(psi: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    moved = [matrix @ psi for matrix in matrices]
    means = [np.vdot(psi, one) for one in moved]
    return np.array(
        [[np.vdot(a, b) - x.conjugate() * y for b, y in zip(moved, means, strict=True)]
         for a, x in zip(moved, means, strict=True)]
    )  # fmt: skip


def test_the_covariance_is_that_of_the_dense_matrices(where, precision, rng) -> None:
    state = Statevector(random_state(rng, 4).astype(precision), **where)
    psi = state.amplitudes.astype(np.complex128)
    sums = [PauliSum([("XZ", [0, 2]), ("Y", [3], 0.5)]), PauliSum([("Z", [0])])]
    matrix = hermitian(rng, 2)
    listed = [*sums, Projector("1", [0]), DenseOperator(matrix, [3, 1]), DiagonalOperator([1, 2, 3, 4], [2, 1])]
    matrices = [one.matrix(4) for one in listed]
    found = state.covariance(listed)
    assert found.dtype == np.float64
    assert np.abs(found - covariance_of(psi, matrices).real).max() < 50 * LOOSE[precision]
    assert np.abs(found.diagonal() - state.variance(listed)).max() < 50 * LOOSE[precision]
    other = [*listed, PauliSum([("X", [0], 1j), ("Z", [1])])]
    found = state.covariance(other)
    assert found.dtype == np.complex128
    matrices.append(other[-1].matrix(4))
    assert np.abs(found - covariance_of(psi, matrices)).max() < 50 * LOOSE[precision]


def test_little_memory_costs_time_only(where, rng, monkeypatch) -> None:
    state = Statevector(random_state(rng, 5), **where)
    listed = [PauliSum([("ZX", [q, (q + 1) % 5], q + 1.0), ("Y", [q])]) for q in range(5)]
    wanted = state.covariance(listed)
    allocated = prepared_observables._more_states
    for kept in (2, 3, 4):
        monkeypatch.setattr(
            prepared_observables,
            "_more_states",
            lambda state, run, least, most, kept=kept: allocated(state, run, kept, kept),
        )
        assert np.allclose(state.covariance(listed), wanted, rtol=0, atol=1e-13)


def test_one_observable_and_none_have_covariances(where, rng) -> None:
    state = Statevector(random_state(rng, 3), **where)
    z = PauliSum([("Z", [1])])
    assert state.covariance([z]) == pytest.approx(np.array([[state.variance(z)]]))
    assert state.covariance([]).shape == (0, 0)


def test_moments_that_do_not_fit_are_refused(where) -> None:
    state = qfast.simulate(Circuit(16), **where)
    z = PauliSum([("Z", [1])])
    with qfast.config.override(max_job_bytes=1 << 20):
        limited = Statevector(state.amplitudes, **where)
    with pytest.raises(CapacityError, match=r"moments of observables on 16 qubits \(2 more states\)"):
        limited.covariance([z, z])


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_covariance_matrices_are_positive_semidefinite(seed) -> None:
    rng = np.random.default_rng(seed)
    state = Statevector(random_state(rng, 4))
    listed = [DenseOperator(hermitian(rng, 2), rng.permutation(4)[:2].tolist()) for _ in range(4)]
    listed.append(Projector(random_state(rng, 2), [3, 0]))
    listed.append(SparseOperator(sparse(rng, 3, 9), [1, 3, 2]))
    assert np.linalg.eigvalsh(state.covariance(listed)).min() > -1e-11


# --- arrays of observables, programs, gradients -----------------------------------------------------------------------


def test_nested_observables_give_an_array_of_their_shape(where, rng) -> None:
    state = Statevector(random_state(rng, 3), **where)
    z, p = PauliSum([("Z", [0])]), Projector("1", [2])
    values = state.expectation([[z, p, z], [p, p, z]])
    assert values.shape == (2, 3)
    assert values[0].tolist() == [state.expectation(z), state.expectation(p), state.expectation(z)]
    table = np.empty((2, 1), dtype=object)
    table[:, 0] = [z, p]
    assert state.expectation(table).shape == (2, 1)
    assert state.variance([[z], [p]]).shape == (2, 1)
    with pytest.raises(ObservableError, match="nested unevenly at depth 1"):
        state.expectation([[z, p], [z]])
    with pytest.raises(ObservableError, match="a flat sequence of observables is needed"):
        state.covariance([[z, p]])
    with pytest.raises(ObservableError, match="a flat sequence of observables is needed"):
        state.covariance(z)


def test_a_program_reads_every_kind_of_observable(where, rng) -> None:
    theta = Parameter("theta")
    program = qfast.compile(Circuit(2).ry(theta, 0).cx(0, 1), **where)
    z, p = PauliSum([("Z", [0])]), Projector("11")
    rows = np.array([[0.3], [1.1], [2.0]])
    assert program.expectation([0.3], p) == pytest.approx(np.sin(0.15) ** 2)
    assert program.expectation(rows, p) == pytest.approx(np.sin(rows[:, 0] / 2) ** 2)
    assert program.expectation(rows, [[z, p]]).shape == (3, 1, 2)
    assert program.expectation(rows, DenseOperator([[1, 0], [0, -1]])) == pytest.approx(np.cos(rows[:, 0]))
    assert program.variance(rows, z) == pytest.approx(np.sin(rows[:, 0]) ** 2)
    assert program.variance([0.3], [z, p]) == pytest.approx([np.sin(0.3) ** 2, np.sin(0.3) ** 2 / 4])
    found = program.covariance(rows, [z, p])
    assert found.shape == (3, 2, 2)
    assert found[:, 0, 1] == pytest.approx(-(np.sin(rows[:, 0]) ** 2) / 2)
    assert program.covariance([0.3], [z, p]).shape == (2, 2)


@pytest.mark.parametrize("method", ["adjoint", "parameter_shift"])
def test_every_kind_of_observable_has_a_gradient(where, rng, method) -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = Circuit(3).h(1).ry(a, 0).cx(0, 1).rx(a * b, 2).cx(2, 0).rzz(b, 0, 1).ry(b, 2)
    program = qfast.compile(circuit, **where)
    listed = [
        PauliSum([("XZ", [0, 2])]), Projector("01", [2, 0]), Projector(random_state(rng, 2), [1, 2]),
        DiagonalOperator(rng.normal(size=8), [2, 0, 1]), DenseOperator(hermitian(rng, 2), [2, 1]),
        SparseOperator(sparse(rng, 3, 6), range(3)),
    ]  # fmt: skip
    values = np.array([0.4, -0.9])
    gradients = program.gradient(values, listed, method=method)
    step = 1e-5
    for place, shift in product(range(2), [np.eye(2) * step]):
        ahead, behind = (program.expectation(values + sign * shift[place], listed) for sign in (1, -1))
        assert np.abs(gradients[:, place] - (ahead - behind) / (2 * step)).max() < 1e-7
    weights = rng.normal(size=len(listed))
    assert np.allclose(program.vjp(values, listed, weights), weights @ gradients, atol=1e-12)


def test_gradients_from_shots_are_those_of_pauli_sums(where) -> None:
    program = qfast.compile(Circuit(1).ry(Parameter("theta"), 0), **where)
    with pytest.raises(ObservableError, match="with shots an observable has to be a PauliSum"):
        program.gradient([0.3], Projector("1"), method="parameter_shift", shots=100)
    with pytest.raises(
        ObservableError, match=r"gradient: the observable is not Hermitian: the value of outcome 1 is 1j"
    ):
        program.gradient([0.3], DiagonalOperator([0, 1j]))


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_a_set_token_stops_the_reading(where, rng) -> None:
    state = Statevector(random_state(rng, N), **where)
    token = CancelToken()
    token.cancel()
    table = DiagonalOperator(np.ones(1 << N))
    for observable in (PauliSum([("X", [0]), ("Z", [1])]), table, SparseOperator(([0], [0], [1.0]), range(N))):
        for read in (state.expectation, state.variance):
            with pytest.raises(CancelledRunError, match="cancelled"):
                read(observable, cancel=token)
    with pytest.raises(CancelledRunError, match="cancelled"):
        state.covariance([table, table], cancel=token)


def test_density_matrices_and_jobs_take_every_kind_of_observable(rng) -> None:
    circuit = Circuit(3).h(1).ry(0.4, 0).cx(0, 1).rx(0.7, 2)
    listed = [operator for operator, _, qubits in cases(rng) if max(qubits) < 3]
    listed += [Projector("01", [2, 0]), DenseOperator(hermitian(rng, 2), [2, 1]), DiagonalOperator([1, 2j])]
    state = qfast.simulate(circuit)
    density = density_of(circuit)
    for operator in listed:
        assert density.expectation(operator) == pytest.approx(state.expectation(operator), abs=1e-12)
    with qfast.Session("local::statevector") as session:
        found = session.run(circuit, observables=listed[1]).result()
        several = session.run(circuit, observables=listed).result()
    assert found == state.expectation(listed[1])
    assert several == pytest.approx(state.expectation(listed), abs=1e-14)

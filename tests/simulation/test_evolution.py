"""Time evolution under Pauli sums, against matrix exponentials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from scipy.linalg import expm

import qfast
from qfast import CancelToken, Circuit, Evolution, Parameter, PauliSum, Projector, trotter_circuit
from qfast.errors import CancelledRunError, CapacityError, CircuitError, InputError, ObservableError
from qfast.simulation import evolution as module
from qfast.simulation.propagators import bessel_functions, chebyshev_coefficients, is_safe, safe_step, short_time
from tests import oracle
from tests.engines.states import random_state

LOOSE = {"complex64": 3e-5, "complex128": 2e-10}  # tolerances, and rounding
METHODS = pytest.mark.parametrize("method", ["krylov", "chebyshev"])


def heisenberg(n: int) -> PauliSum:
    """A chain with a field and a constant; no two kinds of its terms commute."""
    terms = [(2 * letter, [q, q + 1], 0.3 + 0.1 * q) for q in range(n - 1) for letter in "XYZ"]
    return PauliSum([*terms, *(("ZX"[q % 2], [q], 0.7 - 0.2 * q) for q in range(n)), ("", [], 0.4)])


def random_sum(rng: np.random.Generator, n: int, count: int) -> PauliSum:
    return PauliSum([("".join(rng.choice(list("IXYZ"), n)), range(n), float(rng.normal())) for _ in range(count)], n)


def exact(hamiltonian: PauliSum, time: float, psi: np.ndarray) -> np.ndarray:
    return expm(-1j * time * hamiltonian.matrix()) @ psi


# --- Krylov and Chebyshev ---------------------------------------------------------------------------------------------


@METHODS
@pytest.mark.parametrize("time", [0.0, 0.01, 1.7, -3.0, 25.0])
def test_states_are_those_of_the_matrix_exponential(where, precision, rng, method, time) -> None:
    hamiltonian = heisenberg(6)
    psi = random_state(rng, 6).astype(precision)
    evolution = Evolution(hamiltonian, method=method, precision=precision, **where)
    state = evolution.evolve(time, initial_state=psi)
    assert state.precision == precision
    wanted = exact(hamiltonian, time, psi.astype(np.complex128))
    assert np.linalg.norm(state.amplitudes - wanted) < LOOSE[precision]
    assert state.metadata["evolution"]["error_bound"] <= evolution.tolerance
    assert (state.metadata["evolution"]["applications"] > 0) == (time != 0)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    method=st.sampled_from(["krylov", "chebyshev"]),
    tolerance=st.sampled_from([1e-3, 1e-6, 1e-9, 1e-12]),
    time=st.floats(-5, 5),
    vectors=st.integers(8, 40),
)
def test_the_error_stays_within_the_tolerance(seed, method, tolerance, time, vectors) -> None:
    rng = np.random.default_rng(seed)
    hamiltonian = random_sum(rng, 4, 10)
    psi = random_state(rng, 4)
    evolution = Evolution(hamiltonian, method=method, tolerance=tolerance, max_vectors=vectors)
    state = evolution.evolve(time, initial_state=psi)
    rounding = 1e-15 * state.metadata["evolution"]["applications"] + 1e-13
    energies, vectors = np.linalg.eigh(hamiltonian.matrix())
    wanted = vectors @ (np.exp(-1j * energies * time) * (vectors.conj().T @ psi))
    error = np.linalg.norm(state.amplitudes - wanted)
    assert error <= state.metadata["evolution"]["error_bound"] + rounding
    assert state.metadata["evolution"]["error_bound"] <= tolerance


def test_the_bound_of_krylov_is_no_more_than_some_times_the_error(rng) -> None:
    hamiltonian, psi = heisenberg(7), random_state(rng, 7)
    for tolerance in (1e-3, 1e-6, 1e-9):
        state = Evolution(hamiltonian, tolerance=tolerance).evolve(2.0, initial_state=psi)
        error = np.linalg.norm(state.amplitudes - exact(hamiltonian, 2.0, psi))
        assert error <= state.metadata["evolution"]["error_bound"] < 30 * error


@METHODS
def test_the_result_does_not_depend_on_the_number_of_threads(where, rng, method) -> None:
    psi, hamiltonian = random_state(rng, 12), heisenberg(12)
    runs = [Evolution(hamiltonian, method=method, threads=t, **where).evolve(0.2, initial_state=psi) for t in (1, 2, 3)]
    assert all(np.array_equal(runs[0].amplitudes, one.amplitudes) for one in runs[1:])


@METHODS
def test_evolution_goes_on_from_time_to_time(where, method) -> None:
    hamiltonian = heisenberg(4)
    evolution = Evolution(hamiltonian, method=method, **where)
    times = [0.5, 2.0, 1.0, 1.0]
    zero = oracle.zero_state(4)
    states = list(evolution.iter_evolve(times))
    for time, state in zip(times, states, strict=True):
        assert np.linalg.norm(state.amplitudes - exact(hamiltonian, time, zero)) < 1e-10
    assert not np.shares_memory(states[2].amplitudes, states[3].amplitudes)
    z, p = PauliSum([("Z", [0])]), Projector("0000")
    found = evolution.expectation(times, [z, p])
    assert found == pytest.approx(np.array([state.expectation([z, p]) for state in states]), abs=1e-12)
    assert evolution.expectation(times, z).shape == (4,)
    assert evolution.expectation([], z).shape == (0,)


@METHODS
def test_the_callers_buffer_takes_the_result(where, precision, method) -> None:
    out = np.zeros(8, dtype=precision)
    out[0] = 1
    hamiltonian = PauliSum([("X", [0]), ("Z", [2], 0.2)])
    state = Evolution(hamiltonian, method=method, precision=precision, **where).evolve(0.3, initial_state=out, out=out)
    assert state.amplitudes is out
    assert np.linalg.norm(out - exact(hamiltonian, 0.3, oracle.zero_state(3))) < LOOSE[precision]


@METHODS
def test_a_start_state_is_left_alone(where, method, rng) -> None:
    psi = random_state(rng, 3)
    kept = psi.copy()
    Evolution(heisenberg(3), method=method, **where).evolve(1.0, initial_state=psi)
    assert np.array_equal(psi, kept)


@METHODS
def test_eigenstates_and_constants_turn_their_phase_only(where, method) -> None:
    for hamiltonian, energy in (
        (PauliSum([("ZZ", [0, 1], 2.0), ("", [], 1.0)]), 3.0),
        (PauliSum([("", [], -2.0)], 2), -2),
    ):
        state = Evolution(hamiltonian, method=method, **where).evolve(0.7)
        assert state.amplitude(0) == pytest.approx(np.exp(-0.7j * energy), abs=1e-10)
    assert Evolution(PauliSum([], 2), method=method, **where).evolve(5.0).amplitude(0) == 1


def test_fewer_vectors_take_more_steps(where, rng) -> None:
    hamiltonian, psi = heisenberg(5), random_state(rng, 5)
    few, many = (
        Evolution(hamiltonian, max_vectors=count, **where).evolve(0.5, initial_state=psi).metadata["evolution"]["steps"]
        for count in (4, 32)
    )
    assert few > 4 * many


def test_more_qubits_than_the_hamiltonian_has_may_be_named(where) -> None:
    state = Evolution(PauliSum([("X", [1], 0.5)]), num_qubits=4, **where).evolve(np.pi)
    assert abs(state.amplitude("0010")) == pytest.approx(1)


# --- the numbers behind it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-8, 0.3, 1.0, 7.5, 60.0, 1234.5, 2e4])
def test_bessel_functions_are_those_of_scipy(angle) -> None:
    found = bessel_functions(angle)
    assert np.abs(found - special.jv(np.arange(found.size), angle)).max() < 5e-13
    assert abs(found[-1]) < 1e-20


@pytest.mark.parametrize("angle", [0.0, 0.4, -6.0, 50.0])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-13])
def test_chebyshev_series_keep_their_tolerance(angle, tolerance) -> None:
    coefficients, bound = chebyshev_coefficients(angle, tolerance)
    x = np.linspace(-1, 1, 501)
    error = np.abs(np.polynomial.chebyshev.chebval(x, coefficients) - np.exp(-1j * angle * x)).max()
    assert bound <= tolerance
    assert error <= bound + 1e-13


def test_exponentials_of_tridiagonal_matrices(rng) -> None:
    alphas, betas = rng.normal(size=6), rng.random(5) + 0.1
    matrix = np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1)
    assert np.allclose(short_time(alphas, betas, 1.3), expm(-1.3j * matrix)[:, 0], atol=1e-13)


def test_a_step_is_as_long_as_its_bound_allows() -> None:
    alphas, betas = np.zeros(8), np.ones(8)
    step, bound = safe_step(alphas, betas, 100.0, 1e-6, 100.0)
    assert 0 < bound <= 1e-6 * step
    longer, _ = safe_step(alphas, betas, 100.0, 1e-3, 100.0)
    assert longer > step
    assert is_safe(alphas, betas, step, 1e-6)
    assert not is_safe(alphas, betas, 1.1 * step, 1e-6)
    assert safe_step(alphas, betas, step / 2, 1e-6, 100.0)[0] == step / 2
    assert safe_step(np.zeros(1), np.zeros(1), 7.0, 1e-6, 100.0) == (7.0, 0.0)


# --- product formulas -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "steps"), [(1, 64), (2, 16), (4, 6)])
def test_the_error_of_a_product_formula_falls_with_its_order(order, steps) -> None:
    hamiltonian = heisenberg(4)
    wanted = expm(-0.9j * hamiltonian.matrix())
    errors = [
        np.linalg.norm(oracle.unitary(trotter_circuit(hamiltonian, 0.9, steps=count, order=order)) - wanted, 2)
        for count in (steps, 2 * steps)
    ]
    assert 0 < errors[1] < errors[0] < 0.1
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_terms_that_commute_have_no_error(where, order) -> None:
    hamiltonian = PauliSum(
        [("XX", [0, 1], 0.7), ("YY", [0, 1], -0.4), ("ZZ", [0, 1], 1.1), ("ZZ", [1, 2], 0.0), ("", [], 2)]
    )
    state = qfast.simulate(trotter_circuit(hamiltonian, 1.3, order=order, num_qubits=3), **where)
    wanted = exact(PauliSum(list(hamiltonian), 3), 1.3, oracle.zero_state(3))
    assert np.abs(state.amplitudes - wanted).max() < 1e-13


def test_neighbouring_stages_of_one_group_are_one() -> None:
    ising = PauliSum([("ZZ", [0, 1]), ("X", [0], 0.5), ("X", [1], 0.5)])
    assert trotter_circuit(ising, 1.0, order=1, steps=3).count_ops() == {"pauli_rotation": 9}
    assert trotter_circuit(ising, 1.0, order=2, steps=3).count_ops() == {"pauli_rotation": 3 * 3 + 1}
    assert trotter_circuit(ising, 1.0, order=4, steps=3).count_ops() == {"pauli_rotation": 15 * 3 + 1}


def test_time_may_be_a_parameter_with_a_gradient(where) -> None:
    hamiltonian, t = heisenberg(3), Parameter("t")
    program = qfast.compile(trotter_circuit(hamiltonian, t, steps=40, order=4), **where)
    z = PauliSum([("Z", [1])])
    psi = exact(hamiltonian, 0.8, oracle.zero_state(3))
    assert program.expectation([0.8], z) == pytest.approx(np.vdot(psi, z.matrix(3) @ psi).real, abs=1e-7)
    commutator = 1j * (hamiltonian * z - z * hamiltonian)
    slope = np.vdot(psi, commutator.matrix(3) @ psi).real
    assert program.gradient([0.8], z) == pytest.approx([slope], abs=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_terms_of_a_group_commute_and_none_is_lost(seed) -> None:
    rng = np.random.default_rng(seed)
    terms = random_sum(rng, 4, 25)
    groups = terms.group_commuting(qubit_wise=False)
    assert sorted(term for group in groups for term in map(str, group)) == sorted(map(str, terms))
    assert len(groups) <= len(terms.group_commuting())
    for group in groups:
        matrices = [PauliSum([term], 4).matrix() for term in group]
        assert all(np.allclose(a @ b, b @ a) for a in matrices for b in matrices)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_bad_hamiltonians_are_refused() -> None:
    for make in (Evolution, lambda hamiltonian: trotter_circuit(hamiltonian, 1.0)):
        with pytest.raises(ObservableError, match=r"not Hermitian: term 0 has the coefficient 1j"):
            make(PauliSum([("X", [0], 1j)]))
        with pytest.raises(ObservableError, match="a PauliSum is needed, Projector given"):
            make(Projector("1"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "trotter"}, "method 'trotter' is unknown; 'krylov' and 'chebyshev' are known"),
        ({"tolerance": 1e-16}, "tolerance 1e-16 is not allowed in complex128"),
        ({"tolerance": 1e-9, "precision": "complex64"}, "1e-06 to 1 is, below which rounding decides"),
        ({"tolerance": float("nan")}, "tolerance nan is not allowed"),
        ({"num_qubits": 1}, "declared on 2 qubits, num_qubits = 1 given"),
        ({"max_vectors": 3}, "max_vectors = 3 must be an integer from 4"),
    ],
)
def test_bad_options_are_refused(options, message) -> None:
    with pytest.raises(InputError, match=message):
        Evolution(PauliSum([("X", [1])]), **options)


def test_bad_times_are_refused(where) -> None:
    evolution = Evolution(PauliSum([("X", [0])]), **where)
    with pytest.raises(InputError, match="the time nan is not finite"):
        evolution.evolve(float("nan"))
    with pytest.raises(InputError, match="the time 'soon' is no real number"):
        evolution.evolve("soon")
    with pytest.raises(InputError, match=r"finite times of shape \(m,\) are needed"):
        next(evolution.iter_evolve([[1.0]]))
    with pytest.raises(InputError, match=r"initial_state has shape \(4,\)"):
        evolution.evolve(1.0, initial_state=[1, 0, 0, 0])
    with pytest.raises(InputError, match="out has dtype"):
        evolution.evolve(1.0, out=np.zeros(2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps = 0 must be a positive integer"),
        ({"steps": 1.5}, "steps = 1.5 must be a positive integer"),
        ({"order": 3}, "order 3 is unknown; 1, 2 and 4 are known"),
        ({"num_qubits": 0}, "declared on 1 qubits, num_qubits = 0 given"),
    ],
)
def test_bad_product_formulas_are_refused(options, message) -> None:
    with pytest.raises(CircuitError, match=message):
        trotter_circuit(PauliSum([("X", [0])]), 1.0, **options)


@METHODS
def test_a_tolerance_that_rounding_breaks_is_refused(where, method) -> None:
    evolution = Evolution(PauliSum([("X", [0], 3e3), ("Z", [0], 4e3)]), method=method, tolerance=1e-12, **where)
    assert evolution.evolve(0.1).norm() == pytest.approx(1)
    with pytest.raises(
        InputError, match=r"rounding alone may exceed the tolerance 1e-12 .* ‖H‖ may be 7000; allow 7e-09, or"
    ):
        evolution.evolve(1e3)


@METHODS
def test_states_that_do_not_fit_are_refused(where, method) -> None:
    evolution = Evolution(PauliSum([("X", [17])]), method=method, **where)
    with qfast.config.override(max_job_bytes=1 << 23):
        limited = Evolution(PauliSum([("X", [17])]), method=method, **where)
    with pytest.raises(CapacityError, match=r"the time evolution of 18 qubits in complex128 \([45] states\)"):
        limited.evolve(1.0)
    assert evolution.evolve(0.0).amplitude(0) == 1


def test_krylov_makes_do_with_the_memory_there_is(where) -> None:
    hamiltonian = heisenberg(10)
    with qfast.config.override(max_job_bytes=6 * 16 << 10):
        limited = Evolution(hamiltonian, **where)
    state = limited.evolve(0.1)
    wanted = Evolution(hamiltonian, **where).evolve(0.1)
    assert np.linalg.norm(state.amplitudes - wanted.amplitudes) < 2e-10
    assert state.metadata["evolution"]["steps"] > wanted.metadata["evolution"]["steps"]


@METHODS
def test_a_token_stops_it_and_tells_how_far_it_is(where, method, monkeypatch) -> None:
    evolution = Evolution(heisenberg(4), method=method, **where)
    token = CancelToken()
    evolution.evolve(1.0, cancel=token)
    assert token.progress() == (module._PARTS, module._PARTS)
    token.cancel()
    with pytest.raises(CancelledRunError, match="cancelled"):
        evolution.evolve(1.0, cancel=token)


def test_the_text_says_what_it_is() -> None:
    text = repr(Evolution(heisenberg(3), engine="reference"))
    assert text == "<Evolution: 9 terms on 3 qubits, krylov, tolerance 1e-10, complex128, engine 'reference'>"


def test_circuits_and_evolutions_go_together(where) -> None:
    hamiltonian = heisenberg(5)
    start = qfast.simulate(Circuit(5).h(0).cx(0, 3), **where)
    one = Evolution(hamiltonian, **where).evolve(0.4, initial_state=start)
    other = qfast.simulate(trotter_circuit(hamiltonian, 0.4, steps=50, order=4), initial_state=start, **where)
    assert one.fidelity(other) == pytest.approx(1, abs=1e-9)

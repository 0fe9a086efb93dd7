"""Gradients by the adjoint method against finite differences of the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qfast
from qfast import Circuit, Parameter, ParameterVector, PauliSum
from qfast.circuit import GATES
from qfast.circuit.gates import NUM_GATES
from qfast.engines import CancelToken
from qfast.errors import CancelledRunError, CapacityError, ParameterError
from tests.engines.states import random_state
from tests.gradient import differences
from tests.gradient.differences import TOLERANCE, random_observable, symbolic_circuits

NUM_QUBITS = 5
WITH_PARAMETERS = [row for row in GATES[:NUM_GATES] if row.num_params]


def scrambler(rng: np.random.Generator, num_qubits: int = NUM_QUBITS) -> Circuit:
    """Fixed gates after which nothing is special."""
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.u(*rng.normal(size=3).tolist(), qubit)
    for qubit in range(num_qubits - 1):
        circuit.cx(qubit, qubit + 1).ry(rng.normal(), qubit).rx(rng.normal(), qubit + 1)
    return circuit


def ansatz(num_qubits: int, layers: int) -> Circuit:
    theta = iter(ParameterVector("t", 2 * num_qubits * layers))
    circuit = Circuit(num_qubits)
    for _ in range(layers):
        for qubit in range(num_qubits):
            circuit.ry(next(theta), qubit)
        for qubit in range(num_qubits):
            circuit.rz(next(theta), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


def ising(num_qubits: int) -> PauliSum:
    bonds = [("ZZ", [qubit, qubit + 1], -1.0) for qubit in range(num_qubits - 1)]
    return PauliSum(bonds + [("X", [qubit], -0.7) for qubit in range(num_qubits)])


@pytest.mark.parametrize("extra", [0, 1, 2])
@pytest.mark.parametrize("row", WITH_PARAMETERS, ids=lambda row: row.name)
def test_each_gate_by_each_of_its_parameters(where, precision, rng, row, extra) -> None:
    width = 3 if row.num_qubits is None else row.num_qubits
    order = rng.permutation(NUM_QUBITS).tolist()
    qubits, controls = order[:width], order[width : width + extra]
    options = {"controls": controls, "ctrl_state": int(rng.integers(1 << extra))}
    angles = list(ParameterVector("angle", row.num_params))
    circuit = scrambler(rng)
    if row.name == "pauli_rotation":
        circuit.pauli_rotation("XZY", qubits, angles[0], **options)
    else:
        circuit.append(row.name, qubits, angles, **options)
    circuit.compose(scrambler(rng))
    values, observable = rng.normal(size=row.num_params), random_observable(rng, NUM_QUBITS)
    found = qfast.compile(circuit, precision=precision, **where).gradient(values, observable)
    wanted = differences.gradient(circuit, values, observable)
    assert found.dtype == np.float64
    assert np.abs(found - wanted).max() < TOLERANCE[precision]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuit=symbolic_circuits(), seed=st.integers(0, 1000))
def test_random_circuits_with_shared_parameters_and_expressions(where, precision, circuit, seed) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, len(circuit.parameters))
    observable = random_observable(rng, circuit.num_qubits)
    found = qfast.compile(circuit, precision=precision, **where).gradient(values, observable)
    assert found.shape == values.shape
    assert np.allclose(found, differences.gradient(circuit, values, observable), atol=TOLERANCE[precision], rtol=0)


def test_a_parameter_shared_by_many_gates_collects_all_of_them(where) -> None:
    theta = Parameter("theta")
    circuit = Circuit(1)
    for _ in range(10):
        circuit.ry(theta, 0)
    found = qfast.compile(circuit, **where).gradient({"theta": 0.1}, PauliSum([("Z", [0])]))
    assert found == pytest.approx([-10 * np.sin(1.0)], abs=1e-12)


def test_a_pauli_rotation_of_identities_and_a_global_phase_have_no_gradient(where) -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = Circuit(2).h(0).pauli_rotation("II", [0, 1], a).gphase(b).append("gphase", (), a, controls=[0])
    values, observable = np.array([0.4, 0.9]), PauliSum([("Y", [0])])
    found = qfast.compile(circuit, **where).gradient(values, observable)
    assert np.allclose(found, [np.cos(0.4), 0], atol=1e-12)


def test_an_initial_state_is_started_from(where, rng) -> None:
    circuit, initial = ansatz(4, 1), random_state(rng, 4)
    values = rng.normal(size=8)
    found = qfast.compile(circuit, **where).gradient(values, ising(4), initial_state=initial)
    assert np.allclose(found, differences.gradient(circuit, values, ising(4), initial), atol=1e-8)


def test_values_and_gradients_of_rows_and_observables_have_their_axes(where, rng) -> None:
    circuit, rows = ansatz(3, 1), rng.normal(size=(2, 6))
    observables = [ising(3), PauliSum([("Y", [1])])]
    program = qfast.compile(circuit, **where)
    values, gradients = program.value_and_gradient(rows, observables)
    assert values.shape == (2, 2)
    assert gradients.shape == (2, 2, 6)
    for i, row in enumerate(rows):
        for k, observable in enumerate(observables):
            value, gradient = program.value_and_gradient(row, observable)
            assert isinstance(value, float)
            assert value == values[i, k] == pytest.approx(program.expectation(row, observable), abs=1e-12)
            assert np.array_equal(gradient, gradients[i, k])
    assert np.array_equal(program.gradient(rows, ising(3)), gradients[:, 0])
    assert np.array_equal(program.gradient(rows[1], observables), gradients[1])


def test_a_vector_jacobian_product_is_the_weighted_sum_of_gradients(where, rng) -> None:
    program, values = qfast.compile(ansatz(3, 2), **where), rng.normal(size=12)
    observables = [random_observable(rng, 3) for _ in range(4)]
    cotangents = rng.normal(size=4)
    wanted = cotangents @ program.gradient(values, observables)
    assert np.allclose(program.vjp(values, observables, cotangents), wanted, atol=1e-12)


def test_vector_jacobian_products_of_rows_take_cotangents_of_the_shape_of_the_values(where, rng) -> None:
    program, rows = qfast.compile(ansatz(3, 1), **where), rng.normal(size=(3, 6))
    observables = [random_observable(rng, 3) for _ in range(2)]
    cotangents = rng.normal(size=(3, 2))
    gradients = program.gradient(rows, observables)
    wanted = np.einsum("mk,mkp->mp", cotangents, gradients)
    assert np.allclose(program.vjp(rows, observables, cotangents), wanted, atol=1e-12)
    single = program.vjp(rows, observables[0], cotangents[:, 0])
    assert np.allclose(single, cotangents[:, :1] * gradients[:, 0], atol=1e-12)
    assert np.allclose(program.vjp(rows[0], observables[0], 2.0), 2 * gradients[0, 0], atol=1e-12)
    assert program.vjp(np.zeros((0, 6)), observables, np.zeros((0, 2))).shape == (0, 6)


def test_rows_side_by_side_have_the_gradients_of_the_rows(where, rng) -> None:
    circuit, rows = ansatz(14, 1), rng.normal(size=(5, 28))
    program = qfast.compile(circuit, threads=3, **where)
    values, gradients = program.value_and_gradient(rows, ising(14))
    for row, value, gradient in zip(rows, values, gradients, strict=True):
        alone = program.value_and_gradient(row, ising(14))
        assert alone[0] == value
        assert np.array_equal(alone[1], gradient)


def test_what_fails_in_one_of_the_rows_side_by_side_is_raised(where) -> None:
    theta = Parameter("theta")
    program = qfast.compile(Circuit(14).ry(theta.sqrt(), 0), threads=2, **where)
    with pytest.raises(ParameterError, match="no finite real value"):
        program.gradient([[0.25], [0.25], [0.0], [0.25]], PauliSum([("Z", [0])]))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuit=symbolic_circuits(), seed=st.integers(0, 1000))
def test_the_metric_of_random_circuits(where, circuit, seed) -> None:
    values = np.random.default_rng(seed).uniform(-1, 1, len(circuit.parameters))
    found = qfast.compile(circuit, **where).metric_tensor(values)
    assert found.shape == (len(values), len(values))
    assert np.allclose(found, differences.metric(circuit, values) if len(values) else found, atol=1e-8)


def test_the_metric_of_an_ansatz_is_symmetric_and_positive(where, precision, rng) -> None:
    circuit, values = ansatz(4, 2), rng.normal(size=16)
    found = qfast.compile(circuit, precision=precision, **where).metric_tensor(values)
    assert np.array_equal(found, found.T)
    assert np.linalg.eigvalsh(found).min() > -TOLERANCE[precision]
    assert np.allclose(found, differences.metric(circuit, values), atol=TOLERANCE[precision])


def test_the_number_of_threads_changes_no_bit(where, precision, rng) -> None:
    circuit, values = ansatz(15, 1), rng.normal(size=30)
    found = [
        qfast.compile(circuit, precision=precision, threads=threads, **where).gradient(values, ising(15))
        for threads in (1, 2, 3)
    ]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_measurements_at_the_end_and_barriers_do_not_matter(where) -> None:
    theta = Parameter("theta")
    circuit = Circuit(2, 1).ry(theta, 0).barrier().cx(0, 1).measure(1, 0)
    assert qfast.compile(circuit, **where).gradient([0.3], PauliSum([("Z", [1])])) == pytest.approx([-np.sin(0.3)])


def test_a_circuit_without_parameters_has_an_empty_gradient(where) -> None:
    value, gradient = qfast.compile(Circuit(1).h(0), **where).value_and_gradient([], PauliSum([("X", [0])]))
    assert value == pytest.approx(1)
    assert gradient.shape == (0,)


def test_a_program_does_not_follow_later_changes_of_the_circuit(where) -> None:
    circuit = Circuit(1).ry(Parameter("theta"), 0)
    program = qfast.compile(circuit, **where)
    circuit.x(0)
    assert program.gradient([0.3], PauliSum([("Z", [0])])) == pytest.approx([-np.sin(0.3)])


def test_two_states_must_fit(where) -> None:
    with qfast.config.override(max_job_bytes=20 << 10):
        program = qfast.compile(Circuit(10).ry(Parameter("theta"), 0), precision="complex128", **where)
        with pytest.raises(CapacityError, match="max_job_bytes"):
            program.gradient([0.3], PauliSum([("Z", [0])]))


def test_a_token_stops_a_gradient(where) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledRunError):
        qfast.compile(ansatz(3, 1), **where).gradient(np.zeros(6), ising(3), cancel=token)

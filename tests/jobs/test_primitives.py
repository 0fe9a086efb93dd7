"""Sampler and Estimator: shapes, values, precision, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import qfast
from qfast import Circuit, Parameter, PauliSum
from qfast.devices import Device
from qfast.errors import CapacityError, InputError, ObservableError, ParameterError, SessionClosedError
from qfast.jobs import Batch, Estimator, Runtime, Sampler, Session
from qfast.jobs.pubs import make_estimator_pub, make_sampler_pub
from qfast.simulation.seeds import derived_seed
from tests.jobs.works import WAIT_S

A, B = Parameter("a"), Parameter("b")
CIRCUIT = Circuit(2).ry(A, 0).rx(B, 1).cx(0, 1)
Z0, X1, ZZ = PauliSum([("Z", [0])]), PauliSum([("X", [1])]), PauliSum([("ZZ", [0, 1], 0.5)])


def expected(observable: PauliSum, a: float, b: float) -> float:
    return float(np.real(qfast.simulate(CIRCUIT, parameters={"a": a, "b": b}).expectation(observable)))


@pytest.fixture
def session(runtime: Runtime, device: Device) -> Session:
    return Session(device, runtime=runtime, seed=1)


# --- sampler ----------------------------------------------------------------------------------------------------------
def test_a_sampler_samples_every_set_of_values(session: Session) -> None:
    flip = Circuit(1).rx(A, 0)
    values = np.array([[[0.0], [np.pi], [0.0]], [[np.pi], [np.pi], [0.0]]])
    job = Sampler(session).run([(flip, values, 20), Circuit(1).x(0)], shots=30)
    first, second = job.result(WAIT_S)
    assert (first.shape, first.shots, second.shape, second.shots) == ((2, 3), 20, (), 30)
    assert [[first.get_counts(i, j) for j in range(3)] for i in range(2)] == [
        [{"0": 20}, {"1": 20}, {"0": 20}],
        [{"1": 20}, {"1": 20}, {"0": 20}],
    ]
    assert second.get_counts() == {"1": 30}
    assert (job.metrics().shots, job.session_id, job.progress()) == (150, session.id, (7, 7))
    metadata = job.result().metadata
    assert (metadata["job_id"], metadata["seed"]) == (job.id, derived_seed(1, "job", 0))


def test_each_simulation_of_a_sampler_has_a_key_of_its_own(session: Session) -> None:
    job = Sampler(session).run([(CIRCUIT, np.zeros((3, 2)) + 1.0, 100)], seed=5)
    (result,) = job.result(WAIT_S)
    for i in range(3):
        alone = qfast.sample(CIRCUIT, 100, derived_seed(5, "pub", i), parameters={"a": 1.0, "b": 1.0})
        assert result.get_counts(i) == alone.get_counts()


def test_values_can_be_named_and_are_broadcast(session: Session) -> None:
    pub = (CIRCUIT, {A: np.zeros((4, 1)), "b": [0.0, np.pi, 0.0]}, 10)
    (result,) = Sampler(session).run([pub]).result(WAIT_S)
    assert result.shape == (4, 3)
    assert [result.get_counts(2, j) for j in range(3)] == [{"00": 10}, {"10": 10}, {"00": 10}]


def test_registers_of_a_circuit_are_kept(session: Session) -> None:
    circuit = Circuit(2, 2).x(1).measure([1, 0], [0, 1])
    (result,) = Sampler(session).run([circuit], shots=5).result(WAIT_S)
    assert result.get_counts() == {"01": 5}
    assert result.samples[()].registers[0].size == 2


def test_default_shots_come_from_the_settings(runtime: Runtime, device: Device) -> None:
    with qfast.config.override(default_shots=17):
        job = Sampler(Batch(device, runtime=runtime)).run([Circuit(1)])
    assert job.result(WAIT_S)[0].shots == 17


# --- estimator --------------------------------------------------------------------------------------------------------
def test_an_estimator_broadcasts_observables_with_values(session: Session) -> None:
    values = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    job = Estimator(session).run([(CIRCUIT, [[Z0], [X1]], values), (CIRCUIT, ZZ, [0.1, 0.2])])
    first, second = job.result(WAIT_S)
    assert (first.shape, second.shape) == ((2, 3), ())
    table = [[expected(o, a, b) for a, b in values] for o in (Z0, X1)]
    assert first.expectation == pytest.approx(np.array(table), abs=1e-12)
    assert second.expectation == pytest.approx(expected(ZZ, 0.1, 0.2), abs=1e-12)
    assert np.all(first.standard_error == 0)
    assert np.all(first.shots == 0)
    assert first.estimate(1, 2).expectation == first.expectation[1, 2]
    assert second.estimate().is_exact
    with pytest.raises(InputError, match=r"index \(1,\) is not one element"):
        first.estimate(1)


def test_observables_and_values_can_go_in_pairs(session: Session) -> None:
    values = np.array([[0.1, 0.2], [0.3, 0.4]])
    (result,) = Estimator(session).run([(CIRCUIT, [Z0, X1], values)]).result(WAIT_S)
    assert result.expectation == pytest.approx([expected(Z0, 0.1, 0.2), expected(X1, 0.3, 0.4)], abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.randoms(use_true_random=False))
def test_any_shapes_broadcast_as_numpy_does(shapes: Any, chooser: Any) -> None:
    (of_observables, of_values), shape = shapes.input_shapes, shapes.result_shape
    sums = [Z0, X1, ZZ]
    picks = np.array([chooser.randrange(3) for _ in range(int(np.prod(of_observables)))], dtype=int)
    picks = picks.reshape(of_observables)
    values = np.array([chooser.random() for _ in range(int(np.prod(of_values)) * 2)]).reshape((*of_values, 2))

    def nested(array: Any) -> Any:
        return sums[int(array)] if array.ndim == 0 else [nested(entry) for entry in array]

    pub = make_estimator_pub((CIRCUIT, nested(picks), values), 0.0, "pub 0")
    assert pub.of_binding.shape == shape
    picked, rows = np.broadcast_arrays(picks, np.arange(int(np.prod(of_values))).reshape(of_values))
    assert np.array_equal(pub.of_binding, rows)
    assert [pub.observables[k] for k in pub.of_observable.ravel()] == [sums[p] for p in picked.ravel()]
    assert pub.bindings.table.shape == (int(np.prod(of_values)), 2)


def test_a_precision_is_met_and_the_errors_are_honest(session: Session) -> None:
    observable = Z0 + 2 * X1 + ZZ + 3.0
    values = np.tile([0.7, 1.1], (400, 1))
    (result,) = Estimator(session).run([(CIRCUIT, observable, values)], precision=0.05, seed=3).result(WAIT_S)
    exact = expected(Z0, 0.7, 1.1) + 2 * expected(X1, 0.7, 1.1) + expected(ZZ, 0.7, 1.1) + 3
    assert np.all(result.standard_error <= 0.05)
    assert np.all(result.standard_error > 0.045), "no more shots than the target takes"
    deviation = (result.expectation - exact) / result.standard_error
    # 400 draws: the mean of a standard normal lies within 4 / sqrt(400), its spread within 15 percent.
    assert abs(deviation.mean()) < 0.2
    assert 0.85 < deviation.std() < 1.15
    assert result.metadata == {"target_precision": 0.05, "method": "sampled", "reached": True}


def test_a_certain_outcome_takes_few_shots_and_is_not_believed_without_any(session: Session) -> None:
    (result,) = Estimator(session).run([(Circuit(2).x(0), [Z0 + ZZ])], precision=0.01).result(WAIT_S)
    assert result.expectation[0] == -1.5
    assert 0 < result.standard_error[0] <= 0.01
    assert result.shots[0] < 0.1 / 0.01**2


def test_a_precision_is_met_where_terms_are_correlated_unless_shots_are_limited(session: Session) -> None:
    ghz, every = Circuit(6).h(0), PauliSum([("Z", [q]) for q in range(6)])
    for q in range(5):
        ghz.cx(q, q + 1)
    (result,) = Estimator(session).run([(ghz, every)], precision=0.1, seed=1).result(WAIT_S)
    assert 0.095 < result.standard_error <= 0.1
    limited = Estimator(session, options={"max_shots": 1000})
    (ended,) = limited.run([(ghz, every)], precision=0.1, seed=1).result(WAIT_S)
    assert (ended.shots, ended.metadata["reached"]) == (660, False)  # a tenth more than six independent terms take
    assert ended.standard_error == pytest.approx(6 / 660**0.5, rel=0.05)
    with pytest.raises(CapacityError, match="660 shots"):
        Estimator(session, options={"max_shots": 600}).run([(ghz, every)], precision=0.1)


def test_few_qubits_of_a_wide_circuit_are_sampled_on_their_light_cone(session: Session) -> None:
    cone = Circuit(2).ry(0.3, 0).cx(0, 1)
    wide = Circuit(16).compose(cone)
    for q in range(2, 15):
        wide.h(q).cx(q, q + 1)
    (result,) = Estimator(session).run([(wide, PauliSum([("ZZ", [0, 1])]))], precision=0.05, seed=2).result(WAIT_S)
    (alone,) = Estimator(session).run([(cone, PauliSum([("ZZ", [0, 1])]))], precision=0.05, seed=2).result(WAIT_S)
    assert (result.expectation, result.shots) == (alone.expectation, alone.shots)


def test_the_same_seed_gives_the_same_estimate(session: Session) -> None:
    runs = [
        Estimator(session).run([(CIRCUIT, Z0, [0.4, 0.3], 0.1)], seed=s).result(WAIT_S)[0].expectation
        for s in (4, 4, 5)
    ]
    assert runs[0] == runs[1] != runs[2]


# --- where they run ---------------------------------------------------------------------------------------------------
def test_they_run_alone_in_a_session_and_in_a_batch(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    device = make_device(2)
    pub = (CIRCUIT, Z0, [0.4, 0.3])
    modes = [None, "local::reference", Session(device, runtime=runtime), Batch(device, runtime=runtime)]
    values = [Estimator(mode).run([pub]).result(WAIT_S)[0].expectation for mode in modes]
    assert values == pytest.approx([expected(Z0, 0.4, 0.3)] * 4, abs=1e-12)


def test_a_closed_session_refuses_its_primitives(session: Session) -> None:
    session.close()
    with pytest.raises(SessionClosedError):
        Sampler(session).run([CIRCUIT.assign_parameters({"a": 0, "b": 0})] if False else [Circuit(1)])


def test_options_reach_the_job(session: Session) -> None:
    job = Estimator(session, options={"engine": "reference", "precision": "complex64"}).run([(Circuit(1), Z0)])
    assert job.result(WAIT_S).metadata["engine"] == "reference"
    assert job.config["precision"] == "complex64"


# --- refusals ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pub", "error", "message"),
    [
        ("text", InputError, r"pub 0: a qfast\.Circuit is needed, str given"),
        ((), InputError, "pub 0 has 0 parts"),
        ((CIRCUIT, [0, 0], 5, 6), InputError, "pub 0 has 4 parts"),
        (CIRCUIT, ParameterError, r"shape \(0,\) were given; the last axis must have length 2.* order: a, b"),
        ((CIRCUIT, [[1.0, 2.0, 3.0]]), ParameterError, r"shape \(1, 3\)"),
        ((CIRCUIT, 3.0), ParameterError, r"shape \(\)"),
        ((CIRCUIT, [["x", "y"]]), ParameterError, "no real numbers"),
        ((CIRCUIT, [[0.0, 1.0], [float("nan"), 2.0]]), ParameterError, r"parameter 'a' at \(1,\) is nan"),
        ((CIRCUIT, {"a": 1.0}), ParameterError, "no values for 'b'"),
        ((CIRCUIT, {"a": 1.0, "b": 2.0, "c": 3.0}), ParameterError, "no parameter 'c'"),
        ((CIRCUIT, {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}), ParameterError, r"broadcast together: a \(2,\), b \(3,\)"),
        ((Circuit(1), None, 0), InputError, "shots 0"),
        ((Circuit(1), None, 1.5), InputError, r"shots 1\.5"),
    ],
)
def test_a_bad_sampler_pub_is_refused_with_its_place(pub: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_sampler_pub(pub, 100, "pub 0")


@pytest.mark.parametrize(
    ("pub", "error", "message"),
    [
        ((CIRCUIT, "ZZ", [0, 0]), ObservableError, "pub 0: str is not an observable"),
        ((CIRCUIT, None, [0, 0]), ObservableError, "NoneType is not an observable"),
        ((CIRCUIT, [[Z0], [Z0, X1]], [0, 0]), ObservableError, "nested unevenly"),
        ((CIRCUIT, [Z0, [X1]], [0, 0]), ObservableError, "list is not an observable"),
        ((CIRCUIT, PauliSum([("Z", [2])]), [0, 0]), ObservableError, "acts on 3 qubits and the circuit has 2"),
        ((CIRCUIT, PauliSum([("Z", [0], 1j)]), [0, 0]), ObservableError, "not Hermitian"),
        ((CIRCUIT, [Z0, X1], np.zeros((3, 2))), InputError, r"shape \(2,\) and parameter sets of shape \(3,\)"),
        ((CIRCUIT, Z0, [0, 0], -0.1), InputError, r"precision -0\.1"),
        ((CIRCUIT, Z0, [0, 0], float("nan")), InputError, "precision nan"),
    ],
)
def test_a_bad_estimator_pub_is_refused_with_its_place(pub: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_estimator_pub(pub, 0.0, "pub 0")


def test_no_pubs_at_all_are_refused(session: Session) -> None:
    with pytest.raises(InputError, match="no pub"):
        Sampler(session).run([])
    with pytest.raises(InputError, match="pubs must be a list, Circuit given"):
        Sampler(session).run(Circuit(1))  # type: ignore[arg-type]


def test_a_precision_beyond_reach_fails_the_job(session: Session) -> None:
    with pytest.raises(InputError, match=r"would take .* shots; 0 asks for the exact value"):
        Estimator(session).run([(Circuit(1).h(0), Z0)], precision=1e-12).result(WAIT_S)

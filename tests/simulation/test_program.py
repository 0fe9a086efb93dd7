"""Compiled programs: rows of values, streams, expectation values, samples."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest

import qfast
from qfast import Circuit, ParameterVector, PauliSum
from qfast.errors import CapacityError, CircuitError, EngineError, InputError, ParameterError
from qfast.simulation.seeds import derived_seed
from tests import oracle

V = ParameterVector("v", 3)
H = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7)])


def ansatz() -> Circuit:
    return Circuit(2).ry(V[0], 0).rx(V[1] / 2, 1).cx(0, 1).rz(V[2], 1).h(0)


def wanted_state(row: np.ndarray) -> np.ndarray:
    return oracle.statevector(ansatz(), {f"v[{k}]": value for k, value in enumerate(row.tolist())})


@pytest.fixture
def program(where):
    return qfast.compile(ansatz(), **where)


@pytest.fixture
def rows(rng):
    return rng.normal(size=(5, 3))


def test_a_program_knows_its_parameters_and_engine(program, where) -> None:
    assert [p.name for p in program.parameters] == ["v[0]", "v[1]", "v[2]"]
    assert program.engine == where["engine"]
    assert program.isa == where.get("isa")
    assert program.num_qubits == 2
    assert program.precision == "complex128"
    assert len(program.explain()["segments"]) == 1
    assert "3 parameters" in repr(program)


def test_one_row_gives_a_state(program, rows) -> None:
    state = program.simulate(rows[0])
    assert isinstance(state, qfast.Statevector)
    assert np.abs(state.amplitudes - wanted_state(rows[0])).max() < 1e-14
    by_name = program.simulate({"v[0]": rows[0, 0], "v[1]": rows[0, 1], "v[2]": rows[0, 2]})
    assert np.array_equal(by_name.amplitudes, state.amplitudes)


def test_many_rows_give_an_array(program, rows) -> None:
    found = program.simulate(rows)
    assert found.shape == (5, 4)
    assert np.abs(found - [wanted_state(row) for row in rows]).max() < 1e-14
    out = np.empty((5, 4), dtype=np.complex128)
    assert program.simulate(rows, out=out) is out
    assert np.array_equal(out, found)


def test_rows_can_be_streamed(program, rows) -> None:
    states = list(program.iter_simulate(rows))
    assert np.abs(np.array([state.amplitudes for state in states]) - program.simulate(rows)).max() < 1e-14
    assert [state.num_qubits for state in program.iter_simulate(rows[0])] == [2]


def test_expectations_have_an_axis_for_rows_and_one_for_observables(program, rows) -> None:
    other = PauliSum([("Y", [1])])
    wanted = np.array(
        [[oracle.expectation(wanted_state(row), observable).real for observable in (H, other)] for row in rows]
    )
    assert isinstance(program.expectation(rows[0], H), float)
    assert program.expectation(rows[0], H) == pytest.approx(wanted[0, 0], abs=1e-13)
    assert program.expectation(rows[0], [H, other]) == pytest.approx(wanted[0], abs=1e-13)
    assert program.expectation(rows, H) == pytest.approx(wanted[:, 0], abs=1e-13)
    assert program.expectation(rows, [H, other]) == pytest.approx(wanted, abs=1e-13)


def test_samples_of_each_row_have_their_own_seed(program, rows) -> None:
    listed = program.sample(rows, shots=50, seed=2**64 - 1)
    assert [samples.seed for samples in listed] == [derived_seed(2**64 - 1, "row", i) for i in range(5)]
    assert program.sample(rows[2], shots=50, seed=derived_seed(2**64 - 1, "row", 2)) == listed[2]


def test_a_program_does_not_follow_its_circuit(where) -> None:
    circuit = Circuit(1).h(0)
    program = qfast.compile(circuit, **where)
    circuit.h(0)
    assert program.simulate().probabilities().tolist() == pytest.approx([0.5, 0.5])


def test_programs_start_from_given_states(program, rows) -> None:
    start = [0, 1, 0, 0]
    found = program.simulate(rows[0], initial_state=start)
    values = {f"v[{k}]": value for k, value in enumerate(rows[0].tolist())}
    assert np.abs(found.amplitudes - oracle.statevector(ansatz(), values, np.array(start))).max() < 1e-14


def test_a_program_that_measures_in_the_middle_samples_and_averages(where) -> None:
    circuit = Circuit(1, 2).ry(V[0], 0).measure(0, 0).h(0).measure(0, 1)
    program = qfast.compile(circuit, **where)
    assert program.sample([np.pi], shots=100, seed=1).get_counts().keys() == {"01", "11"}
    values = np.array([[0.1], [0.7], [np.pi]])
    z, bell = PauliSum([("Z", [0])]), PauliSum([("Z", [0]), ("X", [0], 0.5)])
    assert program.expectation([0.1], z) == pytest.approx(0)
    middle = qfast.compile(Circuit(1, 1).ry(V[0], 0).measure(0, 0).ry(0.3, 0), **where)
    expected = np.cos(values[:, 0]) * (np.cos(0.3) + 0.5 * np.sin(0.3))
    assert middle.expectation(values, bell) == pytest.approx(expected)
    assert middle.expectation(values, [bell, z])[:, 0] == pytest.approx(expected)
    for ask in (program.simulate, lambda v: list(program.iter_simulate(v)), lambda v: program.variance(v, H)):
        with pytest.raises(CircuitError, match="measures at the end only"):
            ask([0.1])


def test_wrong_values_are_refused_with_their_place(program) -> None:
    with pytest.raises(ParameterError, match=r"shape \(2,\) were given; \(3,\) or \(m, 3\) is needed.*v\[0\], v\[1\]"):
        program.simulate([1.0, 2.0])
    with pytest.raises(ParameterError, match=r"'v\[1\]' in row 1 is nan"):
        program.simulate([[1.0, 2.0, 3.0], [1.0, np.nan, 3.0]])
    with pytest.raises(ParameterError, match="no value for 3 of 3 parameters"):
        program.simulate()
    for wrong in (["a", "b", "c"], ["1", "2", "3"], [1j, 0, 0], np.zeros(3, dtype="m8[s]"), [[1.0, 2.0, 3.0], [4.0]]):
        with pytest.raises(ParameterError, match="real numbers"):
            program.simulate(wrong)
    with pytest.raises(ParameterError, match=r"'v\[1\]' is inf"):
        program.simulate([0.0, np.inf, -np.inf])
    with pytest.raises(InputError, match="out must be a C-contiguous array"):
        program.simulate([[1.0, 2.0, 3.0]], out=np.zeros((2, 4), dtype=complex))
    with pytest.raises(InputError, match=r"dtype complex128|needs complex128"):
        program.simulate([[1.0, 2.0, 3.0]], out=np.zeros((1, 4), dtype=">c16"))


def test_values_whose_sum_overflows_are_values(program) -> None:
    assert np.linalg.norm(program.simulate([1e308, 1e308, 1e308]).amplitudes) == pytest.approx(1)


def test_too_many_states_are_refused_with_the_way_out(program) -> None:
    with qfast.config.override(max_job_bytes=1000):
        tight = qfast.compile(ansatz(), engine=program.engine)
        with pytest.raises(CapacityError, match=r"100 states of 2 qubits \(iter_simulate needs one at a time\)"):
            tight.simulate(np.zeros((100, 3)))


def test_forced_vectorization_is_refused_where_there_is_none(program, rows) -> None:
    with qfast.config.override(vectorization="force"):
        assert program.simulate(rows[0]).num_qubits == 2
        if program.engine == "native":
            assert program.simulate(rows).shape == (len(rows), 4)
            return
        with pytest.raises(EngineError, match="vectorization is 'force', but engine"):
            program.simulate(rows)


def test_rows_at_once_give_what_rows_one_by_one_give(program, rows) -> None:
    many = np.resize(rows, (37, rows.shape[1])) + np.arange(37)[:, None]  # all lanes of every ISA, and a rest
    observable = qfast.PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], -0.7), ("YZ", [0, 1], 0.3j)])
    with qfast.config.override(vectorization="off"):
        states, values = program.simulate(many), program.expectation(many, observable)
    assert np.abs(program.simulate(many) - states).max() < 1e-14
    assert np.abs(program.expectation(many, observable) - values).max() < 1e-14
    assert np.array_equal(program.simulate(many), program.simulate(many))


def test_ctrl_c_ends_a_long_run(where, rng) -> None:
    """Another thread watches the progress, and sends the signal to the main thread when the run is on its way."""
    circuit = qfast.Circuit(20)
    for k in range(3000):
        a, b = rng.choice(20, 2, replace=False).tolist()
        circuit.rxx(0.1, a, b).ry(0.01 * k, a)
    token, main, is_over = qfast.CancelToken(), threading.get_ident(), threading.Event()

    def interrupt() -> None:
        while not is_over.wait(0.001):
            if token.progress()[0] > 0:
                signal.pthread_kill(main, signal.SIGINT)
                return

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            qfast.simulate(circuit, cancel=token, **where)
    finally:
        is_over.set()
        watcher.join()
        signal.signal(signal.SIGINT, before)
    assert not token.cancelled

"""`simulate`: circuits against the oracle, parameters, start states, buffers, provenance."""

from __future__ import annotations

import gc
import math
import weakref

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import qfast
from qfast import Circuit, Parameter, ParameterVector
from qfast.engines import CancelToken
from qfast.errors import CancelledRunError
from qfast.simulation import door
from qfast.simulation.door import runs_of
from tests import oracle
from tests.circuit.strategies import circuits
from tests.conftest import TOLERANCE
from tests.engines.states import random_state


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuit=circuits())
def test_random_circuits_give_the_state_of_the_oracle(where, precision, circuit) -> None:
    state = qfast.simulate(circuit, precision=precision, **where)
    assert state.amplitudes.dtype == np.dtype(precision)
    assert np.abs(state.amplitudes - oracle.statevector(circuit)).max() < TOLERANCE[precision]


def test_parameters_are_taken_by_name_by_object_or_in_order(where) -> None:
    a, v = Parameter("a"), ParameterVector("v", 2)
    circuit = Circuit(2).ry(2 * a + v[0], 0).rx(v[1] ** 2, 1).cx(0, 1)
    wanted = oracle.statevector(circuit, {"a": 0.3, "v[0]": 0.5, "v[1]": -1.2})
    for given_values in ({"a": 0.3, "v[0]": 0.5, "v[1]": -1.2}, {a: 0.3, v: [0.5, -1.2]}, [0.3, 0.5, -1.2]):
        found = qfast.simulate(circuit, parameters=given_values, **where)
        assert np.abs(found.amplitudes - wanted).max() < 1e-14


def test_new_values_do_not_see_the_old_ones(where) -> None:
    circuit = Circuit(1).ry(Parameter("t"), 0)
    for angle in (0.1, 0.2, 0.1):
        state = qfast.simulate(circuit, parameters={"t": angle}, **where)
        assert abs(state.probabilities()[1] - np.sin(angle / 2) ** 2) < 1e-14


def test_a_circuit_that_grows_is_prepared_anew(where) -> None:
    circuit = Circuit(2).h(0)
    assert qfast.simulate(circuit, **where).probabilities().tolist() == pytest.approx([0.5, 0.5, 0, 0])
    circuit.cx(0, 1)
    assert qfast.simulate(circuit, **where).probabilities().tolist() == pytest.approx([0.5, 0, 0, 0.5])


def test_preparing_is_done_once_until_the_circuit_grows(where) -> None:
    circuit = Circuit(2).h(0)
    engine = qfast.engines.select(where["engine"], where.get("isa"))
    qfast.simulate(circuit, **where)
    first = runs_of(circuit.snapshot(), None, engine, "complex128")
    qfast.simulate(circuit, **where)
    assert runs_of(circuit.snapshot(), None, engine, "complex128") is first
    assert qfast.simulate(circuit.cx(0, 1), **where).amplitude("11") == pytest.approx(math.sqrt(0.5))
    assert runs_of(circuit.snapshot(), None, engine, "complex128") is not first


def test_what_was_not_used_for_long_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_shelf", door._Shelf())
    monkeypatch.setattr(door, "_KEPT_INSTRUCTIONS", 40)
    engine = qfast.engines.select("reference")
    often, early = Circuit(1).h(0).snapshot(), Circuit(1).x(0).snapshot()
    kept = runs_of(often, None, engine, "complex128")
    runs_of(early, None, engine, "complex128")
    gone = weakref.ref(early)
    del early
    for length in range(30):
        circuit = Circuit(1)
        for _ in range(length):
            circuit.x(0)
        runs_of(circuit.snapshot(), None, engine, "complex128")
        assert runs_of(often, None, engine, "complex128") is kept
        assert door._shelf.held == sum(entry.weight for entry in door._shelf.entries.values()) <= 40
    gc.collect()
    assert gone() is None


def test_measurements_at_the_end_are_left_out(where) -> None:
    circuit = Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
    assert qfast.simulate(circuit, **where).probabilities().tolist() == pytest.approx([0.5, 0, 0, 0.5])


def test_a_circuit_without_qubits_has_one_amplitude(where) -> None:
    assert qfast.simulate(Circuit(0), **where).amplitudes.tolist() == [1]


def test_a_run_starts_from_a_given_state_and_leaves_it_alone(where, precision, rng) -> None:
    start = random_state(rng, 3)
    circuit = Circuit(3).h(1).cx(1, 2).rz(0.3, 0)
    wanted = oracle.statevector(circuit, initial=start)
    kept = start.copy()
    for given_state in (start, start.tolist(), start[::-1][::-1], qfast.Statevector(start)):
        state = qfast.simulate(circuit, initial_state=given_state, precision=precision, **where)
        assert np.abs(state.amplitudes - wanted).max() < TOLERANCE[precision]
    assert np.array_equal(start, kept)


def test_the_result_is_written_into_the_callers_buffer(where, precision) -> None:
    out = np.full(4, np.nan, dtype=precision)
    state = qfast.simulate(Circuit(2).x(0), out=out, precision=precision, **where)
    assert state.amplitudes is out
    assert out.tolist() == [0, 1, 0, 0]


def test_a_run_continues_in_place(where) -> None:
    out = np.zeros(4, dtype=np.complex128)
    step = Circuit(2).h(0).cx(0, 1)
    state = qfast.simulate(step, out=out, **where)
    state = qfast.simulate(step, initial_state=state, out=out, **where)
    wanted = oracle.statevector(step, initial=oracle.statevector(step))
    assert state.amplitudes is out
    assert np.abs(out - wanted).max() < 1e-15


def test_a_state_stays_when_the_next_run_begins(where) -> None:
    circuit = Circuit(10).h(0)
    first = qfast.simulate(circuit, **where)
    second = qfast.simulate(Circuit(10).x(3), **where)
    assert first.amplitudes[1] == pytest.approx(np.sqrt(0.5))
    assert second.amplitudes[8] == 1


def test_where_a_state_comes_from_stands_in_its_metadata(where, precision) -> None:
    state = qfast.simulate(Circuit(3).h(0), precision=precision, threads=2, **where)
    found = state.metadata
    assert found["version"] == qfast.__version__
    assert found["engine"] == where["engine"]
    assert found["isa"] == where.get("isa")
    assert found["threads"] == 2
    assert found["precision"] == precision
    assert found["peak_bytes"] >= state.amplitudes.nbytes
    assert set(found["times"]) == {"prepare_s", "run_s"}
    assert isinstance(found["plan"], dict)


def test_settings_decide_what_arguments_leave_open() -> None:
    with qfast.config.override(engine="reference", precision="complex64", threads=1):
        found = qfast.simulate(Circuit(1)).metadata
    assert (found["engine"], found["precision"], found["threads"]) == ("reference", "complex64", 1)
    with qfast.config.override(engine="reference"):
        assert qfast.simulate(Circuit(1), engine="numba").metadata["engine"] == "numba"


def test_an_isa_setting_does_not_contradict_another_engine() -> None:
    with qfast.config.override(isa="baseline"):
        assert qfast.simulate(Circuit(1), engine="reference").metadata["isa"] is None


def test_a_cancelled_token_stops_the_run(where) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledRunError):
        qfast.simulate(Circuit(16).h(0), cancel=token, **where)


def test_a_circuit_that_measures_in_the_middle_gives_the_state_of_one_shot(where) -> None:
    circuit = Circuit(2, 2).h(0).cx(0, 1).measure(0, 0).h(0).measure(0, 1)
    seen = set()
    for seed in range(8):
        state = qfast.simulate(circuit, seed=seed, **where)
        bit = int(state.metadata["classical_bits"][-1])
        assert state.metadata["seed"] == seed
        assert state.probabilities([1])[bit] == pytest.approx(1)
        assert state.probabilities([0]).tolist() == pytest.approx([0.5, 0.5])  # the last measurement is left out
        seen.add(bit)
    assert seen == {0, 1}

"""Measurement in the middle, reset and classical control, against the oracle's exact branches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import qfast
from qfast import Circuit, Parameter
from qfast.circuit.classical import Binary, Bit, Bits, Index, Literal
from qfast.circuit.control_flow import DEFAULT
from qfast.engines import CancelToken
from qfast.errors import CancelledRunError, CircuitError, InputError
from qfast.simulation import walk
from qfast.simulation.asks import Shots
from qfast.simulation.door import runs_of
from tests import oracle
from tests.circuit.strategies import ANGLES
from tests.simulation.test_sampling import chi_squared


def check(circuit: Circuit, where: dict[str, str], values: dict[str, float] | None = None, shots: int = 4000) -> None:
    """Exact distribution and samples agree with the oracle."""
    wanted = oracle.distribution(circuit, values)
    found = qfast.distribution(circuit, parameters=values, **where)
    for key in {*wanted, *found}:
        assert found.get(key, 0) == pytest.approx(wanted.get(key, 0), abs=1e-11)
    samples = qfast.sample(circuit, shots, seed=12, parameters=values, **where)
    statistic, bound = chi_squared(samples.get_counts(), wanted)
    assert statistic < bound


def teleportation(theta: float, phi: float, back: bool) -> Circuit:
    """Qubit 0's state goes to qubit 2; undone there if `back`, so that the last measurement gives 0."""
    c = Circuit(3, 3).ry(theta, 0).rz(phi, 0).h(1).cx(1, 2).cx(0, 1).h(0).measure([0, 1], [0, 1])
    c.if_test((1, 1), c.block().x(2)).if_test((0, 1), c.block().z(2))
    if back:
        c.rz(-phi, 2).ry(-theta, 2)
    return c.measure(2, 2)


def test_teleportation(where) -> None:
    check(teleportation(0.7, 1.1, back=False), where)
    counts = qfast.sample(teleportation(0.7, 1.1, back=True), 2000, seed=3, **where).get_counts()
    assert {key[0] for key in counts} == {"0"}
    assert len(counts) == 4


def test_iterative_phase_estimation(where) -> None:
    """The phase 5/8 has three binary digits, which come out one by one, the last one first."""
    c = Circuit(2, 3).x(1)
    for bit in range(3):
        c.reset(0).h(0)
        for _ in range(2 ** (2 - bit)):
            c.cp(2 * math.pi * 5 / 8, 0, 1)
        for known in range(bit):
            c.if_test((known, 1), c.block().p(-math.pi / 2 ** (bit - known), 0))
        c.h(0).measure(0, bit)
    assert qfast.sample(c, 500, seed=1, **where).get_counts() == {"101": 500}
    check(c, where)


def test_a_repetition_code_corrects_one_flip(where) -> None:
    for flipped in (None, 0, 1, 2):
        c = Circuit(5, 3).ry(0.9, 0).cx(0, 1).cx(0, 2)
        if flipped is not None:
            c.x(flipped)
        c.cx(0, 3).cx(1, 3).cx(1, 4).cx(2, 4).measure([3, 4], [0, 1])
        syndrome = Bits(0, 2)
        c.switch(syndrome, [(1, c.block().x(0)), (3, c.block().x(1)), (2, c.block().x(2))])
        c.cx(0, 2).cx(0, 1).ry(-0.9, 0).measure(0, 2)
        assert {key[0] for key in qfast.sample(c, 100, seed=1, **where).get_counts()} == {"0"}
        check(c, where)


def test_reset_gives_zero_whatever_was_there(where) -> None:
    c = Circuit(2, 2).h(0).cx(0, 1).reset(0).measure([0, 1], [0, 1])
    check(c, where)
    assert set(qfast.sample(c, 200, seed=1, **where).get_counts()) == {"00", "10"}


def test_repeat_until_success_ends_with_success(where) -> None:
    c = Circuit(1, 1).h(0).measure(0, 0)
    c.while_loop((0, 0), c.block().h(0).measure(0, 0))
    assert qfast.sample(c, 1000, seed=2, **where).get_counts() == {"1": 1000}
    assert qfast.distribution(c, **where) == {"1": pytest.approx(1, abs=1e-12)}


def test_loops_with_break_and_continue(where) -> None:
    c = Circuit(2, 2)
    n = c.add_variable("n")
    body = c.block().h(0).measure(0, 0)
    body.if_test((0, 1), body.block().break_loop())
    body.assign(n, Binary("+", n, Literal(1)))
    body.if_test(Binary("==", n, Literal(2)), body.block().continue_loop())
    body.x(1)
    c.for_loop(range(4), body)
    c.measure(1, 1)
    check(c, where)


def test_a_for_loop_gives_its_variable_to_angles(where) -> None:
    c = Circuit(1, 1)
    c.add_variable("k")
    c.for_loop([1, 2, 5], c.block().ry(Parameter("k") * Parameter("t"), 0), "k").measure(0, 0)
    found = qfast.distribution(c, parameters={"t": 0.1}, **where)
    assert found["1"] == pytest.approx(math.sin(0.4) ** 2, abs=1e-13)


def test_variables_and_bits_are_assigned_and_switched_on(where) -> None:
    c = Circuit(3, 4)
    v = c.add_variable("v", "uint", 3)
    c.h(0).h(1).measure([0, 1], [0, 1])
    c.assign(v, Binary("+", Bits(0, 2), Literal(6)))  # wraps around at 8
    c.assign(Index(v, Literal(0)), Bit(1))
    c.switch(v, [((0, 1), c.block().x(2)), (7, c.block().h(2)), (DEFAULT, c.block().z(2))])
    c.assign(Bit(3), Binary(">", v, Literal(2))).assign(Bits(0, 2), Literal(1)).measure(2, 2)
    check(c, where)


def test_bits_that_are_read_later_are_not_left_to_the_end(where) -> None:
    c = Circuit(2, 2).h(0).measure(0, 0)
    c.if_test((0, 1), c.block().x(1))
    c.measure(1, 1)
    assert set(qfast.sample(c, 300, seed=1, **where).get_counts()) == {"00", "11"}
    written_twice = Circuit(2, 1).h(0).measure(0, 0).x(0).measure(1, 0).measure(0, 0)
    check(written_twice, where)


def test_a_bit_that_an_assignment_overwrites_keeps_the_assignment(where) -> None:
    c = Circuit(1, 1).h(0).measure(0, 0).assign(Bit(0), Literal(1))
    assert qfast.sample(c, 100, seed=1, **where).get_counts() == {"1": 100}


def test_a_circuit_that_resets_but_never_measures_is_measured_whole(where) -> None:
    c = Circuit(2).h(0).cx(0, 1).reset(0)
    assert set(qfast.sample(c, 200, seed=1, **where).get_counts()) == {"00", "10"}


@st.composite
def dynamic_circuits(draw: st.DrawFn, depth: int = 2) -> Circuit:
    """Gates, measurements, resets and nested decisions on three qubits and three bits."""
    circuit = Circuit(3, 3)
    _fill(draw, circuit, depth)
    return circuit.measure(0, 0) if len(circuit) < 10 else circuit


def _fill(draw: st.DrawFn, circuit: Circuit, depth: int) -> None:
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["gate", "gate", "cx", "measure", "measure", "reset", "if", "for"]))
        qubit, other = draw(st.permutations(range(3)))[:2]
        bit = draw(st.integers(0, 2))
        if kind == "gate":
            circuit.ry(draw(ANGLES), qubit).rz(draw(ANGLES), qubit)
        elif kind == "cx":
            circuit.cx(qubit, other)
        elif kind == "measure":
            circuit.measure(qubit, bit)
        elif kind == "reset":
            circuit.reset(qubit)
        elif depth:
            body = circuit.block()
            _fill(draw, body, depth - 1)
            if kind == "if":
                orelse = circuit.block().h(qubit) if draw(st.booleans()) else None
                circuit.if_test((bit, draw(st.integers(0, 1))), body, orelse)
            else:
                circuit.for_loop(range(draw(st.integers(0, 2))), body)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuit=dynamic_circuits())
def test_random_dynamic_circuits_agree_with_the_oracle(where, circuit) -> None:
    check(circuit, where, shots=500)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(circuit=dynamic_circuits(), budget=st.sampled_from([0, 64, 128, 200]))
def test_shots_do_not_depend_on_the_memory_for_branches(where, circuit, budget) -> None:
    wanted = qfast.sample(circuit, 300, seed=8, **where)
    assert qfast.sample(circuit, 300, seed=8, branch_bytes=budget, **where) == wanted


def many_branches(rounds: int) -> Circuit:
    c = Circuit(3, rounds)
    for k in range(rounds):
        c.ry(0.8 + 0.2 * k, 0).cx(0, 1).measure(0, k).h(1)
        c.if_test((k, 1), c.block().ry(0.1 * (k + 1), 2))
    return c


def test_branches_that_find_no_memory_are_simulated_again(where) -> None:
    roomy = qfast.sample(many_branches(6), 2000, seed=1, **where)
    tight = qfast.sample(many_branches(6), 2000, seed=1, branch_bytes=0, **where)
    half = qfast.sample(many_branches(6), 2000, seed=1, branch_bytes=2 * 64, **where)
    assert roomy == tight == half
    assert roomy.metadata["replayed_branches"] == 0
    if where["engine"] == "native":  # small states need no copies: all branches have their lanes
        assert tight.metadata["replayed_branches"] == 0
        return
    assert tight.metadata["replayed_branches"] >= tight.metadata["branches"] - 1
    assert 0 < half.metadata["replayed_branches"] < tight.metadata["replayed_branches"]


def test_the_work_is_that_of_the_branches_not_of_the_shots(where) -> None:
    found = qfast.sample(many_branches(4), 50_000, seed=1, **where).metadata
    assert found["branches"] == 16


def test_a_shot_depends_on_seed_and_index_only(monkeypatch, where) -> None:
    circuit = many_branches(5)
    everything = qfast.sample(circuit, 1000, seed=5, **where).packed()
    assert np.array_equal(qfast.sample(circuit, 300, seed=5, first_shot=700, **where).packed(), everything[700:])
    monkeypatch.setattr(walk, "CHUNK", 128)
    assert np.array_equal(qfast.sample(circuit, 1000, seed=5, **where).packed(), everything)


def test_engines_agree_shot_by_shot() -> None:
    drawn = [qfast.sample(many_branches(5), 2000, seed=4, engine=name) for name in qfast.engines.available()]
    assert all(samples == drawn[0] for samples in drawn)


def test_counts_alone_agree_with_the_shots(where) -> None:
    circuit = teleportation(0.4, 0.3, back=False)
    assert qfast.sample(circuit, 500, seed=2, output="counts", **where) == qfast.sample(circuit, 500, seed=2, **where)


def test_single_precision_follows_the_same_distribution(where) -> None:
    circuit = teleportation(0.7, 0.2, back=False)
    found = qfast.distribution(circuit, precision="complex64", **where)
    assert found == pytest.approx(oracle.distribution(circuit), abs=1e-6)


def test_stretches_of_gates_are_prepared_once(where) -> None:
    circuit = many_branches(3)
    qfast.sample(circuit, 10, seed=1, **where)
    engine = qfast.engines.select(where["engine"], where.get("isa"))
    first = runs_of(circuit.snapshot(), None, engine, "complex128").prepare(Shots(1))
    qfast.sample(circuit, 10, seed=2, **where)
    assert runs_of(circuit.snapshot(), None, engine, "complex128").prepare(Shots(5)) is first


def test_an_endless_loop_is_an_error(where) -> None:
    c = Circuit(1, 1)
    c.while_loop((0, 0), c.block().h(0))
    with pytest.raises(CircuitError, match="made 50 passes and its condition still holds"):
        qfast.sample(c, 1, seed=1, max_loop_passes=50, **where)


def test_a_walk_can_be_cancelled(where) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledRunError):
        qfast.sample(many_branches(3), 10, seed=1, cancel=token, **where)


def test_loop_exits_outside_a_loop_are_refused(where) -> None:
    with pytest.raises(CircuitError, match="stands in no loop"):
        qfast.sample(Circuit(1, 1).break_loop().measure(0, 0), 1, seed=1, **where)


def test_a_wrong_bit_of_a_variable_is_refused(where) -> None:
    c = Circuit(1, 2).measure(0, 0)
    c.assign(Index(Bits(0, 2), Literal(2)), Literal(1)).h(0)
    with pytest.raises(CircuitError, match="bit 2"):
        qfast.sample(c, 1, seed=1, **where)


def test_multinomial_needs_one_final_state(where) -> None:
    with pytest.raises(InputError, match="draws='philox'"):
        qfast.sample(many_branches(1).h(0), 10, seed=1, draws="multinomial", output="counts", **where)

"""A script written as arrays says what the script says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from qfast import Circuit, NoiseModel, channels
from qfast.circuit.classical import Binary, Bits, Literal, Variable
from qfast.circuit.classical_code import Op
from qfast.noise import ReadoutError
from qfast.simulation.liveness import liveness_of
from qfast.simulation.script import script_of
from qfast.simulation.script_code import ScriptCode, encode_script
from tests.simulation.test_dynamic import dynamic_circuits


def encoded(circuit: Circuit, noise: NoiseModel | None = None) -> ScriptCode:
    script = script_of(circuit, noise)
    names = [tuple(parameter.name for parameter in segment.parameters) for segment in script.segments]
    live = liveness_of(script, names)
    return encode_script(script, live, names, tuple(parameter.name for parameter in circuit.parameters))


def test_a_loop_a_switch_and_noise() -> None:
    noise = NoiseModel().add(channels.amplitude_damping(0.1), ["x"]).add(channels.bit_flip(0.2), ["h"])
    noise.add_readout(ReadoutError.of_flips(0.02, 0.05))
    c = Circuit(2, 70)
    v = c.add_variable("v", "int", 8)
    body = c.block().h(0).measure(0, 65)
    body.if_test((65, 1), c.block().x(1))
    c.for_loop([1, -2], body, "v")
    c.switch(v, [(-2, c.block().x(0)), (300, c.block().h(1))])
    c.reset(0)
    found = encoded(c, noise)
    kinds = found.steps[:, 0].tolist()
    assert kinds == [11, 12, 0, 5, 1, 6, 9, 0, 5, 8, 10, 0, 5, 8, 0, 5, 8, 2]
    assert found.steps[1].tolist() == [12, 0, 0, 2, 0, 10, 0, -1]
    assert found.loop_values.tolist() == [1, 2**64 - 2], "signed words"
    assert found.steps[4].tolist() == [1, 0, 65, 3, 0, 1, -1, -1], "the outcome is read by the if"
    assert found.labels.tolist() == [2**64 - 2], "an int[8] is never 300"
    assert found.live_bits[found.live[6]].tolist() == [0, 2]
    assert found.channel_kinds.tolist() == [0, 1]
    assert found.num_outcomes.tolist() == [2, 2]
    assert found.is_identity.tolist() == [1, 0, 0, 0]
    assert np.allclose(
        found.operators[found.operator_at[1] :][:4], channels.amplitude_damping(0.1).operators[0].ravel()
    )
    assert found.read_errors.tolist() == [[[0.98, 0.02], [0.05, 0.95]]]


def test_an_assignment_runs_as_code() -> None:
    c = Circuit(1, 80)
    v = c.add_variable("v", "uint", 8)
    c.assign(v, Binary("+", v, Literal(1))).assign(Bits(0, 70), Literal(1))
    found = encoded(c)
    assert found.steps[:, 2:4].tolist() == [[0, 0], [0, 70]]
    code = found.classical
    assert code.code[: code.ends[0], 0].tolist() == [Op.VARIABLE, Op.CONST, Op.ADD, Op.STORE_VARIABLE]
    assert code.stack_words == 2


@settings(max_examples=30)
@given(circuit=dynamic_circuits())
def test_any_dynamic_circuit_is_written(circuit: Circuit) -> None:
    found = encoded(circuit)
    num_steps = len(found.steps)
    targets = {8: 1, 9: 2, 10: 4, 12: 5}
    for row in found.steps.tolist():
        if row[0] in targets:
            assert 0 <= row[targets[row[0]]] <= num_steps
    assert (found.live < len(found.live_bits)).all()
    assert len(found.live) == num_steps + 1


@pytest.mark.parametrize("unused", [Variable("w")])
def test_a_variable_that_nothing_reads_is_not_live(unused: Variable) -> None:
    c = Circuit(1, 1)
    c.add_variable("w")
    c.h(0).measure(0, 0).reset(0)
    c.assign(unused, Literal(3)).reset(0)
    assert not encoded(c).live_variables.any()

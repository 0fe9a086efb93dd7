"""The walk over branches: what it records, draws and merges, and states that grow and shrink."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import qfast
from qfast import Circuit, NoiseModel, channels
from qfast.circuit.classical import Binary, Literal
from qfast.engines.bits import Wiring
from qfast.noise import Place, ReadoutError
from qfast.simulation.compiled import Compiled
from qfast.simulation.populations import Shots, Weight, misread_weights
from qfast.simulation.pure_branch import PureBranch
from qfast.simulation.run_settings import run_settings
from qfast.simulation.script import Alloc, Free, Gates, Measure, Noise, Reset, Script, Step, script_of
from qfast.simulation.sites import CHANNEL, OUTCOME, READING, site_of
from qfast.simulation.walk import BranchWalk, add_outcomes
from tests.simulation.test_dynamic import dynamic_circuits


def walk_of(script: Script, **options: object) -> BranchWalk:
    settings = run_settings("reference")
    compiled = Compiled(script, (), settings.engine, "complex128")
    state = np.zeros(1 << script.num_qubits, dtype=np.complex128)
    branch = PureBranch(compiled, settings, state, None)
    return BranchWalk(compiled, settings, {}, branch, **{"budget_bytes": 1 << 20, **options})


def distribution(script: Script) -> dict[str, float]:
    return {f"{bits:0{script.num_bits}b}": weight for bits, weight in sorted(outcomes_of(script).items())}


def outcomes_of(script: Script) -> dict[int, float]:
    walk, found = walk_of(script), {}
    engine = run_settings("reference").engine
    measured = np.array(script.measured, dtype=np.int32)
    for leaf in walk.leaves(Weight.one(0.0)):
        weights = engine.probabilities(leaf.state, measured, threads=1)
        add_outcomes(found, script, leaf.population, weights)
    return found


def script(steps: list[Step], segments: list[Circuit], num_qubits: int, num_bits: int) -> Script:
    return Script(tuple(steps), tuple(segments), num_qubits, Wiring([], num_bits), (), (), (), (), ())


# --- what a branch must know ------------------------------------------------------------------------------------------


def coin_flips(flips: int) -> Circuit:
    c = Circuit(1, flips)
    for k in range(flips):
        c.h(0).measure(0, k).reset(0)
    return c


def test_flips_of_one_coin_are_one_branch() -> None:
    samples = qfast.sample(coin_flips(40), 2000, seed=3, engine="reference")
    # A division, and the reset that makes both halves equal again, forty times.
    assert samples.metadata["branches"] == 41
    rows = samples.packed()
    bits = np.unpackbits(rows, axis=1, count=40, bitorder="little")
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / (40 * 2000) ** 0.5
    assert len(np.unique(rows, axis=0)) > 1990, "every shot keeps its own record"


def test_a_branch_that_decides_later_stays_apart() -> None:
    c = Circuit(1, 2).h(0).measure(0, 0).reset(0)
    c.if_test((0, 1), c.block().x(0))
    c.measure(0, 1)
    assert qfast.distribution(c, engine="reference") == pytest.approx({"00": 0.5, "11": 0.5})


def test_merging_changes_no_shot(monkeypatch) -> None:
    c = Circuit(2, 12)
    for k in range(6):
        c.h(0).cx(0, 1).measure(0, 2 * k).measure(1, 2 * k + 1).reset(0)
        c.if_test((2 * k + 1, 1), c.block().x(1))
    merged = qfast.sample(c, 3000, seed=5, engine="reference")
    monkeypatch.setattr(qfast.simulation.walk, "_ABREAST", 0)
    alone = qfast.sample(c, 3000, seed=5, engine="reference")
    assert merged == alone
    assert merged.metadata["branches"] < 20 < alone.metadata["branches"]


def test_without_memory_merged_branches_are_found_again() -> None:
    c = coin_flips(10)
    assert qfast.sample(c, 500, seed=1, engine="reference", branch_bytes=0) == qfast.sample(
        c, 500, seed=1, engine="reference"
    )


# Every place of noise multiplies the branches: circuits with many of them would take minutes.
@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(circuit=dynamic_circuits(), seed=st.integers(0, 10**6))
def test_branches_of_noise_add_up_to_the_density_matrix(circuit: Circuit, seed: int) -> None:
    rng = random.Random(seed)
    noise = NoiseModel()
    for gates in (["h", "x"], ["cx"], ["measure"], None):
        if rng.random() < 0.5:
            channel = rng.choice([channels.amplitude_damping(0.2), channels.depolarizing(0.1), channels.bit_flip(0.05)])
            noise.add(channel, gates)
    if rng.random() < 0.5:
        noise.add_readout(ReadoutError.of_flips(0.1, 0.2))
    script = script_of(circuit, noise)
    assume(sum(isinstance(step, Noise) for step in script.steps) <= 5)
    found = misread_weights(outcomes_of(script), script.readout, 0.0)
    wanted = qfast.distribution(circuit, noise=noise, engine="reference", cutoff=0.0)
    assert {f"{bits:0{script.num_bits}b}": weight for bits, weight in found.items() if weight > 1e-12} == {
        bits: pytest.approx(weight, abs=1e-10) for bits, weight in wanted.items() if weight > 1e-12
    }


# --- sites ------------------------------------------------------------------------------------------------------------


def drawn(seed: int, site: int, shots: int = 64) -> np.ndarray:
    return run_settings("reference").engine.uniforms(seed, 0, shots, site)


def test_an_outcome_is_drawn_at_its_instruction() -> None:
    c = Circuit(2, 2).h(0).measure(0, 0).h(0).h(0).measure(0, 1).reset(0)
    found = qfast.sample(c, 64, seed=9, engine="reference").packed()[:, 0]
    assert np.array_equal(found & 1, drawn(9, site_of(OUTCOME, 2)) >= 0.5)
    longer = Circuit(2, 2).h(0).measure(0, 0).x(1).measure(0, 1).reset(0).reset(1)
    assert np.array_equal(qfast.sample(longer, 64, seed=9, engine="reference").packed()[:, 0] & 1, found & 1)


def test_a_visit_counts_the_passes_of_the_innermost_loop() -> None:
    c = Circuit(1, 4)
    c.add_variable("k", "int")
    body = c.block().h(0)
    for k in range(4):  # one measurement for each pass
        body.if_test(Binary("==", c.variables["k"], Literal(k)), c.block().measure(0, k))
    body.reset(0)
    c.for_loop(range(4), body, "k")
    found = qfast.sample(c, 64, seed=2, engine="reference").packed()[:, 0]
    # Instructions: the loop is 1, h is 2, then an if and its measurement for each k.
    for k in range(4):
        assert np.array_equal(found >> k & 1, drawn(2, site_of(OUTCOME, 4 + 2 * k, visit=k)) >= 0.5)


def test_channels_and_misreadings_have_domains_of_their_own() -> None:
    noise = NoiseModel().add(channels.bit_flip(0.25), ["id"]).add_readout(ReadoutError.of_flips(0.3, 0.2))
    c = Circuit(1, 2).id(0).measure(0, 0).id(0).measure(0, 1).reset(0)
    found = qfast.sample(c, 64, seed=4, noise=noise, engine="reference").packed()[:, 0]
    first = drawn(4, site_of(CHANNEL, 0)) >= 0.75
    second = first ^ (drawn(4, site_of(CHANNEL, 1)) >= 0.75)
    for bit, (true, number) in enumerate(((first, 2), (second, 4))):
        uniform = drawn(4, site_of(READING, number))
        assert np.array_equal(found >> bit & 1 == 1, np.where(true, uniform >= 0.2, uniform >= 0.7))


def test_nested_loops_count_on(monkeypatch) -> None:
    c = Circuit(1, 1)
    inner = c.block().h(0).measure(0, 0)
    outer = c.block()
    outer.for_loop(range(3), inner)
    c.for_loop(range(2), outer).reset(0)
    (measure,) = (step for step in script_of(c).steps if isinstance(step, Measure))
    sites = []
    monkeypatch.setattr(Shots, "divide", lambda self, weights, site: sites.append(site) or {0: self})
    walk_of(script_of(c)).rows(1, 0, 1)
    assert sites[:6] == [site_of(OUTCOME, measure.number, visit) for visit in range(6)]


# --- states that grow and shrink --------------------------------------------------------------------------------------


def test_a_chain_of_qubits_lives_on_two() -> None:
    # h; then each qubit hands its value on to a new one and is measured: all outcomes agree.
    width, steps = 12, [Alloc(), Gates(0)]
    for k in range(width - 1):
        steps += [Alloc(), Gates(1), Measure(0, k, 1 + 2 * k), Free(0, 2 + 2 * k)]
    steps.append(Measure(0, width - 1, 100))
    ghz = script(steps, [Circuit(1).h(0), Circuit(2).cx(0, 1)], 0, width)
    assert max(ghz.widths()) == 2
    assert distribution(ghz) == pytest.approx({"0" * width: 0.5, "1" * width: 0.5})


def test_a_freed_qubit_in_the_middle_is_measured_out() -> None:
    c = Circuit(3).h(0).cx(0, 1).ry(0.4, 2)
    steps: list[Step] = [Gates(0), Free(1, 1), Measure(0, 0, 2), Measure(1, 1, 3)]
    found = distribution(script(steps, [c], 3, 2))
    one = np.sin(0.2) ** 2
    assert found == pytest.approx({"00": (1 - one) / 2, "01": (1 - one) / 2, "10": one / 2, "11": one / 2})


@pytest.mark.parametrize("budget", [0, 64, 1 << 20])
def test_shots_of_a_changing_width_do_not_depend_on_memory(budget: int) -> None:
    steps: list[Step] = [Gates(0)]
    for k in range(6):
        steps += [Alloc(), Gates(1), Measure(k % 2, k, 3 * k + 1), Reset(0, 3 * k + 2), Free(1, 3 * k + 3)]
    segments = [Circuit(2).ry(0.9, 0).cx(0, 1), Circuit(3).ry(0.7, 2).cx(2, 0).rx(0.3, 1)]
    live = script(steps, segments, 2, 6)
    wanted = walk_of(live).rows(7, 0, 400)
    assert np.array_equal(walk_of(live, budget_bytes=budget).rows(7, 0, 400), wanted)


def test_noise_acts_on_the_qubit_at_its_place() -> None:
    flip = Place(channels.amplitude_damping(0.36), (1,))
    steps: list[Step] = [Gates(0), Free(0, 1), Alloc(), Noise(flip, 0), Measure(0, 0, 2), Measure(1, 1, 3)]
    found = distribution(script(steps, [Circuit(2).x(1)], 2, 2))
    assert found == pytest.approx({"01": 1.0}), "the new qubit is in |0>, which damping leaves"
    steps[3] = Noise(replace(flip, qubits=(0,)), 0)
    assert distribution(script(steps, [Circuit(2).x(1)], 2, 2)) == pytest.approx({"00": 0.36, "01": 0.64})

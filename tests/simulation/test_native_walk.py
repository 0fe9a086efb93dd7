"""The walk in the core against the one in Python, shot by shot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qfast
from qfast import Circuit, NoiseModel, channels
from qfast.engines import native
from qfast.errors import CancelledRunError, CircuitError
from qfast.simulation.compiled import Compiled
from qfast.simulation.native_walk import NativeWalk
from qfast.simulation.run_settings import run_settings
from qfast.simulation.script import Script
from tests.simulation.dynamic_scripts import random_script, rows_in_python

pytestmark = pytest.mark.skipif(native.unavailable_reason() is not None, reason="needs the native engine")

SHOTS = 40  # the walk in Python takes milliseconds a branch


def native_walk(script: Script, isa: str | None = None, threads: int = 1, precision: str = "complex128") -> NativeWalk:
    chosen = run_settings("native", precision, threads, isa)
    compiled = Compiled(script, (), chosen.engine, chosen.precision)
    assert compiled.walks_natively or script.is_static
    return NativeWalk(compiled, chosen, np.zeros(0), None)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_every_shot_is_that_of_the_walk_in_python(seed: int) -> None:
    script = random_script(np.random.default_rng(seed))
    wanted, margins = rows_in_python(script, run_settings("reference"), seed, 1000, SHOTS)
    for isa in native.isas():
        found = native_walk(script, isa).rows(seed, 1000, SHOTS)
        differs = (found != wanted).any(axis=1)
        assert not (differs & (margins > 1e-12)).any(), f"shots {np.flatnonzero(differs)} on {isa}"


@given(seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_rows_are_the_same_on_any_number_of_threads(seed: int) -> None:
    script = random_script(np.random.default_rng(seed))
    rows = native_walk(script).rows(1, 0, 3000)
    assert np.array_equal(rows, native_walk(script, threads=3).rows(1, 0, 3000))
    assert np.array_equal(rows[2000:2100], native_walk(script).rows(1, 2000, 100))
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    found = native_walk(script, threads=2).counts(1, 0, 3000)
    assert counts.sum() == found[1].sum()
    assert {row.tobytes(): int(n) for row, n in zip(distinct, counts, strict=True)} == {
        row.tobytes(): int(n) for row, n in zip(*found, strict=True)
    }


def noisy_example() -> tuple[Circuit, NoiseModel]:
    c = Circuit(3, 4).h(0).cx(0, 1).measure(1, 0)
    c.if_test((0, 1), c.block().ry(0.7, 2).x(0))
    c.h(2).reset(1).cx(2, 1).measure([0, 1, 2], [1, 2, 3])
    noise = (
        NoiseModel().add(channels.amplitude_damping(0.3), ["h"]).add(channels.depolarizing(0.1, num_qubits=2), ["cx"])
    )
    return c, noise


def test_noisy_frequencies_are_those_of_the_density_matrix() -> None:
    circuit, noise = noisy_example()
    exact = qfast.distribution(circuit, noise=noise, engine="reference")
    shots = 200_000
    found = qfast.sample(circuit, shots, seed=1, noise=noise, engine="native", output="counts").get_counts()
    for key, p in exact.items():
        assert abs(found.get(key, 0) / shots - p) < 6 * (p * (1 - p) / shots) ** 0.5 + 1e-9, key


def test_exact_distributions_are_those_of_the_reference() -> None:
    circuit, _ = noisy_example()
    assert qfast.distribution(circuit, engine="native") == pytest.approx(
        qfast.distribution(circuit, engine="reference"), abs=1e-12
    )


def test_an_expectation_under_noise_is_that_of_the_reference() -> None:
    circuit, noise = noisy_example()
    observable = qfast.PauliSum([("ZZ", [0, 2], 1.0), ("X", [1], 0.5)])
    options = {"noise": noise, "trajectories": 500, "seed": 3, "method": "trajectories"}
    found = [qfast.expectation(circuit, observable, engine=e, **options) for e in ("native", "reference")]
    assert found[0].expectation == pytest.approx(found[1].expectation, abs=1e-9)


def test_one_shot_leaves_its_state_and_bits() -> None:
    c = Circuit(2, 1).h(0).cx(0, 1).measure(0, 0).h(0)
    for seed in range(4):
        states = [qfast.simulate(c, seed=seed, engine=engine) for engine in ("native", "reference")]
        assert abs(np.vdot(states[0].amplitudes, states[1].amplitudes)) == pytest.approx(1)
        assert states[0].metadata["classical_bits"] == states[1].metadata["classical_bits"]


def test_an_angle_may_be_a_variable_that_shots_have_apart() -> None:
    c = Circuit(2, 2)
    k = c.add_variable("k", "float")
    c.h(0).measure(0, 0)
    c.if_test((0, 1), c.block().assign(k, 0.4), c.block().assign(k, 1.9))
    c.ry(qfast.Parameter("k"), 1).measure(1, 1)
    rows = [qfast.sample(c, 500, seed=2, engine=engine).packed() for engine in ("native", "reference")]
    assert np.array_equal(*rows)


def test_an_endless_loop_is_the_error_of_its_lowest_shot() -> None:
    c = Circuit(1, 1).h(0).measure(0, 0)
    c.while_loop((0, 1), c.block().h(0).h(0))
    with pytest.raises(CircuitError, match="has made 50 passes"):
        qfast.sample(c, 100, seed=1, engine="native", max_loop_passes=50)


def test_a_set_token_stops_the_walk() -> None:
    token = qfast.CancelToken()
    token.cancel()
    with pytest.raises(CancelledRunError):
        qfast.sample(Circuit(1, 1).h(0).measure(0, 0).reset(0), 10, seed=1, engine="native", cancel=token)


def test_density_matrices_are_those_of_the_reference() -> None:
    circuit, noise = noisy_example()
    found, wanted = (qfast.simulate(circuit, noise=noise, engine=engine) for engine in ("native", "reference"))
    assert np.allclose(found.matrix, wanted.matrix, atol=1e-12)
    exact = [qfast.distribution(circuit, noise=noise, engine=engine) for engine in ("native", "reference")]
    assert exact[0] == pytest.approx(exact[1], abs=1e-12)

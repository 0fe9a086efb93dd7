"""Shots: reproducible, independent of how they are drawn, and distributed as they should be."""

from __future__ import annotations

import signal
import threading

import numpy as np
import pytest

import qfast
from qfast import Circuit, Statevector
from qfast.engines import CancelToken, samplers
from qfast.errors import CancelledRunError
from tests import oracle
from tests.circuit.strategies import random_unitary
from tests.engines.states import random_state

# A chi-squared statistic with k degrees of freedom exceeds k + 4 sqrt(2k) + 12 with a probability below 1e-4.


def chi_squared(counts: dict[str, int], wanted: dict[str, float]) -> tuple[float, float]:
    """The statistic over outcomes expected at least 5 times, and its bound."""
    shots = sum(counts.values())
    assert set(counts) <= set(wanted)
    bins = [(counts.get(key, 0), shots * p) for key, p in wanted.items() if shots * p >= 5]
    rare = shots - sum(count for count, _ in bins), shots - sum(mean for _, mean in bins)
    if rare[1] >= 5:
        bins.append(rare)
    degrees = max(len(bins) - 1, 1)
    return sum((count - mean) ** 2 / mean for count, mean in bins), degrees + 4 * (2 * degrees) ** 0.5 + 12


def test_a_shot_depends_on_seed_and_index_only(where, precision, rng) -> None:
    state = Statevector(random_state(rng, 6).astype(precision), **where)
    all_of_them = state.sample(1000, seed=7).packed()
    assert np.array_equal(state.sample(400, seed=7).packed(), all_of_them[:400])
    assert np.array_equal(state.sample(300, seed=7, first_shot=500).packed(), all_of_them[500:800])
    assert not np.array_equal(state.sample(1000, seed=8).packed(), all_of_them)


def test_a_shot_does_not_depend_on_the_chunks(monkeypatch, where, rng) -> None:
    state = Statevector(random_state(rng, 6), **where)
    wanted = state.sample(1000, seed=7)
    counted = state.sample(1000, seed=7, output="counts")
    monkeypatch.setattr(samplers, "CHUNK", 64)
    assert state.sample(1000, seed=7) == wanted
    assert state.sample(1000, seed=7, output="counts") == counted == wanted


def test_engines_agree_shot_by_shot(rng) -> None:
    """Their cumulative sums round differently, which moves a shot with a probability of 1e-13 or so."""
    amplitudes = random_state(rng, 8)
    drawn = [Statevector(amplitudes, engine=name).sample(5000, seed=1) for name in qfast.engines.available()]
    assert all(samples == drawn[0] for samples in drawn)


def test_samples_follow_the_distribution(where, precision, rng) -> None:
    state = Statevector(random_state(rng, 5).astype(precision), **where)
    wanted = {f"{k:05b}": abs(complex(a)) ** 2 for k, a in enumerate(state.amplitudes)}
    statistic, bound = chi_squared(state.sample(100_000, seed=11).get_counts(), wanted)
    assert statistic < bound


def test_a_subset_of_qubits_is_the_marginal_of_the_same_shots(where, rng) -> None:
    state = Statevector(random_state(rng, 5), **where)
    everything = state.sample(500, seed=3)
    assert state.sample(500, seed=3, qubits=[4, 0]) == renamed(everything.slice(bits=[4, 0]))


def renamed(samples: qfast.Samples) -> qfast.Samples:
    return qfast.Samples([qfast.simulation.BitRegister("meas", 0, samples.num_bits)], rows=samples.packed())


def test_multinomial_counts_follow_the_same_law(where, rng) -> None:
    state = Statevector(random_state(rng, 5), **where)
    samples = state.sample(100_000, seed=2, output="counts", draws="multinomial")
    assert samples.shots == 100_000
    wanted = {f"{k:05b}": abs(a) ** 2 for k, a in enumerate(state.amplitudes)}
    statistic, bound = chi_squared(samples.get_counts(), wanted)
    assert statistic < bound
    assert samples == state.sample(100_000, seed=2, output="counts", draws="multinomial")


def test_many_shots_need_no_list_of_shots(where) -> None:
    state = qfast.simulate(Circuit(3).h(0).cx(0, 2), **where)
    samples = state.sample(20_000_000 if where["engine"] == "native" else 200_000, seed=5, output="counts")
    counts = samples.get_counts()
    assert set(counts) == {"000", "101"}
    shots = samples.shots
    assert abs(counts["000"] - shots / 2) < 4 * np.sqrt(shots) / 2


def test_fresh_entropy_is_reported_and_reproduces_the_shots(where) -> None:
    state = qfast.simulate(Circuit(8).h(0).h(1).h(2).h(3).h(4).h(5), **where)
    first, second = state.sample(100), state.sample(100)
    assert first.seed != second.seed
    assert state.sample(100, seed=first.seed) == first


def test_the_seed_setting_is_used_when_none_is_given(where) -> None:
    state = qfast.simulate(Circuit(3).h(0).h(1), **where)
    with qfast.config.override(seed=99):
        assert state.sample(50).seed == 99
        assert state.sample(50, seed=3).seed == 3


def test_sample_runs_the_circuits_own_measurements(where) -> None:
    circuit = Circuit(3)
    circuit.add_classical_register("a", 2)
    circuit.add_classical_register("b", 3)
    circuit.x(0).x(2).measure([0, 1], [1, 0]).measure(2, 4)
    samples = qfast.sample(circuit, 10, seed=1, **where)
    assert samples.get_counts() == {"10010": 10}
    assert samples.get_counts("a") == {"10": 10}
    assert samples.get_counts("b") == {"100": 10}


def test_a_circuit_without_measurements_is_measured_whole(where) -> None:
    samples = qfast.sample(Circuit(3).x(1), 5, seed=1, **where)
    assert samples.get_counts() == {"010": 5}
    assert [register.name for register in samples.registers] == ["meas"]


def test_a_later_measurement_into_the_same_bit_wins(where) -> None:
    circuit = Circuit(2, 1).x(0).measure(0, 0).measure(1, 0)
    assert qfast.sample(circuit, 5, seed=1, **where).get_counts() == {"0": 5}
    assert qfast.sample(Circuit(2, 1).x(0).measure(1, 0).measure(0, 0), 5, seed=1, **where).get_counts() == {"1": 5}


def test_one_qubit_may_be_measured_twice_at_the_end(where) -> None:
    circuit = Circuit(1, 2).h(0).measure(0, 0).measure(0, 1)
    assert set(qfast.sample(circuit, 200, seed=1, **where).get_counts()) == {"00", "11"}


def test_more_than_64_classical_bits(where) -> None:
    circuit = Circuit(2, 100).h(0).cx(0, 1).measure(0, 99).measure(1, 3)
    samples = qfast.sample(circuit, 300, seed=4, **where)
    high = "1" + "0" * 95 + "1000"
    assert set(samples.get_counts()) == {"0" * 100, high}
    assert qfast.sample(circuit, 300, seed=4, output="counts", **where) == samples


def test_sample_takes_parameters_and_a_start_state(where) -> None:
    circuit = Circuit(1, 1).ry(qfast.Parameter("t"), 0).measure(0, 0)
    assert qfast.sample(circuit, 9, seed=1, parameters={"t": np.pi}, **where).get_counts() == {"1": 9}
    found = qfast.sample(circuit, 9, seed=1, parameters={"t": 0}, initial_state=[0, 1], **where)
    assert found.get_counts() == {"1": 9}


def test_sample_tells_where_it_comes_from(where) -> None:
    found = qfast.sample(Circuit(2).h(0), 10, seed=6, **where).metadata
    assert found["engine"] == where["engine"]
    assert found["shots"] == 10
    assert found["seed"] == 6
    assert set(found["times"]) == {"prepare_s", "run_s", "sample_s"}


def test_distribution_of_a_circuit_that_measures_at_the_end(where, rng) -> None:
    circuit = Circuit(3, 2).unitary(random_unitary(rng, 8), [0, 1, 2]).measure(2, 0).measure(0, 1)
    found = qfast.distribution(circuit, **where)
    wanted = oracle.distribution(circuit)
    assert list(found) == sorted(found)
    assert found == pytest.approx(wanted, abs=1e-13)


def test_ctrl_c_ends_a_long_draw(where, monkeypatch, rng) -> None:
    """Another thread watches the progress, and sends the signal to the main thread when shots are being drawn."""
    state = Statevector(random_state(rng, 10), **where)
    token, main, is_over = CancelToken(), threading.get_ident(), threading.Event()
    monkeypatch.setattr(samplers, "CHUNK", 1 << 14)  # of the engines that draw in Python

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
            state.sample(10**12, seed=1, output="counts", cancel=token)
    finally:
        is_over.set()
        watcher.join()
        signal.signal(signal.SIGINT, before)
    assert not token.cancelled
    assert state.sample(10, seed=1, cancel=token).shots == 10


def test_sampling_can_be_cancelled(where) -> None:
    token = CancelToken()
    state = qfast.simulate(Circuit(2).h(0), **where)
    token.cancel()
    with pytest.raises(CancelledRunError):
        qfast.sample(Circuit(2, 1).h(0).measure(0, 0), 10, cancel=token, **where)
    assert state.sample(1, seed=0).shots == 1

"""One choice of the way: what it is for which circuit, noise and question, and what can be forced or is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qfast
from qfast import Circuit, DenseOperator, NoiseModel, Parameter, PauliSum, Projector, channels
from qfast.errors import CapacityError, InputError
from qfast.simulation.asks import Amplitudes, Ask, Distribution, Expectation, Shots, State
from qfast.simulation.door import prepare
from qfast.simulation.request import METHODS, Request
from qfast.simulation.run_settings import run_settings

Z = PauliSum([("Z", [0])])
STATIC = Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
DYNAMIC = Circuit(2, 2).h(0).measure(0, 0).h(0).cx(0, 1).measure([0, 1], [0, 1])
PAULI = NoiseModel().add(channels.depolarizing(0.1, num_qubits=2), gates=["cx"])
KRAUS = NoiseModel().add(channels.amplitude_damping(0.1), gates=["h"])
MEAN = Expectation.of(Z, trajectories=10, seed=1)

CHOICES: list[tuple[Circuit, NoiseModel | None, Ask, str]] = [
    (STATIC, None, Shots(1), "terminal"), (STATIC, None, State(), "terminal"),
    (STATIC, None, Distribution(), "terminal"), (STATIC, None, Expectation.of(Z), "terminal"),
    (STATIC, None, Amplitudes((0,)), "terminal"),
    (DYNAMIC, None, Shots(1), "branches"), (DYNAMIC, None, State(), "branches"),
    (DYNAMIC, None, Distribution(), "branches"), (DYNAMIC, None, Expectation.of(Z), "branches"),
    (STATIC, PAULI, Shots(1), "frames"), (STATIC, PAULI, MEAN, "frames"), (STATIC, PAULI, State(), "density"),
    (STATIC, PAULI, Distribution(), "density"), (STATIC, PAULI, Expectation.of(Z), "density"),
    (STATIC, KRAUS, Shots(1), "trajectories"), (STATIC, KRAUS, MEAN, "trajectories"),
    (DYNAMIC, PAULI, Shots(1), "trajectories"), (DYNAMIC, KRAUS, Expectation.of(Z), "density"),
    (STATIC, NoiseModel(), Shots(1), "terminal"),
]  # fmt: skip


@pytest.mark.parametrize(("circuit", "noise", "ask", "method"), CHOICES)
def test_the_table_of_choices(circuit: Circuit, noise: NoiseModel | None, ask: Ask, method: str) -> None:
    settings = run_settings(engine="reference")
    prepared = prepare(Request.of(ask, circuit, None, settings.precision, noise=noise), settings)
    assert prepared.way.method == method
    assert prepared.why


def test_the_choice_does_not_depend_on_shots_values_threads_or_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from qfast.config import MemoryLimits
    from qfast.engines import memory

    circuit = Circuit(2).ry(Parameter("t"), 0).cx(0, 1)

    def chosen(shots: int, value: float, threads: int) -> Any:
        settings = run_settings(engine="reference", threads=threads)
        request = Request.of(Shots(shots), circuit, [value], settings.precision, noise=PAULI)
        return prepare(request, settings)

    first = chosen(1, 0.0, 1)
    monkeypatch.setattr(memory, "memory_limits", lambda: MemoryLimits(1 << 10, 1 << 10))
    assert chosen(10**9, np.pi, 2) is first


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("auto", "frames")])
def test_ways_are_equal_in_law(method: str) -> None:
    c = Circuit(3, 3).ry(0.7, 0).cx(0, 1).ry(0.4, 2).measure([0, 1, 2], [2, 0, 1])
    exact = qfast.distribution(c)
    found = qfast.sample(c, 20_000, seed=5, method=method)
    assert (found.metadata["method"], found.metadata["why"]) == (method, "asked for")
    counts = found.get_counts()
    assert counts.keys() <= exact.keys()
    for outcome, p in exact.items():
        assert abs(counts.get(outcome, 0) / 20_000 - p) < 5 * (p * (1 - p) / 20_000) ** 0.5 + 1e-9
    again = qfast.sample(c, 15_000, seed=5, method=method, first_shot=5000)
    assert np.array_equal(found.packed()[5000:], again.packed())
    assert qfast.sample(c, 20_000, seed=5, method=method, output="counts").get_counts() == counts


def test_noisy_ways_are_equal_in_law() -> None:
    exact = qfast.distribution(STATIC, noise=PAULI)
    for method in ("frames", "trajectories", "density"):
        counts = qfast.sample(STATIC, 20_000, seed=5, noise=PAULI, method=method).get_counts()  # type: ignore[arg-type]
        for outcome, p in exact.items():
            assert abs(counts.get(outcome, 0) / 20_000 - p) < 5 * (p * (1 - p) / 20_000) ** 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: qfast.sample(DYNAMIC, 1, method="terminal"), "'terminal' cannot serve .* measures, resets or decides"),
        (lambda: qfast.sample(STATIC, 1, noise=PAULI, method="terminal"), "'terminal' cannot serve .*: noise acts"),
        (
            lambda: qfast.sample(STATIC, 1, noise=PAULI, method="branches"),
            "noise acts; 'trajectories' follows branches",
        ),
        (
            lambda: qfast.sample(STATIC, 1, noise=KRAUS, method="frames"),
            "'amplitude_damping' is neither a Pauli mixture",
        ),
        (lambda: qfast.sample(DYNAMIC, 1, noise=PAULI, method="frames"), "'frames' cannot serve .* in the middle"),
        (lambda: qfast.simulate(STATIC, noise=PAULI, method="frames"), "'frames' does not return a state; these do"),
        (lambda: qfast.distribution(STATIC, method="trajectories"), "'trajectories' does not return a distribution"),
        (lambda: qfast.amplitudes(DYNAMIC, ["00"]), "does not return amplitudes values; these do: terminal"),
        (lambda: qfast.expectation(STATIC, Z, noise=KRAUS, method="trajectories"), "say how many: trajectories=…"),
        (lambda: qfast.expectation(STATIC, Z, trajectories=5, method="terminal"), "'terminal' returns exact values"),
        (lambda: qfast.sample(DYNAMIC, 1, draws="multinomial", output="counts"), "draws='multinomial' draws from one"),
    ],
)
def test_a_way_that_cannot_serve_is_refused_with_the_reason(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


# --- the state of one shot --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(8))
def test_the_bits_of_a_simulated_shot_are_those_that_sample_draws(seed: int) -> None:
    c = Circuit(3, 3).h(0).measure(0, 0).h(1).cx(1, 2).measure(1, 1).measure(2, 2)
    c2 = c.copy().h(0)
    for circuit in (c, c2):
        circuit = circuit.copy().reset(0)
        state = qfast.simulate(circuit, seed=seed)
        assert state.metadata["classical_bits"] == qfast.sample(circuit, 1, seed=seed).get_bitstrings()[0]


def test_a_noisy_trajectory_is_a_pure_state() -> None:
    found = qfast.simulate(STATIC, noise=KRAUS, method="trajectories", seed=3)
    assert isinstance(found, qfast.Statevector)
    assert found.norm() == pytest.approx(1)


def test_an_initial_state_is_converted_on_every_way(where: dict[str, str]) -> None:
    for dtype in (np.float32, np.int64, np.complex64, ">c16"):
        start = np.array([0, 0, 1, 0]).astype(dtype)
        for circuit in (Circuit(2, 2).x(0).measure([0, 1], [0, 1]), DYNAMIC.copy()):
            for precision in ("complex64", "complex128"):
                found = qfast.sample(circuit, 5, seed=1, initial_state=start, precision=precision, **where)
                assert found.shots == 5
                qfast.simulate(circuit, seed=1, initial_state=start, precision=precision, **where)
        for noise in (PAULI, KRAUS):
            qfast.sample(STATIC, 5, seed=1, initial_state=start, noise=noise, **where)
            qfast.distribution(STATIC, initial_state=start, noise=noise, **where)


# --- qubits that nothing touches --------------------------------------------------------------------------------------
def transpiled() -> Circuit:
    """Three qubits somewhere on forty, all of which are measured."""
    c = Circuit(40, 40).h(31).cx(31, 7).cx(7, 22).barrier()
    return c.measure(range(40), range(40))


def test_qubits_that_nothing_touches_cost_nothing(where: dict[str, str]) -> None:
    counts = qfast.sample(Circuit(50, 1).h(45).measure(45, 0), 1000, seed=3, **where).get_counts()
    assert sum(counts.values()) == 1000
    assert abs(counts["0"] - 500) < 80
    ones = "".join("1" if q in (7, 22, 31) else "0" for q in reversed(range(40)))
    c = transpiled()
    assert qfast.sample(c, 100, seed=3, **where).get_counts().keys() == {"0" * 40, ones}
    small = qfast.sample(Circuit(3).h(2).cx(2, 0).cx(0, 1), 100, seed=3, **where).get_bitstrings()
    assert [bits == ones for bits in qfast.sample(c, 100, seed=3, **where).get_bitstrings()] == [
        bits == "111" for bits in small
    ]
    assert qfast.distribution(c, **where) == pytest.approx({"0" * 40: 0.5, ones: 0.5})
    assert qfast.sample(c, 50, seed=3, output="counts", draws="multinomial", **where).get_counts().keys() <= {
        "0" * 40,
        ones,
    }
    amplitudes = qfast.amplitudes(c, ["0" * 40, ones, "1" * 40], **where)
    assert amplitudes == pytest.approx([np.sqrt(0.5), np.sqrt(0.5), 0])
    sums = PauliSum([("ZZ", [7, 31], 1.0), ("Z", [3], 10.0), ("X", [4], 100.0), ("XXX", [7, 22, 31], 1000.0)])
    assert qfast.expectation(c, sums, **where).expectation == pytest.approx(1011)
    mixed = [sums, Projector("1", [7]), DenseOperator([[0, 1], [1, 0]], [5])]
    assert [e.expectation for e in qfast.expectation(c, mixed, **where)] == pytest.approx([1011, 0.5, 0])
    assert qfast.compile(c, **where).expectation(None, sums) == pytest.approx(1011)
    with pytest.raises(CapacityError):
        qfast.simulate(c, **where)


def test_they_cost_nothing_under_noise_and_with_branches_either(where: dict[str, str]) -> None:
    noise = NoiseModel().add(channels.depolarizing(0.1, num_qubits=2), gates=["cx"])
    noise.add_readout(qfast.ReadoutError.of_flips(0.0, 1.0), qubits=[31])
    noise.add_readout(qfast.ReadoutError.of_flips(1.0, 0.0), qubits=[2])
    for model in (noise, noise.copy().add(channels.amplitude_damping(0.1), gates=["h"])):
        counts = qfast.sample(transpiled(), 200, seed=3, noise=model, **where).get_counts()
        assert all(key[-1 - 31] == "0" and key[-1 - 2] == "1" and key[-1 - 5] == "0" for key in counts)
        exact = qfast.distribution(transpiled(), noise=model, **where)
        assert sum(exact.values()) == pytest.approx(1)
        assert counts.keys() <= exact.keys()
        z = PauliSum([("ZZ", [7, 22]), ("Z", [3])])
        assert 1.5 < qfast.expectation(transpiled(), z, noise=model, **where).expectation < 2
    dynamic = Circuit(45, 3).h(40).measure(40, 0).x(2).reset(40).h(2).h(2).measure(2, 1).measure(30, 2).h(40)
    counts = qfast.sample(dynamic, 100, seed=3, **where).get_counts()
    assert counts.keys() == {"010", "011"}
    assert qfast.distribution(dynamic, **where) == pytest.approx({"010": 0.5, "011": 0.5})
    assert qfast.expectation(dynamic, PauliSum([("X", [40]), ("Z", [2], 3.0)]), **where).expectation == pytest.approx(
        -2
    )


def test_a_bit_that_was_written_before_is_taken_back_by_a_measurement_of_an_untouched_qubit(where) -> None:
    c = Circuit(40, 1).x(0).measure(0, 0).h(0).measure(20, 0)
    assert qfast.sample(c, 5, seed=1, **where).get_counts() == {"0": 5}


def test_plans_and_jobs_run_them_too() -> None:
    z = PauliSum([("ZZ", [7, 31]), ("XXX", [7, 22, 31])])
    circuit = Circuit(40).h(31).cx(31, 7).cx(7, 22)
    assert qfast.ShotPlan.for_observable(circuit, z, shots=100).run(seed=1).expectation == 2
    with qfast.Session("local::statevector") as session:
        assert session.run(transpiled(), shots=10).result().shots == 10
        assert session.run(circuit, observables=z).result() == pytest.approx(2)
        assert [float(v) for v in session.run([circuit, circuit], observables=z).result()] == pytest.approx([2, 2])


# --- verbs ------------------------------------------------------------------------------------------------------------
def test_expectation_of_circuits_that_measure_in_the_middle(where: dict[str, str]) -> None:
    c = Circuit(2, 1).ry(0.8, 0).measure(0, 0).ry(0.3, 0)
    c.if_test((0, 1), c.block().x(1))
    p = np.sin(0.4) ** 2
    observable = PauliSum([("Z", [0]), ("Z", [1], 2.0)])
    wanted = (1 - 2 * p) * np.cos(0.3) + 2 * (1 - 2 * p)
    exact = qfast.expectation(c, observable, **where)
    assert (exact.expectation, exact.standard_error) == (pytest.approx(wanted), 0)
    drawn = qfast.expectation(c, observable, shots=20_000, seed=3, **where)
    assert abs(drawn.expectation - wanted) < 4.5 * drawn.standard_error < 0.2
    assert qfast.compile(c, **where).expectation(None, observable) == pytest.approx(wanted)
    with qfast.Session("local::statevector") as session:
        assert session.run(c, observables=observable).result() == pytest.approx(wanted)
    estimated = qfast.Estimator().run([(c, observable)]).result()[0]
    assert estimated.expectation == pytest.approx(wanted)


def test_a_precision_can_be_a_dtype() -> None:
    for precision in (np.complex64, np.dtype("complex64"), "complex64"):
        assert qfast.simulate(STATIC, precision=precision).precision == "complex64"
    with qfast.config.override(precision=np.complex64):
        assert qfast.simulate(STATIC).precision == "complex64"
    for wrong in (np.float32, "single", 64):
        with pytest.raises(qfast.errors.ConfigError, match="complex64"):
            qfast.simulate(STATIC, precision=wrong)  # type: ignore[arg-type]

"""Plans that run: right values, honest errors, counts that depend on the seed and on nothing else."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import qfast
from qfast import config
from qfast.circuit import Circuit, Parameter, PauliSum
from qfast.errors import CancelledRunError, JobCancelledError, ShotPlanError
from qfast.estimation import Estimate
from qfast.estimation.settings import group_settings
from qfast.jobs import Batch, Session
from qfast.jobs.device_job_plan import device_job_plan
from qfast.jobs.shot_result import PlanResult
from qfast.jobs.shots import ShotPlan
from tests import oracle
from tests.densities import density_of


def tfim(num_qubits: int, field: float = 0.7) -> PauliSum:
    return PauliSum(
        [("ZZ", [q, q + 1], -1.0) for q in range(num_qubits - 1)] + [("X", [q], -field) for q in range(num_qubits)]
    )


def layered(num_qubits: int, layers: int = 2) -> Circuit:
    circuit = Circuit(num_qubits)
    rng = np.random.default_rng(11)
    for _ in range(layers):
        for q in range(num_qubits):
            circuit.ry(float(rng.normal()), q).rz(float(rng.normal()), q)
        for q in range(num_qubits - 1):
            circuit.cx(q, q + 1)
    return circuit


def random_observable(num_qubits: int, num_terms: int, seed: int) -> PauliSum:
    rng = np.random.default_rng(seed)
    letters = ["".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(num_terms)]
    return PauliSum([(text, range(num_qubits), float(rng.normal())) for text in letters], num_qubits=num_qubits)


CIRCUIT = layered(4)
H = tfim(4) + PauliSum([("YY", [0, 2], 0.4), ("", [], 1.5), ("XZY", [1, 2, 3], 0.3)])


# --- settings ---------------------------------------------------------------------------------------------------------
@hypothesis_settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 20), st.integers(0, 10**6), st.sampled_from(["qubit_wise", "general"]))
def test_every_grouping_measures_the_observable_exactly(n: int, terms: int, seed: int, grouping: Any) -> None:
    observable = random_observable(n, terms, seed).simplify()
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=2**n) + 1j * rng.normal(size=2**n)
    vector /= np.linalg.norm(vector)
    settings, total = group_settings(observable, grouping)
    assert sorted(t for s in settings for t in s.terms.tolist()) == [
        k for k, (letters, _, _) in enumerate(observable) if letters
    ]
    for setting in settings:
        rotation = setting.rotation(n)
        state = vector if rotation is None else oracle.statevector(rotation, initial=vector)
        weights = np.abs(state) ** 2
        indices = np.arange(2**n, dtype=np.uint64)
        outcomes = sum(
            ((indices >> np.uint64(q) & np.uint64(1)) << np.uint64(j) for j, q in enumerate(setting.qubits)),
            np.zeros(2**n, dtype=np.uint64),
        )
        total += float(weights @ setting.values(outcomes))
    exact = (vector.conj() @ observable.matrix(n) @ vector).real
    assert total == pytest.approx(exact, abs=1e-12)


def test_general_grouping_needs_fewer_settings() -> None:
    observable = random_observable(4, 40, 1)
    assert len(group_settings(observable, "general")[0]) < len(group_settings(observable, "qubit_wise")[0])


# --- counts are a function of the seed and the shot -------------------------------------------------------------------
@hypothesis_settings(max_examples=25)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.sampled_from(["Z", "XYZX", "Y"]))
def test_counts_are_equal_for_any_segmentation(parts: list[int], basis: str) -> None:
    whole = ShotPlan([{"shots": sum(parts), "basis": basis}], circuit=CIRCUIT).run(seed=5)
    cut = ShotPlan([{"shots": n, "basis": basis} for n in parts], circuit=CIRCUIT).run(seed=5)
    assert cut.counts == whole.counts
    assert [c.shots for c in cut.segment_counts] == parts


@pytest.mark.native
@pytest.mark.parametrize("allocation", ["uniform", "coefficient", "variance"])
@pytest.mark.parametrize("target", [None, 0.05])
def test_results_do_not_depend_on_segments_threads_or_workers(allocation: Any, target: float | None) -> None:
    def run(limit: int | None, **how: Any) -> PlanResult:
        plan = ShotPlan.for_observable(
            CIRCUIT, H, shots=20_000, allocation=allocation, target_error=target, max_shots_per_segment=limit
        )
        return plan.run(seed=9, **how)

    first = run(None)
    for other in (run(77), run(1000, options={"threads": 1}), run(None, session=Batch("local::statevector"))):
        assert other.counts == first.counts
        assert (other.expectation, other.standard_error) == (first.expectation, first.standard_error)
    assert (target is None) == (first.total_shots == 20_000)


def test_a_plan_on_z_draws_the_very_shots_that_sample_draws() -> None:
    plan = ShotPlan([{"shots": 300}, {"shots": 200}], circuit=CIRCUIT)
    assert plan.run(seed=4).counts["Z0 Z1 Z2 Z3"] == qfast.sample(CIRCUIT, 500, seed=4).get_counts()


def test_circuits_that_measure_in_the_middle_run_in_every_basis() -> None:
    circuit = Circuit(2, 1).h(0).measure(0, 0)
    circuit.if_test((0, 1), circuit.block().x(1)).h(1)
    plan = ShotPlan([{"shots": 200, "basis": "XX"}, {"shots": 300, "basis": "ZI"}], circuit=circuit)
    cut = ShotPlan([{"shots": 120, "basis": "XX"}, {"shots": 80, "basis": "XX"}], circuit=circuit)
    result = plan.run(seed=3)
    assert result.counts["X0 X1"] == cut.run(seed=3).counts["X0 X1"]
    # H maps |m> of qubit 1 to |±>, so X1 = (-1)^m = Z0, and X0 of a measured qubit is even.
    assert abs(result.expectations["X0 X1"]) < 5 / math.sqrt(200)
    assert abs(result.expectations["Z0"]) < 5 / math.sqrt(300)


def test_a_session_with_a_seed_gives_its_plans_the_key_of_their_number() -> None:
    plan = ShotPlan([{"shots": 100}], circuit=CIRCUIT)
    with Session("local::statevector", seed=7) as one, Session("local::statevector", seed=7) as two:
        first = [plan.run(session=one) for _ in range(2)]
        again = [plan.run(two) for _ in range(2)]
    assert [r.counts for r in first] == [r.counts for r in again]
    assert first[0].seed != first[1].seed
    assert first[0].metadata["session_id"] == one.id


# --- values and errors ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("grouping", ["qubit_wise", "general"])
@pytest.mark.parametrize("allocation", ["uniform", "coefficient", "variance"])
def test_the_value_is_right_within_five_errors_and_the_error_is_what_the_state_gives(
    grouping: Any, allocation: Any
) -> None:
    plan = ShotPlan.for_observable(CIRCUIT, H, shots=40_000, grouping=grouping, allocation=allocation)
    result = plan.run(seed=21)
    exact = qfast.simulate(CIRCUIT).expectation(H)
    assert abs(result.expectation - exact) < 5 * result.standard_error
    assert result.standard_error == pytest.approx(plan.forecast().standard_error, rel=0.05)
    assert result.standard_error < plan.error_bound or allocation == "variance"


def test_term_values_and_covariances_give_the_whole() -> None:
    result = ShotPlan.for_observable(CIRCUIT, H, shots=5000, grouping="general").run(seed=2)
    weights = result.plan.observable.coefficients.real  # type: ignore[union-attr]
    assert weights @ result.term_expectations == pytest.approx(result.expectation)
    assert weights @ result.covariance @ weights == pytest.approx(result.standard_error**2)
    singles = [PauliSum([term[:2]], num_qubits=4) for term in result.plan.observable]  # type: ignore[union-attr]
    exact = np.array([qfast.simulate(CIRCUIT).expectation(s) for s in singles])
    assert np.abs(result.term_expectations - exact).max() < 0.15


@pytest.mark.parametrize("allocation", ["uniform", "coefficient", "variance"])
def test_the_one_sigma_bars_hold_two_times_in_three(allocation: Any) -> None:
    # 400 seeds: the share is binomial with a standard deviation of 2.3 %; the bound is three of them.
    plan = ShotPlan.for_observable(layered(6), tfim(6), shots=2000, allocation=allocation)
    exact = qfast.simulate(plan.circuit).expectation(plan.observable)  # type: ignore[arg-type]
    results = [plan.run(seed=seed) for seed in range(400)]
    inside = np.mean([abs(r.expectation - exact) <= r.standard_error for r in results])
    assert abs(inside - 0.6827) < 0.07


def test_neyman_allocation_spends_fewer_shots_than_equal_shares() -> None:
    circuit = Circuit(3).ry(0.1, 0).cx(0, 1).cx(1, 2)  # ZZ terms are nearly certain, X terms are not
    needed = {
        kind: ShotPlan.for_observable(
            circuit, tfim(3), shots=10**6, allocation=kind, target_error=0.01
        ).run(seed=1).total_shots
        for kind in ("uniform", "variance")
    }  # fmt: skip
    assert needed["variance"] < 0.7 * needed["uniform"]


def molecule(num_qubits: int = 8, num_terms: int = 300) -> PauliSum:
    """Random Pauli strings with coefficients that fall off as those of a small molecule do."""
    rng = np.random.default_rng(5)
    letters = ["".join(rng.choice(list("IXYZ"), num_qubits, p=[0.4, 0.15, 0.15, 0.3])) for _ in range(num_terms)]
    sizes = np.exp(-rng.uniform(0, 5, num_terms)) * rng.choice([-1, 1], num_terms)
    terms = [(text, range(num_qubits), float(size)) for text, size in zip(letters, sizes, strict=True)]
    return PauliSum(terms, num_qubits=num_qubits)


@pytest.mark.parametrize(
    ("circuit", "observable", "target"), [(layered(12), tfim(12), 0.03), (layered(8), molecule(), 0.05)]
)
def test_large_observables_reach_their_target_and_variance_needs_fewest_shots(
    circuit: Circuit, observable: PauliSum, target: float
) -> None:
    exact = qfast.simulate(circuit).expectation(observable)
    needed = {}
    for allocation in ("uniform", "variance"):
        plan = ShotPlan.for_observable(
            circuit,
            observable,
            shots=10**7,
            allocation=allocation,
            target_error=target,  # type: ignore[arg-type]
        )
        result = plan.run(seed=2)
        assert result.standard_error <= target
        assert abs(result.expectation - exact) < 4 * target
        needed[allocation] = result.total_shots
    assert needed["variance"] < needed["uniform"]


def test_an_adaptive_plan_stops_at_the_first_checkpoint_that_meets_its_target() -> None:
    plan = ShotPlan.for_observable(
        CIRCUIT, H, shots=10**5, target_error=0.05, pilot_shots=500, checkpoints=[1000, 2000, 5000, 10_000, 20_000]
    )
    result = plan.run(seed=6)
    assert result.standard_error <= 0.05
    assert result.total_shots == 10_000
    before = [error for shots, _, error in result.history() if shots in (500, 1000, 2000, 5000)]
    assert min(before) > 0.05
    assert result.metadata["target"]["reached"]


def test_a_target_out_of_reach_is_foretold_refused_or_reported_and_nothing_is_lost() -> None:
    plan = ShotPlan.for_observable(CIRCUIT, H, shots=1000, target_error=0.001, allocation="variance")
    forecast = plan.forecast()
    assert not forecast.is_reachable
    with pytest.raises(ShotPlanError, match=r"target_error 0\.001 needs about .* the plan has 1000"):
        plan.run(seed=1, refuse_unreachable=True)
    result = plan.run(seed=1)
    report = result.metadata["target"]
    assert (report["reached"], result.total_shots) == (False, 1000)
    assert report["shots_foretold_by_pilot"] == pytest.approx(forecast.shots_needed, rel=0.5)
    assert any("was not reached" in text for _, *texts in result.metadata["execution_log"] for text in texts)


def test_shots_that_agree_are_not_taken_for_certainty() -> None:
    """Two kinds of outcome are possible, however many shots have shown one: the error is that of a prior."""
    for shots, error in ((1, 1.0), (30, 0.0636)):
        result = ShotPlan([{"shots": shots, "qubits": [0]}], circuit=Circuit(1)).run(seed=1)
        assert (result.expectation, result.standard_error) == (1.0, pytest.approx(error, rel=1e-3))
        assert result.metadata["per_segment"][0]["standard_error"] == result.standard_error
        assert result.estimate == Estimate(1.0, result.standard_error, shots)


def test_a_target_is_not_believed_reached_by_a_pilot_whose_outcomes_agree() -> None:
    circuit = Circuit(1).ry(math.acos(0.98), 0)
    plan = ShotPlan.for_observable(circuit, PauliSum([("Z", [0])]), shots=10**6, target_error=0.001)
    results = [plan.run(seed=seed) for seed in range(60)]
    assert min(result.total_shots for result in results) > 30_000
    # The chance of one outside four errors is 0.4 %.
    assert all(abs(result.expectation - 0.98) < 4 * result.standard_error for result in results)


def test_different_pauli_strings_have_no_common_value_without_an_observable() -> None:
    result = ShotPlan([{"shots": 50}, {"shots": 50, "basis": "X"}], circuit=Circuit(1)).run(seed=1)
    assert result.expectations["Z0"] == 1
    with pytest.raises(ShotPlanError, match="2 different Pauli strings"):
        _ = result.expectation


# --- one simulation, jobs, progress -----------------------------------------------------------------------------------
def test_one_simulation_serves_all_segments_and_each_basis_is_rotated_once() -> None:
    plan = ShotPlan.for_observable(CIRCUIT, H, shots=4000, max_shots_per_segment=100, target_error=1e-9)
    metadata = plan.run(seed=1).metadata
    rotated = sum(bool(setting.gates) for setting in plan.settings)
    assert (metadata["simulations"], metadata["basis_changes"]) == (1, rotated)


def test_parameters_may_stay_free_until_the_run() -> None:
    plan = ShotPlan.for_observable(Circuit(1).ry(Parameter("a"), 0), PauliSum([("Z", [0])]), shots=50)
    assert plan.run(seed=1, parameters={"a": 0.0}).expectation == 1
    assert plan.run(seed=1, parameters=[math.pi]).expectation == -1


def test_progress_counts_shots_and_a_job_can_be_awaited() -> None:
    seen: list[tuple[int, int]] = []
    plan = ShotPlan([{"shots": 30}, {"shots": 20}], circuit=CIRCUIT)
    job = plan.submit(seed=1, progress=lambda done, total: seen.append((done, total)))

    async def wait() -> PlanResult:
        return await job

    assert asyncio.run(wait()).total_shots == 50
    assert seen == [(30, 50), (50, 50)]
    assert job.progress() == (50, 50)


# --- files ------------------------------------------------------------------------------------------------------------
class StopError(Exception):
    pass


@pytest.mark.parametrize("target", [None, 0.02])
def test_a_resumed_plan_equals_one_that_was_never_stopped(tmp_path: Path, target: float | None) -> None:
    plan = ShotPlan.for_observable(
        CIRCUIT, H, shots=30_000, allocation="variance", max_shots_per_segment=700, target_error=target
    )
    path = tmp_path / "run.npz"

    def stop(done: int, total: int) -> None:
        if done > 9000:
            raise StopError

    with pytest.raises(StopError):
        plan.run(seed=13, checkpoint=path, progress=stop)
    half = PlanResult.load(path)
    assert 9000 < half.total_shots < 10_500
    resumed = plan.run(checkpoint=path)
    whole = plan.run(seed=13)
    assert resumed.seed == 13
    assert resumed.counts == whole.counts
    assert resumed.metadata["per_segment"] == whole.metadata["per_segment"]
    assert plan.run(checkpoint=path).metadata["simulations"] == 0


def test_an_interrupted_job_keeps_what_it_has(tmp_path: Path) -> None:
    plan = ShotPlan([{"shots": 1000} for _ in range(5)], circuit=CIRCUIT)
    path = tmp_path / "run.npz"
    jobs: list[Any] = []

    def interrupt(done: int, total: int) -> None:
        if done == 3000:
            jobs[0].cancel(interrupt=True)

    with Session("local::statevector") as session, config.override(execution_mode="async"):
        gate = session.run(layered(16, 30))  # the plan waits until its job is known here
        jobs.append(plan.submit(session=session, seed=8, checkpoint=path, progress=interrupt))
        gate.result()
        with pytest.raises((JobCancelledError, CancelledRunError)):
            jobs[0].result()
    assert PlanResult.load(path).total_shots == 3000
    assert plan.run(checkpoint=path).counts == plan.run(seed=8).counts


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    plan = ShotPlan([{"shots": 10}], circuit=Circuit(1).ry(Parameter("a"), 0))
    plan.run(seed=1, parameters=[0.5], checkpoint=path)
    with pytest.raises(ShotPlanError, match="was made with seed 1, 2 is asked for"):
        plan.run(seed=2, parameters=[0.5], checkpoint=path)
    with pytest.raises(ShotPlanError, match="other parameter values, noise or precision, or another circuit"):
        plan.run(parameters=[0.6], checkpoint=path)
    with pytest.raises(ShotPlanError, match="belongs to another plan"):
        ShotPlan([{"shots": 11}], circuit=plan.circuit).run(parameters=[0.5], checkpoint=path)


def test_plans_and_results_come_back_from_their_files(tmp_path: Path) -> None:
    circuit = Circuit(2, 1).ry(2 * Parameter("a"), 0).unitary(np.eye(2)[::-1], [1]).cx(0, 1).measure(0, 0)
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], 0.5)])
    plan = ShotPlan.for_observable(circuit, observable, shots=500, allocation="variance")
    plan.save(tmp_path / "plan.npz")
    again = ShotPlan.load(tmp_path / "plan.npz")
    assert again.policy == plan.policy
    assert again.segments == plan.segments
    result = plan.run(seed=3, parameters=[0.4])
    assert again.run(seed=3, parameters=[0.4]).counts == result.counts
    result.save(tmp_path / "result.npz")
    loaded = PlanResult.load(tmp_path / "result.npz")
    assert (loaded.expectation, loaded.seed, loaded.counts) == (result.expectation, 3, result.counts)
    assert loaded.metadata["per_segment"] == result.metadata["per_segment"]


def test_files_that_hold_no_plan_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ShotPlanError, match="holds no shot plan"):
        ShotPlan.load(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ShotPlanError, match="holds no shot plan"):
        ShotPlan.load(tmp_path / "text.npz")
    plan = ShotPlan([{"shots": 10}], circuit=Circuit(1))
    with pytest.raises(ShotPlanError, match=r"suffix must be \.npz"):
        plan.save(tmp_path / "plan.json")
    plan.save(tmp_path / "plan.npz")
    with pytest.raises(ShotPlanError, match="has not run"):
        PlanResult.load(tmp_path / "plan.npz")


# --- device_job_plan --------------------------------------------------------------------------------------------------
def test_device_job_plan_returns_what_the_seed_promises() -> None:
    segments = [
        {"shots": 300, "basis": "ZZ", "wires": [0, 1]},
        {"shots": 100, "basis": "Z", "wires": [1, 0]},
        {"shots": 200, "basis_map": {3: "Y"}},
    ]
    found = device_job_plan("local::statevector", {"circuit": CIRCUIT, "segments": segments}, seed=17)
    assert set(found) == {"expectations", "counts", "metadata"}
    assert set(found["metadata"]) == {"per_segment", "total_shots"}
    rows = found["metadata"]["per_segment"]
    assert [set(row) for row in rows] == [
        {"index", "shots", "basis", "wires", "basis_map", "expectation", "standard_error", "seed", "first_shot"}
    ] * 3
    assert [(row["index"], row["first_shot"], row["wires"]) for row in rows] == [
        (0, 0, [0, 1]), (1, 300, [0, 1]), (2, 400, [3]),
    ]  # fmt: skip
    mean = (300 * rows[0]["expectation"] + 100 * rows[1]["expectation"]) / 400  # weighted by shots, not summed
    assert found["expectations"]["Z0 Z1"] == pytest.approx(mean)
    assert {label: sum(c.values()) for label, c in found["counts"].items()} == {"Z0 Z1": 400, "Y3": 200}
    assert found["metadata"]["total_shots"] == 600
    json.dumps(found)
    exact = qfast.simulate(CIRCUIT).expectation(PauliSum([("Y", [3])]))
    assert abs(found["expectations"]["Y3"] - exact) < 5 * rows[2]["standard_error"]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ([], "the plan is list"),
        ({"circuit": CIRCUIT}, "the plan has no 'segments'"),
        ({"segments": []}, "the plan has no 'circuit'"),
        ({"circuit": CIRCUIT, "segments": [], "shots": 1}, "unknown key 'shots'"),
        ({"circuit": CIRCUIT, "segments": [{"shots": 0}]}, "segment 0: shots is 0"),
    ],
)
def test_device_job_plan_refuses_what_is_no_plan(plan: Any, message: str) -> None:
    with pytest.raises(ShotPlanError, match=message):
        device_job_plan(None, plan)


# --- noise ------------------------------------------------------------------------------------------------------------
def test_a_noisy_plan_gives_the_damped_value_and_does_not_depend_on_its_segments() -> None:
    bell = Circuit(2).h(0).cx(0, 1)
    noise = qfast.NoiseModel().add(qfast.channels.depolarizing(0.1, num_qubits=2), gates=["cx"])
    observable = PauliSum([("ZZ", [0, 1], 1.0), ("XX", [0, 1], 1.0)])
    results = [
        ShotPlan.for_observable(bell, observable, shots=8000, max_shots_per_segment=limit).run(seed=3, noise=noise)
        for limit in (None, 900)
    ]
    assert results[0].counts == results[1].counts
    density = density_of(bell, noise=noise)
    exact = density.expectation(observable).real
    assert exact < 1.95
    assert abs(results[0].expectation - exact) < 5 * results[0].standard_error


def test_segments_of_alternating_bases_are_drawn_together_and_give_the_same_counts() -> None:
    alternating = ShotPlan([{"shots": 37, "basis": "ZX"[k % 2]} for k in range(60)], circuit=CIRCUIT)
    result = alternating.run(seed=4)
    for k in (0, 1, 58, 59):
        segment = alternating.segments[k]
        before = [{"shots": segment.first_shot}] if segment.first_shot else []
        alone = ShotPlan([*before, {"shots": 37, "basis": "ZX"[k % 2]}], circuit=CIRCUIT).run(seed=4)
        assert result.segment_counts[k] == alone.segment_counts[-1]


@pytest.mark.native
def test_a_basis_of_a_shallow_wide_circuit_is_simulated_with_it() -> None:
    shallow, deep = layered(18, 1), layered(18, 40)
    for circuit, simulations in ((shallow, 2), (deep, 1)):
        plan = ShotPlan.for_observable(circuit, tfim(18), shots=4000)
        result = plan.run(seed=1, options={"engine": "native"})
        assert result.metadata["simulations"] == simulations
        exact = qfast.simulate(circuit).expectation(tfim(18))
        assert abs(result.expectation - exact) < 5 * result.standard_error

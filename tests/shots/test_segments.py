"""Segments and division: disjoint, covering, exact; whatever is wrong is refused with its place."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qfast
from qfast.circuit import Circuit, PauliSum
from qfast.circuit.shot_plan import Segment, make_segments, split_shots
from qfast.errors import InputError, ObservableError, ShotPlanError
from qfast.estimation import divide_shots
from qfast.jobs.shots import ShotPlan

WEIGHTS = st.lists(st.floats(0, 1e300, allow_nan=False), min_size=1, max_size=20).filter(any)


# --- division ---------------------------------------------------------------------------------------------------------
@given(st.integers(0, 2**62), WEIGHTS)
def test_a_division_is_exact_and_nobody_is_off_by_a_shot_for_any_weights(total: int, weights: list[float]) -> None:
    shares = divide_shots(total, weights)
    whole = sum(map(Fraction, weights))
    assert sum(shares) == total
    assert all(abs(s - total * Fraction(w) / whole) < 1 for s, w in zip(shares, weights, strict=True))


def test_remainders_go_to_the_largest_and_ties_to_the_first() -> None:
    assert divide_shots(2, [3, 3, 3, 1]) == [1, 1, 0, 0]
    assert divide_shots(10, [3, 3, 3, 1]) == [3, 3, 3, 1]
    assert divide_shots(100, [1, 0, 1]) == [50, 0, 50]


def test_a_minimum_is_given_before_the_rest_is_divided() -> None:
    assert divide_shots(10, [1, 0, 0], minimum=2) == [6, 2, 2]
    with pytest.raises(ShotPlanError, match="5 shots cannot give 3 measurement settings 2 each; at least 6"):
        divide_shots(5, [1, 1, 1], minimum=2)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), "much", None])
def test_a_weight_that_is_no_weight_is_refused_with_its_place(weight: Any) -> None:
    with pytest.raises(ShotPlanError, match="weight 1 is"):
        divide_shots(10, [1.0, weight])


def test_weights_that_are_all_zero_are_refused() -> None:
    with pytest.raises(ShotPlanError, match="2 weights that are all zero"):
        divide_shots(10, [0.0, 0.0])


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_parts_are_within_the_limit_and_differ_by_at_most_one(shots: int, limit: int) -> None:
    parts = split_shots(shots, limit)
    assert sum(parts) == shots
    assert all(1 <= part <= limit for part in parts)
    assert not parts or max(parts) - min(parts) <= 1


# --- segments ---------------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_segments_in_any_order_cover_the_total_exactly(shots: list[int], random: Any) -> None:
    rows, first = [], 0
    for count in shots:
        rows.append({"shots": count, "qubits": [0], "first_shot": first})
        first += count
    random.shuffle(rows)
    made = make_segments(rows, 1)
    taken = sorted(index for s in made for index in range(s.first_shot, s.stop_shot))
    assert taken == list(range(sum(shots)))


def test_segments_without_a_first_shot_stand_in_a_row() -> None:
    made = make_segments([{"shots": 3}, {"shots": 4, "basis": "X"}, {"shots": 5}], 2)
    assert [(s.first_shot, s.basis, s.setting) for s in made] == [(0, "ZZ", 0), (3, "XX", 1), (7, "ZZ", 0)]


@pytest.mark.parametrize(
    "segment",
    [
        {"basis": "XIZ"},
        {"basis": "XZ", "qubits": [0, 2]},
        {"basis": "ZX", "wires": [2, 0]},
        {"basis_map": {2: "Z", 0: "X"}},
        {"basis_map": {0: "X", 1: "I", 2: "Z"}, "wires": [0, 1, 2]},
        {"basis": "XIZ", "basis_map": {0: "X", 2: "Z"}},
        Segment(10, "XZ", (0, 2)),
    ],
)
def test_every_way_to_write_a_basis_means_the_same(segment: Any) -> None:
    given_segment = segment if isinstance(segment, Segment) else {"shots": 10, **segment}
    assert make_segments([given_segment], 3) == (Segment(10, "XZ", (0, 2)),)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        ({"shots": 0}, "segment 1: shots is 0; a whole number from 1"),
        ({"shots": -5}, "segment 1: shots is -5"),
        ({"shots": 2.5}, "segment 1: shots is 2.5"),
        ({"shots": True}, "segment 1: shots is True"),
        ({}, "segment 1 has no 'shots'"),
        ({"shots": 1, "basis": "ZQ"}, "segment 1: letter 1 of basis 'ZQ' is 'Q'; I, X, Y and Z are allowed"),
        ({"shots": 1, "basis": "zz"}, "letter 0 of basis 'zz' is 'z'"),
        ({"shots": 1, "basis": ""}, "segment 1: basis '' is not valid"),
        ({"shots": 1, "basis": 7}, "segment 1: basis 7 is not valid"),
        ({"shots": 1, "basis": "II"}, "segment 1 measures nothing"),
        ({"shots": 1, "basis": "ZZZ", "qubits": [0, 1]}, "basis 'ZZZ' has 3 letters for 2 qubits"),
        ({"shots": 1, "qubits": [0, 2]}, r"segment 1: qubit 2 is out of range; allowed: 0 … 1"),
        ({"shots": 1, "qubits": [-1]}, "segment 1: qubit -1 is out of range"),
        ({"shots": 1, "qubits": [0, 0]}, "segment 1: qubit 0 is named twice"),
        ({"shots": 1, "qubits": 0}, "segment 1: qubits are 0; a list"),
        ({"shots": 1, "qubits": [0], "wires": [0]}, "names both 'qubits' and 'wires'"),
        ({"shots": 1, "basis_map": {0: "Q"}}, "segment 1: the letter of qubit 0 is 'Q'"),
        ({"shots": 1, "basis_map": "XX"}, "segment 1: basis_map is 'XX'"),
        ({"shots": 1, "basis": "XX", "basis_map": {0: "Z"}}, "'basis' says .* and 'basis_map' says"),
        ({"shots": 1, "basis_map": {0: "Z"}, "qubits": [1]}, "'basis_map' names qubits .0., but qubits .1. are given"),
        ({"shots": 1, "shot": 1}, "segment 1 has an unknown key 'shot'; allowed: shots"),
        ({"shots": 1, "first_shot": -1}, "segment 1: first_shot is -1"),
        ({"shots": 10, "first_shot": 5}, r"segment 1 \(shots 5…14\) overlaps segment 0, which ends with shot 9"),
        ({"shots": 10, "first_shot": 12}, "shots 10…11 belong to no segment: segment 1 begins with shot 12"),
        ("ZZ", "segment 1 is str; a dictionary"),
    ],
)
def test_a_bad_segment_is_refused_with_its_number(segment: Any, message: str) -> None:
    with pytest.raises(ShotPlanError, match=message):
        ShotPlan([{"shots": 10}, segment], circuit=Circuit(2).h(0))


def test_no_segments_are_refused() -> None:
    with pytest.raises(ShotPlanError, match="no segments"):
        ShotPlan([])
    with pytest.raises(ShotPlanError, match="a list of dictionaries, dict given"):
        ShotPlan({"shots": 1})  # type: ignore[arg-type]


# --- plans of observables ---------------------------------------------------------------------------------------------
H = PauliSum([("ZZ", [0, 1], 1.0), ("X", [0], 0.5), ("Y", [0], 0.25)])
BELL = Circuit(2).h(0).cx(0, 1)


@given(st.integers(6, 10**6), st.sampled_from(["uniform", "coefficient"]), st.none() | st.integers(1, 10**6))
def test_a_plan_covers_its_total_and_gives_every_setting_two_shots(shots: int, allocation: Any, limit: Any) -> None:
    if limit is not None and shots // limit > 1000:
        limit = shots // 1000
    plan = ShotPlan.for_observable(BELL, H, shots=shots, allocation=allocation, max_shots_per_segment=limit)
    first = 0
    of_setting = [0] * len(plan.settings)
    for segment in plan.segments:
        assert segment.first_shot == first
        assert segment.shots <= (limit or shots)
        of_setting[segment.setting] += segment.shots
        first = segment.stop_shot
    assert first == shots
    assert min(of_setting) >= 2


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"shots": 0}, "shots is 0; a whole number from 1"),
        ({"shots": 5}, "5 shots were given for 3 measurement settings; at least 2 in each, 6 in all"),
        ({"shots": 100, "allocation": "fair"}, "allocation 'fair' is unknown; allowed: 'uniform', 'coefficient'"),
        ({"shots": 100, "grouping": "best"}, "grouping 'best' is unknown; allowed: 'qubit_wise', 'general'"),
        ({"shots": 100, "target_error": 0.0}, "target_error is 0.0; a positive number"),
        ({"shots": 100, "target_error": float("nan")}, "target_error is nan"),
        ({"shots": 100, "target_error": "low"}, "target_error is 'low'"),
        ({"shots": 100, "max_shots_per_segment": 0}, "max_shots_per_segment is 0"),
        ({"shots": 100, "pilot_shots": 10}, "pilot_shots and checkpoints belong to plans that learn"),
        ({"shots": 100, "allocation": "variance", "pilot_shots": 5}, r"pilot_shots is 5; allowed: 6 .* to 100"),
        ({"shots": 100, "target_error": 0.1, "pilot_shots": 50, "checkpoints": [60, 60]}, "checkpoint 1 is 60"),
        ({"shots": 100, "target_error": 0.1, "pilot_shots": 50, "checkpoints": [200]}, "checkpoint 0 is 200"),
    ],
)
def test_a_bad_plan_is_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ShotPlanError, match=message):
        ShotPlan.for_observable(BELL, H, **how)


def test_an_observable_that_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ShotPlanError, match="multiple of the identity"):
        ShotPlan.for_observable(BELL, PauliSum([("", [], 2.0)]), shots=10)
    with pytest.raises(ObservableError, match="not Hermitian"):
        ShotPlan.for_observable(BELL, 1j * H, shots=10)
    with pytest.raises(ObservableError, match="qubit 5"):
        ShotPlan.for_observable(BELL, PauliSum([("Z", [5])]), shots=10)
    with pytest.raises(InputError, match="str is not an observable"):
        ShotPlan.for_observable(BELL, "ZZ", shots=10)  # type: ignore[arg-type]


def test_a_plan_cannot_be_changed_nor_does_it_follow_its_circuit() -> None:
    circuit = Circuit(1).h(0)
    plan = ShotPlan([{"shots": 5}], circuit=circuit)
    circuit.x(0)
    assert len(plan.circuit) == 1  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="immutable"):
        plan.segments = ()


def test_circuits_are_asked_for_once() -> None:
    with pytest.raises(ShotPlanError, match="the plan has no circuit; pass one"):
        ShotPlan([{"shots": 5, "qubits": [0]}]).run()
    with pytest.raises(ShotPlanError, match="has a circuit of its own"):
        ShotPlan([{"shots": 5}], circuit=BELL).run(circuit=BELL)
    with pytest.raises(ShotPlanError, match=r"measures qubit 3 \(Z3\); the circuit has 2 qubits"):
        ShotPlan([{"shots": 5, "qubits": [3]}]).run(circuit=BELL)


def test_the_names_are_found_at_the_top() -> None:
    assert qfast.ShotPlan is ShotPlan
    assert callable(qfast.device_job_plan)

"""One iterable is not taken for another: a mapping keeps its values, letters are no labels, states no lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qfast
from qfast import Circuit, NoiseModel, Parameter, PauliSum, channels
from qfast.errors import QfastError
from qfast.mitigation import Mitigation, ReadoutCalibration
from qfast.plotting import plot_counts, plot_probabilities

BELL = Circuit(2).h(0).cx(0, 1)
STATE = qfast.simulate(BELL)
TWO = Circuit(2).ry(Parameter("a"), 0).ry(Parameter("b"), 1)
H = PauliSum([("ZZ", [0, 1], 0.5), ("X", [1], -3.0)])
FLIP = channels.bit_flip(0.1)


@pytest.mark.parametrize(
    "given",
    [
        {"ZZ": 0.5, "XI": -3.0},
        [("ZZ", 0.5), ("XI", -3.0)],  # as Qiskit writes them
        [["ZZ", 0.5], ["XI", -3.0]],
        (pair for pair in (("ZZ", 0.5), ("XI", -3.0))),
    ],
)
def test_labels_keep_the_coefficients_that_come_with_them(given: Any) -> None:
    assert PauliSum.from_labels(given) == H


def test_one_label_is_one_term() -> None:
    assert PauliSum.from_labels("ZZ") == PauliSum([("ZZ", [0, 1])])
    assert PauliSum.from_labels("ZZ", [2.0]) == PauliSum([("ZZ", [0, 1], 2.0)])


def test_a_sum_of_a_sum_keeps_its_qubits() -> None:
    assert PauliSum(PauliSum([("Z", [0])], num_qubits=5)).num_qubits == 5


@pytest.mark.parametrize(
    "call",
    [
        lambda: PauliSum({("ZZ", (0, 1)): 0.5}),
        lambda: PauliSum({"ZZ": 0.5}),  # type: ignore[arg-type]
        lambda: PauliSum("ZZ"),  # type: ignore[arg-type]
        lambda: PauliSum([("ZZ", 0.5)]),
        lambda: PauliSum([("ZZ", {0: 1, 1: 2})]),
        lambda: PauliSum([("ZX", {1, 0})]),
        lambda: PauliSum.from_labels({"ZZ": 0.5}, [1.0]),
        lambda: PauliSum.from_labels([("ZZ", 0.5), "XI"]),  # type: ignore[list-item]
        lambda: PauliSum.from_labels(["ZZ", "XI"], {"ZZ": 0.5, "XI": 1.0}),
        lambda: PauliSum.from_labels(["ZZ"], 0.5),  # type: ignore[arg-type]
        lambda: PauliSum.from_dict([("ZZ", 0.5)]),  # type: ignore[arg-type]
        lambda: NoiseModel().add(FLIP, gates={"x": 1}),
        lambda: NoiseModel().add(FLIP, gates=["x"], qubits={0: 1}),
        lambda: NoiseModel().set_durations([("x", 1e-9)]),  # type: ignore[arg-type]
        lambda: channels.pauli([("X", 0.1)]),  # type: ignore[arg-type]
        lambda: STATE.probabilities({0: 1}),  # type: ignore[arg-type]
        lambda: STATE.probabilities({1, 0}),  # type: ignore[arg-type]
        lambda: qfast.Projector("10", {4: 1, 2: 0}),  # type: ignore[arg-type]
        lambda: qfast.simulate(TWO, parameters={0.1, 0.2}),  # type: ignore[arg-type]
        lambda: Circuit(2, 2).measure({0: 1}, {1: 0}),  # type: ignore[arg-type]
        lambda: Circuit(2, 2).measure({0, 1}, {1, 0}),  # type: ignore[arg-type]
        lambda: qfast.sample(BELL, 10, 1).expectation_values({"ZZ": 1}),  # type: ignore[call-overload]
        lambda: qfast.sample(BELL, 10, 1).slice(bits="01"),  # type: ignore[arg-type]
        lambda: Mitigation(zne=True, scale_factors="13"),  # type: ignore[arg-type]
        lambda: Mitigation(zne=True, scale_factors={1: 2, 3: 2}),  # type: ignore[arg-type]
        lambda: ReadoutCalibration({0: (0.1, 0.1)}, [[0.1, 0.1]]),
        lambda: qfast.ShotPlan([{"shots": 10, "qubits": {0: "X"}}], circuit=BELL),
        lambda: qfast.run(BELL, observables={H: 1}),
        lambda: qfast.Session("local::statevector", tags={"a": 1}),
        lambda: plot_probabilities(STATE.amplitudes),
        lambda: plot_probabilities({"00": 6, "11": 4}),
        lambda: plot_probabilities([3, 1]),
        lambda: plot_counts(STATE),  # type: ignore[arg-type]
        lambda: plot_counts({"0": 0.5, "1": 0.5}),  # type: ignore[dict-item]
    ],
)
def test_what_would_be_taken_for_something_else_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(QfastError) as caught:
        call()
    assert len(str(caught.value)) > 20


def test_a_state_is_no_array_of_real_numbers() -> None:
    with pytest.raises(TypeError, match="complex amplitudes"):
        np.asarray(STATE, dtype=np.float64)
    assert np.asarray(STATE, dtype=np.complex64).dtype == np.complex64


def test_pictures_of_states_and_samples_are_those_of_their_probabilities_and_counts() -> None:
    def widths(figure: Any) -> list[float]:
        return [patch.get_width() for patch in figure.axes[0].patches]

    assert widths(plot_probabilities(STATE)) == pytest.approx([0.5, 0.5])
    assert widths(
        plot_probabilities(qfast.simulate(BELL, noise=NoiseModel().add(channels.phase_flip(0.1), gates=["cx"])))
    ) == pytest.approx([0.5, 0.5])
    samples = qfast.sample(BELL, 10, 1)
    assert widths(plot_counts(samples)) == list(samples.get_counts().values())

"""Noise models: which rule speaks of which gate, readout errors, plain data."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable

import numpy as np
import pytest

import qfast
from qfast.errors import GateError, InputError
from qfast.noise import Channel, IdleNoise, NoiseModel, ReadoutError, channels

FLIP, PAIR = channels.bit_flip(0.1), channels.depolarizing(0.1, 2)


def names(model: NoiseModel, gate: str, *qubits: int) -> list[tuple[str, tuple[int, ...]]]:
    before, after = model.places_at(gate, qubits)
    assert not before
    return [(place.channel.name, place.qubits) for place in after]


def test_a_rule_without_gates_speaks_of_gates_as_wide_as_its_channel() -> None:
    model = NoiseModel().add(FLIP).add(PAIR)
    assert names(model, "h", 3) == [("bit_flip", (3,))]
    assert names(model, "cx", 3, 1) == [("depolarizing", (3, 1))]
    assert names(model, "ccx", 0, 1, 2) == []
    assert model.places_at("measure", (0,)) == ((), ())


def test_a_channel_of_one_qubit_acts_on_each_qubit_of_a_named_gate() -> None:
    assert names(NoiseModel().add(FLIP, "ccx"), "ccx", 4, 0, 2) == [("bit_flip", (q,)) for q in (4, 0, 2)]


def test_names_may_be_aliases() -> None:
    assert names(NoiseModel().add(FLIP, ["cnot"]), "cx", 0, 1) == [("bit_flip", (0,)), ("bit_flip", (1,))]


def test_qubits_are_matched_in_order() -> None:
    model = NoiseModel().add(PAIR, ["cx"], [[0, 1], [2, 1]])
    assert names(model, "cx", 2, 1) == [("depolarizing", (2, 1))]
    assert names(model, "cx", 1, 0) == []
    assert names(NoiseModel().add(FLIP, "x", 5), "x", 5) == [("bit_flip", (5,))]


def test_all_rules_that_match_apply_in_order() -> None:
    model = NoiseModel().add(FLIP, ["x"]).add(channels.phase_flip(0.2), ["x"])
    assert names(model, "x", 0) == [("bit_flip", (0,)), ("phase_flip", (0,))]


def test_a_fallback_gives_way_to_rules_that_name_qubits() -> None:
    model = NoiseModel().add(FLIP, ["x"], fallback=True).add(channels.phase_flip(0.2), ["x"], [[1]])
    assert names(model, "x", 0) == [("bit_flip", (0,))]
    assert names(model, "x", 1) == [("phase_flip", (1,))]


def test_channels_before_gates_and_at_measurements_act_before() -> None:
    model = NoiseModel().add(FLIP, "h", before=True).add(FLIP, "measure")
    for gate in ("h", "measure"):
        before, after = model.places_at(gate, (0,))
        assert (len(before), len(after)) == (1, 0)


def test_crosstalk_acts_elsewhere() -> None:
    assert names(NoiseModel().add(PAIR, ["h"], on=[4, 5]), "h", 0) == [("depolarizing", (4, 5))]


def test_extra_controls_are_part_of_the_name() -> None:
    model = NoiseModel().add(FLIP, ["ctrl @ h"])
    assert names(model, "h", 0) == []
    assert len(names(model, "ctrl @ h", 0, 1)) == 2


def test_models_survive_json_and_pickle() -> None:
    model = NoiseModel().add(FLIP, ["x"], 3).add(PAIR, ["cx"], [[0, 1]], on=[2, 3], before=True)
    model.add(channels.amplitude_damping(0.2), fallback=True)
    model.add_readout(ReadoutError.of_flips(0.1, 0.2)).add_readout(ReadoutError(np.eye(4)), [1, 2])
    for copy in (NoiseModel.from_dict(json.loads(json.dumps(model.to_dict()))), pickle.loads(pickle.dumps(model))):
        assert copy == model
        assert names(copy, "x", 3) == names(model, "x", 3)
    assert model != NoiseModel()


def test_readout_errors_of_single_qubits_come_before_the_common_one() -> None:
    common, own = ReadoutError.of_flips(0.1, 0.1), ReadoutError.of_flips(0.2, 0.2)
    model = NoiseModel().add_readout(own, [1, 3]).add_readout(common)
    assert model.readout_of(0) == (common, (0,))
    assert model.readout_of(3) == (own, (3,))
    assert NoiseModel().readout_of(0) is None


def test_the_package_has_the_names_of_the_glance() -> None:
    noisy = qfast.NoiseModel().add(qfast.channels.depolarizing(0.01, num_qubits=2), gates=["cx"])
    counts = qfast.sample(qfast.Circuit(2).h(0).cx(0, 1), shots=1000, seed=7, noise=noisy).get_counts()
    assert sum(counts.values()) == 1000


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: NoiseModel().add(PAIR, ["h"]), InputError, "acts on 2 qubits, but gate 'h' has 1"),
        (lambda: NoiseModel().add(PAIR, ["ccx"]), InputError, "but gate 'ccx' has 3"),
        (lambda: NoiseModel().add(FLIP, ["hadamard"]), GateError, "unknown gate 'hadamard'"),
        (lambda: NoiseModel().add(FLIP, ["barrier"]), InputError, "not at 'barrier'"),
        (lambda: NoiseModel().add(FLIP, [3]), GateError, "named by a string, not by 3"),
        (lambda: NoiseModel().add(PAIR, ["cx"], [[0, 0]]), InputError, "qubit 0 is named twice"),
        (lambda: NoiseModel().add(PAIR, ["cx"], [[0, -1]]), InputError, "-1 is no qubit number"),
        (lambda: NoiseModel().add(PAIR, on=[1]), InputError, r"on=\[1\] names 1"),
        (lambda: NoiseModel().add("depolarizing"), InputError, "a channel is needed, str given"),
        (lambda: NoiseModel().add(FLIP, ["measure", "x"]), InputError, "add two rules"),
        (lambda: NoiseModel().add(PAIR, ["ctrl @ h"]).places_at("ctrl @ h", (0, 1, 2)), InputError, "has 3"),
        (lambda: NoiseModel().add_readout(0.1), InputError, "a ReadoutError is needed, float given"),
        (lambda: NoiseModel().add_readout(ReadoutError(np.eye(4))), InputError, "needs to be told which"),
        (lambda: NoiseModel().add_readout(ReadoutError(np.eye(4)), [0, 1, 2]), InputError, "of 2 qubits was given for"),
        (
            lambda: NoiseModel().add_readout(ReadoutError(np.eye(2)), [0]).add_readout(ReadoutError(np.eye(4)), [0, 1]),
            InputError, r"qubits \[0\] have a readout error already",
        ),
        (lambda: ReadoutError([[0.9, 0.2], [0, 1]]), InputError, r"row 0 adds up to 1\.1, .*from 1 by 0\.1"),
        (lambda: ReadoutError([[1.1, -0.1], [0, 1]]), InputError, r"reading 0 where 0 is true is 1\.1"),
        (lambda: ReadoutError([[1, 0, 0]]), InputError, r"shape \(1, 3\)"),
        (lambda: ReadoutError("x"), InputError, "no table"),
        (lambda: ReadoutError.of_flips(2, 0), InputError, "outside"),
        (lambda: NoiseModel.from_dict({}), InputError, "'rules'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


# --- snapshots --------------------------------------------------------------------------------------------------------
def test_a_snapshot_does_not_follow_its_model_and_takes_nothing() -> None:
    model = NoiseModel().add(channels.bit_flip(0.1), gates=["x"])
    kept = model.snapshot()
    assert model.snapshot() is kept.snapshot() is kept
    model.add_readout(ReadoutError.of_flips(0.1, 0.2)).set_durations({"x": 1e-8}).add_idle(IdleNoise(t1=1e-5))
    assert (len(kept.rules), kept.readout, kept.has_durations) == (1, (), False)
    assert model.snapshot() is not kept
    grown = kept.copy().add(channels.bit_flip(0.2))
    assert (len(grown.rules), len(kept.rules)) == (2, 1)
    for change in (
        lambda: kept.add(channels.bit_flip(0.1)),
        lambda: kept.add_readout(ReadoutError.of_flips(0.1, 0.2)),
        lambda: kept.set_durations({"x": 1.0}),
        lambda: kept.add_idle(IdleNoise(t1=1.0)),
    ):
        with pytest.raises(InputError, match="is a snapshot"):
            change()


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.add(channels.bit_flip(0.1), gates=["x"]),
        lambda model: model.add_readout(ReadoutError.of_flips(0.1, 0.2)),
        lambda model: model.add_readout(ReadoutError.of_flips(0.1, 0.2), [3]),
        lambda model: model.set_durations({"x": 1e-8}),
        lambda model: model.add_idle(IdleNoise(t1=1e-5), [0]),
    ],
)
def test_whatever_is_added_changes_the_digest(change: Callable[[NoiseModel], NoiseModel]) -> None:
    model = NoiseModel().add(channels.bit_flip(0.1), gates=["h"])
    before = model.digest
    assert change(model.copy()).digest == change(model).digest == model.snapshot().digest != before


@pytest.mark.parametrize(
    "channel",
    [
        channels.depolarizing(0.013, num_qubits=2), channels.amplitude_damping(0.2), channels.phase_flip(0.3),
        channels.thermal_relaxation(50e-6, 70e-6, 1e-7), channels.coherent(np.diag([1, np.exp(0.1j)])),
        channels.amplitude_damping(0.2).twirled(), channels.depolarizing(0.1).then(channels.coherent([[0, 1], [1, 0]])),
    ],
    ids=lambda channel: channel.name,
)  # fmt: skip
def test_a_model_read_back_and_a_pickled_one_have_the_same_digest(channel: Channel) -> None:
    model = NoiseModel().add(channel).add_readout(ReadoutError.of_flips(0.1, 1 / 3)).add_idle(IdleNoise(t1=1 / 3))
    again = NoiseModel.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.digest == model.digest == pickle.loads(pickle.dumps(model)).digest
    assert pickle.loads(pickle.dumps(model.snapshot())).snapshot().digest == model.digest

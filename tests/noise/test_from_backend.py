"""Noise of a device from calibration figures, and the device files that come with qfast."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

import qfast
from qfast.errors import InputError
from qfast.noise import NoiseModel, ReadoutError, backend_noise

DATA = Path(str(files("qfast.devices"))) / "data"
DEVICES = sorted(DATA.glob("*.json"))
PROPERTIES: dict[str, Any] = {
    "qubits": [
        [
            {"name": "T1", "unit": "us", "value": 100.0}, {"name": "T2", "unit": "us", "value": 80.0},
            {"name": "prob_meas0_prep1", "unit": "", "value": 0.04},
            {"name": "prob_meas1_prep0", "unit": "", "value": 0.01},
        ],
        [
            {"name": "T1", "unit": "ms", "value": 0.05}, {"name": "T2", "unit": "us", "value": 300.0},
            {"name": "readout_error", "unit": "", "value": 0.03},
        ],
    ],
    "gates": [
        {"gate": "sx", "qubits": [0], "parameters": [{"name": "gate_error", "unit": "", "value": 1e-3},
                                                     {"name": "gate_length", "unit": "ns", "value": 35.0}]},
        {"gate": "rz", "qubits": [0], "parameters": [{"name": "gate_error", "unit": "", "value": 0}]},
        {"gate": "cx", "qubits": [0, 1], "parameters": [{"name": "gate_error", "unit": "", "value": 2e-2},
                                                        {"name": "gate_length", "unit": "ns", "value": 400.0}]},
        {"gate": "cx", "qubits": [1, 0], "parameters": [{"name": "gate_error", "unit": "", "value": 1.0}]},
    ],
}  # fmt: skip


def infidelity(model: NoiseModel, gate: str, *qubits: int) -> float:
    _, (place,) = model.places_at(gate, qubits)
    assert place.qubits == qubits
    return 1 - place.channel.average_gate_fidelity()


@pytest.mark.parametrize("relaxation", ["twirled", "kraus", "none"])
def test_every_gate_has_the_infidelity_that_was_measured(relaxation: Any) -> None:
    model = backend_noise(PROPERTIES, relaxation=relaxation)
    assert infidelity(model, "sx", 0) == pytest.approx(1e-3, abs=1e-12)
    assert infidelity(model, "cx", 0, 1) == pytest.approx(2e-2, abs=1e-12)
    assert model.places_at("rz", (0,)) == ((), ())
    assert model.places_at("sx", (1,)) == ((), ())


def test_an_error_of_1_becomes_the_largest_that_depolarizing_noise_has() -> None:
    assert infidelity(backend_noise(PROPERTIES), "cx", 1, 0) == pytest.approx(4 / 5)


def test_relaxation_alone_may_exceed_the_error_of_the_gate() -> None:
    slow = copy.deepcopy(PROPERTIES)
    slow["gates"][0]["parameters"][1]["value"] = 3000.0
    assert infidelity(backend_noise(slow, relaxation="kraus"), "sx", 0) > 1e-2


def test_readout_errors_are_those_of_the_qubits() -> None:
    model = backend_noise(PROPERTIES)
    assert model.readout_of(0) == (ReadoutError.of_flips(0.01, 0.04), (0,))
    assert model.readout_of(1) == (ReadoutError.of_flips(0.03, 0.03), (1,))


def test_twirled_noise_is_sampled_as_pauli_errors_and_the_rest_is_walked() -> None:
    circuit = qfast.Circuit(2).sx(0).cx(0, 1)
    for relaxation, method in (("twirled", "frames"), ("kraus", "trajectories")):
        noise = backend_noise(PROPERTIES, relaxation=relaxation)  # type: ignore[arg-type]
        assert qfast.sample(circuit, 10, seed=1, noise=noise).metadata["method"] == method


@pytest.mark.parametrize("path", DEVICES, ids=lambda path: path.stem)
def test_the_device_files_are_whole(path: Path) -> None:
    data = json.loads(path.read_text())
    assert data["backend_name"] == path.stem
    assert len(data["qubits"]) == data["n_qubits"]
    model = backend_noise(path)
    for pair in data["coupling_map"]:
        assert 0 < infidelity(model, "cx", *pair) < 0.02
    for qubit in range(data["n_qubits"]):
        assert model.readout_of(qubit) is not None
        assert 0 < infidelity(model, "sx", qubit) < 1e-3
        assert infidelity(model, "x", qubit) == infidelity(model, "sx", qubit)
    assert data["basis_gates"] == ["id", "rz", "sx", "x", "cx", "reset"]


def test_there_are_device_files() -> None:
    assert {"fake_lagos", "fake_manila"} <= {path.stem for path in DEVICES}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("gates"), "'qubits' and 'gates'"),
        (lambda data: data["qubits"][0][0].update(unit="parsec"), "qubit 0: T1 has unit 'parsec'"),
        (lambda data: data["qubits"][0][2].update(value=1.5), r"1\.5, which is outside"),
    ],
)
def test_figures_that_make_no_sense_are_refused(change: Any, message: str) -> None:
    data = copy.deepcopy(PROPERTIES)
    change(data)
    with pytest.raises(InputError, match=message):
        backend_noise(data)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.json"):
        backend_noise(tmp_path / "nothing.json")
    with pytest.raises(InputError, match="unknown"):
        backend_noise(PROPERTIES, relaxation="fast")  # type: ignore[arg-type]

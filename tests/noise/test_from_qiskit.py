"""Noise models of Qiskit Aer, given as the dictionaries that `qiskit_aer.noise.NoiseModel.to_dict` returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qfast
from qfast.errors import InputError
from qfast.noise import channels, noise_from_qiskit


def error(operations: list[str], probabilities: list[float], *circuits: list[dict[str, Any]], on: Any = None) -> Any:
    found = {"type": "qerror", "id": "0", "operations": operations, "instructions": list(circuits),
             "probabilities": probabilities}  # fmt: skip
    return found if on is None else {**found, "gate_qubits": on}


def step(name: str, *qubits: int, params: Any = None) -> dict[str, Any]:
    return {"name": name, "qubits": list(qubits)} | ({} if params is None else {"params": params})


DAMPING = channels.amplitude_damping(0.1)
PAIRS = [np.stack([matrix.real, matrix.imag], axis=-1).tolist() for matrix in DAMPING.kraus()]


def only_channel(*errors: Any, gate: str, qubits: tuple[int, ...]) -> qfast.channels.Channel:
    before, after = noise_from_qiskit({"errors": list(errors)}).places_at(gate, qubits)
    (place,) = before + after
    assert place.qubits == qubits
    return place.channel


@pytest.mark.parametrize("matrices", [DAMPING.kraus(), PAIRS], ids=["arrays", "serialized"])
def test_kraus_errors_are_read(matrices: Any) -> None:
    given = error(["sx"], [1.0], [step("kraus", 0, params=matrices)])
    assert only_channel(given, gate="sx", qubits=(2,)) == DAMPING


def test_pauli_strings_of_aer_have_qubit_0_rightmost() -> None:
    given = error(["cx"], [0.9, 0.1], [step("id", 0)], [step("pauli", 0, 1, params=["XZ"])])
    assert only_channel(given, gate="cx", qubits=(0, 1)) == channels.pauli({"ZX": 0.1})


def test_circuits_of_gates_and_resets_are_multiplied_out() -> None:
    given = error(["id"], [0.7, 0.2, 0.1], [step("id", 0)], [step("reset", 0)], [step("reset", 0), step("x", 0)])
    assert only_channel(given, gate="id", qubits=(0,)) == channels.reset(0.3, 1 / 3)
    turned = error(["cz"], [1.0], [step("rz", 1, params=[0.3])])
    expected = channels.coherent(np.diag(np.exp([-0.15j, -0.15j, 0.15j, 0.15j])))
    assert only_channel(turned, gate="cz", qubits=(0, 1)) == expected


def test_errors_on_named_qubits_replace_those_on_all() -> None:
    common = error(["x"], [0.8, 0.2], [step("id", 0)], [step("x", 0)])
    local = error(["x"], [0.5, 0.5], [step("id", 0)], [step("z", 0)], on=[(1,)])
    assert only_channel(common, local, gate="x", qubits=(0,)) == channels.bit_flip(0.2)
    assert only_channel(common, local, gate="x", qubits=(1,)) == channels.phase_flip(0.5)


def test_errors_at_measurements_act_before_them_and_readout_is_read() -> None:
    flip = error(["measure"], [0.9, 0.1], [step("id", 0)], [step("x", 0)])
    readout = {"type": "roerror", "operations": ["measure"], "probabilities": [[0.9, 0.1], [0.2, 0.8]]}
    local = {**readout, "probabilities": [[1.0, 0.0], [0.0, 1.0]], "gate_qubits": [(1,)]}
    noise = noise_from_qiskit({"errors": [flip, readout, local]})
    expected = {"0": 0.9 * 0.9 + 0.1 * 0.2, "1": 0.9 * 0.1 + 0.1 * 0.8}
    assert qfast.distribution(qfast.Circuit(1, 1).measure(0, 0), noise=noise) == pytest.approx(expected)
    found = qfast.distribution(qfast.Circuit(2, 1).measure(1, 0), noise=noise)
    assert found == pytest.approx({"0": 0.9, "1": 0.1})


def test_errors_at_delays_act_at_id_and_the_object_itself_is_taken() -> None:
    """Half of all delays flip the qubit: Aer reads 1 in half of the shots."""

    class Model:
        def to_dict(self) -> dict[str, Any]:
            return {"errors": [error(["delay"], [0.5, 0.5], [step("id", 0)], [step("x", 0)])]}

    waits = qfast.Circuit(1, 1).id(0).measure(0, 0)  # what from_qiskit(…, delays="id") makes of a delay
    assert qfast.distribution(waits, noise=noise_from_qiskit(Model())) == pytest.approx({"0": 0.5, "1": 0.5})


def test_errors_at_delay_and_others_at_id_are_refused() -> None:
    flips, turns = ([0.5, 0.5], [step("id", 0)], [step("x", 0)]), ([1.0], [step("z", 0)])
    with pytest.raises(InputError, match="error 1 of the Aer noise model stands at 'delay' and error 0 at 'id'"):
        noise_from_qiskit({"errors": [error(["id"], *turns), error(["delay"], *flips)]})
    both = noise_from_qiskit({"errors": [error(["id", "delay"], *flips)]})
    assert len(both.to_dict()["rules"]) == 1


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"errors": [error(["x"], [1.0], [step("warp", 0)])]}, InputError, "error 0 .* holds instruction 'warp'"),
        (
            {"errors": [error(["cnott", "x", "my"], [1.0], [step("x", 0)])]},
            InputError,
            "errors at 'cnott', 'my', which",
        ),
        ({"errors": [{"type": "other"}]}, InputError, "type 'other'"),
        (3, InputError, "int given"),
    ],
)
def test_what_is_no_model_of_aer_is_refused(given: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        noise_from_qiskit(given)


def test_errors_at_strange_instructions_are_left_out_if_told_so() -> None:
    given = {"errors": [error(["my_gate"], [1.0], [step("x", 0)]), error(["x", "other"], [1.0], [step("z", 0)])]}
    noise = noise_from_qiskit(given, unknown="skip")
    assert [rule["gates"] for rule in noise.to_dict()["rules"]] == [["x"]]
    with pytest.raises(InputError, match="unknown='drop' is not known"):
        noise_from_qiskit(given, unknown="drop")  # type: ignore[arg-type]

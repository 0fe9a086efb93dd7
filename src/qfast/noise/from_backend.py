"""Noise of a device, from the calibration figures that IBM's backends publish as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from qfast.circuit.gates import OPCODES
from qfast.errors import InputError
from qfast.noise import channels
from qfast.noise.channel import Channel
from qfast.noise.model import NoiseModel
from qfast.noise.readout import ReadoutError

__all__ = ["Relaxation", "backend_noise"]

Relaxation: TypeAlias = Literal["kraus", "twirled", "none"]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_VIRTUAL = ("rz", "reset", "measure", "delay", "barrier")  # no pulse, or not a gate


def backend_noise(
    properties: Mapping[str, Any] | str | os.PathLike[str], *, relaxation: Relaxation = "twirled"
) -> NoiseModel:
    """Make a noise model of backend properties.

    Parameters
    ----------
    properties : mapping or path
        As IBM's ``backend.properties().to_dict()`` or the ``props_*.json`` of its fake backends has it: ``qubits`` with
        T1, T2, readout errors; ``gates`` with ``gate_error`` and ``gate_length``.
    relaxation : {"twirled", "kraus", "none"}
        What the qubits' T1 and T2 do during a gate: its Pauli twirl, which samples fast; the channel itself; nothing.

    Returns
    -------
    NoiseModel
        For each gate on its qubits: relaxation for its length, and depolarizing noise such that both together have the
        average infidelity ``gate_error``. For each qubit its readout error.

    Raises
    ------
    InputError
        The file cannot be read, a figure is missing or has an unknown unit, or is out of range.

    Notes
    -----
    A measured T2 over 2 T1 is cut to that. ``rz`` is virtual and has no error. The split is that of Qiskit Aer's
    ``NoiseModel.from_backend``.
    """
    if relaxation not in ("twirled", "kraus", "none"):
        raise InputError(f"relaxation {relaxation!r} is unknown; 'twirled', 'kraus' and 'none' are")
    data = _read(properties)
    model = NoiseModel()
    times: list[tuple[float, float] | None] = []
    for qubit, listed in enumerate(data["qubits"]):
        figures = _figures(listed, f"qubit {qubit}")
        t1, t2 = figures.get("T1"), figures.get("T2")
        times.append(None if t1 is None or t2 is None else (t1, min(t2, 2 * t1)))
        error = _readout(figures)
        if error is not None:
            model.add_readout(error, [qubit])
    for gate in data["gates"]:
        name, qubits = gate["gate"], [int(q) for q in gate["qubits"]]
        if name in _VIRTUAL or name not in OPCODES:
            continue
        figures = _figures(gate.get("parameters", []), f"gate {name!r} on {qubits}")
        channel = _gate_channel(figures, [times[q] for q in qubits], relaxation)
        if not channel.is_identity:
            model.add(channel.named(f"{name} {qubits}"), [name], [qubits])
    return model


def _read(properties: Mapping[str, Any] | str | os.PathLike[str]) -> Mapping[str, Any]:
    data: Any = properties
    if not isinstance(properties, Mapping):
        try:
            data = json.loads(Path(properties).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"backend properties cannot be read from {os.fspath(properties)!r}: {error}") from error
    if not isinstance(data, Mapping) or not {"qubits", "gates"} <= data.keys():
        raise InputError("backend properties need the entries 'qubits' and 'gates'; see IBM's props_*.json")
    return data


def _figures(listed: Sequence[Mapping[str, Any]], where: str) -> dict[str, float]:
    """Name → value, times in seconds."""
    found: dict[str, float] = {}
    for entry in listed:
        name, unit = entry.get("name"), entry.get("unit", "")
        if name in ("T1", "T2", "gate_length", "readout_length"):
            if unit not in _SECONDS:
                raise InputError(f"{where}: {name} has unit {unit!r}; known are {', '.join(_SECONDS)}")
            found[name] = float(entry["value"]) * _SECONDS[unit]
        elif name is not None and unit == "":
            found[name] = float(entry["value"])
    return found


def _readout(figures: Mapping[str, float]) -> ReadoutError | None:
    up, down = figures.get("prob_meas1_prep0"), figures.get("prob_meas0_prep1")
    if up is None or down is None:
        up = down = figures.get("readout_error")
    return None if up is None or down is None else ReadoutError.of_flips(up, down)


def _gate_channel(
    figures: Mapping[str, float], times: Sequence[tuple[float, float] | None], relaxation: Relaxation
) -> Channel:
    """Relaxation, and what depolarizing noise is missing to the gate's error."""
    num_qubits = len(times)
    relaxed: Channel | None = None
    length = figures.get("gate_length", 0.0)
    if relaxation != "none" and length > 0 and all(pair is not None for pair in times):
        for pair in times:
            assert pair is not None
            one = channels.thermal_relaxation(*pair, length)
            if relaxation == "twirled":
                one = one.twirled()
            relaxed = one if relaxed is None else relaxed.tensor(one)
    error, dim = figures.get("gate_error", 0.0), 2**num_qubits
    error = min(error, dim / (dim + 1))  # a figure of 1 marks a gate that was not calibrated
    fidelity = 1.0 if relaxed is None else relaxed.average_gate_fidelity()
    missing = max(0.0, error - (1 - fidelity))
    # (1 - q) rho + q/dim after a channel of average fidelity F lowers F by q (F - 1/dim).
    q = missing / (fidelity - 1 / dim)
    depolarizing = channels.depolarizing(min(1.0, q * (1 - 1 / dim**2)), num_qubits)
    return depolarizing if relaxed is None else relaxed.then(depolarizing)

"""Noisy devices from files: calibration figures as IBM's backends publish them, in JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from qfast.devices.device import Device
from qfast.errors import DeviceError
from qfast.noise import backend_noise

__all__ = ["device_from_file", "shipped_devices"]

# What every device takes besides its basis gates.
_ALWAYS = (
    "measure",
    "barrier",
    "if_else",
    "while_loop",
    "for_loop",
    "switch_case",
    "break_loop",
    "continue_loop",
    "assign",
)


def device_from_file(path: str | os.PathLike[str], name: str | None = None) -> Device:
    """Make a noisy device of a file.

    Parameters
    ----------
    path : path
        JSON with the keys of IBM's backend configuration and properties: ``backend_name``, ``n_qubits``,
        ``basis_gates``, ``coupling_map``, ``max_shots``, ``qubits``, ``gates``.
    name : str, optional
        ``provider::name``; default: ``local::`` and the file's ``backend_name``.

    Returns
    -------
    Device
        Not yet on the list, see `add_device`. Its noise model is made when a job first needs it.

    Raises
    ------
    DeviceError
        The file cannot be read or lacks a key.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeviceError(f"device file {os.fspath(path)} cannot be read: {error}") from error
    return _device(data, os.fspath(path), name)


def shipped_devices() -> Iterator[Device]:
    """Yield the devices whose files come with qfast."""
    for file in sorted(resources.files("qfast.devices").joinpath("data").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            yield _device(json.loads(file.read_text(encoding="utf-8")), file.name, None)


def _device(data: Any, source: str, name: str | None) -> Device:
    missing = [key for key in ("backend_name", "n_qubits", "basis_gates", "qubits", "gates") if key not in data]
    if not isinstance(data, Mapping) or missing:
        raise DeviceError(f"device file {source} lacks {', '.join(missing) or 'everything'}; see device_from_file")
    coupling = data.get("coupling_map")
    return Device(
        name or f"local::{data['backend_name']}",
        description=data.get("description", ""),
        gates=(*data["basis_gates"], *_ALWAYS),
        num_qubits=data["n_qubits"],
        max_shots=data.get("max_shots"),
        coupling=None if coupling is None else frozenset((int(a), int(b)) for a, b in coupling),
        make_noise=partial(backend_noise, data),
    )

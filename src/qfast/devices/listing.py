"""The list of devices, by name."""

from __future__ import annotations

import threading

from qfast import config
from qfast.circuit.gates import GATES
from qfast.config.suggestions import nearest
from qfast.devices.device import Device, DeviceProperties
from qfast.devices.device_files import shipped_devices
from qfast.errors import DeviceError

__all__ = ["add_device", "get_device", "list_devices", "list_properties", "remove_device"]

_ALL_GATES = tuple(gate.name for gate in GATES)

_lock = threading.Lock()
_devices: dict[str, Device] = {
    device.name: device
    for device in (
        Device("local::statevector", description="the fastest engine of this machine", gates=_ALL_GATES),
        Device("local::reference", engine="reference", description="plain numpy, for comparison", gates=_ALL_GATES),
        *shipped_devices(),
    )
}


def add_device(device: Device) -> None:
    """Put a device on the list; one of the same name is an error."""
    with _lock:
        if device.name in _devices:
            raise DeviceError(f"device {device.name!r} is on the list already; remove it first, or take another name")
        _devices[device.name] = device


def remove_device(name: str) -> None:
    """Take a device off the list; its jobs go on."""
    full_name = get_device(name).name
    with _lock:
        _devices.pop(full_name, None)


def get_device(name: str | Device | None = None) -> Device:
    """Return a device by ``provider::name``, by the name alone (default provider), or the default one.

    Raises
    ------
    DeviceError
        There is none of this name.
    """
    if isinstance(name, Device):
        return name
    if name is None:
        name = config.get_default_device()
    device = _devices.get(name)
    if device is not None:
        return device
    full_name = "::".join(config.split_device(name, config.get_default_provider()))
    device = _devices.get(full_name)
    if device is None:
        raise DeviceError(
            f"device {full_name!r} does not exist{nearest(full_name, _devices)}; there are: {', '.join(_devices)}"
        )
    return device


def list_devices(provider: str | None = None) -> list[str]:
    """Return the names of all devices, or of one provider's.

    Examples
    --------
    >>> list_devices("local")
    ['local::statevector', 'local::reference', 'local::fake_lagos', 'local::fake_manila']
    """
    with _lock:
        return [name for name, device in _devices.items() if provider in (None, device.provider)]


def list_properties(device: str | Device | None = None) -> DeviceProperties:
    """Describe a device: status, capacity, load, gates, noise.

    Examples
    --------
    >>> list_properties("local::reference").engine
    'reference'
    """
    return get_device(device).properties()

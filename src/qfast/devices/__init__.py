"""Devices: where work runs."""

from __future__ import annotations

from qfast.devices.device import Capacity, Device, DeviceLoad, DeviceProperties, DeviceStatus
from qfast.devices.device_files import device_from_file
from qfast.devices.listing import add_device, get_device, list_devices, list_properties, remove_device

__all__ = [
    "Capacity",
    "Device",
    "DeviceLoad",
    "DeviceProperties",
    "DeviceStatus",
    "add_device",
    "device_from_file",
    "get_device",
    "list_devices",
    "list_properties",
    "remove_device",
]

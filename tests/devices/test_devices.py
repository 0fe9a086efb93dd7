"""The list of devices and what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qfast import config
from qfast.devices import Device, add_device, get_device, list_devices, list_properties, remove_device
from qfast.errors import ConfigError, DeviceError


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device("lab::one", engine="reference", description="for this test")
    add_device(device)
    yield device
    remove_device("lab::one")


def test_the_local_devices_are_on_the_list(device: Device) -> None:
    assert list_devices()[:2] == ["local::statevector", "local::reference"]
    assert list_devices("lab") == ["lab::one"]
    assert list_devices("nobody") == []


def test_a_device_is_found_by_its_names(device: Device) -> None:
    assert get_device("lab::one") is device
    assert get_device(device) is device
    assert get_device().name == "local::statevector"
    assert get_device("reference").name == "local::reference"
    with config.override(default_provider="lab", default_device="one"):
        assert get_device() is device
        assert get_device("one") is device


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("local::statevectr", DeviceError, "did you mean 'local::statevector'"),
        ("lab::none", DeviceError, "there are: local::statevector"),
        ("a::b::c", ConfigError, "provider::name"),
    ],
)
def test_an_unknown_device_is_refused(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        get_device(name)


def test_a_name_is_taken_once(device: Device) -> None:
    with pytest.raises(DeviceError, match="on the list already"):
        add_device(Device("lab::one"))


def test_properties_tell_capacity_load_gates_and_status(device: Device) -> None:
    config.set("workers", 3, device="lab::one")
    config.set("max_total_bytes", "1GiB", device="lab::one")
    config.set("max_shots", 500, device="lab::one")
    try:
        properties = list_properties("lab::one")
    finally:
        for name in ("workers", "max_total_bytes", "max_shots"):
            config.unset(name, device="lab::one")
    capacity = properties.capacity
    assert (capacity.workers, capacity.bytes, capacity.qubits, capacity.shots) == (3, 2**30, 27, 500)
    assert (properties.engine, properties.status, properties.noise) == ("reference", "online", None)
    assert (properties.load.running, properties.load.queued) == (0, 0)
    plain = properties.to_dict()
    assert plain["capacity"]["queue"] is None
    gates = list_properties("local::statevector").gates
    assert {"h", "cx", "rzz", "measure"} <= set(gates)


def test_the_qubits_follow_from_the_memory_of_the_machine() -> None:
    qubits = list_properties("local::statevector").capacity.qubits
    assert 8 << qubits <= config.memory_limit_bytes() < 16 << qubits


def test_the_status_can_be_set_and_is_told_with_its_reason(device: Device) -> None:
    device.set_status("maintenance", "new cables")
    assert (device.status.value, device.reason, device.is_held) == ("maintenance", "new cables", True)
    device.set_status("online")
    assert not device.is_held
    with pytest.raises(ConfigError, match="cannot be 'asleep'; allowed: online, busy, maintenance"):
        device.set_status("asleep")

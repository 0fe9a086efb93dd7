"""A job layer of its own for every test: a clock that the test moves, devices that nobody else uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from qfast import config
from qfast.devices import Device, add_device, remove_device
from qfast.jobs import Runtime
from qfast.pools import ManualClock

_numbers = count()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def alerts() -> list[str]:
    """What was given to ``on_cleanup_failure``."""
    return []


@pytest.fixture
def runtime(clock: ManualClock, alerts: list[str]) -> Iterator[Runtime]:
    runtime = Runtime(
        clock=clock,
        budget_bytes=1 << 24,
        on_cleanup_failure=lambda message, error: alerts.append(f"{message}: {error}"),
    )
    yield runtime
    assert runtime.close(20)
    buffers = runtime.buffers.statistics()
    assert (buffers.leases - (buffers.exported > 0), buffers.waiters, buffers.leaked) == (0, 0, 0)


@pytest.fixture
def make_device() -> Iterator[Callable[..., Device]]:
    """Make devices on the list, with a number of workers."""
    made: list[tuple[Device, list[str]]] = []

    def make(workers: int = 1, **settings: object) -> Device:
        device = Device(f"test::device{next(_numbers)}")
        add_device(device)
        values = {"workers": workers, **settings}
        for name, value in values.items():
            config.set(name, value, device=device.name)
        made.append((device, list(values)))
        return device

    yield make
    for device, names in made:
        remove_device(device.name)
        for name in names:
            config.unset(name, device=device.name)


@pytest.fixture
def device(make_device: Callable[..., Device]) -> Device:
    """A device with one worker."""
    return make_device(1)

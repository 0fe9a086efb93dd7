"""Works for the tests of the job layer: each does one thing, and says when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from qfast.config import Snapshot
from qfast.devices import Device
from qfast.jobs import Job, Requirements, Runtime
from qfast.jobs.context import JobContext

RELEASED = ("UNLOAD", "resources_released")
WAIT_S = 20.0
"""How long a test waits for another thread before it fails; nothing takes that long."""


class Plain:
    """Runs a function of its context; keeps a record of its phases."""

    name = "plain"

    def __init__(self, action: Callable[[JobContext], Any] = lambda context: None, **needs: Any) -> None:
        self.action = action
        self.needs = Requirements(**needs)
        self.phases: list[str] = []

    def requirements(self, settings: Snapshot) -> Requirements:
        return self.needs

    def load(self, context: JobContext) -> None:
        self.phases.append("load")

    def execute(self, context: JobContext) -> Any:
        self.phases.append("execute")
        return self.action(context)

    def unload(self, context: JobContext) -> None:
        self.phases.append("unload")


class Gated(Plain):
    """Begins, says so, and goes on when it is let, or when it is told to stop."""

    def __init__(self, value: Any = None, **needs: Any) -> None:
        super().__init__(self._wait, **needs)
        self.value = value
        self.begun = threading.Event()
        self.gate = threading.Event()

    def _wait(self, context: JobContext) -> Any:
        context.cancellation.subscribe(self.gate.set)
        self.begun.set()
        assert self.gate.wait(WAIT_S)
        context.check_cancelled()
        return self.value

    def wait_begun(self) -> None:
        assert self.begun.wait(WAIT_S)

    def let(self) -> None:
        self.gate.set()


class Failing(Plain):
    """Fails its first ``times`` attempts with ``make_error()``, then returns how often it was tried."""

    def __init__(self, make_error: Callable[[], BaseException], times: int = 10**9, **needs: Any) -> None:
        super().__init__(self._try, **needs)
        self.make_error = make_error
        self.times = times
        self.attempts = 0

    def _try(self, context: JobContext) -> int:
        self.attempts += 1
        if self.attempts <= self.times:
            raise self.make_error()
        return self.attempts


def check_nothing_left(job: Job, runtime: Runtime, device: Device) -> None:
    """Assert that a job was unloaded and that neither its device nor the buffers know of it any more."""
    assert job.execution_log[-1] == RELEASED
    assert (job.telemetry["leases"], job.telemetry["bytes"]) == (0, 0)
    load = runtime.scheduler(device).load()
    assert (load.running, load.queued, load.bytes) == (0, 0, 0)
    assert runtime.buffers.statistics().leases == 0

"""Ctrl-C at every place of submitting, cancelling, closing and waiting: the device serves, and the books add up."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Callable

import pytest

import qfast
from qfast import config
from qfast.devices import Device
from qfast.engines.memory import state_allocator
from qfast.jobs import Batch, Job, Runtime, Session, run, submit
from qfast.pools import Lifecycle
from qfast.pools.recovery import recover_soon
from tests.interrupts import InterruptAt, every_place
from tests.jobs.works import WAIT_S, Gated, Plain

BELL = qfast.Circuit(2, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
WATCHED = ("qfast/jobs", "qfast/pools", "concurrent/futures", "threading.py")
# Every place is too many for every run; coprime steps come by all kinds of them.
STEP = 11

Use = Callable[[Session | Batch, Job], object]


class Stage:
    """A device with a job that runs, and one that waits, of a session; and a second session."""

    def __init__(self, runtime: Runtime, device: Device, kind: type[Session | Batch], is_busy: bool) -> None:
        self.runtime, self.device = runtime, device
        self.gate = Gated()
        self.group = kind(device, runtime=runtime)
        self.other = Session(device, runtime=runtime)
        if is_busy:
            self.first = submit(self.gate, device=device, runtime=runtime)
            self.gate.wait_begun()
            self.waiting = self.group.submit(Plain())
            self.other.submit(Plain())
        else:
            self.gate.let()
            self.first = submit(Plain(), device=device, runtime=runtime)
            self.waiting = self.group.submit(Plain())

    def check(self, interrupt: InterruptAt) -> None:
        """Check that everything ends, that the device serves, and that nothing is left."""
        self.gate.let()
        assert self.other.submit(Plain(lambda _: 7)).result(WAIT_S) == 7, interrupt
        assert submit(Plain(lambda _: 8), device=self.device, runtime=self.runtime).result(WAIT_S) == 8, interrupt
        for group in (self.group, self.other):
            assert group.close(wait=True, timeout_s=WAIT_S), interrupt
            assert all(job.done() for job in group.jobs), interrupt
            assert group.state is Lifecycle.CLOSED, interrupt
            metrics = group.metrics()
            ended = (metrics.completed, metrics.failed, metrics.cancelled)
            assert sum(ended) >= metrics.submitted == len(group.jobs), interrupt
            assert (metrics.queued, metrics.running) == (0, 0), interrupt
        assert (config.get("execution_mode"), state_allocator.get()) == ("async", None), interrupt


USES: dict[str, Use] = {
    "submit": lambda group, waiting: group.run(BELL, shots=10, seed=1),
    "submit without a session": lambda group, waiting: run(
        BELL, shots=10, device=group.devices[0], runtime=group._runtime
    ),
    "cancel": lambda group, waiting: waiting.cancel(),
    "cancel a session": lambda group, waiting: group.cancel(),
    "interrupt a session": lambda group, waiting: group.cancel(interrupt=True),
    "close": lambda group, waiting: group.close(),
}


@pytest.mark.parametrize("kind", [Session, Batch])
@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_ctrl_c_anywhere(
    device: Device, monkeypatch: pytest.MonkeyPatch, kind: type[Session | Batch], is_busy: bool, use: Use
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # it may strike inside a finalizer
    runtime = Runtime(budget_bytes=1 << 24)
    for interrupt in every_place(*WATCHED, step=STEP):
        stage = Stage(runtime, device, kind, is_busy)
        with interrupt:
            use(stage.group, stage.waiting)
        stage.check(interrupt)
    assert interrupt.place > 5 * STEP
    check_empty(runtime, device)


@pytest.mark.parametrize("wait", [Job.result, Job.exception, Job.wait])
def test_ctrl_c_anywhere_while_waiting_leaves_a_job_that_goes_on(
    device: Device, monkeypatch: pytest.MonkeyPatch, wait: Callable[[Job, float], object]
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    runtime = Runtime(budget_bytes=1 << 24)
    for interrupt in every_place(*WATCHED):
        gate = Gated(5)
        job = submit(gate, device=device, runtime=runtime)
        with interrupt, pytest.raises(TimeoutError):
            wait(job, 0.001)
        assert not job.done()
        gate.let()
        assert job.result(WAIT_S) == 5, interrupt
    check_empty(runtime, device)


@pytest.mark.parametrize("engine", ["native", "numba", "reference"])
@pytest.mark.parametrize("mode", ["async", "sync"])
def test_ctrl_c_anywhere_in_a_run_by_the_caller(
    device: Device, monkeypatch: pytest.MonkeyPatch, engine: str, mode: str
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    runtime = Runtime(budget_bytes=1 << 24)
    options = {"execution_mode": mode, "engine": engine}
    circuit = qfast.Circuit(3).h(0).cx(0, 1)
    run(circuit, device=device, runtime=runtime, options=options).result(WAIT_S)
    for interrupt in every_place("qfast", "concurrent/futures", "threading.py", step=4 * STEP + 1):
        session = Session(device, runtime=runtime, options=options)
        with interrupt:
            session.run(circuit).result(WAIT_S)
        assert session.run(circuit).result(WAIT_S).norm() == pytest.approx(1.0), interrupt
        assert session.close(wait=True, timeout_s=WAIT_S), interrupt
        assert all(job.done() for job in session.jobs), interrupt
    assert interrupt.place > 50 * STEP
    del session
    check_empty(runtime, device)


class Marker:
    """Passes through the recovery's thread: when it has, everything before it is done."""

    def __init__(self) -> None:
        self.passed = threading.Event()

    def recover(self) -> None:
        self.passed.set()


def check_empty(runtime: Runtime, device: Device) -> None:
    marker = Marker()
    recover_soon((marker,))
    assert marker.passed.wait(WAIT_S)
    gc.collect()  # what was lost lies in frames of tracebacks
    scheduler = runtime.scheduler(device)
    assert scheduler.wait_until_idle(WAIT_S)
    load, buffers = scheduler.load(), runtime.buffers.statistics()
    assert (load.running, load.queued, buffers.leases, buffers.leased, buffers.waiters) == (0, 0, 0, 0, 0)
    assert not scheduler._live
    assert runtime.close(WAIT_S)


def test_leaving_a_block_by_ctrl_c_stops_its_job(runtime: Runtime, device: Device) -> None:
    gate = Gated()
    job = submit(gate, device=device, runtime=runtime)
    with contextlib.suppress(KeyboardInterrupt), job:
        gate.wait_begun()
        raise KeyboardInterrupt
    with pytest.raises(qfast.errors.JobCancelledError):
        job.result(WAIT_S)

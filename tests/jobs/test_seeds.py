"""Claims of the seed documents that no other test shows by itself."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

import pytest

import qfast
from qfast import config
from qfast.config.providers import Providers
from qfast.config.registry import Registry
from qfast.config.tokens import TokenStore
from qfast.devices import Device
from qfast.errors import ConfigError
from qfast.jobs import Batch, JobStatus, Runtime, Session, submit
from qfast.jobs.context import JobContext
from qfast.pools import Lifecycle
from tests.jobs.works import WAIT_S, Gated, Plain

_left_behind: contextvars.ContextVar[str] = contextvars.ContextVar("left_behind", default="nothing")


def test_closing_gives_back_the_worker_the_memory_and_the_plans_context(
    runtime: Runtime, make_device: Callable[..., Device]
) -> None:
    device = make_device(2)
    session = Session(device, runtime=runtime, options={"precision": "complex64"})
    first = Gated()
    submit(first, device=device, runtime=runtime)
    first.wait_begun()
    second = Gated()
    waiting = submit(second, device=device, runtime=runtime)
    assert waiting.status() is JobStatus.QUEUED, "the other worker is the session's"
    state = session.run(qfast.Circuit(12).h(0)).result(WAIT_S)
    session.close()
    second.wait_begun()
    first.let()
    second.let()
    assert waiting.result(WAIT_S) is None
    assert (session.state, runtime.buffers.statistics().leased) == (Lifecycle.CLOSED, 8 << 12)
    del state, session
    assert runtime.buffers.statistics().leased == 0
    assert config.get("precision") == "complex128"


@pytest.mark.parametrize("kind", [Session, Batch])
def test_every_job_begins_in_a_fresh_context(runtime: Runtime, device: Device, kind: type[Session | Batch]) -> None:
    seen: list[tuple[str, str, int, int]] = []

    def look(context: JobContext) -> None:
        seen.append((_left_behind.get(), config.get("precision"), len(context._leases), len(context._lines)))
        _left_behind.set("something")
        context.allocate(10, "complex128")
        context.log("a line")

    group = kind(device, runtime=runtime)
    for _ in range(3):
        group.submit(Plain(look)).result(WAIT_S)
    assert seen == [("nothing", "complex128", 0, 1)] * 3  # the one line is LOAD's
    assert _left_behind.get() == "nothing"


def test_memory_is_given_back_while_the_job_still_runs(runtime: Runtime, device: Device) -> None:
    gauge: list[int] = []

    def shrink(context: JobContext) -> None:
        arrays = [context.allocate(12, "complex128") for _ in range(3)]
        while arrays:
            gauge.append(runtime.buffers.statistics().leased)
            arrays.pop()
        gauge.append(runtime.buffers.statistics().leased)

    job = submit(Plain(shrink), device=device, runtime=runtime)
    job.result(WAIT_S)
    assert gauge == [3 << 16, 2 << 16, 1 << 16, 0]
    assert job.telemetry["peak_bytes"] == 3 << 16


def test_tokens_are_set_and_read_by_many_threads_at_once() -> None:
    providers = Providers(Registry({}), TokenStore({}))
    wrong: list[str] = []

    def use(name: str) -> None:
        for number in range(300):
            providers.set_token(f"{name}-{number}", provider=name)
            token = providers.get_token(provider=name)
            if token is None or token.reveal() != f"{name}-{number}":
                wrong.append(name)

    threads = [threading.Thread(target=use, args=(f"p{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_sessions_are_used_by_many_threads_at_once(runtime: Runtime, make_device: Callable[..., Device]) -> None:
    session = Session(make_device(2), runtime=runtime)
    found: list[int] = []

    def use(name: int) -> None:
        for number in range(40):
            job = session.submit(Plain(lambda _, v=name * 100 + number: v))
            if number % 4 == 3:
                job.cancel()
            else:
                found.append(job.result(WAIT_S))

    threads = [threading.Thread(target=use, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.close(wait=True, timeout_s=WAIT_S)
    assert sorted(found) == [n * 100 + k for n in range(5) for k in range(40) if k % 4 != 3]
    metrics = session.metrics()
    assert metrics.completed + metrics.cancelled == metrics.submitted == 200


def test_a_gpu_is_not_taken_for_a_cpu() -> None:
    """The seed's word for cuPyNumeric is ``gpu``; without the library it is an error, never a silent numpy."""
    if config.normalize_backend_name("gpu") != "cupynumeric":
        pytest.fail("gpu names cuPyNumeric")
    with (
        config.override(array_backend="gpu", engine="reference"),
        pytest.raises((ConfigError, qfast.errors.EngineError), match="cupynumeric"),
    ):
        qfast.simulate(qfast.Circuit(1).h(0))

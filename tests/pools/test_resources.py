"""State buffers and workers."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

from qfast._typing import AnyArray, Precision
from qfast.errors import CapacityError
from qfast.pools import StateBuffers, make_worker_pool


@pytest.fixture
def buffers() -> StateBuffers:
    buffers = StateBuffers(1 << 20)
    buffers.open()
    return buffers


def address(array: AnyArray) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.parametrize("precision", ["complex64", "complex128"])
@pytest.mark.parametrize("num_qubits", [0, 1, 2, 8, 9, 12])
def test_a_buffer_has_the_size_and_the_alignment_of_its_state(
    buffers: StateBuffers, precision: Precision, num_qubits: int
) -> None:
    array, lease = buffers.allocate(num_qubits, precision)
    assert array.shape == (2**num_qubits,)
    assert array.dtype == np.dtype(precision)
    assert address(array) % 64 == 0
    assert array.flags.writeable
    assert array.flags.c_contiguous
    assert lease.size == max(4096, array.nbytes)


def test_the_second_lease_of_a_size_allocates_nothing(buffers: StateBuffers) -> None:
    first, _ = buffers.allocate(12, "complex128")
    where = address(first)
    del first
    second, _ = buffers.allocate(13, "complex64")
    assert address(second) == where, "8192 complex64 are as many bytes as 4096 complex128"
    assert (buffers.statistics().created, buffers.statistics().reused) == (1, 1)


def test_a_tenant_never_sees_anothers_amplitudes(buffers: StateBuffers) -> None:
    for overwrite, expected in ((False, 0), (True, 7)):
        one, _ = buffers.allocate(10, "complex128", tenant="a")
        one[:] = 7
        del one
        other, _ = buffers.allocate(10, "complex128", tenant="b", overwrite=overwrite)
        assert np.all(other == expected)
        del other


def test_a_results_memory_comes_back_when_its_last_view_dies(buffers: StateBuffers) -> None:
    result, lease = buffers.allocate(10, "complex128", job="j")
    result[:] = 3
    assert buffers.export(lease)
    view = result[5:].reshape(-1)
    del result
    gc.collect()
    assert buffers.statistics().exported == 16 << 10
    assert np.all(view == 3)
    view[0] = 1
    del view
    gc.collect()
    s = buffers.statistics()
    assert (s.leases, s.exported, s.idle, s.leaked) == (0, 0, 16 << 10, 0)
    assert not buffers.export(lease)


def test_results_alone_can_fill_the_budget(buffers: StateBuffers) -> None:
    kept = []
    for _ in range(4):
        array, lease = buffers.allocate(14, "complex128")
        buffers.export(lease)
        kept.append(array)
    del array, lease
    with pytest.raises(CapacityError, match="1048576 are held by results"):
        buffers.allocate(14, "complex128")
    kept.pop()
    buffers.allocate(14, "complex128")


def test_a_worker_runs_its_tasks_in_order_and_survives_a_failing_one(caplog: pytest.LogCaptureFixture) -> None:
    pool = make_worker_pool(2)
    pool.open()
    lease = pool.acquire()
    done = threading.Event()
    seen: list[str] = []
    lease.resource.run(lambda: seen.append(threading.current_thread().name))
    lease.resource.run(lambda: [][0])
    lease.resource.run(done.set)
    assert done.wait(10)
    assert seen == [lease.resource.name]
    assert "a task failed" in caplog.text
    worker = lease.resource
    lease.release()
    assert pool.acquire().resource is worker
    gc.collect()  # that lease is lost, and its worker with it
    assert pool.close()


def test_a_dead_worker_is_replaced() -> None:
    pool = make_worker_pool(1)
    pool.open()
    lease = pool.acquire()
    worker = lease.resource
    worker.run(lambda: None)
    worker.stop()
    assert worker.join(10)
    lease.release()
    with pool.acquire() as other:
        assert other is not worker
    assert pool.statistics().cleanup_failures == 1
    pool.close()


def test_closing_ends_the_threads() -> None:
    pool = make_worker_pool(3)
    pool.open()
    leases = [pool.acquire() for _ in range(3)]
    workers = [lease.resource for lease in leases]
    for lease in leases:
        lease.resource.run(lambda: None)
        lease.release()
    assert pool.close()
    assert all(worker.join(10) for worker in workers)


def test_a_forgotten_worker_ends_its_thread() -> None:
    from qfast.pools import Worker

    worker = Worker()
    worker.run(lambda: None)
    thread = worker._thread
    assert thread is not None
    del worker
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()

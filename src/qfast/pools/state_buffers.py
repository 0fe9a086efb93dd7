"""State buffers: aligned memory for amplitudes, reused by size class, zeroed between tenants."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from qfast._typing import AnyArray, Precision
from qfast.engines._memory import allocate_state, check_memory, state_bytes
from qfast.pools.cancellation import Cancellation
from qfast.pools.lease import Lease
from qfast.pools.pool import Pool
from qfast.pools.statistics import PoolStatistics

__all__ = ["StateBuffer", "StateBuffers", "size_class"]

_log = logging.getLogger("qfast.pools")

# Buffers below a page share one class: the smallest states are not worth pools of their own.
_SMALLEST_QUBITS = 8


class StateBuffers:
    """A pool of state buffers.

    Parameters
    ----------
    budget_bytes : int
        The most that leased and idle buffers may hold together.
    keep_idle : bool
        False: every buffer is new.
    options
        For `Pool`: ``max_per_tenant``, ``max_per_job``, ``max_waiters``, ``on_cleanup_failure``, ``clock``.
    """

    def __init__(self, budget_bytes: int, *, keep_idle: bool = True, **options: Any) -> None:
        self.pool: Pool[AnyArray] = Pool(
            "state buffers", _create, budget=budget_bytes, unit="bytes", reset=_zero, keep_idle=keep_idle, **options
        )

    def lease(
        self,
        num_qubits: int,
        precision: Precision,
        *,
        tenant: str = "local",
        job: str = "",
        overwrite: bool = False,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> StateBuffer:
        """Lease memory for one state; see `Pool.acquire` for the arguments and the errors.

        Notes
        -----
        The content is unspecified, but never another tenant's: a buffer that changes hands is zeroed unless
        ``overwrite`` promises that the engine writes all of it first.
        """
        lease = self.pool.acquire(
            size_class(num_qubits, precision),
            tenant=tenant,
            job=job,
            overwrite=overwrite,
            timeout_s=timeout_s,
            cancellation=cancellation,
        )
        return StateBuffer(lease, num_qubits, precision)

    def open(self) -> None:
        """Begin to give leases."""
        self.pool.open()

    def close(self, timeout_s: float | None = 0.0) -> bool:
        """See `Pool.close`."""
        return self.pool.close(timeout_s)

    def statistics(self) -> PoolStatistics:
        """See `Pool.statistics`; amounts are bytes."""
        return self.pool.statistics()


class StateBuffer:
    """A leased buffer.

    Attributes
    ----------
    array : ndarray, shape (2**num_qubits,), complex64 or complex128
        64-byte aligned. Not to be used after `release`.
    lease : Lease
    """

    __slots__ = ("array", "lease")

    def __init__(self, lease: Lease[AnyArray], num_qubits: int, precision: Precision) -> None:
        self.lease = lease
        self.array: AnyArray = lease.resource.view(precision)[: 1 << num_qubits]

    def release(self) -> None:
        """Return the memory; the array must not be used any more."""
        self.array = self.array[:0]
        self.lease.release()

    def to_result(self) -> AnyArray:
        """Return the array as one that owns the lease: the memory comes back when the last view of it dies."""
        array = np.asarray(_Exported(self.lease, self.array))
        self.array = self.array[:0]
        return array


class _Exported:
    """The base of a result array. numpy keeps it alive as long as any view lives."""

    __slots__ = ("__array_interface__", "_lease")

    def __init__(self, lease: Lease[AnyArray], array: AnyArray) -> None:
        lease.pool.export(lease)
        self._lease = lease
        self.__array_interface__ = array.__array_interface__

    def __del__(self) -> None:
        self._lease.pool.release_soon(self._lease)


def size_class(num_qubits: int, precision: Precision) -> int:
    """Return the bytes that a lease of one state is charged."""
    return max(state_bytes(num_qubits, precision), state_bytes(_SMALLEST_QUBITS, "complex128"))


def _create(size_bytes: int) -> AnyArray:
    num_qubits = size_bytes.bit_length() - 1 - 4  # 16 bytes an amplitude
    check_memory(size_bytes, f"a state buffer of {size_bytes} bytes", amplitude_bytes=16)
    return allocate_state(num_qubits, "complex128")


def _zero(buffer: AnyArray) -> None:
    buffer.fill(0)

"""State buffers: aligned memory for amplitudes, reused by size class, zeroed between tenants."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from qfast._typing import AnyArray, Precision
from qfast.engines.memory import allocate_new_state, check_memory, state_bytes
from qfast.pools.cancellation import Cancellation
from qfast.pools.lease import Lease
from qfast.pools.pool import Pool

__all__ = ["Memory", "StateBuffers", "size_class", "state_array"]

# Buffers below a page share one class: the smallest states are not worth classes of their own.
_SMALLEST_BYTES = 4096
_AMPLITUDE_BYTES = 16
_TYPES: dict[Precision, str] = {p: np.dtype(p).str for p in ("complex64", "complex128")}


@dataclass(slots=True)
class Memory:
    """The resource: an array of bytes that are charged, and where it lies."""

    array: AnyArray
    address: int


class StateBuffers(Pool[Memory]):
    """A pool of state buffers.

    Parameters
    ----------
    budget_bytes : int
        The most that leased and idle buffers may hold together.
    options
        For `Pool`: ``keep_idle``, ``max_per_tenant``, ``max_per_job``, ``max_waiters``, ``on_cleanup_failure``,
        ``clock``.
    """

    def __init__(self, budget_bytes: int, **options: Any) -> None:
        super().__init__("state buffers", _create, budget=budget_bytes, unit="bytes", reset=_zero, **options)

    def allocate(
        self,
        num_qubits: int,
        precision: Precision,
        *,
        tenant: str = "local",
        job: str = "",
        overwrite: bool = False,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> tuple[AnyArray, Lease[Memory]]:
        """Lease memory for one state as an array that returns its lease when its last view dies.

        Parameters
        ----------
        num_qubits : int
        precision : {"complex64", "complex128"}
        tenant, job, overwrite, timeout_s, cancellation
            As for `Pool.acquire`, whose errors it has.

        Returns
        -------
        array : ndarray, shape (2**num_qubits,)
            64-byte aligned.
        lease : Lease
            To look at; the array returns it.

        Notes
        -----
        The content is unspecified, but never another tenant's: a buffer that changes hands is zeroed unless
        ``overwrite`` promises that all of it is written before it shows.
        """
        lease = self.acquire(
            size_class(num_qubits, precision),
            tenant=tenant,
            job=job,
            overwrite=overwrite,
            timeout_s=timeout_s,
            cancellation=cancellation,
        )
        return state_array(lease, num_qubits, precision), lease


def state_array(lease: Lease[Memory], num_qubits: int, precision: Precision) -> AnyArray:
    """Return the memory of a lease as a state; the lease is returned when the array's last view dies."""
    return np.asarray(_Owner(lease, num_qubits, precision))


class _Owner:
    """The base of a leased array. numpy keeps it alive as long as any view lives."""

    __slots__ = ("__array_interface__", "__weakref__", "_lease")

    def __init__(self, lease: Lease[Memory], num_qubits: int, precision: Precision) -> None:
        grant, holder = lease.grant, weakref.ref(self)
        self._lease, grant.holder, grant.is_silent = lease, holder, True
        self.__array_interface__ = {
            "version": 3,
            "data": (lease.resource.address, False),
            "shape": (1 << num_qubits,),
            "typestr": _TYPES[precision],
        }

    def __del__(self) -> None:
        lease = getattr(self, "_lease", None)  # absent when Ctrl-C broke off __init__
        if lease is not None:
            lease.pool.release_soon(lease)


def size_class(num_qubits: int, precision: Precision) -> int:
    """Return the bytes that the lease of one state is charged."""
    return max(state_bytes(num_qubits, precision), _SMALLEST_BYTES)


def _create(size_bytes: int) -> Memory:
    check_memory(size_bytes, f"a state buffer of {size_bytes} bytes", amplitude_bytes=_AMPLITUDE_BYTES)
    array = allocate_new_state((size_bytes // _AMPLITUDE_BYTES).bit_length() - 1, "complex128")
    return Memory(array, array.__array_interface__["data"][0])


def _zero(memory: Memory) -> None:
    memory.array.fill(0)

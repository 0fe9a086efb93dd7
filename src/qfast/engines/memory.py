"""Memory of states: what this process may use, the check before work starts, and the buffers themselves."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import numpy as np

from qfast import config
from qfast._typing import AnyArray, Precision
from qfast.config import MemoryLimits
from qfast.engines.interface import AMPLITUDE_BYTES
from qfast.errors import CapacityError
from qfast.extension import core

_ALIGNMENT = 64
_MAX_QUBITS = 48  # what 64-bit addresses reach
# Reading the limits takes some 150 µs, and a machine that runs Python has this much.
_UNCHECKED_BYTES = 16 << 20


def memory_limits() -> MemoryLimits:
    """Read the limits now: the core's reading where it is there, otherwise `qfast.config`'s of the same files."""
    return config.memory_limits() if core is None else MemoryLimits(*core.memory_limit())


def check_memory(needed_bytes: int, what: str, *, amplitude_bytes: int, limit_bytes: int | None = None) -> None:
    """Refuse work that does not fit, before anything is allocated.

    Parameters
    ----------
    needed_bytes : int
        Bytes the work will allocate at its peak.
    what : str
        What needs them, for the message.
    amplitude_bytes : int
        8 or 16, for the largest number of qubits that fits.
    limit_bytes : int, optional
        A tighter limit that the caller set.

    Raises
    ------
    CapacityError
    """
    if needed_bytes <= _UNCHECKED_BYTES and limit_bytes is None:
        return
    available, source = _available(limit_bytes)
    if needed_bytes > available:
        raise CapacityError(_does_not_fit(what, format_bytes(needed_bytes), available, source, amplitude_bytes))


def check_qubits(num_qubits: int, precision: Precision) -> None:
    """Refuse more qubits than any machine holds, before their size is even computed.

    Raises
    ------
    CapacityError
    """
    if num_qubits > _MAX_QUBITS:
        amplitude_bytes = AMPLITUDE_BYTES[precision]
        needed = f"2**{num_qubits + amplitude_bytes.bit_length() - 1} bytes"
        what = f"a state of {num_qubits} qubits in {precision}"
        raise CapacityError(_does_not_fit(what, needed, *_available(None), amplitude_bytes))


def _available(limit_bytes: int | None) -> tuple[int, str]:
    available = memory_limits().available_bytes
    if limit_bytes is not None and limit_bytes < available:
        return limit_bytes, "allowed by the setting max_job_bytes"
    return available, "available under this process's memory limit"


def _does_not_fit(what: str, needed: str, available: int, source: str, amplitude_bytes: int) -> str:
    fits = max((available // amplitude_bytes).bit_length() - 1, 0)
    return (
        f"{what} needs {needed}, but {format_bytes(available)} are {source}; "
        f"the largest state of this precision that fits has {fits} qubits"
    )


def state_bytes(num_qubits: int, precision: Precision) -> int:
    """Bytes of one state."""
    return AMPLITUDE_BYTES[precision] << num_qubits


def density_bytes(num_qubits: int, precision: Precision) -> int:
    """Return the memory of a run with a density matrix at its peak: the matrix, and two copies at a channel."""
    return 3 * state_bytes(2 * num_qubits, precision)


# The job layer puts its pool here, so that a job's states are leased, limited and accounted for.
state_allocator: ContextVar[Callable[[int, Precision], AnyArray] | None] = ContextVar("state_allocator", default=None)


def allocate_state(num_qubits: int, precision: Precision) -> AnyArray:
    """Return an uninitialised state, 64-byte aligned; inside a job it comes from the job's pool."""
    allocator = state_allocator.get()
    return allocate_new_state(num_qubits, precision) if allocator is None else allocator(num_qubits, precision)


def allocate_new_state(num_qubits: int, precision: Precision) -> AnyArray:
    """Return an uninitialised state, 64-byte aligned; the core's are recycled when the array dies."""
    if core is not None:
        state: AnyArray = core.allocate_state(num_qubits, "F" if precision == "complex64" else "D")
        return state
    size = state_bytes(num_qubits, precision)
    try:
        raw = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    except (MemoryError, ValueError) as error:  # ValueError: more than an array can have
        raise CapacityError(f"a state of {num_qubits} qubits needs {format_bytes(size)}: {error}") from error
    offset = -raw.ctypes.data % _ALIGNMENT
    return raw[offset : offset + size].view(precision)


def format_bytes(size: int) -> str:
    """Write a number of bytes, exactly and readably."""
    for unit, shift in (("TiB", 40), ("GiB", 30), ("MiB", 20)):
        if size >= 1 << shift:
            return f"{size} bytes ({size / (1 << shift):.1f} {unit})"
    return f"{size} bytes"

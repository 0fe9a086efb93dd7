"""Memory limits and state buffers."""

from __future__ import annotations

import numpy as np
import pytest

from qfast import config
from qfast.config import MemoryLimits
from qfast.engines import memory
from qfast.engines.memory import allocate_state, check_memory, check_qubits, memory_limits
from qfast.errors import CapacityError

GIB = 1 << 30


def test_the_core_and_the_python_reader_find_the_same_limit() -> None:
    limits, read_by_python = memory_limits(), config.memory_limits()
    assert limits.limit_bytes == read_by_python.limit_bytes
    assert limits.available_bytes == pytest.approx(read_by_python.available_bytes, rel=0.2), "others use memory, too"


def test_what_does_not_fit_is_refused_with_need_supply_and_the_largest_that_fits(monkeypatch) -> None:
    monkeypatch.setattr(memory, "memory_limits", lambda: MemoryLimits(4 * GIB, 3 * GIB))
    message = (
        r"a state needs 4294967296 bytes \(4.0 GiB\), but 3221225472 bytes \(3.0 GiB\) are available under this "
        r"process's memory limit; the largest state of this precision that fits has 27 qubits"
    )
    with pytest.raises(CapacityError, match=message):
        check_memory(4 * GIB, "a state", amplitude_bytes=16)
    check_memory(3 * GIB, "a state", amplitude_bytes=16)


def test_a_job_limit_that_is_tighter_is_named() -> None:
    with pytest.raises(CapacityError, match=r"1000 bytes are allowed by the setting max_job_bytes.*has 5 qubits"):
        check_memory(2000, "a state", amplitude_bytes=16, limit_bytes=1000)


def test_absurd_numbers_of_qubits_are_refused_before_their_size_is_computed() -> None:
    with pytest.raises(CapacityError, match=r"2147483647 qubits in complex64 needs 2\*\*2147483650 bytes"):
        check_qubits(2**31 - 1, "complex64")


@pytest.mark.parametrize("core", [True, False])
@pytest.mark.parametrize("num_qubits", [0, 1, 5, 18])
def test_states_are_aligned_to_64_bytes(monkeypatch, precision, num_qubits, core) -> None:
    if not core:
        monkeypatch.setattr(memory, "core", None)
    state = allocate_state(num_qubits, precision)
    assert state.shape == (1 << num_qubits,)
    assert state.dtype == np.dtype(precision)
    assert state.ctypes.data % 64 == 0
    assert state.flags.c_contiguous
    assert state.flags.writeable

"""Memory limits and state buffers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qfast.engines import _memory
from qfast.engines._memory import MemoryLimits, allocate_state, check_memory, check_qubits, read_limits
from qfast.errors import CapacityError

GIB = 1 << 30


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MACHINE = {"proc/meminfo": "MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\n"}


def test_without_a_cgroup_the_machine_is_the_limit(tmp_path) -> None:
    assert read_limits(write(tmp_path, MACHINE)) == MemoryLimits(16 * GIB, 8 * GIB)


def test_a_cgroup_of_version_2_bounds_what_is_available(tmp_path) -> None:
    files = {
        **MACHINE,
        "proc/self/cgroup": "0::/job\n",
        "sys/fs/cgroup/job/memory.max": str(2 * GIB),
        "sys/fs/cgroup/job/memory.current": str(GIB + 1000),
        "sys/fs/cgroup/job/memory.stat": "anon 5\ninactive_file 1000\n",
    }
    assert read_limits(write(tmp_path, files)) == MemoryLimits(2 * GIB, GIB)


def test_a_cgroup_of_version_1_bounds_what_is_available(tmp_path) -> None:
    files = {
        **MACHINE,
        "proc/self/cgroup": "9:cpu,memory:/job\n",
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": str(4 * GIB),
        "sys/fs/cgroup/memory/job/memory.usage_in_bytes": str(GIB),
    }
    assert read_limits(write(tmp_path, files)) == MemoryLimits(4 * GIB, 3 * GIB)


def test_a_cgroup_without_a_limit_changes_nothing(tmp_path) -> None:
    files = {
        **MACHINE,
        "sys/fs/cgroup/memory.max": "max",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
    }
    assert read_limits(write(tmp_path, files)) == MemoryLimits(16 * GIB, 8 * GIB)


def test_a_system_that_does_not_tell_gives_zeros(tmp_path) -> None:
    assert read_limits(tmp_path) == MemoryLimits(0, 0)


def test_what_does_not_fit_is_refused_with_need_supply_and_the_largest_that_fits(monkeypatch) -> None:
    monkeypatch.setattr(_memory, "memory_limits", lambda: MemoryLimits(4 * GIB, 3 * GIB))
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
        monkeypatch.setattr(_memory, "core", None)
    state = allocate_state(num_qubits, precision)
    assert state.shape == (1 << num_qubits,)
    assert state.dtype == np.dtype(precision)
    assert state.ctypes.data % 64 == 0
    assert state.flags.c_contiguous
    assert state.flags.writeable

"""What this process may use of the machine: affinity, cgroup, SLURM and MPI limits."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from qfast.config import machine

_LIMITS = ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK", "OMPI_COMM_WORLD_LOCAL_SIZE")


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cgroup v2 tree of our own: the process is in /jobs/one."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/jobs/one\n")
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 1000 kB\nMemAvailable: 800 kB\n")
    folder = tmp_path / "cgroup" / "jobs" / "one"
    folder.mkdir(parents=True)
    monkeypatch.setattr(machine, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "_CGROUP_ROOT", tmp_path / "cgroup")
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    return folder


def test_threads_respect_affinity_quota_and_slurm(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cpu_count({}) == 16
    assert machine.cpu_count({"SLURM_CPUS_PER_TASK": "6"}) == 6
    (cgroup / "cpu.max").write_text("max 100000\n")
    (cgroup.parent / "cpu.max").write_text("450000 100000\n")
    assert machine.cpu_count({"SLURM_CPUS_PER_TASK": "6"}) == 4
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5})
    assert machine.cpu_count({"SLURM_CPUS_PER_TASK": "nonsense"}) == 2
    (cgroup / "cpu.max").write_text("50000 100000\n")
    assert machine.cpu_count({}) == 1


def test_the_reason_of_a_limit_is_told(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cpu_limit({}) == (16, "all processors")
    assert machine.cpu_limit({"OMP_NUM_THREADS": "3,2"}) == (3, "OMP_NUM_THREADS")
    assert machine.cpu_limit({"OMP_NUM_THREADS": "dynamic"}) == (16, "all processors")
    assert machine.cpu_limit({"SLURM_CPUS_PER_TASK": "2", "OMP_NUM_THREADS": "3"}) == (2, "SLURM_CPUS_PER_TASK")
    assert machine.cpu_limit({"MPI_LOCALNRANKS": "4"}) == (4, "4 MPI ranks on this node")
    (cgroup / "cpu.max").write_text("350000 100000\n")
    assert machine.cpu_limit({}) == (3, "CPU quota of the cgroup")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5})
    assert machine.cpu_limit({}) == (2, "CPU affinity")


def test_unbound_mpi_ranks_share_the_cpus(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.cpu_count({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}) == 4
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert machine.cpu_count({"OMPI_COMM_WORLD_LOCAL_SIZE": "4"}) == 4, "bound ranks own their four CPUs"


def test_memory_respects_the_cgroup_and_its_ancestors(cgroup: Path) -> None:
    assert machine.available_memory_bytes() == 800 * 1024
    (cgroup / "memory.max").write_text("max\n")
    (cgroup / "memory.current").write_text("1000\n")
    (cgroup.parent / "memory.max").write_text("500000\n")
    (cgroup.parent / "memory.current").write_text("200000\n")
    (cgroup.parent / "memory.stat").write_text("anon 5\ninactive_file 50000\n")
    assert machine.memory_limit_bytes() == 500000
    assert machine.available_memory_bytes() == 350000


def test_an_address_space_limit_counts_what_is_mapped(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_address_space_limit", lambda: 600 * 1024)
    (cgroup.parents[2] / "proc" / "self" / "statm").write_text("50 9 9 9 0 9 0\n")
    assert machine.memory_limits() == (600 * 1024, 600 * 1024 - 50 * resource.getpagesize())


READ_BOTH = """
import json
from qfast import config
from qfast.extension import core
from qfast.engines.memory import memory_limits
threads = [] if core is None else [core.default_threads()]
limits = [memory_limits().limit_bytes, config.memory_limits().limit_bytes]
print(json.dumps([threads + [config.cpu_count()], limits]))
"""


@pytest.mark.parametrize(
    ("variables", "most"),
    [
        ({}, None),
        ({"OMP_NUM_THREADS": "1"}, 1),
        ({"SLURM_CPUS_PER_TASK": "1"}, 1),
        ({"OMPI_COMM_WORLD_LOCAL_SIZE": "4096"}, None),
    ],
)
def test_the_core_and_python_read_the_same_limits(variables: dict[str, str], most: int | None) -> None:
    space = 8 << 30
    others = {name: value for name, value in os.environ.items() if name not in _LIMITS}
    done = subprocess.run(
        [sys.executable, "-c", READ_BOTH], env=others | variables, capture_output=True, text=True, check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (space, resource.RLIM_INFINITY)),
    )  # fmt: skip
    threads, limits = json.loads(done.stdout)
    assert len(set(threads)) == 1
    assert most is None or threads[0] == most
    assert len(set(limits)) == 1
    assert limits[0] <= space


def test_without_a_limit_the_machine_bounds(cgroup: Path) -> None:
    assert machine.memory_limits() == machine.MemoryLimits(1000 * 1024, 800 * 1024)
    (cgroup / "memory.max").write_text("max\n")
    (cgroup / "memory.current").write_text("1000\n")
    assert machine.memory_limits() == machine.MemoryLimits(1000 * 1024, 800 * 1024)


def test_the_no_limit_of_version_1_bounds_nothing(cgroup: Path, tmp_path: Path) -> None:
    (tmp_path / "proc" / "self" / "cgroup").write_text("9:cpu,memory:/a\n")
    folder = tmp_path / "cgroup" / "memory" / "a"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text(f"{2**63 - 4096}\n")
    (folder / "memory.usage_in_bytes").write_text("1024\n")
    assert machine.memory_limits() == machine.MemoryLimits(1000 * 1024, 800 * 1024)


def test_a_container_that_sees_its_own_cgroup_as_the_root_is_bounded(cgroup: Path, tmp_path: Path) -> None:
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/host/path/of/the/container\n")
    (tmp_path / "cgroup" / "memory.max").write_text("300000\n")
    (tmp_path / "cgroup" / "memory.current").write_text("100000\n")
    (tmp_path / "cgroup" / "cpu.max").write_text("300000 100000\n")
    assert (machine.memory_limits(), machine.cpu_count({})) == (machine.MemoryLimits(300000, 200000), 3)


def test_a_system_that_does_not_tell_refuses_nothing(
    cgroup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_such_name(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(machine, "_PROC", tmp_path / "nowhere")
    monkeypatch.setattr("os.sysconf", no_such_name)
    assert machine.memory_limits() == machine.MemoryLimits(2**63 - 1, 2**63 - 1)


def test_cgroup_v1_is_read_too(cgroup: Path, tmp_path: Path) -> None:
    (tmp_path / "proc" / "self" / "cgroup").write_text("5:memory:/a\n4:cpu,cpuacct:/b\n")
    memory, cpu = tmp_path / "cgroup" / "memory" / "a", tmp_path / "cgroup" / "cpu" / "b"
    memory.mkdir(parents=True)
    cpu.mkdir(parents=True)
    (memory / "memory.limit_in_bytes").write_text("4096\n")
    (memory / "memory.usage_in_bytes").write_text("1024\n")
    (cpu / "cpu.cfs_quota_us").write_text("200000\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    assert (machine.available_memory_bytes(), machine.cpu_count({})) == (3072, 2)

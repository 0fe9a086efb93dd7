"""The machine as this process may use it: CPUs and memory under affinity, cgroup, SLURM and MPI limits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

resource: Any
try:
    import resource
except ImportError:  # not POSIX
    resource = None

__all__ = [
    "CpuLimit",
    "MemoryLimits",
    "available_memory_bytes",
    "cpu_count",
    "cpu_limit",
    "memory_limit_bytes",
    "memory_limits",
]

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_PROC = Path("/proc")

_CPU_VARIABLES = ("SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS")
# Ranks on this node, as the common launchers say it (Open MPI, MPICH/Intel, MVAPICH, Slurm's PMI).
_LOCAL_RANKS = ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE", "PALS_LOCAL_SIZE")


class CpuLimit(NamedTuple):
    """CPUs that this process may use, and what keeps it from using more."""

    cpus: int
    reason: str


def cpu_limit(environ: Mapping[str, str] = os.environ) -> CpuLimit:
    """Return the number of CPUs that this process may use, at least 1, and why it is no more.

    The smallest of: CPU affinity, the cgroup's CPU quota (rounded down), ``SLURM_CPUS_PER_TASK``, ``OMP_NUM_THREADS``
    (of a list, the first); and, for MPI ranks that the launcher did not bind to CPUs of their own, the CPUs divided by
    the ranks of the node. The core's ``default_threads`` reads the same, for programs that call it without Python.
    """
    every = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else every
    limits = [CpuLimit(allowed, "all processors" if allowed == every else "CPU affinity")]
    if (quota := _cgroup_cpu_quota()) is not None:
        limits.append(CpuLimit(int(quota), "CPU quota of the cgroup"))
    variables = [(name, environ.get(name, "").partition(",")[0].strip()) for name in _CPU_VARIABLES]
    limits += [CpuLimit(number, name) for name, text in variables if (number := _positive(text)) is not None]
    ranks = next((n for name in _LOCAL_RANKS if (n := _positive(environ.get(name))) is not None), 1)
    if allowed == every:
        limits.append(CpuLimit(every // ranks, f"{ranks} MPI ranks on this node"))
    cpus, reason = min(limits, key=lambda limit: limit.cpus)
    return CpuLimit(max(1, cpus), reason)


def cpu_count(environ: Mapping[str, str] = os.environ) -> int:
    """Return the number of `cpu_limit`."""
    return cpu_limit(environ).cpus


class MemoryLimits(NamedTuple):
    """Bytes that this process may ever hold, and that it could still take now."""

    limit_bytes: int
    available_bytes: int


def memory_limits() -> MemoryLimits:
    """Read the machine's memory, the limits of every cgroup above this process, and ``ulimit -v``.

    Available is what is free or can be reclaimed without swapping. A system that tells neither gives numbers that
    refuse nothing. Where the extension is there, the engines ask the core instead, which reads the same files.
    """
    machine = _fields(_PROC / "meminfo")
    limit = machine.get("MemTotal:", 0) * 1024 or _physical_bytes()
    available = machine.get("MemAvailable:", 0) * 1024 or limit
    for bound, held in _cgroup_memory():
        limit = min(limit, bound)
        available = min(available, max(0, bound - held))
    if (space := _address_space_limit()) is not None:
        mapped = int((_read(_PROC / "self" / "statm") or "0").split()[0]) * resource.getpagesize()
        limit = min(limit, space)
        available = min(available, max(0, space - mapped))
    return MemoryLimits(limit, available)


def memory_limit_bytes() -> int:
    """Return the most memory this process may ever hold: the machine's, or its cgroup's where that is less."""
    return memory_limits().limit_bytes


def available_memory_bytes() -> int:
    """Return the memory that can be had now without swapping: free and reclaimable, under every cgroup's limit."""
    return memory_limits().available_bytes


def _positive(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and int(text) > 0 else None


def _address_space_limit() -> int | None:
    """Bytes of ``ulimit -v``; None where there is no such limit."""
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _physical_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not POSIX: nothing is known, so nothing is refused
        return 2**63 - 1


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers of a file of lines ``name number …``; an absent file has none."""
    lines = (_read(path) or "").splitlines()
    return {parts[0]: int(parts[1]) for parts in map(str.split, lines) if len(parts) > 1 and parts[1].isdecimal()}


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _cgroup_folders(controller: str) -> Iterator[Path]:
    """Yield this process's cgroup folder and its ancestors: a limit may stand on any of them."""
    for line in (_read(_PROC / "self" / "cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root = _CGROUP_ROOT
        elif controller in controllers.split(","):
            root = _CGROUP_ROOT / controller
        else:
            continue
        folder = root / path.lstrip("/")
        while True:
            yield folder
            if folder == root or root not in folder.parents:
                break
            folder = folder.parent


def _cgroup_cpu_quota() -> float | None:
    quotas = []
    for folder in _cgroup_folders("cpu"):
        if (text := _read(folder / "cpu.max")) is not None:
            quota, period = text.split()
        else:
            quota = _read(folder / "cpu.cfs_quota_us") or "max"
            period = _read(folder / "cpu.cfs_period_us") or "100000"
        if quota.isdecimal():  # "max" and "-1" mean no quota
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _cgroup_memory() -> Iterator[tuple[int, int]]:
    """Yield (limit, bytes held) of every cgroup above this process that has a limit.

    Page cache that the kernel drops before it kills anybody does not count as held. Version 1 writes "no limit" as a
    huge number, which bounds nothing.
    """
    for folder in _cgroup_folders("memory"):
        for limit_name, used_name, cache_field in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            limit = _read(folder / limit_name)
            if limit is not None and limit.isdecimal():
                used = _read(folder / used_name) or "0"
                cache = _fields(folder / "memory.stat").get(cache_field, 0)
                yield int(limit), max(0, int(used) - cache)

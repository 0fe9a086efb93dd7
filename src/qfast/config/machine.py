"""The machine as this process may use it: CPUs and memory under affinity, cgroup, SLURM and MPI limits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["available_memory_bytes", "cpu_count", "memory_limit_bytes"]

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_PROC = Path("/proc")

# Ranks on this node, as the common launchers say it (Open MPI, MPICH/Intel, MVAPICH, Slurm's PMI).
_LOCAL_RANKS = ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "MV2_COMM_WORLD_LOCAL_SIZE", "PALS_LOCAL_SIZE")


def cpu_count(environ: Mapping[str, str] = os.environ) -> int:
    """Return the number of CPUs this process may use, at least 1.

    The smallest of: CPU affinity, the cgroup's CPU quota (rounded down), ``SLURM_CPUS_PER_TASK``; and, for MPI ranks
    that the launcher did not bind to CPUs of their own, the CPUs divided by the ranks of the node.
    """
    every = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else every
    limits = [allowed]
    if (quota := _cgroup_cpu_quota()) is not None:
        limits.append(int(quota))
    if (slurm := _positive(environ.get("SLURM_CPUS_PER_TASK"))) is not None:
        limits.append(slurm)
    ranks = next((n for name in _LOCAL_RANKS if (n := _positive(environ.get(name))) is not None), 1)
    if allowed == every:
        limits.append(every // ranks)
    return max(1, min(limits))


def memory_limit_bytes() -> int:
    """Return the most memory this process may ever hold: the machine's, or its cgroup's where that is less."""
    limits = [_physical_bytes()]
    limits.extend(limit for limit, _ in _cgroup_memory())
    return min(limits)


def available_memory_bytes() -> int:
    """Return the memory that can be had now without swapping: free and reclaimable, under every cgroup's limit."""
    available = [_meminfo("MemAvailable") or _physical_bytes()]
    available.extend(max(0, limit - used) for limit, used in _cgroup_memory())
    return min(available)


def _positive(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and int(text) > 0 else None


def _physical_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not POSIX: nothing is known, so nothing is refused
        return 2**63 - 1


def _meminfo(key: str) -> int | None:
    try:
        with open(_PROC / "meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


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


def _cgroup_memory() -> list[tuple[int, int]]:
    """Return (limit, bytes in use that cannot be reclaimed) of every cgroup above this process that has a limit."""
    found = []
    for folder in _cgroup_folders("memory"):
        for limit_name, used_name in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, used = _read(folder / limit_name), _read(folder / used_name)
            if limit is None or used is None or not limit.isdecimal():
                continue
            found.append((int(limit), max(0, int(used) - _cgroup_cache_bytes(folder))))
    return found


def _cgroup_cache_bytes(folder: Path) -> int:
    """Return the page cache of a cgroup that the kernel gives up first: it counts as used but can be had."""
    for line in (_read(folder / "memory.stat") or "").splitlines():
        key, _, value = line.partition(" ")
        if key in ("inactive_file", "total_inactive_file"):
            return int(value)
    return 0

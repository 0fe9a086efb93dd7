"""What a measurement was made on: without it a time means nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import qfast
from qfast.config.machine import cpu_count, memory_limit_bytes

__all__ = ["differences", "take_fingerprint"]

_SYS_CPU = Path("/sys/devices/system/cpu")
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_HARDWARE = ("cpu", "caches", "instruction_sets", "cpus", "threads", "isa")
_VECTOR_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512dq", "avx512vl", "asimd", "sve")


def take_fingerprint(*, threads: int | None = None, isa: str | None = None) -> dict[str, Any]:
    """Describe this machine and this installation in JSON types.

    Parameters
    ----------
    threads : int, optional
        Threads of the measurement; by default all CPUs this process may use.
    isa : str, optional
        Instruction set that the engine used.

    Returns
    -------
    dict
        ``cpu``, ``architecture``, ``caches``, ``instruction_sets``, ``cpus``, ``threads``, ``isa``, ``memory_bytes``,
        ``huge_pages``, ``kernel``, ``python``, ``numpy``, ``qfast``, ``commit`` (of qfast's checkout, with ``+`` if
        files differ from it; None where it was installed), ``environment`` (QFAST_… variables) and ``date``.
    """
    model, flags = _processor()
    return {
        "cpu": model,
        "architecture": platform.machine(),
        "caches": _caches(),
        "instruction_sets": [flag for flag in _VECTOR_FLAGS if flag in flags],
        "cpus": cpu_count(),
        "threads": threads or cpu_count(),
        "isa": isa,
        "memory_bytes": memory_limit_bytes(),
        "huge_pages": _chosen(_HUGE_PAGES),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "qfast": qfast.__version__,
        "commit": _commit(Path(qfast.__file__).resolve().parent),
        "environment": {name: os.environ[name] for name in sorted(os.environ) if name.startswith("QFAST_")},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """List what makes times of two fingerprints incomparable, one line per entry."""
    return [f"{key}: {a.get(key)} / {b.get(key)}" for key in _HARDWARE if a.get(key) != b.get(key)]


def _processor() -> tuple[str, frozenset[str]]:
    """Model name and instruction-set flags of the first processor."""
    fields: dict[str, str] = {}
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if not line.strip():
            break
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    model = fields.get("model name") or platform.processor() or "unknown"
    if "cpu family" in fields:
        model += f" (family {fields['cpu family']}, model {fields.get('model', '?')})"
    return model, frozenset((fields.get("flags") or fields.get("Features") or "").split())


def _caches() -> list[str]:
    """Data and unified caches of the first processor, for example ``L2 1024K``."""
    caches = []
    for folder in sorted((_SYS_CPU / "cpu0" / "cache").glob("index*")):
        level, kind, size = (_read(folder / name) for name in ("level", "type", "size"))
        if kind != "Instruction" and level and size:
            shared = _read(folder / "shared_cpu_list") or "?"
            caches.append(f"L{level} {size} (cpus {shared})")
    return caches


def _chosen(path: Path) -> str | None:
    """The bracketed word of a kernel setting such as ``always [madvise] never``."""
    words = (_read(path) or "").split()
    return next((word.strip("[]") for word in words if word.startswith("[")), None)


def _commit(package: Path) -> str | None:
    """Commit of the checkout that `package` belongs to; a virtual environment inside another project is none."""
    try:
        if Path(_git(package, "rev-parse", "--show-toplevel")) / "src" / "qfast" != package:
            return None
        head = _git(package, "rev-parse", "HEAD")
        return head + "+" if _git(package, "status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None

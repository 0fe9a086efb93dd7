"""Cost tables on disk: what ``qfast bench --tune`` measured on a machine, for the native engine's planner.

One file for each processor, instruction set and number of CPUs, below the user's cache folder. The number of CPUs is
what this process may use, not the ``threads`` of a run: a run's plan, and with it every bit of its result, stays the
same for any ``threads``. A file is only ever read here, once for an engine; nothing is measured unless asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qfast._typing import Isa
from qfast.config.files import write_text_atomically
from qfast.config.machine import cpu_count
from qfast.errors import InputError
from qfast.extension import core

__all__ = [
    "BUILT_IN", "Machine", "measured_table", "read_table", "table_name", "table_path", "this_machine", "write_table",
]  # fmt: skip

FORMAT = "qfast-cost-table/1"  # raised when prices change their meaning
BUILT_IN = "built-in"

Costs = Mapping[str, Any]
"""``{precision: {"tile_bits": int, "pass": [9 prices], "steps": {kind: price}}}``; csrc/plan/cost_table.h says more."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a measured table holds for.

    Attributes
    ----------
    cpu : str
        Model and caches: virtual machines give several generations of processors one name.
    isa : {"baseline", "avx2", "avx512"}
    cpus : int
        CPUs that the process may use.
    """

    cpu: str
    isa: Isa
    cpus: int


def this_machine(isa: Isa) -> Machine:
    """Describe the machine as this process sees it."""
    info = core.cpu_info()
    caches = " ".join(f"{level} {info[f'{level.lower()}_bytes'] >> 10}K" for level in ("L1", "L2", "L3"))
    return Machine(f"{info['model']} ({info['architecture']}, {caches})", isa, cpu_count())


def table_path(machine: Machine, environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the table of a machine is kept, whether there is one or not."""
    slug = re.sub(r"[^a-z0-9]+", "-", machine.cpu.lower()).strip("-")
    return _cache_folder(environ) / f"costs-{slug}-{machine.isa}-{machine.cpus}.json"


def _cache_folder(environ: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "qfast" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "qfast"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qfast"


def table_name(costs: Costs) -> str:
    """Name a measured table by its content: equal names, equal plans."""
    text = json.dumps(costs, sort_keys=True)
    return f"measured-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def write_table(
    machine: Machine, costs: Costs, more: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> Path:
    """Keep a measured table; another process sees the old file or the new one, never a part.

    Parameters
    ----------
    machine : Machine
    costs : mapping
    more : mapping
        What else the file is to say, in JSON types: when and by which version it was measured.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        A price is not allowed.
    OSError
        The file cannot be written.
    """
    core.CostTable(table_name(costs), dict(costs))
    path = table_path(machine, environ)
    data = {"format": FORMAT, "machine": asdict(machine), "costs": costs, **more}
    write_text_atomically(path, json.dumps(data, indent=1) + "\n", mode=0o644)
    return path


def read_table(machine: Machine, environ: Mapping[str, str] = os.environ) -> Any:
    """Return the table that was measured on a machine, a ``_core.CostTable``; None if none was.

    Raises
    ------
    InputError
        The file cannot be read, is not a table, or is one of another format or machine.
    """
    path = table_path(machine, environ)
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise InputError(f"it is not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise InputError(f"its format is {found!r}; this version reads {FORMAT!r}")
    if data.get("machine") != asdict(machine):
        raise InputError(f"it was measured on {data.get('machine')!r}; this is {asdict(machine)!r}")
    costs = data.get("costs")
    if not isinstance(costs, dict):
        raise InputError("it has no table 'costs'")
    return core.CostTable(table_name(costs), costs)


def measured_table(isa: Isa, environ: Mapping[str, str] = os.environ) -> Any:
    """Return this machine's measured table, or the built-in one where none was measured.

    Warns
    -----
    RuntimeWarning
        There is a file that cannot be used; the built-in table is returned.
    """
    machine = this_machine(isa)
    try:
        return read_table(machine, environ) or core.CostTable()
    except InputError as error:
        warnings.warn(
            f"the cost table {table_path(machine, environ)} is not used: {error}; plans are made by the built-in one. "
            "Measure it anew with: qfast bench --tune; or delete the file",
            RuntimeWarning,
            stacklevel=2,
        )
        return core.CostTable()

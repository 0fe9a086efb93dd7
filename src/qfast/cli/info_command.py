"""``qfast info``: this machine, and what qfast makes of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
from typing import Any

import numpy as np

from qfast import __version__, config, engines
from qfast._format import format_bytes
from qfast.engines import AMPLITUDE_BYTES
from qfast.engines.cost_tables import BUILT_IN
from qfast.engines.memory import memory_limits
from qfast.engines.native import NativeEngine
from qfast.errors import EngineError
from qfast.extension import core

__all__ = ["add_parser", "run"]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("info", help="show processor, ISA, threads, memory, engines", description=__doc__)
    parser.set_defaults(handler=run)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    facts = _facts()
    if arguments.json:
        print(json.dumps(facts, indent=1))
        return 0
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {_text(name, value)}")
    return 0


def _facts() -> dict[str, Any]:
    threads, limit = config.lookup("threads"), config.cpu_limit()
    limits = memory_limits()
    available = limits.available_bytes
    facts: dict[str, Any] = {
        "version": __version__,
        "build": "pure Python" if core is None else core.build_info(),
        "python": f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}",
        "processor": f"{_processor()}, {os.cpu_count()} CPUs",
        "engine": _chosen_engine(),
        "engines": {name: engines.unavailable_reason(name) or "available" for name in engines.AUTO_ORDER},
        "isas": engines.available().get("native", []),
        "threads": {
            "count": threads.value,
            "source": limit.reason if threads.source is config.Source.DEFAULT else threads.place,
            "most": limit.cpus,
            "most_because": limit.reason,
        },
        "memory": {"available_bytes": available, "limit_bytes": limits.limit_bytes},
        "largest_state": {
            name: (available // size).bit_length() - 1 for name, size in AMPLITUDE_BYTES.items() if available >= size
        },
        "settings_file": str(config.file_path()),
        "conflicts": [str(conflict) for conflict in config.conflicts()],
    }
    return facts


def _chosen_engine() -> dict[str, Any]:
    """What runs by default here, or why nothing does: a wrong forced choice must not hide the rest."""
    isa = config.get("isa")
    try:
        engine = engines.select(
            config.get("engine"), None if isa == "auto" else isa, config.get("array_backend"), config.get("plan")
        )
    except EngineError as error:
        return {"error": str(error)}
    table = engine.cost_table.name if isinstance(engine, NativeEngine) else None
    return {"name": engine.name, "isa": engine.isa, "cost_table": table}


def _processor() -> str:
    if core is not None:
        info = core.cpu_info()
        caches = ", ".join(
            f"{level} {format_bytes(info[f'{level.lower()}_bytes'])}"
            for level in ("L1", "L2", "L3")
            if info[f"{level.lower()}_bytes"]
        )
        return f"{info['model']} ({info['architecture']}{', ' if caches else ''}{caches})"
    return platform.processor() or platform.machine()


def _text(name: str, value: Any) -> str:
    match name:
        case "engine" if "error" in value:
            return f"none: {value['error']}"
        case "engine":
            if value["isa"] is None:
                return str(value["name"])
            hint = "; qfast bench --tune measures one for this machine" if value["cost_table"] == BUILT_IN else ""
            return f"{value['name']} ({value['isa']}), plans by the {value['cost_table']} cost table{hint}"
        case "engines":
            return "; ".join(f"{engine}: {state}" for engine, state in value.items())
        case "isas":
            return ", ".join(value) or "none"
        case "threads":
            over = (
                f"; more than the {value['most']} of {value['most_because']}" if value["count"] > value["most"] else ""
            )
            return f"{value['count']} ({value['source']}{over})"
        case "memory":
            return f"{format_bytes(value['available_bytes'])} available of {format_bytes(value['limit_bytes'])}"
        case "largest_state":
            return ", ".join(f"{qubits} qubits in {precision}" for precision, qubits in value.items())
        case "conflicts":
            return "; ".join(value) or "none"
    return str(value)

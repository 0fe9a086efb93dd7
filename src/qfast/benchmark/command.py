"""``qfast bench``: measure this machine.

The circuit families at chosen sizes, their times and how near they come to the machine's limits: the roofline fraction
is the time that the measured bandwidth and the measured peak of fused multiply-adds allow, over the time measured.
``first`` is planning and the first run; ``flops`` are canonical flops per amplitude, ``plan`` and ``passes`` those of
the engine's own plan.

``--tune`` measures, in less than a minute, the prices by which the native engine plans, and keeps them in the user's
cache folder for this processor, instruction set and number of CPUs; later runs plan by them (setting ``plan``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from qfast import config, engines
from qfast._typing import Precision
from qfast.benchmark import report
from qfast.benchmark.families import FAMILIES
from qfast.benchmark.fingerprint import take_fingerprint
from qfast.benchmark.suite import Plan, measure_all
from qfast.benchmark.tune import tune, tuning_lines
from qfast.cli.files import check_writable, replacing
from qfast.cli.progress import ProgressLine
from qfast.engines.cost_tables import Machine, table_path, this_machine
from qfast.engines.native import NativeEngine
from qfast.errors import InputError
from qfast.extension import core

__all__ = ["FORMAT", "add_parser", "run"]

FORMAT = "qfast-bench/1"
PRECISIONS: tuple[Precision, ...] = ("complex128", "complex64")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to ``qfast``; its handler is `run`."""
    parser = subparsers.add_parser("bench", help="measure this machine", description=__doc__)
    parser.set_defaults(handler=run)
    parser.add_argument("--families", type=_names(FAMILIES), default=tuple(FAMILIES), metavar="NAME,…",
                        help=f"among {', '.join(FAMILIES)}; all by default")  # fmt: skip
    parser.add_argument("--qubits", type=_sizes, default=(16, 20, 24), metavar="N,…", help="sizes; 16,20,24 by default")
    parser.add_argument("--precision", choices=(*PRECISIONS, "both"), default="both")
    parser.add_argument("--engine", choices=("auto", *engines.AUTO_ORDER), help="the configured one by default")
    parser.add_argument("--threads", type=_positive, help="the configured number by default")
    parser.add_argument("--repeats", type=_positive, default=7, help="timed runs after the first one; 7 by default")
    parser.add_argument("--compare", type=Path, metavar="JSON", help="a saved run to compare with")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save the run")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it (needs matplotlib)")
    parser.add_argument("--tune", action="store_true", help="measure this machine's cost table and keep it")


def run(arguments: argparse.Namespace) -> int:
    """Do what the parsed command line asks; return the exit code."""
    if arguments.tune:
        return _tune(arguments)
    for option in ("json", "plot"):
        if (path := getattr(arguments, option)) is not None:
            check_writable(path, f"--{option}")
    if arguments.plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib, which is not installed; pip install 'qfast-sim[plot]'")
    saved = None if arguments.compare is None else _load(arguments.compare)
    plan = Plan(
        families=arguments.families,
        qubits=arguments.qubits,
        precisions=PRECISIONS if arguments.precision == "both" else (arguments.precision,),
        engine=arguments.engine or config.get("engine"),
        threads=arguments.threads or config.get("threads"),
        repeats=arguments.repeats,
    )
    engine = engines.select(plan.engine)
    fingerprint = take_fingerprint(threads=plan.threads, isa=engine.isa)
    data: dict[str, Any] = {"format": FORMAT, "fingerprint": fingerprint, "rows": []}
    print(f"{fingerprint['cpu']}; {engine.name} {engine.isa or ''}, {plan.threads} threads")
    if saved is not None:
        print("\n".join(report.compare_lines(fingerprint, saved)))
    print(report.table_header(saved))
    for measurement in measure_all(plan):
        data["rows"].append(measurement.to_dict())
        print(report.table_row(data["rows"][-1], saved), flush=True)
    _save(data, arguments)
    return 0


def _tune(arguments: argparse.Namespace) -> int:
    if arguments.engine not in (None, "auto", "native"):
        raise InputError(f"--tune with --engine {arguments.engine}: only the native engine plans by a cost table")
    if arguments.threads is not None:
        raise InputError(
            f"--tune with --threads {arguments.threads}: a table is measured with all CPUs that this process may use, "
            "and kept for that number; allow it fewer (taskset -c 0-3 qfast bench --tune) to measure another"
        )
    forced = config.get("isa")
    engine = engines.select("native", None if forced == "auto" else forced, plan="portable")
    assert isinstance(engine, NativeEngine)
    machine = this_machine(engine.isa)
    _check_folder(machine)
    print(f"{machine.cpu}; native {machine.isa}, {machine.cpus} threads", flush=True)
    line = ProgressLine(sys.stderr, "tuning", terminal=sys.stderr.isatty())
    try:
        tuning, path = tune(machine.isa, machine.cpus, line.update)
    finally:
        line.close()
    print("\n".join(tuning_lines(tuning, core.CostTable().to_dict())))
    print(f"kept in {path}")
    if config.get("plan") == "portable":
        print("setting plan is 'portable', so it will not be used: qfast config set plan auto")
    return 0


def _check_folder(machine: Machine) -> None:
    """Refuse a cache folder that cannot be written before a minute is spent."""
    path = table_path(machine)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--tune: the cache folder {path.parent} cannot be made: {error.strerror}; set XDG_CACHE_HOME to another"
        ) from None
    check_writable(path, "--tune")


def _save(data: dict[str, Any], arguments: argparse.Namespace) -> None:
    if arguments.json is not None:
        with replacing(arguments.json) as path:
            path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if arguments.plot is not None:
        with replacing(arguments.plot) as path:
            report.draw(data, path)


def _load(path: Path) -> dict[str, Any]:
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"--compare {path}: not JSON: {error}; give a file that qfast bench --json wrote") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"--compare {path}: not a run of qfast bench (format {FORMAT}); give a file of --json")
    found: dict[str, Any] = data
    return found


def _names(allowed: Any) -> Any:
    def names(text: str) -> tuple[str, ...]:
        found = tuple(name for name in text.split(",") if name)
        for name in found:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(allowed)}")
        return found

    return names


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in text.split(",") if size)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 16,20") from None
    for size in sizes:
        if size < 2:
            raise argparse.ArgumentTypeError(f"{size} qubits: a family needs at least 2")
    return sizes


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)

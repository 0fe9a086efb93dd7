"""From arguments and settings to an engine: the one place where layer 4 asks the configuration registry."""

from __future__ import annotations

from dataclasses import dataclass

from qfast import config
from qfast._typing import Precision
from qfast.config import Snapshot
from qfast.engines import Engine, select
from qfast.errors import InputError


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How to run: what every entry point resolves first."""

    engine: Engine
    precision: Precision
    threads: int
    max_bytes: int | None  # of one job


_last: tuple[Snapshot, RunSettings] | None = None


def run_settings(
    engine: str | None = None,
    precision: str | None = None,
    threads: int | str | None = None,
    isa: str | None = None,
) -> RunSettings:
    """Resolve arguments, each None where the settings decide.

    Raises
    ------
    ConfigError
        A value is not allowed.
    EngineError
        A forced engine or ISA is absent.
    """
    global _last
    snapshot = config.snapshot()
    last = _last
    if engine is None and precision is None and threads is None and isa is None:
        if last is not None and last[0] is snapshot:
            return last[1]
        settings = _resolve(snapshot, None, None, None, None)
        _last = (snapshot, settings)
        return settings
    return _resolve(snapshot, engine, precision, threads, isa)


def _resolve(
    snapshot: Snapshot, engine: str | None, precision: str | None, threads: int | str | None, isa: str | None
) -> RunSettings:
    name = snapshot["engine"] if engine is None else config.resolve("engine", engine)
    forced_isa = snapshot["isa"] if isa is None else config.resolve("isa", isa)
    if forced_isa == "auto" or (isa is None and name in ("numba", "reference")):
        forced_isa = None  # the setting speaks of the native engine; only an argument contradicts another engine
    return RunSettings(
        engine=select(name, forced_isa, snapshot["array_backend"], snapshot["plan"]),
        precision=snapshot["precision"] if precision is None else config.resolve("precision", precision),
        threads=snapshot["threads"] if threads is None else config.resolve("threads", threads),
        max_bytes=snapshot["max_job_bytes"],
    )


def checked_shots(shots: int) -> int:
    """Return a number of shots, or refuse it.

    Raises
    ------
    InputError
        Not a positive integer.
    """
    if isinstance(shots, bool) or not hasattr(shots, "__index__") or shots.__index__() < 1:
        raise InputError(f"shots = {shots!r} must be a positive integer")
    return shots.__index__()

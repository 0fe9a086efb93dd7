"""From arguments and settings to an engine: the one place where layer 4 asks the configuration registry."""

from __future__ import annotations

from dataclasses import dataclass

from qfast import config
from qfast._typing import Precision, PrecisionLike
from qfast.config import Snapshot
from qfast.engines import Engine, select


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
    precision: PrecisionLike | None = None,
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
    snapshot: Snapshot, engine: str | None, precision: PrecisionLike | None, threads: int | str | None, isa: str | None
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

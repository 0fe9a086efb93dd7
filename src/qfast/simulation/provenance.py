"""Where a result comes from."""

from __future__ import annotations

from typing import Any

from qfast._typing import EngineName, Isa, Precision
from qfast._version import __version__
from qfast.engines import PreparedCircuit
from qfast.simulation.run_settings import RunSettings


class Provenance:
    """What a result says about its making; turned into a dictionary only when somebody looks.

    Parameters
    ----------
    settings : RunSettings
    prepared : PreparedCircuit or None
        What ran, for its plan.
    peak_bytes : int
        Bytes that the run held at its peak: states, workspace, branches.
    times : dict of str to float
        Seconds, by what they were spent on.
    more : dict
        Further entries.
    """

    __slots__ = ("more", "peak_bytes", "prepared", "seed", "settings", "times")

    def __init__(
        self,
        settings: RunSettings,
        prepared: PreparedCircuit | None,
        *,
        seed: int | None = None,
        peak_bytes: int = 0,
        times: dict[str, float] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        self.settings = settings
        self.prepared = prepared
        self.seed = seed
        self.peak_bytes = peak_bytes
        self.times = times or {}
        self.more = more or {}

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        engine: EngineName = self.settings.engine.name
        isa: Isa | None = self.settings.engine.isa
        precision: Precision = self.settings.precision
        return {
            "version": __version__,
            "engine": engine,
            "isa": isa,
            "threads": self.settings.threads,
            "precision": precision,
            "seed": self.seed,
            "plan": None if self.prepared is None else self.prepared.explain(),
            "times": dict(self.times),
            "peak_bytes": self.peak_bytes,
            **self.more,
        }

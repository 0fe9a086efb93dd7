"""What a way is: one method of serving requests of one circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from qfast._typing import AnyArray
from qfast.engines import CancelToken, PreparedCircuit
from qfast.simulation.asks import What
from qfast.simulation.provenance import Provenance
from qfast.simulation.request import Method, Request
from qfast.simulation.run_settings import RunSettings

__all__ = ["Run", "Way"]


@dataclass(slots=True)
class Run:
    """One execution of a request, here and now.

    Attributes
    ----------
    request : Request
    settings : RunSettings
    method, why : str
        The way, and why it was chosen.
    cancel : CancelToken or None
    out : ndarray or None
        The caller's memory for a state.
    """

    request: Request
    settings: RunSettings
    method: Method
    why: str
    cancel: CancelToken | None = None
    out: AnyArray | None = None

    def made(
        self,
        prepared: PreparedCircuit | None,
        *,
        seed: int | None = None,
        peak_bytes: int = 0,
        times: dict[str, float] | None = None,
        **more: Any,
    ) -> Provenance:
        """Return what the result says of its making."""
        more["method"], more["why"] = self.method, self.why
        return Provenance(self.settings, prepared, seed=seed, peak_bytes=peak_bytes, times=times, more=more)


class Way(Protocol):
    """A prepared way to serve requests of one circuit under one noise model, on one engine in one precision.

    It has a method for each name in `asks`, which takes a `Run` and returns the result. Thread-safe.
    """

    method: ClassVar[Method]
    asks: ClassVar[frozenset[What]]
    """What it can be asked."""

    @property
    def segments(self) -> list[PreparedCircuit]:
        """The prepared stretches of gates; none where they depend on values."""
        ...

"""What a job runs: anything that can be loaded, executed and unloaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from qfast.config import Snapshot
    from qfast.jobs.context import JobContext

__all__ = ["Requirements", "Work"]


@dataclass(slots=True)
class Requirements:
    """What a job needs; checked against the device's capacity and the limits before it is accepted.

    Attributes
    ----------
    num_qubits, shots : int
        For the limits, and for the job's metrics.
    size_bytes : int
        Memory it uses at its peak. Jobs run at the same time only as far as their sum fits the device.
    fixed_bytes : int
        The part of it that does not depend on the number of qubits: outcomes of shots.
    growth : int
        By how much the rest grows with every qubit: 2 for states, 4 for density matrices.
    cost : float
        For the fair share: 1 is a small job.
    is_short : bool
        It takes less time than handing it to a worker would: on an idle device the thread that submits it runs it.
    """

    num_qubits: int = 0
    shots: int = 0
    size_bytes: int = 0
    cost: float = 1.0
    is_short: bool = False
    fixed_bytes: int = 0
    growth: int = 2


class Work(Protocol):
    """Anything that a job can run.

    ``load`` verifies and prepares, ``execute`` computes the result, ``unload`` gives back what the two have taken
    outside the context. ``unload`` is called once after every ``load``, whatever happened in between, also when
    ``load`` itself failed; buffers that were leased from the context come back by themselves.

    A work whose needs depend on the device may have ``requirements_on(settings, device)``, which is then asked instead
    of ``requirements``.
    """

    @property
    def name(self) -> str:
        """What it is, in a word: ``"sampler"``."""
        ...

    def requirements(self, settings: Snapshot) -> Requirements:
        """Return what it needs under these settings; asked once, when the job is submitted."""
        ...

    def load(self, context: JobContext) -> None:
        """Verify and prepare."""
        ...

    def execute(self, context: JobContext) -> Any:
        """Compute and return the result; look at ``context.check_cancelled()`` at least every 50 ms."""
        ...

    def unload(self, context: JobContext) -> None:
        """Give back; must be harmless after a half-done ``load``."""
        ...

"""What graphs of a tenant hold: logical and physical qubits, channels, running jobs; and how much of it is allowed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from qfast.errors import CapacityError, InputError, LifecycleError
from qfast.qvm.faults import OVER_QUOTA

__all__ = ["Holding", "Ledger", "Quota", "ResourceManager"]

_WAIT_S = 0.02  # between two looks at whether a waiting job was told to stop


@dataclass(frozen=True, slots=True)
class Quota:
    """What one tenant may hold at a time, all its graphs together."""

    logical_qubits: int = 100
    physical_qubits: int = 10_000
    channels: int = 10
    jobs: int = 5


@dataclass(frozen=True, slots=True)
class Holding:
    """What one running graph may come to hold: its peaks, reserved at LOAD.

    Attributes
    ----------
    tenant : str
    names : frozenset of str
        Its logical qubits.
    logical_qubits, physical_qubits, channels, jobs : int
    """

    tenant: str
    names: frozenset[str]
    logical_qubits: int
    physical_qubits: int
    channels: int
    jobs: int = 1


class Ledger:
    """The holdings of all running graphs of a process. Sums are taken when they are asked for; none are kept."""

    def __init__(self) -> None:
        self._holdings: dict[str, Holding] = {}
        self._changed = threading.Condition()

    def acquire(self, job: str, wanted: Holding, quota: Quota, check_cancelled: Callable[[], None]) -> None:
        """Reserve what a graph needs at its peak, all at once; wait while other graphs of its tenant hold too much.

        Raises
        ------
        CapacityError
            It asks for more than the quota allows by itself.
        CancelledRunError
            From `check_cancelled`, while it waited.
        """
        for name in _AMOUNTS:
            needed, allowed = getattr(wanted, name), getattr(quota, name)
            if needed > allowed:
                error = CapacityError(
                    f"the graph needs {needed} {name.replace('_', ' ')}, but the quota of tenant '{wanted.tenant}' is "
                    f"{allowed}; free some earlier, or ask for a larger quota"
                )
                error.code = OVER_QUOTA  # type: ignore[attr-defined]
                raise error
        with self._changed:
            while not self._fits(wanted, quota):
                check_cancelled()
                self._changed.wait(_WAIT_S)
            self._holdings[job] = wanted

    def _fits(self, wanted: Holding, quota: Quota) -> bool:
        held = self.held(wanted.tenant)
        return all(getattr(wanted, name) + held[name] <= getattr(quota, name) for name in _AMOUNTS)

    def release(self, job: str) -> Holding | None:
        """Give back what a graph holds; harmless when it holds nothing."""
        found = self._holdings.pop(job, None)
        if found is not None:
            with self._changed:
                self._changed.notify_all()
        return found

    def held(self, tenant: str) -> dict[str, int]:
        """Return what a tenant holds, by amount."""
        own = [each for each in list(self._holdings.values()) if each.tenant == tenant]
        return {name: sum(getattr(each, name) for each in own) for name in _AMOUNTS}

    def held_by(self, job: str) -> dict[str, int]:
        """Return what one graph holds, by amount; zero when it holds nothing."""
        found = self._holdings.get(job)
        return {name: 0 if found is None else getattr(found, name) for name in _AMOUNTS[:3]}

    def owner(self, tenant: str, qubit: str) -> str | None:
        """Return the running graph of a tenant that a qubit belongs to."""
        for job, each in list(self._holdings.items()):
            if each.tenant == tenant and qubit in each.names:
                return job
        return None

    def after_fork(self) -> None:
        """Begin anew in a forked child, where no graph of the parent runs."""
        self._holdings = {}
        self._changed = threading.Condition()


_AMOUNTS = tuple(each.name for each in fields(Quota))

LEDGER = Ledger()
"""That of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LEDGER.after_fork)


class ResourceManager:
    """A tenant's view of what its graphs hold. All methods are idempotent.

    Parameters
    ----------
    tenant : str
    quota : Quota
    ledger : Ledger, optional
        That of this process by default.
    """

    def __init__(self, tenant: str, quota: Quota, ledger: Ledger = LEDGER) -> None:
        self.tenant = tenant
        self.quota = quota
        self.ledger = ledger

    def get_telemetry(self) -> dict[str, int]:
        """Return logical qubits, physical qubits and channels in use now, and running jobs."""
        return self.ledger.held(self.tenant)

    def reset(self) -> None:
        """Come back to an idle ledger.

        Raises
        ------
        LifecycleError
            A graph of the tenant runs: its qubits are its own until it ends.
        """
        running = self.get_telemetry()["jobs"]
        if running:
            raise LifecycleError(
                f"{running} graphs of tenant '{self.tenant}' are running and hold qubits; wait for them, or cancel them"
            )

    def free_logical_qubits(self, ids: Iterable[str]) -> None:
        """Free qubits by name; what is not allocated, or was freed before, is left alone.

        Between graphs nothing is allocated, since a graph's qubits end with it: this is for programs that were written
        for systems where the caller cleans up.

        Raises
        ------
        InputError
            `ids` is one text: a list of names is needed.
        LifecycleError
            A qubit belongs to a graph that runs, which frees it itself.
        """
        if isinstance(ids, str):
            raise InputError(f"free_logical_qubits takes a list of names; write [{ids!r}]")
        for name in ids:
            job = self.ledger.owner(self.tenant, name)
            if job is not None:
                raise LifecycleError(f"qubit '{name}' belongs to the running graph {job}; cancel that job to free it")

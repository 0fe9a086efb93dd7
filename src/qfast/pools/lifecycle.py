"""The life of a pool and of a session: one enum, one table of transitions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from qfast.errors import LifecycleError

__all__ = ["TRANSITIONS", "Lifecycle", "check_transition"]


class Lifecycle(Enum):
    """NEW → OPEN → DRAINING → CLOSED; there is no way back."""

    NEW = "new"
    OPEN = "open"
    DRAINING = "draining"  # nothing new is accepted; what was accepted is finished
    CLOSED = "closed"


TRANSITIONS: Mapping[Lifecycle, frozenset[Lifecycle]] = {
    Lifecycle.NEW: frozenset({Lifecycle.OPEN, Lifecycle.CLOSED}),
    Lifecycle.OPEN: frozenset({Lifecycle.DRAINING}),
    Lifecycle.DRAINING: frozenset({Lifecycle.CLOSED}),
    Lifecycle.CLOSED: frozenset(),
}


def check_transition(who: str, old: Lifecycle, new: Lifecycle) -> Lifecycle:
    """Return ``new``, or raise ``LifecycleError`` when the table has no such step."""
    if new not in TRANSITIONS[old]:
        raise LifecycleError(f"{who} is {old.value} and cannot become {new.value}; make a new one")
    return new

"""A flag that is set once, with a reason, and tells those who wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

__all__ = ["Cancellation"]


# One lock for all: it is held for a few instructions, and every attempt of every job makes a Cancellation.
_lock = threading.Lock()


class Cancellation:
    """Set once by `cancel`; every subscriber is told exactly once, also one that comes late. Thread-safe."""

    __slots__ = ("_subscribers", "reason")

    def __init__(self) -> None:
        self.reason: str | None = None
        self._subscribers: tuple[Callable[[], None], ...] = ()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self.reason is not None

    def cancel(self, reason: str) -> bool:
        """Set the flag; return whether this call was the first."""
        with _lock:
            if self.reason is not None:
                return False
            self.reason = reason
            told, self._subscribers = self._subscribers, ()
        for subscriber in told:
            subscriber()
        return True

    def subscribe(self, subscriber: Callable[[], None]) -> None:
        """Call ``subscriber`` on `cancel`, or now if that has been."""
        with _lock:
            if self.reason is None:
                self._subscribers += (subscriber,)
                return
        subscriber()

    def unsubscribe(self, subscriber: Callable[[], None]) -> None:
        """Forget a subscriber; one that is not there is no error."""
        with _lock:
            self._subscribers = tuple(other for other in self._subscribers if other != subscriber)


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)

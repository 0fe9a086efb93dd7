"""A flag that is set once, with a reason, and tells those who wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Cancellation"]


class Cancellation:
    """Set once by `cancel`; every subscriber is told exactly once, also one that comes late. Thread-safe."""

    __slots__ = ("_lock", "_subscribers", "reason")

    def __init__(self) -> None:
        self.reason: str | None = None
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self.reason is not None

    def cancel(self, reason: str) -> bool:
        """Set the flag; return whether this call was the first."""
        with self._lock:
            if self.reason is not None:
                return False
            self.reason = reason
            told, self._subscribers = self._subscribers, []
        for subscriber in told:
            subscriber()
        return True

    def subscribe(self, subscriber: Callable[[], None]) -> None:
        """Call ``subscriber`` on `cancel`, or now if that has been."""
        with self._lock:
            if self.reason is None:
                self._subscribers.append(subscriber)
                return
        subscriber()

    def unsubscribe(self, subscriber: Callable[[], None]) -> None:
        """Forget a subscriber; one that is not there is no error."""
        with self._lock:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

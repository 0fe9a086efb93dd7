"""A flag that is set once, with a reason, and tells those who wait."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

from qfast.pools.recovery import recover_soon

__all__ = ["Cancellation"]


# One lock for all: it is held for a few instructions, and every attempt of every job makes a Cancellation.
_lock = threading.Lock()


class Cancellation:
    """Set once by `cancel`; every subscriber is told once, also one that comes late (again, if Ctrl-C broke
    it off). Thread-safe."""

    __slots__ = ("_subscribers", "reason")

    def __init__(self) -> None:
        self.reason: str | None = None
        self._subscribers: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self.reason is not None

    def cancel(self, reason: str) -> bool:
        """Set the flag; return whether this call was the first."""
        with _lock:
            is_first = self.reason is None
            if is_first:
                self.reason = reason
        self.recover()
        return is_first

    def recover(self, *broken_off: Callable[[], None]) -> None:
        """Tell those who have not been told: taking one out is one step. See `qfast.pools.recovery`."""
        for subscriber in broken_off:
            subscriber()
        with contextlib.suppress(IndexError):  # nobody is left
            for subscriber in iter(self._subscribers.pop, None):
                try:
                    subscriber()
                except BaseException as error:
                    if not isinstance(error, Exception):
                        recover_soon((self, subscriber))
                    raise

    def subscribe(self, subscriber: Callable[[], None]) -> None:
        """Call ``subscriber`` on `cancel`, or now if that has been."""
        with _lock:
            if self.reason is None:
                self._subscribers.append(subscriber)
                return
        subscriber()

    def unsubscribe(self, subscriber: Callable[[], None]) -> None:
        """Forget a subscriber; one that is not there is no error."""
        with _lock:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)

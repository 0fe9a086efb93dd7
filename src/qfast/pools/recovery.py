"""Recovery: what Ctrl-C broke off is finished by a thread that it cannot strike.

Python runs signal handlers in the main thread, at calls and at the ends of loops; whatever they raise may break off any
function there, and its ``except`` and ``finally`` clauses, too. Books that are kept in several places can therefore be
left half changed. The job layer and the pools have one answer:

- one place is the truth, and changes by a step that nothing divides: one C call, or one statement without a call;
- whatever else is kept is derived from it. It is marked while it is being changed, and whoever finds the mark mends it;
- what a thread was about to do for others (start a job, wake who waits) is handed to `recover_soon`, by one C call.

Locks of this package are plain ones and are held by ``with``, which is safe. A ``threading.Condition`` or ``Event`` is
not: its ``__enter__`` is a Python function, and one that is broken off leaves the lock locked.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

__all__ = ["Gates", "Recoverable", "is_main_thread", "recover_soon", "start_recovery", "wait_at"]

_log = logging.getLogger("qfast.pools")


class Recoverable(Protocol):
    """Somebody who can finish what was broken off."""

    def recover(self, *what: Any) -> None:
        """Mend the books and do what is left to do; again is harmless."""
        ...


_requests: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
_has_started = False
_main_thread = threading.main_thread().ident

recover_soon = _requests.put
"""``recover_soon((recoverable, *what))``: have ``recoverable.recover(*what)`` called; one C call, not to be divided."""


def is_main_thread() -> bool:
    """Whether signal handlers run in this thread."""
    return threading.get_ident() == _main_thread


def start_recovery() -> None:
    """Make sure that there is a thread that recovers; what may fail about it fails here, before anything is taken."""
    global _has_started
    if not _has_started:
        threading.Thread(target=_serve, args=(_requests,), name="qfast-recovery", daemon=True).start()
        _has_started = True


def _serve(requests: SimpleQueue[tuple[Any, ...]]) -> None:
    while True:
        recoverable, *what = requests.get()
        try:
            recoverable.recover(*what)
        except Exception:
            _log.exception("%r could not be recovered", recoverable)
        del recoverable, what  # they may hold a job and its arrays while this thread waits for the next


def _start_clean_in_child() -> None:
    global _has_started, _main_thread
    while not _requests.empty():  # the parent's
        _requests.get_nowait()
    _has_started = False
    _main_thread = threading.main_thread().ident


class Gates:
    """Where threads wait until something is so; what a `threading.Condition` does, but Ctrl-C cannot break it.

    Whoever changes what is waited for calls `wake` afterwards, with or without a lock.
    """

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[SimpleQueue[None]] = []

    def wake(self) -> None:
        """Let everybody look again; again is harmless, and finishes what was broken off."""
        for gate in tuple(self.waiting):
            gate.put(None)

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait until ``is_so()``; return its last answer."""
        if is_so():
            return True
        until = None if timeout_s is None else time.monotonic() + timeout_s
        gate: SimpleQueue[None] = SimpleQueue()
        self.waiting.append(gate)
        try:
            while not (answer := is_so()):
                left = None if until is None else until - time.monotonic()
                if not wait_at(gate, left):
                    return is_so()
            return answer
        finally:
            self.waiting.remove(gate)


def wait_at(gate: SimpleQueue[Any], timeout_s: float | None) -> bool:
    """Wait until something is put into a queue; False: nothing was in time."""
    if timeout_s is not None:
        timeout_s = min(max(0.0, timeout_s), threading.TIMEOUT_MAX)  # a thousand years overflow
    try:
        gate.get(timeout=timeout_s)
    except Empty:
        return False
    return True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_clean_in_child)

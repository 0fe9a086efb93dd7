"""The pool's lock, made safe for finalizers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Guard"]


class Guard:
    """The pool's lock, which looks after every critical section whether a finalizer has returned something."""

    __slots__ = ("_lock", "_returned_later", "_take_back")

    def __init__(self, lock: threading.Lock, returned_later: deque[Any], take_back: Callable[[], None]) -> None:
        self._lock = lock
        self._returned_later = returned_later
        self._take_back = take_back

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self._returned_later:
            self._take_back()

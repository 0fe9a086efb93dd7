"""Worker threads, as a pooled resource."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import Any

from qfast.pools.pool import Pool

__all__ = ["Worker", "make_worker_pool"]

_log = logging.getLogger("qfast.pools")
_numbers = count(1)

Task = Callable[[], None]


class Worker:
    """A thread that runs tasks one after the other. It starts with its first task and lives until `stop`."""

    def __init__(self) -> None:
        self.name = f"qfast-worker-{next(_numbers)}"
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def has_thread(self) -> bool:
        """Whether its thread was started."""
        return self._thread is not None

    def run(self, task: Task) -> None:
        """Hand over a task; returns at once. The task is expected to catch its own errors."""
        if self._thread is None:
            # The thread holds the queue, not the worker, so that a worker nobody holds can end its thread.
            # Daemon: at exit the job layer ends its jobs itself, and must not wait for a thread that cannot end.
            thread = threading.Thread(target=_serve, args=(self._tasks,), name=self.name, daemon=True)
            thread.start()
            self._thread = thread
        self._tasks.put(task)  # the last step: if anything above fails, nobody has the task

    def check(self) -> None:
        """Raise ``RuntimeError`` if the thread has died."""
        if self._thread is not None and not self._thread.is_alive():
            raise RuntimeError(f"worker thread {self.name} has died")

    def stop(self) -> None:
        """Let the thread end after the tasks that it has; again is harmless."""
        self._tasks.put(None)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the thread has ended; return whether it has."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def __del__(self) -> None:
        self._tasks.put(None)


def _serve(tasks: SimpleQueue[Task | None]) -> None:
    while (task := tasks.get()) is not None:
        try:
            task()
        except Exception:
            _log.exception("a task failed in a worker; tasks must catch their own errors")
        del task  # it may hold a job and its arrays while this thread waits for the next


def make_worker_pool(max_workers: int, **options: Any) -> Pool[Worker]:
    """Return a pool of worker threads; the unit is one worker. ``options`` go to `Pool`."""
    return Pool(
        "workers",
        lambda _: Worker(),
        budget=max_workers,
        unit="workers",
        check=Worker.check,
        discard=Worker.stop,
        **options,
    )

"""Time, injected: the system's clock with one timer thread, and a clock that tests move by hand.

Every time-out, time to live and retry delay of the pools and the job layer is an alarm of a clock. Nothing polls.
"""

from __future__ import annotations

import heapq
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import Protocol

from qfast.pools.recovery import wait_at

__all__ = ["SYSTEM_CLOCK", "Alarm", "Clock", "ManualClock", "SystemClock"]

_log = logging.getLogger("qfast.pools")

Action = Callable[[], None]

# So many new alarms make the clock's thread look at them before the next one is due: most may have been cancelled.
_MANY_NEW = 1024


class Alarm:
    """One action at one time. Cancelling one that has run is harmless."""

    __slots__ = ("_queue", "action", "number", "when")

    def __init__(self, when: float, number: int, action: Action, queue: _AlarmQueue) -> None:
        self.when = when
        self.number = number
        self.action: Action | None = action
        self._queue = queue

    def __lt__(self, other: Alarm) -> bool:
        return (self.when, self.number) < (other.when, other.number)

    def cancel(self) -> None:
        """Drop the action, unless it has already begun."""
        if self.action is not None:
            self.action = None  # the action may hold a job and its arrays: let go now, not when the time comes
            self._queue.note_cancelled()


class _AlarmQueue:
    """Alarms in order of time. Cancelled ones stay until they are due or are most of the queue. Takes no lock."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._numbers = count()
        self._cancelled = 0

    def push(self, when: float, action: Action) -> Alarm:
        alarm = Alarm(when, next(self._numbers), action, self)
        self.add(alarm)
        return alarm

    def add(self, alarm: Alarm) -> None:
        if self._cancelled > 64 and self._cancelled > len(self._heap) // 2:
            self._heap = [a for a in self._heap if a.action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
        heapq.heappush(self._heap, alarm)

    def note_cancelled(self) -> None:
        self._cancelled += 1  # a race may lose a count: it only delays the clearing

    def next_time(self) -> float | None:
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
        return self._heap[0].when if self._heap else None

    def pop_due(self, now: float) -> Action | None:
        while self._heap and self._heap[0].when <= now:
            alarm = heapq.heappop(self._heap)
            action, alarm.action = alarm.action, None
            if action is not None:
                return action
        return None

    def __len__(self) -> int:
        return sum(alarm.action is not None for alarm in self._heap)


class Clock(Protocol):
    """What the pools and the job layer need of time."""

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def wall(self) -> float:
        """Return seconds since the epoch, for people."""
        ...

    def start(self) -> None:
        """Make sure that alarms will ring; what may fail about a clock fails here, and not when an alarm is set."""
        ...

    def call_at(self, when: float, action: Action) -> Alarm:
        """Run ``action`` at ``when`` (monotonic), in a thread of the clock's; it must be short and take no time."""
        ...


class SystemClock:
    """The system's time. One daemon thread, started by the first alarm, runs them all; a forked child starts clean.

    The thread alone touches the queue of alarms. Setting one is an ``append`` and, if it is earlier than the thread
    would wake, a ``put``: nothing that Ctrl-C could leave half done.
    """

    def __init__(self) -> None:
        self.start_clean()

    def start_clean(self) -> None:
        """Forget every alarm; a forked child has neither the thread nor those who wait."""
        self._new: deque[Alarm] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._wakes_at = math.inf
        self._numbers = count()
        self._alarms = _AlarmQueue()
        self._has_thread = False
        self._is_served = threading.Lock()

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)

    def start(self) -> None:
        """See `Clock`."""
        if not self._has_thread:
            threading.Thread(target=self._run, name="qfast-clock", daemon=True).start()
            self._has_thread = True

    def call_at(self, when: float, action: Action) -> Alarm:
        """See `Clock`."""
        self.start()
        alarm = Alarm(when, next(self._numbers), action, self._alarms)
        self._new.append(alarm)
        if when < self._wakes_at or len(self._new) > _MANY_NEW:
            self._wake.put(None)
        return alarm

    def _run(self) -> None:
        if not self._is_served.acquire(blocking=False):
            return  # two started it at once
        new, wake, alarms = self._new, self._wake, self._alarms
        while True:
            self._wakes_at = (
                -math.inf
            )  # meanwhile nobody need wake this thread: it looks at what is new before it waits
            while new:
                alarms.add(new.popleft())
            while (action := alarms.pop_due(time.monotonic())) is not None:
                _run_safely(action)
                del action  # it may hold a job while this thread waits for the next
            when = alarms.next_time()
            self._wakes_at = math.inf if when is None else when
            if not new:
                wait_at(wake, None if when is None else when - time.monotonic())


class ManualClock:
    """A clock that stands still until it is told to advance; for tests.

    Examples
    --------
    >>> clock = ManualClock()
    >>> alarm = clock.call_at(5.0, lambda: print("ring"))
    >>> clock.advance(4.0)
    >>> clock.advance(1.0)
    ring
    """

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self._lock = threading.Lock()
        self._alarms = _AlarmQueue()
        self._now = 0.0
        self._wall = wall

    def monotonic(self) -> float:
        """See `Clock`."""
        return self._now

    def wall(self) -> float:
        """See `Clock`."""
        return self._wall + self._now

    def start(self) -> None:
        """See `Clock`; this one only moves by hand."""

    def call_at(self, when: float, action: Action) -> Alarm:
        """See `Clock`; the action runs inside `advance`."""
        with self._lock:
            return self._alarms.push(when, action)

    def advance(self, seconds: float) -> None:
        """Move the time on, alarm by alarm."""
        target = self._now + seconds
        while True:
            with self._lock:
                when = self._alarms.next_time()
                if when is None or when > target:
                    self._now = target
                    return
                self._now = max(self._now, when)
                action = self._alarms.pop_due(self._now)
            if action is not None:
                _run_safely(action)

    def num_alarms(self) -> int:
        """Return how many alarms are set."""
        with self._lock:
            return len(self._alarms)


def _run_safely(action: Action) -> None:
    try:
        action()
    except Exception:  # one alarm's error must not stop the clock for all others
        _log.exception("an alarm failed")


SYSTEM_CLOCK = SystemClock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SYSTEM_CLOCK.start_clean)

"""What a pool counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PoolStatistics"]


@dataclass(slots=True)
class PoolStatistics:
    """Gauges and counters of one pool; amounts are in the pool's unit (bytes, workers).

    Attributes
    ----------
    leases, leased : int
        Gauges: leases that are out, and their amount. Both are zero when every job is done and no result lives.
    exported : int
        Gauge: the part of ``leased`` that results hold, so that no job's end will bring it back.
    idle_resources, idle : int
        Gauges: resources kept for the next lease, and their amount.
    waiters : int
        Gauge: callers that wait.
    peak_leased : int
        The most that was ever leased.
    acquired, reused : int
        Counters: leases given, and of these with a used resource; the others are ``created``.
    reset, evicted, discarded : int
        Counters: resources cleaned for another tenant, given up for the budget's sake, thrown away in all.
    waited, timed_out, cancelled, refused : int
        Counters: callers that had to wait, waited in vain, gave up, were told that it can never be.
    leaked : int
        Counter: leases that were lost without being returned; the log names the place of each.
    cleanup_failures : int
        Counter: callbacks that failed while a resource was checked, reset or discarded.
    wait_s, cleanup_s : float
        Seconds spent waiting, and in resetting and discarding.
    """

    leases: int = 0
    leased: int = 0
    exported: int = 0
    idle_resources: int = 0
    idle: int = 0
    waiters: int = 0
    peak_leased: int = 0
    acquired: int = 0
    reused: int = 0
    reset: int = 0
    evicted: int = 0
    discarded: int = 0
    waited: int = 0
    timed_out: int = 0
    cancelled: int = 0
    refused: int = 0
    leaked: int = 0
    cleanup_failures: int = 0
    wait_s: float = 0.0
    cleanup_s: float = 0.0

    @property
    def created(self) -> int:
        """Counter: leases given with a new resource."""
        return self.acquired - self.reused

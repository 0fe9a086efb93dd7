"""Pools: one generic pool, and on it state buffers and worker threads."""

from __future__ import annotations

from qfast.pools.cancellation import Cancellation
from qfast.pools.clock import SYSTEM_CLOCK, Clock, ManualClock, SystemClock
from qfast.pools.fair_order import FairOrder
from qfast.pools.lease import Lease
from qfast.pools.lifecycle import TRANSITIONS, Lifecycle, check_transition
from qfast.pools.null_pool import NullPool
from qfast.pools.pool import Pool
from qfast.pools.state_buffers import StateBuffers
from qfast.pools.statistics import PoolStatistics
from qfast.pools.workers import Worker, make_worker_pool

__all__ = [
    "SYSTEM_CLOCK",
    "TRANSITIONS",
    "Cancellation",
    "Clock",
    "FairOrder",
    "Lease",
    "Lifecycle",
    "ManualClock",
    "NullPool",
    "Pool",
    "PoolStatistics",
    "StateBuffers",
    "SystemClock",
    "Worker",
    "check_transition",
    "make_worker_pool",
]

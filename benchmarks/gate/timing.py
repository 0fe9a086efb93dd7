"""Interleaved timing, and what is said of two series of times."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

__all__ = ["ROUNDS", "ROUND_S", "Call", "calls_per_round", "ratio", "round_seconds", "worst_case"]

Call = Callable[[], Any]

ROUNDS = 7
ROUND_S = 0.01
"""A round repeats its call until it takes about this long: far above the clock and the scheduler's shortest slice."""
_MAX_CALLS = 100_000


def round_seconds(call: Call, calls: int) -> float:
    """Return the seconds of one call, the mean of `calls` in a row, without the garbage collector."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        begun = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - begun) / calls
    finally:
        if was_on:
            gc.enable()


def calls_per_round(call: Call, round_s: float = ROUND_S) -> int:
    """Return how often to call in a round; calls on the way, so that caches are warm."""
    call()
    calls = 1
    while True:
        # The quicker of two: a processor that was taken away must not end the search.
        taken = calls * min(round_seconds(call, calls), round_seconds(call, calls))
        if taken >= round_s / 2 or calls >= _MAX_CALLS:
            return max(1, min(_MAX_CALLS, round(calls * round_s / taken)))
        calls *= 4


def ratio(seconds: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of `others` over that of `seconds`: how many times quicker."""
    return median(others) / median(seconds)


def worst_case(seconds: Sequence[float], others: Sequence[float]) -> float:
    """Return the ratio that `seconds` must answer for: of medians or of the least times, whichever is kinder.

    Work that became slower is slower by both; a busy machine seldom moves both.
    """
    return max(ratio(seconds, others), min(others) / min(seconds))

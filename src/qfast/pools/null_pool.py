"""A pool without memory, for comparison and for finding bugs of reuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from qfast.pools.pool import Pool

__all__ = ["NullPool"]

T = TypeVar("T")


class NullPool(Pool[T]):
    """A pool that keeps nothing: the same leases, limits and statistics, every resource new."""

    def __init__(self, name: str, create: Callable[[int], T], *, budget: int, unit: str, **options: Any) -> None:
        super().__init__(name, create, budget=budget, unit=unit, keep_idle=False, **options)

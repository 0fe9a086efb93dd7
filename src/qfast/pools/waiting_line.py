"""Those who wait for a pool: in order of arrival within a tenant, in fair turns between tenants."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from qfast.pools.fair_order import FairOrder
from qfast.pools.lease import Waiter

__all__ = ["WaitingLine"]

T = TypeVar("T")


class WaitingLine(Generic[T]):
    """Waiters by tenant. Takes no lock: the pool has one."""

    def __init__(self) -> None:
        self._queues: dict[str, OrderedDict[int, Waiter[T]]] = {}
        self._order: FairOrder[str] = FairOrder()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Waiter[T]]:
        for queue in self._queues.values():
            yield from queue.values()

    def by_tenant(self) -> Iterator[tuple[str, list[Waiter[T]]]]:
        """Yield each tenant that waits, and its waiters."""
        for tenant, queue in self._queues.items():
            yield tenant, list(queue.values())

    def push(self, waiter: Waiter[T]) -> None:
        """Add a waiter at the end of its tenant's queue."""
        self._queues.setdefault(waiter.tenant, OrderedDict())[id(waiter)] = waiter
        self._order.join(waiter.tenant)
        self._length += 1

    def remove(self, waiter: Waiter[T]) -> None:
        """Take a waiter out."""
        queue = self._queues[waiter.tenant]
        del queue[id(waiter)]
        if not queue:
            del self._queues[waiter.tenant]
            self._order.leave(waiter.tenant)
        self._length -= 1

    def first(self, is_within_limit: Callable[[Waiter[T]], bool]) -> Waiter[T] | None:
        """Return whose turn it is, of those whose tenant's own limit lets them; None if there is none."""
        tenant = self._order.first(lambda tenant: is_within_limit(self._head(tenant)))
        return None if tenant is None else self._head(tenant)

    def charge(self, waiter: Waiter[T]) -> None:
        """Charge a waiter's tenant for the turn that it takes now."""
        self._order.charge(waiter.tenant, waiter.size)

    def _head(self, tenant: str) -> Waiter[T]:
        return next(iter(self._queues[tenant].values()))

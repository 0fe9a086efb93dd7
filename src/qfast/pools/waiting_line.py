"""Those who wait for a pool: in order of arrival within a tenant, in fair turns between tenants."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from qfast.pools.fair_order import FairOrder
from qfast.pools.lease import Grant

__all__ = ["WaitingLine"]

T = TypeVar("T")


class WaitingLine(Generic[T]):
    """Grants by tenant. Takes no lock: the pool has one."""

    def __init__(self) -> None:
        self._queues: dict[str, OrderedDict[int, Grant[T]]] = {}
        self._order: FairOrder[str] = FairOrder()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Grant[T]]:
        for queue in self._queues.values():
            yield from queue.values()

    def by_tenant(self) -> Iterator[tuple[str, list[Grant[T]]]]:
        """Yield each tenant that waits, and its waiters."""
        for tenant, queue in self._queues.items():
            yield tenant, list(queue.values())

    def push(self, waiter: Grant[T]) -> None:
        """Add a waiter at the end of its tenant's queue."""
        self._queues.setdefault(waiter.tenant, OrderedDict())[id(waiter)] = waiter
        self._order.join(waiter.tenant)
        self._length += 1

    def remove(self, waiter: Grant[T]) -> None:
        """Take a waiter out."""
        queue = self._queues[waiter.tenant]
        del queue[id(waiter)]
        if not queue:
            self._order.leave(waiter.tenant)
            del self._queues[waiter.tenant]
        self._length -= 1

    def __contains__(self, waiter: Grant[T]) -> bool:
        return id(waiter) in self._queues.get(waiter.tenant, ())

    def mend(self) -> None:
        """Make length and order what the queues say: an insertion or removal may have been broken off."""
        for tenant, queue in tuple(self._queues.items()):
            if queue:
                self._order.join(tenant)
            else:
                self._order.leave(tenant)
                del self._queues[tenant]
        self._length = sum(map(len, self._queues.values()))

    def first(self, is_within_limit: Callable[[Grant[T]], bool]) -> Grant[T] | None:
        """Return whose turn it is, of those whose tenant's own limit lets them; None if there is none."""
        tenant = self._order.first(lambda tenant: is_within_limit(self._head(tenant)))
        return None if tenant is None else self._head(tenant)

    def charge(self, waiter: Grant[T]) -> None:
        """Charge a waiter's tenant for the turn that it takes now."""
        self._order.charge(waiter.tenant, waiter.size)

    def _head(self, tenant: str) -> Grant[T]:
        return next(iter(self._queues[tenant].values()))

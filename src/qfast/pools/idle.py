"""Used resources that wait for their next lease."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Idle", "IdleStore"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Idle(Generic[T]):
    """A used resource, and the tenant who had it last."""

    resource: T
    size: int
    tenant: str


class IdleStore(Generic[T]):
    """Idle resources by size and by age. Takes no lock: the pool has one.

    The order by age is the truth; the rest follows from it, see `mend`.
    """

    def __init__(self) -> None:
        self._by_size: dict[int, list[Idle[T]]] = {}
        self._by_age: OrderedDict[int, Idle[T]] = OrderedDict()
        self.amount = 0

    def __len__(self) -> int:
        return len(self._by_age)

    def mend(self) -> None:
        """Derive the rest from the order by age: a change may have been broken off."""
        by_size: dict[int, list[Idle[T]]] = {}
        for idle in self._by_age.values():
            by_size.setdefault(idle.size, []).append(idle)
        self._by_size = by_size
        self.amount = sum(idle.size for idle in self._by_age.values())

    def put(self, idle: Idle[T]) -> None:
        """Keep a resource; it becomes the youngest."""
        key, stack = id(idle), self._by_size.setdefault(idle.size, [])
        self._by_age[key] = idle
        self.amount += idle.size
        stack.append(idle)

    def take(self, size: int, tenant: str) -> Idle[T] | None:
        """Take the one of this size that was used last (its memory is warm), the tenant's own if there is one."""
        stack = self._by_size.get(size)
        if not stack:
            return None
        chosen = stack[-1]
        if chosen.tenant != tenant:
            chosen = next((idle for idle in reversed(stack) if idle.tenant == tenant), chosen)
        self._forget(chosen)
        return chosen

    def take_oldest(self) -> Idle[T]:
        """Take the one that was used the longest time ago."""
        oldest = next(iter(self._by_age.values()))
        self._forget(oldest)
        return oldest

    def _forget(self, idle: Idle[T]) -> None:
        del self._by_age[id(idle)]
        stack = self._by_size[idle.size]
        if stack[-1] is idle:
            del stack[-1]
        else:
            stack.remove(idle)
        self.amount -= idle.size

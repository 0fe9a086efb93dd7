"""Who is next: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996, doi:10.1145/248156.248171).

Every contender has a virtual time. The one with the least goes next and is charged ``cost / weight``; one that comes
back from idleness starts at the current virtual time, so that it neither owes nor has saved anything.

Bound, with equal weights: a contender that becomes ready waits for at most one turn of every other ready contender
before its first turn, however much those have queued; and from then on gets one in n turns of equal cost.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["FairOrder"]

K = TypeVar("K", bound=Hashable)


class _Contender:
    __slots__ = ("arrival", "virtual_time", "weight")

    def __init__(self, virtual_time: float, weight: float, arrival: int) -> None:
        self.virtual_time = virtual_time
        self.weight = weight
        self.arrival = arrival


class FairOrder(Generic[K]):
    """The order of contenders by fair share. Takes no lock: its owner has one.

    Examples
    --------
    >>> order = FairOrder[str]()
    >>> order.join("a"); order.join("b", weight=2.0)
    >>> turns = []
    >>> for _ in range(6):
    ...     turns.append(order.first())
    ...     order.charge(turns[-1], 1.0)
    >>> "".join(turns)
    'abbabb'
    """

    def __init__(self) -> None:
        self._ready: dict[K, _Contender] = {}
        self._ahead: dict[K, float] = {}  # idle contenders that have had more than their share
        self._now = 0.0
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._ready)

    def __contains__(self, key: K) -> bool:
        return key in self._ready

    def join(self, key: K, weight: float = 1.0) -> None:
        """Make a contender ready; one that is ready already keeps its place."""
        if key in self._ready:
            return
        virtual_time = max(self._now, self._ahead.pop(key, 0.0))
        self._ready[key] = _Contender(virtual_time, weight, self._arrivals)
        self._arrivals += 1

    def leave(self, key: K) -> None:
        """Take a contender out: it has nothing to do."""
        contender = self._ready.pop(key, None)
        if contender is None:
            return
        if contender.virtual_time > self._now:
            if len(self._ahead) > 2 * len(self._ready) + 16:
                self._ahead = {k: v for k, v in self._ahead.items() if v > self._now}
            self._ahead[key] = contender.virtual_time
        if not self._ready:  # nobody waits, so nobody can be wronged: all begin anew
            self._ahead.clear()

    def first(self, is_eligible: Callable[[K], bool] | None = None) -> K | None:
        """Return the ready contender whose turn it is, of those that are eligible; None if there is none."""
        best, best_rank = None, (float("inf"), 0)
        for key, contender in self._ready.items():
            if is_eligible is not None and not is_eligible(key):
                # It waits for itself (a limit of its own), so it saves nothing up meanwhile.
                contender.virtual_time = max(contender.virtual_time, self._now)
                continue
            rank = (contender.virtual_time, contender.arrival)
            if rank < best_rank:
                best, best_rank = key, rank
        return best

    def charge(self, key: K, cost: float) -> None:
        """Charge a ready contender for the turn that it takes now."""
        contender = self._ready[key]
        self._now = max(self._now, contender.virtual_time)
        contender.virtual_time += cost / contender.weight

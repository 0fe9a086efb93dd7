"""Jobs that wait for each other: whoever holds something waits for more, so that nothing can come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from qfast.pools.lease import Grant
from qfast.pools.ledger import Ledger
from qfast.pools.waiting_line import WaitingLine

__all__ = ["find_stuck"]

T = TypeVar("T")


def find_stuck(
    line: WaitingLine[T], ledger: Ledger, returnable: int, is_within_limit: Callable[[Grant[T]], bool]
) -> Grant[T] | None:
    """Return who has to give way, if all that could ever be returned is held by jobs that wait for more.

    Parameters
    ----------
    line : WaitingLine
        Those who wait.
    ledger : Ledger
    returnable : int
        What is leased and no result holds.
    is_within_limit : callable
        Whether a waiter's tenant has room under its own limit; those of a tenant that has none wait for that tenant's
        other jobs only.
    """
    groups = [(list(line), returnable)]
    for tenant, waiters in line.by_tenant():
        if not is_within_limit(waiters[0]):
            groups.append((waiters, ledger.tenants.get(tenant, 0) - ledger.exported.get(tenant, 0)))
    for waiters, held in groups:
        own = sum(ledger.jobs.get(job, 0) for job in {waiter.job for waiter in waiters})
        if own and own == held:
            return next(waiter for waiter in reversed(waiters) if ledger.jobs.get(waiter.job))
    return None

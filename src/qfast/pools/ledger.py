"""Who has leased how much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qfast.pools.lease import Grant

__all__ = ["Ledger"]


class Ledger:
    """Amounts leased by tenant and by job, and what results hold of them. Takes no lock: the pool has one.

    A result's part counts for its tenant, no longer for its job.
    """

    __slots__ = ("exported", "jobs", "tenants")

    def __init__(self) -> None:
        self.tenants: dict[str, int] = {}
        self.jobs: dict[str, int] = {}
        self.exported: dict[str, int] = {}

    @classmethod
    def of(cls, grants: Iterable[Grant[Any]]) -> Ledger:
        """Return the ledger of what is leased."""
        ledger = cls()
        for grant in grants:
            ledger.add(grant.tenant, grant.job, grant.size)
            if grant.exported:
                ledger.export(grant.tenant, grant.job, grant.size)
        return ledger

    def add(self, tenant: str, job: str, amount: int) -> None:
        """Note a lease; ``job=""`` is nobody's."""
        self.tenants[tenant] = self.tenants.get(tenant, 0) + amount
        if job:
            self.jobs[job] = self.jobs.get(job, 0) + amount

    def remove(self, tenant: str, job: str, amount: int, *, is_exported: bool) -> None:
        """Note a return."""
        _subtract(self.tenants, tenant, amount)
        if is_exported:
            _subtract(self.exported, tenant, amount)
        elif job:
            _subtract(self.jobs, job, amount)

    def export(self, tenant: str, job: str, amount: int) -> None:
        """Note that a result holds a lease from now on."""
        self.exported[tenant] = self.exported.get(tenant, 0) + amount
        if job:
            _subtract(self.jobs, job, amount)


def _subtract(amounts: dict[str, int], who: str, amount: int) -> None:
    left = amounts[who] - amount
    if left:
        amounts[who] = left
    else:
        del amounts[who]

"""Where jobs come from: a session, a batch, or the sessionless jobs of a tenant; and whose turn it is."""

from __future__ import annotations

import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from qfast.errors import InputError
from qfast.pools import FairOrder

if TYPE_CHECKING:
    from qfast.jobs.job import Job

__all__ = ["DEDICATED_WEIGHT", "Flow", "JobQueue", "check_priority"]

# A sessionless job waits for at most so many jobs of each dedicated session of its tenant.
DEDICATED_WEIGHT = 32.0
_MAX_PRIORITY = 8


def check_priority(priority: Any) -> int:
    """Return a valid priority or raise ``InputError``."""
    if isinstance(priority, bool) or not isinstance(priority, int) or abs(priority) > _MAX_PRIORITY:
        raise InputError(
            f"priority {priority!r} is not valid; allowed: whole numbers from -{_MAX_PRIORITY} to {_MAX_PRIORITY}, "
            "each step doubling the share"
        )
    return priority


class Flow:
    """A source of jobs with one share of its tenant's turns.

    Parameters
    ----------
    tenant : str
    session_id : str or None
    priority : int
        The share is ``2**priority``.
    is_dedicated : bool
        A dedicated session: one job after the other in order of submission, with `DEDICATED_WEIGHT` times the share.

    Attributes
    ----------
    process : int
        Whose jobs these are; a forked child cannot wait for them.
    on_finished : WeakMethod or None
        Called with every job that is done, before those who wait for it are woken.
    unfinished : OrderedDict of Job
        In order of submission, over all devices: those that have not come to their end. Each scheduler adds and removes
        its own.
    unpublished : dict of Job
        Those whose end its session has not counted.
    is_stopped : bool
        Nothing of it starts any more.
    """

    def __init__(self, tenant: str, session_id: str | None, priority: int, *, is_dedicated: bool) -> None:
        self.tenant = tenant
        self.session_id = session_id
        self.is_dedicated = is_dedicated
        self.weight = 2.0**priority * (DEDICATED_WEIGHT if is_dedicated else 1.0)
        self.key = session_id or f"{tenant}, priority {priority}"
        self.process = os.getpid()
        self.unfinished: OrderedDict[str, Job] = OrderedDict()
        self.unpublished: dict[str, Job] = {}
        self.is_stopped = False
        self.on_finished: weakref.WeakMethod[Callable[[Job], None]] | None = None

    def tell_finished(self, job: Job) -> None:
        """Tell the session that a job is done."""
        on_finished = None if self.on_finished is None else self.on_finished()
        if on_finished is None:
            self.unpublished.pop(job.id, None)
        else:
            on_finished(job)

    def first_unfinished(self) -> Job | None:
        """Return the job that was submitted first, of those that are not done."""
        while True:
            try:
                return next(iter(self.unfinished.values()), None)
            except RuntimeError:  # another thread added or removed a job between the two calls
                continue

    def is_next(self, job: Job) -> bool:
        """Whether the order of a dedicated session lets this job start; one that is not in yet would be the last."""
        return not self.is_dedicated or self.first_unfinished() in (None, job)


class _FlowQueue:
    __slots__ = ("flow", "jobs")

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.jobs: OrderedDict[str, Job] = OrderedDict()


class _TenantQueue:
    __slots__ = ("flows", "order")

    def __init__(self) -> None:
        self.flows: dict[str, _FlowQueue] = {}
        self.order: FairOrder[str] = FairOrder()


class JobQueue:
    """Jobs that wait for one device: tenants share its turns equally, flows share their tenant's by weight.

    Within a flow, jobs go in order of submission. Takes no lock: its scheduler has one.

    Notes
    -----
    The bound: a tenant whose first job arrives while n others have jobs waiting sees at most n jobs (one of each, by
    cost) start before its own, however many they have queued. With w workers and jobs of at most t seconds it starts
    within ``(n / w + 1) · t``.
    """

    def __init__(self) -> None:
        self._tenants: dict[str, _TenantQueue] = {}
        self._order: FairOrder[str] = FairOrder()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, job: Job, *, first: bool = False) -> None:
        """Add a job at the end of its flow, or at its head."""
        flow = job.flow
        tenant = self._tenants.setdefault(flow.tenant, _TenantQueue())
        queue = tenant.flows.get(flow.key)
        if queue is None:
            queue = tenant.flows[flow.key] = _FlowQueue(flow)
        queue.jobs[job.id] = job
        if first:
            queue.jobs.move_to_end(job.id, last=False)
        tenant.order.join(flow.key, flow.weight)
        self._order.join(flow.tenant)
        self._length += 1

    def mend(self, jobs: Iterable[Job]) -> None:
        """Make the queue hold these jobs, in their order; shares begin anew.

        For when a change was broken off, so that its parts may contradict each other.
        """
        for tenant in self._tenants.values():
            for key in tuple(tenant.flows):
                tenant.order.leave(key)
            tenant.flows = {}
        for name in tuple(self._tenants):
            self._order.leave(name)
        self._length = 0
        for job in jobs:
            self.push(job)

    def remove(self, job: Job) -> bool:
        """Take a job out; False if it is not in."""
        tenant = self._tenants.get(job.flow.tenant)
        queue = None if tenant is None else tenant.flows.get(job.flow.key)
        if tenant is None or queue is None or queue.jobs.pop(job.id, None) is None:
            return False
        self._length -= 1
        if not queue.jobs:
            tenant.order.leave(job.flow.key)
            del tenant.flows[job.flow.key]
        if not tenant.flows:
            self._order.leave(job.flow.tenant)
            if not self._order:
                self._tenants.clear()  # all begin anew, see FairOrder.leave
        return True

    def first(self, may_start: Callable[[Job], bool], is_below_limit: Callable[[str], bool]) -> Job | None:
        """Return the job whose turn it is, of those that may start; None if there is none."""

        def has_job(tenant: str) -> bool:
            return is_below_limit(tenant) and self._first_of(tenant, may_start) is not None

        tenant = self._order.first(has_job)
        return None if tenant is None else self._first_of(tenant, may_start)

    def _first_of(self, tenant: str, may_start: Callable[[Job], bool]) -> Job | None:
        queue = self._tenants[tenant]
        key = queue.order.first(lambda key: may_start(next(iter(queue.flows[key].jobs.values()))))
        return None if key is None else next(iter(queue.flows[key].jobs.values()))

    def charge(self, job: Job) -> None:
        """Charge a waiting job's tenant and flow for the turn that it takes now."""
        self._order.charge(job.tenant, job.requirements.cost)
        self._tenants[job.tenant].order.charge(job.flow.key, job.requirements.cost)

    def jobs(self) -> list[Job]:
        """Return all waiting jobs, flow by flow."""
        return [
            job for tenant in self._tenants.values() for queue in tenant.flows.values() for job in queue.jobs.values()
        ]

"""One pool for every resource: leases under a budget, fair among tenants, in order of arrival within each.

The pool knows nothing of its resource: it calls ``create(size)`` for a new one, ``check(resource)`` before it hands out
a used one (an error means: throw it away), ``reset(resource)`` when a used one goes to another tenant, and
``discard(resource)`` for the last time. Everything is decided inside the lock; the callbacks run outside it. The model
is psycopg_pool 3.2: explicit opening, no reopening, waiters that are handed their grant and accept it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from qfast.errors import CancelledRunError, CapacityError, InputError, LeaseError, PoolClosedError, PoolTimeoutError
from qfast.pools.cancellation import Cancellation
from qfast.pools.cleanup import CleanupFailure, report_cleanup_failure
from qfast.pools.clock import SYSTEM_CLOCK, Clock
from qfast.pools.idle import Idle, IdleStore
from qfast.pools.lease import Grant, Lease
from qfast.pools.ledger import Ledger
from qfast.pools.lifecycle import Lifecycle, check_transition
from qfast.pools.recovery import Gates, recover_soon, start_recovery, wait_at
from qfast.pools.statistics import PoolStatistics
from qfast.pools.stuck import find_stuck
from qfast.pools.waiting_line import WaitingLine

__all__ = ["Pool"]

_log = logging.getLogger("qfast.pools")
T = TypeVar("T")

# How often a waiter looks for leases that were lost, see `Pool._wait`.
_SWEEP_S = 1.0

_POOLS: weakref.WeakSet[Pool[Any]] = weakref.WeakSet()


class Pool(Generic[T]):
    """A pool of resources.

    Parameters
    ----------
    name, unit : str
        For messages: ``"state buffers"``, ``"bytes"``.
    create : callable
        ``create(size)`` returns a new resource.
    budget : int
        The most that may exist, leased and idle together, in units.
    check, reset, discard : callable, optional
        See the module.
    max_per_tenant, max_per_job : int, optional
        The most one tenant or job may have leased.
    max_waiters : int, optional
        How many may wait before the next is refused.
    keep_idle : bool
        False: nothing is kept, every resource is thrown away when it comes back.
    on_cleanup_failure : callable, optional
        ``on_cleanup_failure(message, error)``: the alert.
    clock : Clock

    Notes
    -----
    Thread-safe. A forked child finds it open and empty. A lease and its return take a few microseconds.
    """

    def __init__(
        self,
        name: str,
        create: Callable[[int], T],
        *,
        budget: int,
        unit: str,
        check: Callable[[T], None] | None = None,
        reset: Callable[[T], None] | None = None,
        discard: Callable[[T], None] | None = None,
        max_per_tenant: int | None = None,
        max_per_job: int | None = None,
        max_waiters: int | None = None,
        keep_idle: bool = True,
        on_cleanup_failure: CleanupFailure | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self.unit = unit
        self.budget = budget
        self.max_per_tenant = max_per_tenant
        self.max_per_job = max_per_job
        self._create = create
        self._check = check
        self._reset = reset
        self._discard = discard
        self._max_waiters = max_waiters
        self._keep_idle = keep_idle
        self.on_cleanup_failure = on_cleanup_failure
        self._clock = clock
        self._state = Lifecycle.NEW
        self._statistics = PoolStatistics()
        self._generation = 0
        self._start_clean()
        _POOLS.add(self)

    def _start_clean(self) -> None:
        self._lock = threading.Lock()
        self._is_torn = False  # the books are being changed, or were left half changed: see `_mend`
        self._granted: dict[int, Grant[T]] = {}  # the truth: those that are not over
        self._returned_later: deque[tuple[Lease[T], bool]] = deque()
        self._idle: IdleStore[T] = IdleStore()
        self._ledger = Ledger()
        self._line: WaitingLine[T] = WaitingLine()
        self._gates = Gates()

    def _after_fork(self) -> None:
        """Begin anew in a forked child: the parent's leases, waiters and idle resources are not the child's."""
        self._generation += 1
        self._statistics = PoolStatistics()
        self._start_clean()
        if self._state is Lifecycle.DRAINING:
            self._state = Lifecycle.CLOSED

    # --- life ---------------------------------------------------------------------------------------------------------
    @property
    def state(self) -> Lifecycle:
        """Where the pool is in its life."""
        return self._state

    def open(self) -> None:
        """Begin to give leases."""
        start_recovery()
        with self._lock:
            self._state = check_transition(f"pool {self.name!r}", self._state, Lifecycle.OPEN)

    def close(self, timeout_s: float | None = 0.0) -> bool:
        """Give no more leases, refuse those who wait, throw idle resources away; again is harmless.

        Parameters
        ----------
        timeout_s : float or None
            How long to wait for leases that are out; None: for ever. The pool closes with the last one's return.

        Returns
        -------
        bool
            Whether all leases have come back.
        """
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                self._is_torn = True
                if self._state is Lifecycle.NEW:
                    self._enter(Lifecycle.CLOSED)
                elif self._state is Lifecycle.OPEN:
                    self._enter(Lifecycle.DRAINING)
                    why = f"pool {self.name!r} was closed while a lease was waited for"
                    for waiter in list(self._line):
                        self._refuse(waiter, PoolClosedError(why))
                    self._close_if_drained()
                thrown = [self._idle.take_oldest() for _ in range(len(self._idle))]
                self._is_torn = False
            self._look_after()
            for idle in thrown:
                self._throw_away(idle.resource)
        except BaseException:
            recover_soon((self,))
            self.recover()
            raise
        return self._gates.wait_for(lambda: self._state is Lifecycle.CLOSED, timeout_s)

    def _enter(self, state: Lifecycle) -> None:
        self._state = check_transition(f"pool {self.name!r}", self._state, state)
        if state is Lifecycle.CLOSED:
            self._gates.wake()

    def _close_if_drained(self) -> None:
        if self._state is Lifecycle.DRAINING and self._statistics.leases == 0:
            self._enter(Lifecycle.CLOSED)

    def __repr__(self) -> str:
        leased = f"{self._statistics.leased} of {self.budget} {self.unit} leased"
        return (
            f"<Pool {self.name!r} {self._state.value}: {leased}, {self._idle.amount} idle, {len(self._line)} waiting>"
        )

    def set_limits(self, budget: int, max_per_tenant: int | None, max_per_job: int | None) -> None:
        """Change the limits; what is leased stays, idle resources over the budget are thrown away."""
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                self._is_torn = True
                self.budget, self.max_per_tenant, self.max_per_job = budget, max_per_tenant, max_per_job
                thrown = []
                while len(self._idle) and self._statistics.leased + self._idle.amount > budget:
                    thrown.append(self._idle.take_oldest())
                self._refuse_the_impossible()
                self._serve_waiters()
                self._is_torn = False
            self._look_after()
            for idle in thrown:
                self._throw_away(idle.resource)
        except BaseException:
            recover_soon((self,))
            self.recover()
            raise

    def statistics(self) -> PoolStatistics:
        """Return a copy of the gauges and counters."""
        self._look_after()
        if self._is_torn or self._has_lost():
            self.recover()
        with self._lock:
            idle, waiters = self._idle, len(self._line)
            return replace(self._statistics, idle=idle.amount, idle_resources=len(idle), waiters=waiters)

    def leased_by(self, job: str) -> tuple[int, int]:
        """Return how many leases a job has out, and their amount, without those that were exported: a gauge."""
        self._look_after()
        with self._lock:
            if not self._ledger.jobs.get(job) and not self._is_torn:
                return 0, 0
            sizes = [g.size for g in self._granted.values() if g.job == job and not (g.exported or g.is_over)]
        return len(sizes), sum(sizes)

    def trim(self) -> int:
        """Throw idle resources away; return their amount."""
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                self._is_torn = True
                thrown = [self._idle.take_oldest() for _ in range(len(self._idle))]
                self._is_torn = False
            self._look_after()
            for idle in thrown:
                self._throw_away(idle.resource)
        except BaseException:
            recover_soon((self,))
            self.recover()
            raise
        return sum(idle.size for idle in thrown)

    # --- leasing ------------------------------------------------------------------------------------------------------
    def acquire(
        self,
        size: int = 1,
        *,
        tenant: str = "local",
        job: str = "",
        overwrite: bool = False,
        timeout_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Lease[T]:
        """Lease a resource, waiting for it if need be.

        Parameters
        ----------
        size : int
            Amount, in units; resources are shared between leases of the same size only.
        tenant, job : str
            Who is charged; ``job=""`` is nobody's.
        overwrite : bool
            True promises to overwrite the whole resource before it shows to anybody, so that no reset is needed.
        timeout_s : float, optional
            How long to wait; 0: not at all; None: as long as it takes.
        cancellation : Cancellation, optional
            Ends the waiting.

        Raises
        ------
        InputError
            The size is below 1.
        CapacityError
            It can never be: the size is above the budget, a limit, or what results have left over.
        PoolTimeoutError, PoolClosedError, CancelledRunError
            The waiting ended otherwise.
        """
        grant: Grant[T] = Grant(size, tenant, job, self._generation)
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                self._check_can_ever_be(size, tenant, job)
                if self._line or not self._try_grant(grant):
                    self._enqueue(grant)
            self._look_after()
            if not grant.is_granted:
                self._wait(grant, timeout_s, cancellation)
            return self._fulfil(grant, overwrite)
        except BaseException:  # a refusal, a callback's error, or Ctrl-C
            if grant.is_granted or grant.gate is not None or self._is_torn:
                recover_soon((self, grant))  # the guarantee
                self.recover(grant)  # at once, unless that is broken off, too
            raise

    def release(self, lease: Lease[T], *, reuse: bool = True) -> None:
        """Take a lease back.

        Raises
        ------
        LeaseError
            It is another pool's, or has been returned before; nothing has been changed.
        """
        if lease.pool is not self:
            raise LeaseError(
                f"pool {self.name!r} was handed {lease!r}, which it did not give; return it to its own pool"
            )
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                if lease.grant.is_over:
                    raise LeaseError(f"{lease!r} was returned before; return a lease once")
                thrown = self._take_back(lease.grant, lease.resource, reuse=reuse)
            self._look_after()
            if thrown is not None:
                self._throw_away(thrown)
        except BaseException:
            if self._is_torn:
                recover_soon((self,))
                self.recover()
            raise

    def release_soon(self, lease: Lease[T], *, is_lost: bool = False) -> None:
        """Like `release`, but safe inside a finalizer: it does not wait for the lock, which this thread may hold.

        ``is_lost``: the lease itself is being garbage-collected without a return.
        """
        if is_lost or self._lock.locked():
            self._returned_later.append((lease, is_lost))
            self._look_after()
            return
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                grant = lease.grant
                thrown = None if grant.is_over else self._take_back(grant, lease.resource, reuse=True)
            if thrown is not None:
                self._throw_away(thrown)
            self._look_after()
        except BaseException:  # Ctrl-C, which Python drops in a finalizer
            recover_soon((self,))
            raise

    def export(self, lease: Lease[T]) -> bool:
        """Note that a result holds the lease: it outlives its job, and waiting for it would be in vain.

        Returns
        -------
        bool
            False: the lease is back already, nothing was done.
        """
        grant = lease.grant
        try:
            with self._lock:
                if self._is_torn:
                    self._mend()
                if grant.is_over or grant.generation != self._generation:
                    return False
                if grant.exported:
                    raise LeaseError(f"{lease!r} was exported before; export a lease once")
                self._is_torn = True
                grant.exported = True  # the truth; the sums follow
                self._statistics.exported += grant.size
                self._ledger.export(grant.tenant, grant.job, grant.size)
                if self._line:
                    self._refuse_the_impossible()
                    self._serve_waiters()
                self._is_torn = False
            self._look_after()
        except BaseException:
            if self._is_torn:
                recover_soon((self,))
                self.recover()
            raise
        return True

    def _refuse_the_impossible(self) -> None:
        for waiter in list(self._line):
            try:
                self._check_can_ever_be(waiter.size, waiter.tenant, waiter.job)
            except CapacityError as error:
                self._refuse(waiter, error)

    # --- decisions, inside the lock -----------------------------------------------------------------------------------
    def _check_can_ever_be(self, size: int, tenant: str, job: str) -> None:
        """Refuse what no other lease's return can make possible."""
        if size < 1:
            raise InputError(
                f"{size} {self.unit} were asked for from pool {self.name!r}; allowed: whole numbers from 1"
            )
        if self._state is not Lifecycle.OPEN:
            raise PoolClosedError(
                f"pool {self.name!r} is {self._state.value} and gives no leases; open it, or a new one"
            )
        held = self._statistics.exported
        if size > self.budget - held:
            raise self._too_large(size, self.budget, held, f"the budget of pool {self.name!r}")
        if self.max_per_tenant is not None:
            held = self._ledger.exported.get(tenant, 0)
            if size > self.max_per_tenant - held:
                raise self._too_large(size, self.max_per_tenant, held, f"the limit of tenant {tenant!r}")
        if self.max_per_job is not None and job:
            held = self._ledger.jobs.get(job, 0)
            if size > self.max_per_job - held:
                raise self._too_large(size, self.max_per_job, held, f"the limit of job {job!r}")

    def _too_large(self, size: int, limit: int, held: int, whose: str) -> CapacityError:
        self._statistics.refused += 1
        holding = f", of which {held} are held by results and by the job itself" if held else ""
        return CapacityError(
            f"{size} {self.unit} were asked for, but {whose} is {limit}{holding}; the largest that fits is "
            f"{max(0, limit - held)}; ask for less, let go of results, or raise the limit"
        )

    def _is_within_limit(self, waiter: Grant[T]) -> bool:
        limit = self.max_per_tenant
        return limit is None or self._ledger.tenants.get(waiter.tenant, 0) + waiter.size <= limit

    def _try_grant(self, grant: Grant[T]) -> bool:
        """Reserve budget, and choose a used resource or evict others to make room; return whether it could be."""
        s, size, tenant = self._statistics, grant.size, grant.tenant
        if s.leased + size > self.budget:
            return False
        if self.max_per_tenant is not None and self._ledger.tenants.get(tenant, 0) + size > self.max_per_tenant:
            return False
        was_torn, key = self._is_torn, id(grant)
        self._is_torn = True
        grant.idle = self._idle.take(size, tenant)
        while s.leased + size + self._idle.amount > self.budget:
            grant.evicted = grant.evicted or []
            grant.evicted.append(self._idle.take_oldest())
            s.evicted += 1
        reused = grant.idle is not None
        self._ledger.add(tenant, grant.job, size)
        self._granted[key], grant.is_granted, s.leases, s.leased = grant, True, s.leases + 1, s.leased + size
        s.acquired, s.reused = s.acquired + 1, s.reused + reused
        if s.leased > s.peak_leased:
            s.peak_leased = s.leased
        self._is_torn = was_torn
        return True

    def _enqueue(self, grant: Grant[T]) -> None:
        if self._max_waiters is not None and len(self._line) >= self._max_waiters:
            self._statistics.refused += 1
            raise CapacityError(
                f"pool {self.name!r} has {len(self._line)} callers waiting, and {self._max_waiters} are allowed; "
                "try again later"
            )
        gate: SimpleQueue[None] = SimpleQueue()
        self._is_torn = True
        grant.gate = gate
        self._line.push(grant)
        self._sweep()
        self._serve_waiters()
        self._is_torn = False

    def _serve_waiters(self) -> None:
        """Grant what can be granted in turn, and let somebody give way if all wait for each other."""
        self._grant_in_turn()
        while self._line:
            returnable = self._statistics.leased - self._statistics.exported
            victim = find_stuck(self._line, self._ledger, returnable, self._is_within_limit)
            if victim is None:
                return
            held = self._ledger.jobs[victim.job]
            error = CapacityError(
                f"job {victim.job!r} holds {held} {self.unit} and waits for {victim.size} more from pool "
                f"{self.name!r}, while all others that hold any wait, too: one had to give way; it may be tried again"
            )
            error.is_transient = True  # type: ignore[attr-defined]
            self._refuse(victim, error)
            self._statistics.refused += 1
            self._grant_in_turn()

    def _grant_in_turn(self) -> None:
        while (waiter := self._line.first(self._is_within_limit)) is not None:
            if not self._try_grant(waiter):
                return  # it is this one's turn: were others to overtake it, a large lease would starve
            self._line.charge(waiter)
            self._let_go_on(waiter)

    def _refuse(self, waiter: Grant[T], error: Exception) -> bool:
        """End a waiting; False when the decision has been taken already."""
        if waiter.is_decided:
            return False
        waiter.error = error
        self._let_go_on(waiter)
        return True

    def _let_go_on(self, waiter: Grant[T]) -> None:
        """Wake a waiter that has its answer; it leaves the line last, so that `_mend` finds one that was not woken."""
        assert waiter.gate is not None
        waiter.gate.put(None)
        self._line.remove(waiter)

    def _take_back(self, grant: Grant[T], resource: T | None, *, reuse: bool) -> T | None:
        """Close the books on a lease; return the resource if it is to be thrown away."""
        if grant.generation != self._generation:
            grant.is_over = True
            return None  # a lease of the parent process
        was_torn, s = self._is_torn, self._statistics
        self._is_torn = True
        grant.is_over = True  # the truth; the sums follow
        self._granted.pop(id(grant), None)
        self._ledger.remove(grant.tenant, grant.job, grant.size, is_exported=grant.exported)
        s.leases, s.leased = s.leases - 1, s.leased - grant.size
        if grant.exported:
            s.exported -= grant.size
        thrown = resource
        if resource is not None and reuse and self._keep_idle and self._state is Lifecycle.OPEN:
            self._idle.put(Idle(resource, grant.size, grant.tenant))
            thrown = None
        if self._line:
            self._serve_waiters()
        if self._state is Lifecycle.DRAINING:
            self._close_if_drained()
        self._is_torn = was_torn
        return thrown

    # --- mending, inside the lock -------------------------------------------------------------------------------------
    def _mend(self) -> None:
        """Derive the books from the truth: Ctrl-C broke off somebody who was changing them."""
        s = self._statistics
        granted = {key: grant for key, grant in tuple(self._granted.items()) if not grant.is_over}
        self._granted = granted
        self._ledger = Ledger.of(granted.values())
        s.leases = len(granted)
        s.leased = sum(grant.size for grant in granted.values())
        s.exported = sum(grant.size for grant in granted.values() if grant.exported)
        self._idle.mend()
        self._line.mend()
        for waiter in list(self._line):
            if waiter.is_decided:
                self._let_go_on(waiter)
        self._is_torn = False

    def _has_lost(self) -> bool:
        """Whether a holder has died and its finalizer was broken off; asked without the lock."""
        return any(grant.is_lost for grant in tuple(self._granted.values()))

    def _sweep(self) -> None:
        """Take back what was lost because Ctrl-C broke off a finalizer."""
        returned = {id(lease.grant) for lease, _ in tuple(self._returned_later)}
        for key, grant in tuple(self._granted.items()):
            if grant.is_lost and key not in returned:
                self._take_back(grant, None, reuse=False)
                if not grant.is_silent:
                    self._statistics.leaked += 1

    def _give_up(self, grant: Grant[T]) -> None:
        """Undo a question that nobody waits to have answered; a resource that was chosen for it is lost."""
        if grant in self._line:
            self._refuse(grant, CancelledRunError("its waiter was interrupted"))
        elif grant.is_granted and not grant.is_over and (grant.holder is None or grant.holder() is None):
            self._take_back(grant, None, reuse=False)

    def recover(self, grant: Grant[T] | None = None) -> None:
        """Mend the books and answer those who wait; ``grant``: its acquirer gave up. See `qfast.pools.recovery`."""
        with self._lock:
            self._mend()
            self._is_torn = True
            if grant is not None:
                self._give_up(grant)
            self._sweep()
            self._serve_waiters()
            self._close_if_drained()
            self._is_torn = False
        self._look_after()

    # --- work, outside the lock ---------------------------------------------------------------------------------------
    def _wait(self, grant: Grant[T], timeout_s: float | None, cancellation: Cancellation | None) -> None:
        """Wait for the answer; raise a refusal."""
        assert grant.gate is not None
        started = self._clock.monotonic()

        def time_out() -> None:
            message = f"pool {self.name!r} had no {grant.size} {self.unit} within {timeout_s} s ({self._usage()})"
            self._end_waiting(grant, PoolTimeoutError(message), "timed_out")

        def give_up() -> None:
            reason = cancellation.reason if cancellation is not None else ""
            message = f"waiting for pool {self.name!r} was cancelled: {reason}"
            self._end_waiting(grant, CancelledRunError(message), "cancelled")

        alarm = None
        if timeout_s is not None:
            if timeout_s <= 0:
                time_out()
            else:
                alarm = self._clock.call_at(started + timeout_s, time_out)
        if cancellation is not None:
            cancellation.subscribe(give_up)
        try:
            while not grant.is_decided:
                # A return wakes it. But nobody hears of one whose finalizer Ctrl-C broke off: look from time to time.
                if not wait_at(grant.gate, _SWEEP_S) and self._has_lost():
                    self.recover()
        finally:
            if alarm is not None:
                alarm.cancel()
            if cancellation is not None:
                cancellation.unsubscribe(give_up)
            self._count(waited=1, wait_s=self._clock.monotonic() - started)
        error, grant.error = grant.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # or it would hold itself, by this frame, and with it the arrays of all frames below

    def _end_waiting(self, waiter: Grant[T], error: Exception, counter: str) -> None:
        with self._lock:
            if self._is_torn:
                self._mend()
            self._is_torn = True
            has_ended = self._refuse(waiter, error)
            if has_ended:
                self._serve_waiters()  # it may have been its turn
            self._is_torn = False
        self._count(**{counter: has_ended})

    def _usage(self) -> str:
        s = self._statistics
        return f"{s.leased} of {self.budget} are leased, {s.exported} of them to results; {len(self._line)} wait"

    def _fulfil(self, grant: Grant[T], overwrite: bool) -> Lease[T]:
        """Turn a grant into a lease: throw away what was evicted, check and reset or create the resource."""
        for evicted in grant.evicted or ():
            self._throw_away(evicted.resource)
        idle = grant.idle
        if idle is not None and self._is_fit(idle, grant.tenant, overwrite):
            resource = idle.resource
        else:
            if idle is not None:
                self._throw_away(idle.resource)
                self._count(reused=-1)
            resource = self._create(grant.size)
        grant.idle = grant.evicted = None
        return Lease(self, resource, grant)

    def _is_fit(self, idle: Idle[T], tenant: str, overwrite: bool) -> bool:
        if self._check is not None:
            try:
                self._check(idle.resource)
            except Exception as error:
                self._report_failure("a used resource failed its check", error)
                return False
        if self._reset is None or overwrite or idle.tenant == tenant:
            return True
        is_reset = self._clean_up("a used resource could not be reset", self._reset, idle.resource)
        self._count(reset=is_reset)
        return is_reset

    def _throw_away(self, resource: T) -> None:
        self._count(discarded=1)
        if self._discard is not None:
            self._clean_up("a resource could not be discarded", self._discard, resource)

    def _clean_up(self, failure: str, action: Callable[[T], None], resource: T) -> bool:
        """Run a callback that must not fail anybody; return whether it did its work."""
        started, failed = time.perf_counter(), None
        try:
            action(resource)
        except Exception as error:
            self._report_failure(failure, failed := error)
        self._count(cleanup_s=time.perf_counter() - started)
        return failed is None

    def _report_failure(self, message: str, error: Exception) -> None:
        self._count(cleanup_failures=1)
        report_cleanup_failure(_log, self.on_cleanup_failure, f"pool {self.name!r}: {message}", error)

    def _count(self, **changes: float) -> None:
        """Add to counters."""
        with self._lock:
            for name, change in changes.items():
                setattr(self._statistics, name, getattr(self._statistics, name) + change)
        self._look_after()

    def _look_after(self) -> None:
        """Take back what a finalizer has returned while the lock was held; called after every use of the lock.

        Not part of a context manager around the lock: Ctrl-C inside its ``__enter__`` would leave the lock locked.
        """
        if self._returned_later:
            self._take_back_returned()

    def _take_back_returned(self) -> None:
        """Take back what finalizers have returned.

        A finalizer may run in the middle of anything, so it only appends to a deque while the lock is taken. Whoever
        has it comes here after letting go of it.
        """
        while self._returned_later and not self._lock.locked():
            lost, thrown = [], []
            with self._lock:
                if self._is_torn:
                    self._mend()
                while self._returned_later:
                    lease, is_lost = self._returned_later[0]
                    grant = lease.grant
                    if not grant.is_over:
                        current = grant.generation == self._generation
                        resource = self._take_back(grant, lease.resource, reuse=not is_lost)
                        if resource is not None and not is_lost:
                            thrown.append(resource)
                        if is_lost and current:
                            self._statistics.leaked += 1
                            lost.append(lease)
                    self._returned_later.popleft()
            for resource in thrown:
                self._throw_away(resource)
            for lease in lost:
                _log.error("pool %r: a lease of %d %s was never returned; it was taken at %s, by tenant %r",
                           self.name, lease.size, self.unit, lease.place, lease.tenant)  # fmt: skip


def _start_clean_in_child() -> None:
    for pool in list(_POOLS):
        pool._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_clean_in_child)

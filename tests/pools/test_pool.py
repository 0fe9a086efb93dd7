"""The generic pool, with and without keeping what comes back."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qfast.errors import (
    CancelledRunError,
    CapacityError,
    LeaseError,
    LifecycleError,
    PoolClosedError,
    PoolTimeoutError,
)
from qfast.pools import Cancellation, Lease, Lifecycle, ManualClock, NullPool, Pool, StateBuffers
from tests.interrupts import every_place


class Thing:
    """A resource that notes what the pool does with it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.history: list[str] = []
        self.is_broken = False

    def check(self) -> None:
        if self.is_broken:
            raise RuntimeError("broken")
        self.history.append("check")

    def reset(self) -> None:
        self.history.append("reset")

    def discard(self) -> None:
        self.history.append("discard")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


MakePool = Callable[..., Pool[Thing]]


@pytest.fixture(params=[Pool, NullPool], ids=["pool", "null pool"])
def make_pool(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[MakePool]:
    made = []

    def make(budget: int = 10, **options: object) -> Pool[Thing]:
        pool: Pool[Thing] = request.param(
            "things",
            Thing,
            budget=budget,
            unit="units",
            check=Thing.check,
            reset=Thing.reset,
            discard=Thing.discard,
            clock=clock,
            **options,
        )
        pool.open()
        made.append(pool)
        return pool

    yield make
    for pool in made:
        assert (pool.statistics().leases, pool.statistics().leased, pool.statistics().waiters) == (0, 0, 0)
        assert (pool._ledger.tenants, pool._ledger.jobs, pool._ledger.exported) == ({}, {}, {})


class Waiting:
    """A thread that acquires and holds what it got."""

    def __init__(self, pool: Pool[Thing], size: int = 1, **options: object) -> None:
        self.lease: Lease[Thing] | None = None
        self.error: BaseException | None = None
        before = pool.statistics().waiters
        self._thread = threading.Thread(target=self._acquire, args=(pool, size, options))
        self._thread.start()
        while pool.statistics().waiters == before and self._thread.is_alive():
            pass  # the thread is on its way into the queue

    def _acquire(self, pool: Pool[Thing], size: int, options: dict[str, object]) -> None:
        try:
            self.lease = pool.acquire(size, **options)  # type: ignore[arg-type]
        except Exception as error:
            self.error = error

    @property
    def is_waiting(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> Waiting:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self

    def release(self) -> None:
        self.join()
        assert self.lease is not None, self.error
        self.lease.release()


def test_a_pool_gives_nothing_before_it_is_open_and_nothing_after_it_is_closed(make_pool: MakePool) -> None:
    new = Pool("things", Thing, budget=1, unit="units")
    with pytest.raises(PoolClosedError, match="'things' is new"):
        new.acquire()
    assert new.close()
    pool = make_pool()
    assert pool.state is Lifecycle.OPEN
    assert pool.close()
    assert pool.close(), "closing again is harmless"
    with pytest.raises(PoolClosedError, match="'things' is closed"):
        pool.acquire()
    with pytest.raises(LifecycleError, match="cannot become open"):
        pool.open()


def test_closing_waits_for_leases_and_refuses_those_who_wait(make_pool: MakePool) -> None:
    pool = make_pool(1)
    lease = pool.acquire()
    waiting = Waiting(pool)
    assert not pool.close()
    assert pool.state is Lifecycle.DRAINING
    assert isinstance(waiting.join().error, PoolClosedError)
    lease.release()
    assert pool.state is Lifecycle.CLOSED
    assert lease.resource.history == ["discard"]


def test_a_returned_resource_is_used_again_unless_the_pool_keeps_nothing(make_pool: MakePool) -> None:
    pool = make_pool()
    with pool.acquire(4) as first:
        pass
    with pool.acquire(4) as second:
        assert (second is first) == (not isinstance(pool, NullPool))
    with pool.acquire(3) as other:
        assert other.size == 3
    pool.close()
    assert first.history[-1] == "discard"


def test_a_resource_is_reset_only_when_it_changes_tenants(make_pool: MakePool) -> None:
    pool = make_pool()
    if isinstance(pool, NullPool):
        return
    for tenant, overwrite in (("a", False), ("a", False), ("b", False), ("a", True)):
        with pool.acquire(tenant=tenant, overwrite=overwrite) as thing:
            pass
    assert thing.history == ["check", "check", "reset", "check"]
    assert pool.statistics().reset == 1


def test_a_resource_of_the_same_tenant_is_preferred(make_pool: MakePool) -> None:
    pool = make_pool()
    leases = [pool.acquire(tenant=tenant) for tenant in "ab"]
    things = [lease.resource for lease in leases]
    for lease in leases:
        lease.release()
    if not isinstance(pool, NullPool):
        with pool.acquire(tenant="a") as thing:
            assert thing is things[0]
            assert "reset" not in thing.history


def test_a_broken_resource_is_replaced_and_counted(make_pool: MakePool, caplog: pytest.LogCaptureFixture) -> None:
    alerts: list[str] = []
    pool = make_pool(on_cleanup_failure=lambda message, error: alerts.append(f"{message}: {error}"))
    with pool.acquire() as thing:
        thing.is_broken = True
    with pool.acquire() as other:
        assert other is not thing
    if not isinstance(pool, NullPool):
        assert (pool.statistics().cleanup_failures, pool.statistics().created) == (1, 2)
        assert alerts == ["pool 'things': a used resource failed its check: broken"]
        assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_errors_of_cleaning_never_reach_the_caller(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise ValueError("stuck")

    def alert(message: str, error: BaseException) -> None:
        raise RuntimeError("the alert is broken too")

    pool = Pool(
        "things", Thing, budget=1, unit="units", reset=fail, discard=fail, on_cleanup_failure=alert, clock=clock
    )
    pool.open()
    pool.acquire(tenant="a").release()
    pool.acquire(tenant="b").release()
    assert pool.close()
    assert pool.statistics().cleanup_failures == 3  # one reset; the discard after it; the discard on closing
    assert pool.statistics().leases == 0
    assert "stuck" in caplog.text


def test_a_failure_to_create_gives_the_budget_back(clock: ManualClock) -> None:
    def fail(_: int) -> Thing:
        raise MemoryError("none left")

    pool = Pool("things", fail, budget=1, unit="units", clock=clock)
    pool.open()
    for _ in range(3):
        with pytest.raises(MemoryError, match="none left"):
            pool.acquire()
    assert pool.statistics().leased == 0


def test_idle_resources_make_room_oldest_first(make_pool: MakePool) -> None:
    pool = make_pool(10)
    things = []
    for size in (4, 3, 2):
        with pool.acquire(size) as thing:
            things.append(thing)
    pool.acquire(5).release()
    assert things[0].history[-1] == "discard"
    if not isinstance(pool, NullPool):
        assert (pool.statistics().evicted, pool.statistics().idle) == (1, 10)


def test_what_can_never_be_is_refused_with_the_largest_that_fits(make_pool: MakePool) -> None:
    pool = make_pool(10, max_per_tenant=6, max_per_job=4)
    with pytest.raises(CapacityError, match=r"11 units .* budget of pool 'things' is 10; the largest that fits is 10"):
        pool.acquire(11)
    with pytest.raises(CapacityError, match="limit of tenant 'a' is 6"):
        pool.acquire(7, tenant="a")
    with (
        pool.acquire(3, job="j"),
        pytest.raises(CapacityError, match=r"limit of job 'j' is 4, of which 3 are held.*is 1"),
    ):
        pool.acquire(2, job="j")
    assert pool.statistics().refused == 3


def test_waiters_are_served_in_order_and_a_large_one_is_not_overtaken(make_pool: MakePool) -> None:
    pool = make_pool(4)
    first = pool.acquire(3)
    large, small = Waiting(pool, 4), Waiting(pool, 1)
    with pytest.raises(PoolTimeoutError):
        pool.acquire(1, timeout_s=0)  # a newcomer does not overtake either
    assert small.is_waiting, "one unit is free, but it is the large one's turn"
    first.release()
    large.join()
    assert small.is_waiting
    large.release()
    small.release()
    assert pool.statistics().waited == 3


def test_a_tenant_at_its_limit_does_not_hold_up_the_others(make_pool: MakePool) -> None:
    pool = make_pool(10, max_per_tenant=5)
    greedy = pool.acquire(5, tenant="a")
    waiting = Waiting(pool, 1, tenant="a")
    other = Waiting(pool, 5, tenant="b")
    other.join()
    assert waiting.is_waiting
    greedy.release()
    waiting.release()
    other.release()


def test_tenants_take_turns_however_many_wait(make_pool: MakePool) -> None:
    pool = make_pool(1)
    held = pool.acquire()
    many = [Waiting(pool, tenant="a") for _ in range(5)]
    one = Waiting(pool, tenant="b")
    held.release()
    many[0].release()
    one.release()
    assert many[1].join().lease is not None
    for waiting in many[1:]:
        waiting.release()


def test_waiting_ends_when_the_time_is_over(make_pool: MakePool, clock: ManualClock) -> None:
    pool = make_pool(1)
    held = pool.acquire()
    waiting = Waiting(pool, timeout_s=5.0)
    while clock.num_alarms() == 0:
        pass  # the thread stands in the queue and is about to set its alarm
    clock.advance(4.9)
    assert waiting.is_waiting
    clock.advance(0.2)
    assert isinstance(waiting.join().error, PoolTimeoutError)
    assert str(waiting.error).startswith("pool 'things' had no 1 units within 5.0 s (1 of 1 are leased")
    with pytest.raises(PoolTimeoutError):
        pool.acquire(timeout_s=0)
    held.release()
    assert (pool.statistics().timed_out, clock.num_alarms()) == (2, 0)
    assert 5.0 <= pool.statistics().wait_s < 5.2, "the thread reads the clock when it wakes up"


def test_a_grant_and_a_time_out_at_once_lose_nothing(make_pool: MakePool, clock: ManualClock) -> None:
    pool = make_pool(1)
    for _ in range(200):
        held = pool.acquire()
        waiting = Waiting(pool, timeout_s=1.0)
        race = threading.Thread(target=clock.advance, args=(1.0,))
        race.start()
        held.release()
        race.join()
        waiting.join()
        assert (waiting.lease is None) != (waiting.error is None)
        if waiting.lease is not None:
            waiting.lease.release()
    assert pool.statistics().leases == 0


def test_waiting_can_be_cancelled(make_pool: MakePool) -> None:
    pool = make_pool(1)
    held = pool.acquire()
    cancellation = Cancellation()
    waiting = Waiting(pool, cancellation=cancellation)
    cancellation.cancel("by the user")
    assert isinstance(waiting.join().error, CancelledRunError)
    assert "by the user" in str(waiting.error)
    with pytest.raises(CancelledRunError):
        pool.acquire(cancellation=cancellation)
    held.release()


def test_no_more_than_the_allowed_number_may_wait(make_pool: MakePool) -> None:
    pool = make_pool(1, max_waiters=1)
    held = pool.acquire()
    waiting = Waiting(pool)
    with pytest.raises(CapacityError, match="1 callers waiting, and 1 are allowed"):
        pool.acquire()
    held.release()
    waiting.release()


def test_a_lease_is_returned_once_and_to_its_own_pool(make_pool: MakePool) -> None:
    pool, other = make_pool(), make_pool()
    lease = pool.acquire()
    with pytest.raises(LeaseError, match="did not give"):
        other.release(lease)
    lease.release()
    with pytest.raises(LeaseError, match=r"returned before.*"):
        lease.release()
    assert (pool.statistics().leases, other.statistics().leases) == (0, 0)


def test_a_lost_lease_is_counted_and_its_place_logged(make_pool: MakePool, caplog: pytest.LogCaptureFixture) -> None:
    pool = make_pool()
    thing = pool.acquire(3, tenant="t").resource
    gc.collect()
    assert (pool.statistics().leaked, pool.statistics().leased) == (1, 0)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "test_pool.py:" in record.getMessage()
    assert "by tenant 't'" in record.getMessage()
    with pool.acquire(3) as other:
        assert other is not thing, "somebody may still use what was lost"
    pool.acquire(3, job="j")
    assert "taken at job j" in caplog.records[-1].getMessage()


def test_jobs_that_wait_for_each_other_are_told_apart(make_pool: MakePool) -> None:
    pool = make_pool(3)
    first, second = pool.acquire(job="first"), pool.acquire(job="second")
    patient = Waiting(pool, 2, job="first")
    assert patient.is_waiting, "the second job may still return what it has"
    with pytest.raises(CapacityError, match=r"job 'second' holds 1 units and waits for 2 more.*give way") as caught:
        pool.acquire(2, job="second")
    assert caught.value.is_transient  # type: ignore[attr-defined]
    second.release()
    patient.release()
    first.release()


def test_jobs_of_one_tenant_that_wait_for_each_other_are_told_apart_while_others_run(make_pool: MakePool) -> None:
    pool = make_pool(100, max_per_tenant=3)
    other = pool.acquire(1, tenant="other", job="other")
    first, second = pool.acquire(tenant="t", job="first"), pool.acquire(tenant="t", job="second")
    patient = Waiting(pool, 2, tenant="t", job="first")
    with pytest.raises(CapacityError, match="give way"):
        pool.acquire(2, tenant="t", job="second")
    second.release()
    patient.release()
    first.release()
    other.release()


def test_a_return_that_leaves_only_waiting_jobs_makes_one_give_way(make_pool: MakePool) -> None:
    pool = make_pool(4)
    leases = {name: pool.acquire(job=name) for name in ("a", "b", "runs")}
    waiting = {name: Waiting(pool, 3, job=name) for name in ("a", "b")}
    assert all(w.is_waiting for w in waiting.values())
    leases["runs"].release()
    assert isinstance(waiting["b"].join().error, CapacityError), "the one that came last"
    leases["b"].release()
    waiting["a"].release()
    leases["a"].release()


def test_limits_can_change_while_leases_are_out(make_pool: MakePool) -> None:
    pool = make_pool(10)
    lease = pool.acquire(4, tenant="a", job="j")
    pool.acquire(5).release()
    waiting = Waiting(pool, 7, tenant="b")
    pool.set_limits(20, None, None)
    waiting.release()
    waiting = Waiting(pool, 20, tenant="b")
    pool.set_limits(8, 6, 5)
    assert isinstance(waiting.join().error, CapacityError)
    with pytest.raises(CapacityError, match="limit of job 'j' is 5, of which 4 are held"):
        pool.acquire(2, tenant="a", job="j")
    assert pool.statistics().leased + pool.statistics().idle <= 8
    lease.release()


def test_what_a_result_holds_is_not_waited_for(make_pool: MakePool) -> None:
    pool = make_pool(10, max_per_tenant=8)
    result = pool.acquire(6, tenant="a", job="j")
    waiting = Waiting(pool, 5, tenant="b")
    other = Waiting(pool, 3, tenant="b")
    pool.export(result)
    assert isinstance(waiting.join().error, CapacityError)
    assert "of which 6 are held by results" in str(waiting.error)
    with pytest.raises(CapacityError, match="limit of tenant 'a' is 8, of which 6 are held"):
        pool.acquire(3, tenant="a")
    with pytest.raises(LeaseError):
        pool.export(result)
    other.release()
    pool.release_soon(result)
    assert pool.statistics().exported == 0
    pool.acquire(8, tenant="b").release()


def test_a_finalizer_inside_the_lock_does_not_deadlock(make_pool: MakePool) -> None:
    pool = make_pool()
    lease = pool.acquire()
    with pool._lock:
        pool.release_soon(lease)  # as the garbage collector may, in the thread that holds the lock
    assert pool.statistics().leases == 0


def test_an_interrupt_while_waiting_leaves_the_queue(make_pool: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make_pool(1)
    held = pool.acquire()

    def interrupt(gate: object, timeout_s: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("qfast.pools.pool.wait_at", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.acquire()
    assert pool.statistics().waiters == 0
    held.release()


@pytest.mark.parametrize("keep_idle", [True, False])
def test_ctrl_c_anywhere_leaves_books_that_balance(keep_idle: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # it strikes in finalizers, too
    pool = Pool("things", Thing, budget=8, unit="units", max_per_tenant=6, keep_idle=keep_idle)
    pool.open()
    for size in (1, 2, 2, 3):  # idle ones of several sizes, for taking, evicting and resetting
        pool.acquire(size, tenant="b").release()

    def use() -> None:
        first, second = pool.acquire(2), pool.acquire(3)
        pool.export(first)
        with contextlib.suppress(PoolTimeoutError):
            pool.acquire(5, tenant="b", timeout_s=0)
        second.release()
        first.release()
        pool.acquire(4, tenant="b").release()
        pool.statistics()

    places = 0
    for interrupt in every_place("qfast/pools/pool", "qfast/pools/idle", "qfast/pools/ledger", "qfast/pools/lease",
                                 "qfast/pools/waiting", "qfast/pools/fair"):  # fmt: skip
        with interrupt:
            use()
        pool.recover()
        if pool.statistics().leases:
            gc.collect()  # an error that was broken off on its way may hold its frames, and they the leases
        s = pool.statistics()
        assert (s.leases, s.leased, s.exported, s.waiters) == (0, 0, 0, 0), interrupt
        assert max(s.idle, s.idle_resources) <= 8, interrupt
        pool.acquire(6, tenant="c", timeout_s=5).release()
        places += 1
    assert places > 100
    assert pool.close(5)


@pytest.mark.parametrize("is_array", [False, True])
def test_a_finalizer_that_ctrl_c_broke_off_loses_nothing(monkeypatch: pytest.MonkeyPatch, is_array: bool) -> None:
    pool = StateBuffers(1 << 16)
    pool.open()
    held = pool.allocate(12, "complex128")[0] if is_array else pool.acquire(1 << 16)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    with monkeypatch.context() as patch:
        patch.setattr(pool, "release_soon", interrupted)
        del held
    assert pool.statistics().leases == 0
    assert pool.statistics().leaked == (not is_array)


def test_a_forked_child_starts_clean(make_pool: MakePool) -> None:
    pool = make_pool(2)
    lease = pool.acquire()
    pool.acquire().release()
    with pool._lock:  # held while forking: the child must not inherit it
        child = os.fork()
    if child == 0:
        code = 1
        try:
            fresh = pool.acquire(2)
            fresh.release()
            lease.release()  # the parent's: no effect on the child's books
            statistics = pool.statistics()
            code = 0 if (statistics.leases, statistics.acquired, statistics.leaked) == (0, 1, 0) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lease.release()


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 6), st.sampled_from(["take", "give", "export"])), max_size=40
    ),
)
def test_the_books_always_balance(keep_idle: bool, steps: list[tuple[str, int, str]]) -> None:
    pool = Pool("things", Thing, budget=12, unit="units", max_per_tenant=9, keep_idle=keep_idle)
    pool.open()
    held: list[Lease[Thing]] = []
    for tenant, size, action in steps:
        if action == "take":
            fits = (
                sum(x.size for x in held) + size <= 12 and sum(x.size for x in held if x.tenant == tenant) + size <= 9
            )
            try:
                lease = pool.acquire(size, tenant=tenant, timeout_s=0)
            except (CapacityError, PoolTimeoutError):
                lease = None
            assert (lease is not None) == fits
            if lease is not None:
                held.append(lease)
        elif held:
            index = size % len(held)
            if action == "give":
                pool.release(held.pop(index))
            elif not held[index].exported:
                pool.export(held[index])
        s = pool.statistics()
        assert (s.leases, s.leased) == (len(held), sum(x.size for x in held))
        assert s.exported == sum(x.size for x in held if x.exported)
        assert s.leased + s.idle <= 12
        assert s.acquired == s.reused + s.created
        assert keep_idle or s.idle == 0
        assert len({id(x.resource) for x in held}) == len(held), "no resource is out twice"
    for lease in held:
        lease.release()
    assert pool.close()
    s = pool.statistics()
    assert (s.leased, s.exported, s.idle, s.discarded) == (0, 0, 0, s.created)


def test_many_threads_end_with_empty_books(make_pool: MakePool) -> None:
    pool = make_pool(6, max_per_tenant=4)
    errors: list[BaseException] = []

    def use(number: int) -> None:
        try:
            for i in range(150):
                with pool.acquire(1 + (number + i) % 4, tenant=f"t{number % 3}", job=f"j{number}"):
                    pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert pool.statistics().acquired == 12 * 150
    assert pool.statistics().peak_leased <= 6

"""Alarms, on the clock that tests move and on the system's."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from qfast.pools import ManualClock, SystemClock


def test_alarms_run_in_order_of_time_then_of_setting() -> None:
    clock = ManualClock()
    rung: list[str] = []
    clock.call_at(2.0, lambda: rung.append("late"))
    clock.call_at(1.0, lambda: rung.append("first"))
    clock.call_at(1.0, lambda: rung.append("second"))
    clock.call_at(1.5, lambda: rung.append("never")).cancel()
    clock.advance(1.9)
    assert rung == ["first", "second"]
    clock.advance(0.1)
    assert rung == ["first", "second", "late"]
    assert clock.num_alarms() == 0
    assert (clock.monotonic(), clock.wall()) == (2.0, 1_700_000_002.0)


def test_an_alarm_may_set_another_and_see_its_own_time() -> None:
    clock = ManualClock()
    seen: list[float] = []

    def ring() -> None:
        seen.append(clock.monotonic())
        if len(seen) < 3:
            clock.call_at(clock.monotonic() + 1.0, ring)

    clock.call_at(1.0, ring)
    clock.advance(10.0)
    assert seen == [1.0, 2.0, 3.0]


def test_a_failing_alarm_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    rung: list[str] = []
    clock.call_at(1.0, lambda: [][0])
    clock.call_at(1.0, lambda: rung.append("other"))
    clock.advance(1.0)
    assert rung == ["other"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_many_cancelled_alarms_do_not_pile_up() -> None:
    clock = ManualClock()
    for _ in range(10_000):
        clock.call_at(1e9, lambda: None).cancel()
    assert clock.num_alarms() == 0
    assert len(clock._alarms._heap) < 200


def test_the_system_clock_rings_from_one_thread_also_for_an_earlier_alarm() -> None:
    clock = SystemClock()
    rung = threading.Event()
    far = clock.call_at(clock.monotonic() + 3600, lambda: None)
    clock.call_at(clock.monotonic() + 0.001, rung.set)
    assert rung.wait(10)
    far.cancel()
    assert abs(clock.wall() - os.times().elapsed) > 0


def test_a_forked_child_has_a_clock_without_the_parents_alarms() -> None:
    from qfast.pools import SYSTEM_CLOCK

    alarm = SYSTEM_CLOCK.call_at(SYSTEM_CLOCK.monotonic() + 3600, lambda: None)
    child = os.fork()
    if child == 0:
        rung = threading.Event()
        SYSTEM_CLOCK.call_at(SYSTEM_CLOCK.monotonic(), rung.set)
        os._exit(0 if rung.wait(10) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    alarm.cancel()


def test_an_alarm_in_ten_thousand_years_does_not_end_the_clock() -> None:
    clock = SystemClock()
    far = clock.call_at(clock.monotonic() + 3e11, lambda: None)
    rung = threading.Event()
    clock.call_at(clock.monotonic() + 0.01, rung.set)
    assert rung.wait(20)
    again = threading.Event()
    clock.call_at(clock.monotonic() + 0.01, again.set)
    assert again.wait(20)
    far.cancel()


def test_a_clock_that_could_not_start_its_thread_can_start_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    clock = SystemClock()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start"):
            clock.call_at(clock.monotonic(), lambda: None)
    rung = threading.Event()
    clock.call_at(clock.monotonic(), rung.set)
    assert rung.wait(20)

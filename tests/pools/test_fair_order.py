"""Turns by fair share, and the bound on waiting."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qfast.pools import FairOrder


def turns(order: FairOrder[str], count: int, costs: dict[str, float] | None = None) -> str:
    taken = []
    for _ in range(count):
        key = order.first()
        assert key is not None
        order.charge(key, (costs or {}).get(key, 1.0))
        taken.append(key)
    return "".join(taken)


def test_equal_contenders_alternate() -> None:
    order = FairOrder[str]()
    order.join("a")
    order.join("b")
    assert turns(order, 6) == "ababab"


def test_shares_follow_the_weights() -> None:
    order = FairOrder[str]()
    order.join("a", weight=3.0)
    order.join("b")
    assert turns(order, 400).count("a") == 300


def test_expensive_turns_are_rarer() -> None:
    order = FairOrder[str]()
    order.join("a")
    order.join("b")
    assert turns(order, 500, {"a": 4.0}).count("a") == 100


def test_idleness_saves_nothing_up() -> None:
    order = FairOrder[str]()
    order.join("a")
    turns(order, 1000)
    order.join("b")
    assert turns(order, 6).count("b") == 3


def test_leaving_does_not_wipe_out_what_was_taken() -> None:
    order = FairOrder[str]()
    order.join("a")
    order.join("b")
    order.charge("a", 10.0)
    order.leave("a")
    order.join("a")
    assert turns(order, 10) == "b" * 10


def test_waiting_for_a_limit_of_ones_own_saves_nothing_up() -> None:
    order = FairOrder[str]()
    order.join("a")
    order.join("b")
    for _ in range(100):
        key = order.first(lambda key: key != "b")
        assert key == "a"
        order.charge("a", 1.0)
    assert turns(order, 6).count("b") <= 4


def test_nobody_is_ready() -> None:
    order = FairOrder[str]()
    assert order.first() is None
    order.join("a")
    assert order.first(lambda _: False) is None
    order.leave("a")
    order.leave("a")
    assert len(order) == 0


@given(st.integers(2, 8), st.integers(0, 300))
def test_a_newcomer_waits_for_at_most_one_turn_of_each_other(others: int, turns_before: int) -> None:
    order = FairOrder[str]()
    for i in range(others):
        order.join(f"{i}")
    turns(order, turns_before)
    order.join("new")
    waited = 0
    while (key := order.first()) != "new":
        assert key is not None
        order.charge(key, 1.0)
        waited += 1
    assert waited <= others


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["join", "leave", "turn"])), max_size=60))
def test_only_the_ready_take_turns(steps: list[tuple[str, str]]) -> None:
    order = FairOrder[str]()
    ready = set()
    for key, action in steps:
        if action == "join":
            order.join(key)
            ready.add(key)
        elif action == "leave":
            order.leave(key)
            ready.discard(key)
        else:
            first = order.first()
            assert (first is None) == (not ready)
            if first is not None:
                assert first in ready
                order.charge(first, 1.0)
        assert {k for k in "abc" if k in order} == ready

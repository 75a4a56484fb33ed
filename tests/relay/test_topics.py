"""Whose a topic is, against a plain model of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eacf.relay.topics import MAX_TOPICS, Topics
from eacf.wire import CONTROL_REQUEST_TOPIC

A, B = b"eacf.flow.aaaaaaaaaaaa", b"eacf.flow.bbbbbbbbbbbb"


def test_the_first_has_it_until_it_goes() -> None:
    topics = Topics()
    assert topics.ask(A, "one", allowed=True) == (True, True)
    assert topics.ask(A, "two", allowed=True) == (False, False)
    assert topics.leave(A, "two") == (False, False)
    assert topics.ask(A, "one", allowed=True) == (True, False), "it comes again before its former connection is gone"
    assert topics.leave(A, None) == (True, False)
    assert topics.leave(A, None) == (True, True)
    assert topics.leave(A, None) == (False, False)
    assert topics.ask(A, "two", allowed=True) == (True, True)


def test_one_that_was_refused_takes_nothing_with_it() -> None:
    topics = Topics()
    topics.ask(A, "one", allowed=True)
    topics.ask(A, "two", allowed=False)
    assert topics.leave(A, None) == (False, False)
    assert topics.leave(A, "one") == (True, True)
    assert topics.leave(B, "nobody") == (False, False)


def test_shared_ones_stay() -> None:
    topics = Topics()
    assert topics.ask(CONTROL_REQUEST_TOPIC, "one", allowed=True) == (True, True)
    assert topics.ask(CONTROL_REQUEST_TOPIC, "two", allowed=True) == (True, False)
    assert topics.leave(CONTROL_REQUEST_TOPIC, "one") == (True, False)
    assert topics.leave(CONTROL_REQUEST_TOPIC, None) == (True, False)


def test_there_is_a_bound() -> None:
    topics = Topics()
    for number in range(MAX_TOPICS):
        assert topics.ask(b"%d" % number, "one", allowed=True)[0]
    assert topics.ask(A, "one", allowed=True) == (False, False)
    assert len(topics.clear()) == MAX_TOPICS
    assert topics.ask(A, "one", allowed=True) == (True, True)


def test_too_many_refusals_are_told_and_forgotten_together() -> None:
    topics = Topics()
    topics.ask(A, "one", allowed=True)
    for number in range(MAX_TOPICS + 1):
        assert not topics.overrun
        topics.ask(b"%d" % number, "two", allowed=False)
    assert topics.overrun
    assert topics.clear() == [A]
    assert not topics.overrun


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([A, B]), st.sampled_from(["one", "two"]))))
def test_the_bus_is_told_of_a_first_and_a_last(steps: list[tuple[bool, bytes, str]]) -> None:
    """Whatever clients do that give their name: the bus hears + and - of a topic in turn, and holds it while one has it."""
    topics, there, holds = Topics(), set[bytes](), {(topic, key): 0 for topic in (A, B) for key in ("one", "two")}
    for joins, topic, key in steps:
        if joins:
            granted, told = topics.ask(topic, key, allowed=True)
            holds[topic, key] += granted
            if told:
                assert topic not in there
                there.add(topic)
        else:
            had, told = topics.leave(topic, key)
            holds[topic, key] -= had
            if told:
                there.remove(topic)
        assert all(number >= 0 for number in holds.values())
        assert there == {topic for (topic, _), number in holds.items() if number}

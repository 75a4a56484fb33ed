from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.engine.queue import Entry, FlowQueue


def entry(flows: int, size: int = 10, at: float = 0.0) -> Entry:
    return Entry(at, flows, b"zeek", bytes(size))


def test_first_in_first_out() -> None:
    queue = FlowQueue(10, 1000)
    for at in range(3):
        assert queue.put(entry(2, at=at)) == 0
    assert [queue.take().received for _ in range(3)] == [0, 1, 2]
    assert (len(queue), queue.flows, queue.bytes) == (0, 0, 0)
    with pytest.raises(IndexError):
        queue.take()


def test_full_of_flows_the_oldest_go() -> None:
    queue = FlowQueue(10, 1000)
    queue.put(entry(4, at=1))
    queue.put(entry(4, at=2))
    assert queue.put(entry(8, at=3)) == 8
    assert queue.next_flows() == 8
    assert queue.take().received == 3


def test_full_of_bytes_the_oldest_go() -> None:
    queue = FlowQueue(100, 1000)
    queue.put(entry(1, 600))
    assert queue.put(entry(1, 500)) == 1
    assert queue.bytes == 500


def test_messages_without_flows_are_bounded_too() -> None:
    queue = FlowQueue(10, 1000)
    for _ in range(50):
        queue.put(entry(0, 1))
    assert len(queue) == 10


def test_one_message_alone_always_fits() -> None:
    queue = FlowQueue(10, 1000)
    assert queue.put(entry(256, 5000)) == 0
    assert queue.put(entry(1)) == 256
    assert queue.flows == 1


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 300)), max_size=60),
    st.integers(1, 60),
    st.integers(1, 2000),
)
def test_what_goes_in_is_there_or_was_dropped(
    messages: list[tuple[int, int]], limit_flows: int, limit_bytes: int
) -> None:
    queue, dropped = FlowQueue(limit_flows, limit_bytes), 0
    for flows, size in messages:
        dropped += queue.put(entry(flows, size))
        assert len(queue) <= max(1, limit_flows)
        assert len(queue) == 1 or (queue.flows <= limit_flows and queue.bytes <= limit_bytes)
    left = sum(queue.take().flows for _ in range(len(queue)))
    assert dropped + left == sum(flows for flows, _ in messages)
    assert (queue.flows, queue.bytes, queue.next_flows()) == (0, 0, None)

"""Any order, overlap and repetition of fragments gives the packet; the table stays within its limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eacf.collector import Counters, Limits
from eacf.collector.fragments import FRAG_TIMEOUT, Fragments

BODY = bytes(range(256)) * 2


@given(st.permutations(range(0, 512, 32)), st.lists(st.tuples(st.integers(0, 15), st.integers(1, 5)), max_size=6))
def test_any_order_gives_the_packet(order: list[int], extra: list[tuple[int, int]]) -> None:
    fragments = Fragments(Limits(), Counters())
    pieces = [(start * 32, count * 32) for start, count in extra] + [(start, 32) for start in order]
    found = []
    for start, count in pieces:
        stop = min(512, start + count)
        found.append(fragments.add(b"k", b"head", 6, start, stop < 512, BODY[start:stop], 1.0))
        if found[-1] is not None:
            break
    assert found[-1] == (b"head", 6, BODY)
    assert len(fragments) == fragments.held == 0


def test_first_data_wins() -> None:
    fragments = Fragments(Limits(), Counters())
    assert fragments.add(b"k", b"", 6, 0, True, b"a" * 16, 1.0) is None
    assert fragments.add(b"k", b"", 6, 8, True, b"b" * 16, 1.0) is None
    assert fragments.add(b"k", b"", 6, 24, False, b"c" * 8, 1.0) == (b"", 6, b"a" * 16 + b"b" * 8 + b"c" * 8)


def test_old_packets_are_forgotten() -> None:
    fragments = Fragments(Limits(), Counters())
    fragments.add(b"old", b"", 6, 0, True, b"a" * 16, 1.0)
    fragments.add(b"new", b"", 6, 0, True, b"a" * 16, 1.0 + FRAG_TIMEOUT)
    assert len(fragments) == 1


def test_the_table_stays_within_its_limits() -> None:
    counters = Counters()
    fragments = Fragments(Limits(fragmented_packets=10, fragment_bytes=4000), counters)
    for number in range(1000):
        fragments.add(number.to_bytes(4, "big"), b"", 6, 8 * (number % 3), True, bytes(number % 1500), 1.0)
        assert len(fragments) <= 10
        assert fragments.held <= 4000
    assert counters.evicted_fragmented_packets > 900


def test_many_tiny_fragments_take_linear_time() -> None:
    fragments = Fragments(Limits(), Counters())
    for start in range(65528, 0, -8):
        assert fragments.add(b"k", b"", 6, start, start < 65528, bytes(8), 1.0) is None
    assert fragments.add(b"k", b"", 6, 0, True, bytes(8), 1.0) is not None

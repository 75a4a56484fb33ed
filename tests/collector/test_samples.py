"""When a sample is complete, and what is in it then (contract v1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.collector import Limits
from eacf.collector.samples import Stream
from eacf.flow import Chunk, Needs


def data(*bodies: bytes) -> bytes:
    return b"".join(b"\x17\x03\x03" + len(body).to_bytes(2, "big") + body for body in bodies)


def test_the_last_chunk_is_cut_to_fit_the_window() -> None:
    stream = Stream(Needs(100, 100), Limits())
    assert stream.deliver(True, data(bytes(60)), 1.0)  # it began
    assert not stream.complete
    assert stream.deliver(False, data(b"\x01" * 60), 1.5)
    assert stream.complete
    assert stream.payload == bytes(60) + b"\x01" * 40
    assert stream.chunks == [Chunk(60, True, 0), Chunk(40, False, 500_000_000)]
    assert stream.records == [60, -60]


def test_payload_may_be_shipped_in_part_or_not_at_all() -> None:
    for shipped in (0, 30):
        stream = Stream(Needs(shipped, 100), Limits())
        stream.deliver(True, data(bytes(60)), 1.0)
        stream.deliver(True, data(bytes(60)), 1.0)
        assert len(stream.payload) == shipped
        assert [chunk.length for chunk in stream.chunks] == [60, 40]


def test_it_ends_with_the_delivery_that_held_the_last_header_asked_for() -> None:
    stream = Stream(Needs(1000, 1000, records=2), Limits())
    stream.deliver(True, data(bytes(10)), 1.0)
    assert not stream.complete
    stream.deliver(True, data(bytes(10), bytes(20), bytes(30)), 1.0)
    assert stream.complete
    assert stream.records == [10, 10, 20, 30]
    assert len(stream.payload) == 70


def test_a_delivery_without_payload_is_no_chunk() -> None:
    stream = Stream(Needs(), Limits())
    assert not stream.deliver(True, b"\x16\x03\x01\x00\x04abcd" + data(bytes(5))[:5], 1.0)
    assert (stream.chunks, stream.records, stream.seen) == ([], [5], 0)


def test_gaps_round_as_doubles_do() -> None:
    """Zeek's times are doubles of seconds; nanoseconds of a difference are cut, not rounded."""
    stream = Stream(Needs(), Limits())
    first, second = 1_565_594_567.290420, 1_565_594_567.319257
    stream.deliver(True, data(bytes(5)), first)
    stream.deliver(True, data(bytes(5)), second)
    assert stream.chunks[1].gap_ns == int((second - first) * 1e9) == 28_836_965


@pytest.mark.parametrize(
    ("limits", "made"),
    [
        (Limits(payload_bytes=50), lambda stream: len(stream.payload)),
        (Limits(chunks=50), lambda stream: len(stream.chunks)),
        (Limits(records=50), lambda stream: len(stream.records)),
    ],
    ids=["payload", "chunks", "records"],
)
def test_limits_complete_a_sample_too(limits: Limits, made: Callable[[Stream], int]) -> None:
    stream = Stream(Needs(10**6, 10**6), limits)
    for _ in range(50):
        assert not stream.complete
        stream.deliver(True, data(b"a"), 1.0)
    assert stream.complete
    assert made(stream) == 50


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=30), st.integers(1, 200))
def test_chunks_add_up_to_the_payload(sizes: list[tuple[bool, int]], window: int) -> None:
    stream = Stream(Needs(window, window), Limits())
    sent = b""
    for is_orig, size in sizes:
        if stream.complete:
            break
        sent += bytes(size)
        stream.deliver(is_orig, data(bytes(size)), 1.0)
    assert len(stream.payload) == sum(chunk.length for chunk in stream.chunks) == min(window, len(sent))

"""Whatever happens to segments on the way, the stream is the same: in order, once, first data wins."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eacf.collector import Collector, Limits
from eacf.collector.reassembly import BLOCK_OVERHEAD

BODY = bytes(random.Random(1).randbytes(2500))


def mangled(
    make: SimpleNamespace, start: int, sizes: list[int], seed: int, repeats: int, shift: int
) -> list[tuple[float, bytes]]:
    """One record from the responder in segments of any size, shuffled and repeated, then acknowledged."""
    talk = make.Talk(numbers=[start, start ^ 0x55555555]).shake().hello()
    stream = make.record(23, BODY)
    base = talk.numbers[False]
    pieces, at = [], 0
    rng = random.Random(seed)
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append((at, stream[at : at + size]))
        at += size
    for _ in range(repeats):
        begin = rng.randrange(len(stream))
        pieces.append((begin, stream[begin : begin + rng.randrange(1, 600)]))
    head = pieces.pop(0)
    if shift:
        rng.shuffle(pieces)
    for begin, piece in [head, *pieces]:
        talk.send(False, make.ACK, piece, seq=base + begin)
    talk.numbers[False] = base + len(stream)
    talk.send(True, make.ACK)
    packets: list[tuple[float, bytes]] = talk.close().packets
    return packets


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(1, 900), min_size=1, max_size=8),
    st.integers(0, 10**6),
    st.integers(0, 20),
    st.booleans(),
)
def test_any_way_gives_the_same_stream(
    make: SimpleNamespace, start: int, sizes: list[int], seed: int, repeats: int, shift: bool
) -> None:
    (found,) = make.read(make.pcap(mangled(make, start, sizes, seed, repeats, shift)))
    assert found.sample.payload == BODY
    assert found.sample.records == [-len(BODY)]
    assert sum(chunk.length for chunk in found.sample.chunks) == len(BODY)


@pytest.mark.parametrize("start", [0xFFFFFFF0, 0xFFFFF000, 0x7FFFFFF0, 0])
def test_sequence_numbers_may_wrap(make: SimpleNamespace, start: int) -> None:
    talk = make.Talk(numbers=[start, start]).shake().hello()
    talk.say(False, make.record(23, BODY), 200).close()
    (found,) = make.feed(talk.packets)
    assert found.sample.payload == BODY


def test_first_data_wins(make: SimpleNamespace) -> None:
    """A later segment with other bytes for the same place adds only what is new."""
    talk = make.Talk().shake().hello()
    base = talk.numbers[False]
    talk.send(False, make.ACK, make.record(23, b"a" * 10)[:10], seq=base)
    talk.send(False, make.ACK, b"b" * 20, seq=base + 5)
    talk.send(False, make.ACK, make.record(23, b"c" * 10), seq=base)
    (found,) = make.feed(talk.packets)
    assert found.sample.payload == b"aaaaa" + b"b" * 5


def test_what_fills_a_hole_lets_each_piece_out_by_itself(make: SimpleNamespace) -> None:
    talk = make.Talk().shake().hello()
    base = talk.numbers[False]
    stream = make.record(23, bytes(295))
    for begin, stop in ((200, 300), (100, 200), (0, 100)):
        talk.send(False, make.ACK, stream[begin:stop], seq=base + begin)
    (found,) = make.feed(talk.packets)
    assert [(chunk.length, chunk.gap_ns) for chunk in found.sample.chunks] == [(95, 0), (100, 0), (100, 0)]


def test_what_was_acknowledged_and_never_seen_is_a_gap(make: SimpleNamespace) -> None:
    """Zeek's script goes on with the stream as if nothing were missing, and so do we."""
    talk = make.Talk().shake().hello()
    talk.send(False, make.ACK, make.record(23, bytes(1000))[:105])
    talk.numbers[False] += 100  # lost before the capture, but not for the peer
    talk.send(True, make.ACK)
    talk.send(False, make.ACK, bytes(800))
    collector = Collector()
    (found,) = make.read(make.pcap(talk.packets), collector=collector)
    assert collector.counters.gaps == 1
    assert [chunk.length for chunk in found.sample.chunks] == [100, 800]


def test_what_nobody_acknowledges_is_not_waited_for(make: SimpleNamespace) -> None:
    """More than 16 kB above a hole, and nothing was ever acknowledged: that side is delivered no further (Zeek)."""
    talk = make.Talk().shake()
    talk.send(True, make.PUSH, make.record(22, make.client_hello(), 0x0301))
    base = talk.numbers[False]
    for begin in range(1000, 20000, 1000):
        talk.send(False, 0, bytes(1000), seq=base + begin)
    talk.send(False, 0, bytes(1000), seq=base)
    collector = Collector()
    for time, data in talk.packets:
        collector.feed(time, data)
    end = collector.table.ends[
        bytes((198, 51, 100, 7, 192, 0, 2, 1)) + (443).to_bytes(2, "big") + (40000).to_bytes(2, "big")
    ]
    assert end.skip
    assert not end.blocks
    assert collector.table.buffer_bytes == 0


@pytest.mark.parametrize(
    "limits",
    [{"endpoint_buffer_bytes": 2000}, {"endpoint_buffer_blocks": 10}, {"buffer_bytes": 8000}],
    ids=lambda value: next(iter(value)),
)
def test_out_of_order_data_stays_within_its_limits(make: SimpleNamespace, limits: dict[str, Any]) -> None:
    talk = make.Talk().shake().hello()
    base = talk.numbers[False]
    collector = Collector(limits=Limits(**limits))
    for begin in range(100, 40_000, 200):
        talk.send(False, make.ACK, bytes(100), seq=base + begin)
    for time, data in talk.packets:
        collector.feed(time, data)
        assert collector.table.buffer_bytes <= 8000 + 100 + BLOCK_OVERHEAD
    assert collector.counters.dropped_endpoint_buffers == 1
    collector.finish()
    assert collector.table.buffer_bytes == 0

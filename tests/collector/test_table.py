"""However hostile the packets, each table keeps its limit, and each limit its counter."""

from __future__ import annotations

import struct
from types import SimpleNamespace

from eacf.collector import Collector, Limits
from eacf.collector.table import TIMERS_PER_CONNECTION, TIMERS_SPARE, reverse, split_key


def syn(make: SimpleNamespace, number: int) -> bytes:
    tcp = struct.pack(">HHIIBBHHH", number & 0xFFFF, 443, number, 0, 0x50, make.SYN, 0, 0, 0)
    frame: bytes = make.ethernet(make.ipv4(tcp, struct.pack(">I", number)))
    return frame


def test_a_flood_of_syns_stays_within_the_table(make: SimpleNamespace) -> None:
    """Time stands still, so that no timer ever ends one."""
    collector = Collector(limits=Limits(connections=100))
    table = collector.table
    for number in range(1, 20_000):
        collector.feed(1.0, syn(make, number))
        assert len(table.open) <= 100
        assert len(table.ends) <= 200
        assert len(table.timers) <= TIMERS_PER_CONNECTION * 101 + TIMERS_SPARE + 1
    assert collector.counters.evicted_connections == 19_999 - 100


def test_the_oldest_goes_with_what_it_has(make: SimpleNamespace) -> None:
    collector = Collector(limits=Limits(connections=1))
    for time, data in make.Talk().shake().hello().say(False, make.record(23, bytes(50))).packets:
        collector.feed(time, data)
    collector.feed(1_700_000_001.0, syn(make, 99))
    (found,) = collector.take()
    assert len(found.sample.payload) == 50


def test_what_is_gathered_stays_within_its_limit(make: SimpleNamespace) -> None:
    """Many connections that never complete; the oldest send what they have."""
    collector = Collector(limits=Limits(gathered_bytes=100_000))
    table = collector.table
    for number in range(200):
        talk = make.Talk(sport=1000 + number).shake().hello()
        talk.say(False, make.record(23, bytes(1500)))
        for time, data in talk.packets:
            collector.feed(time, data)
            assert table.gathered_bytes <= 100_000
        assert table.gathered_bytes == sum(conn.held for conn in table.gathering.values())
    assert collector.counters.cut_samples > 100
    sent = collector.take()
    assert len(sent) == collector.counters.cut_samples
    assert len(sent[0].sample.payload) == 1500
    collector.finish()
    assert table.gathered_bytes == 0
    assert not table.gathering


def test_nothing_is_left_when_a_capture_is_over(make: SimpleNamespace) -> None:
    collector = Collector()
    for number in range(50):
        for time, data in make.Talk(sport=number + 1).shake().hello().packets:
            collector.feed(time, data)
    collector.finish()
    table = collector.table
    assert (len(table.open), len(table.ends), len(table.timers), table.gathered_bytes, table.buffer_bytes) == (0,) * 5


def test_keys() -> None:
    key = bytes((192, 0, 2, 1, 198, 51, 100, 2)) + struct.pack(">HH", 1234, 443)
    orig_h, orig_p, resp_h, resp_p = split_key(key)
    assert (str(orig_h), orig_p, str(resp_h), resp_p) == ("192.0.2.1", 1234, "198.51.100.2", 443)
    assert split_key(reverse(key)) == (resp_h, resp_p, orig_h, orig_p)
    assert reverse(reverse(bytes(range(36)))) == bytes(range(36))

"""What a connection does with what TCP delivers to it, and when it lets go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from eacf.collector import Collector
from eacf.collector.connection import Connection
from eacf.flow import Needs

RECORDS = Needs(0, 0, 8, False)


def fed(packets: list[tuple[float, bytes]], *args: Any, **settings: Any) -> tuple[Collector, Connection]:
    """A collector in the middle of things, and its only connection."""
    collector = Collector(*args, **settings)
    for time, data in packets:
        collector.feed(time, data)
    (conn,) = collector.table.open.values()
    return collector, conn


def test_a_connection_that_is_not_tls_is_idle_after_a_kilobyte(make: SimpleNamespace) -> None:
    talk = make.Talk(dport=8081).shake().say(True, b"\x00" * 1000)
    assert not fed(talk.packets)[1].idle
    collector, conn = fed(talk.say(False, b"\x01" * 1000).packets)
    assert conn.idle
    assert conn.matcher is None
    assert (conn.held, collector.table.gathered_bytes) == (0, 0)
    assert collector.counters.tls_connections == 0


def test_a_complete_sample_makes_it_idle(make: SimpleNamespace) -> None:
    talk = make.Talk().shake().hello().say(False, make.record(23, bytes(3200)))
    collector, conn = fed(talk.packets)
    assert conn.idle
    assert len(collector.take()[0].sample.payload) == 3000
    collector, conn = fed(talk.packets, also=RECORDS)
    assert not conn.idle  # seven records are still wanted
    for _ in range(7):
        talk.say(False, make.record(23, bytes(30)))
    assert fed(talk.packets, also=RECORDS)[1].idle


def test_a_gap_ends_the_analysis_and_not_the_stream(make: SimpleNamespace) -> None:
    """Zeek's TLS analyzer gives up at a gap (SSL.cc: had_gap); a script that gets the stream is not told."""
    talk = make.Talk().shake().hello().say(False, make.record(23, bytes(100)))
    talk.numbers[False] += 500  # acknowledged by what follows, and never seen
    talk.say(False, make.record(23, b"\x01" * 200))
    collector, conn = fed(talk.packets, also=RECORDS)
    assert collector.counters.gaps == 1
    assert conn.analyzer is None
    (told,) = collector.take()
    assert (told.also, told.sample.records) == (True, [-100])
    collector.finish()
    (gathered,) = collector.take()
    assert gathered.sample.records == [-100, -200]


def test_a_proxy_s_tunnel_is_recognised_anew(make: SimpleNamespace) -> None:
    talk = make.Talk(dport=3128).shake().say(True, b"CONNECT a:443 HTTP/1.1\r\n\r\n")
    _, conn = fed(talk.packets)
    first = conn.matcher
    _, conn = fed(talk.say(False, b"HTTP/1.1 200 OK\r\n\r\n").packets)
    assert conn.handover is None
    assert conn.matcher is not first
    assert conn.matcher is not None
    assert conn.matcher.chunks == []
    collector, conn = fed(talk.hello("inner.example").packets)
    assert conn.server_name == b"inner.example"
    assert collector.counters.tls_connections == 1


def test_is_small_until_ten_kilobytes(make: SimpleNamespace) -> None:
    """Zeek: DPD::ignore_violations_after; both sides together, by their sequence numbers."""
    talk = make.Talk().shake().say(True, b"\x16\x03\x01" + bytes(10_000))
    assert fed(talk.packets)[1].is_small()
    assert not fed(talk.say(False, bytes(400)).packets)[1].is_small()

"""Begins and ends of connections as Zeek sees them: which side is which, what is partial, what is another connection."""

from __future__ import annotations

from ipaddress import IPv4Address
from types import SimpleNamespace

from eacf.collector import Collector
from eacf.flow import Needs

RECORDS = Needs(0, 0, 8, False)


def both(make: SimpleNamespace, packets: list[tuple[float, bytes]]) -> tuple[int, int]:
    """Samples of the stream and of records only."""
    found = make.feed(packets, also=RECORDS)
    return sum(not one.also for one in found), sum(one.also for one in found)


def test_a_connection_seen_from_its_middle_on_has_no_name(make: SimpleNamespace) -> None:
    """Zeek's TLS analyzer does not look at partial connections; its signatures do."""
    talk = make.Talk().hello().say(False, make.record(23, bytes(100)))
    (found,) = make.feed(talk.packets)
    assert found.sample.server_name is None
    assert both(make, talk.packets) == (1, 0)


def test_without_a_syn_the_likely_server_answers(make: SimpleNamespace) -> None:
    talk = make.Talk().shake().hello().say(False, make.record(23, bytes(100)))
    late = talk.packets[4:]  # begins with the responder's acknowledgement
    assert make.feed(late) == []  # what is left of the ClientHello is nothing
    collector = Collector()
    for time, data in late:
        collector.feed(time, data)
    (conn,) = collector.table.open.values()
    assert conn.keys[0][:4] == make.CLIENT


def test_a_handshake_that_lacks_its_syn_matches_no_signature(make: SimpleNamespace) -> None:
    """Zeek's matcher is then made without headers to ask; on port 443 its TLS analyzer runs all the same."""
    talk = make.typical()
    assert both(make, talk.packets[1:]) == (0, 1)


def test_a_server_that_speaks_first_on_an_odd_port_is_turned_round(make: SimpleNamespace) -> None:
    talk = make.typical(dport=14433)
    (found,) = [one for one in make.feed(talk.packets[1:]) if not one.also]
    assert found.sample.resp_p == 14433
    assert found.sample.orig_h == IPv4Address(make.CLIENT)


def test_syn_and_its_answer_may_be_swapped(make: SimpleNamespace) -> None:
    packets = make.typical().packets
    packets[0], packets[1] = packets[1], packets[0]
    (found,) = make.feed(packets)
    assert found.sample.orig_p == 40000


def test_a_port_used_again_is_another_connection(make: SimpleNamespace) -> None:
    first = make.typical()
    second = make.typical(time=1_700_000_001.0, numbers=[900_000, 800_000])
    collector = Collector()
    found = make.read(make.pcap(first.packets + second.packets), collector=collector)
    assert len({one.sample.uid for one in found}) == 2
    assert collector.counters.reused_connections == 1


def test_a_syn_said_twice_is_not(make: SimpleNamespace) -> None:
    talk = make.typical()
    talk.packets.insert(1, talk.packets[0])
    assert len(make.feed(talk.packets)) == 1


def test_after_a_reset_a_syn_is_another_connection(make: SimpleNamespace) -> None:
    """Even with the same number: one side has closed (Zeek: IsClosed)."""
    talk = make.Talk()
    talk.send(True, make.SYN)
    talk.numbers[True] -= 1
    talk.send(True, make.RST, seq=77)
    begun = talk.time
    talk.shake().hello().say(False, make.record(23, bytes(10)))
    (found,) = make.feed(talk.packets)
    assert found.sample.start_ns == int(begun * 1e9)


def test_an_attempt_without_answer_is_over_after_five_seconds(make: SimpleNamespace) -> None:
    talk = make.Talk()
    talk.send(True, make.SYN)
    talk.time += 5.1
    later = talk.time
    talk.send(False, make.SYN | make.ACK)
    collector = Collector()
    for time, data in talk.packets:
        collector.feed(time, data)
    (conn,) = collector.table.open.values()
    assert conn.start == later


def test_silence_ends_a_connection(make: SimpleNamespace) -> None:
    """Five minutes once both sides spoke; the sample goes out when a packet of anybody shows that they are over."""
    talk = make.Talk().shake().hello().say(False, make.record(23, bytes(10)))
    collector = Collector()
    for time, data in talk.packets:
        collector.feed(time, data)
    last = talk.packets[-1][0]
    collector.feed(last + 299.0, make.ethernet(make.ipv4(bytes(20), protocol=1)))
    assert collector.take() == []
    collector.feed(last + 300.0, make.ethernet(make.ipv4(bytes(20), protocol=1)))
    (found,) = collector.take()
    assert found.time_ns == int((last + 300.0) * 1e9)
    assert not collector.table.open


def test_a_closed_connection_goes_five_seconds_later(make: SimpleNamespace) -> None:
    collector = Collector()
    for time, data in make.typical().packets:
        collector.feed(time, data)
    assert len(collector.table.open) == 1
    collector.feed(1_700_000_006.0, make.ethernet(make.ipv4(bytes(20), protocol=1)))
    assert not collector.table.open
    assert len(collector.take()) == 1


def test_data_in_a_syn_counts(make: SimpleNamespace) -> None:
    """TCP Fast Open, RFC 7413."""
    talk = make.Talk()
    hello = make.record(22, make.client_hello(), 0x0301)
    talk.send(True, make.SYN, hello)
    talk.send(False, make.SYN | make.ACK)
    talk.send(True, make.ACK)
    talk.say(False, make.record(22, make.server_hello()) + make.record(23, bytes(77)))
    (found,) = make.feed(talk.packets)
    assert found.sample.records == [-77]

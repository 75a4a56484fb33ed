"""The whole: needs, both ways from one pass, timeouts, order, uids, and packets one by one or in blocks."""

from __future__ import annotations

import io
import random
from types import SimpleNamespace

import pytest

from eacf.collector import Collector, collect
from eacf.flow import Needs

RECORDS = Needs(0, 0, 8, False)


def test_one_pass_gives_both_ways(make: SimpleNamespace) -> None:
    data = make.pcap(make.typical().packets)
    found = make.read(data, also=RECORDS)
    assert [one._replace(tls_version=None) for one in found if not one.also] == make.read(data)
    (alone,) = make.read(data, RECORDS)
    (other,) = [one for one in found if one.also]
    assert other.sample == alone.sample
    assert (alone.sample.payload, alone.sample.chunks, alone.sample.records) == (b"", [], [100, -900, -300])


@pytest.mark.parametrize(("tls13", "version"), [(True, 0x0304), (False, 0x0303)])
def test_the_version_is_told_where_records_are_wanted(make: SimpleNamespace, tls13: bool, version: int) -> None:
    talk = make.Talk().shake().hello(tls13=tls13)
    if not tls13:
        talk.say(False, make.record(20, b"\x01")).say(True, make.record(20, b"\x01"))
    talk.say(True, make.record(23, bytes(100))).say(False, make.record(23, bytes(200))).close()
    assert [one.tls_version for one in make.feed(talk.packets, also=RECORDS)] == [version, version]
    assert [one.tls_version for one in make.feed(talk.packets, RECORDS)] == [version]
    assert [one.tls_version for one in make.feed(talk.packets)] == [None]


def test_records_only_may_come_first(make: SimpleNamespace) -> None:
    data = make.pcap(make.typical().packets)
    found = make.read(data, RECORDS, also=Needs())
    assert [len(one.sample.payload) for one in found if one.also] == [1300]
    assert [len(one.sample.payload) for one in found if not one.also] == [0]


def test_two_streams_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="records only"):
        Collector(Needs(), also=Needs(4000, 4000))


def test_records_only_is_complete_at_eight_where_none_are_asked_for(make: SimpleNamespace) -> None:
    talk = make.Talk().shake().hello()
    for size in range(1, 20):
        talk.say(True, make.record(23, bytes(size)))
    (found,) = make.feed(talk.packets, Needs(0, 0, 0, False))
    assert found.sample.records == [1, 2, 3, 4, 5, 6, 7, 8]
    (found,) = make.feed(talk.packets, Needs(0, 0, 3, False))
    assert found.sample.records == [1, 2, 3]


def test_without_payload_there_is_no_sample(make: SimpleNamespace) -> None:
    assert make.feed(make.Talk().shake().hello().close().packets, also=RECORDS) == []


def test_what_is_not_tls_gives_none(make: SimpleNamespace) -> None:
    talk = make.Talk(dport=80).shake().say(True, b"GET / HTTP/1.0\r\n\r\n").say(False, bytes(3000)).close()
    collector = Collector(also=RECORDS)
    assert make.read(make.pcap(talk.packets), collector=collector) == []
    assert collector.counters.tls_connections == 0


def slow(make: SimpleNamespace) -> list[tuple[float, bytes]]:
    """A chunk of 10 bytes each second, eight times."""
    talk = make.Talk().shake().hello()
    for _ in range(8):
        talk.send(True, make.ACK, make.record(23, bytes(10)))
        talk.time += 0.999
    packets: list[tuple[float, bytes]] = talk.packets
    return packets


def test_the_flow_timeout_counts_from_the_first_chunk(make: SimpleNamespace) -> None:
    """A chunk at the deadline is not in it, and the sample goes out when packet time passes it."""
    packets = slow(make)
    first = packets[7][0]
    (found,) = make.read(make.pcap(packets), flow_timeout_s=3.0)
    assert len(found.sample.chunks) == 3
    assert found.time_ns == int(packets[10][0] * 1e9)
    (found,) = make.read(make.pcap(packets), flow_timeout_s=3.5)
    assert len(found.sample.chunks) == 4
    assert first == pytest.approx(1_700_000_000.007)


def test_the_flow_timeout_of_records_only_counts_from_the_first_record(make: SimpleNamespace) -> None:
    talk = make.Talk().shake().hello()
    for second in range(6):
        talk.time = 1_700_000_100.0 + second
        talk.say(True, make.record(23, bytes(100 + second)))
    for timeout, lengths in ((2.0, [100, 101]), (2.5, [100, 101, 102]), (0.0, [100, 101, 102, 103, 104, 105])):
        (found,) = make.read(make.pcap(talk.packets), collector=Collector(RECORDS, flow_timeout_s=timeout))
        assert found.sample.records == lengths


def test_the_flow_timeout_needs_no_packet_of_that_connection(make: SimpleNamespace) -> None:
    collector = Collector(flow_timeout_s=2.0)
    packets = slow(make)[:8]
    for time, data in packets:
        collector.feed(time, data)
    collector.feed(packets[7][0] + 1.9, make.ethernet(make.ipv4(bytes(20), protocol=1)))
    assert collector.take() == []
    collector.feed(packets[7][0] + 2.0, make.ethernet(make.ipv4(bytes(20), protocol=1)))
    assert len(collector.take()) == 1


def mixed(make: SimpleNamespace, count: int = 40) -> list[tuple[float, bytes]]:
    rng = random.Random(5)
    packets: list[tuple[float, bytes]] = []
    for number in range(count):
        talk = make.Talk(sport=30000 + number, time=1_700_000_000.0 + rng.randrange(1000) / 1000).shake().hello()
        for _ in range(rng.randrange(1, 60)):
            talk.say(rng.random() < 0.5, make.record(23, bytes(rng.randrange(1, 900))))
        if rng.random() < 0.7:
            talk.close()
        packets += talk.packets
    return sorted(packets, key=lambda packet: packet[0])


def test_samples_come_in_the_order_in_which_they_were_complete(make: SimpleNamespace) -> None:
    found = make.read(make.pcap(mixed(make)), flow_timeout_s=0.05)
    assert len(found) == 40
    assert [one.time_ns for one in found] == sorted(one.time_ns for one in found)


def test_the_same_capture_gives_the_same_uids_and_none_twice(make: SimpleNamespace) -> None:
    data = make.pcap(mixed(make))
    uids = [one.sample.uid for one in make.read(data)]
    assert uids == [one.sample.uid for one in make.read(data)]
    assert len(set(uids)) == len(uids) == 40
    assert all(len(uid) == 18 and uid[0] == "C" and uid.isalnum() for uid in uids)


def test_blocks_and_single_packets_give_the_same(make: SimpleNamespace) -> None:
    """The way of whole blocks drops packets of complete connections; nothing else may change with it."""
    packets = mixed(make)
    collector = Collector()
    collector_of_packets = Collector()
    in_blocks = make.read(make.pcap(packets), collector=collector)
    for time, data in packets:
        collector_of_packets.feed(time, data)
    collector_of_packets.finish()
    single = collector_of_packets.take()
    assert [one.sample for one in in_blocks] == [one.sample for one in single]
    assert dict(collector.counters) == dict(collector_of_packets.counters)


def test_a_progress_of_none_and_a_stream_without_a_name(make: SimpleNamespace) -> None:
    assert len(list(collect(io.BytesIO(make.pcap(make.typical().packets))))) == 1


@pytest.mark.parametrize(("seconds", "taken"), [(4.0, {40000, 5}), (1000.0, {40000})])
def test_time_that_runs_backwards(make: SimpleNamespace, seconds: float, taken: set[int]) -> None:
    """Timers go by the latest time so far: an attempt made in their past is over at once, as it is in Zeek."""
    packets = make.typical().packets
    late = [(time - seconds, data) for time, data in make.typical(sport=5).packets]
    found = make.read(make.pcap(packets + late))
    assert {one.sample.orig_p for one in found} == taken

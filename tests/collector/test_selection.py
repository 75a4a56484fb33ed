"""Which connections are collected: the hash, the subnets, the ports, and that nothing else changes with them."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.collector import Collector, Selection
from eacf.collector.selection import ALL, Choice, fnv1a32, holds
from eacf.flow import Needs, Sample

ADDRESSES = st.ip_addresses()
PORTS = st.integers(0, 65_535)


@pytest.mark.parametrize(
    ("data", "value"),
    [  # from the vectors of draft-eastlake-fnv, appendix C
        (b"", 0x811C9DC5),
        (b"a", 0xE40C292C),
        (b"b", 0xE70C2DE5),
        (b"foob", 0x3F5076EF),
        (b"foobar", 0xBF9CF968),
        (b"foobar\0", 0x0C1C9EB8),
        (b"chongo was here!\n", 0xD49930D5),
        (b"127.0.0.1", 0x08A3D11E),
        (b"\xff\x00\x00\x01", 0xC48FB86D),
    ],
)
def test_known_vectors(data: bytes, value: int) -> None:
    assert fnv1a32(data) == value


@given(st.binary(max_size=80), st.integers(0, 255))
def test_the_hash_goes_on_byte_by_byte(data: bytes, byte: int) -> None:
    assert fnv1a32(data + bytes((byte,))) == (fnv1a32(data) ^ byte) * 0x01000193 % 2**32


def folded(text: bytes) -> int:
    """What is divided: the upper half goes into the lower."""
    value = fnv1a32(text)
    return value ^ value >> 16


def test_the_text_that_is_hashed() -> None:
    """The numbers that a sensor must come to as well."""
    ends = (IPv4Address("192.0.2.1"), 50000, IPv4Address("192.0.2.2"), 443)
    of_text = folded(b"192.0.2.1 50000 192.0.2.2 443")
    assert Selection(of_text).of(*ends) is Choice.TAKE
    assert Selection(of_text - 1).of(*ends) is Choice.SKIP
    mapped = (IPv6Address("::ffff:192.0.2.1"), 50000, IPv6Address("::ffff:192.0.2.2"), 443)
    assert Selection(of_text).of(*mapped) is Choice.TAKE
    six = (IPv6Address("2001:DB8:0:0:0:0:0:A"), 50000, IPv6Address("fe80::1:0:0:2"), 443)
    assert Selection(folded(b"2001:db8::a 50000 fe80::1:0:0:2 443")).of(*six) is Choice.TAKE


@given(ADDRESSES, PORTS, ADDRESSES, PORTS, st.integers(-1, 1))
def test_one_in_one_is_every_connection(
    orig_h: IPv4Address | IPv6Address, orig_p: int, resp_h: IPv4Address | IPv6Address, resp_p: int, one_in: int
) -> None:
    assert Selection(one_in).of(orig_h, orig_p, resp_h, resp_p) is Choice.TAKE
    assert Selection(one_in).takes_all


@pytest.mark.parametrize("one_in", [2, 3, 10, 64])
def test_it_takes_about_that_share(one_in: int) -> None:
    taken = sum(
        Selection(one_in).of(IPv4Address(0x0A000000 + number % 251), 32768 + number, IPv4Address("192.0.2.2"), 443)
        is Choice.TAKE
        for number in range(20_000)
    )
    assert taken == pytest.approx(20_000 / one_in, rel=0.2)


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_subnet_holds_its_own_and_not_its_neighbours(address: IPv4Address | IPv6Address, length: int) -> None:
    length = min(length, address.max_prefixlen)
    net = ip_network((address, length), strict=False)
    assert holds(net, address)
    assert holds(net, net.broadcast_address)
    for number in (int(net.network_address) - 1, int(net.broadcast_address) + 1):
        if 0 <= number < 1 << address.max_prefixlen:
            assert not holds(net, type(address)(number))


@pytest.mark.parametrize(
    ("net", "address", "expected"),
    [
        ("192.0.2.0/24", "::ffff:192.0.2.9", True),  # the same address, to Zeek
        ("::ffff:192.0.2.0/120", "192.0.2.9", True),
        ("::/0", "192.0.2.9", True),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("0.0.0.0/0", "::192.0.2.9", False),
    ],
)
def test_subnets_of_either_kind(net: str, address: str, expected: bool) -> None:
    assert holds(ip_network(net), ip_address(address)) is expected


Ends = tuple[IPv4Address | IPv6Address, int, IPv4Address | IPv6Address, int]


def ends_of(sample: Sample) -> Ends:
    return sample.orig_h, sample.orig_p, sample.resp_h, sample.resp_p


def many(make: SimpleNamespace) -> tuple[list[Ends], list[tuple[float, bytes]]]:
    """Connections one after the other, of both kinds of address, a fifth of them not TLS: their ends and packets."""
    ends: list[Ends] = []
    packets: list[tuple[float, bytes]] = []
    for number in range(60):
        v6, sport, dport = number % 3 == 0, 40_000 + number, 8443 if number % 4 == 0 else 443
        talk = make.Talk(v6=v6, sport=sport, dport=dport, time=1_700_000_000.0 + number).shake()
        if number % 5 == 0:
            talk.say(True, b"GET / HTTP/1.1\r\n\r\n")
        else:
            talk.hello().say(True, make.record(23, bytes(100))).say(False, make.record(23, bytes(900)))
        packets += talk.close().packets
        here, there = (make.CLIENT6, make.SERVER6) if v6 else (make.CLIENT, make.SERVER)
        ends.append((ip_address(here), sport, ip_address(there), dport))
    return ends, packets


@pytest.mark.parametrize(
    "selection",
    [
        Selection(sample_one_in=4),
        Selection(ignore_ports=frozenset({443})),
        Selection(ignore_subnets=(ip_network("2001:db8::/32"),)),
        Selection(2, (ip_network("198.51.100.7/32"),), frozenset({8443})),
    ],
)
@pytest.mark.parametrize("in_blocks", [True, False])
def test_what_is_taken_is_the_same_as_without_it(make: SimpleNamespace, selection: Selection, in_blocks: bool) -> None:
    ends, packets = many(make)
    collector = Collector(selection=selection)
    if in_blocks:
        found = make.read(make.pcap(packets), collector=collector)
    else:
        for time, data in packets:
            collector.feed(time, data)
        collector.finish()
        found = collector.take()
    every = make.read(make.pcap(packets))
    assert len(every) == 48
    choices = {each: selection.of(*each) for each in ends}
    chosen = [each for each in every if choices[ends_of(each.sample)] is Choice.TAKE]
    assert found == chosen
    assert 0 < len(chosen) < 48
    left = Counter(choices.values())
    counters = collector.counters
    assert (counters.connections, counters.flows) == (60, len(chosen))
    assert counters.unsampled_connections == left[Choice.SKIP]
    assert counters.ignored_connections == left[Choice.IGNORE]


def test_records_only_is_left_alone_as_well(make: SimpleNamespace) -> None:
    collector = Collector(Needs(0, 0, 2, False), selection=Selection(ignore_ports=frozenset({443})))
    assert make.read(make.pcap(make.typical().packets), collector=collector) == []
    assert collector.counters.ignored_connections == 1
    assert collector.counters.tls_connections == 0


def test_the_default_takes_all(make: SimpleNamespace) -> None:
    collector = Collector(selection=ALL)
    assert len(make.read(make.pcap(many(make)[1]), collector=collector)) == 48
    assert collector.counters.unsampled_connections == collector.counters.ignored_connections == 0

"""Frames, read back by dpkt, which did not write them."""

from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import dpkt
import pytest

from eacf_trainer.testbed import packets
from eacf_trainer.testbed.path import ACK, FIN, PSH, SYN, Segment

TEST_RANGES = [ip_network(text) for text in ("198.18.0.0/15", "2001:db8::/32")]


def flow(v6: bool, seed: int = 1) -> packets.Flow:
    return packets.Flow.draw(random.Random(seed), v6, 993, 131_313)


def frames(v6: bool, *segments: Segment) -> list[dpkt.ethernet.Ethernet]:
    return [dpkt.ethernet.Ethernet(data) for _, data in flow(v6).packets(segments)]


def folded(data: bytes) -> int:
    """The Internet checksum of RFC 1071, byte by byte: 0xFFFF for data that holds its own."""
    total = sum(word for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("v6", [False, True])
def test_a_segment_is_a_frame(v6: bool) -> None:
    ends = flow(v6)
    out, back = frames(
        v6, Segment(1.0, True, 5, 9, PSH | ACK, b"question"), Segment(2.0, False, 9, 13, ACK, b"answer!")
    )
    for frame, (source, target), payload in (
        (out, (ends.orig, ends.resp), b"question"),
        (back, (ends.resp, ends.orig), b"answer!"),
    ):
        ip = frame.data
        assert ip.v == (6 if v6 else 4)
        assert (ip.src, ip.dst) == (source.packed, target.packed)
        assert ip.data.data == payload
    assert (out.data.data.sport, out.data.data.dport) == (ends.orig_p, 993)
    assert (back.data.data.sport, back.data.data.dport) == (993, ends.orig_p)
    assert out.src == back.dst == packets.CLIENT_MAC
    assert out.data.data.flags == PSH | ACK
    assert out.data.data.seq == (ends.orig_first + 5) % 2**32
    assert out.data.data.ack == (ends.resp_first + 9) % 2**32
    assert back.data.data.ack == (ends.orig_first + 13) % 2**32


@pytest.mark.parametrize("v6", [False, True])
def test_checksums_are_right(v6: bool) -> None:
    for payload in (b"", b"odd", b"even", bytes(range(256)) * 5):
        (frame,) = frames(v6, Segment(1.0, True, 1, 1, ACK, payload))
        ip = frame.data
        segment = bytes(frame)[14 + (40 if v6 else 20) :]
        assert folded(ip.src + ip.dst + struct.pack("!IHBB", len(segment), 0, 0, 6) + segment) == 0xFFFF
        if not v6:
            assert folded(bytes(frame)[14:34]) == 0xFFFF
            assert ip.len == 20 + len(segment)


def test_only_a_first_segment_acknowledges_nothing() -> None:
    first, last = frames(False, Segment(1.0, True, 0, 0, SYN), Segment(2.0, True, 7, 3, FIN | ACK))
    assert first.data.data.ack == 0
    assert last.data.data.ack == (flow(False).resp_first + 3) % 2**32


def test_sequence_numbers_wrap() -> None:
    near = packets.Flow(IPv4Address(1), 1, IPv4Address(2), 2, 2**32 - 2, 5)
    ((_, data),) = near.packets([Segment(0.0, True, 4, 0, ACK)])
    assert dpkt.ethernet.Ethernet(data).data.data.seq == 2


@pytest.mark.parametrize("v6", [False, True])
def test_addresses_are_set_aside_for_tests(v6: bool) -> None:
    for seed in range(50):
        ends = flow(v6, seed)
        for address in (ends.orig, ends.resp):
            assert isinstance(address, IPv6Address if v6 else IPv4Address)
            assert any(address in network for network in TEST_RANGES)
        assert ends.resp == flow(v6, seed + 1).resp  # a site's server has one address


def test_noise_is_dns_and_right() -> None:
    made = [each for seed in range(20) for each in packets.noise(random.Random(seed), 100.0)]
    assert made
    for when, data in made:
        udp = dpkt.ethernet.Ethernet(data).data.data
        assert 53 in (udp.sport, udp.dport)
        assert udp.ulen == len(bytes(udp))
        assert 100.0 <= when < 101.0
        assert folded(data[26:34] + struct.pack("!IHBB", udp.ulen, 0, 0, 17) + data[34:]) == 0xFFFF


def test_a_file_of_packets(tmp_path: Path) -> None:
    timed = [(1_767_225_600.25, b"first"), (1_767_225_600.9999996, b"second")]  # rounds up to the next second
    packets.write(tmp_path / "few.pcap", timed)
    with (tmp_path / "few.pcap").open("rb") as file:
        reader = dpkt.pcap.Reader(file)
        assert reader.datalink() == dpkt.pcap.DLT_EN10MB
        assert [(when, bytes(data)) for when, data in reader] == [
            (1_767_225_600.25, b"first"),
            (1_767_225_601.0, b"second"),
        ]

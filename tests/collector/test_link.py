"""Each link type that Zeek takes gives the same sample, whatever lies between the frame and IP."""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from eacf.collector import Collector

Wrap = Callable[[bytes], bytes]


def kind(packet: bytes) -> bytes:
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


def family(packet: bytes) -> int:
    return 2 if packet[0] >> 4 == 4 else 24


def ppp(packet: bytes) -> bytes:
    return b"\x00\x21" if packet[0] >> 4 == 4 else b"\x00\x57"


MACS = bytes(12)
SNAP = b"\xaa\xaa\x03\x00\x00\x00"
LINKS: dict[str, tuple[int, Wrap]] = {
    "ethernet": (1, lambda packet: MACS + kind(packet) + packet),
    "ethernet, padded": (1, lambda packet: MACS + kind(packet) + packet + bytes(6)),
    "vlan": (1, lambda packet: MACS + b"\x81\x00\x00\x07" + kind(packet) + packet),
    "qinq": (1, lambda packet: MACS + b"\x88\xa8\x00\x07\x81\x00\x00\x08" + kind(packet) + packet),
    "fabric path": (1, lambda packet: MACS + b"\x89\x03\x00\x00" + MACS + kind(packet) + packet),
    "vntag": (1, lambda packet: MACS + b"\x89\x26\x00\x00\x00\x00\x81\x00\x00\x07" + kind(packet) + packet),
    "mpls": (1, lambda packet: MACS + b"\x88\x47\x00\x01\x00\x40\x00\x02\x01\x40" + packet),
    "pppoe": (
        1,
        lambda packet: MACS + b"\x88\x64\x11\x00\x00\x01" + struct.pack(">H", len(packet) + 2) + ppp(packet) + packet,
    ),
    "provider backbone": (1, lambda packet: MACS + b"\x88\xe7" + bytes(4) + MACS + kind(packet) + packet),
    "802.3 with snap": (1, lambda packet: MACS + struct.pack(">H", len(packet) + 8) + SNAP + kind(packet) + packet),
    "null": (0, lambda packet: struct.pack("<I", family(packet)) + packet),
    "ppp": (9, lambda packet: ppp(packet) + packet),
    "ppp, framed": (9, lambda packet: b"\xff\x03" + ppp(packet) + packet),
    "ppp, mpls": (9, lambda packet: b"\x02\x81\x00\x01\x01\x40" + packet),
    "ppp serial": (50, lambda packet: b"\xff\x03" + ppp(packet) + packet),
    "fddi": (10, lambda packet: bytes(21) + packet),
    "raw": (101, lambda packet: packet),
    "bsd raw": (12, lambda packet: packet),
    "ip, version 4 or 6": (228, lambda packet: packet),
    "linux cooked": (113, lambda packet: bytes(14) + kind(packet) + packet),
    "linux cooked 2": (276, lambda packet: kind(packet) + bytes(18) + packet),
    "802.11": (105, lambda packet: b"\x08\x01" + bytes(22) + SNAP + kind(packet) + packet),
    "802.11, quality of service": (105, lambda packet: b"\x88\x01" + bytes(24) + SNAP + kind(packet) + packet),
    "802.11, four addresses": (105, lambda packet: b"\x08\x03" + bytes(28) + SNAP + kind(packet) + packet),
    "radiotap": (
        127,
        lambda packet: b"\x00\x00\x0a\x00" + bytes(6) + b"\x08\x01" + bytes(22) + SNAP + kind(packet) + packet,
    ),
    "nflog": (
        239,
        lambda packet: (
            bytes((2 if packet[0] >> 4 == 4 else 10, 0, 0, 0))
            + b"\x05\x00\x01\x00\x00\x00\x00\x00"
            + struct.pack("<HH", len(packet) + 4, 9)
            + packet
        ),
    ),
}


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize("name", LINKS)
def test_each_link_type_gives_the_same_sample(make: SimpleNamespace, name: str, v6: bool) -> None:
    link, wrap = LINKS[name]
    plain = make.read(make.pcap(make.typical(v6=v6).packets))
    wrapped = make.read(make.pcap(make.typical(v6=v6, wrap=wrap).packets, link=link))
    assert len(plain) == 1
    assert wrapped == plain


@pytest.mark.parametrize("name", LINKS)
def test_frames_cut_anywhere_do_no_harm(make: SimpleNamespace, name: str) -> None:
    link, wrap = LINKS[name]
    frame = make.typical(wrap=wrap).packets[3][1]
    collector = Collector()
    for length in range(len(frame)):
        collector.feed(float(length), frame[:length], link=link)
    collector.finish()
    assert collector.take() == []


def test_an_aggregate_of_wireless_frames_is_opened(make: SimpleNamespace) -> None:
    def wrap(packet: bytes) -> bytes:
        inner = SNAP + kind(packet) + packet
        return b"\x88\x01" + bytes(22) + b"\x80\x00" + MACS + struct.pack(">H", len(inner)) + inner

    assert make.feed(make.typical(wrap=wrap).packets, link=105) == make.feed(make.typical().packets)


def test_frames_without_ip_are_counted(make: SimpleNamespace) -> None:
    collector = Collector()
    collector.feed(1.0, MACS + b"\x08\x06" + bytes(28))
    assert dict(collector.counters)["dropped_no_ip"] == 1

"""Tunnels and fragments give the same sample; a length that does not add up drops a packet as it does in Zeek."""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from eacf.collector import Collector, Limits

OUTER4, OUTER4_BACK = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
Wrap = Callable[[SimpleNamespace, bytes], bytes]


def over_udp(port: int, head: Callable[[bytes], bytes]) -> Wrap:
    def wrap(make: SimpleNamespace, packet: bytes) -> bytes:
        body = head(packet) + packet
        inner: bytes = make.ethernet(make.ipv4(make.udp(body, 5555, port), OUTER4, OUTER4_BACK, 17))
        return inner

    return wrap


def over_ip(protocol: int, head: Callable[[bytes], bytes]) -> Wrap:
    def wrap(make: SimpleNamespace, packet: bytes) -> bytes:
        inner: bytes = make.ethernet(make.ipv4(head(packet) + packet, OUTER4, OUTER4_BACK, protocol))
        return inner

    return wrap


def over_ipv6(protocol: int) -> Wrap:
    def wrap(make: SimpleNamespace, packet: bytes) -> bytes:
        inner: bytes = make.ethernet(make.ipv6(packet, bytes(15) + b"\x05", bytes(15) + b"\x06", protocol))
        return inner

    return wrap


def kind(packet: bytes) -> bytes:
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


ETHERNET = bytes(12)
TUNNELS: dict[str, Wrap] = {
    "ip in ip": over_ip(4, lambda packet: b""),
    "gre": over_ip(47, lambda packet: b"\0\0" + kind(packet)),
    "gre with key": over_ip(47, lambda packet: b"\x20\0" + kind(packet) + bytes(4)),
    "gre, bridged": over_ip(47, lambda packet: b"\0\0\x65\x58" + ETHERNET + kind(packet)),
    "erspan 2": over_ip(47, lambda packet: b"\x10\0\x88\xbe" + bytes(4) + bytes(8) + ETHERNET + kind(packet)),
    "erspan 3": over_ip(47, lambda packet: b"\x10\0\x22\xeb" + bytes(4) + bytes(12) + ETHERNET + kind(packet)),
    "pptp": over_ip(47, lambda packet: b"\x20\x01\x88\x0b" + bytes(4) + b"\xff\x03\x00\x21"),
    "gre over udp": over_udp(4754, lambda packet: b"\0\0" + kind(packet)),
    "vxlan": over_udp(4789, lambda packet: b"\x08" + bytes(7) + ETHERNET + kind(packet)),
    "geneve": over_udp(6081, lambda packet: b"\x01\0\x65\x58" + bytes(4) + bytes(4) + ETHERNET + kind(packet)),
    "geneve, bare ip": over_udp(6081, lambda packet: b"\0\0" + kind(packet) + bytes(4)),
    "gtp": over_udp(2152, lambda packet: b"\x30\xff" + struct.pack(">H", len(packet)) + bytes(4)),
    "gtp with extension": over_udp(
        2152, lambda packet: b"\x34\xff" + struct.pack(">H", len(packet) + 8) + bytes(4) + b"\0\0\0\x85\x01\0\0\0"
    ),
    "ayiya": over_udp(5072, lambda packet: b"\x40\x52\x11\x04" + bytes(4) + bytes(16) + bytes(20)),
    "in ipv6": over_ipv6(4),
}
TUNNELS6: dict[str, Wrap] = {
    "6in4": over_ip(41, lambda packet: b""),
    "teredo": over_udp(3544, lambda packet: b""),
    "teredo with origin": over_udp(3544, lambda packet: bytes(8)),
    "teredo with authentication": over_udp(3544, lambda packet: b"\0\x01\0\0" + bytes(9) + bytes(8)),
}


@pytest.mark.parametrize("name", TUNNELS)
def test_tunnels(make: SimpleNamespace, name: str) -> None:
    wrapped = make.typical(wrap=lambda packet: TUNNELS[name](make, packet)).packets
    assert make.read(make.pcap(wrapped)) == make.read(make.pcap(make.typical().packets))


@pytest.mark.parametrize("name", TUNNELS6)
def test_tunnels_of_ipv6(make: SimpleNamespace, name: str) -> None:
    wrapped = make.typical(v6=True, wrap=lambda packet: TUNNELS6[name](make, packet)).packets
    assert make.read(make.pcap(wrapped)) == make.read(make.pcap(make.typical(v6=True).packets))


def test_tunnels_end_at_their_limit(make: SimpleNamespace) -> None:
    def deep(levels: int) -> Callable[[bytes], bytes]:
        def wrap(packet: bytes) -> bytes:
            for _ in range(levels):
                packet = make.ipv4(packet, OUTER4, OUTER4_BACK, 4)
            frame: bytes = make.ethernet(packet)
            return frame

        return wrap

    assert len(make.feed(make.typical(wrap=deep(4)).packets)) == 1
    collector = Collector(limits=Limits(tunnel_depth=4))
    for time, data in make.typical(wrap=deep(5)).packets:
        collector.feed(time, data)
    assert collector.counters.dropped_too_deep == len(make.typical().packets)


def test_ip_in_ip_that_does_not_fill_its_packet_is_dropped(make: SimpleNamespace) -> None:
    """Zeek's IP::ParsePacket wants the inner packet to end with the outer one."""
    padded = make.typical(wrap=lambda packet: make.ethernet(make.ipv4(packet + b"\0", OUTER4, OUTER4_BACK, 4))).packets
    assert make.feed(padded) == []


def fragmented(make: SimpleNamespace, size: int, order: int = 1) -> list[tuple[float, bytes]]:
    out = []
    for time, frame in make.typical().packets:
        header, payload = frame[14:34], frame[34:]
        pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
        packets = []
        for number, piece in enumerate(pieces):
            more = 0x2000 if number < len(pieces) - 1 else 0
            field = more | number * size // 8
            head = header[:2] + struct.pack(">HHH", 20 + len(piece), len(out) + 1 & 0xFFFF, field) + header[8:]
            packets.append((time, make.ethernet(head + piece)))
        ident = struct.pack(">H", int(time * 1000) & 0xFFFF)
        out += [(t, p[:18] + ident + p[20:]) for t, p in packets][::order]
    return out


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
@pytest.mark.parametrize("size", [8, 24, 512])
def test_fragments_are_put_together(make: SimpleNamespace, size: int, order: int) -> None:
    assert make.read(make.pcap(fragmented(make, size, order))) == make.read(make.pcap(make.typical().packets))


def test_fragments_of_ipv6_are_put_together(make: SimpleNamespace) -> None:
    out = []
    for number, (time, frame) in enumerate(make.typical(v6=True).packets):
        header, payload = frame[14:54], frame[54:]
        for at in range(0, len(payload), 400):
            piece = payload[at : at + 400]
            more = at + 400 < len(payload)
            fragment = struct.pack(">BBHI", 6, 0, at | more, number)
            out.append(
                (
                    time,
                    make.ethernet(header[:4] + struct.pack(">HB", len(piece) + 8, 44) + header[7:] + fragment + piece),
                )
            )
    assert make.read(make.pcap(out)) == make.read(make.pcap(make.typical(v6=True).packets))


def test_headers_between_ipv6_and_tcp_are_passed_over(make: SimpleNamespace) -> None:
    def wrap(packet: bytes) -> bytes:
        options = bytes((43, 0)) + bytes(6) + bytes((60, 1, 0, 0)) + bytes(12) + bytes((6, 0)) + bytes(6)
        length = struct.pack(">H", len(packet) - 40 + len(options))
        frame: bytes = make.ethernet(packet[:4] + length + b"\0" + packet[7:40] + options + packet[40:])
        return frame

    assert make.feed(make.typical(v6=True, wrap=wrap).packets) == make.feed(make.typical(v6=True).packets)


def test_a_length_of_zero_is_taken_for_what_was_captured(make: SimpleNamespace) -> None:
    """Segmentation offload; Zeek does so where checksums are ignored."""

    def wrap(packet: bytes) -> bytes:
        frame: bytes = make.ethernet(packet[:2] + b"\0\0" + packet[4:])
        return frame

    assert make.read(make.pcap(make.typical(wrap=wrap).packets)) == make.read(make.pcap(make.typical().packets))


def test_options_in_headers_are_passed_over(make: SimpleNamespace) -> None:
    def wrap(packet: bytes) -> bytes:
        total = struct.pack(">H", len(packet) + 16)
        tcp = packet[20:32] + bytes((0x80,)) + packet[33:40] + b"\x01" * 12 + packet[40:]
        frame: bytes = make.ethernet(b"\x46" + packet[1:2] + total + packet[4:20] + b"\x01" * 4 + tcp)
        return frame

    assert make.read(make.pcap(make.typical(wrap=wrap).packets)) == make.read(make.pcap(make.typical().packets))


def test_what_is_not_tcp_is_counted(make: SimpleNamespace) -> None:
    collector = Collector()
    collector.feed(1.0, make.ethernet(make.ipv4(make.udp(b"x" * 20, 1, 2), protocol=17)))
    collector.feed(1.0, make.ethernet(make.ipv4(b"x" * 20, protocol=1)))
    collector.feed(1.0, make.ethernet(b"\x25" + bytes(30), 0x0800))
    counters = dict(collector.counters)
    assert (counters["dropped_not_tcp"], counters["dropped_not_ip"]) == (2, 1)

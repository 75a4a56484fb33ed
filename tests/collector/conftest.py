"""Captures made by code: TLS conversations, packets of every wrapping, files of every format."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from eacf.collector import Collected, Collector, collect

CLIENT, SERVER = bytes((192, 0, 2, 1)), bytes((198, 51, 100, 7))
CLIENT6, SERVER6 = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
Packet = tuple[float, bytes]


def record(kind: int, body: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(body)) + body


def client_hello(name: str | None = "www.example.org", size: int = 0) -> bytes:
    """A ClientHello message, its handshake header included; `size` pads it with an extension."""
    extensions = b""
    if name is not None:
        host = name.encode("utf-8", "surrogateescape")
        entry = b"\0" + struct.pack(">H", len(host)) + host
        extensions += struct.pack(">HHH", 0, len(entry) + 2, len(entry)) + entry
    if size:
        extensions += struct.pack(">HH", 21, size) + bytes(size)
    body = b"\x03\x03" + bytes(range(32)) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    body += struct.pack(">H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body


def server_hello(tls13: bool = True) -> bytes:
    extensions = struct.pack(">HHH", 43, 2, 0x0304) if tls13 else b""
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\x13\x01" + b"\0" + struct.pack(">H", len(extensions)) + extensions
    return b"\x02" + len(body).to_bytes(3, "big") + body


def ipv4(
    payload: bytes, source: bytes = CLIENT, destination: bytes = SERVER, protocol: int = 6, field_: int = 0x4000
) -> bytes:
    total = 20 + len(payload)
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 7, field_, 64, protocol, 0, source, destination) + payload


def ipv6(payload: bytes, source: bytes = CLIENT6, destination: bytes = SERVER6, protocol: int = 6) -> bytes:
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), protocol, 64, source, destination) + payload


def udp(payload: bytes, sport: int, dport: int) -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def ethernet(packet: bytes, kind: int | None = None) -> bytes:
    if kind is None:
        kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
    return bytes(12) + struct.pack(">H", kind) + packet


@dataclass
class Talk:
    """A TCP conversation that writes its own packets; numbers may begin anywhere, time goes on by a millisecond."""

    v6: bool = False
    sport: int = 40000
    dport: int = 443
    time: float = 1_700_000_000.0
    numbers: list[int] = field(default_factory=lambda: [7_000, 1000])  # responder's, originator's
    wrap: Callable[[bytes], bytes] = ethernet
    packets: list[Packet] = field(default_factory=list)
    client: bytes = CLIENT

    def segment(self, is_orig: bool, flags: int, data: bytes = b"", seq: int | None = None) -> bytes:
        """A packet; without `seq` the next of its side, whose number goes on."""
        number = self.numbers[is_orig] if seq is None else seq
        if seq is None:
            self.numbers[is_orig] += len(data) + bool(flags & SYN) + bool(flags & FIN)
        ack = self.numbers[not is_orig] if flags & ACK else 0
        ports = (self.sport, self.dport) if is_orig else (self.dport, self.sport)
        tcp = struct.pack(">HHIIBBHHH", *ports, number % 2**32, ack % 2**32, 0x50, flags, 64000, 0, 0) + data
        here, there = (CLIENT6, SERVER6) if self.v6 else (self.client, SERVER)
        packet = (ipv6 if self.v6 else ipv4)(tcp, here if is_orig else there, there if is_orig else here)
        return self.wrap(packet)

    def send(self, is_orig: bool, flags: int, data: bytes = b"", seq: int | None = None) -> None:
        self.packets.append((self.time, self.segment(is_orig, flags, data, seq)))
        self.time = round(self.time + 0.001, 6)

    def shake(self) -> Talk:
        self.send(True, SYN)
        self.send(False, SYN | ACK)
        self.send(True, ACK)
        return self

    def say(self, is_orig: bool, data: bytes, size: int = 1400) -> Talk:
        """Data in segments of `size`, each acknowledged."""
        for at in range(0, len(data), size):
            self.send(is_orig, ACK | PUSH, data[at : at + size])
            self.send(not is_orig, ACK)
        return self

    def hello(self, name: str | None = "www.example.org", tls13: bool = True) -> Talk:
        self.say(True, record(22, client_hello(name), 0x0301))
        return self.say(False, record(22, server_hello(tls13)))

    def close(self) -> Talk:
        self.send(True, FIN | ACK)
        self.send(False, FIN | ACK)
        self.send(True, ACK)
        return self


def typical(**settings: Any) -> Talk:
    """Handshake, 100 bytes up, 900 and 300 down, close."""
    talk = Talk(**settings).shake().hello()
    talk.say(True, record(23, bytes(100)))
    talk.say(False, record(23, b"\x01" * 900) + record(23, b"\x02" * 300))
    return talk.close()


def pcap(packets: Iterable[Packet], order: str = "<", nano: bool = False, link: int = 1, snap: int = 262144) -> bytes:
    out = struct.pack(order + "IHHIIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)
    for time, data in packets:
        seconds, micros = divmod(round(time * 1e6), 1_000_000)
        fraction = micros * 1000 + 999 if nano else micros  # the 999 ns are cut off, as libpcap does for Zeek
        out += struct.pack(order + "IIII", seconds, fraction, len(data), len(data)) + data
    return out


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def pcapng(
    packets: Iterable[Packet], order: str = "<", resolution: int = 6, link: int = 1, simple: bool = False
) -> bytes:
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    out += block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options)
    for time, data in packets:
        ticks = round(time * 1e6) * 10 ** (resolution - 6)
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        out += block(order, 3, struct.pack(order + "I", len(data)) + data) if simple else block(order, 6, head + data)
    return out


def read(data: bytes, *args: Any, **settings: Any) -> list[Collected]:
    """Samples of a capture that lies in memory."""
    return list(collect(io.BytesIO(data), *args, **settings))


def feed(packets: Iterable[Packet], *args: Any, link: int = 1, **settings: Any) -> list[Collected]:
    """Samples of packets that never were a file."""
    collector = Collector(*args, **settings)
    for time, data in packets:
        collector.feed(time, data, link=link)
    collector.finish()
    return collector.take()


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """All of the above."""
    names = (
        record,
        client_hello,
        server_hello,
        ipv4,
        ipv6,
        udp,
        ethernet,
        Talk,
        typical,
        pcap,
        block,
        pcapng,
        read,
        feed,
    )
    return SimpleNamespace(
        **{thing.__name__: thing for thing in names},
        FIN=FIN,
        SYN=SYN,
        RST=RST,
        PUSH=PUSH,
        ACK=ACK,
        CLIENT=CLIENT,
        CLIENT6=CLIENT6,
        SERVER=SERVER,
        SERVER6=SERVER6,
    )

"""Segments to Ethernet frames, and frames to a pcap file."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import dpkt

from eacf_trainer.testbed.path import Segment

Timed = tuple[float, bytes]
"""Seconds since the epoch, and a frame."""
CLIENT_MAC, SERVER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
MAGIC, LINKTYPE_ETHERNET, SNAPLEN = 0xA1B2C3D4, 1, 65_535
"""Little-endian pcap with microseconds."""
NOISE_PER_CONNECTION = 3
TCP = struct.Struct("!HHIIBBHHH")
IPV4 = struct.Struct("!BBHHHBBH4s4s")
IPV6 = struct.Struct("!IHBB16s16s")


@dataclass(frozen=True)
class Flow:
    """Addresses, ports and first sequence numbers of one connection."""

    orig: IPv4Address | IPv6Address
    orig_p: int
    resp: IPv4Address | IPv6Address
    resp_p: int
    orig_first: int
    resp_first: int

    @classmethod
    def draw(cls, rng: random.Random, v6: bool, port: int, site: int) -> Flow:
        """A client of a few hundred and the server of a site, in ranges set aside for tests (RFC 2544, RFC 3849)."""
        client, server = rng.randrange(1, 250), 1 + site % 60_000
        orig_p, first = rng.randrange(32_768, 60_999), (rng.getrandbits(32), rng.getrandbits(32))
        if v6:
            return cls(
                IPv6Address(f"2001:db8::{client:x}"), orig_p, IPv6Address(f"2001:db8:1::{server:x}"), port, *first
            )
        orig, resp = IPv4Address(f"198.18.0.{client}"), IPv4Address((198 << 24) + (19 << 16) + server)
        return cls(orig, orig_p, resp, port, *first)

    def packets(self, segments: Iterable[Segment]) -> list[Timed]:
        """A frame for each segment."""
        return [(each.time_s, self._frame(each)) for each in segments]

    def _frame(self, segment: Segment) -> bytes:
        ends = ((self.orig, self.orig_p, self.orig_first), (self.resp, self.resp_p, self.resp_first))
        source, target = ends if segment.is_orig else ends[::-1]
        acknowledged = (target[2] + segment.acknowledged) & 0xFFFFFFFF if segment.flags & 0x10 else 0
        sequence = (source[2] + segment.sequence) & 0xFFFFFFFF
        head = TCP.pack(source[1], target[1], sequence, acknowledged, 5 << 4, segment.flags, 65_535, 0, 0)
        return frame(source[0], target[0], socket.IPPROTO_TCP, head, segment.payload, segment.is_orig)


def frame(
    source: IPv4Address | IPv6Address,
    target: IPv4Address | IPv6Address,
    protocol: int,
    head: bytes,
    body: bytes,
    out: bool,
) -> bytes:
    """Ethernet, IP, then `head` with its checksum filled in (TCP's or UDP's place for it), then `body`."""
    place = 16 if protocol == socket.IPPROTO_TCP else 6
    length = len(head) + len(body)
    pseudo = source.packed + target.packed + struct.pack("!IHBB", length, 0, 0, protocol)
    total = dpkt.in_cksum(pseudo + head + body)
    head = head[:place] + struct.pack("!H", total) + head[place + 2 :]
    macs = SERVER_MAC + CLIENT_MAC if out else CLIENT_MAC + SERVER_MAC
    if isinstance(source, IPv4Address):
        fields = (0x45, 0, 20 + length, 0, 0x4000, 64, protocol)
        checksum = dpkt.in_cksum(IPV4.pack(*fields, 0, source.packed, target.packed))
        return macs + b"\x08\x00" + IPV4.pack(*fields, checksum, source.packed, target.packed) + head + body
    return macs + b"\x86\xdd" + IPV6.pack(6 << 28, length, protocol, 64, source.packed, target.packed) + head + body


def noise(rng: random.Random, now: float) -> list[Timed]:
    """Packets that are not TLS: DNS questions and answers, and a line of some plain protocol."""
    client, resolver = ip_address(f"198.18.0.{rng.randrange(1, 250)}"), ip_address("198.19.0.53")
    made = []
    for number in range(rng.randrange(NOISE_PER_CONNECTION * 2)):
        port, size = rng.randrange(1024, 65_535), rng.randrange(30, 300)
        for out in (True, False):
            ends = (client, resolver) if out else (resolver, client)
            ports = (port, 53) if out else (53, port)
            head = struct.pack("!HHHH", *ports, 8 + size, 0)
            when = now + number * 0.01 + (0 if out else 0.004)
            made.append((when, frame(*ends, socket.IPPROTO_UDP, head, rng.randbytes(size), out)))
    return made


def write(target: Path, timed: Sequence[Timed]) -> None:
    """A pcap file of all of `timed`, which is in order."""
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, SNAPLEN, LINKTYPE_ETHERNET))
        for time_s, data in timed:
            microseconds = round(time_s * 1e6)
            file.write(struct.pack("<IIII", *divmod(microseconds, 1_000_000), len(data), len(data)))
            file.write(data)

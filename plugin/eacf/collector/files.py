"""Capture files: pcap and pcapng, either byte order, micro- or nanoseconds, plain or gzip, read in large blocks.

Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. Times are what libpcap gives Zeek: whole microseconds (finer
ones cut off), then a double of seconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import Struct, error
from typing import BinaryIO, NamedTuple, Protocol

from eacf.collector.limits import Counters, Limits
from eacf.errors import CaptureError

BLOCK_BYTES = 1 << 20
"""Read at once."""

MICROSECONDS, NANOSECONDS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
"""Magic numbers; the last is of an old patched libpcap with eight more bytes before each packet."""
SECTION_HEADER = 0x0A0D0D0A
BYTE_ORDER_MAGIC = 0x1A2B3C4D
INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
GZIP_MAGIC = b"\x1f\x8b"

OPTION_END, OPTION_TSRESOL, OPTION_TSOFFSET = 0, 9, 14


class Batch(NamedTuple):
    """Packets of one block."""

    link: int
    buffer: bytes
    rows: list[tuple[float, int, int, int]]
    """(time in seconds, where the packet begins in `buffer`, bytes captured, bytes on the wire)."""


class Source(Protocol):
    """What can be read."""

    def read(self, size: int, /) -> bytes: ...


class Gunzip:
    """A gzip stream, read as the file inside; several members follow one another. Damage ends it."""

    def __init__(self, source: Source, head: bytes) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(31)
        self._raw = head
        self.damaged = False

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, empty at the end."""
        while not self.damaged:
            raw, self._raw = self._raw or self._source.read(BLOCK_BYTES // 4), b""
            if not raw:
                self.damaged = not self._inflate.eof
                return b""
            try:
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(31)
                data = self._inflate.decompress(raw, size)
            except zlib.error:
                self.damaged = True
                return b""
            self._raw = self._inflate.unconsumed_tail or self._inflate.unused_data
            if data:
                return data
        return b""


class Capture:
    """A capture file, read from the front. `consumed` counts its bytes, as they lie on disk."""

    def __init__(self, source: BinaryIO, name: str, limits: Limits, counters: Counters) -> None:
        self.consumed = 0
        self._file = source
        self._limits = limits
        self._counters = counters
        self._source: Source = _Counted(self, source)
        head = self._source.read(4)
        if head[:2] == GZIP_MAGIC:
            self._source = Gunzip(self._source, head)
            head = b""
        self._buffer = head
        self._need(4)
        magic = self._buffer[:4]
        if len(magic) < 4:
            raise CaptureError(f"{name}: {len(magic)} bytes are no capture; give a pcap or pcapng file, gzip or not")
        self._name = name
        self._magic = magic

    def batches(self) -> Iterator[Batch]:
        """The packets, in order. Damage ends them and is counted."""
        for order in ("<", ">"):
            number = int.from_bytes(self._magic, "little" if order == "<" else "big")
            if number in (MICROSECONDS, NANOSECONDS, MODIFIED):
                yield from self._pcap(order, number)
                break
            if number == SECTION_HEADER:
                yield from self._pcapng()
                break
        else:
            raise CaptureError(
                f"{self._name}: begins with {self._magic.hex()}, which is neither pcap nor pcapng;"
                " convert it with editcap, or give another file"
            )
        if isinstance(self._source, Gunzip) and self._source.damaged:
            self._damage()

    def _damage(self) -> None:
        self._counters.damaged_files = 1

    def _need(self, count: int) -> bool:
        """Fill the buffer to `count` bytes at least; False at the end of the file."""
        while len(self._buffer) < count:
            data = self._source.read(BLOCK_BYTES)
            if not data:
                return False
            self._buffer = self._buffer + data if self._buffer else data
        return True

    def _pcap(self, order: str, magic: int) -> Iterator[Batch]:
        if not self._need(24):
            raise CaptureError(f"{self._name}: the file header is cut at {len(self._buffer)} of 24 bytes")
        snap, link = Struct(order + "II").unpack_from(self._buffer, 16)
        link &= 0x03FFFFFF
        if not 0 < snap <= 0x7FFFFFFF:
            snap = 0x7FFFFFFF
        header = Struct(order + "IIII")
        skip = 24 if magic == MODIFIED else 16
        divisor = 1000 if magic == NANOSECONDS else 1
        at = 24
        unpack, longest = header.unpack_from, self._limits.packet_bytes
        while True:
            buffer = self._buffer
            rows = []
            last = len(buffer) - skip
            while at <= last:
                seconds, fraction, captured, wire = unpack(buffer, at)
                begin = at + skip
                if captured > longest:
                    break
                at = begin + captured
                if at > last + skip:
                    at = begin - skip
                    break
                if divisor != 1:
                    fraction //= divisor
                rows.append((seconds + fraction / 1e6, begin, captured if captured < snap else snap, wire))
            if rows:
                yield Batch(link, buffer, rows)
            if at <= last and unpack(buffer, at)[2] > longest:
                self._damage()
                return
            self._buffer = buffer[at:]
            at = 0
            data = self._source.read(BLOCK_BYTES)
            if not data:
                if self._buffer:
                    self._damage()
                return
            self._buffer += data

    def _pcapng(self) -> Iterator[Batch]:
        order = "<"
        interfaces: list[_Interface] = []
        while self._need(12):
            if self._buffer[:4] == b"\x0a\x0d\x0d\x0a":
                order = "<" if self._buffer[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
                interfaces = []
            words = Struct(order + "II")
            rows: list[tuple[float, int, int, int]] = []
            link = -1
            at = 0
            bad = False
            buffer = self._buffer
            while len(buffer) - at >= 12:
                kind, length = words.unpack_from(buffer, at)
                if kind == SECTION_HEADER and at:
                    break
                if length < 12 or length % 4 or length > self._limits.packet_bytes:
                    bad = True
                    break
                if len(buffer) - at < length:
                    break
                try:
                    if kind == INTERFACE:
                        if len(interfaces) < self._limits.interfaces:
                            interfaces.append(_Interface(order, buffer[at + 8 : at + length - 4]))
                    elif kind in (ENHANCED_PACKET, PACKET, SIMPLE_PACKET):
                        row = _packet(order, kind, buffer, at, length, interfaces)
                        if row is None:
                            self._counters.dropped_interfaces += 1
                        else:
                            if row[0] != link:
                                if rows:
                                    yield Batch(link, buffer, rows)
                                rows, link = [], row[0]
                            rows.append(row[1])
                except error:
                    bad = True
                    break
                at += length
            if rows:
                yield Batch(link, buffer, rows)
            if bad:
                self._damage()
                return
            self._buffer = buffer[at:]
            if not at:
                data = self._source.read(BLOCK_BYTES)
                if not data:
                    break
                self._buffer += data
        if self._buffer:
            self._damage()


class _Counted:
    """Counts what is read."""

    def __init__(self, capture: Capture, source: BinaryIO) -> None:
        self._capture = capture
        self._file = source

    def read(self, size: int, /) -> bytes:
        data = self._file.read(size)
        self._capture.consumed += len(data)
        return data


class _Interface:
    """An interface of a pcapng section: link type, snapshot length, and how its clock counts."""

    __slots__ = ("link", "offset", "per_second", "snap")

    def __init__(self, order: str, body: bytes) -> None:
        self.link, snap = Struct(order + "H2xI").unpack_from(body)
        self.snap = snap or 0x7FFFFFFF
        self.per_second = 1_000_000
        self.offset = 0
        option = Struct(order + "HH")
        at = 8
        while at + 4 <= len(body):
            code, length = option.unpack_from(body, at)
            value = body[at + 4 : at + 4 + length]
            if code == OPTION_END:
                break
            if code == OPTION_TSRESOL and length == 1 and value:
                self.per_second = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** min(value[0], 19)
            elif code == OPTION_TSOFFSET and length == 8 and len(value) == 8:
                self.offset = int.from_bytes(value, "little" if order == "<" else "big", signed=True)
            at += 4 + length + -length % 4


def _packet(
    order: str, kind: int, buffer: bytes, at: int, length: int, interfaces: list[_Interface]
) -> tuple[int, tuple[float, int, int, int]] | None:
    """Link type and row of a packet block; None where its interface is not known."""
    number = high = low = 0
    if kind == ENHANCED_PACKET:
        number, high, low, captured, wire = Struct(order + "IIIII").unpack_from(buffer, at + 8)
        begin = at + 28
    elif kind == PACKET:
        number, high, low, captured, wire = Struct(order + "H2xIIII").unpack_from(buffer, at + 8)
        begin = at + 28
    else:
        (wire,) = Struct(order + "I").unpack_from(buffer, at + 8)
        begin = at + 12
        captured = wire
    if number >= len(interfaces):
        return None
    interface = interfaces[number]
    captured = min(captured, interface.snap, at + length - 4 - begin)
    if captured < 0:
        raise error("packet block too short")
    ticks = high << 32 | low
    seconds, rest = divmod(ticks, interface.per_second)
    micros = rest * 1_000_000 // interface.per_second
    return interface.link, (seconds + interface.offset + micros / 1e6, begin, captured, wire)

"""Capture files: pcap and pcapng, either byte order, micro- or nanoseconds, plain or gzip, read in large blocks.

Formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. Times are what libpcap gives Zeek: whole microseconds (finer
ones cut off), then a double of seconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from struct import Struct, error
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eacf.collector.limits import Counters, Limits
from eacf.errors import CaptureError

BLOCK_BYTES = 1 << 20
"""Read at once."""

MICROSECONDS, NANOSECONDS, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
"""Magic numbers; the last is of an old patched libpcap with eight more bytes before each packet."""
SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER_MAGIC = b"\x4d\x3c\x2b\x1a"
"""In little-endian sections."""
INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
PACKET_BLOCKS = (PACKET, SIMPLE_PACKET, ENHANCED_PACKET)
LATEST_SECONDS = 9_000_000_000
"""Later times are taken for this (year 2255): nanoseconds of all times and gaps must fit 64 bits."""
GZIP_MAGIC = b"\x1f\x8b"

OPTION_END, OPTION_TSRESOL, OPTION_TSOFFSET = 0, 9, 14


class Batch(NamedTuple):
    """Packets of one block, one entry each in the arrays."""

    link: int
    buffer: bytes
    times: NDArray[np.float64]
    """Seconds since the epoch."""
    begins: NDArray[np.int64]
    """Where the packet begins in `buffer`."""
    captured: NDArray[np.int64]
    """Bytes there."""
    wire: NDArray[np.int64]
    """Bytes before the capture cut it."""

    @classmethod
    def of(cls, link: int, buffer: bytes, rows: Sequence[tuple[float, int, int, int]]) -> Batch:
        """From rows of (time, begin, captured, wire)."""
        times, begins, captured, wire = zip(*rows, strict=True)
        return cls(link, buffer, np.array(times), _integers(begins), _integers(captured), _integers(wire))


def _integers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


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
            if self._magic == SECTION_HEADER:
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
        header = np.dtype(order + "u4")
        skip = 24 if magic == MODIFIED else 16
        divisor = 1000 if magic == NANOSECONDS else 1
        length_of = Struct(order + "I").unpack_from
        at = 24
        while True:
            buffer = self._buffer
            offsets: list[int] = []
            add = offsets.append
            last = len(buffer) - skip
            while at <= last:
                add(at)
                at += skip + length_of(buffer, at + 8)[0]
            if offsets and at > len(buffer):
                at = offsets.pop()  # the last packet goes on in the next block, or is damaged
            if offsets:
                heads = np.frombuffer(buffer, np.uint8)[np.array(offsets)[:, None] + np.arange(16)].view(header)
                captured = heads[:, 2].astype(np.int64)
                yield Batch(
                    link,
                    buffer,
                    heads[:, 0] + heads[:, 1] // divisor / 1e6,
                    np.array(offsets) + skip,
                    np.minimum(captured, snap),
                    heads[:, 3].astype(np.int64),
                )
            if at <= last and length_of(buffer, at + 8)[0] > self._limits.packet_bytes:
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
        section = _Section("<")
        while self._need(12):
            buffer = self._buffer
            rows: list[tuple[float, int, int, int]] = []
            link, at, sound = -1, 0, True
            while sound and len(buffer) - at >= 12:
                if buffer[at : at + 4] == SECTION_HEADER:
                    section = _Section("<" if buffer[at + 8 : at + 12] == BYTE_ORDER_MAGIC else ">")
                kind, length = section.block.unpack_from(buffer, at)
                sound = 12 <= length <= self._limits.packet_bytes and length % 4 == 0
                if not sound or len(buffer) - at < length:
                    break
                try:
                    if kind == INTERFACE:
                        section.add_interface(buffer[at + 8 : at + length - 4], self._limits.interfaces)
                    elif kind in PACKET_BLOCKS:
                        found, row = section.packet(kind, buffer, at, length)
                        if found != link and rows:
                            yield Batch.of(link, buffer, rows)
                            rows = []
                        link = found
                        rows.append(row)
                except error:
                    sound = False
                except LookupError:
                    self._counters.dropped_interfaces += 1
                at += length
            if rows:
                yield Batch.of(link, buffer, rows)
            self._buffer = buffer[at:]
            if not sound:
                break
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


class _Section:
    """A section of a pcapng file: its byte order and its interfaces."""

    def __init__(self, order: str) -> None:
        self._order = order
        self._interfaces: list[_Interface] = []
        self.block = Struct(order + "II")
        self._enhanced = Struct(order + "IIIII")
        self._old = Struct(order + "H2xIIII")
        self._simple = Struct(order + "I")

    def add_interface(self, body: bytes, limit: int) -> None:
        if len(self._interfaces) < limit:
            self._interfaces.append(_Interface(self._order, body))

    def packet(self, kind: int, buffer: bytes, at: int, length: int) -> tuple[int, tuple[float, int, int, int]]:
        """Link type and row of a packet block; IndexError where its interface is not known, struct.error if it is cut."""
        number = high = low = 0
        begin = at + 28
        if kind == ENHANCED_PACKET:
            number, high, low, captured, wire = self._enhanced.unpack_from(buffer, at + 8)
        elif kind == PACKET:
            number, high, low, captured, wire = self._old.unpack_from(buffer, at + 8)
        else:
            (wire,) = self._simple.unpack_from(buffer, at + 8)
            begin = at + 12
            captured = wire
        interface = self._interfaces[number]
        captured = min(captured, interface.snap, at + length - 4 - begin)
        if captured < 0:
            raise error("packet block too short")
        seconds, rest = divmod(high << 32 | low, interface.per_second)
        seconds = min(max(seconds + interface.offset, 0), LATEST_SECONDS)
        micros = rest * 1_000_000 // interface.per_second
        return interface.link, (seconds + micros / 1e6, begin, captured, wire)

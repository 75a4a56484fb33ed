"""IP fragments put together, as Zeek does (src/Frag.cc of 8.0.10): first data wins, five minutes at most."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict

from eacf.collector.limits import Counters, Limits

FRAG_TIMEOUT = 300.0
"""Seconds; Zeek: frag_timeout."""
BLOCK_OVERHEAD = 128
"""Bytes that a fragment costs beside its data, for the account of memory."""


class _Packet:
    """A packet in the making."""

    __slots__ = ("_edge", "_pieces", "_ready", "_starts", "bytes", "expires", "header", "next_header", "size")

    def __init__(self, header: bytes, next_header: int, expires: float) -> None:
        self.header = header
        self.next_header = next_header
        self.expires = expires
        self._starts: list[int] = []  # ascending; pieces do not overlap
        self._pieces: list[bytes] = []
        self._ready = 0  # pieces without a hole before them
        self._edge = 0  # where they end
        self.bytes = 0  # held, overhead left out
        self.size = 0  # 0: the last fragment has not been seen

    def held(self) -> int:
        return self.bytes + len(self._starts) * BLOCK_OVERHEAD

    def add(self, offset: int, data: bytes) -> None:
        """Keep what is new of `data`."""
        end = offset + len(data)
        at = bisect_right(self._starts, offset)
        if at:
            stop = self._starts[at - 1] + len(self._pieces[at - 1])
            if stop > offset:
                data, offset = data[stop - offset :], stop
        while offset < end:
            stop = min(end, self._starts[at]) if at < len(self._starts) else end
            if stop > offset:
                self._starts.insert(at, offset)
                self._pieces.insert(at, data[: stop - offset])
                self.bytes += stop - offset
                at += 1
            if stop == end:
                return
            stop = self._starts[at] + len(self._pieces[at])
            data, offset = data[stop - offset :], stop
            at += 1

    def whole(self) -> bytes | None:
        """The payload, if nothing is missing before what the last fragment said."""
        starts = self._starts
        while self._ready < len(starts) and starts[self._ready] == self._edge:
            self._edge += len(self._pieces[self._ready])
            self._ready += 1
        if not self.size or self._edge < self.size:
            return None
        return b"".join(self._pieces[: self._ready])


class Fragments:
    """Packets in the making, the oldest first."""

    def __init__(self, limits: Limits, counters: Counters) -> None:
        self._limits = limits
        self._counters = counters
        self._packets: OrderedDict[bytes, _Packet] = OrderedDict()
        self.held = 0

    def __len__(self) -> int:
        return len(self._packets)

    def add(
        self, key: bytes, header: bytes, next_header: int, offset: int, more: bool, data: bytes, now: float
    ) -> tuple[bytes, int, bytes] | None:
        """Take a fragment. Returns (header of the first one seen, next header, payload) once the packet is whole.

        `key` names the packet: addresses and identification.
        """
        self._expire(now)
        packet = self._packets.get(key)
        if packet is None:
            packet = self._packets[key] = _Packet(header, next_header, now + FRAG_TIMEOUT)
        if not offset:
            packet.next_header = next_header
        end = offset + len(data)
        if not more or (packet.size and end > packet.size):
            packet.size = max(packet.size, end)
        before = packet.held()
        packet.add(offset, data)
        self.held += packet.held() - before
        payload = packet.whole()
        if payload is not None:
            self._drop(key)
            return packet.header, packet.next_header, payload
        while len(self._packets) > self._limits.fragmented_packets or self.held > self._limits.fragment_bytes:
            self._drop(next(iter(self._packets)))
            self._counters.evicted_fragmented_packets += 1
        return None

    def _expire(self, now: float) -> None:
        while self._packets:
            key = next(iter(self._packets))
            if self._packets[key].expires > now:
                return
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        self.held -= self._packets.pop(key).held()

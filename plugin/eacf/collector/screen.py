"""Picks out, for a whole block of packets at once, those that still need a look.

Most packets of a capture belong to connections whose sample is complete. They matter only in that the connection is still
alive, so numpy notes the time of the last one and drops them; Python never sees them. What it does see is taken apart here
as well, as far as it is Ethernet, IPv4 without options and TCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eacf.collector.files import Batch

if TYPE_CHECKING:
    from eacf.collector.connection import Connection

SLOT_SHIFT = 47
SLOTS = 1 << 64 - SLOT_SHIFT
"""Idle connections remembered; one more in the same slot takes its place, and the other's packets take the slow way."""
ALIVE_SECONDS = 50.0
"""An idle connection with a packet within this time is still in the table (its shortest timeout is 60 s)."""
COMMON_BYTES = 54
"""Ethernet, IPv4 and TCP headers without options."""
MASK = (1 << 64) - 1
# Odd numbers without a pattern, so that the upper bits of the product depend on all bits.
MULTIPLIER = 0x9E3779B97F4A7C15
SECOND_MULTIPLIER = 0xC2B2AE3D27D4EB4F
CONTROL_FLAGS = 0x07


Row = tuple[float, float, int, int, int, bool, int, int, int, int, int, int]
"""A packet that needs a look: latest time so far, its own time, where it begins, bytes captured, bytes on the wire,
whether it is of the common kind; if so, sequence number, acknowledgement, flags, where its captured data begins and ends,
and how long it was on the wire."""


def sides(key: bytes) -> tuple[int, int]:
    """Address and port of both sides of a 12-byte key as numbers, the smaller one first."""
    source = int.from_bytes(key[0:4] + key[8:10], "little")
    destination = int.from_bytes(key[4:8] + key[10:12], "little")
    return (source, destination) if source < destination else (destination, source)


class Screen:
    """Remembers idle connections in arrays of fixed size, each in the one slot that its key gives."""

    def __init__(self) -> None:
        self._low: NDArray[np.uint64] = np.zeros(SLOTS, np.uint64)
        self._high: NDArray[np.uint64] = np.zeros(SLOTS, np.uint64)
        self._times: NDArray[np.float64] = np.zeros(SLOTS, np.float64)
        self._owners: dict[int, Connection] = {}

    def add(self, conn: Connection) -> None:
        """A connection became idle, and no end of it is in sight."""
        key = conn.keys[0]
        if len(key) != 12:
            return
        low, high = sides(key)
        slot = (low * MULTIPLIER + high * SECOND_MULTIPLIER & MASK) >> SLOT_SHIFT
        if slot in self._owners:
            self.remove(self._owners[slot])
        self._low[slot], self._high[slot], self._times[slot] = low, high, conn.last_time
        self._owners[slot] = conn
        conn.slot = slot

    def remove(self, conn: Connection) -> None:
        """A connection is over, or about to be: its packets go the slow way again."""
        slot = conn.slot
        if slot >= 0:
            conn.last_time = self.last_time(conn)
            conn.slot = -1
            self._low[slot] = self._high[slot] = 0
            del self._owners[slot]

    def last_time(self, conn: Connection) -> float:
        """Time of the last packet of a connection, dropped here or not."""
        return max(conn.last_time, float(self._times[conn.slot])) if conn.slot >= 0 else conn.last_time

    def rows(self, batch: Batch, latest: float) -> Iterator[Row]:
        """The packets of an Ethernet batch that need a look; `latest` is the latest time before it."""
        buffer = batch.buffer
        begins, captured, times = batch.begins, batch.captured, batch.times
        whole = captured >= COMMON_BYTES
        at = np.where(whole, begins, 0)
        octets = np.frombuffer(buffer, np.uint8)
        # Four bytes from every offset, as little-endian numbers.
        words: NDArray[np.uint32] = np.ndarray((len(buffer) - 3,), "<u4", buffer, 0, (1,))
        common = whole & (words[at + 12] & 0xFFFFFF == 0x450008) & (words[at + 20] & 0xFF00FF3F == 0x06000000)
        flags = octets[at + 47]
        total = octets[at + 16].astype(np.int64) << 8 | octets[at + 17]
        begin = at + 34 + ((octets[at + 46] >> 4).astype(np.int64) << 2)
        stop = at + 14 + total
        common &= (begin >= at + COMMON_BYTES) & (begin <= stop) & (begin <= at + captured) & (total + 14 <= batch.wire)
        keep = ~self._drop(words, at, common, flags & CONTROL_FLAGS != 0, times)
        columns = (
            np.maximum(np.maximum.accumulate(times), latest),
            times,
            begins,
            captured,
            batch.wire,
            common,
            words[at + 38].byteswap(),
            words[at + 42].byteswap(),
            flags,
            begin,
            np.minimum(stop, at + captured),
            stop - begin,
        )
        return zip(*(column[keep].tolist() for column in columns), strict=True)

    def _drop(
        self,
        words: NDArray[np.uint32],
        at: NDArray[np.int64],
        common: NDArray[np.bool_],
        control: NDArray[np.bool_],
        times: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Which packets belong to idle connections and change nothing."""
        ports = words[at + 34].astype(np.uint64)
        source: NDArray[np.uint64] = words[at + 26].astype(np.uint64) | (ports & np.uint64(0xFFFF)) << np.uint64(32)
        destination: NDArray[np.uint64] = words[at + 30].astype(np.uint64) | (ports >> np.uint64(16)) << np.uint64(32)
        low: NDArray[np.uint64] = np.minimum(source, destination)
        high: NDArray[np.uint64] = np.maximum(source, destination)
        hashes: NDArray[np.uint64] = low * np.uint64(MULTIPLIER) + high * np.uint64(SECOND_MULTIPLIER)
        slots = (hashes >> np.uint64(SLOT_SHIFT)).astype(np.int64)
        known = common & (self._low[slots] == low) & (self._high[slots] == high)
        drop: NDArray[np.bool_] = known & ~control & (times - self._times[slots] < ALIVE_SECONDS)
        if (known & control).any():
            # A SYN may begin another connection, a FIN be followed by the end of this one: look at all of them.
            drop &= ~np.isin(hashes, hashes[known & control])
        self._times[slots[drop]] = times[drop]
        return drop

"""From deliveries to samples, by contract v1: the stream's payload, chunks and records, or record lengths alone."""

from __future__ import annotations

from eacf.collector.limits import Limits
from eacf.flow import Chunk, Needs
from eacf.tls import RecordWalk

NEVER = float("inf")


class Stream:
    """The sample at hand of one connection, from the reassembled stream."""

    __slots__ = (
        "_chunks",
        "_last",
        "_records",
        "_ship",
        "_walks",
        "_window",
        "chunks",
        "complete",
        "deadline",
        "payload",
        "records",
        "seen",
    )

    def __init__(self, needs: Needs, limits: Limits) -> None:
        self._window = max(1, min(needs.window_bytes, limits.payload_bytes))
        self._ship = min(needs.payload_bytes, self._window)
        self._records = min(needs.records or limits.records, limits.records)
        self._chunks = limits.chunks
        self._walks = (RecordWalk(), RecordWalk())  # responder's, originator's
        self._last = 0.0
        self.payload = bytearray()
        self.seen = 0  # payload bytes, shipped or not
        self.chunks: list[Chunk] = []
        self.records: list[int] = []
        self.deadline = NEVER
        self.complete = False

    def deliver(self, is_orig: bool, data: bytes, now: float) -> bool:
        """Take a delivery at network time `now`, in seconds. True: it began or completed the sample."""
        payload = self._walks[is_orig].feed(data, self.records, 1 if is_orig else -1)
        if not payload:
            self.complete = len(self.records) >= self._records
            return self.complete
        seen = self.seen
        added = len(payload)
        if added > self._window - seen:
            added = self._window - seen
        room = self._ship - seen
        if room > 0:
            self.payload += payload[: added if added < room else room]
        self.chunks.append(Chunk(added, is_orig, int((now - self._last) * 1e9) if seen else 0))
        self._last = now
        self.seen = seen + added
        self.complete = (
            self.seen >= self._window or len(self.records) >= self._records or len(self.chunks) >= self._chunks
        )
        return self.complete or not seen

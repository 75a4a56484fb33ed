"""From deliveries to samples, by contract v1: the stream's payload, chunks and records, or record lengths alone."""

from __future__ import annotations

from eacf.flow import Chunk, Needs
from eacf.tls import RecordWalk

DEFAULT_RECORDS = 8
"""What a records-only sample is complete with where the model says 0 (contract v1)."""
NEVER = float("inf")


class Stream:
    """The sample at hand of one connection, from the reassembled stream."""

    __slots__ = ("_last", "_limit", "_needs", "_walks", "chunks", "complete", "deadline", "payload", "records", "seen")

    def __init__(self, needs: Needs, record_limit: int) -> None:
        self._needs = needs
        self._limit = min(needs.records or record_limit, record_limit)
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
            self.complete = len(self.records) >= self._limit
            return self.complete
        needs = self._needs
        seen = self.seen
        added = len(payload)
        if added > needs.window_bytes - seen:
            added = needs.window_bytes - seen
        room = needs.payload_bytes - seen
        if room > 0:
            self.payload += payload[: added if added < room else room]
        self.chunks.append(Chunk(added, is_orig, int((now - self._last) * 1e9) if seen else 0))
        self._last = now
        self.seen = seen + added
        self.complete = self.seen >= needs.window_bytes or len(self.records) >= self._limit
        return self.complete or not seen

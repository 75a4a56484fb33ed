"""One bundle that is coming in: what is there, what was asked for, who has it. Pure but for the file's bytes."""

from __future__ import annotations

from dataclasses import dataclass

from eacf.delivery.incoming import Partial
from eacf.delivery.offers import Offered
from eacf.wire import MAX_PART, ModelChunk

WINDOW = 8 * MAX_PART
"""Bytes that may be on their way to us."""
STALL_S = 1.0
"""Nothing came for so long: what is missing is asked for again, of the next one that has it."""
IDLE_S = 30.0
"""Nothing came for so long: the transfer is given up. Its file stays; the next push of the same bundle goes on there."""


@dataclass(slots=True)
class Transfer:
    """See the module."""

    offered: Offered
    partial: Partial
    heard: float
    """When the last part came that was of use, or the transfer began."""
    askers: dict[str, str]
    """By reply_to the SHA-256 of the offer; the first one is asked for parts."""
    granted: int = 0
    """Bytes asked for, from the file's begin."""
    asked: float = float("-inf")
    trying: bool = False
    """It is whole, and elsewhere."""

    @property
    def source(self) -> str:
        """Who is asked for parts."""
        return next(iter(self.askers))

    @property
    def whole(self) -> bool:
        return self.partial.have >= self.offered.size

    def stalled(self, now: float) -> bool:
        """Nothing came for a while, though it was asked for."""
        return now >= max(self.heard, self.asked) + STALL_S

    def idle(self, now: float) -> bool:
        """Nothing of use came for too long."""
        return now >= self.heard + IDLE_S

    def deadline(self) -> float:
        """When it stalls or idles unless something comes."""
        return min(max(self.heard, self.asked) + STALL_S, self.heard + IDLE_S)

    def take(self, chunk: ModelChunk, now: float) -> str | None:
        """Add a part; the name of a counter where it is not the next one, or was not asked for. OSError."""
        if self.trying or chunk.model != self.offered.model or not chunk.data:
            return "chunks_unasked"
        if chunk.offset != self.partial.have:
            return "chunks_out_of_order"
        if chunk.offset + len(chunk.data) > self.granted:
            return "chunks_unasked"
        self.partial.add(chunk.data)
        self.heard = now
        return None

    def prefer(self, asker: str) -> None:
        """Have that one asked from now on."""
        self.askers = {asker: self.askers.pop(asker), **self.askers}

    def rotate(self) -> None:
        """Have the next one asked."""
        first = self.source
        self.askers[first] = self.askers.pop(first)

    def again(self, now: float) -> tuple[int, int]:
        """Offset and room to ask for: all that may be on its way, from the first byte that is missing on."""
        self.granted = self.partial.have
        return self._grant(now)

    def more(self, now: float) -> tuple[int, int] | None:
        """Offset and room to ask for beside what is on its way; None: not now."""
        due = self.granted - self.partial.have <= WINDOW // 2 and self.granted < self.offered.size
        return self._grant(now) if due else None

    def _grant(self, now: float) -> tuple[int, int]:
        begin = self.granted
        self.granted = min(self.offered.size, self.partial.have + WINDOW)
        self.asked = now
        return begin, self.granted - begin

"""Flow messages that wait for the model, undecoded.

Law: what goes in comes out in order, or is dropped, oldest first, where the queue is over one of its bounds. Taking a
message in costs next to nothing compared with serving it, so that the socket is always emptied in time and what must
be dropped is dropped here, where it is counted.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Entry(NamedTuple):
    """One message."""

    received: float
    flows: int
    """Samples that the body says it holds; 0 where only decoding will tell."""
    sender: bytes
    body: bytes


class FlowQueue:
    """Bounded by flows and by bytes; also by messages, of which there may be as many as flows."""

    def __init__(self, limit_flows: int, limit_bytes: int) -> None:
        self.limit_flows = limit_flows
        self.limit_bytes = limit_bytes
        self.flows = 0
        """Samples that the waiting messages say they hold."""
        self.bytes = 0
        """Bytes of the waiting bodies."""
        self._entries: deque[Entry] = deque()

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._entries)

    def put(self, entry: Entry) -> int:
        """Take a message in; returns how many flows had to go for it. One message alone always fits."""
        self._entries.append(entry)
        self.flows += entry.flows
        self.bytes += len(entry.body)
        dropped = 0
        while self._over() and len(self._entries) > 1:
            dropped += self.take().flows
        return dropped

    def _over(self) -> bool:
        return self.flows > self.limit_flows or self.bytes > self.limit_bytes or len(self._entries) > self.limit_flows

    def take(self) -> Entry:
        """The oldest; IndexError where nothing waits."""
        entry = self._entries.popleft()
        self.flows -= entry.flows
        self.bytes -= len(entry.body)
        return entry

    def next_flows(self) -> int | None:
        """Flows of the oldest; None where nothing waits."""
        return self._entries[0].flows if self._entries else None

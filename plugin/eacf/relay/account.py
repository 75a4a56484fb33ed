"""What a relay counts, and its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Account:
    """All counts are from the start; they close: messages_in = passed_in + dropped_in, and so on."""

    out: int = 0
    """Messages of the bus, to clients that listen."""
    out_bytes: int = 0
    out_cut: int = 0
    """Of these, such as did not fit into the queue of one client at least, which then missed it."""
    taken: int = 0
    """Messages of clients."""
    taken_bytes: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Of these not passed on. ``full``: the bus had no room; ``form``, ``event``, ``topic``: not allowed; ``key``: no longer let in."""
    refused_topics: int = 0
    """Subscriptions that were not granted."""
    admitted: Counter[str] = field(default_factory=Counter)
    """Handshakes, by name of the client."""
    refused: Counter[str] = field(default_factory=Counter)
    """Handshakes that failed. ``key``: not let in; ``handshake``: no CURVE, or a wrong key of ours."""
    reloads: Counter[str] = field(default_factory=Counter)
    """The folder of clients read again: ``done``, ``refused``."""
    cuts: int = 0
    """Times that all connections were closed: a key was taken away, or clients asked for too much that they may not hear."""

    def report(
        self,
        relay: str,
        uptime_s: float,
        connections: int,
        topics: int,
        clients: int,
        process: Callable[[], dict[str, float]],
    ) -> dict[str, Any]:
        """As JSON can say it."""
        return {
            "kind": "relay",
            "worker": relay,
            "uptime_s": round(uptime_s, 3),
            "connections": connections,
            "topics": topics,
            "clients": clients,
            "out": self.out,
            "out_bytes": self.out_bytes,
            "out_cut": self.out_cut,
            "taken": self.taken,
            "taken_bytes": self.taken_bytes,
            "dropped": dict(self.dropped),
            "refused_topics": self.refused_topics,
            "admitted": dict(self.admitted),
            "refused": dict(self.refused),
            "reloads": dict(self.reloads),
            "cuts": self.cuts,
            "process": process(),
        }

    def __str__(self) -> str:
        dropped = ", ".join(f"{number:,} {why}" for why, number in sorted(self.dropped.items())) or "none"
        return (
            f"{self.out:,} messages out ({self.out_cut:,} cut), {self.taken:,} in (dropped: {dropped}), "
            f"{self.refused.total():,} handshakes refused"
        )

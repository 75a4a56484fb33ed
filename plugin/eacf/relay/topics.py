"""Which topics of the bus clients hear, and whose each is. Pure.

Topics with an id belong to the client that first asks for one, as long as it is there: to the bus they are that client's presence, and
nobody else listens in. Those without, such as requests to all, belong to all, and are not left again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from eacf.wire import CONTROL_REQUEST_TOPIC, ZEEK_TOPIC

SHARED = frozenset({CONTROL_REQUEST_TOPIC, ZEEK_TOPIC})
MAX_TOPICS = 10_000
"""With an id; more are not granted."""


@dataclass(slots=True)
class _Held:
    key: str
    times: int = 1


class Topics:
    """What was granted, and what was not. ZeroMQ tells of a client that went by its topics, without a name."""

    def __init__(self, own: Iterable[bytes] = ()) -> None:
        """`own`: shared ones that the relay hears itself."""
        self._shared = set(own)
        self._held: dict[bytes, _Held] = {}
        self._refused: dict[bytes, int] = {}
        self.overrun = False
        """More was refused than is kept in mind: who leaves what can no longer be told, and all must begin anew (:meth:`clear`)."""

    def __len__(self) -> int:
        return len(self._held)

    def ask(self, topic: bytes, key: str, *, allowed: bool) -> tuple[bool, bool]:
        """A client subscribes: whether that is granted, and whether the bus has to hear of it."""
        held = self._held.get(topic)
        if not allowed or (held is not None and held.key != key) or (held is None and len(self._held) >= MAX_TOPICS):
            self._refused[topic] = self._refused.get(topic, 0) + 1
            self.overrun = self.overrun or len(self._refused) > MAX_TOPICS
            return False, False
        if topic in SHARED:
            new = topic not in self._shared
            self._shared.add(topic)
            return True, new
        if held is not None:
            held.times += 1
            return True, False
        self._held[topic] = _Held(key)
        return True, True

    def leave(self, topic: bytes, key: str | None) -> tuple[bool, bool]:
        """One unsubscribes (`key`), or has gone (None): whether it had been granted, and whether the bus has to hear of it.

        Where a topic was granted to one and refused to another, one that goes is taken for the other: that errs on the side of a
        worker that seems to be there, and Zeek has a time limit for those.
        """
        held = self._held.get(topic)
        if topic in self._refused and (held is None or held.key != key):
            self._refused[topic] -= 1
            if not self._refused[topic]:
                del self._refused[topic]
            return False, False
        if topic in SHARED:
            return True, False
        if held is None or (key is not None and held.key != key):
            return False, False
        held.times -= 1
        if held.times:
            return True, False
        del self._held[topic]
        return True, True

    def clear(self) -> list[bytes]:
        """All clients were cut off: the topics that the bus has to hear of."""
        gone = list(self._held)
        self._held.clear()
        self._refused.clear()
        self.overrun = False
        return gone

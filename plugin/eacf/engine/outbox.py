"""Verdicts that wait for company, by the topic they go to.

Messages are the dearest part of the whole loop, for Zeek above all. So at most one message every `hold_s` goes to a
topic, unless it is full: the first verdict after a pause leaves at once, those of a rush leave together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from eacf.verdict import Verdict
from eacf.wire import MAX_VERDICTS

MAX_TOPICS = 256
"""Topics (Zeek processes) that are kept apart; one more, and all that is held goes out at once."""


@dataclass(slots=True)
class Part:
    """Verdicts on one message."""

    received: float
    verdicts: list[Verdict]


@dataclass(slots=True)
class _Held:
    """What waits for one topic."""

    free_at: float = float("-inf")
    """When the next message may go."""
    flows: int = 0
    parts: list[Part] = field(default_factory=list)


class Outbox:
    """See the module. Bounded: what it holds is let go within `hold_s`, and a topic's share by `MAX_VERDICTS`."""

    def __init__(self, hold_s: float) -> None:
        self.flows = 0
        """Verdicts that are held."""
        self.overflows = 0
        """Times that there were more than `MAX_TOPICS` topics."""
        self._hold_s = hold_s
        self._topics: dict[str, _Held] = {}
        self._hurry = False

    def add(self, topic: str, part: Part) -> None:
        """Hold verdicts for `topic`; a part has `MAX_VERDICTS` at most."""
        held = self._topics.get(topic)
        if held is None:
            if len(self._topics) >= MAX_TOPICS and not self._hurry:
                self.overflows += 1
                self._hurry = True
            held = self._topics[topic] = _Held()
        held.parts.append(part)
        held.flows += len(part.verdicts)
        self.flows += len(part.verdicts)

    def due(self, now: float, *, everything: bool = False) -> Iterator[tuple[str, list[Part]]]:
        """What is to go out now: a topic, and parts that fit into one message; forgets topics that have been quiet."""
        everything, self._hurry = everything or self._hurry, False
        for topic, held in list(self._topics.items()):
            if held.parts and (everything or now >= held.free_at or held.flows >= MAX_VERDICTS):
                self.flows -= held.flows
                yield from ((topic, parts) for parts in _messages(held.parts))
                self._topics[topic] = _Held(now + self._hold_s)
            elif not held.parts and now >= held.free_at:
                del self._topics[topic]
        if everything:
            self._topics.clear()

    def next_deadline(self) -> float | None:
        """When something that is held has to go; None where nothing is."""
        if not self.flows:
            return None
        return min(held.free_at for held in self._topics.values() if held.parts)


def _messages(parts: list[Part]) -> Iterator[list[Part]]:
    """Parts in order, as few messages as will hold them."""
    message: list[Part] = []
    flows = 0
    for part in parts:
        if message and flows + len(part.verdicts) > MAX_VERDICTS:
            yield message
            message, flows = [], 0
        message.append(part)
        flows += len(part.verdicts)
    yield message

"""A tap on a bus: what is heard is handed on, what the protocol owes its sensors is said. The owner's loop waits and writes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from eacf.bus import Endpoints, Peer
from eacf.record.tap import Heard, Tap

TURN_MESSAGES: Final = 64
"""Messages taken from the socket in one go."""
SILENCE_S: Final = 10.0
"""No sensor for so long after the start is worth a line in the log."""
QUIET_S: Final = 0.1
"""At the end: nothing has come for so long, so nothing is on its way."""
DRAIN_S: Final = 2.0
"""At the end: time for what is on its way; the rest is dropped."""

_clock = time.monotonic


class Ear:
    """See the module."""

    def __init__(self, peer: Peer, tap: Tap, take: Callable[[Heard], None], log: logging.Logger) -> None:
        self.peer = peer
        self.tap = tap
        self._take = take
        self._log = log
        self._warn_at = _clock() + SILENCE_S

    def turn(self) -> int:
        """Hand on what is there, say what is due. Returns how many messages were taken."""
        for added, topic in self.peer.subscriptions():
            self.tap.subscription(added, topic)
        messages = self.peer.receive(TURN_MESSAGES)
        for frames in messages:
            if (heard := self.tap.receive(frames)) is not None:
                self._take(heard)
        for message in self.tap.due(_clock()):
            self.peer.send(message.topic, message.body)
        return len(messages)

    def drain(self, turn: Callable[[], int]) -> None:
        """Leave our topic, then take what was on its way; `turn` is what the owner does each time."""
        self.peer.unsubscribe(self.tap.topic)
        end = _clock() + DRAIN_S
        quiet_at = _clock() + QUIET_S
        while not self.tap.complete and (now := _clock()) < min(end, quiet_at):
            self.peer.wait(quiet_at - now)
            if turn():
                quiet_at = _clock() + QUIET_S

    def mind_silence(self) -> None:
        """Say once that no sensor has spoken, if it is time for that."""
        if _clock() >= self._warn_at and not self.tap.sensors_seen:
            self._log.warning("no sensor has spoken yet; is eacf loaded there (eacf status asks)?")
            self._warn_at = float("inf")


def peer_of(endpoints: Endpoints, tap: Tap) -> Peer:
    """The tap's own peer, which hears its topic. BusError where an endpoint is none."""
    return Peer(endpoints, f"eacf-{tap.topic.decode().replace('.', '-')}", [tap.topic], watch=True)

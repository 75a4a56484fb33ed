"""The tap on a bus: a loop around the protocol, with the bus on one side and the file on the other.

SIGTERM (and SIGINT) ends it in order: it leaves its topic, so that sensors send no more, takes what is on its way, writes
it, and goes; a second one ends it at once.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eacf.bus import Endpoints, Peer
from eacf.errors import BusError
from eacf.flow import Needs
from eacf.record.tap import Tap
from eacf.recording import Journal, line
from eacf.service import Signals, join

TURN_MESSAGES = 64
"""Messages taken from the socket in one go."""
FLUSH_S = 0.5
"""A line waits so long for the file at most."""
SILENCE_S = 10.0
"""No sensor for so long after the start is worth a line in the log."""
QUIET_S = 0.1
"""At the end: nothing has come for so long, so nothing is on its way."""
DRAIN_S = 2.0
"""At the end: time for what is on its way; the rest is dropped."""

_log = logging.getLogger("eacf.record")
_clock = time.monotonic


@dataclass(frozen=True)
class Summary:
    """What was recorded so far."""

    flows: int
    sensors: int
    malformed: Counter[str]
    """Messages that could not be read, by kind."""
    unsent: int
    """Messages to sensors that the bus would not take."""
    seconds: float
    bytes: int
    """Size of the file."""


def record(
    endpoints: Endpoints,
    out: Path,
    *,
    append: bool = False,
    needs: Needs = Needs(),  # noqa: B008 - frozen
    share: float = 1.0,
    flows: int | None = None,
    duration_s: float | None = None,
    progress: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Record what the sensors of a bus collect until SIGTERM, until there are `flows`, or for `duration_s`. For a main thread.

    `share` of the flows, above 0 and at most 1. `progress` is called about once a second. SettingError where `out` is no
    file to write to; BusError where no bus came within `duration_s`; OSError where it can be written to no longer.
    """
    started = _clock()
    until = float("inf") if duration_s is None else started + duration_s
    tap = Tap(secrets.token_hex(6), started=started, needs=needs, share=share, limit=flows)
    with Journal(out, append=append) as journal, _peer(endpoints, tap) as peer, Signals() as signals:
        if journal.torn:
            _log.warning("%s: cut off a torn end of %d bytes", out, journal.torn)
        peer.wake_on(signals.descriptor)
        recorder = Recorder(peer, tap, journal, started)
        if join(peer, tap.topic, signals, endpoints, tap.subscription, until=until):
            recorder.run(signals, until, progress)
        elif not signals.end:
            raise BusError(f"no bus at {endpoints.subscribe} and {endpoints.publish} within {duration_s:g} s")
        journal.flush()
        return recorder.summary()


def _peer(endpoints: Endpoints, tap: Tap) -> Peer:
    return Peer(endpoints, f"eacf-{tap.topic.decode().replace('.', '-')}", [tap.topic], watch=True)


class Recorder:
    """See the module."""

    def __init__(self, peer: Peer, tap: Tap, journal: Journal, started: float) -> None:
        self._peer = peer
        self._tap = tap
        self._journal = journal
        self._started = started
        self._flush_at = started

    def run(self, signals: Signals, until: float, progress: Callable[[Summary], None]) -> None:
        """Record until the end."""
        tap = self._tap
        warn_at = _clock() + SILENCE_S
        progress_at = _clock()
        while not (signals.end or tap.complete or (now := _clock()) >= until):
            if now >= warn_at and not tap.sensors_seen:
                _log.warning("no sensor has spoken yet; is eacf loaded there (eacf status asks)?")
                warn_at = float("inf")
            if now >= progress_at:
                progress(self.summary())
                progress_at = now + 1.0
            self._wait(until)
            signals.clear()
            self._turn()
        if not tap.complete:
            self._drain()

    def summary(self) -> Summary:
        """What was recorded so far."""
        tap = self._tap
        seconds = _clock() - self._started
        size = self._journal.bytes
        return Summary(tap.recorded, tap.sensors_seen, tap.malformed.copy(), self._peer.unsent, seconds, size)

    def _wait(self, until: float) -> None:
        """Until a message comes, or something is due: at least every second, for the heartbeat."""
        until = min(until, self._tap.next_deadline())
        if self._journal.holds:
            until = min(until, self._flush_at)
        self._peer.wait(until - _clock())

    def _turn(self) -> int:
        """Take what is there, write and say what is due. Returns how many messages were taken."""
        tap, journal = self._tap, self._journal
        for added, topic in self._peer.subscriptions():
            tap.subscription(added, topic)
        messages = self._peer.receive(TURN_MESSAGES)
        for frames in messages:
            if (heard := tap.receive(frames)) is not None:
                for sample in heard.samples:
                    journal.add(line(tap.topic, heard.sender, heard.reply_to, sample))
        now = _clock()
        if journal.holds and now >= self._flush_at:
            journal.flush()
            self._flush_at = now + FLUSH_S
        for message in tap.due(now):
            self._peer.send(message.topic, message.body)
        return len(messages)

    def _drain(self) -> None:
        """Leave our topic, then take what was on its way."""
        self._peer.unsubscribe(self._tap.topic)
        end = _clock() + DRAIN_S
        quiet_at = _clock() + QUIET_S
        while not self._tap.complete and (now := _clock()) < min(end, quiet_at):
            self._peer.wait(quiet_at - now)
            if self._turn():
                quiet_at = _clock() + QUIET_S

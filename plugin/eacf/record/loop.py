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
from eacf.record.ear import Ear, peer_of
from eacf.record.tap import Heard, Tap
from eacf.recording import Journal, line
from eacf.service import Signals, join

FLUSH_S = 0.5
"""A line waits so long for the file at most."""

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
    with Journal(out, append=append) as journal, peer_of(endpoints, tap) as peer, Signals() as signals:
        if journal.torn:
            _log.warning("%s: cut off a torn end of %d bytes", out, journal.torn)
        peer.wake_on(signals.descriptor)
        recorder = Recorder(peer, tap, journal, started)
        if join(peer, tap.topic, signals, endpoints, tap.subscription, until=until):
            recorder.run(signals, until, progress)
        elif not signals.end:
            why = "" if peer.problem is None else f": {peer.problem}"
            raise BusError(f"no bus at {endpoints.subscribe} and {endpoints.publish} within {duration_s:g} s{why}")
        journal.flush()
        return recorder.summary()


class Recorder:
    """See the module."""

    def __init__(self, peer: Peer, tap: Tap, journal: Journal, started: float) -> None:
        self._ear = Ear(peer, tap, self._keep, _log)
        self._peer = peer
        self._tap = tap
        self._journal = journal
        self._started = started
        self._flush_at = started

    def run(self, signals: Signals, until: float, progress: Callable[[Summary], None]) -> None:
        """Record until the end."""
        tap = self._tap
        progress_at = _clock()
        while not (signals.end or tap.complete or (now := _clock()) >= until):
            self._ear.mind_silence()
            if now >= progress_at:
                progress(self.summary())
                progress_at = now + 1.0
            self._wait(until)
            signals.clear()
            self._turn()
        if not tap.complete:
            self._ear.drain(self._turn)

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

    def _keep(self, heard: Heard) -> None:
        for sample in heard.samples:
            self._journal.add(line(self._tap.topic, heard.sender, heard.reply_to, sample))

    def _turn(self) -> int:
        """Take what is there, write and say what is due. Returns how many messages were taken."""
        taken = self._ear.turn()
        now = _clock()
        if self._journal.holds and now >= self._flush_at:
            self._journal.flush()
            self._flush_at = now + FLUSH_S
        return taken

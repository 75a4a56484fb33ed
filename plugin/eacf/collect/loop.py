"""The tap on a bus, with the database's thread on its other side.

SIGTERM (and SIGINT) ends it in order: it leaves its topic, so that sensors send no more, takes what is on its way, has it
written, and goes; a second one ends it at once.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from eacf.bus import Endpoints, Peer
from eacf.collect.writer import Kept, Writer, judged
from eacf.errors import EacfError
from eacf.flow import Needs
from eacf.labels import LabelRules
from eacf.record.ear import Ear, peer_of
from eacf.record.tap import Tap
from eacf.samples import Busy, Keeper, Limits
from eacf.service import Notifier, Signals, join

LOG_S: Final = 60.0
BEGIN_S: Final = 30.0
"""At the start: time in which another process must let go of the database."""
CLOSE_S: Final = 10.0
"""At the end: time for the disk."""
STUCK_S: Final = 600.0
"""A database's thread that has not turned for so long hangs, and a watchdog is to see it; ten times what it rests at most."""

_log = logging.getLogger("eacf.collect")
_clock = time.monotonic


@dataclass(frozen=True)
class Summary:
    """What came so far, and what is kept of it."""

    flows: int
    sensors: int
    malformed: Counter[str]
    """Messages that could not be read, by kind."""
    unsent: int
    """Messages to sensors that the bus would not take."""
    seconds: float
    kept: Kept


def boot_ns() -> int:
    """A clock that nobody sets and that goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def collect(
    endpoints: Endpoints,
    database: Path,
    rules: LabelRules,
    *,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    needs: Needs,
    share: float = 1.0,
    progress: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Keep what the sensors of a bus collect, in `database`, until SIGTERM. For a main thread.

    `share` of the flows, above 0 and at most 1. `progress` is called about once a second. SettingError, StoreError where
    the database cannot be opened (nothing is changed then), StoreError where it turns out to be damaged later.
    """
    started = _clock()
    keeper = _begin(database, limits, rules)
    tap = Tap(secrets.token_hex(6), started=started, needs=needs, share=share, limit=None)
    try:
        peer = peer_of(endpoints, tap)
    except EacfError:
        keeper.close()
        raise
    with peer, Signals() as signals:
        writer = Writer(keeper, rules, signals.wake, mono_ns=boot_ns)
        peer.wake_on(signals.descriptor)
        notifier = Notifier.of()
        notifier.ready(f"waits for a bus at {endpoints.subscribe}; keeps samples in {database}")
        loop = Loop(peer, tap, writer, started, notifier)
        try:
            if join(peer, tap.topic, signals, endpoints, tap.subscription, notifier=notifier):
                loop.run(signals, progress)
        finally:
            notifier.stopping(CLOSE_S)
            if not writer.end(CLOSE_S):
                _log.warning("%s: the disk did not take the last samples within %g s", database, CLOSE_S)
        if writer.failure is not None:
            raise writer.failure
        return loop.summary()


def _begin(database: Path, limits: Limits, rules: LabelRules) -> Keeper:
    """Open it, with labels by these rules; one that another process holds is waited for a while."""
    until = _clock() + BEGIN_S
    while True:
        try:
            keeper = Keeper.begin(database, limits)
            try:
                changed = keeper.relabel(rules.id, partial(judged, rules))
            except EacfError:
                keeper.close()
                raise
        except Busy as error:
            if _clock() >= until:
                raise
            _log.warning("%s; waiting for it", error)
        else:
            if changed:
                _log.info("%s: labels of %s changed with the label map", database, _number(changed, "sample"))
            return keeper


class Loop:
    """See the module."""

    def __init__(self, peer: Peer, tap: Tap, writer: Writer, started: float, notifier: Notifier) -> None:
        self._ear = Ear(peer, tap, lambda heard: writer.put(heard.samples, heard.sender), _log)
        self._peer = peer
        self._tap = tap
        self._writer = writer
        self._started = started
        self._notifier = notifier

    def run(self, signals: Signals, progress: Callable[[Summary], None]) -> None:
        """Collect until the end."""
        progress_at, log_at = _clock(), _clock() + LOG_S
        while not signals.end and self._writer.failure is None:
            now = _clock()
            self._ear.mind_silence()
            if now >= log_at:
                _log.info("%s", told(self.summary()))
                log_at = now + LOG_S
            if now >= progress_at:
                progress(self.summary())
                progress_at = now + 1.0
            if now - self._writer.turned_at < STUCK_S:
                self._notifier.alive(now, lambda: told(self.summary()))
            self._peer.wait(self._tap.next_deadline() - _clock())  # a second at most, for the heartbeat
            signals.clear()
            self._ear.turn()
        self._ear.drain(self._ear.turn)

    def summary(self) -> Summary:
        """What came so far."""
        tap = self._tap
        seconds = _clock() - self._started
        return Summary(
            tap.recorded, tap.sensors_seen, tap.malformed.copy(), self._peer.unsent, seconds, self._writer.kept
        )


def told(summary: Summary) -> str:
    """What came and what is kept, in words; nothing is said of what did not happen."""
    kept, counts = summary.kept, summary.kept.counts
    parts = [
        f"{_number(summary.flows, 'flow')} of {_number(summary.sensors, 'sensor')} in {summary.seconds:,.1f} s",
        f"{_number(kept.rows, 'sample')} of {_number(kept.labels, 'label')} kept, {kept.bytes / 1e6:,.1f} MB",
    ]
    words = {
        "replaced": "replaced",
        "aged": "removed for their age",
        "ech": "with an ECH public name",
        "over_share": "over their client's share",
        "overflowed": "dropped while the database was locked or slow",
        "dropped": "dropped, no room in the queue",
        "unwritten": "lost with writes that failed",
    }
    parts += [f"{counts[key]:,} {what}" for key, what in words.items() if counts.get(key)]
    if kept.jumps:
        parts.append(f"the clock jumped {kept.jumps:,} times")
    if summary.malformed:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(summary.malformed.items()))
        parts.append(f"{_number(summary.malformed.total(), 'malformed message')} ({kinds})")
    if summary.unsent:
        parts.append(f"{_number(summary.unsent, 'message')} unsent")
    return "; ".join(parts)


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

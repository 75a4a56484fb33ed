"""The bus on one side, a terminal on the other."""

from __future__ import annotations

import math
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from eacf.bus import Endpoints
from eacf.service import Signals
from eacf.status import Asker
from eacf.top.frame import Head, frame
from eacf.top.watch import Watch

SETTLE_S = 0.3
"""The picture is drawn once all have answered, or after so long."""
RETRY_S = 0.1
"""How often it is looked whether the bus has come."""
SEEK_S = 1.0
"""A bus that does not show itself for so long is not there."""
RENEW_S = 3.0
"""While somebody is silent we come to the bus anew so often: who was on a bus that ended is then no longer waited for."""
KEY_BYTES = 64

_clock = time.monotonic


def once(endpoints: Endpoints, interval_s: float, timeout_s: float, width: int) -> list[str]:
    """One picture, as plain lines; none where nobody answered. Asks twice, `interval_s` apart, since rates need two answers; waits
    `timeout_s` for each. BusError where no bus is there."""
    watch = Watch(interval_s)
    with Asker(endpoints) as asker:
        _gather(asker, watch, _clock() + timeout_s)
        if not asker.on_bus:
            raise asker.peer.absence()
        again_at = _clock() + interval_s
        while (left := again_at - _clock()) > 0:
            asker.peer.wait(left)
            _take(asker, watch)
        _gather(asker, watch, _clock() + timeout_s)
        if not watch.sights:
            return []
        lines = frame(watch, _head(asker, interval_s, keys=False), _clock(), width, None)
    return [line.plain.rstrip() for line in lines]


def live(endpoints: Endpoints, interval_s: float) -> int:
    """Draw until q, a signal, or the end of the terminal; 0. For a main thread with a terminal."""
    with ExitStack() as held:
        signals = held.enter_context(Signals())
        keys = held.enter_context(Keys(-1 if sys.stdin is None else sys.stdin.fileno()))
        console = Console(highlight=False, markup=False)
        screen = held.enter_context(Live(console=console, screen=True, auto_refresh=False))
        descriptors = [signals.descriptor, *([keys.descriptor] if keys.are_there else [])]
        view = View(endpoints, interval_s, descriptors, _clock())
        held.callback(view.close)
        while not (signals.end or signals.reload or keys.end()):
            if view.turn(_clock()):
                lines = view.lines(_clock(), console.width, console.height, keys=keys.are_there)
                screen.update(Group(*lines), refresh=True)
            view.wait(_clock())
            signals.clear()
    return 0


class View:
    """Who is asked, and when there is something new to be drawn."""

    def __init__(self, endpoints: Endpoints, interval_s: float, descriptors: Sequence[int], now: float) -> None:
        """`descriptors`: of what else ends :meth:`wait`."""
        self._endpoints = endpoints
        self._interval_s = interval_s
        self._descriptors = descriptors
        self._watch = Watch(interval_s)
        self._ask_at = self._draw_at = now
        self._asked = now
        self._asker = self._opened(now)

    def turn(self, now: float) -> bool:
        """Ask if it is time; whether it is time to draw."""
        if self._asker.on_bus and now >= self._renew_at and self._somebody_is_silent(now):
            self._asker.close()
            self._asker = self._opened(now)
        if now >= self._ask_at:
            if self._asker.ask():
                self._asked, self._ask_at = now, now + self._interval_s
                self._draw_at = now + min(SETTLE_S, self._interval_s)
                self._watch.asked()
            else:
                self._ask_at = now + min(RETRY_S, self._interval_s)
        if now < self._draw_at:
            return False
        self._draw_at = now + (self._interval_s if self._asker.on_bus else min(SEEK_S, self._interval_s))
        return True

    def lines(self, now: float, width: int, height: int, *, keys: bool) -> list[Text]:
        """The picture."""
        seeks = not self._asker.on_bus and now < self._seen_by
        head = _head(self._asker, self._interval_s, keys=keys, seeks=seeks)
        return frame(self._watch, head, now, width, height)

    def wait(self, now: float) -> None:
        """Until a report, a key or a signal comes, or it is time for a turn."""
        self._asker.peer.wait(min(self._ask_at, self._draw_at) - now)
        came, now = False, _clock()
        if self._asker.on_bus or now < self._seen_by:
            came = _take(self._asker, self._watch)
        else:  # no bus, nobody on it
            self._asker.hear()
            self._watch.look((), now)
        if came and self._watch.answered(self._asked):
            self._draw_at = min(self._draw_at, now)

    def close(self) -> None:
        """Leave the bus."""
        self._asker.close()

    def _opened(self, now: float) -> Asker:
        asker = Asker(self._endpoints)
        for descriptor in self._descriptors:
            asker.peer.wake_on(descriptor)
        self._seen_by, self._renew_at = now + SEEK_S, now + RENEW_S
        return asker

    def _somebody_is_silent(self, now: float) -> bool:
        """Whether the bus may have been another one for a while: a socket is not told which subscriptions were its former's."""
        watch = self._watch
        return not watch.sights or any(watch.silent_s(party, now) is not None for party in watch.present)


class Keys:
    """The keyboard, a key at a time and unseen, and as it was afterwards. Where there is no terminal there are no keys."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.are_there = os.isatty(descriptor)

    def end(self) -> bool:
        """Whether somebody wants to leave, or the terminal is gone."""
        while self.are_there and select.select([self.descriptor], [], [], 0)[0]:
            said = os.read(self.descriptor, KEY_BYTES)
            if not said or b"q" in said or b"Q" in said:
                return True
        return False

    def __enter__(self) -> Self:
        if self.are_there:
            self._before = termios.tcgetattr(self.descriptor)
            tty.setcbreak(self.descriptor)
            # Stopped, it would leave the terminal as only it can use it.
            modes = termios.tcgetattr(self.descriptor)
            modes[6][termios.VSUSP] = b"\0"
            termios.tcsetattr(self.descriptor, termios.TCSANOW, modes)
        return self

    def __exit__(self, *_: object) -> None:
        if self.are_there:
            termios.tcsetattr(self.descriptor, termios.TCSANOW, self._before)


def _gather(asker: Asker, watch: Watch, until: float) -> None:
    """Ask once the bus is there, and take what comes until all that are there have answered, or the time is over."""
    asked = math.inf
    while (now := _clock()) < until:
        if asked == math.inf and asker.ask():
            asked = now
            watch.asked()
        asker.peer.wait(min(RETRY_S, until - now))
        if not _take(asker, watch) and watch.sights and watch.answered(asked):
            return  # and a moment has passed in which nobody else spoke


def _take(asker: Asker, watch: Watch) -> bool:
    """Reports that have arrived, and who is there; whether there was one."""
    reports = asker.hear()
    now = _clock()
    for party, report in reports:
        watch.take(party, report, now)
    if asker.on_bus:
        watch.look(asker.present, now)
    return bool(reports)


def _head(asker: Asker, interval_s: float, *, keys: bool, seeks: bool = False) -> Head:
    where = asker.endpoints.subscribe
    absence = "looks for the bus" if seeks else None if asker.on_bus else str(asker.peer.absence())
    return Head(time.strftime("%H:%M:%S"), where, interval_s, absence, keys)

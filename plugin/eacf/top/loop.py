"""The bus on one side, a terminal on the other."""

from __future__ import annotations

import math
import os
import select
import sys
import termios
import time
import tty
from contextlib import ExitStack
from typing import Self

from rich.console import Console, Group
from rich.live import Live

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
    watch = Watch(interval_s)
    with ExitStack() as held:
        signals = held.enter_context(Signals())
        asker = held.enter_context(Asker(endpoints))
        keys = held.enter_context(Keys(sys.stdin.fileno()))
        console = Console(highlight=False, markup=False)
        screen = held.enter_context(Live(console=console, screen=True, auto_refresh=False))
        asker.peer.wake_on(signals.descriptor)
        if keys.are_there:
            asker.peer.wake_on(keys.descriptor)
        begun = asked = ask_at = draw_at = _clock()
        while not (signals.end or signals.reload or keys.end()):
            now = _clock()
            if now >= ask_at:
                if asker.ask():
                    asked, ask_at = now, now + interval_s
                    draw_at = now + min(SETTLE_S, interval_s)
                    watch.asked()
                else:
                    ask_at = now + min(RETRY_S, interval_s)
            if now >= draw_at:
                seeks = not asker.on_bus and now - begun < SEEK_S
                head = _head(asker, interval_s, keys=keys.are_there, seeks=seeks)
                screen.update(Group(*frame(watch, head, now, console.width, console.height)), refresh=True)
                draw_at = now + (interval_s if asker.on_bus else min(SEEK_S, interval_s))
            asker.peer.wait(min(ask_at, draw_at) - _clock())
            signals.clear()
            if _take(asker, watch) and watch.sights and watch.answered(asked):
                draw_at = min(draw_at, _clock())
    return 0


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
    watch.look(asker.present, now)
    return bool(reports)


def _head(asker: Asker, interval_s: float, *, keys: bool, seeks: bool = False) -> Head:
    where = asker.endpoints.subscribe
    absence = "looks for the bus" if seeks else None if asker.on_bus else str(asker.peer.absence())
    return Head(time.strftime("%H:%M:%S"), where, interval_s, absence, keys)

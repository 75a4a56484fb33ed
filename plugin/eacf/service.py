"""What a command that runs until SIGTERM shares with the others: signals as flags, and the wait for a bus."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from eacf.bus import Endpoints, Peer

JOIN_WARN_S = 5.0
"""A bus that does not show itself for so long is worth a line in the log."""

_log = logging.getLogger("eacf.service")
_clock = time.monotonic


class Signals:
    """SIGTERM, SIGINT and SIGHUP as flags, and a descriptor that can be read once one has come."""

    def __init__(self) -> None:
        self.end = False
        self.reload = False
        self._reader, self._writer = socket.socketpair()
        for each in (self._reader, self._writer):
            each.setblocking(False)
        self.descriptor = self._reader.fileno()

    def clear(self) -> None:
        """Make the descriptor wait for the next signal; to be called before the flags are looked at."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(64)

    def wake(self) -> None:
        """Make the descriptor readable; for other threads."""
        with contextlib.suppress(OSError):  # full: readable already; closed: nobody waits any more
            self._writer.send(b"\0")

    def _handle(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
            return
        self.end = True
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        self._reader.close()
        self._writer.close()


def join(
    peer: Peer,
    own: bytes,
    signals: Signals,
    endpoints: Endpoints,
    on_subscription: Callable[[bool, bytes], None],
    *,
    until: float = float("inf"),
) -> bool:
    """Wait until the bus is there in both directions: the subscription to `own` has come round to where we publish.

    False where a signal came first, or the time is over (`until`, of the monotonic clock). `on_subscription` gets every
    change of subscriptions that is seen meanwhile.
    """
    warn_at = _clock() + JOIN_WARN_S
    while not signals.end and (now := _clock()) < until:
        changes = peer.subscriptions()
        for added, topic in changes:
            on_subscription(added, topic)
        if any(added and own.startswith(topic) for added, topic in changes):
            _log.info("on the bus at %s and %s", endpoints.subscribe, endpoints.publish)
            return True
        if now >= warn_at:
            _log.warning("no bus at %s and %s yet; waiting for it", endpoints.subscribe, endpoints.publish)
            warn_at = float("inf")
        wake_at = min(warn_at, until)
        peer.wait(wake_at - now if wake_at < float("inf") else None)
        signals.clear()
    return False

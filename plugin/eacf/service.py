"""What a command that runs until SIGTERM shares with the others: signals as flags, what systemd is told, the wait for a bus."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Self

from eacf.bus import Endpoints, Peer

JOIN_WARN_S = 5.0
"""A bus that does not show itself for so long is worth a line in the log."""

WATCHDOG_SHARE = 4
"""The manager hears of a loop that turns so many times within its patience (sd_watchdog_enabled(3) advises two)."""
SAY_S = 1.0
"""A manager that takes no message for so long is not waited for."""
STOP_SPARE_S = 5.0
"""At the end, beside the time that the work may take: for the disk, and for sockets."""

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


class Notifier:
    """What a service tells its manager, in the words of sd_notify(3); where there is none, nothing, at no cost.

    READY says that the process does its work by itself, whether a bus is there or not. WATCHDOG is for the loop that does
    the work to say (:meth:`alive`), never for a thread beside it: a loop that hangs is to be seen, and started again.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        """`address`: of the manager's datagram socket, a path or ``@name``. `watchdog_s`: how long it waits for a sign of life."""
        self._socket: socket.socket | None = None
        self.interval_s = None if watchdog_s is None or address is None else watchdog_s / WATCHDOG_SHARE
        """A loop must turn, and call :meth:`alive`, at least so often; None: as it likes."""
        self._alive_at = float("-inf") if self.interval_s is not None else float("inf")
        self._told: str | None = None
        if address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """From the variables that systemd sets. What is not in their form is passed over with a warning."""
        address, patience = environ.get("NOTIFY_SOCKET"), environ.get("WATCHDOG_USEC")
        if address is not None and address[:1] not in ("/", "@"):
            _log.warning("NOTIFY_SOCKET %r is no path of a Unix socket; no service manager is told anything", address)
            address = None
        if patience is None or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return cls(address)
        if not (patience.isascii() and patience.isdecimal() and 0 < len(patience) < 20 and int(patience)):
            _log.warning("WATCHDOG_USEC %r is no number of microseconds; there is no watchdog", patience)
            return cls(address)
        return cls(address, int(patience) / 1e6)

    @property
    def due(self) -> float:
        """When :meth:`alive` is to be called next, of the monotonic clock; infinite without a watchdog."""
        return self._alive_at

    def ready(self, status: str) -> None:
        """The process works by itself from now on."""
        self._say(f"READY=1\nSTATUS={_line(status)}", SAY_S)
        self._told = status

    def status(self, text: str) -> None:
        """One line for people (``systemctl status``), said where it is another than the last."""
        if text != self._told:
            self._told = text
            self._say(f"STATUS={_line(text)}", SAY_S)

    def alive(self, now: float, status: Callable[[], str] | None = None) -> None:
        """To be called in each turn; says so when it is time, and the status with it. Never waits: what the manager does not
        take now is said a little later."""
        if now < self._alive_at or self.interval_s is None:
            return
        text = "" if status is None else f"\nSTATUS={_line(status())}"
        taken = self._say(f"WATCHDOG=1{text}", 0)
        self._alive_at = now + (self.interval_s if taken else min(self.interval_s, SAY_S))

    def stopping(self, within_s: float) -> None:
        """The end has begun, and takes so long at most."""
        self._say(f"STOPPING=1\nSTATUS=ending\nEXTEND_TIMEOUT_USEC={round((within_s + STOP_SPARE_S) * 1e6)}", SAY_S)

    def _say(self, words: str, wait_s: float) -> bool:
        """False where the manager did not take it."""
        if self._socket is None:
            return False
        self._socket.settimeout(wait_s)
        try:
            self._socket.sendto(words.encode(), self._address)
        except OSError as error:  # full, or gone: the work goes on
            _log.debug("the service manager did not take %r: %s", words, error)
            return False
        return True


def _line(text: str) -> str:
    return " ".join(text.split())


def join(
    peer: Peer,
    own: bytes,
    signals: Signals,
    endpoints: Endpoints,
    on_subscription: Callable[[bool, bytes], None],
    *,
    until: float = float("inf"),
    notifier: Notifier | None = None,
) -> bool:
    """Wait until the bus is there in both directions: the subscription to `own` has come round to where we publish.

    False where a signal came first, or the time is over (`until`, of the monotonic clock). `on_subscription` gets every
    change of subscriptions that is seen meanwhile. `notifier` is fed.
    """
    notifier = notifier or Notifier()
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
        notifier.alive(now)
        wake_at = min(warn_at, until, notifier.due)
        peer.wait(wake_at - now if wake_at < float("inf") else None)
        signals.clear()
    return False

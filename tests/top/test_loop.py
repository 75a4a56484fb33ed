"""`eacf top` on a real terminal (of a pty), with a real bus that comes and goes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from eacf.bus import EmbeddedBus, Endpoints

Make = Callable[..., dict[str, Any]]
PretendZeek = Callable[[Endpoints, dict[str, Any]], AbstractContextManager[None]]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("EACF_", "COLUMNS", "LINES"))}
PATIENCE_S = 15


class Terminal:
    """A terminal of 80 columns and 24 lines with `eacf top` in it."""

    def __init__(self, endpoints: Endpoints, *more: str) -> None:
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._before = termios.tcgetattr(self._theirs)
        self.seen = ""
        flags = [
            "--subscribe-endpoint",
            endpoints.subscribe,
            "--publish-endpoint",
            endpoints.publish,
            "--interval",
            "0.2",
        ]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "eacf", "top", *flags, *more],
            stdin=self._theirs, stdout=self._theirs, stderr=subprocess.PIPE, env=CLEAN | {"TERM": "xterm-256color"},
        )  # fmt: skip

    def until(self, words: str) -> None:
        """Read on until it shows these."""
        end = time.monotonic() + PATIENCE_S
        self.seen = ""
        while words not in self.seen:
            assert time.monotonic() < end, self.seen[-3_000:]
            if select.select([self._ours], [], [], 0.1)[0]:
                self.seen += os.read(self._ours, 65_536).decode(errors="replace")

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def ended(self) -> int:
        """The exit code; the terminal is as it was."""
        code = self.process.wait(PATIENCE_S)
        assert termios.tcgetattr(self._theirs) == self._before
        self.until("\x1b[?1049l")
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(held: ExitStack, endpoints: Endpoints) -> Terminal:
    terminal = Terminal(endpoints)
    held.callback(terminal.close)
    return terminal


@pytest.mark.parametrize("end", ["q", "SIGINT", "SIGTERM", "SIGHUP"])
def test_it_draws_and_leaves_the_terminal_as_it_was(
    held: ExitStack, pretend_zeek: PretendZeek, zeek_report: Make, end: str
) -> None:
    bus = held.enter_context(EmbeddedBus())
    held.enter_context(pretend_zeek(bus.endpoints, zeek_report("sensor", cluster_node="gate\x1b]0;way\x07")))
    terminal = opened(held, bus.endpoints)
    terminal.until("gate?]0;way?")
    assert "\x1b]0" not in terminal.seen
    terminal.press(b"x")  # says nothing to it
    terminal.until("0 workers, 1 Zeek process")
    if end == "q":
        terminal.press(b"q")
    else:
        terminal.process.send_signal(getattr(signal, end))
    assert terminal.ended() == 0


@pytest.mark.slow
def test_a_bus_that_goes_and_comes_is_waited_for(
    held: ExitStack, pretend_zeek: PretendZeek, zeek_report: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="eacf-", dir="/tmp"))
    held.callback(shutil.rmtree, folder, ignore_errors=True)

    def same() -> Path:
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    monkeypatch.setattr("eacf.bus.private_folder", same)
    with EmbeddedBus() as bus:
        endpoints = bus.endpoints
    terminal = opened(held, endpoints)
    terminal.until("no bus at ipc://")
    for _ in range(2):  # the second is another bus, on which nobody of the first is
        with EmbeddedBus() as bus, pretend_zeek(bus.endpoints, zeek_report("sensor")):
            terminal.until("0 workers, 1 Zeek process")
        terminal.until("no bus at ipc://")
    terminal.press(b"Q")
    assert terminal.ended() == 0

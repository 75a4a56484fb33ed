"""The processes of a replay: children that end with us, the worker first of all, told where its bus is."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO, NoReturn, Self, cast

from eacf.bus import Endpoints
from eacf.errors import EacfError, WorkerError

STOP_S = 10.0
"""Time for a child to end by itself after SIGTERM; then it is killed."""
WORDS_LINES = 20
"""Last lines of its standard error that are kept, each of at most WORDS_LINE characters; older ones go."""
WORDS_LINE = 500

PROGRAM = """
import ctypes, os, signal, sys
parent = int(sys.argv.pop(1))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != parent:  # it was dead before that
        sys.exit(1)
from eacf.cli import main
sys.exit(main())
"""
"""``eacf``, but for one thing: it gets SIGTERM when its parent dies, however that dies (prctl(2), PR_SET_PDEATHSIG). The parent's id is its
first argument."""


class Child:
    """A program that ends with the context, and with us however we end; the end of what it said is kept.

    Of its own session: Ctrl-C is ours to handle, and what the child then gets is for the context's end to say.
    """

    what = "the program"
    """What it is called in messages."""
    failure: type[EacfError] = EacfError
    """Raised where it fails."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, folder: Path | None = None, piped: bool = False
    ) -> None:
        """`folder`: its working directory, ours where None. `piped`: whether :attr:`stdin` is a pipe to it."""
        self._words: deque[str] = deque(maxlen=WORDS_LINES)
        self._process = subprocess.Popen(
            command,
            env={name: value for name, value in os.environ.items() if not name.startswith("EACF_")} | {**environment},
            cwd=folder,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._listener = Thread(target=self._listen, name="eacf-child-stderr", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """Where it reads, if piped; unbuffered."""
        assert self._process.stdin is not None
        return self._process.stdin

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended in order, now or within this time. Raises `failure` if it ended otherwise."""
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        if status != 0:
            self._fail(status)
        return True

    def check(self) -> None:
        """Raise `failure` if it has ended, in order or not."""
        status = self._process.poll()
        if status is not None:
            self._fail(status)

    def _fail(self, status: int) -> NoReturn:
        self._listener.join(1.0)
        how = f"was ended by {_signal(-status)}" if status < 0 else f"ended with exit status {status}"
        raise self.failure(f"{self.what} {how}{self.last_words()}")

    def last_words(self) -> str:
        """The end of what it said on standard error, to be put behind a message; empty if it said nothing."""
        words = [line for line in list(self._words) if line]
        return "; its last words:\n  " + "\n  ".join(words) if words else " and said nothing"

    def _listen(self) -> None:
        assert self._process.stderr is not None
        lines = io.BufferedReader(cast(io.RawIOBase, self._process.stderr))
        while line := lines.readline(WORDS_LINE):
            text = line.decode(errors="replace").rstrip()
            self._words.append("".join(each if each.isprintable() else "?" for each in text))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """SIGTERM, which lets it end in order; after an error nothing is worth waiting for."""
        if kind is None:
            self._process.terminate()
        else:
            self._process.kill()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


class WorkerProcess(Child):
    """``eacf worker`` as a child, found by its import path and never in the working directory.

    Settings of a live worker in the environment (its endpoints, its metrics port) are none of this one's.
    """

    what = "the worker"
    failure = WorkerError

    def __init__(self, bundle: Path, endpoints: Endpoints) -> None:
        command = [sys.executable, "-P", "-c", PROGRAM, str(os.getpid()), "worker", "--bundle", str(bundle)]
        command += ["--subscribe-endpoint", endpoints.subscribe, "--publish-endpoint", endpoints.publish]
        super().__init__(command, {})


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

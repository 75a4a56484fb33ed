"""The worker of a replay: a process of its own, as on a sensor, told where the embedded bus is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from threading import Thread
from typing import Self

from eacf.bus import Endpoints
from eacf.errors import WorkerError

STOP_S = 10.0
"""Time for a worker to end by itself after SIGTERM; then it is killed."""
WORDS_LINES = 20
"""Last lines of its standard error that are kept, each of at most WORDS_LINE characters; older ones go."""
WORDS_LINE = 500

PROGRAM = """
import ctypes, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
from eacf.cli import main
sys.exit(main())
"""
"""``eacf``, but for one thing: it gets SIGTERM when its parent dies, however that dies (prctl(2), PR_SET_PDEATHSIG)."""


class WorkerProcess:
    """``eacf worker`` as a child, found by its import path and never in the working directory; ends with the context."""

    def __init__(self, bundle: Path, endpoints: Endpoints) -> None:
        self._words: deque[str] = deque(maxlen=WORDS_LINES)
        # Settings of a live worker in the environment (its endpoints, its metrics port) are none of this one's.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EACF_")}
        command = [sys.executable, "-P", "-c", PROGRAM, "worker", "--bundle", str(bundle)]
        command += ["--subscribe-endpoint", endpoints.subscribe, "--publish-endpoint", endpoints.publish]
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is ours to handle; the worker then gets SIGTERM and drains
        )
        self._listener = Thread(target=self._listen, name="eacf-worker-stderr", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def check(self) -> None:
        """Raise :class:`WorkerError` if the worker has ended."""
        status = self._process.poll()
        if status is not None:
            self._listener.join(1.0)
            how = f"was ended by {_signal(-status)}" if status < 0 else f"ended with exit status {status}"
            raise WorkerError(f"the worker {how}{self.last_words()}")

    def last_words(self) -> str:
        """The end of what it said on standard error, to be put behind a message; empty if it said nothing."""
        words = [line for line in list(self._words) if line]
        return "; its last words:\n  " + "\n  ".join(words) if words else " and said nothing"

    def _listen(self) -> None:
        assert self._process.stderr is not None
        while line := self._process.stderr.readline(WORDS_LINE):
            self._words.append(line.rstrip())

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


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""Live accuracy over time, in a file: a JSON line a minute."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

EVERY_S = 60.0
MODE = 0o600
"""It names labels, and so tells what the network's users do."""
KEYS = ("worker", "bundle", "truth", "shadow")
"""What a line has of a status report, after its time."""


class TruthLog:
    """See the module. The file is opened for each line, so that whoever rotates it need not tell us. A disk that is full
    or a folder that is gone costs a line, which is counted, and never the worker."""

    def __init__(self, path: Path | None) -> None:
        """None: no file."""
        self.lines = 0
        """Written."""
        self.errors = 0
        """Lines that could not be written."""
        self.problem: str | None = None
        """What was wrong with the last line; None: nothing."""
        self._path = path
        self._next: float | None = None

    def due(self, now: float) -> bool:
        """Whether it is time for a line; the first comes a minute after the first question. Asks for a line once."""
        if self._path is None:
            return False
        if self._next is None:
            self._next = now + EVERY_S
        if now < self._next:
            return False
        self._next = now + EVERY_S
        return True

    def write(self, report: Mapping[str, Any], wall_s: float) -> None:
        """Write a line of a worker's status report. `wall_s`: seconds since the epoch."""
        if self._path is None:
            return
        when = datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="seconds")
        line = json.dumps({"ts": when, **{key: report.get(key) for key in KEYS}}) + "\n"
        try:
            _append(self._path, line.encode())
        except OSError as error:
            self.errors += 1
            self.problem = (
                f"truth_log {self._path}: no line written ({error.strerror}); free the disk, or name another file"
            )
        else:
            self.lines += 1
            self.problem = None


def _append(path: Path, line: bytes) -> None:
    """One write, so that a reader sees whole lines; after half a line (a disk that was full) on a line of its own."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, MODE)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        written = os.write(file, line)
        if written < len(line):
            raise OSError(28, "the disk took half a line")
    finally:
        os.close(file)

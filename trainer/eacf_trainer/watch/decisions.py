"""The log of what was decided: one JSON object a line, on disk before anything follows from it.

A line that a power cut tore is cut off when the log is opened: what it would have said had no consequence yet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from eacf.errors import EacfError
from eacf.files import sync_folder

Outcome = Literal["accepted", "rejected", "failed"]
"""Of an update: it serves from now on; the gate refused it; there was none, since the training ended without one."""
BLOCK = 1 << 16


class LogError(EacfError, OSError):
    """The log cannot be read or written."""


class Decisions:
    """The log, open for one process. See docs/learning.md for what a line says."""

    def __init__(self, path: Path) -> None:
        """Cuts off a torn end. LogError."""
        self.path = path
        self.torn = 0
        """Bytes that were cut off."""
        try:
            new = not path.exists()
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if new:
                sync_folder(path.parent)
            self._repair()
        except OSError as error:
            raise LogError(f"{path}: {error.strerror}; name a folder that can be written") from None

    def _repair(self) -> None:
        size = os.fstat(self._file).st_size
        at = size
        while at:
            begin = max(0, at - BLOCK)
            found = os.pread(self._file, at - begin, begin).rfind(b"\n")
            if found >= 0:
                at = begin + found + 1
                break
            at = begin
        self.torn = size - at
        if self.torn:
            os.ftruncate(self._file, at)
            os.fsync(self._file)

    def append(self, document: Mapping[str, Any]) -> None:
        """One more line, on disk when this returns. LogError: it is not there, nor half of it."""
        line = json.dumps(document, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        before = os.fstat(self._file).st_size
        try:
            left = memoryview(line)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, before)
            raise LogError(f"{self.path}: {error.strerror}; nothing is decided until it can be written") from None

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines, oldest first; one that is none of ours is passed over. Nothing where there is no log."""
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    document = json.loads(line)
                except ValueError:
                    continue
                if isinstance(document, dict):
                    yield document
    except FileNotFoundError:
        return
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}; make it readable") from None

"""Bundles that have come in part: a file each, so that a push goes on where it was cut, also after a restart."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from eacf.bundle.archive import MAX_BYTES

MAX_FILES = 4
"""Files in the folder; the ones that have waited longest go. Bytes on disk: as many times what a bundle may have."""
SUFFIX = ".part"


class Partial:
    """One file that grows from its begin. OSError where the disk would not take it."""

    def __init__(self, path: Path, size: int) -> None:
        """`size`: what it will have when it is whole. What is there already is gone on with."""
        self.path = path
        self.size = size
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        self.have = os.fstat(descriptor).st_size
        if self.have > size:
            self._file.truncate(0)
            self.have = 0
        self.resumed = self.have > 0

    def add(self, data: bytes) -> None:
        """Append."""
        while data:
            written = self._file.write(data)
            self.have += written
            data = data[written:]

    def close(self) -> None:
        """Leave it for another time; a second call does nothing."""
        with contextlib.suppress(OSError):  # what did not reach the disk will be seen by the hash
            self._file.close()

    def discard(self) -> bool:
        """Close and remove it. False where the disk would not let it go (read-only, say): it may be there as it was."""
        self.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return False
        return True


class Incoming:
    """The folder of such files. Its owner alone writes there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, name: str, size: int) -> Partial:
        """The file for a bundle of that name (hex digits); one too many goes. OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        path = self.folder / f"{name}{SUFFIX}"
        others = [each for each in self.folder.glob(f"*{SUFFIX}") if each != path]
        for old in sorted(others, key=_changed, reverse=True)[MAX_FILES - 1 :]:
            old.unlink(missing_ok=True)
        return Partial(path, min(size, MAX_BYTES))


def _changed(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0

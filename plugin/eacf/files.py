"""A file put in place in one step, and an interval in which nobody else changes a folder."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ASK_AGAIN_S = 0.01


def replace(path: Path, data: bytes, mode: int = 0o666, *, for_owner: bool = False) -> None:
    """Write beside `path`, sync, put it there, sync the folder: whoever reads, and whenever power goes, finds the old file
    or the new one, whole.

    `mode` is cut by the umask, as for any new file. `for_owner`: where root does it, the file is the folder's owner's.
    OSError, which names the file (disk full); what was there then stays, and nothing is left beside it.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if for_owner:
                hand_over(descriptor, path.parent)
            os.fsync(descriptor)
        beside.replace(path)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Names that were added or taken away outlive a power cut from here on."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hand_over(descriptor: int, folder: Path) -> None:
    """Give a file that root made to the owner of `folder`, whose programs must read it; nothing for others than root."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@contextmanager
def locked(descriptor: int, wait_s: float, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock of an open file (flock). BlockingIOError where another process has it for longer than `wait_s`."""
    lock(descriptor, wait_s, kind)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def lock(descriptor: int, wait_s: float, kind: int = fcntl.LOCK_EX) -> None:
    """Take that lock, until the file is closed, which the system does for a process that is killed. BlockingIOError."""
    until = time.monotonic() + wait_s
    while True:
        try:
            return fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
        time.sleep(ASK_AGAIN_S)

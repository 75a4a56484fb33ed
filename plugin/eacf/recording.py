"""Recordings: flows as a file of bus messages, one JSON line each.

A line is ``{"topic", "sender", "format", "body_hex"}``, the four frames of a message that holds one flow
(``EACF::flow``), whatever message it came in: what a real Zeek was recorded as, what the trainer reads.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import zlib
from pathlib import Path
from typing import BinaryIO, Self

from eacf.errors import SettingError
from eacf.flow import Sample
from eacf.wire import FORMAT, encode_flow

HELD_BYTES = 1024 * 1024
"""Lines that are held until the next flush; more are written at once."""
LEVEL = 3
"""Of gzip. Payload does not compress, but its hexadecimal form and what stands around it do."""
BLOCK = 64 * 1024
LINE_LIMIT = 16 * 1024 * 1024
"""Bytes in which the first line must end, by which it is seen what a file is."""
GZIP = zlib.MAX_WBITS | 16


def line(topic: bytes, sender: str, reply_to: str, sample: Sample) -> bytes:
    """One flow, as it stands in a recording."""
    body = encode_flow(reply_to, sample).hex()
    frames = {"topic": topic.decode(), "sender": sender, "format": FORMAT.decode(), "body_hex": body}
    return json.dumps(frames).encode() + b"\n"


class Journal:
    """A recording that grows, compressed where its name ends in ``.gz``. Nobody else writes to it meanwhile.

    Law: what is in the file is whole lines, or whole gzip members of whole lines, so that it can be read whenever this
    process is killed; what was flushed has left the process. A write that fails (disk full) is taken back and raised.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        """A new file that only its owner can read; `append`: go on with one that is there, without the torn end that a
        machine which lost power may have left. SettingError where that cannot be.
        """
        self.path = path
        self._compressed = path.suffix == ".gz"
        self._held: list[bytes] = []
        self._held_bytes = 0
        kind = os.O_CREAT if append else os.O_CREAT | os.O_EXCL
        try:
            self._file = open(os.open(path, os.O_RDWR | kind, 0o600), "r+b", buffering=0)  # noqa: SIM115, PTH123
        except FileExistsError:
            raise SettingError(f"--out {path}: is there already; name a new file, or say --append") from None
        except OSError as error:
            raise SettingError(f"--out {path}: {error.strerror}; name a file that can be written") from None
        try:
            self._lock()
            self.bytes = _whole(self._file, path, self._compressed)
            self.torn = os.fstat(self._file.fileno()).st_size - self.bytes
            """Bytes of a torn end that were cut off."""
            self._file.truncate(self.bytes)
            self._file.seek(self.bytes)
            self._new_bytes = -1 if self.bytes else 0
            if self._compressed and not self.bytes:
                self._write(b"")  # a file without a byte is none to gzip
                self._new_bytes = self.bytes
        except OSError as error:
            self._file.close()
            raise SettingError(f"--out {path}: {error.strerror}; name a file that can be written") from None
        except SettingError:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingError(f"--out {self.path}: another process writes to it; name another file") from None

    @property
    def holds(self) -> bool:
        """Whether there is something to flush."""
        return bool(self._held)

    def add(self, line: bytes) -> None:
        """Take a line, to be written with the next flush. OSError where it is time to write and that fails."""
        self._held.append(line)
        self._held_bytes += len(line)
        if self._held_bytes >= HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held. OSError, which names the file; what was held is then lost."""
        if self._held:
            lines = b"".join(self._held)
            self._held, self._held_bytes = [], 0
            self._write(lines)

    def _write(self, lines: bytes) -> None:
        data = memoryview(gzip.compress(lines, LEVEL, mtime=0) if self._compressed else lines)
        end = self.bytes + len(data)
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            self._file.truncate(self.bytes)
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self.bytes = end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write what is held, and close. After an error a new file without a line goes, so that the next try can have it."""
        try:
            self.flush()
        finally:
            self._file.close()
            if kind is not None and self.bytes == self._new_bytes:
                self.path.unlink(missing_ok=True)


def _whole(file: BinaryIO, path: Path, compressed: bool) -> int:
    """Up to which byte the file is whole; SettingError where it is something else than a recording."""
    size = os.fstat(file.fileno()).st_size
    whole, first = _whole_members(file) if compressed else _whole_lines(file, size)
    if size and not (whole and _is_recording(first)):
        raise SettingError(f"--out {path}: is no recording that could be appended to; name another file")
    return whole


def _whole_lines(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """Where the last whole line ends, and the first line."""
    at = size
    while at:
        begin = max(0, at - BLOCK)
        file.seek(begin)
        found = file.read(at - begin).rfind(b"\n")
        if found >= 0:
            file.seek(0)
            return begin + found + 1, _first_line(file.read(LINE_LIMIT))
        at = begin
    return 0, b""


def _whole_members(file: BinaryIO) -> tuple[int, bytes]:
    """Where the last whole member ends, and the first line of what whole members hold."""
    at = whole = 0
    head, known = bytearray(), 0
    member = zlib.decompressobj(GZIP)
    while block := file.read(BLOCK):
        at += len(block)
        while block:
            try:
                text = member.decompress(block)
            except zlib.error:
                return whole, _first_line(head[:known])
            if b"\n" not in head and len(head) < LINE_LIMIT:
                head += text
            block = member.unused_data
            if member.eof:
                whole, known = at - len(block), len(head)
                member = zlib.decompressobj(GZIP)
    return whole, _first_line(head[:known])


def _first_line(head: bytes | bytearray) -> bytes:
    """With its newline, if there is one."""
    return bytes(head[: head.find(b"\n") + 1] or head)


def _is_recording(first: bytes) -> bool:
    """By its first line; a file without a line may become one."""
    try:
        return not first or "body_hex" in json.loads(first)
    except (ValueError, TypeError):
        return False

"""A source, read once from its front: its bytes hashed, its rows one by one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from eacf.collector import Collector, collect
from eacf.collector.files import Gunzip
from eacf.errors import CaptureError, SettingError
from eacf.flow import Needs, Sample
from eacf.samples import Store, StoreError
from eacf.wire import Flows, decode_message
from eacf_trainer.dataset.index import Options
from eacf_trainer.dataset.sources import GZIP_MAGIC, SNIFF_BYTES, kind_of, recorded_capture

BLOCK_BYTES = 1 << 20
LINE_BYTES: Final = 16 * 1024 * 1024
"""A longer line of a recording is none (a body has 4 MB at most, twice that in hexadecimal)."""
LONGEST_GAP_NS: Final = 366 * 86_400 * 1_000_000_000
"""A longer gap in a recording, or one below 0, is no gap: its line is skipped."""
DAY_NS: Final = 86_400 * 1_000_000_000
EPOCH: Final = date(1970, 1, 1)
TOLD_LINES = 5
"""What was wrong is kept of so many lines."""


class Row(NamedTuple):
    """A sample and what is known beside it (docs/dataset.md)."""

    sample: Sample
    cut: str
    capture: str
    sensor: str | None
    complete_ns: int | None
    tls_version: int | None


@dataclass
class Damage:
    """What was not right with a source, filled in while it is read."""

    cut_off: bool = False
    bad_lines: int = 0
    first_bad_lines: tuple[str, ...] = ()

    def line(self, number: int, what: str) -> None:
        """Count a line that is skipped."""
        self.bad_lines += 1
        if len(self.first_bad_lines) < TOLD_LINES:
            self.first_bad_lines += (f"line {number}: {what}",)


class Hashed:
    """A file that is read from its front; CaptureError where that fails."""

    def __init__(self, file: BinaryIO, name: str, progress: Callable[[int], None], path: Path | None = None) -> None:
        """`path`: where the file is; a database of samples is read there, by SQLite."""
        self.bytes = 0
        self.name = name
        self.path = path
        self._file = file
        self._progress = progress
        self._hash = hashlib.sha256()
        self._head = b""
        self.head = self._head = self._read(SNIFF_BYTES)

    def _read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except OSError as error:
            raise CaptureError(f"{error.strerror or error}") from error
        self._hash.update(data)
        self.bytes += len(data)
        self._progress(self.bytes)
        return data

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, empty at the end."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._read(size)

    def sha256(self) -> str:
        """Of the whole file: what was not read yet is read."""
        while self._read(BLOCK_BYTES):
            pass
        return self._hash.hexdigest()


def rows(source: Hashed, options: Options, damage: Damage) -> Iterator[Row]:
    """The rows of a capture, a recording or a database of samples. CaptureError where it is none of these."""
    match kind_of(source.head, source.name):
        case "recording":
            yield from _recorded(source, options, damage)
        case "store":
            yield from _stored(source, options)
        case "capture":
            yield from _captured(source, options, damage)


def needs_of(options: Options) -> tuple[Needs, Needs]:
    """What the cuts ask of the collector: "stream" and "records"."""
    shipped = options.payload_bytes if options.keep_payload else 0
    return Needs(shipped, options.payload_bytes), Needs(0, records=options.records, chunks=False)


def _captured(source: Hashed, options: Options, damage: Damage) -> Iterator[Row]:
    stream, records = needs_of(options)
    # The version of a stream alone is not told: records are collected with it, and left out.
    collector = Collector(stream, also=records) if "stream" in options.cuts else Collector(records)
    both = len(options.cuts) > 1
    for found in collect(cast(BinaryIO, source), collector=collector):
        cut = "records" if found.also or "stream" not in options.cuts else "stream"
        if both or cut in options.cuts:
            yield Row(found.sample, cut, source.name, None, found.time_ns, found.tls_version)
    damage.cut_off = bool(collector.counters.damaged_files)


def _stored(source: Hashed, options: Options) -> Iterator[Row]:
    """What `eacf collect` kept, which may go on meanwhile. What came on one day (UTC) counts as one capture."""
    if source.path is None:
        raise CaptureError("a database can be read from a file only")
    try:
        with Store.open(source.path, readonly=True) as store:
            for each in store.read():
                if each.cut in options.cuts:
                    day = EPOCH + timedelta(days=each.arrived_ns // DAY_NS)
                    yield Row(each.sample, each.cut, f"{source.name}/{day}", each.sensor, None, None)
    except (SettingError, StoreError, OverflowError) as error:
        raise CaptureError(str(error)) from error


def _recorded(source: Hashed, options: Options, damage: Damage) -> Iterator[Row]:
    capture = recorded_capture(source.name)
    good = 0
    for number, line in enumerate(_lines(source, damage), 1):
        try:
            sender, samples = _read_line(line)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            damage.line(number, _short(error))
            continue
        good += 1
        for sample in samples:
            cut = "stream" if sample.payload or sample.chunks else "records"
            if cut in options.cuts:
                yield Row(sample, cut, capture, sender, None, None)
    if damage.bad_lines and not good:
        raise CaptureError(f"no line is one of a recording ({damage.first_bad_lines[0]})")


def _lines(source: Hashed, damage: Damage) -> Iterator[bytes]:
    """Lines without their ends; one that is too long comes as an empty one, which is no JSON."""
    reader = Gunzip(source, b"") if source.head.startswith(GZIP_MAGIC) else source
    left, skipping = b"", False
    while data := reader.read(BLOCK_BYTES):
        *whole, left = (left + data).split(b"\n")
        for line in whole:
            yield b"" if skipping else line
            skipping = False
        if len(left) > LINE_BYTES:
            left, skipping = b"", True
    torn = isinstance(reader, Gunzip) and reader.damaged
    damage.cut_off = torn or bool(left) or skipping
    if left and not torn and left.endswith(b"}"):
        damage.cut_off = False  # whole, but for its newline
        yield left


def _read_line(line: bytes) -> tuple[str | None, list[Sample]]:
    frames = json.loads(line)
    message = decode_message(bytes.fromhex(frames["body_hex"]))
    if not isinstance(message, Flows):
        raise ValueError(f"holds no flow, but {type(message).__name__}")
    for sample in message.samples:
        for chunk in sample.chunks:
            if not 0 <= chunk.gap_ns <= LONGEST_GAP_NS:
                raise ValueError(f"{sample.uid} has a gap of {chunk.gap_ns} ns")
    sender = frames.get("sender")
    if not isinstance(sender, str) or not sender:
        return None, message.samples
    return sender.encode("utf-8", "backslashreplace").decode(), message.samples


def _short(error: Exception) -> str:
    text = str(error) if isinstance(error, ValueError) else f"{type(error).__name__} {error}"
    return text if len(text) <= 200 else text[:200] + "..."

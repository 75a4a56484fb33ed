"""The record of a replay: each flow as the message that a real Zeek would have sent, one JSON line each.

The lines have the form of recordings of a real Zeek (`eacf.recording`), and the flows are collected with the contract's
default needs whatever the bundle asks for, so that the two can be held together.
"""

from __future__ import annotations

import gzip
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from eacf.collector import ALL, Collected, Collector, Selection
from eacf.collector.files import Batch
from eacf.flow import Needs, Sample
from eacf.recording import line

RECORD_NEEDS = Needs()
"""What the recordings of a real Zeek were made with (contract v1)."""


class Record:
    """A record file; compressed where its name ends in ``.gz``. It appears under its name when it is whole."""

    def __init__(self, path: Path | str, *, reply_to: str, sender: str) -> None:
        """`reply_to` and `sender` as on the bus. OSError where the file cannot be made."""
        self._path = Path(path)
        self._beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        self._reply_to = reply_to
        self._sender = sender
        self._stack = ExitStack()
        file = self._stack.enter_context(self._beside.open("wb"))
        self._out: BinaryIO | gzip.GzipFile = file
        if self._path.suffix == ".gz":
            self._out = self._stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))

    def write(self, topic: bytes, sample: Sample) -> None:
        """Append one flow as ``EACF::flow``."""
        self._out.write(line(topic, self._sender, self._reply_to, sample))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Put the file in its place; after an error, leave what was there."""
        try:
            self._stack.close()
            if kind is None:
                self._beside.replace(self._path)
        finally:
            self._beside.unlink(missing_ok=True)


class RecordingCollector(Collector):
    """Collects with two sets of needs in one pass; what the second (the record's) took is marked `also`."""

    def __init__(self, needs: Needs, *, flow_timeout_s: float, selection: Selection = ALL) -> None:
        super().__init__(needs, flow_timeout_s=flow_timeout_s, selection=selection)
        self._record = Collector(RECORD_NEEDS, flow_timeout_s=flow_timeout_s, selection=selection)

    def feed_batch(self, batch: Batch) -> None:
        super().feed_batch(batch)
        self._record.feed_batch(batch)

    def finish(self) -> None:
        super().finish()
        self._record.finish()

    def take(self) -> list[Collected]:
        return super().take() + [each._replace(also=True) for each in self._record.take()]

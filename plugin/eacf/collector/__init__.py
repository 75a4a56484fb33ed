"""Captures to samples, exactly as a real Zeek with eacf's script would take them.

Reading order: `files` (capture to packets), `link` and `ip` (packet to TCP segment), `table`, `tcp` and
`reassembly` (segments to in-order data), `selection` (which connections), `connection`, `signature` and `ssl` (what is
TLS), `samples` (data to sample).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from eacf.collector.collector import Collector
from eacf.collector.files import Capture
from eacf.collector.limits import Counters, Limits
from eacf.collector.selection import ALL, Selection
from eacf.collector.table import Collected
from eacf.errors import CaptureError
from eacf.flow import Needs

__all__ = ["ALL", "CaptureError", "Collected", "Collector", "Counters", "Limits", "Selection", "collect"]


def collect(
    source: str | Path | BinaryIO,
    needs: Needs = Needs(),  # noqa: B008 - frozen
    *,
    also: Needs | None = None,
    flow_timeout_s: float = 0.0,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    selection: Selection = ALL,
    progress: Callable[[int], None] | None = None,
    collector: Collector | None = None,
) -> Iterator[Collected]:
    """Samples of a capture, in the order in which they became complete.

    `source` is a path ("-": standard input) or a binary file; gzip is known by its magic. `progress` gets the bytes of
    the file read so far, every so often. Give a `collector` of your own to read its counters afterwards; it then says
    what is needed, and the arguments before it mean nothing.

    Raises :class:`CaptureError` if the file cannot be read at all; damage further on ends it and is counted.
    """
    if collector is None:
        collector = Collector(needs, also=also, flow_timeout_s=flow_timeout_s, limits=limits, selection=selection)
    if isinstance(source, (str, Path)) and str(source) != "-":
        try:
            with Path(source).open("rb") as file:
                yield from _read(file, str(source), collector, progress)
        except OSError as error:
            raise CaptureError(f"{source}: {error.strerror or error}; give a capture that can be read") from error
    elif isinstance(source, (str, Path)):
        yield from _read(sys.stdin.buffer, "standard input", collector, progress)
    else:
        yield from _read(source, getattr(source, "name", "capture"), collector, progress)


def _read(
    file: BinaryIO, name: str, collector: Collector, progress: Callable[[int], None] | None
) -> Iterator[Collected]:
    capture = Capture(file, name, collector.table.limits, collector.counters)
    for batch in capture.batches():
        collector.feed_batch(batch)
        yield from collector.take()
        if progress is not None:
            progress(capture.consumed)
    collector.finish()
    yield from collector.take()

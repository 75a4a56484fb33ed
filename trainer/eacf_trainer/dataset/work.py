"""The work of one process: one source in, one part out. What it gets and gives can be pickled."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from eacf.errors import CaptureError
from eacf_trainer.dataset.index import Options, Part
from eacf_trainer.dataset.manifest import Line, Match
from eacf_trainer.dataset.parts import Writer, stem_of
from eacf_trainer.dataset.reading import Damage, Hashed, rows
from eacf_trainer.dataset.schema import DatasetError
from eacf_trainer.dataset.sources import Source

Progress = Callable[[int], None]
"""Gets the bytes of a source read so far, about every megabyte; what it raises ends the work."""


@dataclass(frozen=True)
class Task:
    """One source, and where its part goes."""

    source: Source
    folder: Path
    """Of the parts."""
    options: Options
    eacf: str
    lines: tuple[Line, ...] | None = None
    """The manifest's for this source; None: it has none, and all connections are taken."""


@dataclass(frozen=True)
class Skipped:
    """A source that could not be read at all."""

    source: str
    reason: str


def build_part(task: Task, progress: Progress = lambda count: None) -> Part | Skipped:
    """Read the source, write its part. DatasetError where it cannot be written; then nothing of it stays."""
    source = task.source
    try:
        file = source.path.open("rb", buffering=0)
    except OSError as error:
        return Skipped(source.name, f"{error.strerror or error}")
    with file:
        try:
            return _write(task, Hashed(file, source.name, progress, source.path))
        except CaptureError as error:
            return Skipped(source.name, str(error).removeprefix(f"{source.name}: "))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise DatasetError(
                f"{task.folder}: {reason} (at {source.name}); make room there and run the same command again, it goes on"
                " where it ended"
            ) from error


def _write(task: Task, source: Hashed) -> Part:
    options, match = task.options, None if task.lines is None else Match(task.lines)
    damage = Damage()
    with Writer(task.folder, keep_payload=options.keep_payload) as writer:
        for sample, cut, capture, sensor, complete_ns, tls_version in rows(source, options, damage):
            if match is not None:
                line = match.find(sample)
                if line is None:
                    continue
                capture, tls_version = line.capture or capture, line.tls_version or tls_version
                if sample.server_name is None and line.server_name is not None:
                    sample = replace(sample, server_name=line.server_name)
            writer.add(
                sample, cut=cut, capture=capture, sensor=sensor, complete_ns=complete_ns, tls_version=tls_version
            )
        sha256 = source.sha256()
        about = {
            "source": task.source.name,
            "source_sha256": sha256,
            "source_bytes": source.bytes,
            "source_mtime_ns": task.source.mtime_ns,
            "unlisted_connections": match.unlisted if match else 0,
            "unmet_lines": match.unmet if match else 0,
            "listed": match is not None or options.manifest is None,
            **asdict(damage),
        }
        stamp = {"eacf": task.eacf, "options": asdict(options)}
        written = writer.finish(stem_of(sha256, task.source.name), about | stamp)
    return Part(**asdict(written), **about)

"""Which server names were seen, where and how often: in a dataset, or straight in captures and recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from eacf.errors import CaptureError
from eacf_trainer.dataset import Dataset, Options
from eacf_trainer.dataset.index import INDEX, PARTS
from eacf_trainer.dataset.reading import Damage, Hashed, rows
from eacf_trainer.dataset.schema import address_text, connection_number
from eacf_trainer.dataset.sources import Source, find

COLUMNS = ("connection", "capture", "orig_h", "resp_h", "server_name")


class Place(NamedTuple):
    """What is known of a connection here."""

    server_name: str | None
    capture: str
    client: str
    """Address of the originator."""
    server: str
    """Address of the responder."""


@dataclass
class Seen:
    """Connections counted."""

    flows: Counter[Place] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Sources that cannot be read, and why."""

    @classmethod
    def of(cls, given: Sequence[Path]) -> Seen:
        """Datasets, captures, recordings, and folders of the latter two. A connection of one capture counts once, in however
        many cuts, files and datasets it is.

        SettingError where a path is not there, DatasetError for a damaged dataset.
        """
        seen, known, files = cls(), set[int](), []
        for path in given:
            if (path / INDEX).exists() or (path / PARTS).is_dir():
                seen.flows.update(_new(_rows_of(Dataset.open(path)), known))
            else:
                files.append(path)
        for source in find(files).sources if files else ():
            try:
                seen.flows.update(_new(_read(source), known))
            except (CaptureError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                seen.skipped.append((source.name, reason))
        return seen


def _new(found: Iterable[tuple[int, Place]], known: set[int]) -> Iterator[Place]:
    for connection, place in found:
        if connection not in known:
            known.add(connection)
            yield place


def _rows_of(dataset: Dataset) -> Iterator[tuple[int, Place]]:
    for _, table in dataset.batches(COLUMNS):
        columns = [table.column(name).to_pylist() for name in COLUMNS]
        for connection, capture, client, server, server_name in zip(*columns, strict=True):
            yield connection, Place(server_name, capture, client, server)


def _read(source: Source) -> Iterator[tuple[int, Place]]:
    with source.path.open("rb") as file:
        for row in rows(Hashed(file, source.name, lambda _: None), Options(keep_payload=False), Damage()):
            sample, capture = row.sample, row.capture
            client, server = address_text(sample.orig_h), address_text(sample.resp_h)
            ends = (client, sample.orig_p, server, sample.resp_p)
            yield connection_number(capture, *ends, sample.start_ns), Place(sample.server_name, capture, client, server)

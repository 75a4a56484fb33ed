"""Samples of the database, or of a recording, as arrays: what a turn learns from, calibrates by and judges on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eacf.errors import CaptureError, SettingError
from eacf.features import Features, Lengths
from eacf.features.lengths import tabulated
from eacf.flow import Sample
from eacf.labels import LabelRules
from eacf.samples import Store
from eacf_trainer import learning

AT_ONCE = 1000
"""Samples that become rows in one go."""


@dataclass(frozen=True)
class Table:
    """Samples that a model's features can be made of, oldest first."""

    table: learning.Table
    """(n, records) lengths, or (n, width) rows."""
    ids: NDArray[np.int64]
    labels: tuple[str | None, ...]
    clients: tuple[str, ...]
    names: tuple[str | None, ...]
    """Server names."""
    arrived_ns: NDArray[np.int64]
    lacking: int
    """Samples that lack what the features need, and are left out."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Found:
    """One sample of either source."""

    id: int
    label: str | None
    client: str
    arrived_ns: int
    sample: Sample


def stored(path: Path, features: Features, *, released_before_ns: int, up_to: int) -> Table:
    """Released samples with ids up to `up_to`. SettingError, StoreError."""
    with Store.open(path, readonly=True) as store:
        return table(
            (
                Found(each.id, each.label, each.client, each.arrived_ns, each.sample)
                for each in store.read(released_before_ns=released_before_ns)
                if each.id <= up_to
            ),
            features,
        )


def recorded(path: Path, features: Features, rules: LabelRules) -> Table:
    """Those of a recording, or of anything else that `eacf-train dataset` reads; labels by `rules`. SettingError."""
    return table(_samples(path, rules), features)


def table(found: Iterable[Found], features: Features) -> Table:
    """The arrays."""
    parts: list[learning.Table] = []
    kept: list[tuple[int, str | None, str, str | None, int]] = []
    batch: list[Sample] = []
    lacking = 0
    for each in found:
        if features.lacks(each.sample) is not None:
            lacking += 1
            continue
        batch.append(each.sample)
        kept.append((each.id, each.label, each.client, each.sample.server_name, each.arrived_ns))
        if len(batch) == AT_ONCE:
            parts.append(_rows(batch, features))
            batch = []
    parts.append(_rows(batch, features))
    return Table(
        table=np.concatenate(parts),
        ids=np.array([each[0] for each in kept], np.int64),
        labels=tuple(each[1] for each in kept),
        clients=tuple(each[2] for each in kept),
        names=tuple(each[3] for each in kept),
        arrived_ns=np.array([each[4] for each in kept], np.int64),
        lacking=lacking,
    )


def time_text(arrived_ns: int) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(arrived_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows(samples: list[Sample], features: Features) -> learning.Table:
    if isinstance(features, Lengths):
        return tabulated([sample.records for sample in samples], features.layout.records)
    rows = np.zeros((len(samples), *features.shape), np.uint8)
    if samples:
        features.fill(samples, rows)
    return rows


def _samples(path: Path, rules: LabelRules) -> Iterator[Found]:
    from eacf_trainer.dataset.index import Options
    from eacf_trainer.dataset.reading import Damage, Hashed, rows

    try:
        with path.open("rb") as file:
            source = Hashed(file, path.name, lambda done: None, path)
            for number, row in enumerate(rows(source, Options(), Damage()), 1):
                yield Found(
                    number, rules.label(row.sample.server_name), str(row.sample.orig_h), row.sample.start_ns, row.sample
                )
    except OSError as error:
        raise SettingError(f"golden {path}: {error.strerror}; name a recording (`eacf samples export`)") from None
    except CaptureError as error:
        raise SettingError(f"golden {path}: {error}; name a recording (`eacf samples export`)") from None

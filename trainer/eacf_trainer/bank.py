"""A dataset as arrays that lie in files: what training reads, a row at a time, from any number of processes.

For features on lengths an array holds record lengths, for the others the features' own rows; one array for each cut, one row for each
connection. They are made by streaming the dataset once and then mapped, so that neither has to fit into memory.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from eacf.features import Features, GapsOnly, Paper, PayloadOnly
from eacf.features.bins import ABSENT as NO_VALUE
from eacf.features.lengths import tabulated
from eacf_trainer.dataset import Dataset
from eacf_trainer.flows import ABSENT, Flows
from eacf_trainer.recipe import Cut, Input

MOST_RECORDS = 16
"""Lengths that are kept of a connection, whatever a recipe looks at: the same bank then serves recipes that look at fewer."""


def fixed(settings: Input) -> Features | None:
    """The features that nothing has to be learnt for, or None."""
    if settings.features == "paper":
        return Paper(settings.len_bytes)
    if settings.features == "payload":
        return PayloadOnly(settings.len_bytes)
    if settings.features == "gaps":
        return GapsOnly(settings.gaps, window_bytes=settings.len_bytes)
    return None


@dataclass(frozen=True)
class Bank:
    """Arrays by cut. A row of a connection without that cut is all NO_VALUE, or 0."""

    arrays: dict[Cut, NDArray[np.int64] | NDArray[np.uint8]]
    there: dict[Cut, NDArray[np.bool_]]
    """(n,) the connection has that cut."""

    @classmethod
    def open(cls, folder: Path, cuts: Sequence[Cut]) -> Self:
        """Map the arrays of :func:`prepare`."""
        return cls(
            {cut: np.load(folder / f"{cut}.npy", mmap_mode="r") for cut in cuts},
            {cut: np.load(folder / f"{cut}.there.npy") for cut in cuts},
        )


def prepare(dataset: Dataset, flows: Flows, settings: Input, work: Path) -> Path:
    """The folder of the arrays, made now unless an earlier run left it whole."""
    features = fixed(settings)
    spec = json.dumps([features.spec() if features else MOST_RECORDS, settings.cuts], sort_keys=True)
    name = hashlib.sha256(f"{dataset.id} {len(flows)} {spec}".encode()).hexdigest()[:12]
    folder = work / f"bank-{name}"
    for cut in settings.cuts:
        if not (folder / f"{cut}.there.npy").exists():
            folder.mkdir(parents=True, exist_ok=True)
            _write(dataset, flows.rows[cut], features, folder, cut)
    return folder


def _write(dataset: Dataset, rows: NDArray[np.int64], features: Features | None, folder: Path, cut: Cut) -> None:
    beside = folder / f".{cut}.npy"
    shape = (len(rows), features.shape[0] if features else MOST_RECORDS)
    array = np.lib.format.open_memmap(beside, "w+", np.uint8 if features else np.int64, shape)
    with beside.open("r+b") as file:
        # A mapped file has holes; on a full disk, writing into one would kill the process without a word.
        os.posix_fallocate(file.fileno(), 0, beside.stat().st_size)
    if not features:
        array[:] = NO_VALUE
    place = np.full(dataset.rows, ABSENT, np.int64)
    there = rows != ABSENT
    place[rows[there]] = np.flatnonzero(there)
    for taken, samples in dataset.samples(rows[there], payload=features is not None):
        if features:
            array[place[taken]] = features.encode(samples)
        else:
            array[place[taken]] = tabulated([sample.records for sample in samples], MOST_RECORDS)
    array.flush()
    beside.replace(folder / f"{cut}.npy")
    # Last: its presence says that the other one is whole.
    np.save(folder / f".{cut}.there.npy", there)
    (folder / f".{cut}.there.npy").replace(folder / f"{cut}.there.npy")

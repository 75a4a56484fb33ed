"""Samples of the testbed's applications as record lengths, and databases and homes full of them."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eacf.features.lengths import tabulated
from eacf.flow import Sample
from eacf.samples import Keeper, Limits
from eacf_trainer.testbed import apps
from eacf_trainer.testbed.capture import Maker

Flow = tuple[str | None, str, tuple[int, ...]]
"""Label, client, record lengths."""


@cache
def flows(
    count: int, seed: int, kinds: tuple[str, ...] = tuple(apps.APPS), background: float = 0.1
) -> tuple[Flow, ...]:
    """Connections as a sensor would see them, without packets."""
    maker = Maker(random.Random(f"watch {seed}"), f"watch {seed}", "mixed", 24_000)
    made = []
    for number in range(count):
        app = apps.BACKGROUND if maker.rng.random() < background else maker.rng.choice(kinds)
        truth, _ = maker.connection(app, float(number))
        client = f"10.0.0.{maker.rng.randrange(1, 41)}"
        made.append((None if app == apps.BACKGROUND else app, client, truth.records[:16]))
    return tuple(made)


def turned(given: Sequence[Flow]) -> list[Flow]:
    """An abrupt change: what behaves as web pages do is called chat from now on, and the other way round."""
    names = {"chat": "web-page", "web-page": "chat"}
    return [(names.get(label or "", label), client, records) for label, client, records in given]


def table(given: Sequence[Flow]) -> NDArray[np.int64]:
    return tabulated([records for _, _, records in given], 16)


def fill(path: Path, given: Sequence[Flow], seed: int = 0) -> None:
    """Put flows into a database, as a collector would."""
    keeper = Keeper.begin(path, Limits(), seed=seed)
    for number, (label, client, records) in enumerate(given):
        name = None if label is None else f"www.{label}.example"
        sample = Sample(
            f"C{number:017d}",
            time.time_ns(),
            IPv4Address(client),
            40_000 + number % 20_000,
            IPv4Address("198.51.100.7"),
            443,
            name,
            b"",
            records=list(records),
        )
        keeper.add(sample, label=label, sensor="zeek", mono_ns=time.monotonic_ns())
    keeper.commit(time.time_ns(), time.monotonic_ns())
    keeper.close()

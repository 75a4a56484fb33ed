"""Simulated weeks of the drifting testbed, as tables of record lengths; kept, since real TLS takes 3 ms a connection."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eacf.features.lengths import tabulated
from eacf_trainer.testbed import apps
from eacf_trainer.testbed.capture import Maker
from eacf_trainer.testbed.drift import Week

RECORDS = 16
BACKGROUND_SHARE = 0.1
CLIENTS = 80
MAKERS = 8
"""Parts of a week, each with its own 16 sites of each application."""


@dataclass(frozen=True)
class Traffic:
    """Connections in the order in which they come."""

    table: NDArray[np.int64]
    """(n, RECORDS) lengths, as eacf.features.lengths.tabulated gives them."""
    labels: tuple[str | None, ...]
    """(n,) what the server name says; None: of no application."""
    clients: NDArray[np.int64]
    """(n,)"""

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, begin: int, end: int) -> Traffic:
        return Traffic(self.table[begin:end], self.labels[begin:end], self.clients[begin:end])


def week(home: Path, seed: int, number: int, purpose: str, count: int) -> Traffic:
    """`count` connections of a week; `purpose` decides the deployments: what judges meets none that teaches."""
    kept = home / f"{seed}-{number}-{purpose}-{count}.npz"
    if not kept.exists():
        home.mkdir(parents=True, exist_ok=True)
        made = _made(seed, number, purpose, count)
        beside = kept.with_name(f".{kept.name}")
        with beside.open("wb") as file:
            np.savez(
                file, table=made.table, labels=np.array([each or "" for each in made.labels]), clients=made.clients
            )
        beside.replace(kept)
    with np.load(kept) as held:
        return Traffic(held["table"], tuple(str(each) or None for each in held["labels"]), held["clients"])


def _made(seed: int, number: int, purpose: str, count: int) -> Traffic:
    world = Week(number)
    rng = random.Random(f"drift {seed} {number} {purpose}")
    # The same deployments every week: it is they that change.
    makers = [
        Maker(random.Random(f"{seed} {number} {purpose} {each}"), f"drift-{purpose}-{seed}", "mixed", 24_000, world)
        for each in range(MAKERS)
    ]
    records, labels = [], []
    for place in range(count):
        app = apps.BACKGROUND if rng.random() < BACKGROUND_SHARE else rng.choice(world.apps)
        truth, _ = rng.choice(makers).connection(app, float(place))
        records.append(list(truth.records[:RECORDS]))
        labels.append(None if app == apps.BACKGROUND else app)
    return Traffic(tabulated(records, RECORDS), tuple(labels), np.array([rng.randrange(CLIENTS) for _ in range(count)]))

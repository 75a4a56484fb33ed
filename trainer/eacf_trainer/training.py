"""From labelled samples to a trained float network: which rows it is shown, in which order, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

import numpy as np
from numpy.typing import NDArray

from eacf.features import Features, Paper, Shape
from eacf.flow import Sample
from eacf_trainer import binning, networks, outliers
from eacf_trainer.config import Recipe
from eacf_trainer.samples import Labelled

NOWHERE = IPv4Address(0)
BIN_OUTLIERS = 0.5
"""Made-up flows for each real one while bins are learnt, so that lengths which no label has get bins of their own."""


@dataclass(frozen=True)
class Trained:
    """A float network and all that is needed to use it."""

    network: networks.Network
    features: Features
    labels: tuple[str, ...]
    background: bool
    """The last output is none of `labels`."""
    mu: int
    sd: float
    history: list[dict[str, float]]
    rows: NDArray[np.uint8]
    """Of the known training flows, for the quantiser's ranges and for baselines."""
    wanted: NDArray[np.int64]


def train(recipe: Recipe, flows: Labelled, say: networks.Say = lambda text: None) -> Trained:
    """Train `recipe` on `flows` (labels None: background, which only a recipe with outliers looks at)."""
    networks.deterministic(recipe.seed)
    known, background = flows.known(), flows.background()
    labels = tuple(sorted({label for label in known.labels if label is not None}))
    known = capped(known, recipe.flows_per_label, np.random.default_rng(recipe.seed))
    exposed = recipe.outliers.share > 0
    features = fitted(recipe, known, background, labels)
    rows = features.encode(known.samples)
    wanted = numbered(known, labels)
    mu, sd = normalisation(recipe, rows)
    source = Source(recipe, features, known, background, rows, wanted, len(labels))
    network = networks.build(recipe, features.shape[0], len(labels) + exposed)
    history = networks.fit(network, source.epoch, recipe, mu, sd, say)
    return Trained(network, features, labels, exposed, mu, sd, history, rows, wanted)


class Source:
    """Rows of each epoch: all known flows, and beside them (where the recipe has outliers) background and made-up ones."""

    def __init__(
        self,
        recipe: Recipe,
        features: Features,
        known: Labelled,
        background: Labelled,
        rows: NDArray[np.uint8],
        wanted: NDArray[np.int64],
        none_of_them: int,
    ) -> None:
        self.rows, self.wanted, self.none_of_them, self.seed = rows, wanted, none_of_them, recipe.seed
        self.pools: list[tuple[NDArray[np.uint8], int]] = []
        """Rows that are none of the labels, and how many of them are drawn for an epoch."""
        settings = recipe.outliers
        if settings.share:
            count = round(settings.share * len(rows))
            records = [sample.records for sample in known.samples]
            rng = np.random.default_rng((recipe.seed, 1 << 34))
            self.pools.append((made_up(features, records, settings.pool * count, recipe.records, rng), count))
        if settings.share and len(background):
            self.pools.append((features.encode(background.samples), round(settings.background_share * len(rows))))

    def epoch(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Rows and outputs of one epoch, in an order that follows from the seed and the epoch's number."""
        rng = np.random.default_rng((self.seed, number))
        parts = [self.rows, *(pool[rng.integers(len(pool), size=count)] for pool, count in self.pools)]
        rows = np.concatenate(parts)
        wanted = np.full(len(rows), self.none_of_them)
        wanted[: len(self.wanted)] = self.wanted
        order = rng.permutation(len(rows))
        return rows[order], wanted[order]


def made_up(
    features: Features, flows: list[list[int]], count: int, records: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """`count` rows of outliers."""
    return features.encode([bare(each) for each in outliers.make(flows, count, records, rng)])


def fitted(recipe: Recipe, known: Labelled, background: Labelled, labels: tuple[str, ...]) -> Features:
    """The recipe's features; bins are learnt from training flows, background and made-up ones."""
    if recipe.features == "paper":
        return Paper(recipe.len_bytes)
    records = [sample.records for sample in known.samples]
    wanted = numbered(known, labels)
    if recipe.outliers.share:
        rng = np.random.default_rng((recipe.seed, 1 << 32))
        strange = outliers.make(records, round(BIN_OUTLIERS * len(records)), recipe.records, rng)
        strange += [sample.records for sample in background.samples]
        wanted = np.append(wanted, np.full(len(strange), len(labels)))
        records = records + strange
    return Shape(binning.edges(records, wanted, recipe.records, recipe.bins, recipe.seed), bins=recipe.bins)


def normalisation(recipe: Recipe, rows: NDArray[np.uint8]) -> tuple[int, float]:
    """One mu, a whole number, and one sd for all bytes (paper, III-A-2); one-hot rows become exactly 0 and 1."""
    if recipe.features == "shape":
        return 0, 255.0
    return round(float(rows.mean())), round(float(rows.std()), 3)


def capped(flows: Labelled, most: int, rng: np.random.Generator) -> Labelled:
    """At most `most` flows of each label, drawn at random as in the paper (IV-A); 0: all. Order is kept."""
    if not most:
        return flows
    places = rng.permutation(len(flows)).tolist()
    kept: list[int] = []
    count: dict[str | None, int] = {}
    for place in places:
        label = flows.labels[place]
        count[label] = count.get(label, 0) + 1
        if count[label] <= most:
            kept.append(place)
    return flows.only(sorted(kept))


def numbered(flows: Labelled, labels: tuple[str, ...]) -> NDArray[np.int64]:
    """(n,) output of each flow; ``len(labels)`` for background."""
    index = {label: number for number, label in enumerate(labels)}
    return np.array([len(labels) if label is None else index[label] for label in flows.labels], np.int64)


def bare(records: list[int]) -> Sample:
    """A sample that has records and nothing else."""
    return Sample("", 0, NOWHERE, 0, NOWHERE, 0, None, b"", [], records)

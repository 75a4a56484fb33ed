"""What a network is shown, epoch by epoch: its samples, flows of no label, and flows that a teacher made an opinion of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eacf.features import Features, Lengths
from eacf_trainer import binning, estimators, learning, outliers
from eacf_trainer.learning import Taught
from eacf_trainer.networks import Epoch
from eacf_trainer.recipe import Recipe, Teacher

Weights = NDArray[np.float32]
MOST_POOLED = 50_000
"""Flows that are made up or recombined at most, however many are learnt from."""
SWAPPED = (0.1, 0.3, 0.5)
"""Share of values that a recombined flow takes from another one; each flow draws one of these."""


@dataclass(frozen=True)
class Pool:
    """Flows to draw from; they become rows when they are drawn, since rows are six times as large."""

    table: learning.Table
    targets: NDArray[np.float32]
    """(n, outputs), or (1, outputs) where all have the same."""
    count: int
    """How many are drawn for an epoch."""
    values: bool = False
    """The table holds values of a layout, not record lengths."""


class Shown:
    """Rows and targets. Everything drawn follows from the seed and the epoch's number."""

    def __init__(self, recipe: Recipe, made: Features, samples: Taught, seed: int) -> None:
        settings = recipe.training
        known = samples.only(samples.wanted < samples.outputs)
        others = samples.only(samples.wanted == samples.outputs)
        self._seed, self._made, self._recipe = seed, made, recipe
        self.background = bool(settings.outliers.background or settings.outliers.made_up)
        """There is one more output, "none of these"."""
        self.wanted = known.wanted
        self.rows = learning.rows(made, known.table)
        """(n, width) of the known flows."""
        width = samples.outputs + self.background
        self.targets: NDArray[np.float32] = np.eye(width, dtype=np.float32)[known.wanted]
        self._weights = balance(known.wanted, settings.balance)
        self._pools: list[Pool] = []
        if self.background:
            self._add_strangers(known, others, width)
        if settings.teacher.estimators:
            self._add_teacher(known, others, settings.teacher, width)

    def weigh(self, weights: Weights) -> None:
        """Let each known flow count so much more or less; `weights`: (n,) in their order."""
        self._weights = (self._weights * weights).astype(np.float32)

    def _add_strangers(self, known: Taught, others: Taught, width: int) -> None:
        settings = self._recipe.training.outliers
        none = np.eye(width, dtype=np.float32)[-1]
        known_rows = len(known.table)
        if settings.background and len(others.table):
            self._pools.append(Pool(others.table, none[None], round(settings.background * known_rows)))
        if settings.made_up and isinstance(self._made, Lengths):
            rng = np.random.default_rng((self._seed, 1 << 34))
            count = round(settings.made_up * known_rows)
            most = min(settings.pool * count, MOST_POOLED)
            table = outliers.made_up(known.table, most, self._made.layout.records, rng)
            self._pools.append(Pool(table, none[None], count))

    def _add_teacher(self, known: Taught, others: Taught, settings: Teacher, width: int) -> None:
        """Flows recombined from known ones, with what the teacher says of them, and its opinion of the known ones."""
        if not isinstance(self._made, Lengths):
            return
        rng = np.random.default_rng((self._seed, 1 << 35))
        values = self._made.layout.of(learning.looked_at(known.table, self._made.layout))
        learnt, wanted = values, known.wanted
        if self.background and len(others.table):
            strange = self._made.layout.of(learning.looked_at(others.table, self._made.layout))
            learnt, wanted = np.concatenate([values, strange]), np.concatenate([wanted, others.wanted])
        teachers = [
            estimators.make(line, self._seed + number).fit(binning.numeric(learnt), wanted)
            for number, line in enumerate(settings.estimators)
        ]

        def opinion(values: NDArray[np.int64]) -> NDArray[np.float32]:
            said = np.zeros((len(values), width), np.float32)
            for each in teachers:
                said[:, each.classes_] += estimators.probabilities(each, binning.numeric(values)) / len(teachers)
            return said

        if settings.share:
            self.targets = ((1 - settings.share) * self.targets + settings.share * opinion(values)).astype(np.float32)
        if settings.recombined:
            count = round(settings.recombined * len(values))
            made = recombined(values, min(settings.pool * count, MOST_POOLED), rng)
            self._pools.append(Pool(made, opinion(made), count, values=True))

    def _drawn(self, pool: Pool, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """An epoch's worth of a pool."""
        drawn = rng.integers(len(pool.table), size=pool.count)
        targets = pool.targets[drawn] if len(pool.targets) > 1 else np.repeat(pool.targets, pool.count, axis=0)
        if not pool.values or not isinstance(self._made, Lengths):
            return learning.rows(self._made, pool.table[drawn]), targets
        rows = np.zeros((pool.count, *self._made.shape), np.uint8)
        self._made.fill_values(pool.table[drawn], rows)
        return rows, targets

    def epoch(self, number: int) -> Epoch:
        """Rows and targets of one epoch."""
        rng = np.random.default_rng((self._seed, number))
        rows, targets = [self.rows], [self.targets]
        for pool in self._pools:
            more, said = self._drawn(pool, rng)
            rows.append(more)
            targets.append(said)
        joined = np.concatenate(rows)
        weights = np.ones(len(joined), np.float32)
        weights[: len(self._weights)] = self._weights
        order = rng.permutation(len(joined))
        return Epoch(joined[order], np.concatenate(targets)[order], weights[order])


def balance(wanted: NDArray[np.int64], how: str) -> Weights:
    """(n,) how much each row counts, 1 on average; "weights": by the inverse root of how many its label has."""
    if how == "none" or not len(wanted):
        return np.ones(len(wanted), np.float32)
    weights = 1 / np.sqrt(np.bincount(wanted))[wanted]
    scaled: Weights = (weights / weights.mean()).astype(np.float32)
    return scaled


def recombined(values: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(count, values) flows between flows: each value of one flow, some replaced by those of another."""
    made = values[rng.integers(len(values), size=count)]
    others = values[rng.integers(len(values), size=count)]
    swapped = rng.random(made.shape) < rng.choice(SWAPPED, (count, 1))
    return np.where(swapped, others, made)

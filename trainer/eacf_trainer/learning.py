"""One training: which rows a model is shown, in which order, and what comes out.

A training knows connections by their place in :class:`eacf_trainer.flows.Flows` and outputs by number; it neither knows names nor files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf.features import Features, Layout, Lengths
from eacf_trainer import bank as banks
from eacf_trainer import binning
from eacf_trainer.bank import Bank
from eacf_trainer.recipe import Cut, Input, Recipe

Say = Callable[[str], None]
Table = NDArray[Any]
"""(n, records) int64 lengths, or (n, width) uint8 rows: what a bank holds."""


@dataclass(frozen=True)
class Lesson:
    """Who teaches what."""

    places: NDArray[np.int64]
    """(n,) connections."""
    wanted: NDArray[np.int64]
    """(n,) output of each; `outputs` for background."""
    outputs: int
    """Labels; background is one more."""

    def only(self, keep: NDArray[Any]) -> Lesson:
        """Some of it."""
        return Lesson(self.places[keep], self.wanted[keep], self.outputs)

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) not background."""
        known: NDArray[np.bool_] = self.wanted < self.outputs
        return known


@dataclass(frozen=True)
class Taught:
    """A lesson's samples."""

    table: Table
    wanted: NDArray[np.int64]
    outputs: int

    def only(self, keep: NDArray[Any]) -> Taught:
        return Taught(self.table[keep], self.wanted[keep], self.outputs)


def taught(bank: Bank, lesson: Lesson, settings: Input) -> Taught:
    """The samples of a lesson: one for each connection that has any."""
    there = np.any([bank.there[cut][lesson.places] for cut in settings.cuts], axis=0)
    return Taught(samples(bank, lesson.places[there], settings), lesson.wanted[there], lesson.outputs)


def samples(bank: Bank, places: NDArray[np.int64], settings: Input) -> Table:
    """(n, ...) of connections in the cut that a sensor would send, or where there is none in the other; with neither, of nothing."""
    first, *others = cuts_by_preference(settings)
    table = np.array(bank.arrays[first][places])
    for cut in others:
        missing = ~bank.there[first][places] & bank.there[cut][places]
        table[missing] = bank.arrays[cut][places[missing]]
    return table


def cuts_by_preference(settings: Input) -> tuple[Cut, ...]:
    """Features on lengths ask a sensor for records alone."""
    preferred: Cut = "records" if settings.features == "lengths" else "stream"
    return tuple(sorted(settings.cuts, key=lambda cut: cut != preferred))


def capped(lesson: Lesson, most: int, rng: np.random.Generator) -> Lesson:
    """At most `most` connections of each label, drawn at random as in the paper (IV-A); 0: all. Order is kept."""
    if not most:
        return lesson
    keep = np.zeros(len(lesson.places), bool)
    for output in np.unique(lesson.wanted):
        own = np.flatnonzero(lesson.wanted == output)
        if output < lesson.outputs and len(own) > most:
            own = rng.choice(own, most, replace=False)
        keep[own] = True
    return lesson.only(keep)


def features(recipe: Recipe, samples: Taught, seed: int) -> Features:
    """Those of the recipe; bins are learnt from these samples."""
    settings = recipe.input
    if (fixed := banks.fixed(settings)) is not None:
        return fixed
    shape = layout(settings)
    edges = binning.edges(shape.of(looked_at(samples.table, shape)), samples.wanted, settings.bins, seed)
    return Lengths(shape, edges, bins=settings.bins)


def layout(settings: Input) -> Layout:
    """Which values are taken of record lengths."""
    return Layout(
        records=settings.records,
        places=min(settings.places, settings.records),
        sides=min(settings.sides, settings.records),
        large=min(settings.large, settings.records),
        large_bytes=settings.large_bytes,
        totals=settings.totals,
    )


def looked_at(table: NDArray[np.int64], shape: Layout) -> NDArray[np.int64]:
    """The first records of a bank's table, as many as the layout looks at."""
    return table[:, : shape.records]


def rows(made: Features, table: Table) -> NDArray[np.uint8]:
    """(n, width) what the network sees."""
    if not isinstance(made, Lengths):
        return np.asarray(table, np.uint8)
    out = np.zeros((len(table), *made.shape), np.uint8)
    made.fill_table(looked_at(table, made.layout), out)
    return out


def numbers(settings: Input, table: Table) -> NDArray[np.float32]:
    """(n, values) what an estimator sees: the same values as the network, as numbers."""
    if banks.fixed(settings) is not None:
        return np.asarray(table, np.float32)
    shape = layout(settings)
    return binning.numeric(shape.of(looked_at(table, shape)))

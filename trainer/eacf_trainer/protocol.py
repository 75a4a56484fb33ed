"""Which cells a run is made of: for each split, seed and fold the model that judges it, and those that calibrate that model.

Choices are made inside training: a fold's temperature and thresholds come from models of its own training part (inner folds), and what
the fold's flows say decides nothing about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from eacf_trainer import splits
from eacf_trainer.cells import Cell
from eacf_trainer.flows import Flows
from eacf_trainer.learning import Lesson
from eacf_trainer.recipe import Cut, Network, Protocol, Recipe
from eacf_trainer.splits import FUTURE

INNER = 1000
"""Added to a seed where a training part is split again."""


@dataclass(frozen=True)
class Fold:
    """One fold: the cell that is judged on it, and the inner cells that calibrate it."""

    number: int
    outer: Cell
    inner: tuple[Cell, ...] = ()
    strange: NDArray[np.bool_] | None = None
    """(m,) of the judged connections: those whose label was held out of training; None: none was."""
    hidden: tuple[int, ...] = ()
    """Those labels."""


@dataclass(frozen=True)
class Judgement:
    """All folds of one split and seed."""

    protocol: Protocol
    seed: int
    folds: tuple[Fold, ...]

    @property
    def cells(self) -> list[Cell]:
        """Of all folds, inner ones last."""
        return [fold.outer for fold in self.folds] + [cell for fold in self.folds for cell in fold.inner]


@dataclass(frozen=True)
class Bench:
    """What all cells of a run share."""

    flows: Flows
    recipe: Recipe
    bank: str

    @property
    def outputs(self) -> int:
        return len(self.flows.labels)

    @property
    def wanted(self) -> NDArray[np.int64]:
        """(n,) output of each connection; the one after the last label for those of none."""
        return np.where(self.flows.known, self.flows.wanted, self.outputs)

    def folds(self, protocol: Protocol, seed: int) -> NDArray[np.int64]:
        """(n,) fold of each connection."""
        split = self.recipe.split
        return self.flows.folds(protocol, split.folds, seed, split.test_share)

    def divides(self, protocol: Protocol, seed: int) -> bool:
        """Whether there are two folds with flows of labels, so that one can teach and the other judge."""
        return len(np.unique(self.folds(protocol, seed)[self.flows.known])) > 1

    def judgement(self, protocol: Protocol, seed: int, *, name: str = "", calibrated: bool = True) -> Judgement:
        """The folds of one split; `calibrated`: with inner ones."""
        fold = self.folds(protocol, seed)
        judging = [FUTURE] if protocol == "time" else np.unique(fold[self.flows.known]).tolist()
        made = []
        for number in judging:
            title = f"{name or protocol}/{seed}/{number}"
            learnt = np.flatnonzero(fold != number)
            judged = np.flatnonzero(fold == number)
            inner = tuple(self._inner(protocol, learnt, seed, title)) if calibrated else ()
            made.append(Fold(number, self.cell(title, learnt, judged, seed), inner))
        return Judgement(protocol, seed, tuple(made))

    def _inner(self, protocol: Protocol, learnt: NDArray[np.int64], seed: int, title: str) -> Iterator[Cell]:
        """Cells that each leave out a part of `learnt`, split in the same way."""
        wanted = self.flows.wanted[learnt]
        by: Protocol = "grouped" if protocol == "time" else protocol
        count, inner_seed = self.recipe.split.inner, seed + INNER
        fold = splits.random_folds(wanted, count, inner_seed)
        if by != "random":
            grouped = splits.grouped_folds(wanted, self.flows.groups(by)[learnt], count, inner_seed)
            if len(np.unique(grouped[wanted >= 0])) > 1:  # else the part is of one group, and is split at random
                fold = grouped
        for number in np.unique(fold[wanted >= 0]).tolist():
            if not (wanted[fold != number] >= 0).any():
                continue
            part = learnt[fold == number]
            yield self.cell(f"{title}/inner/{number}", learnt[fold != number], part, seed)

    def hidden(self, protocol: Protocol, seed: int) -> Judgement:
        """Folds in which labels are held out altogether: neither learnt nor background, yet judged.

        Labels are held out some at a time, each once, so that every label is unknown to somebody. Folds as in :meth:`judgement`.
        """
        fold = self.folds(protocol, seed)
        order = np.random.default_rng((seed, 1 << 36)).permutation(self.outputs)
        together = np.array_split(order, -(-self.outputs // self.recipe.split.hidden_labels))
        made = []
        for turn, labels in enumerate(together):
            unseen = np.isin(self.flows.wanted, labels)
            for number in np.unique(fold[self.flows.known]).tolist():
                learnt = np.flatnonzero((fold != number) & ~unseen)
                if not self.flows.known[learnt].any():
                    continue
                judged = np.flatnonzero((fold == number) & self.flows.known)
                out = tuple(sorted(labels.tolist()))
                cell = self.cell(f"hidden/{seed}/{turn}/{number}", learnt, judged, seed, out)
                made.append(Fold(number, cell, strange=unseen[judged], hidden=out))
        return Judgement(protocol, seed, tuple(made))

    def final(self) -> Lesson:
        """Everything teaches."""
        return Lesson(np.arange(len(self.flows)), self.wanted, self.outputs)

    def early(self, records: int) -> Bench:
        """The same recipe on fewer or more records."""
        return replace(self, recipe=replace(self.recipe, input=replace(self.recipe.input, records=records)))

    def estimator(self, line: str) -> Bench:
        """An estimator in place of the network."""
        return replace(self, recipe=replace(self.recipe, network=Network("estimator", estimator=line)))

    def cell(
        self, name: str, learnt: NDArray[np.int64], judged: NDArray[np.int64], seed: int, unseen: Sequence[int] = ()
    ) -> Cell:
        """A cell; labels `unseen` have no output, and those after them move up."""
        seen = [label for label in range(self.outputs) if label not in set(unseen)]
        number = np.full(self.outputs + 1, len(seen), np.int64)
        number[seen] = np.arange(len(seen))
        lesson = Lesson(learnt, number[self.wanted[learnt]], len(seen))
        return Cell(name, self.recipe, self.bank, lesson, judged, number[self.wanted[judged]], seed)


def cuts(flows: Flows) -> list[Cut]:
    """The cuts that a dataset has."""
    return [cut for cut in get_args(Cut) if (flows.rows[cut] >= 0).any()]

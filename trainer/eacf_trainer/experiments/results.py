"""Finished cells summed up: accuracy and macro-F1 a seed, pooled over the folds, then mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_fscore_support

from eacf_trainer.experiments.controls import ORIGINAL
from eacf_trainer.experiments.data import Flows
from eacf_trainer.experiments.plan import RANDOM, Cell
from eacf_trainer.experiments.store import Store


@dataclass(frozen=True)
class Spread:
    """Values of some seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.values))

    @property
    def sd(self) -> float | None:
        """Standard deviation (n - 1); None of a single value."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None

    def percent(self) -> str:
        """As tables show it: ``36.1 ± 0.8``, in percent."""
        sd = self.sd
        return f"{self.mean * 100:.1f}" + ("" if sd is None else f" ± {sd * 100:.1f}")


@dataclass(frozen=True)
class Score:
    """Of one model on one input under one protocol."""

    accuracy: Spread
    macro_f1: Spread
    train_accuracy: Spread
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Setup:
    """What the cells of one score share."""

    model: str
    kind: str
    size: int
    split: str
    control: str = ORIGINAL


@dataclass(frozen=True)
class Judged:
    """Flows of one seed that were judged: all of them (grouped), or the test part (random)."""

    rows: NDArray[np.int64]
    said: NDArray[np.int64]
    int8: NDArray[np.int64] | None
    train_accuracy: float
    notes: tuple[str, ...]


class Results:
    """All finished seeds of the cells given. A seed that lacks a fold does not count yet."""

    def __init__(self, cells: Sequence[Cell], store: Store, flows: Flows) -> None:
        self.flows = flows
        self.finished = 0
        found: dict[tuple[Setup, int], list[dict[str, Any]]] = {}
        wanted: dict[tuple[Setup, int], int] = {}
        for cell in cells:
            place = (Setup(cell.model, cell.kind, cell.size, cell.split, cell.control), cell.seed)
            wanted[place] = 1 if cell.split == RANDOM else cell.folds
            if (result := store.get(cell)) is not None:
                found.setdefault(place, []).append(result)
                self.finished += 1
        self._judged: dict[Setup, list[Judged]] = {}
        for (setup, seed), parts in sorted(found.items(), key=lambda item: item[0][1]):
            if len(parts) == wanted[setup, seed]:
                self._judged.setdefault(setup, []).append(_joined(parts))

    def judged(self, setup: Setup, most: int | None = None) -> list[Judged]:
        """Of each finished seed, of the first `most`."""
        return self._judged.get(setup, [])[:most]

    def score(self, setup: Setup, *, int8: bool = False, most: int | None = None) -> Score | None:
        """None until a seed is finished."""
        seeds = self.judged(setup, most)
        if not seeds or (int8 and seeds[0].int8 is None):
            return None
        numbers = range(len(self.flows.labels))

        def over(figure: Callable[[NDArray[np.int64], NDArray[np.int64]], float]) -> Spread:
            return Spread(tuple(figure(self.flows.wanted[each.rows], _said(each, int8)) for each in seeds))

        return Score(
            accuracy=over(lambda wanted, said: float((wanted == said).mean())),
            macro_f1=over(
                lambda wanted, said: float(f1_score(wanted, said, labels=numbers, average="macro", zero_division=0.0))
            ),
            train_accuracy=Spread(tuple(each.train_accuracy for each in seeds)),
            notes=tuple(sorted({note for each in seeds for note in each.notes})),
        )

    def per_label(self, setup: Setup) -> dict[str, tuple[Spread, Spread, Spread]] | None:
        """Precision, recall and F1 of each label."""
        seeds = self.judged(setup)
        if not seeds:
            return None
        numbers = range(len(self.flows.labels))
        figures = np.array(
            [
                precision_recall_fscore_support(
                    self.flows.wanted[each.rows], each.said, labels=numbers, zero_division=0.0
                )[:3]
                for each in seeds
            ]
        )  # (seeds, 3, labels)
        return {
            label: (
                Spread(tuple(figures[:, 0, number])),
                Spread(tuple(figures[:, 1, number])),
                Spread(tuple(figures[:, 2, number])),
            )
            for number, label in enumerate(self.flows.labels)
        }

    def accuracy_where(self, setup: Setup, chosen: NDArray[np.bool_], most: int | None = None) -> Spread | None:
        """Accuracy on the flows `chosen` ((n,) of all) alone."""
        seeds = self.judged(setup, most)
        parts = [(self.flows.wanted[each.rows] == each.said)[chosen[each.rows]] for each in seeds]
        return Spread(tuple(float(part.mean()) for part in parts)) if parts and all(map(len, parts)) else None


def _said(each: Judged, int8: bool) -> NDArray[np.int64]:
    if not int8:
        return each.said
    assert each.int8 is not None
    return each.int8


def _joined(parts: Sequence[dict[str, Any]]) -> Judged:
    quantised = [part["int8"] for part in parts]
    return Judged(
        rows=np.concatenate([np.array(part["rows"], np.int64) for part in parts]),
        said=np.concatenate([np.array(part["said"], np.int64) for part in parts]),
        int8=None if None in quantised else np.concatenate([np.array(each, np.int64) for each in quantised]),
        train_accuracy=float(np.mean([part["train_accuracy"] for part in parts])),
        notes=tuple(note for part in parts for note in part["notes"]),
    )

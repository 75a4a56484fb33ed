"""A cell: one training and what its model answers about the flows that it did not see. Every figure of a run is made of cells.

A cell knows all that decides its answer and nothing else, so that it may run in any process, on any machine that sees the files, in any
order, and its answer can be kept: what a killed run has finished is not done again.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError
from eacf_trainer import estimators, learning
from eacf_trainer.bank import Bank
from eacf_trainer.learning import Lesson
from eacf_trainer.recipe import Input, Recipe

WAY = 2
"""Raised with every change of code that changes answers, so that kept ones of the way before are not taken for them."""
TRIFLE = 1e-6
"""Added to an estimator's probabilities before the logarithm is taken."""


@dataclass(frozen=True)
class Cell:
    """One training."""

    name: str
    recipe: Recipe
    bank: str
    """Folder of the arrays."""
    lesson: Lesson
    judged: NDArray[np.int64]
    """(m,) places of the connections that are asked about."""
    wanted: NDArray[np.int64]
    """(m,) their outputs, for the learning curve alone; the number of outputs for flows of no label."""
    seed: int

    def key(self) -> str:
        """Of all that decides the answer."""
        parts = {
            "recipe": deciding(self.recipe),
            "bank": Path(self.bank).name,
            "seed": self.seed,
            "way": WAY,
            "outputs": self.lesson.outputs,
            "versions": estimators.versions(),
        }
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
        for array in (self.lesson.places, self.lesson.wanted, self.judged):
            digest.update(np.ascontiguousarray(array, np.int64).tobytes() + b"|")
        return digest.hexdigest()[:24]


@dataclass(frozen=True)
class Answer:
    """What a cell gives."""

    logits: NDArray[np.float32]
    """(m, outputs) of the model as it would serve: quantised, or an estimator's log-probabilities."""
    floats: NDArray[np.float32]
    """(m, outputs) of the float network; of an estimator the same."""
    losses: NDArray[np.float64]
    """(epochs,) mean loss on the training rows."""
    accuracies: NDArray[np.float64]
    """(epochs, 2) on training rows and on judged ones, at some epochs; NaN at the others."""

    def save(self, path: Path) -> None:
        """Beside `path` first, so that there is no half of one."""
        beside = path.with_name(f".{path.name}")
        with beside.open("wb") as file:
            np.savez(file, **asdict(self))
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Answer | None:
        """None where there is none that is whole."""
        try:
            with np.load(path) as arrays:
                return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})
        except (OSError, KeyError, ValueError, EOFError, BadZipFile):
            return None


def deciding(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe decides a training."""
    document = recipe.document()
    return {name: document[name] for name in ("input", "network", "training")}


def work(cell: Cell) -> Answer:
    """Train and ask."""
    bank = Bank.open(Path(cell.bank), cell.recipe.input.cuts)
    if cell.recipe.network.kind == "estimator":
        return _estimated(cell, bank)
    from eacf_trainer import trained  # loads TensorFlow

    table = learning.samples(bank, cell.judged, cell.recipe.input)
    model = trained.train(cell.recipe, bank, cell.lesson, cell.seed, asked=(table, cell.wanted))
    logits, floats = trained.answers(model, table)
    return Answer(logits, floats, np.array(model.losses), np.array(model.accuracies).reshape(-1, 2))


def _estimated(cell: Cell, bank: Bank) -> Answer:
    """scikit-learn on the values that the network's bins are made of, or on the same bytes. Background is not shown to it."""
    settings = cell.recipe.input
    lesson = learning.capped(
        cell.lesson.only(cell.lesson.known), cell.recipe.training.flows_per_label, np.random.default_rng(cell.seed)
    )
    shown = learning.taught(bank, lesson, settings)
    estimator = estimators.make(cell.recipe.network.estimator, cell.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a linear model that has not converged within scikit-learn's defaults
        try:
            estimator.fit(_scaled(settings, shown.table, shown.table), shown.wanted)
        except ValueError as error:
            raise SettingError(
                f"estimator {cell.recipe.network.estimator!r}: cannot learn {cell.name} ({error}); leave it out"
            ) from error
        asked = _scaled(settings, learning.samples(bank, cell.judged, settings), shown.table)
        scores = np.full((len(cell.judged), cell.lesson.outputs), TRIFLE)
        scores[:, estimator.classes_] += estimators.probabilities(estimator, asked)
    logits = np.log(scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    none = np.zeros(0)
    return Answer(logits, logits, none, none.reshape(0, 2))


def _scaled(settings: Input, table: learning.Table, shown: learning.Table) -> NDArray[np.float32]:
    """Numbers for an estimator; bytes by the paper's z-score, one mean and one deviation over all that was shown."""
    numbers = learning.numbers(settings, table)
    if settings.features == "lengths":
        return numbers
    mu, sd = float(shown.mean(dtype=np.float64)), float(shown.std(dtype=np.float64)) or 1.0
    return ((numbers - mu) / sd).astype(np.float32)

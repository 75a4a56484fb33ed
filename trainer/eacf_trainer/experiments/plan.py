"""Cells: the smallest pieces of the experiments. One cell is one model trained once and asked once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from eacf_trainer.experiments import inputs
from eacf_trainer.experiments.controls import CONTROLS, LABELS, ORIGINAL
from eacf_trainer.experiments.settings import Settings

VERSION = 1
"""Raised whenever the same cell would give something else."""
CNN = "cnn"
CLASSICAL = ("dt", "svm", "knn", "lr", "nb")
MODELS = (CNN, *CLASSICAL)
MOST_FREQUENT = "most-frequent"
"""Always the most frequent training label: what accuracy is worth on labels of unequal size."""
RANDOM, GROUPED = "random", "grouped"
SPLITS = (RANDOM, GROUPED)
CONTROLLED = (CNN, "dt")
"""Models that the controls are run with: the paper's, and the best of its baselines."""
SECONDS = {CNN: 2.7e-3, "dt": 1.5e-3, "svm": 3.8e-3, "knn": 1e-4, "lr": 4e-4, "nb": 1e-4, MOST_FREQUENT: 1e-5}
"""Rough core-seconds a training flow of 3,000 bytes (CNN: and epoch), for the estimate of what is left; nothing else hangs on it."""


@dataclass(frozen=True)
class Cell:
    """What decides a result, apart from the flows."""

    model: str
    kind: str
    """Input: both, payload, gaps."""
    size: int
    """Bytes; of gaps, their number."""
    control: str
    split: str
    folds: int
    """Of the grouped split; of the random one 10 parts: 8 train, 1 validates, 1 judges."""
    fold: int
    seed: int
    epochs: int = 0
    batch: int = 0
    learning_rate: float = 0.0
    int8: bool = False
    """Whether the network is also asked as int8."""

    def key(self, flows_id: str) -> str:
        """16 hex digits of the cell, the flows and VERSION: under this name its result is kept."""
        text = json.dumps([VERSION, flows_id, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def seconds(self, flows: int) -> float:
        """Rough estimate."""
        width = self.size * (4 if self.kind == inputs.GAPS else 1)
        return SECONDS[self.model] * flows * (width + 50) / 3050 * max(self.epochs, 1) + 0.1

    def __str__(self) -> str:
        fold = f", fold {self.fold + 1} of {self.folds}" if self.split == GROUPED else ""
        control = "" if self.control == ORIGINAL else f", {self.control}"
        return f"{self.model}, {self.kind} {self.size}{control}, {self.split} split, seed {self.seed}{fold}"


PARTS = 10
"""Of the random split."""


def cells(settings: Settings, only: Sequence[str]) -> list[Cell]:
    """The cells that the figures named need, each once: seed by seed, and of a seed those first that say most."""
    main, inner = settings.main, inputs
    every: list[tuple[set[str], Iterator[Cell]]] = [
        ({"fig3", "fig4", "fig5", "controls"}, _each(settings, CNN, inner.BOTH, main)),
        ({"fig3", "fig4", "controls"}, _each(settings, MOST_FREQUENT, inner.BOTH, main)),
        *(({"fig3"}, _each(settings, model, inner.BOTH, main)) for model in CLASSICAL),
        *(({"controls"}, part) for model in CONTROLLED for part in _controls(settings, model)),
        ({"fig5"}, _each(settings, CNN, inner.PAYLOAD, main)),
        *(({"fig5"}, _each(settings, CNN, inner.GAPS, count)) for count in settings.gap_counts),
        *(
            ({"fig3", "fig5"} if model == CNN else {"fig3"}, _each(settings, model, inner.BOTH, size))
            for size in settings.sizes
            for model in MODELS
        ),
        *(({"fig5"}, _each(settings, CNN, inner.PAYLOAD, size)) for size in settings.sizes),
    ]
    wanted = dict.fromkeys(cell for figures, part in every if figures & set(only) for cell in part)
    return sorted(wanted, key=lambda cell: cell.seed)


def _controls(settings: Settings, model: str) -> Iterator[Iterator[Cell]]:
    yield _each(settings, model, inputs.BOTH, settings.main)
    for control in (*CONTROLS, LABELS):
        yield _each(settings, model, inputs.BOTH, settings.main, control)
    # Without gaps, constant payload tells one number: how many bytes there are.
    yield _each(settings, model, inputs.PAYLOAD, settings.main, "constant")


def _each(settings: Settings, model: str, kind: str, size: int, control: str = ORIGINAL) -> Iterator[Cell]:
    """Both splits, all seeds, all folds."""
    chief = (kind, size, control) == (inputs.BOTH, settings.main, ORIGINAL)
    learnt = (settings.epochs, settings.batch, settings.learning_rate, chief) if model == CNN else ()
    grouped_seeds = settings.grouped_seeds if model == CNN and not chief else settings.seeds
    for seed in range(max(settings.seeds, grouped_seeds)):
        if seed < settings.seeds:
            yield Cell(model, kind, size, control, RANDOM, PARTS, 0, seed, *learnt)
        if seed < grouped_seeds:
            for fold in range(settings.folds):
                yield Cell(model, kind, size, control, GROUPED, settings.folds, fold, seed, *learnt)

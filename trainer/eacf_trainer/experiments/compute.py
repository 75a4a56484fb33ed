"""One cell: flows under a control to rows, split, train, ask."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf_trainer.experiments import controls, inputs, models
from eacf_trainer.experiments.data import Flows
from eacf_trainer.experiments.plan import PARTS, RANDOM, Cell
from eacf_trainer.splits import grouped_folds, random_folds

TEST, VALIDATION = 0, 1
"""Parts of the random split."""


def split(cell: Cell, flows: Flows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that train, rows that judge. Nothing is chosen on the paper's validation part, so it does neither."""
    if cell.split == RANDOM:
        part = random_folds(flows.wanted, PARTS, cell.seed)
        return np.flatnonzero((part != TEST) & (part != VALIDATION)), np.flatnonzero(part == TEST)
    fold = grouped_folds(flows.wanted, flows.groups, cell.folds, cell.seed)
    return np.flatnonzero(fold != cell.fold), np.flatnonzero(fold == cell.fold)


def compute(cell: Cell, flows: Flows) -> dict[str, Any]:
    """The cell's result as JSON values: ``rows`` that judged and what was ``said`` of each, ``int8`` the same by the int8 model."""
    begun = time.monotonic()
    train, test = split(cell, flows)
    wanted = flows.wanted[train]
    if cell.control == controls.LABELS:
        wanted = np.random.default_rng((cell.seed, 1 << 35)).permutation(wanted)
    rows = inputs.rows(cell.kind, cell.size, controls.apply(cell.control, flows.samples, cell.seed))
    said = models.ask(cell, rows[train], wanted, rows[test], len(flows.labels))
    return {
        "train_flows": len(train),
        "train_accuracy": round(said.train_accuracy, 6),
        "rows": test.tolist(),
        "said": said.test.tolist(),
        "int8": None if said.int8 is None else said.int8.tolist(),
        "history": said.history,
        "notes": said.notes,
        "seconds": round(time.monotonic() - begun, 1),
    }

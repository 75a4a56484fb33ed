"""Closed set: the best label of every flow that is of one of the labels, whatever the thresholds say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf_trainer.figures.numbers import rounded, share
from eacf_trainer.predictions import Predictions

RESAMPLES = 1000
WITHIN = 0.95
"""Share of the resamples that lie in an interval."""


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """(labels, labels) flows by wanted label (row) and best label (column)."""
    size = len(predictions.labels)
    known = predictions.only(predictions.known)
    cells = np.bincount(known.wanted * size + known.best, minlength=size * size)
    return cells.reshape(size, size).astype(np.int64)


def f1(counts: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Precision, recall and F1 of each label from (labels, labels) `counts`; 0 where nothing divides, as scikit-learn has it."""
    right = np.diagonal(counts).astype(np.float64)
    return (
        _ratio(right, counts.sum(axis=0)),
        _ratio(right, counts.sum(axis=1)),
        _f1(right, counts.sum(0), counts.sum(1)),
    )


def closed(predictions: Predictions) -> dict[str, Any]:
    """Flows, accuracy, macro-F1, and precision, recall, F1 of each label.

    ``macro_f1`` is the mean over the labels that have flows here. ``coverage`` of a label is the share of its flows that would be told any
    label, ``precision_said`` the share right of what would be said to be this label (None: it is never said).
    """
    counts = confusion(predictions)
    flows = counts.sum(axis=1)
    precision, recall, score = f1(counts)
    known = predictions.only(predictions.known)
    said = known.only(known.said)
    told = np.bincount(said.wanted, minlength=len(flows))
    spoken = np.bincount(said.best, minlength=len(flows))
    hits = np.bincount(said.best[said.best == said.wanted], minlength=len(flows))
    return {
        "flows": int(flows.sum()),
        "accuracy": share(int(np.trace(counts)), int(flows.sum())),
        "macro_f1": rounded(score[flows > 0].mean()) if flows.any() else None,
        "labels": {
            label: {
                "flows": int(flows[number]),
                "precision": rounded(precision[number]),
                "recall": rounded(recall[number]),
                "f1": rounded(score[number]),
                "coverage": share(int(told[number]), int(flows[number])),
                "precision_said": share(int(hits[number]), int(spoken[number])),
            }
            for number, label in enumerate(predictions.labels)
        },
        "confusion": counts.tolist(),
    }


def interval(
    predictions: Predictions, groups: Sequence[object], samples: int = RESAMPLES, seed: int = 0
) -> dict[str, Any] | None:
    """Where accuracy and macro-F1 lie in WITHIN of `samples` resamples of whole `groups` (captures, say), drawn with replacement.

    It tells how much depends on which captures happened to be there, not on the seed. None with fewer than two groups.
    """
    known = predictions.only(predictions.known)
    names: dict[object, int] = {}
    numbers = np.array([names.setdefault(group, len(names)) for group in groups], np.int64)[predictions.known]
    held, place = np.unique(numbers, return_inverse=True)
    if len(held) < 2:
        return None
    size = len(predictions.labels)
    parts = np.zeros((3, len(held), size))  # right, best and wanted, by group and label
    right = known.best == known.wanted
    np.add.at(parts[0], (place[right], known.best[right]), 1)
    np.add.at(parts[1], (place, known.best), 1)
    np.add.at(parts[2], (place, known.wanted), 1)
    drawn = np.random.default_rng(seed).multinomial(len(held), np.full(len(held), 1 / len(held)), samples)
    hits, best, wanted = drawn @ parts  # each (samples, size)
    macro = (_f1(hits, best, wanted) * (wanted > 0)).sum(axis=1) / (wanted > 0).sum(axis=1)
    accuracy = hits.sum(axis=1) / wanted.sum(axis=1)
    edges = ((1 - WITHIN) / 2, (1 + WITHIN) / 2)
    return {
        "groups": len(held),
        "resamples": samples,
        "within": WITHIN,
        "accuracy": [rounded(edge) for edge in np.quantile(accuracy, edges)],
        "macro_f1": [rounded(edge) for edge in np.quantile(macro, edges)],
    }


def _f1(right: NDArray[Any], best: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.float64]:
    return _ratio(2 * right, best + wanted)


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    ratio = np.zeros(np.shape(part))
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio

"""From cells' answers to predictions: each fold's model, calibrated by its inner folds, on the flows that it did not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eacf_trainer.calibrate import Calibration, best_probability, calibrate, softmax
from eacf_trainer.cells import Answer
from eacf_trainer.flows import ABSENT
from eacf_trainer.predictions import UNKNOWN, Predictions
from eacf_trainer.protocol import Bench, Fold, Judgement

MOST_COPIES = 10
Answers = Mapping[str, Answer]


def predictions(
    bench: Bench, judgement: Judgement, answers: Answers, calibrating: Judgement | None = None
) -> Predictions:
    """Of all folds together. Folds without inner ones speak uncalibrated, and always, unless others lend them theirs.

    `calibrating`: a judgement with the same folds, and inner ones; a model that has not met some labels is calibrated by what inner
    models said that had met them.
    """
    lent = {fold.number: fold for fold in calibrating.folds} if calibrating is not None else {}
    return Predictions.joined([_fold(bench, fold, answers, lent.get(fold.number, fold)) for fold in judgement.folds])


def _fold(bench: Bench, fold: Fold, answers: Answers, calibrating: Fold) -> Predictions:
    cell, logits = fold.outer, answers[fold.outer.name].logits
    found = calibration(bench, calibrating, answers)
    if calibrating is not fold:
        found = found.without(fold.hidden)
    seen = [label for label in range(bench.outputs) if label not in fold.hidden]
    probabilities = np.zeros((len(logits), bench.outputs + logits.shape[1] - len(seen)), np.float32)
    probabilities[:, [*seen, *range(bench.outputs, probabilities.shape[1])]] = softmax(logits)
    wanted = bench.wanted[cell.judged]
    strange = np.zeros(len(wanted), bool) if fold.strange is None else fold.strange
    return Predictions(
        labels=bench.flows.labels,
        row=rows(bench, cell.judged),
        wanted=np.where(strange | (wanted == bench.outputs), UNKNOWN, wanted),
        probabilities=probabilities,
        strangeness=strangeness(logits, cell.lesson.outputs),
        said=found.said(logits),
        fold=np.full(len(wanted), fold.number),
        calibrated=found.confidence(logits).astype(np.float32),
    )


def calibration(bench: Bench, fold: Fold, answers: Answers) -> Calibration:
    """Of a fold's model, by the flows of its inner folds."""
    labels = fold.outer.lesson.outputs
    if not fold.inner:
        return Calibration(1.0, 0.0, np.zeros(labels), np.zeros(labels))
    places, logits = pooled([(cell.judged, answers[cell.name].logits) for cell in fold.inner])
    weights = capture_weights(bench.flows.copies[places], bench.wanted[places])
    return calibrate(logits, bench.wanted[places], weights, labels, bench.recipe.verdicts)


def pooled(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Connections and the logits that models gave for them which did not learn from them, all folds together."""
    places, logits = zip(*parts, strict=True)
    return np.concatenate(places), np.concatenate(logits)


def capture_weights(captures: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) the flows of one label in one capture count together as MOST_COPIES at most: they are near copies of each other."""
    _, which, count = np.unique(np.stack([captures, wanted]), axis=1, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = np.minimum(1.0, MOST_COPIES / count[which])
    return weights


def strangeness(logits: NDArray[np.float32], labels: int) -> NDArray[np.float32]:
    """(n,) how much likelier "none of these" is than the best label, as log-odds; without that output, how unsure the best label is."""
    best = logits[:, :labels].max(axis=1)
    if logits.shape[1] > labels:
        margin: NDArray[np.float32] = (logits[:, labels] - best).astype(np.float32)
        return margin
    return (1 - best_probability(logits, labels)).astype(np.float32)


def rows(bench: Bench, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) a row of the dataset for each connection."""
    first, *others = [bench.flows.rows[cut][places] for cut in bench.flows.rows]
    for other in others:
        first = np.where(first == ABSENT, other, first)
    return first

"""Open set: flows of labels that the model was never shown, told from its own labels' flows by strangeness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from eacf_trainer.figures.numbers import rounded, share, thinned
from eacf_trainer.predictions import Predictions

KNOWN_REFUSED = 0.05
"""Share of known flows whose refusal is bearable, for ``refused_at_5``."""


def openset(predictions: Predictions, held_out: Sequence[str | None] | None = None) -> dict[str, Any]:
    """Knowns against unknowns: AUROC, a thinned ROC, and the share of unknowns refused at KNOWN_REFUSED of the knowns.

    Pooled over folds, which asks that strangeness means the same in each; ``folds`` tells of each alone. `held_out`: the true label
    of each unknown flow (None or anything for known ones); with it ``labels`` tells how much of each is refused at the pooled
    threshold. AUROC and what follows are None where one of the two kinds is missing.
    """
    folds = {}
    for fold in np.unique(predictions.fold):
        part = predictions.only(predictions.fold == fold)
        folds[str(fold)] = {key: value for key, value in _figures(part).items() if key != "roc"}
    figures = _figures(predictions)
    if held_out is not None and figures["auroc"] is not None:
        figures["labels"] = _labels(predictions, held_out)
    return {**figures, "folds": folds}


def refused_at(predictions: Predictions, known_refused: float = KNOWN_REFUSED) -> tuple[float, float] | None:
    """Threshold and share of unknowns with more strangeness than it, where at most `known_refused` of the knowns have more.

    Flows of one strangeness are refused together or not at all. None where knowns or unknowns are missing.
    """
    known = np.sort(predictions.strangeness[predictions.known])
    unknown = predictions.strangeness[~predictions.known]
    if not len(known) or not len(unknown):
        return None
    threshold = known[len(known) - 1 - int(known_refused * len(known) + 1e-9)]
    return float(threshold), float((unknown > threshold).mean())


def _figures(predictions: Predictions) -> dict[str, Any]:
    known = predictions.known
    at = refused_at(predictions)
    return {
        "known": int(known.sum()),
        "unknown": int((~known).sum()),
        "auroc": None if at is None else rounded(roc_auc_score(~known, predictions.strangeness)),
        "refused_at_5": None if at is None else rounded(at[1]),
        "roc": [] if at is None else _roc(predictions.strangeness[known], predictions.strangeness[~known]),
    }


def _roc(known: NDArray[np.float32], unknown: NDArray[np.float32]) -> list[list[float]]:
    """Points (share of knowns refused, share of unknowns refused), from none to all."""
    values = np.unique(np.concatenate([known, unknown]))[::-1]
    points = np.stack([1 - np.searchsorted(np.sort(kind), values) / len(kind) for kind in (known, unknown)], axis=1)
    points = np.concatenate([np.zeros((1, 2)), points])
    return [[rounded(x), rounded(y)] for x, y in points[thinned(len(points))]]


def _labels(predictions: Predictions, held_out: Sequence[str | None]) -> dict[str, dict[str, Any]]:
    at = refused_at(predictions)
    assert at is not None, "asked for only where there are knowns and unknowns"
    refused = predictions.strangeness > at[0]
    taken = np.array([str(name) for name in held_out], object)
    result = {}
    for label in sorted(set(taken[~predictions.known])):
        flows = ~predictions.known & (taken == label)
        result[label] = {
            "flows": int(flows.sum()),
            "refused_at_5": share(int(refused[flows].sum()), int(flows.sum())),
            "said": share(int(predictions.said[flows].sum()), int(flows.sum())),
        }
    return result

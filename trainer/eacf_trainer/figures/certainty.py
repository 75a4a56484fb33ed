"""What a confidence is worth: calibration, coverage against accuracy, and what the thresholds gave.

Confidence is the probability of the best label, as in a verdict: "none of these" is left out of the choice, but keeps its share.
Only flows of the labels count here, unless it says otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf_trainer.figures.numbers import rounded, share, thinned
from eacf_trainer.predictions import Predictions

BINS = 10
SHARES = (0.90, 0.95, 0.99)
"""Of right answers, for which the coverage is told."""


def reliability(predictions: Predictions) -> dict[str, Any]:
    """Ten bins of equally many flows by confidence, and the expected calibration error: the mean distance over flows of a bin's
    confidence from its accuracy. Flows of one confidence may fall into two bins; which of them goes where is the row's matter."""
    known = predictions.only(predictions.known)
    right = known.best == known.wanted
    order = np.lexsort((right, known.row, known.confidence))  # no dependence on the order of predictions
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    confidence = [float(known.confidence[part].mean(dtype=np.float64)) for part in bins]
    accuracy = [float(right[part].mean()) for part in bins]
    sizes = np.array([len(part) for part in bins])
    error = float(np.abs(np.subtract(confidence, accuracy)) @ sizes / sizes.sum()) if bins else None
    return {
        "calibration_error": None if error is None else rounded(error),
        "bins": [
            {"confidence": rounded(mean), "accuracy": rounded(hits), "flows": len(part)}
            for mean, hits, part in zip(confidence, accuracy, bins, strict=True)
        ],
    }


def coverage(predictions: Predictions) -> dict[str, Any]:
    """Accuracy of the answers when only the surest flows are answered: the curve, thinned, and the coverage at SHARES of right answers."""
    answered, right, threshold = _answers(predictions)
    flows = int(answered[-1]) if len(answered) else 0
    return {
        "curve": [
            {
                "coverage": rounded(answered[place] / flows),
                "accuracy": rounded(right[place] / answered[place]),
                "confidence": rounded(threshold[place]),
            }
            for place in (thinned(len(answered)) if flows else ())
        ],
        **{f"at_{round(wanted * 100)}": coverage_at(predictions, wanted) for wanted in SHARES},
    }


def coverage_at(predictions: Predictions, wanted: float = 0.95) -> float | None:
    """The greatest share of flows that can be answered, all those of some confidence and above, with `wanted` of the answers right.

    0: at no confidence are so many right. Flows of one confidence are answered together or not at all. None of no flows.
    """
    answered, right, _ = _answers(predictions)
    if not len(answered):
        return None
    enough = answered[right >= wanted * answered - 1e-9]
    return rounded(enough.max(initial=0) / answered[-1])


def _answers(predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each confidence that occurs, greatest first: flows of it and above, how many of them are right, the confidence."""
    known = predictions.only(predictions.known)
    order = np.argsort(-known.confidence, kind="stable")
    confidence = known.confidence[order]
    right = np.cumsum((known.best == known.wanted)[order])
    last = np.flatnonzero(np.append(confidence[1:] != confidence[:-1], True)) if len(known) else np.zeros(0, np.int64)
    return last + 1, right[last], confidence[last]


def thresholds(predictions: Predictions) -> dict[str, Any]:
    """What is said once the thresholds apply, which were chosen inside training.

    ``coverage``: share of the labels' flows that get a label; ``accuracy``: share of those labels that is right; ``unknown_said``: share
    of the other flows that get one all the same. ``known_refused``: share of the labels' flows that get none, of each fold, and the
    least and the worst of them.
    """
    known = predictions.only(predictions.known)
    said = known.only(known.said)
    unknown = predictions.only(~predictions.known)
    refused = {str(fold): rounded(1 - known.said[known.fold == fold].mean()) for fold in np.unique(known.fold)}
    return {
        "coverage": share(len(said), len(known)),
        "accuracy": share(int((said.best == said.wanted).sum()), len(said)),
        "unknown_said": share(int(unknown.said.sum()), len(unknown)),
        "known_refused": {
            "least": min(refused.values(), default=None),
            "worst": max(refused.values(), default=None),
            "folds": refused,
        },
    }

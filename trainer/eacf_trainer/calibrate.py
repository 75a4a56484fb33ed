"""What a score is worth: one temperature, and for each label the confidence from which it may be said.

Both are chosen on validation captures, from the quantised model's own logits, and never on the captures that figures come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LOG_TEMPERATURE = (-3.0, 3.0)
"""Natural logarithms between which a temperature is looked for."""
TOLERANCE = 1e-4
GOLDEN = (5**0.5 - 1) / 2
NEVER = 1.0
"""Threshold of a label that reached the precision at no confidence: only a confidence that rounds to 1 would still pass."""


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Rows of probabilities."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def log_loss(logits: NDArray[np.float32], wanted: NDArray[np.int64], temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the right outputs, in nats."""
    likelihood = softmax(logits, temperature)[np.arange(len(wanted)), wanted]
    return float(-np.log(np.maximum(likelihood, 1e-12)).mean())


def temperature(logits: NDArray[np.float32], wanted: NDArray[np.int64]) -> float:
    """The temperature of the least log-loss, by golden section: the loss has one minimum in it."""
    low, high = LOG_TEMPERATURE
    while high - low > TOLERANCE:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if log_loss(logits, wanted, float(np.exp(left))) < log_loss(logits, wanted, float(np.exp(right))):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)


def thresholds(
    scores: NDArray[np.float64],
    wanted: NDArray[np.int64],
    labels: Sequence[str],
    precision: float,
    *,
    outlier_scores: NDArray[np.float64] | None = None,
    outliers_passed: float = 1.0,
) -> dict[str, float]:
    """For each label the least confidence from which `precision` of its verdicts are right on validation rows.

    `scores` is (n, labels or labels + 1): a row whose best output is beyond the labels says nothing. No threshold is below
    the confidence at which only `outliers_passed` of the rows of `outlier_scores` still get some label.
    """
    floor = 0.0 if outlier_scores is None else passing_confidence(outlier_scores, len(labels), outliers_passed)
    best, confidence = scores.argmax(axis=1), scores.max(axis=1)
    chosen = {}
    for number, label in enumerate(labels):
        said = best == number
        own = least_confidence(confidence[said], wanted[said] == number, precision)
        chosen[label] = max(own, floor)
    return chosen


def least_confidence(confidence: NDArray[np.float64], right: NDArray[np.bool_], precision: float) -> float:
    """The least confidence from which `precision` of the rows are right; NEVER if there is none.

    It lies halfway to the next row below, so that rounding elsewhere moves no row across it.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = np.append(confidence[order], 0.0)
    share = np.cumsum(right[order]) / np.arange(1, len(falling))
    # Rows of equal confidence pass together, so a cut may only lie at the last of them.
    fit = np.flatnonzero((falling[1:] < falling[:-1]) & (share >= precision))
    return float(falling[fit[-1]] + falling[fit[-1] + 1]) / 2 if len(fit) else NEVER


def passing_confidence(scores: NDArray[np.float64], labels: int, share: float) -> float:
    """The confidence that at most `share` of all rows reach with one of the `labels` as best output; 0 if so without."""
    said = scores.argmax(axis=1) < labels
    falling = np.sort(scores.max(axis=1)[said])[::-1]
    allowed = int(share * len(scores))
    if len(falling) <= allowed:
        return 0.0
    above = falling[falling > falling[allowed]]
    return float(falling[allowed] + (above[-1] if len(above) else 1.0)) / 2

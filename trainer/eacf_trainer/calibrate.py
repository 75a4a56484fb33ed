"""What a score is worth: how often a confidence is right, and from which one a label may be said.

All of it is chosen on flows that the model did not learn from, in captures that it did not learn from, from the quantised model's own
logits, and never on the flows that figures come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from eacf_trainer.recipe import Verdicts

NEVER = 1.0
"""Threshold of a label that reached the precision at no confidence: only a confidence that rounds to 1 would still pass."""
LEAST = 1e-6
"""Probabilities are kept so far from 0 and 1 before their logit is taken."""
SLOPES = (0.05, 20.0)
PRIOR = 5.0
"""Flows' weight that the rank among all known flows has beside the rank among those of one label."""
LEAST_ROWS = 20
"""With fewer rows, or all of them right or all wrong, nothing is fitted: the confidence stays what it is."""


@dataclass(frozen=True)
class Calibration:
    """How logits become a verdict."""

    slope: float
    offset: float
    """Confidence is logistic(slope * logit(p) + offset) of the best label's softmax probability p (Platt, 1999)."""
    thresholds: NDArray[np.float64]
    """(labels,) the least confidence with which each is said."""
    known: NDArray[np.float64]
    """(labels,) the least probability of not being background with which a flow that looks like the label is taken for known."""

    def without(self, labels: Sequence[int]) -> Calibration:
        """For a model that does not know these labels."""
        thresholds, known = (np.delete(each, labels) for each in (self.thresholds, self.known))
        return Calibration(self.slope, self.offset, thresholds, known)

    def confidence(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) how sure the best label is, whatever the background says."""
        return platt(best_probability(logits, len(self.thresholds)), self.slope, self.offset)

    def said(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) the best label is said: it reaches its threshold, and the flow is not taken for unknown."""
        best = logits[:, : len(self.thresholds)].argmax(axis=1)
        said: NDArray[np.bool_] = (self.confidence(logits) >= self.thresholds[best]) & ~self.refused(logits)
        return said

    def refused(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) the flow is taken for unknown."""
        best = logits[:, : len(self.thresholds)].argmax(axis=1)
        refused: NDArray[np.bool_] = not_background(logits, len(self.thresholds)) < self.known[best]
        return refused


def calibrate(
    logits: NDArray[np.float32],
    wanted: NDArray[np.int64],
    weights: NDArray[np.float64],
    labels: int,
    settings: Verdicts,
) -> Calibration:
    """From held-out flows. `wanted`: `labels` for those of none; `weights`: (n,) how much each counts where known flows are told from
    unknown ones (those of a large capture less); confidences are held against flows as they come."""
    probability = best_probability(logits, labels)
    best = logits[:, :labels].argmax(axis=1)
    known = wanted < labels
    slope, offset = fit_platt(probability[known], (best == wanted)[known])
    confidence = platt(probability, slope, offset)
    score = not_background(logits, labels)
    least = known_thresholds(score[known], best[known], weights[known], labels, settings.known_refused)
    spoken = score >= least[best]
    thresholds = np.empty(labels)
    for label in range(labels):
        own = spoken & (best == label)
        thresholds[label] = least_confidence(confidence[own], wanted[own] == label, settings.precision)
    return Calibration(slope, offset, thresholds, least)


def not_background(logits: NDArray[np.float32], labels: int) -> NDArray[np.float64]:
    """(n,) probability that the flow is of some label; without a background output, the best label's."""
    probabilities = softmax(logits)
    if logits.shape[1] == labels:
        best: NDArray[np.float64] = probabilities.max(axis=1)
        return best
    rest: NDArray[np.float64] = 1 - probabilities[:, labels]
    return rest


def known_thresholds(
    score: NDArray[np.float64], best: NDArray[np.int64], weights: NDArray[np.float64], labels: int, refused: float
) -> NDArray[np.float64]:
    """(labels,) the least score of a flow whose best label this is, such that `refused` of the known ones lie below.

    Class-conditional conformal prediction: a flow is refused if so few known flows with the same best label score as low. Labels with
    few flows borrow from all: PRIOR flows' weight of the rank among all known flows.
    """
    order = np.argsort(score, kind="stable")
    score, best, weights = score[order], best[order], weights[order]
    overall = np.cumsum(weights) / max(float(weights.sum()), LEAST)
    least = np.zeros(labels)
    for label in range(labels):
        own = np.where(best == label, weights, 0.0)
        rank = (np.cumsum(own) + PRIOR * overall) / (own.sum() + PRIOR)
        reached = np.flatnonzero(rank >= refused)
        if len(reached):
            # Halfway to the next flow below, so that rounding elsewhere moves none across it.
            lower = score[: np.searchsorted(score, score[reached[0]])]
            least[label] = (score[reached[0]] + (lower[-1] if len(lower) else 0.0)) / 2
    return least


def best_probability(logits: NDArray[np.float32], labels: int) -> NDArray[np.float64]:
    """(n,) softmax probability of the best label; the background takes its share of the sum."""
    best: NDArray[np.float64] = softmax(logits)[:, :labels].max(axis=1)
    return best


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Rows of probabilities."""
    scaled = logits.astype(np.float64)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of the logistic function, finite for 0 and 1, too."""
    kept = np.clip(probability, LEAST, 1 - LEAST)
    odds: NDArray[np.float64] = np.log(kept / (1 - kept))
    return odds


def platt(probability: NDArray[np.float64], slope: float, offset: float) -> NDArray[np.float64]:
    """logistic(slope * logit(p) + offset)."""
    calibrated: NDArray[np.float64] = 1 / (1 + np.exp(-(slope * logit(probability) + offset)))
    return calibrated


def fit_platt(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of the greatest likelihood that `right` follows; (1, 0) where there is too little to go by."""
    if len(right) < LEAST_ROWS or right.all() or not right.any():
        return 1.0, 0.0
    found = LogisticRegression(C=1e6).fit(logit(probability)[:, None], right)
    slope = float(np.clip(found.coef_[0, 0], *SLOPES))  # never falling: a surer score must not become a less sure one
    return round(slope, 6), round(float(found.intercept_[0]), 6)


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

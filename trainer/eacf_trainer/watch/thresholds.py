"""When a candidate may speak, chosen on the few held-out samples that a turn has.

A run of `eacf-train fit` has thousands of held-out flows, a turn some hundred, of a label perhaps twenty: one wrong name among
them would silence its label for ever. So a label's precision is smoothed by that of all labels, and what the cross-check (:mod:`.doubt`)
says of wrong names makes up for those that it does not find.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eacf_trainer.calibrate import NEVER, Calibration, calibrate, platt
from eacf_trainer.watch.parent import Parent

LEAST = 40
"""Held-out samples of labels, with fewer of which nothing is calibrated anew."""
LEAST_OF_LABEL = 8
"""Held-out samples of a label that the parent knows, with fewer of which the parent's threshold stays."""
PRIOR = 10.0
"""Samples' weight that the precision of all labels has beside that of one."""
UNTRUSTED = 0.9
"""Threshold of a new label where nothing can be calibrated."""
FOUND = 0.7
"""Share of wrong names that the cross-check finds (0.67 and 0.80 were measured, docs/learning.md)."""


def calibration(
    parent: Parent,
    logits: NDArray[np.float32],
    wanted: NDArray[np.int64],
    labels: Sequence[str],
    *,
    contradicted: float = 0.0,
) -> Calibration:
    """From held-out samples. `contradicted`: the share of samples that the cross-check left out; as many as it did not find among
    what is left do not count against the precision that the recipe asks for."""
    count = len(labels)
    counts = np.bincount(wanted, minlength=count + 1)[:count]
    if counts.sum() < LEAST:
        added = count - len(parent.labels)
        before = parent.calibration
        return Calibration(
            before.slope,
            before.offset,
            np.concatenate([before.thresholds, np.full(added, UNTRUSTED)]),
            np.concatenate([before.known, np.full(added, float(np.median(before.known)))]),
        )
    found = calibrate(logits, wanted, np.ones(len(wanted)), count, parent.recipe.verdicts)
    precision = parent.recipe.verdicts.precision * (1 - contradicted * (1 - FOUND) / FOUND)
    known = found.known.copy()
    best = logits[:, :count].argmax(axis=1)
    spoken = ~found.refused(logits)
    thresholds = smoothed(found.confidence(logits)[spoken], best[spoken], wanted[spoken], count, precision)
    for label in range(len(parent.labels)):
        if counts[label] < LEAST_OF_LABEL:
            thresholds[label] = rescaled(parent.calibration, found, float(parent.calibration.thresholds[label]))
            known[label] = min(known[label], parent.calibration.known[label])
    return Calibration(found.slope, found.offset, thresholds, known)


def smoothed(
    confidence: NDArray[np.float64], best: NDArray[np.int64], wanted: NDArray[np.int64], labels: int, precision: float
) -> NDArray[np.float64]:
    """(labels,) the least confidence from which so many of a label's answers are right, each with PRIOR answers more, of which as many
    are right as of the answers of all labels from that confidence on; halfway to the next answer below."""
    right = best == wanted
    order = np.argsort(-confidence, kind="stable")
    falling, share = confidence[order], np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    thresholds = np.full(labels, NEVER)
    for label in range(labels):
        own = best == label
        ranked = np.argsort(-confidence[own], kind="stable")
        sure, hits = confidence[own][ranked], np.cumsum(right[own][ranked])
        below = np.append(sure[1:], 0.0) if len(sure) else sure
        if len(falling):
            usual = share[np.maximum(np.searchsorted(-falling, -sure, side="right") - 1, 0)]
            reached = (hits + PRIOR * usual) / (np.arange(1, len(sure) + 1) + PRIOR) >= precision
            fit = np.flatnonzero(reached & (below < sure))
            if len(fit):
                thresholds[label] = (sure[fit[-1]] + below[fit[-1]]) / 2
            elif not len(sure):
                pooled = np.flatnonzero(share >= precision)
                thresholds[label] = falling[pooled[-1]] if len(pooled) else NEVER
    return thresholds


def rescaled(before: Calibration, after: Calibration, threshold: float) -> float:
    """The confidence that the probability behind an old one has now."""
    if not 0 < threshold < 1:
        return threshold
    odds = (math.log(threshold / (1 - threshold)) - before.offset) / before.slope
    probability = 1 / (1 + math.exp(-max(min(odds, 50.0), -50.0)))
    return float(platt(np.array([probability]), after.slope, after.offset)[0])

"""Figures of a bundle, from its own verdicts: eacf.inference says them, nothing here repeats what it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_fscore_support

from eacf.flow import Sample
from eacf.inference import Model
from eacf.verdict import Verdict

DIGITS = 4
BINS = 10
SILENT = ("abstained", "refused")


def known(model: Model, samples: Sequence[Sample], wanted: Sequence[str]) -> dict[str, object]:
    """Figures on flows of the bundle's own labels. `wanted`: the label of each sample.

    ``accuracy`` and ``macro_f1`` take the best label of every flow; the others what is said after thresholds: ``coverage`` is the
    share of flows that get a label at all, ``accuracy_covered`` the share of those that is right.
    """
    labels = model.bundle.labels
    truth = np.array([labels.index(label) for label in wanted])
    probabilities = model.scores(samples)
    best = probabilities[:, : len(labels)].argmax(axis=1)
    said = model.verdicts(samples)
    covered = [(verdict.label, label) for verdict, label in zip(said, wanted, strict=True) if verdict.label]
    right = sum(a == b for a, b in covered)
    return {
        "flows": len(samples),
        "accuracy": share(int((best == truth).sum()), len(truth)),
        "macro_f1": rounded(f1_score(truth, best, average="macro")),
        "coverage": share(len(covered), len(said)),
        **silent(said),
        "accuracy_covered": share(right, len(covered)),
        "calibration_error": rounded(calibration_error(probabilities, truth)),
        "labels": per_label(labels, truth, best, said),
    }


def unknown(model: Model, samples: Sequence[Sample]) -> dict[str, object]:
    """Figures on flows of no label of the bundle's: every label said is wrong."""
    said = model.verdicts(samples)
    names = Counter(verdict.label for verdict in said if verdict.label)
    return {
        "flows": len(said),
        **silent(said),
        "said": dict(sorted(names.items())),
    }


def silent(said: Sequence[Verdict]) -> dict[str, float]:
    """Shares of verdicts without a label: the model did not know, or the flow had no record to judge by."""
    return {reason: share(sum(verdict.reason == reason for verdict in said), len(said)) for reason in SILENT}


def per_label(
    labels: Sequence[str], truth: NDArray[np.int64], best: NDArray[np.int64], said: Sequence[Verdict]
) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 of the best label, and how many of the label's flows get any."""
    precision, recall, f1, flows = precision_recall_fscore_support(
        truth, best, labels=range(len(labels)), zero_division=0.0
    )
    answered = Counter(int(number) for number, verdict in zip(truth, said, strict=True) if verdict.label)
    return {
        label: {
            "flows": int(flows[number]),
            "precision": rounded(precision[number]),
            "recall": rounded(recall[number]),
            "f1": rounded(f1[number]),
            "coverage": share(answered[number], int(flows[number])),
        }
        for number, label in enumerate(labels)
    }


def calibration_error(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Expected calibration error of the best output: mean distance of confidence and accuracy over ten equal-mass bins."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    parts = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    return float(
        sum(len(part) * abs(confidence[part].mean() - right[part].mean()) for part in parts if len(part)) / len(truth)
    )


def share(part: int, whole: int) -> float:
    """`part` of `whole`, 0 where there is nothing."""
    return rounded(part / whole) if whole else 0.0


def rounded(value: float) -> float:
    """To DIGITS digits: more would pretend."""
    return round(float(value), DIGITS)

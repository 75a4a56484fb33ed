"""From predictions to figures: pure functions, plain JSON values out, shares between 0 and 1.

``figures.json`` of a run holds :func:`of` for each protocol, under its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eacf_trainer.figures.certainty import coverage, coverage_at, reliability, thresholds
from eacf_trainer.figures.closed import closed, confusion, interval
from eacf_trainer.figures.openset import openset, refused_at
from eacf_trainer.figures.parts import by_group, described, spread, worst
from eacf_trainer.predictions import Predictions

__all__ = [
    "by_group",
    "closed",
    "confusion",
    "coverage",
    "coverage_at",
    "described",
    "interval",
    "of",
    "openset",
    "refused_at",
    "reliability",
    "spread",
    "worst",
]


def of(predictions: Predictions, columns: Mapping[str, Sequence[object]] | None = None) -> dict[str, Any]:
    """Every figure of one protocol.

    `columns`: a value for each flow under the names of the dataset's columns; each makes figures by its values (under ``groups``),
    and ``capture`` the interval too, for which captures are resampled.
    """
    columns = columns or {}
    return {
        **closed(predictions),
        **reliability(predictions),
        "coverage": coverage(predictions),
        "thresholds": thresholds(predictions),
        "interval": interval(predictions, columns["capture"]) if "capture" in columns else None,
        "groups": {name: by_group(predictions, values) for name, values in columns.items()},
        "worst": worst(predictions),
    }

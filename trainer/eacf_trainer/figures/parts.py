"""Figures of parts of the flows, the spread over seeds, and the flows that went most wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from eacf_trainer.figures.certainty import coverage_at, thresholds
from eacf_trainer.figures.closed import closed
from eacf_trainer.figures.numbers import rounded
from eacf_trainer.predictions import Predictions

WORST = 20
NONE = "none"
"""Name of the group of flows whose column is null."""
TOLD = ("server_name", "capture", "uid", "start_ns", "tls_version", "cut", "records")
"""Columns of the dataset that tell what a flow was."""


class Rows(Protocol):
    """Where flows come from: a dataset, in so far as it gives whole columns."""

    def table(self, columns: Sequence[str]) -> Any:
        """A pyarrow table of those columns, all rows in order."""


def by_group(predictions: Predictions, groups: Sequence[object]) -> dict[str, dict[str, Any]]:
    """Figures of the flows of each group (`groups`: one value a flow; null is NONE), sorted by name. Flows of no label are left out.

    ``macro_f1`` is over the labels that the group has, ``labels`` how many these are.
    """
    names = np.array([NONE if group is None else str(group) for group in groups], object)
    result = {}
    for name in sorted(set(names[predictions.known])):
        part = predictions.only((names == name) & predictions.known)
        figures, told = closed(part), thresholds(part)
        result[name] = {
            "flows": figures["flows"],
            "labels": sum(label["flows"] > 0 for label in figures["labels"].values()),
            "accuracy": figures["accuracy"],
            "macro_f1": figures["macro_f1"],
            "coverage": told["coverage"],
            "accuracy_said": told["accuracy"],
            "coverage_at_95": coverage_at(part),
        }
    return result


def spread(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Mean, standard deviation (of a sample, n - 1) and values of each number that all `runs` have, one run a seed.

    ``sd`` is None of a single run. What is nested, text, or None in some run is left out.
    """
    if not runs:
        return {}
    keys = [key for key in runs[0] if all(_is_number(run.get(key)) for run in runs)]
    return {
        key: {
            "mean": rounded(float(np.mean([run[key] for run in runs]))),
            "sd": rounded(float(np.std([run[key] for run in runs], ddof=1))) if len(runs) > 1 else None,
            "values": [rounded(run[key]) for run in runs],
        }
        for key in keys
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def worst(predictions: Predictions, count: int = WORST) -> list[dict[str, Any]]:
    """The most confident wrong flows among those of the labels, surest first."""
    known = predictions.only(predictions.known)
    wrong = known.only(known.best != known.wanted)
    order = np.lexsort((wrong.row, -wrong.confidence))[:count]
    labels = predictions.labels
    return [
        {
            "row": int(wrong.row[place]),
            "fold": int(wrong.fold[place]),
            "wanted": labels[wrong.wanted[place]],
            "best": labels[wrong.best[place]],
            "confidence": rounded(wrong.confidence[place]),
            "said": bool(wrong.said[place]),
        }
        for place in order
    ]


def described(flows: Sequence[Mapping[str, Any]], dataset: Rows) -> list[dict[str, Any]]:
    """The flows of :func:`worst` with what the dataset tells of each: server name, capture, time, record lengths."""
    if not flows:
        return []
    told = dataset.table(TOLD).take([flow["row"] for flow in flows]).to_pylist()
    return [{**flow, **row} for flow, row in zip(flows, told, strict=True)]

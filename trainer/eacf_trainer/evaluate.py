"""What a bundle is worth on a dataset, from its own verdicts: eacf.inference says them, nothing here repeats what it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eacf.flow import Sample
from eacf.inference import Model
from eacf.verdict import Verdict
from eacf_trainer import figures
from eacf_trainer.dataset import Dataset, DatasetError
from eacf_trainer.predictions import UNKNOWN, Predictions
from eacf_trainer.recipe import Cut

Rules = Callable[[str | None], str | None]
"""Server name to label, None where it has none."""


@dataclass(frozen=True)
class Said:
    """Everything that a bundle said of a dataset."""

    predictions: Predictions
    """Of flows that it answered, whether it said a label or kept silent; UNKNOWN: the rules have no label of the bundle's."""
    labels: list[str | None]
    """What it said of each."""
    refused: int
    """Flows that lack what its features need."""
    unnamed: int
    """Flows without a server name, which nothing can be held against."""


def on_dataset(model: Model, dataset: Dataset, rules: Rules) -> dict[str, Any]:
    """Figures of all connections that have a server name, each in the cut that the bundle asks a sensor for."""
    said = ask(model, dataset, rules)
    told = said.predictions
    known, strange = told.only(told.known), ~told.known
    document: dict[str, Any] = {
        "bundle": model.bundle.id,
        "dataset": dataset.id,
        "cut": cut_of(model),
        "flows": len(told),
        "refused": said.refused,
        "unnamed": said.unnamed,
    }
    if len(known):
        made = figures.of(known)
        document["known"] = {
            **{
                key: made[key] for key in ("flows", "accuracy", "macro_f1", "calibration_error", "thresholds", "labels")
            },
            "coverage_at_95": made["coverage"]["at_95"],
        }
    if strange.any():
        wrong = [label for label, odd in zip(said.labels, strange.tolist(), strict=True) if odd and label is not None]
        count = int(strange.sum())
        document["unknown"] = {
            "flows": count,
            "silent": round(1 - len(wrong) / count, 4),
            "said": dict(Counter(wrong).most_common()),
        }
    if len(known) and strange.any():
        document["openset"] = {key: figures.openset(told)[key] for key in ("auroc", "refused_at_5")}
    return document


def ask(model: Model, dataset: Dataset, rules: Rules) -> Said:
    """Every verdict, a batch of samples at a time. Raises DatasetError where the dataset lacks the bundle's cut."""
    number = {label: place for place, label in enumerate(model.bundle.labels)}
    cuts = np.array(dataset.table(["cut"]).column("cut").to_pylist())
    wanted_rows = np.flatnonzero(cuts == cut_of(model))
    if not len(wanted_rows):
        raise DatasetError(
            f"{dataset.folder}: has no samples cut as {cut_of(model)!r}, which is what bundle {model.bundle.id} asks a sensor for; "
            "build it with --cut both"
        )
    parts: list[Predictions] = []
    labels: list[str | None] = []
    refused = unnamed = 0
    for rows, samples in dataset.samples(wanted_rows, payload=model.bundle.needs.payload_bytes > 0):
        verdicts = model.verdicts(samples)
        keep = []
        for place, (sample, verdict) in enumerate(zip(samples, verdicts, strict=True)):
            unnamed += sample.server_name is None
            refused += sample.server_name is not None and verdict.reason == "refused"
            if sample.server_name is not None and verdict.reason != "refused":
                keep.append(place)
        answered = [verdicts[place] for place in keep]
        asked = [samples[place] for place in keep]
        truth = [number.get(rules(sample.server_name) or "", UNKNOWN) for sample in asked]
        parts.append(_predictions(model, rows[keep], asked, answered, truth))
        labels += [verdict.label for verdict in answered]
    joined = Predictions.joined(parts or [_predictions(model, np.zeros(0, np.int64), [], [], [])])
    return Said(joined, labels, refused, unnamed)


def cut_of(model: Model) -> Cut:
    """The cut that a sensor would send to this bundle."""
    return "records" if model.bundle.needs.records_only else "stream"


def _predictions(
    model: Model, rows: NDArray[np.int64], samples: Sequence[Sample], verdicts: Sequence[Verdict], truth: Sequence[int]
) -> Predictions:
    probabilities = model.scores(samples)
    return Predictions(
        labels=model.bundle.labels,
        row=rows,
        wanted=np.array(truth, np.int64),
        probabilities=probabilities,
        strangeness=1 - probabilities[:, : len(model.bundle.labels)].max(axis=1, initial=0),
        said=np.array([verdict.label is not None for verdict in verdicts], bool),
        fold=np.zeros(len(rows), np.int64),
        calibrated=np.array([verdict.confidence for verdict in verdicts], np.float32),
    )

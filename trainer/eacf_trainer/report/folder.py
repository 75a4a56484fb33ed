"""A run folder as the report reads it. What is not there yet is None: the report says so, and shows the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eacf.errors import EacfError, SettingError
from eacf_trainer import figures
from eacf_trainer.figures.parts import Rows
from eacf_trainer.predictions import Predictions

PROTOCOLS = ("grouped", "environment", "client", "time", "random")
"""In the order of the report, but for the one that the recipe splits by, which comes first."""
UNKNOWN_FLOWS = "unknown"
"""Name of the predictions with labels held out."""
COLUMNS = ("tls_version", "cut", "capture")
"""Columns whose values make parts of the flows."""


class ReportError(EacfError, ValueError):
    """A run folder holds a file that is none of `eacf-train fit`'s. The message names it and the remedy."""


@dataclass(frozen=True)
class Run:
    """What a run folder holds."""

    folder: Path
    config: Mapping[str, Any]
    versions: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] | None = None
    splits: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Figures (`eacf_trainer.figures.of`) by protocol, the one that the recipe splits by first."""
    openset: Mapping[str, Any] | None = None
    seeds: Mapping[str, Any] = field(default_factory=dict)
    compare: Mapping[str, Any] = field(default_factory=dict)
    """Spread over seeds by estimator and protocol."""
    early: Mapping[str, Any] | None = None
    model: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """Of the recipe."""
        return str(self.config.get("recipe", {}).get("name", self.folder.name))

    @property
    def main(self) -> str | None:
        """The protocol that the headline tells, the first one; None: no protocol was run to its end."""
        return next(iter(self.protocols), None)


def config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a run folder; SettingError where the folder is none."""
    found = _json(folder, "config")
    if found is None:
        raise SettingError(
            f"{folder}: no run folder (it has no config.json); name a folder that `eacf-train fit` wrote"
        )
    return found


def read(folder: Path, dataset: Rows | None = None) -> Run:
    """Read a run folder. Figures are made from ``predictions/`` where they are there, else taken from ``figures.json``.

    `dataset`: the run's own; it tells server names, TLS versions and captures.
    """
    told = config(folder)
    known = _json(folder, "figures") or {}
    unknown = _predictions(folder, UNKNOWN_FLOWS)
    openset = known.get("openset")
    if unknown is not None:
        openset = {**(openset or {}), **figures.openset(unknown)}
    protocols = {}
    by = (told.get("recipe") or {}).get("split", {}).get("by")
    for name in sorted(PROTOCOLS, key=lambda name: name != by):
        made = _protocol(folder, name, known.get(name) or {}, dataset)
        if made:
            protocols[name] = made
    return Run(
        folder=folder,
        config=told,
        versions=_json(folder, "versions") or {},
        dataset=_json(folder, "dataset"),
        splits=_json(folder, "splits") or {},
        history=_json(folder, "history") or {},
        protocols=protocols,
        openset=openset,
        seeds=known.get("seeds") or {},
        compare=known.get("compare") or {},
        early=known.get("early"),
        model=known.get("model"),
    )


def _protocol(folder: Path, name: str, known: Mapping[str, Any], dataset: Rows | None) -> dict[str, Any]:
    predictions = _predictions(folder, name)
    if predictions is None:
        return dict(known)
    if dataset is None:
        # What needs the dataset is as the fit told it.
        told = {key: known[key] for key in ("groups", "interval", "worst") if known.get(key)}
        return {**figures.of(predictions), **told}
    table = dataset.table(COLUMNS)
    if len(predictions) and predictions.row.max() >= len(table):
        raise ReportError(
            f"{folder / 'predictions' / name}.npz: tells of row {predictions.row.max()}, and the dataset has {len(table)}; "
            "name the dataset of this run, or fit again"
        )
    taken = table.take(predictions.row)
    made = figures.of(predictions, {column: taken.column(column).to_pylist() for column in COLUMNS})
    return {**made, "worst": figures.described(made["worst"], dataset)}


def _predictions(folder: Path, name: str) -> Predictions | None:
    path = folder / "predictions" / f"{name}.npz"
    return Predictions.load(path) if path.exists() else None


def _json(folder: Path, name: str) -> dict[str, Any] | None:
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text("utf-8"))
    except ValueError as error:  # UnicodeDecodeError is one
        raise ReportError(f"{path}: is no JSON ({error}); fit again") from error
    if not isinstance(document, dict):
        raise ReportError(f"{path}: holds {type(document).__name__}, must hold an object; fit again")
    return document

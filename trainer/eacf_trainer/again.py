"""A run's model once more, from its folder alone: its network with the float weights, and its bundle with other thresholds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from eacf import bundle
from eacf.bundle import Bundle
from eacf.errors import SettingError
from eacf.features import from_spec
from eacf_trainer import networks, quantise, recipe, runs, trained
from eacf_trainer.calibrate import calibrate
from eacf_trainer.export import verdict_rules
from eacf_trainer.recipe import Recipe
from eacf_trainer.trained import Trained

THRESHOLDS = ("coverage", "accuracy_said")
CALIBRATING = "calibrating.npz"
"""Of a run folder: what its folds said of flows that they had not seen, from which thresholds are chosen."""


def config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a run that was finished. Raises SettingError."""
    found = runs.read(folder / "config.json")
    if found is None:
        raise SettingError(
            f"{folder}: no run folder (it has no config.json); name a folder that `eacf-train fit` wrote"
        )
    if not found.get("bundle"):
        raise SettingError(
            f"{folder}: the run was not finished, or its model cannot be exported; run `eacf-train fit` again"
        )
    return found


def model(folder: Path) -> tuple[Recipe, Trained]:
    """The recipe of a run and its model, float weights and all. Raises SettingError where the folder is not whole."""
    used = recipe.parse(config(folder)["recipe"], str(folder / "config.json"))
    spec = runs.read(folder / "features.json")
    try:
        with np.load(folder / "weights.npz") as held:
            weights = [held[name] for name in held.files]
        with np.load(folder / "ranges.npz") as held:
            ranges = held["rows"]
        with np.load(folder / CALIBRATING) as held:
            labels = int(held["labels"])
        features = from_spec(spec)
        networks.deterministic(0)
        outputs = len(weights[-1])
        network = networks.build(used.network, features.shape[0], outputs)
        network.set_weights(weights)
    except (OSError, EOFError, BadZipFile, LookupError, TypeError, ValueError) as error:
        raise SettingError(f"{folder}: is not whole ({error}); run `eacf-train fit` again into a new folder") from None
    mu, sd = trained.normalisation(used, ranges) if used.input.features == "lengths" else _ends(folder)
    made, ends = quantise.convert(network, ranges, mu, sd)
    return used, Trained(network, features, mu, sd, labels, outputs > labels, made, ends, ranges, [], [])


def without_thresholds(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures without those that say what the run's own thresholds gave."""
    return {
        name: {key: value for key, value in told.items() if key not in THRESHOLDS}
        if isinstance(told, Mapping)
        else told
        for name, told in figures.items()
    }


def _ends(folder: Path) -> tuple[int, float]:
    document = runs.read(folder / "calibration.json") or {}
    return int(document["mu"]), float(document["sd"])


def export(
    folder: Path,
    out: Path,
    *,
    name: str | None = None,
    precision: float | None = None,
    known_refused: float | None = None,
) -> Bundle:
    """Write the bundle of a run to `out`. Without other arguments: the same bytes as the run's own."""
    told = config(folder)
    kept = bundle.load(folder / f"{told['recipe']['name']}.eacf").manifest.document
    used, made = model(folder)
    verdicts = used.verdicts
    for key, value in (("precision", precision), ("known_refused", known_refused)):
        if value is not None:
            if not 0 <= value <= 1:
                raise SettingError(f"--{key.replace('_', '-')} {value}: must be from 0 to 1")
            told["recipe"]["verdicts"][key] = value
            verdicts = recipe.parse(told["recipe"], str(folder)).verdicts
    with np.load(folder / CALIBRATING) as held:
        found = calibrate(held["logits"], held["wanted"], held["weights"], made.outputs, verdicts)
    document = {key: value for key, value in kept.items() if key not in ("format", "id", "members", "needs")}
    document |= verdict_rules(document["labels"], found)
    if verdicts != used.verdicts:
        document["figures"] = without_thresholds(document["figures"])
    document["training"] = json.loads(json.dumps(document["training"])) | {"recipe": told["recipe"]}
    return bundle.write(out, document | ({"name": name} if name else {}), made.model)

"""What an update goes on from: a run folder's float weights, features, kept rows and calibration, and its bundle. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from eacf import bundle
from eacf.bundle import Bundle
from eacf.errors import BundleError, SettingError
from eacf.features import Features
from eacf_trainer import recipe, runs
from eacf_trainer.calibrate import Calibration
from eacf_trainer.recipe import Recipe
from eacf_trainer.watch.home import SHIPPED


@dataclass(frozen=True)
class Parent:
    """A model with all that another one can go on from."""

    id: str
    """Of its bundle."""
    recipe: Recipe
    labels: tuple[str, ...]
    background: bool
    """It has one more output, "none of these"."""
    features: Features
    weights: tuple[NDArray[np.float32], ...]
    """Float, in the order that ``set_weights`` takes them."""
    ranges: NDArray[np.uint8]
    """(n, width) rows that it kept: of each of its labels some."""
    calibration: Calibration
    mu: int
    sd: float
    document: Mapping[str, Any]
    """Its bundle's manifest."""
    model: bytes
    """Its bundle's model, int8."""
    seed: int = 1


def read(folder: Path) -> Parent:
    """That of a run folder, which `eacf-train fit` or an update wrote. Raises SettingError where it is not whole."""
    told = config(folder)
    used = recipe.parse(told["recipe"], str(folder / "config.json"))
    if used.network.kind == "estimator":
        raise SettingError(f"{folder}: its model is an estimator, which cannot be updated; name a network's run folder")
    held = _bundle(folder, used.name, str(told["bundle"]))
    document = runs.read(folder / "calibration.json")
    try:
        if document is None:
            raise KeyError("calibration.json")
        with np.load(folder / "weights.npz") as arrays:
            weights = tuple(arrays[name] for name in arrays.files)
        with np.load(folder / "ranges.npz") as arrays:
            ranges = arrays["rows"]
        found = Calibration(
            float(document["slope"]),
            float(document["offset"]),
            np.asarray(document["thresholds"], np.float64),
            np.asarray(document["known"], np.float64),
        )
        mu, sd = int(document["mu"]), float(document["sd"])
    except (OSError, EOFError, BadZipFile, LookupError, TypeError, ValueError) as error:
        raise SettingError(f"{folder}: is not whole ({error}); name a folder that `eacf-train fit` wrote") from None
    manifest = held.manifest
    outputs = manifest.outputs
    if len(weights[-1]) != outputs or ranges.shape[1:] != manifest.features.shape:
        raise SettingError(
            f"{folder}: its weights are not those of its bundle {held.id}; name a folder that is as it was written"
        )
    return Parent(
        id=held.id,
        recipe=used,
        labels=manifest.labels,
        background=manifest.background,
        features=manifest.features,
        weights=weights,
        ranges=ranges,
        calibration=found,
        mu=mu,
        sd=sd,
        document=manifest.document,
        model=held.model,
        seed=int(told.get("seed", 1)),
    )


def config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a run that was finished. Raises SettingError."""
    found = runs.read(folder / "config.json")
    if found is None or not found.get("bundle"):
        raise SettingError(
            f"{folder}: no run folder of a finished model (config.json names none); name a folder that `eacf-train fit` wrote, "
            f"or a shipped one: {', '.join(sorted(path.name for path in SHIPPED.iterdir()))}"
        )
    return found


def find(name_or_folder: str) -> Path:
    """A run folder: a shipped one by its name (`testbed`), else the folder itself."""
    shipped = SHIPPED / name_or_folder
    return shipped if name_or_folder.isidentifier() and shipped.is_dir() else Path(name_or_folder)


def _bundle(folder: Path, name: str, wanted: str) -> Bundle:
    """A run's bundle, beside it; a shipped run's is the plugin's."""
    beside = folder / f"{name}.eacf"
    path = beside if beside.exists() else bundle.find(name)
    try:
        held = bundle.load(path)
    except BundleError as error:
        raise SettingError(f"{folder}: its bundle cannot be read: {error}") from None
    if held.id != wanted:
        raise SettingError(f"{path}: is bundle {held.id}, the run's is {wanted}; put the run's own bundle there")
    return held

"""What an update goes on from: a run folder's float weights, features, kept rows and calibration, and its bundle. No TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError
from eacf.features import Features
from eacf_trainer import recipe, runs
from eacf_trainer.calibrate import Calibration
from eacf_trainer.recipe import Network, Recipe
from eacf_trainer.watch.home import SHIPPED, finished


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
    told, _, held = finished(folder)
    used = recipe.parse(told["recipe"], str(folder / "config.json"))
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
        mu, sd, seed = int(document["mu"]), float(document["sd"]), int(told.get("seed", 1))
    except (OSError, EOFError, BadZipFile, LookupError, TypeError, ValueError) as error:
        raise SettingError(f"{folder}: is not whole ({error}); name a folder that `eacf-train fit` wrote") from None
    manifest = held.manifest
    labels = (len(manifest.labels),)
    if (
        not _fit(weights, used.network, manifest.features.shape[0], manifest.outputs)
        or ranges.shape[1:] != manifest.features.shape
        or not found.thresholds.shape == found.known.shape == labels
    ):
        raise SettingError(
            f"{folder}: its weights, ranges or calibration are not those of its bundle {held.id}; name a folder that is as it was "
            "written"
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
        seed=seed,
    )


def find(name_or_folder: str) -> Path:
    """A run folder: a shipped one by its name (`testbed`), else the folder itself."""
    shipped = SHIPPED / name_or_folder
    return shipped if name_or_folder.isidentifier() and shipped.is_dir() else Path(name_or_folder)


def _fit(weights: Sequence[NDArray[np.float32]], network: Network, width: int, outputs: int) -> bool:
    """Whether a network of these settings takes them. Of the paper's the ends alone are looked at."""
    shapes = [each.shape for each in weights]
    if network.kind != "dense":
        return shapes[-1:] == [(outputs,)]
    sizes = [width, *(network.members * units for units in network.hidden), outputs]
    return shapes == [shape for size, units in pairwise(sizes) for shape in ((size, units), (units,))]

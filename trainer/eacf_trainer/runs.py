"""The run folder: everything that made a bundle and came out of it, as files that another program can read."""

from __future__ import annotations

import json
import os
import platform
import ssl
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import eacf
from eacf_trainer import networks
from eacf_trainer.config import CREATED, Recipe
from eacf_trainer.training import Trained

INDENT = {"config": 1, "versions": 1, "features": None, "history": None, "figures": 1}
"""Long lists of numbers stay on one line."""
LIBRARIES = ("ai-edge-litert", "keras", "numpy", "scikit-learn", "tensorflow-cpu")


def write(
    folder: Path,
    recipe: Recipe,
    captures: Mapping[str, Any],
    trained: Trained,
    figures: Mapping[str, Any],
    bundle_id: str,
) -> None:
    """Write config, versions, features, float weights, history and figures; files of an earlier run are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = {
        "config": {
            "recipe": plain(recipe),
            "captures": captures,
            "bundle": bundle_id,
        },
        "versions": {**versions(), "machine": platform.machine()},
        "features": trained.features.spec(),
        "history": trained.history,
        "figures": figures,
    }
    for name, document in documents.items():
        replace(folder / f"{name}.json", (json.dumps(document, indent=INDENT[name]) + "\n").encode())
    beside = folder / ".weights.npz"
    arrays: dict[str, Any] = dict(networks.weights(trained.network))
    np.savez(beside, **arrays)
    beside.replace(folder / "weights.npz")


def replace(path: Path, data: bytes) -> None:
    """Write beside `path`, then put it there in one step."""
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(data)
    beside.replace(path)


def plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON values."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    return document


def versions() -> dict[str, str]:
    """Of all that has a say in a bundle's bytes."""
    return {
        "eacf": eacf.__version__,
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        **{name: version(name) for name in LIBRARIES},
    }


def created() -> str:
    """When a manifest says it was made: SOURCE_DATE_EPOCH if it is set, else a fixed time, never the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if epoch else CREATED

"""The run folder: everything that made a bundle and came out of it, as files that another program can read.

Each file is written beside and put in place in one step, so that a folder whose process was killed holds whole files only.
"""

from __future__ import annotations

import fcntl
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from eacf.errors import SettingError
from eacf.files import replace
from eacf.labels import LabelRules
from eacf_trainer import estimators
from eacf_trainer.dataset import Dataset
from eacf_trainer.predictions import Predictions
from eacf_trainer.recipe import Recipe

INDENT = {"history": None}
"""Long lists of numbers stay on one line; all others are indented by 1."""
CREATED = "2026-11-01T00:00:00Z"
"""What a manifest says it was created at unless SOURCE_DATE_EPOCH says otherwise; raised by hand with each release."""


@dataclass(frozen=True)
class Folder:
    """A run folder that this process has to itself. See the documents in docs/runs.md."""

    path: Path
    lock: BinaryIO

    @classmethod
    def open(
        cls,
        path: Path,
        dataset: Dataset,
        rules: LabelRules,
        recipe: Recipe,
        seeds: tuple[int, ...],
        bundle: str | None = None,
    ) -> Self:
        """A new one, or one of the same run to go on with. Raises SettingError where another run lies there, or is at work."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = (path / ".lock").open("wb")
        except OSError as error:
            raise SettingError(f"--out {path}: {error.strerror}; name a folder that can be written") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingError(
                f"--out {path}: another process works on this run; wait for it, or name another folder"
            ) from None
        folder = cls(path, lock)
        config = {
            "recipe": recipe.document(),
            "seed": seeds[0],
            "seeds": list(seeds),
            "dataset": {"id": dataset.id, "rows": dataset.rows, "folder": str(dataset.folder)},
            "label_map": rules.summary,
        }
        kept = read(path / "config.json")
        different = [key for key in config if kept is not None and _deciding(kept.get(key)) != _deciding(config[key])]
        if different:
            raise SettingError(
                f"--out {path}: holds a run with another {different[0]}; name another folder, or give what that run was given"
            )
        folder.write("config", config | {"bundle": kept.get("bundle") if kept else bundle})
        folder.write("versions", versions())
        return folder

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """``name.json``."""
        text = json.dumps(document, indent=INDENT.get(name, 1), ensure_ascii=True, allow_nan=False)
        replace(self.path / f"{name}.json", text.encode() + b"\n")

    def keep(self, name: str, predictions: Predictions) -> None:
        """``predictions/name.npz``."""
        home = self.path / "predictions"
        home.mkdir(exist_ok=True)
        predictions.save(home / f"{name}.npz")

    def log(self, text: str) -> None:
        """A line of log.txt, with the time."""
        with (self.path / "log.txt").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")

    def done(self, bundle: str) -> None:
        """Say in config.json which bundle came out."""
        self.write("config", (read(self.path / "config.json") or {}) | {"bundle": bundle})


def read(path: Path) -> dict[str, Any] | None:
    """A JSON object of a run folder; None where there is none. Raises SettingError where the file is something else."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingError(f"{path}: cannot be read ({error}); name a folder that `eacf-train fit` wrote") from None
    if not isinstance(document, dict):
        raise SettingError(f"{path}: holds no object; name a folder that `eacf-train fit` wrote")
    return document


def _deciding(value: Any) -> Any:
    """Without where a dataset lies: it may be moved."""
    return {key: each for key, each in value.items() if key != "folder"} if isinstance(value, dict) else value


def versions() -> dict[str, str]:
    """Of all that has a say in a bundle's bytes."""
    return {**estimators.versions(), "openssl": ssl.OPENSSL_VERSION}


def created() -> str:
    """When a manifest says it was made: SOURCE_DATE_EPOCH if it is set, else a fixed time, never the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if epoch else CREATED

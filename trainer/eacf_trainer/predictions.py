"""What models said of flows that they were not trained on: the one form in which results travel from a fit to figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from eacf.errors import EacfError

UNKNOWN = -1
"""`wanted` of a flow that is of none of the labels."""


class PredictionsError(EacfError):
    """A file that holds no predictions."""


@dataclass(frozen=True)
class Predictions:
    """Flows of all test folds together, one row each, in no particular order."""

    labels: tuple[str, ...]
    row: NDArray[np.int64]
    """(n,) row of the dataset."""
    wanted: NDArray[np.int64]
    """(n,) number of the label; UNKNOWN: none of them."""
    probabilities: NDArray[np.float32]
    """(n, labels), or one more column last, "none of these"; calibrated, rows sum to 1."""
    strangeness: NDArray[np.float32]
    """(n,) the greater, the less the model knows such flows."""
    said: NDArray[np.bool_]
    """(n,) the best label would be said: it passes the thresholds, which were chosen inside training."""
    fold: NDArray[np.int64]
    """(n,) whose model spoke."""

    def __post_init__(self) -> None:
        shapes = {
            "row": (len(self.row),),
            "wanted": (len(self.row),),
            "strangeness": (len(self.row),),
            "said": (len(self.row),),
            "fold": (len(self.row),),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"predictions: {name} is {getattr(self, name).shape}, must be {shape}")
        if self.probabilities.shape not in ((len(self), len(self.labels)), (len(self), len(self.labels) + 1)):
            raise ValueError(f"predictions: probabilities are {self.probabilities.shape} for {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.row)

    @property
    def best(self) -> NDArray[np.int64]:
        """(n,) number of the greatest probability among the labels."""
        best: NDArray[np.int64] = self.probabilities[:, : len(self.labels)].argmax(axis=1)
        return best

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(n,) probability of the best label."""
        greatest: NDArray[np.float32] = self.probabilities[:, : len(self.labels)].max(axis=1, initial=0)
        return greatest

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) the flow is of one of the labels."""
        known: NDArray[np.bool_] = self.wanted != UNKNOWN
        return known

    def only(self, keep: NDArray[Any]) -> Predictions:
        """Those rows, by mask or by position."""
        arrays = {name: getattr(self, name)[keep] for name in ARRAYS}
        return Predictions(self.labels, **arrays)

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Self:
        """All rows of `parts`, which must be of the same labels."""
        if not parts or any(part.labels != parts[0].labels for part in parts):
            raise ValueError("predictions: parts must be of the same labels, and one at least")
        return cls(
            parts[0].labels, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
        )

    def save(self, path: Path) -> None:
        """Write beside `path`, then put it there in one step."""
        beside = path.with_name(f".{path.name}")
        arrays: dict[str, Any] = {name: getattr(self, name) for name in ARRAYS}
        with beside.open("wb") as file:
            np.savez_compressed(file, labels=np.array(self.labels), **arrays)
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises PredictionsError where the file is not one of :meth:`save`."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(tuple(arrays["labels"].tolist()), **{name: arrays[name] for name in ARRAYS})
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise PredictionsError(f"{path}: holds no predictions ({error}); fit again") from error


ARRAYS = tuple(field.name for field in fields(Predictions) if field.name != "labels")

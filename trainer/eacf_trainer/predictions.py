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
    """(n, labels), or one more column last, "none of these"; rows sum to 1."""
    strangeness: NDArray[np.float32]
    """(n,) the greater, the less the model knows such flows."""
    said: NDArray[np.bool_]
    """(n,) the best label would be said: it passes the thresholds, which were chosen inside training."""
    fold: NDArray[np.int64]
    """(n,) whose model spoke."""
    calibrated: NDArray[np.float32] | None = None
    """(n,) what the best label's probability is worth, where that was calibrated."""

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
        """(n,) of the best label: its probability, calibrated where that was done."""
        if self.calibrated is not None:
            return self.calibrated
        greatest: NDArray[np.float32] = self.probabilities[:, : len(self.labels)].max(axis=1, initial=0)
        return greatest

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) the flow is of one of the labels."""
        known: NDArray[np.bool_] = self.wanted != UNKNOWN
        return known

    def only(self, keep: NDArray[Any]) -> Predictions:
        """Those rows, by mask or by position."""
        return Predictions(self.labels, **{name: array[keep] for name, array in self._arrays().items()})

    def _arrays(self) -> dict[str, Any]:
        """All that have a row for each flow."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def joined(cls, parts: Sequence[Predictions]) -> Self:
        """All rows of `parts`, which must be of the same labels."""
        if not parts or any(part.labels != parts[0].labels for part in parts):
            raise ValueError("predictions: parts must be of the same labels, and one at least")
        several = [part._arrays() for part in parts]
        names = [name for name in several[0] if all(name in each for each in several)]
        return cls(parts[0].labels, **{name: np.concatenate([each[name] for each in several]) for name in names})

    def save(self, path: Path) -> None:
        """Write beside `path`, then put it there in one step."""
        beside = path.with_name(f".{path.name}")
        with beside.open("wb") as file:
            np.savez_compressed(file, labels=np.array(self.labels), **self._arrays())
        beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises PredictionsError where the file is not one of :meth:`save`."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(
                    tuple(arrays["labels"].tolist()), **{name: arrays[name] for name in ARRAYS if name in arrays}
                )
        except (OSError, KeyError, TypeError, ValueError, EOFError, BadZipFile) as error:
            raise PredictionsError(f"{path}: holds no predictions ({error}); fit again") from error


ARRAYS = tuple(field.name for field in fields(Predictions) if field.name != "labels")

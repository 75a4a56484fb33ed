"""Flows as rows of bytes, and rows as what a model is given: z-score with one mu and one sd over all training bytes (paper, III-A-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eacf.features import Features, GapsOnly, Paper, PayloadOnly
from eacf.flow import Sample

BOTH, PAYLOAD, GAPS = "both", "payload", "gaps"


def features(kind: str, size: int) -> Features:
    """`size`: bytes a row, of GAPS the number of gaps."""
    if kind == GAPS:
        return GapsOnly(size)
    return Paper(size) if kind == BOTH else PayloadOnly(size)


def rows(kind: str, size: int, samples: Sequence[Sample]) -> NDArray[np.uint8]:
    """(n, size) uint8, of GAPS (n, 4 * size)."""
    return features(kind, size).encode(samples)


@dataclass(frozen=True)
class Scale:
    """What z-score needs. mu is a whole number, so that an int8 model folds it in exactly; float models get the same."""

    mu: int
    sd: float

    @classmethod
    def of(cls, train: NDArray[np.uint8]) -> Scale:
        """Of all bytes of the training rows. Rows of one value alone (no flow has a second chunk) have sd 1."""
        return cls(round(float(train.mean())), round(float(train.std()), 3) or 1.0)

    def normalised(self, part: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(byte - mu) / sd."""
        return (part.astype(np.float32) - np.float32(self.mu)) / np.float32(self.sd)

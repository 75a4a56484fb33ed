"""Shares and rounded numbers, None where there is nothing to measure: a figure is measured or not said."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

DIGITS = 4
"""More would pretend."""
POINTS = 200
"""Of a curve at most."""


def share(part: float, whole: float) -> float | None:
    """`part` of `whole`; None of nothing."""
    return rounded(part / whole) if whole else None


def rounded(value: float) -> float:
    """To DIGITS digits, never -0."""
    if not math.isfinite(value):
        raise ValueError(f"a figure came out as {value}")
    return round(float(value), DIGITS) + 0.0


def thinned(length: int, points: int = POINTS) -> NDArray[np.int64]:
    """Positions of at most `points` out of `length`, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, length - 1, min(length, points)).round().astype(np.int64))

"""Whether the flows that no name can examine still look as they did: a two-sample Kolmogorov-Smirnov test.

A few lengths of each are kept: of the first ones that a model met (the reference) and of the latest. scipy has the test,
too; importing it takes 0.7 s and 76 MB.
"""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

from eacf.flow import Sample
from eacf.truth.fair import Fair

NAMES = ("bytes sent", "bytes received", "first record sent", "first record received")
"""What is compared; "sent" is the originator's."""
REFERENCE = 1000
"""Flows in the reference."""
LATEST = 500
"""Flows that are held against it; once they are all new ones, they are."""
NEVER_IDLE = 2 * LATEST
"""So many new ones, and they are held against it in between: the worker has had no time to itself."""
LEAST = 100
"""Flows on either side without which nothing is said."""
CERTAIN = 1e-4
"""p below this, for all lengths together (Bonferroni), is no chance."""
LARGE = 0.25
"""Distances below this are chance or not, too small to matter; also more than one client can make with its fifth."""
IN_A_ROW = 2
"""So many tests must agree."""


def lengths(sample: Sample) -> tuple[int, ...] | None:
    """What is compared of a flow; None where its records are not known."""
    sent = [length for length in sample.records if length > 0]
    received = [-length for length in sample.records if length < 0]
    if not sent and not received:
        return None
    return sum(sent), sum(received), sent[0] if sent else 0, received[0] if received else 0


def kolmogorov_smirnov(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[float, float]:
    """The greatest distance of the two distributions, and how probable one so great is by chance. Shapes (M,) and (N,).

    The first term of Kolmogorov's series with Stephens's correction for few samples: below p = 0.1 within a few parts in a
    hundred of the whole, above that too great (1 at most).
    """
    first, second = np.sort(first), np.sort(second)
    at = np.concatenate([first, second])
    shares = [np.searchsorted(each, at, side="right") / len(each) for each in (first, second)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    root = sqrt(len(first) * len(second) / (len(first) + len(second)))
    return distance, min(1.0, 2.0 * exp(-2.0 * (distance * (root + 0.12 + 0.11 / root)) ** 2))


class Inputs:
    """See the module. One client gives a fifth of either side at most."""

    def __init__(self) -> None:
        self.changed = False
        """Whether the last tests agreed that they are others."""
        self.distance: float | None = None
        """The greatest one of the last test; None: there was none yet."""
        self.text = ""
        """What the last test found, in words."""
        self._reference: Fair[tuple[int, ...]] = Fair(REFERENCE)
        self._latest: Fair[tuple[int, ...]] = Fair(LATEST)
        self._columns: list[NDArray[np.int64]] = []
        """Of the reference, once it is complete."""
        self._new = 0
        self._in_a_row = 0

    @property
    def sizes(self) -> tuple[int, int]:
        """Flows in the reference and among the latest."""
        return len(self._reference), len(self._latest)

    def add(self, client: int, sample: Sample) -> None:
        """Take one flow."""
        found = lengths(sample)
        if found is None:
            return
        self._new += 1
        if not self._columns:
            self._reference.push(client, found)
            if self._new >= REFERENCE and len(self._reference) >= LEAST:
                self._columns, self._new = _columns(self._reference), 0
            return
        self._latest.push(client, found)
        if self._new >= NEVER_IDLE:
            self.test()

    def test(self) -> None:
        """Hold the latest flows against the reference if it is time: once in `LATEST` flows. Takes about 2 ms then."""
        if not self._columns or self._new < LATEST or len(self._latest) < LEAST:
            return
        self._new = 0
        pairs = zip(self._columns, _columns(self._latest), strict=True)
        tests = [kolmogorov_smirnov(first, second) for first, second in pairs]
        differ = [
            (distance, name)
            for (distance, p), name in zip(tests, NAMES, strict=True)
            if distance >= LARGE and p * len(NAMES) < CERTAIN
        ]
        self.distance = round(max(distance for distance, _ in tests), 4)
        self._in_a_row = self._in_a_row + 1 if differ else 0
        self.changed = self._in_a_row >= IN_A_ROW
        said = ", ".join(f"{name} (distance {distance:.2f})" for distance, name in sorted(differ, reverse=True))
        self.text = f"flows whose name tells nothing look different: {said}" if differ else ""


def _columns(of: Fair[tuple[int, ...]]) -> list[NDArray[np.int64]]:
    return list(np.array(of.things(), np.int64).T)

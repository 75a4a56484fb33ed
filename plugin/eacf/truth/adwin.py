"""ADWIN: a window of numbers that forgets its older part when that differs from the newer one (Bifet and Gavaldà,
"Learning from time-changing data with adaptive windowing", SDM 2007, section 3, ADWIN2).

The same detections as river's ``drift.ADWIN``, which tests hold it against. That one is not a dependency, since a
worker would pay for it with 166 MB of memory and 0.9 s at its start (it imports the whole of scipy.stats and pandas).
"""

from __future__ import annotations

import math
from typing import NamedTuple

BUCKETS = 5
"""Of one size at most; two of one more are merged. A window of n numbers takes `BUCKETS` * log2(n / `BUCKETS`) buckets."""
CHECK_EVERY = 32
"""Numbers between two looks."""
LEAST = 5
"""Numbers in a part that is compared."""
GRACE = 10
"""Numbers before the first look."""


class Change(NamedTuple):
    """What was found: means of the part that was forgotten and of the one that is kept."""

    before: float
    after: float


class _Bucket(NamedTuple):
    total: float
    variance: float
    """Sum of squared distances from the bucket's mean."""


class Adwin:
    """See the module."""

    def __init__(self, delta: float = 0.002) -> None:
        """`delta`: how probable it is at most that a look sees a change where there is none."""
        self.width = 0
        self.total = 0.0
        self._delta = delta
        self._variance = 0.0
        self._seen = 0
        self._rows: list[list[_Bucket]] = [[]]
        """Row r: buckets of 2**r numbers, oldest first."""

    @property
    def mean(self) -> float:
        """Of the window; 0 where it is empty."""
        return self.total / self.width if self.width else 0.0

    def update(self, value: float) -> Change | None:
        """Take one number in 0 to 1."""
        self._seen += 1
        self._insert(value)
        if self._seen % CHECK_EVERY or self.width <= GRACE:
            return None
        return self._look()

    def _insert(self, value: float) -> None:
        if self.width:
            self._variance += self.width * (value - self.mean) ** 2 / (self.width + 1)
        self.width += 1
        self.total += value
        self._rows[0].append(_Bucket(value, 0.0))
        row = 0
        while len(self._rows[row]) > BUCKETS:
            if row + 1 == len(self._rows):
                self._rows.append([])
            first, second = self._rows[row].pop(0), self._rows[row].pop(0)
            size = 1 << row
            between = size * (first.total / size - second.total / size) ** 2 / 2
            merged = _Bucket(first.total + second.total, first.variance + second.variance + between)
            self._rows[row + 1].append(merged)
            row += 1

    def _look(self) -> Change | None:
        gone_width, gone_total = 0, 0.0
        while self.width > GRACE and self._differs():
            size, bucket = self._forget()
            gone_width += size
            gone_total += bucket.total
        return Change(gone_total / gone_width, self.mean) if gone_width else None

    def _differs(self) -> bool:
        """Whether the window falls into an older and a newer part whose means differ by more than chance allows."""
        width, total = 0, 0.0
        for row in range(len(self._rows) - 1, -1, -1):
            for bucket in self._rows[row]:
                width += 1 << row
                total += bucket.total
                left = self.width - width
                if left < LEAST:
                    return False
                if width >= LEAST and self._cut(width, left, total / width - (self.total - total) / left):
                    return True
        return False

    def _cut(self, first: int, second: int, difference: float) -> bool:
        """Section 3.2 of the paper, with its bound for large windows."""
        log = math.log(2 * math.log(self.width) / self._delta)
        inverse = 1 / (first - LEAST + 1) + 1 / (second - LEAST + 1)
        variance = self._variance / self.width
        return abs(difference) > math.sqrt(2 * inverse * variance * log) + 2 / 3 * inverse * log

    def _forget(self) -> tuple[int, _Bucket]:
        """Drop the oldest bucket."""
        rows = self._rows
        bucket = rows[-1].pop(0)
        size = 1 << (len(rows) - 1)
        self.width -= size
        self.total -= bucket.total
        apart = (bucket.total / size - self.mean) ** 2
        self._variance = max(0.0, self._variance - bucket.variance - size * self.width * apart / (size + self.width))
        while len(rows) > 1 and not rows[-1]:
            rows.pop()
        return size, bucket

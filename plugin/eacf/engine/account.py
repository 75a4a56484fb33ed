"""What a worker counts. The account closes: ``flows_in == answered + dropped + queued + held``."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

LATENCY_BOUNDS_S = tuple(0.0001 * 2 ** (step / 4) for step in range(81))
"""0.1 ms to 105 s, four buckets an octave: a quantile is told 19 % too high at most."""
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32)
MAX_LABELS = 1_000
"""Labels that are counted by name; those of models that come later are counted together then."""
OTHER_LABELS = "(others)"
WINDOW_S = 60.0
"""Quantiles are of the last one to two of these."""


class Histogram:
    """Counts in fixed buckets; a value belongs to the first bound that is not below it."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.greatest = 0.0

    def add(self, value: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times
        if value > self.greatest:
            self.greatest = value

    def cumulative(self) -> list[int]:
        """For each bound how many values are not above it; last: how many there are."""
        sums, seen = [], 0
        for count in self.counts:
            seen += count
            sums.append(seen)
        return sums


def quantiles(parts: Sequence[Histogram], shares: Sequence[float]) -> list[float | None]:
    """Upper bound of the bucket in which each share of all values ends, the greatest value at most; None: no value."""
    counts = [sum(column) for column in zip(*(part.counts for part in parts), strict=True)]
    greatest = max(part.greatest for part in parts)
    found: list[float | None] = []
    for share in shares:
        wanted = share * sum(counts)
        seen, value = 0, None
        for bound, count in zip((*parts[0].bounds, greatest), counts, strict=True):
            seen += count
            if count and seen >= wanted:
                value = min(bound, greatest)
                break
        found.append(value)
    return found


class Latency:
    """Time from a message's arrival to the verdict's departure: since the start, and of late."""

    def __init__(self, now: float) -> None:
        self.ever = Histogram(LATENCY_BOUNDS_S)
        self._late = [Histogram(LATENCY_BOUNDS_S)]
        self._since = now

    def add(self, seconds: float, flows: int, now: float) -> None:
        if now - self._since >= WINDOW_S:
            self._late = [Histogram(LATENCY_BOUNDS_S), *self._windows(now)[:1]]
            self._since = now
        self.ever.add(seconds, flows)
        self._late[0].add(seconds, flows)

    def _windows(self, now: float) -> list[Histogram]:
        """Those that are not too old at `now`; at least one, if an empty one."""
        age = now - self._since
        return self._late if age < WINDOW_S else self._late[:1] if age < 2 * WINDOW_S else [Histogram(LATENCY_BOUNDS_S)]

    def report(self, now: float) -> dict[str, Any]:
        """Quantiles in milliseconds (None: no flow of late), and the whole histogram by octaves. Changes nothing, so
        that another thread may ask."""
        late = self._windows(now)
        values = quantiles(late, (0.5, 0.9, 0.99, 1.0))
        named = zip(("p50", "p90", "p99", "max"), values, strict=True)
        sums = self.ever.cumulative()
        return {
            **{name: None if value is None else round(value * 1000, 3) for name, value in named},
            "flows": sum(sum(part.counts) for part in late),
            "ever": {
                "buckets_s": [[self.ever.bounds[at], sums[at]] for at in range(0, len(self.ever.bounds), 4)],
                "sum_s": self.ever.total,
                "flows": sums[-1],
            },
        }


@dataclass
class Counts:
    """Counters since the start."""

    messages: int = 0
    """Taken from the bus, of any kind."""
    flows: int = 0
    """In flow messages; those of messages that could not be read are not flows."""
    answered: int = 0
    """Verdicts handed to the bus, of any kind."""
    abstained: int = 0
    refused: int = 0
    """Of the verdicts made: the model needs what the sample lacks."""
    labels: Counter[str] = field(default_factory=Counter)
    """The other verdicts made, by label."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Flows without a verdict, by reason: "queue" (full, the oldest went), "reply_to" (not a topic that may be
    answered), "send" (the socket would not take the verdicts), "drain" (still queued when the time to end was over)."""
    malformed: Counter[str] = field(default_factory=Counter)
    """Messages that say what the contract does not allow, by kind."""
    unsent: int = 0
    """Other messages (hello, status) that the socket would not take."""
    reloads: int = 0
    failed_reloads: int = 0
    batches: Histogram = field(default_factory=lambda: Histogram(BATCH_BOUNDS))

    def add_label(self, label: str) -> None:
        """A verdict with this label was made."""
        known = label in self.labels or len(self.labels) < MAX_LABELS
        self.labels[label if known else OTHER_LABELS] += 1

"""Made-up flows of no application, as record lengths: what the background output is shown beside the testbed's background traffic.

Outlier exposure (Hendrycks et al., 2019): a network that saw only its labels puts every flow into one of them; shown rows that are none of
them, near and far, it learns where its labels end. Real traffic of other applications is never used: it is what the result is measured on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eacf.features.bins import ABSENT
from eacf.features.lengths import tabulated

Records = list[int]
MOST = 16_401
"""Length field of a full TLS 1.3 record: 2^14 bytes, the type, the tag (RFC 8446, 5.2)."""
MOST_TLS12 = 16_408
"""The same in TLS 1.2 with an explicit nonce (RFC 5246, 6.2.3.3 and RFC 5288)."""
LEAST = 18
FULL_SHARE = 0.12
"""How often a made-up record is a full one, as those of long answers are."""


def make(flows: Sequence[Records], count: int, records: int, rng: np.random.Generator) -> list[Records]:
    """`count` made-up flows of at most `records` records, by all of the ways below in turn."""
    ways = (scattered, prefixed, stretched, mixed)
    made = [ways[number % len(ways)](flows, records, rng) for number in range(count)]
    return [made[number] for number in rng.permutation(count)]


def made_up(table: NDArray[np.int64], count: int, records: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(count, records) lengths of made-up flows, from those of real ones: a table as :func:`eacf.features.lengths.tabulated` gives."""
    flows = [row[row != ABSENT].tolist() for row in table]
    return tabulated(make(flows, count, records, rng), records)


def scattered(flows: Sequence[Records], records: int, rng: np.random.Generator) -> Records:
    """Lengths evenly spread on a log scale, either side, any number of them."""
    del flows
    return _random(int(rng.integers(1, records + 1)), rng)


def prefixed(flows: Sequence[Records], records: int, rng: np.random.Generator) -> Records:
    """Begins as a real flow does (TLS 1.3's handshake looks alike for all), then goes on at random."""
    kept = _pick(flows, rng)[: int(rng.integers(1, records // 2 + 1))]
    return (kept + _random(int(rng.integers(1, records + 1)), rng))[:records]


def stretched(flows: Sequence[Records], records: int, rng: np.random.Generator) -> Records:
    """A real flow whose lengths are each far too long or short, the sides kept."""
    real = _pick(flows, rng)[:records]
    factors = np.exp(rng.uniform(0.25, 1.5, len(real)) * rng.choice((-1, 1), len(real)))
    return [_bounded(length * factor) for length, factor in zip(real, factors.tolist(), strict=True)]


def mixed(flows: Sequence[Records], records: int, rng: np.random.Generator) -> Records:
    """A real flow with half of its records, or more, replaced by random ones."""
    real = _pick(flows, rng)[:records]
    strange = _random(len(real), rng)
    kept = set(rng.permutation(len(real))[: int(rng.integers(0, len(real) // 2 + 1))].tolist())
    return [own if place in kept else other for place, (own, other) in enumerate(zip(real, strange, strict=True))]


def _pick(flows: Sequence[Records], rng: np.random.Generator) -> Records:
    return flows[int(rng.integers(len(flows)))]


def _random(count: int, rng: np.random.Generator) -> Records:
    lengths: NDArray[np.float64] = np.exp(rng.uniform(np.log(LEAST), np.log(MOST), count))
    full = rng.random(count) < FULL_SHARE
    lengths[full] = rng.choice((MOST, MOST_TLS12))
    sides = rng.choice((-1, 1), count)
    return [_bounded(length) for length in (lengths * sides).tolist()]


def _bounded(length: float) -> int:
    size = min(max(int(abs(length)), LEAST), MOST_TLS12)
    return size if length > 0 else -size

"""Bins of one position of a row: how they are learnt, and what may stand in a manifest.

A position takes a signed whole number or none. With edges e1 < e2 < ... bin 0 means "absent", bin 1 a number below
e1, bin 2 one from e1 up to but not including e2, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from eacf.errors import SettingError

LIMIT = (1 << 16) - 1
"""No edge lies beyond this on either side: it is the largest length that a record can state."""
Edges = tuple[int, ...]


def learn(values: Iterable[int], bins: int) -> Edges:
    """At most `bins - 2` edges that give each bin about as many of `values`; one that fills a bin alone gets it alone.

    0 is always an edge, so that no bin holds both sides of a connection; the others lie halfway between neighbours.
    """
    numbers = np.clip(np.fromiter(values, np.int64), -LIMIT, LIMIT)
    distinct, counts = np.unique(numbers, return_counts=True)
    negative = int(np.searchsorted(distinct, 0))
    room = bins - 1  # bin 0 is for "absent"
    below = round(room * int(counts[:negative].sum()) / max(int(counts.sum()), 1))
    below = min(max(below, 1), room - 1)
    return (
        *_cut(distinct[:negative].tolist(), counts[:negative].tolist(), below),
        0,
        *_cut(distinct[negative:].tolist(), counts[negative:].tolist(), room - below),
    )


def _cut(values: list[int], counts: list[int], bins: int) -> list[int]:
    """At most `bins - 1` edges between ascending `values`: bins close greedily, each at its share of what is left."""
    edges: list[int] = []
    left, held = sum(counts), 0
    for (value, following), count, coming in zip(pairwise(values), counts, counts[1:], strict=False):
        held += count
        share = left / (bins - len(edges)) if bins > len(edges) else 0
        # Close here, too, if what comes would overfill the bin by more than it is now underfilled.
        if len(edges) < bins - 1 and (held >= share or held + coming - share > share - held):
            edges.append((value + following + 1) // 2)
            left -= held
            held = 0
    return edges


def check(name: str, value: object, bins: int) -> Edges:
    """`value` as edges if it is an ascending list of whole numbers that fits `bins` bins, else SettingError."""
    if not isinstance(value, list | tuple) or len(value) > bins - 2:
        raise SettingError(f"parameter {name!r} must be a list of at most {bins - 2} edges ({bins} bins)")
    if not all(isinstance(edge, int) and not isinstance(edge, bool) and abs(edge) <= LIMIT for edge in value):
        raise SettingError(f"parameter {name!r} has an edge that is not a whole number from {-LIMIT} to {LIMIT}")
    if any(a >= b for a, b in pairwise(value)):
        raise SettingError(f"parameter {name!r} has edges that do not ascend")
    return tuple(value)

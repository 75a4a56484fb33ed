"""Bins of one position of a row: how they are learnt, and what may stand in a manifest.

A position takes a signed whole number or none. With edges e1 < e2 < ... bin 0 means "absent", bin 1 a number below
e1, bin 2 one from e1 up to but not including e2, and so on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise, repeat

import numpy as np
from numpy.typing import NDArray

from eacf.errors import SettingError

LIMIT = (1 << 16) - 1
"""No edge lies beyond this on either side: it is the largest length that a record can state."""
Edges = tuple[int, ...]
ABSENT = -(1 << 38)
"""Stands for a value that a sample does not have; a number at or below it, which no flow has, counts as absent."""
MOST = 1 << 38
SPAN = 1 << 40  # more than any value spans, so that one sorted array holds the edges of all positions
MAX_VALUES = 256
"""Positions of a row."""
MIN_BINS, MAX_BINS = 4, 256
ON = 255


class Binner:
    """Values to one-hot rows. One sorted array of all positions' edges, position p moved up by p * SPAN: one search bins a batch."""

    def __init__(self, positions: Sequence[Edges], bins: int) -> None:
        edges: list[int] = []
        column: list[int] = []
        for position, own in enumerate(positions):
            # A rank minus that of the position's first edge is the bin; plus where the position's bytes begin.
            column.append(position * bins - len(edges))
            edges += [position * SPAN + edge for edge in (ABSENT + 1, *own)]
        self.width = len(column) * bins
        self._edges = np.array(edges, np.int64)
        self._column = np.array(column, np.int64)
        self._offset = np.arange(len(column), dtype=np.int64) * SPAN

    def fill(self, values: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Write ON into the byte of each value's bin. `values`: (n, positions), overwritten; `out`: (n, width), contiguous, all zero."""
        np.maximum(values, ABSENT, out=values)
        np.minimum(values, MOST, out=values)
        values += self._offset
        places = self._edges.searchsorted(values, side="right")
        places += self._column
        places += np.arange(len(values))[:, None] * self.width
        out.reshape(-1)[places] = ON


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


def append(flat: list[int], values: Sequence[int], count: int) -> None:
    """The first `count` of `values`, ABSENT in place of those that there are not."""
    flat += values[:count]
    if len(values) < count:
        flat += repeat(ABSENT, count - len(values))


def table(flat: Sequence[int], columns: int) -> NDArray[np.int64]:
    """(rows, columns) of the numbers, each at most MOST and at least ABSENT where it needs more than 64 bits."""
    # struct takes half the time that numpy needs to look into a list.
    try:
        packed = bytearray(struct.pack(f"={len(flat)}q", *flat))
    except struct.error:  # a peer's number beyond 64 bits
        packed = bytearray(struct.pack(f"={len(flat)}q", *(max(min(value, MOST), ABSENT) for value in flat)))
    return np.frombuffer(packed, np.int64).reshape(-1, columns)


def check_all(name: str, value: object, bins: int, limit: int = LIMIT) -> tuple[Edges, ...]:
    """`value` as the edges of each position, or SettingError."""
    if not isinstance(value, list | tuple) or len(value) > MAX_VALUES:
        raise SettingError(f"parameter {name!r} must be a list of at most {MAX_VALUES} lists of edges")
    return tuple(check(f"{name}[{number}]", edges, bins, limit) for number, edges in enumerate(value))


def check(name: str, value: object, bins: int, limit: int = LIMIT) -> Edges:
    """`value` as edges if it is an ascending list of whole numbers up to `limit` that fits `bins` bins, else SettingError."""
    if not isinstance(value, list | tuple) or len(value) > bins - 2:
        raise SettingError(f"parameter {name!r} must be a list of at most {bins - 2} edges ({bins} bins)")
    if not all(isinstance(edge, int) and not isinstance(edge, bool) and abs(edge) <= limit for edge in value):
        raise SettingError(f"parameter {name!r} has an edge that is not a whole number from {-limit} to {limit}")
    if any(a >= b for a, b in pairwise(value)):
        raise SettingError(f"parameter {name!r} has edges that do not ascend")
    return tuple(value)

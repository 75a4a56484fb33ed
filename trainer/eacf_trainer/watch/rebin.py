"""Bins learnt anew where traffic has moved, and the old weights carried over to them.

One-hot features fix their bins when they are learnt. Lengths that drift may all fall into one old bin, where no weight can tell them
apart. The first layer has a weight for each bin; a new bin gets the mean of those of the old bins that its samples were in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eacf.features import Lengths
from eacf.features.bins import ABSENT
from eacf_trainer import binning

Values = NDArray[np.int64]


def refitted(old: Lengths, values: Values, wanted: NDArray[np.int64], seed: int, kept: Values | None = None) -> Lengths:
    """Features of the same layout, bins learnt from `values` (n, columns); `kept` are values of rows whose labels must stay told apart,
    for which the old edges are thinned out among the new ones where there is room."""
    fresh = binning.edges(values, wanted, old.bins, seed)
    if kept is not None and len(kept):
        fresh = [
            _with(new, before, column, old.bins - 2)
            for new, before, column in zip(fresh, old.edges, kept.T, strict=True)
        ]
    return Lengths(old.layout, fresh, bins=old.bins)


def carried(kernel: NDArray[np.float32], old: Lengths, new: Lengths, values: Values) -> NDArray[np.float32]:
    """(values * bins, units) weights of the first layer for the new bins."""
    columns = old.layout.values
    before, after = places(old, values), places(new, values)
    by_value = kernel.reshape(columns, old.bins, -1)
    made = np.empty((columns, new.bins, kernel.shape[1]), np.float32)
    for column in range(columns):
        share = np.zeros((new.bins, old.bins), np.float64)
        np.add.at(share, (after[:, column], before[:, column]), 1.0)
        empty = share.sum(axis=1) == 0
        share[empty] = _nearest(new, old, column)[empty]
        made[column] = (share / share.sum(axis=1, keepdims=True)) @ by_value[column]
    return made.reshape(kernel.shape)


def places(features: Lengths, values: Values) -> NDArray[np.int64]:
    """(n, columns) in which bin each value is."""
    rows = np.zeros((len(values), *features.shape), np.uint8)
    features.fill_values(values.copy(), rows)
    found: NDArray[np.int64] = rows.reshape(len(values), features.layout.values, features.bins).argmax(axis=2)
    return found


def values_of(features: Lengths, rows: NDArray[np.uint8], rng: np.random.Generator) -> Values:
    """(n, columns) values that would give such rows: any of a bin's, drawn evenly; ABSENT where a value was."""
    found = rows.reshape(len(rows), features.layout.values, features.bins).argmax(axis=2)
    made = np.empty(found.shape, np.int64)
    for column in range(found.shape[1]):
        lows, highs = bounds(features, column)
        chosen = found[:, column]
        low, high = lows[chosen], highs[chosen]
        made[:, column] = np.where(low == ABSENT, ABSENT, low + (rng.random(len(rows)) * (high - low)).astype(np.int64))
    return made


def bounds(features: Lengths, column: int) -> tuple[Values, Values]:
    """(bins,) the least value of each bin and the one past its greatest; ABSENT for the bin of what a flow has not, and for unused ones."""
    edges = np.asarray(features.edges[column], np.int64)
    span = _span(edges)
    ends = np.concatenate(([edges[0] - span], edges, [edges[-1] + span])) if len(edges) else np.array([-span, span])
    lows, highs = np.full(features.bins, ABSENT), np.full(features.bins, ABSENT)
    lows[1 : len(ends)], highs[1 : len(ends)] = ends[:-1], ends[1:]
    return lows, highs


def _span(edges: Values) -> int:
    return max(int(edges[-1] - edges[0]) // 4, 64) if len(edges) else 64


def _nearest(new: Lengths, old: Lengths, column: int) -> NDArray[np.float64]:
    """(new bins, old bins) 1 where the middle of a new bin lies in the old one."""
    lows, highs = bounds(new, column)
    trial = np.full((new.bins, new.layout.values), ABSENT)
    trial[:, column] = np.where(lows == ABSENT, ABSENT, (lows + highs) // 2)
    numbers = places(old, trial)[:, column]
    return np.eye(old.bins)[numbers]


def _with(new: list[int], before: tuple[int, ...] | list[int], column: NDArray[np.int64], most: int) -> list[int]:
    """New edges, and old ones that part the kept values, as many as there is room for, evenly taken."""
    room = most - len(new)
    lying = column[column != ABSENT]
    if room <= 0 or not len(lying):
        return new
    parting = [edge for edge in before if edge not in new and (lying < edge).any() and (lying >= edge).any()]
    taken = (
        [parting[int(place)] for place in np.linspace(0, len(parting) - 1, min(room, len(parting)))] if parting else []
    )
    return sorted({*new, *taken})

"""Where bins are worth having: edges for `shape`, learnt from what a random forest asks about record lengths.

Bins of equal mass (:meth:`eacf.features.Shape.fit`) are fine where flows are many, which in TLS 1.3 is the handshake, alike for all
applications. A forest splits where labels differ, given the other records; edges are set at equal shares of its impurity decrease.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from eacf.features.bins import LIMIT

TREES = 30
LEAST_IN_LEAF = 2
ABSENT = -LIMIT - 1
"""Below every length: what a forest sees where a flow has ended."""


def edges(
    records: Sequence[Sequence[int]], wanted: NDArray[np.int64], count: int, bins: int, seed: int
) -> list[list[int]]:
    """For each of the first `count` records at most ``bins - 2`` ascending edges, 0 among them.

    `records`: signed lengths of each flow; `wanted`: (n,) its output, background and made-up flows included.
    """
    values = table(records, count)
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=LEAST_IN_LEAF, max_features=None, random_state=seed, n_jobs=1
    )
    forest.fit(values, wanted)
    places, thresholds, gains = (
        np.concatenate(column) for column in zip(*map(_splits, forest.estimators_), strict=True)
    )
    return [_spread(thresholds[places == place], gains[places == place], bins - 3) for place in range(count)]


def table(records: Sequence[Sequence[int]], count: int) -> NDArray[np.float32]:
    """(n, count) signed lengths, ABSENT beyond the end of a flow."""
    values = np.full((len(records), count), ABSENT, np.float32)
    for row, lengths in zip(values, records, strict=True):
        row[: len(lengths)] = lengths[:count]
    return values


def _splits(tree: Any) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Each split of a tree: which record it asks about, its threshold, and how much impurity it takes away."""
    nodes = tree.tree_
    inner = np.flatnonzero(nodes.children_left >= 0)
    mass = nodes.weighted_n_node_samples * nodes.impurity
    gain = mass[inner] - mass[nodes.children_left[inner]] - mass[nodes.children_right[inner]]
    return nodes.feature[inner], nodes.threshold[inner], gain


def _spread(thresholds: NDArray[np.float64], gains: NDArray[np.float64], most: int) -> list[int]:
    """At most `most` edges and 0: thresholds at equal shares of all gain. A value as large as an edge lies above it."""
    if not len(thresholds):
        return [0]
    order = np.argsort(thresholds, kind="stable")
    sums = np.cumsum(gains[order])
    wanted = (np.arange(most) + 0.5) / most * sums[-1]
    chosen = np.floor(thresholds[order][np.searchsorted(sums, wanted)]).astype(int) + 1
    return sorted({0, *np.clip(chosen, -LIMIT, LIMIT).tolist()})

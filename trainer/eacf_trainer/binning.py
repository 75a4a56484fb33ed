"""Where bins are worth having: edges for one-hot features, learnt from what a random forest asks about values.

Bins of equal mass (:meth:`eacf.features.Shape.fit`) are fine where flows are many, which in TLS 1.3 is the handshake, alike for all
applications. A forest splits where labels differ, given the other values; edges are set at equal shares of its impurity decrease.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from eacf.features.bins import ABSENT
from eacf.features.lengths import LIMIT

TREES = 30
LEAST_IN_LEAF = 2
MOST_ROWS = 50_000
"""Rows that a forest is grown on; of more, so many are drawn."""
NONE = -LIMIT - 1
"""Below every length: what a forest, and any estimator, sees in place of ABSENT."""


def edges(values: NDArray[np.int64], wanted: NDArray[np.int64], bins: int, seed: int) -> list[list[int]]:
    """For each column of `values` at most ``bins - 2`` ascending edges, 0 among them.

    `values`: (n, columns), ABSENT where a flow has none; `wanted`: (n,) its output, background and made-up flows included.
    """
    if len(values) > MOST_ROWS:
        drawn = np.random.default_rng(seed).choice(len(values), MOST_ROWS, replace=False)
        values, wanted = values[drawn], wanted[drawn]
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=LEAST_IN_LEAF, max_features=None, random_state=seed, n_jobs=1
    )
    forest.fit(numeric(values), wanted)
    places, thresholds, gains = (
        np.concatenate(column) for column in zip(*map(_splits, forest.estimators_), strict=True)
    )
    return [_spread(thresholds[places == place], gains[places == place], bins - 3) for place in range(values.shape[1])]


def numeric(values: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, columns) for an estimator: NONE where there is no value, all else within LIMIT."""
    return np.where(values == ABSENT, NONE, np.clip(values, -LIMIT, LIMIT)).astype(np.float32)


def _splits(tree: Any) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Each split of a tree: which value it asks about, its threshold, and how much impurity it takes away."""
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
    found = np.minimum(np.searchsorted(sums, wanted), len(order) - 1)
    chosen = np.floor(thresholds[order][found]).astype(int) + 1
    return sorted({0, *np.clip(chosen, -LIMIT, LIMIT).tolist()})

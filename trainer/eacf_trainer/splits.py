"""Which flows a model learns from and which judge it.

Flows of one capture are near copies of each other: same machine, same accounts, same minute. A random split puts copies on both
sides and flatters; what a model gives on the next network is told by splits that keep captures, clients or environments whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PAST, FUTURE = 0, 1
"""The two folds of :func:`time_folds`."""
DISORDER = 1.0
"""Standard deviation of the noise on the logarithm of a group's size: large groups come first, but not in the same order for each seed."""


def random_folds(labels: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """(n,) fold of each flow: at random, each label spread evenly."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(labels), np.int64)
    begin = 0
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        fold[places] = (np.arange(len(places)) + begin) % folds
        begin += len(places)  # so that what is left over does not always fall to the first folds
    return fold


def grouped_folds(labels: NDArray[np.int64], groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """(n,) fold of each flow: groups stay whole, and each label is spread over the folds as well as they let it.

    Greedy: each group goes where its labels are scarcest, large groups roughly first. (scikit-learn's StratifiedGroupKFold orders by
    size strictly, and gives nearly the same folds for every seed.)
    """
    rng = np.random.default_rng(seed)
    share = _shares(labels, groups)
    size = share.sum(axis=1)
    order = np.argsort(-(np.log(size) + rng.normal(0, DISORDER, len(size))), kind="stable")
    held = np.zeros((folds, share.shape[1]))
    fold = np.empty(len(size), np.int64)
    for group in order:
        cost = ((held + share[group]) ** 2).sum(axis=1) - (held**2).sum(axis=1)
        fold[group] = int(cost.argmin())
        held[fold[group]] += share[group]
    return fold[np.unique(groups, return_inverse=True)[1]]


def _shares(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """(groups, labels): which part of a label's flows a group holds."""
    _, label = np.unique(labels, return_inverse=True)
    _, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((group.max(initial=-1) + 1, label.max(initial=-1) + 1))
    np.add.at(counts, (group, label), 1)
    shares: NDArray[np.float64] = counts / counts.sum(axis=0)
    return shares


def merged_groups(groups: NDArray[np.int64], keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """(n,) groups, where those that hold copies of one flow (the same key) are one: the least number of them."""
    above = {int(group): int(group) for group in np.unique(groups)}

    def root(group: int) -> int:
        while above[group] != group:
            above[group] = above[above[group]]
            group = above[group]
        return group

    together: dict[Hashable, list[int]] = {}
    for group, key in zip(groups.tolist(), keys, strict=True):
        together.setdefault(key, []).append(group)
    for members in together.values():
        for one, other in pairwise(members):
            low, high = sorted((root(one), root(other)))
            above[high] = low
    return np.array([root(group) for group in groups.tolist()], np.int64)


def time_folds(time_ns: NDArray[np.int64], share: float = 0.2) -> NDArray[np.int64]:
    """(n,) PAST or FUTURE: the newest `share` of the flows judge. Flows of one instant stay together, in the past."""
    if not len(time_ns):
        return np.zeros(0, np.int64)
    border = np.sort(time_ns)[max(0, int(np.ceil(len(time_ns) * (1 - share))) - 1)]
    return np.where(time_ns > border, FUTURE, PAST).astype(np.int64)


def environment(capture: str) -> str:
    """Where a capture comes from: its folder, in most collections about one device and setup. A bare name is its own."""
    folder, _, _ = capture.rpartition("/")
    return folder or capture

"""Samples whose names are likely wrong: what the other samples contradict with confidence does not train.

Server names are the client's word: they may be wrong by accident or on purpose. Each sample is asked about by trees that did not learn
from it (cross-validation, as in confident learning, Northcutt et al., 2021). Where they hold its label for next to impossible and another
one for nearly certain, it is dropped. A label of which too many are contradicted has rather changed than been lied about: of it no more
than a share is dropped, the most contradicted ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier

FOLDS = 3
TREES = 60
LEAST_IN_LEAF = 2
LEAST_ROWS = 30
"""With fewer samples, nobody contradicts."""
MOST_ROWS = 20_000


def contradicted(
    numbers: NDArray[np.float32],
    wanted: NDArray[np.int64],
    weights: NDArray[np.float32],
    seed: int,
    *,
    own: float,
    other: float,
    most: float,
) -> NDArray[np.bool_]:
    """(n,) the others give a sample's label at most `own` and another one at least `other`; at most the share `most` of a label.

    `numbers`: (n, values) as estimators see them (:func:`eacf_trainer.binning.numeric`).
    """
    dropped = np.zeros(len(wanted), bool)
    if len(wanted) < LEAST_ROWS or len(np.unique(wanted)) < 2:
        return dropped
    said, best = opinions(numbers, wanted, weights, seed)
    doubted = (said <= own) & (best >= other)
    for label in np.unique(wanted):
        there = np.flatnonzero(wanted == label)
        suspects = there[doubted[there]]
        room = int(most * len(there))
        dropped[suspects[np.argsort(best[suspects] - said[suspects], kind="stable")[::-1][:room]]] = True
    return dropped


def opinions(
    numbers: NDArray[np.float32], wanted: NDArray[np.int64], weights: NDArray[np.float32], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) probabilities, by trees that did not learn from the sample, of its own label and of the likeliest other one."""
    rng = np.random.default_rng((seed, 1 << 36))
    fold = rng.permutation(len(wanted)) % FOLDS
    width = int(wanted.max()) + 1
    said, best = np.ones(len(wanted)), np.zeros(len(wanted))
    for number in range(FOLDS):
        shown, asked = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if len(shown) > MOST_ROWS:
            shown = rng.choice(shown, MOST_ROWS, replace=False)
        probabilities = _trees(seed + number, numbers[shown], wanted[shown], weights[shown], numbers[asked], width)
        own = probabilities[np.arange(len(asked)), wanted[asked]]
        probabilities[np.arange(len(asked)), wanted[asked]] = 0
        said[asked], best[asked] = own, probabilities.max(axis=1)
    return said, best


def doubted(
    shown: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]],
    numbers: NDArray[np.float32],
    wanted: NDArray[np.int64],
    seed: int,
    *,
    own: float,
    other: float,
) -> NDArray[np.bool_]:
    """(m,) the same of other samples, by trees that learnt from `shown` (numbers, wanted, weights)."""
    if not len(wanted) or len(np.unique(shown[1])) < 2:
        return np.zeros(len(wanted), bool)
    width = int(max(shown[1].max(), wanted.max())) + 1
    probabilities = _trees(seed, *shown, numbers, width)
    places = np.arange(len(wanted))
    said = probabilities[places, wanted].copy()
    probabilities[places, wanted] = 0
    known = np.isin(wanted, shown[1])
    found: NDArray[np.bool_] = known & (said <= own) & (probabilities.max(axis=1) >= other)
    return found


def _trees(
    seed: int,
    shown: NDArray[np.float32],
    wanted: NDArray[np.int64],
    weights: NDArray[np.float32],
    asked: NDArray[np.float32],
    width: int,
) -> NDArray[np.float64]:
    trees = ExtraTreesClassifier(TREES, min_samples_leaf=LEAST_IN_LEAF, random_state=seed, n_jobs=1)
    trees.fit(shown, wanted, sample_weight=weights)
    made = np.zeros((len(asked), width))
    made[:, trees.classes_] = trees.predict_proba(asked)
    return made

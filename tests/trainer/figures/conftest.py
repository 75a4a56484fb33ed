"""Predictions to order: as told, or drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from eacf_trainer.predictions import UNKNOWN, Predictions

Make = Callable[..., Predictions]


@pytest.fixture(scope="session")
def told() -> Make:
    """Flows of "a", "b", ... by wanted and best label; the best one has the confidence given, the others share the rest."""

    def make(
        wanted: list[int],
        best: list[int],
        confidence: list[float] | None = None,
        *,
        labels: int = 2,
        said: list[bool] | None = None,
        strangeness: list[float] | None = None,
        fold: list[int] | None = None,
    ) -> Predictions:
        count = len(wanted)
        sure = np.full(count, 0.9) if confidence is None else np.array(confidence)
        probabilities = np.repeat((1 - sure) / max(1, labels - 1), labels).reshape(count, labels)
        probabilities[np.arange(count), best] = sure
        return Predictions(
            tuple("abcdefgh"[:labels]),
            row=np.arange(count),
            wanted=np.array(wanted, np.int64),
            probabilities=probabilities.astype(np.float32),
            strangeness=np.zeros(count, np.float32) if strangeness is None else np.array(strangeness, np.float32),
            said=np.ones(count, bool) if said is None else np.array(said, bool),
            fold=np.zeros(count, np.int64) if fold is None else np.array(fold, np.int64),
        )

    return make


@pytest.fixture(scope="session")
def drawn() -> Make:
    """Flows by a seed: coarse probabilities, so that confidences tie, strangeness that tells unknown flows a little."""

    def make(
        seed: int,
        labels: int = 3,
        flows: int = 50,
        *,
        background: bool = False,
        right: float = 0.6,
        unknown: float = 0.2,
    ) -> Predictions:
        rng = np.random.default_rng(seed)
        wanted = np.where(rng.random(flows) < unknown, UNKNOWN, rng.integers(0, labels, flows))
        best = np.where((rng.random(flows) < right) & (wanted != UNKNOWN), wanted, rng.integers(0, labels, flows))
        probabilities = rng.integers(1, 6, (flows, labels + background)).astype(np.float64)
        probabilities[np.arange(flows), best] += rng.integers(3, 12, flows)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return Predictions(
            tuple(f"label-{number}" for number in range(labels)),
            row=rng.permutation(flows),
            wanted=wanted,
            probabilities=probabilities.astype(np.float32),
            strangeness=(rng.integers(0, 12, flows) + 4 * (wanted == UNKNOWN)).astype(np.float32),
            said=rng.random(flows) < 0.7,
            fold=rng.integers(0, 3, flows),
        )

    return make

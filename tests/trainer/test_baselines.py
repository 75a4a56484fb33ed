from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from eacf_trainer import baselines

Rows = tuple[NDArray[np.uint8], NDArray[np.int64]]


def corners(seed: int, labels: list[int]) -> Rows:
    """Rows around the four corners of a square, which have `labels` in turn; two more bytes are always 0."""
    rng = np.random.default_rng(seed)
    corner = np.arange(200) % 4
    middle = np.stack([corner % 2, corner // 2], axis=1) * 200 + 20
    rows = np.zeros((200, 4), np.uint8)
    rows[:, :2] = middle + rng.integers(0, 10, (200, 2))
    return rows, np.array(labels)[corner]


def test_both_solve_what_means_can_tell() -> None:
    found = baselines.figures(*corners(1, [0, 0, 1, 1]), *corners(2, [0, 0, 1, 1]), seed=1)
    assert found == {name: {"accuracy": 1.0, "macro_f1": 1.0} for name in ("nearest_mean", "extra_trees")}


def test_only_trees_solve_what_no_mean_can_tell() -> None:
    found = baselines.figures(*corners(1, [0, 1, 1, 0]), *corners(2, [0, 1, 1, 0]), seed=1)
    assert found["extra_trees"]["accuracy"] == 1.0
    assert found["nearest_mean"]["accuracy"] < 0.8


def test_figures_are_those_of_the_test_rows() -> None:
    rows, wanted = corners(1, [0, 0, 1, 1])
    found = baselines.figures(rows, wanted, rows[:4], np.array([0, 0, 0, 1]), seed=1)  # one of four is called wrong
    assert found["nearest_mean"]["accuracy"] == 0.75
    assert found["nearest_mean"]["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2, abs=1e-4)


def test_a_seed_decides() -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (300, 5), dtype=np.uint8), rng.integers(0, 3, 300)
    test = rng.integers(0, 256, (300, 5), dtype=np.uint8), rng.integers(0, 3, 300)
    first = baselines.figures(*noise, *test, seed=1)
    assert first == baselines.figures(*noise, *test, seed=1)
    assert first != baselines.figures(*noise, *test, seed=2)

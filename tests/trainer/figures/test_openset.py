"""Open-set figures, by hand and against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from eacf_trainer import figures
from eacf_trainer.predictions import Predictions

Make = Callable[..., Predictions]


def test_by_hand(told: Make) -> None:
    """Twenty knowns, so one may be refused: the one at 9.5. Three of the four unknowns are stranger than the next, 9."""
    strange = [9.0] + [0.5] * 18 + [9.5] + [9.2, 9.3, 10.0, 1.0]
    found = figures.openset(
        told([0] * 20 + [-1] * 4, [0] * 24, strangeness=strange), [None] * 20 + ["x", "x", "y", "y"]
    )
    assert (found["known"], found["unknown"]) == (20, 4)
    assert found["refused_at_5"] == 0.75
    assert found["labels"] == {
        "x": {"flows": 2, "refused_at_5": 1.0, "said": 1.0},
        "y": {"flows": 2, "refused_at_5": 0.5, "said": 1.0},
    }
    assert found["roc"][0] == [0.0, 0.0]
    assert found["roc"][-1] == [1.0, 1.0]


def test_one_known_flow_more_than_is_bearable(told: Make) -> None:
    """Of 19 knowns none may be refused."""
    found = figures.openset(told([0] * 19 + [-1], [0] * 20, strangeness=[0.5] * 18 + [9.5, 9.0]))
    assert found["refused_at_5"] == 0.0


def test_flows_of_one_strangeness_are_refused_together(told: Make) -> None:
    found = figures.openset(told([0] * 20 + [-1], [0] * 21, strangeness=[1.0] * 21))
    assert (found["refused_at_5"], found["auroc"]) == (0.0, 0.5)


def test_without_unknowns_nothing_is_said(told: Make) -> None:
    found = figures.openset(told([0, 1], [0, 1]), [None, None])
    assert found["auroc"] is None
    assert found["refused_at_5"] is None
    assert found["roc"] == []
    assert "labels" not in found


def test_folds_are_told_alone(told: Make) -> None:
    """Strangeness of another scale in each fold: each alone tells all, pooled it does not."""
    predictions = told([0, -1, 0, -1], [0] * 4, strangeness=[1, 2, 10, 20], fold=[0, 0, 1, 1])
    found = figures.openset(predictions)
    assert {fold: figure["auroc"] for fold, figure in found["folds"].items()} == {"0": 1.0, "1": 1.0}
    assert found["auroc"] == 0.75


def test_long_curves_are_thinned(drawn: Make) -> None:
    predictions = drawn(0, 3, 3000)
    predictions.strangeness[:] += np.random.default_rng(0).random(3000)
    assert 100 < len(figures.openset(predictions)["roc"]) <= 200


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), flows=st.integers(2, 80))
def test_against_scikit_learn(drawn: Make, seed: int, flows: int) -> None:
    predictions = drawn(seed, 3, flows, unknown=0.4)
    unknown = ~predictions.known
    found = figures.openset(predictions)
    if unknown.all() or not unknown.any():
        assert found["auroc"] is None
        return
    known_refused, unknown_refused, _ = roc_curve(unknown, predictions.strangeness, drop_intermediate=False)
    assert found["auroc"] == pytest.approx(roc_auc_score(unknown, predictions.strangeness), abs=6e-5)
    assert found["refused_at_5"] == pytest.approx(unknown_refused[known_refused <= 0.05].max(), abs=6e-5)
    np.testing.assert_allclose(found["roc"], np.stack([known_refused, unknown_refused], axis=1), atol=6e-5)

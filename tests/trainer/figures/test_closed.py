"""Closed-set figures, by hand and against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from eacf_trainer import figures
from eacf_trainer.predictions import Predictions

Make = Callable[..., Predictions]


def test_by_hand(told: Make) -> None:
    """Of three "a" flows two are named rightly, the one of "b" too; the unknown flow is left out."""
    found = figures.closed(told([0, 0, 0, 1, -1], [0, 0, 1, 1, 0], said=[True, False, True, False, True]))
    assert found["flows"] == 4
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == round((0.8 + 2 / 3) / 2, 4)
    assert found["confusion"] == [[2, 1], [0, 1]]
    assert found["labels"]["a"] == {
        "flows": 3,
        "precision": 1.0,
        "recall": 0.6667,
        "f1": 0.8,
        "coverage": 0.6667,
        "precision_said": 1.0,
    }
    assert found["labels"]["b"] == {
        "flows": 1,
        "precision": 0.5,
        "recall": 1.0,
        "f1": 0.6667,
        "coverage": 0.0,
        "precision_said": 0.0,
    }


def test_a_label_without_flows_has_no_say(told: Make) -> None:
    found = figures.closed(told([0, 0], [0, 0], said=[False, False]))
    assert found["macro_f1"] == 1.0
    assert found["labels"]["b"]["coverage"] is None
    assert found["labels"]["b"]["precision_said"] is None


def test_of_nothing(told: Make) -> None:
    found = figures.closed(told([], []))
    assert (found["flows"], found["accuracy"], found["macro_f1"]) == (0, None, None)
    assert found["confusion"] == [[0, 0], [0, 0]]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), labels=st.integers(2, 6), flows=st.integers(1, 60), background=st.booleans())
def test_against_scikit_learn(drawn: Make, seed: int, labels: int, flows: int, background: bool) -> None:
    predictions = drawn(seed, labels, flows, background=background)
    known, best = predictions.wanted[predictions.known], predictions.best[predictions.known]
    found = figures.closed(predictions)
    if not len(known):
        assert found["accuracy"] is None
        return
    macro = f1_score(known, best, labels=np.unique(known), average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(accuracy_score(known, best), abs=6e-5)
    assert found["macro_f1"] == pytest.approx(macro, abs=6e-5)
    assert found["confusion"] == confusion_matrix(known, best, labels=range(labels)).tolist()
    expected = precision_recall_fscore_support(known, best, labels=range(labels), zero_division=0)
    got = [[label[key] for label in found["labels"].values()] for key in ("precision", "recall", "f1", "flows")]
    np.testing.assert_allclose(got, np.array(expected), atol=6e-5)


def test_the_interval_holds_the_figure_and_grows_with_the_groups(drawn: Make) -> None:
    """Flows that stand or fall together tell less than as many that do not."""
    predictions = drawn(3, 4, 400, right=0.7, unknown=0)
    figure = figures.closed(predictions)["macro_f1"]
    order = np.argsort(predictions.best == predictions.wanted, kind="stable")
    groups = np.empty(400, int)
    groups[order] = np.arange(400) // 40
    alone = figures.interval(predictions, list(range(400)))
    together = figures.interval(predictions, groups.tolist())
    assert alone is not None
    assert together is not None
    assert (alone["groups"], together["groups"]) == (400, 10)
    assert alone["macro_f1"][0] < figure < alone["macro_f1"][1]
    assert together["macro_f1"][0] < figure < together["macro_f1"][1]
    assert np.diff(together["macro_f1"]) > 2 * np.diff(alone["macro_f1"])
    assert figures.interval(predictions, list(range(400))) == alone


def test_the_interval_is_that_of_resampled_flows(drawn: Make) -> None:
    """The same draws, but with the flows themselves put together and judged by scikit-learn."""
    predictions = drawn(5, 3, 60, background=True, unknown=0)
    groups = np.arange(60) // 6
    found = figures.interval(predictions, groups.tolist(), samples=50, seed=9)
    assert found is not None
    scores = []
    for times in np.random.default_rng(9).multinomial(10, np.full(10, 0.1), 50):
        rows = np.repeat(np.arange(60), times[groups])
        known, best = predictions.wanted[rows], predictions.best[rows]
        scores.append(f1_score(known, best, labels=np.unique(known), average="macro", zero_division=0))
    np.testing.assert_allclose(found["macro_f1"], np.quantile(scores, (0.025, 0.975)), atol=6e-5)


def test_one_group_has_no_interval(drawn: Make) -> None:
    assert figures.interval(drawn(0), ["one"] * 50) is None

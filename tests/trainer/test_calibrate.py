"""Temperature and thresholds on numbers whose answer is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf_trainer import calibrate

CONFIDENCES = st.lists(st.tuples(st.integers(1, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=30)


def test_softmax_is_no_matter_of_size() -> None:
    rows = calibrate.softmax(np.array([[1000, 1000 - np.log(3)], [-5, -5]], np.float32))
    assert rows == pytest.approx(np.array([[0.75, 0.25], [0.5, 0.5]]), abs=1e-4)
    assert calibrate.softmax(np.array([[2 * np.log(9), 0]], np.float32), 2.0)[0, 0] == pytest.approx(0.9)


def test_log_loss_is_in_nats_and_never_infinite() -> None:
    logits = np.array([[np.log(4), 0], [0, np.log(4)]], np.float32)
    assert calibrate.log_loss(logits, np.array([0, 0])) == pytest.approx(-(np.log(0.8) + np.log(0.2)) / 2)
    assert calibrate.log_loss(np.array([[1e6, 0]], np.float32), np.array([1])) == pytest.approx(-np.log(1e-12))


@pytest.mark.parametrize("right", [6, 9])
@pytest.mark.parametrize("logit", [0.9, 4.0, 8.0])
def test_a_model_that_is_right_so_often_should_say_so(logit: float, right: int) -> None:
    """Ten rows with one logit, `right` of them right: the best temperature makes the confidence right / 10."""
    logits = np.tile(np.array([[logit, 0]], np.float32), (10, 1))
    wanted = np.array([0] * right + [1] * (10 - right))
    temperature = calibrate.temperature(logits, wanted)
    assert temperature == pytest.approx(logit / np.log(right / (10 - right)), rel=1e-3)
    assert calibrate.softmax(logits, temperature)[0, 0] == pytest.approx(right / 10, abs=1e-3)


def test_a_temperature_stays_within_its_bounds() -> None:
    always = np.tile(np.array([[1, 0]], np.float32), (5, 1))
    assert calibrate.temperature(always, np.zeros(5, int)) == pytest.approx(np.exp(-3), rel=1e-3)
    assert calibrate.temperature(always, np.ones(5, int)) == pytest.approx(np.exp(3), rel=1e-3)


def test_a_threshold_lies_between_the_last_row_that_may_pass_and_the_next() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, False, True, True])
    assert calibrate.least_confidence(confidence, right, 1.0) == pytest.approx(0.75)
    assert calibrate.least_confidence(confidence, right, 0.75) == pytest.approx(0.25)  # 4 of 5: all may pass
    assert calibrate.least_confidence(confidence, right, 0.9) == pytest.approx(0.75)


def test_rows_of_one_confidence_pass_together_or_not_at_all() -> None:
    confidence = np.array([0.9, 0.5, 0.5])
    assert calibrate.least_confidence(confidence, np.array([True, True, False]), 1.0) == pytest.approx(0.7)
    assert calibrate.least_confidence(confidence, np.array([True, False, True]), 1.0) == pytest.approx(0.7)


@pytest.mark.parametrize("right", [[], [False, True]])
def test_a_label_that_never_reaches_the_precision_is_never_said(right: list[bool]) -> None:
    confidence = np.linspace(0.9, 0.8, len(right))
    assert calibrate.least_confidence(confidence, np.array(right, bool), 0.6) == calibrate.NEVER


@given(CONFIDENCES, st.sampled_from([0.5, 0.9, 1.0]))
def test_least_confidence_is_the_least(rows: list[tuple[float, bool]], precision: float) -> None:
    confidence, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    threshold = calibrate.least_confidence(confidence, right, precision)
    good = [cut for cut in set(confidence.tolist()) if right[confidence >= cut].mean() >= precision]
    if threshold == calibrate.NEVER:
        assert not good
    else:
        assert confidence[confidence >= threshold].min() == min(good)


def test_a_share_of_outliers_passes() -> None:
    """Ten rows, eight of which say a label, the others background (the last output)."""
    said = [[c, 0, 1 - c] for c in (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6)]
    scores = np.array([*said, [0, 0.1, 0.9], [0.2, 0, 0.8]])
    assert calibrate.passing_confidence(scores, 2, 0.2) == pytest.approx((0.85 + 0.9) / 2)
    assert calibrate.passing_confidence(scores, 2, 0.0) == pytest.approx((0.95 + 1) / 2)
    assert calibrate.passing_confidence(scores, 2, 0.8) == 0.0
    tied = np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4]])
    assert calibrate.passing_confidence(tied, 2, 0.5) == pytest.approx(0.95)  # three at once would be too many


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=40))
def test_no_more_than_that_share_passes(rows: list[tuple[int, int, int]]) -> None:
    scores = calibrate.softmax(np.array(rows, np.float32) / 20)
    for share in (0.0, 0.1, 0.5):
        floor = calibrate.passing_confidence(scores, 2, share)
        passed = (scores.argmax(axis=1) < 2) & (scores.max(axis=1) >= floor)
        assert passed.sum() <= share * len(scores)


def test_each_label_has_its_own_threshold_and_outliers_raise_those_below() -> None:
    scores = np.array([[0.9, 0.1, 0], [0.7, 0.3, 0], [0.6, 0.4, 0], [0.2, 0.8, 0], [0.4, 0.6, 0], [0.1, 0.2, 0.7]])
    wanted = np.array([0, 0, 1, 1, 1, 0])
    own = calibrate.thresholds(scores, wanted, ("web", "mail"), 1.0)
    assert own == {"web": pytest.approx(0.65), "mail": pytest.approx(0.3)}
    strange = np.array([[0.1, 0.5, 0.4], [0.0, 0.3, 0.7]])
    bounded = calibrate.thresholds(scores, wanted, ("web", "mail"), 1.0, outlier_scores=strange, outliers_passed=0.0)
    assert bounded == {"web": pytest.approx(0.75), "mail": pytest.approx(0.75)}
    assert (
        calibrate.thresholds(scores, wanted, ("web", "mail"), 1.0, outlier_scores=strange, outliers_passed=0.5) == own
    )

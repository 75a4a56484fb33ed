"""Calibration and thresholds: on numbers whose answer is known beforehand, and on any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eacf_trainer import calibrate
from eacf_trainer.calibrate import Calibration
from eacf_trainer.recipe import Verdicts

CONFIDENCES = st.lists(st.tuples(st.integers(1, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=30)


def flows(seed: int, count: int, labels: int, strange: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits of so many labels and a background, quantised as a network's, right more often than not."""
    rng = np.random.default_rng(seed)
    wanted = np.where(rng.random(count) < strange, labels, rng.integers(0, labels, count))
    logits = rng.normal(0, 1.5, (count, labels + 1))
    logits[np.arange(count), wanted] += rng.exponential(3, count)
    return (np.round(logits * 8) / 8).astype(np.float32), wanted


def test_softmax_is_no_matter_of_size() -> None:
    rows = calibrate.softmax(np.array([[1000, 1000 - np.log(3)], [-5, -5]], np.float32))
    assert rows == pytest.approx(np.array([[0.75, 0.25], [0.5, 0.5]]), abs=1e-4)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(0.05, 20), st.floats(-30, 30))
def test_a_surer_score_is_never_a_less_sure_confidence(scores: list[float], slope: float, offset: float) -> None:
    given = np.sort(np.array(scores))
    confidence = calibrate.platt(given, slope, offset)
    assert (np.diff(confidence) >= 0).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert np.isfinite(confidence).all()


def test_slope_1_and_offset_0_change_nothing() -> None:
    scores = np.linspace(0.001, 0.999, 50)
    assert calibrate.platt(scores, 1.0, 0.0) == pytest.approx(scores)
    assert calibrate.logit(np.array([0.0, 1.0])) == pytest.approx([-13.8155, 13.8155], abs=1e-3)


@pytest.mark.parametrize(("slope", "offset"), [(0.5, 0.0), (1.0, 1.0), (2.0, -1.5)])
def test_what_is_off_by_a_slope_and_an_offset_is_mended(slope: float, offset: float) -> None:
    rng = np.random.default_rng(3)
    score = rng.uniform(0.05, 0.95, 20_000)
    right = rng.random(20_000) < calibrate.platt(score, slope, offset)
    found = calibrate.fit_platt(score, right)
    assert found == pytest.approx((slope, offset), abs=0.1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 60), st.floats(0, 1))
def test_whatever_was_right_the_slope_rises(seed: int, count: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    slope, offset = calibrate.fit_platt(rng.random(count), rng.random(count) < share)
    assert calibrate.SLOPES[0] <= slope <= calibrate.SLOPES[1]
    assert np.isfinite(offset)


@pytest.mark.parametrize("right", [[], [True] * 19, [True] * 100, [False] * 100])
def test_with_too_little_to_go_by_a_confidence_stays(right: list[bool]) -> None:
    assert calibrate.fit_platt(np.linspace(0.1, 0.9, len(right)), np.array(right, bool)) == (1.0, 0.0)


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
        assert not good or good == [1.0]
    else:
        assert confidence[confidence >= threshold].min() == min(good)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 5), st.sampled_from([0.0, 0.3]))
def test_thresholds_reach_the_precision_on_the_flows_they_come_from(
    seed: int, count: int, labels: int, strange: float
) -> None:
    logits, wanted = flows(seed, count, labels, strange)
    for precision in (0.0, 0.8, 0.95, 1.0):
        found = calibrate.calibrate(logits, wanted, np.ones(count), labels, Verdicts(precision, 0.05))
        said, best = found.said(logits), logits[:, :labels].argmax(axis=1)
        for label in range(labels):
            own = said & (best == label) & (found.confidence(logits) < 1)
            if own.any():
                assert (wanted[own] == label).mean() >= precision
        assert not (said & found.refused(logits)).any()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.0, 0.02, 0.05, 0.2]))
def test_about_the_share_asked_of_known_flows_is_refused(seed: int, labels: int, refused: float) -> None:
    logits, wanted = flows(seed, 2000, labels, 0.2)
    found = calibrate.calibrate(logits, wanted, np.ones(2000), labels, Verdicts(0.9, refused))
    known = wanted < labels
    share = found.refused(logits)[known].mean()
    assert abs(share - refused) < 0.01 + 0.2 * refused
    assert found.refused(logits)[~known].mean() >= share  # the strange ones at least as often


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 0.5))
def test_flows_that_weigh_less_count_less(seed: int, refused: float) -> None:
    """A hundred copies of one flow at a hundredth each move a threshold no more than one flow does."""
    rng = np.random.default_rng(seed)
    score, best = rng.random(200), rng.integers(0, 2, 200)
    one = calibrate.known_thresholds(score, best, np.ones(200), 2, refused)
    copies = np.concatenate([score, np.repeat(score[:1], 99)])
    weights = np.concatenate([[0.01], np.ones(199), np.full(99, 0.01)])
    many = calibrate.known_thresholds(copies, np.concatenate([best, np.repeat(best[:1], 99)]), weights, 2, refused)
    places = np.sort(score)
    assert np.abs(np.searchsorted(places, one) - np.searchsorted(places, many)).max() <= 2


def test_a_label_without_flows_borrows_from_all() -> None:
    score = np.linspace(0.01, 1, 100)
    least = calibrate.known_thresholds(score, np.zeros(100, np.int64), np.ones(100), 2, 0.1)
    assert least == pytest.approx([0.1, 0.1], abs=0.011)
    assert calibrate.known_thresholds(np.zeros(0), np.zeros(0, np.int64), np.zeros(0), 2, 0.1).tolist() == [0, 0]


def test_rounding_moves_no_flow_across_the_threshold() -> None:
    """A manifest keeps six digits: many flows may have the very score of the one that the threshold comes from."""
    score = np.repeat([0.1234567, 0.5678904, 0.9999996], [4, 60, 136])
    for refused in (0.01, 0.05, 0.5):
        (least,) = calibrate.known_thresholds(score, np.zeros(200, np.int64), np.ones(200), 1, refused)
        assert ((score < round(least, 6)) == (score < least)).all()


def test_without_a_background_the_best_labels_probability_tells_known_from_unknown() -> None:
    logits = np.array([[3, 0], [0, 0.1], [2, 0]], np.float32)
    assert calibrate.not_background(logits, 2) == pytest.approx(calibrate.best_probability(logits, 2))
    assert calibrate.not_background(np.array([[0, 0, 5]], np.float32), 2)[0] < 0.02


def test_the_background_may_win_and_the_label_be_said() -> None:
    """What decides is the threshold of the label, not which output is the greatest."""
    logits = np.array([[1.0, 0.0, 1.5]], np.float32)
    assert Calibration(1.0, 0.0, np.zeros(2), np.full(2, 0.1)).said(logits).all()
    assert not Calibration(1.0, 0.0, np.zeros(2), np.full(2, 0.9)).said(logits).any()

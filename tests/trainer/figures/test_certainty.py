"""Calibration, coverage and thresholds, by hand and by what must hold of any predictions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf_trainer import figures
from eacf_trainer.predictions import Predictions

Make = Callable[..., Predictions]


def test_calibration_by_hand(told: Make) -> None:
    """Ten flows a bin: those of 0.6 are right in every second case, those of 0.8 always."""
    predictions = told([0] * 100, [0, 1] * 25 + [0] * 50, [0.6] * 50 + [0.8] * 50)
    found = figures.reliability(predictions)
    assert [each["flows"] for each in found["bins"]] == [10] * 10
    assert [each["accuracy"] for each in found["bins"]] == [0.5] * 5 + [1.0] * 5
    assert [each["confidence"] for each in found["bins"]] == [0.6] * 5 + [0.8] * 5
    assert found["calibration_error"] == 0.15


def test_fewer_flows_than_bins(told: Make) -> None:
    found = figures.reliability(told([0, 0, 1], [0, 0, 1], [0.6, 0.7, 1.0]))
    assert [each["flows"] for each in found["bins"]] == [1, 1, 1]
    assert found["calibration_error"] == pytest.approx((0.4 + 0.3) / 3, abs=5e-5)


def test_coverage_by_hand(told: Make) -> None:
    """Surest first: right, right, wrong, right; the unknown flow, surest of all, is not asked for here."""
    predictions = told([0, 0, 0, 1, -1], [0, 0, 1, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.99])
    assert [point["accuracy"] for point in figures.coverage(predictions)["curve"]] == [1.0, 1.0, 0.6667, 0.75]
    assert [point["coverage"] for point in figures.coverage(predictions)["curve"]] == [0.25, 0.5, 0.75, 1.0]
    assert figures.coverage_at(predictions, 0.95) == 0.5
    assert figures.coverage_at(predictions, 0.75) == 1.0
    assert figures.coverage_at(predictions, 0.7) == 1.0


def test_flows_of_one_confidence_are_answered_together(told: Make) -> None:
    """The right one of the two at 0.8 cannot be had without the wrong one."""
    predictions = told([0, 0, 0], [0, 0, 1], [0.9, 0.8, 0.8])
    assert figures.coverage_at(predictions, 0.95) == pytest.approx(1 / 3, abs=5e-5)
    assert len(figures.coverage(predictions)["curve"]) == 2


def test_nothing_is_right_often_enough(told: Make) -> None:
    assert figures.coverage_at(told([0, 0], [1, 0], [0.9, 0.8]), 0.95) == 0.0


def test_nineteen_of_twenty_are_95_percent(told: Make) -> None:
    """Not a rounding error short of it."""
    assert figures.coverage_at(told([0] * 20, [0] * 19 + [1], [0.9] * 20), 0.95) == 1.0


def test_thresholds_by_hand(told: Make) -> None:
    predictions = told(
        [0, 0, 1, 1, -1, -1],
        [0, 1, 1, 1, 0, 0],
        said=[True, True, False, True, True, False],
        fold=[0, 0, 1, 1, 0, 1],
    )
    assert figures.thresholds(predictions) == {
        "coverage": 0.75,
        "accuracy": 0.6667,
        "unknown_said": 0.5,
        "known_refused": {"least": 0.0, "worst": 0.5, "folds": {"0": 0.0, "1": 0.5}},
    }


def test_of_nothing(told: Make) -> None:
    nothing = told([-1], [0])
    assert figures.reliability(nothing) == {"calibration_error": None, "bins": []}
    assert figures.coverage(nothing) == {"curve": [], "at_90": None, "at_95": None, "at_99": None}
    assert figures.thresholds(nothing)["coverage"] is None
    assert figures.thresholds(nothing)["known_refused"] == {"least": None, "worst": None, "folds": {}}


def test_long_curves_are_thinned(drawn: Make) -> None:
    predictions = drawn(1, 30, 5000)
    curve = figures.coverage(predictions)["curve"]
    assert 100 < len(curve) <= 200
    assert curve[-1]["coverage"] == 1.0
    assert curve[-1]["accuracy"] == figures.closed(predictions)["accuracy"]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), labels=st.integers(2, 5), flows=st.integers(1, 80), background=st.booleans())
def test_what_holds_always(drawn: Make, seed: int, labels: int, flows: int, background: bool) -> None:
    predictions = drawn(seed, labels, flows, background=background)
    known = int(predictions.known.sum())
    reliability, coverage = figures.reliability(predictions), figures.coverage(predictions)
    assert sum(each["flows"] for each in reliability["bins"]) == known
    if not known:
        return
    assert 0 <= reliability["calibration_error"] <= 1
    assert (
        abs(
            figures.closed(predictions)["accuracy"]
            - sum(each["flows"] * each["accuracy"] for each in reliability["bins"]) / known
        )
        < 2e-4
    )
    assert 0 <= coverage["at_99"] <= coverage["at_95"] <= coverage["at_90"] <= 1
    # By trying every confidence that occurs.
    confidence = predictions.confidence[predictions.known]
    right = (predictions.best == predictions.wanted)[predictions.known]
    tried = [(confidence >= level).mean() for level in confidence if right[confidence >= level].mean() >= 0.95 - 1e-12]
    assert coverage["at_95"] == pytest.approx(max(tried, default=0.0), abs=6e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_predictions_means_nothing(drawn: Make, seed: int) -> None:
    predictions = drawn(seed, 4, 70)
    groups = np.array(["x", "y", None], object)[predictions.row % 3]
    order = np.random.default_rng(seed).permutation(70)
    columns = {"tls_version": groups.tolist()}
    assert figures.of(predictions, columns) == figures.of(
        predictions.only(order), {"tls_version": groups[order].tolist()}
    )

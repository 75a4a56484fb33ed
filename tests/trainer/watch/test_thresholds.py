from __future__ import annotations

import numpy as np
import pytest

from eacf_trainer.calibrate import NEVER, Calibration
from eacf_trainer.watch import parent
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.thresholds import UNTRUSTED, calibration, rescaled, smoothed

RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def testbed() -> Parent:
    return parent.read(parent.find("testbed"))


def test_one_wrong_name_at_the_top_does_not_silence_a_label() -> None:
    confidence = np.linspace(0.99, 0.6, 240)
    best = np.arange(240) % 8
    wanted = best.copy()
    wanted[3] = 0  # the surest of label 3
    found = smoothed(confidence, best, wanted, 8, 0.97)
    assert found[3] < 0.9
    assert (found[[0, 1, 2, 4, 5, 6, 7]] < 0.61).all()


def test_a_label_that_is_mostly_wrong_is_not_said() -> None:
    confidence = np.linspace(0.99, 0.6, 240)
    best = np.arange(240) % 4
    wanted = np.where(best == 2, 3, best)
    found = smoothed(confidence, best, wanted, 4, 0.97)
    assert found[2] == NEVER
    assert found[0] < 1


def test_nothing_held_out_nothing_said() -> None:
    none = np.zeros(0, np.int64)
    assert smoothed(np.zeros(0), none, none, 3, 0.97).tolist() == [NEVER] * 3


def held_out(labels: int, count: int, wrong: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a good model, and labels of which a share is wrong whatever the model says."""
    truth = RNG.integers(0, labels, count)
    logits = RNG.normal(0, 1, (count, labels + 1)).astype(np.float32)
    logits[np.arange(count), truth] += 8
    wanted = np.where(RNG.random(count) < wrong, (truth + 1) % labels, truth)
    return logits, wanted


def test_wrong_names_that_were_not_found_do_not_count_against_precision(testbed: Parent) -> None:
    logits, wanted = held_out(8, 2000, 0.04)
    strict = calibration(testbed, logits, wanted, testbed.labels)
    told = calibration(testbed, logits, wanted, testbed.labels, contradicted=0.06)
    assert told.said(logits).mean() > 0.9
    assert strict.said(logits).mean() < told.said(logits).mean()


def test_few_samples_of_a_label_leave_its_parents_threshold(testbed: Parent) -> None:
    logits, wanted = held_out(7, 500, 0.05)
    wide = np.insert(logits, 7, -5, axis=1)  # nothing of the last label
    found = calibration(testbed, wide, np.where(wanted == 7, 8, wanted), testbed.labels)
    expected = rescaled(testbed.calibration, found, float(testbed.calibration.thresholds[7]))
    assert found.thresholds[7] == pytest.approx(expected)


def test_without_samples_the_parents_calibration_stays(testbed: Parent) -> None:
    found = calibration(testbed, np.zeros((0, 10), np.float32), np.zeros(0, np.int64), (*testbed.labels, "new"))
    assert found.slope == testbed.calibration.slope
    assert found.thresholds.tolist() == [*testbed.calibration.thresholds.tolist(), UNTRUSTED]
    assert len(found.known) == 9


def test_a_threshold_keeps_its_place_on_another_scale() -> None:
    nothing = np.zeros(0)
    before, after = Calibration(0.5, 1.0, nothing, nothing), Calibration(2.0, -1.0, nothing, nothing)
    odds = 0.7
    first, second = (1 / (1 + np.exp(-(each.slope * odds + each.offset))) for each in (before, after))
    assert rescaled(before, after, float(first)) == pytest.approx(second)
    assert rescaled(before, after, 1.0) == 1.0

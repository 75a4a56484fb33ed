from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.truth.window import ABSTAINED, RIGHT, WRONG, Window, outcome_of
from eacf.verdict import Verdict


def test_outcomes() -> None:
    assert outcome_of(Verdict("C1", "chat", 0.9, "m", None, "chat")) == RIGHT
    assert outcome_of(Verdict("C1", "video", 0.9, "m", None, "chat")) == WRONG
    assert outcome_of(Verdict("C1", None, 0.4, "m", "abstained", "chat")) == ABSTAINED


def test_empty() -> None:
    report = Window(100).report()
    assert (report["exams"], report["accuracy"], report["coverage"]) == (0, None, None)
    assert Window(100).calibration() == {"calibration_error": None, "bins": []}


def test_figures() -> None:
    window = Window(100)
    for client, outcome in enumerate([RIGHT] * 6 + [WRONG] * 2 + [ABSTAINED] * 2):
        window.add(client, outcome, 0.5, 3.0)
    told = window.report()
    assert (told["exams"], told["accuracy"], told["coverage"]) == (10, 0.75, 0.8)
    assert window.clients == 10


def test_calibration_is_how_far_confidence_and_accuracy_are_apart() -> None:
    window = Window(1000)
    for client in range(100):
        window.add(client, RIGHT if client < 60 else WRONG, 0.95, 0.0)  # 35 points too sure
        window.add(client, RIGHT if client < 25 else WRONG, 0.25, 0.0)  # as sure as it should be
        window.add(client, ABSTAINED, 0.01, 0.0)
    told = window.calibration()
    assert told["calibration_error"] == pytest.approx(0.175)
    assert told["bins"] == [[0.2, 100, 0.25, 0.25], [0.9, 100, 0.95, 0.6]]


def test_a_well_calibrated_model_is_told_to_be_one() -> None:
    rng = random.Random(1)
    window = Window(20_000)
    for client in range(20_000):
        confidence = rng.random()
        window.add(client, RIGHT if rng.random() < confidence else WRONG, confidence, 0.0)
    assert window.calibration()["calibration_error"] < 0.02


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.floats(0, 1)), max_size=120), st.integers(5, 40))
def test_what_has_left_leaves_nothing_behind(exams: list[tuple[int, int, float]], room: int) -> None:
    window = Window(room)
    for at, (client, outcome, confidence) in enumerate(exams):
        window.add(client, outcome, confidence, at)
    # As many of other clients push out all that was there.
    for at in range(room):
        window.add(100 + at, RIGHT, 1.0, 1000.0 + at)
    assert window.report()["right"] == window.report()["exams"] == room
    assert window.calibration() == {"calibration_error": 0.0, "bins": [[0.9, room, 1.0, 1.0]]}
    assert window.since == 1000.0


def test_since_is_the_time_of_the_oldest() -> None:
    window = Window(10)
    for at in range(25):
        window.add(at, RIGHT, 0.5, at)
        assert window.since == max(0, at - 9)

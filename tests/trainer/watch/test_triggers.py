from __future__ import annotations

import pytest

from eacf_trainer.watch.triggers import Facts, Triggers, due

SETTINGS = Triggers(samples=1000, interval_s=1800, least=500, drift_new=100, pause_s=60)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(1000, 1000, None, 0, False), "samples"),
        (Facts(999, 999, 100, 100, False), None),
        (Facts(1000, 1000, 59, 59, False), None),
        (Facts(500, 500, 1800, 1800, False), "interval"),
        (Facts(500, 500, 1799, 1799, False), None),
        (Facts(499, 499, 9999, 9999, False), None),  # too few to judge on
        (Facts(1, 500, 1800, 1800, False), "interval"),  # with those that judged an update that failed
        (Facts(0, 5000, 9999, 9999, True), None),  # nothing new: the same would come out
        (Facts(100, 500, 60, 60, True), "drift"),
        (Facts(99, 500, 60, 60, True), None),
        (Facts(100, 500, 59, 59, True), None),
        (Facts(500, 500, None, 1800, False), "interval"),  # never tried, and watched for so long
        (Facts(500, 500, None, 1799, False), None),
    ],
)
def test_when_an_update_is_due(facts: Facts, reason: str | None) -> None:
    assert due(facts, SETTINGS) == reason


def test_the_paper_needs_no_samples_to_judge() -> None:
    assert due(Facts(3, 3, 1800, 1800, False), SETTINGS, paper=True) == "interval"
    assert due(Facts(0, 0, 1800, 1800, False), SETTINGS, paper=True) is None


def test_an_alarm_and_an_interval_can_be_turned_off() -> None:
    off = Triggers(drift=False, interval_s=0)
    assert due(Facts(900, 900, 1e9, 1e9, True), off) is None

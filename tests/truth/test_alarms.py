from __future__ import annotations

from eacf.truth.alarms import AGAIN_S, Alarm, Alarms

ERRORS, INPUTS = Alarm("accuracy", "a"), Alarm("inputs", "i")


def test_told_once_an_hour_and_kind() -> None:
    alarms = Alarms()
    told = [now for now in range(0, int(2.5 * AGAIN_S), 60) if alarms.raise_(ERRORS, now)]
    assert told == [0, AGAIN_S, 2 * AGAIN_S]
    assert alarms.raise_(INPUTS, 1.0)
    assert alarms.told == {"accuracy": 3, "inputs": 1}


def test_of_another_model_it_is_news() -> None:
    alarms = Alarms()
    assert alarms.raise_(ERRORS, 0.0)
    assert not alarms.raise_(ERRORS, 1.0)
    alarms.new_model()
    assert alarms.raise_(ERRORS, 2.0)

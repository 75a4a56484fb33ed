"""What comes of answered flows: figures, windows that begin anew, alarms."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from eacf.flow import Sample
from eacf.truth import Alarm, Examiner
from eacf.truth.examiner import EXAMS_PER_S, LABEL_EXAMS
from eacf.verdict import Verdict

Answered = Callable[..., tuple[list[Sample], list[Verdict]]]
LABELS = ("chat", "video")


@pytest.fixture
def examiner() -> Examiner:
    return Examiner(LABELS, "model", flows=1000, drift=True, now=0.0)


def test_a_known_name_is_an_exam(examiner: Examiner, answered: Answered) -> None:
    examiner.take(*answered(3, client=1), 1.0)
    examiner.take(*answered(1, client=2, label="video"), 2.0)
    examiner.take(*answered(1, client=3, truth="video", label=None), 3.0)
    report = examiner.report(11.0)
    assert [report[key] for key in ("exams", "right", "wrong", "abstained")] == [5, 3, 1, 1]
    assert (report["accuracy"], report["coverage"], report["seconds"], report["clients"]) == (0.75, 0.8, 10.0, 3)
    assert report["labels"]["chat"]["accuracy"] == 0.75
    assert report["labels"]["video"]["coverage"] == 0.0
    assert report["ever"] == {"right": 3, "wrong": 1, "abstained": 1, "refused": 0}


def test_what_is_no_exam(examiner: Examiner, answered: Answered) -> None:
    examiner.take(*answered(2, truth=None), 1.0)
    examiner.take(*answered(2, truth="mail"), 1.0)  # a label of the map that the model does not know
    examiner.take(*answered(2, label=None, reason="refused"), 1.0)
    report = examiner.report(1.0)
    assert (report["exams"], report["accuracy"], report["labels"]) == (0, None, {})
    assert report["ever"] == {"right": 0, "wrong": 0, "abstained": 0, "refused": 2}


def test_one_client_is_a_fifth_at_most_in_all_and_of_a_label(examiner: Examiner, answered: Answered) -> None:
    for client in range(100, 900):
        examiner.take(*answered(client=client), client / 10)
    examiner.take(*answered(5000, client=1, label="video"), 1000.0)  # one that says the name of another application
    report = examiner.report(1000.0)
    assert (report["exams"], report["wrong"]) == (1000, 200)
    assert report["labels"]["chat"]["exams"] == LABEL_EXAMS
    assert report["labels"]["chat"]["wrong"] == LABEL_EXAMS // 5


def test_in_a_flood_all_are_counted_and_some_taken(examiner: Examiner, answered: Answered) -> None:
    for step in range(2000):  # 10,000 flows/s for ten seconds
        examiner.take(*answered(50, client=step % 500), step * 0.005)
    report = examiner.report(10.0)
    assert report["ever"]["right"] == 100_000
    assert report["exams"] == 1000
    assert report["seconds"] >= 0.8 * 1000 / EXAMS_PER_S  # and not of the last 100 ms
    examiner.take(*answered(50, label="video"), 11.0)
    assert examiner.report(11.0)["wrong"] == 50


def test_another_model_begins_anew_and_the_last_figures_stay(examiner: Examiner, answered: Answered) -> None:
    examiner.take(*answered(4, label="video"), 1.0)
    examiner.swap(("chat",), "next", 2.0)
    examiner.take(*answered(1), 3.0)
    examiner.take(*answered(1, truth="video", label="video"), 3.0)  # no label of this one
    report = examiner.report(4.0)
    assert (report["exams"], report["accuracy"], list(report["labels"])) == (1, 1.0, ["chat"])
    assert report["before"] | {"bins": None} == {
        "bundle": "model", "exams": 4, "right": 0, "wrong": 4, "abstained": 0, "accuracy": 0.0, "coverage": 1.0,
        "calibration_error": 0.9, "bins": None, "seconds": 1.0, "clients": 1,
    }  # fmt: skip
    assert report["ever"]["wrong"] == 4


def run(examiner: Examiner, answered: Answered, begun: float, seconds: int, **how: Any) -> list[Alarm]:
    """Twenty clients, a flow each in ten seconds."""
    alarms: list[Alarm] = []
    for second in range(0, seconds, 10):
        for client in range(20):
            examiner.take(*answered(client=client, **how), begun + second)
        examiner.idle()
        alarms += examiner.look(begun + second)
    return alarms


def test_a_model_that_errs_is_told_of_once_an_hour(examiner: Examiner, answered: Answered) -> None:
    assert run(examiner, answered, 0.0, 3600) == []
    assert examiner.next_look() is None
    first = run(examiner, answered, 3600.0, 3000, label=None)  # unsure of what it was sure of
    assert [alarm.kind for alarm in first] == ["accuracy"]
    told = examiner.next_look()
    assert told is not None
    assert 7200.0 < told < 10_200.0  # an hour after it was told
    assert first[0].text == "wrong or abstained on 100.0% of the flows whose name is known, 0.0% when it was best"
    assert examiner.report(7200.0)["drift"]["now"] == {"accuracy": True, "inputs": False}
    assert len(run(examiner, answered, 6600.0, 3600, label=None)) == 1
    assert examiner.report(0.0)["alarms"] == {"accuracy": 2}
    examiner.swap(LABELS, "next", 9000.0)
    assert run(examiner, answered, 12_000.0, 3600) == []
    assert examiner.report(0.0)["drift"]["now"] == {"accuracy": False, "inputs": False}


def test_other_lengths_of_flows_without_a_name_are_told(examiner: Examiner, answered: Answered) -> None:
    alarms = []
    for at in range(4000):  # one a second
        records = (500 + at % 400, -1000 - at % 900) if at < 2000 else (1500 + at % 400, -100)
        examiner.take(*answered(client=at % 50, truth=None, records=records), float(at))
        examiner.idle()
        alarms += examiner.look(float(at))
    assert [alarm.kind for alarm in alarms] == ["inputs"]
    assert len(alarms[0].text.encode()) <= 255
    assert examiner.report(0.0)["exams"] == 0


def test_told_off_nothing_is_looked_for_and_nothing_imported(answered: Answered) -> None:
    script = """
import sys
from eacf.truth import Examiner
examiner = Examiner(("chat",), "model", flows=100, drift=False, now=0.0)
assert examiner.report(0.0)["drift"] is None and list(examiner.look(5.0)) == []
assert not {"river", "scipy"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_report_is_json(examiner: Examiner, answered: Answered) -> None:
    run(examiner, answered, 0.0, 600)
    report = examiner.report(1.0)
    assert json.loads(json.dumps(report, allow_nan=False)) == report

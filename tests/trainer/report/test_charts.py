"""Charts: what they say, their numbers, and that they are none where there is nothing."""

from __future__ import annotations

from typing import Any

import pytest

from eacf_trainer.report.charts import certainty, labels, learning, parts, splits, unknown

SPACE = "\u00a0"


def told(**label: float) -> dict[str, float]:
    return {"flows": 10, "precision": 0.5, "recall": 0.5, "f1": 0.5, "coverage": 0.4, "precision_said": None, **label}


def test_without_figures_there_is_no_chart() -> None:
    assert splits.chart({}, {}) is None
    assert splits.chart({"grouped": {"macro_f1": None}}, {}) is None
    assert labels.chart({}) is None
    assert labels.confusion({}) is None
    assert certainty.reliability({}) is None
    assert certainty.coverage({"grouped": {}}) is None
    assert unknown.roc(None) is None
    assert unknown.roc({"auroc": None, "roc": []}) is None
    assert unknown.held_out({"auroc": 0.9}) is None
    assert parts.versions({"groups": {}}) is None
    assert parts.early(None, 8) is None
    assert learning.charts({}, "grouped") == []
    assert learning.charts({"final": []}, None) == []


def test_splits() -> None:
    protocols = {
        "grouped": {"flows": 1200, "macro_f1": 0.6, "accuracy": 0.7, "interval": {"macro_f1": [0.5, 0.66]}},
        "random": {"flows": 1200, "macro_f1": 0.8, "accuracy": 0.85},
    }
    chart = splits.chart(protocols, {"grouped": {"macro_f1": {"mean": 0.6, "sd": 0.01, "values": [0.6, 0.61]}}})
    assert chart is not None
    assert chart.says == "Macro-F1 grouped 60.0, random 80.0."
    assert chart.table.rows[0] == ("grouped", f"1{SPACE}200", "60.0", "50.0 to 66.0", f"70.0{SPACE}%")
    assert chart.table.rows[1][3] == "–"
    assert "Ticks" in chart.note
    assert "Bars" in chart.note


def test_labels_best_first() -> None:
    figures = {"labels": {"a": told(f1=0.2), "b": told(f1=0.9), "none": told(flows=0), "c": told(f1=0.2)}}
    chart = labels.chart(figures)
    assert chart is not None
    assert [row[0] for row in chart.table.rows] == ["b", "a", "c"]
    assert chart.says == "F1 from 90.0 (b) to 20.0 (c)."


def test_confusion() -> None:
    found = labels.confusion({"labels": {"a": {}, "b": {}, "c": {}}, "confusion": [[3, 1, 0], [0, 400, 1], [0, 0, 0]]})
    assert found is not None
    assert [[cell.text for cell in row] for row in found.rows] == [["75", "25", ""], ["", "100", "<1"], ["", "", ""]]
    assert found.rows[0][1].told == f"a: 1 of 4{SPACE}flows taken for b (25{SPACE}%)"
    assert found.rows[0][0].right
    assert not found.rows[0][1].right
    assert found.mixed.rows == [("a", "b", "1", f"25{SPACE}%"), ("b", "c", "1", f"0{SPACE}%")]


@pytest.mark.parametrize(("accuracy", "way"), [(0.5, "too sure"), (0.95, "too modest"), (0.8, "neither")])
def test_reliability_says_which_way(accuracy: float, way: str) -> None:
    bins = [{"confidence": 0.8, "accuracy": accuracy, "flows": 10}]
    chart = certainty.reliability({"calibration_error": abs(0.8 - accuracy), "bins": bins})
    assert chart is not None
    assert way in chart.says


def test_coverage() -> None:
    curve = [
        {"coverage": 0.01, "accuracy": 0.0},
        {"coverage": 0.5, "accuracy": 0.95},
        {"coverage": 1.0, "accuracy": 0.7},
    ]
    figures = {"coverage": {"curve": curve, "at_90": 0.6, "at_95": 0.5, "at_99": 0.0}}
    chart = certainty.coverage({"grouped": figures, "random": figures})
    assert chart is not None
    assert f"50.0{SPACE}% of the flows are answered" in chart.says
    assert [row[0] for row in chart.table.rows] == ["grouped", "random"]
    assert chart.table.rows[0][-1] == f"70.0{SPACE}%"


def test_roc() -> None:
    chart = unknown.roc(
        {"auroc": 0.875, "refused_at_5": 0.5, "known": 20, "unknown": 4, "roc": [[0, 0], [0.05, 0.5], [0.5, 1], [1, 1]]}
    )
    assert chart is not None
    assert "0.875" in chart.says
    assert [row[1] for row in chart.table.rows] == [
        f"{share}{SPACE}%" for share in ("0.0", "0.0", "50.0", "50.0", "50.0", "100.0")
    ]


def test_versions_by_their_names() -> None:
    group: dict[str, Any] = {
        "flows": 5,
        "labels": 1,
        "accuracy": 0.5,
        "macro_f1": 0.4,
        "coverage": 0.3,
        "accuracy_said": None,
    }
    chart = parts.versions({"groups": {"tls_version": {"none": group, "772": {**group, "flows": 9}}}})
    assert chart is not None
    assert [row[0] for row in chart.table.rows] == ["TLS 1.3", "not told"]


def test_early_in_the_order_of_numbers() -> None:
    figures = {"16": {"macro_f1": 0.7}, "2": {"macro_f1": 0.5}, "1": {"macro_f1": 0.4, "accuracy": None}}
    chart = parts.early(figures, 16)
    assert chart is not None
    assert chart.says == "Macro-F1 40.0 at 1 record, 50.0 at 2 records, 70.0 at 16 records."
    assert chart.table.head == ("records", "macro-F1")
    assert chart.table.rows[-1] == ("16 (chosen)", "70.0")


def test_learning_curves_of_folds_that_ended_at_different_epochs() -> None:
    history = {
        "grouped/0": [{"loss": 2.0, "validation_loss": 3.0}, {"loss": 1.0, "validation_loss": 2.0}],
        "grouped/1": [{"loss": 4.0, "validation_loss": 5.0}],
        "random/0": [{"loss": 9.0}],
    }
    (chart,) = learning.charts(history, "grouped")
    assert chart.table.rows == [("1", "3.000", "4.000"), ("2", "1.000", "2.000")]
    assert "Faint: each of 2 folds" in chart.note


def test_accuracies_that_were_looked_at_now_and_then() -> None:
    history = {"time/1": [{"loss": 2.0}, {"loss": 1.0, "accuracy": 0.5, "validation_accuracy": 0.4}]}
    _, chart = learning.charts(history, "time")
    assert chart.table.rows == [("2", "0.500", "0.400")]
    assert chart.says == f"Accuracy after 2{SPACE}epochs: training 0.500, validation 0.400."


def test_learning_curves_of_the_final_fit_alone() -> None:
    charts = learning.charts({"final": [{"loss": 2.0, "accuracy": 0.1}]}, "grouped")
    assert [chart.name for chart in charts] == ["loss", "accuracy"]
    assert charts[0].note == ""

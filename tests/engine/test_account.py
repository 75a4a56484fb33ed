from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.engine.account import (
    LATENCY_BOUNDS_S,
    MAX_LABELS,
    OTHER_LABELS,
    WINDOW_S,
    Counts,
    Histogram,
    Latency,
    quantiles,
)


def test_a_value_belongs_to_the_first_bound_not_below_it() -> None:
    histogram = Histogram((1, 2, 4))
    for value, times in ((1, 1), (1.5, 2), (4, 3), (5, 4)):
        histogram.add(value, times)
    assert histogram.counts == [1, 2, 3, 4]
    assert histogram.cumulative() == [1, 3, 6, 10]
    assert histogram.total == 1 + 3 + 12 + 20


def test_no_value_no_quantile() -> None:
    assert quantiles([Histogram(LATENCY_BOUNDS_S)], (0.5, 1.0)) == [None, None]


@given(
    st.lists(st.floats(0.0001, 100), min_size=1, max_size=200),
    st.lists(st.floats(0.0001, 100), max_size=20),
    st.sampled_from((0.5, 0.9, 0.99, 1.0)),
)
def test_a_quantile_is_at_most_19_percent_too_high(first: list[float], second: list[float], share: float) -> None:
    parts = [Histogram(LATENCY_BOUNDS_S), Histogram(LATENCY_BOUNDS_S)]
    for part, values in zip(parts, (first, second), strict=True):
        for value in values:
            part.add(value)
    values = sorted(first + second)
    true = values[min(len(values) - 1, max(0, -(-int(share * 100) * len(values) // 100) - 1))]
    (told,) = quantiles(parts, (share,))
    assert told is not None
    assert true * 0.9999 <= told <= true * 1.19


def test_beyond_the_last_bound_the_greatest_is_told() -> None:
    histogram = Histogram((1, 2))
    histogram.add(50)
    assert quantiles([histogram], (0.5,)) == [50]


def test_quantiles_are_of_late() -> None:
    latency = Latency(0.0)
    latency.add(1.0, 10, 1.0)
    latency.add(0.001, 10, WINDOW_S + 1)
    assert latency.report(WINDOW_S + 2)["max"] == 1000
    assert latency.report(WINDOW_S + 2)["flows"] == 20
    latency.add(0.001, 10, 2 * WINDOW_S + 2)
    report = latency.report(2 * WINDOW_S + 3)
    assert report["max"] == pytest.approx(1.0)
    assert report["flows"] == 20
    assert report["ever"]["flows"] == 30
    assert latency.report(10 * WINDOW_S)["p50"] is None


def test_asking_changes_nothing() -> None:
    latency = Latency(0.0)
    latency.add(0.01, 1, 1.0)
    latency.report(100 * WINDOW_S)
    assert latency.report(2.0)["flows"] == 1


def test_buckets_are_told_by_octaves() -> None:
    latency = Latency(0.0)
    latency.add(0.00015, 3, 0.0)
    buckets = latency.report(0.0)["ever"]["buckets_s"]
    assert [bound for bound, _ in buckets[:3]] == pytest.approx([0.0001, 0.0002, 0.0004])
    assert [count for _, count in buckets[:3]] == [0, 3, 3]


def test_labels_beyond_the_bound_are_counted_together() -> None:
    counts = Counts()
    for at in range(MAX_LABELS + 5):
        counts.add_label(f"label {at}")
        counts.add_label("label 0")
    assert len(counts.labels) == MAX_LABELS + 1
    assert counts.labels[OTHER_LABELS] == 5
    assert counts.labels["label 0"] == MAX_LABELS + 6

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from eacf.metrics import Distribution, Family, FamilyCollector
from eacf.metrics.family import by_name, counter, counters, gauge, histogram, info, inner, latency, one, picked, sizes

REPORT: dict[str, Any] = {
    "flows": 7,
    "share": None,
    "queue": {"flows": 0},
    "dropped": {"queue": 3, "odd one": 1},
    "labels": {"a": {"exams": 5, "accuracy": 0.5}, "b": {"exams": 1, "accuracy": None}},
    "push": {"counts": {"taken": 2}},
    "bundle": {"id": "f4355264fef2", "name": None},
    "latency_ms": {"ever": {"buckets_s": [[0.001, 1], [0.002, 4]], "sum_s": 0.5, "flows": 5}},
    "batches": {"sizes": {"1": 2, "2": 3}, "flows": 8},
}


def told(*families: Family) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What a scrape says."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FamilyCollector(families, lambda: REPORT))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_a_value_is_told_under_the_name_that_it_is_asked_for_by() -> None:
    assert told(
        counter("x_flows", "flows", "All.", "flows"), gauge("x_queue", "flows", "Waiting.", "queue", "flows")
    ) == {
        ("x_flows_total", ()): 7,
        ("x_queue", ()): 0,
    }


@pytest.mark.parametrize("path", [("share",), ("nothing",), ("flows", "deeper"), ("queue", "nothing")])
def test_what_is_not_known_is_left_out(path: tuple[str, ...]) -> None:
    assert told(gauge("x", "", "Gone.", *path)) == {}


def test_known_names_are_there_from_the_start() -> None:
    family = counters("x", "flows", "By reason.", "reason", "dropped", known=("queue", "send"))
    assert told(family) == {
        ("x_total", (("reason", "odd one"),)): 1,
        ("x_total", (("reason", "queue"),)): 3,
        ("x_total", (("reason", "send"),)): 0,
    }
    assert list(by_name("nothing", known=("queue",))(REPORT)) == []


def test_some_counts_of_many_under_other_names() -> None:
    read = picked("push", "counts", names={"taken": "yes", "refused": "no"})
    assert list(read(REPORT)) == [(("yes",), 2), (("no",), 0)]
    assert list(picked("push", "counts", names={"bytes": None})(REPORT)) == [((), 0)]
    assert list(picked("push", "nothing", names={"bytes": None})(REPORT)) == []


def test_one_value_of_each_object() -> None:
    assert list(inner("labels", key="accuracy")(REPORT)) == [(("a",), 0.5)]
    assert list(inner("labels", key="exams")(REPORT)) == [(("a",), 5), (("b",), 1)]
    assert list(inner("nothing", key="exams")(REPORT)) == []


def test_texts_are_labels_of_a_one() -> None:
    assert list(info("bundle.id", "bundle.name", "flows")(REPORT)) == [(("f4355264fef2", "", "7"), 1)]
    assert list(info("shadow.id", "bundle.id")(REPORT)) == []


def test_distributions() -> None:
    assert told(latency("x_seconds", "Time.")) == {
        ("x_seconds_bucket", (("le", "0.001"),)): 1,
        ("x_seconds_bucket", (("le", "0.002"),)): 4,
        ("x_seconds_bucket", (("le", "+Inf"),)): 5,
        ("x_seconds_count", ()): 5,
        ("x_seconds_sum", ()): 0.5,
    }
    assert told(sizes("x", "flows", "Sizes.", "batches"))["x_bucket", (("le", "2"),)] == 5
    made = histogram("x", "", "Made.", lambda _: Distribution([("1", 1), ("+Inf", 2)], 3.0))
    assert told(made)["x_sum", ()] == 3


@given(st.dictionaries(st.text(), st.integers(0, 2**53)))
def test_any_label_comes_through_as_it_is(counts: dict[str, int]) -> None:
    # Labels come over the bus: none may begin a line of its own in what Prometheus reads.
    family = Family("x_total", "", "Any.", by_name("counts"), ("label",), "counter")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FamilyCollector([family], lambda: {"counts": counts}))
    (found,) = text_string_to_metric_families(generate_latest(registry).decode())
    assert {sample.labels["label"]: sample.value for sample in found.samples} == counts


def test_an_empty_metric_is_declared_all_the_same() -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FamilyCollector([Family("x", "", "Nothing yet.", one("nothing"))], lambda: REPORT))
    assert generate_latest(registry).decode() == "# HELP x Nothing yet.\n# TYPE x gauge\n"

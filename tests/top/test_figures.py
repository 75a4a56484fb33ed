from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eacf.status import Party
from eacf.top.figures import (
    BAD,
    CALM,
    COLUMNS,
    LABEL_COLUMNS,
    WORRY,
    cells,
    filling,
    label_cells,
    labels,
    lost,
    percent,
    rate,
    short,
    shown_name,
)
from eacf.top.watch import Watch

Make = Callable[..., dict[str, Any]]
Hear = Callable[..., Party]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"), (0, "0"), (999_999, "999999"), (1_000_000, "1000k"), (99_999_999, "100000k"), (123_456_789, "123M"),
        (10**12, "1e+12"), ("7", "-"), (True, "-"),
    ],
)  # fmt: skip
def test_counts_are_short(value: object, said: str) -> None:
    assert short(value) == said
    assert len(said) <= 7


def test_shares_and_rates() -> None:
    assert [percent(value) for value in (None, 0, 0.001, 0.0954, 0.1, 0.976, 1, 3.2)] == [
        "-", "0%", "0.1%", "9.5%", "10%", "98%", "100%", "320%",
    ]  # fmt: skip
    assert [rate(value) for value in (None, 0, 0.25, 99.94, 100, 12_345.6)] == [
        "-",
        "0.0",
        "0.2",
        "99.9",
        "100",
        "12346",
    ]


def test_what_has_a_bound_is_coloured_near_it() -> None:
    assert [filling(value, 100) for value in (79, 80, 100, "x")] == [
        ("79%", CALM), ("80%", WORRY), ("100%", BAD), ("-", CALM),
    ]  # fmt: skip
    assert filling(3, 0).said == "-"


def test_a_loss_is_coloured_while_it_grows_and_after(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    seen = []
    for now, dropped in ((1.0, 0), (2.0, 3), (30.0, 3), (60.0, 3)):
        party = hear(watch, worker_report(uptime_s=now, dropped={"queue": dropped}), now)
        seen.append(lost(watch.sights[party], "dropped"))
    assert seen[0] == ("0", CALM)
    assert seen[1] == ("3", BAD)
    assert seen[3] == ("3", WORRY)


def test_a_row_of_a_worker(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    party = hear(watch, worker_report(), 0.0)
    assert [cell.said for cell in cells(party, watch.sights[party])] == [
        "0123456789ab", "-", "0%", "1.2", "8.5", "0", "75%", "97%", "-", "74", "90%", "  office 3",
    ]  # fmt: skip
    later = worker_report(
        uptime_s=102.0, flows_in=1_100, verdicts_out=1_100, abstained=280, process={"cpu_s": 10.5, "memory_bytes": 1}
    )
    hear(watch, later, 2.0)
    row = [cell.said for cell in cells(party, watch.sights[party])]
    assert (row[1], row[6], row[8]) == ("50.0", "20%", "25%")  # labels of the window, and no longer since the start


def test_a_row_of_a_zeek(zeek_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    party = hear(watch, zeek_report("z", timed_out=5, cluster_node="worker-1"), 0.0)
    row = [cell.said for cell in cells(party, watch.sights[party])]
    assert row == ["z", "-", "81%", "5", "0", "0", "4", "-", "3", "1"]
    assert shown_name(party, watch.sights[party]) == "worker-1"
    assert shown_name(Party("zeek", "\x1b[2J"), None) == "?[2J"


@pytest.mark.parametrize("kind", ["enforce", "relay", "oracle"])
def test_every_kind_has_a_cell_for_each_column(kind: str, hear: Hear) -> None:
    watch = Watch(1.0)
    party = hear(watch, {"kind": kind, "worker": "0a0b0c0d0e0f"}, 0.0)
    row = cells(party, watch.sights[party])
    assert row[0].said == "0a0b0c0d0e0f"
    assert len(row) == len(COLUMNS[kind if kind in COLUMNS else ""])


def test_labels_are_of_all_workers(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    exams = {"labels": {"mail": {"exams": 10, "accuracy": 0.5}, "web": {"exams": 4, "accuracy": None}}}
    hear(watch, worker_report(), 0.0)
    hear(watch, worker_report("b" * 12, labels={"mail": 100, "web": 7}, truth=exams), 0.0)
    hear(watch, worker_report("b" * 12, labels={"mail": 102, "web": 47}, truth=exams, uptime_s=104.0), 4.0)
    rows, flows = labels(watch)
    assert flows == 500 + 250 + 102 + 47
    assert [(row.name, row.rate, row.flows, row.exams) for row in rows] == [("web", 10, 297, 4), ("mail", 0.5, 602, 50)]
    assert [cell.said for cell in label_cells(rows[1], flows)] == ["mail", "0.5", "602", "67%", "88%", "50"]
    assert [cell.said for cell in label_cells(rows[0], flows)][4] == "-"
    assert len(label_cells(rows[0], flows)) == len(LABEL_COLUMNS)

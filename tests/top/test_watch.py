from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.status import Party
from eacf.top.watch import APART_S, MAX_LABELS, MAX_PARTIES, MISSED, SILENT_S, WINDOW_S, Watch, counts_of

Make = Callable[..., dict[str, Any]]
Hear = Callable[..., Party]
WORKER = Party("worker", "0123456789ab")


def test_one_report_makes_no_rate(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    hear(watch, worker_report(), 5.0)
    sight = watch.sights[WORKER]
    assert (sight.rate("flows"), sight.rise("flows")) == (None, None)
    assert sight.label_rates() == {"mail": None, "web": None}


def test_rates_are_by_the_clock_of_whoever_reports(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    hear(watch, worker_report(), 5.0)
    later = worker_report(uptime_s=102.0, flows_in=1_300, labels={"mail": 510, "news": 4})
    hear(watch, later, 6.5)  # it came quicker than the first
    sight = watch.sights[WORKER]
    assert sight.rate("flows") == pytest.approx(150)
    assert sight.rise("flows") == 300
    assert sight.label_rates() == {"mail": pytest.approx(5), "news": pytest.approx(2)}
    assert sight.rate("no such count") is None


def test_without_that_clock_ours_is_taken(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    for now, flows in ((5.0, 0), (7.0, 30)):
        hear(watch, worker_report(uptime_s=None, flows_in=flows), now)
    assert watch.sights[WORKER].rate("flows") == pytest.approx(15)


@pytest.mark.parametrize("interval", [0.2, 1.0, 3.0, 30.0])
def test_rates_are_of_the_window_or_of_two_reports(worker_report: Make, hear: Hear, interval: float) -> None:
    watch = Watch(interval)
    times = [at * interval for at in range(200)]
    for now in times:
        hear(watch, worker_report(uptime_s=now, flows_in=int(now * 10) if now <= times[100] else 10_000_000), now)
    past = watch.sights[WORKER].past
    span = past[-1].heard - past[0].heard
    assert past[-1].heard == times[-1]
    assert min(WINDOW_S, interval) <= span <= max(WINDOW_S + APART_S + interval, interval)
    assert len(past) <= WINDOW_S / APART_S + 3
    assert watch.sights[WORKER].rate("flows") == 0


def test_who_was_started_anew_has_no_rate_until_it_spoke_twice(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    hear(watch, worker_report(uptime_s=500.0), 0.0)
    hear(watch, worker_report(uptime_s=1.0, flows_in=9_000), 1.0)
    assert watch.sights[WORKER].rate("flows") is None
    hear(watch, worker_report(uptime_s=2.0, flows_in=9_010), 2.0)
    assert watch.sights[WORKER].rate("flows") == 10


def test_a_count_that_fell_makes_no_rate(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    hear(watch, worker_report(uptime_s=1.0), 0.0)
    hear(watch, worker_report(uptime_s=2.0, flows_in=3, labels={"mail": 1}), 1.0)
    assert watch.sights[WORKER].rate("flows") is None
    assert watch.sights[WORKER].label_rates() == {"mail": None}


def test_who_is_there_and_silent_is_kept_and_who_left_is_forgotten(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    party = hear(watch, worker_report(), 0.0)
    mute = Party("enforce", "f" * 12)
    watch.look({party, mute}, 1.0)
    assert (watch.silent_s(party, 1.0), watch.silent_s(mute, 1.0)) == (None, float("inf"))
    watch.look({party}, 60.0)
    assert watch.silent_s(party, 60.0) == 60
    assert watch.parties("worker") == [party]
    assert watch.parties("enforce") == []
    watch.look((), 60.0)
    assert watch.parties("worker") == []


def test_patience_is_of_some_questions(worker_report: Make, hear: Hear) -> None:
    quick, slow = Watch(0.2), Watch(30.0)
    for watch in (quick, slow):
        party = hear(watch, worker_report(), 0.0)
        assert watch.silent_s(party, SILENT_S) is None
    assert quick.silent_s(party, SILENT_S + 0.1) is not None
    assert slow.silent_s(party, MISSED * 30.0) is None


def test_answered_is_by_all_that_are_there(worker_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    party = hear(watch, worker_report(), 3.0)
    assert watch.answered(3.0)
    assert not watch.answered(3.1)
    watch.look({party, Party("zeek", "z")}, 3.0)
    assert not watch.answered(3.0)


def test_parties_and_labels_are_bounded(worker_report: Make) -> None:
    watch = Watch(1.0)
    labels = {f"label {at}": at for at in range(5_000)}
    for at in range(MAX_PARTIES + 7):
        watch.take(Party("worker", str(at)), worker_report(str(at), labels=labels), 0.0)
    assert (len(watch.sights), watch.passed_over) == (MAX_PARTIES, 7)
    past = watch.sights[Party("worker", "0")].past[-1]
    assert len(past.labels) == MAX_LABELS
    assert min(past.labels.values()) == 5_000 - MAX_LABELS
    watch.asked()
    assert watch.passed_over == 0
    # A label that was not among the first before: its rate cannot be told.
    watch.take(
        Party("worker", "0"), worker_report("0", labels={"label 3": 10, "label 4999": 5_009}, uptime_s=101.0), 1.0
    )
    assert watch.sights[Party("worker", "0")].label_rates() == {"label 3": None, "label 4999": 10}


def test_counts_of_each_kind(worker_report: Make, zeek_report: Make) -> None:
    assert counts_of(worker_report(dropped={"queue": 3, "send": 4}))["dropped"] == 7
    assert counts_of(zeek_report(acts={"done": {"qos in place": 2, "block dry-run": 1}}))["acts"] == 3
    agent = {
        "kind": "enforce",
        "acts": {"qos": {"in place": 4}, "drop": {"refused": 2}},
        "refused": {"dry_run": 9, "full": 2},
    }
    assert counts_of(agent) == {"cpu": None, "acts": 6, "refused": 2, "failed": None}
    assert counts_of({"kind": "relay", "out": 5, "dropped": {"full": 1}}) == {
        "cpu": None, "out": 5, "cut": None, "in": None, "dropped": 1, "refused": None,
    }  # fmt: skip
    assert counts_of({"kind": "oracle", "flows_in": 3}) == {}


KEYS = ["kind", "labels", "uptime_s", "up_s", "acts", "refused", "dropped", "verdicts", "flows_in", "process", "done"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["zeek", "enforce", "relay", "oracle"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), JSON), min_size=1, max_size=4))
def test_no_report_raises(reports: list[dict[str, Any]]) -> None:
    watch = Watch(1.0)
    for now, report in enumerate(reports):
        watch.take(WORKER, report, float(now))
    sight = watch.sights[WORKER]
    for name in ("flows", "cpu", "acts"):
        rate = sight.rate(name)
        assert rate is None or rate >= 0
    sight.label_rates()

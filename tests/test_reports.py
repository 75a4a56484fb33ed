"""Reports in words: what a worker and a Zeek say of themselves, both ends side by side, and what strangers may say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf import bundle, inference
from eacf.engine import Engine
from eacf.reports import MAX_LIST, account, count, is_worker, number, render, side_by_side, text
from eacf.status import process_facts

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def worker_report() -> dict[str, Any]:
    """Of a real engine, as it comes out of JSON."""
    model = inference.load(bundle.default_path())
    engine = Engine(model, worker="0123456789ab", started=0.0, process=process_facts)
    engine.counts.messages = engine.counts.flows = 12_345
    engine.counts.answered = 12_338
    engine.counts.dropped["queue"] = 7
    engine.counts.malformed["tag"] = 3
    report = json.loads(json.dumps(engine.status(93_784.0)))
    assert isinstance(report, dict)
    return report


def test_a_worker_in_words(worker_report: dict[str, Any]) -> None:
    said = render(worker_report)
    for words in ("0123456789ab", "1 d 2 h 3 min", "12,345", "7 queue", "3 tag", "p99 -"):
        assert words in said
    assert worker_report["bundle"]["id"] in said
    assert worker_report["runtime"] in said
    assert max(map(len, said.splitlines())) < 110


FIGURES = {"exams": 40, "right": 30, "wrong": 6, "abstained": 4, "accuracy": 0.8333, "coverage": 0.9}


def test_live_truth_in_words(worker_report: dict[str, Any]) -> None:
    labels = {f"label {at}": FIGURES | {"accuracy": at / 10, "exams": 20} for at in range(11)} | {
        "rare": FIGURES | {"accuracy": 0.0, "exams": 19},
        "silent": FIGURES | {"accuracy": None},
    }
    truth = FIGURES | {
        "clients": 7, "seconds": 75.0, "calibration_error": 0.04, "labels": labels, "alarms": {"accuracy": 2},
        "drift": {"now": {"accuracy": True, "inputs": False}}, "before": {"bundle": "0123456789ab", **FIGURES},
    }  # fmt: skip
    shadow = FIGURES | {"bundle": {"id": "ba9876543210", "name": "next", "version": "2"}, "scored": 100, "skipped": 5}
    shadow |= {"agreement": 0.97, "serving": FIGURES | {"accuracy": 0.5}}
    models = {"serving": "ba9876543210", "kept": [{}, {}], "older": 3}
    said = render(worker_report | {"truth": truth, "shadow": shadow, "models": models})
    for line in (
        "model store       ba9876543210 serves, 5 kept",
        "live accuracy     83.3% right of 90.0% answered (40 flows with a known name, of 7 clients, of the last 0 h 1 min 15 s)",
        "calibration       confidence and accuracy differ by 4.0%",
        "worst labels      label 0 0.0% of 20, label 1 10.0% of 20, label 2 20.0% of 20",
        "model before      0123456789ab, 83.3% right of 90.0% answered",
        "drift             accuracy (alarms: 2 accuracy)",
        "shadow            next 2 (id ba9876543210)",
        "                  100 scored, 5 skipped, 97.0% as the one that serves",
        "                  83.3% right of 90.0% answered; the one that serves, on the same flows: 50.0% right of 90.0% answered",
    ):
        assert line in said.splitlines()


def test_no_exam_no_shadow_no_store(worker_report: dict[str, Any]) -> None:
    said = render(worker_report)
    assert "live accuracy     - right of - answered (0 flows with a known name" in said
    assert "drift             is not looked for (alarms: none)" in said
    assert "shadow" not in said
    assert "model store" not in said


def test_a_zeek_in_words(zeek_report: Make) -> None:
    said = render(
        zeek_report(taps=[{"tap": "abcdefabcdef", "sent": 9, "received": 8, "lost": 1, "skipped": 2, "state": "ready"}])
    )
    for line in (
        "zeek              zeek-1 (Zeek 8.0.10, eacf 0.1.0, contract 1)",
        "mode              live, standalone, bus ZEROMQ",
        "up for            1 h 1 min 40 s",
        "asks for          lengths of the first 8 records, no payload",
        "flows collected   1,234 (3 more in the making, 2 left alone by policy)",
        "verdicts in       1,000 labelled, 230 abstained, 0 refused",
        "without a verdict 0 timed_out, 0 no_worker, 0 shed, 4 pending",
        "verdict errors    none",
        "conn.log lines    1 waiting, 0 late, 0 overflow",
        "its worker        0123456789ab ready, 1,234 sent, 1,230 answered, 4 unanswered, serves f4355264fef2",
        "its tap           abcdefabcdef ready, 9 sent, 8 received, 1 lost, 2 skipped",
    ):
        assert line in said.splitlines()
    bare = render(zeek_report(workers=[], cluster_node="worker-1", verdicts={"late": 3, "twice": 1}))
    assert "cluster node worker-1" in bare
    assert "its workers       none" in bare
    assert "verdict errors    3 late, 1 twice" in bare


def test_an_agent_in_words_and_no_worker(worker_report: dict[str, Any]) -> None:
    latency = {"p50": 1.5, "p90": 2.0, "p99": 8.0, "max": 9.0, "flows": 70}
    agent = {
        "kind": "enforce", "worker": "0a0b0c0d0e0f", "version": "0.1", "mode": "act", "uptime_s": 61.0, "restored": 12,
        "rules": {"drop": 3, "drop_host": 0, "qos": 2_000}, "bounds": {"rules": 20_000}, "refused": {"full": 4},
        "acts": {"qos": {"in place": 2_100, "refused": 4}, "drop": {"exists": 1}}, "removed": {"expired": 100},
        "malformed": {}, "reloads": {"done": 1, "refused": 2}, "nft": {"transactions": 90, "failed": 1, "seconds": 0.2},
        "latency_ms": latency, "process": {"cpu_s": 1.5, "memory_bytes": 60_000_000},
    }  # fmt: skip
    said = render(agent)
    for words in (
        "0a0b0c0d0e0f (eacf 0.1), mode act",
        "2,003 of 20,000 (3 drop, 2,000 qos), 12 of them put back",
        "asked: qos        2,100 in place, 4 refused",
        "refused           4 full",
        "read again 1 times, refused 2 times",
        "90 (1 refused, 0.2 s in them)",
        "p99 8.0",
    ):
        assert words in said, words
    assert side_by_side([worker_report, agent]) == side_by_side([worker_report])


def test_a_relay_in_words_and_in_no_account(worker_report: dict[str, Any]) -> None:
    relay = {
        "kind": "relay", "worker": "0a0b0c0d0e0f", "uptime_s": 61.0, "connections": 3, "topics": 5, "clients": 2, "out": 1_234,
        "out_cut": 4, "taken": 99, "dropped": {"topic": 7}, "refused_topics": 1, "admitted": {"sensor": 2}, "refused": {"key": 6},
        "reloads": {"done": 1}, "cuts": 1, "process": {"cpu_s": 1.5, "memory_bytes": 60_000_000, "threads": 2},
    }  # fmt: skip
    said = render(relay).splitlines()
    for line in (
        "relay             0a0b0c0d0e0f",
        "clients           3 connections now, 2 keys known, 5 topics",
        "admitted          2 sensor",
        "refused           6 key; 1 subscriptions; all cut off 1 times",
        "messages out      1,234 (4 cut: a client did not keep up)",
        "messages in       99 (dropped: 7 topic)",
        "process           1.5 s of CPU, 60 MB, 2 threads",
    ):
        assert line in said
    assert side_by_side([worker_report, relay]) == side_by_side([worker_report])


@pytest.mark.parametrize("kind", ["oracle", "", 7, {"a": 1}, "\x1b[2J", "o" * 1000])
def test_a_kind_of_a_later_release_is_shown_and_counts_for_nothing(kind: object) -> None:
    later = {"kind": kind, "worker": "0a0b0c0d0e0f", "version": "9.0", "uptime_s": 61.0, "news": [1]}
    said = render(later)
    assert "0a0b0c0d0e0f (eacf 9.0)" in said
    assert "does not know that kind" in said
    assert max(map(len, said.splitlines())) < 100
    assert not is_worker(later)
    assert side_by_side([later]) == ""


def test_a_policy_in_words(zeek_report: Make) -> None:
    acts = {
        "policy_file": "/etc/eacf/policy.toml", "mode": "dry-run", "agents": ["a" * 12], "waiting": 3, "left_alone": 4, "unsure": 5,
        "done": {"block dry-run": 12}, "problem": "line 3: no",
    }  # fmt: skip
    said = render(zeek_report(acts=acts)).splitlines()
    for line in (
        "policy            /etc/eacf/policy.toml, mode dry-run, 1 agents, 3 acts wait",
        "policy refused    line 3: no",
        "acts              12 block dry-run",
        "flows spared      4 left alone, 5 not sure enough",
    ):
        assert line in said
    assert "policy" not in render(zeek_report(acts={**acts, "policy_file": ""})).replace("by policy", "")


def test_accounts_close_or_not(worker_report: dict[str, Any], zeek_report: Make) -> None:
    of = account(worker_report)
    assert (str(of), of.gap) == ("12,345 taken in = 12,338 answered + 7 dropped + 0 queued + 0 held", 0)
    assert account(zeek_report()).verdict == "closes"
    short = account(zeek_report(timed_out=1, collected=1_236))
    assert (short.gap, short.verdict) == (1, "DOES NOT CLOSE: 1 too few")
    assert account(zeek_report(collected=1_230)).verdict == "DOES NOT CLOSE: 4 too many"
    for lacking in (
        zeek_report(shed=None),
        zeek_report(collected="many"),
        {"kind": "zeek"},
        {},
        {"dropped": {"x": "y"}},
    ):
        assert account(lacking).gap is None
        assert account(lacking).verdict.startswith("cannot be told")


def test_both_ends_side_by_side(worker_report: dict[str, Any], zeek_report: Make) -> None:
    other = {"worker": "ba9876543210", "model": "m", "unanswered": 5, "sent": 5, "answered": 0, "state": "hung"}
    sent = {
        "worker": "0123456789ab",
        "model": "m",
        "unanswered": 2,
        "sent": 11_113,
        "answered": 11_108,
        "state": "ready",
    }
    first, second = zeek_report("one"), zeek_report("two", workers=[sent, other], pending=0)
    lines = side_by_side([worker_report, first, second]).splitlines()
    assert lines[0].split("  ")[0] == "flows to and from"
    # 1,234 and 11,113 were sent by the two, 1,230 and 11,108 answers heard.
    assert lines[1].split() == ["0123456789ab", "12,347", "12,345", "12,338", "12,338"]
    assert lines[2].strip() == "2 sent and not come to the worker: on the way just now, or lost"
    assert lines[3].split() == ["ba9876543210", "5", "-", "-", "0"]
    assert lines[4] == "accounts"
    assert lines[5].startswith("  worker 0123456789ab  12,345 taken in = ")
    assert lines[5].endswith(": closes")
    assert lines[6].startswith("  zeek   one  1,234 collected = 1,000 labelled + 230 abstained + ")
    assert lines[6].endswith(": closes")
    assert lines[7].endswith(": DOES NOT CLOSE: 4 too few")
    assert len(lines) == 8


def test_what_differs_between_the_ends_is_told(worker_report: dict[str, Any], zeek_report: Make) -> None:
    def remarks(**worker: int) -> list[str]:
        said = side_by_side([{**worker_report, **worker}, zeek_report()])
        return [line.strip() for line in said.split("accounts")[0].splitlines()[2:]]

    assert remarks(flows_in=1_234, verdicts_out=1_230) == []
    assert remarks(flows_in=1_234, verdicts_out=1_233) == [
        "3 answered and not come to Zeek: on the way just now, or lost"
    ]
    assert remarks(flows_in=1_236, verdicts_out=1_236) == [
        "2 came from elsewhere: from a Zeek that ended, was restarted, or did not answer here"
    ]


def test_what_is_too_long_for_a_screen_is_counted(zeek_report: Make) -> None:
    workers = [{"worker": f"{n:012x}", "state": "ready"} for n in range(100)]
    said = render(zeek_report(workers=workers, verdicts={f"kind{n}": 1 for n in range(100)}))
    assert said.count("its worker ") == MAX_LIST
    assert "and 68 more" in said
    assert "68 more" in said.split("verdict errors")[1].splitlines()[0]
    assert "and 68 reports more" in side_by_side([zeek_report(str(n)) for n in range(100)])


@pytest.mark.parametrize("report", [{}, {"queue": 3, "process": None, "dropped": [1], "uptime_s": "x"}])
def test_what_a_report_lacks_is_shown_as_missing(report: dict[str, object]) -> None:
    assert render(report).count("-") > 10
    assert render({"kind": "zeek", **report}).count("-") > 10
    assert render({"kind": "enforce", **report}).count("-") > 10
    assert render({"kind": "relay", **report}).count("-") > 10


def test_numbers_are_taken_only_where_they_can_be_reckoned_with() -> None:
    assert [number(value) for value in (3, 1.5, True, "3", None, float("inf"), float("nan"), 10**400)] == [3, 1.5] + [
        None
    ] * 6
    assert [count(value) for value in (3, 3.0, 3.5, -1, True, 1e300)] == [3, 3, None, None, None, None]
    assert text(10**400) == "(a number out of range)"
    assert text("\u202ea\x1b\n\ud800") == "?a???"


FIELDS = [
    "worker", "version", "uptime_s", "bundle", "dropped", "queue", "flows_in", "verdicts_out", "held_verdicts", "process",
    "latency_ms", "batches", "node", "zeek", "up_s", "needs", "collected", "labelled", "verdicts", "delayed", "workers", "taps",
    "truth", "shadow", "models", "mode", "rules", "bounds", "acts", "refused", "removed", "nft", "reloads",
    "kind", "connections", "admitted", "labels",
]  # fmt: skip
TRUTH = ["labels", "accuracy", "exams", "drift", "now", "before", "serving", "agreement", "kept", "seconds"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["worker", "sent", "flows", "memory_bytes", "payload_bytes", *TRUTH]) | st.text(), inner
        )
    ),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON).map(dict), max_size=3),
    st.sampled_from([None, "zeek", "enforce", "relay", "oracle"]),
)
def test_nothing_that_a_stranger_reports_raises_or_steers(reports: list[dict[str, Any]], kind: str | None) -> None:
    for report in reports:
        if kind is not None:
            report["kind"] = kind
    said = "\n".join([*map(render, reports), side_by_side(reports)])
    assert all(character == "\n" or character.isprintable() for character in said)
    assert max(map(len, said.splitlines()), default=0) < 10_000

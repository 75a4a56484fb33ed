from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eacf.status import Party
from eacf.top.figures import BAD, WORRY
from eacf.top.remarks import remarks
from eacf.top.watch import Watch

Make = Callable[..., dict[str, Any]]
Hear = Callable[..., Party]
MORE = {"flows_in": 1_001, "verdicts_out": 1_001, "uptime_s": 102.0}


def said(watch: Watch, now: float) -> list[tuple[str, str]]:
    return [(cell.said, cell.style) for cell in remarks(watch, now)]


def test_where_all_is_well_nothing_is_said(worker_report: Make, zeek_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    for now, fields in ((0.0, {}), (2.0, MORE)):
        hear(watch, worker_report(**fields), now)
        hear(watch, zeek_report(shed=7, collected=1_241), now)  # was shed, and no longer is
    assert said(watch, 2.0) == []


def test_what_gets_lost_is_said_with_its_rate(worker_report: Make, zeek_report: Make, hear: Hear) -> None:
    watch = Watch(1.0)
    agent = {"kind": "enforce", "worker": "0a0b0c0d0e0f", "uptime_s": 1.0, "refused": {"full": 1, "dry_run": 1}}
    for report in (worker_report(), zeek_report("z", up_s=1.0), agent):
        hear(watch, report, 0.0)
    for report in (
        worker_report(uptime_s=102.0, flows_in=1_004, dropped={"queue": 4}),
        zeek_report("z", up_s=3.0, collected=1_235, no_worker=1),
        agent | {"uptime_s": 3.0, "refused": {"full": 1, "dry_run": 99}},
    ):
        hear(watch, report, 2.0)
    assert said(watch, 2.0) == [
        ("worker 0123456789ab: flows dropped, 2.0 a second", BAD),
        ("zeek z: flows and no worker, 0.5 a second", BAD),
    ]


def test_silence_an_open_account_and_bounds_are_said_the_worst_first(
    worker_report: Make, zeek_report: Make, hear: Hear
) -> None:
    watch = Watch(1.0)
    full = {"flows": 4_000, "limit_flows": 4_096}
    drift = {"drift": {"now": {"accuracy": True, "inputs": False, "\x1b": True}}}
    hear(watch, worker_report(queue=full, truth=drift, flows_in=5_000), 0.0)
    agent = {"kind": "enforce", "worker": "0a0b0c0d0e0f", "rules": {"qos": 900}, "bounds": {"rules": 1_000}}
    hear(watch, agent, 0.0)
    hear(watch, zeek_report("z", pending=3, acts={"problem": "line 3: no"}), 0.0)
    watch.look({*watch.present, Party("worker", "f" * 12)}, 0.0)
    assert said(watch, 0.0) == [
        ("worker ffffffffffff has not answered yet", BAD),
        ("zeek z: its account does not close, 1 too few", BAD),
        ("worker 0123456789ab: its queue is at 98% of the bound", WORRY),
        ("worker 0123456789ab: drift of accuracy, ?", WORRY),
        ("zeek z: its policy is refused: line 3: no", WORRY),
        ("agent 0a0b0c0d0e0f: its rules are at 90% of the bound", WORRY),
    ]
    hear(watch, worker_report(flows_in=1_001), 8.0)
    assert said(watch, 9.0)[0] == ("worker 0123456789ab: its account does not close, 1 too few", BAD)
    assert ("agent 0a0b0c0d0e0f has been silent for 9 s", BAD) in said(watch, 9.0)

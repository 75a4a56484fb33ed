from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eacf.doctor import worker

Make = Callable[..., dict[str, Any]]


def test_a_healthy_worker(worker_report: Make) -> None:
    found = list(worker.look(worker_report()))
    assert [(each.check, each.state, each.remedy) for each in found] == [("worker", "ok", ""), ("account", "ok", "")]
    assert "0123456789ab" in found[0].seen
    assert worker_report()["bundle"]["id"] in found[0].seen


def test_another_release_is_worth_a_warning(worker_report: Make) -> None:
    found = worker.release(worker_report(version="9.9"))
    assert (found.state, "eacf 9.9" in found.seen) == ("warning", True)
    assert "restart the worker" in found.remedy
    assert worker.release({}).state == "warning"


def test_an_account_that_does_not_close_is_a_problem(worker_report: Make) -> None:
    found = worker.closes(worker_report(flows_in=5))
    assert (found.state, "DOES NOT CLOSE: 5 too few" in found.seen) == ("problem", True)
    assert worker.closes(worker_report(dropped={"queue": "x"})).state == "problem"


def test_each_loss_has_its_remedy(worker_report: Make) -> None:
    report = worker_report(
        dropped={"queue": 7, "send": 1, "drain": 0},
        malformed={"tag": 3, "limit": 2, "x": None},
        reloads={"done": 1, "failed": 2},
    )
    found = list(worker.losses(report))
    assert [each.state for each in found] == ["warning"] * 4
    assert ["7 flows dropped (queue)" in found[0].seen, "1 flows dropped (send)" in found[1].seen] == [True, True]
    assert "5 messages it could not read" in found[2].seen
    assert "2 reloads failed" in found[3].seen
    assert all(each.remedy for each in found)
    assert "second worker" in found[0].remedy


def test_nothing_of_a_wrong_type_raises() -> None:
    for value in (None, 3, "x", [1], {"a": [2]}, float("inf")):
        report = dict.fromkeys(("worker", "version", "bundle", "dropped", "malformed", "reloads", "queue"), value)
        assert list(worker.look(report))

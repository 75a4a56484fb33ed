from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import eacf
from eacf.doctor import acting

Make = Callable[..., dict[str, Any]]
ACTS = {"policy_file": "/etc/eacf/policy.toml", "mode": "act", "agents": ["a" * 12], "done": {}}
AGENT = {
    "kind": "enforce", "worker": "0a0b0c0d0e0f", "version": eacf.__version__, "mode": "act", "rules": {"drop": 3, "qos": 4},
    "bounds": {"rules": 20_000}, "refused": {}, "nft": {"rebuilt": 0}, "reloads": {"refused": 0},
}  # fmt: skip


def test_without_a_policy_nothing_is_said(zeek_report: Make) -> None:
    assert list(acting.policy(zeek_report())) == []
    assert list(acting.policy(zeek_report(acts=ACTS | {"policy_file": ""}))) == []


@pytest.mark.parametrize(
    ("acts", "state", "words"),
    [
        ({}, "ok", "mode act, agents: 1"),
        ({"mode": "dry-run"}, "ok", "mode dry-run: nothing is done"),
        ({"agents": []}, "warning", "there is no agent"),
        ({"problem": "line 3: no \x1b"}, "warning", "is refused: line 3: no ?"),
    ],
)
def test_a_policy(zeek_report: Make, acts: dict[str, Any], state: str, words: str) -> None:
    (found,) = acting.policy(zeek_report("z", acts=ACTS | acts))
    assert (found.check, found.state, bool(found.remedy)) == ("policy", state, state != "ok")
    assert words in found.seen


def test_a_healthy_agent() -> None:
    (found,) = acting.agent(AGENT)
    assert (found.check, found.state) == ("agent", "ok")
    assert "mode act, 7 rules of 20,000" in found.seen


def test_each_trouble_of_an_agent_has_its_remedy() -> None:
    refused = dict.fromkeys(acting.REFUSED, 2) | {"left_alone": 9}  # which is meant so
    report = AGENT | {"refused": refused, "nft": {"rebuilt": 1}, "reloads": {"refused": 3}, "bounds": {"rules": 8}}
    found = list(acting.agent(report))
    assert [each.check for each in found] == ["agent", *["acts refused"] * len(acting.REFUSED), "agent", "policy"]
    assert all(each.state == "warning" and each.remedy for each in found)
    assert next(acting.agent(AGENT | {"version": "9.9"})).state == "warning"


@pytest.mark.parametrize("report", [{}, {"rules": 3, "refused": [1], "nft": None, "reloads": "x", "acts": 7}])
def test_what_is_no_report_raises_nothing(report: dict[str, Any]) -> None:
    assert len(list(acting.agent(report))) == 1
    assert list(acting.policy(report)) == []

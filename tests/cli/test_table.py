"""How a replay's result is put into words."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from eacf.cli.table import ROWS, Lines, Table, cells, summary
from eacf.replay import Counts
from eacf.verdict import Info

INFO = Info(
    0, "C1", IPv4Address("192.0.2.1"), 1, IPv6Address("2001:db8::1"), 443, "a.example", "web", 0.987, None, "m", "w",
    "web", 1, 0, 0, 8,
)  # fmt: skip


def test_a_row() -> None:
    assert cells(INFO) == ("192.0.2.1:1", "[2001:db8::1]:443", "web", "0.99", "a.example", "-")
    bare = replace(INFO, label=None, confidence=None, server_name=None, reason="timeout")
    assert cells(bare)[2:] == ("-", "-", "-", "timeout")
    assert cells(replace(INFO, server_name="\x1b[2J\udcff"))[4] == "\\x1b[2J\\xff"


def test_lines_have_one_heading(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    for _ in range(3):
        lines.add(INFO)
    heading, *rest = capsys.readouterr().out.splitlines()
    assert heading.startswith("originator")
    assert len(set(rest)) == 1
    assert len(rest) == 3


def test_a_table_is_bounded_and_in_order_of_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    table = Table()
    for number in reversed(range(ROWS + 5)):
        table.add(replace(INFO, ts_ns=number, orig_p=10_000 + number))
    table.show()
    out = capsys.readouterr().out
    assert out.count("a.example") == ROWS
    assert out.index(":10005") < out.index(":10006") < out.index(f":{10_000 + ROWS + 4}")
    assert "and 5 more" in out


def test_a_narrow_terminal_gets_the_responder_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = Table()
    table.add(replace(INFO, label=None, reason="abstained"))
    table.show()
    heading, _, row = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert heading == ["responder", "label", "conf.", "server", "name"]
    assert row == ["[2001:db8::1]:443", "(abstained)", "0.99", "a.example"]


def test_an_empty_table_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Table().show()
    assert capsys.readouterr().out == ""


def test_the_summary_says_what_it_cannot_know() -> None:
    assert summary(Counts()).endswith(
        "accuracy against SNI: unknown (no labelled flow has a server name that the bundle knows)"
    )
    some = Counts(
        flows=2000, verdicts=1990, labelled=1500, abstained=490, timed_out=9, dropped=1, named=1000, right=900
    )
    assert summary(some) == (
        "2,000 flows, 1,990 verdicts (1,500 labelled, 490 abstained, 0 refused), 9 timed out, 1 dropped;"
        " accuracy against SNI: 90.0% (900 of 1,000 labelled flows whose server name the bundle knows)"
    )

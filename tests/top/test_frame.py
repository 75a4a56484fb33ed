from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from eacf.reports import kind_of
from eacf.status import Party
from eacf.top.frame import MAX_REMARKS, MIN_WIDTH, Head, frame
from eacf.top.watch import Watch

Make = Callable[..., dict[str, Any]]
Hear = Callable[..., Party]
HEAD = Head("13:20:11", "tcp://127.0.0.1:5555", 1.0)


def plain(lines: list[Text]) -> list[str]:
    return [line.plain.rstrip() for line in lines]


@pytest.fixture
def watch(worker_report: Make, zeek_report: Make, hear: Hear) -> Watch:
    """Two workers, a Zeek and an agent."""
    made = Watch(1.0)
    agent = {
        "kind": "enforce",
        "worker": "0a0b0c0d0e0f",
        "mode": "act",
        "rules": {"qos": 12},
        "bounds": {"rules": 20_000},
    }
    for at in (0, 1):
        more = {"uptime_s": 100.0 + at, "flows_in": 1_000 + 150 * at, "verdicts_out": 1_000 + 150 * at}
        hear(made, worker_report("a" * 12, **more), float(at))
        hear(made, worker_report("b" * 12, **more), float(at))
        hear(made, zeek_report("z", up_s=float(at), collected=1_234 + 310 * at, pending=4 + 310 * at), float(at))
        hear(made, agent, float(at))
    return made


def test_a_picture_of_eighty_columns(watch: Watch) -> None:
    assert plain(frame(watch, HEAD, 1.0, 80, None)) == [
        "eacf top  13:20:11  every 1 s, q ends  bus tcp://127.0.0.1:5555",
        "2 workers, 1 Zeek process, 1 agent; 310 flows/s, 300 at workers",
        "",
        "workers       flows/s queue  p50 ms  p99 ms    lost labels right  CPU    MB",
        "aaaaaaaaaaaa      150    0%     1.2     8.5       0   100%   97% 0.0%    74".replace(" 0.0%", "   0%"),
        "bbbbbbbbbbbb      150    0%     1.2     8.5       0   100%   97%   0%    74",
        "",
        "zeek              flows/s labels timeout no worker    shed pending  acts/s",
        "z                     310     0%       0         0       0     314       -",
        "",
        "agents          rules  full  acts/s refused  p50 ms  p99 ms  CPU    MB  mode",
        "0a0b0c0d0e0f       12  0.1%       -       -       -       -    -     -  act",
        "",
        "labels                            flows/s      flows  share  right  of named",
        "mail                                  0.0       1000    67%    98%        80",
        "web                                   0.0        500    33%      -         0",
    ]


def test_a_wide_terminal_shows_more(watch: Watch) -> None:
    said = "\n".join(plain(frame(watch, HEAD, 1.0, 120, None)))
    assert "answered  serves" in said
    assert "office 3" in said
    assert "held workers" in said


def test_no_bus(watch: Watch) -> None:
    head = Head("13:20:11", "ipc:///x", 1.0, "no bus at ipc:///x", keys=False)
    assert plain(frame(Watch(1.0), head, 1.0, 80, 24)) == [
        "eacf top  13:20:11  every 1 s  bus ipc:///x",
        "no bus at ipc:///x",
    ]


def test_nobody_there() -> None:
    assert plain(frame(Watch(1.0), HEAD, 1.0, 80, 24))[1:] == ["0 workers, 0 Zeek processes; - flows/s, - at workers"]


def test_who_does_not_answer_has_no_figures(watch: Watch) -> None:
    lines = plain(frame(watch, HEAD, 50.0, 80, None))
    assert lines.count("aaaaaaaaaaaa  does not answer") == 1
    assert sum("does not answer" in line for line in lines) == 4
    assert "! worker aaaaaaaaaaaa has been silent for 49 s" in lines


@pytest.mark.parametrize("height", [10, 16, 24, 40])
def test_a_low_terminal_counts_what_it_does_not_show(worker_report: Make, hear: Hear, height: int) -> None:
    watch = Watch(1.0)
    labels = {f"label {at}": 100 - at for at in range(30)}
    for at in range(50):
        hear(
            watch,
            worker_report(f"{at:012x}", labels=labels, flows_in=1_009, queue={"flows": 9, "limit_flows": 10}),
            0.0,
        )
    lines = plain(frame(watch, HEAD, 0.0, 80, height))
    assert len(lines) <= height
    shown = sum(line.startswith("0000000000") for line in lines)
    assert f"and {50 - shown} more" in lines
    if height >= 24:
        assert len([line for line in lines if line.startswith("! ")]) == MAX_REMARKS + 1
        assert "! and 44 remarks more" in lines
        assert len([line for line in lines if line.startswith("label ")]) >= 4


def test_where_all_fit_all_are_shown_before_lines_stay_empty(watch: Watch) -> None:
    for height in (13, 16, 24):
        lines = plain(frame(watch, HEAD, 1.0, 80, height))
        assert not any("more" in line for line in lines)
        assert "" not in lines or height > 13


KEYS = [
    "worker",
    "node",
    "version",
    "bundle",
    "name",
    "labels",
    "cluster_node",
    "mode",
    "queue",
    "flows",
    "acts",
    "problem",
]
WORDS = st.text() | st.sampled_from(
    ["\x1b[2J", "[bold red]x[/]", "\u202e", "\u4e2d\u6587" * 20, "\n\n", "\t", "e\u0301" * 50]
)
VALUES = st.recursive(
    WORDS | st.integers() | st.none(),
    lambda inner: st.dictionaries(st.sampled_from(KEYS) | WORDS, inner, max_size=4),
    max_leaves=6,
)
REPORTS = st.dictionaries(st.sampled_from(KEYS), VALUES)
KINDS = st.sampled_from([None, "zeek", "enforce", "relay"]) | WORDS


@given(st.lists(st.tuples(KINDS, WORDS, REPORTS), max_size=5), st.integers(1, 200), st.none() | st.integers(0, 40))
def test_nothing_that_a_stranger_reports_steers_or_outgrows_the_terminal(
    said: list[tuple[str | None, str, dict[str, Any]]], width: int, height: int | None
) -> None:
    watch = Watch(1.0)
    for kind, name, report in said:
        report |= {} if kind is None else {"kind": kind}
        watch.take(Party(kind_of(report), name), report, 0.0)
    watch.look({Party("worker", name) for _, name, _ in said}, 0.0)
    lines = frame(watch, HEAD, 0.5, width, height)
    assert all(character.isprintable() for line in lines for character in line.plain)
    assert all(cell_len(line.plain) <= max(width, MIN_WIDTH) for line in lines)
    assert height is None or len(lines) <= height

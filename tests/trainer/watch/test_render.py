from __future__ import annotations

import json
import logging
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from eacf_trainer.watch import render
from eacf_trainer.watch.home import LOG
from eacf_trainer.watch.render import SHOWN

HOSTILE = "<script>alert(1)</script>&\"'\u202e\x1b[31m\udc80"
"""Markup, a mark that turns the direction of writing, a terminal's escape, and a byte that was not UTF-8."""


def update(turn: int, outcome: str = "rejected", **more: Any) -> dict[str, Any]:
    line = {"kind": "update", "turn": turn, "outcome": outcome, "at": f"at {turn}", "at_s": 1000.0 + turn}
    return line | {"reason": "samples", "why": [], "alarms": {}, "parent": "a" * 12, "bundle": f"{turn:012x}"} | more


def judgement(label: str = "chat", before: float = 0.5, after: float = 0.75) -> dict[str, Any]:
    return {
        "checks": [{"name": "better", "passed": True, "text": f"macro-F1 of {label}"}],
        "serving": {"macro_f1": before, "accuracy": 0.5, "us_per_flow": 10.0, "size_kb": 200.0},
        "candidate": {"macro_f1": after, "accuracy": None, "us_per_flow": 11.0, "size_kb": 201.0},
        "judged": 1234,
        "unknown": 50,
        "clients": 30,
        "drawn": "clients",
        "p": 0.0123,
        "gain": [0.1, 0.4],
        "labels": {label: {"flows": 99, "serving": before, "candidate": after}},
    }


def failed(turn: int, why: str) -> dict[str, Any]:
    """As the watcher logs a training that came to nothing."""
    return update(turn, "failed", bundle=None, why=[why], wall_seconds=3.5)


def written(home: Path, lines: list[dict[str, Any]]) -> str:
    (home / LOG).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return render.write(home).read_text()


def page(home: Path, turn: int) -> str:
    return (home / "pages" / f"{turn}.html").read_text()


def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    lines = [
        {"kind": "begin", "at": "now", "bundle": HOSTILE, "from": "x"},
        update(
            1,
            "accepted",
            reason=HOSTILE,
            why=[HOSTILE],
            parent=HOSTILE,
            bundle=HOSTILE,
            at=HOSTILE,
            alarms={HOSTILE: 3},
            judgement=judgement(HOSTILE),
            candidate={"added": [HOSTILE], "kept": [HOSTILE], "dropped": {HOSTILE: 2}},
        ),
        {
            "kind": "push",
            "at": HOSTILE,
            "bundle": HOSTILE,
            "serial": 5,
            "done": True,
            "file": None,
            "workers": {HOSTILE: ["refused", HOSTILE]},
        },
        {"kind": "push", "at": "now", "bundle": "b", "done": True, "file": HOSTILE, "workers": None},
    ]
    first = written(tmp_path, lines)
    one = page(tmp_path, 1)
    for text in (first, one):
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert not re.search("[\u202e\x1b\ud800-\udfff]", text)
        assert r"\u202e\x1b[31m\x80" in text
        assert "default-src 'none'" in text
    for title in ("Updates", "Deliveries"):
        assert title in first
    # A label reaches the page as a label, as part of a check's text, and in how it was made.
    assert one.count("&lt;script&gt;") >= 8


def test_what_was_judged_stands_side_by_side(tmp_path: Path) -> None:
    written(tmp_path, [update(1, "accepted", judgement=judgement(), samples={"samples": 4321})])
    text = page(tmp_path, 1).replace("\u00a0", " ")
    for told in (
        "Accepted at at 1, tried for samples",
        "50.0 %",
        "75.0 %",
        "1 234 samples of labels and 50 of none, of 30 clients",
        "10.0 to 40.0 points",
        "macro-F1 of chat",
        "passed",
        "microseconds a flow",
        "<dd>4321</dd>",
        'href="../report.html"',
    ):
        assert told in text, told


def test_a_failed_update_has_a_page_that_says_why(tmp_path: Path) -> None:
    why = "the training took 2100 MB, 2000 are allowed (process.memory_mb); it was ended"
    first = written(tmp_path, [failed(1, why)])
    assert "failed" in first
    assert 'href="pages/1.html"' in first
    text = page(tmp_path, 1)
    assert why in text
    assert "Candidate –" in text
    assert "The gate" not in text


def test_nothing_yet_is_a_page_too(tmp_path: Path) -> None:
    assert "None yet." in render.write(tmp_path).read_text()
    first = written(tmp_path, [{"kind": "begin", "at": "now", "bundle": "abc", "from": "x"}])
    assert "abc serves." in first
    assert list((tmp_path / "pages").iterdir()) == []


def test_the_newest_is_first_and_the_last_accepted_one_serves(tmp_path: Path) -> None:
    lines = [
        {"kind": "begin", "at": "now", "bundle": "begun", "from": "x"},
        update(1, "accepted", judgement=judgement()),
        update(2, "accepted", judgement=judgement()),
        failed(3, "no sample"),
    ]
    first = written(tmp_path, lines)
    assert [int(turn) for turn in re.findall(r'href="pages/(\d+).html"', first)] == [3, 2, 1]
    assert f"2\u00a0updates accepted; {2:012x} serves." in first
    assert "<svg" in first  # two were judged
    assert "<svg" not in written(tmp_path, lines[:2])


def test_pages_are_as_many_as_are_listed_however_long_the_log(tmp_path: Path) -> None:
    stranger = tmp_path / "pages" / "99999.html"
    stranger.parent.mkdir()
    stranger.write_text("of another log")
    lines = [update(turn) for turn in range(1, SHOWN + 4)]
    written(tmp_path, lines[:2])
    assert sorted(path.name for path in stranger.parent.iterdir()) == ["1.html", "2.html"]
    first = written(tmp_path, lines)
    turns = [int(turn) for turn in re.findall(r'href="pages/(\d+).html"', first)]
    assert turns == list(range(SHOWN + 3, 3, -1))
    assert sorted(int(path.stem) for path in stranger.parent.iterdir()) == sorted(turns)


def test_a_page_is_written_once_and_the_last_one_again(tmp_path: Path) -> None:
    written(tmp_path, [update(1), update(2)])
    for turn in (1, 2):
        (tmp_path / "pages" / f"{turn}.html").write_text("kept")
    written(tmp_path, [update(1), update(2)])
    assert page(tmp_path, 1) == "kept"
    assert "Update 2" in page(tmp_path, 2)


def test_pages_are_their_owners(tmp_path: Path) -> None:
    written(tmp_path, [update(1)])
    for path in (tmp_path / "report.html", tmp_path / "pages" / "1.html"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "pages").stat().st_mode) == 0o700


def test_drawing_that_fails_is_a_line_and_no_reason_to_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / LOG).mkdir()
    with caplog.at_level(logging.WARNING, "eacf.watch"):
        render.draw(tmp_path)
    assert f"report.html was not written: {tmp_path / LOG}: Is a directory" in caplog.text
    assert not (tmp_path / "report.html").exists()

from __future__ import annotations

from eacf.engine.notices import EVERY_S, MAX_DETAIL, Notices


def test_the_first_is_told_at_once_the_next_are_summed_up() -> None:
    notices = Notices()
    assert notices.next_deadline() is None
    notices.note("bad", "one")
    assert notices.due(5.0) == ["bad: 1 since last told; the last: one"]
    for number in range(1000):
        notices.note("bad", f"number {number}")
        assert notices.due(6.0) == []
    assert notices.next_deadline() == 5.0 + EVERY_S
    assert notices.due(5.0 + EVERY_S) == ["bad: 1000 since last told; the last: number 999"]
    assert notices.due(100.0) == []
    assert notices.next_deadline() is None


def test_subjects_do_not_hide_each_other() -> None:
    notices = Notices()
    notices.note("a", "x", 7)
    notices.note("b", "y")
    assert len(notices.due(0.0)) == 2


def test_a_detail_is_cut() -> None:
    notices = Notices()
    notices.note("a", "x" * 10_000)
    (line,) = notices.due(0.0)
    assert len(line) < MAX_DETAIL + 100


def test_what_a_peer_puts_into_a_detail_makes_no_line_of_its_own() -> None:
    notices = Notices()
    notices.note("acts refused", "no kind x\n2026-01-01 ERROR forged\x1b[2J\u202e\ud800é")
    assert notices.due(0.0) == ["acts refused: 1 since last told; the last: no kind x?2026-01-01 ERROR forged?[2J??é"]

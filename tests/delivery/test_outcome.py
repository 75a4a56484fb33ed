"""What becomes of a push, in words."""

from __future__ import annotations

from eacf.delivery.outcome import heard, said
from eacf.wire import MAX_REASON


def test_what_a_stranger_says_cannot_steer_a_terminal() -> None:
    outcome = heard("ref\x1b[2Jused", "one\ntwo\r\x07 \x9b31m")
    assert outcome == ("ref?[2Jused", "one?two?? ?31m")
    assert not outcome.taken


def test_a_long_reason_is_cut_where_a_message_ends() -> None:
    assert said("short") == "short"
    cut = said("ä" * MAX_REASON)
    assert len(cut.encode()) <= MAX_REASON
    assert cut.endswith(" ...")

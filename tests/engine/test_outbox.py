from __future__ import annotations

from eacf.engine.outbox import MAX_TOPICS, Outbox, Part
from eacf.verdict import Verdict

HOLD = 0.002


def part(flows: int = 1, received: float = 0.0) -> Part:
    return Part(received, [Verdict("C1", None, 0.5, "model")] * flows)


def sizes(outbox: Outbox, now: float, *, everything: bool = False) -> list[int]:
    return [sum(len(each.verdicts) for each in parts) for _, parts in outbox.due(now, everything=everything)]


def test_rare_verdicts_leave_at_once() -> None:
    outbox = Outbox(HOLD)
    for now in (1.0, 1.1, 1.2):
        outbox.add("a", part())
        assert sizes(outbox, now) == [1]
    assert outbox.next_deadline() is None


def test_dense_verdicts_leave_together() -> None:
    outbox = Outbox(HOLD)
    sent = []
    for step in range(100):  # one every 0.1 ms
        outbox.add("a", part())
        sent += sizes(outbox, 1.0 + step * 0.0001)
    assert sent[0] == 1
    assert sum(sent) + outbox.flows == 100
    assert len(sent) <= 6


def test_none_is_held_longer_than_the_hold() -> None:
    outbox = Outbox(HOLD)
    outbox.add("a", part())
    assert sizes(outbox, 1.0) == [1]
    outbox.add("a", part())
    assert sizes(outbox, 1.0) == []
    assert outbox.next_deadline() == 1.0 + HOLD
    assert sizes(outbox, 1.0 + HOLD) == [1]
    assert outbox.flows == 0


def test_a_full_message_does_not_wait_and_none_is_larger() -> None:
    outbox = Outbox(HOLD)
    outbox.add("a", part())
    list(outbox.due(1.0))
    for _ in range(9):
        outbox.add("a", part(32))
    assert sizes(outbox, 1.0) == [256, 32]


def test_topics_do_not_wait_for_each_other() -> None:
    outbox = Outbox(HOLD)
    outbox.add("a", part())
    assert [topic for topic, _ in outbox.due(1.0)] == ["a"]
    outbox.add("a", part())
    outbox.add("b", part())
    assert [topic for topic, _ in outbox.due(1.001)] == ["b"]


def test_everything_goes_when_asked() -> None:
    outbox = Outbox(HOLD)
    for _ in range(2):
        outbox.add("a", part())
        sent = sizes(outbox, 1.0, everything=True)
        assert sent == [1]


def test_topics_are_bounded() -> None:
    outbox = Outbox(1.0)
    for number in range(MAX_TOPICS):
        outbox.add(str(number), part())
    assert len(sizes(outbox, 1.0)) == MAX_TOPICS
    for number in range(MAX_TOPICS + 1):  # all of them within the hold, and one more
        outbox.add(str(number), part())
    assert outbox.overflows == 1
    assert len(sizes(outbox, 1.1)) == MAX_TOPICS + 1
    assert outbox.flows == 0
    outbox.add("0", part())
    assert sizes(outbox, 1.2) == [1]  # the table was emptied: nothing is remembered of topic 0


def test_quiet_topics_are_forgotten() -> None:
    outbox = Outbox(HOLD)
    for number in range(10 * MAX_TOPICS):
        outbox.add(str(number), part())
        assert sizes(outbox, number) == [1]
    assert outbox.overflows == 0

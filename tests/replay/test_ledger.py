"""The accounting of a replay, driven with time as an argument."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from eacf.flow import Chunk, Sample
from eacf.replay.ledger import BATCH_FLOWS, HOLD_NS, Gatherer, Ledger
from eacf.verdict import Verdict


def sample(uid: str) -> Sample:
    return Sample(
        uid, 7, IPv4Address(1), 1024, IPv4Address(2), 443, "a.example", b"xyz", [Chunk(3, True, 0)], [19, -19]
    )


def verdict(uid: str, label: str | None = "web", reason: str | None = None, sni: str | None = None) -> Verdict:
    return Verdict(uid, label, 0.5, "0123456789ab", reason, sni)


# Gathering


def test_a_message_goes_when_it_is_full() -> None:
    gatherer = Gatherer(batch=3)
    out = [list(gatherer.add(0, sample(str(n)))) for n in range(7)]
    assert [len(batches) for batches in out] == [0, 0, 1, 0, 0, 1, 0]
    assert [each.uid for each in out[5][0]] == ["3", "4", "5"]
    assert [each.uid for each in gatherer.take()] == ["6"]
    assert gatherer.take() == []


def test_a_sample_waits_for_company_up_to_the_hold_and_no_longer() -> None:
    gatherer = Gatherer()
    assert not list(gatherer.add(1000, sample("a")))
    assert not list(gatherer.add(1000 + HOLD_NS - 1, sample("b")))
    (batch,) = gatherer.add(1000 + HOLD_NS, sample("c"))
    assert [each.uid for each in batch] == ["a", "b"]


def test_time_that_runs_backwards_ends_the_message() -> None:
    gatherer = Gatherer()
    assert not list(gatherer.add(1000, sample("a")))
    (batch,) = gatherer.add(999, sample("b"))
    assert [each.uid for each in batch] == ["a"]


@given(st.lists(st.integers(0, 4 * HOLD_NS), max_size=200), st.integers(1, BATCH_FLOWS))
def test_every_sample_comes_out_once_in_order_and_in_time(steps: list[int], size: int) -> None:
    gatherer = Gatherer(batch=size)
    now, times, batches = 0, {}, []
    for number, step in enumerate(steps):
        now += step
        times[str(number)] = now
        batches += list(gatherer.add(now, sample(str(number))))
    batches.append(gatherer.take())
    assert [each.uid for batch in batches for each in batch] == [str(n) for n in range(len(steps))]
    for batch in batches:
        assert len(batch) <= size
        assert not batch or times[batch[-1].uid] - times[batch[0].uid] < HOLD_NS


# Waiting


def test_room_is_bounded_and_comes_back_with_answers() -> None:
    ledger = Ledger(room=4)
    ledger.send([sample("a"), sample("b"), sample("c")], 0.0)
    assert ledger.fits([sample("d")])
    assert not ledger.fits([sample("d"), sample("e")])
    assert len(list(ledger.answer("w", [verdict("a")], 0.0))) == 1
    assert ledger.fits([sample("d"), sample("e")])


def test_a_message_larger_than_the_room_goes_when_nothing_waits() -> None:
    ledger = Ledger(room=1)
    pair = [sample("a"), sample("b")]
    assert ledger.fits(pair)
    ledger.send([sample("c")], 0.0)
    assert not ledger.fits(pair)


def test_a_flow_whose_uid_waits_must_wait_too() -> None:
    ledger = Ledger()
    ledger.send([sample("a")], 0.0)
    assert not ledger.fits([sample("a")])
    list(ledger.answer("w", [verdict("a")], 0.0))
    assert ledger.fits([sample("a")])


def test_an_answer_fills_the_line() -> None:
    ledger = Ledger()
    ledger.send([sample("a")], 10.0)
    (info,) = ledger.answer("ba9876543210", [verdict("a", sni="chat")], 10.25)
    assert (info.uid, info.label, info.confidence, info.reason, info.sni_label) == ("a", "web", 0.5, None, "chat")
    assert (info.model, info.worker, info.latency_ns) == ("0123456789ab", "ba9876543210", 250_000_000)
    assert (info.ts_ns, info.server_name) == (7, "a.example")
    assert (info.payload_bytes, info.chunks, info.records) == (3, 1, 2)
    assert ledger.unanswered == 0


def test_overdue_flows_are_given_up_oldest_first() -> None:
    ledger = Ledger(timeout_s=2.0)
    assert ledger.next_deadline() is None
    ledger.send([sample("a")], 10.0)
    ledger.send([sample("b")], 11.0)
    assert ledger.next_deadline() == 12.0
    assert not list(ledger.overdue(11.9))
    assert [(info.uid, info.reason, info.worker) for info in ledger.overdue(12.0)] == [("a", "timeout", None)]
    assert ledger.next_deadline() == 13.0
    assert not list(ledger.answer("w", [verdict("a")], 12.5))  # too late, and counted as such
    assert (ledger.counts.timed_out, ledger.counts.strays, ledger.unanswered) == (1, 1, 1)


def test_what_the_bus_did_not_take_is_logged_and_counted_at_once() -> None:
    ledger = Ledger()
    infos = ledger.drop([sample("a"), sample("b")])
    assert [(info.uid, info.reason, info.label) for info in infos] == [("a", "shed", None), ("b", "shed", None)]
    assert (ledger.counts.flows, ledger.counts.dropped, ledger.unanswered) == (2, 2, 0)
    assert not ledger.counts.complete


def test_counts_tell_answers_apart() -> None:
    ledger = Ledger()
    ledger.send([sample(uid) for uid in "abcdef"], 0.0)
    answers = [
        verdict("a", "web", sni="web"),
        verdict("b", "web", sni="chat"),
        verdict("c", "web"),
        verdict("d", None, "abstained", sni="web"),
        verdict("e", None, "refused"),
    ]
    list(ledger.answer("w", answers, 0.0))
    counts = ledger.counts
    assert (counts.flows, counts.verdicts, counts.labelled, counts.abstained, counts.refused) == (6, 5, 3, 1, 1)
    assert (counts.named, counts.right, counts.accuracy) == (2, 1, 0.5)
    assert not counts.complete
    list(ledger.answer("w", [verdict("f")], 0.0))
    assert counts.complete


def test_accuracy_of_nothing_is_not_a_number() -> None:
    assert Ledger().counts.accuracy is None


STEP = st.tuples(st.sampled_from(["send", "answer", "wait"]), st.integers(0, 5))


@given(st.lists(STEP, max_size=80))
def test_the_account_closes_whatever_happens(steps: list[tuple[str, int]]) -> None:
    ledger = Ledger(room=3, timeout_s=2.0)
    now, settled = 0.0, 0
    for what, number in steps:
        batch = [sample(str(number)), sample(str(number + 10))]
        if what == "send" and ledger.fits(batch):
            ledger.send(batch, now)
        elif what == "answer":
            settled += len(list(ledger.answer("w", [verdict(str(number)), verdict("nobody")], now)))
        elif what == "wait":
            now += 1.0
            settled += len(list(ledger.overdue(now)))
        counts = ledger.counts
        assert counts.flows == counts.verdicts + counts.timed_out + ledger.unanswered
        assert counts.verdicts == counts.labelled + counts.abstained + counts.refused
        assert settled == counts.flows - ledger.unanswered
        assert ledger.unanswered <= 3

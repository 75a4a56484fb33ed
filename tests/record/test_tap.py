"""The tap's side of the protocol by plain calls: who is told what and when, what is recorded, what is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.flow import Chunk, Needs, Sample
from eacf.record.tap import (
    MAX_SENSORS,
    RECORDS_ONLY,
    WINDOW_FLOWS,
    WITHOUT_PAYLOAD,
    Heard,
    Outgoing,
    Tap,
    beginning,
)
from eacf.wire import (
    FORMAT,
    TapReady,
    decode_message,
    encode,
    encode_flow,
    encode_flows,
    encode_hello,
    encode_tap_ready,
    encode_tap_who,
    encode_who,
)
from eacf.wire.values import Count

ID = "0123456789ab"
TOPIC = b"eacf.tap.0123456789ab"
ZEEK, OTHER = "eacf.verdict.zeek.", "eacf.verdict.other."
NOW = 100.0


def tap(*, needs: Needs = Needs(), share: float = 1.0, limit: int | None = None) -> Tap:  # noqa: B008
    return Tap(ID, started=NOW, needs=needs, share=share, limit=limit)


def flow(number: int = 0) -> Sample:
    ends = (IPv4Address("192.0.2.1"), 50000, IPv4Address("192.0.2.2"), 443)
    return Sample(f"C{number}", number, *ends, None, b"payload", [Chunk(7, True, 0)], [7])


def frames(body: bytes, topic: bytes = TOPIC, sender: bytes = b"zeek", format_: bytes = FORMAT) -> list[bytes]:
    return [topic, sender, format_, body]


def flows(number: int, reply_to: str = ZEEK) -> list[bytes]:
    return frames(encode_flows(reply_to, [flow(at) for at in range(number)]))


def who(reply_to: str = ZEEK) -> list[bytes]:
    return frames(encode_tap_who(reply_to))


def said(out: Sequence[Outgoing]) -> dict[str, TapReady]:
    """What is told to each sensor."""
    told = {}
    for message in out:
        ready = decode_message(message.body)
        assert isinstance(ready, TapReady)
        told[message.topic.decode()] = ready
    assert len(told) == len(out)
    return told


def test_a_sensor_that_speaks_is_told_at_once() -> None:
    made = tap(needs=WITHOUT_PAYLOAD, share=0.25)
    assert made.next_deadline() == NOW + 1
    assert list(made.due(NOW)) == []
    assert made.receive(who()) is None
    assert made.next_deadline() < NOW
    assert said(list(made.due(NOW))) == {ZEEK: TapReady(ID, Needs(0, 3000, 0, True), 0.25, 0, WINDOW_FLOWS)}
    assert list(made.due(NOW)) == []
    assert made.receive(flows(1, OTHER))  # no tap_who, but the reply_to of a flow
    assert {name: ready.received for name, ready in said(list(made.due(NOW))).items()} == {OTHER: 1}
    assert made.sensors_seen == 2


def test_everybody_is_told_every_second() -> None:
    made = tap()
    for number, reply_to in ((3, ZEEK), (5, OTHER), (4, ZEEK)):
        made.receive(flows(number, reply_to))
    list(made.due(NOW))
    made.receive(flows(2, OTHER))
    assert list(made.due(NOW + 0.999)) == []
    assert made.next_deadline() == NOW + 1
    told = said(list(made.due(NOW + 1)))
    assert {name: ready.received for name, ready in told.items()} == {ZEEK: 7, OTHER: 7}
    assert made.next_deadline() == NOW + 2
    assert said(list(made.due(NOW + 2))) == told


def test_half_a_window_is_told_at_once() -> None:
    made = tap()
    made.receive(who())
    list(made.due(NOW))
    made.receive(flows(WINDOW_FLOWS // 2 - 1))
    assert list(made.due(NOW)) == []
    made.receive(flows(1))
    assert said(list(made.due(NOW)))[ZEEK].received == WINDOW_FLOWS // 2
    made.receive(flows(WINDOW_FLOWS // 2 - 1))
    assert list(made.due(NOW)) == []


def test_who_again_does_not_make_it_repeat_itself() -> None:
    """A sensor takes what is away for lost when it hears the same number five times."""
    made = tap()
    for _ in range(1000):
        made.receive(who())
    assert len(list(made.due(NOW))) == 1
    for _ in range(1000):
        made.receive(who())
    assert list(made.due(NOW + 0.5)) == []
    assert len(list(made.due(NOW + 1))) == 1


def test_a_sensor_that_begins_to_listen_is_told_again() -> None:
    made = tap()
    made.receive(who())
    list(made.due(NOW))
    for topic in (b"eacf.flow.x", b"eacf.verdict.", b"eacf.verdict.other.", b"eacf.verdict.\xff.", b""):
        made.subscription(True, topic)
    assert list(made.due(NOW)) == []
    made.subscription(True, ZEEK.encode())
    assert set(said(list(made.due(NOW)))) == {ZEEK}
    made.subscription(False, ZEEK.encode())
    assert list(made.due(NOW)) == []


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (frames(encode_tap_who(ZEEK))[:3], "frames"),
        ([], "frames"),
        (frames(encode_tap_who(ZEEK), format_=b"broker-json-v1"), "format"),
        (frames(encode_tap_who(ZEEK), topic=TOPIC + b"c"), "topic"),
        (frames(encode_flow(ZEEK, flow()), sender=b"a b"), "sender"),
        (frames(encode_flow(ZEEK, flow()), sender=b""), "sender"),
        (frames(encode_flow(ZEEK, flow()), sender=b"x" * 129), "sender"),
        (frames(encode_who()), "event"),
        (frames(encode_hello(ID, ID, Needs())), "event"),
        (frames(encode_tap_ready(ID, Needs(), 1.0, 0, 256)), "event"),
        (frames(encode((Count(1), Count(1), (b"Zoo::one", ())))), "event"),
        (frames(b""), "truncated"),
        (frames(encode_flow(ZEEK, flow())[:-1]), "truncated"),
        (frames(encode_flow(ZEEK, flow()) + b"\0"), "trailing"),
        (frames(bytes(5_000_000)), "limit"),
        (flows(1, "eacf.zeek."), "reply_to"),
        (who("eacf.control.request."), "reply_to"),
        (who("eacf.verdict.a.b."), "reply_to"),
        (who("eacf.verdict.a b."), "reply_to"),
        (who("eacf.verdict..eacf.flow."), "reply_to"),
        (who(""), "reply_to"),
    ],
)
def test_what_is_refused(message: list[bytes], kind: str) -> None:
    made = tap()
    assert made.receive(message) is None
    assert made.malformed == {kind: 1}
    assert (made.recorded, made.sensors_seen) == (0, 0)
    assert list(made.due(NOW + 5)) == []


def test_what_is_heard() -> None:
    assert tap().receive(flows(3)) == Heard("zeek", ZEEK, [flow(number) for number in range(3)])


def test_the_limit_cuts_a_message() -> None:
    made = tap(limit=5)
    assert made.receive(flows(3)) == Heard("zeek", ZEEK, [flow(number) for number in range(3)])
    assert not made.complete
    assert made.receive(flows(3)) == Heard("zeek", ZEEK, [flow(number) for number in range(2)])
    assert made.complete
    assert made.receive(flows(3)) == Heard("zeek", ZEEK, [])
    assert made.recorded == 5
    assert said(list(made.due(NOW)))[ZEEK].received == 9


def test_sensors_beyond_the_limit() -> None:
    made = tap()
    names = [f"eacf.verdict.z{number}." for number in range(MAX_SENSORS)]
    for name in names:
        made.receive(who(name))
        made.subscription(True, name.encode())
    assert len(list(made.due(NOW))) == MAX_SENSORS
    made.receive(who())
    assert made.receive(flows(1)) is None
    assert made.malformed == {"sensors": 2}
    made.subscription(False, names[7].encode())  # that one has gone
    made.receive(who())
    assert set(said(list(made.due(NOW)))) == {ZEEK}
    told = set(said(list(made.due(NOW + 1))))
    assert told == {*names, ZEEK} - {names[7]}


def test_a_sensor_that_comes_back_goes_on_with_its_number() -> None:
    made = tap()
    made.subscription(True, ZEEK.encode())
    made.receive(flows(10))
    made.subscription(False, ZEEK.encode())
    made.subscription(True, ZEEK.encode())
    made.receive(flows(10))
    assert said(list(made.due(NOW)))[ZEEK].received == 20


FRAMES = st.one_of(
    st.lists(st.binary(max_size=40), max_size=6),
    st.builds(lambda body: frames(body), st.binary(max_size=80)),
    st.builds(lambda text: who(text), st.text(max_size=60)),
    st.builds(lambda text: flows(1, text), st.text("eacf.vrdit ä\n\0", max_size=60)),
    st.builds(
        lambda body, at, byte: frames(body[:at] + bytes((byte,)) + body[at + 1 :]),
        st.just(encode_flows(ZEEK, [flow(), flow(1)])),
        st.integers(0, 150),
        st.integers(0, 255),
    ),
)


@given(st.lists(FRAMES, max_size=30))
def test_it_speaks_on_verdict_topics_alone_whatever_it_hears(messages: list[list[bytes]]) -> None:
    made = tap()
    heard = 0
    for number, message in enumerate(messages):
        refused = made.malformed.total()
        flows_ = made.receive(message)
        heard += len(flows_.samples) if flows_ is not None else 0
        assert made.malformed.total() - refused in (0, 1)
        for out in made.due(NOW + number / 3):
            assert re.fullmatch(rb"eacf\.verdict\.[!-\-/-~]+\.", out.topic)
    assert made.recorded == heard


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 32)),
        st.tuples(st.just("arrive"), st.integers(1, 8)),
        st.tuples(st.just("lose"), st.just(1)),
        st.tuples(st.just("answer"), st.booleans()),
        st.tuples(st.just("time"), st.floats(0, 2)),
    ),
    max_size=200,
)


@settings(max_examples=50)
@given(STEPS)
def test_an_honest_sensor_stays_within_the_window_and_is_never_stuck(steps: list[tuple[str, float]]) -> None:
    """Messages on their way are delivered late or lost, answers too; whatever happens, room comes back."""
    made = tap()
    made.receive(who())
    now, sent, told, lost, arrived = NOW, 0, 0, 0, 0
    away: list[int] = []

    def send(number: int) -> None:
        nonlocal sent
        if sent - lost - told + number <= WINDOW_FLOWS:
            away.append(number)
            sent += number

    def hear(*, answered: bool) -> None:
        nonlocal told
        for ready in said(list(made.due(now))).values():
            assert told <= ready.received == arrived
            if answered:
                told = ready.received

    for what, value in steps:
        if what == "send":
            send(int(value))
        elif what == "arrive":
            for number in away[: int(value)]:
                made.receive(flows(number))
                arrived += number
            del away[: int(value)]
        elif what == "lose" and away:
            away.pop()
        elif what == "answer":
            hear(answered=bool(value))
        else:
            now += value
        assert sum(away) <= WINDOW_FLOWS
    for number in away:
        made.receive(flows(number))
        arrived += number
    now += 1
    hear(answered=True)
    assert told == arrived
    lost = sent - told  # what the sensor concludes after five heartbeats with the same number
    before = sent
    send(32)
    assert sent == before + 32


# What is kept of a sample


def test_payload_that_others_asked_for_is_not_kept() -> None:
    chunks = [Chunk(2000, True, 0), Chunk(500, False, 5), Chunk(2000, True, 6), Chunk(1500, False, 7)]
    sample = replace(flow(), payload=bytes(range(250)) * 24, chunks=chunks, records=list(range(1, 41)))
    assert len(sample.payload) == 6000
    full = beginning(sample, Needs())
    assert full.payload == sample.payload[:3000]
    assert full.chunks == [*chunks[:2], Chunk(500, True, 6)]
    assert full.records == sample.records
    bare = beginning(sample, WITHOUT_PAYLOAD)
    assert bare == replace(full, payload=b"")
    lengths = beginning(sample, RECORDS_ONLY)
    assert lengths == replace(sample, payload=b"", chunks=[], records=sample.records[:16])


@given(
    st.lists(st.integers(1, 4000), max_size=12),
    st.sampled_from([Needs(), WITHOUT_PAYLOAD, RECORDS_ONLY, Needs(100, 2000, 0, True)]),
)
def test_the_beginning_is_within_the_needs_and_its_own_beginning(lengths: list[int], needs: Needs) -> None:
    chunks = [Chunk(length, at % 2 == 0, at) for at, length in enumerate(lengths)]
    sample = replace(flow(), payload=bytes(sum(lengths)), chunks=chunks, records=lengths)
    cut = beginning(sample, needs)
    assert beginning(cut, needs) == cut
    assert len(cut.payload) == min(needs.payload_bytes, sum(lengths))
    assert sum(chunk.length for chunk in cut.chunks) == min(needs.window_bytes, sum(lengths))
    assert sample == replace(flow(), payload=bytes(sum(lengths)), chunks=chunks, records=lengths)  # as it was


def test_a_sample_that_was_cut_for_these_needs_stays_as_it_is() -> None:
    assert beginning(flow(), Needs()) == flow()

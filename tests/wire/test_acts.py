"""The events about acts: both ways, cut, from a newer sender, and what is refused with which field."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import WireError
from eacf.wire import (
    MAX_ACTS,
    Act,
    Acted,
    ActedReply,
    Acts,
    Unacts,
    broker,
    decode_message,
    encode_acted,
    encode_acts,
    encode_unacts,
    enforce_topic,
    enforced_topic,
    envelope,
    is_enforced_topic,
)
from eacf.wire.acts import acted_value, acts_value
from eacf.wire.values import Port, Value

REPLY_TO = "eacf.enforced.0123456789ab."
AGENT = "ba9876543210"
ACT = Act(
    "0123456789ab.7", "qos", ip_address("192.0.2.1"), 40_000, ip_address("198.51.100.2"), 443, "tcp", 0, "label video",
    "high", 34, 5_000_000, 3600.0,
)  # fmt: skip

IDS = st.from_regex("[0-9a-z.]{1,32}", fullmatch=True)
TEXTS = st.text(max_size=63)
ADDRESSES = st.ip_addresses().filter(lambda each: each.version == 4 or each.ipv4_mapped is None)
PORTS = st.integers(0, 65_535)
ACTS = st.builds(
    Act, IDS, TEXTS, ADDRESSES, PORTS, ADDRESSES, PORTS, st.sampled_from(["tcp", "udp", "unknown"]),
    st.integers(0, 128), TEXTS, st.none() | TEXTS, st.none() | st.integers(0, 63), st.none() | st.integers(0, 2**63 - 1),
    st.integers(1, 10**9).map(lambda ms: ms / 1000),
)  # fmt: skip
ANSWERS = st.builds(Acted, IDS, TEXTS, st.none() | TEXTS)


@given(st.lists(ACTS, max_size=3), st.lists(IDS, max_size=3), st.lists(ANSWERS, max_size=3))
def test_any_both_ways(acts: list[Act], ids: list[str], answers: list[Acted]) -> None:
    assert decode_message(encode_acts(REPLY_TO, acts)) == Acts(REPLY_TO, acts)
    assert decode_message(encode_unacts(REPLY_TO, ids)) == Unacts(REPLY_TO, ids)
    assert decode_message(encode_acted(AGENT, answers)) == ActedReply(AGENT, answers)


@given(st.lists(ACTS, min_size=1, max_size=2), st.data())
def test_one_that_is_cut_is_refused(acts: list[Act], data: st.DataObject) -> None:
    body = encode_acts(REPLY_TO, acts)
    with pytest.raises(WireError):
        decode_message(body[: data.draw(st.integers(0, len(body) - 1))])


@given(st.lists(ACTS, min_size=1, max_size=2), st.integers(0), st.binary(min_size=1, max_size=4))
def test_one_that_is_damaged_is_read_or_refused(acts: list[Act], at: int, other: bytes) -> None:
    body = encode_acts(REPLY_TO, acts)
    at %= len(body)
    with suppress(WireError):
        assert isinstance(decode_message(body[:at] + other + body[at + len(other) :]), Acts)


def test_as_many_as_fit_and_not_one_more() -> None:
    assert decode_message(encode_acts(REPLY_TO, [ACT] * MAX_ACTS)) == Acts(REPLY_TO, [ACT] * MAX_ACTS)
    with pytest.raises(WireError, match="64 are taken"):
        encode_acts(REPLY_TO, [ACT] * (MAX_ACTS + 1))
    with pytest.raises(WireError, match="64 are taken"):
        encode_unacts(REPLY_TO, ["1"] * (MAX_ACTS + 1))
    with pytest.raises(WireError, match="64 are taken"):
        encode_acted(AGENT, [Acted("1", "gone")] * (MAX_ACTS + 1))


def test_a_newer_sender_says_more_and_an_answer_may_end_before_why() -> None:
    (acts,) = _arguments(acts_value(REPLY_TO, [ACT]))[1:]
    assert isinstance(acts, tuple)
    longer = tuple([(*act, b"new") for act in acts if isinstance(act, tuple)])
    assert decode_message(_event("EACF::acts", REPLY_TO.encode(), longer)) == Acts(REPLY_TO, [ACT])
    short: Value = ((b"1", b"in place"),)
    assert decode_message(_event("EACF::acted", AGENT.encode(), short)) == ActedReply(AGENT, [Acted("1", "in place")])
    assert _arguments(acted_value(AGENT, [Acted("1", "in place")]))[1] == ((b"1", b"in place", None),)


@pytest.mark.parametrize(
    ("act", "field"),
    [
        (replace(ACT, id=""), "id"),
        (replace(ACT, id="A1"), "id"),
        (replace(ACT, id="1" * 33), "id"),
        (replace(ACT, kind="x" * 256), "kind"),
        (replace(ACT, width=129), "width"),
        (replace(ACT, key="\ud800"), "key"),
        (replace(ACT, dscp=64), "dscp"),
        (replace(ACT, rate=2**63), "rate"),
        (replace(ACT, lasts_s=0.0), "lasts"),
        (replace(ACT, lasts_s=-1.0), "lasts"),
    ],
)
def test_what_an_act_may_not_hold_is_refused_by_name(act: Act, field: str) -> None:
    with pytest.raises(WireError, match=rf"EACF::acts\.v\[0\]\.{field}"):
        encode_acts(REPLY_TO, [act])


def test_two_protocols_are_no_connection() -> None:
    acts = _arguments(acts_value(REPLY_TO, [ACT]))[1]
    assert isinstance(acts, tuple)
    (act,) = acts
    assert isinstance(act, tuple)
    mixed = (*act[:5], Port(443, "udp"), *act[6:])
    with pytest.raises(WireError, match=r"resp_p: a udp port beside a tcp one"):
        decode_message(_event("EACF::acts", REPLY_TO.encode(), (mixed,)))


def test_topics() -> None:
    assert enforce_topic(AGENT) == b"eacf.enforce.ba9876543210"
    assert enforced_topic("0123456789ab").decode() == REPLY_TO
    assert is_enforced_topic(REPLY_TO)
    for other in ("eacf.enforced.", REPLY_TO[:-1], REPLY_TO + "x", "eacf.verdict.0123456789ab.", REPLY_TO.upper()):
        assert not is_enforced_topic(other)
    for bad in ("", "0123456789AB", "0123456789abc"):
        with pytest.raises(WireError, match="must be 12 lower-case hex digits"):
            enforce_topic(bad)


def _arguments(value: Value) -> tuple[Value, ...]:
    return envelope.unwrap(value)[1]


def _event(name: str, *arguments: Value) -> bytes:
    return broker.encode(envelope.wrap(name, *arguments))

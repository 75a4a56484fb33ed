"""Roles, and the name of an event without decoding it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.flow import Needs
from eacf.relay.rules import ANY, ROLES, Rule, event_of
from eacf.wire import (
    FORMAT,
    ZEEK_TOPIC,
    Acted,
    ModelOrder,
    encode,
    encode_acted,
    encode_acts,
    encode_alarm,
    encode_flows,
    encode_hello,
    encode_model,
    encode_status_request,
    encode_tap_ready,
    encode_verdicts,
    encode_who,
    enforce_topic,
    enforced_topic,
    envelope,
    flow_topic,
    model_topic,
    tap_topic,
    verdict_topic,
)

ID = "0123456789ab"
BODIES = {
    b"EACF::acted": encode_acted(ID, [Acted("a.1", "in place")]),
    b"EACF::acts": encode_acts("eacf.enforced.zeek.", []),
    b"EACF::model_order": encode_model(ModelOrder("eacf.control.reply.0123456789ab.", b"order")),
    b"EACF::who": encode_who(),
    b"EACF::flows": encode_flows("eacf.verdict.zeek.", []),
    b"EACF::hello": encode_hello(ID, "model", Needs(0, 0, 8, False)),
    b"EACF::verdicts": encode_verdicts(ID, []),
    b"EACF::alarm": encode_alarm(ID, "model", "inputs", "x"),
    b"EACF::tap_ready": encode_tap_ready(ID, Needs(0, 0, 8, False), 1.0, 0, 1),
    b"EACF::status_request": encode_status_request("eacf.control.reply.0123456789ab."),
}


@pytest.mark.parametrize("name", BODIES)
def test_the_name_of_an_event(name: bytes) -> None:
    assert event_of(BODIES[name]) == name


def test_with_metadata_too() -> None:
    version, kind, (name, arguments) = envelope.wrap("EACF::who")  # type: ignore[misc]
    assert event_of(encode((version, kind, (name, arguments, ())))) == b"EACF::who"


@given(st.binary(max_size=60))
def test_any_bytes_have_a_name_or_none(body: bytes) -> None:
    found = event_of(body)
    assert found is None or found in body
    assert Rule(ANY).refuses([b"eacf.zeek.", b"x", FORMAT, body]) is not None


@pytest.mark.parametrize(
    ("role", "topic", "event", "why"),
    [
        ("worker", ZEEK_TOPIC, b"EACF::hello", None),
        ("worker", verdict_topic("zeek-1"), b"EACF::verdicts", None),
        ("worker", b"eacf.verdict.zeek-1.more", b"EACF::verdicts", "topic"),
        ("worker", b"eacf.verdict.zeek-1.\n", b"EACF::verdicts", "topic"),
        ("worker", ZEEK_TOPIC, b"EACF::verdicts", "topic"),
        ("worker", flow_topic(ID), b"EACF::who", "event"),
        ("worker", b"eacf.control.request.", b"EACF::status_request", "event"),
        ("collect", verdict_topic("zeek-1"), b"EACF::tap_ready", None),
        ("collect", verdict_topic("zeek-1"), b"EACF::verdicts", "event"),
        ("status", b"eacf.control.request.", b"EACF::status_request", None),
        ("status", ZEEK_TOPIC, b"EACF::alarm", "event"),
        ("enforce", enforced_topic(ID), b"EACF::acted", None),
        ("enforce", enforce_topic(ID), b"EACF::acts", "event"),
        ("worker", enforced_topic(ID), b"EACF::acted", "event"),
        ("train", model_topic(ID), b"EACF::model_order", None),
        ("train", ZEEK_TOPIC, b"EACF::hello", "event"),
        ("status", model_topic(ID), b"EACF::model_order", "event"),
        (ANY, enforce_topic(ID), b"EACF::acts", "event"),
        (ANY, ZEEK_TOPIC, b"EACF::alarm", None),
        (ANY, flow_topic(ID), b"EACF::flows", "event"),
    ],
)
def test_who_may_say_what_where(role: str, topic: bytes, event: bytes, why: str | None) -> None:
    assert Rule(role).refuses([topic, b"sender", FORMAT, BODIES[event]]) == why


def test_a_message_of_another_form() -> None:
    good = [ZEEK_TOPIC, b"sender", FORMAT, BODIES[b"EACF::hello"]]
    rule = Rule("worker")
    assert rule.refuses(good) is None
    for bad in (
        good[:3],
        [*good, b""],
        [good[0], good[1], b"broker-json-v1", good[3]],
        [good[0], bytes(256), *good[2:]],
    ):
        assert rule.refuses(bad) == "form"


def test_whole_topics_are_heard_and_no_prefix() -> None:
    rule = Rule(ANY)
    assert rule.may_hear(flow_topic(ID))
    for topic in (
        b"",
        b"eacf.",
        b"eacf.flow.",
        flow_topic(ID)[:-1],
        flow_topic(ID) + b"0",
        verdict_topic("zeek"),
        b"zeek.",
    ):
        assert not rule.may_hear(topic)
    own = {"worker": flow_topic(ID), "collect": tap_topic(ID), "enforce": enforce_topic(ID), "train": ZEEK_TOPIC}
    for role, topic in own.items():
        assert [each for each in ROLES if Rule(each).may_hear(topic)] == [role]

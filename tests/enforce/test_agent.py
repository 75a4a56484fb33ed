"""Messages in and messages out, without a bus, a kernel or a clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.enforce.agent import MAX_ASKERS, Agent
from eacf.enforce.table import Account
from eacf.policy import Policy
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    FORMAT,
    MAX_ACTS,
    Act,
    ActedReply,
    StatusReply,
    control_reply_topic,
    decode_message,
    encode_acts,
    encode_status_request,
    encode_unacts,
    encode_who,
)
from tests.enforce.conftest import NODE, Ask, MakePolicy, make_act

ME = "0a0b0c0d0e0f"
ASKER = control_reply_topic("0123456789ab").decode()

Start = Callable[..., Agent]


@pytest.fixture
def start(policy: MakePolicy) -> Start:
    def make(**bounds: Any) -> Agent:
        return Agent(ME, policy(**bounds), started=0.0, account=Account())

    return make


def hear(agent: Agent, body: bytes, topic: bytes = b"", now: float = 1.0) -> None:
    agent.receive([topic or agent.topic, b"zeek-1", FORMAT, body], now)


def said(agent: Agent, now: float = 1.0) -> list[tuple[str, Any]]:
    """Topic and message of what is due, once the kernel has taken everything."""
    for change in list(agent.ledger.changes()):
        agent.ledger.done(change)
    return [(message.topic.decode(), decode_message(message.body)) for message in agent.due(now)]


def test_acts_are_answered_to_whoever_asked(start: Start, ask: Ask) -> None:
    agent = start()
    hear(agent, encode_acts(NODE, [ask(1), ask(2, priority="best")]))
    hear(agent, encode_acts("eacf.enforced.ba9876543210.", [ask(3)]))
    hear(agent, encode_unacts(NODE, [ask(1).id]))
    answers = said(agent)
    assert [topic for topic, _ in answers] == [NODE, "eacf.enforced.ba9876543210."]
    assert all(isinstance(reply, ActedReply) and reply.agent == ME for _, reply in answers)
    assert [[(each.id[-1], each.outcome, each.why) for each in reply.answers] for _, reply in answers] == [
        [("1", "in place", None), ("2", "refused", "the agent's policy has no class best"), ("1", "gone", None)],
        [("3", "in place", None)],
    ]
    assert said(agent) == []


def test_no_message_holds_more_answers_than_the_contract_allows(start: Start, ask: Ask) -> None:
    agent = start()
    for at in range(0, 300, MAX_ACTS):
        hear(agent, encode_acts(NODE, [ask(number) for number in range(at, min(300, at + MAX_ACTS))]))
    sizes = [len(reply.answers) for _, reply in said(agent)]
    assert (sum(sizes), max(sizes)) == (300, MAX_ACTS)


@pytest.mark.parametrize(
    ("topic", "body", "kind"),
    [
        ("", encode_acts("eacf.zeek.", []), "reply_to"),
        ("", encode_unacts("eacf.verdict.x.", ["0123456789ab.1"]), "reply_to"),
        ("eacf.enforce.ffffffffffff", encode_acts(NODE, []), "event"),
        ("", encode_who(), "event"),
        ("", encode_status_request(ASKER), "event"),
        (CONTROL_REQUEST_TOPIC.decode(), encode_status_request("eacf.zeek."), "reply_to"),
    ],
)
def test_what_is_not_for_us_is_counted(start: Start, topic: str, body: bytes, kind: str) -> None:
    agent = start()
    hear(agent, body, topic.encode())
    assert (dict(agent.malformed), said(agent)) == ({kind: 1}, [])
    assert "messages not taken" in agent.notices(1.0)[0]


def test_frames_of_another_form_are_counted(start: Start) -> None:
    agent = start()
    for frames in ([], [b"x"], [agent.topic, b"z", b"json", b"{}"], [agent.topic, b"z", FORMAT, b"x", b"y"]):
        agent.receive(frames, 0.0)
    assert dict(agent.malformed) == {"frames": 4}


def test_a_report_goes_to_whoever_asks_and_not_too_often(start: Start, ask: Ask) -> None:
    agent = start()
    hear(agent, encode_acts(NODE, [ask(1), ask(2, "drop")]))
    said(agent, 1.0)
    hear(agent, encode_status_request(ASKER), CONTROL_REQUEST_TOPIC)
    [(topic, reply)] = said(agent, 1.0)
    assert (topic, isinstance(reply, StatusReply), reply.worker) == (ASKER, True, ME)
    report = json.loads(reply.report)
    assert (report["kind"], report["worker"], report["rules"]) == (
        "enforce",
        ME,
        {"drop": 1, "drop_host": 0, "qos": 1},
    )
    hear(agent, encode_status_request(ASKER), CONTROL_REQUEST_TOPIC)
    assert said(agent, 1.05) == []
    assert agent.next_deadline() == pytest.approx(1.1)
    assert len(said(agent, 1.1)) == 1


def test_askers_are_bounded(start: Start) -> None:
    agent = start()
    for number in range(MAX_ASKERS + 5):
        reply_to = control_reply_topic(f"{number:012x}").decode()
        hear(agent, encode_status_request(reply_to), CONTROL_REQUEST_TOPIC)
    assert dict(agent.malformed) == {"askers": 5}
    assert len(said(agent)) == MAX_ASKERS


def test_latency_is_from_arrival_to_in_place(start: Start, ask: Ask) -> None:
    agent = start()
    hear(agent, encode_acts(NODE, [ask(1)]), now=1.0)
    hear(agent, encode_acts(NODE, [ask(2, priority="best")]), now=1.0)
    said(agent, 1.5)
    assert agent.status(2.0)["latency_ms"]["max"] == pytest.approx(500.0)
    assert agent.status(2.0)["latency_ms"]["flows"] == 1


def test_a_long_reason_with_letters_of_any_kind_fits(start: Start, ask: Ask) -> None:
    agent = start()
    hear(agent, encode_acts(NODE, [ask(1, priority="é" * 120)]))
    [(_, reply)] = said(agent)
    assert reply.answers[0].why.startswith("the agent's policy has no class éé")


def test_the_kernels_words_reach_zeek(start: Start, ask: Ask) -> None:
    agent = start()
    hear(agent, encode_acts(NODE, [ask(1)]))
    for change in list(agent.ledger.changes()):
        agent.ledger.failed(change, "File exists")
    [(_, reply)] = said(agent)
    assert [(each.outcome, each.why) for each in reply.answers] == [("refused", "File exists")]
    report = agent.status(1.0)
    assert (report["refused"], report["removed"], report["acts"]) == ({"nft": 1}, {"nft": 1}, {"qos": {"refused": 1}})


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_whatever_comes_never_raises(everything: Policy, frames: list[bytes]) -> None:
    agent = Agent(ME, everything, started=0.0, account=Account())
    agent.receive(frames, 0.0)
    agent.receive([agent.topic, b"z", FORMAT, b"".join(frames)], 0.0)
    assert agent.malformed.total() == 2


@given(st.integers(0, 10**6), st.data())
def test_a_damaged_message_is_refused_or_read(everything: Policy, number: int, data: st.DataObject) -> None:
    acts: list[Act] = [make_act(number), make_act(number + 1, "drop_host")]
    body = bytearray(encode_acts(NODE, acts))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    agent = Agent(ME, everything, started=0.0, account=Account())
    agent.receive([agent.topic, b"z", FORMAT, bytes(body)], 0.0)
    assert agent.malformed.total() + sum(len(reply.answers) for _, reply in said(agent)) in (1, 2)

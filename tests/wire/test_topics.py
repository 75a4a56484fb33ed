"""Topics: what the contract names, and which of a peer's may be answered."""

from __future__ import annotations

import pytest

from eacf.errors import WireError
from eacf.wire import (
    control_reply_topic,
    flow_topic,
    is_control_reply_topic,
    is_verdict_topic,
    model_topic,
    tap_topic,
    verdict_topic,
)

WORKER = "0123456789ab"


def test_topics_of_the_contract() -> None:
    assert flow_topic(WORKER) == b"eacf.flow.0123456789ab"
    assert model_topic(WORKER) == b"eacf.control.model.0123456789ab"
    assert tap_topic(WORKER) == b"eacf.tap.0123456789ab"
    assert verdict_topic("zeek-1_x") == b"eacf.verdict.zeek-1_x."
    assert control_reply_topic(WORKER) == b"eacf.control.reply.0123456789ab."


@pytest.mark.parametrize("node", ["zeek", "zeromq__vm_32483_NxpncMN3bWY6", "a-b/c", "!", "~"])
def test_a_verdict_topic_may_be_answered(node: str) -> None:
    assert is_verdict_topic(verdict_topic(node).decode())


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "eacf.verdict.",
        "eacf.verdict..",
        "eacf.verdict.zeek",
        "eacf.verdict.golden",
        "eacf.verdict.a.b.",
        "eacf.verdict.a b.",
        "eacf.verdict.a\n",
        "eacf.verdict.a.\n",
        "eacf.verdict.ä.",
        "eacf.verdict.\udce9.",
        "xeacf.verdict.a.",
        "eacf.zeek.",
        "eacf.flow.0123456789ab",
        "eacf-verdict-a-",
        "eacf.verdict." + "x" * 300 + ".",
    ],
)
def test_no_other_topic_may_be_answered(topic: str) -> None:
    assert not is_verdict_topic(topic)


def test_control_reply_topics() -> None:
    assert is_control_reply_topic(control_reply_topic(WORKER).decode())
    for topic in (
        "eacf.control.reply.0123456789ab",
        "eacf.control.reply.0123456789AB.",
        "eacf.control.reply.0123456789ab..",
        "eacf.control.reply.0123456789ab.\n",
        "eacf.zeek.",
    ):
        assert not is_control_reply_topic(topic)


@pytest.mark.parametrize("make", [flow_topic, tap_topic, control_reply_topic])
@pytest.mark.parametrize("bad", ["", "0123456789a", "0123456789abc", "0123456789AB", "0123456789a.", "0123456789ab\n"])
def test_ids_are_twelve_hex_digits(make: object, bad: str) -> None:
    with pytest.raises(WireError, match="12 lower-case hex digits"):
        make(bad)


@pytest.mark.parametrize("bad", ["", "a.b", "a b", "ä", "x" * 250, "a\n"])
def test_nodes_are_one_part_of_a_topic(bad: str) -> None:
    with pytest.raises(WireError, match="node id"):
        verdict_topic(bad)

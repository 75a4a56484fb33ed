"""The engine by plain calls: time is whatever these tests say."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eacf import bundle
from eacf.engine import Engine, Outgoing
from eacf.engine.engine import CONTROL_PAUSE_S, MAX_ASKERS
from eacf.flow import Needs, Sample
from eacf.inference import Model
from eacf.verdict import Verdict
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    FORMAT,
    ZEEK_TOPIC,
    Alarm,
    Hello,
    StatusReply,
    Verdicts,
    control_reply_topic,
    decode_message,
    encode_flow,
    encode_flows,
    encode_hello,
    encode_status_request,
    encode_verdicts,
    encode_who,
    flow_topic,
)

MakeSamples = Callable[..., list[Sample]]
MakeFrames = Callable[..., list[bytes]]
SURE = [-52, -69, -283, -283, -41, -39, -39, -69]
"""Record lengths on which the shipped model says a label."""
ASKER = control_reply_topic("00000000000a").decode()


def verdicts(out: list[Outgoing]) -> list[Verdict]:
    found = []
    for message in out:
        said = decode_message(message.body)
        if isinstance(said, Verdicts):
            assert message.flows == len(said.verdicts)
            found += said.verdicts
    return found


def drained(engine: Engine, now: float) -> list[Verdict]:
    """All that is queued, served."""
    while engine.queued:
        engine.serve()
    return verdicts(engine.due(now, everything=True))


def gap(status: dict[str, Any]) -> int:
    """Flows that are in no term of the account."""
    settled: int = status["verdicts_out"] + sum(status["dropped"].values())
    return int(status["flows_in"] - settled - status["queue"]["flows"] - status["in_hand"] - status["held_verdicts"])


def assert_closes(engine: Engine) -> dict[str, Any]:
    status = engine.status(0.0)
    assert gap(status) == status["in_hand"] == 0
    return status


def own(engine: Engine, body: bytes) -> list[bytes]:
    return [flow_topic(engine.worker), b"zeek", FORMAT, body]


def test_a_flow_gets_what_the_model_says(
    engine: Engine, model: Model, samples: MakeSamples, frames: MakeFrames
) -> None:
    engine.receive(frames(3), 1.0)
    engine.serve()
    (out,) = engine.due(1.004)
    assert out.topic == b"eacf.verdict.zeek."
    said = decode_message(out.body)
    assert isinstance(said, Verdicts)
    assert said.worker == engine.worker
    assert said.verdicts == model.verdicts(samples(3))
    assert_closes(engine)


def test_latency_is_from_message_in_to_verdict_out(engine: Engine, frames: MakeFrames) -> None:
    engine.receive(frames(10), 1.0)
    engine.serve()
    engine.due(1.05)
    told = engine.status(2.0)["latency_ms"]
    assert told["flows"] == 10
    assert told["max"] == told["p50"] == pytest.approx(50)


def test_verdicts_are_counted_by_label(engine: Engine, samples: MakeSamples) -> None:
    flows = [replace(sample, records=SURE if at < 4 else sample.records) for at, sample in enumerate(samples(10))]
    engine.receive([flow_topic(engine.worker), b"zeek", FORMAT, encode_flows("eacf.verdict.zeek.", flows)], 1.0)
    said = Counter(verdict.label for verdict in drained(engine, 1.0))
    told = engine.status(1.0)
    assert told["abstained"] + told["refused"] == said.pop(None)
    assert told["labels"] == said
    assert said.total() == 4


def test_small_messages_share_a_batch(engine: Engine, frames: MakeFrames) -> None:
    for at in range(40):
        engine.receive(frames(1, at), 1.0)
    assert len(drained(engine, 1.0)) == 40
    assert engine.status(1.0)["batches"] == {"sizes": {"1": 0, "2": 0, "4": 0, "8": 1, "16": 0, "32": 1}, "flows": 40}


def test_a_large_message_is_served_in_batches(engine: Engine, frames: MakeFrames) -> None:
    engine.receive(frames(70), 1.0)
    assert [verdict.uid for verdict in drained(engine, 1.0)] == [f"C{at}" for at in range(70)]
    assert engine.status(1.0)["batches"]["sizes"]["32"] == 2


def test_each_sensor_gets_its_own(engine: Engine, frames: MakeFrames) -> None:
    engine.receive(frames(2, 0, "eacf.verdict.a."), 1.0)
    engine.receive(frames(3, 10, "eacf.verdict.b."), 1.0)
    engine.serve()
    out = engine.due(1.0)
    assert [(message.topic, message.flows) for message in out] == [(b"eacf.verdict.a.", 2), (b"eacf.verdict.b.", 3)]


def test_queued_flows_are_due_at_once_held_ones_when_their_time_comes(engine: Engine, frames: MakeFrames) -> None:
    assert engine.next_deadline() is None
    for at, now in enumerate((1.0, 1.0005)):
        engine.receive(frames(1, at), now)
        assert engine.next_deadline() == float("-inf")
        engine.serve()
        assert len(engine.due(now)) == 1 - at
    assert engine.next_deadline() == pytest.approx(1.002)
    assert len(engine.due(1.002)) == 1
    assert engine.next_deadline() is None


def test_a_full_queue_drops_the_oldest_and_says_so(engine: Engine, frames: MakeFrames) -> None:
    for at in range(6):
        engine.receive(frames(32, 32 * at), 1.0)
    (line,) = engine.notices(1.0)
    assert "the oldest" in line
    assert engine.status(1.0)["dropped"] == {"queue": 96}
    assert [verdict.uid for verdict in drained(engine, 1.0)] == [f"C{at}" for at in range(96, 192)]
    assert_closes(engine)


def test_who_is_answered_before_all_flows(engine: Engine, model: Model, frames: MakeFrames) -> None:
    engine.receive(frames(90), 1.0)
    engine.receive(own(engine, encode_who()), 1.0)
    (out,) = engine.due(1.0)
    assert out.topic == ZEEK_TOPIC
    assert decode_message(out.body) == Hello(engine.worker, model.bundle.id, model.bundle.needs)


def test_however_often_one_asks_hello_is_said_once_in_a_while(engine: Engine) -> None:
    said = 0
    for step in range(100):
        now = 1.0 + step * 0.001
        engine.receive(own(engine, encode_who()), now)
        said += len(engine.due(now))
    assert said == 2
    assert engine.next_deadline() == pytest.approx(1.0 + 2 * CONTROL_PAUSE_S, abs=0.002)


def test_status_goes_to_who_asked(engine: Engine, frames: MakeFrames) -> None:
    engine.receive(frames(5), 1.0)
    engine.receive([CONTROL_REQUEST_TOPIC, b"asker", FORMAT, encode_status_request(ASKER)], 2.0)
    (out,) = engine.due(2.0)
    assert out.topic == ASKER.encode()
    reply = decode_message(out.body)
    assert isinstance(reply, StatusReply)
    report = json.loads(reply.report)
    assert report["flows_in"] == report["queue"]["flows"] == 5
    assert report["uptime_s"] == 2.0


def test_status_tells_of_the_process(model: Model) -> None:
    engine = Engine(model, worker="0" * 12, started=0.0, process=lambda: {"threads": 3})
    assert engine.status(0.0)["process"] == {"threads": 3}


def test_askers_are_bounded(engine: Engine) -> None:
    for number in range(MAX_ASKERS + 5):
        body = encode_status_request(control_reply_topic(f"{number:012x}").decode())
        engine.receive([CONTROL_REQUEST_TOPIC, b"asker", FORMAT, body], 1.0)
    assert engine.status(1.0)["malformed"] == {"askers": 5}
    assert len(engine.due(1.0)) == MAX_ASKERS


VERDICTS = [Verdict("C1", None, 0.5, "model")] * 10
MALFORMED = [
    ("frames", lambda topic, good: [topic, b"peer", FORMAT]),
    ("frames", lambda topic, good: []),
    ("frames", lambda topic, good: [topic, b"peer", FORMAT, good, b""]),
    ("format", lambda topic, good: [topic, b"peer", b"broker-json-v1", b"{}"]),
    ("event", lambda topic, good: [topic, b"peer", FORMAT, encode_hello("0" * 12, "m", Needs())]),
    ("event", lambda topic, good: [topic, b"peer", FORMAT, encode_verdicts("0" * 12, VERDICTS)]),
    ("event", lambda topic, good: [CONTROL_REQUEST_TOPIC, b"peer", FORMAT, encode_who()]),
    ("event", lambda topic, good: [CONTROL_REQUEST_TOPIC, b"peer", FORMAT, good]),
    ("event", lambda topic, good: [topic + b"x", b"peer", FORMAT, good]),
    ("event", lambda topic, good: [topic, b"peer", FORMAT, encode_status_request(ASKER)]),
    ("reply_to", lambda topic, good: [CONTROL_REQUEST_TOPIC, b"peer", FORMAT, encode_status_request("eacf.zeek.")]),
]


@pytest.mark.parametrize(("kind", "make"), MALFORMED)
def test_malformed_messages_are_counted_by_kind(
    engine: Engine, frames: MakeFrames, kind: str, make: Callable[[bytes, bytes], list[bytes]]
) -> None:
    engine.receive(make(flow_topic(engine.worker), frames(2)[3]), 1.0)
    assert drained(engine, 1.0) == []
    assert engine.due(2.0) == []
    assert engine.status(1.0)["malformed"] == {kind: 1}
    assert engine.notices(1.0)[0].startswith("malformed messages: 1")
    assert_closes(engine)


def test_damaged_flows_are_counted_as_messages_not_as_flows(engine: Engine, frames: MakeFrames) -> None:
    good = frames(4)
    for cut in (len(good[3]) - 1, len(good[3]) // 2, 200):
        engine.receive([*good[:3], good[3][:cut]], 1.0)
    engine.receive([*good[:3], b"\xff" * 5000], 1.0)
    engine.receive(good, 1.0)
    assert len(drained(engine, 1.0)) == 4
    status = assert_closes(engine)
    assert status["flows_in"] == 4
    assert status["messages_in"] == 5
    assert sum(status["malformed"].values()) == 4


def test_the_log_names_the_sender_and_shows_no_payload(engine: Engine, samples: MakeSamples) -> None:
    flow = replace(samples(1)[0], payload=b"SECRET" * 50)
    body = encode_flow("eacf.verdict.zeek.", flow)
    for cut in range(300, len(body), 7):
        engine.receive([flow_topic(engine.worker), b"bad\x1b" + b"x" * 1000, FORMAT, body[:cut]], 1.0)
    drained(engine, 1.0)
    (line,) = engine.notices(1.0)
    assert "bad\\x1b" in line
    assert "SECRET" not in line
    assert len(line) < 500
    assert engine.notices(2.0) == []


@pytest.mark.parametrize("reply_to", ["eacf.zeek.", "eacf.flow.0123456789ab", "eacf.verdict.", "eacf.verdict.a.b.", ""])
def test_nothing_is_said_where_a_stranger_wants_it(engine: Engine, frames: MakeFrames, reply_to: str) -> None:
    engine.receive(frames(3, reply_to=reply_to), 1.0)
    assert drained(engine, 1.0) == []
    status = assert_closes(engine)
    assert status["dropped"] == {"reply_to": 3}
    assert status["malformed"] == {"reply_to": 1}


def test_a_flood_of_nonsense_is_read_in_small_portions(engine: Engine) -> None:
    for _ in range(100):
        engine.receive(own(engine, b"\xff" * 300), 1.0)
    engine.serve()
    assert engine.queued == 100 - 32


def test_what_the_model_cannot_judge_is_refused(engine: Engine, samples: MakeSamples) -> None:
    bare = replace(samples(1)[0], payload=b"", chunks=[], records=[])
    engine.receive(own(engine, encode_flows("eacf.verdict.zeek.", [bare, *samples(2, 1)])), 1.0)
    said = drained(engine, 1.0)
    assert [verdict.uid for verdict in said] == ["C0", "C1", "C2"]
    assert said[0].reason == "refused"
    assert engine.status(1.0)["refused"] == 1


def test_an_empty_message_is_fine(engine: Engine) -> None:
    engine.receive(own(engine, encode_flows("eacf.verdict.zeek.", [])), 1.0)
    assert drained(engine, 1.0) == []
    assert assert_closes(engine)["malformed"] == {}


def test_another_model_takes_over_and_says_hello(engine: Engine, frames: MakeFrames, other: Model) -> None:
    old = engine.model.bundle.id
    engine.receive(frames(1), 1.0)
    engine.serve()
    engine.swap(other)
    engine.receive(frames(1, 1), 1.0)
    engine.serve()
    out = engine.due(1.0)
    assert decode_message(out[0].body) == Hello(engine.worker, other.bundle.id, other.bundle.needs)
    assert [verdict.model for verdict in verdicts(out)] == [old, other.bundle.id]
    assert engine.status(1.0)["reloads"] == {"done": 1, "failed": 0}


def test_invoke_time_is_that_of_this_engine_alone(engine: Engine, frames: MakeFrames, other: Model) -> None:
    assert engine.status(0.0)["invoke_s"] == 0
    engine.receive(frames(30), 1.0)
    engine.serve()
    before = engine.status(0.0)["invoke_s"]
    assert 0 < before < 1
    engine.swap(other)
    assert engine.status(0.0)["invoke_s"] == before


def test_what_the_socket_does_not_take_is_dropped(engine: Engine, frames: MakeFrames) -> None:
    engine.receive(frames(5), 1.0)
    engine.serve()
    engine.greet()
    for message in engine.due(1.0):
        engine.not_sent(message)
    status = assert_closes(engine)
    assert status["dropped"] == {"send": 5}
    assert status["verdicts_out"] == 0
    assert status["unsent"] == 1


def test_what_cannot_be_drained_is_counted(engine: Engine, frames: MakeFrames) -> None:
    for at in range(3):
        engine.receive(frames(10, 10 * at), 1.0)
    engine.abandon()
    assert assert_closes(engine)["dropped"] == {"drain": 30}


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("flows"), st.integers(1, 60)),
        st.tuples(st.just("reply_to"), st.integers(1, 5)),
        st.tuples(st.just("damaged"), st.integers(1, 400)),
        st.tuples(st.just("serve"), st.just(0)),
        st.tuples(st.just("due"), st.integers(0, 3)),
        st.tuples(st.just("unsent"), st.just(0)),
    ),
    max_size=40,
)


def test_the_account_closes_for_another_thread_while_the_model_works(engine: Engine, frames: MakeFrames) -> None:
    looks: list[dict[str, Any]] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            looks.append(engine.status(0.0))
            time.sleep(0)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)  # threads change where one waits or is in the runtime, not in the middle of a sum
    thread = threading.Thread(target=look)
    try:
        thread.start()
        for _ in range(300):
            engine.receive(frames(32), 0.0)
            engine.serve()
            engine.due(0.0, everything=True)
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(before)
    assert {gap(status) for status in looks} == {0}
    assert {status["in_hand"] for status in looks} == {0, 32}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_the_account_closes_at_every_step(model: Model, frames: MakeFrames, actions: list[tuple[str, int]]) -> None:
    engine, now = Engine(model, worker="0123456789ab", started=0.0, queue_flows=100), 0.0
    seen: Counter[str] = Counter()
    for action, number in actions:
        now += number / 1000
        match action:
            case "flows":
                engine.receive(frames(number, reply_to=f"eacf.verdict.{number % 3}."), now)
            case "reply_to":
                engine.receive(frames(number, reply_to="eacf.zeek."), now)
            case "damaged":
                good = frames(5)
                engine.receive([*good[:3], good[3][:-number]], now)
            case "serve":
                engine.serve()
            case "due":
                seen["answered"] += len(verdicts(engine.due(now)))
            case "unsent":
                for message in engine.due(now):
                    engine.not_sent(message)
        assert_closes(engine)
    seen["answered"] += len(drained(engine, now))
    status = assert_closes(engine)
    assert status["verdicts_out"] == seen["answered"]
    assert status["queue"]["flows"] == status["held_verdicts"] == 0


def named(samples: list[Sample], names: list[str | None]) -> bytes:
    for at, sample in enumerate(samples):
        sample.server_name = names[at % len(names)]
        sample.orig_h += at % 40
    return encode_flows("eacf.verdict.zeek.", samples)


def test_flows_with_a_known_name_are_exams(engine: Engine, model: Model, samples: MakeSamples) -> None:
    label = model.bundle.labels[0]
    names = [label, "cloudflare-ech.com", None, "www.nobody.example", f"{label}.evil.example"]
    engine.receive(own(engine, named(samples(50), names)), 1.0)
    drained(engine, 1.0)
    truth = engine.status(2.0)["truth"]
    assert truth["exams"] == sum(truth["ever"].values()) == 10
    assert list(truth["labels"]) == [label]


@pytest.mark.parametrize("name", bundle.shipped())
def test_ech_public_names_teach_nothing(name: str) -> None:
    shipped = bundle.load(bundle.find(name))
    for server_name in ("cloudflare-ech.com", "CLOUDFLARE-ECH.COM.", "x.cloudflare-ech.com"):
        assert shipped.sni_label(server_name) not in shipped.labels


def test_a_drift_is_told_to_zeek_and_the_log(model: Model, samples: MakeSamples) -> None:
    """The model says the same throughout; what changes is the name under which it is asked."""
    (flow,) = samples(1)
    flow.records = SURE
    (verdict,) = model.verdicts([flow])
    assert verdict.label is not None
    other = next(label for label in model.bundle.labels if label != verdict.label)
    engine = Engine(model, worker="0123456789ab", started=0.0, drift_alarms=True)
    alarms, lines = [], []
    for step in range(60):
        now = step * 10.0
        flows = [replace(flow, uid=f"C{at}") for at in range(40)]
        engine.receive(own(engine, named(flows, [verdict.label if step < 30 else other])), now)
        engine.serve()
        for out in engine.due(now, everything=True):
            if isinstance(said := decode_message(out.body), Alarm):
                assert out.topic == ZEEK_TOPIC
                alarms.append(said)
        lines += [line for line in engine.notices(now) if line.startswith("drift (accuracy)")]
    assert [(each.worker, each.model, each.kind) for each in alarms] == [(engine.worker, model.bundle.id, "accuracy")]
    assert len(lines) == 1
    assert alarms[0].text in lines[0]
    assert engine.status(600.0)["truth"]["alarms"] == {"accuracy": 1}


def test_a_shadow_scores_when_there_is_nothing_else_to_do(
    engine: Engine, model: Model, other: Model, frames: MakeFrames
) -> None:
    assert engine.status(0.0)["shadow"] is None
    assert not engine.idle()
    engine.set_shadow(other)
    (out,) = engine.due(1.0)
    assert decode_message(out.body) == Hello(engine.worker, model.bundle.id, model.bundle.needs)
    for at in range(2):
        engine.receive(frames(32, 32 * at), 2.0)
    said = drained(engine, 2.0)
    assert {verdict.model for verdict in said} == {model.bundle.id}
    assert engine.idle()
    assert not engine.idle()
    told = engine.status(3.0)["shadow"]
    assert (told["bundle"]["id"], told["scored"], told["agreement"]) == (other.bundle.id, 64, 1.0)
    engine.swap(other)
    assert engine.status(3.0)["shadow"]["scored"] == 0  # it is held against another one now
    engine.set_shadow(None)
    assert engine.status(3.0)["shadow"] is None
    assert_closes(engine)


def test_a_shadow_that_needs_more_gets_it(engine: Engine, model: Model, longer: Model) -> None:
    engine.set_shadow(longer)
    (out,) = engine.due(1.0)
    assert decode_message(out.body) == Hello(engine.worker, model.bundle.id, Needs(0, 3000, 16, False))
    engine.set_shadow(None)
    (out,) = engine.due(2.0)
    assert decode_message(out.body) == Hello(engine.worker, model.bundle.id, Needs(0, 3000, 8, False))


def test_another_model_begins_its_own_figures(engine: Engine, model: Model, other: Model, samples: MakeSamples) -> None:
    engine.receive(own(engine, named(samples(20), list(model.bundle.labels[:1]))), 1.0)
    drained(engine, 1.0)
    engine.swap(other)
    truth = engine.status(2.0)["truth"]
    assert (truth["exams"], truth["before"]["exams"], truth["before"]["bundle"]) == (0, 20, model.bundle.id)


def test_the_store_of_models_is_told_of(model: Model) -> None:
    assert Engine(model, worker="0" * 12, started=0.0).status(0.0)["models"] is None
    engine = Engine(model, worker="0" * 12, started=0.0, models=lambda: {"serving": "abc"})
    assert engine.status(0.0)["models"] == {"serving": "abc"}

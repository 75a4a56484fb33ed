"""The sender's side: who is asked, who is waited for, what is sent; the clock is the test's. Then over a real bus."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eacf import bundle
from eacf.bundle import from_bytes
from eacf.bundle.archive import MANIFEST, unpack
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.delivery import Outcome, Progress, push, send_order
from eacf.delivery.push import AGAIN_S, MAX_ROOM, Clerk, Command, Push
from eacf.errors import BundleError, BusError
from eacf.wire import (
    MAX_PART,
    ModelChunk,
    ModelDone,
    ModelOffer,
    ModelOrder,
    ModelOrdered,
    ModelWant,
    control_reply_topic,
    decode_message,
    encode_model,
    flow_topic,
    model_topic,
)

if TYPE_CHECKING:
    from tests.delivery.conftest import Signed

A, B = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
REPLY_TO = control_reply_topic("0123456789ab")
WAIT_S = 10.0


@pytest.fixture(scope="session")
def data(signed: Signed) -> bytes:
    return signed("pushed")


@pytest.fixture
def seen() -> list[Progress]:
    return []


@pytest.fixture
def clerk(data: bytes, seen: list[Progress]) -> Clerk:
    """On the bus since second 0, with worker A there."""
    errand = Push(data, from_bytes(data, "it").id, unpack(data)[MANIFEST], seen.append)
    made = Clerk(errand, REPLY_TO, WAIT_S, 0.0)
    made.subscription(True, model_topic(A), 0.0)
    assert made.due(0.0) == []  # nobody could answer us yet
    made.subscription(True, REPLY_TO, 0.0)
    return made


def done(worker: str, data: bytes, what: str = "serving") -> bytes:
    return encode_model(ModelDone(worker, from_bytes(data, "it").id, what, ""))


def test_offers_answers_and_is_done(clerk: Clerk, data: bytes, seen: list[Progress]) -> None:
    model = from_bytes(data, "it").id
    (letter,) = clerk.due(0.0)
    offer = decode_message(letter.body)
    assert letter.topic == model_topic(A)
    assert isinstance(offer, ModelOffer)
    assert (offer.reply_to, offer.size) == (REPLY_TO.decode(), len(data))
    letters = clerk.receive(encode_model(ModelWant(A, model, 10, MAX_PART + 5)), 0.1)
    assert [decode_message(each.body) for each in letters] == [
        ModelChunk(model, 10, data[10 : 10 + MAX_PART]),
        ModelChunk(model, 10 + MAX_PART, data[10 + MAX_PART : 15 + MAX_PART]),
    ]
    assert not clerk.over(0.1)
    clerk.receive(done(A, data), 0.2)
    assert clerk.over(0.2)
    assert clerk.outcomes() == {A: Outcome("serving")}
    assert seen == [Progress(A, 10, len(data), None), Progress(A, len(data), len(data), Outcome("serving"))]


def test_no_want_makes_it_send_more_than_there_is(clerk: Clerk, data: bytes) -> None:
    model, size = from_bytes(data, "it").id, len(data)
    for offset, room, sent in [(0, 2**62, min(size, MAX_ROOM)), (size - 1, 100, 1), (size, 100, 0), (2**62, 100, 0)]:
        letters = clerk.receive(encode_model(ModelWant(A, model, offset, room)), 0.1)
        parts = [decode_message(letter.body) for letter in letters]
        assert sum(len(part.data) for part in parts if isinstance(part, ModelChunk)) == sent
    for other in (ModelWant(B, model, 0, 100), ModelWant(A, "0123456789ab", 0, 100), ModelOrdered(A, "serving", "")):
        assert clerk.receive(encode_model(other), 0.1) == []
    assert clerk.receive(b"nonsense", 0.1) == []


def test_one_that_says_nothing_is_asked_again_then_given_up(clerk: Clerk) -> None:
    assert [len(clerk.due(second)) for second in (0.0, 0.5, AGAIN_S, 2 * AGAIN_S)] == [1, 0, 1, 1]
    assert clerk.next_deadline() == 3 * AGAIN_S
    assert not clerk.over(WAIT_S - 0.1)
    assert clerk.due(WAIT_S) == []
    assert clerk.over(WAIT_S)
    assert clerk.outcomes()[A].what == "silent"


def test_one_that_leaves_is_waited_for_and_the_one_in_its_place_is_asked(clerk: Clerk, data: bytes) -> None:
    clerk.due(0.0)
    clerk.subscription(False, model_topic(A), 1.0)
    assert clerk.due(1.0) == []
    assert not clerk.over(1.0 + WAIT_S - 0.1)
    clerk.subscription(True, model_topic(B), 2.0)
    assert [letter.topic for letter in clerk.due(2.0)] == [model_topic(B)]
    clerk.receive(done(B, data), 3.0)
    assert clerk.over(3.0)
    assert clerk.outcomes() == {B: Outcome("serving")}


def test_one_that_leaves_for_good_is_told_of(clerk: Clerk) -> None:
    clerk.subscription(False, model_topic(A), 1.0)
    assert clerk.over(1.0 + WAIT_S)
    assert clerk.outcomes()[A].what == "gone"


def test_one_that_leaves_may_still_say_what_came_of_it(clerk: Clerk, data: bytes) -> None:
    """A worker that is told to end leaves its topics first, then ends what is under way."""
    clerk.due(0.0)
    clerk.subscription(False, model_topic(A), 1.0)
    assert clerk.receive(encode_model(ModelWant(A, from_bytes(data, "it").id, 0, MAX_PART)), 1.5) == []
    assert clerk.outcomes()[A].what == "gone"
    clerk.receive(done(A, data), 2.0)
    assert clerk.over(2.0)
    assert clerk.outcomes() == {A: Outcome("serving")}
    clerk.receive(done(A, data, "refused"), 3.0)
    assert clerk.outcomes() == {A: Outcome("serving")}


def test_those_who_take_no_models_and_topics_of_nobody(clerk: Clerk, data: bytes) -> None:
    for topic in (flow_topic(A), flow_topic(B), b"eacf.control.model.", b"eacf.control.model.x", b"eacf.flow.", b""):
        clerk.subscription(True, topic, 0.0)
    clerk.receive(done(A, data, "refused"), 0.1)
    assert {worker: outcome.what for worker, outcome in clerk.outcomes().items()} == {A: "refused", B: "deaf"}


def test_orders() -> None:
    clerk = Clerk(Command(b"an order"), REPLY_TO, WAIT_S, 0.0)
    clerk.subscription(True, REPLY_TO, 0.0)
    clerk.subscription(True, model_topic(A), 0.0)
    (letter,) = clerk.due(0.0)
    assert decode_message(letter.body) == ModelOrder(REPLY_TO.decode(), b"an order")
    assert clerk.receive(encode_model(ModelOrdered(A, "refused", "why")), 0.1) == []
    assert clerk.outcomes() == {A: Outcome("refused", "why")}


def test_an_unsigned_bundle_is_not_sent() -> None:
    with pytest.raises(BundleError, match="is not signed"):
        push(Endpoints(), bundle.default_path().read_bytes(), wait_s=1)
    with pytest.raises(BundleError, match="no zip"):
        push(Endpoints(), bytes(1000), wait_s=1)


def test_no_bus_and_no_worker(data: bytes, tmp_path: Path) -> None:
    nowhere = Endpoints(f"ipc://{tmp_path}/a", f"ipc://{tmp_path}/b")
    with pytest.raises(BusError, match="no bus at"):
        push(nowhere, data, wait_s=0.2)
    with EmbeddedBus() as bus:
        assert push(bus.endpoints, data, wait_s=0.3) == {}
        assert send_order(bus.endpoints, b"x", wait_s=0.3) == {}


def test_many_workers_over_a_real_bus(data: bytes) -> None:
    """Each gets all of it at its own pace; one refuses, one is silent, one takes no models."""
    model = from_bytes(data, "it").id
    got: dict[str, bytes] = {}

    def worker(name: str, room: int, end: threading.Event) -> None:
        with Peer(bus.endpoints, name, [model_topic(name), flow_topic(name)]) as peer:
            while not end.is_set():
                peer.wait(0.02)
                for frames in peer.receive(100):
                    message = decode_message(frames[3])
                    if isinstance(message, ModelOffer):
                        reply_to = message.reply_to.encode()
                        got.setdefault(name, b"")
                    elif isinstance(message, ModelChunk) and message.offset == len(got[name]):
                        got[name] += message.data
                    if room == 0:
                        continue
                    if len(got[name]) == len(data):
                        peer.send(reply_to, encode_model(ModelDone(name, model, "serving", "")))
                    elif isinstance(message, ModelOffer) or not len(got[name]) % room:
                        peer.send(reply_to, encode_model(ModelWant(name, model, len(got[name]), room)))

    with EmbeddedBus() as bus, Peer(bus.endpoints, "deaf", [flow_topic("d" * 12)], watch=True) as deaf:
        end = threading.Event()
        rooms = {A: MAX_PART, B: 4 * MAX_PART, "c" * 12: 0}
        threads = [threading.Thread(target=worker, args=(name, room, end)) for name, room in rooms.items()]
        for thread in threads:
            thread.start()
        topics: set[bytes] = set()
        while len(topics) < 2 * len(rooms):
            deaf.wait(1.0)
            topics |= {topic for added, topic in deaf.subscriptions() if added and not topic.startswith(b"eacf.flow.d")}
        outcomes = push(bus.endpoints, data, wait_s=1.5)
        end.set()
        for thread in threads:
            thread.join()
    words = {worker: outcome.what for worker, outcome in outcomes.items()}
    assert words == {A: "serving", B: "serving", "c" * 12: "silent", "d" * 12: "deaf"}
    assert got[A] == got[B] == data

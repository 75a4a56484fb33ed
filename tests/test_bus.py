"""Peers and the embedded bus, over real sockets."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eacf.bus import EmbeddedBus, Endpoints, Frames, Peer
from eacf.errors import BusError
from eacf.wire import FORMAT

WAIT_S = 10.0


@pytest.fixture
def bus() -> Iterator[EmbeddedBus]:
    with EmbeddedBus() as made:
        yield made


def until(condition: Callable[[], bool], peer: Peer) -> None:
    """Wait on the peer until the condition holds."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        peer.wait(0.05)


def heard(peer: Peer, *topics: bytes) -> None:
    """Wait until the bus has told a watching peer that these topics have subscribers."""
    missing = set(topics)

    def look() -> bool:
        missing.difference_update(topic for added, topic in peer.subscriptions() if added)
        return not missing

    until(look, peer)


def received(peer: Peer, number: int) -> list[list[bytes]]:
    messages: list[list[bytes]] = []

    def look() -> bool:
        messages.extend(peer.receive(100))
        return len(messages) >= number

    until(look, peer)
    return messages


def test_a_message_has_four_frames(bus: EmbeddedBus) -> None:
    with Peer(bus.endpoints, "zeek", watch=True) as zeek, Peer(bus.endpoints, "worker", [b"eacf.flow."]) as worker:
        heard(zeek, b"eacf.flow.")
        assert zeek.send(b"eacf.flow.1", b"body")
        zeek.send(b"eacf.other", b"not for the worker")
        zeek.send(b"eacf.flow.2", b"")
        first, second = (Frames(*frames) for frames in received(worker, 2))
        assert first == Frames(b"eacf.flow.1", b"zeek", FORMAT, b"body")
        assert second.body == b""


def test_receiving_does_not_wait_and_is_bounded(bus: EmbeddedBus) -> None:
    with Peer(bus.endpoints, "zeek", watch=True) as zeek, Peer(bus.endpoints, "worker", [b"t"]) as worker:
        assert worker.receive(10) == []
        heard(zeek, b"t")
        for _ in range(10):
            zeek.send(b"t", b"")
        until(lambda: worker.wait(0), worker)
        assert len(worker.receive(3)) <= 3


def test_subscriptions_come_and_go(bus: EmbeddedBus) -> None:
    with Peer(bus.endpoints, "zeek", watch=True) as zeek:
        worker = Peer(bus.endpoints, "worker", [b"a", b"b"])
        heard(zeek, b"a", b"b")
        worker.unsubscribe(b"a")
        until(lambda: (False, b"a") in zeek.subscriptions(), zeek)
        worker.close()
        until(lambda: (False, b"b") in zeek.subscriptions(), zeek)


def test_a_late_watcher_is_told_of_those_already_there(bus: EmbeddedBus) -> None:
    with Peer(bus.endpoints, "worker", [b"early"]), Peer(bus.endpoints, "zeek", watch=True) as zeek:
        heard(zeek, b"early")


def test_what_is_on_its_way_survives_unsubscribing(bus: EmbeddedBus) -> None:
    with (
        Peer(bus.endpoints, "zeek", watch=True) as zeek,
        Peer(bus.endpoints, "worker", [b"t1"]) as worker,
        Peer(bus.endpoints, "other", [b"t"]) as other,
    ):
        heard(zeek, b"t1", b"t")
        for number in range(100):
            zeek.send(b"t1", bytes([number]))
        assert len(received(other, 100)) == 100  # the bus has passed them on
        worker.unsubscribe(b"t1")
        until(lambda: (False, b"t1") in zeek.subscriptions(), zeek)
        assert len(received(worker, 100)) == 100


def test_a_full_socket_refuses_and_counts(bus: EmbeddedBus) -> None:
    with (
        Peer(bus.endpoints, "zeek", watch=True, send_hwm=10) as zeek,
        # One that subscribes and never reads, with room for next to nothing: the bus fills up behind it.
        Peer(bus.endpoints, "sleeper", [b"t"], receive_hwm=1),
    ):
        heard(zeek, b"t")
        taken = 0
        deadline = time.monotonic() + WAIT_S
        while zeek.unsent == 0 and time.monotonic() < deadline:
            taken += zeek.send(b"t", bytes(100_000))
        assert zeek.unsent == 1
        assert taken >= 10
        started = time.monotonic()
        refused = sum(not zeek.send(b"t", bytes(100_000)) for _ in range(100))
        assert time.monotonic() - started < 1
        assert zeek.unsent == 1 + refused


def test_waiting_ends_when_the_time_is_over(bus: EmbeddedBus) -> None:
    with Peer(bus.endpoints, "worker", [b"t"]) as worker:
        started = time.monotonic()
        assert not worker.wait(0.02)
        assert not worker.wait(0)
        assert not worker.wait(-5)
        assert not worker.wait(float("-inf"))
        assert 0.02 <= time.monotonic() - started < 5


def test_a_descriptor_ends_the_wait(bus: EmbeddedBus) -> None:
    reader, writer = os.pipe()
    with Peer(bus.endpoints, "worker", [b"t"]) as worker:
        worker.wake_on(reader)
        threading.Timer(0.05, os.write, (writer, b"x")).start()
        assert worker.wait(WAIT_S)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("endpoints", "words"),
    [
        (Endpoints("tcp://127.0.0.1", "tcp://127.0.0.1:5556"), "subscribe endpoint must read like tcp://"),
        (Endpoints("tcp://127.0.0.1:5555", "nonsense"), "publish endpoint must read like tcp://"),
    ],
)
def test_what_is_no_endpoint_is_named(endpoints: Endpoints, words: str) -> None:
    with pytest.raises(BusError, match=words):
        Peer(endpoints, "worker")


def test_a_bus_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with EmbeddedBus() as bus:
        endpoints = bus.endpoints
    with Peer(endpoints, "worker", [b"t"]) as worker:
        assert not worker.wait(0.02)
        assert worker.send(b"t", b"to nobody")
        assert worker.unsent == 0


def test_the_embedded_bus_is_private_and_leaves_nothing() -> None:
    with EmbeddedBus() as bus, EmbeddedBus() as other:
        assert bus.endpoints != other.endpoints
        folder = Path(bus.endpoints.subscribe.removeprefix("ipc://")).parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        threads = [thread for thread in threading.enumerate() if thread.name == "eacf-bus"]
        assert len(threads) == 2
    assert not folder.exists()
    assert not any(thread.is_alive() for thread in threads)
    bus.close()


def test_a_long_temporary_folder_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedBus() as bus:
        assert bus.endpoints.subscribe.startswith("ipc:///tmp/eacf-")
    assert list(deep.iterdir()) == []


def test_closing_twice_is_fine_and_lingering_gets_messages_out(bus: EmbeddedBus) -> None:
    with Peer(bus.endpoints, "listener", [b"t"]) as listener:
        speaker = Peer(bus.endpoints, "speaker", watch=True)
        heard(speaker, b"t")
        for _ in range(500):
            speaker.send(b"t", bytes(10_000))
        speaker.close(5.0)
        speaker.close()
        assert len(received(listener, 500)) == 500

"""What is said of a handshake that comes to nothing; refusals by a real relay are in tests/relay."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from eacf import handshake
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.curve import BusKeys, Pair, z85

KEYS = BusKeys(Pair(z85(bytes(32)), z85(bytes(32))), z85(bytes(32)))


def until_problem(peer: Peer, limit_s: float = 15.0) -> str:
    deadline = time.monotonic() + limit_s
    while peer.problem is None:
        assert time.monotonic() < deadline
        peer.wait(0.1)
    return peer.problem


def test_what_listens_and_never_speaks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(handshake, "HANDSHAKE_MS", 200)
    with socket.create_server(("127.0.0.1", 0)) as silent, caplog.at_level(logging.WARNING, "eacf.bus"):
        where = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with Peer(Endpoints(where, where, KEYS), "worker", [b"t"], watch=True) as peer:
            assert until_problem(peer).startswith(f"{where}: ended the handshake without a word")
            assert {record.getMessage() for record in caplog.records} == {peer.problem}


def test_nobody_there_is_no_handshake(tmp_path: object) -> None:
    with Peer(Endpoints(f"ipc://{tmp_path}/a", f"ipc://{tmp_path}/b", KEYS), "worker", [b"t"], watch=True) as peer:
        assert not peer.wait(0.3)
        assert peer.problem is None
        assert "look whether `eacf relay` runs there" in str(peer.absence())


def test_without_keys_nothing_is_wrong_on_a_bus_without() -> None:
    with EmbeddedBus() as bus, Peer(bus.endpoints, "worker", [b"t"], watch=True) as peer:
        assert peer.wait(10)
        assert peer.problem is None


def test_a_wait_is_as_long_as_it_is_asked_for_whatever_a_handshake_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "RETRY_S", 0.05)
    with (
        EmbeddedBus() as bus,
        Peer(Endpoints(bus.endpoints.subscribe, bus.endpoints.publish, KEYS), "worker", [b"t"]) as peer,
    ):
        until_problem(peer)
        start = time.monotonic()
        assert not peer.wait(0.5)
        assert 0.5 <= time.monotonic() - start < 2


def test_a_secret_is_in_no_text() -> None:
    secret = z85(bytes(range(32)))
    where = Endpoints(keys=BusKeys(Pair(z85(bytes(32)), secret), z85(bytes(32))))
    assert secret not in repr(where) + repr(where.keys)

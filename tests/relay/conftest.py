"""A bus of this machine, a relay in a thread, and keys for clients."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eacf import curve
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.relay.clients import Clients
from eacf.relay.loop import _look
from eacf.relay.relay import Relay

WAIT_S = 20.0
NOWHERE = Endpoints("tcp://127.0.0.1:*", "tcp://127.0.0.1:*")


class Site:
    """The machine with the bus. The relay is looked at, and changed, between its turns."""

    def __init__(self, bus: EmbeddedBus, folder: Path, queue_messages: int = 1000) -> None:
        self.bus = bus
        self.folder = folder
        self.allowed = folder / "clients"
        self.allowed.mkdir()
        self.pair, _, self.public_file = curve.new(folder / "relay")
        self.clients = Clients(self.allowed)
        self.relay = Relay(
            bus.endpoints, NOWHERE, self.pair, self.clients, name="0" * 12, queue_messages=queue_messages, status=dict
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        look_at = 0.0
        try:
            while not self._ended.is_set():
                self.relay.turn(10)
                if time.monotonic() > look_at:
                    _look(self.relay, self.clients, asked=False)
                    look_at = time.monotonic() + 0.05
        finally:
            self.relay.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def admit(self, name: str, role: str = "") -> Endpoints:
        """Make a key for a client, let it in, and wait until the relay knows; what the client needs."""
        found = self.stranger(name)
        place = self.allowed / role
        place.mkdir(exist_ok=True)
        (place / f"{name}.curve.pub").write_bytes((self.folder / f"{name}.curve.pub").read_bytes())
        assert found.keys is not None
        self.until(lambda: found.keys is not None and found.keys.own.public in self.clients.by_key)
        return found

    def stranger(self, name: str) -> Endpoints:
        """A client that is not let in."""
        pair, _, _ = curve.new(self.folder / name)
        where = self.relay.listens
        return Endpoints(where.subscribe, where.publish, curve.BusKeys(pair, self.pair.public))

    def until(self, condition: Callable[[], object], *peers: Peer) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, f"it did not come; {self.relay.account}"
            for peer in peers:
                peer.wait(0.01)
            time.sleep(0.005)


def heard(peer: Peer, *topics: bytes) -> Callable[[], bool]:
    """Whether the bus has told a watching peer that these topics have subscribers."""
    missing = set(topics)

    def look() -> bool:
        missing.difference_update(topic for added, topic in peer.subscriptions() if added)
        return not missing

    return look


@pytest.fixture
def bus() -> Iterator[EmbeddedBus]:
    with EmbeddedBus() as made:
        yield made


@pytest.fixture
def site(bus: EmbeddedBus, tmp_path: Path) -> Iterator[Site]:
    made = Site(bus, tmp_path)
    yield made
    made.close()

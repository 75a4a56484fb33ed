"""What tests of a worker's process share: a sensor on a real bus, a worker in a process of its own, keys, bundles."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.bus import EmbeddedBus, Peer
from eacf.flow import Sample
from eacf.verdict import Verdict
from eacf.wire import (
    CONTROL_REQUEST_TOPIC,
    ZEEK_TOPIC,
    Hello,
    StatusReply,
    Verdicts,
    control_reply_topic,
    decode_message,
    encode_flows,
    encode_status_request,
    encode_who,
    verdict_topic,
)

WAIT_S = 30.0
FLOW_PREFIX = b"eacf.flow."
REPLY_TO = verdict_topic("zeek")
CONTROL_REPLY = control_reply_topic("0123456789ab")
ASK_AGAIN_S = 0.5


class Sensor:
    """What Zeek does on the bus: finds workers, asks who they are, sends flows, hears verdicts."""

    def __init__(self, bus: EmbeddedBus) -> None:
        self.bus = bus
        self.peer = Peer(bus.endpoints, "zeek", [REPLY_TO, ZEEK_TOPIC, CONTROL_REPLY], watch=True)
        self.workers: set[bytes] = set()
        self.hellos: list[Hello] = []
        self.reports: list[dict[str, Any]] = []
        self.verdicts: list[Verdict] = []
        self.sent = 0

    def look(self) -> None:
        """Take what is there."""
        for added, topic in self.peer.subscriptions():
            if topic.startswith(FLOW_PREFIX):
                (self.workers.add if added else self.workers.discard)(topic)
        for frames in self.peer.receive(1000):
            message = decode_message(frames[3])
            if isinstance(message, Hello):
                self.hellos.append(message)
            elif isinstance(message, StatusReply):
                self.reports.append(json.loads(message.report))
            elif isinstance(message, Verdicts):
                self.verdicts += message.verdicts

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + WAIT_S
        while self.look() or not condition():
            assert time.monotonic() < deadline, "it did not come"
            self.peer.wait(0.05)

    @property
    def topic(self) -> bytes:
        """Of the only worker."""
        (topic,) = self.workers
        return topic

    def greet(self) -> Hello:
        """Find the worker and ask who it is: from then on it hears and is heard."""
        self.until(lambda: self.workers)
        number = len(self.hellos)
        self.peer.send(self.topic, encode_who())
        self.until(lambda: len(self.hellos) > number)
        return self.hellos[-1]

    def send(self, number: int) -> None:
        """So many flows in one message."""
        ends = (IPv4Address("192.0.2.1"), 50000, IPv4Address("192.0.2.2"), 443)
        records = [517, -1200, 80, -1400, -900, 33, -700, 250]
        flows = [Sample(f"C{self.sent + at}", 0, *ends, None, bytes(100), [], list(records)) for at in range(number)]
        self.sent += number * self.peer.send(self.topic, encode_flows(REPLY_TO.decode(), flows))

    def answered(self) -> bool:
        """Every flow got one verdict."""
        return sorted(verdict.uid for verdict in self.verdicts) == sorted(f"C{at}" for at in range(self.sent))

    def report(self) -> dict[str, Any]:
        """The worker's, asked for as `eacf status` does, but waiting for nobody else."""
        number, ask_at = len(self.reports), 0.0

        def answered() -> bool:
            nonlocal ask_at
            if time.monotonic() >= ask_at:
                self.peer.send(CONTROL_REQUEST_TOPIC, encode_status_request(CONTROL_REPLY.decode()))
                ask_at = time.monotonic() + ASK_AGAIN_S
            return len(self.reports) > number

        self.until(answered)
        return self.reports[-1]

    def until_report(self, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Ask until the condition holds of the answer."""
        deadline = time.monotonic() + WAIT_S
        while not condition(report := self.report()):
            assert time.monotonic() < deadline, f"it did not come: {report}"
        return report


@pytest.fixture
def sensor() -> Iterator[Sensor]:
    with EmbeddedBus() as bus:
        made = Sensor(bus)
        yield made
        made.peer.close()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A copy of the shipped bundle."""
    path = tmp_path / "served.eacf"
    path.write_bytes(bundle.default_path().read_bytes())
    return path


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(sensor: Sensor, served: Path) -> Iterator[Start]:
    """Starts a worker on the sensor's bus, with these flags; it is gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*flags: str) -> subprocess.Popen[str]:
        endpoints = sensor.bus.endpoints
        command = [sys.executable, "-m", "eacf", "worker", "--bundle", str(served)]
        command += ["--subscribe-endpoint", endpoints.subscribe, "--publish-endpoint", endpoints.publish, *flags]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def key(tmp_path: Path) -> keys.PrivateKey:
    """A key, whose public half is in the folder `trusted`."""
    made, public = keys.new(tmp_path / "ops")
    (tmp_path / "trusted").mkdir()
    public.rename(tmp_path / "trusted" / public.name)
    return made


@pytest.fixture
def takes_models(key: keys.PrivateKey, tmp_path: Path) -> list[str]:
    """Flags of a worker that takes models."""
    return ["--model-store", str(tmp_path / "models"), "--trusted-keys", str(tmp_path / "trusted")]


Signed = Callable[..., bytes]


@pytest.fixture
def signed(key: keys.PrivateKey, tmp_path: Path) -> Signed:
    """Makes bundles that differ from the shipped one in their version, signed with ascending numbers."""
    shipped = bundle.load(bundle.default_path())
    serials = itertools.count(1000)

    def make(
        version: str,
        *,
        serial: int | None = None,
        by: keys.PrivateKey = key,
        purpose: str = "serve",
        model: bytes = shipped.model,
    ) -> bytes:
        bundle.write(tmp_path / "made.eacf", dict(shipped.manifest.document) | {"version": version}, model)
        data = (tmp_path / "made.eacf").read_bytes()
        return signing.sign(data, by, serial=next(serials) if serial is None else serial, purpose=purpose)

    return make

"""A real worker on a real bus: exams in its report and its log, and an alarm for who listens on eacf.zeek."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import pytest

from eacf.bus import EmbeddedBus, Peer
from eacf.flow import Sample
from eacf.status import ask
from eacf.wire import ZEEK_TOPIC, Alarm, Hello, Verdicts, decode_message, encode_flows, verdict_topic

SURE, LABEL, OTHER = [-52, -69, -283, -283, -41, -39, -39, -69], "google.com", "facebook.com"
"""Record lengths, what the shipped model says of them, and another of its labels."""
LIMIT_S = 30.0


def flows(number: int, name: str, first: int) -> list[Sample]:
    """Each of a client of its own."""
    ends = (50000, IPv4Address("192.0.2.2"), 443, name, b"", [])
    return [Sample(f"C{first + at}", 0, IPv4Address(first + at), *ends, list(SURE)) for at in range(number)]


@contextmanager
def worker(bus: EmbeddedBus, *flags: str) -> Iterator[None]:
    ends = ["--subscribe-endpoint", bus.endpoints.subscribe, "--publish-endpoint", bus.endpoints.publish]
    process = subprocess.Popen([sys.executable, "-m", "eacf", "worker", *ends, *flags], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(20) == 0


class Listener:
    """A sensor, in so far as the bus goes."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.worker = b""
        self.said: list[object] = []

    def until(self, condition: Callable[[], object]) -> None:
        over = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < over, f"not within {LIMIT_S:g} s"
            self.peer.wait(0.1)
            for added, topic in self.peer.subscriptions():
                if added and topic.startswith(b"eacf.flow."):
                    self.worker = topic
            self.said += [decode_message(frames[3]) for frames in self.peer.receive(1000)]

    def of(self, kind: type) -> list[object]:
        return [each for each in self.said if isinstance(each, kind)]

    def ask(self, samples: list[Sample]) -> None:
        """Send them, and wait for all answers."""
        wanted = self.answered + len(samples)
        for at in range(0, len(samples), 32):
            self.peer.send(self.worker, encode_flows(verdict_topic("test").decode(), samples[at : at + 32]))
        self.until(lambda: self.answered >= wanted)

    @property
    def answered(self) -> int:
        return sum(len(each.verdicts) for each in self.said if isinstance(each, Verdicts))


@pytest.mark.slow
def test_a_drift_is_heard_on_the_bus_and_told_in_the_report() -> None:
    with EmbeddedBus() as bus, worker(bus, "--truth-flows", "4000"):
        topics = [verdict_topic("test"), ZEEK_TOPIC]
        with Peer(bus.endpoints, "test", topics, watch=True) as peer:
            listener = Listener(peer)
            listener.until(lambda: listener.worker and listener.of(Hello))
            listener.ask(flows(1500, LABEL, 0))
            assert not listener.of(Alarm)
            listener.ask(flows(1500, OTHER, 10_000))  # as if its traffic looked like another's now
            listener.until(lambda: listener.of(Alarm))
            (alarm,) = listener.of(Alarm)
            (report,) = ask(bus.endpoints, 5.0)
    assert isinstance(alarm, Alarm)
    assert (alarm.worker, alarm.model, alarm.kind) == (report["worker"], report["bundle"]["id"], "accuracy")
    truth = report["truth"]
    assert (truth["exams"], truth["right"], truth["wrong"], truth["accuracy"]) == (3000, 1500, 1500, 0.5)
    assert truth["labels"][OTHER]["accuracy"] == 0.0
    assert truth["drift"]["now"] == {"accuracy": True, "inputs": False}
    assert truth["alarms"] == {"accuracy": 1}
    assert report["shadow"] is None

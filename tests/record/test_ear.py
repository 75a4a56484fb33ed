"""A tap on a real bus, without the command around it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from eacf.bus import EmbeddedBus, Peer
from eacf.flow import Needs, Sample
from eacf.record import ear
from eacf.record.ear import Ear, peer_of
from eacf.record.tap import Tap
from eacf.wire import TapReady, decode_message, encode_flows, encode_tap_who, verdict_topic

NAME = "0123456789ab"
SENSOR = verdict_topic("zeek")
LOG = logging.getLogger("test.ear")


class Both:
    """An ear, and the sensor that it hears."""

    def __init__(self, bus: EmbeddedBus) -> None:
        tap = Tap(NAME, started=time.monotonic(), needs=Needs(payload_bytes=0), share=1.0, limit=None)
        self.heard: list[str] = []
        self.peer = peer_of(bus.endpoints, tap)
        self.ear = Ear(self.peer, tap, lambda heard: self.heard.extend(each.uid for each in heard.samples), LOG)
        self.sensor = Peer(bus.endpoints, "zeek", [SENSOR], watch=True)
        self.observer = Peer(bus.endpoints, "observer", [tap.topic])

    def until_ready(self) -> TapReady:
        """Say where the sensor listens until the tap has answered."""
        until = time.monotonic() + 20
        while time.monotonic() < until:
            self.ear.turn()
            self.sensor.subscriptions()
            self.sensor.send(self.ear.tap.topic, encode_tap_who(SENSOR.decode()))
            self.sensor.wait(0.02)
            for frames in self.sensor.receive(10):
                message = decode_message(frames[3])
                assert isinstance(message, TapReady)
                return message
        raise AssertionError("the tap did not answer")

    def send(self, *numbers: int) -> None:
        ends = (IPv4Address("192.0.2.1"), 1024, IPv4Address("192.0.2.2"), 443)
        flows = [Sample(f"C{number}", 0, *ends, None, b"", [], [100]) for number in numbers]
        assert self.sensor.send(self.ear.tap.topic, encode_flows(SENSOR.decode(), flows))

    def passed_on(self, mark: bytes) -> None:
        """Wait until the bus has passed a message with `mark` on to all who hear our topic: then it waits in our socket."""
        until = time.monotonic() + 20
        while not any(mark in frames[3] for frames in self.observer.receive(100)):
            assert time.monotonic() < until
            self.observer.wait(0.1)

    def close(self) -> None:
        for each in (self.peer, self.sensor, self.observer):
            each.close()


@pytest.fixture
def both() -> Iterator[Both]:
    with EmbeddedBus() as bus:
        made = Both(bus)
        yield made
        made.close()


def test_what_is_heard_is_handed_on_and_the_sensor_is_told_what_is_wanted(both: Both) -> None:
    assert both.until_ready().needs == Needs(payload_bytes=0)
    both.send(1, 2, 3)
    until = time.monotonic() + 20
    while len(both.heard) < 3 and time.monotonic() < until:
        both.peer.wait(0.1)
        both.ear.turn()
    assert both.heard == ["C1", "C2", "C3"]


def test_what_is_on_its_way_at_the_end_is_taken_and_no_more_waited_for(both: Both) -> None:
    both.until_ready()
    while not both.observer.receive(100):  # it hears the topic from here on
        both.sensor.send(both.ear.tap.topic, encode_tap_who(SENSOR.decode()))
        both.observer.wait(0.1)
    both.send(1, 2)
    both.passed_on(b"C2")  # what the bus still carries when we leave the topic is nobody's
    begun = time.monotonic()
    both.ear.drain(both.ear.turn)
    assert both.heard == ["C1", "C2"]
    assert ear.QUIET_S <= time.monotonic() - begun < ear.DRAIN_S


def test_silence_is_told_once(both: Both, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    both.ear.mind_silence()
    assert not caplog.records
    later = time.monotonic() + ear.SILENCE_S
    monkeypatch.setattr(ear, "_clock", lambda: later)
    for _ in range(2):
        both.ear.mind_silence()
    assert [record.message for record in caplog.records] == [
        "no sensor has spoken yet; is eacf loaded there (eacf status asks)?"
    ]


def test_a_sensor_that_spoke_is_no_silence(
    both: Both, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    both.until_ready()
    later = time.monotonic() + ear.SILENCE_S
    monkeypatch.setattr(ear, "_clock", lambda: later)
    both.ear.mind_silence()
    assert not caplog.records

"""The worker as it runs on a sensor: a process pinned to one core, real sockets, the shipped bundle.

This process is the sensor and carries the bus, on the other cores. A flow counts as answered when its verdict was
received here. Messages are made beforehand, so that making them takes nothing from the sensor's core.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import psutil

from eacf import bundle
from eacf.bus import EmbeddedBus, Peer
from eacf.flow import Sample
from eacf.status import ask
from eacf.wire import ZEEK_TOPIC, encode_flow, encode_flows, encode_who, verdict_topic
from eacf_trainer.testbed.load import samples

SENSOR = "bench"
REPLY_TO = verdict_topic(SENSOR).decode()
UID_MARK, UID_BYTES = b"C0000000", 18
"""Every uid of the testbed's load begins like this, so that verdicts can be counted without decoding them."""
FLOW_PREFIX = b"eacf.flow."
SECONDS = 4.0
"""For which each load is kept up."""
PAYLOAD_BYTES, CHUNKS, RECORDS = 3000, 4, 18
"""Of a sample on average, as real ones have (payload: exactly)."""
BARE_LOOP = Path(__file__).with_name("bare_loop.py")


def bodies(flows: Sequence[Sample], each: int) -> list[bytes]:
    """Messages of `each` samples; of one: as EACF::flow."""
    if each == 1:
        return [encode_flow(REPLY_TO, flow) for flow in flows]
    return [encode_flows(REPLY_TO, flows[at : at + each]) for at in range(0, len(flows), each)]


@dataclass
class Served:
    """What came of a load."""

    offered: int = 0
    """Flows that the sensor's socket took."""
    answered: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    """Of the worker's process."""
    invoke_s: float = 0.0


class Sensor:
    """Sends flows to the one worker on the bus, and counts verdicts."""

    def __init__(self, bus: EmbeddedBus, pid: int) -> None:
        self._bus = bus
        self._process = psutil.Process(pid)
        self._peer = Peer(bus.endpoints, SENSOR, [verdict_topic(SENSOR), ZEEK_TOPIC], watch=True)
        self.topic = self._find()

    def _find(self) -> bytes:
        while self._peer.wait(30):
            for added, topic in self._peer.subscriptions():
                if added and topic.startswith(FLOW_PREFIX):
                    return topic
        raise RuntimeError("the worker did not subscribe within 30 s")

    def greet(self) -> None:
        """Wait until the worker answers: then it reaches us."""
        self._peer.send(self.topic, encode_who())
        while not any(frames[0] == ZEEK_TOPIC for frames in self._peer.receive(10)):
            if not self._peer.wait(5):
                self._peer.send(self.topic, encode_who())
            self._peer.subscriptions()

    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system

    def report(self) -> dict[str, object]:
        """What the worker says of itself."""
        return ask(self._bus.endpoints, 5.0)[0]

    def take(self, wait_s: float = 0.0) -> int:
        """Verdicts that have come."""
        if wait_s:
            self._peer.wait(wait_s)
        self._peer.subscriptions()
        return sum(frames[3].count(UID_MARK) for frames in self._peer.receive(10_000))

    def saturate(self, messages: Sequence[bytes], each: int, room: int, seconds: float) -> Served:
        """Keep up to `room` flows unanswered for so long: all that the worker can do, and no more."""
        served, source = Served(), cycle(messages)
        begun, cpu = time.perf_counter(), self.cpu_s()
        while time.perf_counter() - begun < seconds:
            while served.offered - served.answered + each <= room:
                served.offered += each * self._peer.send(self.topic, next(source))
            served.answered += self.take(0.1)
        served.seconds, served.cpu_s = time.perf_counter() - begun, self.cpu_s() - cpu
        last = served.answered
        while served.offered > last and (more := self.take(1.0)):
            last += more
        return served

    def pace(self, messages: Sequence[bytes], each: int, rate: float, seconds: float) -> Served:
        """Send at `rate` flows a second whatever comes back; then wait until nothing comes any more."""
        served, source = Served(), cycle(messages)
        begun = time.perf_counter()
        while (elapsed := time.perf_counter() - begun) < seconds:
            due = int(elapsed * rate)
            while served.offered + each <= due and (taken := self._peer.send(self.topic, next(source))):
                served.offered += each * taken
            served.answered += self.take(0.001)
        served.seconds = time.perf_counter() - begun
        while more := self.take(2.0):
            served.answered += more
        return served

    def round_trips(self, messages: Sequence[bytes], rate: float, seconds: float) -> list[float]:
        """Seconds from sent to verdict received, of single flows that arrive at random at `rate`."""
        rng, source = random.Random(1), cycle(messages)
        sent: dict[bytes, float] = {}
        trips: list[float] = []
        now = begun = next_at = time.perf_counter()
        while now - begun < seconds or (sent and now - begun < seconds + 2):
            if now >= next_at and now - begun < seconds:
                body = next(source)
                at = body.index(UID_MARK)
                sent[body[at : at + UID_BYTES]] = now
                self._peer.send(self.topic, body)
                next_at += rng.expovariate(rate)
            self._peer.subscriptions()
            for frames in self._peer.receive(100):
                trips += self._arrived(frames[3], sent)
            now = time.perf_counter()
        return trips

    def _arrived(self, body: bytes, sent: dict[bytes, float]) -> Iterator[float]:
        now, at = time.perf_counter(), body.find(UID_MARK)
        while at >= 0:
            if (begun := sent.pop(body[at : at + UID_BYTES], None)) is not None:
                yield now - begun
            at = body.find(UID_MARK, at + UID_BYTES)

    def close(self) -> None:
        self._peer.close()


@contextmanager
def sensor(*command: str) -> Iterator[Sensor]:
    """A bus, and on a core of its own the worker (or what `command` runs with both endpoints as last arguments)."""
    cores = sorted(os.sched_getaffinity(0))
    own, others = {cores[0]}, set(cores[1:]) or {cores[0]}
    os.sched_setaffinity(0, others)
    with EmbeddedBus() as bus:
        process = subprocess.Popen(
            [sys.executable, *command, bus.endpoints.subscribe, bus.endpoints.publish], stderr=subprocess.DEVNULL
        )
        os.sched_setaffinity(process.pid, own)
        made = Sensor(bus, process.pid)
        try:
            yield made
        finally:
            made.close()
            process.send_signal(signal.SIGTERM)
            process.wait(10)
            os.sched_setaffinity(0, cores)


def worker(path: Path) -> tuple[str, ...]:
    """The command line of a worker that serves this bundle; the endpoints follow."""
    run = """
import sys
from pathlib import Path
from eacf.settings import Settings
from eacf.worker import run
run(Settings(bundle=Path(sys.argv[1]), subscribe_endpoint=sys.argv[2], publish_endpoint=sys.argv[3]))
"""
    return ("-c", run, str(path))


def flows_per_second(path: Path) -> float:
    """Samples with payload, 32 a message."""
    return _rate(path, bodies(samples(1, 1024, PAYLOAD_BYTES, CHUNKS, RECORDS), 32), 32)


def records_flows_per_second(path: Path) -> float:
    """Records only, 8 of them, 16 samples a message."""
    return _rate(path, bodies(samples(2, 4096, 0, 0, 8), 16), 16)


def _rate(path: Path, messages: Sequence[bytes], each: int) -> float:
    with sensor(*worker(path)) as made:
        made.greet()
        made.saturate(messages, each, 1024, 0.5)
        served = made.saturate(messages, each, 1024, SECONDS)
        return served.answered / served.seconds


def overhead_over_bare_loop(path: Path) -> dict[str, float]:
    """CPU a flow outside the model's runtime, beside a loop that receives, copies and replies; one flow a message.

    Both are kept busy with as many flows under way.
    """
    messages = bodies(samples(3, 2048, PAYLOAD_BYTES, CHUNKS, RECORDS), 1)
    cost = {}
    for name, command in (("bare", (str(BARE_LOOP),)), ("worker", worker(path))):
        with sensor(*command) as made:
            if name == "worker":
                made.greet()
            made.saturate(messages, 1, 512, 0.5)
            before = _invoke_s(made) if name == "worker" else 0.0
            served = made.saturate(messages, 1, 512, SECONDS)
            invoke_s = _invoke_s(made) - before if name == "worker" else 0.0
            cost[name] = (served.cpu_s - invoke_s) / served.answered * 1e6
    return {
        "worker.cpu_us_outside_invoke": cost["worker"],
        "worker.bare_loop_cpu_us": cost["bare"],
        "worker.overhead_over_bare_loop": cost["worker"] / cost["bare"],
    }


def _invoke_s(made: Sensor) -> float:
    return float(str(made.report()["invoke_s"]))


def p99_ms(path: Path) -> dict[str, float]:
    """At 1,000 flows/s, one a message: from sent here to verdict here, the bus both ways included, and what the worker
    itself says of message in to verdict out."""
    messages = bodies(samples(4, 4096, PAYLOAD_BYTES, CHUNKS, RECORDS), 1)
    with sensor(*worker(path)) as made:
        made.greet()
        trips = sorted(made.round_trips(messages, 1000, SECONDS))
        inside = json.loads(json.dumps(made.report()))["latency_ms"]["p99"]
    return {"worker.p99_ms": trips[int(len(trips) * 0.99)] * 1000, "worker.p99_inside_ms": inside}


def lost(path: Path, rate: float) -> dict[str, float]:
    """Flows that were neither answered nor counted as dropped, at twice the `rate` that the worker can bear."""
    messages = bodies(samples(5, 1024, PAYLOAD_BYTES, CHUNKS, RECORDS), 32)
    with sensor(*worker(path)) as made:
        made.greet()
        served = made.pace(messages, 32, 2 * rate, SECONDS)
        report = json.loads(json.dumps(made.report()))
    counted = sum(report["dropped"].values())
    return {
        "worker.lost": served.offered - served.answered - counted,
        "worker.overload_offered_over_bearable": served.offered / served.seconds / rate,
        "worker.overload_answered_per_second": served.answered / served.seconds,
    }


def measure(work: Path) -> dict[str, float]:
    """Figures ``worker.*``."""
    path = bundle.default_path()
    rate = flows_per_second(path)
    return {
        "worker.flows_per_second": rate,
        "worker.records_flows_per_second": records_flows_per_second(path),
        **overhead_over_bare_loop(path),
        **p99_ms(path),
        **lost(path, rate),
    }

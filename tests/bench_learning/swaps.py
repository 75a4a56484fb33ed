"""A thousand changes of model under load: is every flow answered, how late, and does memory grow.

The worker runs as on a sensor, on a core of its own, with a store and a trusted key; this process is the sensor, and carries the bus. A
process beside it sends signed orders, one as soon as the one before is carried out, and a push of a new bundle now and then. Every change
is a whole one: the model is tried in a process of its own, the store is written and synced, the model takes its place between two batches.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from itertools import cycle
from pathlib import Path

import beside  # before those that it finds
import psutil
import worker as bench

from eacf import bundle, keys
from eacf.bundle import signing
from eacf.bus import EmbeddedBus
from eacf.models import Store
from eacf_trainer.testbed.load import samples

RATE = 2000
SETTLED = 100
"""Swaps after which memory is looked at first."""
AFTER_S = 0.05
"""A flow that arrives so long after a swap, or before, is one during the swap."""
LIMIT_S = 1500.0
WORKER = """
import sys
from pathlib import Path
from eacf.settings import Settings
from eacf.worker import run
run(Settings(bundle=Path(sys.argv[1]), model_store=Path(sys.argv[2]), trusted_keys=Path(sys.argv[3]),
             subscribe_endpoint=sys.argv[4], publish_endpoint=sys.argv[5]))
"""


def measure(work: Path, count: int) -> dict[str, float]:
    """Figures ``swaps.*``."""
    home = work / "swaps"
    home.mkdir(parents=True, exist_ok=True)
    key = fresh_key(home)
    pair = [version(home, f"swap-{name}") for name in ("a", "b")]
    store = Store.open(home / f"store-{os.getpid()}")
    for path in pair:
        store.keep(
            signing.sign(path.read_bytes(), keys.PrivateKey.read(key), serial=serial(key)), signature=None, now=0
        )
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    with EmbeddedBus() as bus:
        ends = (bus.endpoints.subscribe, bus.endpoints.publish)
        command = [sys.executable, "-c", WORKER, str(pair[0]), str(store.folder), str(key.with_suffix(".pub")), *ends]
        process = subprocess.Popen(command, stderr=(home / "worker.log").open("wb"))
        os.sched_setaffinity(process.pid, {cores[0]})
        sensor = Sensor(bus, process.pid)
        try:
            sensor.greet()
            ids = [bundle.load(path).id for path in pair]
            told = home / "swaps.json"
            told.unlink(missing_ok=True)
            orders = [sys.executable, str(beside.HERE / "orderer.py"), str(key), str(told), str(count), *ids, *ends]
            with subprocess.Popen(orders) as ordering:
                sensor.load(ordering, process.pid)
                if ordering.returncode:
                    raise RuntimeError(f"what sends orders ended with {ordering.returncode}")
            report = json.loads(json.dumps(sensor.report()))
            return figures(sensor, json.loads(told.read_text()), report)
        finally:
            sensor.close()
            process.send_signal(signal.SIGTERM)
            process.wait(20)
            os.sched_setaffinity(0, cores)


class Sensor(bench.Sensor):
    """Single flows at random times, and what came of each."""

    offered: int = 0
    trips: list[tuple[float, float]]
    memory: list[tuple[float, int]]

    def load(self, beside: subprocess.Popen[bytes], pid: int) -> None:
        """Send at RATE until the process beside has ended, then take what is on its way."""
        import random

        rng = random.Random(1)
        source = cycle(bench.bodies(samples(2, 1 << 16, 0, 0, 8), 1))
        sent: dict[bytes, float] = {}
        self.trips, self.memory = [], []
        watched = psutil.Process(pid)
        begun = now = next_at = look_at = time.perf_counter()
        last = float("inf")
        while now < last and now - begun < LIMIT_S:
            running = last == float("inf")
            while running and now >= next_at:
                body = next(source)
                at = body.index(bench.UID_MARK)
                if self._peer.send(self.topic, body):
                    sent[body[at : at + bench.UID_BYTES]] = now
                    self.offered += 1
                next_at += rng.expovariate(RATE)
            self._peer.subscriptions()
            for frames in self._peer.receive(100):
                self._note(frames[3], sent)
            if now >= look_at:
                self.memory.append((now, watched.memory_info().rss))
                look_at = now + 0.5
                if running and beside.poll() is not None:
                    last = now + 3.0
            if now < next_at:
                self._peer.wait(0.001)
            now = time.perf_counter()

    def _note(self, body: bytes, sent: dict[bytes, float]) -> None:
        now, at = time.perf_counter(), body.find(bench.UID_MARK)
        while at >= 0:
            if (begun := sent.pop(body[at : at + bench.UID_BYTES], None)) is not None:
                self.trips.append((begun, now - begun))
            at = body.find(bench.UID_MARK, at + bench.UID_BYTES)


def figures(sensor: Sensor, swaps: list[list[float]], report: dict[str, object]) -> dict[str, float]:
    """`swaps`: when each was ordered and when the worker said that it was done."""
    spans = sorted((begun - AFTER_S, done + AFTER_S) for begun, done in swaps)
    begins = [begun for begun, _ in spans]
    during = []
    for sent, trip in sensor.trips:
        place = bisect_right(begins, sent) - 1
        if place >= 0 and sent <= spans[place][1]:
            during.append(trip)
    during.sort()
    dropped = sum(report["dropped"].values())  # type: ignore[attr-defined]
    settled, end = swaps[min(SETTLED, len(swaps) - 1)][1], swaps[-1][1]
    first = [rss for when, rss in sensor.memory if settled <= when][:10]
    last = [rss for when, rss in sensor.memory if when <= end][-10:]
    return {
        "swaps.count": len(swaps),
        "swaps.flows": sensor.offered,
        "swaps.flows_per_second": sensor.offered / (max(sent for sent, _ in sensor.trips) - sensor.memory[0][0]),
        "swaps.lost": sensor.offered - len(sensor.trips) - dropped,
        "swaps.dropped": dropped,
        "swaps.reloads": report["reloads"]["done"],  # type: ignore[index]
        "swaps.seconds_each": sum(done - begun for begun, done in swaps) / len(swaps),
        "swaps.p50_ms": during[len(during) // 2] * 1000,
        "swaps.p99_ms": during[int(len(during) * 0.99)] * 1000,
        "swaps.p999_ms": during[int(len(during) * 0.999)] * 1000,
        "swaps.most_ms": during[-1] * 1000,
        "swaps.memory_growth_mb": (max(last) - max(first)) / 1e6,
        "swaps.memory_mb": max(last) / 1e6,
    }


def fresh_key(home: Path) -> Path:
    """A private key in `home`."""
    path = home / "bench.key"
    if not path.exists():
        keys.new(path.with_suffix(""))
    return path


def serial(key: Path) -> int:
    return keys.next_serial(key, time.time())


def version(home: Path, name: str) -> Path:
    """The shipped bundle under another name, hence with another id."""
    kept = bundle.load(bundle.default_path())
    path = home / f"{name}.eacf"
    bundle.write(path, {**kept.manifest.document, "name": name}, kept.model)
    return path

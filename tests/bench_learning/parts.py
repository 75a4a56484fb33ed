"""What the parts share: programs on a bus of their own, samples of a simulated week, a sensor that a tap hears."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from traffic import Traffic

from eacf import keys
from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.features.bins import ABSENT
from eacf.flow import Sample
from eacf.samples.keeper import Keeper, Limits
from eacf.wire import ZEEK_TOPIC, Hello, decode_message, encode_who

EACF = (sys.executable, "-m", "eacf")
TRAIN = (sys.executable, "-c", "import sys; from eacf_trainer.cli import main; sys.exit(main())")
START_S = 60.0


def flags(endpoints: Endpoints) -> list[str]:
    """Where the bus is."""
    return ["--subscribe-endpoint", endpoints.subscribe, "--publish-endpoint", endpoints.publish]


@contextmanager
def program(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its words in `log`; it ends with the context."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def key(home: Path) -> Path:
    """A private key in `home`, its public half beside."""
    path = home / "bench.key"
    if not path.exists():
        keys.new(path.with_suffix(""))
    return path


def sample(records: list[int], label: str | None, client: int, uid: str, start_ns: int) -> Sample:
    """As a sensor sends it; the server name says the label by the testbed's map."""
    name = None if label is None else f"www.north1.{label}.example"
    ends = (IPv4Address(f"192.0.2.{client + 1}"), 50000, IPv4Address("198.51.100.1"), 443)
    return Sample(uid, start_ns, *ends, name or "www.other.example.net", b"", [], records)


def samples(came: Traffic, tag: str) -> list[tuple[Sample, str | None]]:
    """All of a week's, with their labels."""
    now = time.time_ns()
    return [
        (sample([int(each) for each in row if each != ABSENT], label, int(client), f"C{tag}{number}", now), label)
        for number, (row, label, client) in enumerate(zip(came.table, came.labels, came.clients, strict=True))
        if (row != ABSENT).any()
    ]


def store(database: Path, given: list[tuple[Sample, str | None]]) -> None:
    """Put them into a database in one commit, as `eacf collect` would."""
    keeper = Keeper.begin(database, Limits(rows_per_label=100_000, background=100_000))
    try:
        for each, label in given:
            keeper.add(each, label=label, sensor="bench", mono_ns=time.monotonic_ns())
        keeper.commit(time.time_ns(), time.monotonic_ns())
    finally:
        keeper.close()


class Hellos:
    """Which bundle each worker last said that it serves."""

    def __init__(self, bus: EmbeddedBus) -> None:
        self._peer = Peer(bus.endpoints, "bench-hellos", [ZEEK_TOPIC], watch=True)
        self.models: dict[str, str] = {}
        self._workers: set[bytes] = set()

    def until(self, condition: Callable[[], object], limit_s: float = START_S) -> bool:
        """Ask and hear until `condition()` holds; whether it did."""
        until = time.monotonic() + limit_s
        ask_at = 0.0
        while not condition():
            if (now := time.monotonic()) > until:
                return False
            self._peer.wait(0.02)
            for added, topic in self._peer.subscriptions():
                if topic.startswith(b"eacf.flow."):
                    (self._workers.add if added else self._workers.discard)(topic)
                    ask_at = now
            if now >= ask_at:
                ask_at = now + 1.0
                for topic in self._workers:
                    self._peer.send(topic, encode_who())
            for frames in self._peer.receive(1000):
                message = decode_message(frames[3])
                if isinstance(message, Hello):
                    self.models[message.worker] = message.model
        return True

    def close(self) -> None:
        self._peer.close()

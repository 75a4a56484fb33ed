"""The real command as a process of its own, on a real bus, with pretend sensors that keep to their side of the protocol."""

from __future__ import annotations

import gzip
import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import psutil
import pytest

from eacf.bus import EmbeddedBus, Endpoints, Peer
from eacf.flow import Chunk, Needs, Sample
from eacf.wire import (
    Flows,
    TapReady,
    decode_message,
    encode_flow,
    encode_flows,
    encode_hello,
    encode_tap_who,
    encode_who,
    verdict_topic,
)

WAIT_S = 60.0
TAP_PREFIX = b"eacf.tap."
LOST_AFTER = 5


def sample(number: int, payload: int = 3000) -> Sample:
    """A flow of so many payload bytes in two chunks, with 20 records."""
    ends = (IPv4Address("192.0.2.1"), 1024 + number % 60_000, IPv4Address("192.0.2.2"), 443)
    chunks = [Chunk(payload - 1000, True, 0), Chunk(1000, False, 1_000_000)]
    data = bytes((number + at) % 256 for at in range(payload))
    return Sample(f"C{number}", 1_700_000_000_000_000_000 + number, *ends, "www.example.com", data, chunks, [100] * 20)


class Sensor:
    """What a Zeek process does about taps: finds them, says where it listens, sends as much as fits."""

    def __init__(self, endpoints: Endpoints, node: str = "zeek") -> None:
        self.reply_to = verdict_topic(node)
        self.peer = Peer(endpoints, node, [self.reply_to], watch=True)
        self.topic = b""
        self.ready: TapReady | None = None
        self.heard = 0
        """How often the tap spoke."""
        self.sent = 0
        self.most = 0
        """Flows that were on their way at once, at most."""
        self.lost = 0
        self._repeated = 0

    @property
    def away(self) -> int:
        """Flows sent and not yet told as received, nor lost."""
        return self.sent - self.lost - (self.ready.received if self.ready else 0)

    def look(self) -> None:
        """Take what is there."""
        for added, topic in self.peer.subscriptions():
            if topic.startswith(TAP_PREFIX):
                self.topic = topic if added else b""
                if added:
                    self.peer.send(topic, encode_tap_who(self.reply_to.decode()))
        for frames in self.peer.receive(1000):
            message = decode_message(frames[3])
            assert isinstance(message, TapReady)
            self._hear(message)

    def _hear(self, ready: TapReady) -> None:
        self.heard += 1
        same = self.ready is not None and ready.received == self.ready.received
        self.ready = ready
        self._repeated = self._repeated + 1 if same and self.away else 0
        if self._repeated >= LOST_AFTER:
            self.lost += self.away
            self._repeated = 0

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + WAIT_S
        while self.look() or not condition():
            assert time.monotonic() < deadline, "it did not come"
            self.peer.wait(0.02)

    def greet(self) -> TapReady:
        """Find the tap and hear what it wants."""
        self.until(lambda: self.ready)
        assert self.ready is not None
        return self.ready

    def send(self, number: int, payload: int = 3000) -> bool:
        """So many flows in one message, if they fit; False where they do not."""
        assert self.ready is not None
        if self.away + number > self.ready.window:
            return False
        flows = [sample(self.sent + at, payload) for at in range(number)]
        assert self.peer.send(self.topic, encode_flows(self.reply_to.decode(), flows))
        self.sent += number
        self.most = max(self.most, self.away)
        return True

    def send_all(self, number: int, size: int = 32) -> None:
        """So many flows, as there is room."""
        end = self.sent + number

        def all_sent() -> bool:
            while self.sent < end and self.send(min(size, end - self.sent)):
                pass
            return self.sent >= end

        self.until(all_sent)

    def told(self) -> bool:
        """Whether the tap has told that it has all."""
        return self.ready is not None and self.ready.received + self.lost == self.sent


@pytest.fixture
def bus() -> Iterator[EmbeddedBus]:
    with EmbeddedBus() as made:
        yield made


@pytest.fixture
def sensor(bus: EmbeddedBus) -> Iterator[Sensor]:
    made = Sensor(bus.endpoints)
    yield made
    made.peer.close()


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(bus: EmbeddedBus) -> Iterator[Start]:
    """Starts ``eacf record --bus`` on the bus, with these arguments; it is gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        at = bus.endpoints
        command = [sys.executable, "-m", "eacf", "record", "--bus", "--subscribe-endpoint", at.subscribe]
        command += ["--publish-endpoint", at.publish, *map(str, arguments)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def lines_of(path: Path) -> list[dict[str, str]]:
    """The lines of a recording, every one whole."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    assert not text or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def samples_of(path: Path) -> list[Sample]:
    """The flows of a recording."""
    samples = []
    for line in lines_of(path):
        message = decode_message(bytes.fromhex(line["body_hex"]))
        assert isinstance(message, Flows)
        assert len(message.samples) == 1
        samples += message.samples
    return samples


BOTH = pytest.mark.parametrize("name", ["flows.jsonl", "flows.jsonl.gz"])


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it said, once it has ended in order."""
    _, words = process.communicate(timeout=WAIT_S)
    assert process.returncode == code, words
    assert "Traceback" not in words
    return words


def stop(process: subprocess.Popen[str]) -> None:
    """SIGSTOP, and wait until it has."""
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + WAIT_S
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@BOTH
def test_all_that_a_sensor_sends_is_written(name: str, sensor: Sensor, start: Start, tmp_path: Path) -> None:
    process = start("--out", tmp_path / name)
    ready = sensor.greet()
    assert (ready.needs, ready.share, ready.received, ready.window) == (Needs(), 1.0, 0, 256)
    assert sensor.topic == TAP_PREFIX + ready.tap.encode()
    sensor.send_all(1000)
    sensor.until(sensor.told)
    assert sensor.lost == 0
    process.terminate()
    words = ended(process)
    assert samples_of(tmp_path / name) == [sample(number) for number in range(1000)]
    line = lines_of(tmp_path / name)[0]
    assert (line["topic"], line["sender"], line["format"]) == (sensor.topic.decode(), "zeek", "broker-bin-v1")
    size = (tmp_path / name).stat().st_size
    assert re.search(
        rf"1,000 flows of 1 sensor in [\d.]+ s, 0 malformed messages; written to {tmp_path / name} \({size:,} bytes\)",
        words,
    )
    sensor.until(lambda: not sensor.topic)  # gone from the bus


@BOTH
def test_a_kill_leaves_whole_lines(name: str, sensor: Sensor, start: Start, tmp_path: Path) -> None:
    """What was told as received is in the file a moment later, and stays readable whenever the process is killed."""
    path = tmp_path / name
    process = start("--out", path)
    sensor.greet()
    sensor.send_all(500)
    sensor.until(lambda: sensor.told() and len(lines_of(path)) == 500)
    kill_at = 1500

    def until_killed() -> bool:
        sensor.send(32)
        return sensor.sent >= kill_at

    sensor.until(until_killed)
    process.kill()
    process.wait(WAIT_S)
    kept = samples_of(path)
    assert len(kept) >= 500
    assert kept == [sample(number) for number in range(len(kept))]
    again = start("--out", path)
    assert f"--out {path}: is there already" in ended(again, 2)
    sensor.until(lambda: not sensor.topic)
    sensor.ready, sensor.sent, sensor.lost = None, 0, 0
    again = start("--out", path, "--append")
    sensor.greet()
    sensor.send_all(100)
    sensor.until(sensor.told)
    again.send_signal(signal.SIGINT)
    ended(again)
    assert samples_of(path) == kept + [sample(number) for number in range(100)]


def test_a_sensor_is_given_room_as_it_goes(sensor: Sensor, start: Start, tmp_path: Path) -> None:
    """Ten windows in messages of every size; the sensor is never stuck and never has more than a window away."""
    process = start("--out", tmp_path / "flows.jsonl")
    sensor.greet()
    for size in (1, 7, 32, 100, 255, 256):
        sensor.send_all(512, size)
    sensor.until(sensor.told)
    assert sensor.most <= 256
    assert sensor.lost == 0
    process.terminate()
    assert f"{512 * 6:,} flows" in ended(process)


def test_a_tap_that_hangs_is_sent_a_window_at_most_and_goes_on(sensor: Sensor, start: Start, tmp_path: Path) -> None:
    process = start("--out", tmp_path / "flows.jsonl")
    sensor.greet()
    stop(process)
    while sensor.send(32):
        pass
    sensor.until(lambda: True)
    assert sensor.sent == 256
    process.send_signal(signal.SIGCONT)
    sensor.send_all(1000)
    sensor.until(sensor.told)
    process.terminate()
    ended(process)
    assert len(samples_of(tmp_path / "flows.jsonl")) == sensor.sent


@pytest.mark.parametrize(
    ("flag", "needs", "kept"),
    [
        ([], Needs(), {}),
        (["--no-payload"], Needs(0, 3000, 0, True), {"payload": b""}),
        (
            ["--records-only"],
            Needs(0, 0, 16, False),
            {"payload": b"", "chunks": [], "records": [100] * 16},
        ),
    ],
)
def test_needs_are_said_and_kept_to(
    flag: list[str], needs: Needs, kept: dict[str, object], sensor: Sensor, start: Start, tmp_path: Path
) -> None:
    """A worker beside it may want more; the sensor then sends more, and it does not get into the file."""
    process = start("--out", tmp_path / "flows.jsonl", "--share", "0.25", *flag)
    ready = sensor.greet()
    assert (ready.needs, ready.share) == (needs, 0.25)
    sensor.send(10, payload=5000)
    sensor.until(sensor.told)
    process.terminate()
    ended(process)
    cut = {"payload": sample(0, 5000).payload[:3000], "chunks": [Chunk(3000, True, 0)]}
    expected = [
        replace(sample(number, 5000), **{**cut, "payload": sample(number, 5000).payload[:3000], **kept})
        for number in range(10)
    ]
    assert samples_of(tmp_path / "flows.jsonl") == expected


def test_two_sensors_have_an_account_each(bus: EmbeddedBus, sensor: Sensor, start: Start, tmp_path: Path) -> None:
    other = Sensor(bus.endpoints, "other")
    process = start("--out", tmp_path / "flows.jsonl")
    sensor.greet()
    other.greet()
    for _ in range(10):
        sensor.send_all(50)
        other.send_all(20)
    sensor.until(sensor.told)
    other.until(other.told)
    assert (sensor.sent, other.sent) == (500, 200)
    process.terminate()
    assert "700 flows of 2 sensors" in ended(process)
    senders = [line["sender"] for line in lines_of(tmp_path / "flows.jsonl")]
    assert (senders.count("zeek"), senders.count("other")) == (500, 200)
    other.peer.close()


def test_it_ends_after_so_many_flows(sensor: Sensor, start: Start, tmp_path: Path) -> None:
    process = start("--out", tmp_path / "flows.jsonl.gz", "--flows", 70)
    sensor.greet()
    sensor.send_all(96)
    assert "70 flows of 1 sensor" in ended(process)
    assert samples_of(tmp_path / "flows.jsonl.gz") == [sample(number) for number in range(70)]


def test_it_ends_after_so_long(sensor: Sensor, start: Start, tmp_path: Path) -> None:
    begun = time.monotonic()
    process = start("--out", tmp_path / "flows.jsonl", "--duration", "3")
    sensor.greet()
    sensor.send(5)
    words = ended(process)
    assert time.monotonic() - begun >= 3
    assert "5 flows of 1 sensor in 3." in words
    assert len(samples_of(tmp_path / "flows.jsonl")) == 5


def test_at_the_end_what_is_on_its_way_is_taken(bus: EmbeddedBus, sensor: Sensor, start: Start, tmp_path: Path) -> None:
    process = start("--out", tmp_path / "flows.jsonl")
    sensor.greet()
    stop(process)
    with Peer(bus.endpoints, "beside", [sensor.topic]) as beside:  # tells us when the bus has passed flows on
        sensor.send(1)
        sensor.until(lambda: beside.receive(1) or (sensor.peer.send(sensor.topic, b"knock") and False))
        sensor.send(100, payload=1500)
        sensor.until(
            lambda: any(frames[3].startswith(b"\x0e") and len(frames[3]) > 100_000 for frames in beside.receive(99))
        )
    process.terminate()
    process.send_signal(signal.SIGCONT)
    assert "101 flows of 1 sensor" in ended(process)


# Hostile peers


def test_a_hostile_peer_is_counted_and_never_answered(
    bus: EmbeddedBus, sensor: Sensor, start: Start, tmp_path: Path
) -> None:
    process = start("--out", tmp_path / "flows.jsonl")
    sensor.greet()
    flow, rng = sample(0), random.Random(1)
    strange = ["eacf.zeek.", "eacf.flow.0123456789ab", "eacf.control.request.", "eacf.verdict.a.b.", "", "x" * 200]
    with Peer(bus.endpoints, "hostile", watch=True) as hostile, Peer(bus.endpoints, "spy", [b""]) as spy:
        known: set[bytes] = set()
        deadline = time.monotonic() + WAIT_S
        while not {b"", sensor.topic} <= known:  # the spy hears all, and the tap hears the hostile one
            assert time.monotonic() < deadline
            hostile.wait(0.1)
            known |= {topic for added, topic in hostile.subscriptions() if added}
        for number in range(100):
            hostile.send(sensor.topic, rng.randbytes(number))
            sensor.send(3)
            sensor.look()
        for reply_to in strange:
            hostile.send(sensor.topic, encode_tap_who(reply_to))
            hostile.send(sensor.topic, encode_flows(reply_to, [flow, flow]))
        for body in (encode_who(), encode_hello("0123456789ab", "m", Needs()), bytes(5_000_000)):
            hostile.send(sensor.topic, body)
        hostile.send(sensor.topic + b"0", encode_tap_who("eacf.verdict.hostile."))
        for _ in range(500):
            hostile.send(sensor.topic, encode_tap_who("eacf.verdict.hostile."))
        hostile.send(sensor.topic, encode_flow("eacf.verdict.hostile.", flow))
        sensor.until(sensor.told)
        heard = sensor.heard
        sensor.until(lambda: sensor.heard >= heard + 2)
        process.terminate()
        words = ended(process)
        said = [(frames[0], frames[1]) for frames in spy.receive(100_000)]
    by_tap = {topic for topic, node in said if node.startswith(b"eacf-")}
    assert by_tap == {b"eacf.verdict.zeek.", b"eacf.verdict.hostile."}
    assert sum(topic == b"eacf.verdict.hostile." for topic, _ in said) < 60
    assert re.search(r"\b116 malformed messages \(", words), words
    for kind in (f"{2 * len(strange)} reply_to", "2 event", r"[1-9]\d* limit", "1 topic"):
        assert re.search(rf"\b{kind}\b", words), words
    kept = samples_of(tmp_path / "flows.jsonl")
    assert len(kept) == sensor.sent + 1
    assert f"{sensor.sent + 1:,} flows of 2 sensors" in words


# The command


def test_it_waits_for_a_bus_and_says_so(start: Start, tmp_path: Path) -> None:
    nobody = ["--subscribe-endpoint", f"ipc://{tmp_path}/a", "--publish-endpoint", f"ipc://{tmp_path}/b"]
    process = start("--out", tmp_path / "flows.jsonl", *nobody)
    assert process.stderr is not None
    assert f"no bus at ipc://{tmp_path}/a and ipc://{tmp_path}/b yet; waiting for it" in process.stderr.readline()
    process.terminate()
    assert "0 flows of 0 sensors" in ended(process)
    words = ended(start("--out", tmp_path / "other.jsonl", "--duration", "1", *nobody), 1)
    assert f"no bus at ipc://{tmp_path}/a and ipc://{tmp_path}/b within 1 s" in words
    assert not (tmp_path / "other.jsonl").exists()


def test_a_bus_that_comes_later_is_found(sensor: Sensor, bus: EmbeddedBus, start: Start, tmp_path: Path) -> None:
    """The tap connects to names that lead nowhere until the bus's sockets are put there."""
    names = [tmp_path / "subscribe", tmp_path / "publish"]
    process = start(
        *("--out", tmp_path / "flows.jsonl"),
        *("--subscribe-endpoint", f"ipc://{names[0]}", "--publish-endpoint", f"ipc://{names[1]}"),
    )
    assert process.stderr is not None
    assert "yet; waiting for it" in process.stderr.readline()
    at = (bus.endpoints.subscribe, bus.endpoints.publish)
    for name, endpoint in zip(names, at, strict=True):
        name.symlink_to(endpoint.removeprefix("ipc://"))
    sensor.greet()
    sensor.send(3)
    sensor.until(sensor.told)
    process.terminate()
    assert "3 flows of 1 sensor" in ended(process)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--out"),
        (["--out", "there.jsonl"], "--out there.jsonl: is there already"),
        (["--out", "nowhere/flows.jsonl"], "--out nowhere/flows.jsonl: No such file"),
        (["--out", "new", "--share", "0"], "--share 0"),
        (["--out", "new", "--share", "1.5"], "--share 1.5"),
        (["--out", "new", "--share", "nan"], "--share nan"),
        (["--out", "new", "--flows", "0"], "--flows 0"),
        (["--out", "new", "--flows", "many"], "many"),
        (["--out", "new", "--duration", "0"], "--duration 0"),
        (["--out", "new", "--duration", "inf"], "--duration inf"),
        (["--out", "new", "--no-payload", "--records-only"], "not allowed with"),
        (["--out", "new", "--subscribe-endpoint", "here"], "subscribe_endpoint = 'here'"),
    ],
)
def test_mistakes(arguments: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "there.jsonl").write_text("from before")
    command = [sys.executable, "-m", "eacf", "record", "--bus", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["there.jsonl"]
    assert (tmp_path / "there.jsonl").read_text() == "from before"


def test_on_a_terminal_there_is_a_line_that_goes_on(bus: EmbeddedBus, sensor: Sensor, tmp_path: Path) -> None:
    here, there = pty.openpty()
    at = bus.endpoints
    command = [sys.executable, "-m", "eacf", "record", "--bus", "--out", str(tmp_path / "flows.jsonl")]
    command += ["--subscribe-endpoint", at.subscribe, "--publish-endpoint", at.publish]
    process = subprocess.Popen(command, stderr=there)
    os.close(there)
    sensor.greet()
    sensor.send(5)
    seen = b""
    while b"5 flows of 1 sensor" not in seen:
        seen += os.read(here, 4096)
        sensor.look()
    assert b"\r\x1b[K5 flows of 1 sensor" in seen
    assert b"\n" not in seen[seen.index(b"on the bus") :].partition(b"\n")[2]
    process.terminate()
    assert process.wait(WAIT_S) == 0
    os.close(here)


def test_a_file_that_can_grow_no_more_is_an_error_and_whole(sensor: Sensor, bus: EmbeddedBus, tmp_path: Path) -> None:
    at = bus.endpoints
    program = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); "
    program += "from eacf.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "record", "--bus", "--out", str(tmp_path / "flows.jsonl.gz")]
    command += ["--subscribe-endpoint", at.subscribe, "--publish-endpoint", at.publish]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    sensor.greet()

    def until_gone() -> bool:
        if sensor.topic:
            sensor.send(8)
        return not sensor.topic

    sensor.until(until_gone)
    words = ended(process, 1)
    assert str(tmp_path / "flows.jsonl.gz") in words
    kept = samples_of(tmp_path / "flows.jsonl.gz")
    assert kept == [sample(number) for number in range(len(kept))]
    assert len(kept) > 50


def test_it_loads_no_model() -> None:
    program = "import sys, eacf.record; print(*({'numpy', 'ai_edge_litert', 'tensorflow', 'dpkt'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"

"""The real command as a process of its own, on a real bus, with pretend sensors; the database read by others meanwhile."""

from __future__ import annotations

import os
import pty
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eacf.bus import EmbeddedBus
from eacf.cli import main
from eacf.flow import Chunk, Needs, Sample
from eacf.samples import Store, Stored
from eacf.wire import encode_flows
from tests.record.test_loop import Sensor, ended, stop

if TYPE_CHECKING:
    from tests.conftest import Manager

WAIT_S = 60.0


def flow(number: int, name: str | None = "www.example.com", *, payload: int = 0) -> Sample:
    ends = (IPv4Address(0x0A000000 + number % 200), 1024 + number % 60_000, IPv4Address("198.51.100.7"), 443)
    data = bytes((number + at) % 256 for at in range(payload))
    chunks = [Chunk(payload, True, 0)] if payload else []
    return Sample(f"C{number}", 1_700_000_000_000_000_000 + number, *ends, name, data, chunks, [100] * 20)


@pytest.fixture
def bus() -> Iterator[EmbeddedBus]:
    with EmbeddedBus() as made:
        yield made


class Site(Sensor):
    """A sensor that sends flows of our making."""

    def offer(self, flows: list[Sample]) -> bool:
        """These, in one message, if there is room."""
        assert self.ready is not None
        if self.away + len(flows) > self.ready.window:
            return False
        assert self.peer.send(self.topic, encode_flows(self.reply_to.decode(), flows))
        self.sent += len(flows)
        return True

    def offer_all(self, flows: list[Sample]) -> None:
        """These, as there is room."""
        left = [flows[at : at + 32] for at in range(0, len(flows), 32)][::-1]

        def done() -> bool:
            while left and self.offer(left[-1]):
                left.pop()
            return not left

        self.until(done)


@pytest.fixture
def site(bus: EmbeddedBus) -> Iterator[Site]:
    made = Site(bus.endpoints)
    yield made
    made.peer.close()


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(bus: EmbeddedBus) -> Iterator[Start]:
    """Starts ``eacf collect`` on the bus, with these arguments; it is gone after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, before: str = "") -> subprocess.Popen[str]:
        at = bus.endpoints
        program = [sys.executable, "-m", "eacf"]
        if before:
            program = [sys.executable, "-c", f"{before}; import sys; from eacf.cli import main; sys.exit(main())"]
        command = [*program, "collect", "--subscribe-endpoint", at.subscribe, "--publish-endpoint", at.publish]
        started.append(subprocess.Popen([*command, *map(str, arguments)], stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "samples.db"


def stored(path: Path) -> list[Stored]:
    with Store.open(path, readonly=True) as store:
        return list(store.read())


def whole(path: Path) -> bool:
    db = sqlite3.connect(path)
    found = db.execute("PRAGMA integrity_check").fetchall()
    db.close()
    return found == [("ok",)]


def test_what_sensors_send_is_kept_and_told(bus: EmbeddedBus, site: Site, start: Start, path: Path) -> None:
    process = start("--db", path)
    other = Site(bus.endpoints, "other")
    ready = site.greet()
    other.greet()
    assert (ready.needs, ready.share) == (Needs(0, 0, 16, False), 1.0)
    site.offer_all([flow(number) for number in range(500)])
    other.offer_all([flow(number, "www.example.org", payload=50) for number in range(300)])
    site.until(site.told)
    other.until(other.told)
    other.peer.close()
    process.terminate()
    words = ended(process)
    assert re.search(
        rf"800 flows of 2 sensors in [\d.]+ s; 800 samples of 2 labels kept, [\d.]+ MB; in {path}", words
    ), words
    found = stored(path)
    assert Counter((each.label, each.sensor) for each in found) == {
        ("example.com", "zeek"): 500,
        ("example.org", "other"): 300,
    }
    first = next(each for each in found if each.sensor == "other")
    assert (first.cut, first.sample.payload, first.sample.records) == (
        "records",
        b"",
        [100] * 16,
    )  # only what was asked
    assert abs(first.arrived_ns - time.time_ns()) < 60 * 10**9
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_label_map_gives_what_is_there_its_labels(site: Site, start: Start, path: Path) -> None:
    process = start("--db", path)
    site.greet()
    site.offer_all([flow(number, f"{'ab'[number % 2]}.example.com") for number in range(10)])
    site.until(site.told)
    process.terminate()
    ended(process)
    labels = path.with_name("office.toml")
    labels.write_text("".join(f'[labels.{name}]\nrules = ["{name}.example.com"]\n' for name in "ab"))
    process = start("--db", path, "--labels", labels)
    site.until(lambda: not site.topic)
    site.until(lambda: site.topic or process.poll() is not None)
    process.terminate()
    assert "labels of 10 samples changed with the label map" in ended(process)
    assert Counter(each.label for each in stored(path)) == {"a": 5, "b": 5}


@pytest.mark.parametrize(
    ("needs", "said", "payload", "chunks"),
    [("stream", Needs(payload_bytes=0), 0, 1), ("payload", Needs(), 2000, 1)],
)
def test_needs(needs: str, said: Needs, payload: int, chunks: int, site: Site, start: Start, path: Path) -> None:
    process = start("--db", path, "--needs", needs, "--share", "0.25")
    ready = site.greet()
    assert (ready.needs, ready.share) == (said, 0.25)
    site.offer_all([flow(number, payload=2000) for number in range(10)])
    site.until(site.told)
    process.terminate()
    ended(process)
    assert {(each.cut, len(each.sample.payload), len(each.sample.chunks)) for each in stored(path)} == {
        ("stream", payload, chunks)
    }


def test_a_second_later_others_read_it_and_a_kill_takes_no_more(site: Site, start: Start, path: Path) -> None:
    for turn in (1, 2):
        process = start("--db", path)
        site.topic, site.ready, site.sent, site.lost = b"", None, 0, 0
        site.until(lambda: site.topic)
        site.greet()
        site.offer_all([flow(number, payload=500) for number in range(600)])
        site.until(site.told)
        least = 600 * turn

        def all_there(least: int = least) -> bool:
            return path.exists() and len(stored(path)) >= least

        site.until(all_there)

        def sent_more() -> bool:
            site.offer([flow(number) for number in range(32)])
            return site.sent > 1000

        site.until(sent_more)
        process.kill()
        process.wait(WAIT_S)
        assert whole(path)
        found = stored(path)
        assert len(found) >= least
        assert len({each.id for each in found}) == len(found)
        site.until(lambda: not site.topic)
        with sqlite3.connect(path) as db:  # so that the next turn counts from a round number
            db.execute("DELETE FROM samples WHERE id NOT IN (SELECT id FROM samples ORDER BY id LIMIT ?)", (least,))
        db.close()


def test_a_tap_whose_disk_hangs_costs_the_sensor_a_window(site: Site, start: Start, path: Path) -> None:
    """Stopped, the process says nothing; the sensor sends its window and no more."""
    process = start("--db", path)
    site.greet()
    stop(process)
    while site.offer([flow(number) for number in range(32)]):
        pass
    assert site.sent == 256
    process.send_signal(signal.SIGCONT)
    site.until(site.told)
    process.terminate()
    ended(process)
    assert len(stored(path)) == 256


@pytest.mark.slow
def test_a_database_that_is_locked_for_long_never_stops_the_heartbeat(site: Site, start: Start, path: Path) -> None:
    process = start("--db", path)
    site.greet()
    site.offer_all([flow(number) for number in range(100)])
    site.until(lambda: path.exists() and len(stored(path)) == 100)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    until, heard, longest, number = time.monotonic() + 4, time.monotonic(), 0.0, site.heard
    while time.monotonic() < until:
        site.offer([flow(each) for each in range(16)])
        site.look()
        if site.heard > number:
            number, longest, heard = site.heard, max(longest, time.monotonic() - heard), time.monotonic()
        site.peer.wait(0.02)
    holder.execute("ROLLBACK")
    holder.close()
    assert longest < 2.5
    site.until(site.told)
    process.terminate()
    words = ended(process)
    assert words.count("another process holds it") == 1
    assert len(stored(path)) == min(site.sent, 2000)


def test_a_disk_that_is_full_and_then_is_not(site: Site, start: Start, path: Path) -> None:
    """A limit on the size of files stands for the disk. Nothing dies, what is lost is counted, the file is whole."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000))"
    flags = ("--rows-per-label", 100_000, "--client-share", 1, "--needs", "payload")
    process = start("--db", path, *flags, before=limit)
    site.greet()
    for turn in range(3):
        site.offer_all([flow(1000 * turn + number, payload=500) for number in range(500)])
        site.until(site.told)
        time.sleep(1.1)
    process.terminate()
    words = ended(process)
    lost = re.search(r"([\d,]+) lost with writes that failed", words)
    assert lost, words
    assert "see that there is room" in words
    assert whole(path)
    assert len(stored(path)) == 1500 - int(lost[1].replace(",", ""))
    assert len(stored(path)) >= 500


def test_hostile_sensors(bus: EmbeddedBus, site: Site, start: Start, path: Path) -> None:
    """Names of 65,535 bytes, of no UTF-8, with what steers terminals; a client that floods a label; bytes that mean nothing."""
    process = start("--db", path, "--rows-per-label", "200")
    site.greet()
    names = ["x" * 65_535, "\udcff" * 65_535, "\udcff\udcfe.example.com", "\x1b[2J.example.com", "a\0b.example.com", ""]
    honest = [flow(number, "www.example.net") for number in range(400)]
    site.offer_all([flow(number, name) for number, name in enumerate(names)] + honest)
    flood = flow(7, "www.example.net")
    site.offer_all([flood] * 3000)
    rng = random.Random(1)
    for size in range(100):
        site.peer.send(site.topic, rng.randbytes(size))
    site.until(site.told)
    process.terminate()
    words = ended(process)
    assert "100 malformed messages" in words
    assert "\x1b" not in words
    found = stored(path)
    assert Counter(each.label for each in found) == {"example.net": 200, None: len(names)}
    assert sum(each.client == "10.0.0.7" for each in found if each.label) <= 41
    kept = [each.sample.server_name for each in found if each.label is None]
    assert kept == [None, None, *names[2:]]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--db"),
        (["--db", "nowhere/x.db"], 2, "nowhere/x.db: No such file"),
        (["--db", "diary.txt"], 1, "diary.txt: is no database of samples"),
        (["--db", "open.db"], 2, "chmod 600"),
        (["--db", "new", "--labels", "nothing"], 2, "label map 'nothing'"),
        (["--db", "new", "--needs", "all"], 2, "--needs"),
        (["--db", "new", "--rows-per-label", "0"], 2, "--rows-per-label 0"),
        (["--db", "new", "--background", "-1"], 2, "--background -1"),
        (["--db", "new", "--megabytes", "0.5"], 2, "--megabytes 0.5"),
        (["--db", "new", "--days", "nan"], 2, "--days nan"),
        (["--db", "new", "--share", "0"], 2, "--share 0"),
        (["--db", "new", "--client-share", "1.1"], 2, "--client-share 1.1"),
        (["--db", "new", "--subscribe-endpoint", "here"], 2, "subscribe_endpoint = 'here'"),
    ],
)
def test_mistakes(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "diary.txt").write_text("Dear diary, " * 1000)
    (tmp_path / "diary.txt").chmod(0o600)
    (tmp_path / "open.db").touch(0o644)
    monkeypatch.chdir(tmp_path)
    try:
        found = main(["collect", *arguments])
    except SystemExit as error:  # argparse's own
        found = int(error.code or 0)
    assert found == code
    assert words in capsys.readouterr().err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["diary.txt", "open.db"]


def test_a_second_collector_is_refused(site: Site, start: Start, path: Path) -> None:
    start("--db", path)
    site.greet()
    assert "another collector writes to it" in ended(start("--db", path), 2)


def test_on_a_terminal_there_is_a_line_that_goes_on(bus: EmbeddedBus, site: Site, path: Path) -> None:
    here, there = pty.openpty()
    at = bus.endpoints
    command = [sys.executable, "-m", "eacf", "collect", "--db", str(path)]
    command += ["--subscribe-endpoint", at.subscribe, "--publish-endpoint", at.publish]
    process = subprocess.Popen(command, stderr=there)
    os.close(there)
    site.greet()
    site.offer_all([flow(number) for number in range(5)])
    seen = b""
    while b"5 samples of 1 label kept" not in seen:
        seen += os.read(here, 4096)
        site.look()
    assert b"\r\x1b[K5 flows of 1 sensor" in seen
    process.terminate()
    assert process.wait(WAIT_S) == 0
    os.close(here)


def test_it_loads_no_model() -> None:
    program = "import sys, eacf.collect; print(*({'ai_edge_litert', 'tensorflow', 'dpkt'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_service_manager_hears_of_it(
    site: Site, start: Start, path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in manager.environment(8.0).items():
        monkeypatch.setenv(name, value)
    process = start("--db", path)
    manager.until("READY=1\nSTATUS=waits for a bus")
    site.greet()
    site.offer_all([flow(number) for number in range(5)])
    manager.until("WATCHDOG=1\nSTATUS=5 flows of 1 sensor")
    process.terminate()
    ended(process)
    manager.hear()
    assert "STOPPING=1" in manager.said[-1]


def test_a_database_that_hangs_is_seen_by_a_watchdog(
    site: Site, start: Start, path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in manager.environment(4.0).items():
        monkeypatch.setenv(name, value)
    hang = "import time; from eacf.collect import loop, writer; loop.STUCK_S = 1.5"
    start("--db", path, before=f"{hang}; writer.Writer._take = lambda self: time.sleep(1000)")
    site.greet()
    manager.until("WATCHDOG=1")
    time.sleep(3.0)
    manager.hear()
    assert manager.hear(2.5) == []

"""What the collector's side writes, and what comes of it where clock, disk, locks or life fail it."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from eacf.samples import Busy, Keeper, Limits, Store, StoreError
from eacf.samples import keeper as module

from .conftest import DAY, NOW, sample

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class Collector:
    """A keeper with two clocks that a test sets."""

    def __init__(self, path: Path, limits: Limits | None = None, *, wall: int = NOW) -> None:
        self.keeper = Keeper.begin(path, limits or Limits(client_share=1), seed=1)
        self.wall = wall
        self.mono = 0
        self.number = 0

    def add(self, count: int = 1, *, label: str | None = "a", client: str = "192.0.2.1", payload: int = 0) -> None:
        for _ in range(count):
            self.number += 1
            flow = sample(self.number, client=client, payload=payload)
            self.keeper.add(flow, label=label, sensor="zeek", mono_ns=self.mono)

    def wait(self, ns: int) -> None:
        self.wall, self.mono = self.wall + ns, self.mono + ns

    def commit(self) -> None:
        self.keeper.commit(self.wall, self.mono)

    def run(self, ns: int, step: int = 60 * SECOND) -> None:
        """Time goes on, with a commit each step."""
        for _ in range(ns // step):
            self.wait(step)
            self.commit()

    def ages(self) -> list[int]:
        """Seconds since each sample came, by the wall clock, in the order of ids."""
        return [(self.wall - each.arrived_ns) // SECOND for each in self.keeper.read()]


def whole(path: Path) -> int:
    """The rows of a database that is whole in every way SQLite can tell."""
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = db.execute("SELECT count(*) FROM samples").fetchone()[0]
    assert db.execute("SELECT count(*) FROM samples INDEXED BY samples_arrived").fetchone()[0] == rows
    db.close()
    return int(rows)


def test_what_is_added_is_there_after_the_commit_and_after_a_restart(path: Path) -> None:
    made = Collector(path)
    made.add(3)
    made.wait(SECOND)
    made.add(2, label="b")
    assert (made.keeper.pending, list(made.keeper.read())) == (5, [])
    made.commit()
    assert (made.keeper.pending, made.keeper.rows, made.keeper.labels_kept) == (0, 5, 2)
    assert made.ages() == [1, 1, 1, 0, 0]  # each by when it came, not by when it was written
    made.keeper.close()
    made = Collector(path)
    made.add(1)
    made.commit()
    assert [each.label for each in made.keeper.read()] == ["a", "a", "a", "b", "b", "a"]
    made.keeper.close()
    assert whole(path) == 6


def test_the_bounds_hold_across_restarts(path: Path) -> None:
    limits = Limits(rows_per_label=20, background=5)
    for start in range(3):
        made = Collector(path, limits)
        for number in range(100):
            made.add(label="a", client=f"192.0.2.{number % 50}")
            made.add(label=None)
            made.commit() if number % 10 == 0 else None
        made.commit()
        assert Counter(each.label for each in made.keeper.read()) == {"a": 20, None: 5}
        assert made.keeper.counts.added == made.keeper.counts.replaced + (25 if start == 0 else 0)
        made.keeper.close()
    assert whole(path) == 25


def test_narrower_bounds_hold_from_the_first_commit_on(path: Path) -> None:
    made = Collector(path, Limits(client_share=1))
    made.add(300, label="a")
    made.add(50, label=None)
    made.commit()
    made.keeper.close()
    made = Collector(path, Limits(client_share=1, rows_per_label=100, background=0))
    made.commit()
    assert Counter(each.label for each in made.keeper.read()) == {"a": 100}
    made.keeper.close()


def test_other_rules_give_other_labels(path: Path) -> None:
    made = Collector(path)
    for number in range(5):
        made.keeper.add(sample(number, name=f"w{number}.example"), label="old", sensor="zeek", mono_ns=0)
    made.keeper.add(sample(9, name="w\udcff\0.example"), label=None, sensor="zeek", mono_ns=0)
    made.commit()
    rules = {"w0.example": (True, "old"), "w1.example": (True, None), "w2.example": (False, None)}

    def answer(name: str | None) -> tuple[bool, str | None]:
        return rules.get(name or "", (True, "new"))

    assert made.keeper.relabel("2", answer) == 5
    assert [each.label for each in made.keeper.read()] == ["old", None, "new", "new", "new"]
    assert made.keeper.relabel("2", lambda name: (True, "never asked")) == 0
    made.commit()
    assert (made.keeper.rows, made.keeper.labels_kept) == (5, 2)
    made.keeper.close()


def test_the_file_keeps_its_size(path: Path) -> None:
    """Small rows and large ones, many times what there is room for; rare labels stay."""
    room = 2 << 20
    made = Collector(path, Limits(rows_per_label=10_000, client_share=1, bytes=room))
    made.add(3, label="rare")
    for turn in range(60):
        made.add(200, label=f"common{turn % 3}", payload=3000 if turn % 2 else 0)
        made.commit()
        made.wait(SECOND)
    labels = Counter(each.label for each in made.keeper.read())
    assert labels["rare"] == 3
    made.keeper.wipe()
    assert 0.6 * room < path.stat().st_size < 1.5 * room
    made.keeper.close()
    assert whole(path) == sum(labels.values())


# Age, and clocks that jump


def test_age(path: Path) -> None:
    made = Collector(path, Limits(client_share=1, age_ns=2 * DAY))
    for _ in range(100):
        made.add(1)
        made.run(HOUR, HOUR)
    ages = [age / 3600 for age in made.ages()]
    assert max(ages) < 55
    assert len(ages) >= 48
    assert made.keeper.counts.aged == 100 - len(ages)
    made.keeper.close()


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY, -NOW])
def test_a_clock_that_is_wrong_for_half_an_hour_costs_nothing(jump: int, path: Path) -> None:
    made = Collector(path)
    made.add(50)
    made.commit()
    made.run(HOUR)
    made.wall += jump
    made.add(50)
    made.run(HOUR // 2)
    made.wall -= jump
    made.add(50)
    made.run(2 * HOUR)
    assert (
        made.ages() == [3 * HOUR // SECOND + 1800] * 50 + [2 * HOUR // SECOND + 1800] * 50 + [2 * HOUR // SECOND] * 50
    )
    assert made.keeper.counts.aged == 0
    assert made.keeper.jumps == 2
    made.keeper.close()


@pytest.mark.parametrize("jump", [365 * DAY, -365 * DAY])
def test_a_clock_that_is_put_right_takes_the_samples_with_it(jump: int, path: Path) -> None:
    """A machine starts with a wrong clock, which a time server puts right: ages are what the monotonic clock says."""
    made = Collector(path)
    made.add(20)
    made.commit()
    made.run(HOUR)
    made.wall += jump
    made.add(20)
    made.run(2 * HOUR)
    assert made.ages() == [3 * 3600] * 20 + [2 * 3600] * 20
    assert made.keeper.counts.aged == 0
    made.keeper.close()


def test_a_start_with_a_clock_far_ahead_purges_nothing_for_an_hour_and_then_a_tenth_an_hour(path: Path) -> None:
    made = Collector(path)
    made.add(1000)
    made.commit()
    made.keeper.close()
    made = Collector(path, wall=NOW + 365 * DAY)
    made.run(HOUR - 60 * SECOND)
    assert made.keeper.rows == 1000
    made.run(HOUR)
    assert 890 <= made.keeper.rows <= 915
    made.run(40 * HOUR, HOUR)
    assert made.keeper.rows < 20
    made.keeper.close()


def test_a_start_with_a_clock_far_back_leaves_nothing_in_the_future(path: Path) -> None:
    """What a wrong clock has put there would never be released, nor grow old."""
    made = Collector(path, wall=NOW + 3650 * DAY)
    made.add(10)
    made.commit()
    made.keeper.close()
    made = Collector(path, wall=NOW)
    made.add(10)
    made.run(HOUR // 2)
    assert made.ages()[:10] == [-3650 * 86_400 + 1800] * 10
    made.run(HOUR)
    assert made.ages() == [1740] * 10 + [5400] * 10  # quarantined from the end of the hour on
    made.keeper.close()


# Locks, disk, life


@pytest.mark.usefixtures("impatient")
def test_a_lock_is_waited_for_and_nothing_is_lost_meanwhile(path: Path) -> None:
    made = Collector(path)
    made.add(10)
    made.commit()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    made.add(10)
    started = time.monotonic()
    with pytest.raises(Busy):
        made.commit()
    assert 0.1 < time.monotonic() - started < 5
    other.execute("ROLLBACK")
    other.close()
    made.commit()
    assert whole(path) == 20
    assert vars(made.keeper.counts) == {**vars(module.Counts()), "added": 20}
    made.keeper.close()


def test_what_waits_is_bounded_and_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_ROWS", 100)
    made = Collector(path)
    made.add(1000)
    assert 90 <= made.keeper.pending <= 100
    assert made.keeper.counts.overflowed == 1000 - made.keeper.pending
    made.commit()
    assert next(iter(made.keeper.read())).sample.uid != "C1"  # the oldest went
    made.keeper.close()
    monkeypatch.setattr(module, "PENDING_BYTES", 100_000)
    made = Collector(path)
    made.add(60, payload=3000)
    assert made.keeper.pending <= 31
    made.keeper.close()


@pytest.mark.usefixtures("impatient")
def test_somebody_who_reads_without_end_stops_the_adding_not_the_collector(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 1 << 20)
    made = Collector(path)
    made.add(10)
    made.commit()
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM samples").fetchone()

    def go_on() -> None:
        for _ in range(100):
            made.add(50, payload=3000)
            made.commit()

    with pytest.raises(Busy, match="has been reading it for so long"):
        go_on()
    assert path.with_name(path.name + "-wal").stat().st_size < 2 << 20
    reader.close()
    made.commit()
    assert made.keeper.pending == 0
    made.keeper.close()
    assert whole(path) == made.keeper.rows


LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import NOW, sample
from eacf.samples import *
keeper = Keeper.begin(Path({path!r}), Limits(client_share=1))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
failed, at, sound = 0, NOW, 0
for number in range(2000):
    keeper.add(sample(number, payload=1000), label="a", sensor="zeek", mono_ns=at)
    if number % 20 == 19:
        at += 1_000_000_000
        try:
            keeper.commit(at, at)
        except Busy:
            raise
        except StoreError as error:
            failed += 1
            words = str(error)
            if failed == 5:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(failed, keeper.counts.added, keeper.counts.unwritten, keeper.rows, words)
"""


def test_a_disk_that_is_full_loses_what_it_cannot_take_and_never_the_file(path: Path) -> None:
    """A limit on the size of files stands for the full disk; it is lifted later, and the keeper goes on."""
    program = LIMITED.format(tests=str(Path(__file__).parent), path=str(path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failed, added, unwritten, rows, words = done.stdout.split(maxsplit=4)
    assert (int(failed), int(unwritten)) == (5, 100)
    assert (int(added), int(rows)) == (1900, 1900)
    assert "see that there is room" in words
    assert whole(path) == 1900


@pytest.mark.skipif(resource.getpagesize() != 4096, reason="sizes below are for pages of 4 KiB")
def test_a_file_system_that_is_full(tmp_path: Path) -> None:
    """A real one, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "eacf-test", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount")
    try:
        made = Collector(disk / "samples.db")
        failed = 0
        for _ in range(40):
            made.add(50, payload=2000)
            made.wait(SECOND)
            try:
                made.commit()
            except StoreError:
                failed += 1
        assert failed > 20
        assert made.keeper.counts.unwritten == 50 * failed
        (disk / "samples.db").stat()
        rows = whole(disk / "samples.db")
        assert rows == made.keeper.counts.added
        made.keeper.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import sample
from eacf.samples import *
keeper = Keeper.begin(Path({path!r}), Limits(rows_per_label=300, client_share=1, bytes=1 << 20))
number = 0
while True:
    for _ in range(50):
        number += 1
        keeper.add(sample(number, payload=500 * (number % 4)), label=f"l{{number % 7}}", sensor="zeek", mono_ns=time.monotonic_ns())
    keeper.commit(time.time_ns(), time.monotonic_ns())
    print(keeper.last_id(), flush=True)
"""


def test_killed_at_any_moment_what_was_written_is_there_and_whole(path: Path) -> None:
    """Twelve kills into the midst of transactions, on one database; each life goes on with what the one before left."""
    program = KILLED.format(tests=str(Path(__file__).parent), path=str(path))
    known = 0
    for turn in range(12):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.013 * turn)
        process.send_signal(signal.SIGKILL)
        said = [int(line) for line in process.communicate()[0].split("\n") if line.endswith("0")]
        rows = whole(path)
        assert rows
        with Store.open(path, readonly=True) as store:
            found = store.last_id()
            assert found >= max([known, *said])
            assert len(list(store.read())) == rows
        known = found


def test_killed_while_it_is_made_it_is_made_the_next_time(tmp_path: Path) -> None:
    """At moments around the first statements, found by what is on the disk."""
    for turn in range(6):
        path = tmp_path / f"{turn}.db"
        program = KILLED.format(tests=str(Path(__file__).parent), path=str(path))
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
        while not path.exists():
            time.sleep(0.0005)
        time.sleep(0.002 * turn)
        process.send_signal(signal.SIGKILL)
        process.wait()
        made = Collector(path)
        made.add(1)
        made.commit()
        made.keeper.close()
        assert whole(path)

"""The database's thread: labels, a queue with a bound, disks and locks that fail it; the loop's side never waits."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eacf.collect import writer as module
from eacf.collect.writer import Writer
from eacf.flow import Sample
from eacf.labels import LabelRules
from eacf.samples import Keeper, Limits, Store, StoreError

LABELS = """
[labels]
example = ["+.example.com"]
"""


def flow(number: int, name: str | None = "www.example.com") -> Sample:
    ends = (IPv4Address(0x0A000000 + number % 50), 1024, IPv4Address("198.51.100.7"), 443)
    return Sample(f"C{number}", number, *ends, name, b"", [], [100] * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "samples.db"


Begin = Callable[..., Writer]


@pytest.fixture
def begin(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """A writer that commits often; it is gone after the test."""
    monkeypatch.setattr(module, "COMMIT_S", 0.02)
    made: list[Writer] = []

    def start(limits: Limits = Limits(), on_failure: Callable[[], None] = lambda: None) -> Writer:  # noqa: B008
        keeper = Keeper.begin(path, limits)
        made.append(Writer(keeper, LabelRules.named("domains"), on_failure, mono_ns=time.monotonic_ns))
        return made[-1]

    yield start
    for each in made:
        each.end(20)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def test_flows_get_their_labels_and_ech_names_teach_nothing(begin: Begin, path: Path) -> None:
    made = begin()
    names = [
        ("www.example.com", "example.com"),
        ("cdn.example.org.", "example.org"),
        (None, None),
        ("192.0.2.1", None),
        ("\udcff.example.com", None),
        ("x" * 65_535, None),
        ("localhost", None),
    ]
    made.put([flow(number, name) for number, (name, _) in enumerate(names)], "zeek")
    made.put([flow(9, "cloudflare-ech.com"), flow(10, "a.cloudflare-ech.com")], "zeek")
    assert made.end(20)
    with Store.open(path, readonly=True) as store:
        assert [each.label for each in store.read()] == [label for _, label in names]
        assert {each.sensor for each in store.read()} == {"zeek"}
    assert made.kept.counts["ech"] == 2
    assert (made.kept.rows, made.kept.labels, made.kept.counts["added"]) == (7, 2, 7)


def test_it_is_written_about_each_second_and_what_is_kept_is_told(begin: Begin, path: Path) -> None:
    made = begin()
    made.put([flow(number) for number in range(40)], "zeek")
    until(lambda: made.kept.rows == 40)
    with Store.open(path, readonly=True) as store:
        assert len(list(store.read())) == 40
    assert made.kept.bytes >= path.stat().st_size


def test_a_queue_that_is_full_drops_and_counts_and_never_waits(begin: Begin, path: Path) -> None:
    made = begin(Limits(client_share=1, rows_per_label=100_000))
    until(lambda: made.kept.bytes)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    offered, slowest = 0, 0.0
    for _ in range(1400):
        flows = [flow(offered + at) for at in range(32)]
        offered += len(flows)
        started = time.monotonic()
        made.put(flows, "zeek")
        slowest = max(slowest, time.monotonic() - started)
    assert slowest < 0.5
    holder.execute("ROLLBACK")
    holder.close()
    assert made.end(30)
    counts = made.kept.counts
    assert counts["dropped"] + counts["overflowed"] > 0
    assert counts["added"] + counts["dropped"] + counts["overflowed"] == offered
    with Store.open(path, readonly=True) as store:
        assert len(list(store.read())) == counts["added"] == made.kept.rows


def test_a_lock_that_ends_later_costs_nothing(begin: Begin, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = begin()
    until(lambda: made.kept.bytes)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    made.put([flow(number) for number in range(40)], "zeek")
    until(lambda: "another process holds it" in caplog.text)
    holder.execute("ROLLBACK")
    holder.close()
    until(lambda: made.kept.rows == 40)
    assert caplog.text.count("another process holds it") == 1


def test_what_could_not_be_written_at_the_end_is_counted(
    begin: Begin, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "END_S", 0.1)
    made = begin()
    until(lambda: made.kept.bytes)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    made.put([flow(number) for number in range(40)], "zeek")
    assert made.end(20)
    holder.close()
    assert made.kept.counts["unwritten"] == 40
    made.put([flow(1)], "zeek")  # too late; nobody takes it, and nobody waits
    with Store.open(path, readonly=True) as store:
        assert list(store.read()) == []


def test_a_database_that_is_damaged_meanwhile_ends_it(begin: Begin, path: Path) -> None:
    failed: list[bool] = []
    made = begin(on_failure=lambda: failed.append(True))
    made.put([flow(number) for number in range(2000)], "zeek")
    until(lambda: made.kept.rows)
    with Store.open(path) as store:
        assert store.wipe()
    data = bytearray(path.read_bytes())
    for at in range(10 * 4096, len(data), 4096):
        data[at : at + 100] = b"\xff" * 100
    path.write_bytes(data)
    db = sqlite3.connect(path)  # pages are read anew only where somebody else has written
    db.execute("INSERT INTO about VALUES ('another', 1)")
    db.commit()
    db.close()
    made.put([flow(number) for number in range(100)], "zeek")
    until(lambda: failed)
    assert isinstance(made.failure, StoreError)
    assert "is damaged" in str(made.failure)

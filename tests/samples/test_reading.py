"""What a store answers, and that a reader sees and harms nothing of a collector that goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from eacf.samples import Keeper, Limits, Store, StoreError

from .conftest import NOW, sample

SECOND = 1_000_000_000


def test_all_is_read_in_order(filled: Path) -> None:
    with Store.open(filled, readonly=True) as store:
        found = list(store.read())
        assert [each.id for each in found] == list(range(1, 301))
        assert found[0].sample == sample(0, client="192.0.2.1")
        assert (found[1].label, found[1].client, found[1].sensor) == ("b", "203.0.113.0", "other")
        assert (found[2].label, found[2].sample.server_name, found[2].cut) == (None, None, "records")
        assert store.last_id() == 300


def test_the_quarantine_is_the_readers(filled: Path) -> None:
    with Store.open(filled, readonly=True) as store:
        until = NOW + 49 * 10 * SECOND
        assert len(list(store.read(released_before_ns=until))) == 150
        assert store.count_since(0, released_before_ns=until) == 100  # with a label
        assert store.count_since(90, released_before_ns=until) == 40
        assert [each.id for each in store.read(released_before_ns=until, after_id=90, limit=3)] == [91, 92, 93]
        assert {each.label for each in store.read(background=False)} == {"a", "b"}


def test_labels(filled: Path) -> None:
    with Store.open(filled, readonly=True) as store:
        labels = {each.label: each for each in store.labels()}
    assert {label: (each.rows, each.clients) for label, each in labels.items()} == {
        "a": (100, 1),
        "b": (100, 100),
        None: (100, 1),
    }
    assert (labels["a"].first_ns, labels["a"].last_ns) == (NOW, NOW + 990 * SECOND)
    assert labels["a"].bytes == 100 * 64


def test_a_reader_that_is_slow_keeps_nothing_from_being_written(path: Path) -> None:
    """It reads in pages; between two the collector adds, removes, and its log returns into the file."""
    keeper = Keeper.begin(path, Limits(rows_per_label=2000, client_share=1))
    for number in range(1500):
        keeper.add(sample(number), label="a", sensor="zeek", mono_ns=NOW)
    keeper.commit(NOW, NOW)
    with Store.open(path, readonly=True) as store:
        seen = []
        for each in store.read():
            seen.append(each.id)
            if len(seen) in (10, 510, 1010):
                for number in range(1000):
                    keeper.add(sample(number), label="a", sensor="zeek", mono_ns=NOW)
                keeper.commit(NOW, NOW)
                assert keeper.wipe()
    keeper.close()
    assert seen == sorted(set(seen))
    assert len(seen) > 1500
    assert seen[-1] == 4500


def test_a_row_that_eacf_did_not_write_is_told(filled: Path) -> None:
    db = sqlite3.connect(filled)
    db.execute("UPDATE samples SET records = x'010203' WHERE id = 7")
    db.commit()
    db.close()
    with Store.open(filled, readonly=True) as store, pytest.raises(StoreError, match="row after id 0"):
        list(store.read())

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
import pytest

from eacf.errors import SettingError
from eacf.features import Features, Layout, Lengths, PayloadOnly
from eacf.flow import Sample
from eacf.labels import LabelRules
from eacf.recording import Journal, line
from eacf.samples import Store, StoreError
from eacf.wire import flow_topic
from eacf_trainer import learning
from eacf_trainer.watch import data, parent
from eacf_trainer.watch.data import AT_ONCE, Found
from tests.trainer.watch.conftest import Flow, fill, flows, table

ALL = 2**62
SHORT = Lengths(Layout(records=4, places=4, sides=0, large=0, totals=False), [[0, 100]] * 4, bins=8)


@pytest.fixture(scope="module")
def features() -> Features:
    return parent.read(parent.find("testbed")).features


@pytest.fixture(scope="module")
def rules() -> LabelRules:
    return LabelRules.named("testbed")


def looked_at(given: Sequence[Flow]) -> np.ndarray:
    """As many record lengths as the testbed's features look at."""
    return table(given)[:, :8]


def sample(number: int, name: str | None, records: list[int], payload: bytes = b"") -> Sample:
    client, server = IPv4Address(f"10.0.0.{number % 200 + 1}"), IPv4Address("198.51.100.7")
    return Sample(f"C{number:017d}", number * 10**9, client, 40_000, server, 443, name, payload, [], records)


def recording(path: Path, samples: list[Sample]) -> Path:
    with Journal(path) as journal:
        for each in samples:
            journal.add(line(flow_topic("0" * 12), "zeek", "eacf.zeek.none", each))
        journal.flush()
    return path


def test_a_store_becomes_what_an_update_takes(tmp_path: Path, features: Features) -> None:
    given = flows(80, 30)
    fill(tmp_path / "samples.db", given)
    found = data.stored(tmp_path / "samples.db", features, released_before_ns=ALL, up_to=80)
    # The store may keep fewer of a client's; those that it keeps are as they came, in their order.
    kept = [given[number - 1] for number in found.ids.tolist()]
    assert len(found) == len(kept) > 60
    assert (np.diff(found.ids) > 0).all()
    assert (np.diff(found.arrived_ns) >= 0).all()
    assert np.array_equal(found.table, looked_at(kept))
    assert list(found.labels) == [label for label, _, _ in kept]
    assert list(found.clients) == [client for _, client, _ in kept]
    assert list(found.names) == [label and f"www.{label}.example" for label, _, _ in kept]
    assert found.lacking == 0
    rows = learning.rows(features, found.table)
    assert rows.shape == (len(kept), *features.shape)


def test_what_came_later_or_is_not_released_is_left_out(tmp_path: Path, features: Features) -> None:
    path = tmp_path / "samples.db"
    fill(path, flows(30, 31))
    with Store.open(path, readonly=True) as store:
        every = [(each.id, each.arrived_ns) for each in store.read()]
    half = every[len(every) // 2]
    found = data.stored(path, features, released_before_ns=ALL, up_to=half[0])
    assert found.ids.tolist() == [number for number, _ in every if number <= half[0]]
    found = data.stored(path, features, released_before_ns=half[1], up_to=every[-1][0])
    assert found.ids.tolist() == [number for number, arrived in every if arrived <= half[1]]
    assert len(data.stored(path, features, released_before_ns=0, up_to=ALL)) == 0


def test_samples_that_lack_what_the_features_need_are_counted(tmp_path: Path, features: Features) -> None:
    given: list[Flow] = [("chat", f"10.0.0.{n}", (100, -100 - n) if n % 3 else ()) for n in range(1, 31)]
    fill(tmp_path / "samples.db", given)
    found = data.stored(tmp_path / "samples.db", features, released_before_ns=ALL, up_to=ALL)
    assert found.lacking == 10
    assert np.array_equal(found.table, looked_at([each for each in given if each[2]]))
    assert len(found.table) == len(found.ids) == len(found.labels) == len(found.clients) == len(found.arrived_ns) == 20


def test_a_store_that_is_not_there_or_none_is_told(tmp_path: Path, features: Features) -> None:
    with pytest.raises(SettingError, match=r"none\.db"):
        data.stored(tmp_path / "none.db", features, released_before_ns=ALL, up_to=ALL)
    (tmp_path / "text.db").write_text("no database " * 1000)
    with pytest.raises(StoreError, match=r"text\.db"):
        data.stored(tmp_path / "text.db", features, released_before_ns=ALL, up_to=ALL)


@pytest.mark.parametrize("count", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE + 7])
def test_batches_do_not_show(count: int) -> None:
    rng = random.Random(count)
    samples = [sample(n, None, [rng.randrange(-9, 9) for _ in range(rng.randrange(6))]) for n in range(count)]

    def found() -> Iterator[Found]:
        yield from (Found(n, "a", "c", n, each) for n, each in enumerate(samples))

    made = data.table(found(), SHORT)
    whole = [n for n, each in enumerate(samples) if each.records]
    assert made.ids.tolist() == whole
    assert made.lacking == count - len(whole)
    assert made.table.shape == (len(whole), 4)
    if whole:
        padded = np.zeros((len(whole), *SHORT.shape), np.uint8)
        SHORT.fill([samples[n] for n in whole], padded)
        assert np.array_equal(learning.rows(SHORT, made.table), padded)


def test_other_features_get_their_rows() -> None:
    features = PayloadOnly(64)
    samples = [sample(n, None, [], bytes([n]) * 40) for n in range(5)] + [sample(5, None, [100])]
    made = data.table([Found(n, "a", "c", n, each) for n, each in enumerate(samples)], features)
    assert made.lacking == 1
    assert made.table.dtype == np.uint8
    wanted = np.zeros((5, *features.shape), np.uint8)
    features.fill(samples[:5], wanted)
    assert np.array_equal(made.table, wanted)
    assert len(set(map(bytes, made.table))) == 5


@pytest.mark.parametrize("name", ["golden.jsonl", "golden.jsonl.gz"])
def test_golden_samples_of_a_recording_are_labelled_by_the_map(
    tmp_path: Path, features: Features, rules: LabelRules, name: str
) -> None:
    names = ["www.chat.example", None, "video.example", "www.unknown.test", "WWW.CHAT.EXAMPLE", "nothing.chat.example"]
    samples = [sample(n, each, [] if n == 5 else [100 + n, -200]) for n, each in enumerate(names)]
    found = data.recorded(recording(tmp_path / name, samples), features, rules)
    assert found.labels == tuple(rules.label(each) for each in names[:5])
    assert found.labels[0] == found.labels[4] == "chat"
    assert found.labels[1] is None
    assert found.names == tuple(names[:5])
    assert found.clients[0] == "10.0.0.1"
    assert found.lacking == 1
    assert np.array_equal(found.table, looked_at([(None, "", (100 + n, -200)) for n in range(5)]))


def test_golden_samples_of_a_database_are_labelled_by_the_map_too(
    tmp_path: Path, features: Features, rules: LabelRules
) -> None:
    fill(tmp_path / "golden.db", [("chat", "10.0.0.1", (100, -100)), ("video", "10.0.0.2", (200, -200))])
    found = data.recorded(tmp_path / "golden.db", features, rules)
    assert found.labels == ("chat", "video")


def test_a_golden_file_that_cannot_be_read_is_told(tmp_path: Path, features: Features, rules: LabelRules) -> None:
    (tmp_path / "text.jsonl").write_text('{"no": "flow"}\n' * 3)
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    fill(tmp_path / "torn.db", flows(20, 32))
    with (tmp_path / "torn.db").open("r+b") as file:
        file.truncate(5000)
    for name in ("none", "text.jsonl", "bytes", "empty", "folder", "torn.db"):
        with pytest.raises(SettingError) as told:
            data.recorded(tmp_path / name, features, rules)
        assert f"golden {tmp_path / name}: " in str(told.value)
        assert "name a recording (`eacf samples export`)" in str(told.value)


def test_times_are_told_to_the_second_in_utc() -> None:
    assert data.time_text(1_795_564_799_999_999_999) == "2026-11-24T23:59:59Z"
    assert data.time_text(0) == "1970-01-01T00:00:00Z"

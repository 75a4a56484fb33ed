"""Counting server names in datasets, captures and recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from eacf.collector import collect
from eacf.errors import SettingError
from eacf.flow import Needs
from eacf.recording import line
from eacf_trainer import testbed
from eacf_trainer.dataset import DatasetError, Options, build, serial
from eacf_trainer.labels.seen import Place, Seen

RECORDS = Needs(0, records=16, chunks=False)

RECORDS = Needs(0, records=16, chunks=False)


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two captures of 12 connections."""
    folder = tmp_path_factory.mktemp("captures") / "office"
    folder.mkdir()
    for number in (1, 2):
        testbed.generate(folder / f"{number}.pcap", seed=930 + number, connections=12)
    return folder


@pytest.fixture(scope="module")
def names(captures: Path) -> Counter[str | None]:
    """As the collector tells them."""
    return Counter(found.sample.server_name for path in captures.iterdir() for found in collect(path, RECORDS))


def named(seen: Seen) -> Counter[str | None]:
    result = Counter[str | None]()
    for place, flows in seen.flows.items():
        result[place.server_name] += flows
    return result


def test_captures_datasets_and_recordings_say_the_same(
    captures: Path, names: Counter[str | None], tmp_path: Path
) -> None:
    dataset = build([captures], tmp_path / "dataset", Options(), runner=serial)
    (tmp_path / "recordings").mkdir()
    for path in captures.iterdir():
        for cut, needs in (("stream", Needs()), ("records", RECORDS)):  # each in a file of its own
            lines = [line(b"t", "zeek-1", "r", found.sample) for found in collect(path, needs)]
            (tmp_path / "recordings" / f"{path.stem}.{cut}.jsonl").write_bytes(b"".join(lines))
    straight = Seen.of([captures])
    assert named(straight) == names
    assert names.total() == 24
    assert Seen.of([dataset.folder]) == straight
    assert {place.capture for place in straight.flows} == {"office/1.pcap", "office/2.pcap"}
    recorded = Seen.of([tmp_path / "recordings"])
    assert named(recorded) == names


def test_both_cuts_of_a_connection_are_one(captures: Path, names: Counter[str | None], tmp_path: Path) -> None:
    dataset = build([captures], tmp_path / "dataset", Options(), runner=serial)
    assert dataset.rows > names.total()
    assert named(Seen.of([dataset.folder])) == names


def test_several_sources_are_added_up(captures: Path, names: Counter[str | None], tmp_path: Path) -> None:
    dataset = build([captures / "1.pcap"], tmp_path / "dataset", Options(), runner=serial)
    assert named(Seen.of([dataset.folder, captures / "2.pcap"])) == names
    assert named(Seen.of([dataset.folder, captures])) == names  # each once


def test_what_cannot_be_read_is_told_and_skipped(captures: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.pcap").write_bytes(b"no capture at all, certainly none")
    (tmp_path / "good.pcap").write_bytes((captures / "1.pcap").read_bytes())
    seen = Seen.of([tmp_path])
    assert seen.flows.total() == 12
    assert [name.endswith("bad.pcap") for name, _ in seen.skipped] == [True]


def test_a_path_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no such file or folder"):
        Seen.of([tmp_path / "no"])
    (tmp_path / "half" / "parts").mkdir(parents=True)
    with pytest.raises(DatasetError, match="was not finished"):
        Seen.of([tmp_path / "half"])


def test_places_tell_captures_clients_and_servers_apart(captures: Path) -> None:
    seen = Seen.of([captures / "1.pcap"])
    assert all(isinstance(place, Place) and place.client != place.server for place in seen.flows)

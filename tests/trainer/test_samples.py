from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from eacf import wire
from eacf.collector import collect
from eacf.errors import BundleError
from eacf.features import Paper, Shape
from eacf.flow import Sample
from eacf.recording import Journal, line
from eacf_trainer import samples, testbed
from eacf_trainer.samples import CUTS, Labelled
from eacf_trainer.training import bare

RULES = {".chat.example": "chat", ".video.example": "video"}


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 connections of three applications, of which RULES know two."""
    path = tmp_path_factory.mktemp("capture") / "three.kinds.pcap"
    testbed.generate(path, seed=31, connections=40, kinds=("chat", "video", "mail-sync"))
    return path


def named(name: str | None) -> Sample:
    return replace(bare([100, -200]), uid="C1", server_name=name)


def began(sample: Sample) -> tuple[int, int]:
    return sample.start_ns, sample.orig_p


def test_one_pass_takes_what_two_would(capture: Path, tmp_path: Path) -> None:
    samples.record(capture, tmp_path)
    for way, needs in CUTS.items():
        read = samples.read([samples.recording(tmp_path, capture, way)], RULES).samples
        alone = [each.sample for each in collect(capture, needs)]
        assert sorted(read, key=began) == sorted((each for each in alone if each.server_name), key=began)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "three.kinds.records.jsonl.gz",
        "three.kinds.stream.jsonl.gz",
    ]


def test_labels_are_what_the_rules_say_of_the_name(tmp_path: Path) -> None:
    path = tmp_path / "few.jsonl.gz"
    samples.write(path, [named("a.chat.example"), named(None), named("b.mail.example"), named("X.VIDEO.example.")])
    read = samples.read([path, path], RULES)
    assert read.labels == ["chat", None, "video"] * 2
    assert [each.server_name for each in read.samples[:3]] == ["a.chat.example", "b.mail.example", "X.VIDEO.example."]
    assert read.known().labels == ["chat", "video"] * 2
    assert [each.server_name for each in read.background().samples] == ["b.mail.example"] * 2
    assert len(read) == 6


def test_rules_are_checked_as_a_bundles(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="label_map"):
        samples.read([], {"*.*": "chat"})


def test_a_recording_is_what_a_sensor_would_put_on_the_bus(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl.gz"
    samples.write(path, [named("a.chat.example")])
    with gzip.open(path, "rt") as lines:
        (line,) = map(json.loads, lines)
    assert set(line) == {"topic", "sender", "format", "body_hex"}
    assert line["format"].encode() == wire.FORMAT
    message = wire.decode_message(bytes.fromhex(line["body_hex"]))
    assert isinstance(message, wire.Flows)
    assert list(message.samples) == [named("a.chat.example")]


@pytest.mark.parametrize("name", ["tap.jsonl", "tap.jsonl.gz"])
def test_a_taps_recording_is_read(name: str, tmp_path: Path) -> None:
    made = [named("a.chat.example"), named("other.example")]
    with Journal(tmp_path / name) as journal:
        for sample in made:
            journal.add(line(b"eacf.tap.0123456789ab", "zeek", "eacf.verdict.zeek.", sample))
            journal.flush()
    read = samples.read([tmp_path / name], RULES)
    assert (read.samples, read.labels) == (made, ["chat", None])


def test_the_same_samples_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        samples.write(tmp_path / name, [named("a.chat.example")] * 3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_write_that_fails_leaves_the_old_recording(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl.gz"
    samples.write(path, [named("a.chat.example")])
    old = path.read_bytes()

    def breaking() -> Iterator[Sample]:
        yield named("b.chat.example")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        samples.write(path, breaking())
    assert path.read_bytes() == old


def test_parts_are_joined_in_order_and_stay_as_they_were() -> None:
    one, other = Labelled([named("a")], ["chat"]), Labelled([named("b"), named("c")], [None, "video"])
    both = samples.joined([one, other])
    assert both.labels == ["chat", None, "video"]
    assert [each.server_name for each in both.samples] == ["a", "b", "c"]
    assert (len(one), len(other), len(both)) == (1, 2, 3)
    assert both.only([2, 0]).labels == ["video", "chat"]


def test_a_model_can_be_asked_about_cuts_that_hold_what_it_needs() -> None:
    assert samples.ways(Shape([[0]], bins=4).needs) == ["records", "stream"]
    assert samples.ways(Shape([[0]], [[0]], bins=4).needs) == ["stream"]
    assert samples.ways(Paper(100).needs) == ["stream"]

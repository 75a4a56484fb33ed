"""Replays from end to end: real sockets, a real worker process, captures made by code and real ones."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eacf import bundle
from eacf.collector import Selection
from eacf.collector.selection import Choice
from eacf.errors import BundleError, CaptureError, SettingError
from eacf.flow import Needs, Sample
from eacf.replay import replay
from eacf.verdict import Info
from eacf.wire import Flows, decode_message

MakeCapture = Callable[..., Path]


def flows_of(path: Path) -> list[Sample]:
    """The samples of a record or a recording."""
    lines = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).splitlines()
    samples = []
    for line in map(json.loads, lines):
        assert set(line) == {"topic", "sender", "format", "body_hex"}
        assert line["format"] == "broker-bin-v1"
        message = decode_message(bytes.fromhex(line["body_hex"]))
        assert isinstance(message, Flows)
        samples += message.samples
    return samples


def test_every_flow_gets_its_answer(make_capture: MakeCapture, tiny: Path) -> None:
    seen: list[Info] = []
    blocks: list[int] = []
    capture = make_capture(100)
    result = replay(capture, bundle=tiny, on_info=seen.append, progress=blocks.append)
    counts = result.counts
    assert (counts.flows, counts.verdicts, counts.labelled, counts.timed_out, counts.dropped) == (100, 100, 100, 0, 0)
    assert (counts.strays, counts.malformed, counts.accuracy) == (0, 0, 1.0)
    assert counts.complete
    assert result.infos == seen
    assert blocks[-1] == capture.stat().st_size
    assert result.needs == Needs(64, 64, chunks=False)
    assert result.collected["flows"] == 100
    for info in seen:
        assert (info.label, info.sni_label, info.server_name) == ("web", "web", "www.example.com")
        assert (info.model, info.worker, info.reason) == (bundle.load(tiny).id, result.worker, None)
        assert info.payload_bytes == 64
        assert info.confidence is not None
        assert info.confidence > 0.9
        assert info.latency_ns is not None
        assert 0 < info.latency_ns < 30e9


def test_labels_are_held_against_server_names(make_capture: MakeCapture, tiny: Path) -> None:
    captures = [
        make_capture(3, name="right.pcap"),
        make_capture(1, name="wrong.pcap", server="www.example.net", begin=10),
        make_capture(2, name="unknown.pcap", server="www.example.org", begin=20),
    ]
    result = replay(captures, bundle=tiny, keep=False)
    assert (result.counts.labelled, result.counts.named, result.counts.right) == (6, 4, 3)
    assert result.infos == []


def test_a_capture_may_come_twice_and_compressed_and_as_a_file(make_capture: MakeCapture, tiny: Path) -> None:
    capture = make_capture(40)
    packed = capture.with_suffix(".pcap.gz")
    packed.write_bytes(gzip.compress(capture.read_bytes()))
    result = replay([capture, str(packed), io.BytesIO(capture.read_bytes())], bundle=tiny)
    assert result.counts.verdicts == 120
    assert set(Counter(info.uid for info in result.infos).values()) == {3}


def test_a_model_that_is_not_sure_abstains(make_capture: MakeCapture, tiny: Path, tmp_path: Path) -> None:
    known = bundle.load(tiny)
    unsure = tmp_path / "unsure.eacf"
    bundle.write(unsure, {**known.manifest.document, "thresholds": {"web": 1.0, "chat": 1.0}}, known.model)
    result = replay(make_capture(3), bundle=unsure)
    assert (result.counts.abstained, result.counts.labelled, result.counts.accuracy) == (3, 0, None)
    assert {(info.label, info.reason) for info in result.infos} == {(None, "abstained")}


def test_the_shipped_bundle_answers(make_capture: MakeCapture) -> None:
    assert replay(make_capture(3)).counts.complete


def test_the_flow_timeout_cuts_samples_short(make_capture: MakeCapture, tiny: Path, tmp_path: Path) -> None:
    replay(make_capture(2), bundle=tiny, record=tmp_path / "off")
    replay(make_capture(2), bundle=tiny, record=tmp_path / "on", flow_timeout_s=0.002)
    whole, cut = flows_of(tmp_path / "off"), flows_of(tmp_path / "on")
    assert [len(sample.payload) for sample in whole] == [3000, 3000]
    assert [len(sample.chunks) for sample in cut] == [2, 2]


def test_one_connection_in_so_many(make_capture: MakeCapture, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "flows.jsonl"
    selection = Selection(sample_one_in=3)
    every = replay(make_capture(40), bundle=tiny)
    result = replay(make_capture(40), bundle=tiny, record=path, selection=selection)
    chosen = [i for i in every.infos if selection.of(i.orig_h, i.orig_p, i.resp_h, i.resp_p) is Choice.TAKE]
    assert 0 < len(chosen) < 40
    assert result.counts.flows == result.counts.verdicts == len(chosen)
    assert result.collected["unsampled_connections"] == 40 - len(chosen)
    uids = {info.uid for info in chosen}
    assert {info.uid for info in result.infos} == {sample.uid for sample in flows_of(path)} == uids


# The record


def test_the_record_is_collected_with_the_default_needs(make_capture: MakeCapture, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "flows.jsonl.gz"
    result = replay(make_capture(40), bundle=tiny, record=path)
    samples = flows_of(path)
    assert len(samples) == result.counts.flows == 40
    assert {len(sample.payload) for sample in samples} == {3000}
    assert {sample.uid for sample in samples} == {info.uid for info in result.infos}


def test_a_record_takes_its_place_only_when_it_is_whole(make_capture: MakeCapture, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "flows.jsonl"
    path.write_text("from before")

    def stop(_: Info) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(make_capture(3), bundle=tiny, record=path, on_info=stop)
    assert path.read_text() == "from before"
    assert [each.name for each in tmp_path.iterdir() if "flows" in each.name] == ["flows.jsonl"]


def by_content(samples: list[Sample]) -> Counter[str]:
    """Samples without what differs by nature, to be compared whatever their order."""
    return Counter(repr(replace(sample, uid="")) for sample in samples)


@pytest.mark.slow
def test_the_record_is_what_a_real_zeek_sent(shared: Path, tiny: Path, tmp_path: Path) -> None:
    samples = shared / "zeek-wire" / "samples"
    recordings = sorted((samples / "apps").rglob("*.jsonl.gz"))
    captures = [shared / "pcaps" / str(each.relative_to(samples)).removesuffix(".jsonl.gz") for each in recordings]
    record = tmp_path / "flows.jsonl.gz"
    result = replay(captures, bundle=tiny, record=record, keep=False)
    assert result.counts.complete
    ours = by_content(flows_of(record))
    zeeks = by_content([sample for recording in recordings for sample in flows_of(recording)])
    assert zeeks.total() > 1700
    assert (ours & zeeks).total() >= 0.995 * zeeks.total()
    assert ours.total() == zeeks.total()


@pytest.mark.slow
def test_the_shipped_bundle_answers_every_real_flow(shared: Path) -> None:
    files = (shared / "pcaps" / "apps").rglob("*")
    captures = sorted(each for each in files if each.is_file() and each.suffix != ".csv")
    result = replay(captures, keep=False)
    assert result.counts.complete
    assert result.counts.flows > 1700
    assert not result.unreadable


# What is wrong with captures and bundles


def test_damage_ends_a_capture_and_is_told(make_capture: MakeCapture, tiny: Path) -> None:
    capture = make_capture(10)
    capture.write_bytes(capture.read_bytes()[:-20])
    result = replay(capture, bundle=tiny)
    assert result.counts.verdicts == 10
    assert result.damaged == [str(capture)]


def test_one_capture_that_cannot_be_read_does_not_stop_the_others(
    make_capture: MakeCapture, tiny: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.pcap"
    bad.write_text("this is no capture at all")
    result = replay([bad, make_capture(3)], bundle=tiny)
    assert result.counts.verdicts == 3
    assert len(result.unreadable) == 1
    assert "bad.pcap" in result.unreadable[0]
    with pytest.raises(CaptureError, match=r"bad\.pcap"):
        replay(bad, bundle=tiny)


def test_mistakes_are_told_before_anything_starts(make_capture: MakeCapture, tiny: Path, tmp_path: Path) -> None:
    capture = make_capture(1)
    with pytest.raises(SettingError, match=r"nowhere\.pcap: no such file"):
        replay([capture, "nowhere.pcap"], bundle=tiny)
    with pytest.raises(SettingError, match="folder"):
        replay(tmp_path, bundle=tiny)
    with pytest.raises(SettingError, match="no capture"):
        replay([], bundle=tiny)
    with pytest.raises(SettingError, match=r"--bundle .*nowhere"):
        replay(capture, bundle=tmp_path / "nowhere.eacf")
    with pytest.raises(SettingError, match="flow-timeout"):
        replay(capture, bundle=tiny, flow_timeout_s=-1)
    with pytest.raises(SettingError, match="flow-timeout"):
        replay(capture, bundle=tiny, flow_timeout_s=float("nan"))
    with pytest.raises(BundleError):
        replay(capture, bundle=capture)

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.collector import Collected
from eacf.errors import CaptureError
from eacf.flow import Chunk, Sample
from eacf.recording import line
from eacf.samples import Keeper, Limits
from eacf.wire import encode_who
from eacf_trainer.dataset import Options, build, serial
from eacf_trainer.dataset.reading import LONGEST_GAP_NS, Damage, Hashed, Row, rows

Recorded = Callable[[Iterable[Sample]], bytes]


def read(data: bytes, options: Options = Options(), name: str = "w/x.jsonl") -> tuple[list[Row], Damage]:  # noqa: B008
    damage = Damage()
    source = Hashed(io.BytesIO(data), name, lambda count: None)
    found = list(rows(source, options, damage))
    assert source.sha256() == hashlib.sha256(data).hexdigest()
    assert source.bytes == len(data)
    return found, damage


@pytest.fixture
def taken(collected: list[Collected]) -> list[Sample]:
    return [each.sample for each in collected][:20]


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress])
def test_a_recording_gives_its_samples(
    taken: list[Sample], recorded: Recorded, squeeze: Callable[[bytes], bytes]
) -> None:
    found, damage = read(squeeze(recorded(taken)), name="w/x.pcap.stream.jsonl.gz")
    assert [row.sample for row in found] == taken
    assert [row.cut for row in found] == ["stream" if each.chunks else "records" for each in taken]
    assert {row[2:] for row in found} == {("w/x.pcap", "zeek-1", None, None)}
    assert damage == Damage()


def test_one_cut_can_be_asked_for(taken: list[Sample], recorded: Recorded, made: Path) -> None:
    data = recorded(taken)
    capture = (made / "monday" / "a.pcap").read_bytes()
    for cut in ("stream", "records"):
        assert {row.cut for row in read(data, Options((cut,)))[0]} == {cut}
        found = read(capture, Options((cut,)))[0]
        assert [row for row in read(capture)[0] if row.cut == cut] == found
        assert all(row.tls_version for row in found)


def test_a_stream_without_payload_is_one(recorded: Recorded, taken: list[Sample]) -> None:
    stream = next(each for each in taken if each.chunks)
    found, _ = read(recorded([replace(stream, payload=b"")]))
    assert [row.cut for row in found] == ["stream"]


def test_lines_that_are_none_are_counted_and_told(recorded: Recorded, taken: list[Sample]) -> None:
    stream = next(each for each in taken if len(each.chunks) > 1)
    negative = replace(stream, uid="Cminus", chunks=[Chunk(1, True, -1)])
    absurd = replace(stream, uid="Clong", chunks=[Chunk(1, True, LONGEST_GAP_NS + 1)])
    longest = replace(stream, uid="Cfine", chunks=[Chunk(1, True, LONGEST_GAP_NS)])
    who = json.dumps({"sender": "z", "body_hex": encode_who().hex()}).encode() + b"\n"
    lines = [
        recorded([negative]),
        recorded([taken[0]]),
        b"\n",
        b'{"body_hex": "zz"}\n',
        b'{"body_hex": 7}\n',
        b"[1]\n",
        b'{"topic": "x"}\n',
        b'{"body_hex": "0e03"}\n',
        b"[" * 100_000 + b"\n",
        recorded([absurd]),
        who,
        b"\xff\n",
        recorded([longest]),
    ]
    found, damage = read(b"{}\n" + b"".join(lines))
    assert [row.sample for row in found] == [taken[0], longest]
    assert damage.bad_lines == 12
    assert not damage.cut_off
    assert damage.first_bad_lines[:2] == ("line 1: KeyError 'body_hex'", "line 2: Cminus has a gap of -1 ns")
    assert len(damage.first_bad_lines) == 5


def test_no_message_holds_payload(taken: list[Sample], recorded: Recorded) -> None:
    stream = next(each for each in taken if each.chunks)
    data = recorded([replace(stream, chunks=[Chunk(1, True, -5)])])
    _, damage = read(recorded([stream]) + data + data[:-9] + b'"}\n')
    assert damage.bad_lines == 2
    assert not any(stream.payload[:8].hex() in each for each in damage.first_bad_lines)


def test_a_torn_end_is_told_and_what_came_before_is_kept(recorded: Recorded, taken: list[Sample]) -> None:
    data = recorded(taken)
    found, damage = read(data[:-20])
    assert ([row.sample for row in found], damage) == (taken[:-1], Damage(cut_off=True))
    found, damage = read(data[:-1])  # but for its newline the last line is whole
    assert ([row.sample for row in found], damage) == (taken, Damage())
    packed = gzip.compress(recorded(taken[:10])) + gzip.compress(recorded(taken[10:]))
    found, damage = read(packed[:-30])
    assert damage.cut_off
    assert [row.sample for row in found][:10] == taken[:10]


def test_a_line_without_an_end_is_not_gathered_for_ever(
    recorded: Recorded, taken: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eacf_trainer.dataset.reading.LINE_BYTES", 100_000)
    monkeypatch.setattr("eacf_trainer.dataset.reading.BLOCK_BYTES", 10_000)
    found, damage = read(recorded(taken[:2]) + b"x" * 500_000 + b"\n" + recorded(taken[2:4]))
    assert ([row.sample for row in found], damage.bad_lines) == (taken[:4], 1)
    found, damage = read(recorded(taken[:2]) + b"x" * 500_000)
    assert ([row.sample for row in found], damage) == (taken[:2], Damage(cut_off=True))


def test_a_file_without_a_line_of_a_recording_is_none() -> None:
    with pytest.raises(CaptureError, match=r"no line is one of a recording \(line 1: KeyError 'body_hex'\)"):
        read(b'{"a": 1}\n' * 7)


def test_an_empty_recording_has_no_rows() -> None:
    assert read(b"") == ([], Damage())
    assert read(gzip.compress(b""), name="x.jsonl.gz") == ([], Damage())


@pytest.mark.parametrize("sender", [None, "", 7, "\ud800", "zeek\x00"])
def test_a_strange_sender_does_no_harm(taken: list[Sample], sender: object) -> None:
    frames = json.loads(line(b"t", "zeek", "r", taken[0])) | {"sender": sender}
    ((row,), _) = read(json.dumps(frames).encode() + b"\n")
    assert row.sensor == {None: None, "": None, 7: None, "\ud800": "\\ud800"}.get(sender, sender)  # type: ignore[call-overload]


def test_a_capture_that_is_cut_off_keeps_what_was_read(made: Path) -> None:
    data = (made / "monday" / "a.pcap").read_bytes()
    whole, damage = read(data)
    assert not damage.cut_off
    some, damage = read(data[: len(data) // 4])
    assert damage.cut_off
    assert 0 < len(some) < len(whole)
    packed, damage = read(gzip.compress(data))
    assert (packed, damage) == (whole, Damage())


def test_payload_bytes_are_the_window_too(made: Path) -> None:
    data = (made / "monday" / "a.pcap").read_bytes()
    small = [row.sample for row in read(data, Options(payload_bytes=500))[0] if row.cut == "stream"]
    large = [row.sample for row in read(data, Options(payload_bytes=4000))[0] if row.cut == "stream"]
    none = [row.sample for row in read(data, Options(payload_bytes=500, keep_payload=False))[0] if row.cut == "stream"]
    assert max(len(each.payload) for each in small) == 500
    assert max(len(each.payload) for each in large) == 4000
    assert [sum(chunk.length for chunk in each.chunks) for each in none] == [len(each.payload) for each in small]
    assert {each.payload for each in none} == {b""}


@given(st.binary(max_size=200))
def test_whatever_follows_a_brace_raises_nothing_else(data: bytes) -> None:
    try:
        found, _ = read(b"{" + data)
    except CaptureError:
        return
    assert found == []


# Databases of samples


@pytest.fixture
def kept(taken: list[Sample], tmp_path: Path) -> Path:
    """These samples in a database, half of them a day later."""
    day = 86_400 * 10**9
    keeper = Keeper.begin(tmp_path / "samples.db", Limits(client_share=1))
    for number, sample in enumerate(taken):
        keeper.add(sample, label="a", sensor="zeek-1", mono_ns=20_000 * day + number // 10 * day)
    keeper.commit(20_001 * day, 20_001 * day)
    keeper.close()
    return keeper.path


def stored(path: Path, options: Options = Options()) -> list[Row]:  # noqa: B008
    with path.open("rb", buffering=0) as file:
        return list(rows(Hashed(file, f"w/{path.name}", lambda count: None, path), options, Damage()))


def test_a_database_gives_its_samples_each_day_a_capture(taken: list[Sample], kept: Path) -> None:
    found = stored(kept)
    assert [row.sample for row in found] == taken
    assert [row.capture for row in found] == ["w/samples.db/2024-10-04"] * 10 + ["w/samples.db/2024-10-05"] * 10
    assert [row.cut for row in found] == ["stream" if each.chunks else "records" for each in taken]
    assert {row[3:] for row in found} == {("zeek-1", None, None)}
    assert [row.sample for row in stored(kept, Options(("records",)))] == [each for each in taken if not each.chunks]


def test_what_is_only_in_its_log_yet_is_read_and_a_change_there_is_seen(
    taken: list[Sample], kept: Path, tmp_path: Path
) -> None:
    options = Options(("stream", "records"))
    first = build([kept], tmp_path / "dataset", options, runner=serial)
    assert build([kept], tmp_path / "dataset", options, runner=serial).id == first.id
    keeper = Keeper.begin(kept, Limits(client_share=1))
    keeper.add(replace(taken[0], uid="Cnew", start_ns=1), label="a", sensor="zeek-1", mono_ns=1)
    keeper.commit(20_002 * 86_400 * 10**9, 1)
    second = build([kept], tmp_path / "dataset", options, runner=serial)
    assert second.rows == first.rows + 1
    assert second.id != first.id
    keeper.close()
    assert build([kept], tmp_path / "dataset", options, runner=serial).id == second.id


def test_a_database_that_is_none_of_ours_or_damaged_is_no_source(kept: Path, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    with pytest.raises(CaptureError, match="none of samples"):
        stored(tmp_path / "other.db")
    data = kept.read_bytes()
    kept.write_bytes(data[: len(data) // 2])
    with pytest.raises(CaptureError, match="is damaged"):
        stored(kept)

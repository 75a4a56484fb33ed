"""The file of a recording: its lines, what a kill leaves, what is appended to, what a full disk does."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import zlib
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf.flow import Chunk, Sample
from eacf.recording import HELD_BYTES, Journal, line
from eacf.wire import Flows, decode_message

LINE = line(
    b"eacf.tap.0123456789ab",
    "zeek",
    "eacf.verdict.zeek.",
    Sample("C1", 1, IPv4Address("192.0.2.1"), 1, IPv4Address("192.0.2.2"), 443, None, b"abc", [Chunk(3, True, 0)], [3]),
)
BOTH = pytest.mark.parametrize("name", ["flows.jsonl", "flows.jsonl.gz"])


def text_of(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def test_lines_are_those_of_a_real_zeeks_recordings(shared: Path) -> None:
    """Each flow of the recordings, decoded and written again."""
    seen = 0
    for path in sorted((shared / "zeek-wire" / "samples").rglob("*.jsonl.gz")):
        for recorded in gzip.decompress(path.read_bytes()).splitlines():
            frames = json.loads(recorded)
            message = decode_message(bytes.fromhex(frames["body_hex"]))
            assert isinstance(message, Flows)
            (sample,) = message.samples
            again = line(frames["topic"].encode(), frames["sender"], message.reply_to, sample)
            assert json.loads(again) == frames
            seen += 1
    assert seen > 3000


@BOTH
def test_what_was_flushed_can_be_read_while_it_grows(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with Journal(path) as journal:
        assert text_of(path) == b""
        for number in range(1, 4):
            journal.add(LINE)
            assert journal.holds
            assert text_of(path) == LINE * (number - 1)
            journal.flush()
            assert not journal.holds
            assert text_of(path) == LINE * number
            assert journal.bytes == path.stat().st_size
        journal.add(LINE)
    assert text_of(path) == LINE * 4
    assert path.stat().st_mode & 0o077 == 0


@BOTH
def test_what_is_held_has_a_bound(name: str, tmp_path: Path) -> None:
    with Journal(tmp_path / name) as journal:
        count = HELD_BYTES // len(LINE)
        for _ in range(count):
            journal.add(LINE)
        assert text_of(tmp_path / name) == b""
        journal.add(LINE)
        assert text_of(tmp_path / name) == LINE * (count + 1)


@BOTH
def test_a_file_that_is_there_is_not_overwritten(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"something else")
    with pytest.raises(SettingError, match=f"--out {path}: is there already; name a new file, or say --append"):
        Journal(path)
    with pytest.raises(SettingError, match="is no recording"):
        Journal(path, append=True)
    for other in (b"[1, 2]\n", b"7\n", b'{"ts": 1}\n', b"\xff\n", b"\n"):
        path.write_bytes(gzip.compress(other) if path.suffix == ".gz" else other)
        with pytest.raises(SettingError, match="is no recording"):
            Journal(path, append=True)
        assert text_of(path) == other


@BOTH
def test_appending(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    for number in range(1, 4):
        with Journal(path, append=True) as journal:
            assert journal.torn == 0
            journal.add(LINE)
        assert text_of(path) == LINE * number
    with Journal(path, append=True):
        pass
    assert text_of(path) == LINE * 3


@BOTH
@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_end_is_cut_off(name: str, tmp_path: Path, data: st.DataObject) -> None:
    """Wherever the file was cut behind its first line, what was whole stays and what is appended can be read."""
    path = tmp_path / name
    path.unlink(missing_ok=True)
    parts = data.draw(st.lists(st.integers(1, 300), min_size=1, max_size=5))
    sizes = [0]
    with Journal(path) as journal:
        for count in parts:
            for _ in range(count):
                journal.add(LINE)
            journal.flush()
            sizes.append(journal.bytes)
    whole = path.read_bytes()
    first = sizes[1] if path.suffix == ".gz" else len(LINE)
    kept = data.draw(st.integers(first, len(whole)))
    path.write_bytes(whole[:kept])
    with Journal(path, append=True) as journal:
        if path.suffix == ".gz":
            members = max(at for at, size in enumerate(sizes) if size <= kept)
            lines, torn = sum(parts[:members]), kept - sizes[members]
        else:
            lines, torn = divmod(kept, len(LINE))
        # The empty member with which a compressed file begins is among the first part's bytes.
        assert journal.torn == torn
        journal.add(LINE)
    assert text_of(path) == LINE * (lines + 1)


def test_a_torn_end_of_another_kind_is_cut_off_too(tmp_path: Path) -> None:
    path = tmp_path / "flows.jsonl.gz"
    with Journal(path) as journal:
        journal.add(LINE)
    good = path.read_bytes()
    for tail in (b"\0" * 4096, b"\x1f\x8b\x08", gzip.compress(LINE)[:-1], zlib.compress(LINE)):
        path.write_bytes(good + tail)
        with Journal(path, append=True) as journal:
            assert journal.torn == len(tail)
        assert path.read_bytes() == good
    with Journal(tmp_path / "empty.jsonl.gz"):
        pass
    empty = (tmp_path / "empty.jsonl.gz").read_bytes()
    for tail in (b"\0" * 10, b"garbage", gzip.compress(LINE)[:-1]):  # the first line itself is torn
        path.write_bytes(empty + tail)
        with Journal(path, append=True) as journal:
            assert journal.torn == len(tail)
        assert path.read_bytes() == empty


@BOTH
def test_two_do_not_write_to_one_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with Journal(path) as journal:
        with pytest.raises(SettingError, match="another process writes to it"):
            Journal(path, append=True)
        journal.add(LINE)
    assert text_of(path) == LINE


def test_what_is_no_file_to_write_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "nowhere" / "flows.jsonl", tmp_path / "pipe"):
        with pytest.raises(SettingError, match=f"--out {path}: "):
            Journal(path, append=True)


@BOTH
def test_after_an_error_a_file_without_a_line_goes(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with pytest.raises(KeyError), Journal(path):
        raise KeyError
    assert not path.exists()
    with Journal(path) as journal:
        journal.add(LINE)
    with pytest.raises(KeyError), Journal(path, append=True):
        raise KeyError
    assert text_of(path) == LINE


FULL = """
import resource, sys
from pathlib import Path
from eacf.recording import Journal
line = sys.stdin.buffer.readline()
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with Journal(path) as journal:
    try:
        for _ in range(10_000):
            journal.add(line)
            journal.flush()
    except OSError as error:
        print(error)
"""


@BOTH
def test_a_full_disk_leaves_a_whole_file(name: str, tmp_path: Path) -> None:
    """A limit on the file's size stands for the disk: a write is cut short, the next one fails."""
    path = tmp_path / name
    command = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(command, input=LINE, capture_output=True, timeout=60, check=True)
    assert str(path) in done.stdout.decode()
    assert path.stat().st_size <= 100_000
    text = text_of(path)
    assert text == LINE * (len(text) // len(LINE))
    assert len(text) > 90_000
    with Journal(path, append=True) as journal:
        assert journal.torn == 0

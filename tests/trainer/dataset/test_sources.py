from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf_trainer.dataset.sources import find, kind_of, recorded_capture


def put(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data or os.fsencode(path.name))
    return path


def names(*given: Path, root: Path | None = None) -> list[str]:
    return [source.name for source in find(given, root).sources]


def test_a_folder_is_searched_for_captures_and_recordings(tmp_path: Path) -> None:
    office = tmp_path / "office"
    for name in ("b.pcap", "a/c.pcapng.gz", "d.jsonl", "a/e.jsonl.gz", "notes.txt", ".hidden.pcap"):
        put(office / name)
    wanted = ["office/a/c.pcapng.gz", "office/a/e.jsonl.gz", "office/b.pcap", "office/d.jsonl"]
    assert names(office) == wanted
    assert names(Path(f"{office}/")) == wanted


def test_names_do_not_depend_on_where_the_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "office" / "b.pcap")
    monkeypatch.chdir(tmp_path / "office")
    assert names(Path()) == names(Path("b.pcap")) == names(Path("../office")) == ["office/b.pcap"]


def test_below_the_manifest_names_begin_at_it(tmp_path: Path) -> None:
    inner, outer = put(tmp_path / "apps" / "who" / "a.pcap"), put(tmp_path / "more" / "b.pcap")
    assert names(inner, outer, root=tmp_path / "apps") == ["more/b.pcap", "who/a.pcap"]


def test_a_file_counts_once_however_it_is_given(tmp_path: Path) -> None:
    path = put(tmp_path / "office" / "b.pcap")
    link = tmp_path / "office" / "z.pcap"
    link.symlink_to(path)
    assert names(path.parent, path, path) == ["office/b.pcap"]


def test_the_same_content_counts_once(tmp_path: Path) -> None:
    for name in ("c/z.pcap", "c/b.pcap", "c/a.pcap"):
        put(tmp_path / name, b"same")
    put(tmp_path / "c/d.pcap", b"else")
    found = find([tmp_path / "c"])
    assert [source.name for source in found.sources] == ["c/a.pcap", "c/d.pcap"]
    assert found.duplicates == (("c/b.pcap", "c/a.pcap"), ("c/z.pcap", "c/a.pcap"))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    one, other = put(tmp_path / "p/a/x.pcap", b"one"), put(tmp_path / "q/a/x.pcap", b"other")
    with pytest.raises(SettingError, match=r"p/a/x.pcap and .*q/a/x.pcap would both .* give the folder above"):
        find([one, other])
    assert names(tmp_path) == [f"{tmp_path.name}/p/a/x.pcap", f"{tmp_path.name}/q/a/x.pcap"]


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none\.pcap: no such file or folder"):
        find([tmp_path / "none.pcap"])
    with pytest.raises(SettingError, match=r"no capture, recording or database of samples in .* \(\*.pcap\*, "):
        find([tmp_path])


def test_a_name_that_is_not_text_gets_one(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "c") + b"/caf\xe9.pcap"
    (tmp_path / "c").mkdir()
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    assert names(tmp_path / "c") == ["c/caf\\xe9.pcap"]


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b'{"topic"', "x.pcap", "recording"),
        (gzip.compress(b'{"topic"' * 9000, mtime=0)[:4096], "x", "recording"),
        (b"\xd4\xc3\xb2\xa1", "x.jsonl", "capture"),
        (b"\n\r\r\n{", "x.jsonl", "capture"),
        (gzip.compress(b"\xd4\xc3\xb2\xa1", mtime=0), "x.gz", "capture"),
        (b"\x1f\x8b garbage", "x.jsonl.gz", "capture"),
        (b"", "x.jsonl", "recording"),
        (gzip.compress(b"", mtime=0), "x.jsonl.gz", "recording"),
        (b"", "x.pcap", "capture"),
    ],
)
def test_what_a_file_is_is_known_by_its_head(head: bytes, name: str, kind: str) -> None:
    assert kind_of(head, name) == kind


def test_recordings_of_both_cuts_are_of_one_capture() -> None:
    assert recorded_capture("w/a.pcap.stream.jsonl.gz") == recorded_capture("w/a.pcap.records.jsonl") == "w/a.pcap"
    assert recorded_capture("office.jsonl.gz") == recorded_capture("office.jsonl") == "office"

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf.flow import Sample
from eacf_trainer.dataset import Dataset, Options, build, serial
from eacf_trainer.dataset.manifest import Manifest, Match

HEAD = "file,client,server,start_ts,capture,tls_version\n"


def manifest(tmp_path: Path, text: str) -> Manifest:
    path = tmp_path / "manifest.csv"
    path.write_text(text, encoding="utf-8")
    return Manifest.read(path)


def sample(orig: str, resp: str, start_ns: int = 1_700_000_000_000_000_000, uid: str = "C1") -> Sample:
    return Sample(uid, start_ns, ip_address(orig), 40_000, ip_address(resp), 443, None, b"")


def test_what_a_line_says(tmp_path: Path) -> None:
    text = HEAD + "a/x.pcap,192.0.2.1:40000,198.51.100.7:443,1700000000.123456,lab/one.pcapng,0x304\n"
    read = manifest(tmp_path, text + "a/x.pcap,192.0.2.1:40001,198.51.100.7:443,1700000000,,\n")
    ((file, (one, other)),) = read.files.items()
    assert file == (tmp_path / "a/x.pcap").resolve()
    assert (one.capture, one.tls_version, one.start_ns) == ("lab/one.pcapng", 0x304, 1_700_000_000_123_456_000)
    assert (other.capture, other.tls_version) == (None, None)


def test_columns_that_are_not_needed_may_be_missing_or_more(tmp_path: Path) -> None:
    text = "\ufefflabel,start_ts,server,client,file\nx,1,198.51.100.7:443,192.0.2.1:1,a.pcap\n"
    ((_, (line,)),) = manifest(tmp_path, text).files.items()
    assert (line.start_ns, line.capture, line.tls_version) == (1_000_000_000, None, None)


@pytest.mark.parametrize(
    ("client", "server", "orig", "resp"),
    [
        ("192.0.2.1:40000", "198.51.100.7:443", "192.0.2.1", "198.51.100.7"),
        ("2001:db8::1:40000", "2001:db8::2:443", "2001:db8::1", "2001:db8::2"),
        ("[2001:db8::1]:40000", "[2001:DB8:0:0::2]:443", "2001:db8::1", "2001:db8::2"),
        ("::ffff:192.0.2.1:40000", "198.51.100.7:443", "192.0.2.1", "::ffff:198.51.100.7"),
        ("198.51.100.7:443", "192.0.2.1:40000", "192.0.2.1", "198.51.100.7"),
    ],
)
def test_ends_are_met_in_every_form(tmp_path: Path, client: str, server: str, orig: str, resp: str) -> None:
    """The last: the manifest takes the other side for the client."""
    ((_, lines),) = manifest(tmp_path, HEAD + f"x.pcap,{client},{server},1700000000.5,,\n").files.items()
    match = Match(lines)
    assert match.unmet == 1
    assert match.find(sample(orig, resp)) is lines[0]
    assert (match.unmet, match.unlisted) == (0, 0)


def test_the_nearest_start_is_met_and_a_far_one_is_not(tmp_path: Path) -> None:
    ends = "x.pcap,192.0.2.1:40000,198.51.100.7:443"
    text = HEAD + f"{ends},1700000000,early,\n{ends},1700000004,late,\n"
    ((_, lines),) = manifest(tmp_path, text).files.items()
    match = Match(lines)
    for seconds, capture in ((-1, "early"), (1.9, "early"), (2.1, "late"), (8, "late")):
        found = match.find(sample("192.0.2.1", "198.51.100.7", 1_700_000_000_000_000_000 + int(seconds * 1e9)))
        assert found is not None
        assert found.capture == capture
    assert match.unlisted == 0
    for uid in ("C2", "C2", "C3"):  # two cuts of one connection are one
        assert match.find(sample("192.0.2.1", "198.51.100.7", 1_700_000_100_000_000_000, uid)) is None
    assert match.find(sample("192.0.2.1", "198.51.100.8", uid="C4")) is None
    assert (match.unlisted, match.unmet) == (3, 0)


def test_a_server_name_is_filled_in_where_the_connection_has_none(
    tmp_path: Path, recorded: Callable[..., bytes], whole: Callable[[Dataset], list[Sample]]
) -> None:
    ends = [f"192.0.2.{number}" for number in range(1, 5)]
    named = replace(sample(ends[0], "198.51.100.7", uid="C1"), server_name="said.example")
    nameless = [sample(end, "198.51.100.7", uid=f"C{number}") for number, end in enumerate(ends[1:], 2)]
    taken = [replace(each, records=[300, -900]) for each in (named, *nameless)]
    (tmp_path / "x.jsonl").write_bytes(recorded(taken))
    (tmp_path / "manifest.csv").write_text(
        "file,client,server,start_ts,server_name\n"
        + f"x.jsonl,{ends[0]}:40000,198.51.100.7:443,1700000000,other.example\n"
        + f"x.jsonl,{ends[1]}:40000,198.51.100.7:443,1700000000, filled.example \n"
        + f"x.jsonl,{ends[2]}:40000,198.51.100.7:443,1700000000,\n"
        + f"x.jsonl,{ends[3]}:40000,198.51.100.7:443,1700000000\n"
    )
    path = tmp_path / "manifest.csv"
    dataset = build([tmp_path / "x.jsonl"], tmp_path / "out", Options(("records",)), runner=serial, manifest=path)
    found = {str(each.orig_h): each.server_name for each in whole(dataset)}
    assert found == dict(zip(ends, ["said.example", "filled.example", None, None], strict=True))
    assert [each.uid for each in whole(dataset)] == [each.uid for each in taken]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x.pcap,192.0.2.1,198.51.100.7:443,1,,", "line 2: client '192.0.2.1' is no address and port, such as"),
        ("x.pcap,192.0.2.1:1,198.51.100.7:70000,1,,", "line 2: server '198.51.100.7:70000' is no"),
        ("x.pcap,192.0.2.1:1,198.51.100.7:443,soon,,", "line 2: .*correct it"),
        ("x.pcap,192.0.2.1:1,198.51.100.7:443,nan,,", "line 2: start_ts 'nan' is no time"),
        ("x.pcap,192.0.2.1:1,198.51.100.7:443,1,,0x99999", "line 2: tls_version '0x99999' is not of 16 bits"),
        ("x.pcap,192.0.2.1:1", "line 2: "),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        manifest(tmp_path, HEAD + line + "\n")


def test_what_is_no_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="has no column 'client'; file, client, server, start_ts are needed"):
        manifest(tmp_path, "file,server\n")
    with pytest.raises(SettingError, match="No such file or directory; name a CSV file"):
        Manifest.read(tmp_path / "none.csv")
    (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match="is no CSV file in UTF-8"):
        Manifest.read(tmp_path / "manifest.csv")

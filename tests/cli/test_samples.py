"""`eacf samples` as a shell runs it, on a real database, while a collector has it open, too."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from eacf.cli import main
from eacf.flow import Chunk, Sample
from eacf.samples import Keeper, Limits, Store
from eacf.wire import Flows, decode_message

DAY = 86_400 * 1_000_000_000
NOW = 1_700_000_000 * 1_000_000_000


def flow(number: int, name: str | None) -> Sample:
    ends = (IPv4Address(0xC0000200 + number % 10), 1024, IPv4Address("198.51.100.7"), 443)
    data = bytes(50) if number % 2 else b""
    return Sample(f"C{number}", NOW, *ends, name, data, [Chunk(50, True, 0)] if data else [], [100, -200])


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    """40 of a label that would steer a terminal, 20 of another, 10 without; a day between two groups."""
    made = Keeper.begin(tmp_path / "samples.db", Limits())
    groups = [("\x1b[31mred", 40, "red.example"), ("blue", 20, "a\0b\udcff.example"), (None, 10, None)]
    for day, (label, count, name) in enumerate(groups):
        for number in range(count):
            made.add(flow(number, name), label=label, sensor=f"zeek-{day}", mono_ns=NOW + day * DAY)
    made.commit(NOW + 2 * DAY, NOW + 2 * DAY)
    yield made
    made.close()


@pytest.fixture
def db(keeper: Keeper) -> Path:
    return keeper.path


def test_list(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["samples", "list", str(db)]) == 0
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines()] == [
        ["label", "samples", "clients", "oldest", "newest"],
        [r"\x1b[31mred", "40", "10", "2023-11-14", "22:13", "2023-11-14", "22:13"],
        ["blue", "20", "10", "2023-11-15", "22:13", "2023-11-15", "22:13"],
        ["(background)", "10", "10", "2023-11-16", "22:13", "2023-11-16", "22:13"],
    ]
    assert said.err.startswith("70 samples of 2 labels, ")
    assert main(["samples", "list", str(db), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["label"], each["rows"]) for each in told] == [("\x1b[31mred", 40), ("blue", 20), (None, 10)]


def test_export_is_a_recording(db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "all.jsonl"
    assert main(["samples", "export", str(db), "--out", str(out)]) == 0
    assert "70 samples; written to" in capsys.readouterr().err
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    samples = []
    for each in lines:
        message = decode_message(bytes.fromhex(each["body_hex"]))
        assert isinstance(message, Flows)
        samples += message.samples
    with Store.open(db, readonly=True) as store:
        assert samples == [each.sample for each in store.read()]
    assert [line["sender"] for line in lines] == ["zeek-0"] * 40 + ["zeek-1"] * 20 + ["zeek-2"] * 10
    assert out.stat().st_mode & 0o777 == 0o600
    assert main(["samples", "export", str(db), "--out", str(out)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["samples", "export", str(db), "--out", str(tmp_path / "b.jsonl"), "--label", "blue"]) == 0
    assert len((tmp_path / "b.jsonl").read_text().splitlines()) == 20


@pytest.mark.parametrize(
    ("flags", "gone"),
    [
        (["--label", "blue"], 20),
        (["--background"], 10),
        (["--client", "192.0.2.3"], 7),
        (["--client", "192.0.2.0/29", "--label", "blue"], 16),
        (["--older-than", "1.5"], 40),  # by the collector's clock, which runs: the wall clock is years ahead
        (["--older-than", "0"], 60),
    ],
)
def test_purge(flags: list[str], gone: int, db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["samples", "purge", str(db), *flags]) == 0
    assert f"{gone} samples removed from {db}" in capsys.readouterr().err
    with Store.open(db, readonly=True) as store:
        assert len(list(store.read())) == 70 - gone
    assert main(["samples", "purge", str(db), *flags, "--shrink"]) == 0
    assert "0 samples removed" in capsys.readouterr().err


def test_a_purge_beside_a_reader_says_what_is_left(
    db: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eacf.samples.schema.BUSY_S", 0.1)
    reader = sqlite3.connect(db, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM samples").fetchone()
    assert main(["samples", "purge", str(db), "--label", "blue"]) == 1
    assert "its log (samples.db-wal) may hold some of them yet" in capsys.readouterr().err
    reader.close()
    assert main(["samples", "purge", str(db), "--label", "blue"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["list", "none.db"], 2, "none.db: No such file"),
        (["purge", "none.db", "--background"], 2, "none.db: no such file"),
        (["export", "none.db", "--out", "x.jsonl"], 2, "none.db: No such file"),
        (["purge", "samples.db"], 2, "name a client, a label or an age"),
        (["purge", "samples.db", "--client", "me"], 2, "client 'me'"),
        (["purge", "samples.db", "--older-than", "-1"], 2, "--older-than -1"),
        (["purge", "samples.db", "--older-than", "nan"], 2, "--older-than nan"),
        (["list", "text"], 1, "text: is no database of samples"),
    ],
)
@pytest.mark.usefixtures("keeper")
def test_mistakes(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("text" * 1000)
    assert main(["samples", *arguments]) == code
    assert words in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()
    assert not (tmp_path / "x.jsonl").exists()

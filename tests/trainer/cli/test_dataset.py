"""``eacf-train dataset``, in this process."""

from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eacf.errors import SettingError
from eacf_trainer import testbed
from eacf_trainer.cli import dataset as command
from eacf_trainer.dataset import Dataset, DatasetError


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two captures, a damaged one, one twice, and a file that is none."""
    folder = tmp_path_factory.mktemp("captures") / "office"
    folder.mkdir()
    for number, name in enumerate(("a.pcap", "b.pcap", "cut.pcap")):
        testbed.generate(folder / name, seed=950 + number, connections=8)
    (folder / "cut.pcap").write_bytes((folder / "cut.pcap").read_bytes()[:-11])
    (folder / "twice.pcap").write_bytes((folder / "a.pcap").read_bytes())
    (folder / "bad.pcap").write_bytes(b"no capture")
    return folder


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's handlers are for a process of its own."""
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser(prog="eacf-train")
    command.add(parser.add_subparsers(required=True))
    options = parser.parse_args(["dataset", *map(str, arguments)])
    code: int = options.run(options)
    return code


def test_what_was_built_and_what_was_not_is_told(
    office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(office, "--out", tmp_path / "out", "--jobs", "1") == 0
    out, err = capsys.readouterr()
    dataset = Dataset.open(tmp_path / "out")
    assert out == (
        f"dataset {dataset.id}: 48 rows (24 stream, 24 records) of 24 connections and 3 captures; {tmp_path / 'out'}\n"
    )
    lines = err.splitlines()
    assert lines[0].startswith("eacf-train: office/bad.pcap: skipped: begins with 6e6f2063, which is neither pcap nor")
    assert lines[1:] == [
        "eacf-train: 1 source with the content of another left out (the first: office/twice.pcap is office/a.pcap)",
        "eacf-train: office/cut.pcap: damaged or cut off; what stands before the damage was read",
    ]
    assert run(office, "--out", tmp_path / "out", "--jobs", "1") == 0  # nothing to do, and the same is told but for
    again = capsys.readouterr()
    assert (again.out, again.err) == (out, err)


def test_options_reach_the_dataset(office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(office, "--out", out, "--cut", "stream", "--payload-bytes", "700", "--no-payload", "--jobs", "1") == 0
    options = Dataset.open(out).index.options
    assert (options.cuts, options.payload_bytes, options.keep_payload) == (("stream",), 700, False)
    assert re.match(r"dataset [0-9a-f]{12}: 24 rows \(24 stream\) of 24", capsys.readouterr().out)


def test_what_a_manifest_leaves_out_is_told(office: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "manifest.csv"
    file = os.path.relpath(office / "a.pcap", tmp_path)
    manifest.write_text(f"file,client,server,start_ts\n{file},192.0.2.1:1,192.0.2.2:443,1\n")
    assert run(office, "--out", tmp_path / "out", "--manifest", manifest, "--jobs", "1") == 0
    lines = capsys.readouterr().err.splitlines()
    assert "eacf-train: office/a.pcap: 8 connections not in the manifest, left out" in lines
    assert "eacf-train: office/a.pcap: 1 line of the manifest without a connection" in lines
    assert "eacf-train: office/b.pcap: not in the manifest; all its connections were taken" in lines


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--jobs", "0"], "--jobs 0: must be a number of 1 or more"),
        (["--payload-bytes", "70000"], "--payload-bytes 70000: must be a number from 1 to 65,536"),
        (["--manifest", "none.csv"], "--manifest none.csv: No such file"),
    ],
)
def test_mistakes_are_told(office: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(SettingError, match=re.escape(said)):
        run(office, "--out", tmp_path / "out", *arguments)
    with pytest.raises(SettingError, match="is a file, not the address of a scheduler; put --dask last"):
        run("--out", tmp_path / "out", office, "--dask", office / "a.pcap")
    with pytest.raises(DatasetError, match="nothing to build a dataset of: 1 source"):
        run(office / "bad.pcap", "--out", tmp_path / "out", "--jobs", "1")


def test_a_wrong_command_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("--out", "x")
    assert ended.value.code == 2
    assert "CAPTURE_OR_RECORDING" in capsys.readouterr().err


SHOW = """
import argparse, sys
from eacf_trainer.cli import dataset
parser = argparse.ArgumentParser()
dataset.add(parser.add_subparsers())
options = parser.parse_args(sys.argv[1:])
sys.exit(options.run(options))
"""


def test_a_bar_is_shown_on_a_terminal_alone(office: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", SHOW, "dataset", office, "--out", tmp_path / "out", "--jobs", "1"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(ours, 65_536):
                shown += more
        except OSError:  # the terminal's end
            pass
        os.close(ours)
    assert process.returncode == 0
    assert b"4 sources to read" in shown
    assert b"eacf-train: office/bad.pcap: skipped" in shown

"""Building as a whole: what decides an id, what is kept, what a kill leaves, and real captures."""

from __future__ import annotations

import csv
import fcntl
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

from eacf.collector import Collected
from eacf.errors import SettingError
from eacf.flow import Sample, address_text
from eacf_trainer.dataset import Dataset, DatasetError, Options, Pool, Progress, build, serial
from eacf_trainer.dataset.index import Part
from eacf_trainer.dataset.work import Skipped, Task


class Noted:
    """Works in this process, and notes on what."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def __call__(self, tasks: Sequence[Task], progress: Callable[[int], None]) -> Iterator[Part | Skipped]:
        self.sources = sorted(task.source.name for task in tasks)
        return serial(tasks, progress)


@dataclass
class Told:
    """What was told of a build."""

    begun: list[tuple[int, int]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    outcomes: list[Part | Skipped] = field(default_factory=list)

    def progress(self) -> Progress:
        return Progress(lambda *what: self.begun.append(what), self.counts.append, self.outcomes.append)

    def check(self, folder: Path) -> None:
        """That it was so of the three captures of `folder`."""
        size = sum(path.stat().st_size for path in folder.rglob("*.pcap"))
        assert self.begun == [(3, size)]
        assert self.counts == sorted(self.counts)
        assert self.counts[-1] == size
        assert len(self.outcomes) == 3


def made_again(given: Path | list[Path], out: Path, options: Options = Options()) -> list[str]:  # noqa: B008
    """Which sources were read."""
    noted = Noted()
    build(given if isinstance(given, list) else [given], out, options, runner=noted)
    return noted.sources


def files(folder: Path) -> dict[str, int]:
    """Every file below, and when it was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_id_follows_from_sources_and_options_alone(built: Dataset, office: Path, tmp_path: Path) -> None:
    given = [office / "tuesday", office / "monday" / "b.pcap", office / "monday" / "a.pcap"]
    told = Told(), Told()
    one = build(given, tmp_path / "one", Options(), runner=Pool(2), progress=told[0].progress())
    other = build(given[::-1], tmp_path / "other", Options(), runner=serial, progress=told[1].progress())
    for each in told:
        each.check(office)
    assert one.id == other.id
    assert one.rows == other.rows == built.rows
    assert built.id != one.id  # its captures have other names: office/monday/a.pcap
    assert build([office], tmp_path / "copy", Options(), runner=serial).id == built.id
    assert build([office], tmp_path / "less", Options(payload_bytes=2999), runner=serial).id != built.id
    assert build([office], tmp_path / "none", Options(keep_payload=False), runner=serial).id != built.id


def test_a_dataset_is_for_its_owner_s_eyes(built: Dataset) -> None:
    assert built.folder.stat().st_mode & 0o777 == 0o700


def test_captures_are_named_by_folder_and_file(built: Dataset) -> None:
    assert set(built.table(["capture"])["capture"].to_pylist()) == {
        "office/monday/a.pcap",
        "office/monday/b.pcap",
        "office/tuesday/c.pcap",
    }


def test_what_is_whole_is_kept(office: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert len(made_again(office, out)) == 3
    before = files(out)
    assert made_again(office, out) == []
    assert files(out) == before | {".lock": files(out)[".lock"]}
    os.utime(office / "monday" / "a.pcap", ns=(1, 1))  # touched: its content tells that it is the same
    assert made_again(office, out) == []
    assert {name for name in files(out) if name.endswith("parquet")} == {n for n in before if n.endswith("parquet")}


def test_what_changed_is_made_again(office: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made_again(office, out)
    first = Dataset.open(out).id
    shutil.copy(office / "monday" / "a.pcap", office / "monday" / "d.pcap")
    (office / "monday" / "a.pcap").write_bytes((office / "monday" / "a.pcap").read_bytes()[:-5000])
    assert made_again(office, out) == ["office/monday/a.pcap", "office/monday/d.pcap"]
    dataset = Dataset.open(out)
    assert dataset.id != first
    assert len(list((out / "parts").iterdir())) == len(dataset.index.parts) == 4


def test_a_damaged_part_is_made_again(office: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made_again(office, out)
    whole = Dataset.open(out).id
    part = sorted((out / "parts").iterdir())[0]
    part.write_bytes(part.read_bytes()[:1000])
    with pytest.raises(DatasetError, match="delete the folder and build the dataset again"):
        Dataset.open(out)
    assert len(made_again(office, out)) == 1
    assert Dataset.open(out).id == whole


def test_other_options_are_refused(office: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made_again(office, out)
    with pytest.raises(
        SettingError, match="begun with payload_bytes 3000, not 4000; say the same, or name a new folder"
    ):
        made_again(office, out, Options(payload_bytes=4000))
    (out / "dataset.json").unlink()  # parts alone tell, too
    with pytest.raises(SettingError, match="begun with keep_payload True, not False"):
        made_again(office, out, Options(keep_payload=False))
    assert made_again(office, out) == []


def test_fewer_sources_are_refused(office: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made_again([office / "monday", office / "tuesday"], out)
    with pytest.raises(SettingError, match=r"of 3 sources, and 2 of them were not given \(the first: monday/a.pcap\)"):
        made_again(office / "tuesday" / "c.pcap", out)
    with pytest.raises(SettingError, match="1 of them were not given"):
        made_again(office / "monday", out)
    assert made_again([office / "tuesday", office / "monday"], out) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(payload_bytes=0), "--payload-bytes 0: must be a number from 1 to 65,536"),
        (Options(records=0), "--records 0: must be a number from 1 to 4,096"),
    ],
)
def test_options_have_limits(office: Path, tmp_path: Path, options: Options, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        made_again(office, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_things_is_left_alone(office: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(SettingError, match="holds other things than a dataset"):
        made_again(office, tmp_path / "out")
    with pytest.raises(SettingError, match="is a file"):
        made_again(office, tmp_path / "out" / "thesis.txt")
    assert len(files(tmp_path / "out")) == 1


def test_two_builds_do_not_meet_in_one_folder(office: Path, tmp_path: Path) -> None:
    made_again(office, tmp_path / "out")
    with (tmp_path / "out" / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(SettingError, match="another process builds it"):
            made_again(office, tmp_path / "out")


def test_nothing_to_build_of_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.pcap").write_bytes(b"no capture")
    (tmp_path / "in" / "y.jsonl").write_bytes(b"")
    with pytest.raises(
        DatasetError, match=r"2 sources hold no connection .* 1 of them cannot be read; in/x.pcap: begins"
    ):
        made_again(tmp_path / "in", tmp_path / "out")
    with pytest.raises(DatasetError, match="its build was not finished"):
        Dataset.open(tmp_path / "out")
    with pytest.raises(DatasetError, match="hold no connection"):  # other options find nothing in their way
        made_again(tmp_path / "in", tmp_path / "out", Options(payload_bytes=4000))


def test_damage_is_listed_and_the_rest_is_built(office: Path, tmp_path: Path, built: Dataset) -> None:
    (office / "bad.pcap").write_bytes(b"no capture")
    (office / "monday" / "a.pcap").write_bytes((office / "monday" / "a.pcap").read_bytes()[:-7])
    (office / "twice.pcap").write_bytes((office / "tuesday" / "c.pcap").read_bytes())
    dataset = build([office], tmp_path / "out", Options(), runner=serial)
    ((source, reason),) = dataset.index.skipped
    assert source == "office/bad.pcap"
    assert "which is neither pcap nor pcapng" in reason
    assert [part.source for part in dataset.index.parts if part.cut_off] == ["office/monday/a.pcap"]
    assert dataset.index.duplicates == (("office/twice.pcap", "office/tuesday/c.pcap"),)
    assert dataset.rows == built.rows


def test_recordings_of_both_cuts_give_what_the_capture_gives(
    collected: list[Collected], recorded: Callable[[Iterable[Sample]], bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "office"
    folder.mkdir()
    some = collected[:30]
    (folder / "a.stream.jsonl").write_bytes(recorded(each.sample for each in some if not each.also))
    (folder / "a.records.jsonl.gz").write_bytes(gzip.compress(recorded(each.sample for each in some if each.also)))
    dataset = build([folder], tmp_path / "out", Options(), runner=serial)
    table = dataset.table(["cut", "capture", "sensor", "connection", "complete_ns"])
    assert Counter(table["cut"].to_pylist()) == Counter("records" if each.also else "stream" for each in some)
    assert set(table["capture"].to_pylist()) == {"office/a"}
    assert set(table["sensor"].to_pylist()) == {"zeek-1"}
    assert set(table["complete_ns"].to_pylist()) == {None}
    assert len(set(table["connection"].to_pylist())) == len({each.sample.uid for each in some})


def manifest_of(path: Path, collected: Iterable[Collected], file: str, **fields: str) -> None:
    with path.open("w", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(("file", "client", "server", "start_ts", *fields))
        for each in collected:
            if not each.also:
                sample = each.sample
                client = f"{address_text(sample.orig_h)}:{sample.orig_p}"
                server = f"{address_text(sample.resp_h)}:{sample.resp_p}"
                lines.writerow((file, client, server, f"{sample.start_ns / 1e9:.6f}", *fields.values()))


def test_a_manifest_chooses_and_renames(office: Path, tmp_path: Path, collected: list[Collected]) -> None:
    of_a = collected[:30]  # 15 connections, both cuts
    listed = [each for each in of_a if each.sample.uid != of_a[0].sample.uid]
    manifest_of(office / "manifest.csv", listed, "monday/a.pcap", capture="lab/phone/one.pcapng", tls_version="0x301")
    dataset = build([office], tmp_path / "out", Options(), runner=serial, manifest=office / "manifest.csv")
    rows = dataset.table(["capture", "tls_version", "uid"]).to_pylist()
    theirs = [row for row in rows if row["capture"] == "lab/phone/one.pcapng"]
    assert {row["tls_version"] for row in theirs} == {0x301}
    assert {row["uid"] for row in theirs} == {each.sample.uid for each in listed}
    assert {row["capture"] for row in rows} == {"lab/phone/one.pcapng", "monday/b.pcap", "tuesday/c.pcap"}
    a, b, _ = dataset.index.parts
    assert (a.listed, a.unlisted_connections, a.unmet_lines) == (True, 1, 0)
    assert (b.listed, b.unlisted_connections, b.unmet_lines) == (False, 0, 0)
    (office / "manifest.csv").write_text((office / "manifest.csv").read_text() + "\n")
    with pytest.raises(SettingError, match="was begun with manifest"):
        build([office], tmp_path / "out", Options(), runner=serial, manifest=office / "manifest.csv")


BUILD = """
import sys
from pathlib import Path
from eacf_trainer.dataset import Options, Pool, build
if __name__ == "__main__":
    print(build([Path(given) for given in sys.argv[3:]], Path(sys.argv[1]), Options(), runner=Pool(int(sys.argv[2]))).id)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(BUILD)
    return path


class Endless:
    """A source that is never read to its end: a pipe that nobody closes. Its size is 0, and so it comes last."""

    def __init__(self, office: Path) -> None:
        self.path = office.parent / "endless.pcap"
        self._data = (office / "monday" / "a.pcap").read_bytes()
        os.mkfifo(self.path)
        self._pipe = os.open(self.path, os.O_RDWR)
        os.write(self._pipe, self._data[:30_000])

    def more(self) -> None:
        """Have whoever reads it look up."""
        os.write(self._pipe, self._data[30_000:60_000])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pipe)


def started(program: Path, out: Path, jobs: int, *given: Path) -> subprocess.Popen[str]:
    command = [sys.executable, program, out, str(jobs), *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def at_the_last(out: Path) -> bool:
    """Whether all sources are done but one, which is begun."""
    return len(list(out.glob("parts/*.parquet"))) == 3 and len(list(out.glob("parts/.*.partial"))) == 1


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_kill_loses_nothing_that_was_whole(
    office: Path, tmp_path: Path, program: Path, jobs: int, built: Dataset
) -> None:
    out = tmp_path / "out"
    with Endless(office) as endless, started(program, out, jobs, office, endless.path) as process:
        wait_for(lambda: at_the_last(out))
        theirs = children(process.pid)
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in theirs))
    with pytest.raises(DatasetError, match="its build was not finished; run the same"):
        Dataset.open(out)
    assert len(list(out.glob("parts/.*.partial"))) == 1
    assert made_again(office, out) == []
    assert list(out.glob("parts/.*")) == []
    assert Dataset.open(out).id == built.id


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_in_order(office: Path, tmp_path: Path, program: Path, built: Dataset) -> None:
    out = tmp_path / "out"
    with Endless(office) as endless, started(program, out, 2, office, endless.path) as process:
        wait_for(lambda: at_the_last(out))
        theirs = children(process.pid)
        for each in (process.pid, *theirs):  # as a terminal does
            os.kill(each, signal.SIGINT)
        time.sleep(0.2)
        endless.more()
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert err.count("Traceback") == 1
    assert list(out.glob("parts/.*")) == []
    assert made_again(office, out) == []
    assert Dataset.open(out).id == built.id


@pytest.mark.slow
def test_a_process_that_is_killed_is_told(office: Path, tmp_path: Path, program: Path) -> None:
    out = tmp_path / "out"
    with Endless(office) as endless, started(program, out, 2, office, endless.path) as process:
        wait_for(lambda: at_the_last(out))
        for child in children(process.pid):
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert "was killed, most likely for want of memory; say fewer with --jobs" in err


def test_the_real_captures_by_their_manifest(shared: Path, tmp_path: Path) -> None:
    apps = shared / "pcaps" / "apps"
    dataset = build([apps], tmp_path / "out", Options(), runner=serial, manifest=apps / "manifest.csv")
    assert (len(dataset.index.parts), dataset.index.skipped, dataset.index.duplicates) == (75, (), ())
    assert not any(part.cut_off or part.unlisted_connections or part.unmet_lines for part in dataset.index.parts)
    table = dataset.table(["cut", "capture", "start_ns", "server_name", "tls_version"])
    assert Counter(table["cut"].to_pylist()) == {"stream": 1822, "records": 1796}
    with (apps / "manifest.csv").open() as lines:
        wanted = Counter(
            (row["capture"], row["server_name"], int(row["tls_version"], 0)) for row in csv.DictReader(lines)
        )
    streams = [row for row in table.to_pylist() if row["cut"] == "stream"]
    found = Counter((row["capture"], row["server_name"], row["tls_version"]) for row in streams)
    assert found == wanted  # six of them begun before the capture: the manifest names their servers


@pytest.mark.slow
def test_captures_made_to_break_readers(shared: Path, tmp_path: Path) -> None:
    """Of 326 those of two collections, which have the broken files."""
    odd = shared / "pcaps" / "odd"
    given = [odd / "ntop+nDPI" / "_history", odd / "OISF+suricata-verify"]
    dataset = build(given, tmp_path / "out", Options(), runner=serial)
    files = sum(path.is_file() for folder in given for path in folder.rglob("*.pcap*"))
    assert len(dataset.index.parts) + len(dataset.index.skipped) + len(dataset.index.duplicates) == files
    assert sum(part.cut_off for part in dataset.index.parts) == 3
    assert dataset.rows > 400
    assert sum(len(some) for _, some in dataset.samples()) == dataset.rows


def test_recordings_of_a_real_zeek(shared: Path, tmp_path: Path) -> None:
    folder = shared / "zeek-wire" / "samples" / "odd" / "zeek+zeek"
    dataset = build([folder], tmp_path / "out", Options(), runner=serial)
    assert dataset.rows > 20
    assert set(dataset.table(["cut"])["cut"].to_pylist()) == {"stream"}
    assert dataset.index.skipped == ()


def test_what_the_index_says(built: Dataset) -> None:
    document = json.loads((built.folder / "dataset.json").read_text())
    assert document["id"] == built.id
    assert document["rows"] == built.rows == sum(part["rows"] for part in document["parts"])
    assert document["options"] == {
        "cuts": ["stream", "records"],
        "payload_bytes": 3000,
        "records": 16,
        "keep_payload": True,
        "manifest": None,
    }
    assert replace(built.index) == built.index
    assert [part["source"] for part in document["parts"]] == sorted(part["source"] for part in document["parts"])

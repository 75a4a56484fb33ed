from __future__ import annotations

import json
import resource
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eacf.flow import Sample
from eacf_trainer.dataset import DatasetError
from eacf_trainer.dataset.parts import Writer, about, stem_of

ONE = Sample("C1", 1, IPv4Address(1), 1, IPv4Address(2), 2, "a", b"payload")


def test_a_part_appears_when_it_is_whole(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer.add(ONE, cut="stream", capture="c")
        (beside,) = tmp_path.iterdir()
        assert beside.name.startswith(".")
        written = writer.finish("name", {"source": "s"})
    assert [path.name for path in tmp_path.iterdir()] == ["name.parquet"]
    assert (written.rows, written.bytes) == (1, (tmp_path / "name.parquet").stat().st_size)
    assert about(tmp_path / "name.parquet") == (
        written,
        {"source": "s", "rows": 1, "digest": written.digest},
    )


def test_nothing_is_left_of_a_part_that_was_given_up(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def give_up() -> None:
        with Writer(tmp_path) as writer:
            writer.add(ONE, cut="stream", capture="c")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


FULL = """
import resource, sys
from pathlib import Path
from eacf_trainer.dataset import parts
from eacf.flow import Sample
from ipaddress import IPv4Address
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
sample = Sample("C1", 1, IPv4Address(1), 1, IPv4Address(2), 2, "a", bytes(60_000))
try:
    with parts.Writer(Path(sys.argv[1])) as writer:
        for _ in range(400):
            writer.add(sample, cut="stream", capture="c")
        writer.finish("name", {})
except OSError as error:
    print(error.errno)
"""


@pytest.mark.parametrize("limit", [2, 1000, 9_000_000])
def test_nothing_is_left_where_the_disk_is_full(tmp_path: Path, limit: int) -> None:
    """A limit on the size of files stands for the disk: in the head, in the first row group, in a later one."""
    command = [sys.executable, "-c", FULL, str(tmp_path), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("27\n", "")  # EFBIG
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != limit


def test_the_name_of_a_part_follows_from_content_and_source() -> None:
    one = stem_of("0123456789abcdef" * 4, "some folder/ünd/x.pcap")
    assert one.startswith("0123456789abcdef-")
    assert one.endswith("-some_folder_nd_x.pcap")
    assert one.isascii()
    assert one != stem_of("0123456789abcdef" * 4, "some_folder/ünd/x.pcap")
    assert len(stem_of("0" * 64, "a" * 4000)) < 100


def test_what_is_no_part_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    for make in (
        lambda: path.write_bytes(b"PAR1"),
        lambda: pq.write_table(pa.table({"a": [1]}), path),
        lambda: pq.write_table(
            pa.table({"a": [1]}).replace_schema_metadata({"eacf_part": json.dumps({"rows": 1})}), path
        ),
    ):
        make()
        with pytest.raises(DatasetError, match=r"x.parquet: is"):
            about(path)

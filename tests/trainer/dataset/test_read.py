from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.collector import Collected
from eacf.flow import Chunk, Sample
from eacf_trainer.dataset import SCHEMA, Dataset, DatasetError, Options
from eacf_trainer.dataset.index import Index, Part
from eacf_trainer.dataset.parts import Writer

addresses = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(v=6), st.sampled_from([IPv6Address("::ffff:192.0.2.1"), IPv4Address(0)])
)
chunks = st.builds(Chunk, st.integers(0, 2**31 - 1), st.booleans(), st.integers(0, 2**63 - 1))
names = st.one_of(
    st.none(), st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape")), st.just("a.example")
)
ports = st.integers(0, 65_535)
samples = st.builds(
    Sample,
    st.text("0123456789abcXYZ", min_size=1, max_size=18),
    st.integers(-(2**63), 2**63 - 1),
    addresses,
    ports,
    addresses,
    ports,
    names,
    st.binary(max_size=50),
    st.lists(chunks, max_size=5),
    st.lists(st.integers(-65_535, 65_535), max_size=5),
)


def store(folder: Path, made: list[Sample], *, keep_payload: bool = True) -> Dataset:
    """A dataset of these alone."""
    (folder / "parts").mkdir(parents=True)
    with Writer(folder / "parts", keep_payload=keep_payload) as writer:
        for sample in made:
            writer.add(sample, cut="stream", capture="some/where")
        written = writer.finish("part", {})
    part = Part(written.file, written.rows, written.bytes, written.digest, "some/where", "0" * 64, 1, 1)
    (folder / "dataset.json").write_text(Index("0", Options(), (part,)).text())
    return Dataset.open(folder)


@settings(max_examples=25)
@given(st.lists(samples, min_size=1, max_size=8), st.data())
def test_samples_come_back_as_they_were(made: list[Sample], data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        dataset = store(Path(folder) / "dataset", made)
        assert [sample for _, some in dataset.samples() for sample in some] == made
        wanted = data.draw(st.lists(st.integers(0, len(made) - 1), max_size=5))
        some = [
            (row, sample)
            for rows, batch in dataset.samples(np.array(wanted, np.int64))
            for row, sample in zip(rows, batch, strict=True)
        ]
        assert some == [(row, made[row]) for row in sorted(set(wanted))]


def test_samples_are_what_the_collector_gave(
    built: Dataset, collected: list[Collected], whole: Callable[[Dataset], list[Sample]]
) -> None:
    assert whole(built) == [each.sample for each in collected]
    table = built.table(["cut", "complete_ns", "tls_version", "sensor"])
    assert table["cut"].to_pylist() == ["records" if each.also else "stream" for each in collected]
    assert table["complete_ns"].to_pylist() == [each.time_ns for each in collected]
    assert table["tls_version"].to_pylist() == [each.tls_version for each in collected]
    assert set(table["sensor"].to_pylist()) == {None}
    assert {0x303, 0x304} <= set(table["tls_version"].to_pylist())


def test_both_cuts_of_a_connection_have_its_number(built: Dataset) -> None:
    table = built.table(["connection", "uid", "capture", "cut"]).to_pylist()
    by_number = {each["connection"]: (each["uid"], each["capture"]) for each in table}
    assert all(by_number[each["connection"]] == (each["uid"], each["capture"]) for each in table)
    assert len(by_number) == 45
    assert len({(each["connection"], each["cut"]) for each in table}) == built.rows


def test_without_payload_it_is_not_read(built: Dataset, collected: list[Collected]) -> None:
    read = [sample for _, some in built.samples(payload=False) for sample in some]
    assert {sample.payload for sample in read} == {b""}
    assert [sample.chunks for sample in read] == [each.sample.chunks for each in collected]


def test_rows_are_numbered_through_all_parts(built: Dataset, collected: list[Collected]) -> None:
    wanted = np.array([built.rows - 1, 0, 31, 32, 31])
    read = [(int(row), sample) for rows, some in built.samples(wanted) for row, sample in zip(rows, some, strict=True)]
    assert read == [(row, collected[row].sample) for row in (0, 31, 32, built.rows - 1)]
    assert list(built.samples(np.array([], np.int64))) == []
    firsts = [(first, len(table)) for first, table in built.batches(["cut"])]
    assert firsts[0][0] == 0
    assert sum(count for _, count in firsts) == built.rows == len(built)
    assert len(firsts) == 3
    with pytest.raises(IndexError, match=f"rows 3 to {built.rows} of a dataset"):
        list(built.samples(np.array([3, built.rows])))


def test_many_rows_come_in_bounded_batches(tmp_path: Path) -> None:
    made = [Sample(f"C{number}", number, *2 * (IPv4Address(number), 1), None, b"") for number in range(9000)]
    dataset = store(tmp_path / "many", made)
    assert dataset.index.parts[0].rows == 9000
    assert len(list(dataset.batches(["uid"]))) == 2
    batches = list(dataset.samples())
    assert max(len(some) for _, some in batches) == 1024
    assert [sample for _, some in batches for sample in some] == made
    assert np.array_equal(np.concatenate([rows for rows, _ in batches]), np.arange(9000))
    sparse = np.arange(5, 9000, 7)
    read = [sample for _, some in dataset.samples(sparse) for sample in some]
    assert read == [made[row] for row in sparse]


def test_payload_that_was_not_kept_is_null(tmp_path: Path) -> None:
    sample = Sample("C1", 1, IPv4Address(1), 1, IPv4Address(2), 2, "a", b"payload", [Chunk(7, True, 0)], [7])
    dataset = store(tmp_path / "private", [sample], keep_payload=False)
    assert dataset.table(["payload"])["payload"].to_pylist() == [None]
    ((_, (read,)),) = dataset.samples()
    assert (read.payload, read.chunks) == (b"", sample.chunks)


def test_an_unknown_column_is_named(built: Dataset) -> None:
    with pytest.raises(DatasetError, match="has no column 'label'; there are cut, connection"):
        built.table(["cut", "label"])


def test_what_is_no_dataset_is_told_with_the_remedy(tmp_path: Path, built: Dataset) -> None:
    with pytest.raises(DatasetError, match="no such folder; make it with `eacf-train dataset"):
        Dataset.open(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"is no dataset \(dataset.json is missing\)"):
        Dataset.open(tmp_path)
    (tmp_path / "parts").mkdir()
    with pytest.raises(DatasetError, match="was not finished; run the same `eacf-train dataset` again"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match=r"cannot be read .* build the dataset again"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.json").write_text('{"schema": 9}')
    with pytest.raises(DatasetError, match="has schema 9, and this eacf reads 1"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.json").write_text('{"schema": 1}')
    with pytest.raises(DatasetError, match="does not say 'eacf'"):
        Dataset.open(tmp_path)
    document = json.loads((built.folder / "dataset.json").read_text())
    document["parts"] = document["parts"][:-1]
    (tmp_path / "dataset.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match="was changed after it was written"):
        Dataset.open(tmp_path)


def test_a_part_that_is_gone_half_or_another_is_told(tmp_path: Path) -> None:
    made = [Sample("C1", 1, IPv4Address(1), 1, IPv4Address(2), 2, "a", b"payload", [], [7])]
    dataset = store(tmp_path / "dataset", made)
    path = dataset.folder / "parts" / "part.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(DatasetError, match=r"part.parquet: has \d+ bytes, and had \d+ .* delete the folder and build"):
        Dataset.open(dataset.folder)
    path.write_bytes(whole[:-10] + bytes(10))
    with pytest.raises(DatasetError, match="is no whole Parquet file"):
        Dataset.open(dataset.folder)
    pq.write_table(pa.table({"uid": ["C1"]}), path)
    document = json.loads((dataset.folder / "dataset.json").read_text())
    document["parts"][0]["bytes"] = path.stat().st_size
    (dataset.folder / "dataset.json").write_text(json.dumps(document))
    with pytest.raises(DatasetError, match="is another Parquet file than the one that was written"):
        Dataset.open(dataset.folder)
    path.unlink()
    with pytest.raises(DatasetError, match="No such file or directory; delete the folder"):
        Dataset.open(dataset.folder)


def test_damage_in_the_middle_of_a_part_is_told_when_it_is_read(tmp_path: Path) -> None:
    made = [Sample(f"C{number}", 1, IPv4Address(1), 1, IPv4Address(2), 2, "a", b"payload") for number in range(500)]
    dataset = store(tmp_path / "dataset", made)
    path = dataset.folder / "parts" / "part.parquet"
    data = bytearray(path.read_bytes())
    data[data.index(b"payload")] ^= 1
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"the rows from 0 on are damaged .* delete the folder"):
        list(Dataset.open(dataset.folder).samples())


def test_an_empty_dataset_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds no connection; build it of captures that hold TLS"):
        store(tmp_path / "dataset", [])


def test_every_column_can_be_read(built: Dataset) -> None:
    table = built.table(SCHEMA.names)
    assert table.schema.names == SCHEMA.names
    assert len(table) == built.rows

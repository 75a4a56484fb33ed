"""A dataset that was built: whole columns, or samples a few at a time, however large it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eacf.flow import Chunk, Sample
from eacf_trainer.dataset.index import PARTS, Index
from eacf_trainer.dataset.schema import SCHEMA, DatasetError, address_of, same_columns, unescaped

BATCH_ROWS = 1024
"""Samples that are made at once."""
SAMPLE_COLUMNS = tuple(
    name
    for name in SCHEMA.names
    if name not in ("cut", "connection", "capture", "sensor", "complete_ns", "tls_version")
)


class Dataset:
    """Rows in a fixed order: part by part (by the name of their source), in a part as they were collected.

    Nothing but the index and the feet of the Parquet files is in memory; reading holds one row group (some 8 MB of payload).
    """

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder
        self.index = index
        self.id = index.id
        self.rows = index.rows

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """The dataset in `folder`; DatasetError, with the remedy, where it is not whole, not ours, or empty."""
        index = Index.read(folder)
        dataset = cls(folder, index)
        for part in index.parts:
            path = folder / PARTS / part.file
            try:
                size = path.stat().st_size
            except OSError as error:
                raise DatasetError(f"{path}: {error.strerror}; {_REMEDY}") from None
            if size != part.bytes:
                raise DatasetError(f"{path}: has {size} bytes, and had {part.bytes} when it was written; {_REMEDY}")
            with _parquet(path) as file:
                if not same_columns(file.schema_arrow) or file.metadata.num_rows != part.rows:
                    raise DatasetError(f"{path}: is another Parquet file than the one that was written; {_REMEDY}")
        if not dataset.rows:
            raise DatasetError(
                f"{folder}: holds no connection; build it of captures that hold TLS over TCP with application data"
            )
        return dataset

    def __len__(self) -> int:
        return self.rows

    def __repr__(self) -> str:
        return f"<Dataset {self.id}: {self.rows:,} rows in {self.folder}>"

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Whole columns, in row order. All of it is in memory: take `batches` for payload."""
        tables = [table for _, table in self.batches(columns)]
        return pa.concat_tables(tables).combine_chunks()

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        """(first row, columns) of each row group, in row order."""
        unknown = [name for name in columns if name not in SCHEMA.names]
        if unknown:
            raise DatasetError(f"{self.folder}: has no column {unknown[0]!r}; there are {', '.join(SCHEMA.names)}")
        for first, file, group in self._groups():
            yield first, self._group(first, file, group, columns)

    def samples(
        self, rows: NDArray[np.int64] | None = None, *, payload: bool = True
    ) -> Iterator[tuple[NDArray[np.int64], list[Sample]]]:
        """Batches of (row numbers, samples), rows ascending; `rows`: only these, whatever their order. `payload` False:
        it is not read, and empty in the samples.

        A sample is the one that the collector gave, or the recording held; without its payload if that was not kept.
        """
        wanted = None if rows is None else np.unique(np.asarray(rows, np.int64))
        if wanted is not None and len(wanted) and not 0 <= wanted[0] <= wanted[-1] < self.rows:
            raise IndexError(f"rows {wanted[0]} to {wanted[-1]} of a dataset with {self.rows}")
        columns = [name for name in SAMPLE_COLUMNS if payload or name != "payload"]
        for first, file, group in self._groups():
            count = file.metadata.row_group(group).num_rows
            if wanted is None:
                here = np.arange(count)
            else:
                begin, end = np.searchsorted(wanted, (first, first + count))
                here = wanted[begin:end] - first
            if not len(here):
                continue
            table = self._group(first, file, group, columns)
            for at in range(0, len(here), BATCH_ROWS):
                some = here[at : at + BATCH_ROWS]
                whole = some[-1] - some[0] + 1 == len(some)
                part = table.slice(some[0], len(some)) if whole else table.take(pa.array(some))
                yield some + first, _samples(part.combine_chunks())

    def _groups(self) -> Iterator[tuple[int, pq.ParquetFile, int]]:
        """(first row, file, number of the row group in the file) of each row group."""
        first = 0
        for part in self.index.parts:
            if not part.rows:
                continue
            with _parquet(self.folder / PARTS / part.file) as file:
                for group in range(file.metadata.num_row_groups):
                    yield first, file, group
                    first += file.metadata.row_group(group).num_rows

    def _group(self, first: int, file: pq.ParquetFile, group: int, columns: Sequence[str]) -> pa.Table:
        try:
            return file.read_row_group(group, columns=list(columns), use_threads=False).select(list(columns))
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(
                f"{self.folder}: the rows from {first} on are damaged ({str(error).strip()}); {_REMEDY}"
            ) from None


_REMEDY = "delete the folder and build the dataset again"


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path}: is no whole Parquet file ({error}); {_REMEDY}") from None


def _samples(table: pa.Table) -> list[Sample]:
    def plain(name: str) -> list[Any]:
        values: list[Any] = table.column(name).to_pylist()
        return values

    names = [None if name is None else unescaped(name) for name in plain("server_name")]
    payloads = plain("payload") if "payload" in table.column_names else [b""] * len(table)
    lengths, begins = _lists(table, "chunk_length")
    sides, _ = _lists(table, "chunk_is_orig")
    gaps, _ = _lists(table, "chunk_gap_ns")
    chunks = list(map(Chunk, lengths, sides, gaps))
    records, record_begins = _lists(table, "records")
    return [
        Sample(
            uid, start, address_of(orig_h), orig_p, address_of(resp_h), resp_p, name, payload or b"", theirs, lengths
        )
        for uid, start, orig_h, orig_p, resp_h, resp_p, name, payload, theirs, lengths in zip(
            plain("uid"),
            plain("start_ns"),
            plain("orig_h"),
            plain("orig_p"),
            plain("resp_h"),
            plain("resp_p"),
            names,
            payloads,
            (chunks[begin:end] for begin, end in pairwise(begins)),
            (records[begin:end] for begin, end in pairwise(record_begins)),
            strict=True,
        )
    ]


def _lists(table: pa.Table, name: str) -> tuple[list[Any], list[int]]:
    """All values of a list column one after the other, and where each row's begin and the last one's end."""
    column = table.column(name)
    if not column.num_chunks:
        return [], [0]
    values = column.chunk(0)
    begins = values.offsets.to_numpy()
    return values.flatten().to_pylist(), (begins - begins[0]).tolist()

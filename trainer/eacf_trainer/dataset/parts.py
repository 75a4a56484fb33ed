"""One Parquet file of a dataset, written beside and renamed when it is whole: whoever sees it sees all of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from eacf.flow import Sample
from eacf_trainer.dataset.columns import Columns, Digest
from eacf_trainer.dataset.schema import SCHEMA, DatasetError, same_columns

ABOUT_KEY: Final = "eacf_part"
"""Of the Parquet file's metadata: JSON of what the rows were made of, by which a build knows its own parts again."""
REPEATED: Final = ("cut", "capture", "sensor", "orig_h", "orig_p", "resp_h", "resp_p", "server_name", "tls_version")
"""Columns with few different values; they are written with a dictionary."""
COMPRESSION: Final = {
    "chunk_length.list.element": "zstd",
    "chunk_is_orig.list.element": "zstd",
    "chunk_gap_ns.list.element": "zstd",
    "records.list.element": "zstd",
    **{field.name: "zstd" for field in SCHEMA if not pa.types.is_list(field.type) and field.name != "payload"},
    "payload": "none",
}
"""Payload is ciphertext and does not compress."""
NAME_CHARACTERS = 60
_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")


@dataclass(frozen=True)
class Written:
    """A part that is there."""

    file: str
    rows: int
    bytes: int
    digest: str


class Writer:
    """Takes rows; :meth:`finish` makes the part appear. Left without it, nothing stays behind.

    Memory: one row group. OSError where the disk is full.
    """

    def __init__(self, folder: Path, *, keep_payload: bool = True) -> None:
        self._folder = folder
        self._beside = folder / f".{secrets.token_hex(8)}.partial"
        self._columns = Columns(keep_payload=keep_payload)
        self._digest = Digest()
        self.rows = 0
        self._parquet: Any = None
        self._begin()

    def _begin(self) -> None:
        try:
            self._parquet = pq.ParquetWriter(
                self._beside,
                SCHEMA,
                compression=COMPRESSION,
                use_dictionary=list(REPEATED),
                write_statistics=False,
                write_page_checksum=True,
            )
        except OSError:
            self._beside.unlink(missing_ok=True)
            raise

    def add(self, sample: Sample, **context: Any) -> None:
        """Append a row (`columns.Columns.add`)."""
        columns = self._columns
        columns.add(sample, **context)
        if columns.full:
            self._write()

    def _write(self) -> None:
        self.rows += len(self._columns)
        table = self._columns.take()
        self._digest.update(table)
        self._parquet.write_table(table, row_group_size=len(table))

    def finish(self, stem: str, about: Mapping[str, Any]) -> Written:
        """Write what is left, and give the file its name."""
        if len(self._columns):
            self._write()
        digest = self._digest.hexdigest()
        document = {**about, "rows": self.rows, "digest": digest}
        self._parquet.add_key_value_metadata({ABOUT_KEY: json.dumps(document)})
        self._parquet.close()
        size = sync(self._beside)
        name = f"{stem}.parquet"
        self._beside.replace(self._folder / name)
        sync(self._folder)
        return Written(name, self.rows, size, digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parquet.is_open = False  # else it would write its foot when Python lets go of it
        self._beside.unlink(missing_ok=True)


def sync(path: Path) -> int:
    """Have a file, or the names in a folder, survive a loss of power; its size."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)


def stem_of(sha256: str, source: str) -> str:
    """Name of the part of a source: content first, so that equal names of different content do not meet."""
    name = _UNSAFE.sub("_", source)[-NAME_CHARACTERS:]
    return f"{sha256[:16]}-{hashlib.sha256(source.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}-{name}"


def about(path: Path) -> tuple[Written, dict[str, Any]]:
    """A part that is there, and what its writer said of it; DatasetError where it is none, or not whole."""
    try:
        size = path.stat().st_size
        with pq.ParquetFile(path) as file:
            document = json.loads((file.metadata.metadata or {})[ABOUT_KEY.encode()])
            if not same_columns(file.schema_arrow) or file.metadata.num_rows != document["rows"]:
                raise DatasetError(f"{path}: is of another schema")
            return Written(path.name, document["rows"], size, document["digest"]), document
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: is no part of a dataset ({error})") from None

"""Samples to columns: appended value by value, turned into Arrow a row group at a time, and their content hashed."""

from __future__ import annotations

import hashlib
from array import array
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eacf.flow import Sample
from eacf_trainer.dataset.schema import SCHEMA, address_text, connection_number, escaped

GROUP_ROWS: Final = 8192
GROUP_BYTES: Final = 8 * 1024 * 1024
"""A row group ends with the row that reaches one of the two; what a row takes is counted roughly."""
ROW_BYTES = 200
CHUNK_BYTES = 13


class Columns:
    """The rows of the row group at hand."""

    def __init__(self, *, keep_payload: bool = True) -> None:
        self._keep_payload = keep_payload
        self._clear()

    def _clear(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._payloads: list[bytes] = []
        self._lengths, self._sides, self._gaps, self._records = array("i"), bytearray(), array("q"), array("i")
        self._chunk_ends, self._record_ends = array("i", (0,)), array("i", (0,))
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def full(self) -> bool:
        """Whether it is time for `take`."""
        return self._bytes >= GROUP_BYTES or len(self._rows) >= GROUP_ROWS

    def add(
        self,
        sample: Sample,
        *,
        cut: str,
        capture: str,
        sensor: str | None = None,
        complete_ns: int | None = None,
        tls_version: int | None = None,
    ) -> None:
        """Append a row. The sample's numbers must be in the wire contract's range."""
        start_ns, orig_p, resp_p, name = sample.start_ns, sample.orig_p, sample.resp_p, sample.server_name
        orig_h, resp_h = address_text(sample.orig_h), address_text(sample.resp_h)
        self._rows.append(
            (
                cut,
                connection_number(capture, orig_h, orig_p, resp_h, resp_p, start_ns),
                capture,
                sensor,
                complete_ns,
                sample.uid,
                start_ns,
                orig_h,
                orig_p,
                resp_h,
                resp_p,
                None if name is None else escaped(name),
                tls_version,
            )
        )
        chunks, records = sample.chunks, sample.records
        if self._keep_payload:
            self._payloads.append(sample.payload)
            self._bytes += len(sample.payload)
        for chunk in chunks:
            self._lengths.append(chunk.length)
            self._sides.append(chunk.is_orig)
            self._gaps.append(chunk.gap_ns)
        self._chunk_ends.append(len(self._lengths))
        self._records.extend(records)
        self._record_ends.append(len(self._records))
        self._bytes += ROW_BYTES + CHUNK_BYTES * len(chunks) + 4 * len(records)

    def take(self) -> pa.Table:
        """All rows so far, which are then forgotten."""
        count = len(self._rows)
        plain = list(zip(*self._rows, strict=True)) or [()] * len(PLAIN)
        arrays = [pa.array(values, SCHEMA.field(name).type) for name, values in zip(PLAIN, plain, strict=True)]
        payload = pa.array(self._payloads, pa.binary()) if self._keep_payload else pa.nulls(count, pa.binary())
        chunk_ends = _integers(self._chunk_ends)
        sides = pa.array(np.frombuffer(bytes(self._sides), np.bool_))
        arrays += [
            payload,
            pa.ListArray.from_arrays(chunk_ends, _integers(self._lengths)),
            pa.ListArray.from_arrays(chunk_ends, sides),
            pa.ListArray.from_arrays(chunk_ends, _integers(self._gaps)),
            pa.ListArray.from_arrays(_integers(self._record_ends), _integers(self._records)),
        ]
        self._clear()
        return pa.Table.from_arrays(arrays, schema=SCHEMA)


PLAIN: Final = tuple(SCHEMA.names[: SCHEMA.names.index("payload")])


def _integers(values: array[int]) -> pa.Array:
    kind = np.int32 if values.typecode == "i" else np.int64
    return pa.array(np.frombuffer(values, kind) if values else np.empty(0, kind))


class Digest:
    """sha256 of rows by what they say: not by how they are grouped, compressed or laid out, nor by who wrote them."""

    def __init__(self) -> None:
        self._hashes = {(name, what): hashlib.sha256() for name in SCHEMA.names for what in ("sizes", "values")}

    def update(self, table: pa.Table) -> None:
        """Go on with the rows of `table`, which has all columns."""
        for name in SCHEMA.names:
            for piece in table.column(name).chunks:
                sizes, values = _content(piece)
                self._hashes[name, "sizes"].update(sizes)
                self._hashes[name, "values"].update(values)

    def hexdigest(self) -> str:
        """Of all rows so far."""
        total = hashlib.sha256()
        for part in self._hashes.values():
            total.update(part.digest())
        return total.hexdigest()


def _content(array: pa.Array) -> tuple[bytes, Any]:
    """How long each value is (-1: null), or which are null (1), and the values one after the other; little-endian."""
    kind = array.type
    if pa.types.is_list(kind):
        return _bytes(pc.list_value_length(array)), _bytes(array.flatten())
    if pa.types.is_binary(kind) or pa.types.is_string(kind):
        values = array.drop_null() if array.null_count else array
        _, ends, data = values.buffers()
        if not len(values) or data is None:
            return _bytes(pc.fill_null(pc.binary_length(array), -1)), b""
        places = np.frombuffer(ends, np.int32)[values.offset : values.offset + len(values) + 1]
        return _bytes(pc.fill_null(pc.binary_length(array), -1)), memoryview(data)[places[0] : places[-1]]
    return _bytes(array.is_null()), _bytes(pc.fill_null(array, 0))


def _bytes(array: pa.Array) -> bytes:
    values = array.to_numpy(zero_copy_only=False)
    return bytes(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())

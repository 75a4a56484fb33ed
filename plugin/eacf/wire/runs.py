"""Runs of equal elements of fixed width, read and written at once: the chunks and the records of a sample.

=======  =====  ==========================================================================================
chunk    22     ``0e 03`` record of 3, ``02`` + 8 bytes len, ``01`` + 1 byte is_orig, ``0a`` + 8 bytes gap
record   9      ``03`` + 8 bytes length
=======  =====  ==========================================================================================

A run is taken as one big integer and masked: one comparison then says that every tag is where it must be and every
number in the contract's range. What does not fit raises `Unusual`; the general way then looks at the whole body.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import starmap
from struct import Struct
from typing import NamedTuple

from eacf.flow import Chunk
from eacf.wire.messages import MAX_CHUNK, MAX_RECORD

MAX_RUN = 512
"""Elements of a run that is read at once. Masks are cached for 128 lengths each, some 8 MB where all are long."""

CHUNK_BYTES = 22
RECORD_BYTES = 9

_CHUNK = Struct(">3xQx?xq")
_CHUNK_TAGGED = Struct(">3sQB?Bq")
_CHUNK_TAGS = Struct(">3sQBBBq").pack(b"\x0e\x03\x02", 0, 1, 0, 10, 0)
_CHUNK_MASK = Struct(">3sQBBBQ").pack(b"\xff\xff\xff", 2**64 - 1 - MAX_CHUNK, 0xFF, 0xFE, 0xFF, 0)


class Unusual(Exception):
    """The fast way does not apply. Never leaves this package."""


class _RecordRun(NamedTuple):
    """What it takes to read `n` records; each number holds the same 9 bytes `n` times."""

    struct: Struct
    sign: int
    lowest: int
    one: int
    mask: int
    tags: int


def read_chunks(run: bytes, count: int) -> list[Chunk]:
    """The chunks of a run of `count` (1 to `MAX_RUN`)."""
    mask, tags = _chunk_marks(count)
    if len(run) != CHUNK_BYTES * count or int.from_bytes(run, "big") & mask != tags:
        raise Unusual
    return list(starmap(Chunk, _CHUNK.iter_unpack(run)))


def read_records(run: bytes, count: int) -> list[int]:
    """The record lengths of a run of `count` (1 to `MAX_RUN`)."""
    marks = _record_run(count)
    if len(run) != RECORD_BYTES * count or not _records_fit(run, marks):
        raise Unusual
    return list(marks.struct.unpack(run))


def write_chunks(chunks: Sequence[Chunk]) -> bytes:
    """The run of 1 to `MAX_RUN` chunks."""
    pack = _CHUNK_TAGGED.pack
    run = b"".join([pack(b"\x0e\x03\x02", chunk.length, 1, chunk.is_orig, 10, chunk.gap_ns) for chunk in chunks])
    mask, tags = _chunk_marks(len(chunks))
    if int.from_bytes(run, "big") & mask != tags:
        raise Unusual
    return run


def write_records(records: Sequence[int]) -> bytes:
    """The run of 1 to `MAX_RUN` record lengths."""
    marks = _record_run(len(records))
    run = bytearray(marks.struct.pack(*records))
    run[::RECORD_BYTES] = b"\x03" * len(records)
    if not _records_fit(run, marks):
        raise Unusual
    return bytes(run)


def _records_fit(run: bytes | bytearray, marks: _RecordRun) -> bool:
    """Whether every tag is 3 and every length in -65,535 to 65,535.

    With the sign bit flipped a length is unsigned and 2**63 too large; less 2**63 - 65,535 it is 0 to 131,070. A
    smaller one borrows from its tag, one above 131,071 sets a bit of the mask, and one more tells 131,071 itself.
    """
    shifted = (int.from_bytes(run, "big") ^ marks.sign) - marks.lowest
    return shifted & marks.mask == marks.tags and shifted + marks.one & marks.mask == marks.tags


@lru_cache(maxsize=128)
def _chunk_marks(count: int) -> tuple[int, int]:
    """Mask of the bits that are the same in every chunk, and what they must be."""
    if count > MAX_RUN:
        raise Unusual
    return int.from_bytes(_CHUNK_MASK * count, "big"), int.from_bytes(_CHUNK_TAGS * count, "big")


@lru_cache(maxsize=128)
def _record_run(count: int) -> _RecordRun:
    if count > MAX_RUN:
        raise Unusual

    def times(tag: int, number: int) -> int:
        return int.from_bytes((bytes((tag,)) + number.to_bytes(8, "big")) * count, "big")

    return _RecordRun(
        struct=Struct(">" + "xq" * count),
        sign=times(0, 2**63),
        lowest=times(0, 2**63 - MAX_RECORD),
        one=times(0, 1),
        mask=times(0xFF, 2**64 - 2 * (MAX_RECORD + 1)),
        tags=times(3, 0),
    )

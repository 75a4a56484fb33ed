"""Runs of chunks and records at once, against one element at a time."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.flow import Chunk
from eacf.wire.messages import MAX_CHUNK, MAX_RECORD
from eacf.wire.runs import MAX_RUN, Unusual, read_chunks, read_records, write_chunks, write_records

EDGES = [-(2**63), -(2**32), -MAX_RECORD - 2, -MAX_RECORD - 1, -MAX_RECORD, -1, 0, 1, MAX_RECORD]
EDGES += [MAX_RECORD + 1, MAX_RECORD + 2, 2 * MAX_RECORD, 2**32, 2**63 - 1]
LENGTHS = st.one_of(
    st.integers(-MAX_RECORD, MAX_RECORD), st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1), st.just(1)
)


def records_by_hand(lengths: list[int]) -> bytes:
    return b"".join(b"\x03" + struct.pack(">q", length) for length in lengths)


@given(st.lists(LENGTHS, min_size=1, max_size=40))
def test_records(lengths: list[int]) -> None:
    run = records_by_hand(lengths)
    if all(-MAX_RECORD <= length <= MAX_RECORD for length in lengths):
        assert read_records(run, len(lengths)) == lengths
        assert write_records(lengths) == run
    else:
        with pytest.raises(Unusual):
            read_records(run, len(lengths))
        with pytest.raises(Unusual):
            write_records(lengths)


@pytest.mark.parametrize("length", EDGES)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_record_out_of_range_among_others(length: int, at: int) -> None:
    lengths = [1, -1, 1]
    lengths[at] = length
    run = records_by_hand(lengths)
    if abs(length) <= MAX_RECORD:
        assert read_records(run, 3) == lengths
    else:
        with pytest.raises(Unusual):
            read_records(run, 3)


@given(st.lists(st.integers(-MAX_RECORD, MAX_RECORD), min_size=1, max_size=10), st.data())
def test_a_record_of_another_tag(lengths: list[int], data: st.DataObject) -> None:
    run = bytearray(records_by_hand(lengths))
    run[9 * data.draw(st.integers(0, len(lengths) - 1))] = data.draw(st.integers(0, 255).filter(lambda tag: tag != 3))
    with pytest.raises(Unusual):
        read_records(bytes(run), len(lengths))


@given(
    st.lists(
        st.builds(Chunk, st.integers(0, MAX_CHUNK), st.booleans(), st.integers(-(2**63), 2**63 - 1)),
        min_size=1,
        max_size=30,
    )
)
def test_chunks(chunks: list[Chunk]) -> None:
    run = b"".join(
        struct.pack(">3sQB?Bq", b"\x0e\x03\x02", chunk.length, 1, chunk.is_orig, 10, chunk.gap_ns) for chunk in chunks
    )
    assert write_chunks(chunks) == run
    assert read_chunks(run, len(chunks)) == chunks


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 5, 6, 11, 12, 13])
def test_any_bit_of_a_chunk_that_must_not_change(at: int) -> None:
    """Tags, the high half of the length, and all of a bool but its lowest bit; in the first and the second chunk."""
    run = write_chunks([Chunk(1, False, 0), Chunk(2, True, 5)])
    for bit in range(1 if at == 12 else 0, 8):
        for start in (0, 22):
            changed = bytearray(run)
            changed[start + at] ^= 1 << bit
            with pytest.raises(Unusual):
                read_chunks(bytes(changed), 2)


def test_the_length_of_a_run_must_fit() -> None:
    chunks, records = write_chunks([Chunk(1, True, 0)] * 3), write_records([1] * 3)
    for count in (2, 4):
        with pytest.raises(Unusual):
            read_chunks(chunks, count)
        with pytest.raises(Unusual):
            read_records(records, count)
    for count in (MAX_RUN + 1, 16383):
        with pytest.raises(Unusual):
            read_chunks(bytes(22 * count), count)
        with pytest.raises(Unusual):
            read_records(bytes(9 * count), count)

"""Held against an encoder written byte by byte from the paper's section III-A."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf.features import Features, GapsOnly, Paper, PayloadOnly
from eacf.flow import Needs, Sample

Make = Callable[..., Sample]
INT64 = (1 << 63) - 1
CHUNKS = st.lists(
    st.tuples(st.integers(0, 40), st.booleans(), st.integers(0, 10_000_000) | st.integers(-5, INT64)), max_size=12
)


def gap_bytes(gap_ns: int) -> list[int]:
    """One gap, digit by digit."""
    micros = max(0, min(gap_ns // 1000, 4294967295))
    return [micros // 256**power % 256 for power in (3, 2, 1, 0)]


def slow_paper(sample: Sample, len_bytes: int) -> list[int]:
    row: list[int] = []
    left = list(sample.payload)
    for chunk in sample.chunks:
        for _ in range(chunk.length):
            if left:
                row.append(left.pop(0))
        row += gap_bytes(chunk.gap_ns)
    row += left
    while len(row) < len_bytes:
        row.append(0)
    return row[:len_bytes]


@given(st.data(), CHUNKS, st.integers(-30, 30), st.integers(1, 200))
def test_row_is_what_the_paper_says(make: Make, data: st.DataObject, chunks: list, more: int, len_bytes: int) -> None:
    length = max(0, sum(each[0] for each in chunks) + more)
    sample = make(data.draw(st.binary(min_size=length, max_size=length)), chunks)
    other = make(b"\xff" * 300, [(300, True, INT64)])
    rows = Paper(len_bytes).encode([sample, other])
    assert rows.dtype == np.uint8
    assert rows[0].tolist() == slow_paper(sample, len_bytes)
    assert rows[1].tolist() == slow_paper(other, len_bytes)


def test_a_row_written_out(make: Make) -> None:
    sample = make(b"abcXY", [(3, True, 0), (2, False, 1_234_567_999)])
    assert Paper(16).encode([sample])[0].tobytes() == b"abc\0\0\0\0XY\x00\x12\xd6\x87\0\0\0"


@pytest.mark.parametrize(
    ("gap_ns", "expected"),
    [(999, 0), (1000, 1), (4294967295_000, 4294967295), (4294967296_000, 4294967295), (INT64, 4294967295), (-1, 0)],
)
def test_gap_is_whole_microseconds_and_saturates(make: Make, gap_ns: int, expected: int) -> None:
    sample = make(b"ab", [(1, True, 0), (1, False, gap_ns)])
    assert int.from_bytes(Paper(10).encode([sample])[0, 6:10].tobytes(), "big") == expected
    assert int.from_bytes(GapsOnly(1).encode([sample])[0].tobytes(), "big") == expected


@given(CHUNKS, st.integers(1, 8))
def test_gaps_are_those_of_the_second_chunk_and_after(make: Make, chunks: list, count: int) -> None:
    expected = [byte for _, _, gap_ns in chunks[1 : count + 1] for byte in gap_bytes(gap_ns)]
    row = GapsOnly(count).encode([make(b"", chunks)])[0].tolist()
    assert row == (expected + [0] * (4 * count))[: 4 * count]


@given(st.binary(max_size=300), st.integers(1, 200))
def test_payload_alone(make: Make, payload: bytes, len_bytes: int) -> None:
    row = PayloadOnly(len_bytes).encode([make(payload, [(len(payload), True, 0)])])[0].tobytes()
    assert row == (payload + bytes(len_bytes))[:len_bytes]


def test_recorded_samples(recorded: list[Sample]) -> None:
    rows = Paper(3000).encode(recorded)
    for number in range(0, len(recorded), 20):
        assert rows[number].tolist() == slow_paper(recorded[number], 3000)
    assert all(Paper(3000).lacks(sample) is None for sample in recorded)


def test_needs() -> None:
    assert Paper(1000).needs == Needs(1000, 1000, 0, True)
    assert PayloadOnly(1000).needs == Needs(1000, 1000, 0, False)
    assert GapsOnly(10, window_bytes=2000).needs == Needs(0, 2000, 0, True)
    assert not any(each.needs.records_only for each in (Paper(), PayloadOnly(), GapsOnly()))


@pytest.mark.parametrize(
    ("features", "payload", "chunks", "lack"),
    [
        (Paper(10), b"", [], "chunks"),
        (Paper(10), b"", [(5, True, 0)], "payload"),
        (Paper(10), b"abc", [(5, True, 0)], "payload"),
        (Paper(10), b"abcde", [(5, True, 0)], None),
        (Paper(10), b"a" * 10, [(50, True, 0)], None),
        (PayloadOnly(10), b"", [], "payload"),
        (PayloadOnly(10), b"abc", [], None),
        (PayloadOnly(10), b"abc", [(5, True, 0)], "payload"),
        (GapsOnly(10), b"abc", [], "chunks"),
        (GapsOnly(10), b"", [(5, True, 0)], None),
    ],
)
def test_lacks(make: Make, features: Features, payload: bytes, chunks: list, lack: str | None) -> None:
    sample = make(payload, chunks, [5])
    assert features.lacks(sample) == lack
    assert features.encode([sample]).shape == (1, *features.shape)


@pytest.mark.parametrize("value", [0, -1, 65537, True, 3.0, "3", None])
def test_length_has_bounds(value: int) -> None:
    for each in (Paper, PayloadOnly, GapsOnly):
        with pytest.raises(SettingError, match="allowed: a whole number from 1"):
            each(value)


def test_out_is_overwritten_whole(make: Make) -> None:
    for features in (Paper(20), PayloadOnly(20), GapsOnly(5)):
        out = np.full((1, 20), 7, np.uint8)
        sample = make(b"ab", [(2, True, 0)])
        assert features.encode([sample], out) is out
        assert np.array_equal(out, features.encode([sample]))
        with pytest.raises(ValueError, match="contiguous uint8"):
            features.encode([sample], np.zeros((20, 2), np.uint8).T[:1])

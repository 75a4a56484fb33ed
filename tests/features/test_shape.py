"""Held against an encoder that asks, for each value in turn, which bin it is in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf.features import Shape
from eacf.features.shape import log_step
from eacf.flow import Needs, Sample

Make = Callable[..., Sample]
INT64 = (1 << 63) - 1
EDGES = st.lists(st.integers(-65535, 65535), max_size=6, unique=True).map(sorted)
NUMBERS = st.integers(-70000, 70000) | st.integers(-INT64, INT64)
CHUNKS = st.lists(st.tuples(st.integers(0, 70000) | st.integers(0, 1 << 64), st.booleans(), NUMBERS), max_size=8)


def slow_bin(value: int | None, edges: list[int]) -> int:
    """0: absent."""
    return 0 if value is None or value <= -(1 << 38) else 1 + sum(edge <= value for edge in edges)


def slow_shape(sample: Sample, features: Shape) -> list[int]:
    sizes = [each.length if each.is_orig else -each.length for each in sample.chunks]
    gaps = [log_step(each.gap_ns) for each in sample.chunks[1:]]
    row: list[int] = []
    for values, bins in (
        (sample.records, features.record_bins),
        (sizes, features.chunk_bins),
        (gaps, features.gap_bins),
    ):
        for position, edges in enumerate(bins):
            one_hot = [0] * features.bins
            one_hot[slow_bin(values[position] if position < len(values) else None, list(edges))] = 255
            row += one_hot
    return row


@given(
    st.lists(EDGES, max_size=5),
    st.lists(EDGES, max_size=4),
    st.lists(EDGES, max_size=4),
    st.integers(8, 20),
    st.lists(st.tuples(CHUNKS, st.lists(NUMBERS, max_size=8)), min_size=1, max_size=4),
)
def test_rows_are_one_hot_of_the_right_bin(
    make: Make, records: list, chunks: list, gaps: list, bins: int, flows: list
) -> None:
    if not records + chunks + gaps:
        records = [[]]
    features = Shape(records, chunks, gaps, bins=bins)
    samples = [make(b"", chunk_list, lengths) for chunk_list, lengths in flows]
    rows = features.encode(samples)
    assert rows.tolist() == [slow_shape(sample, features) for sample in samples]


@pytest.mark.parametrize("number", [1 << 40, 1 << 62, 1 << 64, 1 << 400])
def test_absurd_numbers_are_large_numbers(make: Make, number: int) -> None:
    features = Shape([[0], [0]], [[0]], bins=4)
    rows = features.encode([make(b"", [(number, True, 0)], [number, 5]), make(b"", [(7, True, 0)], [7, 5])])
    assert rows[0].tolist() == rows[1].tolist()


def test_recorded_samples(recorded: list[Sample]) -> None:
    features = Shape.fit(recorded, records=8, chunks=4, gaps=3)
    rows = features.encode(recorded)
    assert (rows.reshape(len(recorded), 15, 64).sum(axis=2) == 255).all()
    for number in range(0, len(recorded), 20):
        assert rows[number].tolist() == slow_shape(recorded[number], features)
    first = rows.reshape(len(recorded), 15, 64)[:, 0].argmax(axis=1)
    assert len(np.unique(first)) > 50  # lengths are seen finely


def test_bins_are_learnt_for_each_position(make: Make) -> None:
    samples = [make(b"", [], [100 + number, -5000 - number]) for number in range(200)]
    features = Shape.fit(samples, records=3, bins=16)
    first, second, third = features.record_bins
    assert all(edge == 0 or 100 < edge < 300 for edge in first)
    assert all(edge == 0 or -5200 < edge < -5000 for edge in second)
    assert len(first) > 10
    assert len(second) > 10
    assert third == (0,)


def test_needs() -> None:
    assert Shape([[0]] * 8).needs == Needs(0, 3000, 8, False)
    assert Shape([[0]] * 8).needs.records_only
    assert Shape([[0]] * 8, [[0]] * 4, window_bytes=2000).needs == Needs(0, 2000, 0, True)
    assert Shape([[0]] * 8, [], [[0]]).needs == Needs(0, 3000, 0, True)


def test_lacks(make: Make) -> None:
    records, both, chunks = Shape([[0]]), Shape([[0]], [[0]]), Shape([], [], [[0]])
    records_only, stream, short = make(b"", [], [100]), make(b"ab", [(2, True, 0)], [100]), make(b"ab", [(2, True, 0)])
    assert [each.lacks(records_only) for each in (records, both, chunks)] == [None, "chunks", "chunks"]
    assert [each.lacks(stream) for each in (records, both, chunks)] == [None, None, None]
    assert [each.lacks(short) for each in (records, both, chunks)] == ["records", "records", None]


def test_a_longer_sample_is_used_from_its_beginning(make: Make) -> None:
    features = Shape([[0, 50]] * 2, bins=8)
    assert np.array_equal(
        features.encode([make(b"", [], [10, 60])]), features.encode([make(b"x" * 9, [(9, True, 0)], [10, 60, -70])])
    )


def test_log_step_grows_by_a_fixed_ratio() -> None:
    assert [log_step(gap) for gap in (-5, 0, 999)] == [0, 0, 15]
    assert log_step(2_000_000_000) - log_step(1_000_000_000) == 16
    assert log_step(INT64) < 1000


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"record_bins": []}, "0 values; allowed: 1 to 256"),
        ({"record_bins": [[0]] * 200, "chunk_bins": [[0]] * 57}, "257 values"),
        ({"record_bins": [[0]] * 257}, "at most 256 lists"),
        ({"record_bins": [[0]], "bins": 3}, "'bins' is 3; allowed"),
        ({"record_bins": [[0]], "bins": 257}, "'bins' is 257; allowed"),
        ({"record_bins": [[0]], "window_bytes": 0}, "'window_bytes' is 0; allowed"),
        ({"record_bins": [[0], [5, 4]]}, r"'record_bins\[1\]' has edges that do not ascend"),
        ({"record_bins": [5]}, r"'record_bins\[0\]' must be a list"),
    ],
)
def test_bad_parameters(arguments: dict, problem: str) -> None:
    with pytest.raises(SettingError, match=problem):
        Shape(**arguments)

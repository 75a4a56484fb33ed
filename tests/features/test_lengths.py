"""Held against an encoder that looks at one flow after another, value by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf.features import Layout, Lengths, from_spec
from eacf.features.bins import ABSENT, MOST
from eacf.features.lengths import LIMIT, tabulated
from eacf.flow import Needs, Sample

Make = Callable[..., Sample]
NUMBERS = st.integers(-70_000, 70_000) | st.sampled_from([0, 100, -100, 101, -101]) | st.integers(-(1 << 70), 1 << 70)
FLOWS = st.lists(st.lists(NUMBERS, max_size=12), min_size=1, max_size=5)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    records = draw(st.integers(1, 9))
    places, sides, large = (draw(st.integers(0, records)) for _ in range(3))
    totals = draw(st.booleans()) or not places + sides + large
    return Layout(records, places, sides, large, draw(st.sampled_from([0, 100, 65_536])), totals)


def padded(values: list[int], count: int) -> list[int]:
    return (values + [ABSENT] * count)[:count]


def slow_values(records: list[int], layout: Layout) -> list[int]:
    looked = [min(max(number, ABSENT), MOST) for number in records[: layout.records]]
    orig = [number for number in looked if number > 0]
    resp = [number for number in looked if ABSENT < number < 0]
    row = padded(looked, layout.places) + padded(orig, layout.sides) + padded(resp, layout.sides)
    row += padded([number for number in orig if number > layout.large_bytes], layout.large)
    row += padded([number for number in resp if number < -layout.large_bytes], layout.large)
    if layout.totals:
        row += [sum(orig), -sum(resp), len(orig), len(resp), max(orig, default=0), -min(resp, default=0)]
    return row


def slow_row(records: list[int], features: Lengths) -> list[int]:
    row: list[int] = []
    for value, edges in zip(slow_values(records, features.layout), features.edges, strict=True):
        one_hot = [0] * features.bins
        one_hot[0 if value == ABSENT else 1 + sum(edge <= value for edge in edges)] = 255
        row += one_hot
    return row


@given(layouts(), FLOWS)
def test_values_are_those_of_the_records(layout: Layout, flows: list[list[int]]) -> None:
    values = layout.of(tabulated(flows, layout.records))
    assert values.shape == (len(flows), layout.values)
    assert values.tolist() == [slow_values(records, layout) for records in flows]


@given(layouts(), FLOWS, st.integers(8, 12), st.data())
def test_rows_are_one_hot_of_the_right_bin(
    make: Make, layout: Layout, flows: list[list[int]], bins: int, data: st.DataObject
) -> None:
    numbers = st.lists(st.integers(-2000, 2000) | st.integers(-LIMIT, LIMIT), max_size=6, unique=True)
    edges = [sorted(data.draw(numbers)) for _ in range(layout.values)]
    features = Lengths(layout, edges, bins=bins)
    rows = features.encode([make(b"", [], records) for records in flows])
    assert rows.tolist() == [slow_row(records, features) for records in flows]
    again = from_spec(features.spec())
    assert isinstance(again, Lengths)
    assert (again.layout, again.edges, again.needs) == (layout, features.edges, features.needs)
    assert np.array_equal(again.encode([make(b"", [], records) for records in flows]), rows)


def test_the_values_of_one_flow_by_hand() -> None:
    layout = Layout(records=6, places=3, sides=2, large=1, large_bytes=100)
    (row,) = layout.of(tabulated([[517, -1200, -90, 80, 300, -2000, 999]], 6)).tolist()
    assert row == [517, -1200, -90, 517, 80, -1200, -90, 517, -1200, 897, 3290, 3, 3, 517, 2000]
    (none,) = layout.of(tabulated([[]], 6)).tolist()
    assert none == [ABSENT] * 9 + [0] * 6


@pytest.mark.parametrize("number", [1 << 38, 1 << 63, 1 << 64, 1 << 400])
def test_absurd_numbers_are_large_numbers(make: Make, number: int) -> None:
    features = Lengths(Layout(4, 2, 2, 1), [[0, 1000]] * 14, bins=4)
    rows = features.encode([make(b"", [], [number, -5]), make(b"", [], [70_000, -5])])
    assert rows[0].tolist() == rows[1].tolist()
    assert features.encode([make(b"", [], [-number])]).reshape(14, 4)[0, 0] == [0, 255][number >= 1 << 38]


def test_only_the_first_records_count(make: Make) -> None:
    features = Lengths(Layout(2, 2, 1, 1), [[0, 50]] * 12, bins=8)
    short, long = make(b"", [], [10, 60]), make(b"x" * 9, [(9, True, 0)], [10, 60, -70, 10_000])
    assert np.array_equal(features.encode([short]), features.encode([long]))


def test_a_sensor_is_asked_for_records_alone(make: Make) -> None:
    features = Lengths(Layout(records=5), [[0]] * 20, bins=4)
    assert features.needs == Needs(payload_bytes=0, records=5, chunks=False)
    assert features.needs.records_only
    assert features.shape == (80,)
    assert features.lacks(make(b"ab", [(2, True, 0)])) == "records"
    assert features.lacks(make(b"", [], [100])) is None


def test_recorded_samples(recorded: list[Sample]) -> None:
    layout = Layout()
    edges = [[-5000, -1000, -100, 0, 100, 300, 600, 2000]] * layout.values
    features = Lengths(layout, edges, bins=10)
    rows = features.encode(recorded)
    assert (rows.reshape(len(recorded), layout.values, 10).sum(axis=2) == 255).all()
    for number in range(0, len(recorded), 20):
        assert rows[number].tolist() == slow_row(recorded[number].records, features)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"records": 0}, "'records' is 0; allowed: a whole number from 1 to 64"),
        ({"records": 65}, "'records' is 65"),
        ({"places": 9}, "'places' is 9; allowed: a whole number from 0 to 8"),
        ({"sides": -1}, "'sides' is -1"),
        ({"large": 1.0}, "'large' is float"),
        ({"large_bytes": 1 << 17}, "'large_bytes' is 131072"),
        ({"totals": 1}, "'totals' is int; allowed: true, false"),
        ({"places": 0, "sides": 0, "large": 0, "totals": False}, "lengths has 0 values; allowed: 1 to 256"),
        ({"records": 64, "places": 64, "sides": 64, "large": 64}, "lengths has 326 values"),
    ],
)
def test_bad_layouts(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingError, match=problem):
        Layout(**changed)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"bins": 3}, "'bins' is 3; allowed"),
        ({"bins": True}, "'bins' is True"),
        ({"edges": [[0]] * 19}, "'edges' has 19 lists; the layout has 20 values"),
        ({"edges": [[0]] * 19 + [[5, 4]]}, r"'edges\[19\]' has edges that do not ascend"),
        ({"edges": [[0]] * 19 + [[LIMIT + 1]]}, "is not a whole number from -4194304 to 4194304"),
        ({"edges": [[0, 1, 2]] + [[0]] * 19}, "must be a list of at most 2 edges"),
        ({"edges": {"0": [0]}}, "'edges' must be a list"),
        ({"more": 1}, "'more' is unknown"),
        ({"totals": None}, "'totals' is NoneType"),
    ],
)
def test_bad_parameters(changed: dict[str, Any], problem: str) -> None:
    good = Lengths(Layout(), [[0]] * 20, bins=4).parameters()
    with pytest.raises(SettingError, match=problem):
        Lengths.from_parameters(good | changed)


def test_a_parameter_that_is_missing() -> None:
    good = Lengths(Layout(), [[0]] * 20, bins=4).parameters()
    missing = {key: value for key, value in good.items() if key != "edges"}
    with pytest.raises(SettingError, match="'edges' is missing"):
        Lengths.from_parameters(missing)


VALUES = st.none() | st.booleans() | st.integers(-3, 70) | st.floats() | st.text(max_size=3)
VALUES |= st.lists(st.lists(st.integers(-9, 9) | VALUES, max_size=3) | VALUES, max_size=4)


@given(st.dictionaries(st.sampled_from(["records", "places", "sides", "large", "totals", "bins", "edges"]), VALUES))
def test_whatever_a_manifest_says_the_error_is_one_of_settings(changed: dict[str, Any]) -> None:
    good = Lengths(Layout(), [[0]] * 20, bins=4).parameters()
    try:
        made = Lengths.from_parameters(good | changed)
    except SettingError:
        return
    assert made.encode([]).shape == (0, made.layout.values * made.bins)

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf.features.bins import LIMIT, check, learn

VALUES = st.lists(st.integers(-20000, 20000) | st.sampled_from([33, -33, 100, -1400, 0]), max_size=300)


@given(VALUES, st.integers(4, 80))
def test_learnt_edges_are_fit_for_a_manifest(values: list[int], bins: int) -> None:
    edges = learn(values, bins)
    assert check("edges", edges, bins) == edges
    assert 0 in edges


@given(st.sets(st.integers(-20000, 20000), max_size=50), st.integers(4, 80))
def test_values_get_a_bin_each_while_there_are_enough(values: set[int], bins: int) -> None:
    below = sum(value < 0 for value in values)
    # A side's bins follow its share, so room is certain only where each side could take all.
    if max(below, len(values) - below) * 2 <= bins - 3 and below * 2 == len(values):
        assert len({bisect_right(learn(values, bins), value) for value in values}) == len(values)


def test_bins_hold_about_as_many_each() -> None:
    values = [round(1.01**number) for number in range(1000)] * 2 + [-number for number in range(2000)]
    edges = learn(values, 64)
    held = Counter(bisect_right(edges, min(value, LIMIT)) for value in values)
    assert len(edges) == 62
    assert max(held.values()) < 2.2 * len(values) / 63
    assert min(held.values()) > 0.4 * len(values) / 63


def test_a_frequent_value_gets_a_bin_alone() -> None:
    values = [500] * 900 + list(range(1, 1001))
    edges = learn(values, 32)
    assert [value for value in range(1, 1001) if bisect_right(edges, value) == bisect_right(edges, 500)] == [500]


def test_no_bin_holds_both_sides() -> None:
    edges = learn([-1, 1] * 10 + [-2, 2], 4)
    assert bisect_right(edges, -1) != bisect_right(edges, 1)


def test_nothing_to_learn_from() -> None:
    assert learn([], 64) == (0,)


@pytest.mark.parametrize(
    ("edges", "problem"),
    [
        ("1,2", "must be a list of at most 6"),
        (list(range(7)), "must be a list of at most 6"),
        ([1, 1], "do not ascend"),
        ([2, 1], "do not ascend"),
        ([1.5], "not a whole number"),
        ([True], "not a whole number"),
        ([None], "not a whole number"),
        ([LIMIT + 1], "not a whole number from -65535 to 65535"),
        ([-(10**100)], "not a whole number"),
    ],
)
def test_bad_edges_are_refused(edges: object, problem: str) -> None:
    with pytest.raises(SettingError, match=problem):
        check("edges", edges, 8)

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf_trainer import outliers

FLOWS = [[300, -5000, 90, -90, 400, -16_401, -16_401, -20, 77], [100], [25, -26]]
MADE = 400


@pytest.fixture
def make() -> Callable[..., list[list[int]]]:
    """Many made-up flows of one way."""

    def many(way: Callable[..., list[int]], flows: list[list[int]] = FLOWS, records: int = 8) -> list[list[int]]:
        rng = np.random.default_rng(1)
        return [way(flows, records, rng) for _ in range(MADE)]

    return many


@given(
    st.lists(st.lists(st.integers(-16_408, 16_408).filter(bool), min_size=1, max_size=12), min_size=1, max_size=4),
    st.integers(2, 9),
    st.integers(0, 12),
    st.integers(0, 1000),
)
def test_lengths_are_ones_that_tls_can_have(flows: list[list[int]], records: int, count: int, seed: int) -> None:
    made = outliers.make(flows, count, records, np.random.default_rng(seed))
    assert len(made) == count
    for each in made:
        assert 1 <= len(each) <= records
        assert all(type(length) is int and 1 <= abs(length) <= outliers.MOST_TLS12 for length in each)
    assert made == outliers.make(flows, count, records, np.random.default_rng(seed))


def test_scattered_flows_are_of_any_size_side_and_number(make: Callable[..., list[list[int]]]) -> None:
    made = make(outliers.scattered)
    assert {len(each) for each in made} == set(range(1, 9))
    lengths = np.array([length for each in made for length in each])
    assert 0.4 < (lengths > 0).mean() < 0.6
    full = np.isin(np.abs(lengths), (outliers.MOST, outliers.MOST_TLS12))
    assert outliers.FULL_SHARE * 0.7 < full.mean() < outliers.FULL_SHARE * 1.3
    # Even on a log scale: half of the rest lie below the geometric mean of the ends.
    assert 0.45 < (np.abs(lengths[~full]) < np.sqrt(outliers.LEAST * outliers.MOST)).mean() < 0.55


def test_prefixed_flows_begin_as_real_ones(make: Callable[..., list[list[int]]]) -> None:
    made = make(outliers.prefixed, [FLOWS[0]])
    assert all(each[0] == 300 for each in made)
    alike = [next((n for n, (a, b) in enumerate(zip(each, FLOWS[0], strict=False)) if a != b), 9) for each in made]
    assert set(range(1, 5)) <= set(alike)
    assert max(alike) <= 5  # half of the records, and rarely one more by chance


def test_stretched_flows_keep_sides_and_number_but_no_length(make: Callable[..., list[list[int]]]) -> None:
    for each in make(outliers.stretched, [FLOWS[0][:5]]):
        real = FLOWS[0][:5]
        assert [length > 0 for length in each] == [length > 0 for length in real]
        ratios = [max(a / b, b / a) for a, b in zip(each, real, strict=True)]
        assert min(ratios) > 1.25  # e^0.25, less rounding
        assert all(1.25 < ratio < 4.6 or abs(a) == outliers.LEAST for ratio, a in zip(ratios, each, strict=True))


def test_mixed_flows_keep_at_most_half(make: Callable[..., list[list[int]]]) -> None:
    kept = [sum(a == b for a, b in zip(each, FLOWS[0], strict=False)) for each in make(outliers.mixed, [FLOWS[0]])]
    assert all(len(each) == 8 for each in make(outliers.mixed, [FLOWS[0]]))
    assert set(range(5)) <= set(kept)
    assert np.mean([count > 4 for count in kept]) < 0.05  # by chance: a random length that is the real one


def test_all_ways_are_taken() -> None:
    real = [[1111, -2222, 3333, -4444]]
    made = outliers.make(real, MADE, 4, np.random.default_rng(1))
    untouched_first = sum(each[0] == 1111 for each in made)
    sides_kept = sum([length > 0 for length in each] == [True, False, True, False] for each in made)
    assert MADE / 4 <= untouched_first < MADE / 2  # all of prefixed, some of mixed
    assert sides_kept >= MADE / 4  # all of stretched

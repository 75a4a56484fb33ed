from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eacf.features import Layout, Lengths
from eacf.features.bins import ABSENT
from eacf_trainer.watch import rebin

LAYOUT = Layout(records=2, places=2, sides=0, large=0, totals=False)
EDGES = st.lists(st.integers(-2000, 2000), min_size=1, max_size=10, unique=True).map(sorted)
VALUES = st.lists(st.tuples(st.integers(-3000, 3000), st.integers(-3000, 3000)), min_size=1, max_size=50)


def lengths(first: list[int], second: list[int]) -> Lengths:
    return Lengths(LAYOUT, [first, second], bins=16)


def kernel(features: Lengths) -> np.ndarray:
    return np.arange(features.shape[0] * 3, dtype=np.float32).reshape(-1, 3)


@given(EDGES, EDGES, VALUES)
def test_the_same_bins_keep_their_weights(first: list[int], second: list[int], values: list[tuple[int, int]]) -> None:
    features = lengths(first, second)
    found = rebin.carried(kernel(features), features, features, np.array(values))
    used = [column * 16 + place for column, edges in enumerate((first, second)) for place in range(len(edges) + 2)]
    assert np.array_equal(found[used], kernel(features)[used])


@given(EDGES, EDGES, VALUES)
def test_a_bin_split_in_two_gives_both_its_weights(
    first: list[int], second: list[int], values: list[tuple[int, int]]
) -> None:
    old = lengths(first, [0])
    new = lengths(sorted({*first, *second})[:14], [0])
    table = np.array([[value for value, _ in values], [0] * len(values)]).T
    if set(first) - set(new.edges[0]):
        return
    weights = kernel(old)
    found = rebin.carried(weights, old, new, table)
    # Whatever a value was worth to the first layer, it still is.
    assert np.array_equal(
        found[rebin.places(new, table)[:, 0]],
        weights[rebin.places(old, table)[:, 0]],
    )


def test_bins_that_are_joined_get_the_mean_of_what_was_in_them() -> None:
    old, new = lengths([0, 100], [0]), lengths([0], [0])
    table = np.array([[50, 0], [150, 0], [150, 0], [ABSENT, 0]])
    found = rebin.carried(kernel(old), old, new, table)
    assert np.allclose(found[2], (kernel(old)[2] + 2 * kernel(old)[3]) / 3)
    assert np.array_equal(found[0], kernel(old)[0])


@given(EDGES, EDGES, VALUES, st.booleans())
def test_values_of_rows_give_the_same_rows(
    first: list[int], second: list[int], values: list[tuple[int, int]], absent: bool
) -> None:
    features = lengths(first, second)
    table = np.array(values)
    if absent:
        table[0, 0] = ABSENT
    rows = np.zeros((len(table), *features.shape), np.uint8)
    features.fill_values(table.copy(), rows)
    again = np.zeros_like(rows)
    features.fill_values(rebin.values_of(features, rows, np.random.default_rng(0)), again)
    assert np.array_equal(rows, again)


def test_new_bins_part_what_has_moved_into_one_old_bin() -> None:
    rng = np.random.default_rng(0)
    wanted = np.arange(400) % 2
    table = np.stack([np.where(wanted, 1700, 1500) + rng.integers(0, 40, 400), rng.integers(1, 50, 400)], axis=1)
    old = lengths([0, 300, 500], [0])
    new = rebin.refitted(old, table, wanted, 1)
    assert len(set(rebin.places(old, table)[:, 0])) == 1
    places = rebin.places(new, table)[:, 0]
    assert not set(places[wanted == 0]) & set(places[wanted == 1])


def test_edges_that_part_what_was_kept_stay() -> None:
    wanted = np.arange(100) % 2
    table = np.stack([np.where(wanted, 1700, 1500), np.ones(100, np.int64)], axis=1)
    kept = np.array([[-800, 1], [-300, 1]])
    old = lengths([-500, 0, 300], [0])
    new = rebin.refitted(old, table, wanted, 1, kept)
    first, second = rebin.places(new, kept)[:, 0]
    assert first != second
    assert 300 not in new.edges[0]  # parts nothing that was kept

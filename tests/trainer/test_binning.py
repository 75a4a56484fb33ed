"""Edges that a forest finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eacf.features import Layout, Lengths
from eacf.features.bins import ABSENT
from eacf.features.lengths import LIMIT
from eacf_trainer import binning

NUMBERS = st.integers(-16_408, 16_408) | st.sampled_from([ABSENT, LIMIT, -LIMIT, 1 << 37])
TABLES = st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=4, max_size=20)


def bins_of(values: NDArray[np.int64], edges: list[list[int]], bins: int) -> NDArray[np.int64]:
    features = Lengths(Layout(values.shape[1], values.shape[1], 0, 0, totals=False), edges, bins=bins)
    out = np.zeros((len(values), *features.shape), np.uint8)
    features.fill_values(values.copy(), out)
    found: NDArray[np.int64] = out.reshape(len(values), -1, bins).argmax(axis=2)
    return found


def test_an_edge_lies_where_labels_part() -> None:
    """The first value says nothing, the second tells labels apart at 500 and at -80."""
    rng = np.random.default_rng(1)
    seconds = [480, 490, 499, 500, 510, 530, -79, -60, -81, -200] * 20
    wanted = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3] * 20)
    values = np.stack([rng.integers(100, 900, 200), np.array(seconds)], axis=1)
    found = bins_of(values[:10], binning.edges(values, wanted, 32, seed=1), 32)[:, 1].tolist()
    at = dict(zip(seconds, found, strict=False))
    assert at[499] != at[500]
    assert at[-79] != at[-81]
    assert at[480] != at[-60]
    assert at[500] == at[510]
    assert at[-200] == at[-81]


def test_edges_go_where_the_most_is_to_be_gained() -> None:
    """Two labels part at 1,000 almost wholly, two more at 5,000 now and then: with one edge to spend, 1,000 gets it."""
    lengths = [600, 1400] * 50 + [4900, 5100]
    wanted = np.array([0, 1] * 50 + [2, 3])
    (edges,) = binning.edges(np.array(lengths)[:, None], wanted, 4, seed=1)
    assert len(edges) == 2
    assert edges[0] == 0
    assert 600 < edges[1] <= 1400


@settings(max_examples=15, deadline=None)
@given(TABLES, st.sampled_from([4, 8, 64]))
def test_features_take_whatever_is_learnt(table: list[list[int]], bins: int) -> None:
    values = np.array(table, np.int64)
    edges = binning.edges(values, np.arange(len(table)) % 3, bins, seed=1)
    assert len(edges) == 3
    for each in edges:
        assert 0 in each
        assert each == sorted(set(each))
        assert len(each) <= bins - 2
    assert ((bins_of(values, edges, bins) == 0) == (values == ABSENT)).all()


def test_flows_that_are_all_alike_need_no_edges() -> None:
    assert binning.edges(np.array([[100, -50]] * 6), np.array([0, 1] * 3), 16, seed=1) == [[0], [0]]


def test_a_value_that_there_is_not_is_below_every_length() -> None:
    table = binning.numeric(np.array([[5, -7], [ABSENT, 1 << 40], [-LIMIT, -(1 << 37)]]))
    assert table.dtype == np.float32
    assert table.tolist() == [[5, -7], [binning.NONE, LIMIT], [-LIMIT, -LIMIT]]
    assert table.min() == binning.NONE < -LIMIT


def test_of_many_rows_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    values, wanted = np.arange(400)[:, None] % 100, np.arange(400) % 100 // 50
    monkeypatch.setattr(binning, "MOST_ROWS", 100)
    (edges,) = binning.edges(values, wanted, 4, seed=1)
    assert 45 <= edges[1] <= 55


def test_the_same_seed_gives_the_same_edges() -> None:
    rng = np.random.default_rng(0)
    values, wanted = rng.integers(-2000, 2000, (200, 3)), rng.integers(0, 4, 200)
    first = binning.edges(values, wanted, 16, 1)
    assert first == binning.edges(values, wanted, 16, 1)
    assert first != binning.edges(values, wanted, 16, 11)

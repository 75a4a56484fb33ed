from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf.features import Shape
from eacf_trainer import binning
from eacf_trainer.training import bare

FLOWS = st.lists(st.lists(st.integers(-16_408, 16_408), min_size=1, max_size=6), min_size=4, max_size=20)


def test_an_edge_lies_where_labels_part() -> None:
    """The first record says nothing, the second tells labels apart at 500 and at -80."""
    rng = np.random.default_rng(1)
    seconds = [480, 490, 499, 500, 510, 530, -79, -60, -81, -200] * 20
    wanted = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3] * 20)
    flows = [[int(rng.integers(100, 900)), second] for second in seconds]
    features = Shape(binning.edges(flows, wanted, 2, 32, seed=1), bins=32)

    def same_bin(first: int, second: int) -> bool:
        one, other = features.encode([bare([300, first]), bare([300, second])])
        return bool((one == other).all())

    assert not same_bin(499, 500)
    assert not same_bin(-79, -81)
    assert not same_bin(480, -60)
    assert same_bin(500, 501)
    assert same_bin(-200, -81)


def test_edges_go_where_the_most_is_to_be_gained() -> None:
    """Two labels part at 1,000 almost wholly, two more at 5,000 now and then: with one edge to spend, 1,000 gets it."""
    lengths = [600, 1400] * 50 + [4900, 5100]
    wanted = np.array([0, 1] * 50 + [2, 3])
    (edges,) = binning.edges([[length] for length in lengths], wanted, 1, 4, seed=1)
    assert len(edges) == 2
    assert edges[0] == 0
    assert 600 < edges[1] <= 1400


@settings(max_examples=25, deadline=None)
@given(FLOWS, st.integers(1, 8), st.sampled_from([4, 8, 64]))
def test_shape_takes_whatever_is_learnt(flows: list[list[int]], count: int, bins: int) -> None:
    wanted = np.arange(len(flows)) % 3
    edges = binning.edges(flows, wanted, count, bins, seed=1)
    assert len(edges) == count
    for each in edges:
        assert 0 in each
        assert each == sorted(set(each))
        assert len(each) <= bins - 2
    Shape(edges, bins=bins)  # raises for edges that no manifest may hold


def test_flows_that_are_all_alike_need_no_edges() -> None:
    assert binning.edges([[100, -50]] * 6, np.array([0, 1] * 3), 2, 16, seed=1) == [[0], [0]]


def test_a_flow_that_has_ended_is_below_every_length() -> None:
    table = binning.table([[5, -7, 9], [], [-65_535]], 2)
    assert table.tolist() == [[5, -7], [binning.ABSENT] * 2, [-65_535, binning.ABSENT]]
    assert table.min() == binning.ABSENT < -65_535


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_edges(seed: int) -> None:
    rng = np.random.default_rng(0)
    flows, wanted = rng.integers(-2000, 2000, (200, 3)).tolist(), rng.integers(0, 4, 200)
    first = binning.edges(flows, wanted, 3, 16, seed)
    assert first == binning.edges(flows, wanted, 3, 16, seed)
    assert first != binning.edges(flows, wanted, 3, 16, seed + 10)

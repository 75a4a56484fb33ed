"""Folds: whole, spread, different for each seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf_trainer import splits

FLOWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=80)


@given(FLOWS, st.integers(2, 6), st.integers(0, 5))
def test_groups_stay_whole(flows: list[tuple[int, int]], folds: int, seed: int) -> None:
    labels, groups = np.array(flows).T
    fold = splits.grouped_folds(labels, groups, folds, seed)
    assert fold.shape == labels.shape
    assert set(fold.tolist()) <= set(range(folds))
    for group in set(groups.tolist()):
        assert len(set(fold[groups == group].tolist())) == 1


@given(FLOWS, st.integers(2, 6), st.integers(0, 5))
def test_a_random_split_spreads_each_label(flows: list[tuple[int, int]], folds: int, seed: int) -> None:
    labels = np.array(flows)[:, 0]
    fold = splits.random_folds(labels, folds, seed)
    for label in set(labels.tolist()):
        counts = np.bincount(fold[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 1
    counts = np.bincount(fold, minlength=folds)
    assert counts.max() - counts.min() <= 1


def test_labels_are_spread_as_well_as_groups_let_them() -> None:
    groups = np.arange(100) // 5
    labels = groups % 4
    fold = splits.grouped_folds(labels, groups, 5, 0)
    for label in range(4):
        assert np.bincount(fold[labels == label], minlength=5).tolist() == [5] * 5


def test_another_seed_gives_other_folds_and_the_same_seed_the_same() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 60, 900)
    labels = rng.integers(0, 8, 900)
    one, again, other = (splits.grouped_folds(labels, groups, 5, seed) for seed in (0, 0, 1))
    assert (one == again).all()
    together = (one[:, None] == one) == (other[:, None] == other)
    assert together.mean() < 0.9


def test_captures_with_a_copy_of_one_flow_are_one_group() -> None:
    groups = np.array([0, 0, 1, 1, 2, 3, 3])
    keys = ["a", "b", "b", "c", "d", "c", "e"]
    assert splits.merged_groups(groups, keys).tolist() == [0, 0, 0, 0, 2, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=1, max_size=60))
def test_merged_groups_share_no_key(flows: list[tuple[int, int]]) -> None:
    groups, keys = np.array(flows).T
    merged = splits.merged_groups(groups, keys.tolist())
    for key in set(keys.tolist()):
        assert len(set(merged[keys == key].tolist())) == 1
    for group in set(groups.tolist()):
        assert len(set(merged[groups == group].tolist())) == 1


@pytest.mark.parametrize("count", [1, 2, 10, 101])
def test_the_newest_fifth_is_the_future(count: int) -> None:
    times = np.random.default_rng(0).permutation(count)
    fold = splits.time_folds(times)
    assert (fold == splits.FUTURE).sum() == int(count * 0.2 + 1e-9)
    if (fold == splits.FUTURE).any():
        assert times[fold == splits.PAST].max() < times[fold == splits.FUTURE].min()


def test_flows_of_one_instant_stay_together() -> None:
    assert splits.time_folds(np.zeros(50, np.int64)).tolist() == [splits.PAST] * 50
    assert splits.time_folds(np.zeros(0, np.int64)).tolist() == []


def test_an_environment_is_the_folder() -> None:
    assert splits.environment("lab/phone/monday.pcap") == "lab/phone"
    assert splits.environment("monday.pcap") == "monday.pcap"

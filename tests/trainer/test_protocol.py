"""Who teaches and who judges: nobody is asked about what it was told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eacf_trainer import splits
from eacf_trainer.cells import Cell
from eacf_trainer.flows import Flows
from eacf_trainer.predictions import UNKNOWN
from eacf_trainer.protocol import Bench
from eacf_trainer.recipe import Protocol, Recipe

PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
WHOLE: tuple[Protocol, ...] = ("grouped", "environment", "client")


def made_up(rows: list[tuple[int, int, int]]) -> Flows:
    """Connections of (label or UNKNOWN, capture, client)."""
    wanted = np.array([label for label, _, _ in rows], np.int64)
    captures = tuple(f"folder-{capture // 2}/{capture}.pcap" for _, capture, _ in rows)
    there = np.arange(len(rows))
    return Flows(
        labels=("a", "b", "c", "d"),
        refused={},
        wanted=wanted,
        names=tuple(None if label < 0 else "abcd"[label] for label in wanted),
        rows={"records": there, "stream": there},
        connection=there,
        captures=captures,
        clients=tuple(f"192.0.2.{client}" for _, _, client in rows),
        server_names=("x.example",) * len(rows),
        tls_versions=(None,) * len(rows),
        start_ns=there * 1000,
        copies=np.array([capture for _, capture, _ in rows], np.int64),
    )


ROWS = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 7), st.integers(0, 4)), min_size=30, max_size=80)


def bench_of(rows: list[tuple[int, int, int]], recipe: Recipe, **split: Any) -> Bench:
    return Bench(made_up(rows), replace(recipe, split=replace(recipe.split, folds=3, inner=3, **split)), "bank")


def apart(cell: Cell) -> None:
    assert not set(cell.lesson.places.tolist()) & set(cell.judged.tolist())


@settings(max_examples=20, deadline=None)
@given(ROWS, st.sampled_from(PROTOCOLS), st.integers(1, 3))
def test_no_judged_connection_is_in_its_own_lesson(
    tiny: Recipe, rows: list[tuple[int, int, int]], protocol: Protocol, seed: int
) -> None:
    bench = bench_of(rows, tiny)
    if not bench.divides(protocol, seed):
        return
    judgement = bench.judgement(protocol, seed)
    judged: list[int] = []
    for fold in judgement.folds:
        apart(fold.outer)
        assert (bench.wanted[fold.outer.lesson.places] == fold.outer.lesson.wanted).all()
        assert fold.outer.lesson.known.any()
        judged += fold.outer.judged.tolist()
        outer = set(fold.outer.judged.tolist())
        inner: list[int] = []
        for cell in fold.inner:
            apart(cell)
            assert not outer & {*cell.judged.tolist(), *cell.lesson.places.tolist()}
            assert set(cell.judged.tolist()) <= set(fold.outer.lesson.places.tolist())
            assert cell.lesson.known.any()
            inner += cell.judged.tolist()
        known = set(np.flatnonzero(bench.flows.known).tolist())
        assert len(set(inner)) == len(inner)
        if len(known & set(fold.outer.lesson.places.tolist())) < 2:
            continue  # nothing to leave out
        assert set(inner) & known == set(fold.outer.lesson.places.tolist()) & known
    assert len(set(judged)) == len(judged)  # each once
    if protocol != "time":
        assert set(np.flatnonzero(bench.flows.known).tolist()) <= set(judged)


@settings(max_examples=15, deadline=None)
@given(ROWS, st.sampled_from(WHOLE), st.integers(1, 3))
def test_groups_stay_whole_in_outer_and_inner_folds(
    tiny: Recipe, rows: list[tuple[int, int, int]], protocol: Protocol, seed: int
) -> None:
    bench = bench_of(rows, tiny)
    if not bench.divides(protocol, seed):
        return
    groups = bench.flows.groups(protocol)
    for fold in bench.judgement(protocol, seed).folds:
        assert not set(groups[fold.outer.lesson.places]) & set(groups[fold.outer.judged])
        learnt = fold.outer.lesson.places
        inner = splits.grouped_folds(bench.flows.wanted[learnt], groups[learnt], 3, seed + 1000)
        one_fold = len(np.unique(inner[bench.flows.known[learnt]])) < 2  # then it is divided at random
        for cell in fold.inner:
            assert one_fold or not set(groups[cell.lesson.places]) & set(groups[cell.judged])


@settings(max_examples=20, deadline=None)
@given(ROWS, st.integers(1, 3), st.integers(1, 2))
def test_hidden_labels_neither_teach_nor_are_background(
    tiny: Recipe, rows: list[tuple[int, int, int]], seed: int, together: int
) -> None:
    bench = bench_of(rows, tiny, hidden_labels=together)
    out: list[int] = []
    for fold in bench.hidden("grouped", seed).folds:
        cell = fold.outer
        apart(cell)
        assert fold.strange is not None
        assert 1 <= len(fold.hidden) <= together
        assert not np.isin(bench.flows.wanted[cell.lesson.places], fold.hidden).any()
        assert (np.isin(bench.flows.wanted[cell.judged], fold.hidden) == fold.strange).all()
        seen = [label for label in range(4) if label not in fold.hidden]
        assert cell.lesson.outputs == len(seen)
        names = np.array([*seen, UNKNOWN])
        assert (names[cell.lesson.wanted] == bench.flows.wanted[cell.lesson.places]).all()
        assert (cell.wanted[fold.strange] == len(seen)).all()
        assert bench.flows.known[cell.judged].all()
        out += [label for label in fold.hidden if (bench.flows.wanted[cell.judged] == label).any()]
    assert set(out) <= set(range(4))


def test_every_label_is_hidden_once(bench: Bench) -> None:
    judgement = bench.hidden("grouped", 1)
    strange = np.concatenate([fold.outer.judged[fold.strange] for fold in judgement.folds])
    assert sorted(strange.tolist()) == np.flatnonzero(bench.flows.known).tolist()


def test_time_judges_the_newest(bench: Bench) -> None:
    (fold,) = bench.judgement("time", 1).folds
    starts = bench.flows.start_ns
    assert starts[fold.outer.lesson.places].max() < starts[fold.outer.judged].min()
    for cell in fold.inner:  # captures whole: what came before cannot be told by a fifth of it
        assert not set(bench.flows.copies[cell.lesson.places]) & set(bench.flows.copies[cell.judged])


def test_a_split_of_one_group_divides_nothing(tiny: Recipe) -> None:
    one = bench_of([(place % 4, 0, 1) for place in range(40)], tiny)
    assert [one.divides(protocol, 1) for protocol in PROTOCOLS] == [False, True, False, False, True]
    two = bench_of([(place % 4, place // 20 * 2, 1) for place in range(40)], tiny)
    for fold in two.judgement("environment", 1).folds:
        assert len(fold.inner) == 3  # at random: each training part is one environment
    apart_by_label = bench_of([(place % 2, place % 2, 1) for place in range(40)], tiny)
    assert not apart_by_label.divides("client", 1)


@pytest.mark.parametrize("name", ["early", "estimator"])
def test_variants_have_the_same_folds(bench: Bench, name: str) -> None:
    other = bench.early(2) if name == "early" else bench.estimator("knn")
    one, same = bench.judgement("grouped", 1), other.judgement("grouped", 1)
    for first, second in zip(one.cells, same.cells, strict=True):
        assert np.array_equal(first.judged, second.judged)
        assert np.array_equal(first.lesson.places, second.lesson.places)
        assert first.recipe != second.recipe

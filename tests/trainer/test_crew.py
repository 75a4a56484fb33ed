"""Whoever works, the answers are the same, and none is asked for twice."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eacf.errors import SettingError
from eacf_trainer.cells import Answer, Cell
from eacf_trainer.crew import Crew
from eacf_trainer.protocol import Bench


@pytest.fixture
def cells(bench: Bench) -> list[Cell]:
    """Three trainings of an estimator, one of them twice by another name."""
    three = bench.estimator("naive-bayes").judgement("random", 1).cells[:3]
    return [*three, replace(three[0], name="again")]


def same(one: dict[str, Answer], other: dict[str, Answer]) -> None:
    assert list(one) == list(other)
    for name, answer in one.items():
        assert np.array_equal(answer.logits, other[name].logits)
        assert np.array_equal(answer.floats, other[name].floats)
        assert np.array_equal(answer.losses, other[name].losses)


def test_answers_are_kept_and_not_asked_for_again(cells: list[Cell], tmp_path: Path) -> None:
    store = tmp_path / "deep" / "cells"
    told: list[tuple[int, int, str]] = []
    first = Crew(store).run(cells, lambda *each: told.append(each))
    assert told == [(0, 3, ""), *((number, 3, cell.name) for number, cell in enumerate(cells[:3], 1))]
    assert list(first) == [cell.name for cell in cells]
    assert np.array_equal(first["again"].logits, first[cells[0].name].logits)
    files = sorted(store.iterdir())
    assert [path.name for path in files] == sorted({f"{cell.key()}.npz" for cell in cells})
    stamps = [path.stat().st_mtime_ns for path in files]
    told.clear()
    same(Crew(store).run(cells, lambda *each: told.append(each)), first)
    assert told == [(3, 3, "")]
    assert [path.stat().st_mtime_ns for path in files] == stamps


def test_a_damaged_answer_is_made_again(cells: list[Cell], tmp_path: Path) -> None:
    first = Crew(tmp_path).run(cells)
    path = tmp_path / f"{cells[1].key()}.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    told: list[str] = []
    same(Crew(tmp_path).run(cells, lambda done, total, name: told.append(name)), first)
    assert told == ["", cells[1].name]
    assert Answer.load(path) is not None


def test_what_was_done_before_an_interrupt_is_kept(cells: list[Cell], tmp_path: Path) -> None:
    def tell(done: int, total: int, name: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Crew(tmp_path).run(cells, tell)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    told: list[int] = []
    Crew(tmp_path).run(cells, lambda done, total, name: told.append(done))
    assert told == [2, 3]


@pytest.mark.slow
def test_several_processes_give_the_same(bench: Bench, cells: list[Cell], tmp_path: Path) -> None:
    network = bench.judgement("random", 1, calibrated=False).folds[0].outer
    alone = Crew(tmp_path / "alone").run([*cells, network])
    same(Crew(tmp_path / "several", jobs=2).run([*cells, network]), alone)


@pytest.mark.slow
def test_dask_gives_the_same(cells: list[Cell], tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    alone = Crew(tmp_path / "alone").run(cells)
    same(Crew(tmp_path / "dask", jobs=1, dask="local").run(cells), alone)


@pytest.mark.slow
def test_an_interrupt_ends_the_processes(bench: Bench, tmp_path: Path) -> None:
    slow = bench.estimator("sklearn.ensemble.ExtraTreesClassifier(n_estimators=400)").judgement("random", 1).cells

    def tell(done: int, total: int, name: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Crew(tmp_path, jobs=2).run(slow[:6], tell)
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    states = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children if Path(f"/proc/{child}").exists()]
    assert not [state for state in states if b"spawn_main" in state]


def test_a_scheduler_that_is_not_there_is_a_mistake(cells: list[Cell], tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    for address in ("nonsense", "tcp://"):
        with pytest.raises(SettingError, match=f"--dask {address}: no scheduler answers"):
            Crew(tmp_path, dask=address).run(cells)

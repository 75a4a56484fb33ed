from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from eacf_trainer.experiments import plan, run
from eacf_trainer.experiments.compute import compute, split
from eacf_trainer.experiments.data import Flows
from eacf_trainer.experiments.plan import CNN, MOST_FREQUENT, RANDOM, SPLITS, Cell
from eacf_trainer.experiments.results import Results, Setup
from eacf_trainer.experiments.settings import ExperimentError, Settings
from eacf_trainer.experiments.store import Store


@pytest.fixture
def quick(settings: Settings) -> list[Cell]:
    """The cells of the models that take no time."""
    return [cell for cell in plan.cells(settings, ["fig3"]) if cell.model in ("nb", "knn", MOST_FREQUENT)]


@pytest.fixture
def store(tmp_path: Path, flows: Flows) -> Store:
    return Store(tmp_path / "cells", flows.id)


def hush(text: str) -> None:
    """Say nothing."""


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_keeps_apart_what_judges(name: str, flows: Flows) -> None:
    cell = Cell("dt", "both", 64, "original", name, 2 if name != RANDOM else plan.PARTS, 0, 3)
    train, test = split(cell, flows)
    assert not set(train.tolist()) & set(test.tolist())
    if name == RANDOM:
        assert (len(train), len(test)) == (48, 6)  # 8:1:1
    else:
        assert not set(flows.groups[train].tolist()) & set(flows.groups[test].tolist())
        assert len(train) + len(test) == 60


@pytest.mark.parametrize("model", [*plan.CLASSICAL, MOST_FREQUENT])
def test_each_classical_model_says_the_same_for_the_same_cell(model: str, flows: Flows) -> None:
    cell = Cell(model, "both", 64, "original", RANDOM, 10, 0, 0)
    one, other = compute(cell, flows), compute(cell, flows)
    assert one["said"] == other["said"]
    assert len(one["said"]) == len(one["rows"]) == 6


def test_a_tree_reads_the_byte_that_tells_and_a_control_takes_it_away(flows: Flows) -> None:
    def right(control: str) -> float:
        results = [compute(Cell("dt", "both", 64, control, "grouped", 2, fold, 0), flows) for fold in (0, 1)]
        return float(
            np.mean(
                [
                    flows.wanted[row] == said
                    for one in results
                    for row, said in zip(one["rows"], one["said"], strict=True)
                ]
            )
        )

    assert right("original") == 1.0
    assert max(right(control) for control in ("random", "shuffled", "constant", "labels")) < 0.7


def test_the_cnn_is_asked_in_float_and_int8_and_repeats(flows: Flows) -> None:
    cell = Cell(CNN, "both", 64, "original", RANDOM, 10, 0, 0, 2, 16, 0.0005, True)
    one = compute(cell, flows)
    assert len(one["said"]) == len(one["int8"]) == 6
    assert len(one["history"]) == 2
    gaps = Cell(CNN, "gaps", 2, "original", RANDOM, 10, 0, 0, 1, 16, 0.0005)
    again = [compute(gaps, flows) for _ in range(2)]
    assert again[0]["history"] == again[1]["history"]
    assert again[0]["int8"] is None


def stopping_after(cells: int) -> Callable[[str], None]:
    """Says nothing, and raises KeyboardInterrupt at the line of so many finished cells."""

    def say(text: str) -> None:
        nonlocal cells
        cells -= text.startswith("[")
        if not cells:
            raise KeyboardInterrupt

    return say


def test_a_run_that_was_stopped_goes_on_and_gives_the_same(
    quick: list[Cell], flows: Flows, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.run(quick, flows, store, 0, stopping_after(3))
    assert sum(map(store.has, quick)) == 3
    said: list[str] = []
    run.run(quick, flows, store, 0, said.append)
    assert said[0] == f"{len(quick)} cells, 3 of them finished before"
    assert sum(line.startswith("[") for line in said) == len(quick) - 3
    whole = Store(tmp_path / "whole", flows.id)
    run.run(quick, flows, whole, 0, hush)
    for cell in quick:
        one, other = store.get(cell), whole.get(cell)
        assert one is not None
        assert other is not None
        assert one["said"] == other["said"]


def test_processes_give_the_same_and_are_gone_after_ctrl_c(quick: list[Cell], flows: Flows, store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.run(quick, flows, store, 2, stopping_after(2))
    # By number: `is_alive` is wrong where the pool's own thread has waited for the process already.
    started = [child.pid for child in multiprocessing.active_children()]
    left = [psutil.Process(pid) for pid in started if pid is not None and psutil.pid_exists(pid)]
    assert psutil.wait_procs(left, timeout=10)[1] == []
    finished = [cell for cell in quick if store.has(cell)]
    assert len(finished) == 2
    kept = store.get(finished[0])
    assert kept is not None
    assert kept["said"] == compute(finished[0], flows)["said"]


def test_a_process_that_dies_is_told_and_what_is_finished_stays(quick: list[Cell], flows: Flows, store: Store) -> None:
    def kill(text: str) -> None:
        if text.startswith("["):
            for process in multiprocessing.active_children():
                process.kill()  # does nothing to one that has ended

    with pytest.raises(ExperimentError, match="fewer --jobs"):
        run.run(quick, flows, store, 1, kill)
    assert sum(map(store.has, quick)) >= 1


def test_results_count_a_seed_only_when_all_its_folds_are_there(settings: Settings, flows: Flows, store: Store) -> None:
    cells = [cell for cell in plan.cells(settings, ["fig3"]) if cell.model == "nb" and cell.size == 64]
    grouped = [cell for cell in cells if cell.split == "grouped" and cell.seed == 0]
    run.run(grouped[:1], flows, store, 0, hush)
    setup = Setup("nb", "both", 64, "grouped")
    assert Results(cells, store, flows).score(setup) is None
    run.run(cells, flows, store, 0, hush)
    results = Results(cells, store, flows)
    score = results.score(setup)
    assert score is not None
    assert len(score.accuracy.values) == 2
    assert sorted(results.judged(setup)[0].rows.tolist()) == list(range(60))
    assert score.accuracy.sd is not None
    where = results.accuracy_where(setup, np.ones(60, np.bool_))
    assert where is not None
    assert where.mean == pytest.approx(score.accuracy.mean)

"""From answers to predictions: a fold's model is calibrated by its inner folds, and by nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eacf_trainer import fit, judge
from eacf_trainer.calibrate import calibrate
from eacf_trainer.cells import Answer
from eacf_trainer.fit import Plan
from eacf_trainer.flows import ABSENT
from eacf_trainer.predictions import UNKNOWN
from eacf_trainer.protocol import Bench, Judgement


@pytest.fixture(scope="session")
def judgement(bench: Bench) -> Judgement:
    """The grouped split of the tiny recipe."""
    return bench.judgement("grouped", 1)


@pytest.fixture(scope="session")
def answers(run: Any, bench: Bench, judgement: Judgement) -> dict[str, Answer]:
    """What the run's cells said, from its store."""
    cells = [replace(cell, bank=str(run.folder / "work" / cell.bank.rpartition("/")[2])) for cell in judgement.cells]
    found: dict[str, Answer] = run.crew.run(cells)
    return found


def test_every_known_flow_is_judged_once(
    bench: Bench, judgement: Judgement, answers: dict[str, Answer], run: Any
) -> None:
    told = judge.predictions(bench, judgement, answers)
    assert len(told) == len(bench.flows)
    assert sorted(told.row.tolist()) == sorted(judge.rows(bench, np.arange(len(bench.flows))).tolist())
    assert told.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert told.calibrated is not None
    by_row = {row: number for number, row in enumerate(judge.rows(bench, np.arange(len(bench.flows))).tolist())}
    assert (told.wanted == bench.flows.wanted[[by_row[row] for row in told.row.tolist()]]).all()
    kept = fit.Predictions.load(run.folder / "predictions" / "grouped.npz")
    assert np.array_equal(kept.probabilities, told.probabilities)
    assert np.array_equal(kept.said, told.said)


def test_calibration_never_sees_outer_flows(bench: Bench, judgement: Judgement, answers: dict[str, Answer]) -> None:
    """Whatever the outer models say, and whatever their flows are, nothing changes about when they may speak."""
    rng = np.random.default_rng(1)
    for fold in judgement.folds:
        found = judge.calibration(bench, fold, answers)
        noise = {
            name: replace(answer, logits=rng.normal(size=answer.logits.shape).astype(np.float32))
            for name, answer in answers.items()
            if "/inner/" not in name
        }
        wanted = bench.flows.wanted.copy()
        wanted[fold.outer.judged] = rng.integers(UNKNOWN, bench.outputs, len(fold.outer.judged))
        other = replace(bench, flows=replace(bench.flows, wanted=wanted))
        again = judge.calibration(other, fold, answers | noise)
        assert (again.slope, again.offset) == (found.slope, found.offset)
        assert np.array_equal(again.thresholds, found.thresholds)
        assert np.array_equal(again.known, found.known)


def test_calibration_is_that_of_the_inner_answers(
    bench: Bench, judgement: Judgement, answers: dict[str, Answer]
) -> None:
    fold = judgement.folds[0]
    places, logits = judge.pooled([(cell.judged, answers[cell.name].logits) for cell in fold.inner])
    weights = judge.capture_weights(bench.flows.copies[places], bench.wanted[places])
    wanted = calibrate(logits, bench.wanted[places], weights, bench.outputs, bench.recipe.verdicts)
    found = judge.calibration(bench, fold, answers)
    assert np.array_equal(found.thresholds, wanted.thresholds)
    told = judge.predictions(bench, Judgement("grouped", 1, (fold,)), answers)
    assert np.array_equal(told.said, wanted.said(answers[fold.outer.name].logits))


def test_without_inner_folds_a_model_always_speaks(
    bench: Bench, judgement: Judgement, answers: dict[str, Answer]
) -> None:
    bare = Judgement("grouped", 1, tuple(replace(fold, inner=()) for fold in judgement.folds))
    assert judge.predictions(bench, bare, answers).said.all()


def test_hidden_labels_have_no_probability(run: Any, bench: Bench) -> None:
    told = fit.Predictions.load(run.folder / "predictions" / "unknown.npz")
    hidden = bench.hidden("grouped", 1)
    begin = 0
    for fold in hidden.folds:
        part = slice(begin, begin + len(fold.outer.judged))
        assert (told.probabilities[part][:, list(fold.hidden)] == 0).all()
        assert fold.strange is not None
        assert (told.wanted[part][fold.strange] == UNKNOWN).all()
        assert (told.wanted[part][~fold.strange] == bench.flows.wanted[fold.outer.judged][~fold.strange]).all()
        begin += len(fold.outer.judged)
    assert begin == len(told)


def test_strangeness_grows_with_the_background() -> None:
    logits = np.array([[3, 0, 0], [3, 0, 2], [3, 0, 5]], np.float32)
    assert judge.strangeness(logits, 2).tolist() == [-3, -1, 2]
    assert (np.diff(judge.strangeness(np.array([[9, 0], [2, 0], [0, 0]], np.float32), 2)) > 0).all()


def test_copies_in_a_capture_count_together() -> None:
    captures, wanted = np.repeat([0, 1, 2], [100, 5, 20]), np.zeros(125, np.int64)
    weights = judge.capture_weights(captures, wanted)
    assert weights[captures == 0].sum() == pytest.approx(judge.MOST_COPIES)
    assert (weights[captures == 1] == 1).all()
    assert judge.capture_weights(captures, np.arange(125)).tolist() == [1.0] * 125


def test_a_row_is_found_in_whatever_cut_there_is(bench: Bench) -> None:
    rows = {"records": np.array([0, ABSENT, 4]), "stream": np.array([1, 2, ABSENT])}
    other = replace(bench, flows=replace(bench.flows, rows=rows))
    assert judge.rows(other, np.arange(3)).tolist() == [0, 2, 4]


def test_the_plan_holds_what_the_recipe_asks_for(judged: Any, site: Any) -> None:
    bench = Bench(judged_flows(judged), judged.asked.recipe, "bank")
    plan = Plan.of(bench, judged.asked)
    line = judged.asked.recipe.network.estimator
    assert line
    protocols = ("grouped", "random", "environment", "time", "client")
    compared = {f"compare/naive-bayes/{protocol}" for protocol in protocols}
    assert set(plan.judged) == {*protocols, "hidden", "early/2", "early/4"} | compared
    assert all([each.seed for each in several] == [1, 2] for several in plan.judged.values())
    assert all(fold.inner for each in plan.judged["grouped"] for fold in each.folds)
    assert not any(fold.inner for each in plan.judged["random"] for fold in each.folds)


def judged_flows(judged: Any) -> Any:
    from eacf_trainer import flows

    return flows.read(judged.asked.dataset, judged.asked.rules, judged.asked.recipe.labels)

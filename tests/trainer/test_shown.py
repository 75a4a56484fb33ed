"""What a network is shown, epoch by epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eacf_trainer import learning, shown
from eacf_trainer.bank import Bank
from eacf_trainer.learning import Taught
from eacf_trainer.protocol import Bench
from eacf_trainer.recipe import Outliers, Recipe, Teacher, Training
from eacf_trainer.shown import Shown


@pytest.fixture(scope="module")
def taught(bench: Bench) -> Taught:
    """All of the site's connections."""
    return learning.taught(Bank.open(Path(bench.bank), bench.recipe.input.cuts), bench.final(), bench.recipe.input)


def made(recipe: Recipe, taught: Taught, training: Training, seed: int = 1) -> Shown:
    changed = replace(recipe, training=training)
    return Shown(changed, learning.features(changed, taught, 1), taught, seed)


def test_known_flows_alone(tiny: Recipe, taught: Taught) -> None:
    show = made(tiny, taught, Training())
    known = int((taught.wanted < taught.outputs).sum())
    assert not show.background
    epoch = show.epoch(0)
    assert epoch.targets.shape == (known, taught.outputs)
    assert np.bincount(epoch.targets.argmax(axis=1)).tolist() == np.bincount(taught.wanted)[: taught.outputs].tolist()
    assert (epoch.weights == 1).all()
    assert epoch.rows.any(axis=1).all()


def test_a_seed_and_a_number_decide_an_epoch(tiny: Recipe, taught: Taught) -> None:
    one, again = (made(tiny, taught, tiny.training).epoch(3) for _ in range(2))
    for first, second in ((one.rows, again.rows), (one.targets, again.targets), (one.weights, again.weights)):
        assert np.array_equal(first, second)
    other = made(tiny, taught, tiny.training, seed=2).epoch(3)
    assert not np.array_equal(one.rows, other.rows)


def test_strangers_are_as_many_as_asked_for_and_of_no_label(tiny: Recipe, taught: Taught) -> None:
    known = int((taught.wanted < taught.outputs).sum())
    show = made(tiny, taught, Training(outliers=Outliers(made_up=0.5, background=0.25, pool=2)))
    epoch = show.epoch(1)
    assert show.background
    assert epoch.targets.shape[1] == taught.outputs + 1
    assert len(epoch.rows) == known + round(0.5 * known) + round(0.25 * known)
    assert int(epoch.targets[:, -1].sum()) == len(epoch.rows) - known
    assert epoch.targets.sum(axis=1) == pytest.approx(1)
    without = taught.only(taught.wanted < taught.outputs)
    alone = made(tiny, without, Training(outliers=Outliers(background=0.25)))
    assert alone.background  # the output is there, though nothing teaches it
    assert len(alone.epoch(0).rows) == known


def test_a_teachers_opinion(tiny: Recipe, taught: Taught) -> None:
    known = int((taught.wanted < taught.outputs).sum())
    line = "sklearn.tree.DecisionTreeClassifier(max_depth=3)"
    training = Training(teacher=Teacher((line, line), share=0.5, recombined=1.5, pool=2))
    epoch = made(tiny, taught, training).epoch(0)
    assert len(epoch.rows) == known + round(1.5 * known)
    assert epoch.targets.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert ((epoch.targets > 0) & (epoch.targets < 1)).any()
    assert (epoch.rows.reshape(len(epoch.rows), -1, tiny.input.bins).sum(axis=2) == 255).all()


def test_rare_labels_weigh_more() -> None:
    wanted = np.repeat([0, 1], [100, 4])
    weights = shown.balance(wanted, "weights")
    assert weights.mean() == pytest.approx(1)
    assert weights[-1] / weights[0] == pytest.approx(5)
    assert shown.balance(wanted, "none").tolist() == [1] * 104
    assert shown.balance(wanted[:0], "weights").shape == (0,)


def test_recombined_flows_take_values_from_two() -> None:
    values = np.arange(40).reshape(10, 4)
    rows = shown.recombined(values, 500, np.random.default_rng(1))
    assert rows.shape == (500, 4)
    assert (rows % 4 == np.arange(4)).all()
    parents = [len(set((row // 4).tolist())) for row in rows]
    assert set(parents) == {1, 2}

"""One small training, whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf.errors import SettingError
from eacf_trainer import learning, trained
from eacf_trainer.bank import Bank
from eacf_trainer.protocol import Bench
from eacf_trainer.recipe import Recipe, Training


@pytest.fixture(scope="module")
def bank(bench: Bench) -> Bank:
    return Bank.open(Path(bench.bank), bench.recipe.input.cuts)


def quick(bench: Bench, **network: Any) -> Recipe:
    training = Training(epochs=4, learning_rate=0.02)
    return replace(bench.recipe, training=training, network=replace(bench.recipe.network, **network))


def test_members_are_one_network_that_learns(bench: Bench, bank: Bank) -> None:
    recipe, lesson = quick(bench, members=2, hidden=(12,)), bench.final()
    table = learning.samples(bank, np.arange(50), recipe.input)
    said: list[str] = []
    made = trained.train(recipe, bank, lesson, 1, asked=(table, lesson.wanted[:50]), say=said.append)
    assert said[-1].startswith("epoch 4 of 4, loss ")
    assert len(made.losses) == len(made.accuracies) == 4
    assert made.losses[-1] < made.losses[0]
    assert made.accuracies[-1][1] > 0.4
    int8, floats = trained.answers(made, table)
    assert int8.shape == floats.shape == (50, bench.outputs)
    assert (int8.argmax(axis=1) == floats.argmax(axis=1)).mean() > 0.9
    assert trained.answers(made, table[:0])[0].shape == (0, bench.outputs)


def test_a_loss_that_is_no_number_is_told(bench: Bench, bank: Bank) -> None:
    recipe = quick(bench)
    wild = replace(recipe, training=Training(epochs=4, learning_rate=1e38))
    with pytest.raises(SettingError, match=r"training.learning_rate is 1e\+38.*no number.*lower"):
        trained.train(wild, bank, bench.final(), 1)


def test_accuracy_leaves_flows_of_no_label_out() -> None:
    logits = np.array([[2, 1, 9], [1, 2, 0], [5, 0, 0]], np.float32)
    assert trained.accuracy(logits, np.array([0, 1, 2]), 2) == 1.0
    assert np.isnan(trained.accuracy(logits, np.array([2, 2, 2]), 2))


def test_one_hot_rows_become_0_and_1(tiny: Recipe) -> None:
    assert trained.normalisation(tiny, np.zeros((2, 2), np.uint8)) == (0, 255.0)
    paper = replace(tiny, input=replace(tiny.input, features="paper"))
    assert trained.normalisation(paper, np.array([[0, 200]], np.uint8)) == (100, 100.0)
    assert trained.normalisation(paper, np.zeros((2, 2), np.uint8)) == (0, 1.0)

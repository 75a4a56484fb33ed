"""Cells: keys that hold all that decides, answers that are kept whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf_trainer import cells, estimators
from eacf_trainer.cells import Answer, Cell
from eacf_trainer.protocol import Bench
from eacf_trainer.recipe import Recipe, Split, Verdicts


@pytest.fixture
def cell(bench: Bench) -> Cell:
    """A fold of the tiny recipe's, for an estimator, which is quick."""
    return bench.estimator("naive-bayes").judgement("grouped", 1, calibrated=False).folds[0].outer


def changed(recipe: Recipe, table: str, **values: Any) -> Recipe:
    return replace(recipe, **{table: replace(getattr(recipe, table), **values)})


DECIDING: dict[str, Callable[[Cell], Cell]] = {
    "input": lambda cell: replace(cell, recipe=changed(cell.recipe, "input", sides=1)),
    "network": lambda cell: replace(cell, recipe=changed(cell.recipe, "network", estimator="knn")),
    "training": lambda cell: replace(cell, recipe=changed(cell.recipe, "training", epochs=99)),
    "outliers": lambda cell: replace(
        cell,
        recipe=changed(cell.recipe, "training", outliers=replace(cell.recipe.training.outliers, made_up=0.125)),
    ),
    "bank": lambda cell: replace(cell, bank=cell.bank + "0"),
    "seed": lambda cell: replace(cell, seed=2),
    "outputs": lambda cell: replace(cell, lesson=replace(cell.lesson, outputs=cell.lesson.outputs + 1)),
    "a connection less": lambda cell: replace(cell, lesson=cell.lesson.only(np.arange(1, len(cell.lesson.places)))),
    "another label": lambda cell: replace(cell, lesson=replace(cell.lesson, wanted=np.roll(cell.lesson.wanted, 1))),
    "another order": lambda cell: replace(cell, lesson=cell.lesson.only(np.arange(len(cell.lesson.places))[::-1])),
    "judged": lambda cell: replace(cell, judged=cell.judged[1:], wanted=cell.wanted[1:]),
}
SAME: dict[str, Callable[[Cell], Cell]] = {
    "name": lambda cell: replace(cell, name="other"),
    "recipe's name": lambda cell: replace(cell, recipe=replace(cell.recipe, name="other", about="x", early=(1,))),
    "split": lambda cell: replace(cell, recipe=replace(cell.recipe, split=Split(), verdicts=Verdicts(0.5))),
    "where the arrays lie": lambda cell: replace(cell, bank=f"/elsewhere/{Path(cell.bank).name}"),
}


@pytest.mark.parametrize("change", DECIDING.values(), ids=DECIDING)
def test_a_key_changes_with_all_that_decides(cell: Cell, change: Callable[[Cell], Cell]) -> None:
    assert change(cell).key() != cell.key()


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_and_with_nothing_else(cell: Cell, change: Callable[[Cell], Cell]) -> None:
    assert change(cell).key() == cell.key()


def test_another_version_of_a_library_is_another_key(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    before, other = cell.key(), {**estimators.versions(), "keras": "0"}
    monkeypatch.setattr(cells.estimators, "versions", lambda: other)
    assert cell.key() != before


def test_an_answer_is_found_again_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    logits = np.arange(6, dtype=np.float32).reshape(3, 2)
    answer = Answer(logits, -logits, np.array([0.5, np.nan]), np.zeros((2, 2)))
    path = tmp_path / "a.npz"
    assert Answer.load(path) is None
    answer.save(path)
    again = Answer.load(path)
    assert again is not None
    for name in ("logits", "floats", "losses", "accuracies"):
        assert np.array_equal(getattr(again, name), getattr(answer, name), equal_nan=True)
    assert list(tmp_path.iterdir()) == [path]
    whole = path.read_bytes()
    middle = len(whole) // 2
    for data in (b"", b"PK", whole[:20], whole[:middle], whole[:-1], b"x" * 99, whole[:90] + b"?" + whole[91:]):
        path.write_bytes(data)
        assert Answer.load(path) is None
    np.savez(path, logits=logits)
    assert Answer.load(path) is None


def test_an_estimator_sees_the_values_of_its_lesson_alone(cell: Cell, bench: Bench) -> None:
    answer = cells.work(cell)
    assert answer.logits.shape == (len(cell.judged), bench.outputs)
    assert np.exp(answer.logits).sum(axis=1) == pytest.approx(1, abs=1e-5)
    known = cell.wanted < bench.outputs
    assert (answer.logits.argmax(axis=1) == cell.wanted)[known].mean() > 0.5
    shuffled = replace(cell, wanted=np.roll(cell.wanted, 3))  # what is wanted of the judged ones is not looked at
    assert np.array_equal(cells.work(shuffled).logits, answer.logits)
    again = cells.work(replace(cell, judged=cell.judged[::-1], wanted=cell.wanted[::-1]))
    assert again.logits[::-1] == pytest.approx(answer.logits, abs=1e-5)


def test_an_estimator_that_cannot_learn_is_named(cell: Cell) -> None:
    one = replace(cell, lesson=cell.lesson.only(cell.lesson.wanted == 0))
    told = replace(one, recipe=changed(cell.recipe, "network", estimator="logistic-regression"))
    with pytest.raises(cells.SettingError, match=r"estimator 'logistic-regression': cannot learn .*grouped/1/0"):
        cells.work(told)

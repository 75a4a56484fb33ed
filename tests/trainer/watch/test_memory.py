from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eacf_trainer import learning, quantise
from eacf_trainer.learning import Taught
from eacf_trainer.recipe import Outliers
from eacf_trainer.shown import Shown
from eacf_trainer.watch import parent, rebin
from eacf_trainer.watch.memory import Epochs, Memory
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.update import outputs_of
from tests.trainer.watch.conftest import flows, table


@pytest.fixture(scope="module")
def testbed() -> Parent:
    return parent.read(parent.find("testbed"))


@pytest.fixture(scope="module")
def said(testbed: Parent) -> np.ndarray:
    """Best output of the served model for each row that it kept."""
    return quantise.logits(testbed.model, quantise.inspect(testbed.model), testbed.ranges).argmax(axis=1)


def places(found: Memory, testbed: Parent) -> list[int]:
    """Where the rows lie among those that the parent kept."""
    where = {bytes(row): place for place, row in enumerate(testbed.ranges)}
    return [where[bytes(row)] for row in found.rows]


def test_rows_of_the_absent_labels_are_kept_and_no_others(testbed: Parent, said: np.ndarray) -> None:
    absent = [2, 6]
    found = Memory.of(testbed, absent, 1)
    assert found.labels == (2, 6)
    assert set(found.opinions.argmax(axis=1).tolist()) == {2, 6}
    assert found.opinions.sum(axis=1) == pytest.approx(1, abs=1e-5)
    kept = np.zeros(len(testbed.ranges), bool)
    kept[places(found, testbed)] = True
    # The float network's word, asked of its int8 file: they may differ on a row or two.
    assert (kept != np.isin(said, absent)).sum() <= 2
    assert found.values is not None
    assert len(found.rows) == len(found.opinions) == len(found.values) == kept.sum() >= 10


def test_every_row_is_kept_for_one_output(testbed: Parent) -> None:
    each = [Memory.of(testbed, [label], 1) for label in range(len(testbed.labels) + 1)]
    assert sum(len(found.rows) for found in each) == len(testbed.ranges)
    assert all(found.labels == (label,) for label, found in enumerate(each) if len(found.rows))
    together = Memory.of(testbed, range(len(testbed.labels)), 1)
    assert len(together.rows) == sum(len(found.rows) for found in each[:-1])


def test_nothing_absent_or_nothing_kept_is_no_memory(testbed: Parent) -> None:
    for found in (Memory.of(testbed, [], 1), Memory.of(replace(testbed, ranges=testbed.ranges[:0]), [1], 1)):
        assert (found.labels, len(found.rows)) == ((), 0)
        assert found.targets(10, True).shape == (0, 11)
        assert found.seen_by(testbed.features) is found
    none_of_it = Memory.of(replace(testbed, ranges=Memory.of(testbed, [0], 1).rows), [1], 1)
    assert (none_of_it.labels, len(none_of_it.rows)) == ((), 0)
    assert none_of_it.seen_by(testbed.features).rows.shape == (0, *testbed.features.shape)


def test_the_parents_features_see_the_rows_as_they_were_and_others_in_their_own_bins(testbed: Parent) -> None:
    found = Memory.of(testbed, [2], 1)
    assert np.array_equal(found.seen_by(testbed.features).rows, found.rows)
    given = flows(200, 40)
    old = testbed.features
    assert found.values is not None
    wanted = outputs_of([label for label, _, _ in given], testbed.labels)
    values = old.layout.of(learning.looked_at(table(given), old.layout))
    other = rebin.refitted(old, values, wanted, 1, found.values)
    seen = found.seen_by(other)
    assert not np.array_equal(seen.rows, found.rows)
    made = np.zeros_like(seen.rows)
    other.fill_values(found.values.copy(), made)
    assert np.array_equal(seen.rows, made)
    assert np.array_equal(seen.opinions, found.opinions)
    # The values were drawn by the seed.
    again, another = Memory.of(testbed, [2], 1), Memory.of(testbed, [2], 2)
    assert np.array_equal(again.values, found.values)
    assert not np.array_equal(another.values, found.values)


@pytest.mark.parametrize("background", [True, False])
def test_targets_are_widened_for_new_labels_with_the_background_last(background: bool) -> None:
    opinions = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], np.float32)
    found = Memory((0, 1), np.zeros((2, 4), np.uint8), opinions, None)
    labels = 2 if background else 3
    assert np.array_equal(found.targets(labels, background), opinions)
    wide = found.targets(labels + 2, background)
    assert wide.shape == (2, 5)
    assert np.array_equal(wide[:, :labels], opinions[:, :labels])
    assert not wide[:, labels : labels + 2].any()
    if background:
        assert np.array_equal(wide[:, -1], opinions[:, -1])
    assert wide.sum(axis=1) == pytest.approx(1)


def test_a_remembered_label_is_shown_about_as_often_as_the_others(testbed: Parent) -> None:
    absent = 6
    given = [each for each in flows(320, 41, background=0.0) if each[0] != testbed.labels[absent]]
    wanted = outputs_of([label for label, _, _ in given], testbed.labels)
    memory = Memory.of(testbed, [absent], 1)
    plain = replace(
        testbed.recipe, training=replace(testbed.recipe.training, outliers=Outliers(made_up=0.1, background=0.0))
    )
    shown = Shown(plain, testbed.features, Taught(table(given), wanted, len(testbed.labels)), 1)
    weights = np.linspace(0.5, 1.5, len(given)).astype(np.float32)
    epochs = Epochs(shown, weights, memory, len(testbed.labels))
    epoch = epochs(0)
    counts = np.bincount(epoch.targets.argmax(axis=1), minlength=len(testbed.labels))
    others = np.delete(counts[: len(testbed.labels)], absent)
    assert counts[absent] == pytest.approx(np.median(others), abs=len(memory.rows))
    assert len(epoch.rows) == len(epoch.targets) == len(epoch.weights)
    # A row goes with its own target and weight, however they are mixed.
    number = {bytes(row): place for place, row in enumerate(memory.rows)}
    targets = memory.targets(len(testbed.labels), True)
    theirs = [
        (number[bytes(row)], target, weight)
        for row, target, weight in zip(epoch.rows, epoch.targets, epoch.weights, strict=True)
        if target.argmax() == absent
    ]
    assert all(np.array_equal(target, targets[place]) and weight == 1 for place, target, weight in theirs)
    assert len({place for place, _, _ in theirs}) == len(number)
    assert {float(each) for each in weights} <= {float(each) for each in epoch.weights}
    again, later = epochs(0), epochs(1)
    assert np.array_equal(again.rows, epoch.rows)
    assert not np.array_equal(later.rows, epoch.rows)


def test_without_a_memory_an_epoch_is_what_is_shown(testbed: Parent) -> None:
    given = flows(100, 42, background=0.0)
    wanted = outputs_of([label for label, _, _ in given], testbed.labels)
    taught = Taught(table(given), wanted, len(testbed.labels))
    epochs = Epochs(
        Shown(testbed.recipe, testbed.features, taught, 1),
        np.ones(100, np.float32),
        Memory.of(testbed, [], 1),
        len(testbed.labels),
    )
    made, plain = epochs(3), Shown(testbed.recipe, testbed.features, taught, 1).epoch(3)
    assert all(np.array_equal(getattr(made, each), getattr(plain, each)) for each in ("rows", "targets", "weights"))

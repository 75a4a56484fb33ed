"""Small trainings: a recipe without a teacher, one epoch, two hundred connections."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from eacf.errors import SettingError
from eacf_trainer import learning, networks
from eacf_trainer.learning import Taught
from eacf_trainer.recipe import Outliers
from eacf_trainer.shown import Shown
from eacf_trainer.watch import parent
from eacf_trainer.watch.course import LEAST_CROSSED, Course
from eacf_trainer.watch.memory import Memory
from eacf_trainer.watch.parent import Parent
from eacf_trainer.watch.settings import Update
from eacf_trainer.watch.update import outputs_of
from tests.trainer.watch.conftest import flows, table

ONE_EPOCH = Update(epochs=1, folds=3)


@pytest.fixture(scope="module")
def testbed() -> Parent:
    """Its recipe shows nothing but what is learnt from."""
    found = parent.read(parent.find("testbed"))
    training = replace(found.recipe.training, outliers=Outliers(made_up=0.1, background=0.1))
    return replace(found, recipe=replace(found.recipe, training=training))


@dataclass(frozen=True)
class Told(Course):
    """Keeps what each training was given."""

    given: list[tuple[Taught, np.ndarray]] = field(default_factory=list)

    def fit(self, taught: Taught, weights: np.ndarray) -> tuple[networks.Network, list[float], Shown]:
        self.given.append((taught, weights))
        return super().fit(taught, weights)


def course(parent: Parent, settings: Update = ONE_EPOCH, labels: tuple[str, ...] = ()) -> Told:
    wanted = (*parent.labels, *labels)
    return Told(parent, wanted, parent.features, Memory.of(parent, [], 1), settings, 1)


def numbered(count: int, outputs: int) -> Taught:
    """Samples that are all different: the last record length looked at is their number."""
    given = flows(count, 50)
    made = table(given)[:, :8].copy()
    made[:, 7] = np.arange(count) + 1
    labels = sorted({label for label, _, _ in given if label is not None})
    wanted = outputs_of([label for label, _, _ in given], labels)
    return Taught(made, np.where(wanted == len(labels), outputs, wanted), outputs)


def numbers(taught: Taught) -> set[int]:
    return {int(each) - 1 for each in taught.table[:, 7]}


def test_each_new_sample_is_asked_about_once_by_a_network_that_did_not_learn_it(testbed: Parent) -> None:
    count = 180
    taught = numbered(count, len(testbed.labels))
    new = np.arange(count) >= 70
    weights = np.linspace(0.5, 1.5, count).astype(np.float32)
    networks.deterministic(1)
    asked_for = course(testbed, Update(epochs=1, folds=2))
    found = asked_for.crossed(taught, weights, new)
    asked = [set(range(count)) - numbers(learnt) for learnt, _ in asked_for.given]
    assert len(found) == len(asked) == 2
    assert sum(map(len, asked)) == len(set.union(*asked))  # no sample twice
    assert set.union(*asked) == set(np.flatnonzero(new).tolist())  # all new ones, no replayed one
    assert max(map(len, asked)) - min(map(len, asked)) <= 1
    for (logits, wanted), places, (learnt, theirs) in zip(found, asked, asked_for.given, strict=True):
        assert wanted.tolist() == taught.wanted[sorted(places)].tolist()
        assert logits.shape == (len(places), asked_for.outputs)
        kept = sorted(numbers(learnt))
        assert np.array_equal(theirs, weights[kept])
        assert np.array_equal(learnt.wanted, taught.wanted[kept])
    # What is said is the word of the network that learns the rest.
    networks.deterministic(1)
    network, _, _ = course(testbed).fit(*asked_for.given[0])
    rows = learning.rows(testbed.features, taught.table[sorted(asked[0])])
    assert np.array_equal(found[0][0], networks.logits(network, rows, testbed.mu, testbed.sd))


@pytest.mark.parametrize(("folds", "fresh"), [(0, 150), (3, LEAST_CROSSED - 1), (3, 0)])
def test_few_new_samples_or_no_folds_are_no_trainings(testbed: Parent, folds: int, fresh: int) -> None:
    asked_for = course(testbed, Update(epochs=1, folds=folds))
    taught = numbered(150, len(testbed.labels))
    assert asked_for.crossed(taught, np.ones(150, np.float32), np.arange(150) < fresh) == []
    assert asked_for.given == []


def test_a_part_without_which_no_sample_of_a_label_is_left_is_not_asked_about(testbed: Parent) -> None:
    labels = len(testbed.labels)
    wanted = np.where(np.arange(120) == 60, 3, labels)
    taught = Taught(numbered(120, labels).table, wanted, labels)
    asked_for = course(testbed)
    found = asked_for.crossed(taught, np.ones(120, np.float32), np.ones(120, bool))
    assert len(found) == 2
    assert all(60 in numbers(learnt) for learnt, _ in asked_for.given)
    assert all((told == labels).all() for _, told in found)


def test_a_clone_begins_where_its_parent_was(testbed: Parent) -> None:
    """With hardly any learning it says of old labels what its parent says."""
    still = replace(
        testbed, recipe=replace(testbed.recipe, training=replace(testbed.recipe.training, learning_rate=1e-12))
    )
    labels, added = len(testbed.labels), ("new", "newer")
    taught = numbered(100, labels + 2)
    rows = learning.rows(testbed.features, taught.table)
    before = networks.build(testbed.recipe.network, testbed.features.shape[0], labels + 1)
    before.set_weights(list(testbed.weights))
    wanted = networks.logits(before, rows, testbed.mu, testbed.sd)
    cloned, _, _ = course(still, ONE_EPOCH, added).fit(taught, np.ones(100, np.float32))
    said = networks.logits(cloned, rows, testbed.mu, testbed.sd)
    assert said.shape[1] == wanted.shape[1] + len(added)
    assert np.allclose(said[:, :labels], wanted[:, :labels], atol=1e-4)
    assert np.allclose(said[:, -1], wanted[:, -1], atol=1e-4)  # the background stays last
    alone, _, _ = course(still, Update(epochs=1, start="scratch"), added).fit(taught, np.ones(100, np.float32))
    said = networks.logits(alone, rows, testbed.mu, testbed.sd)
    assert not np.allclose(said[:, :labels], wanted[:, :labels], atol=0.1)


def test_without_a_setting_the_recipe_says_how_long(testbed: Parent) -> None:
    short = replace(testbed, recipe=replace(testbed.recipe, training=replace(testbed.recipe.training, epochs=2)))
    _, losses, _ = course(short, Update()).fit(numbered(60, len(testbed.labels)), np.ones(60, np.float32))
    assert len(losses) == 2
    assert all(np.isfinite(losses))


def test_a_loss_that_is_no_number_names_the_setting(testbed: Parent) -> None:
    broken = replace(testbed, weights=tuple(np.full_like(each, np.nan) for each in testbed.weights))
    taught = numbered(60, len(testbed.labels))
    with pytest.raises(SettingError, match=r"update.learning_rate is 0.5 of the recipe's.*epoch 1; lower it"):
        course(broken, Update(epochs=3, learning_rate=0.5)).fit(taught, np.ones(60, np.float32))

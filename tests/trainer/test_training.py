from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eacf.features import Paper, Shape
from eacf_trainer import networks, training
from eacf_trainer.config import Outliers, Recipe
from eacf_trainer.samples import Labelled
from eacf_trainer.testbed import APPS
from eacf_trainer.training import Source, bare


@pytest.fixture
def few() -> Labelled:
    """Six flows of "web", three of "chat", two of nothing."""
    lengths = [[300 + number, -900] for number in range(11)]
    return Labelled([bare(each) for each in lengths], ["web", "chat", "web"] * 3 + [None] * 2)


def test_labels_are_sorted_and_background_comes_last(trained: Any, recipe: Recipe) -> None:
    assert trained.labels == tuple(sorted(APPS))
    assert trained.background
    assert trained.network.output_shape == (None, len(APPS) + 1)
    assert (trained.mu, trained.sd) == (0, 255.0)
    assert trained.features.shape == (recipe.records * recipe.bins,)
    assert len(trained.rows) == len(trained.wanted)
    assert trained.wanted.max() < len(APPS)


def test_it_learns(trained: Any, data: Any) -> None:
    """On captures of other sites and paths than it was trained on, after fifteen short epochs."""
    assert trained.history[-1]["loss"] < 0.5 * trained.history[0]["loss"]
    flows = data.evaluation["records"].known()
    wanted = training.numbered(flows, trained.labels)
    logits = networks.logits(trained.network, trained.features.encode(flows.samples), trained.mu, trained.sd)
    assert (logits[:, :-1].argmax(axis=1) == wanted).mean() > 0.5  # by chance: one in eight


def test_the_same_seed_trains_the_same_network(few: Labelled, recipe: Recipe) -> None:
    short = replace(recipe, epochs=2, records=2)
    first, again = training.train(short, few), training.train(short, few)
    assert first.features.spec() == again.features.spec()
    assert first.history == again.history
    one, other = networks.weights(first.network), networks.weights(again.network)
    assert list(one) == list(other)
    assert all((one[name] == other[name]).all() for name in one)


def test_without_outliers_background_is_left_out(few: Labelled, recipe: Recipe) -> None:
    trained = training.train(replace(recipe, epochs=1, records=2, outliers=Outliers()), few)
    assert not trained.background
    assert trained.network.output_shape == (None, 2)
    assert len(trained.rows) == 9


def test_an_epoch_is_all_known_rows_and_so_many_others(few: Labelled, recipe: Recipe) -> None:
    features = Shape([[0, 303, 306, 309], [0]], bins=8)
    known, background = few.known(), few.background()
    rows, wanted = features.encode(known.samples), training.numbered(known, ("chat", "web"))
    settings = replace(recipe, records=2, outliers=Outliers(share=2 / 3, pool=4, background_share=1 / 3))
    source = Source(settings, features, known, background, rows, wanted, 2)
    assert [len(pool) for pool, _ in source.pools] == [4 * 6, 2]
    x, y = source.epoch(3)
    assert Counter(y.tolist()) == {0: 3, 1: 6, 2: 6 + 3}
    for label in (0, 1):
        assert Counter(map(bytes, x[y == label])) == Counter(map(bytes, rows[wanted == label]))
    for one, other, same in ((source.epoch(3), (x, y), True), (source.epoch(4), (x, y), False)):
        assert all((a == b).all() for a, b in zip(one, other, strict=True)) is same


def test_bins_see_outliers_only_where_the_recipe_has_some(few: Labelled, recipe: Recipe) -> None:
    """Background beyond 5,000 bytes asks for an edge that the labels alone, between 300 and 308, do not."""
    far = Labelled([bare([5000 + number, -900]) for number in range(20)], [None] * 20)

    def edges(outliers: Outliers) -> tuple[int, ...]:
        features = training.fitted(replace(recipe, outliers=outliers), few.known(), far, ("chat", "web"))
        assert isinstance(features, Shape)
        return features.record_bins[0]

    assert max(edges(Outliers())) <= 308
    assert max(edges(Outliers(share=0.5))) > 308


def test_the_papers_features_have_its_length(few: Labelled, recipe: Recipe) -> None:
    features = training.fitted(replace(recipe, features="paper", len_bytes=77), few, few, ("chat", "web"))
    assert isinstance(features, Paper)
    assert features.shape == (77,)


def test_one_mean_and_one_deviation_for_all_bytes(recipe: Recipe) -> None:
    rows = np.array([[0, 10], [20, 31]], np.uint8)
    mu, sd = training.normalisation(replace(recipe, features="paper"), rows)
    assert (mu, sd) == (15, pytest.approx(rows.std(), abs=1e-3))
    assert isinstance(mu, int)
    assert training.normalisation(recipe, rows) == (0, 255.0)


def test_at_most_so_many_flows_of_a_label_drawn_at_random_in_order(few: Labelled) -> None:
    known = few.known()
    assert training.capped(known, 0, np.random.default_rng(1)) is known
    drawn = set()
    for seed in range(20):
        kept = training.capped(known, 2, np.random.default_rng(seed))
        assert Counter(kept.labels) == {"web": 2, "chat": 2}
        places = [known.samples.index(sample) for sample in kept.samples]
        assert places == sorted(places)
        drawn.add(tuple(places))
    assert len(drawn) > 5
    assert len(training.capped(known, 4, np.random.default_rng(1))) == 4 + 3


def test_background_is_the_output_after_the_labels(few: Labelled) -> None:
    assert training.numbered(few, ("chat", "web")).tolist() == [1, 0, 1] * 3 + [2, 2]

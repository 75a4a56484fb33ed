"""Which samples teach, and what an estimator sees of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eacf.features import Lengths, Paper
from eacf.features.bins import ABSENT
from eacf_trainer import binning, learning
from eacf_trainer.bank import Bank
from eacf_trainer.learning import Lesson, Taught
from eacf_trainer.protocol import Bench
from eacf_trainer.recipe import Input, Network, Recipe


@pytest.fixture(scope="module")
def bank(bench: Bench) -> Bank:
    """Lengths of the site's connections."""
    return Bank.open(Path(bench.bank), bench.recipe.input.cuts)


def test_the_cut_that_a_sensor_sends_is_shown(bench: Bench, bank: Bank) -> None:
    settings, places = bench.recipe.input, np.arange(len(bench.flows))
    assert learning.cuts_by_preference(settings) == ("records", "stream")
    assert learning.cuts_by_preference(replace(settings, features="paper")) == ("stream", "records")
    there = bank.there["records"]
    assert np.array_equal(learning.samples(bank, places, settings)[there], bank.arrays["records"][there])
    only = Bank(bank.arrays, {"records": there & (places % 2 == 0), "stream": bank.there["stream"]})
    odd = ~only.there["records"] & only.there["stream"]
    assert odd.any()
    assert np.array_equal(learning.samples(only, places, settings)[odd], bank.arrays["stream"][odd])


def test_a_connection_without_a_sample_teaches_nothing(bench: Bench, bank: Bank) -> None:
    lesson = bench.final()
    taught = learning.taught(bank, lesson, bench.recipe.input)
    assert len(taught.table) == len(taught.wanted) == len(bench.flows)
    none = {cut: there & (lesson.places > 9) for cut, there in bank.there.items()}
    fewer = learning.taught(Bank(bank.arrays, none), lesson, bench.recipe.input)
    assert np.array_equal(fewer.table, taught.table[10:])
    assert np.array_equal(fewer.wanted, taught.wanted[10:])


def test_labels_are_capped_and_background_is_not() -> None:
    lesson = Lesson(np.arange(60), np.repeat([0, 1, 2], [30, 5, 25]), 2)
    kept = learning.capped(lesson, 10, np.random.default_rng(1))
    assert np.bincount(kept.wanted).tolist() == [10, 5, 25]
    assert (np.diff(kept.places) > 0).all()
    assert (lesson.wanted[kept.places] == kept.wanted).all()
    again = learning.capped(lesson, 10, np.random.default_rng(1))
    assert np.array_equal(again.places, kept.places)
    assert learning.capped(lesson, 0, np.random.default_rng(1)) is lesson


@pytest.mark.parametrize("records", [1, 2, 8, 16])
def test_no_more_than_the_records_of_a_recipe_are_looked_at(bench: Bench, bank: Bank, records: int) -> None:
    settings = replace(bench.recipe.input, records=records)
    layout = learning.layout(settings)
    assert max(layout.places, layout.sides, layout.large) <= layout.records == records
    table = np.array(bank.arrays["stream"][:50])
    beyond = table.copy()
    beyond[:, records:] = 12_345
    assert np.array_equal(learning.numbers(settings, table), learning.numbers(settings, beyond))
    taught = Taught(table, np.arange(50) % 3, 3)
    made = learning.features(replace(bench.recipe, input=settings), taught, 1)
    assert isinstance(made, Lengths)
    assert np.array_equal(learning.rows(made, table), learning.rows(made, beyond))


def test_an_estimator_sees_the_values_that_bins_are_made_of(bench: Bench, bank: Bank) -> None:
    settings = bench.recipe.input
    table = np.array(bank.arrays["records"][:20])
    values = learning.layout(settings).of(table[:, : settings.records])
    numbers = learning.numbers(settings, table)
    assert numbers.dtype == np.float32
    assert (numbers[values == ABSENT] == binning.NONE).all()
    assert (numbers[values != ABSENT] == values[values != ABSENT]).all()


def test_features_that_need_no_learning_are_as_they_are() -> None:
    recipe = Recipe("x", input=Input(features="paper", len_bytes=48), network=Network("paper-cnn"))
    rows = np.arange(96, dtype=np.uint8).reshape(2, 48)
    made = learning.features(recipe, Taught(rows, np.zeros(2, np.int64), 2), 1)
    assert isinstance(made, Paper)
    assert np.array_equal(learning.rows(made, rows), rows)
    assert np.array_equal(learning.numbers(recipe.input, rows), rows.astype(np.float32))

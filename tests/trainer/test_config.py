from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any, get_args

import pytest

from eacf.flow import Needs
from eacf_trainer import config, runs, samples
from eacf_trainer.config import Outliers, Recipe


def test_a_recipe_says_everything_as_json(recipe: Recipe) -> None:
    document = runs.plain(recipe)
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}
    assert Recipe(**tuples | {"outliers": Outliers(**document["outliers"])}) == recipe


def test_nothing_changes_a_recipe_on_its_way(recipe: Recipe) -> None:
    with pytest.raises(FrozenInstanceError):
        recipe.epochs = 1  # type: ignore[misc]


def test_each_way_is_what_its_docstring_says() -> None:
    assert set(samples.CUTS) == set(get_args(config.Way))
    assert samples.CUTS["records"] == Needs(0, Needs().window_bytes, 16, False)
    assert samples.CUTS["records"].records_only
    assert samples.CUTS["stream"] == Needs()


def test_a_manifest_says_the_fixed_time(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built.bundle.manifest.document["created"] == runs.created()
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert runs.created() == config.CREATED

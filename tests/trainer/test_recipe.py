"""Recipes: what a file may say, and what is said of one that is wrong."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eacf.errors import SettingError
from eacf_trainer import estimators, recipe
from eacf_trainer.recipe import Recipe


def keys(kind: Any) -> list[str]:
    """Every key that a recipe or a table in it may have."""
    return [field.name for field in fields(kind)]


TABLES = {"input", "network", "training", "labels", "split", "verdicts"}
PLAIN = Recipe("plain")
LEAVES = st.integers(-3, 300) | st.integers() | st.floats() | st.booleans() | st.datetimes()
LEAVES |= st.text(max_size=5) | st.sampled_from(["lengths", "paper", "dense", "records", "grouped", "random", "ads"])
VALUES = st.recursive(LEAVES, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=4), some))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Recipes, most of them wrong in a key or two."""
    document: dict[str, Any] = {"name": "some"}
    for name in draw(st.lists(st.sampled_from(keys(Recipe)), max_size=4)):
        inner = getattr(PLAIN, name)
        if is_dataclass(inner) and draw(st.booleans()):
            known = st.sampled_from(keys(inner))
            document[name] = draw(st.dictionaries(known | st.text(max_size=3), VALUES, max_size=2))
        else:
            document[name] = draw(VALUES)
    return document


@given(documents())
def test_whatever_a_file_says_it_is_a_recipe_or_a_setting_error(document: dict[str, Any]) -> None:
    said = ""
    try:
        made = recipe.parse(document, "some.toml")
    except SettingError as error:
        said = str(error)
    if said:
        assert said.startswith("some.toml: ")
        assert len(said) < 1000
        return
    text = json.dumps(made.document(), allow_nan=False)
    again = recipe.parse(json.loads(text), "config.json")
    assert (again, again.id) == (made, made.id)


@pytest.mark.parametrize("name", recipe.names())
def test_shipped_recipes(name: str) -> None:
    made = recipe.load(name)
    assert made.name == name
    assert made.about
    assert recipe.parse(made.document(), name) == made
    for line in (*made.compare, *made.training.teacher.estimators):
        estimators.make(line, 1)


def test_the_papers_recipe_is_the_papers() -> None:
    """IV-A and IV-B: 3,000 bytes, 700 flows a label, batches of 64, 100 epochs, Adam at 0.0005, five baselines."""
    paper = recipe.load("paper")
    training = paper.training
    assert (paper.input.features, paper.input.len_bytes, paper.input.cuts) == ("paper", 3000, ("stream",))
    assert (training.flows_per_label, training.batch, training.epochs, training.learning_rate) == (700, 64, 100, 5e-4)
    assert paper.compare == estimators.PAPERS
    assert not paper.lighter
    light = recipe.load("paper-light")
    assert light.lighter == f"{light.training.epochs} epochs instead of {training.epochs}"
    same = replace(light, name=paper.name, lighter="", training=replace(light.training, epochs=training.epochs))
    assert same == paper


def test_the_default_looks_at_record_lengths_alone() -> None:
    made = recipe.load("default")
    assert made.input.features == "lengths"
    assert made.split.by == "grouped"
    assert "random" in made.split.beside


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("speed = 3", "x.toml: speed: no such key; see docs/recipes.md for those there are"),
        ("[training]\nepoch = 3", "x.toml: training.epoch: no such key"),
        ("[training.teacher]\nestimator = 'knn'", "x.toml: training.teacher.estimator: no such key"),
        ("[training]\nepochs = 0", "x.toml: training.epochs is '0': input should be greater than or equal to 1"),
        ("[network]\nkind = 'transformer'", "x.toml: network.kind is 'transformer': input should be 'dense'"),
        ("[network]\nhidden = [8, -1]", "x.toml: network.hidden.1 is '-1'"),
        ("[split]\nbeside = ['random', 'weekday']", "x.toml: split.beside.1 is 'weekday'"),
        ("training = 3", "x.toml: training is '3'"),
        ("early = [1, 17]", "x.toml: early.1 is '17': input should be less than or equal to 16"),
        ("[training]\nlearning_rate = inf", "x.toml: training.learning_rate is 'inf'"),
        ("[training.outliers]\nmade_up = nan", "x.toml: training.outliers.made_up is 'nan'"),
        ('version = "1\\n2"', "x.toml: version is"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_allowed(text: str, said: str) -> None:
    document = {"name": "x", **tomllib.loads(text)}
    with pytest.raises(SettingError) as raised:
        recipe.parse(document, "x.toml")
    assert said in str(raised.value)


def test_a_name_is_needed_and_is_one_of_a_file() -> None:
    with pytest.raises(SettingError, match=r"x\.toml: name: is missing"):
        recipe.parse({}, "x.toml")
    for name in ("", "Upper", "a/b", "../x", "a" * 65, "a\n"):
        with pytest.raises(SettingError, match=r"x\.toml: name is"):
            recipe.parse({"name": name}, "x.toml")


def test_everything_it_says_is_in_its_id() -> None:
    one = Recipe("a")
    others = [
        replace(one, name="b"),
        replace(one, early=(2,)),
        replace(one, training=replace(one.training, teacher=replace(one.training.teacher, share=0.5))),
        replace(one, split=replace(one.split, inner=3)),
    ]
    assert len({each.id for each in (one, *others)}) == 5
    assert one.id == Recipe("a").id


def test_files_are_found_and_what_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[split]\nfolds = 3\n')
    assert recipe.load(str(file)).split.folds == 3
    with pytest.raises(SettingError, match=r"--recipe mine: no such recipe; shipped are default, .* or name a file"):
        recipe.load("mine")
    with pytest.raises(SettingError, match=r"none.toml: No such file or directory; name a recipe's file \(.toml\)"):
        recipe.load(str(tmp_path / "none.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SettingError, match=r"folder\.toml: Is a directory"):
        recipe.load(str(tmp_path / "folder.toml"))
    for data in (b"name = ", b"\xff\xfe", b'name = "a"\nname = "b"'):
        file.write_bytes(data)
        with pytest.raises(SettingError, match=r"mine\.toml: is no TOML"):
            recipe.load(str(file))

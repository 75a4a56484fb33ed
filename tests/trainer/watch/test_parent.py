from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf import bundle
from eacf.errors import SettingError
from eacf_trainer.recipe import Recipe
from eacf_trainer.watch import parent
from eacf_trainer.watch.home import SHIPPED, Home

Arrays = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder that may be spoilt; its bundle is the plugin's."""
    return Path(shutil.copytree(SHIPPED / "testbed", tmp_path / "run"))


def change(path: Path, **values: Any) -> None:
    """Replace values of a JSON file; None takes one out."""
    document = json.loads(path.read_bytes()) | values
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))


def rewrite(path: Path, spoil: Callable[[Arrays], Arrays]) -> None:
    with np.load(path) as held:
        arrays = {name: held[name] for name in held.files}
    np.savez(path, **spoil(arrays))


@pytest.mark.parametrize("name", bundle.shipped())
def test_shipped_runs_are_found_by_name_and_whole(name: str) -> None:
    found = parent.read(parent.find(name))
    held = bundle.load(bundle.find(name))
    assert (found.id, found.labels, found.model) == (held.id, held.manifest.labels, held.model)
    assert found.features.spec() == held.manifest.features.spec()
    assert found.calibration.thresholds.tolist() == pytest.approx(held.manifest.thresholds, abs=1e-6)
    assert found.ranges.shape[1:] == held.manifest.features.shape


def test_whatever_is_no_shipped_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parent.find("testbed") == SHIPPED / "testbed"
    for given in ("./testbed", "../shipped/testbed", "none", "", str(tmp_path)):
        assert parent.find(given) == Path(given)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SettingError, match=r"none: no run folder of a finished model .* or a shipped one: public, testbed"
    ):
        parent.read(parent.find("none"))


@pytest.mark.parametrize("file", ["weights.npz", "ranges.npz", "calibration.json"])
@pytest.mark.parametrize("left", [None, 0, 100])
def test_a_file_that_is_missing_empty_or_torn_is_named(folder: Path, file: str, left: int | None) -> None:
    path = folder / file
    whole = path.read_bytes()
    path.unlink()
    if left is not None:
        path.write_bytes(whole[:left])
    with pytest.raises(SettingError) as told:
        parent.read(folder)
    assert str(folder) in str(told.value)
    assert "name a folder that `eacf-train fit` wrote" in str(told.value)
    if left is None:
        assert file in str(told.value)


def test_a_run_that_was_not_finished_is_told(folder: Path, tmp_path: Path) -> None:
    no_run = "no run folder of a finished model .*name a folder that `eacf-train fit` wrote, or a shipped one"
    change(folder / "config.json", bundle=None)
    with pytest.raises(SettingError, match=no_run):
        parent.read(folder)
    change(folder / "config.json", bundle="0123456789ab", recipe=None)
    with pytest.raises(SettingError, match=no_run):
        parent.read(folder)
    for text in ("", "{", "[]", "null", '{"bundle": "0123456789ab", "recipe": "testbed"}'):
        (folder / "config.json").write_text(text)
        with pytest.raises(SettingError, match=no_run):
            parent.read(folder)
        with Home.open(tmp_path / "home") as home, pytest.raises(SettingError, match=no_run):
            home.begin(folder, "now")


def test_the_run_of_an_estimator_has_no_bundle_and_is_told_for_what_it_is(tmp_path: Path, neighbours: Recipe) -> None:
    document = {"recipe": neighbours.document(), "seed": 1, "bundle": None}
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(SettingError, match="is an estimator, which cannot be updated; name a network's run folder"):
        parent.read(tmp_path)
    with Home.open(tmp_path / "home") as home, pytest.raises(SettingError, match="is an estimator"):
        home.begin(tmp_path, "now")


def test_a_bundle_that_is_not_the_runs_is_told_with_where_its_own_belongs(folder: Path) -> None:
    shutil.copy(bundle.find("public"), folder / "testbed.eacf")
    with pytest.raises(SettingError, match=f"testbed.eacf: is bundle .*; put the run's own into {folder}$"):
        parent.read(folder)
    torn = bundle.find("testbed").read_bytes()[:1000]
    (folder / "testbed.eacf").write_bytes(torn)
    with pytest.raises(SettingError, match=f"{folder}: its bundle cannot be read"):
        parent.read(folder)
    (folder / "testbed.eacf").unlink()
    change(folder / "config.json", bundle="0123456789ab")
    # The plugin's own file is named, but nobody is asked to put another in its place.
    with pytest.raises(SettingError, match=f"put the run's own into {folder}$"):
        parent.read(folder)


def test_a_bundle_of_no_shipped_name_lies_in_the_folder_and_nowhere_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.loads((folder / "config.json").read_bytes())
    change(folder / "config.json", recipe=told["recipe"] | {"name": "mine"})
    monkeypatch.chdir(folder.parent)
    shutil.copy(bundle.find("testbed"), folder.parent / "mine")
    with pytest.raises(SettingError, match=f"{folder}/mine.eacf"):
        parent.read(folder)
    shutil.copy(bundle.find("testbed"), folder / "mine.eacf")
    assert parent.read(folder).id == told["bundle"]


def without_first(arrays: Arrays) -> Arrays:
    return dict(list(arrays.items())[1:])


@pytest.mark.parametrize(
    ("file", "spoil"),
    [
        ("weights.npz", lambda arrays: {}),
        ("weights.npz", without_first),
        ("weights.npz", lambda arrays: {name: each[:5] for name, each in arrays.items()}),
        ("weights.npz", lambda arrays: {name: each.sum() for name, each in arrays.items()}),
        ("ranges.npz", lambda arrays: {"rows": arrays["rows"][:, :5]}),
    ],
)
def test_arrays_of_another_model_are_told(folder: Path, file: str, spoil: Callable[[Arrays], Arrays]) -> None:
    rewrite(folder / file, spoil)
    with pytest.raises(SettingError, match=r"not those of its bundle .*; name a folder that is as it was written"):
        parent.read(folder)


def test_arrays_that_would_run_code_are_not_loaded(folder: Path) -> None:
    rewrite(folder / "weights.npz", lambda arrays: {"a": np.array([{}], object)})
    with pytest.raises(SettingError, match="is not whole"):
        parent.read(folder)


@pytest.mark.parametrize(
    ("file", "values", "told"),
    [
        ("calibration.json", {"thresholds": [0.5]}, "calibration are not those of its bundle"),
        ("calibration.json", {"known": [0.5] * 9}, "calibration are not those of its bundle"),
        ("calibration.json", {"thresholds": ["high"] * 8}, "is not whole"),
        ("calibration.json", {"mu": None}, r"is not whole \('mu'\)"),
        ("config.json", {"seed": "one"}, "is not whole"),
    ],
)
def test_values_of_another_model_are_told(folder: Path, file: str, values: dict[str, Any], told: str) -> None:
    change(folder / file, **values)
    with pytest.raises(SettingError, match=told):
        parent.read(folder)


def test_the_seed_is_the_runs(folder: Path) -> None:
    change(folder / "config.json", seed=7)
    assert parent.read(folder).seed == 7

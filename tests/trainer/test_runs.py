from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eacf import bundle
from eacf.features import from_spec
from eacf.inference import Model
from eacf_trainer import networks, runs
from eacf_trainer.config import Recipe


def test_a_run_folder_holds_what_its_bundle_was_made_of(built: Any, recipe: Recipe) -> None:
    names = {path.name for path in built.run.iterdir()}
    assert names == {f"{name}.json" for name in runs.INDENT} | {"weights.npz"}
    run = {name: json.loads((built.run / f"{name}.json").read_text()) for name in runs.INDENT}
    document = built.bundle.manifest.document
    assert run["config"]["bundle"] == built.bundle.id
    assert run["config"]["recipe"] == document["training"]["recipe"] == runs.plain(recipe)
    assert run["config"]["captures"]["captures"] == document["training"]["captures"]
    assert run["figures"] == document["figures"]
    assert run["features"] == document["features"]
    assert len(run["history"]) == recipe.epochs
    assert run["versions"].items() > document["libraries"].items()


def test_float_weights_give_the_network_back(built: Any, recipe: Recipe, data: Any) -> None:
    """Another program has the run folder and no more: what it makes of it says what the int8 bundle says."""
    features = from_spec(json.loads((built.run / "features.json").read_text()))
    network = networks.build(recipe, features.shape[0], len(built.bundle.labels) + 1)
    with np.load(built.run / "weights.npz") as stored:
        network.set_weights([stored[name] for name in stored.files])
    rows = features.encode(data.evaluation["records"].samples)
    floats = networks.logits(network, rows, 0, 255.0)

    scores = Model(built.bundle).scores(data.evaluation["records"].samples)
    assert (floats.argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.95


def test_weights_of_two_writes_are_the_same_bytes(built: Any, trained: Any, recipe: Recipe, tmp_path: Path) -> None:
    for _ in range(2):
        runs.write(tmp_path / "run", recipe, {}, trained, {}, "0" * 12)  # the second time over the first
    assert (tmp_path / "run" / "weights.npz").read_bytes() == (built.run / "weights.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "run" / "weights.npz") as archive:
        assert archive.namelist() == [f"{name}.npy" for name in networks.weights(trained.network)]


def test_what_cannot_be_replaced_stays(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    runs.replace(target, b"old")
    runs.replace(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]
    (tmp_path / ".figures.json").mkdir()
    with pytest.raises(IsADirectoryError):
        runs.replace(target, b"newer")
    assert target.read_bytes() == b"new"


def test_versions_are_of_all_that_has_a_say() -> None:
    found = runs.versions()
    assert {"eacf", "python", "openssl", *runs.LIBRARIES} == set(found)
    assert all(re.search(r"\d+\.\d+", text) for text in found.values())


def test_a_packager_sets_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert runs.created() == "2001-09-09T01:46:40Z"


def test_the_shipped_bundle_and_its_run_are_of_one_build(repository: Path) -> None:
    run = repository / "trainer" / "runs" / "default"
    shipped = bundle.load(bundle.default_path())
    assert json.loads((run / "config.json").read_text())["bundle"] == shipped.id
    assert json.loads((run / "figures.json").read_text()) == shipped.manifest.document["figures"]
    with np.load(run / "weights.npz") as stored:
        assert stored[stored.files[0]].shape == (shipped.features.shape[0], 160)
        assert stored[stored.files[-1]].shape == (len(shipped.labels) + shipped.manifest.background,)

"""Run folders: one process at a time, whole files only."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from eacf import files
from eacf.errors import SettingError
from eacf.labels import LabelRules
from eacf_trainer import estimators, runs
from eacf_trainer.dataset import Dataset
from eacf_trainer.recipe import Recipe
from eacf_trainer.runs import Folder


@pytest.fixture
def opened(site: Dataset, rules: LabelRules, tiny: Recipe, tmp_path: Path) -> Folder:
    """A new run folder."""
    return Folder.open(tmp_path / "deep" / "run", site, rules, tiny, (1,))


def test_a_folder_is_for_one_process_and_one_run(
    opened: Folder, site: Dataset, rules: LabelRules, tiny: Recipe
) -> None:
    with pytest.raises(SettingError, match="another process works on this run"):
        Folder.open(opened.path, site, rules, tiny, (1,))
    opened.lock.close()
    again = Folder.open(opened.path, site, rules, tiny, (1,))
    again.lock.close()
    with pytest.raises(SettingError, match="holds a run with another seed"):
        Folder.open(opened.path, site, rules, tiny, (7,))


def test_a_dataset_may_be_moved(opened: Folder, site: Dataset, rules: LabelRules, tiny: Recipe, tmp_path: Path) -> None:
    opened.done("0123456789ab")
    opened.lock.close()
    (tmp_path / "moved").symlink_to(site.folder)
    moved = Dataset.open(tmp_path / "moved")
    assert moved.id == site.id
    Folder.open(opened.path, moved, rules, tiny, (1,)).lock.close()
    config = runs.read(opened.path / "config.json")
    assert config is not None
    assert config["dataset"]["folder"] == str(tmp_path / "moved")
    assert config["bundle"] == "0123456789ab"


def test_documents_come_back(opened: Folder) -> None:
    opened.write("figures", {"a": [1, None, "\udcff"], "é": 0.5})
    assert runs.read(opened.path / "figures.json") == {"a": [1, None, "\udcff"], "é": 0.5}
    assert runs.read(opened.path / "none.json") is None
    opened.write("history", {"a/0": [{"loss": 1.0}] * 3})
    assert len((opened.path / "history.json").read_text().splitlines()) == 1
    with pytest.raises(ValueError, match="not JSON compliant"):
        opened.write("figures", {"a": float("nan")})
    assert runs.read(opened.path / "figures.json") == {"a": [1, None, "\udcff"], "é": 0.5}


def test_the_log_has_a_line_for_each_text(opened: Folder) -> None:
    opened.log("one")
    opened.log("two \udcff")
    lines = (opened.path / "log.txt").read_text().splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", "", line) for line in lines] == ["one", "two \\udcff"]


def test_what_cannot_be_replaced_stays(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    files.replace(target, b"old")
    files.replace(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]
    (folder := tmp_path / "weights.npz").mkdir()
    with pytest.raises(IsADirectoryError):
        files.replace(folder, b"newer")
    assert sorted(tmp_path.iterdir()) == [target, folder]
    assert target.read_bytes() == b"new"


def test_versions_are_of_all_that_has_a_say(run: Any) -> None:
    found = runs.versions()
    assert {"eacf", "python", "machine", "openssl", *estimators.LIBRARIES} == set(found)
    assert json.loads((run.folder / "versions.json").read_text()) == found
    assert run.made.manifest.document["libraries"] == found


def test_a_packager_sets_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert runs.created() == "2001-09-09T01:46:40Z"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert runs.created() == runs.CREATED

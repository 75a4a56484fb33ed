"""``eacf-train fit``: from a command line to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eacf_trainer import processes, runs
from eacf_trainer.cli import main
from eacf_trainer.dataset import Dataset


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is that of all tests."""
    monkeypatch.setattr(processes, "single_threaded", lambda: None)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """An estimator: nothing to train for long."""
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\n[network]\nkind = "estimator"\nestimator = "naive-bayes"\n'
        "[labels]\nleast_flows = 5\n[split]\nfolds = 2\ninner = 2\nhidden_labels = 0\n"
    )
    return path


def fit(site: Dataset, recipe: Path, out: Path, *more: str) -> int:
    given = ["fit", str(site.folder), "--recipe", str(recipe), "--labels", "testbed", "--out", str(out), "--jobs", "1"]
    return main([*given, *more])


def test_a_run_folder_with_its_report(
    site: Dataset, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert fit(site, recipe, out, "--seed", "5", "--seeds", "2") == 0
    told = capsys.readouterr()
    assert told.out == f"{out / 'report.html'}\n"
    assert told.err.splitlines()[0] == "eacf-train: reading the dataset"
    assert (out / "report.html").stat().st_size > 10_000
    config = runs.read(out / "config.json")
    assert config is not None
    assert (config["seed"], config["seeds"], config["dataset"]["id"]) == (5, [5, 6], site.id)
    assert config["label_map"]["name"] == "testbed"
    assert fit(site, recipe, out, "--seed", "5", "--seeds", "2") == 0
    assert fit(site, recipe, out, "--seed", "6") == 2
    assert "holds a run with another seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--seeds", "0"], "--seeds 0: must be 1 or more"),
        (["--seed", "-1"], "--seed -1: must be from 0 to 1,000,000,000"),
        (["--jobs", "0"], "--jobs 0: must be a number of 1 or more"),
        (["--labels", "nothing"], "nothing"),
        (["--recipe", "nothing"], "--recipe nothing: no such recipe"),
    ],
)
def test_mistakes(
    site: Dataset, recipe: Path, tmp_path: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(site, recipe, tmp_path / "run", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_dataset_that_is_none(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "half" / "parts").mkdir(parents=True)
    for folder in (tmp_path / "half", tmp_path / "none"):
        assert main(["fit", str(folder), "--recipe", str(recipe), "--out", str(tmp_path / "run")]) in (1, 2)
        assert str(folder) in capsys.readouterr().err


def test_it_says_which_bundle(run: Any) -> None:
    assert run.said[:2] == ["reading the dataset", "training 12 models on 8 labels, 402 flows"]
    assert "training the model on everything" in run.said
